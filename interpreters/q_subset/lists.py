"""Taking lists apart: til, take, drop, cut, rotate, sublist, reverse, first, last, next, prev, where."""

from __future__ import annotations

import itertools
from typing import Any

from interpreters.q_subset.errors import QError, Unsupported, check_size
from interpreters.q_subset.indexing import empty_like, null_of, take_positions
from interpreters.q_subset.searching import find
from interpreters.q_subset.values import (
    BOOL,
    BYTE,
    INTEGERS,
    LONG,
    NULLS,
    SYMBOL,
    Atom,
    Dict,
    Table,
    Vec,
    collect,
    count,
    is_keyed,
    item,
    long,
    longs,
    need_int,
    symbol_list,
)


def til(x: Any) -> Any:
    if type(x) is Dict:
        raise Unsupported("til of a dictionary")
    n = need_int(x)
    if n < 0:
        raise QError("domain")
    return longs(range(check_size(n)))


def count_of(x: Any) -> Atom:
    return long(count(x))


def first(x: Any) -> Any:
    return _end(x, 0)


def last(x: Any) -> Any:
    return _end(x, -1)


def _end(x: Any, where: int) -> Any:
    if type(x) is Dict:
        return _end(x.values, where)
    if type(x) not in (Vec, Table):
        return x
    size = count(x)
    return item(x, where % size) if size else null_of(x)


def reverse(x: Any) -> Any:
    if type(x) is Vec:
        return Vec(x.t, x.v[::-1])
    if type(x) in (Dict, Table):
        return take_positions(x, list(range(count(x)))[::-1])
    return x


def take(x: Any, y: Any) -> Any:
    """x#y."""
    if type(y) is Dict and not _is_count(x):
        return _take_keys(x, y)
    if type(y) is Table and type(x) in (Atom, Vec) and abs(x.t) == SYMBOL:
        names = symbol_list(x)
        return Table(names, [y.column(name) for name in names])
    if type(x) is Vec and x.t in INTEGERS:
        return _reshape(x.v, y)
    n = need_int(x)
    if n == NULLS[-x.t] and -x.t != BOOL:
        raise Unsupported("take of a null count")
    if type(y) is Dict:
        return Dict(take(x, y.keys), take(x, y.values))
    if type(y) in (Atom,) or y.t >= 100:
        check_size(abs(n))
        return Vec(-y.t, [y.v] * abs(n)) if type(y) is Atom else Vec(0, [y] * abs(n))
    return _take_items(n, y)


def _is_count(x: Any) -> bool:
    return type(x) is Atom and -x.t in INTEGERS


def _take_items(n: int, y: Vec | Table) -> Any:
    size, wanted = count(y), check_size(abs(n))
    if type(y) is Table:
        check_size(wanted * len(y.names))
    if size == 0:
        if type(y) is Table:
            return Table(y.names, [_take_items(n, c) for c in y.columns])
        assert type(y) is Vec
        if y.t == 0 and wanted:
            return Vec(0, [Vec(0, [])] * wanted)
        return Vec(y.t, [NULLS[y.t]] * wanted if wanted else [])
    if wanted <= size:
        start = 0 if n >= 0 else size - wanted
        if type(y) is Vec:
            return Vec(y.t, y.v[start : start + wanted])
        return take_positions(y, list(range(start, start + wanted)))
    start = 0 if n >= 0 else -wanted % size
    return take_positions(y, [(start + i) % size for i in range(wanted)])


def _take_keys(x: Any, y: Dict) -> Dict:
    from interpreters.q_subset.indexing import at

    if type(y.keys) is Table:
        raise Unsupported("take of a keyed table by key")
    if type(x) is Atom:
        raise QError("type")
    return Dict(x, at(y, x))


def _reshape(shape: list[int], y: Any) -> Any:
    """2 3#y, with one null dimension to be filled."""
    null = NULLS[LONG]
    if not shape:
        raise Unsupported("reshape to no dimensions")
    if len(shape) == 1:
        return take(long(shape[0]), y)
    if null in shape:
        return _reshape_open(shape, y)
    if any(n < 0 for n in shape) or 0 in shape[:-1]:
        raise QError("domain")
    if type(y) is Table or type(y) is Dict:
        raise Unsupported("reshape of a table or dictionary")
    total = 1
    for n in shape:
        total *= n
    check_size(total)
    flat = take(long(total), y)
    return _nest(shape, flat, total)


def _nest(shape: list[int], flat: Any, total: int) -> Any:
    if len(shape) == 1:
        return flat
    rows = shape[0]
    if total == 0:
        return Vec(0, [_nest(shape[1:], Vec(flat.t, []), 0) for _ in range(rows)])
    step = total // rows
    parts = [take_positions(flat, list(range(i * step, (i + 1) * step))) for i in range(rows)]
    return Vec(0, [_nest(shape[1:], part, step) for part in parts])


def _reshape_open(shape: list[int], y: Any) -> Any:
    if len(shape) != 2:
        raise QError("domain")
    if type(y) is not Vec:
        raise Unsupported("reshape of an atom")
    rows, columns = shape
    null, size = NULLS[LONG], len(y.v)
    if rows == null:
        if columns == null or columns <= 0:
            raise QError("domain")
        return Vec(0, [Vec(y.t, y.v[i : i + columns]) for i in range(0, size, columns)])
    if rows <= 0:
        raise QError("domain")
    bounds = [size * i // rows for i in range(check_size(rows) + 1)]
    return Vec(0, [Vec(y.t, y.v[a:b]) for a, b in itertools.pairwise(bounds)])


def drop(x: Any, y: Any) -> Any:
    """x _ y."""
    if type(y) is Dict and type(x) is Vec:
        return drop_keys(x, y)
    if type(y) is Dict and not _is_count(x):
        raise Unsupported("drop of a key that is an atom on the left")
    if type(y) is Table and type(x) is Vec and x.t == SYMBOL:
        return drop_columns(symbol_list(x), y)
    if type(x) is Dict and type(y) is Atom:
        return drop_keys(collect([y]), x)
    if type(x) is Vec and type(y) is Atom and x.t not in INTEGERS:
        return _drop_at(x, y)
    if type(x) is Vec and x.t in INTEGERS:
        return _drop_at(x, y) if type(y) is Atom else cut_at(x.v, y)
    n = need_int(x)
    if type(y) is Dict:
        return Dict(drop(x, y.keys), drop(x, y.values))
    if type(y) is Vec:
        return Vec(y.t, y.v[n:] if n >= 0 else y.v[:n])
    if type(y) is Table:
        return Table(y.names, [drop(x, c) for c in y.columns])
    raise QError("type")


def _drop_at(x: Vec, y: Atom) -> Vec:
    n = need_int(y)
    return Vec(x.t, x.v[:n] + x.v[n + 1 :]) if 0 <= n < len(x.v) else x


def drop_keys(x: Any, y: Dict) -> Dict:
    if type(y.keys) is Table:
        raise Unsupported("drop of keys from a keyed table")
    if type(x) is Vec and type(y.keys) is Vec and y.keys.t == 0 and x.t:
        raise Unsupported("drop of keys from a dictionary with list keys")
    gone = find(y.keys, x)
    where = set(gone.v) if type(gone) is Vec else {gone.v}
    return take_positions(y, [i for i in range(count(y)) if i not in where])


def drop_columns(names: list[str], y: Table) -> Table:
    if any(name not in y.names for name in names):
        raise Unsupported("drop of a column that is not there")
    keep = [name for name in y.names if name not in names]
    return Table(keep, [y.column(name) for name in keep])


def cut_at(where: list[int], y: Any) -> Any:
    """0 2 5 _ y: the pieces that start at these positions."""
    if type(y) not in (Vec, Table):
        raise QError("type")
    size = count(y)
    if any(b < a for a, b in itertools.pairwise(where)) or any(not 0 <= n <= size for n in where):
        raise Unsupported("a cut at positions that fall or lie outside")
    bounds = [*where, size]
    pieces = [take_positions(y, list(range(a, b))) for a, b in itertools.pairwise(bounds)]
    return Vec(0, pieces)


def cut(x: Any, y: Any) -> Any:
    if type(x) is Vec:
        return drop(x, y)
    n = need_int(x)
    if n <= 0:
        raise Unsupported("cut into pieces of no size")
    if type(y) not in (Vec, Table):
        raise QError("type")
    size = count(y)
    return Vec(0, [take_positions(y, list(range(i, min(i + n, size)))) for i in range(0, size, n)])


def rotate(x: Any, y: Any) -> Any:
    n = need_int(x)
    if type(y) not in (Vec, Table):
        raise QError("type")
    size = count(y)
    return take_positions(y, [(i + n) % size for i in range(size)]) if size else y


def sublist(x: Any, y: Any) -> Any:
    size = count(y)
    if type(x) is Vec and len(x.v) == 2 and x.t in INTEGERS:
        start, length = x.v
        if start < 0 or length < 0:
            raise Unsupported("sublist with negative bounds")
        where = range(start, min(start + length, size))
    else:
        n = need_int(x)
        where = range(min(n, size)) if n >= 0 else range(max(size + n, 0), size)
    if type(y) not in (Vec, Table, Dict):
        raise QError("type")
    return take_positions(y, list(where))


def xprev(x: Any, y: Any) -> Any:
    """The items x places before; nulls where there are none."""
    n = need_int(x)
    if type(y) is Dict and not is_keyed(y):
        return Dict(y.keys, xprev(x, y.values))
    if type(y) is Table:
        return Table(y.names, [xprev(x, c) for c in y.columns])
    if type(y) is not Vec:
        raise Unsupported("prev, next or xprev of an atom")
    if not y.v:
        return y
    size = len(y.v)
    if not y.t and type(y.v[0]) is Atom:
        raise Unsupported("prev, next or xprev of a general list of atoms")
    null = NULLS[y.t] if y.t else empty_like(y.v[0])
    moved = [y.v[i - n] if 0 <= i - n < size else null for i in range(size)]
    return Vec(y.t, moved)


def prev(x: Any) -> Any:
    return xprev(long(1), x)


def next_item(x: Any) -> Any:
    return xprev(long(-1), x)


def where(x: Any) -> Any:
    if type(x) is Dict:
        if is_keyed(x):
            raise QError("type")
        return _expand(x.keys, where(x.values).v)
    if type(x) is not Vec:
        raise Unsupported("where of an atom") if type(x) is Atom else QError("type")
    if x.t == BOOL:
        return longs(i for i, v in enumerate(x.v) if v)
    if not x.v:
        return longs([])
    if x.t not in INTEGERS or x.t == BYTE:
        raise QError("type")
    if any(v < 0 for v in x.v):
        raise Unsupported("where of negative counts")
    check_size(sum(x.v))
    return longs(i for i, v in enumerate(x.v) for _ in range(v))


def _expand(keys: Any, positions: list[int]) -> Any:
    return take_positions(keys, positions)
