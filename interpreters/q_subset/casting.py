"""Casts ("i"$x, `date$x, 9h$x) from one type to another, and what `$` does by its left side."""

from __future__ import annotations

import math
from typing import Any

from interpreters.q_subset.errors import METER, QError, Unsupported
from interpreters.q_subset.temporal import DAY_NS, UNIT_NS, year_month_day
from interpreters.q_subset.values import (
    BITS,
    BOOL,
    BYTE,
    CHAR,
    CHAR_TYPES,
    DATE,
    DATETIME,
    FLOAT,
    FLOATS,
    GUID,
    INFS,
    INTEGERS,
    LONG,
    MINUTE,
    MONTH,
    NAME_TYPES,
    NULLS,
    REAL,
    SECOND,
    SYMBOL,
    TEMPORAL,
    TIME,
    TIMESPAN,
    TIMESTAMP,
    TYPE_CHARS,
    Atom,
    Dict,
    Table,
    Vec,
    collect,
    is_null_raw,
    string,
    to_real,
)

CLOCKS = (MINUTE, SECOND, TIME, TIMESPAN)
PARTS = ("year", "mm", "dd", "hh", "uu", "ss", "week")


def cast(t: int, x: Any) -> Any:
    """Return x as type t, through lists, dictionaries and tables."""
    if type(x) is Atom:
        return Atom(-t, cast_plain(-x.t, t, x.v))
    if type(x) is Vec:
        METER.charge(len(x.v))
        if x.t:
            return Vec(t, [cast_plain(x.t, t, v) for v in x.v])
        return Vec(t, []) if not x.v else collect([cast(t, v) for v in x.v])
    if type(x) is Dict:
        return Dict(x.keys, cast(t, x.values))
    if type(x) is Table:
        return Table(x.names, [cast(t, c) for c in x.columns])
    raise QError("type")


def cast_vector(t: int, x: Vec) -> Vec:
    """Return a general list of numeric atoms as a vector."""
    return Vec(t, [cast_plain(-v.t, t, v.v) for v in x.v])


def cast_plain(source: int, target: int, v: Any) -> Any:
    if source == target:
        return v
    if source in (SYMBOL, GUID) or target in (SYMBOL, GUID):
        raise QError("type") if target != SYMBOL else Unsupported(f"cast of type {source} to symbol")
    if source == CHAR:
        return cast_plain(BYTE, target, ord(v)) if ord(v) < 256 else _refuse(source, target)
    if target == BOOL:
        return int(v != 0)
    null = is_null_raw(source, v)
    if target == CHAR:
        return _to_char(source, v)
    if target == BYTE:
        if null or source in FLOATS:
            _refuse(source, target)
        return v & 255
    if source in TEMPORAL and target in TEMPORAL:
        return _between_times(source, target, v, null)
    if null:
        return NULLS[target]
    return _number(source, target, v)


def _refuse(source: int, target: int) -> Any:
    raise Unsupported(f"cast of type {source} to {target}")


def _to_char(source: int, v: Any) -> str:
    if source not in INTEGERS:
        _refuse(source, CHAR)
    return chr(v & 255)


def _number(source: int, target: int, v: Any) -> Any:
    if target in FLOATS:
        if source in INFS and source not in FLOATS and abs(v) == INFS[source]:
            _refuse(source, target)
        return to_real(float(v)) if target == REAL else float(v)
    if source in FLOATS:
        if math.isinf(v) or abs(v) > INFS[target]:
            _refuse(source, target)
        if source == DATETIME or target in TEMPORAL:
            _refuse(source, target)
        return _nearest(v)
    if source not in (BOOL, BYTE) and abs(v) == INFS[source]:
        _refuse(source, target)
    if abs(v) > INFS[target]:
        _refuse(source, target)
    return v


def _nearest(v: float) -> int:
    """Round half up, as q's cast of a float does."""
    if v != math.floor(v) and v - math.floor(v) == 0.5:
        return math.floor(v) + 1 if v > 0 else _refuse(FLOAT, LONG)
    return round(v)


def _between_times(source: int, target: int, v: Any, null: bool) -> Any:
    if null:
        return NULLS[target]
    if (source in BITS and abs(v) == INFS[source]) or (source == DATETIME and math.isinf(v)):
        _refuse(source, target)
    if source in CLOCKS and target in CLOCKS:
        return v * UNIT_NS[source] // UNIT_NS[target]
    moment = _moment(source, target, v)
    if target == TIMESTAMP:
        return moment
    if target == DATE:
        return moment // DAY_NS
    if target == DATETIME:
        return moment / DAY_NS
    if target == MONTH:
        year, month, _ = year_month_day(moment // DAY_NS)
        return (year - 2000) * 12 + month - 1
    return moment % DAY_NS // UNIT_NS[target]


def _moment(source: int, target: int, v: Any) -> int:
    """Return nanoseconds since 2000."""
    if source == TIMESTAMP:
        return int(v)
    if source == DATE:
        return int(v) * DAY_NS
    if source == MONTH:
        from interpreters.q_subset.temporal import days

        return (days(2000 + v // 12, v % 12 + 1, 1) or 0) * DAY_NS
    if source == DATETIME:
        return round(v * 86_400_000) * 1_000_000
    return int(_refuse(source, target))


def part(name: str, x: Any) -> Any:
    """Return the year, month, day, hour, minute or second of a time: `year$x and x.year."""
    if type(x) is Vec:
        return collect([part(name, Atom(-x.t, v)) for v in x.v]) if x.t else collect([part(name, v) for v in x.v])
    if type(x) is not Atom:
        raise Unsupported(f"{name} of a dictionary or table")
    kind = -x.t
    if kind not in TEMPORAL:
        raise QError("type")
    if is_null_raw(kind, x.v):
        return Atom(-6, NULLS[6])
    if name in ("year", "mm", "dd"):
        year, month, day = year_month_day(cast_plain(kind, DATE, x.v))
        return Atom(-6, {"year": year, "mm": month, "dd": day}[name])
    if name == "week":
        day = cast_plain(kind, DATE, x.v)
        return Atom(-DATE, day - (day + 5) % 7)
    seconds = cast_plain(kind, TIMESPAN, x.v) // 10**9
    return Atom(-6, {"hh": seconds // 3600, "uu": seconds // 60 % 60, "ss": seconds % 60}[name])


def dotted_part(name: str, x: Any) -> Any:
    """Return x.year, x.month, x.minute ... of a time or list of times."""
    if type(x) not in (Atom, Vec) or abs(x.t) not in TEMPORAL:
        raise Unsupported(f".{name} of what is no time")
    if name in PARTS:
        return part(name, x)
    if name in ("date", "month", "minute", "second", "time", "timespan"):
        return cast(NAME_TYPES[name], x)
    raise Unsupported(f".{name} of a time")


def target_type(x: Atom) -> int:
    """Return the type that a left side of `$` names. Raises QError type for an unknown one."""
    if x.t == -SYMBOL:
        if x.v not in NAME_TYPES:
            raise QError("cast") if x.v not in PARTS and not _is_global(x.v) else Unsupported(f"`{x.v}$")
        return NAME_TYPES[x.v]
    if x.t == -CHAR:
        if x.v.lower() not in CHAR_TYPES:
            raise QError("type")
        return CHAR_TYPES[x.v.lower()]
    number = abs(x.v)
    if number > 19 or TYPE_CHARS[number] == " ":
        raise QError("type")
    return int(number)


def _is_global(name: str) -> bool:
    """Whether `name$x enumerates x over a list."""
    from interpreters.q_subset.application import SESSION

    return bool(SESSION) and name in SESSION[0].globals


def dollar(x: Any, y: Any) -> Any:
    """x$y: cast, tok, padding, or the product of matrices."""
    from interpreters.q_subset.tok import tok

    if type(x) is Vec and x.t in (REAL, FLOAT):
        from interpreters.q_subset.matrices import matrix_product

        return matrix_product(x, y)
    if type(x) is Vec and x.t == 0 and x.v and type(x.v[0]) is Vec and x.v[0].t in (REAL, FLOAT):
        from interpreters.q_subset.matrices import matrix_product

        return matrix_product(x, y)
    if type(x) is Vec:
        return _item_by_item(x, y)
    if type(x) is not Atom:
        raise QError("type")
    if -x.t in (6, 7):
        return pad(x.v, y)
    if x.t == -SYMBOL:
        if x.v == "":
            return tok(SYMBOL, y)
        if x.v in PARTS:
            return part(x.v, y)
        return _cast_or_symbol(target_type(x), y)
    if x.t == -CHAR:
        if x.v == "*":
            return y
        if x.v.isupper():
            return tok(target_type(x), y)
        return _cast_or_symbol(target_type(x), y)
    if x.t == -5:
        return tok(-x.v, y) if x.v < 0 else _cast_or_symbol(target_type(x), y)
    raise QError("type")


def _cast_or_symbol(t: int, y: Any) -> Any:
    if t == SYMBOL and type(y) is Vec and not y.v:
        return Vec(SYMBOL, [])
    if t == SYMBOL and not (type(y) in (Atom, Vec) and abs(y.t) == SYMBOL):
        raise Unsupported("cast to symbol other than by `$")
    return cast(t, y)


def _item_by_item(x: Vec, y: Any) -> Any:
    from interpreters.q_subset.values import items

    if type(y) is Vec and len(y.v) == len(x.v):
        return collect([dollar(a, b) for a, b in zip(items(x), items(y), strict=True)])
    if type(y) is Atom:
        return collect([dollar(a, y) for a in items(x)])
    raise QError("length")


def pad(n: int, y: Any) -> Any:
    """n$"text": cut or padded with spaces to n characters; on the left for negative n."""
    from interpreters.q_subset.errors import check_size

    check_size(abs(n))
    if type(y) is Atom and y.t == -CHAR:
        y = string(y.v)
    if type(y) is Vec and y.t == 0 and y.v:
        return collect([pad(n, v) for v in y.v])
    if type(y) is not Vec or y.t != CHAR:
        raise QError("type")
    text = "".join(y.v)
    if n < 0 and len(text) > -n:
        raise Unsupported("a string longer than its padding on the left")
    return string(text[:n].ljust(n) if n >= 0 else text[n:].rjust(-n) if len(text) > -n else text.rjust(-n))
