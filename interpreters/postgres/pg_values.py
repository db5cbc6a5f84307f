"""PostgreSQL's side of the wire: SQL types for tables that go in, values of results that come out.

Results are read as text, which is what `SELECT` shows. A type of which Python has no class (uuid, inet, range, enum,
record, time with a zone) stays text, and so does a whole column with one value that Python's class cannot hold
(infinity, a date before the year 1, 24:00). Months of an interval count as 30 days, as in PostgreSQL's own comparison.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from psycopg.postgres import types as registry
from psycopg.types.json import Jsonb

from interpreters.base import Column, ColumnType, Value

NAME_BYTES = 63
_BIGINT = 2**63
_DIGITS = 400  # of an integer or on one side of a decimal point, on the wire; PostgreSQL's limit is far beyond


class UnsupportedError(Exception):
    """A table that PostgreSQL cannot hold; the message says which part of it."""


# -- in -----------------------------------------------------------------------------------------------------------

_SQL_TYPES = {
    ColumnType.NULL: "integer",
    ColumnType.BOOL: "boolean",
    ColumnType.FLOAT: "double precision",
    ColumnType.DECIMAL: "numeric",
    ColumnType.STRING: "text",
    ColumnType.BINARY: "bytea",
    ColumnType.DATE: "date",
    ColumnType.TIMESTAMP: "timestamp",
    ColumnType.TIME: "time",
    ColumnType.INTERVAL: "interval",
}
_ELEMENT_TYPES: dict[frozenset[type], str] = {
    frozenset(): "text",
    frozenset({bool}): "boolean",
    frozenset({float}): "double precision",
    frozenset({int, float}): "double precision",
    frozenset({Decimal}): "numeric",
    frozenset({int, Decimal}): "numeric",
    frozenset({str}): "text",
    frozenset({bytes}): "bytea",
    frozenset({dt.date}): "date",
    frozenset({dt.datetime}): "timestamp",
    frozenset({dt.time}): "time",
    frozenset({dt.timedelta}): "interval",
}


def require_name(name: str, what: str) -> None:
    """Raise UnsupportedError for a name that PostgreSQL would refuse or cut off."""
    if not name or "\0" in name:
        raise UnsupportedError(f"PostgreSQL has no {what} named {name!r}")
    if len(name.encode("utf-8", "surrogatepass")) > NAME_BYTES:
        raise UnsupportedError(f"the name of {what} {name[:40]!r}… has more than PostgreSQL's {NAME_BYTES} bytes")


def to_sql(column: Column, values: Sequence[Value]) -> tuple[str, Sequence[Any]]:
    """Return the column's SQL type, and its values as psycopg writes them. Raises UnsupportedError."""
    if column.type is ColumnType.INT:
        return _integer_type(values), values
    if column.type is ColumnType.TIMESTAMP:
        return "timestamp", [_without_zone(value) for value in values]
    if column.type is ColumnType.STRING and any("\0" in value for value in values if isinstance(value, str)):
        raise UnsupportedError(f"column {column.name!r} holds a null character, which PostgreSQL's text cannot")
    if column.type is ColumnType.LIST:
        element = _element_type(values)
        if element is not None:
            return f"{element}[]", _lists(element, values)
    if column.type in _SQL_TYPES:
        return _SQL_TYPES[column.type], values
    return "jsonb", [None if value is None else Jsonb(value, _json(column)) for value in values]


def _integer_type(values: Sequence[Value]) -> str:
    """Return bigint, or for larger values a decimal without fraction, which comes back as an integer."""
    largest = max((abs(value) for value in values if isinstance(value, int)), default=0)
    return "bigint" if largest < _BIGINT else f"numeric({len(str(largest))}, 0)"


def _without_zone(value: Value) -> Value:
    aware = isinstance(value, dt.datetime) and value.tzinfo is not None
    return value.astimezone(dt.UTC).replace(tzinfo=None) if aware else value  # type: ignore[union-attr]  # see aware


def _element_type(values: Sequence[Value]) -> str | None:
    """Return the SQL type of the elements of flat lists; None for those that need jsonb."""
    elements = [element for value in values if isinstance(value, list) for element in value if element is not None]
    classes = frozenset(map(type, elements))
    return _integer_type(elements) if classes == {int} else _ELEMENT_TYPES.get(classes)


def _lists(element: str, values: Sequence[Value]) -> Sequence[Value]:
    if element != "double precision":
        return values
    return [
        [None if x is None else float(x) for x in value] if isinstance(value, list) else value  # type: ignore[arg-type]
        for value in values
    ]


def _json(column: Column) -> Callable[[Any], str]:
    def dumps(value: Any) -> str:
        try:
            return json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise UnsupportedError(f"column {column.name!r} holds what jsonb cannot: {error}") from error

    return dumps


# -- out ----------------------------------------------------------------------------------------------------------

_INTERVAL = re.compile(
    r"(?:([+-]?\d+) years? ?)?(?:([+-]?\d+) mons? ?)?(?:([+-]?\d+) days? ?)?(?:([+-]?)(\d+):(\d\d):(\d\d)(\.\d+)?)?"
)
_ARRAY_TOKEN = re.compile(r'[{},]|"(?:[^"\\]|\\.)*"|[^{},"]+', re.DOTALL)


def _integer(text: str) -> int:
    if len(text) > _DIGITS:
        raise ValueError("too many digits")
    return int(text)


def _decimal(text: str) -> Decimal:
    whole, _, fraction = text.lstrip("-").partition(".")
    if max(len(whole), len(fraction)) > _DIGITS:
        raise ValueError("too many digits")
    return Decimal(text)


def _bool(text: str) -> bool:
    return text == "t"


def _bytes(text: str) -> bytes:
    if not text.startswith("\\x"):
        raise ValueError("not the hexadecimal form")
    return bytes.fromhex(text[2:])


def _date(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def _timestamp(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)


def _time(text: str) -> dt.time:
    return dt.time.fromisoformat(text)


def _interval(text: str) -> dt.timedelta:
    parts = _INTERVAL.fullmatch(text)
    if parts is None:
        raise ValueError("not an interval")
    years, months, days, sign, hours, minutes, seconds, fraction = parts.groups()
    clock = dt.timedelta(
        hours=int(hours or 0), minutes=int(minutes or 0), seconds=int(seconds or 0),
        microseconds=round(float(fraction or 0) * 1e6),
    )  # fmt: skip
    date_part = (int(years or 0) * 12 + int(months or 0)) * 30 + int(days or 0)
    return dt.timedelta(days=date_part) + (-clock if sign == "-" else clock)


def _json_value(text: str) -> Any:
    return json.loads(text)


def _text(text: str) -> str:
    return text


Reader = Callable[[str], Any]
_READERS: dict[str, tuple[ColumnType, Reader]] = {
    **dict.fromkeys(("int2", "int4", "int8", "oid"), (ColumnType.INT, _integer)),
    **dict.fromkeys(("float4", "float8"), (ColumnType.FLOAT, float)),
    **dict.fromkeys(("text", "varchar", "bpchar", "name", "uuid", '"char"'), (ColumnType.STRING, _text)),
    **dict.fromkeys(("json", "jsonb"), (ColumnType.OTHER, _json_value)),
    **dict.fromkeys(("timestamp", "timestamptz"), (ColumnType.TIMESTAMP, _timestamp)),
    "numeric": (ColumnType.DECIMAL, _decimal),
    "bool": (ColumnType.BOOL, _bool),
    "bytea": (ColumnType.BINARY, _bytes),
    "date": (ColumnType.DATE, _date),
    "time": (ColumnType.TIME, _time),
    "interval": (ColumnType.INTERVAL, _interval),
}
_SCALARS = {registry[name].oid: pair for name, pair in _READERS.items()}
_ARRAYS = {registry[name].array_oid: reader for name, (_, reader) in _READERS.items()}
_JSON = frozenset(registry[name].oid for name in ("json", "jsonb"))
_NUMERIC = registry["numeric"].oid


def from_sql(name: str, oid: int, modifier: int, cells: Sequence[bytes | None]) -> tuple[Column, list[Any]]:
    """Return a result's column and its values. `modifier` is what its type was declared with, such as (10, 2)."""
    texts = [None if cell is None else cell.decode("utf-8") for cell in cells]
    kind, read = _SCALARS.get(oid, (ColumnType.STRING, _text))
    if oid in _ARRAYS:
        kind, read = ColumnType.LIST, _array_of(_ARRAYS[oid])
    elif oid == _NUMERIC and modifier >= 4 and (modifier - 4) & 0x7FF == 0:
        kind, read = ColumnType.INT, _integer
    try:
        values = [None if text is None else read(text) for text in texts]
    except (ValueError, OverflowError):
        return Column(name, ColumnType.STRING), texts
    if kind is ColumnType.DECIMAL and any(value is not None and not value.is_finite() for value in values):
        return Column(name, ColumnType.FLOAT), [None if value is None else float(value) for value in values]
    return Column(name, _json_type(values) if oid in _JSON else kind), values


def _json_type(values: Sequence[Any]) -> ColumnType:
    """Return STRUCT or LIST for a column of nothing else, so that they are what they were when they went in."""
    present = [value for value in values if value is not None]
    if present and all(isinstance(value, dict) for value in present):
        return ColumnType.STRUCT
    return ColumnType.LIST if present and all(isinstance(value, list) for value in present) else ColumnType.OTHER


def _array_of(read: Reader) -> Reader:
    def read_array(text: str) -> list[Any]:
        body = text[text.index("=") + 1 :] if text.startswith("[") else text  # its bounds come first where not 1
        outer: list[list[Any]] = [[]]
        for token in _ARRAY_TOKEN.findall(body):
            if token == "{":
                outer.append([])
            elif token == "}":
                inner = outer.pop()
                outer[-1].append(inner)
            elif token != ",":
                outer[-1].append(_element(token, read))
        [[array]] = outer
        return array

    return read_array


def _element(token: str, read: Reader) -> Any:
    if token.startswith('"'):
        return read(re.sub(r"\\(.)", r"\1", token[1:-1], flags=re.DOTALL))
    return None if token == "NULL" else read(token)
