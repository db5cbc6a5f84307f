"""Records of DuckDB's own tests: a script, and the rows as its test program prints them.

Cells are text: NULL, (empty) for an empty string, true or 1, floats often to six digits, lists and structs as DuckDB
writes them. The text is read in the class of the column that came back, and then interpreters/compare.py decides; for
classes whose text only DuckDB knows how to write (dates beyond Python's, nested values), DuckDB writes it: the last
statement is run once more with its columns cast to VARCHAR.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, cast

from interpreters.base import Column, ColumnType, Execution, Outcome, Table, Value
from interpreters.compare import compare_tables

Sort = Literal["nosort", "rowsort", "valuesort"]
Run = Callable[[str], Execution]

PLAIN = frozenset({ColumnType.NULL, ColumnType.BOOL, ColumnType.INT, ColumnType.FLOAT, ColumnType.DECIMAL,
                   ColumnType.STRING})  # fmt: skip
"""Classes whose cells this module reads; of all others it compares DuckDB's own text."""

BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
SIX_DIGITS = re.compile(r"-?\d+\.\d{6}")


@dataclass(frozen=True)
class Record:
    """One query of a test file. `setup` holds the statements before it."""

    file: str
    setup: tuple[str, ...]
    query: str
    expected: tuple[tuple[str, ...], ...]
    sort: Sort

    @property
    def script(self) -> str:
        return script_of([*self.setup, self.query])


def read_record(row: Mapping[str, Any]) -> Record:
    """Return the record. What stands for a sort mode but is none names a connection, whose rows are in order."""
    sort = cast(Sort, row["sort"] if row["sort"] in ("rowsort", "valuesort") else "nosort")
    return Record(row["file"], tuple(row["setup"]), row["query"], tuple(map(tuple, row["expected"])), sort)


def bare(statement: str) -> str:
    return statement.strip().rstrip(";")


def script_of(statements: Sequence[str]) -> str:
    """Join statements; a line break before each semicolon ends a comment that is open."""
    return "".join(f"{bare(statement)}\n;\n" for statement in statements)


def check_record(record: Record, run: Run) -> tuple[Outcome, str]:
    """Return PASSED when the record's rows come back, else what came instead."""
    execution = run(record.script)
    typed = execution.results[0] if execution.results else None
    if typed is not None and record.sort != "valuesort" and all(column.type in PLAIN for column in typed.columns):
        return judge_rows(typed, record)
    texts = run(script_of([*record.setup, f"SELECT CAST(COLUMNS(*) AS VARCHAR) FROM (\n{bare(record.query)}\n)"]))
    if texts.results:
        return judge_rows(mixed(typed, texts.results[0]), record)
    if typed is not None:  # no query that another can go around, such as EXECUTE
        return judge_rows(as_text(typed), record)
    return execution.outcome, execution.message


def mixed(typed: Table | None, texts: Table) -> Table:
    """Return the text of a result, in the columns of plain classes the values instead."""
    if typed is None or len(typed.rows) != len(texts.rows):
        return texts
    pairs = zip(typed.columns, columns_of(typed), texts.columns, columns_of(texts), strict=True)
    chosen = [(a, values) if a.type in PLAIN else (b, cells) for a, values, b, cells in pairs]
    return Table(tuple(column for column, _ in chosen), tuple(zip(*[cells for _, cells in chosen], strict=True)))


def as_text(table: Table) -> Table:
    """Return the table with everything that is not plain written roughly as DuckDB does."""
    plain = [column.type in PLAIN for column in table.columns]
    columns = [c if kept else Column(c.name, ColumnType.STRING) for c, kept in zip(table.columns, plain, strict=True)]
    cells = [
        values if kept else [value if value is None else text_of(value) for value in values]
        for values, kept in zip(columns_of(table), plain, strict=True)
    ]
    return Table(tuple(columns), tuple(zip(*cells, strict=True)))


def columns_of(table: Table) -> list[list[Value]]:
    return [[row[i] for row in table.rows] for i in range(len(table.columns))]


def text_of(value: Value) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(text_of, value))}]"
    if isinstance(value, dict):
        fields = [f"{name!r}: {text_of(item)}" for name, item in value.items()]
        return f"{{{', '.join(fields)}}}"
    return str(value)


# -- judging ------------------------------------------------------------------------------------------------------


def judge_rows(actual: Table, record: Record) -> tuple[Outcome, str]:
    width = len(record.expected[0]) if record.expected else len(actual.columns)
    if len(actual.columns) != width:
        return Outcome.WRONG_ANSWER, f"{len(actual.columns)} columns, expected {width}"
    if record.sort == "valuesort":
        return judge_values(actual, record)
    try:
        columns = [
            read_column(column.type, [row[i] for row in record.expected]) for i, column in enumerate(actual.columns)
        ]
    except (ValueError, InvalidOperation, KeyError) as error:
        return Outcome.WRONG_ANSWER, f"the expected text is of another class: {type(error).__name__} {error}"
    expected = Table(actual.columns, tuple(zip(*columns, strict=True)))
    ties = () if record.sort == "rowsort" else (1,) * len(record.expected)
    difference = compare_tables(rounded(actual, record), expected, ties=ties, match_names=False)
    return (Outcome.PASSED, "") if difference is None else (Outcome.WRONG_ANSWER, difference)


def judge_values(actual: Table, record: Record) -> tuple[Outcome, str]:
    """Compare all cells as one sorted list, as `valuesort` asks for."""
    found = sorted(printed(value) for row in actual.rows for value in row)
    wanted = sorted(cell for row in record.expected for cell in row)
    return (Outcome.PASSED, "") if found == wanted else (Outcome.WRONG_ANSWER, "the values differ")


def printed(value: Value) -> str:
    return text_of(value) or "(empty)"


def read_column(kind: ColumnType, texts: Sequence[str]) -> list[Value]:
    """Return the cells that these texts stand for. Raises ValueError, KeyError or InvalidOperation where they cannot
    be of this class."""
    read = READERS.get(kind, read_text)
    return [None if text == "NULL" else read(text) for text in texts]


def read_text(text: str) -> str:
    """Return the string; a zero byte is printed as a backslash and a zero."""
    return "" if text == "(empty)" else text


def read_whole(text: str) -> int:
    """Return the integer, which a file may print like a float."""
    whole, _, zeros = text.partition(".")
    if zeros.strip("0"):
        raise ValueError(f"not a whole number: {text}")
    return int(whole)


READERS: dict[ColumnType, Callable[[str], Value]] = {
    ColumnType.BOOL: lambda text: BOOLEANS[text.lower()],
    ColumnType.INT: read_whole,
    ColumnType.FLOAT: float,
    ColumnType.DECIMAL: Decimal,
}


def rounded(actual: Table, record: Record) -> Table:
    """Round floats where the file shows six digits of them, and write zero bytes as the file does."""
    cells = []
    for i, (column, values) in enumerate(zip(actual.columns, columns_of(actual), strict=True)):
        shown = [row[i] for row in record.expected]
        six = column.type is ColumnType.FLOAT and all(SIX_DIGITS.fullmatch(t) or t == "NULL" for t in shown)
        cells.append([printable(value, six) for value in values])
    return Table(actual.columns, tuple(zip(*cells, strict=True)))


def printable(value: Value, six_digits: bool) -> Value:
    if six_digits and isinstance(value, float) and math.isfinite(value):
        return round(value, 6)
    return value.replace("\0", "\\0") if isinstance(value, str) else value
