"""Joins of tables: lj, ij, uj, pj, ej, aj."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from typing import Any

from interpreters.q_subset.arithmetic import add
from interpreters.q_subset.compare import sort_keys
from interpreters.q_subset.errors import QError, Unsupported, check_size
from interpreters.q_subset.indexing import take_positions
from interpreters.q_subset.tables import append, key_by, unkeyed, upsert_rows
from interpreters.q_subset.values import NULLS, Dict, Table, Vec, is_keyed, raw_keys, symbol_list


def _need_keyed(y: Any) -> Dict:
    if not is_keyed(y):
        raise QError("type")
    keyed: Dict = y
    return keyed


def _matches(x: Table, y: Dict) -> list[int | None]:
    """Return for each row of x the row of y with its keys."""
    assert isinstance(y.keys, Table)
    missing = [name for name in y.keys.names if name not in x.names]
    if missing:
        raise QError(missing[0])
    left = Table(y.keys.names, [x.column(name) for name in y.keys.names])
    if [c.t for c in left.columns] != [c.t for c in y.keys.columns]:
        raise Unsupported("a join on keys of different types")
    known = {key: i for i, key in reversed(list(enumerate(raw_keys(y.keys))))}
    return [known.get(key) for key in raw_keys(left)]


def _picked(column: Vec, places: list[int | None]) -> Vec:
    if not column.t and None in places:
        raise Unsupported("a join that leaves a hole in a general column")
    return Vec(column.t, [column.v[i] if i is not None else NULLS[column.t] for i in places])


def left_join(x: Any, y: Any) -> Any:
    keys = len(x.keys.names) if is_keyed(x) else 0
    table, right = unkeyed(x), _need_keyed(y)
    places = _matches(table, right)
    assert isinstance(right.values, Table)
    names, columns = list(table.names), list(table.columns)
    for name, column in zip(right.values.names, right.values.columns, strict=True):
        new = _picked(column, places)
        if name in names:
            old = columns[names.index(name)]
            if old.t != new.t:
                raise Unsupported("a join that changes a column's type")
            merged = [n if place is not None else o for o, n, place in zip(old.v, new.v, places, strict=True)]
            columns[names.index(name)] = Vec(old.t, merged)
        else:
            names.append(name)
            columns.append(new)
    return key_by(keys, Table(names, columns))


def inner_join(x: Any, y: Any) -> Any:
    if is_keyed(x):
        raise Unsupported("ij of a keyed table")
    places = _matches(unkeyed(x), _need_keyed(y))
    kept = [i for i, place in enumerate(places) if place is not None]
    return left_join(take_positions(x, kept), y)


def plus_join(x: Any, y: Any) -> Any:
    table, right = unkeyed(x), _need_keyed(y)
    if is_keyed(x):
        raise Unsupported("pj of a keyed table")
    places = _matches(table, right)
    assert isinstance(right.values, Table)
    names, columns = list(table.names), list(table.columns)
    for name, column in zip(right.values.names, right.values.columns, strict=True):
        new = Vec(column.t, [column.v[i] if i is not None else 0 for i in places])
        if column.t not in (5, 6, 7, 8, 9):
            raise Unsupported("pj of a column that is not numeric")
        if name in names:
            columns[names.index(name)] = add(columns[names.index(name)], new)
        else:
            names.append(name)
            columns.append(new)
    return Table(names, columns)


def union_join(x: Any, y: Any) -> Any:
    if is_keyed(x) != is_keyed(y):
        raise Unsupported("uj of a keyed and a plain table")
    left, right = unkeyed(x), unkeyed(y)
    names = [*left.names, *[n for n in right.names if n not in left.names]]
    if is_keyed(x):
        if x.keys.names != y.keys.names:
            raise Unsupported("uj of tables with different keys")
        widened: Dict = key_by(len(x.keys.names), _widened(left, right, names))
        return upsert_rows(widened, right)
    return append(_widened(left, right, names), _widened(right, left, names))


def _widened(x: Table, other: Table, names: list[str]) -> Table:
    size = x.height()
    columns = []
    for name in names:
        if name in x.names:
            columns.append(x.column(name))
            continue
        t = other.column(name).t
        if not t:
            raise Unsupported("uj of a general column")
        columns.append(Vec(t, [NULLS[t]] * size))
    return Table(names, columns)


def equi_join(c: Any, x: Any, y: Any) -> Table:
    """ej: all pairs of rows that agree in the columns c; the columns of y win."""
    names = symbol_list(c)
    left, right = unkeyed(x), unkeyed(y)
    places: dict[Any, list[int]] = {}
    for i, key in enumerate(raw_keys(Table(names, [right.column(n) for n in names]))):
        places.setdefault(key, []).append(i)
    pairs = [
        (i, j)
        for i, key in enumerate(raw_keys(Table(names, [left.column(n) for n in names])))
        for j in places.get(key, [])
    ]
    check_size(len(pairs) * (len(left.names) + len(right.names)))
    columns = {n: take_positions(left.column(n), [i for i, _ in pairs]) for n in left.names}
    columns |= {n: take_positions(right.column(n), [j for _, j in pairs]) for n in right.names}
    return Table(list(columns), list(columns.values()))


def as_of(keep_time: bool, fill: bool = False) -> Any:
    """Return aj (the time of x) or aj0 (the time of y): the last row of y not after each row of x."""

    def join(c: Any, x: Any, y: Any) -> Any:
        if is_keyed(x):
            raise Unsupported("aj of a keyed table")
        names = symbol_list(c)
        left, right = unkeyed(x), unkeyed(y)
        *same, time = names
        if left.column(time).t != right.column(time).t:
            raise Unsupported("aj on times of different types")
        stamps: dict[Any, list[tuple[Any, int]]] = {}
        times = sort_keys(right.column(time))
        for i, key in enumerate(_keys(right, same)):
            stamps.setdefault(key, []).append((times[i], i))
        for rows in stamps.values():
            if any(b[0] < a[0] for a, b in itertools.pairwise(rows)):
                raise Unsupported("aj to times that are not sorted")
        wanted = sort_keys(left.column(time))
        places: list[int | None] = []
        for i, key in enumerate(_keys(left, same)):
            rows = stamps.get(key, [])
            at = bisect_right([t for t, _ in rows], wanted[i]) - 1
            places.append(rows[at][1] if at >= 0 else None)
        return _as_of_columns(left, right, names, places, keep_time, fill)

    return join


def _keys(table: Table, names: list[str]) -> list[Any]:
    return raw_keys(Table(names, [table.column(n) for n in names])) if names else [()] * table.height()


def _as_of_columns(
    left: Table, right: Table, names: list[str], places: list[int | None], keep_time: bool, fill: bool
) -> Table:
    columns = dict(zip(left.names, left.columns, strict=True))
    for name, column in zip(right.names, right.columns, strict=True):
        if name in names and (keep_time or name != names[-1]):
            continue
        new = _picked(column, places)
        old = columns.get(name)
        if old is not None and name not in names:
            if old.t != new.t:
                raise Unsupported("aj that changes a column's type")
            null = NULLS[new.t]
            kept = [place is None or (fill and (n == null or n != n)) for n, place in zip(new.v, places, strict=True)]
            new = Vec(new.t, [o if keep else n for o, n, keep in zip(old.v, new.v, kept, strict=True)])
        columns[name] = new
    return Table(list(columns), list(columns.values()))
