"""Applying values to arguments: functions are called, lists and dictionaries indexed, missing arguments project."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interpreters.q_subset.errors import METER, QError, Unsupported
from interpreters.q_subset.indexing import deep
from interpreters.q_subset.iterators import call_derived
from interpreters.q_subset.values import (
    HOLE,
    NULL,
    Atom,
    Composition,
    Derived,
    Dict,
    Hole,
    Lambda,
    Null,
    Prim,
    Projection,
    Table,
    Vec,
    collect,
)

# Set by machine.py, which runs the bodies of lambdas and knows the names.
RUN_LAMBDA: list[Callable[[Lambda, list[Any]], Any]] = []
LOOK_UP: list[Callable[[str], Any]] = []
HANDLE: list[Callable[[int, list[Any]], Any]] = []
SESSION: list[Any] = []  # the Machine, for the keywords that read or write globals


def apply(fn: Any, args: list[Any]) -> Any:
    """Apply a value to arguments (at least one; a HOLE stands for an elided one)."""
    METER.charge(1)
    return _BY_KIND[type(fn)](fn, args)


def _has_hole(args: list[Any]) -> bool:
    return HOLE in args  # there is one Hole, and values compare by identity


def _lambda(fn: Lambda, args: list[Any]) -> Any:
    want = len(fn.params)
    if len(args) > want and not (want == 0 and len(args) == 1):
        raise QError("rank")
    if want == 0 or (want == 1 and type(args[0]) is Hole and len(args) == 1):
        return RUN_LAMBDA[0](fn, [NULL])
    if len(args) < want or _has_hole(args):
        return Projection(fn, args + [HOLE] * (want - len(args)))
    return RUN_LAMBDA[0](fn, args)


def _prim(fn: Prim, args: list[Any]) -> Any:
    call = fn.calls.get(len(args))
    if call is not None and not _has_hole(args):
        return call(*args)
    if len(args) == 1 and type(args[0]) is Hole and 1 in fn.calls:
        return fn.calls[1](NULL)
    if len(args) > fn.most:
        raise QError("rank")
    smallest = min(n for n in fn.calls if n >= len(args))
    if len(args) > 2 and call is None:
        raise QError("rank")
    return Projection(fn, args + [HOLE] * (smallest - len(args)))


def _projection(fn: Projection, args: list[Any]) -> Any:
    holes = sum(type(a) is Hole for a in fn.args)
    if len(args) > holes:
        raise QError("rank")
    filling = iter(args)
    filled = [next(filling, HOLE) if type(a) is Hole else a for a in fn.args]
    if fn.fn is None:
        return Projection(None, filled) if _has_hole(filled) else collect(filled)
    return Projection(fn.fn, filled) if _has_hole(filled) else apply(fn.fn, filled)


def _composition(fn: Composition, args: list[Any]) -> Any:
    if _has_hole(args):
        raise Unsupported("projection of a composition")
    result = apply(fn.fns[-1], args)
    for outer in reversed(fn.fns[:-1]):
        result = apply(outer, [result])
    return result


def _null(fn: Null, args: list[Any]) -> Any:
    if len(args) > 1:
        raise QError("rank")
    return args[0]


def _atom(fn: Atom, args: list[Any]) -> Any:
    if fn.t == -11:
        if fn.v.startswith(":"):
            raise Unsupported("file and process handles")
        return apply(LOOK_UP[0](fn.v), args)
    if fn.t in (-6, -7):
        return HANDLE[0](fn.v, args)
    raise QError("type")


def _derived(fn: Derived, args: list[Any]) -> Any:
    if _has_hole(args):
        if len(args) == 1:
            raise Unsupported("a derived function without arguments")
        return Projection(fn, args)
    if fn.iterator in ("/:", "\\:") and len(args) == 1:
        return Projection(fn, [args[0], HOLE])
    return call_derived(fn, args, apply)


def _hole(fn: Hole, args: list[Any]) -> Any:
    raise QError("type")


_BY_KIND: dict[type, Callable[[Any, list[Any]], Any]] = {
    Lambda: _lambda,
    Prim: _prim,
    Projection: _projection,
    Composition: _composition,
    Null: _null,
    Atom: _atom,
    Derived: _derived,
    Hole: _hole,
    Vec: deep,
    Dict: deep,
    Table: deep,
}
