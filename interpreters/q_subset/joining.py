"""Join, enlist, raze, flip and cross: making longer lists of lists."""

from __future__ import annotations

from typing import Any

from interpreters.q_subset.errors import QError, Unsupported, check_size
from interpreters.q_subset.values import (
    SYMBOL,
    Atom,
    Dict,
    Table,
    Vec,
    collect,
    collect_rows,
    count,
    is_keyed,
    item,
    items,
    raw_keys,
)


def join(x: Any, y: Any) -> Any:
    """x,y."""
    if type(x) is Dict and type(y) is Dict:
        return merge(x, y)
    if type(x) is Table or type(y) is Table or type(x) is Dict or type(y) is Dict:
        return _join_mapped(x, y)
    check_size(count(x) + count(y))
    if type(x) is Vec and type(y) is Vec:
        if x.t == y.t:
            return Vec(x.t, x.v + y.v)
        if not x.v and not x.t:
            return Vec(y.t, list(y.v))
        if not y.v and not y.t:
            return Vec(x.t, list(x.v))
    elif type(x) is Vec and type(y) is Atom and x.t == -y.t:
        return Vec(x.t, [*x.v, y.v])
    elif type(x) is Atom and type(y) is Vec and y.t == -x.t:
        return Vec(y.t, [x.v, *y.v])
    return collect_rows(_parts(x) + _parts(y))


def _parts(x: Any) -> list[Any]:
    return list(items(x)) if type(x) is Vec else [x]


def _join_mapped(x: Any, y: Any) -> Any:
    if type(x) is Table and type(y) is Table:
        return _join_tables(x, y)
    if type(x) is Table and type(y) is Dict and not is_keyed(y):
        return _join_rows(x, y)
    if type(x) is Table and type(y) is Vec:
        return _join_rows(x, y)
    if is_keyed(x) and type(y) in (Vec, Dict):
        return _join_rows(x, y)
    if type(x) is Vec and not x.v and type(y) is Table:
        return y
    if type(y) is Dict and not is_keyed(y) and type(x) is Vec:
        return collect_rows([*items(x), y])
    if type(x) is Table or type(y) is Table or is_keyed(x) or is_keyed(y):
        raise Unsupported("joining a table with something else")
    return collect_rows(_parts(x) + _parts(y))


def _join_rows(x: Any, y: Any) -> Any:
    """Append a row, or rows, given as lists."""
    from interpreters.q_subset.tables import upsert

    return upsert(x, y) if count(y) else x


def _join_tables(x: Table, y: Table) -> Table:
    if x.names != y.names:
        raise QError("mismatch")
    columns = []
    for a, b in zip(x.columns, y.columns, strict=True):
        if a.t != b.t and a.v and b.v and a.t and b.t:
            raise Unsupported("joining columns of different types")
        joined = join(a, b)
        columns.append(joined if isinstance(joined, Vec) else Vec(0, items(joined)))
    return Table(x.names, columns)


def merge(x: Dict, y: Dict) -> Dict:
    """Join two dictionaries: the values of y replace those of x."""
    if is_keyed(x) or is_keyed(y):
        return _merge_keyed(x, y)
    known = {key: i for i, key in reversed(list(enumerate(raw_keys(x.keys))))}
    typed = type(x.keys) is Vec and type(y.keys) is Vec and x.keys.t != y.keys.t and x.keys.v and y.keys.v
    if typed:
        raise Unsupported("joining dictionaries with keys of different types")
    values, keys = list(items(x.values)), list(items(x.keys))
    for i, key in enumerate(raw_keys(y.keys)):
        value = item(y.values, i)
        if key in known:
            values[known[key]] = value
        else:
            known[key] = len(values)
            keys.append(item(y.keys, i))
            values.append(value)
    kind = x.keys if count(x) else y.keys
    return Dict(_like(kind, keys), _like(x.values if count(x) else y.values, values))


def _like(kind: Any, values: list[Any]) -> Any:
    return collect(values) if values else kind


def _merge_keyed(x: Dict, y: Dict) -> Dict:
    from interpreters.q_subset.tables import upsert_rows

    if is_keyed(x) and not is_keyed(y):
        return upsert_rows(x, y)
    if not is_keyed(x):
        raise Unsupported("joining a dictionary and a keyed table")
    assert isinstance(x.values, Table) and isinstance(y.values, Table)
    if x.values.names != y.values.names:
        raise Unsupported("joining keyed tables with different columns")
    return upsert_rows(x, y)


def enlist(*args: Any) -> Any:
    if len(args) == 1 and type(args[0]) is Dict and type(args[0].keys) is Vec:
        return collect_rows([args[0]])
    if len(args) == 1 and type(args[0]) in (Vec, Table):
        return Vec(0, [args[0]])
    return collect_rows(list(args))


def raze(x: Any) -> Any:
    if type(x) is Dict:
        x = x.values
    if type(x) is not Vec or x.t:
        return x if type(x) in (Vec, Table) else enlist(x)
    if not x.v:
        return x
    check_size(sum(count(v) for v in x.v))
    if all(type(v) in (Vec, Atom) for v in x.v):
        kinds = {abs(v.t) for v in x.v}
        if len(kinds) == 1 and kinds != {0}:
            joined: list[Any] = []
            for v in x.v:
                joined += v.v if type(v) is Vec else [v.v]
            return Vec(kinds.pop(), joined)
        parts = [part for v in x.v for part in _parts(v)]
        if parts and any(type(v) is Vec and not v.v for v in x.v[:1]):
            return _fold_join(x.v)
        return collect(parts) if parts else _fold_join(x.v)
    return _fold_join(x.v)


def _fold_join(values: list[Any]) -> Any:
    result = values[0]
    for value in values[1:]:
        result = join(result, value)
    return result if type(result) in (Vec, Table, Dict) else enlist(result)


def flip(x: Any) -> Any:
    if type(x) is Table:
        return Dict(Vec(SYMBOL, list(x.names)), Vec(0, list(x.columns)) if x.columns else Vec(0, []))
    if type(x) is Dict:
        if type(x.keys) is not Vec or x.keys.t != SYMBOL:
            raise Unsupported("flip of a dictionary without symbol keys")
        from interpreters.q_subset.tables import make_table

        if all(type(v) is Atom for v in items(x.values)):
            raise Unsupported("flip of a dictionary of atoms")
        return make_table([], list(zip(x.keys.v, items(x.values), strict=True)))
    if type(x) is not Vec or (x.t and x.v):
        raise QError("rank")
    return _transpose(x)


def _transpose(x: Vec) -> Any:
    rows = [v for v in x.v if type(v) is not Atom]
    if not rows:
        raise QError("rank")
    if any(type(v) is not Vec for v in rows):
        raise Unsupported("flip of a list of dictionaries or tables")
    if len({len(v.v) for v in rows}) > 1:
        raise QError("length")
    size = len(rows[0].v)
    check_size(size * len(x.v))
    if size == 0:
        raise Unsupported("flip of empty lists")
    t = x.v[0].t
    if t > 0 and all(v.t == t for v in x.v):
        return Vec(0, [Vec(t, list(row)) for row in zip(*[v.v for v in x.v], strict=True)])
    columns = [items(v) if type(v) is Vec else [v] * size for v in x.v]
    return Vec(0, [collect_rows(list(row)) for row in zip(*columns, strict=True)])


def cross(x: Any, y: Any) -> Any:
    if type(x) is Table and type(y) is Table:
        n, m = x.height(), y.height()
        check_size(n * m * (len(x.names) + len(y.names)))
        left = [Vec(c.t, [v for v in c.v for _ in range(m)]) for c in x.columns]
        right = [Vec(c.t, c.v * n) for c in y.columns]
        return Table([*x.names, *y.names], [*left, *right])
    if type(x) not in (Vec, Atom) or type(y) not in (Vec, Atom):
        raise Unsupported("cross of dictionaries")
    left_items, right_items = items(x), items(y)
    check_size(len(left_items) * len(right_items) * 2)
    return Vec(
        0,
        [join(a, b) if type(a) is Vec or type(b) is Vec else collect([a, b]) for a in left_items for b in right_items],
    )
