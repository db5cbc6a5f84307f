"""Find, in, within, bin, like positions: where values are in lists."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Any

from interpreters.q_subset.arithmetic import minimum
from interpreters.q_subset.compare import at_least, at_most, sort_keys
from interpreters.q_subset.errors import METER, QError, Unsupported
from interpreters.q_subset.values import (
    BOOL,
    FLOATS,
    NUMBERS,
    SYMBOL,
    Atom,
    Dict,
    Table,
    Vec,
    boolean,
    collect,
    hashable,
    items,
    long,
    longs,
    raw_keys,
)


def positions(x: Vec | Table) -> dict[Any, int]:
    """Return the first position of each item."""
    keys = raw_keys(x)
    METER.charge(len(keys))
    return {key: i for i, key in reversed(list(enumerate(keys)))}


def find(x: Any, y: Any) -> Any:
    """x?y: the first position of y's items in x; the length of x for what is not there."""
    if type(x) is Dict:
        return _find_key(x, y)
    if type(x) is Table:
        return _find_row(x, y)
    if type(x) is not Vec:
        raise QError("type")
    missing = len(x.v)
    if x.t == 0:
        return _find_general(x, y)
    if type(y) is Atom:
        return long(_find_plain(x, -y.t, y.v))
    if type(y) is Vec:
        if y.t == x.t:
            known = positions(x)
            return longs(known.get(key, missing) for key in raw_keys(y))
        if y.t:
            return longs(_find_plain(x, y.t, v) for v in y.v)
        if any(type(v) is Atom for v in y.v) and not all(type(v) is Atom for v in y.v):
            raise Unsupported("find of atoms beside lists")
        return collect([find(x, v) for v in y.v])
    if type(y) is Dict:
        return Dict(y.keys, find(x, y.values))
    raise QError("type")


def _find_plain(x: Vec, t: int, v: Any) -> int:
    if t != x.t:
        if {t, x.t} <= NUMBERS and not {t, x.t} & FLOATS:
            from interpreters.q_subset.arithmetic import converter

            v = converter(t, x.t)(v) if t < x.t else v
        elif SYMBOL in (t, x.t) or not x.v:
            raise QError("type")
        else:
            raise Unsupported(f"find of type {t} in type {x.t}")
    METER.charge(len(x.v) // 8)
    if v != v:
        return next((i for i, w in enumerate(x.v) if w != w), len(x.v))
    try:
        return x.v.index(v)
    except ValueError:
        return len(x.v)


def _find_general(x: Vec, y: Any) -> Any:
    """What is as deep as the first item of x is looked up whole; what is deeper, item by item."""
    if not x.v:
        if type(y) is Vec:
            return longs([0] * len(y.v))
        return long(0)
    return _find_at_depth(positions(x), len(x.v), depth(x.v[0]), y)


def _find_at_depth(known: dict[Any, int], missing: int, level: int, y: Any) -> Any:
    if depth(y) <= level:
        return long(known.get(hashable(y), missing))
    return (
        collect(
            [
                _find_at_depth(known, missing, level, v)
                if depth(y) > level + 1
                else long(known.get(hashable(v), missing))
                for v in items(y)
            ]
        )
        if y.v
        else longs([])
    )


def depth(x: Any) -> int:
    """Return how deep a value is, going down by first items: 0 for an atom, 1 for a vector."""
    level = 0
    while type(x) is Vec:
        level += 1
        if x.t or not x.v:
            return level
        x = x.v[0]
    return level


def _find_key(x: Dict, y: Any) -> Any:
    from interpreters.q_subset.indexing import at

    return at(x.keys, find(x.values, y))


def _find_row(x: Table, y: Any) -> Any:
    known = positions(x)
    missing = x.height()
    if type(y) is Table:
        if sorted(y.names) != sorted(x.names):
            raise QError("mismatch")
        aligned = Table(x.names, [y.column(name) for name in x.names])
        _same_types(x, aligned)
        return longs(known.get(key, missing) for key in raw_keys(aligned))
    if type(y) is Dict and type(y.keys) is Vec:
        columns = []
        for name in x.names:
            if name not in y.keys.v:
                raise QError("mismatch")
            columns.append(collect([items(y.values)[y.keys.v.index(name)]]))
        row = Table(x.names, columns)
        _same_types(x, row)
        return long(known.get(raw_keys(row)[0], missing))
    raise Unsupported("find in a table of what is no row")


def _same_types(x: Table, y: Table) -> None:
    if [c.t for c in x.columns if c.v] != [c.t for c, d in zip(y.columns, x.columns, strict=True) if d.v]:
        raise Unsupported("find of a row with other types")


def contained(x: Any, y: Any) -> Any:
    """x in y."""
    if type(x) is Dict and type(x.values) is not Vec:
        raise Unsupported("in for a dictionary of tables")
    if type(x) is Dict:
        return Dict(x.keys, contained(x.values, y))
    if type(y) is Atom:
        return _in_atom(x, y)
    if type(y) is Table:
        found = find(y, x)
        size = y.height()
        return boolean(found.v < size) if type(found) is Atom else Vec(BOOL, [1 if n < size else 0 for n in found.v])
    if type(y) is not Vec:
        raise QError("type")
    if y.t:
        return _in_vector(x, y)
    if type(x) not in (Atom, Vec):
        raise Unsupported("in for a dictionary or table in a list")
    found = _find_general(y, x)
    size = len(y.v)
    if type(found) is Vec and not found.t:
        raise Unsupported("in, with lists of lists on the left")
    return boolean(found.v < size) if type(found) is Atom else Vec(BOOL, [1 if n < size else 0 for n in found.v])


def _in_atom(x: Any, y: Atom) -> Any:
    return _in_vector(x, Vec(-y.t, [y.v]))


def _in_vector(x: Any, y: Vec) -> Any:
    size = len(y.v)
    if type(x) is Atom:
        if y.t and abs(x.t) != y.t and y.v:
            _comparable(-x.t, y.t)
        return boolean(find(y, x).v < size) if y.v else boolean(False)
    if type(x) is Vec and x.t:
        if not y.v:
            return Vec(BOOL, [0] * len(x.v))
        if x.t != y.t:
            _comparable(x.t, y.t)
        return Vec(BOOL, [1 if n < size else 0 for n in find(y, x).v])
    if type(x) is Vec:
        return collect([_in_vector(v, y) for v in x.v])
    raise QError("type")


def _comparable(left: int, right: int) -> None:
    if not {left, right} <= NUMBERS - FLOATS:
        if SYMBOL in (left, right):
            raise QError("type")
        raise Unsupported(f"in for types {left} and {right}")


def within(x: Any, y: Any) -> Any:
    """x within (low;high), both ends included."""
    parts = items(y)
    if type(y) is not Vec or len(parts) != 2:
        raise QError("length" if type(y) is Vec else "type")
    return minimum(at_least(x, parts[0]), at_most(x, parts[1]))


def search_sorted(right: bool) -> Any:
    """Return bin (the last item not above) or binr (the first not below)."""

    def search(x: Any, y: Any) -> Any:
        if type(x) is not Vec or not x.t:
            raise Unsupported("bin of what is no vector")
        if type(y) is Vec and not y.t:
            return collect([search(x, v) for v in y.v])
        if abs(y.t) != x.t:
            raise Unsupported("bin of different types")
        keys = sort_keys(x)
        wanted = sort_keys(y if type(y) is Vec else Vec(x.t, [y.v]))
        found = [bisect_left(keys, w) if right else bisect_right(keys, w) - 1 for w in wanted]
        return longs(found) if type(y) is Vec else long(found[0])

    return search
