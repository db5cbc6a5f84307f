"""The child that runs gold queries of a data set in SQLite: one database, one JSON reply per JSON line on stdin.

Started by spider_gold.py as `python -m bootstrap.sources.sqlite_child DATABASE SECONDS MAX_CELLS`. The database, a file
of SQLite or SQL text, is read once, read-only; its tables are copied into memory in several orders of storage, with
the cells that the tables of the problem have, so that a gold runs over what a candidate sees.
"""

from __future__ import annotations

import json
import random
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from interpreters.base import Column, ColumnType, Table, Value
from interpreters.wire import table_to_json

ORDERS = ("main", "reversed", "shuffled", "again")
MAGIC = b"SQLite format 3\0"
OPCODES = 10_000  # of SQLite's machine between two looks at the clock

Rows = list[tuple[Any, ...]]


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


# -- cells --------------------------------------------------------------------------------------------------------


def declared_class(declared: str) -> ColumnType:
    """Return the class that a declared type stands for, by SQLite's own rules of affinity; dates are text there."""
    kind = declared.upper()
    if "INT" in kind:
        return ColumnType.INT
    if any(word in kind for word in ("REAL", "FLOA", "DOUB", "NUM", "DEC")):
        return ColumnType.FLOAT
    return ColumnType.STRING


def fit(cells: list[Any], declared: ColumnType | None) -> tuple[ColumnType, list[Value]]:
    """Return the class that all cells have and the cells in it: the declared one where they fit, text otherwise."""
    classes = {type(cell) for cell in cells if cell is not None}
    if not classes:
        return declared or ColumnType.NULL, cells
    if classes == {bytes}:
        return ColumnType.BINARY, cells
    if classes == {str}:
        return ColumnType.STRING, cells
    if classes == {int} and declared is not ColumnType.FLOAT:
        return ColumnType.INT, cells
    if classes <= {int, float}:
        return ColumnType.FLOAT, [None if cell is None else float(cell) for cell in cells]
    return ColumnType.STRING, [None if cell is None else text_of(cell) for cell in cells]


def text_of(cell: Any) -> str:
    return cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell)


def table_of(names: list[str], rows: Rows, declared: list[ColumnType | None]) -> Table:
    columns, values = [], []
    for i, name in enumerate(names):
        kind, cells = fit([row[i] for row in rows], declared[i])
        columns.append(Column(name, kind))
        values.append(cells)
    return Table(tuple(columns), tuple(zip(*values, strict=True)) if columns else ())


# -- the database -------------------------------------------------------------------------------------------------


def open_source(path: Path) -> sqlite3.Connection:
    """Return a connection that reads a file of SQLite, or holds what SQL text makes."""
    with open(path, "rb") as file:
        is_database = file.read(len(MAGIC)) == MAGIC
    if is_database:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
    else:
        connection = sqlite3.connect(":memory:")
        connection.executescript(path.read_text(encoding="utf-8", errors="replace"))
    connection.text_factory = lambda content: content.decode("utf-8", "replace")
    connection.execute("PRAGMA query_only = ON")
    return connection


def read_tables(connection: sqlite3.Connection, max_cells: int) -> dict[str, Table]:
    """Return the tables by name in lower case. Raises ValueError for a database with more than `max_cells` cells."""
    names = [
        row[0]
        for row in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
        )
    ]
    tables, cells = {}, 0
    for name in names:
        heads = connection.execute(f"PRAGMA table_info({quoted(name)})").fetchall()
        rows = connection.execute(f"SELECT * FROM {quoted(name)} LIMIT {max_cells + 1}").fetchall()
        cells += len(rows) * len(heads)
        if cells > max_cells:
            raise ValueError(f"the database has more than {max_cells} cells")
        kinds: list[ColumnType | None] = [declared_class(head[2] or "") for head in heads]
        tables[name.lower()] = table_of([head[1].lower() for head in heads], rows, kinds)
    return tables


def store(tables: dict[str, Table], order: str) -> sqlite3.Connection:
    """Return a database in memory with the rows of the tables in some order."""
    types = {ColumnType.INT: "INTEGER", ColumnType.FLOAT: "REAL", ColumnType.BINARY: "BLOB"}
    connection = sqlite3.connect(":memory:")
    for name, table in tables.items():
        heads = ", ".join(f"{quoted(column.name)} {types.get(column.type, 'TEXT')}" for column in table.columns)
        connection.execute(f"CREATE TABLE {quoted(name)} ({heads})")
        rows = list(table.rows)
        if order == "reversed":
            rows.reverse()
        elif order != "main":
            random.Random(f"{order} {name}").shuffle(rows)
        marks = ", ".join("?" * len(table.columns))
        connection.executemany(f"INSERT INTO {quoted(name)} VALUES ({marks})", rows)
    connection.commit()
    connection.execute("PRAGMA query_only = ON")
    return connection


def query(connection: sqlite3.Connection, sql: str, seconds: float, max_cells: int) -> Table:
    """Return the rows of a query. Raises sqlite3.Error, also when the time is over, or ValueError."""
    deadline = time.monotonic() + seconds
    stop: Callable[[], int] = lambda: time.monotonic() > deadline  # noqa: E731 - one line, used once
    connection.set_progress_handler(stop, OPCODES)
    cursor = connection.execute(sql)
    if cursor.description is None:
        raise ValueError("not a query")
    names = [head[0] for head in cursor.description]
    rows = cursor.fetchmany(max_cells // max(len(names), 1) + 1)
    if len(rows) * len(names) > max_cells:
        raise ValueError(f"the answer has more than {max_cells} cells")
    return table_of(names, rows, [None] * len(names))


def main() -> None:
    path, seconds, max_cells = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    try:
        source = open_source(path)
        tables = read_tables(source, max_cells)
        stored = {order: store(tables, order) for order in ORDERS}
    except (sqlite3.Error, ValueError, OSError, OverflowError) as error:
        reply({"error": " ".join(str(error).split())})
        return
    stored["source"] = source
    reply({"tables": {name: table_to_json(table) for name, table in tables.items()}})
    for line in sys.stdin:
        wanted = json.loads(line)
        try:
            answer = query(stored[wanted["schema"]], wanted["sql"], seconds, max_cells)
            reply({"table": table_to_json(answer)})
        except (sqlite3.Error, sqlite3.Warning, ValueError, OverflowError) as error:
            reply({"error": " ".join(str(error).split())})


def reply(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


if __name__ == "__main__":
    main()
