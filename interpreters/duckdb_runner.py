"""DuckDB inside the child: exactly one SELECT, on an in-memory database that holds only the inputs of one test.

The connection is opened and used in the zygote, before the fork, because a first use costs more than a whole check.
That is safe only without background threads: `warm` refuses to go on when there is one. Each child gets its own copy.

Every test is a transaction that creates the input tables, runs the SELECT and is rolled back: the next test starts
from an empty database whatever the query did, and a single SELECT cannot end a transaction.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb

from interpreters.base import Column, ColumnType, Limits, Outcome, Value
from interpreters.candidate import SAMPLE, CandidateError, Columns, first_line

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "threads": 1,
    "async_threads": 0,
    "enable_external_access": False,
    "python_enable_replacements": False,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "temp_directory": "",
}
_TYPES = {
    **dict.fromkeys(("tinyint", "smallint", "integer", "bigint", "hugeint"), ColumnType.INT),
    **dict.fromkeys(("utinyint", "usmallint", "uinteger", "ubigint", "uhugeint"), ColumnType.INT),
    **dict.fromkeys(("timestamp", "timestamp_s", "timestamp_ms", "timestamp_ns"), ColumnType.TIMESTAMP),
    **dict.fromkeys(("varchar", "enum", "uuid", "bit", "bignum"), ColumnType.STRING),
    **dict.fromkeys(("list", "array", "map"), ColumnType.LIST),
    "null": ColumnType.NULL,
    "boolean": ColumnType.BOOL,
    "float": ColumnType.FLOAT,
    "double": ColumnType.FLOAT,
    "decimal": ColumnType.DECIMAL,
    "blob": ColumnType.BINARY,
    "date": ColumnType.DATE,
    "time": ColumnType.TIME,
    "interval": ColumnType.INTERVAL,
    "struct": ColumnType.STRUCT,
}
_NESTED = frozenset({"list", "array", "struct", "tuple", "union", "variant"})
_SQL_TYPES = {
    ColumnType.NULL: "INTEGER",
    ColumnType.BOOL: "BOOLEAN",
    ColumnType.FLOAT: "DOUBLE",
    ColumnType.STRING: "VARCHAR",
    ColumnType.BINARY: "BLOB",
    ColumnType.DATE: "DATE",
    ColumnType.TIMESTAMP: "TIMESTAMP",
    ColumnType.TIME: "TIME",
    ColumnType.INTERVAL: "INTERVAL",
}
_ZONED = re.compile(r"(TIMESTAMP|TIME) WITH TIME ZONE")
_SPARE = 0.75  # part of the memory limit that DuckDB may plan with, so that it reports before malloc fails
_connection: duckdb.DuckDBPyConnection


def warm() -> str:
    global _connection
    _connection = duckdb.connect(":memory:", config=_SETTINGS)
    _connection.execute("SET TimeZone = 'UTC'")
    _limit_memory(Limits().memory_mb)
    for _ in range(10):
        list(run("SELECT s, sum(i) AS n FROM t GROUP BY s ORDER BY s", load([{"t": SAMPLE}]), SAMPLE.height * 2))
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads > 1:
        raise RuntimeError(f"duckdb {duckdb.__version__} runs {threads} threads, which a fork would lose")
    return f"duckdb {duckdb.__version__}"


def prepare(memory_mb: int) -> None:
    if memory_mb != Limits().memory_mb:  # setting it costs 2 ms, so `warm` has set the usual one
        _limit_memory(memory_mb)
    _connection.execute("SET lock_configuration = true")


def _limit_memory(memory_mb: int) -> None:
    _connection.execute(f"SET memory_limit = '{max(int(memory_mb * _SPARE), 1)}MiB'")


def load(tests: Sequence[Mapping[str, Columns]]) -> Sequence[Mapping[str, Columns]]:
    return tests


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _create(name: str, table: Columns) -> None:
    columns = []
    for position, (column, values) in enumerate(zip(table.columns, table.values, strict=True), start=1):
        sql_type = _sql_type(column, values)
        columns.append(f"unnest(${position}{f'::{sql_type}[]' if sql_type else ''}) AS {_quoted(column.name)}")
    _connection.execute(f"CREATE TABLE {_quoted(name)} AS SELECT {', '.join(columns)}", list(table.values))


def _sql_type(column: Column, values: Sequence[Value]) -> str | None:
    """Return the SQL type to cast to; None for lists and structs, whose type DuckDB reads off the values."""
    if column.type is ColumnType.INT:
        wide = any(v is not None and not -(2**63) <= v < 2**63 for v in values)  # type: ignore[operator]  # ints
        return "HUGEINT" if wide else "BIGINT"
    if column.type is ColumnType.DECIMAL:
        scale = max((-int(v.as_tuple().exponent) for v in values if isinstance(v, Decimal)), default=0)
        return f"DECIMAL(38, {max(scale, 0)})"
    return _SQL_TYPES.get(column.type)


def run(code: str, loaded: Sequence[Mapping[str, Columns]], max_cells: int) -> Iterator[Columns]:
    query = _single_select(code)
    for tables in loaded:
        _connection.begin()
        try:
            _create_all(tables)
            yield _fetch(query, max_cells)
        finally:
            _connection.abort()
            _connection.rollback()


def _create_all(tables: Mapping[str, Columns]) -> None:
    try:
        for name, table in tables.items():
            _create(name, table)
    except duckdb.Error as error:
        raise CandidateError(Outcome.UNSUPPORTED, f"the input tables cannot be loaded: {_line(error)}") from error


def _single_select(code: str) -> str:
    try:
        statements = _connection.extract_statements(code)
    except (duckdb.ParserException, duckdb.SyntaxException) as error:
        raise CandidateError(Outcome.SYNTAX_ERROR, _line(error)) from error
    if len(statements) != 1:
        raise CandidateError(Outcome.FORBIDDEN, f"expected one SELECT statement, found {len(statements)} statements")
    kind = statements[0].type
    if kind is not duckdb.StatementType.SELECT:
        raise CandidateError(Outcome.FORBIDDEN, f"expected a SELECT statement, found {kind.name}")
    return statements[0].query


def _fetch(query: str, max_cells: int) -> Columns:
    _connection.execute(query)
    described: Sequence[Any] = _connection.description or []
    if any(_ZONED.search(str(column[1])) for column in described):
        described, rows = _fetch_without_zone(query, described, max_cells)
    else:
        rows = _connection.fetchmany(max_cells // max(len(described), 1) + 1)
    if len(rows) * len(described) > max_cells:
        raise CandidateError(Outcome.OUTPUT_EXCEEDED, f"the result has more than {max_cells} cells")
    columns = [Column(column[0], _TYPES.get(column[1].id, ColumnType.OTHER)) for column in described]
    cells = zip(*rows, strict=True) if rows else [()] * len(columns)
    return Columns(columns, [_values(*pair) for pair in zip(described, cells, strict=True)], len(rows))


def _fetch_without_zone(query: str, described: Sequence[Any], max_cells: int) -> tuple[Sequence[Any], list[Any]]:
    """Cast values with a time zone to UTC without one: the client would need pytz to fetch them."""
    _connection.abort()
    names = [f"c{index}" for index in range(len(described))]
    types = [_ZONED.sub(r"\1", str(column[1])) for column in described]
    casts = ", ".join(f"CAST({name} AS {sql_type})" for name, sql_type in zip(names, types, strict=True))
    _connection.execute(f"SELECT {casts} FROM ({query.rstrip().rstrip(';')}\n) AS t({', '.join(names)})")
    typed = [(column[0], new[1]) for column, new in zip(described, _connection.description or [], strict=True)]
    return typed, _connection.fetchmany(max_cells // len(described) + 1)


def _values(column: Sequence[Any], cells: Sequence[Any]) -> Sequence[Any]:
    kind = column[1].id
    if kind == "uuid":
        return [None if cell is None else str(cell) for cell in cells]
    if kind == "map":
        return [None if cell is None else _entries(cell) for cell in cells]
    if kind in _NESTED:
        return [_plain(cell) for cell in cells]
    return cells


def _entries(mapping: Mapping[Any, Any]) -> list[Any]:
    return [{"key": _plain(key), "value": _plain(value)} for key, value in mapping.items()]


def _plain(cell: Any) -> Any:
    """Turn what a nested value may hold, but a table may not, into what it may."""
    if isinstance(cell, UUID):
        return str(cell)
    if isinstance(cell, list | tuple):
        return [_plain(item) for item in cell]
    if isinstance(cell, dict):
        if not all(isinstance(key, str) for key in cell):
            return _entries(cell)
        return {name: _plain(item) for name, item in cell.items()}
    return cell


def describe(error: BaseException) -> tuple[Outcome, str]:
    if isinstance(error, duckdb.OutOfMemoryException):
        return Outcome.MEMORY_EXCEEDED, _line(error)
    if isinstance(error, duckdb.ParserException):
        return Outcome.SYNTAX_ERROR, _line(error)
    return Outcome.RUNTIME_ERROR, _line(error)


def _line(error: BaseException) -> str:
    """Return DuckDB's message up to the quoted query; the candidate bindings after the first line are useful."""
    text = re.split(r"\n\s*LINE \d+:", str(error))[0]
    return " ".join(text.split()) or first_line(error)
