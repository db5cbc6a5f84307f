"""The six iterators: each, over, scan, each prior, each right, each left, with their converge, do and while forms."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from interpreters.q_subset.compare import match
from interpreters.q_subset.errors import METER, QError, Unsupported, check_size
from interpreters.q_subset.indexing import null_of
from interpreters.q_subset.values import (
    INTEGERS,
    Atom,
    Composition,
    Derived,
    Dict,
    Hole,
    Lambda,
    Prim,
    Projection,
    Table,
    Vec,
    collect_rows,
    count,
    is_function,
    item,
    items,
)

Call = Callable[[Any, list[Any]], Any]


def rank(fn: Any) -> int:
    """Return how many arguments an iterator takes a value to have; data are maps of one."""
    if type(fn) is Lambda:
        return len(fn.params)
    if type(fn) is Prim:
        return 2 if 2 in fn.calls and (fn.t == 102 or 1 not in fn.calls) else min(fn.calls)
    if type(fn) is Projection:
        return sum(type(a) is Hole for a in fn.args)
    if type(fn) is Derived:
        if fn.iterator == "'":
            return rank(fn.fn)
        return 2 if fn.iterator in ("/:", "\\:") else 1
    if type(fn) is Composition:
        return rank(fn.fns[-1])
    return 1


def call_derived(fn: Derived, args: list[Any], call: Call) -> Any:
    kind = fn.iterator
    if kind == "'":
        return each(fn.fn, args, call)
    if kind == "/:":
        return _each_right(fn.fn, args, call)
    if kind == "\\:":
        return _each_left(fn.fn, args, call)
    if kind == "':":
        return _prior(fn.fn, args, call)
    return accumulate(fn.fn, args, call, scan=kind == "\\")


def _mapped(x: Any, results: list[Any]) -> Any:
    """Return the results in the shape of x: a dictionary keeps its keys."""
    if type(x) is Dict:
        return Dict(x.keys, collect_rows(results))
    return collect_rows(results)


def _is_many(x: Any) -> bool:
    return type(x) in (Vec, Dict, Table)


def each(fn: Any, args: list[Any], call: Call) -> Any:
    if type(fn) is Vec and fn.t in INTEGERS:
        return _case(fn, args)
    if len(args) == 1:
        x = args[0]
        if not _is_many(x):
            return call(fn, args)
        if count(x) == 0:
            return _each_nothing(x)
        return _mapped(x, [call(fn, [v]) for v in items(x)])
    many = [a for a in args if _is_many(a)]
    if not many:
        return call(fn, args)
    sizes = {count(a) for a in many}
    if len(sizes) > 1:
        raise QError("length")
    dictionaries = [a for a in many if type(a) is Dict]
    if len(dictionaries) > 1 and not all(match(d.keys, dictionaries[0].keys) for d in dictionaries):
        raise Unsupported("each over dictionaries with different keys")
    size = check_size(sizes.pop())
    columns = [items(a) if _is_many(a) else [a] * size for a in args]
    results = [call(fn, list(row)) for row in zip(*columns, strict=True)]
    return _mapped(dictionaries[0] if dictionaries else many[0], results)


def _each_nothing(x: Any) -> Any:
    if type(x) is Vec:
        return Vec(0, [])
    if type(x) is Dict and type(x.values) is Vec:
        return Dict(x.keys, Vec(0, []))
    raise Unsupported("each over an empty table")


def _case(which: Vec, args: list[Any]) -> Any:
    """int'[a;b;...]: item i of the which-th argument."""
    for a in args:
        if _is_many(a) and count(a) != len(which.v):
            raise QError("length")
    picked = []
    for i, n in enumerate(which.v):
        if not 0 <= n < len(args):
            raise Unsupported("case out of range")
        picked.append(item(args[n], i) if type(args[n]) is Vec else args[n])
    return collect_rows(picked)


def _each_right(fn: Any, args: list[Any], call: Call) -> Any:
    if len(args) != 2:
        raise QError("rank")
    x, y = args
    if not _is_many(y):
        return call(fn, [x, y])
    if count(y) == 0:
        return _each_nothing(y)
    return _mapped(y, [call(fn, [x, v]) for v in items(y)])


def _each_left(fn: Any, args: list[Any], call: Call) -> Any:
    if len(args) != 2:
        raise QError("rank")
    x, y = args
    if not _is_many(x):
        return call(fn, [x, y])
    if count(x) == 0:
        return _each_nothing(x)
    return _mapped(x, [call(fn, [v, y]) for v in items(x)])


def _first_prior(fn: Any, y: Any) -> Any:
    """Return what precedes the first item: the value that makes deltas and ratios keep it, else a null."""
    name = fn.name if type(fn) is Prim else ""
    if name == ",":
        raise Unsupported(",': without a first item")
    if name in ("-", "%", "+", "*", "&"):
        return None
    values = y.values if type(y) is Dict else y
    return null_of(values)


def _prior(fn: Any, args: list[Any], call: Call) -> Any:
    y = args[-1]
    if not _is_many(y):
        if len(args) == 1 and type(fn) is Prim and fn.name in ("-", "%"):
            return y
        raise Unsupported("each prior of an atom")
    if type(y) is Dict and len(args) == 1 and type(y.values) is Vec:
        return Dict(y.keys, _prior(fn, [y.values], call))
    if type(y) is Table and len(args) == 1:
        return Table(y.names, [_prior(fn, [c], call) for c in y.columns])
    if rank(fn) != 2 and type(fn) is not Prim:
        raise Unsupported("each prior of a function that is not binary")
    values = items(y)
    if not values:
        return y
    before = args[0] if len(args) == 2 else _first_prior(fn, y)
    first = values[0] if before is None else call(fn, [values[0], before])
    rest = [call(fn, [b, a]) for a, b in itertools.pairwise(values)]
    return collect_rows([first, *rest])


def accumulate(fn: Any, args: list[Any], call: Call, scan: bool) -> Any:
    if len(args) == 1:
        if rank(fn) == 1:
            return _converge(fn, args[0], call, scan)
        return _fold(fn, args[0], call, scan)
    if len(args) == 2 and rank(fn) == 1:
        return _repeat(fn, args[0], args[1], call, scan)
    return _fold_from(fn, args[0], args[1:], call, scan)


def _converge(fn: Any, x: Any, call: Call, scan: bool) -> Any:
    history = [x]
    current = x
    while True:
        METER.charge(1)
        following = call(fn, [current])
        if match(following, current) or match(following, x):
            return collect_rows(history) if scan else current
        current = following
        if scan:
            history.append(current)


def _repeat(fn: Any, control: Any, x: Any, call: Call, scan: bool) -> Any:
    """n f/x and test f/x."""
    history = [x]
    if type(control) is Atom and -control.t in INTEGERS:
        for _ in range(control.v):
            METER.charge(1)
            x = call(fn, [x])
            if scan:
                history.append(x)
    elif is_function(control) or type(control) in (Vec, Dict):
        while _is_true(call(control, [x])):
            METER.charge(1)
            x = call(fn, [x])
            if scan:
                history.append(x)
    else:
        raise QError("type")
    return collect_rows(history) if scan else x


def _is_true(x: Any) -> bool:
    if type(x) is Atom and -x.t in INTEGERS:
        return bool(x.v != 0)
    raise QError("type")


def _fold(fn: Any, x: Any, call: Call, scan: bool) -> Any:
    if not _is_many(x):
        return x
    values = items(x)
    if not values:
        return x if scan else _fold_of_nothing(fn, x)
    current = values[0]
    history = [current]
    for value in values[1:]:
        current = call(fn, [current, value])
        if scan:
            history.append(current)
    return _mapped(x, history) if scan else current


def _fold_of_nothing(fn: Any, x: Any) -> Any:
    """The fold of an empty list: the identity element of the operators that have one."""
    t = x.t if type(x) is Vec else -1
    if type(fn) is Prim and fn.name == "," and t >= 0:
        return Vec(t, [])
    if type(fn) is Prim and t in (6, 7) and fn.name in ("+", "*"):
        return Atom(-t, 0 if fn.name == "+" else 1)
    if type(fn) is Lambda and t == 0:
        return Vec(0, [])
    raise Unsupported("fold of an empty list")


def _fold_from(fn: Any, start: Any, args: list[Any], call: Call, scan: bool) -> Any:
    """x f/y and f/[x;y;z]."""
    many = [a for a in args if _is_many(a)]
    if not many:
        return call(fn, [start, *args])
    if len({count(a) for a in many}) > 1:
        raise QError("length")
    size = check_size(count(many[0]))
    columns = [items(a) if _is_many(a) else [a] * size for a in args]
    current = start
    history = []
    for row in zip(*columns, strict=True):
        current = call(fn, [current, *row])
        if scan:
            history.append(current)
    return _mapped(many[0], history) if scan else current
