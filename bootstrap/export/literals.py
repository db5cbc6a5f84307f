"""Values and tables as literals: of Python, of DuckDB's and of PostgreSQL's SQL, and of q.

`LITERALS` has a writer per language; a language without one has no tests to show, and says so.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from interpreters.base import Column, ColumnType, Table, Value
from interpreters.q_values import q_literal, q_table
from interpreters.wire import WireError

PYTHON_IMPORTS = "import datetime\nfrom decimal import Decimal\n"
_MICROSECOND = dt.timedelta(microseconds=1)
_BIGINT = 2**63


class NoLiteralError(ValueError):
    """A value that the language has no literal for; one line that says which."""


# -- Python -------------------------------------------------------------------------------------------------------


def python_literal(value: Value) -> str:
    """Return an expression that gives the value, with `datetime` and `Decimal` imported."""
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if isinstance(value, list):
        return f"[{', '.join(map(python_literal, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name!r}: {python_literal(item)}' for name, item in value.items())}}}"
    return repr(value)


def python_rows(table: Table) -> str:
    """Return a list of rows, one per line."""
    ends = "," if len(table.columns) == 1 else ""
    rows = [f"({', '.join(map(python_literal, row))}{ends})" for row in table.rows]
    return "[\n" + "".join(f"    {row},\n" for row in rows) + "]" if rows else "[]"


# -- SQL ----------------------------------------------------------------------------------------------------------


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def text_literal(text: str) -> str:
    if "\0" in text:
        raise NoLiteralError("text with a null character")
    return "'" + text.replace("'", "''") + "'"


_SQL: dict[type, Callable[[Any], str]] = {
    bool: lambda value: "TRUE" if value else "FALSE",
    int: str,
    str: text_literal,
    Decimal: lambda value: f"CAST('{value:f}' AS DECIMAL(38, {max(-value.as_tuple().exponent, 0)}))",
    dt.date: lambda value: f"DATE '{value.isoformat()}'",
    dt.datetime: lambda value: f"TIMESTAMP '{_without_zone(value).isoformat(' ')}'",
    dt.time: lambda value: f"TIME '{value.isoformat()}'",
    dt.timedelta: lambda value: f"INTERVAL '{value // _MICROSECOND} microseconds'",
}


def _without_zone(value: dt.datetime) -> dt.datetime:
    return value if value.tzinfo is None else value.astimezone(dt.UTC).replace(tzinfo=None)


def duckdb_literal(value: Value) -> str:
    """Return an expression of DuckDB that gives the value. Raises NoLiteralError."""
    if value is None:
        return "NULL"
    if isinstance(value, float):
        return f"{value!r}::DOUBLE" if math.isfinite(value) else f"'{value}'::DOUBLE"
    if isinstance(value, bytes):
        return "'" + "".join(f"\\x{byte:02X}" for byte in value) + "'::BLOB"
    if isinstance(value, list):
        return f"[{', '.join(map(duckdb_literal, value))}]"
    if isinstance(value, dict):
        if not value:
            raise NoLiteralError("DuckDB has no struct without fields")
        return "{" + ", ".join(f"{text_literal(k)}: {duckdb_literal(v)}" for k, v in value.items()) + "}"
    return _SQL[type(value)](value)


def postgres_literal(value: Value) -> str:
    """Return an expression of PostgreSQL that gives the value; nested lists and structs are jsonb there."""
    if value is None:
        return "NULL"
    if isinstance(value, float):
        return f"'{value!r}'::float8"
    if isinstance(value, bytes):
        return f"'\\x{value.hex()}'::bytea"
    if isinstance(value, list) and not any(isinstance(item, list | dict) for item in value):
        return f"ARRAY[{', '.join(map(postgres_literal, value))}]"
    if isinstance(value, list | dict):
        try:
            return f"{text_literal(json.dumps(value, allow_nan=False))}::jsonb"
        except (TypeError, ValueError) as error:
            raise NoLiteralError(f"jsonb cannot hold it: {error}") from error
    return _SQL[type(value)](value)


def as_q(value: Value) -> str:
    """Return an expression of q that gives the value. Raises NoLiteralError."""
    try:
        return q_literal(value)
    except WireError as error:
        raise NoLiteralError(str(error)) from error


def as_q_table(table: Table) -> str:
    """Return an expression of q that gives the table, text as symbols. Raises NoLiteralError."""
    try:
        return q_table(table)
    except WireError as error:
        raise NoLiteralError(str(error)) from error


LITERALS: dict[str, Callable[[Value], str]] = {
    "python": python_literal,
    "polars": python_literal,
    "ibis": python_literal,
    "duckdb": duckdb_literal,
    "postgres": postgres_literal,
    "q": as_q,
}
"""Language -> how it writes a value."""

_TYPES = {
    ColumnType.NULL: ("INTEGER", "integer"),
    ColumnType.BOOL: ("BOOLEAN", "boolean"),
    ColumnType.FLOAT: ("DOUBLE", "float8"),
    ColumnType.STRING: ("VARCHAR", "text"),
    ColumnType.BINARY: ("BLOB", "bytea"),
    ColumnType.DATE: ("DATE", "date"),
    ColumnType.TIMESTAMP: ("TIMESTAMP", "timestamp"),
    ColumnType.TIME: ("TIME", "time"),
    ColumnType.INTERVAL: ("INTERVAL", "interval"),
}
_ELEMENTS = {bool: "boolean", float: "float8", str: "text", bytes: "bytea", dt.date: "date", dt.datetime: "timestamp",
             Decimal: "numeric", dt.time: "time", dt.timedelta: "interval"}  # fmt: skip


def sql_type(column: Column, values: Sequence[Value], language: str) -> str | None:
    """Return the SQL type of a column; None where DuckDB reads it off the values."""
    if column.type is ColumnType.INT:
        wide = any(isinstance(v, int) and not -_BIGINT <= v < _BIGINT for v in values)
        return ("HUGEINT" if language == "duckdb" else "numeric") if wide else "BIGINT"
    if column.type is ColumnType.DECIMAL:
        scale = max((-int(v.as_tuple().exponent) for v in values if isinstance(v, Decimal)), default=0)
        return f"DECIMAL(38, {max(scale, 0)})" if language == "duckdb" else "numeric"
    if column.type in _TYPES:
        return _TYPES[column.type][language != "duckdb"]
    return None if language == "duckdb" else _postgres_nested(values)


def _postgres_nested(values: Sequence[Value]) -> str:
    """Return the type of an array of one class; jsonb for all else, as the interpreter has it."""
    classes = {type(item) for value in values if isinstance(value, list) for item in value if item is not None}
    if any(isinstance(value, dict) for value in values) or classes & {list, dict}:
        return "jsonb"
    if classes <= {int}:
        return "bigint[]" if classes else "text[]"
    if classes <= {int, float}:
        return "float8[]"
    return f"{_ELEMENTS[classes.pop()]}[]" if len(classes) == 1 else "jsonb"


def sql_values(table: Table, language: str) -> str:
    """Return `VALUES (...), (...)`, one row per line. Raises NoLiteralError; a table without rows has no VALUES."""
    kinds = [sql_type(c, [row[i] for row in table.rows], language) for i, c in enumerate(table.columns)]
    rows = ",\n".join(
        f"  ({', '.join(_cell(cell, kind, language) for cell, kind in zip(row, kinds, strict=True))})"
        for row in table.rows
    )
    return f"VALUES\n{rows}"


def _cell(value: Value, kind: str | None, language: str) -> str:
    if kind == "jsonb" and value is not None:
        return f"{text_literal(json.dumps(value))}::jsonb"
    if isinstance(value, Decimal) and kind is not None:
        return f"CAST('{value:f}' AS {kind})"  # rows of other scales would be rounded to the smallest
    text = LITERALS[language](value)
    return f"{text}::{kind}" if isinstance(value, list) and kind is not None else text  # ARRAY[] alone has no type


def sql_table(name: str, table: Table, language: str) -> str:
    """Return the statement that makes a table and fills it. Raises NoLiteralError."""
    heads = ", ".join(quoted(column.name) for column in table.columns)
    empty = Table(table.columns, ((None,) * len(table.columns),))
    casts = []
    for i, column in enumerate(table.columns):
        kind = sql_type(column, [row[i] for row in table.rows], language)
        head = quoted(column.name)
        casts.append(f"CAST({head} AS {kind}) AS {head}" if kind else head)
    values = sql_values(table if table.rows else empty, language)
    where = "" if table.rows else " WHERE FALSE"
    return f"CREATE TABLE {quoted(name)} AS\nSELECT {', '.join(casts)}\nFROM ({values}) AS t ({heads}){where};\n"
