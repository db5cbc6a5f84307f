"""distinct, group, union, inter, except."""

from __future__ import annotations

from typing import Any

from interpreters.q_subset.errors import METER, QError, Unsupported
from interpreters.q_subset.indexing import take_positions
from interpreters.q_subset.joining import join
from interpreters.q_subset.searching import contained, positions
from interpreters.q_subset.values import Atom, Dict, Table, Vec, collect, longs, need_list, raw_keys


def distinct(x: Any) -> Any:
    if type(x) is Dict:
        return distinct(x.values)
    if type(x) not in (Vec, Table):
        raise QError("type") if x.t >= 100 else Unsupported("distinct of an atom")
    where = sorted(positions(x).values())
    found = take_positions(x, where)
    return collect(found.v) if type(found) is Vec and not found.t else found


def group(x: Any) -> Dict:
    if type(x) is Dict:
        by_value = group(x.values)
        from interpreters.q_subset.indexing import at

        return Dict(by_value.keys, Vec(0, [at(x.keys, v) for v in need_list(by_value.values).v]))
    if type(x) not in (Vec, Table):
        raise QError("type")
    keys = raw_keys(x)
    METER.charge(len(keys))
    places: dict[Any, list[int]] = {}
    for i, key in enumerate(keys):
        places.setdefault(key, []).append(i)
    firsts = take_positions(x, [p[0] for p in places.values()])
    if type(firsts) is Vec and not firsts.t:
        firsts = collect(firsts.v)
    return Dict(firsts, Vec(0, [longs(p) for p in places.values()]))


def _keep(x: Any, flags: Any, wanted: int) -> Any:
    return take_positions(x, [i for i, flag in enumerate(flags.v) if flag == wanted])


def _members(x: Any, y: Any) -> Any:
    """Return one boolean for each item of x."""
    if type(x) is Vec and type(y) is Vec and (not x.t or not y.t):
        known = set(raw_keys(Vec(0, _values(y))))
        return Vec(1, [1 if key in known else 0 for key in raw_keys(Vec(0, _values(x)))])
    return contained(x, y)


def _values(x: Vec) -> list[Any]:
    from interpreters.q_subset.values import items

    return items(x)


def _list(x: Any) -> Any:
    if type(x) is Dict:
        return x.values
    return need_list(x) if type(x) is Atom else x


def union(x: Any, y: Any) -> Any:
    return distinct(join(_list(x), _list(y)))


def inter(x: Any, y: Any) -> Any:
    x, y = _list(x), _list(y)
    if type(x) not in (Vec, Table):
        raise QError("type")
    if not x.t or (type(x) is Vec and not x.v):
        return _keep(x, _members(x, y), 1) if type(x) is Table or x.v else x
    return _keep(x, _members(x, y), 1)


def without(x: Any, y: Any) -> Any:
    if type(x) not in (Vec, Table):
        raise QError("type") if type(x) is not Dict else Unsupported("except of a dictionary")
    if type(x) is Vec and not x.v:
        return x
    if type(y) is Atom:
        y = Vec(-y.t, [y.v])
    elif type(x) is Table and type(y) is Dict:
        from interpreters.q_subset.values import collect_rows

        y = collect_rows([y])
    if type(y) is Vec and not y.v:
        return x
    return _keep(x, _members(x, y), 0)
