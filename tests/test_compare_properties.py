"""What holds for the comparison of any two tables, and its agreement with a slow oracle written from the rules."""

from __future__ import annotations

import datetime as dt
import itertools
import math
import random
from decimal import Decimal
from typing import Any

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from interpreters.base import Column, ColumnType, Table
from interpreters.compare import compare_tables

UTC = dt.timezone.utc  # noqa: UP017 - beside the zones below
ZONES = (None, UTC, dt.timezone(dt.timedelta(hours=5, minutes=30)), dt.timezone(dt.timedelta(hours=-7)))
STEP = 0.9e-6  # neighbours in a chain of floats are close, the others are not
NUMBERS = st.sampled_from([-1.5, 0.0, -0.0, 1.0, 1.0 + STEP, 1.0 + 2 * STEP, 2.0, math.nan, math.inf])
CELLS: dict[ColumnType, st.SearchStrategy[Any]] = {
    ColumnType.BOOL: st.booleans(),
    ColumnType.INT: st.integers(-2, 2) | st.just(2**70),
    ColumnType.FLOAT: NUMBERS,
    ColumnType.DECIMAL: st.sampled_from([Decimal(text) for text in ("1", "1.0", "2.50", "0.3333333333333333")]),
    ColumnType.STRING: st.sampled_from(["", "a", "A", "a ", "é"]),
    ColumnType.BINARY: st.sampled_from([b"", b"a"]),
    ColumnType.DATE: st.dates(dt.date(2024, 1, 1), dt.date(2024, 1, 3)),
    ColumnType.TIMESTAMP: st.builds(dt.datetime, st.just(2024), st.just(1), st.integers(1, 2), st.just(0),
                                    tzinfo=st.sampled_from(ZONES)),
    ColumnType.INTERVAL: st.timedeltas(dt.timedelta(0), dt.timedelta(microseconds=2)),
    ColumnType.LIST: st.lists(st.integers(0, 2) | NUMBERS | st.booleans() | st.none(), max_size=2),
    ColumnType.STRUCT: st.fixed_dictionaries({"a": st.integers(0, 1) | st.none(), "b": NUMBERS}),
}  # fmt: skip
KINDS = st.sampled_from(sorted(CELLS))


@st.composite
def tables(draw: st.DrawFn, max_rows: int = 8, min_columns: int = 1, min_rows: int = 0) -> Table:
    kinds = draw(st.lists(KINDS, min_size=min_columns, max_size=4))
    row = st.tuples(*(st.none() | CELLS[kind] for kind in kinds))
    return with_rows(
        Table(tuple(Column(f"c{i}", kind) for i, kind in enumerate(kinds)), ()),
        draw(st.lists(row, min_size=min_rows, max_size=max_rows)),
    )


def with_rows(table: Table, rows: Any) -> Table:
    return Table(table.columns, tuple(map(tuple, rows)))


def equal(actual: Table, expected: Table, **rules: Any) -> bool:
    return compare_tables(actual, expected, **rules) is None


# -- the oracle ---------------------------------------------------------------------------------------------------


def same(a: Any, b: Any) -> bool:
    """Say whether two values are one, rule by rule."""
    if a is None or b is None:
        return a is b
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, int | float | Decimal) and isinstance(b, int | float | Decimal):
        return same_number(a, b)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return set(a) == set(b) and all(same(a[name], b[name]) for name in a)
    if isinstance(a, dt.datetime) and isinstance(b, dt.datetime):
        moments = [value.replace(tzinfo=UTC) if value.tzinfo is None else value for value in (a, b)]
        return moments[0] - moments[1] == dt.timedelta(0)
    return type(a) is type(b) and bool(a == b)


def same_number(a: Any, b: Any) -> bool:
    if any(isinstance(value, float) and not math.isfinite(value) for value in (a, b)):
        return str(float(a)) == str(float(b))
    if isinstance(a, float | Decimal) and isinstance(b, float | Decimal) and float in (type(a), type(b)):
        return abs(float(a) - float(b)) <= max(1e-9, 1e-6 * max(abs(float(a)), abs(float(b))))
    return bool(a == b)  # no two quotients of the strategies are near each other


def right_answer(actual: Table, expected: Table, ties: tuple[int, ...]) -> bool:
    """Try every order of the rows that the ties allow: all of them for a bag."""
    if len(actual.columns) != len(expected.columns) or len(actual.rows) != len(expected.rows):
        return False
    ends = list(itertools.accumulate(ties or (len(expected.rows),)))
    starts = [0, *ends[:-1]]
    return all(
        any(
            all(all(map(same, row, wanted)) for row, wanted in zip(order, expected.rows[start:end], strict=True))
            for order in itertools.permutations(actual.rows[start:end])
        )
        for start, end in zip(starts, ends, strict=True)
    )


@st.composite
def divisions(draw: st.DrawFn, height: int) -> tuple[int, ...]:
    """Return no ties, or a division of that many rows into groups."""
    cuts = sorted(draw(st.sets(st.integers(1, height - 1)))) if height > 1 else []
    groups = tuple(end - start for start, end in itertools.pairwise([0, *cuts, height]))
    return draw(st.sampled_from([(), groups])) if height else ()


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Table, Table]:
    """Return two small tables of one shape: unrelated, or the second made from the first by a few changes."""
    expected = draw(tables(max_rows=5))
    kinds = [draw(st.sampled_from([column.type, column.type, draw(KINDS)])) for column in expected.columns]
    rows = [list(row) for row in draw(st.permutations(expected.rows))]
    for _ in range(draw(st.integers(0, 2)) if rows else 0):
        position = draw(st.integers(0, len(kinds) - 1))
        rows[draw(st.integers(0, len(rows) - 1))][position] = draw(st.none() | CELLS[kinds[position]])
    columns = tuple(Column(c.name, ColumnType.OTHER) for c in expected.columns)
    return expected, with_rows(Table(columns, ()), rows)


CHAIN = Table((Column("c0", ColumnType.FLOAT),), tuple((1.0 + i * STEP,) for i in range(3)))


@settings(max_examples=600, deadline=None)
@given(st.data(), pairs())
def test_the_comparison_agrees_with_a_search_through_all_orders(data: st.DataObject, pair: tuple[Table, Table]) -> None:
    expected, actual = pair
    ties = data.draw(divisions(len(expected.rows)))
    assert equal(actual, expected, ties=ties) == right_answer(actual, expected, ties)


@settings(max_examples=200, deadline=None)
@given(pairs())
@example((CHAIN, with_rows(CHAIN, [(1.0 + i * STEP,) for i in (1, 2, 3)])))
@example((CHAIN, with_rows(CHAIN, [(1.0 + i * STEP,) for i in (3, 3, 3)])))
def test_the_comparison_of_bags_is_symmetric(pair: tuple[Table, Table]) -> None:
    first, second = pair
    assert equal(first, second) == equal(second, first)


# -- laws ---------------------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(st.data(), tables())
def test_every_table_equals_itself_in_any_rule(data: st.DataObject, table: Table) -> None:
    keys = data.draw(st.lists(st.sampled_from(table.names), unique=True))
    again = with_rows(table, [[retyped(value) for value in row] for row in table.rows])
    assert equal(again, table)
    assert equal(again, table, order_by=tuple(keys))
    assert equal(again, table, ties=data.draw(divisions(len(table.rows))), match_names=False)


def retyped(value: Any) -> Any:
    """Return the same value in another object, and a number that is a whole one in another class."""
    if isinstance(value, float) and value.is_integer():
        return Decimal(value)
    return float(value) if type(value) is int else value


@settings(max_examples=150, deadline=None)
@given(st.permutations(range(6)), tables(max_rows=6))
def test_the_order_of_rows_does_not_matter_without_an_order(order: list[int], expected: Table) -> None:
    rows = [expected.rows[index] for index in order if index < len(expected.rows)]
    assert equal(with_rows(expected, rows), expected)


@settings(max_examples=150, deadline=None)
@given(st.data(), tables(min_rows=1))
def test_a_row_dropped_or_doubled_makes_a_difference(data: st.DataObject, expected: Table) -> None:
    index = data.draw(st.integers(0, len(expected.rows) - 1))
    rows = expected.rows
    assert not equal(with_rows(expected, rows[:index] + rows[index + 1 :]), expected)
    assert not equal(with_rows(expected, (*rows, rows[index])), expected)


@settings(max_examples=150, deadline=None)
@given(st.data(), tables(max_rows=6, min_rows=2))
def test_a_row_replaced_by_a_copy_of_another_makes_a_difference(data: st.DataObject, expected: Table) -> None:
    kept, lost = data.draw(st.permutations(range(len(expected.rows))))[:2]
    assume(not all(map(same, expected.rows[kept], expected.rows[lost])))
    rows = list(expected.rows)
    rows[lost] = rows[kept]
    # Two rows that differ may still be near in a chain: the oracle says so.
    changed = with_rows(expected, rows)
    assert equal(changed, expected) == right_answer(changed, expected, ())


@settings(max_examples=150, deadline=None)
@given(st.data(), tables(max_rows=6, min_columns=2, min_rows=1))
def test_two_exchanged_columns_make_a_difference_unless_they_are_the_same(data: st.DataObject, table: Table) -> None:
    a, b = sorted(data.draw(st.permutations(range(len(table.columns))))[:2])
    order = [{a: b, b: a}.get(index, index) for index in range(len(table.columns))]
    assume(not all(same(row[a], row[b]) for row in table.rows))
    swapped = with_rows(table, [[row[index] for index in order] for row in table.rows])
    assert equal(swapped, table, match_names=False) == right_answer(swapped, table, ())


@settings(max_examples=200, deadline=None)
@given(st.data(), tables(min_rows=1))
def test_one_changed_cell_makes_a_difference(data: st.DataObject, expected: Table) -> None:
    row = data.draw(st.integers(0, len(expected.rows) - 1))
    column = data.draw(st.integers(0, len(expected.columns) - 1))
    cell = data.draw(st.none() | CELLS[expected.columns[column].type])
    assume(not near(cell, expected.rows[row][column]))
    rows = [list(cells) for cells in expected.rows]
    rows[row][column] = cell
    assert not equal(with_rows(expected, rows), expected)


def near(a: Any, b: Any) -> bool:
    """Say whether two cells are equal, or might be joined by a chain of others that are close to each other."""
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(near, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(near(a[name], b[name]) for name in a)
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (a, b))
    return same(a, b) or (numbers and abs(a - b) < 1e-5)


def noisy(value: Any, noise: float) -> Any:
    if isinstance(value, list):
        return [noisy(item, noise) for item in value]
    if isinstance(value, dict):
        return {name: noisy(item, noise) for name, item in value.items()}
    return value * (1 + noise) if isinstance(value, float) else value


@settings(max_examples=150, deadline=None)
@given(tables(), st.floats(-5e-8, 5e-8), st.randoms(use_true_random=False))
def test_noise_within_the_tolerance_makes_none(table: Table, noise: float, random_: random.Random) -> None:
    rows = [[noisy(value, noise) for value in row] for row in table.rows]
    random_.shuffle(rows)
    assert equal(with_rows(table, rows), table)


@settings(max_examples=100, deadline=None)
@given(st.data(), st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=6), st.floats(1e-5, 1.0))
def test_noise_beyond_the_tolerance_makes_one(data: st.DataObject, values: list[float], noise: float) -> None:
    index = data.draw(st.integers(0, len(values) - 1))
    moved = values[index] + max(abs(values[index]), 1.0) * noise * data.draw(st.sampled_from([1, -1]))
    expected = Table((Column("x", ColumnType.FLOAT),), tuple((value,) for value in values))
    rows = [(moved if i == index else value,) for i, value in enumerate(values)]
    assert equal(with_rows(expected, rows), expected) == right_answer(with_rows(expected, rows), expected, ())
    assert not equal(with_rows(expected, [rows[index]]), with_rows(expected, [expected.rows[index]]))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=8), st.data())
def test_ties_may_come_in_any_order_and_groups_may_not(keys: list[int], data: st.DataObject) -> None:
    keys = sorted(keys)
    columns = (Column("key", ColumnType.INT), Column("serial", ColumnType.INT))
    expected = Table(columns, tuple((key, serial) for serial, key in enumerate(keys)))
    ties = tuple(len(list(group)) for _, group in itertools.groupby(keys))
    shuffled = with_rows(expected, data.draw(st.permutations(expected.rows)))
    in_order = [row[0] for row in shuffled.rows] == keys
    assert equal(shuffled, expected)
    assert equal(shuffled, expected, order_by=("key",)) == in_order
    hidden = Table(columns[1:], tuple(row[1:] for row in expected.rows))  # the key is not shown
    assert equal(with_rows(hidden, [row[1:] for row in shuffled.rows]), hidden, ties=ties) == in_order
