"""Iteration 0 before any model: load the problems, admit them, freeze the split, verify the seeds."""

from __future__ import annotations

import logging
import os
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from bootstrap.admission import Plan, admit_by
from bootstrap.audit.audit import ProblemAudit, audit, quarantine_reason, with_added
from bootstrap.audit.report import audit_row, totals_of
from bootstrap.audit.workers import Workers
from bootstrap.config import RunConfig
from bootstrap.dataset import Solution
from bootstrap.errors import UserError
from bootstrap.files import write_json
from bootstrap.records import Problem, digest
from bootstrap.run_store import RunStore
from bootstrap.sources import load_source

MIN_TRAIN = 1

log = logging.getLogger(__name__)


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
    store: RunStore, config: RunConfig, language: str, on_checked: Callable[[int, int, str], None]
) -> dict[str, object]:  # fmt: skip
    """Write problems.jsonl, split.json, audit.json and the seeds; return the counts. References of the target language
    stay out of problems.jsonl, those of the seeds excepted; audit.json, which only people read, shows mutants."""
    source = load_source(config.source.name, config.source.options, config.seed)
    loaded = list(islice(source.load(), config.source.limit))
    sample = audited_sample(loaded, config)
    plan = Plan(language, config.admission.languages, config.admission.repeats, frozenset(sample))
    known = frozenset(one for problem in loaded for one in plan.languages_of(problem))
    count = config.checking.workers or os.cpu_count() or 1
    workers = Workers(count, config.target, config.checking.sandbox, known)
    admission = admit_by(loaded, workers, plan, lambda n, of: on_checked(n, of, "references run"))
    for missing, why in admission.missing.items():
        log.warning("the references in %s are not run: %s", missing, why)
    admitted, audits = audited(admission.admitted, sample, workers, config, on_checked)
    reasons = {one.problem_id: reason for one in audits if (reason := quarantine_reason(one, config.audit))}
    quarantined = dict(sorted((admission.quarantined | reasons).items()))
    admitted = [p for p in admitted if p.problem_id not in reasons]
    split = split_by_family(admitted, config, language)
    seeds = set(split.seeds)
    store.write_problems(p if p.problem_id in seeds else without_reference(p, language) for p in admitted)
    write_json(store.split_file, {**split.__dict__, "quarantined": quarantined})
    totals = totals_of(audits, config.audit)
    store.write_audit({"totals": totals.to_json(), "problems": [audit_row(one) for one in audits]})
    log.info("%s", totals.line())
    return {
        "loaded": len(loaded), "accepted": len(seeds), "seeds": len(seeds), "quarantined": len(quarantined),
        "train": len(split.train), "dev": len(split.dev), "test": len(split.test), "audit": totals.line(),
    }  # fmt: skip


def audited_sample(problems: Sequence[Problem], config: RunConfig) -> set[str]:
    """Return the ids of the problems to audit: all, or so many chosen by digest."""
    ids = sorted((p.problem_id for p in problems), key=lambda pid: digest(str(config.seed), "audit", pid))
    return set(ids if config.audit.problems == "all" else ids[: config.audit.problems])


def audited(
    problems: Sequence[Problem], sample: Collection[str], workers: Workers, config: RunConfig,
    on_checked: Callable[[int, int, str], None],
) -> tuple[list[Problem], list[ProblemAudit]]:  # fmt: skip
    """Return the problems, those of the sample with the data sets that their audit has added, and the audits."""
    chosen = [problem for problem in problems if problem.problem_id in sample]
    done = 0

    def show(audits: Sequence[ProblemAudit]) -> None:
        nonlocal done
        done += len(audits)
        on_checked(done, len(chosen), "problems audited")

    found = {one.problem_id: one for one in audit(chosen, workers, config.audit, on_done=show)}
    return [with_added(p, found[p.problem_id]) if p.problem_id in found else p for p in problems], [*found.values()]


def without_reference(problem: Problem, language: str) -> Problem:
    return replace(problem, references={k: v for k, v in problem.references.items() if k != language})


def seed_solutions(
    problems: Mapping[str, Problem], seeds: Sequence[str], language: str
) -> list[Solution]:  # fmt: skip
    """Return the given solutions, which admission has run."""
    return [Solution(pid, problems[pid].references[language], 0, tests_passed=len(problems[pid].tests))
            for pid in seeds]  # fmt: skip
