"""DuckDB's side of the wire: what every runner on DuckDB shares.

The settings of a database for candidates, tables in, results out, and the useful part of its messages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import duckdb

from interpreters.base import Column, ColumnType, Outcome, Value
from interpreters.processes.candidate import CandidateError, Columns, first_line

SETTINGS: dict[str, str | bool | int | float | list[str]] = {
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


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def create_table(connection: duckdb.DuckDBPyConnection, name: str, table: Columns, schema: str | None = None) -> None:
    """Create the table from plain values, in `schema` or in the current one."""
    target = quoted(name) if schema is None else f"{quoted(schema)}.{quoted(name)}"
    columns = []
    for position, (column, values) in enumerate(zip(table.columns, table.values, strict=True), start=1):
        sql_type = _sql_type(column, values)
        columns.append(f"unnest(${position}{f'::{sql_type}[]' if sql_type else ''}) AS {quoted(column.name)}")
    connection.execute(f"CREATE TABLE {target} AS SELECT {', '.join(columns)}", list(table.values))


def _sql_type(column: Column, values: Sequence[Value]) -> str | None:
    """Return the SQL type to cast to; None for lists and structs, whose type DuckDB reads off the values."""
    if column.type is ColumnType.INT:
        wide = any(v is not None and not -(2**63) <= v < 2**63 for v in values)  # type: ignore[operator]  # ints
        return "HUGEINT" if wide else "BIGINT"
    if column.type is ColumnType.DECIMAL:
        scale = max((-int(v.as_tuple().exponent) for v in values if isinstance(v, Decimal)), default=0)
        return f"DECIMAL(38, {max(scale, 0)})"
    return _SQL_TYPES.get(column.type)


def fetch(connection: duckdb.DuckDBPyConnection, query: str | duckdb.Statement, max_cells: int) -> Columns:
    """Run a query, faster from a statement that is parsed already, and return its table."""
    connection.execute(query)
    described: Sequence[Any] = connection.description or []
    if any(_ZONED.search(str(column[1])) for column in described):
        described, rows = _fetch_without_zone(
            connection, query if isinstance(query, str) else query.query, described, max_cells
        )
    else:
        rows = connection.fetchmany(max_cells // max(len(described), 1) + 1)
    if len(rows) * len(described) > max_cells:
        raise CandidateError(Outcome.OUTPUT_EXCEEDED, f"the result has more than {max_cells} cells")
    columns = [Column(column[0], _TYPES.get(column[1].id, ColumnType.OTHER)) for column in described]
    cells = zip(*rows, strict=True) if rows else [()] * len(columns)
    return Columns(columns, [_values(*pair) for pair in zip(described, cells, strict=True)], len(rows))


def _fetch_without_zone(
    connection: duckdb.DuckDBPyConnection, query: str, described: Sequence[Any], max_cells: int
) -> tuple[Sequence[Any], list[Any]]:
    """Cast values with a time zone to UTC without one: the client would need pytz to fetch them."""
    connection.abort()
    names = [f"c{index}" for index in range(len(described))]
    types = [_ZONED.sub(r"\1", str(column[1])) for column in described]
    casts = ", ".join(f"CAST({name} AS {sql_type})" for name, sql_type in zip(names, types, strict=True))
    connection.execute(f"SELECT {casts} FROM ({query.rstrip().rstrip(';')}\n) AS t({', '.join(names)})")
    typed = [(column[0], new[1]) for column, new in zip(described, connection.description or [], strict=True)]
    return typed, connection.fetchmany(max_cells // len(described) + 1)


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


def outcome_of(error: BaseException) -> tuple[Outcome, str]:
    """Return what an exception says of the candidate, and the line to report."""
    if isinstance(error, duckdb.OutOfMemoryException):
        return Outcome.MEMORY_EXCEEDED, message_of(error)
    if isinstance(error, duckdb.ParserException):
        return Outcome.SYNTAX_ERROR, message_of(error)
    if isinstance(error, duckdb.PermissionException):
        return Outcome.FORBIDDEN, message_of(error)
    return Outcome.RUNTIME_ERROR, message_of(error)


def message_of(error: BaseException) -> str:
    """Return DuckDB's message up to the quoted query; the candidate bindings after the first line are useful."""
    text = re.split(r"\n\s*LINE \d+:", str(error))[0]
    return " ".join(text.split()) or first_line(error)
