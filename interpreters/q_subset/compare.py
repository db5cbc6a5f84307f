"""Equality and order of values: = <> < > <= >=, match, and the key that sorting uses."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

from interpreters.q_subset.arithmetic import CLOCKS, Plain, converter
from interpreters.q_subset.broadcast import dyad
from interpreters.q_subset.errors import METER, QError, Unsupported
from interpreters.q_subset.values import (
    BOOL,
    CHAR,
    DATE,
    FLOAT,
    FLOATS,
    GUID,
    LONG,
    NUMBERS,
    SYMBOL,
    TEMPORAL,
    TIMESPAN,
    TIMESTAMP,
    Atom,
    Derived,
    Dict,
    Lambda,
    Projection,
    Table,
    Vec,
)

TOLERANCE = 2.0**-43


def close(a: float, b: float) -> bool:
    """Whether two floats are equal as q compares them: relative 2^-43, nulls equal, nothing near zero but zero."""
    if a == b:
        return True
    if a != a or b != b:
        return a != a and b != b
    if math.isinf(a) or math.isinf(b) or a == 0 or b == 0:
        return False
    return abs(a - b) <= TOLERANCE * max(abs(a), abs(b))


def less(a: float, b: float) -> bool:
    if a != a:
        return b == b
    return a < b and not close(a, b)


def common(left: int, right: int) -> int:
    """Return the type in which two types are compared. Raises QError type for what q does not compare."""
    if left == right:
        return left
    if left in NUMBERS | {CHAR} and right in NUMBERS | {CHAR}:
        return FLOAT if left in FLOATS or right in FLOATS else LONG
    if SYMBOL in (left, right) or GUID in (left, right):
        raise QError("type")
    if left in CLOCKS and right in CLOCKS:
        return TIMESPAN
    if left in (DATE, TIMESTAMP) and right in (DATE, TIMESTAMP):
        return TIMESTAMP
    if (left in TEMPORAL) != (right in TEMPORAL) and (left in (6, 7) or right in (6, 7)):
        raise Unsupported(f"comparison of types {left} and {right}")
    raise Unsupported(f"comparison of types {left} and {right}")


def _rule(exact: Plain, tolerant: Callable[[float, float], bool]) -> Callable[[int, int], tuple[int, Plain]]:
    @cache
    def rule(left: int, right: int) -> tuple[int, Plain]:
        t = common(left, right)
        op = tolerant if t in FLOATS else exact
        if left == right:
            return BOOL, lambda a, b: 1 if op(a, b) else 0
        ca, cb = converter(left, t), converter(right, t)
        return BOOL, lambda a, b: 1 if op(ca(a), cb(b)) else 0

    return rule


equal_rule = _rule(lambda a, b: a == b, close)
less_rule = _rule(lambda a, b: a < b, less)
equal = dyad(equal_rule)
unequal = dyad(_rule(lambda a, b: a != b, lambda a, b: not close(a, b)))
less_than = dyad(less_rule)
greater_than = dyad(_rule(lambda a, b: a > b, lambda a, b: less(b, a)))
at_most = dyad(_rule(lambda a, b: a <= b, lambda a, b: not less(b, a)))
at_least = dyad(_rule(lambda a, b: a >= b, lambda a, b: not less(a, b)))


def match(x: Any, y: Any) -> bool:
    """Whether two values are identical in type and content (floats within q's tolerance)."""
    if x.t != y.t:
        return False
    if type(x) is Atom:
        return close(x.v, y.v) if -x.t in FLOATS else bool(x.v == y.v)
    if type(x) is Vec:
        if len(x.v) != len(y.v):
            return False
        METER.charge(1 + len(x.v) // 16)
        if x.t == 0:
            return all(match(a, b) for a, b in zip(x.v, y.v, strict=True))
        if x.t in FLOATS:
            return all(close(a, b) for a, b in zip(x.v, y.v, strict=True))
        return bool(x.v == y.v)
    if type(x) is Dict:
        return match(x.keys, y.keys) and match(x.values, y.values)
    if type(x) is Table:
        return x.names == y.names and all(match(a, b) for a, b in zip(x.columns, y.columns, strict=True))
    return _same_function(x, y)


def _same_function(x: Any, y: Any) -> bool:
    if x is y:
        return True
    if type(x) is Lambda:
        return bool(x.text == y.text)
    if type(x) is Derived:
        return bool(x.iterator == y.iterator) and match(x.fn, y.fn)
    if type(x) is Projection:
        raise Unsupported("match of projections")
    return False


def sort_keys(x: Vec | Table) -> list[Any]:
    """Return a sortable key for each item. Nulls come first, as in q."""
    if type(x) is Table:
        if not x.columns:
            return []
        return list(zip(*[sort_keys(column) for column in x.columns], strict=True))
    assert type(x) is Vec
    if x.t in FLOATS:
        return [(0, 0.0) if v != v else (1, v) for v in x.v]
    if x.t:
        return x.v
    return [_general_key(v) for v in x.v]


def _general_key(x: Any) -> tuple[Any, ...]:
    """Order of a general list: by type first, then by content."""
    if type(x) is Atom:
        return (0, -x.t, (0, 0.0) if x.v != x.v else (1, x.v))
    if type(x) is Vec and x.t == CHAR:
        return (1, CHAR, tuple(x.v))
    raise Unsupported("sorting a list of lists")
