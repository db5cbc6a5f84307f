"""The equality of results, decided here and nowhere else: the same in training and in evaluation.

* Columns match by position. Their names (case-insensitive) must match too, unless the test says that its statement
  names no columns. Empty results differ when their columns do.
* Rows match as a bag: duplicates count. With `order_by`, expected rows that are next to each other and equal in all
  keys form a group; with `ties` the test gives the sizes of the groups. The answer must match group by group, each as
  a bag, so that ties may come in any order.
* Values are compared by class, widths aside. A boolean is never a number, a number never its digits, text never
  bytes. A date differs from the timestamp of its midnight: who was asked for a day and gives a moment answers another
  question. A column with nothing but NULL fits every class.
* An integer equals a float or decimal of exactly that value, however large. Two floats, or a float and a decimal, are
  equal within a relative 1e-6 or an absolute 1e-9, so 0.0 equals -0.0. Two decimals are exact, as amounts are, but
  with more than 6 digits after the point, as quotients have, a relative 1e-12 is free: engines choose their scale.
* Where the test is `unordered`, the items of the list in its one cell match as a bag; lists inside it keep their order.
* NULL equals NULL, NaN equals NaN, and they differ.
* Timestamps are instants in microseconds; one without a zone counts as UTC. Text and bytes are exact. Lists and
  structs are equal when their members are (struct fields by name).

Tolerance is no equivalence relation, so floats are never rounded into buckets. Rows are grouped by everything that is
exact, and the numbers within one group are paired one to one: in sorted order if that fits, else by a matching.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from decimal import Decimal

from interpreters.base import Column, ColumnType, Table, TestCase, Value, require_ties

RELATIVE = 1e-6
ABSOLUTE = 1e-9
AMOUNT_DIGITS = 6  # after the point; a decimal with more is a quotient
QUOTIENT = Decimal("1e-12")  # relative; engines keep at least 16 digits of one

Number = int | float | Decimal
Row = tuple[Value, ...]
Numbers = tuple[Number, ...]
Key = tuple[object, ...]

_UNTYPED = frozenset({ColumnType.LIST, ColumnType.STRUCT, ColumnType.OTHER})
_NUMBER = "number"  # stands for a number in the exact part of a row


def compare_answer(actual: Table, test: TestCase) -> str | None:
    """Return what `compare_tables` says about an answer to this test, about its items where their order is free; None
    where it is one of the other accepted tables."""
    difference = _compare_with(actual, test.expected, test)
    if difference is None or any(_compare_with(actual, other, test) is None for other in test.accepted):
        return None
    return difference


def _compare_with(actual: Table, expected: Table, test: TestCase) -> str | None:
    if test.unordered:
        return _compare_unordered(actual, expected, test.match_names)
    return compare_tables(actual, expected, test.order_by, ties=test.ties, match_names=test.match_names)


def compare_tables(
    actual: Table,
    expected: Table,
    order_by: Sequence[str] = (),
    *,
    ties: Sequence[int] = (),
    match_names: bool = True,
) -> str | None:
    """Return None when `actual` is a right answer, else one line that says what differs, without any value.

    Columns are named in it only where names are part of the task. Raises ValueError for an order that does not fit
    the expected table.
    """
    groups = _groups(expected, order_by, ties)
    labels = expected.names if match_names else [str(position) for position in range(1, len(expected.columns) + 1)]
    difference = _compare_shape(actual, expected, match_names)
    if difference is not None:
        return difference
    if _same_types(actual, expected) and actual.rows == expected.rows:
        return None
    difference = _compare_classes(actual, expected, labels)
    if difference is not None:
        return difference
    if not _equal_bags(actual.rows, expected.rows):
        return f"the {len(expected.rows)} rows differ in {_where(actual, expected, labels)}"
    if not all(_equal_bags(actual.rows[start:end], expected.rows[start:end]) for start, end in groups):
        return f"right rows in the wrong order{f': expected order by {_list(order_by)}' if order_by else ''}"
    return None


def _compare_unordered(actual: Table, expected: Table, match_names: bool) -> str | None:
    """Compare tables of one cell; two lists in it as bags of items."""
    difference = _compare_shape(actual, expected, match_names)
    if difference is not None:
        return difference
    found, wanted = actual.rows[0][0], expected.rows[0][0]
    if not isinstance(found, list) or not isinstance(wanted, list):
        return compare_tables(actual, expected, match_names=match_names)
    if len(found) != len(wanted):
        return f"a list of {len(found)} items, expected {len(wanted)}"
    same = _equal_bags([(item,) for item in found], [(item,) for item in wanted])
    return None if same else f"the {len(wanted)} items differ, in any order"


# -- shape --------------------------------------------------------------------------------------------------------


def _compare_shape(actual: Table, expected: Table, match_names: bool) -> str | None:
    if len(actual.columns) != len(expected.columns):
        wanted = f": {_list(expected.names)}" if match_names else ""
        return f"{len(actual.columns)} columns, expected {len(expected.columns)}{wanted}"
    pairs = zip(actual.names, expected.names, strict=True)
    if match_names and any(found.casefold() != wanted.casefold() for found, wanted in pairs):
        return f"columns {_list(actual.names)}, expected {_list(expected.names)}"
    if len(actual.rows) != len(expected.rows):
        return f"row count {len(actual.rows)}, expected {len(expected.rows)}"
    return None


def _list(names: Iterable[str]) -> str:
    return ", ".join(name if len(name) <= 40 else name[:37] + "..." for name in names)


def _same_types(actual: Table, expected: Table) -> bool:
    """Say whether Python's own equality of rows is safe: it cannot mistake True for 1 within a typed column."""
    return all(
        found.type is wanted.type and found.type not in _UNTYPED
        for found, wanted in zip(actual.columns, expected.columns, strict=True)
    )


def _class_of(value: Value) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float | Decimal):
        return _NUMBER
    return type(value).__name__


def _compare_classes(actual: Table, expected: Table, labels: Sequence[str]) -> str | None:
    for index, label in enumerate(labels):
        found = {_class_of(row[index]) for row in actual.rows if row[index] is not None}
        wanted = {_class_of(row[index]) for row in expected.rows if row[index] is not None}
        if found and wanted and not found & wanted:
            return f"column {label} holds {_list(sorted(found))}, expected {_list(sorted(wanted))}"
    return None


def _where(actual: Table, expected: Table, labels: Sequence[str]) -> str:
    """Name the columns that differ on their own; when each fits on its own, their combination is wrong."""
    differing = [
        label
        for index, label in enumerate(labels)
        if not _equal_bags(_project(actual.rows, [index]), _project(expected.rows, [index]))
    ]
    return f"column {_list(differing)}" if differing else "how the columns combine"


# -- order --------------------------------------------------------------------------------------------------------


def _groups(expected: Table, order_by: Sequence[str], ties: Sequence[int]) -> list[tuple[int, int]]:
    """Return start and end of each group of expected rows whose order does not count; none for a bag."""
    if ties and order_by:
        raise ValueError("order_by and ties are both given")
    require_ties(ties, len(expected.rows))
    if order_by:
        keys = _project(expected.rows, _positions(expected.columns, order_by))
        starts = [i for i in range(len(keys)) if i == 0 or not _equal_bags([keys[i]], [keys[i - 1]])]
    else:
        starts = list(itertools.accumulate(ties[:-1], initial=0)) if ties else []
    return list(itertools.pairwise([*starts, len(expected.rows)]))


def _positions(columns: Sequence[Column], order_by: Sequence[str]) -> list[int]:
    names = [column.name.casefold() for column in columns]
    missing = [name for name in order_by if name.casefold() not in names]
    if missing:
        raise ValueError(f"order_by names {_list(missing)}, but the expected columns are {_list(names)}")
    return [names.index(name.casefold()) for name in order_by]


def _project(rows: Sequence[Row], positions: Sequence[int]) -> list[Row]:
    return [tuple(row[position] for position in positions) for row in rows]


# -- bags of rows -------------------------------------------------------------------------------------------------


def _equal_bags(actual: Sequence[Row], expected: Sequence[Row]) -> bool:
    found, wanted = _by_exact_part(actual), _by_exact_part(expected)
    if found.keys() != wanted.keys():
        return False
    # All counts first: they are cheap, and a wrong answer mostly shows here.
    if any(len(found[key]) != len(wanted[key]) for key in wanted):
        return False
    return all(_equal_numbers(found[key], wanted[key]) for key in wanted)


def _by_exact_part(rows: Sequence[Row]) -> dict[Key, list[Numbers]]:
    """Group the rows' numbers by everything else in the row, shape of nested values included."""
    groups: dict[Key, list[Numbers]] = {}
    for row in rows:
        numbers: list[Number] = []
        key = tuple([_split(value, numbers) for value in row])
        groups.setdefault(key, []).append(tuple(numbers))
    return groups


def _split(value: Value, numbers: list[Number]) -> object:
    """Return the exact part of a value, hashable; append its finite numbers to `numbers`."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, float | Decimal) and not math.isfinite(value):
        return ("float", repr(float(value)))
    if isinstance(value, int | float | Decimal):
        numbers.append(value)
        return (_NUMBER,)
    if isinstance(value, dt.datetime):
        return value if value.tzinfo is None else value.astimezone(dt.UTC).replace(tzinfo=None)
    if isinstance(value, list | tuple):
        return ("list", *[_split(item, numbers) for item in value])
    if isinstance(value, dict):
        return ("struct", *[(name, _split(value[name], numbers)) for name in sorted(value)])
    return value


# -- numbers ------------------------------------------------------------------------------------------------------


def _close(a: Number, b: Number) -> bool:
    if isinstance(a, int) or isinstance(b, int):
        return a == b  # exact in Python, whatever the two classes
    if isinstance(a, Decimal) and isinstance(b, Decimal):
        return a == b or (min(_scale(a), _scale(b)) < -AMOUNT_DIGITS and abs(a - b) <= QUOTIENT * max(abs(a), abs(b)))
    return math.isclose(float(a), float(b), rel_tol=RELATIVE, abs_tol=ABSOLUTE)


def _scale(value: Decimal) -> int:
    """Return the exponent of the last digit that is not zero: padding with zeros makes no quotient."""
    return int(value.normalize().as_tuple().exponent)


def _close_rows(a: Numbers, b: Numbers) -> bool:
    return all(map(_close, a, b))


def _equal_numbers(actual: list[Numbers], expected: list[Numbers]) -> bool:
    """Say whether the rows of two equally long lists can be paired so that each pair is close."""
    if len(actual) == 1:
        return _close_rows(actual[0], expected[0])
    actual, expected = sorted(actual), sorted(expected)
    return all(map(_close_rows, actual, expected)) or _match(actual, expected)


def _match(actual: list[Numbers], expected: list[Numbers]) -> bool:
    """Find a perfect matching by augmenting paths (Kuhn). Both lists are sorted."""
    neighbours: list[list[int]] = []
    for row in expected:
        neighbours.append(_neighbours(row, actual))
        if not neighbours[-1]:
            return False
    owner: dict[int, int] = {}  # index in actual -> index in expected
    return all(_augment(index, neighbours, owner) for index in range(len(expected)))


def _neighbours(row: Numbers, actual: list[Numbers]) -> list[int]:
    """Return the indices of close rows. Only a window of the sorted list can be close in the first number."""
    low, high = _window(row[0])
    start = bisect_left(actual, (low,))
    window = itertools.takewhile(lambda index: actual[index][0] <= high, range(start, len(actual)))
    return [index for index in window if _close_rows(row, actual[index])]


def _window(number: Number) -> tuple[Number, Number]:
    """Return bounds of what can be close, with room to spare; an integer is close to itself alone."""
    if isinstance(number, int):
        return number, number
    if isinstance(number, Decimal):
        reach = 2 * max(Decimal(ABSOLUTE), Decimal(RELATIVE) * abs(number))
        return number - reach, number + reach
    spare = 2 * max(ABSOLUTE, RELATIVE * abs(number))
    return number - spare, number + spare


def _augment(root: int, neighbours: list[list[int]], owner: dict[int, int]) -> bool:
    """Give `root` a partner, moving others to theirs where needed; breadth-first, so no recursion limit is met."""
    reached_from: dict[int, int] = {}  # index in actual -> index in expected that reached it
    queue = [root]
    for wanted in queue:
        for candidate in neighbours[wanted]:
            if candidate in reached_from:
                continue
            reached_from[candidate] = wanted
            if candidate in owner:
                queue.append(owner[candidate])
                continue
            _flip(candidate, root, reached_from, owner)
            return True
    return False


def _flip(free: int, root: int, reached_from: dict[int, int], owner: dict[int, int]) -> None:
    partner_of = {wanted: candidate for candidate, wanted in owner.items()}
    candidate: int | None = free
    while candidate is not None:
        wanted = reached_from[candidate]
        owner[candidate] = wanted
        candidate = None if wanted == root else partner_of[wanted]
