"""Running and moving results: sums, prds, maxs, avgs, fills, deltas, ratios, differ, msum, mavg, mmax."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

from interpreters.q_subset.aggregates import floats_of
from interpreters.q_subset.arithmetic import (
    add,
    divide_rule,
    greater,
    lesser,
    maximum,
    minimum,
    multiply,
    quotient,
    subtract_rule,
)
from interpreters.q_subset.broadcast import binary
from interpreters.q_subset.compare import match
from interpreters.q_subset.errors import METER, QError, Unsupported
from interpreters.q_subset.values import (
    BOOL,
    BYTE,
    CHAR,
    FLOAT,
    FLOATS,
    INFS,
    INT,
    INTEGERS,
    LONG,
    NAN,
    NULLS,
    NUMBERS,
    SHORT,
    SYMBOL,
    Atom,
    Dict,
    Table,
    Vec,
    is_null_raw,
    items,
    need_int,
    wrap,
)


def running(vector: Callable[[Vec], Any], pair: Callable[[Any, Any], Any] | None) -> Callable[[Any], Any]:
    """Return a function that goes through vectors, the values of dictionaries and the columns of tables."""

    def apply(x: Any) -> Any:
        if type(x) is Atom:
            return x
        if type(x) is Dict:
            return Dict(x.keys, apply(x.values))
        if type(x) is Table:
            return Table(x.names, [apply(c) for c in x.columns])
        if type(x) is not Vec:
            raise QError("type")
        METER.charge(len(x.v))
        if x.t or not x.v:
            return vector(x) if x.t else x
        if pair is None:
            raise Unsupported("this running function of a list of lists")
        return _accumulated(x.v, pair)

    return apply


def _accumulated(values: list[Any], pair: Callable[[Any, Any], Any]) -> Vec:
    from interpreters.q_subset.values import collect_rows

    history = [values[0]]
    for value in values[1:]:
        history.append(pair(history[-1], value))
    found = collect_rows(history)
    return found if isinstance(found, Vec) else Vec(0, history)


def _scan(x: Vec, start: Any, op: Callable[[Any, Any], Any]) -> Vec:
    """Accumulate numbers; nulls leave the running value as it is."""
    if x.t in (SYMBOL, CHAR):
        raise QError("type")
    if x.t not in NUMBERS and x.t not in (16, 17, 18, 19):
        raise Unsupported(f"a running total of type {x.t}")
    if x.v and is_null_raw(x.t, x.v[0]):
        raise Unsupported("a running total that starts with a null")
    t = INT if x.t in (BOOL, BYTE, SHORT) else x.t
    current = start if t not in FLOATS else float(start)
    found = []
    for v in x.v:
        if not is_null_raw(x.t, v):
            current = op(current, v)
            if t not in FLOATS:
                current = wrap(t, current)
        found.append(current)
    return Vec(t, found)


def _extremes(largest: bool) -> Callable[[Vec], Vec]:
    op = greater if largest else lesser

    def apply(x: Vec) -> Vec:
        if x.t == SYMBOL:
            raise QError("type")
        found = []
        current = None
        for v in x.v:
            if not is_null_raw(x.t, v):
                current = v if current is None else op(current, v)
            if current is None and x.t not in INFS:
                raise Unsupported("a running extreme that starts with a null")
            found.append((-INFS[x.t] if largest else INFS[x.t]) if current is None else current)
        return Vec(x.t, found)

    return apply


def _averages(x: Vec) -> Vec:
    total, size, found = 0.0, 0, []
    for v in floats_of(x, "avgs"):
        if v == v:
            total, size = total + v, size + 1
        found.append(quotient(total, float(size)))
    return Vec(FLOAT, found)


def _fills(x: Vec) -> Vec:
    found = []
    current: Any = NULLS[x.t]
    for v in x.v:
        current = current if is_null_raw(x.t, v) else v
        found.append(current)
    return Vec(x.t, found)


def _pairwise(rule: Callable[[int, int], tuple[int, Any]]) -> Callable[..., Any]:
    """Return deltas or ratios."""

    def vector(x: Vec) -> Any:
        if not x.v:
            return x
        t, f = rule(x.t, x.t)
        rest = [f(b, a) for a, b in zip(x.v, x.v[1:], strict=False)]
        if t == x.t:
            return Vec(t, [x.v[0], *rest])
        if x.t in INTEGERS and t == FLOAT:
            return Vec(FLOAT, [float(x.v[0]) if not is_null_raw(x.t, x.v[0]) else NAN, *rest])
        if x.t == BOOL:
            return Vec(t, [x.v[0], *rest])
        raise Unsupported("deltas of a type whose differences have another type")

    def lists(x: Any) -> Any:
        if type(x) is Dict:
            return Dict(x.keys, lists(x.values))
        if type(x) is Vec and x.t == 0 and x.v:
            pairs = zip(x.v, x.v[1:], strict=False)
            from interpreters.q_subset.values import collect_rows

            return collect_rows([x.v[0], *[binary(rule, b, a) for a, b in pairs]])
        return inner(x)

    inner = running(vector, None)
    return lists


def ema(x: Any, y: Any) -> Any:
    """The exponential moving average: each item weighted by x, what came before by 1-x."""
    if type(x) is not Atom or x.t != -FLOAT or type(y) is not Vec or y.t not in NUMBERS or not y.v:
        raise Unsupported("ema of these types")
    values = floats_of(y, "ema")
    if any(v != v for v in values):
        raise Unsupported("ema of nulls")
    found = [values[0]]
    for v in values[1:]:
        found.append(x.v * v + (1.0 - x.v) * found[-1])
    return Vec(FLOAT, found)


def deltas_from(rule: Callable[[int, int], tuple[int, Any]]) -> Callable[[Any, Any], Any]:
    def apply(x: Any, y: Any) -> Any:
        from interpreters.q_subset.joining import join

        if type(x) is not Atom or type(y) is not Vec or not y.t:
            raise Unsupported("deltas from a start that is no atom")
        before = Vec(y.t, join(x, y).v[:-1]) if -x.t == y.t else Vec(0, [x, *items(y)[:-1]])
        return binary(rule, y, before)

    return apply


def differ(x: Any) -> Any:
    if type(x) is Dict:
        raise Unsupported("differ of a dictionary")
    if type(x) not in (Vec, Table):
        raise QError("type")
    values = items(x)
    if not values:
        raise Unsupported("differ of nothing")
    changes = [0 if match(a, b) else 1 for a, b in itertools.pairwise(values)]
    return Vec(BOOL, [1, *changes])


def moving(window: Callable[[list[Any], int], Any], result: Callable[[int], int]) -> Callable[[Any, Any], Any]:
    """Return a moving function: `window` of the last n items (first of them may be fewer)."""

    def apply(x: Any, y: Any) -> Any:
        n = need_int(x)
        if type(y) is Dict:
            return Dict(y.keys, apply(x, y.values))
        if type(y) is Table:
            return Table(y.names, [apply(x, c) for c in y.columns])
        if type(y) is not Vec:
            raise QError("type")
        if not y.t:
            return _over_rows(y, x, apply)
        if y.t not in NUMBERS:
            raise QError("type") if y.t in (SYMBOL, CHAR) else Unsupported("a moving function of this type")
        if n < 0:
            raise Unsupported("a moving function with a negative window")
        METER.charge(len(y.v) * max(1, min(n, len(y.v))))
        return Vec(result(y.t), [window(y.v[max(0, i + 1 - n) : i + 1], y.t) for i in range(len(y.v))])

    return apply


def _over_rows(y: Vec, x: Any, apply: Callable[[Any, Any], Any]) -> Any:
    """Move down the columns of a list of equally long lists."""
    from interpreters.q_subset.joining import flip

    if not y.v or any(type(v) is not Vec for v in y.v):
        raise Unsupported("a moving function of a list of atoms")
    return flip(Vec(0, [apply(x, column) for column in flip(y).v]))


def _moving_average(values: list[Any], t: int) -> float:
    known = [v for v in values if not is_null_raw(t, v)]
    return quotient(float(sum(known)), float(len(known)))


def _moving_sum(values: list[Any], t: int) -> Any:
    known = [v for v in values if not is_null_raw(t, v)]
    return float(sum(known)) if t in FLOATS else sum(known)


def _moving_deviation(values: list[Any], t: int) -> float:
    known = [float(v) for v in values if not is_null_raw(t, v)]
    if not known:
        return NAN
    mean = sum(known) / len(known)
    return math.sqrt(sum((v - mean) ** 2 for v in known) / len(known))


def _moving_max(values: list[Any], t: int) -> Any:
    known = [v for v in values if not is_null_raw(t, v)]
    return max(known) if known else -INFS[t]


def _moving_min(values: list[Any], t: int) -> Any:
    return NULLS[t] if any(is_null_raw(t, v) for v in values) else min(values)


def _same(t: int) -> int:
    return t


sums = running(lambda x: _scan(x, 0, lambda a, b: a + b), add)
prds = running(lambda x: _scan(x, 1, lambda a, b: a * b), multiply)
maxs, mins = running(_extremes(largest=True), maximum), running(_extremes(largest=False), minimum)
avgs, fills = running(_averages, None), running(_fills, None)
deltas, ratios = _pairwise(subtract_rule), _pairwise(divide_rule)
mavg = moving(_moving_average, lambda t: FLOAT)
msum = moving(_moving_sum, lambda t: INT if t in (BOOL, BYTE, SHORT) else t)
mcount = moving(lambda values, t: sum(not is_null_raw(t, v) for v in values), lambda t: LONG)
mdev = moving(_moving_deviation, lambda t: FLOAT)
mmax, mmin = moving(_moving_max, _same), moving(_moving_min, _same)
