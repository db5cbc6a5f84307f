"""Reading items: lists by position, dictionaries by key, tables by row and column."""

from __future__ import annotations

from typing import Any

from interpreters.q_subset.errors import QError, Unsupported, check_size
from interpreters.q_subset.values import (
    INTEGERS,
    NULLS,
    SYMBOL,
    Atom,
    Dict,
    Hole,
    Null,
    Table,
    Vec,
    collect,
    collect_rows,
    count,
    is_keyed,
    item,
    items,
)


def null_of(x: Any) -> Any:
    """Return what an index out of range gives: a null like the first item."""
    if type(x) is Vec:
        if x.t:
            return Atom(-x.t, NULLS[x.t])
        return empty_like(x.v[0]) if x.v else x
    if type(x) is Table:
        return Dict(Vec(SYMBOL, list(x.names)), collect([null_of(c) for c in x.columns]))
    raise Unsupported("the null of a value that is no list")


def empty_like(first: Any) -> Any:
    if type(first) is Atom:
        return Atom(first.t, NULLS[-first.t])
    if type(first) is Vec:
        return Vec(first.t, [])
    if type(first) is Dict:
        raise Unsupported("an index out of range in a list of dictionaries")
    raise Unsupported("an index out of range in a list of functions")


def at(x: Any, i: Any) -> Any:
    """Return x[i]."""
    if type(i) is Hole or type(i) is Null:
        return x
    if type(x) is Vec:
        return _in_list(x, i)
    if type(x) is Dict:
        return _in_dictionary(x, i)
    if type(x) is Table:
        return _in_table(x, i)
    raise QError("type")


def _in_list(x: Vec, i: Any) -> Any:
    if type(i) is Atom:
        if -i.t not in INTEGERS:
            raise QError("type")
        n = i.v
        return item(x, n) if 0 <= n < len(x.v) else null_of(x)
    if type(i) is Vec:
        check_size(len(i.v))
        if i.t in INTEGERS:
            return _gather(x, i.v)
        if i.t and i.v:
            raise QError("type")
        return collect_rows([_in_list(x, j) for j in i.v]) if i.v else Vec(x.t, [])
    if type(i) is Dict:
        return Dict(i.keys, at(x, i.values))
    if type(i) is Table:
        return Table(i.names, [at(x, c) for c in i.columns])
    raise QError("type")


def _gather(x: Vec, where: list[int]) -> Vec:
    source, size = x.v, len(x.v)
    if x.t:
        null = NULLS[x.t]
        return Vec(x.t, [source[n] if 0 <= n < size else null for n in where])
    found = [source[n] if 0 <= n < size else null_of(x) for n in where]
    gathered = collect_rows(found)
    return gathered if isinstance(gathered, Vec) else Vec(0, found)


def _in_dictionary(x: Dict, i: Any) -> Any:
    from interpreters.q_subset.searching import find

    if is_keyed(x):
        return _in_keyed(x, i)
    if type(x.keys) is Table:
        return at(x.values, find(x.keys, i))
    if type(i) is Vec and x.keys.t and not i.t:
        return collect_rows([_in_dictionary(x, j) for j in i.v]) if i.v else Vec(x.values.t, [])
    return at(x.values, find(x.keys, i))


def _in_keyed(x: Dict, i: Any) -> Any:
    from interpreters.q_subset.searching import find

    keys = x.keys
    assert isinstance(keys, Table)
    if type(i) is Table:
        return at(x.values, find(keys, i))
    if type(i) is Dict:
        return at(x.values, find(keys, i))
    if type(i) is Atom:
        if len(keys.names) != 1:
            raise QError("length")
        return at(x.values, find(keys.columns[0], i))
    if type(i) is Vec and len(keys.names) == 1:
        positions = find(keys.columns[0], i)
        return at(x.values, positions)
    if type(i) is Vec and len(i.v) == len(keys.names) and all(type(v) is Atom for v in items(i)):
        return at(x.values, find(keys, Dict(Vec(SYMBOL, list(keys.names)), i)))
    raise Unsupported("this index of a keyed table")


def _in_table(x: Table, i: Any) -> Any:
    if type(i) is Atom:
        if i.t == -SYMBOL:
            if i.v not in x.names:
                raise Unsupported("a column that is not there")
            return x.column(i.v)
        if -i.t not in INTEGERS:
            raise QError("type")
        return item(x, i.v) if 0 <= i.v < x.height() else null_of(x)
    if type(i) is Vec:
        if i.t == SYMBOL:
            return collect_rows([_in_table(x, Atom(-SYMBOL, name)) for name in i.v])
        if i.t in INTEGERS or not i.v:
            check_size(len(i.v) * len(x.names))
            return Table(x.names, [_gather(c, i.v) for c in x.columns])
        return collect_rows([_in_table(x, j) for j in items(i)])
    raise QError("type")


def deep(x: Any, path: list[Any]) -> Any:
    """Return x[i;j;...]."""
    from interpreters.q_subset.application import apply

    if not path:
        return x
    if x.t >= 100:
        return apply(x, path)
    first, rest = path[0], path[1:]
    if not rest:
        return at(x, first)
    if type(x) is Table and type(rest[0]) is Atom and rest[0].t == -SYMBOL:
        return deep(at(at(x, rest[0]), first), rest[1:]) if len(rest) == 1 else refuse_deep()
    everything = type(first) is Hole or type(first) is Null
    if everything and type(x) is Dict:
        return Dict(x.keys, collect_rows([deep(v, rest) for v in items(x)]))
    if everything and type(x) is Table:
        raise Unsupported("this index of a table")
    if everything or type(first) is Vec:
        parts = x if everything else at(x, first)
        check_size(count(parts))
        return collect_rows([deep(v, rest) for v in items(parts)])
    return deep(at(x, first), rest)


def refuse_deep() -> Any:
    raise Unsupported("an index below a table's cell")


def take_positions(x: Any, where: list[int]) -> Any:
    """Return the items of a list or table (or entries of a dictionary) at positions that exist."""
    if type(x) is Vec:
        return Vec(x.t, [x.v[n] for n in where])
    if type(x) is Table:
        return Table(x.names, [Vec(c.t, [c.v[n] for n in where]) for c in x.columns])
    if type(x) is Dict:
        return Dict(take_positions(x.keys, where), take_positions(x.values, where))
    raise QError("type")
