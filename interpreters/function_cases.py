"""Function problems as table problems of one row: the arguments are the columns, the answer is one cell.

The input table is called like the function and has one column per parameter; the expected table is one cell called
`result`, told by its position. None, booleans, integers, floats and text stay as they are; tuples become lists, sets
become sorted lists, and dicts become structs where all keys are text, else lists of {"key": ..., "value": ...} sorted
by key. Where the answer is a set or such a list, the order of its items says nothing: the test is `unordered`.

What has no such form raises WireError with a sentence: other objects, text with half a surrogate pair, NaN as a key,
integers of more than 400 digits, and nesting that the wire does not carry.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

from interpreters.base import Column, ColumnType, Table, TestCase, Value
from interpreters.wire import MAX_DEPTH, WireError

RESULT = "result"
_DIGITS = 400  # of an integer on the wire
_BEYOND = 10**_DIGITS
_TYPES = {
    bool: ColumnType.BOOL, int: ColumnType.INT, float: ColumnType.FLOAT, str: ColumnType.STRING,
    list: ColumnType.LIST, dict: ColumnType.STRUCT, type(None): ColumnType.NULL,
}  # fmt: skip


def case_of(
    entry: str, names: Sequence[str], args: Sequence[Any], expected: Any, *, hidden: bool, unordered: bool = False
) -> TestCase:
    """Return the test that calls `entry` with these arguments. Raises WireError for what cannot be carried."""
    if not entry.isidentifier():
        raise WireError(f"a function cannot be called {entry!r}")
    if len(set(names)) != len(names) or len(names) != len(args):
        raise WireError(f"{entry} has the parameters ({', '.join(names)}), but {len(args)} arguments are given")
    row = tuple(map(plain_value, args))
    columns = tuple(Column(name, _type_of(value)) for name, value in zip(names, row, strict=True))
    free = unordered or isinstance(expected, Set) or (isinstance(expected, Mapping) and not _has_text_keys(expected))
    column, answer = answer_of(expected)
    table = Table((column,), ((answer,),))
    return TestCase({entry: Table(columns, (row,))}, table, hidden=hidden, match_names=False, unordered=free)


def arguments_of(test: TestCase) -> tuple[str, list[str], list[Any]]:
    """Return the function's name, its parameters and the arguments, which are the caller's to keep or change."""
    if len(test.tables) != 1:
        raise WireError(f"a test of a function has one input table, not {len(test.tables)}")
    [(entry, table)] = test.tables.items()
    if len(table.rows) != 1:
        raise WireError(f"a test of a function calls it with one row of arguments, not {len(table.rows)}")
    return entry, list(table.names), [_copy(value) for value in table.rows[0]]


def expected_of(test: TestCase) -> Any:
    """Return the expected answer, which is the caller's to keep or change."""
    rows = test.expected.rows
    if len(rows) != 1 or len(rows[0]) != 1:
        raise WireError(f"a test of a function expects one cell, not {len(rows)} rows of {len(test.expected.columns)}")
    return _copy(rows[0][0])


def answer_of(value: object) -> tuple[Column, Value]:
    """Return the one cell that an answer becomes, with its column. Raises WireError."""
    plain = plain_value(value)
    return Column(RESULT, _type_of(plain)), plain


def _type_of(value: Value) -> ColumnType:
    return _TYPES[type(value)]


def _copy(value: Value) -> Value:
    if isinstance(value, list):
        return [_copy(item) for item in value]
    if isinstance(value, dict):
        return {name: _copy(item) for name, item in value.items()}
    return value


# -- values -------------------------------------------------------------------------------------------------------


def plain_value(value: object, depth: int = 0) -> Value:
    """Return a value as the wire carries it: exact classes, nothing shared. Raises WireError."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, str):
        return _text(value)
    if not isinstance(value, list | tuple | set | frozenset | dict):
        raise WireError(
            f"a value of type {type(value).__name__} cannot be carried: expected None, bool, int, float, str, list, "
            "tuple, set or dict"
        )
    if depth >= MAX_DEPTH:
        raise WireError(f"a value is nested deeper than {MAX_DEPTH}")
    if isinstance(value, dict):
        return _struct(value, depth) if _has_text_keys(value) else _pairs(value, depth)
    items = [plain_value(item, depth + 1) for item in value]
    return items if isinstance(value, list | tuple) else sorted(items, key=_rank)


def _integer(value: int) -> int:
    if not -_BEYOND < value < _BEYOND:
        raise WireError(f"an integer has more than {_DIGITS} digits")
    return int.__int__(value)  # what it is, whatever a class derived from int says


def _text(value: str) -> str:
    text = str.__str__(value)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise WireError("text has half a surrogate pair") from error
    return text


def _has_text_keys(value: Mapping[Any, Any]) -> bool:
    return all(isinstance(key, str) for key in value)


def _struct(value: Mapping[str, object], depth: int) -> Value:
    return {_text(key): plain_value(item, depth + 1) for key, item in value.items()}


def _pairs(value: Mapping[object, object], depth: int) -> Value:
    if depth + 1 >= MAX_DEPTH:
        raise WireError(f"a value is nested deeper than {MAX_DEPTH}")
    return dict_of_pairs([(plain_value(key, depth + 2), plain_value(item, depth + 2)) for key, item in value.items()])


def dict_of_pairs(pairs: Sequence[tuple[Value, Value]]) -> Value:
    """Return what a dict of these plain keys and values becomes where not all keys are text. Raises WireError."""
    if any(isinstance(key, float) and math.isnan(key) for key, _ in pairs):
        raise WireError("NaN is a key of a dict")
    try:
        found = sorted(pairs, key=lambda pair: _rank(pair[0]))
    except KeyError as error:
        raise WireError(f"a value of type {error.args[0].__name__} is a key of a dict") from error
    if any(_rank(one) == _rank(other) for (one, _), (other, _) in itertools.pairwise(found)):
        raise WireError("a dict has a key twice")
    return [{"key": key, "value": item} for key, item in found]


_ORDER: Mapping[type, Callable[[Any], tuple[object, ...]]] = {
    type(None): lambda value: (0,),
    bool: lambda value: (1, value),
    int: lambda value: (2, value),
    float: lambda value: (3,) if math.isnan(value) else (2, value),
    str: lambda value: (4, value),
    list: lambda value: (5, [_rank(item) for item in value]),
    dict: lambda value: (6, [(name, _rank(value[name])) for name in sorted(value)]),
}


def _rank(value: Value) -> tuple[Any, ...]:
    """Return what values of any classes are sorted by: the class, then the value; numbers are one class."""
    return _ORDER[type(value)](value)
