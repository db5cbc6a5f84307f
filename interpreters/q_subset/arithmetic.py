"""Add, subtract, multiply, divide, div, mod, greater, lesser, fill and the powers: result types and nulls."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

from interpreters.q_subset.broadcast import binary, dyad
from interpreters.q_subset.errors import QError, Unsupported
from interpreters.q_subset.temporal import UNIT_NS
from interpreters.q_subset.values import (
    BITS,
    BOOL,
    BYTE,
    CHAR,
    DATE,
    DATETIME,
    FLOAT,
    FLOATS,
    GUID,
    INF,
    INFS,
    INT,
    INTEGERS,
    LONG,
    MINUTE,
    MONTH,
    NAN,
    NULLS,
    NUMBERS,
    REAL,
    SECOND,
    SHORT,
    SYMBOL,
    TEMPORAL,
    TIME,
    TIMESPAN,
    TIMESTAMP,
    Atom,
    to_real,
    wrap,
)

Plain = Callable[[Any, Any], Any]
Conversion = Callable[[Any], Any]
CLOCKS = (MINUTE, SECOND, TIME, TIMESPAN)  # from coarse to fine


def identity(v: Any) -> Any:
    return v


@cache
def converter(source: int, target: int) -> Conversion:
    """Return the function from a plain value of one type to the same value in another (nulls and infinities kept)."""
    if source == target:
        return identity
    if source == CHAR:
        source_of = converter(BYTE, target)
        return lambda v: source_of(ord(v))
    if target in FLOATS:
        return _to_float(source, target)
    if source in CLOCKS and target in CLOCKS:
        return _rescaled(source, target, UNIT_NS[source], UNIT_NS[target])
    if source in (DATE, TIMESTAMP) and target in (DATE, TIMESTAMP):
        return _rescaled(source, target, UNIT_NS[source], UNIT_NS[target])
    if source in (BOOL, BYTE):
        return identity
    null, inf, new_null = NULLS[source], INFS[source], NULLS[target]
    if BITS[source] == BITS[target]:
        return identity

    def widen(v: int) -> int:
        if v == null:
            return int(new_null)
        return v if abs(v) != inf else refuse_infinity()

    return widen


def _to_float(source: int, target: int) -> Conversion:
    if source in FLOATS:
        return to_real if target == REAL else identity
    if source in (BOOL, BYTE):
        return float
    null, inf = NULLS[source], INFS[source]

    def as_float(v: int) -> float:
        if v == null:
            return NAN
        if abs(v) == inf and source != SHORT:
            refuse_infinity()
        return to_real(float(v)) if target == REAL else float(v)

    return as_float


def refuse_infinity() -> Any:
    raise Unsupported("an infinity of whole numbers in another type")


def _rescaled(source: int, target: int, unit: int, new_unit: int) -> Conversion:
    null, inf, new_null, new_inf = NULLS[source], INFS[source], NULLS[target], INFS[target]

    def convert(v: int) -> int:
        if v == null:
            return int(new_null)
        if v in (inf, -inf):
            return int(new_inf if v > 0 else -new_inf)
        return v * unit // new_unit

    return convert


def on_integers(t: int, op: Plain) -> Plain:
    """Return the operation on stored integers of type t: null in, null out; results wrap around."""
    null = NULLS[t]

    def apply(a: int, b: int) -> int:
        if a == null or b == null:
            return int(null)
        return wrap(t, op(a, b))

    return apply


def through(t: int, left: int, right: int, op: Plain) -> tuple[int, Plain]:
    """Return the rule's answer for an operation that works in the result's type t."""
    core = on_integers(t, op) if t in BITS else op
    ca, cb = converter(left, t), converter(right, t)
    if t == REAL:
        return t, lambda a, b: to_real(op(ca(a), cb(b)))
    if ca is identity and cb is identity:
        return t, core
    return t, lambda a, b: core(ca(a), cb(b))


def numeric(left: int, right: int) -> int:
    """Return the type of a sum of two numbers."""
    return max(left, right, INT)


def reject(left: int, right: int) -> Any:
    """Raise what q raises for types that an arithmetic operator does not take."""
    if GUID in (left, right) or SYMBOL in (left, right):
        raise QError("type")
    if CHAR in (left, right) and (left in NUMBERS or right in NUMBERS or left == right):
        raise QError("type")
    raise Unsupported(f"arithmetic of types {left} and {right}")


@cache
def add_rule(left: int, right: int) -> tuple[int, Plain]:
    return _sum_rule(left, right, lambda a, b: a + b)


@cache
def _subtract_rule(left: int, right: int) -> tuple[int, Plain]:
    if left == right and left in (DATE, MONTH, TIMESTAMP):
        result = {DATE: INT, MONTH: INT, TIMESTAMP: TIMESPAN}[left]
        return result, on_integers(result, lambda a, b: a - b)
    return _sum_rule(left, right, lambda a, b: a - b)


class _Subtract:
    """The rule of `-`. In the difference of dictionaries a value that only the right one has is negated."""

    def __call__(self, left: int, right: int) -> tuple[int, Plain]:
        return _subtract_rule(left, right)

    @staticmethod
    def alone(value: Any) -> Any:
        return binary(subtract_rule, Atom(-LONG, 0), value)


subtract_rule = _Subtract()


def _sum_rule(left: int, right: int, op: Plain) -> tuple[int, Plain]:
    if left in NUMBERS and right in NUMBERS:
        return through(numeric(left, right), left, right, op)
    if left in TEMPORAL and right in INTEGERS and left != DATETIME:
        return _shifted(left, left, right, op)
    if right in TEMPORAL and left in INTEGERS and right != DATETIME:
        return _shifted(right, left, right, op)
    if left in CLOCKS and right in CLOCKS:
        return through(max(left, right, key=CLOCKS.index), left, right, op)
    if left in (DATE, TIMESTAMP) and right in CLOCKS:
        return _moment(left, right, op)
    if right in (DATE, TIMESTAMP) and left in CLOCKS and op(1, 1) == 2:
        return _moment(left, right, op)
    return reject(left, right)


def _shifted(t: int, left: int, right: int, op: Plain) -> tuple[int, Plain]:
    core = on_integers(t, op)
    ca, cb = _as_count(left, t), _as_count(right, t)
    return t, lambda a, b: core(ca(a), cb(b))


def _as_count(source: int, target: int) -> Conversion:
    return converter(source, LONG if BITS[target] == 64 else INT) if source in INTEGERS else identity


def _moment(left: int, right: int, op: Plain) -> tuple[int, Plain]:
    core = on_integers(TIMESTAMP, op)
    ca, cb = _as_nanoseconds(left), _as_nanoseconds(right)
    return TIMESTAMP, lambda a, b: core(ca(a), cb(b))


def _as_nanoseconds(source: int) -> Conversion:
    return converter(source, TIMESPAN if source in CLOCKS else TIMESTAMP)


@cache
def multiply_rule(left: int, right: int) -> tuple[int, Plain]:
    if left in NUMBERS and right in NUMBERS:
        return through(numeric(left, right), left, right, lambda a, b: a * b)
    for scaled, other in ((left, right), (right, left)):
        if scaled in (MONTH, TIMESPAN, MINUTE, SECOND, TIME) and other in INTEGERS:
            return _shifted(scaled, left, right, lambda a, b: a * b)
    return reject(left, right)


def quotient(a: float, b: float) -> float:
    try:
        return a / b
    except ZeroDivisionError:
        if a == 0 or a != a or b != b:
            return NAN
        return math.copysign(INF, a) * math.copysign(1.0, b)


@cache
def divide_rule(left: int, right: int) -> tuple[int, Plain]:
    if GUID in (left, right) or SYMBOL in (left, right):
        raise QError("type")
    ca, cb = converter(left, FLOAT), converter(right, FLOAT)
    return FLOAT, lambda a, b: quotient(ca(a), cb(b))


@cache
def div_rule(left: int, right: int) -> tuple[int, Plain]:
    """Floor of the quotient. Known: integers of one width, and any two numbers one of which is a float."""
    if left == right and left in (INT, LONG):
        null = NULLS[left]

        def divide(a: int, b: int) -> int:
            return int(null) if null in (a, b) else a // nonzero(b)

        return left, divide
    if left in NUMBERS and right in NUMBERS and REAL not in (left, right):
        fa, fb = converter(left, FLOAT), converter(right, FLOAT)

        def floor_divide(a: Any, b: Any) -> int:
            whole = quotient(fa(a), nonzero(fb(b)))
            return int(NULLS[LONG]) if whole != whole else math.floor(clear(whole))

        return LONG, floor_divide
    raise _rejected(left, right, "div")


def nonzero(divisor: Any) -> Any:
    if divisor == 0:
        raise Unsupported("div or mod by zero")
    return divisor


def clear(whole: float) -> float:
    """Refuse a quotient so near to an integer that its floor hangs on q's tolerance."""
    near = round(finite(whole))
    if whole != near and abs(whole - near) <= 2.0**-40 * max(1.0, abs(whole)):
        raise Unsupported("div or mod with a quotient next to an integer")
    return whole


def finite(x: float) -> float:
    if math.isinf(x):
        raise Unsupported("div or mod of an infinity")
    return x


def _rejected(left: int, right: int, name: str) -> Exception:
    if SYMBOL in (left, right) or GUID in (left, right):
        return QError("type")
    return Unsupported(f"{name} of types {left} and {right}")


@cache
def mod_rule(left: int, right: int) -> tuple[int, Plain]:
    if left in INTEGERS and right in INTEGERS:
        t = max(left, right, INT)
        null = NULLS[t]
        ca, cb = converter(left, t), converter(right, t)

        def remainder(a: int, b: int) -> int:
            a, b = ca(a), cb(b)
            return int(null) if null in (a, b) else a % nonzero(b)

        return t, remainder
    if left in NUMBERS and right in NUMBERS and REAL not in (left, right):
        fa, fb = converter(left, FLOAT), converter(right, FLOAT)

        def float_remainder(a: Any, b: Any) -> float:
            x, y = fa(a), nonzero(fb(b))
            return NAN if x != x or y != y else x - y * math.floor(clear(finite(x) / finite(y)))

        return FLOAT, float_remainder
    raise _rejected(left, right, "mod")


def _order_type(left: int, right: int, name: str) -> int:
    """Return the type of the greater or lesser of two values."""
    if left == right and left not in (SYMBOL, GUID):
        return left
    if left in NUMBERS and right in NUMBERS:
        return max(left, right)
    if CHAR in (left, right) and (left in INTEGERS or right in INTEGERS):
        return CHAR
    if left in CLOCKS and right in CLOCKS:
        return max(left, right, key=CLOCKS.index)
    if SYMBOL in (left, right) or GUID in (left, right):
        raise QError("type")
    raise Unsupported(f"{name} of types {left} and {right}")


def _to_order(source: int, target: int) -> Conversion:
    if target == CHAR and source != CHAR:
        return lambda v: chr(int(v) & 255)
    return converter(source, target)


def greater(a: Any, b: Any) -> Any:
    return b if a != a or b > a else a


def lesser(a: Any, b: Any) -> Any:
    return a if a != a or a < b or b == a else b


@cache
def greater_rule(left: int, right: int) -> tuple[int, Plain]:
    t = _order_type(left, right, "|")
    ca, cb = _to_order(left, t), _to_order(right, t)
    return (t, greater) if left == right else (t, lambda a, b: greater(ca(a), cb(b)))


@cache
def lesser_rule(left: int, right: int) -> tuple[int, Plain]:
    t = _order_type(left, right, "&")
    ca, cb = _to_order(left, t), _to_order(right, t)
    return (t, lesser) if left == right else (t, lambda a, b: lesser(ca(a), cb(b)))


@cache
def fill_rule(left: int, right: int) -> tuple[int, Plain]:
    """x^y: y with its nulls filled by x."""
    from interpreters.q_subset.values import is_null_raw

    if left == right:
        return right, lambda a, b: a if is_null_raw(right, b) else b
    if left in NUMBERS and right in NUMBERS:
        t = max(left, right)
        ca, cb = converter(left, t), converter(right, t)
        return t, lambda a, b: ca(a) if is_null_raw(right, b) else cb(b)
    if SYMBOL in (left, right):
        raise QError("type")
    raise Unsupported(f"^ of types {left} and {right}")


add, subtract, multiply, divide = dyad(add_rule), dyad(subtract_rule), dyad(multiply_rule), dyad(divide_rule)
div, mod = dyad(div_rule), dyad(mod_rule)
maximum, minimum = dyad(greater_rule), dyad(lesser_rule)
