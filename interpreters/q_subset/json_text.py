"""JSON: .j.j writes, .j.k reads."""

from __future__ import annotations

import json
from typing import Any

from interpreters.q_subset.errors import METER, QError, Unsupported
from interpreters.q_subset.format import float_text
from interpreters.q_subset.values import (
    BOOL,
    CHAR,
    FLOAT,
    NULL,
    SYMBOL,
    Atom,
    Dict,
    Prim,
    Table,
    Vec,
    collect_rows,
    floating,
    is_keyed,
    is_null_raw,
    items,
    string,
    symbols,
)


def to_json(x: Any) -> Vec:
    return string(_json(x))


def _json(x: Any) -> str:
    METER.charge(1)
    if type(x) is Atom:
        return _atom(-x.t, x.v)
    if type(x) is Vec:
        if x.t == CHAR:
            return json.dumps("".join(x.v))
        return "[" + ",".join(_json(v) for v in items(x)) + "]"
    if type(x) is Table:
        return "[" + ",".join(_json(v) for v in items(x)) + "]"
    if type(x) is Dict and not is_keyed(x) and type(x.keys) is Vec and x.keys.t == SYMBOL:
        pairs = zip(x.keys.v, items(x.values), strict=True)
        return "{" + ",".join(f"{json.dumps(k)}:{_json(v)}" for k, v in pairs) + "}"
    raise Unsupported(".j.j of this")


def _atom(t: int, v: Any) -> str:
    if t == BOOL:
        return "true" if v else "false"
    if t in (SYMBOL, CHAR):
        return json.dumps(v)
    if t not in (5, 6, 7, FLOAT):
        raise Unsupported(f".j.j of type {t}")
    if is_null_raw(t, v):
        return "null"
    if t == FLOAT:
        text = float_text(v, 7)
        return {"0w": "inf", "-0w": "-inf"}.get(text, text)
    return str(v)


def from_json(x: Any) -> Any:
    if type(x) is not Vec or x.t != CHAR:
        raise QError("type")
    try:
        parsed = json.loads("".join(x.v), parse_constant=_refuse)
    except ValueError as e:
        raise Unsupported("text that is no JSON") from e
    return _value(parsed)


def _refuse(text: str) -> Any:
    raise Unsupported(f"JSON constant {text}")


def _value(x: Any) -> Any:
    METER.charge(1)
    if isinstance(x, bool):
        return Atom(-BOOL, int(x))
    if isinstance(x, int | float):
        return floating(float(x))
    if isinstance(x, str):
        return string(x.encode("utf-8").decode("latin-1"))
    if isinstance(x, list):
        return collect_rows([_value(v) for v in x])
    if isinstance(x, dict):
        return Dict(symbols(x), collect_rows([_value(v) for v in x.values()]))
    return floating(float("nan")) if x is None else NULL


JSON = {".j.j": Prim(".j.j", {1: to_json}, 100), ".j.k": Prim(".j.k", {1: from_json}, 100)}
