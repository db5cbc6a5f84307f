"""xexp and xlog, and the logarithm that they are made of."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

from interpreters.q_subset.arithmetic import Plain, converter, quotient, reject
from interpreters.q_subset.broadcast import dyad
from interpreters.q_subset.values import CHAR, FLOAT, INF, NAN, NUMBERS


def power(a: float, b: float) -> float:
    """x xexp y, computed as exp y*log x, which is where q's 2 xexp 3 gets its last digit from."""
    if a != a or b != b or a < 0:
        return NAN
    if b == 0:
        return 1.0
    if a == 0:
        return INF if b < 0 else 0.0
    try:
        return math.exp(b * math.log(a))
    except OverflowError:
        return INF


def logarithm(a: float, b: float) -> float:
    return quotient(natural_log(b), natural_log(a))


def natural_log(x: float) -> float:
    if x != x or x < 0:
        return NAN
    return -INF if x == 0 else math.log(x)


def _float_rule(op: Plain) -> Callable[[int, int], tuple[int, Plain]]:
    @cache
    def rule(left: int, right: int) -> tuple[int, Plain]:
        if not (left in NUMBERS | {CHAR} and right in NUMBERS | {CHAR}):
            return reject(left, right)
        ca, cb = converter(left, FLOAT), converter(right, FLOAT)
        return FLOAT, lambda a, b: op(ca(a), cb(b))

    return rule


xexp, xlog = dyad(_float_rule(power)), dyad(_float_rule(logarithm))
