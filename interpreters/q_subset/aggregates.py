"""Aggregates: sum, prd, min, max, avg, med, var, dev, cov, cor, wavg, wsum, all, any."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from interpreters.q_subset.arithmetic import add, converter, divide, maximum, minimum, multiply, quotient
from interpreters.q_subset.casting import cast_vector
from interpreters.q_subset.errors import METER, QError, Unsupported
from interpreters.q_subset.indexing import take_positions
from interpreters.q_subset.sorting import order
from interpreters.q_subset.values import (
    BITS,
    BOOL,
    BYTE,
    CHAR,
    DATETIME,
    FLOAT,
    GUID,
    INFS,
    INT,
    LONG,
    NAN,
    NULLS,
    NUMBERS,
    REAL,
    SHORT,
    SYMBOL,
    TEMPORAL,
    Atom,
    Dict,
    Table,
    Vec,
    collect_rows,
    items,
    symbols,
    to_real,
    wrap,
)


def aggregate(
    name: str, vector: Callable[[Vec], Any], pair: Callable[[Any, Any], Any] | None = None, by_column: bool = False
) -> Any:
    """Return an aggregate: of vectors as given, of lists of lists by `pair` or by column, by column of tables."""

    def apply(x: Any) -> Any:
        if type(x) is Atom:
            return vector(Vec(-x.t, [x.v]))
        if type(x) is Dict:
            return apply(x.values)
        if type(x) is Table:
            return Dict(symbols(x.names), collect_rows([apply(c) for c in x.columns]))
        if type(x) is not Vec:
            raise QError("type")
        METER.charge(len(x.v))
        if x.t:
            return vector(x)
        if not x.v:
            return _of_nothing(name)
        if by_column and all(type(v) is Vec and v.t in NUMBERS for v in x.v) and len({len(v.v) for v in x.v}) == 1:
            rows = zip(*[items(v) for v in x.v], strict=True)
            return collect_rows([apply(collect_rows(list(row))) for row in rows])
        return _of_list(name, x, apply, pair)

    return apply


def _of_list(name: str, x: Vec, apply: Callable[[Any], Any], pair: Callable[[Any, Any], Any] | None) -> Any:
    if all(type(v) is Atom for v in x.v):
        kinds = {-v.t for v in x.v}
        if kinds <= NUMBERS and max(kinds) > BYTE:
            return apply(cast_vector(max(kinds), x))
    if pair is None:
        raise Unsupported(f"{name} of a list of lists")
    result = x.v[0]
    if len(x.v) == 1 and name in ("sum", "prd"):
        raise Unsupported(f"{name} of a list of one list")
    for value in x.v[1:]:
        result = pair(result, value)
    return result


def _of_nothing(name: str) -> Any:
    if name == "count":
        return Atom(-LONG, 0)
    raise Unsupported(f"{name} of ()")


def known(x: Vec) -> list[Any]:
    """Return the items that are not null."""
    if x.t in (BOOL, BYTE):
        return x.v
    if x.t in (REAL, FLOAT, DATETIME):
        return [v for v in x.v if v == v]
    null = NULLS[x.t]
    return [v for v in x.v if v != null]


def _reject(name: str, t: int) -> Any:
    if t in (SYMBOL, GUID, CHAR):
        raise QError("type")
    raise Unsupported(f"{name} of type {t}")


def _sum(x: Vec) -> Atom:
    t = x.t
    if t in (REAL, FLOAT):
        total = 0.0
        for v in x.v:
            if v == v:
                total += v
        if total == 0 and x.v and all(v != v for v in x.v):
            return Atom(-t, 0.0)
        return Atom(-t, to_real(total) if t == REAL else total)
    if t in (BOOL, BYTE, SHORT):
        return Atom(-INT, wrap(INT, sum(known(x))))
    if t in (INT, LONG) or (t in TEMPORAL and t in BITS and t not in (12, 13, 14)):
        return Atom(-t, wrap(t, sum(known(x))))
    return _reject("sum", t)


def _prd(x: Vec) -> Atom:
    t = x.t
    if t in (REAL, FLOAT):
        return Atom(-t, math.prod(known(x)) if t == FLOAT else to_real(math.prod(known(x))))
    if t in (BOOL, BYTE, SHORT, INT, LONG):
        target = max(t, INT)
        product = 1
        for v in known(x):
            product = wrap(target, product * v)
        return Atom(-target, product)
    return _reject("prd", t)


def _extreme(name: str) -> Callable[[Vec], Any]:
    largest = name == "max"

    def apply(x: Vec) -> Atom:
        if x.t in (SYMBOL, GUID):
            raise QError("type")
        values = known(x)
        if values:
            return Atom(-x.t, max(values) if largest else min(values))
        if x.t in INFS:
            return Atom(-x.t, -INFS[x.t] if largest else INFS[x.t])
        raise Unsupported(f"{name} of an empty list of type {x.t}")

    return apply


def floats_of(x: Vec, name: str) -> list[float]:
    """Return the items as floats. Raises QError type for what is no number."""
    if x.t not in NUMBERS:
        _reject(name, x.t)
    convert = converter(x.t, FLOAT)
    return [convert(v) for v in x.v]


def _average(x: Vec) -> Atom:
    values = [v for v in floats_of(x, "avg") if v == v]
    return Atom(-FLOAT, quotient(sum(values, 0.0), float(len(values))))


def _average_items(x: Vec) -> Any:
    """The average of a general list: its sum, divided by its length."""
    return divide(total(x), Atom(-LONG, len(x.v)))


def _median(x: Vec) -> Atom:
    values = sorted(v for v in floats_of(x, "med") if v == v)
    if not values:
        return Atom(-FLOAT, NAN)
    middle = len(values) // 2
    return Atom(-FLOAT, values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2)


def _variance(sample: bool, root: bool) -> Callable[[Vec], Atom]:
    def apply(x: Vec) -> Atom:
        values = [v for v in floats_of(x, "var") if v == v]
        size = len(values)
        if not size or (sample and size == 1):
            return Atom(-FLOAT, NAN)
        mean = sum(values) / size
        spread = sum((v - mean) ** 2 for v in values) / (size - 1 if sample else size)
        return Atom(-FLOAT, math.sqrt(spread) if root else spread)

    return apply


def _logical(name: str) -> Callable[[Any], Any]:
    """all and any: of booleans, or of numbers taken as true unless zero."""

    def vector(x: Vec) -> Atom:
        if x.t == SYMBOL or x.t == GUID:
            raise QError("type")
        if x.t == CHAR:
            raise Unsupported(f"{name} of chars")
        found = [v != 0 for v in x.v]
        return Atom(-BOOL, int(all(found) if name == "all" else any(found)))

    pair = minimum if name == "all" else maximum

    def apply(x: Any) -> Any:
        if type(x) is Vec and x.t == 0 and not x.v:
            return Atom(-BOOL, int(name == "all"))
        if type(x) is Vec and x.t == 0 and any(type(v) is Vec for v in x.v):
            from interpreters.q_subset.mathematics import negate

            return inner(negate(negate(x)))
        return inner(x)

    inner = aggregate(name, vector, pair)
    return apply


def _pairs(name: str, f: Callable[[list[float], list[float]], float]) -> Callable[[Any, Any], Any]:
    """Return an aggregate of two vectors; pairs with a null are left out."""

    def apply(x: Any, y: Any) -> Any:
        if type(x) is not Vec or type(y) is not Vec or not x.t or not y.t:
            raise Unsupported(f"{name} of what are not two vectors")
        if len(x.v) != len(y.v):
            raise QError("length")
        both = zip(floats_of(x, name), floats_of(y, name), strict=True)
        pairs = [(a, b) for a, b in both if a == a and b == b]
        return Atom(-FLOAT, f([a for a, _ in pairs], [b for _, b in pairs]))

    return apply


def _covariance(a: list[float], b: list[float], less: int = 0) -> float:
    size = len(a)
    if size <= less:
        return NAN
    mean_a, mean_b = sum(a) / size, sum(b) / size
    return sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True)) / (size - less)


def _correlation(a: list[float], b: list[float]) -> float:
    spread = _covariance(a, a) * _covariance(b, b)
    return quotient(_covariance(a, b), math.sqrt(spread)) if spread == spread else NAN


def _weighted(x: Any, y: Any, name: str) -> Any:
    if type(y) is Dict and type(x) is Vec and x.t and type(y.values) is Vec:
        y = y.values
    if type(x) is Vec and x.t and type(y) is Vec and y.t == 0 and len(x.v) == len(y.v):
        return _weighted_rows(x, y, name)
    if type(x) is not Vec or type(y) is not Vec or not x.t or not y.t:
        raise Unsupported(f"{name} of what are not two vectors")
    if len(x.v) != len(y.v):
        raise QError("length")
    pairs = zip(floats_of(x, name), floats_of(y, name), strict=True)
    used = [(a, b) for a, b in pairs if a == a and b == b]
    total = sum((a * b for a, b in used), 0.0)
    return Atom(-FLOAT, total if name == "wsum" else quotient(total, sum((a for a, _ in used), 0.0)))


def _weighted_rows(x: Vec, y: Vec, name: str) -> Any:
    columns = [v for v in y.v if type(v) is Vec]
    if len(columns) != len(y.v) or len({len(c.v) for c in columns}) != 1:
        raise Unsupported(f"{name} of ragged lists")
    rows = zip(*[items(c) for c in columns], strict=True)
    return collect_rows([_weighted(x, collect_rows(list(row)), name) for row in rows])


def wavg(x: Any, y: Any) -> Any:
    return _weighted(x, y, "wavg")


def wsum(x: Any, y: Any) -> Any:
    return _weighted(x, y, "wsum")


def average(x: Any) -> Any:
    nested = x.values if type(x) is Dict and type(x.values) is Vec else x
    if type(nested) is Vec and nested.t == 0 and nested.v:
        return _average_items(nested)
    return _plain_average(x)


def median(x: Any) -> Any:
    if type(x) is Dict and type(x.values) is Table:
        return median(x.values)
    if type(x) is Table and x.height():
        rows, size = order(x), x.height()  # q sorts whole rows, and takes the average of the middle ones
        return average(take_positions(x, [rows[(size - 1) // 2], rows[size // 2]]))
    nested = x.values if type(x) is Dict and type(x.values) is Vec else x
    if type(nested) is Vec and nested.t == 0 and len(nested.v) == 2 and all(type(v) is Vec for v in nested.v):
        return divide(add(nested.v[0], nested.v[1]), Atom(-LONG, 2))
    return _plain_median(x)


_plain_average = aggregate("avg", _average)
_plain_median = aggregate("med", _median)
total = aggregate("sum", _sum, add)
product = aggregate("prd", _prd, multiply)
largest = aggregate("max", _extreme("max"), maximum)
smallest = aggregate("min", _extreme("min"), minimum)
variance = aggregate("var", _variance(sample=False, root=False), by_column=True)
deviation = aggregate("dev", _variance(sample=False, root=True), by_column=True)
sample_variance = aggregate("svar", _variance(sample=True, root=False), by_column=True)
sample_deviation = aggregate("sdev", _variance(sample=True, root=True), by_column=True)
every, some = _logical("all"), _logical("any")
covariance = _pairs("cov", _covariance)
sample_covariance = _pairs("scov", lambda a, b: _covariance(a, b, 1))
correlation = _pairs("cor", _correlation)
