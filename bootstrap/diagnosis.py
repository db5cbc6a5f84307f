"""Diagnose an iteration: what its samples and its answers on dev show beside their scores.

Computed from the recorded candidates and evaluations alone, so that a resumed run has the same diagnosis. The loop
writes iteration_N/diagnosis.json at the end of each iteration; for a run of an earlier version, or to read it again:

    python -m bootstrap.diagnosis --run-dir outputs/RUN
"""

from __future__ import annotations

import argparse
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bootstrap.config import RunConfig
from bootstrap.dataset import normalise
from bootstrap.diagnosis_causes import causes_of
from bootstrap.diagnosis_messages import fold
from bootstrap.diagnosis_records import (
    Canary,
    Coverage,
    DevChange,
    DevDiagnosis,
    Diagnosis,
    Diversity,
    ErrorKind,
    Lengths,
    NearMisses,
    Promotion,
    SamplingDiagnosis,
    Way,
    diagnosis_file,
    read_diagnosis,
)
from bootstrap.errors import UserError
from bootstrap.files import read_jsonl, write_json
from bootstrap.models import past
from bootstrap.programs import run_program
from bootstrap.progression import Past, best_of, without_gain
from bootstrap.records import Candidate, Problem
from bootstrap.run_store import RunStore
from bootstrap.similarity import family_of
from bootstrap.solving import solved_by, way_of
from bootstrap.targets import language_of
from interpreters.base import Outcome

LISTED = 20  # problem ids named; counts are of all
ERRORS = 12
DEV_ERRORS = 5

OVER_LIMITS = (Outcome.MEMORY_EXCEEDED, Outcome.OUTPUT_EXCEEDED)
NOT_JUDGED = (Outcome.INFRA, Outcome.UNSUPPORTED)
STARTS = {
    "python": re.compile(r"\s*(?:SELECT|WITH\s+\w+\s+AS|INSERT|CREATE)\b", re.IGNORECASE),
    "sql": re.compile(r"\s*(?:import \w|from \w+ import|def \w+\(|df\b|pl\.|print\()"),
}
"""Family of languages -> how code in another one starts."""

Row = Mapping[str, Any]


# -- what became of the samples -----------------------------------------------------------------------------------


def diagnose_sampling(
    candidates: Sequence[Candidate], problems: Mapping[str, Problem], train: Iterable[str], config: RunConfig
) -> SamplingDiagnosis | None:
    """Return what an iteration's samples show, None where it has none; `train`: the ids of the train split."""
    if not candidates:
        return None
    outcomes = Counter(c.outcome for c in candidates)
    limit = config.sampling.max_new_tokens
    by_level = coverage_by_difficulty(candidates, problems, train)
    total = Coverage(*(sum(values) for values in zip(*(_counts(c) for c in by_level.values()), strict=True)))
    languages = {pid: family_of(language_of(problems[pid], config)) for pid in {c.problem_id for c in candidates}}
    return SamplingDiagnosis(
        samples=len(candidates),
        ran=sum(map(has_run, candidates)),
        passed=outcomes[Outcome.PASSED],
        timeouts=outcomes[Outcome.TIMEOUT],
        over_limits=sum(outcomes[one] for one in OVER_LIMITS),
        not_judged=sum(outcomes[one] for one in NOT_JUDGED),
        cut_off=sum(c.tokens >= limit for c in candidates),
        other_language=sum(is_foreign(c, languages[c.problem_id]) for c in candidates),
        no_code=sum(not c.code.strip() for c in candidates),
        coverage=total,
        by_difficulty=by_level,
        diversity=diversity_of(candidates, problems, config),
        near_misses=near_misses_of(candidates, problems),
        lengths=lengths_of(candidates),
        errors=frequent_errors(((c.problem_id, c.outcome.value, c.message) for c in candidates), ERRORS),
        by_way=by_way(candidates),
    )


def by_way(candidates: Sequence[Candidate]) -> dict[str, Way]:
    """Return kind of prompt -> what it came to, in the order of the waves; empty where all are of one kind."""
    solved = solved_by(candidates)
    tried: dict[str, list[str]] = {way: [] for way in solved}
    for candidate in candidates:
        tried[way_of(candidate)].append(candidate.problem_id)
    return {way: Way(len(ids), len(set(ids)), solved[way]) for way, ids in tried.items()} if len(solved) > 1 else {}


def has_run(candidate: Candidate) -> bool:
    """Say whether the code gave a result that was compared, on the first test at least."""
    return candidate.outcome in (Outcome.PASSED, Outcome.WRONG_ANSWER) or (candidate.failed_test or 0) > 0


def is_foreign(candidate: Candidate, family: str) -> bool:
    """Say whether code that did not run starts like code of another language."""
    return family in STARTS and not has_run(candidate) and STARTS[family].match(candidate.code) is not None


def coverage_by_difficulty(
    candidates: Iterable[Candidate], problems: Mapping[str, Problem], train: Iterable[str]
) -> dict[str, Coverage]:
    """Return difficulty -> coverage, easiest first; "0" where the source does not know it."""
    tried: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        tried[candidate.problem_id].append(candidate)
    counts: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for problem_id in train:
        counts[problems[problem_id].difficulty][0] += 1
    for problem_id, own in tried.items():
        level = counts[problems[problem_id].difficulty]
        level[1] += 1
        level[2] += any(map(has_run, own))
        level[3] += any(c.passed for c in own)
    return {str(level): Coverage(*counts[level]) for level in sorted(counts)}


def _counts(coverage: Coverage) -> tuple[int, int, int, int]:
    return coverage.train, coverage.tried, coverage.ran, coverage.solved


def diversity_of(
    candidates: Iterable[Candidate], problems: Mapping[str, Problem], config: RunConfig
) -> Diversity:  # fmt: skip
    samples: Counter[str] = Counter()
    codes: dict[str, set[str]] = defaultdict(set)
    solved: set[str] = set()
    for candidate in candidates:
        samples[candidate.problem_id] += 1
        codes[candidate.problem_id].add(candidate.code)
        solved |= {candidate.problem_id} if candidate.passed else set()
    distinct = {
        problem_id: len({normalise(code, language_of(problems[problem_id], config)) for code in own})
        for problem_id, own in codes.items()
    }
    unsolved = [problem_id for problem_id in distinct if problem_id not in solved]
    of_unsolved = sum(samples[problem_id] for problem_id in unsolved)
    return Diversity(
        distinct=sum(distinct.values()),
        distinct_share=round(sum(distinct.values()) / samples.total(), 4),
        per_problem=round(sum(distinct.values()) / len(distinct), 2),
        unsolved_share=round(sum(distinct[p] for p in unsolved) / of_unsolved, 4) if of_unsolved else None,
    )


def near_misses_of(candidates: Sequence[Candidate], problems: Mapping[str, Problem]) -> NearMisses:
    solved = {c.problem_id for c in candidates if c.passed}
    failing = [c for c in candidates if not c.passed and c.failed_test]
    hidden = [c for c in failing if _passed_what_it_saw(c, problems[c.problem_id])]
    last = [c for c in failing if c.failed_test == len(problems[c.problem_id].tests) - 1]
    near = sorted({c.problem_id for c in (*hidden, *last)} - solved)
    before = Counter(c.failed_test or 0 for c in candidates if not c.passed and c.failed_test is not None)
    return NearMisses(
        some_passed=len(failing),
        hidden_only=len(hidden),
        last_only=len(last),
        problems=len(near),
        problem_ids=tuple(near[:LISTED]),
        passed_before={str(tests): before[tests] for tests in sorted(before)},
    )


def _passed_what_it_saw(candidate: Candidate, problem: Problem) -> bool:
    """Say whether every visible test comes before the first that failed, and there is one."""
    visible = [number for number, test in enumerate(problem.tests) if not test.hidden]
    return bool(visible) and visible[-1] < (candidate.failed_test or 0)


def lengths_of(candidates: Sequence[Candidate]) -> Lengths:
    tokens = [c.tokens for c in candidates]
    means = [[len(c.code) for c in candidates if c.passed is passed] for passed in (True, False)]
    passed, failed = (round(statistics.fmean(found), 1) if found else None for found in means)
    return Lengths(
        tokens_mean=round(statistics.fmean(tokens), 1),
        tokens_median=float(statistics.median(tokens)),
        tokens_max=max(tokens),
        characters_passed=passed,
        characters_failed=failed,
    )


def frequent_errors(failures: Iterable[tuple[str, str, str]], most: int) -> tuple[ErrorKind, ...]:
    """Return the most frequent errors of (problem_id, outcome, message); messages are folded, passing ones left out."""
    samples: Counter[tuple[str, str]] = Counter()
    problems: dict[tuple[str, str], set[str]] = defaultdict(set)
    folded: dict[str, str] = {}
    for problem_id, outcome, message in failures:
        if outcome == Outcome.PASSED:
            continue
        if message not in folded:
            folded[message] = fold(message)
        kind = (outcome, folded[message])
        samples[kind] += 1
        problems[kind].add(problem_id)
    ranked = sorted(samples, key=lambda kind: (-samples[kind], kind))[:most]
    return tuple(ErrorKind(*kind, samples[kind], len(problems[kind])) for kind in ranked)


# -- what became of dev -------------------------------------------------------------------------------------------


def diagnose_dev(rows: Sequence[Sequence[Row]], known: Sequence[Past]) -> DevDiagnosis:
    """Return what the last of these evaluations won and lost; `rows` and `known` are those of iterations 0..N."""
    number = len(rows) - 1
    solved = [{row["problem_id"] for row in one if row["outcome"] == Outcome.PASSED} for one in rows]
    bests = {best_of(known[: i + 1]).iteration for i in range(number)}
    canary = set().union(*(solved[i] for i in sorted(bests)))
    lost = sorted(canary - solved[number])
    best = best_of(known[:number]).iteration if number else None
    return DevDiagnosis(
        problems=len(rows[number]),
        solved=len(solved[number]),
        against_previous=change(solved, number - 1) if number else None,
        against_base=change(solved, 0) if number else None,
        against_best=None if best is None else change(solved, best),
        canary=Canary(len(canary), len(lost), tuple(lost[:LISTED])),
        errors=frequent_errors(((r["problem_id"], r["outcome"], r["message"]) for r in rows[number]), DEV_ERRORS),
    )


def change(solved: Sequence[set[str]], against: int) -> DevChange:
    now, before = solved[-1], solved[against]
    lost = sorted(before - now)
    return DevChange(against, len(now - before), len(lost), tuple(lost[:LISTED]))


def promotion_of(known: Sequence[Past], config: RunConfig) -> Promotion:
    """Return what follows for the next iteration; it always samples with the best model (bootstrap.models)."""
    best = best_of(known).iteration
    trains_from = None if config.train.start_from == "base" else best
    return Promotion(best == known[-1].iteration, best, samples_with=best, trains_from=trains_from)


# -- a run's folder -----------------------------------------------------------------------------------------------


def diagnose(store: RunStore, config: RunConfig, number: int, problems: Mapping[str, Problem]) -> Diagnosis:
    """Return the diagnosis of an evaluated iteration, from the records of it and of those before."""
    known = past(store, number)
    found = without_causes(store, config, number, problems)
    stalled = without_gain(known)
    if not stalled:
        return found
    first = number - min(stalled, config.plateau.rounds) + 1
    window = [
        read_diagnosis(diagnosis_file(store, i)) or without_causes(store, config, i, problems)
        for i in range(first, number)
    ]
    found = replace(found, stalled=stalled)
    return replace(found, causes=causes_of([*window, found], known, config))


def without_causes(store: RunStore, config: RunConfig, number: int, problems: Mapping[str, Problem]) -> Diagnosis:
    """Return what follows from the samples and answers of an iteration, before anything is concluded from them."""
    known = past(store, number)
    rows = [read_jsonl(store.evaluation(i) / "dev.jsonl") for i in range(number + 1)]
    sampling = None
    if number:
        sampling = diagnose_sampling(store.candidates(number), problems, store.split()["train"], config)
    return Diagnosis(number, sampling, diagnose_dev(rows, known), promotion_of(known, config))


def write_diagnosis(store: RunStore, config: RunConfig, number: int, problems: Mapping[str, Problem]) -> Diagnosis:
    """Write iteration_N/diagnosis.json and return what is in it."""
    found = diagnose(store, config, number, problems)
    write_json(diagnosis_file(store, number), asdict(found))
    return found


def main(argv: Sequence[str] | None = None) -> None:
    from bootstrap.summary_diagnosis import diagnosis_lines

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run-dir", type=Path, required=True, help="folder of the run")
    store = RunStore(parser.parse_args(argv).run_dir)

    def work() -> None:
        if not store.exists:
            raise UserError(f"{store.root} is not a run folder: it has no config.resolved.json; give outputs/RUN")
        config, number = store.config(), 0
        problems = store.problems() if store.problems_file.exists() else {}
        while store.stage(store.iteration(number), "EVALUATE") is not None:
            found = write_diagnosis(store, config, number, problems)
            print("\n".join([f"iteration {number}", *diagnosis_lines(found)]))
            number += 1
        if not number:
            raise UserError(f"{store.root}: no iteration has been evaluated yet, so there is nothing to diagnose")

    run_program(work)


if __name__ == "__main__":
    main()
