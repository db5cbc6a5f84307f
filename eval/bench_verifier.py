"""Measure what the verifier lets through: wrong code that passes, and right code that does not.

    python -m eval.bench_verifier                                          # 10,000 mutants for each of two targets
    python -m eval.bench_verifier --source text2sql --target duckdb_sql --count 20000 --out verifier.json

Mutants of references are code that looks right and mostly is not. Each is run once as our own code, over all data sets
of its problem, and its tables are compared with the expected ones by rules written here, which share nothing with
interpreters/compare.py: cells as exact values, rows as a multiset, keys of the order as a list. That is the truth:
different on some data set, the same on all, or no table at all. Then every mutant takes the way of a model's answer,
through the CheckerPool. Of the different ones none may pass (false accepts); of the same ones all must (false rejects).

Floats that differ in their last digits alone are neither, and are counted apart; so is a mutant that gives other tables
when it runs again. Leaves only --out. Half an hour on 2 cores.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Literal

from bootstrap.audit.mutants import Mutant, UnmutableError, columns_of, is_ordered, mutants
from bootstrap.audit.workers import run_jobs
from bootstrap.config import parse_overrides
from bootstrap.programs import run_program
from bootstrap.progress import ProgressLines
from bootstrap.records import Problem
from bootstrap.sources import load_source
from eval.bench_table import Section, open_console, print_section
from interpreters import load_interpreter
from interpreters.base import Execution, Interpreter, Limits, Outcome, Table, TestCase, Value
from interpreters.checking import CheckerPool

PROBLEMS = 16
"""Problems whose mutants run side by side."""
LIMITS = Limits(seconds=10.0, memory_mb=2048)
EXAMPLES = 20
"""Of false accepts and rejects that are written to --out."""

Truth = Literal["different", "same", "close", "no table"]
Cell = tuple[object, ...]


# -- the truth, by rules of its own ------------------------------------------------------------------------------------


def cell(value: Value) -> Cell:
    """Return a value in a form that is equal exactly for equal values: numbers as fractions, instants in UTC."""
    if isinstance(value, bool) or value is None:
        return ("truth", value)
    if isinstance(value, float) and not math.isfinite(value):
        return ("number", repr(value))
    if isinstance(value, int | float | Decimal):
        return ("number", Fraction(value))
    if isinstance(value, dt.datetime):
        return ("instant", value.astimezone(dt.UTC).replace(tzinfo=None) if value.tzinfo else value)
    if isinstance(value, list):
        return ("list", *(cell(one) for one in value))
    if isinstance(value, dict):
        return ("struct", *((name, cell(value[name])) for name in sorted(value)))
    return (type(value).__name__, value)


def rough(value: Cell, digits: int) -> Cell:
    """Return a cell with its number cut to so many significant digits."""
    if value and value[0] == "number" and isinstance(value[1], Fraction):
        return ("number", f"{float(value[1]):.{digits}g}")
    return tuple(rough(one, digits) if isinstance(one, tuple) else one for one in value)


def compare(actual: Table, test: TestCase) -> Truth:
    """Say whether a table is the expected one of a test."""
    expected = test.expected
    names, wanted = [[name.lower() for name in table.names] for table in (actual, expected)]
    if len(names) != len(wanted) or (test.match_names and names != wanted) or len(actual.rows) != len(expected.rows):
        return "different"
    found, right = [[tuple(map(cell, row)) for row in table.rows] for table in (actual, expected)]
    if same_rows(found, right, test):
        return "same"
    for digits in (6, 5):  # two grids: what lies on both sides of a step of one is together in the other
        cut = [[tuple(rough(one, digits) for one in row) for row in rows] for rows in (found, right)]
        if same_rows(cut[0], cut[1], test):
            return "close"
    return "different"


def same_rows(found: Sequence[tuple[Cell, ...]], right: Sequence[tuple[Cell, ...]], test: TestCase) -> bool:
    if Counter(found) != Counter(right):
        return False
    start = 0
    for size in test.ties:
        if Counter(found[start : start + size]) != Counter(right[start : start + size]):
            return False
        start += size
    names = [name.lower() for name in test.expected.names]
    keys = [names.index(name.lower()) for name in test.order_by]
    return all(a[key] == b[key] for a, b in zip(found, right, strict=True) for key in keys)


def truth_of(execution: Execution, tests: Sequence[TestCase]) -> Truth:
    """Return what a mutant is, from its tables on all data sets."""
    found = {compare(table, test) for table, test in zip(execution.results, tests, strict=False)}
    if "different" in found:
        return "different"
    if execution.outcome is not Outcome.PASSED:
        return "no table"
    return "close" if "close" in found else "same"


# -- the measurement ---------------------------------------------------------------------------------------------------


@dataclass
class Counts:
    """Of one target. `passed`: of the mutants of each truth; `examples`: false accepts and rejects."""

    target: str
    problems: int = 0
    unmutable: int = 0
    made: Counter[str] = field(default_factory=Counter)
    passed: Counter[str] = field(default_factory=Counter)
    unstable: int = 0
    operators: Counter[str] = field(default_factory=Counter)
    examples: list[dict[str, str]] = field(default_factory=list)

    @property
    def mutants(self) -> int:
        return sum(self.made.values()) + self.unstable

    @property
    def false_accepts(self) -> int:
        return self.passed["different"] + self.passed["no table"]

    @property
    def false_rejects(self) -> int:
        return self.made["same"] - self.passed["same"]

    def to_json(self) -> dict[str, object]:
        return {
            "target": self.target, "problems": self.problems, "mutants": self.mutants, "made": dict(self.made),
            "passed": dict(self.passed), "false_accepts": self.false_accepts, "false_rejects": self.false_rejects,
            "unstable": self.unstable, "unmutable": self.unmutable, "operators": dict(self.operators.most_common()),
            "examples": self.examples,
        }  # fmt: skip


@dataclass(frozen=True)
class Subject:
    problem: Problem
    mutant: Mutant
    truth: Truth


def batches(problems: Iterable[Problem]) -> Iterator[list[Problem]]:
    source = iter(problems)
    while batch := list(islice(source, PROBLEMS)):
        yield batch


def subjects_of(batch: Sequence[Problem], interpreter: Interpreter, limit: int, counts: Counts) -> list[Subject]:
    """Return the mutants of a batch with their truths."""
    pairs: list[tuple[Problem, Mutant]] = []
    for problem in batch:
        code = problem.references.get(interpreter.language)
        try:
            if code is None:
                raise UnmutableError(f"no reference in {interpreter.language}")
            ordered, columns = is_ordered(problem.tests), columns_of(problem.tests)
            made = mutants(code, interpreter.language, columns, ordered=ordered, limit=limit)
        except UnmutableError:
            counts.unmutable += 1
            continue
        counts.problems += 1
        pairs += [(problem, mutant) for mutant in made]
    truths = truths_of(pairs, interpreter)
    return [Subject(*pair, truth) for pair, truth in zip(pairs, truths, strict=True)]


def truths_of(pairs: Sequence[tuple[Problem, Mutant]], interpreter: Interpreter) -> list[Truth]:
    jobs = [(mutant.code, [test.tables for test in problem.tests]) for problem, mutant in pairs]
    executions = run_jobs(interpreter, jobs, LIMITS)
    return [truth_of(one, problem.tests) for one, (problem, _) in zip(executions, pairs, strict=True)]


def measure(target: str, problems: Iterable[Problem], count: int, limit: int, workers: int) -> Counts:
    """Return the counts over so many mutants, or as many as the problems give."""
    counts, progress = Counts(target), ProgressLines(count, f"mutants/s of {target}")
    limits = Limits(seconds=5.0, memory_mb=1024)
    with load_interpreter(target) as interpreter, CheckerPool(target, workers, limits) as pool:
        for batch in batches(problems):
            subjects = subjects_of(batch, interpreter, limit, counts)
            verdicts = [pool.submit(one.mutant.code, one.problem.tests) for one in subjects]
            for one, verdict in zip(subjects, verdicts, strict=True):
                note(counts, one, verdict.result().passed, interpreter)
            progress.add(len(subjects))
            if counts.mutants >= count:
                break
    progress.show()
    return counts


def note(counts: Counts, one: Subject, passed: bool, interpreter: Interpreter) -> None:
    """Count a mutant. Where verdict and truth disagree, the truth is found once more: it may change by itself."""
    suspicious = passed if one.truth in ("different", "no table") else not passed and one.truth == "same"
    if suspicious and truths_of([(one.problem, one.mutant)], interpreter) != [one.truth]:
        counts.unstable += 1
        return
    counts.made[one.truth] += 1
    counts.passed[one.truth] += passed
    counts.operators[one.mutant.operator] += 1
    if suspicious and len(counts.examples) < EXAMPLES:
        counts.examples.append({
            "problem_id": one.problem.problem_id, "statement": one.problem.statement, "truth": one.truth,
            "operator": one.mutant.operator, "detail": one.mutant.detail, "code": one.mutant.code,
        })  # fmt: skip


def section(found: Sequence[Counts]) -> Section:
    columns = (
        "target",
        "problems",
        "mutants",
        "different",
        "no table",
        "passed",
        "same",
        "refused",
        "close",
        "unstable",
    )
    rows = [
        [
            one.target, f"{one.problems:,}", f"{one.mutants:,}", f"{one.made['different']:,}",
            f"{one.made['no table']:,}", f"{one.false_accepts:,}", f"{one.made['same']:,}", f"{one.false_rejects:,}",
            f"{one.made['close']:,}", f"{one.unstable:,}",
        ]
        for one in found
    ]  # fmt: skip
    notes = [
        "passed: of the mutants with a different table or none, those that the checker let through; it must be 0. "
        "refused: of those with the same tables on all data sets, those that it did not.",
    ]
    notes += [
        f"{one.target}: of the wrong ones at most {3 / wrong:.4%} pass (95 % bound from {wrong:,} without a miss)."
        for one in found
        if (wrong := one.made["different"] + one.made["no table"]) and not one.false_accepts
    ]
    return Section("False accepts and false rejects of the verifier, on mutants of references", columns, rows, notes)


def work(args: argparse.Namespace) -> None:
    options = parse_overrides(args.option)
    if args.source == "table_pipelines":
        options = {"count": args.count // 5, "length_weights": [1.0, 1.0, 1.0, 1.0], **options}
    if args.problems is not None:
        source = load_source("jsonl", {"path": str(args.problems)}, args.seed)
    else:
        source = load_source(args.source, options, args.seed)
    found = [measure(target, source.load(), args.count, args.mutants, args.workers) for target in args.target]
    print_section(open_console(), section(found))
    if args.out:
        rows = [one.to_json() for one in found]
        args.out.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    if any(one.false_accepts or one.false_rejects for one in found):
        sys.exit(1)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m eval.bench_verifier", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--target", action="append", help="interpreter; repeatable (polars_expr and duckdb_sql)")
    add("--source", default="table_pipelines", help="problem source (%(default)s)")
    add("--option", action="append", default=[], metavar="KEY=VALUE", help="an option of the source; repeatable")
    add("--problems", type=Path, help="JSONL of problems, in the place of a source")
    add("--seed", type=int, default=11, help="seed of the source (%(default)s)")
    add("--count", type=int, default=10_000, help="mutants per target (%(default)s)")
    add("--mutants", type=int, default=24, help="mutants per problem at most (%(default)s)")
    add("--workers", type=int, default=2, help="checks at a time (%(default)s)")
    add("--out", type=Path, help="JSON file with the counts and examples of what went wrong")
    args = parser.parse_args(argv)
    args.target = args.target or ["polars_expr", "duckdb_sql"]
    run_program(lambda: work(args))
    return 0


if __name__ == "__main__":
    sys.exit(main())
