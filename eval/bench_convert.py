"""Measure conversion by rules: how many golds written for SQLite become right code in each target language.

    python -m eval.bench_convert --data FOLDER                                    # duckdb and postgres
    python -m eval.bench_convert --data FOLDER --targets duckdb,postgres,ibis,polars --show-lost --out figures.json

FOLDER has the layout that bootstrap/sources/text2sql.py reads; a line's `gold_sqlite` is what is converted. DuckDB,
Ibis and Polars take the questions of duckdb.jsonl, PostgreSQL those of postgres.jsonl. Every attempt runs as a model's
code would, in the sandbox: on the question's own data, against the rows of the file, and on further data sets made of
it (bootstrap/audit/data_sets.py), where the file's gold for the engine says what is right. A data set is used only when
that gold gives one answer on it, in any order of storage. Questions whose gold leaves the answer open count apart.
Leaves only --out. Exits with 1 when a target is below its aim.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Literal

from bootstrap.audit.data_sets import job_of, variations
from bootstrap.convert.base import Conversion, UnsupportedSqlError
from bootstrap.convert.rules import convert_sql, schema_of
from bootstrap.errors import UserError, nearest
from bootstrap.records import Problem
from bootstrap.sources.text2sql import Text2Sql
from eval.bench_table import Section, open_console, print_section
from interpreters.base import Limits, Outcome, Table, TestCase, Value, Verdict
from interpreters.checking import CheckerPool

Engine = Literal["duckdb", "postgres"]


@dataclass(frozen=True)
class Target:
    """`engine`: whose questions. `aim`: the share of them that should be proved on their own data, 0 for none."""

    engine: Engine
    interpreter: str
    aim: float = 0.0


TARGETS: dict[str, Target] = {
    "duckdb": Target("duckdb", "duckdb_sql", 0.98),
    "postgres": Target("postgres", "postgres_sql", 0.97),
    "ibis": Target("duckdb", "ibis_duckdb"),
    "polars": Target("duckdb", "polars_expr"),
}
GOLDS: dict[Engine, str] = {"duckdb": "duckdb_sql", "postgres": "postgres_sql"}
LIMITS = Limits(seconds=20.0)
TRIES = 4  # data sets that are made for one that is used, at most


@dataclass(frozen=True)
class Trial:
    """A question with a gold for SQLite. `tests`: its own data first, then those made of it."""

    problem: Problem
    doubt: str
    tests: tuple[TestCase, ...]


@dataclass(frozen=True)
class Loss:
    problem_id: str
    reason: str
    source: str
    code: str = ""
    doubt: str = ""


@dataclass
class Figures:
    """What one target gave. Questions in doubt are in `in_doubt` and `doubt_proved` alone."""

    tried: int = 0
    converted: int = 0
    proved_own: int = 0
    proved_all: int = 0
    first_attempt: int = 0  # of those proved on all data sets
    data_sets: int = 0  # beside the questions' own
    in_doubt: int = 0
    doubt_proved: int = 0
    seconds: float = 0.0  # of converting, questions in doubt too
    refused: list[Loss] = field(default_factory=list)
    lost: list[Loss] = field(default_factory=list)
    lost_elsewhere: list[Loss] = field(default_factory=list)  # right on their own data, wrong on another
    rules: dict[str, int] = field(default_factory=dict)  # of the attempts that were proved

    @property
    def share(self) -> float:
        return self.proved_own / self.tried if self.tried else 0.0


# -- questions ----------------------------------------------------------------------------------------------------


def read_trials(data: Path, engine: Engine, limit: int | None, extras: int, workers: int) -> list[Trial]:
    """Return the questions of an engine with their data sets. Raises UserError, InterpreterError."""
    questions = Text2Sql(Text2Sql.Options(path=str(data), engine=engine, limit=limit), 0).questions()
    found = [question for question in questions if "sqlite" in question.problem.references]
    if not found:
        raise UserError(f"{data / f'{engine}.jsonl'}: no line has gold_sqlite, so there is nothing to convert")
    made = [[] if question.doubt else list(further_tests(question.problem, engine, extras)) for question in found]
    trials = []
    with CheckerPool(GOLDS[engine], workers, LIMITS) as pool:
        golds = [
            [pool.submit(question.problem.references[engine], [test]) for test in tests]
            for question, tests in zip(found, made, strict=True)
        ]
        for question, tests, verdicts in zip(found, made, golds, strict=True):
            right = [test for test, verdict in zip(tests, verdicts, strict=True) if verdict.result().passed]
            trials.append(Trial(question.problem, question.doubt, (*question.problem.tests, *right)))
    return trials


def further_tests(problem: Problem, engine: Engine, count: int) -> Iterator[TestCase]:
    """Yield data sets made of a problem's own, with what its gold gives: none where the gold leaves the answer open."""
    from bootstrap.sources.gold_order import GoldDatabase, GoldError, read_gold

    gold, [test] = problem.references[engine], problem.tests
    _, [tables] = job_of(gold, [test.tables])
    reduced = TestCase(tables, test.expected, hidden=True, match_names=False)
    seen = [bags(tables)]
    for variation in islice(variations([reduced], [gold], problem.problem_id), count * TRIES):
        if len(seen) > count:
            return
        if bags(variation.tables) in seen:
            continue
        try:
            answer = read_gold(GoldDatabase(variation.tables), gold, engine)
        except GoldError:
            continue  # the gold cannot be run on these rows, so they tell nothing
        if answer.doubt or not answer.answer.rows or sum(answer.ties) not in (0, len(answer.answer.rows)):
            continue
        seen.append(bags(variation.tables))
        yield TestCase(variation.tables, answer.answer, hidden=True, match_names=False, ties=answer.ties)


def bags(tables: Mapping[str, Table]) -> dict[str, Counter[tuple[Value, ...]]]:
    """Return the rows of tables without their order: data sets that are equal in this say nothing new."""
    return {name: Counter(table.rows) for name, table in tables.items()}


# -- converting and judging ---------------------------------------------------------------------------------------


def measure(trials: Sequence[Trial], target: str, workers: int) -> Figures:
    """Convert every question and judge the attempts. Raises InterpreterError when an interpreter fails."""
    figures, open_trials = Figures(), []
    for trial in trials:
        figures.tried += not trial.doubt
        figures.in_doubt += bool(trial.doubt)
        figures.data_sets += len(trial.tests) - 1
        source = trial.problem.references["sqlite"]
        start = time.perf_counter()
        try:
            attempts = convert_sql(source, "sqlite", target, schema_of(trial.problem.tests[0].tables))
            open_trials.append((trial, attempts))
        except UnsupportedSqlError as error:
            if not trial.doubt:
                figures.refused.append(Loss(trial.problem.problem_id, str(error), source))
        figures.seconds += time.perf_counter() - start
    figures.converted = figures.tried - len(figures.refused)
    rules: Counter[str] = Counter()
    with CheckerPool(TARGETS[target].interpreter, workers, LIMITS) as pool:
        for (trial, attempts), verdicts in zip(open_trials, judge_all(pool, open_trials), strict=True):
            count_verdicts(figures, trial, attempts, verdicts)
            rules.update(attempts[i].rule for i, verdict in enumerate(verdicts) if verdict.passed)
    figures.rules = dict(rules.most_common())
    return figures


def judge_all(pool: CheckerPool, trials: Sequence[tuple[Trial, list[Conversion]]]) -> list[list[Verdict]]:
    """Return for each question the verdicts on its attempts, up to the first that is right on every data set."""
    verdicts: list[list[Verdict]] = [[] for _ in trials]
    number = 0
    while True:
        left = [
            i
            for i, (_, attempts) in enumerate(trials)
            if number < len(attempts) and not (verdicts[i] and verdicts[i][-1].passed)
        ]
        if not left:
            return verdicts
        futures = [(i, pool.submit(trials[i][1][number].code, trials[i][0].tests)) for i in left]
        for i, future in futures:
            verdicts[i].append(future.result())
        number += 1


def count_verdicts(
    figures: Figures, trial: Trial, attempts: Sequence[Conversion], verdicts: Sequence[Verdict]
) -> None:  # fmt: skip
    own = [i for i, verdict in enumerate(verdicts) if verdict.failed_test != 0]
    if trial.doubt:
        figures.doubt_proved += bool(own)
        return
    worst = own[0] if own else 0
    failed = verdicts[worst]
    where = f"{failed.outcome.value}: {failed.message}"
    loss = Loss(trial.problem.problem_id, where, trial.problem.references["sqlite"], attempts[worst].code)
    if not own:
        figures.lost.append(loss)
        return
    figures.proved_own += 1
    if verdicts[-1].passed:
        figures.proved_all += 1
        figures.first_attempt += len(verdicts) == 1
    else:
        figures.lost_elsewhere.append(loss)


# -- output -------------------------------------------------------------------------------------------------------


def section(found: Mapping[str, Figures], *, show_lost: bool) -> Section:
    columns = ("target", "tried", "refused", "converted", "proved", "%", "on all data", "by the first", "per second")
    rows, notes = [], []
    for target, one in found.items():
        rate = (one.tried + one.in_doubt) / one.seconds if one.seconds else 0.0
        counts = (one.tried, len(one.refused), one.converted, one.proved_own)
        rows.append(
            [target, *map(str, counts), f"{100 * one.share:.1f}", str(one.proved_all), str(one.first_attempt),
             f"{rate:.0f}"]
        )  # fmt: skip
        notes += list(notes_of(target, one, show_lost=show_lost))
    return Section("Conversion of SQLite golds by rules", columns, rows, notes)


def notes_of(target: str, one: Figures, *, show_lost: bool) -> Iterator[str]:
    aim = TARGETS[target].aim
    yield f"{target}: {one.data_sets} further data sets; aim {f'{100 * aim:.0f} % proved' if aim else 'none set'}"
    if one.in_doubt:
        yield f"{target}: {one.doubt_proved} of {one.in_doubt} that leave the answer open give the file's rows"
    for what, losses in (("refused", one.refused), ("lost", one.lost), ("wrong on other data", one.lost_elsewhere)):
        reasons = Counter(reason_of(loss.reason) for loss in losses)
        yield from (f"{target}: {count} {what}: {reason}" for reason, count in reasons.most_common())
        for loss in losses if show_lost else ():
            yield f"{what.upper()} {loss.problem_id}: {loss.reason}\n    {loss.source}\n    {loss.code}"


def reason_of(text: str) -> str:
    """Return a refusal as it is, an outcome without its message."""
    outcome = text.partition(":")[0]
    return outcome if outcome in {one.value for one in Outcome} else text


def run(args: argparse.Namespace) -> bool:
    """Measure and print; return whether every target reached its aim."""
    trials: dict[Engine, list[Trial]] = {}
    found: dict[str, Figures] = {}
    for target in choose(args.targets):
        engine = TARGETS[target].engine
        if engine not in trials:
            trials[engine] = read_trials(args.data, engine, args.limit, args.data_sets, args.workers)
        found[target] = measure(trials[engine], target, args.workers)
    print_section(open_console(), section(found, show_lost=args.show_lost))
    if args.out:
        args.out.write_text(json.dumps({name: asdict(one) for name, one in found.items()}, indent=2) + "\n", "utf-8")
    return all(one.share >= TARGETS[target].aim for target, one in found.items())


def choose(names: str) -> list[str]:
    """Return the targets of a comma-separated list. Raises UserError for one that is not known."""
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    for name in wanted:
        if name not in TARGETS:
            raise UserError(f"--targets {name}: no such target{nearest(name, TARGETS)} Known: {', '.join(TARGETS)}")
    if not wanted:
        raise UserError(f"--targets is empty; known: {', '.join(TARGETS)}")
    return wanted


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m eval.bench_convert", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="FOLDER", help="questions and databases")
    add("--targets", default="duckdb,postgres", metavar="LIST", help=f"of {', '.join(TARGETS)} (%(default)s)")
    add("--limit", type=int, metavar="N", help="the first N questions of each engine only (all)")
    add("--data-sets", type=int, default=3, metavar="N", help="further data sets per question (%(default)s)")
    add("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="checks at a time (one per core)")
    add("--out", type=Path, help="JSON file with the figures and every loss")
    add("--show-lost", action="store_true", help="print every question that was refused or lost, with its code")
    args = parser.parse_args(argv)
    try:
        return 0 if run(args) else 1
    except UserError as e:
        print(f"error: {e}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
