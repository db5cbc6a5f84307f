"""Tables and test cases to and from plain JSON, exactly.

A table is `{"columns": [[name, type], ...], "height": n, "values": [one list per column]}`. Cells are plain JSON where
JSON has the value; else the column's type says how to read a string: integers beyond 2**53 and decimals as digits,
"nan", "inf" and "-inf" in float columns, ISO dates and times (a timestamp with a zone becomes UTC), intervals as
microseconds, bytes as base64. Inside lists and structs, where no column type helps, such a value is `{tag: text}` and
a struct is `{"struct": {...}}`.

Decoding is strict, because replies of candidates come through here: whatever deviates raises `WireError`.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
import marshal
import math
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NoReturn

from interpreters.base import Column, ColumnType, Table, TestCase, Value

MAX_DEPTH = 16  # of lists and structs inside one cell
MAX_BRACKETS = 1_000_000  # lists and objects in one reply: what JSON can blow up into, in memory
_EXACT = 2**53  # integers up to here are exact in every JSON reader
_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_INTEGER = re.compile(r"-?[0-9]{1,400}")
_DECIMAL = re.compile(r"-?[0-9]{1,400}(\.[0-9]{1,400})?")
_MICROSECOND = dt.timedelta(microseconds=1)
_TYPES = {kind.value: kind for kind in ColumnType}


class WireError(ValueError):
    """Not a value, table or test case in the wire format."""


# -- single values: between a Python value and its text -----------------------------------------------------------


def _float_text(value: float) -> str:
    return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


def _timestamp_text(value: dt.datetime) -> str:
    return (value if value.tzinfo is None else value.astimezone(dt.UTC)).isoformat()


def _read_int(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise WireError("not the digits of an integer")
    return int(text)


def _read_float(text: str) -> float:
    if text not in _NOT_FINITE:
        raise WireError("not one of nan, inf, -inf")
    return _NOT_FINITE[text]


def _read_decimal(text: str) -> Decimal:
    if not _DECIMAL.fullmatch(text):
        raise WireError("not the digits of a decimal")
    return Decimal(text)


def _read_timestamp(text: str) -> dt.datetime:
    value = dt.datetime.fromisoformat(text)
    return value if value.tzinfo is None else value.astimezone(dt.UTC)


def _read_interval(text: str) -> dt.timedelta:
    return _read_int(text) * _MICROSECOND


def _read_bytes(text: str) -> bytes:
    return base64.b64decode(text.encode("ascii"), validate=True)


_WRITERS: dict[type, tuple[str, Callable[[Any], str]]] = {
    int: ("int", str),
    float: ("float", _float_text),
    Decimal: ("decimal", lambda value: format(value, "f")),
    dt.datetime: ("timestamp", _timestamp_text),
    dt.date: ("date", dt.date.isoformat),
    dt.time: ("time", dt.time.isoformat),
    dt.timedelta: ("interval", lambda value: str(value // _MICROSECOND)),
    bytes: ("binary", lambda value: base64.b64encode(value).decode("ascii")),
}
_READERS: dict[str, Callable[[str], Value]] = {
    "int": _read_int,
    "float": _read_float,
    "decimal": _read_decimal,
    "timestamp": _read_timestamp,
    "date": dt.date.fromisoformat,
    "time": dt.time.fromisoformat,
    "interval": _read_interval,
    "binary": _read_bytes,
}


def _read(tag: str, text: object) -> Value:
    if type(text) is not str:
        raise WireError(f"a value of type {tag} is not text")
    try:
        return _READERS[tag](text)
    except (ValueError, OverflowError, binascii.Error) as error:
        raise WireError(f"not a value of type {tag}") from error


# -- columns ------------------------------------------------------------------------------------------------------

_NONE = type(None)
# Python classes that a column of each type may hold; NULL is always allowed.
_CLASSES: dict[ColumnType, frozenset[type]] = {
    ColumnType.NULL: frozenset({_NONE}),
    ColumnType.BOOL: frozenset({_NONE, bool}),
    ColumnType.INT: frozenset({_NONE, int}),
    ColumnType.FLOAT: frozenset({_NONE, float, int}),
    ColumnType.DECIMAL: frozenset({_NONE, Decimal}),
    ColumnType.STRING: frozenset({_NONE, str}),
    ColumnType.BINARY: frozenset({_NONE, bytes}),
    ColumnType.DATE: frozenset({_NONE, dt.date}),
    ColumnType.TIMESTAMP: frozenset({_NONE, dt.datetime}),
    ColumnType.TIME: frozenset({_NONE, dt.time}),
    ColumnType.INTERVAL: frozenset({_NONE, dt.timedelta}),
    ColumnType.LIST: frozenset({_NONE, list}),
    ColumnType.STRUCT: frozenset({_NONE, dict}),
}
_AS_IS = frozenset({ColumnType.NULL, ColumnType.BOOL, ColumnType.STRING})
_NESTED = frozenset({ColumnType.LIST, ColumnType.STRUCT, ColumnType.OTHER})


def _require_classes(column: Column, classes: set[type]) -> None:
    allowed = _CLASSES.get(column.type)
    if allowed is not None and not classes <= allowed:
        found = ", ".join(sorted(kind.__name__ for kind in classes - allowed))
        raise WireError(f"column {column.name!r} of type {column.type} holds {found}")


def encode_column(column: Column, values: Sequence[Value]) -> list[Any]:
    """Return the JSON cells of one column. Raises WireError for a value that the column's type does not allow."""
    classes = set(map(type, values))
    _require_classes(column, classes)
    if column.type in _AS_IS or _is_plain(classes, values):
        return list(values)
    if column.type is ColumnType.INT:
        return [v if v is None or -_EXACT <= v <= _EXACT else str(v) for v in values]  # type: ignore[operator]  # ints
    if column.type is ColumnType.FLOAT:
        return [encode_float(v) for v in values]  # type: ignore[arg-type]  # classes are checked above
    if column.type in _NESTED:
        return [encode_value(v) for v in values]
    write = next(write for tag, write in _WRITERS.values() if tag == column.type)
    return [None if v is None else write(v) for v in values]


def _is_plain(classes: set[type], values: Sequence[Any]) -> bool:
    """Say whether all are integers, or all floats, that JSON has: the common case, found without a look at each."""
    if classes == {int}:
        return min(values) >= -_EXACT and max(values) <= _EXACT
    return classes == {float} and all(map(math.isfinite, values))


def encode_float(value: float | None) -> float | str | None:
    return value if value is None or math.isfinite(value) else _float_text(value)


def encode_value(value: Value, depth: int = 0) -> Any:
    """Return any value as JSON with tags, for places where no column type says how to read it."""
    kind = type(value)
    if value is None or kind is str or kind is bool:
        return value
    if (kind is int and -_EXACT <= value <= _EXACT) or (kind is float and math.isfinite(value)):  # type: ignore
        return value
    if kind in _WRITERS:
        tag, write = _WRITERS[kind]
        return {tag: write(value)}
    if depth >= MAX_DEPTH:
        raise WireError(f"a value is nested deeper than {MAX_DEPTH}")
    if isinstance(value, list | tuple):
        return [encode_value(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {"struct": {str(name): encode_value(item, depth + 1) for name, item in value.items()}}
    raise WireError(f"a value of type {kind.__name__} cannot be part of a table")


def decode_column(column: Column, cells: list[Any]) -> list[Value]:
    classes = set(map(type, cells))
    if classes <= _CLASSES.get(column.type, frozenset()) and column.type not in _NESTED:
        return cells  # the common case: integers, floats, text and nulls as JSON has them
    if column.type in _NESTED:
        values = [decode_value(cell) for cell in cells]
        _require_classes(column, set(map(type, values)))
        return values
    if column.type in _AS_IS:
        _require_classes(column, classes)
    plain = _CLASSES[column.type] if column.type in (ColumnType.INT, ColumnType.FLOAT) else {_NONE}
    return [cell if type(cell) in plain else _read(column.type, cell) for cell in cells]


def decode_value(cell: object, depth: int = 0) -> Value:
    if cell is None or isinstance(cell, str | bool | int | float):
        return cell
    if depth >= MAX_DEPTH:
        raise WireError(f"a value is nested deeper than {MAX_DEPTH}")
    if isinstance(cell, list):
        return [decode_value(item, depth + 1) for item in cell]
    if not isinstance(cell, dict) or len(cell) != 1:
        raise WireError("a nested value has no single tag")
    [(tag, content)] = cell.items()
    if tag == "struct" and isinstance(content, dict):
        return {name: decode_value(item, depth + 1) for name, item in content.items()}
    if tag not in _READERS:
        raise WireError("a nested value has an unknown tag")
    return _read(tag, content)


# -- tables and test cases ----------------------------------------------------------------------------------------


def columns_to_json(columns: Sequence[Column], values: Sequence[Sequence[Value]], height: int) -> dict[str, Any]:
    """Return the JSON of a table that is held as one sequence per column."""
    return {
        "columns": [[column.name, str(column.type)] for column in columns],
        "height": height,
        "values": [encode_column(column, cells) for column, cells in zip(columns, values, strict=True)],
    }


def columns_from_json(row: object, max_cells: int | None = None) -> tuple[tuple[Column, ...], list[list[Value]], int]:
    """Return columns, one list of values per column, and the number of rows."""
    if not isinstance(row, dict) or row.keys() != {"columns", "height", "values"}:
        raise WireError("a table needs exactly the keys columns, height and values")
    heads, height, values = row["columns"], row["height"], row["values"]
    if not isinstance(heads, list) or not isinstance(values, list) or len(heads) != len(values):
        raise WireError("columns and values are not two lists of one length")
    if type(height) is not int or height < 0:
        raise WireError("height is not a number of rows")
    if max_cells is not None and height * max(len(heads), 1) > max_cells:
        raise WireError(f"the table has more than {max_cells} cells")
    if any(not isinstance(cells, list) or len(cells) != height for cells in values):
        raise WireError("a column has another length than the table")
    columns = tuple(map(_column_from_json, heads))
    return columns, [decode_column(column, cells) for column, cells in zip(columns, values, strict=True)], height


def _column_from_json(head: object) -> Column:
    if not isinstance(head, list) or len(head) != 2 or type(head[0]) is not str or type(head[1]) is not str:
        raise WireError("a column is not a pair of name and type")
    if head[1] not in _TYPES:
        raise WireError("a column has an unknown type")
    return Column(head[0], _TYPES[head[1]])


def table_to_json(table: Table) -> dict[str, Any]:
    values = list(zip(*table.rows, strict=True)) if table.rows else [()] * len(table.columns)
    return columns_to_json(table.columns, values, len(table.rows))


def table_from_json(row: object, max_cells: int | None = None) -> Table:
    """Return the table. Raises WireError for anything that `table_to_json` does not write."""
    columns, values, height = columns_from_json(row, max_cells)
    return Table(columns, tuple(zip(*values, strict=True)) if columns else ((),) * height)


_TEST_KEYS = frozenset({"tables", "expected", "order_by", "hidden", "match_names", "ties", "unordered", "accepted"})


def test_case_to_json(test: TestCase) -> dict[str, Any]:
    """Return the JSON. `match_names`, `ties`, `unordered` and `accepted` are written only where set: files without
    them keep their digests."""
    row: dict[str, Any] = {
        "tables": {name: table_to_json(table) for name, table in test.tables.items()},
        "expected": table_to_json(test.expected),
        "order_by": list(test.order_by),
        "hidden": test.hidden,
    }
    if not test.match_names:
        row["match_names"] = False
    if test.ties:
        row["ties"] = list(test.ties)
    if test.unordered:
        row["unordered"] = True
    if test.accepted:
        row["accepted"] = [table_to_json(table) for table in test.accepted]
    return row


def test_case_from_json(row: Mapping[str, Any]) -> TestCase:
    """Return the test case. Raises WireError naming what is wrong."""
    try:
        if not row.keys() <= _TEST_KEYS:
            raise WireError(f"a test case has no key {min(row.keys() - _TEST_KEYS)!r}")
        tables = {name: table_from_json(table) for name, table in row["tables"].items()}
        return TestCase(
            tables, table_from_json(row["expected"]), _tuple_of(str, row, "order_by"), _flag(row, "hidden"),
            _flag(row, "match_names", True), _tuple_of(int, row, "ties", ()), _flag(row, "unordered", False),
            tuple(table_from_json(table) for table in row.get("accepted", ())),
        )  # fmt: skip
    except WireError:
        raise
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise WireError(f"not a test case: {type(error).__name__} {error}") from error


def _flag(row: Mapping[str, Any], key: str, *default: bool) -> bool:
    value = row.get(key, *default) if default else row[key]
    if type(value) is not bool:
        raise WireError(f"{key} of a test case is not true or false")
    return value


def _tuple_of(kind: type, row: Mapping[str, Any], key: str, *default: tuple[()]) -> tuple[Any, ...]:
    values = row.get(key, *default) if default else row[key]
    if not isinstance(values, list | tuple) or any(type(value) is not kind for value in values):
        raise WireError(f"{key} of a test case is not a list of {kind.__name__}")
    return tuple(values)


# pytest collects names that start with test_; these two are not tests.
test_case_to_json.__test__ = False  # type: ignore[attr-defined]  # functions take attributes
test_case_from_json.__test__ = False  # type: ignore[attr-defined]  # functions take attributes


# -- bytes --------------------------------------------------------------------------------------------------------


_ENCODER = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"))


def dump_bytes(message: Mapping[str, Any]) -> bytes:
    return _ENCODER.encode(message).encode("ascii")


def _refuse_constant(name: str) -> NoReturn:
    raise WireError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def parse_untrusted(payload: bytes) -> object:
    """Return the JSON value in `payload`, which a candidate may have written. Raises WireError, nothing else."""
    if payload.count(b"[") + payload.count(b"{") > MAX_BRACKETS:
        raise WireError("too many lists and objects")
    try:
        return _DECODER.decode(payload.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise WireError(f"not JSON: {type(error).__name__}") from error


def dump_request(message: Mapping[str, Any]) -> bytes:
    """Return a message from the parent to a child: the same cells as in JSON, in a form that is read faster."""
    return marshal.dumps(dict(message))


def parse_request(payload: bytes) -> Any:
    """Return what `dump_request` wrote. Only for what comes from the parent: marshal trusts its input."""
    return marshal.loads(payload)
