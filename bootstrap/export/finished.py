"""Finished problems: a problem with a solution that an interpreter has proved right, and where it comes from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from bootstrap.dataset import Solution, choose, passing_solutions, seed_solutions
from bootstrap.errors import UserError
from bootstrap.files import read_jsonl
from bootstrap.records import Problem
from bootstrap.run_store import RunStore
from bootstrap.targets import language_of, target_of
from interpreters import load_interpreter
from interpreters.base import Limits, TestCase, Verdict
from interpreters.checking import CheckerPool
from interpreters.judging.judge_stream import judge_in_order

ENGINES = ("duckdb", "ibis-framework", "polars", "psycopg", "python")
"""Packages, among those that a run lists, that decide what its interpreters say."""

Label = TypeVar("Label")


@dataclass(frozen=True)
class Finished:
    """`interpreter`: the name of the one that judges; `proved_by`: it, with what is known of its version."""

    problem: Problem
    language: str
    interpreter: str
    code: str
    proved_by: str
    part: str = "train"
    iteration: int = 0  # 0: given, or converted
    sampler: str = ""
    seed: int = 0


@dataclass(frozen=True)
class Collection:
    """What is exported, and what was left out: reason -> count."""

    finished: tuple[Finished, ...]
    left_out: Mapping[str, int]
    origin: str


def finished_of_run(store: RunStore, keep: int) -> Collection:
    """Return the solved train problems of a run, with at most `keep` solutions each, as its own verdicts say."""
    if not store.exists:
        raise UserError(f"--run-dir {store.root}: expected the folder of a run, found no config.resolved.json in it")
    config = store.config()
    problems, split = store.problems(), store.split()

    def language(solution: Solution) -> str:
        return language_of(problems[solution.problem_id], config)

    parts = {pid: part for part in ("train", "dev", "test") for pid in split[part]}
    seeds = seed_solutions(problems, split["seeds"], config)
    numbers = [int(folder.name.split("_")[1]) for folder in store.iterations()]
    candidates = [candidate for number in numbers for candidate in store.candidates(number)]
    passing = passing_solutions(candidates, problems)
    kept = choose([*seeds, *passing], keep, language).kept
    made_by = f"in run {store.name}{_versions(store.run_row())}"
    finished = []
    for one in kept:
        target = target_of(problems[one.problem_id], config)
        finished.append(Finished(
            problems[one.problem_id], language(one), target, one.code, f"{target} {made_by}",
            parts.get(one.problem_id, "train"), one.iteration, one.sampler, one.seed,
        ))  # fmt: skip
    left_out = {
        "candidates that did not pass": len(candidates) - len(passing),
        "passing, but the same as a shorter one or over --keep": len(seeds) + len(passing) - len(kept),
    }
    return Collection(tuple(finished), {why: n for why, n in left_out.items() if n}, f"run {store.name}")


def _versions(row: Mapping[str, Any]) -> str:
    versions = row.get("versions", {})
    known = [f"{name} {versions[name]}" for name in ENGINES if name in versions]
    return f" ({', '.join(known)})" if known else ""


# -- from files ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Judges:
    """The interpreter that proves solutions, and how."""

    target: str
    limits: Limits
    workers: int = 1
    sandbox: str = "required"

    def start(self) -> tuple[str, str]:
        """Return the language, and the name with its version. Raises UserError where it cannot run here."""
        with load_interpreter(self.target, self.sandbox) as interpreter:  # type: ignore[arg-type]  # checked by argparse
            reason = interpreter.available()
            if reason:
                raise UserError(f"the interpreter {self.target} is not available: {reason}")
            return interpreter.language, f"{self.target} ({interpreter.version()})"

    def judge(self, jobs: Iterable[tuple[Label, str, Sequence[TestCase]]]) -> Iterator[tuple[Label, Verdict]]:
        with CheckerPool(self.target, self.workers, self.limits, self.sandbox) as pool:  # type: ignore[arg-type]  # as above
            yield from judge_in_order(pool, jobs)


def read_problems(path: Path) -> dict[str, Problem]:
    """Return the problems of a file by id. Raises UserError."""
    if not path.is_file():
        raise UserError(f"no problems file {path}")
    problems = {}
    for number, row in enumerate(read_jsonl(path), 1):
        try:
            problem = Problem.from_json(row)
        except (KeyError, TypeError, ValueError) as e:
            raise UserError(f"{path}, line {number}: not a problem ({e}); see docs/problem_format.md") from e
        problems[problem.problem_id] = problem
    return problems


def finished_of_files(problems_file: Path, solutions_file: Path, judges: Judges, keep: int) -> Collection:
    """Return the solutions of a file that pass their problems' tests here; what is left out is counted."""
    problems = read_problems(problems_file)
    if not solutions_file.is_file():
        raise UserError(f"--solutions: no file {solutions_file}")
    left_out: Counter[str] = Counter()
    rows = []
    for row in read_jsonl(solutions_file):
        if not isinstance(row.get("problem_id"), str) or not isinstance(row.get("code"), str):
            left_out["lines without problem_id and code"] += 1
        elif row["problem_id"] not in problems:
            left_out["solutions of problems that are not in the file"] += 1
        else:
            rows.append(row)
    language, proof = judges.start()
    distinct = list({(row["problem_id"], row["code"]): row for row in reversed(rows)}.values())[::-1]
    left_out["the same code again"] += len(rows) - len(distinct)
    jobs = [((i, row["problem_id"]), row["code"], problems[row["problem_id"]].tests) for i, row in enumerate(distinct)]
    solutions = []
    for (i, pid), verdict in judges.judge(jobs):
        if verdict.passed:
            row = distinct[i]
            given = (int(row.get("iteration") or 0), str(row.get("sampler") or ""), int(row.get("seed") or 0))
            solutions.append(Solution(pid, row["code"], *given, tests_passed=len(problems[pid].tests)))
        else:
            left_out[f"solutions that fail: {verdict.outcome.value}"] += 1
    kept = choose(solutions, keep, lambda _: language).kept
    left_out["passing, but the same as a shorter one or over --keep"] += len(solutions) - len(kept)
    finished = [
        Finished(
            problems[s.problem_id], language, judges.target, s.code, proof, "train", s.iteration, s.sampler, s.seed
        )
        for s in kept
    ]
    return Collection(tuple(finished), {why: n for why, n in left_out.items() if n}, solutions_file.name)
