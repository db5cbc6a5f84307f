"""Tables cross the wire unchanged, and nothing but tables crosses it."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import math
import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interpreters.base import Column, ColumnType, Table, TestCase
from interpreters.wire import (
    MAX_DEPTH,
    WireError,
    dump_bytes,
    parse_untrusted,
    table_from_json,
    table_to_json,
    test_case_from_json,
    test_case_to_json,
)

utc_timestamps = st.datetimes(timezones=st.just(dt.UTC))
plain: dict[ColumnType, st.SearchStrategy[Any]] = {
    ColumnType.NULL: st.none(),
    ColumnType.BOOL: st.booleans(),
    ColumnType.INT: st.integers(-(2**127), 2**127),
    ColumnType.FLOAT: st.floats(allow_nan=False),
    ColumnType.DECIMAL: st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-1e12, max_value=1e12),
    ColumnType.STRING: st.text(max_size=8),
    ColumnType.BINARY: st.binary(max_size=8),
    ColumnType.DATE: st.dates(),
    ColumnType.TIMESTAMP: st.datetimes() | utc_timestamps,
    ColumnType.TIME: st.times(),
    ColumnType.INTERVAL: st.timedeltas(),
}
scalars = st.none() | st.one_of([strategy for kind, strategy in plain.items() if kind is not ColumnType.NULL])
nested = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)
columns = {
    **plain,
    ColumnType.LIST: st.lists(nested, max_size=3),
    ColumnType.STRUCT: st.dictionaries(st.text(max_size=4), nested, max_size=3),
    ColumnType.OTHER: nested,
}


@st.composite
def tables(draw: st.DrawFn) -> Table:
    kinds = draw(st.lists(st.sampled_from(sorted(columns)), max_size=4))
    height = draw(st.integers(0, 4))
    cells = [draw(st.lists(st.none() | columns[kind], min_size=height, max_size=height)) for kind in kinds]
    heads = tuple(Column(draw(st.text(max_size=5)), kind) for kind in kinds)
    return Table(heads, tuple(zip(*cells, strict=True)) if kinds else ((),) * height)


def over_the_wire(table: Table) -> Table:
    return table_from_json(parse_untrusted(dump_bytes(table_to_json(table))))


def classes(value: object) -> object:
    if isinstance(value, list | tuple):
        return [classes(item) for item in value]
    if isinstance(value, dict):
        return {name: classes(item) for name, item in value.items()}
    return type(value)


@settings(max_examples=150, deadline=None)
@given(tables())
def test_every_table_survives_the_round_trip_with_values_and_classes(table: Table) -> None:
    back = over_the_wire(table)
    assert back == table
    assert classes(back.rows) == classes(table.rows)


def test_nan_and_infinities_survive_plain_and_nested() -> None:
    table = Table(
        (Column("f", ColumnType.FLOAT), Column("l", ColumnType.LIST)), ((math.nan, [math.inf]), (-math.inf, [math.nan]))
    )
    (nan, inside), (infinite, inside_nan) = over_the_wire(table).rows
    assert isinstance(nan, float) and math.isnan(nan)
    assert (inside, infinite) == ([math.inf], -math.inf)
    assert isinstance(inside_nan, list) and repr(inside_nan) == "[nan]"


def test_a_timestamp_with_a_zone_arrives_as_the_same_instant_in_utc() -> None:
    zone = dt.timezone(dt.timedelta(hours=5, minutes=30))
    moment = dt.datetime(2024, 3, 1, 12, 0, 0, 7, tzinfo=zone)
    [[back]] = over_the_wire(Table((Column("t", ColumnType.TIMESTAMP),), ((moment,),))).rows
    assert back == moment and isinstance(back, dt.datetime) and back.tzinfo is dt.UTC


def test_a_decimal_keeps_its_scale() -> None:
    [[back]] = over_the_wire(Table((Column("d", ColumnType.DECIMAL),), ((Decimal("1.50"),),))).rows
    assert str(back) == "1.50"


def test_the_json_of_a_test_case_is_plain_and_comes_back_equal() -> None:
    table = Table((Column("k", ColumnType.INT), Column("s", ColumnType.STRING)), ((2**60, "ä\n"), (None, "")))
    test = TestCase({"t": table, "u": table}, table, order_by=("k",), hidden=True)
    assert test_case_from_json(json.loads(json.dumps(test_case_to_json(test), allow_nan=False))) == test


def test_rules_that_are_not_the_usual_ones_come_back_and_the_usual_ones_leave_no_trace() -> None:
    table = Table((Column("k", ColumnType.INT),), ((1,), (2,), (3,)))
    plain_row = test_case_to_json(TestCase({"t": table}, table))
    assert plain_row.keys() == {"tables", "expected", "order_by", "hidden"}
    test = TestCase({"t": table}, table, match_names=False, ties=(2, 1))
    row = json.loads(json.dumps(test_case_to_json(test)))
    assert (row["match_names"], row["ties"]) == (False, [2, 1])
    assert test_case_from_json(row) == test
    assert test_case_from_json(plain_row) == TestCase({"t": table}, table)


@pytest.mark.parametrize(
    "change",
    [
        {"match_names": None},
        {"match_names": 0},
        {"match_names": "false"},
        {"hidden": 1},
        {"ties": [2]},
        {"ties": [2, 2]},
        {"ties": [3, 0]},
        {"ties": [4, -1]},
        {"ties": [True, 2]},
        {"ties": [1.0, 2.0]},
        {"ties": ["1", "2"]},
        {"ties": 3},
        {"ties": None},
        {"ties": {"3": 1}},
        {"ties": [1, 2], "order_by": ["k"]},
        {"order_by": "k"},
        {"order_by": [1]},
        {"match_name": False},
        {"expected": None},
        {"tables": []},
    ],
    ids=str,
)
def test_nonsense_in_a_test_case_raises_the_typed_error(change: dict[str, Any]) -> None:
    table = Table((Column("k", ColumnType.INT),), ((1,), (2,), (3,)))
    with pytest.raises(WireError):
        test_case_from_json({**test_case_to_json(TestCase({"t": table}, table)), **change})


def test_a_test_case_without_its_keys_raises_the_typed_error() -> None:
    table = Table((Column("k", ColumnType.INT),), ((1,),))
    row = test_case_to_json(TestCase({"t": table}, table))
    for key in row:
        with pytest.raises(WireError):
            test_case_from_json({name: value for name, value in row.items() if name != key})


def test_test_cases_of_a_whole_pool_are_read_in_a_few_seconds() -> None:
    table = Table((Column("k", ColumnType.INT), Column("s", ColumnType.STRING)), ((1, "a"), (2, None)) * 5)
    row = test_case_to_json(TestCase({"t": table, "u": table}, table))
    start = time.process_time()
    for _ in range(3500):
        test_case_from_json(row)
    assert time.process_time() - start < 2.0


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (ColumnType.INT, True),
        (ColumnType.INT, 1.0),
        (ColumnType.BOOL, 1),
        (ColumnType.DATE, dt.datetime(2024, 1, 1)),
        (ColumnType.STRING, b"x"),
        (ColumnType.OTHER, object()),
        (ColumnType.LIST, {"a": 1}),
    ],
)
def test_a_value_of_another_class_than_its_column_is_not_written(kind: ColumnType, value: Any) -> None:
    with pytest.raises(WireError):
        table_to_json(Table((Column("c", kind),), ((value,),)))


def reply(**changes: object) -> dict[str, object]:
    return {"columns": [["a", "int"]], "height": 1, "values": [[1]], **changes}


def deep(levels: int) -> object:
    cell: object = 1
    for _ in range(levels):
        cell = [cell]
    return cell


HOSTILE: list[Any] = [
    None,
    [],
    "table",
    {},
    reply(extra=1),
    reply(height=2),
    reply(height=-1),
    reply(height=True),
    reply(height=1.0),
    reply(height=10**9, columns=[], values=[]),
    reply(values=[[1, 2]]),
    reply(values=[1]),
    reply(values={"0": [1]}),
    reply(values=[]),
    reply(columns=[["a"]]),
    reply(columns=[["a", "float", 1]]),
    reply(columns=[["a", "no such type"]]),
    reply(columns=[[1, "int"]]),
    reply(columns=[["a", ["int"]]]),
    reply(values=[[True]]),
    reply(values=[[1.5]]),
    reply(values=[["1e5"]]),
    reply(values=[["9" * 500]]),
    reply(values=[[{"int": "1"}]]),
    reply(columns=[["a", "bool"]]),
    reply(columns=[["a", "string"]]),
    reply(columns=[["a", "null"]]),
    reply(columns=[["a", "float"]], values=[["Infinity"]]),
    reply(columns=[["a", "decimal"]], values=[["1e999999999"]]),
    reply(columns=[["a", "decimal"]], values=[["NaN"]]),
    reply(columns=[["a", "date"]], values=[["2024-13-01"]]),
    reply(columns=[["a", "date"]], values=[[20240101]]),
    reply(columns=[["a", "timestamp"]], values=[["0001-01-01T00:00:00+14:00"]]),
    reply(columns=[["a", "interval"]], values=[["9" * 30]]),
    reply(columns=[["a", "binary"]], values=[["ä"]]),
    reply(columns=[["a", "list"]], values=[[{"struct": {}}]]),
    reply(columns=[["a", "struct"]], values=[[{"a": 1}]]),
    reply(columns=[["a", "struct"]], values=[[{"struct": 1}]]),
    reply(columns=[["a", "other"]], values=[[{"int": "1", "float": "nan"}]]),
    reply(columns=[["a", "list"]], values=[[deep(MAX_DEPTH + 2)]]),
]


@pytest.mark.parametrize("row", HOSTILE, ids=lambda row: str(row)[:60])
def test_a_forged_table_raises_the_typed_error_and_nothing_else(row: object) -> None:
    with pytest.raises(WireError):
        table_from_json(row, max_cells=1000)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"NaN",
        b'{"a": Infinity}',
        b"\xff\xfe",
        b"[" * 100_000,
        b"[[]," * 2_000_000,
        b"1" * 5000,
        b'"\x00"',
    ],
    ids=lambda payload: repr(payload[:12]),
)
def test_forged_bytes_raise_the_typed_error_and_nothing_else(payload: bytes) -> None:
    with pytest.raises(WireError):
        parse_untrusted(payload)


@settings(max_examples=150, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists) | tables().map(str))
def test_no_json_value_makes_decoding_fail_in_another_way(value: object) -> None:
    for row in (value, reply(values=value), reply(columns=value), reply(columns=[["a", "other"]], values=[[value]])):
        with contextlib.suppress(WireError):
            table_from_json(row, max_cells=1000)


def test_a_table_with_more_cells_than_allowed_is_refused() -> None:
    table = Table((Column("a", ColumnType.INT), Column("b", ColumnType.INT)), ((1, 2),) * 6)
    assert table_from_json(table_to_json(table), max_cells=12) == table
    with pytest.raises(WireError, match="more than 11 cells"):
        table_from_json(table_to_json(table), max_cells=11)
