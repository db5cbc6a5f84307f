"""string, upper, lower, trim, and vs and sv in their forms for text, numbers and bytes."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from typing import Any

from interpreters.q_subset.errors import METER, QError, Unsupported, check_size
from interpreters.q_subset.format import plain_text
from interpreters.q_subset.patterns import text_of
from interpreters.q_subset.values import (
    BITS,
    BOOL,
    BYTE,
    CHAR,
    FLOAT,
    INT,
    INTEGERS,
    LONG,
    NULLS,
    REAL,
    SHORT,
    SYMBOL,
    TEMPORAL,
    Atom,
    Dict,
    Lambda,
    Table,
    Vec,
    collect,
    is_null_raw,
    items,
    need_list,
    string,
    wrap,
)


def to_string(x: Any, precision: int = 7) -> Any:
    """string x: the text of each atom."""
    if type(x) is Atom:
        return string(_text(-x.t, x.v, precision))
    if type(x) is Vec:
        METER.charge(len(x.v))
        if x.t:
            return Vec(0, [string(_text(x.t, v, precision)) for v in x.v])
        return Vec(0, [to_string(v, precision) for v in x.v])
    if type(x) is Dict:
        return Dict(x.keys, to_string(x.values, precision))
    if type(x) is Table:
        return Table(x.names, [to_string(c, precision) for c in x.columns])
    if type(x) is Lambda:
        return string(x.text)
    raise Unsupported("string of this function")


def _text(t: int, v: Any, precision: int) -> str:
    if t in (REAL, FLOAT):
        return "" if v != v else plain_text(t, v, precision)
    if t == 13 and not is_null_raw(t, v):
        return plain_text(t, v, precision) + "m"
    if t in BITS and is_null_raw(t, v):
        return ""
    if t in TEMPORAL and is_null_raw(t, v):
        return ""
    return plain_text(t, v, precision)


def on_text(f: Callable[[str], str], symbols_too: bool) -> Callable[[Any], Any]:
    """Return upper, lower, trim and their like, through lists and dictionaries."""

    def apply(x: Any) -> Any:
        if type(x) is Vec and x.t == CHAR:
            METER.charge(len(x.v))
            return string(f("".join(x.v)))
        if type(x) is Vec and x.t == SYMBOL and symbols_too:
            return Vec(SYMBOL, [f(v) for v in x.v])
        if type(x) is Vec and not x.t:
            return collect([apply(v) for v in x.v])
        if type(x) is Atom and x.t == -CHAR:
            return Atom(-CHAR, f(x.v)) if symbols_too else x
        if type(x) is Atom and x.t == -SYMBOL and symbols_too:
            return Atom(-SYMBOL, f(x.v))
        if type(x) is Dict:
            return Dict(x.keys, apply(x.values))
        if type(x) is Table:
            raise Unsupported("a string function of a table")
        raise QError("type")

    return apply


def _cased(upper: bool) -> Callable[[str], str]:
    def change(text: str) -> str:
        return "".join((c.upper() if upper else c.lower()) if c.isascii() else c for c in text)

    return change


upper, lower = on_text(_cased(upper=True), symbols_too=True), on_text(_cased(upper=False), symbols_too=True)
trim = on_text(lambda s: s.strip(" "), symbols_too=False)
ltrim = on_text(lambda s: s.lstrip(" "), symbols_too=False)
rtrim = on_text(lambda s: s.rstrip(" "), symbols_too=False)


def md5(x: Any) -> Vec:
    if type(x) is not Vec or x.t != CHAR:
        raise QError("type")
    return Vec(BYTE, list(hashlib.md5("".join(x.v).encode("latin-1"), usedforsecurity=False).digest()))


def vs(x: Any, y: Any) -> Any:
    """Split text, or the digits of a number."""
    if (type(x) is Vec and x.t == CHAR) or (type(x) is Atom and x.t == -CHAR):
        return _split(text_of(x), y)
    if type(x) is Atom and x.t == -SYMBOL:
        return _split_symbol(x.v, y)
    if type(x) is Atom and x.t in (-BOOL, -BYTE):
        return _representation(x, y)
    if type(x) in (Atom, Vec) and abs(x.t) in (SHORT, INT, LONG):
        return _digits(x, y)
    raise Unsupported("vs with this left side")


def _split(separator: str, y: Any) -> Any:
    if type(y) is Atom and y.t == -CHAR:
        y = Vec(CHAR, [y.v])
    if type(y) is not Vec or y.t != CHAR or not separator:
        if type(y) is Vec and not y.v and separator:
            raise Unsupported("vs of an empty general list")
        raise Unsupported("vs of what is no string, or by an empty one")
    METER.charge(len(y.v))
    return Vec(0, [string(part) for part in "".join(y.v).split(separator)])


def _split_symbol(separator: str, y: Any) -> Any:
    if separator != "":
        raise Unsupported("vs with a symbol")
    if type(y) is Vec and y.t == CHAR:
        text = "".join(y.v)
        lines = text.split("\n")
        if lines[-1] == "":
            lines.pop()
        return Vec(0, [string(line.removesuffix("\r")) for line in lines])
    if type(y) is Atom and y.t == -SYMBOL and not y.v.startswith(":"):
        return Vec(SYMBOL, y.v.split("."))
    raise Unsupported("` vs of this")


def _representation(x: Atom, y: Any) -> Vec:
    if type(y) is not Atom or -y.t not in (SHORT, INT, LONG, BYTE, REAL, FLOAT) or x.v:
        raise Unsupported("vs with a base of this type")
    code = {BYTE: ">B", SHORT: ">h", INT: ">i", LONG: ">q", REAL: ">f", FLOAT: ">d"}[-y.t]
    raw = struct.pack(code, y.v)
    if x.t == -BYTE:
        return Vec(BYTE, list(raw))
    if y.t in (-REAL, -FLOAT):
        raise Unsupported("bits of a float")
    return Vec(BOOL, [byte >> bit & 1 for byte in raw for bit in range(7, -1, -1)])


def _digits(x: Any, y: Any) -> Any:
    if type(y) is Vec:
        return _digit_rows(x, y)
    if type(y) is not Atom or -y.t not in (SHORT, INT, LONG):
        raise Unsupported("digits of what is no integer")
    n = y.v
    if n < 0:
        raise Unsupported("digits of a negative number or null")
    found: list[int] = []
    if type(x) is Atom:
        if x.v < 2:
            raise Unsupported("digits in this base")
        while n:
            n, digit = divmod(n, x.v)
            found.append(digit)
        return Vec(LONG, found[::-1]) if found else _no_digits()
    for i, base in reversed(list(enumerate(x.v))):
        if base < 1:
            raise Unsupported("digits in this base")
        if i == 0 and n >= base:
            raise Unsupported("more digits than bases")
        n, digit = divmod(n, base)
        found.append(digit)
    return Vec(LONG, found[::-1])


def _no_digits() -> Any:
    raise Unsupported("the digits of zero")


def _digit_rows(x: Any, y: Vec) -> Any:
    """The digits of several numbers: one row for each place."""
    if y.t not in (INT, LONG) or not y.v or type(x) is not Atom:
        if type(x) is Vec and y.t == LONG and y.v:
            return Vec(0, [Vec(LONG, list(row)) for row in zip(*[_digits(x, v).v for v in items(y)], strict=True)])
        raise Unsupported("digits of this list")
    rows = [_digits(x, v).v if v.v else [] for v in items(y)]
    size = max(map(len, rows))
    check_size(size * len(rows))
    return Vec(0, [Vec(LONG, list(row)) for row in zip(*[[0] * (size - len(r)) + r for r in rows], strict=True)])


def sv(x: Any, y: Any) -> Any:
    """Join text, or make a number of digits."""
    if (type(x) is Vec and x.t == CHAR) or (type(x) is Atom and x.t == -CHAR):
        parts = [text_of(v) for v in items(y)] if type(y) is Vec and (not y.t or y.t == SYMBOL) else refuse_sv(y)
        if type(y) is Vec and y.t == SYMBOL:
            raise QError("type")
        check_size(sum(map(len, parts)) + len(parts) * len(text_of(x)))
        return string(text_of(x).join(parts))
    if type(x) is Atom and x.t == -SYMBOL:
        return _join_by_symbol(x, y)
    if type(x) is Atom and x.t in (-BOOL, -BYTE):
        return _from_bits(x, y)
    if type(x) in (Atom, Vec) and abs(x.t) in INTEGERS:
        return _from_digits(x, y)
    raise Unsupported("sv with this left side")


def refuse_sv(y: Any) -> list[str]:
    if type(y) is Vec and y.t == CHAR:
        raise Unsupported("sv of a string")
    raise QError("type")


def _join_by_symbol(x: Atom, y: Any) -> Any:
    if x.v != "" or type(y) is not Vec:
        raise Unsupported("sv with a symbol")
    if y.t == SYMBOL and not y.v[0].startswith(":"):
        return Atom(-SYMBOL, ".".join(y.v))
    if y.t == 0 and all(type(v) is Vec and v.t == CHAR for v in y.v):
        return string("".join("".join(v.v) + "\n" for v in y.v))
    raise Unsupported("` sv of this")


def _from_bits(x: Atom, y: Any) -> Atom:
    if type(y) is not Vec or y.t not in (BOOL, BYTE):
        raise QError("type")
    bits = y.v if y.t == BOOL else [byte >> bit & 1 for byte in y.v for bit in range(7, -1, -1)]
    kind = {16: SHORT, 32: INT, 64: LONG, 8: BYTE}.get(len(bits))
    if kind is None or (y.t == BYTE) != (x.t == -BYTE) or (kind == BYTE and x.t == -BYTE):
        raise QError("length") if kind is None else Unsupported("sv of these bits")
    n = int("".join(map(str, bits)), 2)
    return Atom(-kind, n if kind == BYTE else wrap(kind, n))


def _from_digits(x: Any, y: Any) -> Any:
    if type(y) is Vec and y.t == 0:
        raise Unsupported("sv of a list of lists")
    digits = need_list(y)
    if digits.t not in (BOOL, SHORT, INT, LONG) or abs(x.t) not in (INT, LONG):
        raise Unsupported("sv of this type")
    if any(is_null_raw(digits.t, d) for d in digits.v) or NULLS[LONG] in (x.v if type(x) is Vec else [x.v]):
        raise Unsupported("sv of nulls")
    bases = [x.v] * len(digits.v) if type(x) is Atom else x.v
    if len(bases) != len(digits.v):
        raise QError("length")
    n = 0
    for base, digit in zip(bases, digits.v, strict=True):
        n = wrap(LONG, n * base + digit)
    return Atom(-LONG, n)
