"""Atomic functions of one number: neg, abs, floor, sqrt, exp, not, null, signum and their like."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

from interpreters.q_subset.arithmetic import converter
from interpreters.q_subset.broadcast import monad
from interpreters.q_subset.errors import QError, Unsupported
from interpreters.q_subset.powers import natural_log
from interpreters.q_subset.values import (
    BITS,
    BOOL,
    BYTE,
    CHAR,
    DATETIME,
    FLOAT,
    FLOATS,
    GUID,
    INF,
    INFS,
    INT,
    LONG,
    NAN,
    NULLS,
    NUMBERS,
    REAL,
    SYMBOL,
    TEMPORAL,
    is_null_raw,
    to_real,
)

Rule = tuple[int, Callable[[Any], Any]]
TOLERANCE = 2.0**-43


def _number(t: int, name: str) -> None:
    if t in (SYMBOL, GUID) or (t == CHAR and name in ("neg", "abs", "floor", "ceiling")):
        raise QError("type")
    if t not in NUMBERS:
        raise Unsupported(f"{name} of type {t}")


@cache
def neg_rule(t: int) -> Rule:
    if t in (BOOL, BYTE):
        return INT, lambda v: -v
    if t in BITS:
        null = NULLS[t]
        return t, lambda v: v if v == null else -v
    _number(t, "neg")
    return t, lambda v: -v


@cache
def abs_rule(t: int) -> Rule:
    if t in (BOOL, BYTE):
        return INT, int
    if t in BITS:
        null = NULLS[t]
        return t, lambda v: v if v == null else abs(v)
    _number(t, "abs")
    return t, abs


@cache
def signum_rule(t: int) -> Rule:
    if t in (SYMBOL, GUID):
        raise QError("type")
    if t not in NUMBERS | TEMPORAL:
        raise Unsupported(f"signum of type {t}")
    return INT, lambda v: -1 if v != v or v < 0 else int(v > 0)


def _rounded(x: float, up: bool) -> int:
    """Floor or ceiling, with numbers within the comparison tolerance of an integer taken for it."""
    if x != x:
        return int(NULLS[LONG])
    if math.isinf(x) or abs(x) >= 2.0**63:
        return int(INFS[LONG] if x > 0 else -INFS[LONG])
    near = round(x)
    if near != 0 and abs(x - near) <= TOLERANCE * abs(x):
        return near
    return math.ceil(x) if up else math.floor(x)


@cache
def floor_rule(t: int) -> Rule:
    if t in FLOATS and t != DATETIME:
        return LONG, lambda v: _rounded(v, up=False)
    return _whole(t, "floor")


@cache
def ceiling_rule(t: int) -> Rule:
    if t in FLOATS and t != DATETIME:
        return LONG, lambda v: _rounded(v, up=True)
    return _whole(t, "ceiling")


def _whole(t: int, name: str) -> Rule:
    _number(t, name)
    if t in (BOOL, BYTE):
        raise Unsupported(f"{name} of type {t}")
    return t, lambda v: v


@cache
def not_rule(t: int) -> Rule:
    if t == SYMBOL:
        raise QError("type")
    if t == CHAR:
        return BOOL, lambda v: int(v == "\0")
    return BOOL, lambda v: int(v == 0)


@cache
def null_rule(t: int) -> Rule:
    if t == GUID:
        return BOOL, lambda v: int(v == 0)
    return BOOL, lambda v: int(is_null_raw(t, v))


def _float_function(name: str, f: Callable[[float], float]) -> Callable[[Any], Any]:
    @cache
    def rule(t: int) -> Rule:
        if t in (SYMBOL, GUID):
            raise QError("type")
        if t not in NUMBERS:
            raise Unsupported(f"{name} of type {t}")
        target = REAL if t == REAL else FLOAT
        convert = converter(t, FLOAT)
        if target == REAL:
            return REAL, lambda v: to_real(f(v))
        return FLOAT, lambda v: f(convert(v))

    return monad(rule)


def _exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return INF


def _guarded(f: Callable[[float], float]) -> Callable[[float], float]:
    def apply(x: float) -> float:
        try:
            return f(x)
        except ValueError:
            return NAN

    return apply


def _reciprocal(x: float) -> float:
    return 1 / x if x else INF


neg, absolute, signum = monad(neg_rule), monad(abs_rule), monad(signum_rule)
floor, ceiling = monad(floor_rule), monad(ceiling_rule)
negate, is_null = monad(not_rule), monad(null_rule)
FUNCTIONS = {
    name: _float_function(name, f)
    for name, f in {
        "sqrt": _guarded(math.sqrt),
        "exp": _exp,
        "log": natural_log,
        "sin": _guarded(math.sin),
        "cos": _guarded(math.cos),
        "tan": _guarded(math.tan),
        "asin": _guarded(math.asin),
        "acos": _guarded(math.acos),
        "atan": math.atan,
        "reciprocal": _reciprocal,
    }.items()
}
