"""Iteration 0 before any model: load the problems, admit them, freeze the split, verify the seeds."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from bootstrap.admission import admit
from bootstrap.config import RunConfig
from bootstrap.dataset import Solution
from bootstrap.errors import UserError
from bootstrap.files import write_json
from bootstrap.records import Problem, digest
from bootstrap.run_store import RunStore
from bootstrap.sources import load_source

MIN_TRAIN = 1


@dataclass(frozen=True)
class Split:
    """Problem ids by part. `seeds` are train problems with a given solution in the target language."""

    train: list[str]
    dev: list[str]
    test: list[str]
    seeds: list[str]


def split_by_family(problems: Sequence[Problem], config: RunConfig, language: str) -> Split:
    """Return a split in which no family is in two parts, decided by digests alone.

    Raises UserError when there are too few problems for the sizes asked for.
    """
    families: dict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        families[problem.family].append(problem)
    parts: dict[str, list[Problem]] = {"dev": [], "test": [], "train": []}
    for family in sorted(families, key=lambda name: digest(str(config.seed), "split", name)):
        sizes = (("dev", config.split.dev), ("test", config.split.test))
        part = next((name for name, size in sizes if len(parts[name]) < size), "train")
        parts[part] += families[family]
    seeds = [p for p in parts["train"] if language in p.references][: config.split.seeds]
    if len(parts["test"]) < config.split.test or len(parts["train"]) - len(seeds) < MIN_TRAIN:
        raise UserError(
            f"{len(problems)} admitted problems are too few for split.dev={config.split.dev}, "
            f"split.test={config.split.test} and split.seeds={config.split.seeds}: lower them or load more problems"
        )
    if len(seeds) < config.split.seeds:
        raise UserError(
            f"split.seeds={config.split.seeds}, but only {len(seeds)} train problems carry a {language} solution"
        )
    ids = {name: [p.problem_id for p in members] for name, members in parts.items()}
    return Split(**ids, seeds=[p.problem_id for p in seeds])


def prepare(
    store: RunStore, config: RunConfig, language: str, on_checked: Callable[[int, int], None]
) -> dict[str, object]:  # fmt: skip
    """Write problems.jsonl, split.json and the seeds; return the counts. References of the target language stay out
    of the run folder, those of the seeds excepted."""
    source = load_source(config.source.name, config.source.options, config.seed)
    loaded = list(islice(source.load(), config.source.limit))
    admitted, quarantined = admit(loaded, config.checking.workers or os.cpu_count() or 1, on_checked)
    split = split_by_family(admitted, config, language)
    seeds = set(split.seeds)
    store.write_problems(p if p.problem_id in seeds else without_reference(p, language) for p in admitted)
    write_json(store.split_file, {**split.__dict__, "quarantined": quarantined})
    return {
        "loaded": len(loaded), "accepted": len(seeds), "seeds": len(seeds), "quarantined": len(quarantined),
        "train": len(split.train), "dev": len(split.dev), "test": len(split.test),
    }  # fmt: skip


def without_reference(problem: Problem, language: str) -> Problem:
    return replace(problem, references={k: v for k, v in problem.references.items() if k != language})


def seed_solutions(
    problems: Mapping[str, Problem], seeds: Sequence[str], language: str
) -> list[Solution]:  # fmt: skip
    """Return the given solutions, which admission has run."""
    return [Solution(pid, problems[pid].references[language], 0, tests_passed=len(problems[pid].tests))
            for pid in seeds]  # fmt: skip
