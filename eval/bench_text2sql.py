"""Measure the checker on real questions: every gold must pass its own check, and no gold that of another question.

    python -m eval.bench_text2sql --data FOLDER                     # duckdb and postgres; some minutes on 2 cores
    python -m eval.bench_text2sql --data FOLDER --engine duckdb --limit 100 --out figures.json

FOLDER has the layout that bootstrap/sources/text2sql.py reads. All code runs as a model's would: in the sandbox,
against the file's expected rows, by the rules of interpreters/compare.py. A pair is a question and the gold of another
question on the same database; it counts when their expected rows differ by a comparison of its own, written here
without those rules. Questions whose gold leaves the answer open are no problems of the source: their golds are run
and listed, and they are in no pair. Leaves only --out. Exits with 1 when a gold failed or a pair was accepted.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, cast

from bootstrap.errors import UserError, nearest
from bootstrap.records import Problem
from bootstrap.sources.text2sql import Question, Text2Sql
from eval.bench_table import Section, open_console, print_section
from interpreters import INTERPRETERS
from interpreters.base import Limits, Table, Value, Verdict
from interpreters.checking import CheckerPool

Engine = Literal["duckdb", "postgres"]
ENGINES: dict[Engine, str] = {"duckdb": "duckdb_sql", "postgres": "postgres_sql"}
"""Engine of the questions -> the interpreter that checks them."""

LIMITS = Limits(seconds=20.0)


@dataclass(frozen=True)
class Miss:
    """A gold that did not pass its own check. `doubt` is what the source says about the question."""

    problem_id: str
    outcome: str
    message: str
    doubt: str
    code: str


@dataclass(frozen=True)
class Accepted:
    """A pair that passed although the answers differ."""

    problem_id: str
    other_id: str
    code: str


@dataclass(frozen=True)
class Figures:
    """What one engine gave. `same_answer` counts the pairs that are none, because the right answers are equal."""

    questions: int
    passed: int
    in_doubt: int
    pairs: int
    same_answer: int
    misses: tuple[Miss, ...]
    doubts: tuple[tuple[str, str], ...]
    accepted: tuple[Accepted, ...]


# -- pairs --------------------------------------------------------------------------------------------------------


def plain(value: Value) -> str:
    """Return a cell as text, equal for what is plainly the same: 3 and 3.0, or two floats to nine digits."""
    if value is None or isinstance(value, bool | str):
        return repr(value)
    if isinstance(value, int | float) or type(value).__name__ == "Decimal":
        return f"{float(cast(float, value)):.9g}"
    return f"{type(value).__name__} {value!r}"


def plain_rows(table: Table, ties: Sequence[int]) -> list[list[list[str]]]:
    """Return the rows as text, sorted within each group of ties; all of them are one group where no order counts."""
    rows = [[plain(value) for value in row] for row in table.rows]
    groups, start = [], 0
    for size in ties or [len(rows)]:
        groups.append(sorted(rows[start : start + size]))
        start += size
    return groups if start == len(rows) else [rows]  # of another number of rows, which decides already


def same_answer(problem: Problem, other: Problem) -> bool:
    """Say whether the file's rows of `other` answer `problem` too."""
    [test], [given] = problem.tests, other.tests
    columns = len(test.expected.columns) == len(given.expected.columns)
    return columns and plain_rows(test.expected, test.ties) == plain_rows(given.expected, test.ties)


def pairs_of(questions: Sequence[Question]) -> Iterator[tuple[Problem, Problem]]:
    """Yield question and other question of one database, for those with one right answer."""
    families: dict[str, list[Problem]] = defaultdict(list)
    for question in questions:
        if not question.doubt:
            families[question.problem.family].append(question.problem)
    for members in families.values():
        for problem in members:
            yield from ((problem, other) for other in members if other is not problem)


# -- running ------------------------------------------------------------------------------------------------------


def measure(questions: Sequence[Question], engine: Engine, workers: int) -> Figures:
    """Run all golds on all questions of their database. Raises InterpreterError when the interpreter fails."""
    pairs = list(pairs_of(questions))
    different = [(problem, other) for problem, other in pairs if not same_answer(problem, other)]
    own = check_all([(q.problem, q.problem) for q in questions], engine, workers, "golds on their own question")
    others = check_all(different, engine, workers, "golds on other questions")
    misses = [(q, verdict) for q, verdict in zip(questions, own, strict=True) if not verdict.passed]
    return Figures(
        questions=len(questions),
        passed=len(questions) - len(misses),
        in_doubt=sum(bool(question.doubt) for question in questions),
        pairs=len(different),
        same_answer=len(pairs) - len(different),
        misses=tuple(
            Miss(q.problem.problem_id, v.outcome.value, v.message, q.doubt, q.problem.references[engine])
            for q, v in misses
        ),
        doubts=tuple((q.problem.problem_id, q.doubt) for q in questions if q.doubt),
        accepted=tuple(
            Accepted(problem.problem_id, other.problem_id, other.references[engine])
            for (problem, other), verdict in zip(different, others, strict=True)
            if verdict.passed
        ),
    )


def check_all(pairs: Sequence[tuple[Problem, Problem]], engine: Engine, workers: int, what: str) -> list[Verdict]:
    """Return the verdict on each second problem's gold as an answer to the first."""
    if not pairs:
        return []
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with (
        CheckerPool(ENGINES[engine], workers, LIMITS) as pool,
        Progress(console=console, disable=not console.is_terminal) as progress,
    ):
        task = progress.add_task(f"{engine}: {what}", total=len(pairs))
        futures = []
        for problem, other in pairs:
            futures.append(pool.submit(other.references[engine], problem.tests))
            futures[-1].add_done_callback(lambda _: progress.advance(task))
        return [future.result() for future in futures]


def section(engine: Engine, figures: Figures) -> Section:
    clear = figures.questions - figures.in_doubt
    missed = [miss for miss in figures.misses if not miss.doubt]
    failed = {miss.problem_id: f"; the gold gives {miss.outcome} {miss.message}" for miss in figures.misses}
    rows = [
        ["golds right on their own question", f"{clear - len(missed)} of {clear}"],
        ["... where the gold leaves the answer open", f"{figures.passed - clear + len(missed)} of {figures.in_doubt}"],
        ["golds accepted on a question with another answer", f"{len(figures.accepted)} of {figures.pairs}"],
        ["pairs with equal answers, not run", str(figures.same_answer)],
    ]
    notes = [
        *(f"FAILED {miss.problem_id}: {miss.outcome} {miss.message} | {miss.code}" for miss in missed),
        *(f"ACCEPTED on {pair.problem_id}: the gold of {pair.other_id}: {pair.code}" for pair in figures.accepted),
        *(f"open: {problem_id}: {doubt}{failed.get(problem_id, '')}" for problem_id, doubt in figures.doubts),
    ]
    return Section(f"{engine}: {figures.questions} questions", ("", "count"), rows, notes, asdict(figures))


def run(data: Path, engines: Sequence[Engine], limit: int | None, workers: int, out: Path | None) -> bool:
    """Measure and print; return whether nothing was judged wrongly."""
    console, found = open_console(), {}
    for engine in engines:
        questions = list(Text2Sql(Text2Sql.Options(path=str(data), engine=engine, limit=limit), 0).questions())
        found[engine] = measure(questions, engine, workers)
        print_section(console, section(engine, found[engine]))
    if out:
        out.write_text(json.dumps({name: asdict(one) for name, one in found.items()}, indent=2) + "\n", "utf-8")
    return all(faultless(figures) for figures in found.values())


def faultless(figures: Figures) -> bool:
    return not figures.accepted and all(miss.doubt for miss in figures.misses)


def choose(engine: str, known: Mapping[str, str] = INTERPRETERS) -> list[Engine]:
    """Return the engines to measure. Raises UserError when one has no interpreter."""
    wanted: list[Engine] = list(ENGINES) if engine == "both" else [cast(Engine, engine)]
    for name in wanted:
        if ENGINES[name] not in known:
            raise UserError(f"--engine {name} needs the interpreter {ENGINES[name]}{nearest(ENGINES[name], known)}")
    return wanted


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m eval.bench_text2sql", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="FOLDER", help="questions and databases")
    add("--engine", choices=[*ENGINES, "both"], default="both", help="whose questions (both)")
    add("--limit", type=int, metavar="N", help="the first N questions of each engine only (all)")
    add("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="checks at a time (one per core)")
    add("--out", type=Path, help="JSON file with the figures and every miss")
    args = parser.parse_args(argv)
    try:
        return 0 if run(args.data, choose(args.engine), args.limit, args.workers, args.out) else 1
    except UserError as e:
        print(f"error: {e}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
