"""Right answers in another shape are equal; near misses are not."""

from __future__ import annotations

import datetime as dt
import math
import random
import time
from decimal import Decimal
from typing import Any

import pytest

from interpreters.base import Column, ColumnType, Execution, Outcome, Table, TestCase
from interpreters.checking import judge
from interpreters.compare import compare_answer, compare_tables

KINDS = {
    bool: ColumnType.BOOL,
    int: ColumnType.INT,
    float: ColumnType.FLOAT,
    Decimal: ColumnType.DECIMAL,
    str: ColumnType.STRING,
    bytes: ColumnType.BINARY,
    dt.date: ColumnType.DATE,
    dt.datetime: ColumnType.TIMESTAMP,
    dt.time: ColumnType.TIME,
    dt.timedelta: ColumnType.INTERVAL,
    list: ColumnType.LIST,
    dict: ColumnType.STRUCT,
}


def table(names: str, *rows: tuple[Any, ...]) -> Table:
    """Build a table; each column's type is that of its first value that is not NULL."""
    heads = []
    for index, name in enumerate(names.split()):
        values = [row[index] for row in rows if row[index] is not None]
        heads.append(Column(name, KINDS[type(values[0])] if values else ColumnType.NULL))
    return Table(tuple(heads), rows)


def equal(actual: Table, expected: Table, order_by: tuple[str, ...] = (), **rules: Any) -> bool:
    return compare_tables(actual, expected, order_by, **rules) is None


def one(value: Any) -> Table:
    return table("v", (value,))


UTC_NOON = dt.datetime(2024, 3, 1, 12, 0, tzinfo=dt.UTC)

SAME = {
    "an integer and an integral float": (3, 3.0),
    "an integer and an integral decimal": (3, Decimal("3.00")),
    "decimals of another scale": (Decimal("1.5"), Decimal("1.50")),
    "a decimal and a float within tolerance": (Decimal("0.333333"), 0.33333312),
    "quotients with another number of digits": (Decimal(10) / 3, Decimal("3.3333333333333333")),
    "a quotient rounded up and the number beside it": (Decimal("0.9999999999999999"), Decimal(1)),
    "a huge integer in a float": (2**70, float(2**70)),
    "a huge integer and a decimal of it": (10**30, Decimal(10) ** 30),
    "NaN as a decimal": (Decimal("NaN"), math.nan),
    "floats within the relative tolerance": (1e9, 1e9 + 500),
    "floats within the absolute tolerance": (0.0, 5e-10),
    "negative zero": (0.0, -0.0),
    "NULLs": (None, None),
    "NaNs": (math.nan, math.nan),
    "infinities": (math.inf, math.inf),
    "one instant in two zones": (UTC_NOON, UTC_NOON.astimezone(dt.timezone(dt.timedelta(hours=-7)))),
    "a timestamp without a zone and in UTC": (UTC_NOON.replace(tzinfo=None), UTC_NOON),
    "lists with float noise": ([1.0, None, [0.3]], [1.0, None, [0.1 + 0.2]]),
    "a nested list and struct with float noise": ([{"a": [0.3, None]}], [{"a": [0.1 + 0.2, None]}]),
    "structs with fields in another order": ({"a": 1, "b": 2.0}, {"b": 2, "a": 1.0}),
}
DIFFERENT = {
    "an integer and a boolean": (1, True),
    "a float and a boolean": (0.0, False),
    "a boolean inside a list": ([1], [True]),
    "an integer and a float beside it": (3, 3.0000001),
    "floats outside the tolerance": (1.0, 1.00001),
    "small floats outside the tolerance": (0.0, 1e-8),
    "opposite infinities": (math.inf, -math.inf),
    "an infinity and a huge float": (math.inf, 1.7e308),
    "large integers beside each other": (2**60, 2**60 + 1),
    "a large integer and the nearest float": (2**60 + 1, float(2**60)),
    "decimals beside each other": (Decimal("1.50"), Decimal("1.51")),
    "cents of a large amount": (Decimal("12345678901234567.01"), Decimal("12345678901234567.02")),
    "a decimal and its rounded self": (Decimal("0.33"), Decimal("0.3333333333333333")),
    "quotients beside each other": (Decimal("3.3333333333333333"), Decimal("3.3333333334")),
    "a decimal and a float outside the tolerance": (Decimal("0.333"), 1 / 3),
    "a decimal and a boolean": (Decimal(1), True),
    "huge integers beside each other": (10**350, 10**350 + 1),
    "NULL and NaN": (None, math.nan),
    "NULL and zero": (None, 0),
    "NULL and an empty text": (None, ""),
    "NULL and an empty list": (None, []),
    "NULL inside a list": ([None], []),
    "midnights an hour apart by their zones": (dt.datetime(2024, 3, 1), dt.datetime(2024, 3, 1, 1)),
    "text with a space": ("a", "a "),
    "text in another case": ("a", "A"),
    "a number and its digits": (1, "1"),
    "text and bytes": ("a", b"a"),
    "a date and its midnight": (dt.date(2024, 3, 1), dt.datetime(2024, 3, 1)),
    "a date and its text": (dt.date(2024, 3, 1), "2024-03-01"),
    "a time and an interval": (dt.time(1), dt.timedelta(hours=1)),
    "intervals a second apart": (dt.timedelta(days=1), dt.timedelta(days=1, seconds=1)),
    "timestamps a microsecond apart": (UTC_NOON, UTC_NOON + dt.timedelta(microseconds=1)),
    "one wall clock in two zones": (UTC_NOON, UTC_NOON.replace(tzinfo=dt.timezone(dt.timedelta(hours=1)))),
    "lists in another order": ([1, 2], [2, 1]),
    "lists of text in another order": (["a", "b"], ["b", "a"]),
    "lists nested otherwise": ([[1], [2]], [[1, 2]]),
    "structs with another field": ({"a": 1}, {"b": 1}),
    "structs with exchanged values": ({"a": 1, "b": 2}, {"a": 2, "b": 1}),
    "a struct inside a list that differs": ([{"a": 1.0}], [{"a": 1.1}]),
    "a struct and a list": ({"a": 1}, [1]),
}


@pytest.mark.parametrize(("a", "b"), SAME.values(), ids=SAME)
def test_values_that_are_the_same(a: Any, b: Any) -> None:
    assert equal(one(a), one(b)) and equal(one(b), one(a))


@pytest.mark.parametrize(("a", "b"), DIFFERENT.values(), ids=DIFFERENT)
def test_values_that_differ(a: Any, b: Any) -> None:
    assert not equal(one(a), one(b)) and not equal(one(b), one(a))


def test_a_missing_distinct_fails() -> None:
    assert not equal(table("a", (1,), (1,), (2,)), table("a", (1,), (2,)))


def test_other_duplicates_fail_although_the_sets_agree() -> None:
    assert not equal(table("a", (1,), (1,), (2,)), table("a", (1,), (2,), (2,)))
    assert not equal(table("a", ("x",), ("x",), ("y",)), table("a", ("x",), ("y",), ("y",)))


def test_dropped_duplicates_fail() -> None:
    assert not equal(table("a", (1,), (2,)), table("a", (1,), (1,), (2,)))


def test_one_row_short_fails_and_says_so() -> None:
    assert compare_tables(table("a", (1,)), table("a", (1,), (2,))) == "row count 1, expected 2"


def test_swapped_columns_fail() -> None:
    expected = table("a b", (1, 2))
    assert not equal(table("b a", (2, 1)), expected)
    assert not equal(table("a b", (2, 1)), expected)


def test_column_names_ignore_case_but_nothing_else() -> None:
    assert equal(table("Total", (1,)), table("total", (1,)))
    assert not equal(table("total_", (1,)), table("total", (1,)))


def test_an_additional_column_fails() -> None:
    assert not equal(table("a b", (1, 1)), table("a", (1,)))


def test_empty_results_need_the_same_columns() -> None:
    assert equal(table("a b"), table("A b"))
    assert not equal(table("a"), table("a b"))
    assert not equal(table("a c"), table("a b"))


def test_empty_and_all_null_columns_have_no_type_to_miss() -> None:
    ints = Table((Column("a", ColumnType.INT),), ((None,),))
    assert equal(ints, Table((Column("a", ColumnType.STRING),), ((None,),)))


def test_values_recombined_between_rows_fail() -> None:
    actual, expected = table("a b", (1, "x"), (2, "y")), table("a b", (1, "y"), (2, "x"))
    assert compare_tables(actual, expected) == "the 2 rows differ in how the columns combine"


def test_the_message_names_columns_and_never_a_value() -> None:
    message = compare_tables(table("a b", (1, "leak")), table("a b", (1, "secret")))
    assert message == "the 1 rows differ in column b"


def test_rows_may_come_in_any_order_without_order_by() -> None:
    assert equal(table("a", (3,), (1,), (2,)), table("a", (1,), (2,), (3,)))


def test_rows_must_come_in_order_with_order_by() -> None:
    expected = table("a", (1,), (2,), (3,))
    assert equal(expected, expected, ("a",))
    assert not equal(table("a", (1,), (3,), (2,)), expected, ("A",))


def test_ties_under_order_by_are_free() -> None:
    expected = table("k v", (1, "a"), (1, "b"), (2, "c"))
    assert equal(table("k v", (1, "b"), (1, "a"), (2, "c")), expected, ("k",))


def test_a_wrong_order_of_ties_fails_when_the_second_key_counts() -> None:
    expected = table("k v", (1, "a"), (1, "b"), (2, "c"))
    assert not equal(table("k v", (1, "b"), (1, "a"), (2, "c")), expected, ("k", "v"))


def test_a_row_moved_between_groups_of_ties_fails() -> None:
    expected = table("k v", (1, 1.0), (2, 1.0), (2, 3.0))
    assert not equal(table("k v", (2, 1.0), (1, 1.0), (2, 3.0)), expected, ("k",))


def test_groups_that_come_back_later_are_not_one_group() -> None:
    expected = table("k v", (1, "a"), (2, "b"), (1, "c"))
    assert not equal(table("k v", (1, "c"), (2, "b"), (1, "a")), expected, ("k",))


def test_where_nulls_sort_matters() -> None:
    expected = table("k", (1,), (2,), (None,))
    assert not equal(table("k", (None,), (1,), (2,)), expected, ("k",))


def test_float_noise_in_the_sort_key_makes_a_tie() -> None:
    expected = table("k v", (0.3, "a"), (0.1 + 0.2, "b"))
    assert equal(table("k v", (0.1 + 0.2, "b"), (0.3, "a")), expected, ("k",))


def test_order_by_an_unknown_column_is_our_error() -> None:
    with pytest.raises(ValueError, match="order_by names b"):
        compare_tables(table("a", (1,), (2,)), table("a", (2,), (1,)), ("b",))


def test_rows_whose_noise_sorts_them_otherwise_still_match() -> None:
    # Sorted by the first float the pairs cross, because the noise there is larger than the distance of the rows.
    expected = table("x y", (1.0, 5.0), (1.0 + 1e-8, 7.0))
    assert equal(table("x y", (1.0 + 2e-8, 5.0), (1.0, 7.0)), expected)


def test_a_chain_of_near_values_needs_a_real_matching() -> None:
    step = 0.9e-6  # each value is close to its neighbours only
    expected = table("x", (1.0,), (1.0 + step,), (1.0 + 2 * step,))
    assert equal(table("x", (1.0 + step,), (1.0 + 2 * step,), (1.0 + 3 * step,)), expected)
    assert not equal(table("x", (1.0 + 3 * step,), (1.0 + 3 * step,), (1.0 + 3 * step,)), expected)


def test_two_answers_may_not_share_one_expected_row() -> None:
    expected = table("x y", (1.0, 1.0), (1.0, 2.0))
    assert not equal(table("x y", (1.0, 1.0), (1.0 + 1e-9, 1.0)), expected)


def test_a_thousand_near_equal_rows_are_matched_in_reasonable_time() -> None:
    numbers = random.Random(7)
    rows = [(1.0 + numbers.random() * 1e-7, float(index % 10)) for index in range(1000)]
    noisy = [(x + 3e-8, y) for x, y in rows]
    numbers.shuffle(noisy)
    start = time.process_time()
    assert equal(table("x y", *noisy), table("x y", *rows))
    assert time.process_time() - start < 5.0


def test_ties_give_the_groups_where_no_column_shows_the_sort_key() -> None:
    expected = table("v", ("a",), ("b",), ("c",))
    assert equal(table("v", ("b",), ("a",), ("c",)), expected, ties=(2, 1))
    assert not equal(table("v", ("a",), ("c",), ("b",)), expected, ties=(2, 1))
    assert not equal(table("v", ("b",), ("a",), ("c",)), expected, ties=(1, 1, 1))
    assert equal(table("v", ("c",), ("b",), ("a",)), expected, ties=(3,))


def test_a_missing_row_fails_under_ties_too() -> None:
    expected = table("v", ("a",), ("b",))
    assert not equal(table("v", ("a",)), expected, ties=(1, 1))
    assert not equal(table("v"), expected, ties=(1, 1))


def test_large_integers_whose_first_sorting_fails_are_still_told_apart() -> None:
    expected = table("x y", (10**350, 1.0), (10**350, 1.0 + 1e-7), (10**350, 3.0))
    assert equal(table("x y", (10**350, 1.0 + 1e-7), (10**350, 3.0), (10**350, 1.0)), expected)
    assert not equal(table("x y", (10**350, 1.1), (10**350, 3.0), (10**350, 1.0)), expected)


@pytest.mark.parametrize("ties", [(1,), (2, 1), (2, 0), (3, -1)])
def test_ties_that_do_not_divide_the_expected_rows_are_our_error(ties: tuple[int, ...]) -> None:
    rows = table("v", ("a",), ("b",))
    with pytest.raises(ValueError, match="add up to the 2 expected rows"):
        compare_tables(rows, rows, ties=ties)
    with pytest.raises(ValueError, match="add up to the 2 expected rows"):
        TestCase({}, rows, ties=ties)


def test_an_order_given_in_two_ways_is_our_error() -> None:
    rows = table("v", ("a",), ("b",))
    with pytest.raises(ValueError, match="order_by and ties"):
        compare_tables(rows, rows, ("v",), ties=(1, 1))
    with pytest.raises(ValueError, match="order_by and ties"):
        TestCase({}, rows, order_by=("v",), ties=(1, 1))


def test_names_do_not_count_where_the_task_gives_none() -> None:
    expected = table("name count", ("a", 1))
    assert not equal(table("x y", ("a", 1)), expected)
    assert equal(table("x y", ("a", 1)), expected, match_names=False)
    assert equal(table("x x", ("a", 1)), expected, match_names=False)


def test_swapped_columns_fail_where_only_positions_count() -> None:
    assert not equal(table("count name", (1, "a")), table("name count", ("a", 1)), match_names=False)
    assert not equal(table("b a", (2, 1)), table("a b", (1, 2)), match_names=False)


def test_empty_results_with_another_number_of_columns_differ_without_names_too() -> None:
    assert equal(table("x y"), table("a b"), match_names=False)
    assert not equal(table("a"), table("a b"), match_names=False)


def test_the_message_names_no_expected_column_where_names_do_not_count() -> None:
    expected = table("secret other", ("a", 1), ("b", 2))
    wrong = {
        "columns": table("x", ("a",), ("b",)),
        "rows": table("x y", ("a", 1)),
        "class": table("x y", ("a", "1"), ("b", "2")),
        "values": table("x y", ("a", 1), ("b", 3)),
        "order": table("x y", ("b", 2), ("a", 1)),
    }
    messages = {what: compare_tables(rows, expected, ties=(1, 1), match_names=False) for what, rows in wrong.items()}
    assert messages == {
        "columns": "1 columns, expected 2",
        "rows": "row count 1, expected 2",
        "class": "column 2 holds str, expected number",
        "values": "the 2 rows differ in column 2",
        "order": "right rows in the wrong order",
    }


def test_the_rules_of_a_test_reach_the_verdict() -> None:
    expected = table("v", ("a",), ("b",), ("c",))
    test = TestCase({}, expected, match_names=False, ties=(2, 1))
    for answer, passes in {"bac": True, "acb": False}.items():
        actual = table("other", *[(letter,) for letter in answer])
        assert (compare_answer(actual, test) is None) == passes
        assert judge(Execution(Outcome.PASSED, (actual,)), [test], "any").passed == passes
