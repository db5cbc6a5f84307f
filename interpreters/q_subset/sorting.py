"""asc, desc, iasc, idesc, rank, xrank, xasc, xdesc, xbar."""

from __future__ import annotations

from typing import Any

from interpreters.q_subset.arithmetic import div, multiply
from interpreters.q_subset.compare import sort_keys
from interpreters.q_subset.errors import METER, QError, Unsupported
from interpreters.q_subset.indexing import at, take_positions
from interpreters.q_subset.values import (
    BITS,
    FLOAT,
    INTEGERS,
    Atom,
    Dict,
    Table,
    Vec,
    count,
    is_keyed,
    longs,
    need_int,
    symbol_list,
)


def order(x: Any, descending: bool = False) -> list[int]:
    """Return the positions of the items in sorted order; equal items keep their order."""
    if type(x) not in (Vec, Table):
        raise QError("type")
    keys = sort_keys(x)
    METER.charge(len(keys) * 4)
    return sorted(range(len(keys)), key=keys.__getitem__, reverse=descending) if not descending else _down(keys)


def _down(keys: list[Any]) -> list[int]:
    """Python's reverse sort keeps equal items in their order, as q's idesc does."""
    return sorted(range(len(keys)), key=keys.__getitem__, reverse=True)


def _grade(x: Any, descending: bool) -> Any:
    if type(x) is Dict:
        return at(x.keys, longs(order(x.values, descending)))
    return longs(order(x, descending))


def iasc(x: Any) -> Any:
    return _grade(x, descending=False)


def idesc(x: Any) -> Any:
    return _grade(x, descending=True)


def _sorted(x: Any, descending: bool) -> Any:
    if type(x) is Dict:
        return take_positions(x, order(x.values, descending))
    if type(x) is Atom:
        raise Unsupported("sorting an atom")
    result = take_positions(x, order(x, descending))
    if type(result) is Vec and not descending and result.t:
        result.attr = "s"
    if type(result) is Table and not descending and result.columns and result.columns[0].t:
        first = result.columns[0]
        result.columns[0] = Vec(first.t, first.v, "s" if len(result.columns) == 1 else "p")
    return result


def asc(x: Any) -> Any:
    return _sorted(x, descending=False)


def desc(x: Any) -> Any:
    return _sorted(x, descending=True)


def rank(x: Any) -> Any:
    if type(x) is Dict:
        raise Unsupported("rank of a dictionary")
    return longs(order(longs(order(x))))


def xrank(x: Any, y: Any) -> Any:
    n, ranks = need_int(x), rank(y).v
    if n <= 0:
        raise Unsupported("xrank into no buckets")
    return longs(r * n // len(ranks) for r in ranks)


def by_columns(descending: bool) -> Any:
    """Return xasc or xdesc."""

    def sort(x: Any, y: Any, machine: Any = None) -> Any:
        names = symbol_list(x)
        if is_keyed(y):
            return _sort_keyed(names, y, descending)
        if type(y) is not Table:
            raise QError("type")
        if any(name not in y.names for name in names):
            raise QError(next(name for name in names if name not in y.names))
        if not names:
            return y
        where = order(Table(names, [y.column(name) for name in names]), descending)
        result = take_positions(y, where)
        if not descending:
            at_name = result.names.index(names[0])
            first = result.columns[at_name]
            result.columns[at_name] = Vec(first.t, first.v, "s" if first.t else "")
        return result

    return sort


def _sort_keyed(names: list[str], y: Any, descending: bool) -> Dict:
    whole = Table([*y.keys.names, *y.values.names], [*y.keys.columns, *y.values.columns])
    where = order(Table(names, [whole.column(name) for name in names]), descending)
    return Dict(take_positions(y.keys, where), take_positions(y.values, where))


def xbar(x: Any, y: Any) -> Any:
    """Round down to a multiple of x."""
    if type(x) is not Atom or -x.t not in INTEGERS | {FLOAT} or (x.v <= 0):
        raise Unsupported("xbar with this interval")
    if type(y) is Dict:
        return Dict(y.keys, xbar(x, y.values))
    kind = abs(y.t)
    if -x.t == FLOAT and kind in (6, 7) and type(y) in (Atom, Vec):
        return multiply(x, div(y, x))
    if -x.t in INTEGERS and kind in BITS and (kind == -x.t or kind > 11) and type(y) in (Atom, Vec):
        values = [y.v] if type(y) is Atom else y.v
        from interpreters.q_subset.values import NULLS

        found = [v if v == NULLS[kind] else v // x.v * x.v for v in values]
        return Atom(-kind, found[0]) if type(y) is Atom else Vec(kind, found)
    if kind == FLOAT and type(y) in (Atom, Vec):
        return multiply(x, div(y, x))
    if type(y) is Vec and not y.t and count(y):
        from interpreters.q_subset.values import collect_rows

        return collect_rows([xbar(x, v) for v in y.v])
    raise Unsupported("xbar of this type")
