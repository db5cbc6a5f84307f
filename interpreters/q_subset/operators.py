"""The operators with many meanings: @ . ? ! # _ , and the traps; fby, show, set and their like."""

from __future__ import annotations

import itertools
from typing import Any

from interpreters.q_subset.amending import Update, amend, update_by
from interpreters.q_subset.application import SESSION, apply
from interpreters.q_subset.errors import METER, QError, Unsupported
from interpreters.q_subset.format import console, one_line
from interpreters.q_subset.lists import take
from interpreters.q_subset.searching import find
from interpreters.q_subset.tables import bang, insert, upsert
from interpreters.q_subset.values import (
    BOOL,
    LONG,
    NULL,
    NULLS,
    SYMBOL,
    Atom,
    Composition,
    Null,
    Prim,
    Table,
    Vec,
    collect,
    is_function,
    is_keyed,
    item,
    items,
    raw_keys,
    string,
)


def at_two(x: Any, y: Any) -> Any:
    return apply(x, [y])


def dot_two(x: Any, y: Any) -> Any:
    if type(y) is not Vec:
        raise QError("rank" if type(y) is Atom else "type")
    if not y.v:
        if is_function(x):
            raise Unsupported("apply to no arguments")
        return x
    return apply(x, items(y))


def trap(fn: Any, args: list[Any], handler: Any) -> Any:
    depth = METER.depth
    try:
        return apply(fn, args)
    except QError as error:
        METER.depth = depth
        return apply(handler, [string(error.name)]) if is_function(handler) else handler


def at_three(x: Any, y: Any, z: Any) -> Any:
    """@[f;x;e] traps; @[list;i;f] amends by a unary function."""
    if is_function(x):
        return trap(x, [y], z)
    return _amended(x, [y], Update(lambda old, new: apply(z, [old])), None)


def dot_three(x: Any, y: Any, z: Any) -> Any:
    if is_function(x):
        if type(y) is not Vec or not y.v:
            raise QError("type")
        return trap(x, items(y), z)
    return _amended(x, _path(y), Update(lambda old, new: apply(z, [old])), None)


def _path(y: Any) -> list[Any]:
    if type(y) is not Vec:
        raise QError("type")
    return list(items(y))


def at_four(x: Any, i: Any, f: Any, y: Any) -> Any:
    return _amended(x, [i], update_by(f), y)


def dot_four(x: Any, i: Any, f: Any, y: Any) -> Any:
    return _amended(x, _path(i), update_by(f), y)


def _amended(x: Any, path: list[Any], f: Update, y: Any) -> Any:
    if type(x) is Atom and x.t == -SYMBOL:
        machine = SESSION[0]
        machine.globals[x.v] = amend(machine.look_up(x.v), path, f, y)
        return x
    return amend(x, path, f, y)


def query(x: Any, y: Any) -> Any:
    """x?y: find; a random choice is refused, since its outcome is nobody's to predict."""
    if type(x) is Atom:
        raise Unsupported("random numbers") if -x.t in (5, 6, 7) else QError("type")
    return find(x, y)


def choose(x: Any, y: Any, z: Any) -> Any:
    """?[flags;a;b]: item by item from one or the other."""
    if type(x) is not Vec or x.t != BOOL:
        raise QError("type")
    size = len(x.v)
    for part in (y, z):
        if type(part) is Vec and len(part.v) != size:
            raise QError("length")
        if type(part) not in (Vec, Atom):
            raise Unsupported("vector conditional of a table or dictionary")
    if abs(y.t) != abs(z.t):
        raise QError("type") if y.t and z.t else Unsupported("vector conditional of different types")
    pairs = [item(y, i) if type(y) is Vec else y for i in range(size)]
    others = [item(z, i) if type(z) is Vec else z for i in range(size)]
    picked = [a if flag else b for flag, a, b in zip(x.v, pairs, others, strict=True)]
    return collect(picked) if picked else Vec(abs(y.t), [])


def exclaim(x: Any, y: Any) -> Any:
    if type(x) is Atom and -x.t == LONG and x.v == NULLS[LONG]:
        machine = SESSION[0]
        machine.printed.append(one_line(y, machine.precision) + "\n")
        return y
    if type(x) is Atom and x.t == -LONG and x.v == -3:
        return string(one_line(y, SESSION[0].precision))
    return bang(x, y)


def hash_sign(x: Any, y: Any) -> Any:
    """x#y: take, or set an attribute."""
    if type(x) is Atom and x.t == -SYMBOL and type(y) is Vec:
        return set_attribute(x.v, y)
    if type(x) is Atom and x.t == -SYMBOL and type(y) is Table:
        raise Unsupported("an attribute of a table")
    if is_function(x):
        raise Unsupported("take by a function")
    return take(x, y)


def set_attribute(name: str, x: Vec) -> Vec:
    if name not in ("", "s", "u", "p", "g"):
        raise QError("type")
    if not x.t and name:
        raise Unsupported("an attribute of a general list")
    keys = raw_keys(x)
    if name == "s":
        from interpreters.q_subset.compare import sort_keys

        ordered = sort_keys(x)
        if any(b < a for a, b in itertools.pairwise(ordered)):
            raise QError("s-fail")
    if name == "u" and len(set(keys)) < len(keys):
        raise QError("u-fail")
    if name == "p" and sum(a != b for a, b in itertools.pairwise(keys)) + 1 > max(1, len(set(keys))):
        raise QError("u-fail")
    return Vec(x.t, x.v, name)


def attribute(x: Any) -> Any:
    if type(x) is Vec:
        return Atom(-SYMBOL, x.attr)
    raise Unsupported("attr of what is no list")


def compose(*fns: Any) -> Any:
    return Composition(list(fns))


def fby(x: Any, y: Any) -> Any:
    """(f;values) fby groups."""
    from interpreters.q_subset.indexing import take_positions
    from interpreters.q_subset.sets import group

    if type(x) is not Vec or len(x.v) != 2 or x.t:
        raise QError("type")
    fn, values = x.v
    if type(y) not in (Vec, Table):
        raise Unsupported("fby of what is no list")
    grouped = group(y)
    size = len(raw_keys(y))
    if type(values) not in (Vec, Table) or len(raw_keys(values)) != size:
        raise QError("length")
    found: list[Any] = [None] * size
    for places in items(grouped.values):
        result = apply(fn, [take_positions(values, places.v)])
        if type(result) is Vec and len(result.v) != len(places.v):
            raise QError("length")
        for n, place in enumerate(places.v):
            found[place] = item(result, n) if type(result) is Vec else result
    return collect(found) if found else Vec(0, [])


def show(x: Any) -> Any:
    machine = SESSION[0]
    machine.printed.append(console(x, machine.precision) + "\n")
    return NULL


def set_global(x: Any, y: Any) -> Any:
    if type(x) is not Atom or x.t != -SYMBOL or x.v.startswith(":") or not x.v:
        raise Unsupported("set of a file")
    SESSION[0].store(x.v, y)
    return x


def in_place(change: Any) -> Any:
    """Let a function of a table take the name of one, and change that global."""

    def apply_named(x: Any, y: Any) -> Any:
        if type(y) is Atom and y.t == -SYMBOL:
            machine = SESSION[0]
            machine.globals[y.v] = change(x, machine.look_up(y.v))
            return y
        return change(x, y)

    return apply_named


def upsert_named(x: Any, y: Any) -> Any:
    if type(x) is Atom and x.t == -SYMBOL:
        machine = SESSION[0]
        if x.v not in machine.globals and y.t not in (98, 99):
            raise QError("type")
        machine.globals[x.v] = upsert(machine.look_up(x.v), y) if x.v in machine.globals else y
        return x
    return upsert(x, y)


def insert_named(x: Any, y: Any) -> Any:
    if type(x) is not Atom or x.t != -SYMBOL:
        raise QError("type")
    machine = SESSION[0]
    if x.v not in machine.globals:
        if type(y) is not Table and y.t != 99:
            raise QError("type")
        machine.globals[x.v] = y
        return Vec(LONG, list(range(len(items(y)))))
    machine.globals[x.v], where = insert(machine.look_up(x.v), y)
    return where


def type_of(x: Any) -> Any:
    if type(x) is Prim and x.t != 102:
        raise Unsupported("type of a keyword")
    return Atom(-5, x.t)


def table_names(x: Any) -> Any:
    """tables[]: the names of the tables in the root namespace."""
    if type(x) is not Null:
        raise Unsupported("tables of a namespace")
    found = SESSION[0].globals
    return Vec(SYMBOL, sorted(n for n, v in found.items() if "." not in n and (type(v) is Table or is_keyed(v))))


def view_text(x: Any) -> Any:
    from interpreters.q_subset.machine import View

    if type(x) is not Atom or x.t != -SYMBOL:
        raise QError("type")
    value = SESSION[0].globals.get(x.v)
    if type(value) is not View:
        raise QError("view")
    return string(value.text)
