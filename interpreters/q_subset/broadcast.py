"""Atomic functions: how a function of plain values goes through vectors, lists, dictionaries and tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interpreters.q_subset.errors import METER, QError, Unsupported
from interpreters.q_subset.values import Atom, Dict, Table, Vec, collect, collect_rows, is_keyed, item, items, raw_keys

# Given the two (positive) types, returns the result's type and a function of two plain values.
Rule = Callable[[int, int], tuple[int, Callable[[Any, Any], Any]]]
UnaryRule = Callable[[int], tuple[int, Callable[[Any], Any]]]


def unary(rule: UnaryRule, x: Any) -> Any:
    """Apply an atomic function of one argument."""
    kind = type(x)
    if kind is Atom:
        t, f = rule(-x.t)
        return Atom(-t, f(x.v))
    if kind is Vec:
        METER.charge(len(x.v))
        if x.t:
            t, f = rule(x.t)
            return Vec(t, [f(v) for v in x.v])
        return collect([unary(rule, v) for v in x.v])
    return over_values(lambda part: unary(rule, part), x)


def over_values(f: Callable[[Any], Any], x: Any) -> Any:
    """Apply f to the values of a dictionary or to the columns of a table."""
    if type(x) is Dict:
        return Dict(x.keys, f(x.values))
    if type(x) is Table:
        return Table(x.names, [f(column) for column in x.columns])
    raise QError("type")


def binary(rule: Rule, x: Any, y: Any) -> Any:
    """Apply an atomic function of two arguments. Raises QError length for lists that do not fit."""
    kx, ky = type(x), type(y)
    if kx is Atom and ky is Atom:
        t, f = rule(-x.t, -y.t)
        return Atom(-t, f(x.v, y.v))
    if kx is Vec and ky is Vec:
        if len(x.v) != len(y.v):
            raise QError("length")
        METER.charge(len(x.v))
        if x.t and y.t:
            t, f = rule(x.t, y.t)
            return Vec(t, [f(a, b) for a, b in zip(x.v, y.v, strict=True)])
        return collect([binary(rule, a, b) for a, b in zip(items(x), items(y), strict=True)])
    if kx is Vec and ky is Atom:
        METER.charge(len(x.v))
        if x.t:
            t, f = rule(x.t, -y.t)
            right = y.v
            return Vec(t, [f(a, right) for a in x.v])
        return collect([binary(rule, a, y) for a in x.v])
    if kx is Atom and ky is Vec:
        METER.charge(len(y.v))
        if y.t:
            t, f = rule(-x.t, y.t)
            left = x.v
            return Vec(t, [f(left, b) for b in y.v])
        return collect([binary(rule, x, b) for b in y.v])
    return _binary_mapped(rule, x, y)


def _binary_mapped(rule: Rule, x: Any, y: Any) -> Any:
    if x.t >= 100 or y.t >= 100:
        raise QError("type")
    if type(x) is Dict and type(y) is Dict:
        return _dictionaries(rule, x, y)
    if type(x) is Dict:
        if type(y) is Table:
            raise QError("type")
        return Dict(x.keys, binary(rule, x.values, y))
    if type(y) is Dict:
        if type(x) is Table:
            raise QError("type")
        return Dict(y.keys, binary(rule, x, y.values))
    if type(x) is Table and type(y) is Table:
        if x.names != y.names:
            raise QError("type")
        return Table(x.names, [binary(rule, a, b) for a, b in zip(x.columns, y.columns, strict=True)])
    if type(x) is Table:
        return Table(x.names, [binary(rule, a, y) for a in x.columns])
    return Table(y.names, [binary(rule, x, b) for b in y.columns])


def _dictionaries(rule: Rule, x: Dict, y: Dict) -> Dict:
    """Combine the values of common keys; other keys keep their values."""
    from interpreters.q_subset.indexing import take_positions
    from interpreters.q_subset.joining import join

    if is_keyed(x) != is_keyed(y):
        raise Unsupported("arithmetic of a keyed table and a dictionary")
    if isinstance(x.values, Table) and isinstance(y.values, Table) and x.values.names != y.values.names:
        raise Unsupported("arithmetic of keyed tables with different columns")
    left, right = raw_keys(x.keys), raw_keys(y.keys)
    if left == right:
        return Dict(x.keys, binary(rule, x.values, y.values))
    where = {key: i for i, key in reversed(list(enumerate(right)))}
    known = set(left)
    values = [
        binary(rule, item(x.values, i), item(y.values, where[key])) if key in where else item(x.values, i)
        for i, key in enumerate(left)
    ]
    added = [i for i, key in enumerate(right) if key not in known]
    alone: Callable[[Any], Any] = getattr(rule, "alone", lambda v: v)
    values += [alone(item(y.values, i)) for i in added]
    keys = join(x.keys, take_positions(y.keys, added)) if added else x.keys
    return Dict(keys, collect_rows(values))


def dyad(rule: Rule) -> Callable[[Any, Any], Any]:
    return lambda x, y: binary(rule, x, y)


def monad(rule: UnaryRule) -> Callable[[Any], Any]:
    return lambda x: unary(rule, x)


__all__ = ["Rule", "UnaryRule", "binary", "dyad", "items", "monad", "over_values", "unary"]
