"""Values between the wire and q: as source text, straight into the subset's values, and back."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interpreters.base import Column, ColumnType, Table, Value
from interpreters.compare import compare_tables
from interpreters.function_cases import answer_of, plain_value
from interpreters.q_subset import Workspace
from interpreters.q_subset import values as q
from interpreters.q_subset.compare import match
from interpreters.q_values import (
    columns_of,
    entry_refused,
    from_q,
    q_literal,
    q_table,
    require_carried,
    table_from_q,
    table_to_q,
    to_q,
)
from interpreters.wire import WireError

LONGS = st.integers(-(2**63) + 2, 2**63 - 2)
FLOATS = st.floats(allow_nan=True)
TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from('"\\\n\t é€'), max_size=6)
WORDS = TEXT.filter(lambda text: text == text.strip() and "\0" not in text)
SYMBOLS = st.builds(lambda text: {"$symbol": text}, WORDS)
ATOMS = st.none() | st.booleans() | LONGS | FLOATS | TEXT
MOMENTS = st.datetimes(dt.datetime(1710, 1, 1), dt.datetime(2290, 1, 1))


def several(inner: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    lists = [st.lists(kind, max_size=4) for kind in (inner, LONGS, st.none() | LONGS, FLOATS, TEXT, SYMBOLS)]
    return st.one_of(*lists, st.dictionaries(TEXT, inner, max_size=3))


def has_floats_with_none(value: Value) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return False
    return set(map(type, value)) == {float, type(None)} or any(map(has_floats_with_none, value))


VALUES = st.recursive(ATOMS, several, max_leaves=12).filter(lambda value: not has_floats_with_none(value))


def read(source: str) -> q.Value:
    return Workspace().run(source)[-1]


def one_cell(value: Value) -> Table:
    column, cell = answer_of(value)
    return Table((column,), ((cell,),))


@settings(max_examples=500, deadline=None)
@given(VALUES)
def test_source_text_is_the_value_and_comes_back(value: Value) -> None:
    noun = to_q(value)
    assert match(read(q_literal(value)), noun)
    assert compare_tables(one_cell(from_q(noun)), one_cell(value)) is None


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.integers(-9, 9) | TEXT | st.tuples(LONGS, TEXT), LONGS | TEXT, min_size=1, max_size=4))
def test_dicts_with_any_keys_come_back(value: dict[int | str | tuple[int, str], int | str]) -> None:
    plain = plain_value(value)
    noun = to_q(plain)
    assert isinstance(noun, q.Dict)
    assert match(read(q_literal(plain)), noun)
    assert from_q(noun) == plain


@pytest.mark.parametrize(
    ("value", "source"),
    [
        (5, "5"), (-5, "-5"), (True, "1b"), (2.0, "2.0"), (math.inf, "0w"), (None, "(::)"), ("", '""'),
        ("a", 'enlist "a"'), ("ab", '"ab"'), ('"\\\n', '"\\"\\\\\\n"'), ("é", '"é"'), ([], "()"), ([1], "enlist 1"),
        ([1, None], "1 0N"), ([True, False], "10b"), ([1.5, 2.0], "1.5 2.0"), (["a"], 'enlist enlist "a"'),
        (["ab", ""], '("ab";"")'), ([1, 2.5], "(1;2.5)"), ([[1, 2], []], "(1 2;())"), ({}, "()!()"),
        ({"ab": 1, "c": 2}, '("ab";enlist "c")!1 2'), ({"a": "b"}, '(enlist enlist "a")!enlist enlist "b"'),
        ({"$symbol": "abc"}, "`abc"), ([{"$symbol": "abc"}, {"$symbol": ""}], "`abc`"), ({"$symbol": "a b"}, '`$"a b"'),
        (plain_value({1: 2, 3: 4}), "1 3!2 4"), (dt.date(2024, 2, 29), "2024.02.29"),
    ],
)  # fmt: skip
def test_source_text_is_what_people_write(value: Value, source: str) -> None:
    assert q_literal(value) == source


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (2**63 - 1, "beyond q's longs"), (-(2**63), "beyond q's longs"), ([1, 2**70], "beyond q's longs"),
        ([1.5, None], "floats has None"), (b"x", "bytes"), (Decimal(1), "Decimal"), ({"$symbol": " a"}, "white space"),
        ("\ud800", "surrogate"),
        ([plain_value({(1,): 2}), 5, [[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]], "nested deeper"),
    ],
)  # fmt: skip
def test_what_q_cannot_carry_is_refused_by_sentence(value: Value, sentence: str) -> None:
    with pytest.raises(WireError, match=sentence):
        q_literal(value)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ('"a"', "a"), ("`abc", {"$symbol": "abc"}), ("3h", 3), ("3i", 3), ("2.5e", 2.5), ("0N", None),
        ("1 0N", [1, None]),
        ("`a`b!1 2", [{"key": {"$symbol": "a"}, "value": 1}, {"key": {"$symbol": "b"}, "value": 2}]),
        ('"ba"!1 2', {"a": 2, "b": 1}), ("2 1!3 4", [{"key": 1, "value": 4}, {"key": 2, "value": 3}]),
        ('("a";1b)', ["a", True]), ("`long$()", []), ("2024.01.02D00:00:01", dt.datetime(2024, 1, 2, 0, 0, 1)),
        ("2024.01.02", dt.date(2024, 1, 2)), ("00:00:01.5", dt.time(0, 0, 1, 500_000)),
        ("0D00:00:01", dt.timedelta(seconds=1)), ("12:30", dt.time(12, 30)), ("(`symbol$())!()", {}),
    ],
)  # fmt: skip
def test_answers_of_q_have_plain_values(source: str, value: Value) -> None:
    assert from_q(read(source)) == value


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("0x01", "byte"), ("{x}", "lambda"), ("{x+y}[1]", "projection"), ("([] a:1 2)", "table"), ("(+)", "primitive"),
        ("1 1!2 3", "key twice"), ("0n 1f!2 3", "NaN"), ('"\\377"', "no text"), ("2024.01m", "month"),
        ("25:00:00.000", "24 hours"), ("0D00:00:00.000000001", "microsecond"), ("`a`b!(1;{x})", "lambda"),
    ],
)  # fmt: skip
def test_answers_without_plain_values_are_refused(source: str, sentence: str) -> None:
    with pytest.raises(WireError, match=sentence):
        from_q(read(source))


# -- tables ---------------------------------------------------------------------------------------------------------

CELLS = {
    ColumnType.INT: LONGS,
    ColumnType.FLOAT: st.floats(allow_nan=False),
    ColumnType.STRING: WORDS.filter(bool),
    ColumnType.DATE: st.dates(dt.date(1710, 1, 1)),
    ColumnType.TIMESTAMP: MOMENTS,
    ColumnType.TIME: st.times().map(lambda time: time.replace(microsecond=time.microsecond // 1000 * 1000)),
    ColumnType.INTERVAL: st.timedeltas(dt.timedelta(days=-90_000), dt.timedelta(days=90_000)),
}


@st.composite
def tables(draw: st.DrawFn) -> Table:
    kinds = draw(st.lists(st.sampled_from([*CELLS, ColumnType.BOOL]), min_size=1, max_size=5))
    height = draw(st.integers(0, 3))
    cells = [st.booleans() if kind is ColumnType.BOOL else st.none() | CELLS[kind] for kind in kinds]
    rows = draw(st.lists(st.tuples(*cells), min_size=height, max_size=height))
    return Table(tuple(Column(f"c{i}", kind) for i, kind in enumerate(kinds)), tuple(rows))


@settings(max_examples=300, deadline=None)
@given(tables())
def test_tables_are_their_source_text_and_come_back(table: Table) -> None:
    noun = table_to_q(table.columns, columns_of(table))
    assert match(read(q_table(table)), noun)
    columns, values = table_from_q(noun)
    assert tuple(columns) == table.columns
    assert tuple(map(tuple, values)) == tuple(zip(*table.rows, strict=True)) or not table.rows


def test_a_table_of_nulls_keeps_its_types() -> None:
    kinds = [*CELLS, ColumnType.NULL]
    table = Table(tuple(Column(f"c{i}", kind) for i, kind in enumerate(kinds)), (tuple([None] * len(kinds)),) * 2)
    noun = table_to_q(table.columns, columns_of(table))
    assert match(read(q_table(table)), noun)
    columns, values = table_from_q(noun)
    assert [column.type for column in columns] == [*CELLS, ColumnType.INT]
    assert values == [[None, None]] * len(kinds)


def test_a_table_is_written_as_people_write_it() -> None:
    heads = (Column("city", ColumnType.STRING), Column("amount", ColumnType.INT), Column("paid", ColumnType.BOOL))
    assert q_table(Table(heads, (("rome", 1, True), ("oslo", None, False)))) == (
        "([] city:`rome`oslo; amount:1 0N; paid:10b)"
    )
    assert q_table(Table(heads, ())) == "([] city:`symbol$(); amount:`long$(); paid:`boolean$())"


def test_keyed_tables_give_their_keys_first() -> None:
    columns, values = table_from_q(read("select sum v by k from ([] k:`b`a`b; v:1 2 3)"))
    assert [(column.name, column.type) for column in columns] == [("k", ColumnType.STRING), ("v", ColumnType.INT)]
    assert values == [["a", "b"], [2, 4]]


def test_strings_in_a_table_are_no_symbols() -> None:
    columns, values = table_from_q(read('([] s:("ab";"c"); c:"xy"; v:(1 2;3 4))'))
    assert values == [[{"$string": "ab"}, {"$string": "c"}], [{"$string": "x"}, {"$string": "y"}], [[1, 2], [3, 4]]]
    assert [column.type for column in columns] == [ColumnType.STRUCT, ColumnType.STRUCT, ColumnType.LIST]


@pytest.mark.parametrize("source", ["1 2", "`a", "`a`b!1 2", "(::)", "{x}", "(1;`a)"])
def test_only_a_table_is_a_table(source: str) -> None:
    with pytest.raises(WireError, match="expected a table"):
        table_from_q(read(source))


def table_of(kind: ColumnType, *cells: Value, name: str = "a") -> dict[str, Table]:
    return {"t": Table((Column(name, kind),), tuple((cell,) for cell in cells))}


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        (table_of(ColumnType.STRING, "a", ""), "empty text"), (table_of(ColumnType.FLOAT, 1.0, math.nan), "NaN"),
        (table_of(ColumnType.BOOL, True, None), "booleans has NULL"), (table_of(ColumnType.LIST, [1], [2]), "list"),
        (table_of(ColumnType.INT, 1, 2**63), "beyond q's longs"),
        (table_of(ColumnType.STRING, "a", " b"), "white space"),
        (table_of(ColumnType.TIME, dt.time(0, 0, 0, 1), None), "millisecond"),
        (table_of(ColumnType.BINARY, b"", b""), "binary"),
        (table_of(ColumnType.TIMESTAMP, dt.datetime(1500, 1, 1), None), "1707 to 2292"),
        (table_of(ColumnType.INT, 1, 2, name="type"), "'type'"), (table_of(ColumnType.INT, 1, 2, name="a b"), "'a b'"),
        (table_of(ColumnType.INT, 1, 2, name="i"), "'i'"),
        ({"select": table_of(ColumnType.INT, 1, 2)["t"]}, "'select'"),
        ({"f": Table((), ((), ()))}, "without columns"), ({"sum": table_of(ColumnType.INT, 1)["t"]}, "'sum'"),
        (table_of(ColumnType.INT, 2**64), "beyond q's longs"),
        (table_of(ColumnType.LIST, [0.5, None]), "floats has None"),
        ({"f": Table(tuple(Column(f"p{i}", ColumnType.INT) for i in range(9)), (tuple(range(9)),))}, "at most 8"),
    ],
)  # fmt: skip
def test_inputs_that_q_cannot_hold_are_refused(inputs: dict[str, Table], sentence: str) -> None:
    with pytest.raises(WireError, match=sentence):
        require_carried([inputs])


def test_inputs_that_q_holds_pass() -> None:
    require_carried([table_of(ColumnType.STRING, "a", None), table_of(ColumnType.STRING)])
    require_carried([table_of(ColumnType.LIST, [1, [2, "x"]], name="sum"), table_of(ColumnType.STRING, "")])
    require_carried([{"no_parameters": Table((), ((),))}])


def test_names_that_q_keeps_are_refused() -> None:
    refused = ["sum", "max", "first", "select", "hopen", "_a", "a.b", "1a", "é", "", "and", "where", "by"]
    assert [name for name in refused if entry_refused(name) is None] == []
    assert [entry_refused(name) for name in ("add", "is_prime", "sum_of", "f2", "x")] == [None] * 5
