"""Run folders as a loop leaves them, written by hand: what each sample and each dev answer came to is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bootstrap.config import RunConfig
from bootstrap.diagnosis import write_diagnosis
from bootstrap.diagnosis_records import Diagnosis
from bootstrap.files import write_json, write_jsonl
from bootstrap.records import Candidate, Problem
from bootstrap.run_store import RunStore
from interpreters.base import Column, ColumnType, Outcome, Table, TestCase

TESTS = 4  # of every problem: two visible, then two hidden ones


@dataclass(frozen=True)
class Sampled:
    """What one sample came to."""

    outcome: Outcome = Outcome.WRONG_ANSWER
    code: str = "df"
    failed_test: int | None = 0
    message: str = "row count 1, expected 2"
    tokens: int = 10

    @classmethod
    def right(cls, code: str = "df") -> Sampled:
        return cls(Outcome.PASSED, code, None, "")


Sampler = Callable[[str, int, int], Sampled]  # problem_id, iteration, sample


@dataclass(frozen=True)
class Recorded:
    """A run to record. `dev` gives, by iteration, the numbers of the dev problems that were solved."""

    sampler: Sampler
    dev: Sequence[set[int]]
    train: int = 200
    dev_problems: int = 100
    samples: int = 4
    levels: int = 1
    settings: dict[str, Any] = field(default_factory=dict)


def train_id(number: int) -> str:
    return f"train-{number:04d}"


def number_of(problem_id: str) -> int:
    return int(problem_id.rsplit("-", 1)[1])


def make_problem(problem_id: str, levels: int = 1) -> Problem:
    table = Table((Column("a", ColumnType.INT),), ((1,),))
    tests = tuple(TestCase({"df": table}, table, hidden=i >= TESTS // 2) for i in range(TESTS))
    level = number_of(problem_id) % levels + 1
    return Problem(problem_id, f"Do {problem_id}.", tests, problem_id, "made", difficulty=level)


def make_config(**settings: Any) -> RunConfig:
    return RunConfig.model_validate(
        {"target": "polars_expr", "base_model": "none/none", "plateau": {"rounds": 2}, **settings}
    )


def record_run(folder: Path, run: Recorded) -> tuple[RunStore, list[Diagnosis]]:
    """Write the folder of a run with all its iterations evaluated; return it and the diagnosis of each."""
    store, config = RunStore(folder), make_config(**run.settings)
    train = [train_id(i) for i in range(run.train)]
    dev = [f"dev-{i:04d}" for i in range(run.dev_problems)]
    problems = {pid: make_problem(pid, run.levels) for pid in (*train, *dev)}
    folder.mkdir(parents=True)
    store.write_config(config.model_dump(mode="json"))
    store.write_run({"run": folder.name, "target": "polars_expr", "language": "polars", "base_model": "none/none"})
    store.write_problems(problems.values())
    write_json(store.split_file, {"train": train, "dev": dev, "test": [], "seeds": [], "quarantined": {}})
    left, diagnoses, best = train, [], 0.0
    for number, right in enumerate(run.dev):
        stages: dict[str, dict[str, Any]] = {"CONVERT": {"seeds": 0, "seconds": 1.0}} if number == 0 else {}
        if number:
            left, stages["SOLVE"] = _solve(store, run, number, left, len(train))
        stages["BUILD"], stages["TRAIN"] = {"train_rows": 10, "seconds": 1.0}, {"steps": 1, "seconds": 1.0}
        stages["EVALUATE"] = _evaluate(store, number, dev, right, best)
        best = max(best, stages["EVALUATE"]["dev"]["pass_at_1"])
        write_json(
            store.iteration(number) / "metadata.json",
            {"iteration": number, "parent": number - 1 if number else None, "stages": stages},
        )
        diagnoses.append(write_diagnosis(store, config, number, problems))
    return store, diagnoses


def _solve(
    store: RunStore, run: Recorded, number: int, left: list[str], train: int
) -> tuple[list[str], dict[str, Any]]:  # fmt: skip
    candidates = []
    for problem_id in left:
        for sample in range(run.samples):
            made = run.sampler(problem_id, number, sample)
            candidates.append(
                Candidate(
                    problem_id, number, 0, sample, "0" * 16, made.code, made.code, made.outcome, made.failed_test,
                    made.message, made.tokens,
                )
            )  # fmt: skip
    store.append_candidates(number, candidates)
    solved = {c.problem_id for c in candidates if c.passed}
    still = [problem_id for problem_id in left if problem_id not in solved]
    record = {
        "attempted": len(left), "newly_solved": len(solved), "solved_total": train - len(still), "seconds": 1.0,
        "samples": len(candidates), "distinct": 1, "outcomes": {},
    }  # fmt: skip
    return still, record


def _evaluate(store: RunStore, number: int, dev: list[str], right: set[int], best: float) -> dict[str, Any]:
    rows = [
        {
            "problem_id": pid, "family": pid, "difficulty": 1, "n": 1, "correct": int(number_of(pid) in right),
            "outcome": "PASSED" if number_of(pid) in right else "WRONG_ANSWER", "completion": "df", "code": "df",
            "message": "" if number_of(pid) in right else "columns a, b, expected b",
        }
        for pid in dev
    ]  # fmt: skip
    write_jsonl(store.evaluation(number) / "dev.jsonl", rows)
    rate = len(right) / len(dev)
    score = {"n": len(dev), "num_samples": 1, "pass_at_1": rate, "pass_at_k": {"1": rate}, "ci95": [rate, rate]}
    return {"dev": score, "control_dev": None, "best_so_far": rate >= best, "seconds": 1.0}
