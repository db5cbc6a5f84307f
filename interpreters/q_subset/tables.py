"""Making and reshaping tables: literals, keys, columns, insert, upsert, ungroup, meta."""

from __future__ import annotations

from typing import Any

from interpreters.q_subset.errors import QError, Unsupported, check_size
from interpreters.q_subset.joining import join
from interpreters.q_subset.values import (
    CHAR,
    NULLS,
    SYMBOL,
    TYPE_CHARS,
    Atom,
    Dict,
    Table,
    Vec,
    collect,
    count,
    is_keyed,
    items,
    longs,
    raw_keys,
    symbol_list,
    symbols,
)


def make_table(keys: list[tuple[str, Any]], columns: list[tuple[str, Any]]) -> Any:
    """Return the (keyed) table of these columns; atoms are repeated."""
    parts = [*keys, *columns]
    if not parts:
        raise QError("type")
    lists = [value for _, value in parts if type(value) in (Vec, Table, Dict)]
    if any(type(value) is not Vec for value in lists):
        raise Unsupported("a table or dictionary as a column")
    sizes = {len(value.v) for value in lists}
    if len(sizes) > 1:
        raise QError("length")
    if not sizes and keys:
        raise Unsupported("a keyed table of atoms")
    if not sizes:
        raise QError("rank")
    size = check_size(sizes.pop())
    table = Table(_unique([name for name, _ in parts]), [_column(value, size) for _, value in parts])
    if not keys:
        return table
    return key_by(len(keys), table)


def _unique(names: list[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        fresh, n = name, 0
        while fresh in found:
            n += 1
            fresh = f"{name}{n}"
        found.append(fresh)
    return found


def _column(value: Any, size: int) -> Vec:
    if type(value) is Atom:
        return Vec(-value.t, [value.v] * size)
    return value if type(value) is Vec else Vec(0, [value] * size)


def key_by(n: int, table: Table) -> Any:
    if n == 0:
        return table
    if n > len(table.names):
        raise QError("length")
    return Dict(Table(table.names[:n], table.columns[:n]), Table(table.names[n:], table.columns[n:]))


def unkeyed(x: Any) -> Table:
    if type(x) is Table:
        return x
    if is_keyed(x):
        return Table([*x.keys.names, *x.values.names], [*x.keys.columns, *x.values.columns])
    raise QError("type")


def keys_of(x: Any) -> Any:
    if type(x) is Table:
        return symbols([])
    if is_keyed(x):
        return symbols(x.keys.names)
    raise QError("type")


def xkey(x: Any, y: Any) -> Any:
    names, table = symbol_list(x), unkeyed(y)
    if any(name not in table.names for name in names):
        raise QError(next(name for name in names if name not in table.names))
    rest = [name for name in table.names if name not in names]
    whole = Table([*names, *rest], [table.column(name) for name in [*names, *rest]])
    return key_by(len(names), whole)


def xcol(x: Any, y: Any) -> Any:
    table = unkeyed(y)
    if type(x) is Dict and type(x.keys) is Vec and type(x.values) is Vec and x.keys.t == x.values.t == SYMBOL:
        renamed = dict(zip(x.keys.v, x.values.v, strict=True))
        if any(name not in table.names for name in renamed):
            raise QError("length")
        names = [renamed.get(name, name) for name in table.names]
    else:
        given = symbol_list(x)
        names = [*given, *table.names[len(given) :]]
    if len(names) > len(table.names):
        raise QError("length")
    return key_by(len(y.keys.names) if is_keyed(y) else 0, Table(names, table.columns))


def xcols(x: Any, y: Any) -> Any:
    names = symbol_list(x)
    if type(y) is not Table:
        raise QError("type")
    return Table(
        [*names, *[n for n in y.names if n not in names]],
        [y.column(n) for n in [*names, *[m for m in y.names if m not in names]]],
    )


def column_names(x: Any) -> Any:
    return symbols(unkeyed(x).names)


def meta(x: Any) -> Dict:
    table = unkeyed(x)
    kinds, attributes = [], []
    for column in table.columns:
        kind = TYPE_CHARS[column.t] if column.t else " "
        if not column.t and column.v:
            inner = {v.t for v in column.v}
            kind = TYPE_CHARS[inner.pop()].upper() if len(inner) == 1 and type(column.v[0]) is Vec else " "
        kinds.append(kind)
        attributes.append(column.attr)
    empty = symbols([""] * len(kinds))
    return Dict(
        Table(["c"], [symbols(table.names)]), Table(["t", "f", "a"], [Vec(CHAR, kinds), empty, symbols(attributes)])
    )


def group_by(x: Any, y: Any) -> Dict:
    """x xgroup y: the rows of a table gathered by key columns, the other columns as lists."""
    from interpreters.q_subset.indexing import take_positions
    from interpreters.q_subset.sets import group

    names = symbol_list(x)
    if type(y) is not Table:
        raise Unsupported("xgroup of what is no plain table")
    grouped = group(Table(names, [y.column(n) for n in names]))
    places = [p.v for p in items(grouped.values)]
    rest = [n for n in y.names if n not in names]
    columns = [Vec(0, [take_positions(y.column(n), p) for p in places]) for n in rest]
    return Dict(grouped.keys, Table(rest, columns))


def ungroup(x: Any) -> Table:
    table = unkeyed(x)
    sizes = []
    for i in range(table.height()):
        lengths = {len(c.v[i].v) for c in table.columns if not c.t and type(c.v[i]) is Vec}
        if len(lengths) > 1:
            raise QError("length")
        sizes.append(lengths.pop() if lengths else 1)
    check_size(sum(sizes) * len(table.names))
    columns = []
    for c in table.columns:
        parts = items(c)
        flat = [
            v
            for part, size in zip(parts, sizes, strict=True)
            for v in (items(part) if type(part) is Vec else [part] * size)
        ]
        columns.append(collect(flat) if flat else Vec(c.v[0].t if not c.t and c.v else c.t, []))
    return Table(list(table.names), columns)


# -- rows --------------------------------------------------------------------------------------------------------------


def rows_like(table: Table, y: Any, by_column: bool = False) -> Table:
    """Return the rows given to insert or upsert as a table with the columns of `table`.

    A list of lists is one row after the other to upsert, one column after the other to insert.
    """
    if is_keyed(y):
        y = unkeyed(y)
    if type(y) is Dict and type(y.keys) is Vec and y.keys.t == SYMBOL:
        y = Table(list(y.keys.v), [collect([v]) for v in items(y.values)])
    if type(y) is Table:
        if any(name not in table.names for name in y.names):
            raise QError("mismatch")
        size = y.height()
        return Table(table.names, [y.column(n) if n in y.names else _nulls(table.column(n), size) for n in table.names])
    if type(y) is not Vec or not y.v:
        raise QError("type")
    values = items(y)
    rows = all(type(v) in (Vec, Dict) and count(v) == len(table.names) for v in values)
    if rows and not by_column and _are_rows(table, values):
        return Table(table.names, [collect([items(v)[i] for v in values]) for i in range(len(table.names))])
    if len(values) != len(table.names):
        raise QError("length")
    if any(type(v) is Vec for v in values) and (by_column or not _is_text_row(table, values)):
        if not by_column:
            raise Unsupported("upsert of columns")
        sizes = {len(v.v) for v in values if type(v) is Vec}
        if len(sizes) != 1:
            raise QError("length")
        size = sizes.pop()
        return Table(table.names, [v if type(v) is Vec else Vec(-v.t, [v.v] * size) for v in values])
    return Table(table.names, [collect([v]) for v in values])


def _is_text_row(table: Table, values: list[Any]) -> bool:
    """Whether one row is meant: lists stand only where the column is of lists."""
    return all(not c.t and (type(v) is Vec) for c, v in zip(table.columns, values, strict=True) if type(v) is Vec)


def _are_rows(table: Table, values: list[Any]) -> bool:
    first = items(values[0])
    kinds = [v.t for v in first]
    wanted = [-c.t for c in table.columns]
    if all(k == w for k, w in zip(kinds, wanted, strict=True) if w):
        return True
    if any(w == 0 for w in wanted):
        raise Unsupported("rows for a table with untyped columns")
    return False


def _nulls(column: Vec, size: int) -> Vec:
    if not column.t:
        raise Unsupported("missing values of a general column")
    return Vec(column.t, [NULLS[column.t]] * size)


def append(x: Table, rows: Table) -> Table:
    columns = []
    for a, b in zip(x.columns, rows.columns, strict=True):
        if a.t and b.t != a.t and b.v:
            raise QError("type")
        columns.append(Vec(a.t, a.v + b.v) if a.t else join(a, b))
    return Table(x.names, columns)


def upsert_rows(x: Dict, y: Any) -> Dict:
    """Replace the rows of a keyed table that have the keys of y's rows; append the others."""
    assert isinstance(x.keys, Table) and isinstance(x.values, Table)
    whole = unkeyed(x)
    rows = rows_like(whole, y)
    given = set(unkeyed(y).names) if type(y) is Table or is_keyed(y) else None
    size = len(x.keys.names)
    known = {key: i for i, key in reversed(list(enumerate(raw_keys(x.keys))))}
    columns = [Vec(c.t, list(c.v)) for c in whole.columns]
    for i, key in enumerate(raw_keys(Table(rows.names[:size], rows.columns[:size]))):
        position = known.get(key)
        for name, column, new in zip(rows.names, columns, rows.columns, strict=True):
            if column.t and new.t != column.t:
                raise QError("type")
            if position is None:
                column.v.append(new.v[i] if column.t == new.t else items(new)[i])
            elif given is None or name in given:
                column.v[position] = new.v[i] if column.t == new.t else items(new)[i]
        if position is None:
            known[key] = len(columns[0].v) - 1
    keyed: Dict = key_by(size, Table(whole.names, columns))
    return keyed


def upsert(x: Any, y: Any) -> Any:
    if type(x) is Table:
        return append(x, rows_like(x, y))
    if is_keyed(x):
        return upsert_rows(x, y)
    if type(x) is Dict and type(y) is Dict:
        return join(x, y)
    raise Unsupported("upsert to what is no table")


def insert(x: Any, y: Any) -> tuple[Any, Vec]:
    """Return the table with the new rows, and their positions."""
    before = count(x)
    if is_keyed(x):
        rows = rows_like(unkeyed(x), y, by_column=True)
        size = len(x.keys.names)
        known = set(raw_keys(x.keys))
        if any(key in known for key in raw_keys(Table(rows.names[:size], rows.columns[:size]))):
            raise QError("insert")
        return upsert_rows(x, rows), longs(range(before, before + rows.height()))
    if type(x) is not Table:
        raise QError("type")
    rows = rows_like(x, y, by_column=True)
    return append(x, rows), longs(range(before, before + rows.height()))


def bang(x: Any, y: Any) -> Any:
    """x!y: a dictionary, or keys for a table."""
    if type(x) is Atom and x.t in (-6, -7):
        if type(y) in (Table, Dict):
            return key_by(x.v, unkeyed(y)) if x.v >= 0 else _refuse_bang()
        _refuse_bang()
    if type(x) is Atom or type(y) is Atom:
        if type(x) is Atom and type(y) is Atom:
            raise QError("type")
        raise Unsupported("! of an atom and a list")
    if type(x) is Dict or type(y) is Dict or x.t >= 100 or y.t >= 100:
        raise QError("type")
    if count(x) != count(y):
        raise QError("length")
    return Dict(x, y)


def _refuse_bang() -> Any:
    raise Unsupported("an internal function n!x")
