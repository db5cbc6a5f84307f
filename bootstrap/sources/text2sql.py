"""`text2sql`: questions over small databases, each with a gold query and the rows it must give (the Spider layout).

The folder holds `duckdb.jsonl` and `postgres.jsonl`, one question per line, and the databases as SQL text. A problem's
input is its whole database, one data set, whose rows no prompt shows. The expected rows are those of the file, made
by whoever made the file and not by our interpreters; their classes, their ties and whether they are the only right
answer are learned from the gold (gold_order.py), PostgreSQL's in translation. Questions whose gold leaves the answer
open are left out and counted in the log: a right solution might fail on them. Where a line has the gold that was
written for SQLite too (`gold_sqlite`), it is a reference in the language `sqlite`.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bootstrap.errors import UserError
from bootstrap.files import read_jsonl
from bootstrap.records import Problem
from bootstrap.sources.gold_order import Gold, GoldDatabase, GoldError, read_gold
from interpreters.base import Column, ColumnType, Table, TestCase, Value
from interpreters.compare import compare_tables

log = logging.getLogger(__name__)

LICENCE = "CC BY-SA 4.0"


@dataclass(frozen=True)
class Question:
    """A problem, and why it is in doubt that its expected rows are the only right answer (empty: they are)."""

    problem: Problem
    doubt: str


class Text2Sql:
    class Options(BaseModel):
        model_config = ConfigDict(extra="forbid", frozen=True)

        path: str
        """The folder with duckdb.jsonl, postgres.jsonl and the databases."""
        engine: Literal["duckdb", "postgres"] = "duckdb"
        """Whose questions and golds to read; the language of the references."""
        limit: int | None = Field(None, ge=1)
        """Read no more questions than this."""

    def __init__(self, options: Options, seed: int) -> None:
        self.options, self.folder = options, Path(options.path)

    def load(self) -> Iterator[Problem]:
        """Yield the problems with one right answer. Raises UserError for a folder that cannot be read."""
        doubts: Counter[str] = Counter()
        for question in self.questions():
            if question.doubt:
                doubts[question.doubt] += 1
            else:
                yield question.problem
        if doubts:
            reasons = "; ".join(f"{count} because {doubt}" for doubt, count in doubts.most_common(9))
            log.warning("%d questions of %s left out: %s", doubts.total(), self.folder, reasons)

    def questions(self) -> Iterator[Question]:
        """Yield every question in the order of the file, those in doubt too."""
        file = self.folder / f"{self.options.engine}.jsonl"
        if not file.is_file():
            raise UserError(f"source.options.path: no file {file}")
        databases: dict[str, GoldDatabase] = {}
        for number, row in enumerate(read_jsonl(file), 1):
            if self.options.limit is not None and number > self.options.limit:
                return
            try:
                script = row["db_file"]
                if script not in databases:
                    databases = {script: GoldDatabase(self.folder / script)}  # lines of one database are together
                yield make_question(row, databases[script], self.options.engine)
            except (KeyError, TypeError, ValueError, OSError) as e:
                raise UserError(f"{file}, line {number}: not a question ({type(e).__name__}: {e})") from e


def make_question(row: Mapping[str, Any], database: GoldDatabase, engine: str) -> Question:
    """Return the problem of one line. Raises ValueError for a line that cannot be read.

    A gold that cannot be run leaves the classes of the cells and their order to guesses: that is a doubt.
    """
    try:
        gold = read_gold(database, row["gold_sql"], engine)
        if gold.ordered != row["ordered"]:
            raise GoldError(f"ordered is {row['ordered']}, which the gold contradicts")
    except GoldError as error:
        expected = expected_table(row["columns"], row["expected"], guess_columns(row["columns"], row["expected"]))
        return Question(make_problem(row, database, engine, expected, ()), str(error))
    expected = expected_table(row["columns"], row["expected"], gold.answer.columns)
    doubt = gold.doubt or disagreement(gold, expected)
    ties = () if sum(gold.ties) != len(expected.rows) else gold.ties
    return Question(make_problem(row, database, engine, expected, ties), doubt)


def make_problem(
    row: Mapping[str, Any], database: GoldDatabase, engine: str, expected: Table, ties: tuple[int, ...]
) -> Problem:
    return Problem(
        problem_id=row["id"],
        statement=row["question"],
        tests=(TestCase(database.tables, expected, hidden=True, match_names=False, ties=ties),),
        family=row["db_id"],
        source="text2sql",
        licence=LICENCE,
        difficulty=1 + len(row["features"]),
        references=references_of(row, engine),
    )


def references_of(row: Mapping[str, Any], engine: str) -> dict[str, str]:
    """Return the golds of a line by language. That of SQLite is read, never run: it is what conversions start from."""
    golds = {engine: row["gold_sql"]}
    if row.get("gold_sqlite"):
        golds["sqlite"] = row["gold_sqlite"]
    return golds


def disagreement(gold: Gold, expected: Table) -> str:
    """Return what is wrong with the gold's own answer, by the file; nothing in most cases."""
    if sum(gold.ties) not in (0, len(expected.rows)):
        return "the gold gives another number of rows than the file says"
    difference = compare_tables(gold.answer, expected, ties=gold.ties, match_names=False)
    return "" if difference is None else f"the gold gives other rows than the file says ({difference})"


# -- cells --------------------------------------------------------------------------------------------------------


def expected_table(names: Sequence[str], rows: Sequence[Sequence[Any]], gold: Sequence[Column]) -> Table:
    """Return the rows of the file in the classes of the gold's columns."""
    if len(names) != len(gold) or any(len(row) != len(gold) for row in rows):
        raise GoldError(f"{len(names)} columns and rows of {sorted({len(r) for r in rows})} cells for {len(gold)}")
    columns: list[Column] = []
    values: list[list[Value]] = []
    for index, (name, column) in enumerate(zip(names, gold, strict=True)):
        kind, cells = read_cells([row[index] for row in rows], column.type)
        columns.append(Column(name, kind))
        values.append(cells)
    return Table(tuple(columns), tuple(zip(*values, strict=True)))


def guess_columns(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[Column]:
    """Return columns of the classes that JSON tells apart."""
    classes = [{type(row[i]) for row in rows if row[i] is not None} for i in range(len(names))]
    kinds = {bool: ColumnType.BOOL, int: ColumnType.INT, str: ColumnType.STRING}
    found = [kinds.get(next(iter(one)), ColumnType.FLOAT) if len(one) == 1 else ColumnType.FLOAT for one in classes]
    return [Column(name, kind) for name, kind in zip(names, found, strict=True)]


READERS: dict[ColumnType, Callable[[Any], Value]] = {
    ColumnType.DATE: lambda cell: dt.date.fromisoformat(cell),
    ColumnType.TIMESTAMP: lambda cell: dt.datetime.fromisoformat(cell),
    ColumnType.TIME: lambda cell: dt.time.fromisoformat(cell),
    ColumnType.FLOAT: float,
}
JSON_CLASSES = {ColumnType.BOOL: bool, ColumnType.INT: int, ColumnType.STRING: str}


def read_cells(cells: Sequence[Any], kind: ColumnType) -> tuple[ColumnType, list[Value]]:
    """Return the class of a column and its values. A number written as text is an exact numeric of PostgreSQL."""
    if kind in (ColumnType.INT, ColumnType.FLOAT, ColumnType.DECIMAL) and any(isinstance(cell, str) for cell in cells):
        return ColumnType.DECIMAL, [None if cell is None else Decimal(cell) for cell in cells]
    if kind is ColumnType.DECIMAL:
        kind = ColumnType.FLOAT
    read = READERS.get(kind)
    if read is not None:
        return kind, [None if cell is None else read(cell) for cell in cells]
    wanted = JSON_CLASSES.get(kind)
    if wanted is None or any(cell is not None and type(cell) is not wanted for cell in cells):
        raise GoldError(f"a column of class {kind} holds {sorted({type(cell).__name__ for cell in cells})}")
    return kind, list(cells)
