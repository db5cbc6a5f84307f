"""Calls of functions are table tests of one row, nothing of a value is lost, and answers in any order are bags."""

from __future__ import annotations

import json
import math
import random
from collections import Counter, OrderedDict, defaultdict, namedtuple
from enum import IntEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interpreters.base import Column, ColumnType, Table, TestCase
from interpreters.compare import compare_answer
from interpreters.function_cases import arguments_of, case_of, expected_of
from interpreters.wire import MAX_DEPTH, WireError, dump_request, parse_request, test_case_from_json, test_case_to_json

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
scalars = st.none() | st.booleans() | st.integers(-(10**60), 10**60) | st.floats() | text
json_like = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=12
)
hashable = st.recursive(
    st.none() | st.integers() | text, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3)
)
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.sets(hashable, max_size=3)
        | st.dictionaries(text | hashable, inner, max_size=3)
    ),
    max_leaves=12,
)


def over_the_wire(test: TestCase) -> TestCase:
    row = json.loads(json.dumps(test_case_to_json(test), allow_nan=False))
    return test_case_from_json(parse_request(dump_request(row)))


def right(answer: Any, expected: Any, unordered: bool = False) -> bool:
    """Say whether an answer is right where another is expected."""
    test = case_of("f", [], [], expected, hidden=True, unordered=unordered)
    return compare_answer(case_of("f", [], [], answer, hidden=True).expected, test) is None


# -- what a call becomes --------------------------------------------------------------------------------------------


def test_a_call_is_a_table_of_one_row_called_as_the_function() -> None:
    test = case_of("add", ["a", "others"], [1, (2, 3.5)], 6.5, hidden=True)
    columns = (Column("a", ColumnType.INT), Column("others", ColumnType.LIST))
    expected = Table((Column("result", ColumnType.FLOAT),), ((6.5,),))
    assert test == TestCase({"add": Table(columns, ((1, [2, 3.5]),))}, expected, match_names=False, hidden=True)
    assert arguments_of(test) == ("add", ["a", "others"], [1, [2, 3.5]])
    assert expected_of(test) == 6.5


Point = namedtuple("Point", "x y")
Colour = IntEnum("Colour", "RED GREEN")

STORED: list[tuple[Any, Any, ColumnType, bool]] = [
    (None, None, ColumnType.NULL, False),
    (True, True, ColumnType.BOOL, False),
    (2**200, 2**200, ColumnType.INT, False),
    (-math.inf, -math.inf, ColumnType.FLOAT, False),
    ("ünï\n\0𝒳", "ünï\n\0𝒳", ColumnType.STRING, False),
    ([], [], ColumnType.LIST, False),
    ((), [], ColumnType.LIST, False),
    (set(), [], ColumnType.LIST, True),
    ({}, {}, ColumnType.STRUCT, False),
    ((1, (2.0, "x")), [1, [2.0, "x"]], ColumnType.LIST, False),
    ([[], {}, [[]]], [[], {}, [[]]], ColumnType.LIST, False),
    ({3, 1, 2}, [1, 2, 3], ColumnType.LIST, True),
    (frozenset({"b", 2, None, "a", 0.5, (1,)}), [None, 0.5, 2, "a", "b", [1]], ColumnType.LIST, True),
    ([{2, 1}], [[1, 2]], ColumnType.LIST, False),
    ({"a": (1,), "": {2}}, {"a": [1], "": [2]}, ColumnType.STRUCT, False),
    ({2: "b", 1: ()}, [{"key": 1, "value": []}, {"key": 2, "value": "b"}], ColumnType.LIST, True),
    ({"x": 1, 0: 2}, [{"key": 0, "value": 2}, {"key": "x", "value": 1}], ColumnType.LIST, True),
    ([{(1, 2): 0}], [[{"key": [1, 2], "value": 0}]], ColumnType.LIST, False),
    (Point(1, 2), [1, 2], ColumnType.LIST, False),
    (Colour.GREEN, 2, ColumnType.INT, False),
    (Counter("aab"), {"a": 2, "b": 1}, ColumnType.STRUCT, False),
    (defaultdict(list, {"k": [OrderedDict(a=1)]}), {"k": [{"a": 1}]}, ColumnType.STRUCT, False),
]


@pytest.mark.parametrize(("value", "stored", "kind", "unordered"), STORED, ids=[ascii(row[1])[:30] for row in STORED])
def test_each_kind_of_value_has_its_form(value: Any, stored: Any, kind: ColumnType, unordered: bool) -> None:
    test = case_of("f", ["x"], [value], value, hidden=False)
    assert repr(arguments_of(test)[2]) == repr([stored])  # by text: 1, 1.0 and True are not the same
    assert repr(expected_of(test)) == repr(stored)
    assert (test.expected.columns[0].type, test.tables["f"].columns[0].type) == (kind, kind)
    assert (test.unordered, test.match_names, test.hidden) == (unordered, False, False)


@given(json_like, st.lists(json_like, max_size=3))
def test_what_json_has_comes_out_as_it_went_in(expected: Any, args: list[Any]) -> None:
    test = over_the_wire(case_of("f", [f"a{i}" for i in range(len(args))], args, expected, hidden=False))
    assert repr(arguments_of(test)[2]) == repr(args)
    assert repr(expected_of(test)) == repr(expected)


@given(anything, anything, st.booleans())
def test_every_value_travels_without_loss(argument: Any, expected: Any, unordered: bool) -> None:
    test = case_of("f", ["a"], [argument], expected, hidden=True, unordered=unordered)
    assert repr(over_the_wire(test)) == repr(test)
    assert compare_answer(over_the_wire(test).expected, test) is None


@given(st.lists(hashable, max_size=6, unique=True), st.randoms(use_true_random=False))
def test_the_order_in_which_a_set_was_filled_leaves_no_trace(items: list[Any], source: random.Random) -> None:
    shuffled = source.sample(items, len(items))
    expected = {item: [item] for item in items}
    assert case_of("f", [], [], set(items), hidden=False) == case_of("f", [], [], set(shuffled), hidden=False)
    if not all(isinstance(item, str) for item in items):
        again = {item: [item] for item in shuffled}
        assert case_of("f", [], [], expected, hidden=False) == case_of("f", [], [], again, hidden=False)


def test_arguments_and_answers_are_the_callers_own() -> None:
    items = [[1], {"a": [2]}]
    test = case_of("f", ["items"], [items], items, hidden=False)
    items[0].append(9)  # type: ignore[union-attr]
    arguments_of(test)[2][0][1]["a"].clear()
    expected_of(test).clear()
    assert arguments_of(test)[2] == [[[1], {"a": [2]}]]
    assert expected_of(test) == [[1], {"a": [2]}]


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


CIRCLE: list[Any] = []
CIRCLE.append(CIRCLE)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (object(), "type object"),
        (1j, "type complex"),
        (b"x", "type bytes"),
        (range(3), "type range"),
        (iter([]), "type list_iterator"),
        (len, "type builtin_function_or_method"),
        ([1, [object()]], "type object"),
        ({"a": print}, "type builtin_function_or_method"),
        ({math.nan: 1}, "NaN is a key"),
        ("\ud800", "surrogate"),
        ({"\udfff": 1}, "surrogate"),
        ({("\ud800",): 1}, "surrogate"),
        (10**400, "more than 400 digits"),
        (-(10**5000), "more than 400 digits"),
        (nested(MAX_DEPTH + 1), "nested deeper"),
        ([nested(MAX_DEPTH - 2), {1: nested(MAX_DEPTH - 2)}], "nested deeper"),
        (CIRCLE, "nested deeper"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isprintable() else type(value).__name__,
)
def test_what_cannot_be_carried_is_refused_with_a_sentence(value: Any, says: str) -> None:
    with pytest.raises(WireError, match=says):
        case_of("f", [], [], value, hidden=False)
    with pytest.raises(WireError, match=says):
        case_of("f", ["a"], [value], 1, hidden=False)


@pytest.mark.parametrize("value", [nested(MAX_DEPTH), 10**400 - 1, [nested(MAX_DEPTH - 4), {1: nested(MAX_DEPTH - 3)}]])
def test_the_most_that_can_be_carried_is(value: Any) -> None:
    assert over_the_wire(case_of("f", ["a"], [value], value, hidden=False))


def test_a_call_that_does_not_fit_its_parameters_is_refused() -> None:
    with pytest.raises(WireError, match=r"parameters \(a, b\), but 1 arguments"):
        case_of("f", ["a", "b"], [1], 1, hidden=False)
    with pytest.raises(WireError, match="parameters"):
        case_of("f", ["a", "a"], [1, 2], 1, hidden=False)
    with pytest.raises(WireError, match="cannot be called 'f g'"):
        case_of("f g", [], [], 1, hidden=False)


def test_a_test_of_tables_is_no_call() -> None:
    column = (Column("a", ColumnType.INT),)
    rows = Table(column, ((1,), (2,)))
    for tables in ({}, {"t": rows}, {"t": Table(column, ()), "u": rows}):
        with pytest.raises(WireError, match="a test of a function"):
            arguments_of(TestCase(tables, rows))
    with pytest.raises(WireError, match="expects one cell"):
        expected_of(TestCase({}, rows))


# -- answers in any order -------------------------------------------------------------------------------------------

ANY_ORDER = {
    "other places": ([3, 1, 2], [1, 2, 3]),
    "integers and floats": ([2, 1.0, 0.5], [0.5, 1, 2.0]),
    "noise": ([None, 0.1 + 0.2], [0.3, None]),
    "NaN and NULL": ([math.nan, None], [None, math.nan]),
    "lists": ([[1, 2], []], [[], [1, 2]]),
    "pairs of a dict": ({2: 0.1, 1: "x"}, [{"key": 1, "value": "x"}, {"key": 2, "value": 0.1}]),
    "near numbers that only a matching pairs": ([1.0, 1.0 + 9e-7], [1.0 + 1.5e-6, 1.0 + 3e-7]),
    "nothing": ([], ()),
}
OTHERS = {
    "one more": ([1, 2, 2], [1, 2]),
    "other duplicates": ([1, 1, 2], [1, 2, 2]),
    "a boolean for a number": ([True, 2], [1, 2]),
    "digits for a number": (["1"], [1]),
    "NULL for NaN": ([None], [math.nan]),
    "an inner list in another order": ([[2, 1]], [[1, 2]]),
    "nothing for an empty list": (None, []),
    "an empty struct for an empty list": ({}, []),
    "an empty struct inside": ([{}], [[]]),
    "an item for a list": (1, [1]),
    "an integer with noise": ([1.0000001], [1]),
}


@pytest.mark.parametrize(("answer", "expected"), ANY_ORDER.values(), ids=ANY_ORDER)
def test_items_in_another_order_are_right_where_order_is_free(answer: Any, expected: Any) -> None:
    assert right(answer, expected, unordered=True)


@pytest.mark.parametrize(("answer", "expected"), OTHERS.values(), ids=OTHERS)
def test_other_items_are_wrong_in_any_order(answer: Any, expected: Any) -> None:
    assert not right(answer, expected, unordered=True)
    assert not right(answer, expected)


@given(st.lists(json_like, max_size=6), st.randoms(use_true_random=False))
def test_any_order_of_the_items_is_right_and_fewer_items_are_not(items: list[Any], source: random.Random) -> None:
    assert right(source.sample(items, len(items)), items, unordered=True)
    if items:
        assert not right(items[1:], items, unordered=True)


def test_order_counts_where_it_is_not_free() -> None:
    assert not right([2, 1], [1, 2])
    assert right([1, 2.0, [0.1 + 0.2]], (1.0, 2, [0.3]))


def test_a_value_that_is_no_list_is_compared_as_ever() -> None:
    assert right(2.0, 2, unordered=True)
    assert right(None, None, unordered=True)
    assert not right(True, 1, unordered=True)


def test_the_message_names_no_value() -> None:
    test = case_of("f", [], [], [7391, 5], hidden=True, unordered=True)
    found = {
        what: compare_answer(case_of("f", [], [], answer, hidden=True).expected, test)
        for what, answer in {"fewer": [1], "others": [1, 2], "text": "x"}.items()
    }
    assert found == {
        "fewer": "a list of 1 items, expected 2",
        "others": "the 2 items differ, in any order",
        "text": "column 1 holds str, expected list",
    }


def test_only_one_cell_can_be_unordered() -> None:
    column = Column("a", ColumnType.LIST)
    for columns, rows in (((column,), (([],), ([],))), ((column,), ()), ((column, column), (([], []),))):
        with pytest.raises(ValueError, match="another table than one cell"):
            TestCase({}, Table(columns, rows), unordered=True)
        row = {**test_case_to_json(TestCase({}, Table(columns, rows))), "unordered": True}
        with pytest.raises(WireError, match="another table than one cell"):
            test_case_from_json(row)


def test_unordered_is_written_only_where_it_is_set() -> None:
    assert "unordered" not in test_case_to_json(case_of("f", [], [], [1], hidden=False))
    row = test_case_to_json(case_of("f", [], [], {1}, hidden=False))
    assert row["unordered"] is True
    with pytest.raises(WireError, match="unordered of a test case is not true or false"):
        test_case_from_json({**row, "unordered": 1})
