"""Writing items: x[i]:y, x[i]+:y, and functional amend @[x;i;f;y] and .[x;i;f;y]."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from interpreters.q_subset.application import apply
from interpreters.q_subset.errors import METER, QError, Unsupported
from interpreters.q_subset.indexing import at, null_of
from interpreters.q_subset.values import (
    INTEGERS,
    NUMBERS,
    SYMBOL,
    Atom,
    Dict,
    Hole,
    Null,
    Prim,
    Table,
    Vec,
    collect,
    count,
    is_keyed,
    item,
    items,
    longs,
    raw_keys,
)


@dataclass(frozen=True, slots=True)
class Update:
    """What makes a new item of the old one and the given value (None where there is none), with its name in q."""

    call: Callable[[Any, Any], Any]
    name: str = ""


replace = Update(lambda old, new: new, ":")


def update_by(f: Any) -> Update:
    """Return the update of x f: y."""
    name = f.name if type(f) is Prim else ""
    return replace if name == ":" else Update(lambda old, new: apply(f, [old, new]), name)


def amend(x: Any, path: list[Any], f: Update, y: Any) -> Any:
    """Return x with the items at the path replaced by f of the old item and y."""
    if not path:
        return f.call(x, y)
    if x.t >= 100 or type(x) is Atom:
        raise QError("type")
    first, rest = path[0], path[1:]
    if type(first) is Hole or type(first) is Null:
        first = x.keys if type(x) is Dict else longs(range(count(x)))
    if type(x) is Table and rest and _is_symbolic(rest[0]):
        return _amend_cells(x, first, rest, f, y)
    copy = _copy(x)
    _amend_in(copy, first, rest, f, y)
    return _tidy(copy)


def _is_symbolic(i: Any) -> bool:
    return type(i) in (Atom, Vec) and abs(i.t) == SYMBOL


def _amend_cells(x: Table, rows: Any, rest: list[Any], f: Update, y: Any) -> Table:
    if type(rest[0]) is not Atom or len(rest) > 1:
        raise Unsupported("amending several columns of a table")
    name = rest[0].v
    columns = list(x.columns)
    columns[x.names.index(name) if name in x.names else refuse_column()] = amend(x.column(name), [rows], f, y)
    return Table(x.names, columns)


def refuse_column() -> int:
    raise Unsupported("amending a column that is not there")


def _amend_in(x: Any, where: Any, rest: list[Any], f: Update, y: Any) -> None:
    """Change x, a fresh copy, in place."""
    if type(where) is Null:
        where = x.keys if type(x) is Dict else longs(range(count(x)))
    many = type(where) is Vec and not _is_one_key(x, where)
    if not many:
        if f is not replace and type(x) is Dict and not _has_key(x, where):
            _put(x, where, _first_value(x.values, rest, f, y))
        else:
            _put(x, where, amend(at(x, where), rest, f, y))
        return
    METER.charge(len(where.v))
    listed = type(y) is Vec or type(y) is Table
    if listed and count(y) != len(where.v):
        raise QError("length")
    for n, position in enumerate(items(where)):
        _amend_in(x, position, rest, f, item(y, n) if listed else y)


def _has_key(x: Dict, key: Any) -> bool:
    from interpreters.q_subset.searching import find

    if type(x.keys) is Vec and not x.keys.v:
        return False
    position = find(x.keys, key)
    return type(position) is Atom and position.v < count(x)


def _first_value(values: Any, rest: list[Any], f: Update, y: Any) -> Any:
    """Return what d[k]+:y and d[k],:y store at a key that is not there: a sum or a list of its own begins with y."""
    if not rest and type(values) is Vec:
        lists = not values.t and all(type(v) is Vec for v in values.v)
        if f.name == "," and lists:
            return f.call(null_of(values), y)
        if f.name in ("+", "|") and values.t in NUMBERS and type(y) is Atom and -y.t == values.t:
            return y
    raise Unsupported("this amend by a function at a key that is not there")


def _is_one_key(x: Any, where: Vec) -> bool:
    """Whether a list is one key of a dictionary whose keys are lists."""
    if type(x) is not Dict or type(x.keys) is not Vec or x.keys.t or not x.keys.v:
        return False
    return type(x.keys.v[0]) is Vec and bool(where.t)


def _copy(x: Any) -> Any:
    if type(x) is Vec:
        METER.charge(len(x.v) // 8)
        return Vec(x.t, list(x.v))
    if type(x) is Dict:
        if is_keyed(x):
            raise Unsupported("indexed amend of a keyed table")
        return Dict(_copy(x.keys), _copy(x.values))
    return Table(list(x.names), list(x.columns))


def _tidy(x: Any) -> Any:
    """Make a general list of equal atoms a vector, as q does after an amend."""
    if type(x) is Vec and x.t == 0 and x.v:
        return collect(x.v)
    if type(x) is Dict:
        return Dict(x.keys, _tidy(x.values))
    return x


def _put(x: Any, i: Any, value: Any) -> None:
    if type(x) is Vec:
        if type(i) is not Atom or -i.t not in INTEGERS:
            raise QError("type")
        if not 0 <= i.v < len(x.v):
            raise QError("index")
        _set(x, i.v, value)
    elif type(x) is Dict:
        _put_key(x, i, value)
    else:
        _put_in_table(x, i, value)


def _set(x: Vec, n: int, value: Any) -> None:
    if x.t == 0:
        x.v[n] = value
    elif type(value) is Atom and -value.t == x.t:
        x.v[n] = value.v
    else:
        raise QError("type")


def _put_key(x: Dict, i: Any, value: Any) -> None:
    keys, values = x.keys, x.values
    if not isinstance(keys, Vec) or not isinstance(values, Vec):
        raise Unsupported("indexed amend of a dictionary of tables")
    if keys.t and not (type(i) is Atom and -i.t == keys.t) and (keys.v or type(i) is not Atom):
        raise QError("type")
    if not keys.v and not keys.t and type(i) is Atom:
        keys.t = -i.t
    wanted = raw_keys(Vec(-i.t, [i.v]))[0] if keys.t else raw_keys(Vec(0, [i]))[0]
    known = raw_keys(keys)
    if wanted in known:
        _set(values, known.index(wanted), value)
        return
    if not values.v and not values.t and type(value) is Atom:
        values.t = -value.t
    if values.t and not (type(value) is Atom and -value.t == values.t):
        raise QError("type")
    keys.v.append(i.v if keys.t else i)
    values.v.append(value.v if values.t else value)


def _put_in_table(x: Table, i: Any, value: Any) -> None:
    if type(i) is Atom and i.t == -SYMBOL:
        column = Vec(-value.t, [value.v] * x.height()) if type(value) is Atom else value
        if type(column) is not Vec or len(column.v) != x.height():
            raise QError("length")
        if i.v in x.names:
            x.columns[x.names.index(i.v)] = column
        else:
            x.names.append(i.v)
            x.columns.append(column)
        return
    if type(i) is Atom and -i.t in INTEGERS and type(value) is Dict and 0 <= i.v < x.height():
        cells = [at(value, Atom(-SYMBOL, name)) for name in x.names]
        columns = [Vec(c.t, list(c.v)) for c in x.columns]
        for column, cell in zip(columns, cells, strict=True):
            _set(column, i.v, cell)
        x.columns[:] = columns
        return
    raise Unsupported("this amend of a table")
