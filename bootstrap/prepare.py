"""Iteration 0 before any model: load the problems, admit them, freeze the split, verify the seeds."""

from __future__ import annotations

import functools
import logging
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from bootstrap.admission import Plan, admit_by
from bootstrap.audit.audit import ProblemAudit, audit, quarantine_reason, with_added
from bootstrap.audit.report import audit_row, totals_of
from bootstrap.audit.workers import Workers
from bootstrap.checkers import open_pool
from bootstrap.config import RunConfig
from bootstrap.contamination import documents_of, merge_families, near_duplicates
from bootstrap.convert.attempts import ROUTES
from bootstrap.convert.seeds import Seeds
from bootstrap.errors import UserError
from bootstrap.files import read_jsonl, write_json
from bootstrap.records import Problem, digest
from bootstrap.run_store import RunStore
from bootstrap.sources import load_source
from bootstrap.targets import (
    conversion_folder,
    for_target,
    language_named,
    languages_of,
    origin_of,
    seeds_wanted,
    target_of,
)

MIN_TRAIN = 1

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Split:
    """Problem ids by part. `seeds` are train problems with a solution in the target language, `seed_routes` says by
    which route each of them has it."""

    train: list[str]
    dev: list[str]
    test: list[str]
    seeds: list[str] = field(default_factory=list)
    seed_routes: dict[str, str] = field(default_factory=dict)


def split_by_family(problems: Sequence[Problem], config: RunConfig) -> Split:
    """Return a split in which no family is in two parts, decided by digests alone, without seeds yet.

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
    if len(parts["test"]) < config.split.test or len(parts["train"]) - config.split.seeds < MIN_TRAIN:
        raise UserError(
            f"{len(problems)} admitted problems are too few for split.dev={config.split.dev}, "
            f"split.test={config.split.test} and split.seeds={config.split.seeds}: lower them or load more problems"
        )
    train, dev, test = ([p.problem_id for p in parts[name]] for name in ("train", "dev", "test"))
    return Split(train, dev, test)


def find_seeds(
    train: Sequence[Problem], config: RunConfig, on_done: Callable[[int, int], None]
) -> list[Seeds]:  # fmt: skip
    """Return the seeds that are given or that rules make, by target. Raises UserError when they are too few and no
    teacher is there to be asked for more."""
    found = []
    for target, wanted in seeds_wanted(config).items():
        members = [problem for problem in train if target_of(problem, config) == target]
        seeds = Seeds(language_named(target))
        seeds.add_given(members, wanted)
        if config.convert.rules:
            seeds.add_by_rules(members, wanted, functools.partial(open_pool, config, target), on_done)
        if config.convert.teacher is None:
            require_seeds(seeds, wanted)
        found.append(seeds)
    return found


def require_seeds(seeds: Seeds, wanted: int) -> None:
    """Raise UserError when there are fewer seeds than the configuration asks for."""
    if len(seeds.problems) < wanted:
        reasons = Counter(seeds.lost.values()).most_common(3)
        lost = "; ".join(f"{count} lost for {reason}" for reason, count in reasons)
        raise UserError(
            f"split.seeds asks for {wanted}, but only {len(seeds.problems)} train problems have a solution in "
            f"{seeds.language} ({dict(Counter(seeds.routes.values()))}{'; ' if lost else ''}{lost}): lower it, or name "
            "a teacher in convert.teacher"
        )


@dataclass
class Admitted:
    """The problems that enter a run, for all its targets, and what was found about them and the others."""

    problems: list[Problem] = field(default_factory=list)
    quarantined: dict[str, str] = field(default_factory=dict)
    audits: list[ProblemAudit] = field(default_factory=list)

    def admit(
        self, loaded: Sequence[Problem], sample: Collection[str], target: str, config: RunConfig,
        on_checked: Callable[[int, int, str], None],
    ) -> None:  # fmt: skip
        """Add the problems that may be solved for this target. Raises InterpreterError."""
        plan = Plan(
            language_named(target), config.admission.languages, config.admission.repeats, frozenset(sample)
        )  # fmt: skip
        known = frozenset(one for problem in loaded for one in plan.languages_of(problem))
        count = config.checking.workers or os.cpu_count() or 1
        workers = Workers(count, target, config.checking.sandbox, known)
        admission = admit_by(loaded, workers, plan, lambda n, of: on_checked(n, of, "references run"))
        for missing, why in admission.missing.items():
            log.warning("the references in %s are not run: %s", missing, why)
        admitted, audits = audited(admission.admitted, sample, workers, config, on_checked)
        reasons = {one.problem_id: reason for one in audits if (reason := quarantine_reason(one, config.audit))}
        self.quarantined |= admission.quarantined | reasons
        self.problems += [problem for problem in admitted if problem.problem_id not in reasons]
        self.audits += audits


def admitted_problems(
    loaded: Sequence[Problem], config: RunConfig, on_checked: Callable[[int, int, str], None]
) -> Admitted:  # fmt: skip
    """Return the problems that enter the run: with several targets each of them once per target."""
    found, sample = Admitted(), audited_sample(loaded, config)
    if not config.other_targets:
        found.admit(loaded, sample, config.target, config, on_checked)
    for target in config.targets if config.other_targets else ():
        members = [for_target(problem, target) for problem in loaded]
        chosen = {one.problem_id for one in members if origin_of(one) in sample}
        found.admit(members, chosen, target, config, on_checked)
    if config.split.near_duplicates == "merge":
        once = {origin_of(problem): problem for problem in reversed(found.problems)}
        found.problems = merge_families(found.problems, near_duplicates(documents_of([*once.values()][::-1])))
    return found


def prepare(
    store: RunStore, config: RunConfig, on_checked: Callable[[int, int, str], None]
) -> dict[str, object]:  # fmt: skip
    """Write problems.jsonl, split.json, audit.json and the seeds; return the counts. References of the target languages
    stay out of problems.jsonl, those of the seeds excepted; audit.json, which only people read, shows mutants."""
    source = load_source(config.source.name, config.source.options, config.seed)
    loaded = [replace(problem, target="") for problem in islice(source.load(), config.source.limit)]
    found = admitted_problems(loaded, config, on_checked)
    split = split_by_family(found.problems, config)
    by_id = {problem.problem_id: problem for problem in found.problems}
    train = [by_id[problem_id] for problem_id in split.train]
    seeds = find_seeds(train, config, lambda n, of: on_checked(n, of, "seeds found"))
    accepted = {pid: problem for one in seeds for pid, problem in seeds_of(one, config).items()}
    routes: dict[str, str] = {pid: route for one in seeds for pid, route in one.routes.items()}
    split = replace(split, seeds=[*accepted], seed_routes=routes)
    store.write_problems(accepted.get(p.problem_id) or without_references(p, config) for p in found.problems)
    write_json(store.split_file, {**split.__dict__, "quarantined": dict(sorted(found.quarantined.items()))})
    totals = totals_of(found.audits, config.audit)
    store.write_audit({"totals": totals.to_json(), "problems": [audit_row(one) for one in found.audits]})
    log.info("%s", totals.line())
    return {
        "loaded": len(loaded), **seed_counts(split.seed_routes), "quarantined": len(found.quarantined),
        "train": len(split.train), "dev": len(split.dev), "test": len(split.test), "audit": totals.line(),
    }  # fmt: skip


def seed_counts(routes: Mapping[str, str]) -> dict[str, object]:
    counts = Counter(routes.values())
    by_route = {route: counts[route] for route in ROUTES if counts[route]}
    return {"accepted": len(routes), "seeds": len(routes), "seeds_by_route": by_route}


def add_converted(store: RunStore, config: RunConfig) -> dict[str, object]:
    """Make what a teacher's conversion has proved into seeds; return the counts. Raises UserError when there are too
    few all the same."""
    problems, split = store.problems(), store.split()
    accepted: dict[str, Problem] = {}
    routes: dict[str, str] = {}
    for target, wanted in seeds_wanted(config).items():
        members = {pid: problems[pid] for pid in split["train"] if target_of(problems[pid], config) == target}
        seeds = Seeds(language_named(target))
        for problem_id in (pid for pid in split["seeds"] if pid in members):
            given = members[problem_id]
            seeds.add(given, given.references[seeds.language], split["seed_routes"][problem_id])
        seeds.add_solutions(members, read_jsonl(conversion_folder(store, config, target) / "solutions.jsonl"), wanted)
        require_seeds(seeds, wanted)
        accepted |= seeds.problems
        routes |= seeds.routes
    store.write_problems(accepted.get(problem_id, problem) for problem_id, problem in problems.items())
    write_json(store.split_file, {**split, "seeds": [*accepted], "seed_routes": routes})
    return seed_counts(routes)


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


def without_references(problem: Problem, config: RunConfig) -> Problem:
    """Return the problem without its references in the target languages: they would be answers."""
    hidden = languages_of(config).values()
    return replace(problem, references={k: v for k, v in problem.references.items() if k not in hidden})


def seeds_of(seeds: Seeds, config: RunConfig) -> dict[str, Problem]:
    """Return the seeds, each with its reference in its own target language and in none of the others."""
    return {
        problem_id: replace(problem, references={
            **without_references(problem, config).references, seeds.language: problem.references[seeds.language],
        })
        for problem_id, problem in seeds.problems.items()
    }  # fmt: skip
