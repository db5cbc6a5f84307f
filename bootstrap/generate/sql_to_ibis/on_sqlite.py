"""A query in SQLite's dialect, run by SQLite itself over the same data sets: the one other engine that is always here.

SQLite has no dates, booleans or moments: they are stored as the texts and numbers that its own functions give and
take, and what comes back is read as the expected column's type.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Mapping, Sequence

from bootstrap.export.literals import quoted
from interpreters.base import ColumnType, Table, TestCase, Value
from interpreters.compare import compare_tables

_TYPES = {ColumnType.INT: "INTEGER", ColumnType.FLOAT: "REAL", ColumnType.BOOL: "INTEGER"}
_Cell = None | int | float | str | bytes


def sqlite_refuses(sql: str, tests: Sequence[TestCase]) -> str:
    """Return why a query is no query of SQLite's with these answers; "" where it is."""
    for test in tests:
        connection = sqlite3.connect(":memory:")
        try:
            for name, table in test.tables.items():
                _fill(connection, name, table)
            answer = _answer(connection, sql, test.expected)
        except sqlite3.Error as error:
            return f"SQLite says {str(error).split(':')[0]}"
        except (ValueError, TypeError):
            return "on SQLite it gives values of another type"
        finally:
            connection.close()
        if compare_tables(answer, test.expected, ties=test.ties) is not None:
            return "on SQLite it gives other rows"
    return ""


def _fill(connection: sqlite3.Connection, name: str, table: Table) -> None:
    columns = ", ".join(f"{quoted(one.name)} {_TYPES.get(one.type, 'TEXT')}" for one in table.columns)
    connection.execute(f"CREATE TABLE {quoted(name)} ({columns})")
    marks = ", ".join("?" * len(table.columns))
    rows = [tuple(_stored(value) for value in row) for row in table.rows]
    connection.executemany(f"INSERT INTO {quoted(name)} VALUES ({marks})", rows)


def _stored(value: Value) -> _Cell:
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, dt.date):
        return value.isoformat()
    if value is None or isinstance(value, int | float | str | bytes):
        return value
    raise TypeError(f"a value of type {type(value).__name__}")


_READ: Mapping[ColumnType, Callable[[_Cell], Value]] = {
    ColumnType.BOOL: lambda cell: bool(cell) if cell in (0, 1) else str(cell),
    ColumnType.FLOAT: lambda cell: float(cell) if isinstance(cell, int) else cell,
    ColumnType.DATE: lambda cell: dt.date.fromisoformat(str(cell)[:10]),
    ColumnType.TIMESTAMP: lambda cell: dt.datetime.fromisoformat(str(cell)),
}


def _answer(connection: sqlite3.Connection, sql: str, expected: Table) -> Table:
    rows = connection.execute(sql).fetchall()
    kinds = [column.type for column in expected.columns]
    if any(len(row) != len(kinds) for row in rows):
        raise ValueError("another number of columns")
    read = [
        tuple(
            cell if cell is None or kind not in _READ else _READ[kind](cell)
            for cell, kind in zip(row, kinds, strict=True)
        )
        for row in rows
    ]
    return Table(expected.columns, tuple(read))
