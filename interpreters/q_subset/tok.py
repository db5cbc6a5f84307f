"""Tok: reading values from text, "J"$"42"."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable
from typing import Any

from interpreters.q_subset.errors import METER, QError, Unsupported
from interpreters.q_subset.temporal import DAY_NS, days, nanoseconds
from interpreters.q_subset.values import (
    BOOL,
    BYTE,
    CHAR,
    DATE,
    FLOAT,
    GUID,
    INFS,
    INT,
    LONG,
    MINUTE,
    MONTH,
    NAN,
    NULLS,
    REAL,
    SECOND,
    SHORT,
    SYMBOL,
    TIME,
    TIMESPAN,
    TIMESTAMP,
    Atom,
    Dict,
    Table,
    Vec,
    collect,
    to_real,
    wrap,
)


def tok(t: int, y: Any) -> Any:
    """Return the value of type t in a text; of each text in a list, dictionary or table."""
    if type(y) is Atom:
        if y.t == -CHAR:
            return Atom(-t, read(t, y.v))
        if t == SYMBOL and y.t == -SYMBOL:
            return y
        raise QError("type")
    if type(y) is Vec:
        METER.charge(len(y.v))
        if y.t == CHAR:
            return Atom(-t, read(t, "".join(y.v)))
        if y.t == 0:
            return collect([tok(t, v) for v in y.v]) if y.v else Vec(t, [])
        if t == SYMBOL and y.t == SYMBOL:
            return y
        raise QError("type")
    if type(y) is Dict:
        return Dict(y.keys, tok(t, y.values))
    if type(y) is Table:
        return Table(y.names, [tok(t, c) for c in y.columns])
    raise QError("type")


def read(t: int, text: str) -> Any:
    reader = _READERS.get(t)
    if reader is None:
        raise Unsupported(f"tok of type {t}")
    return reader(text)


def _boolean(text: str) -> int:
    return int(text.strip() in ("1", "t", "T", "y", "Y", "x", "X"))


def _byte(text: str) -> int:
    digits = text.strip()
    return int(digits, 16) if re.fullmatch(r"[0-9a-fA-F]{1,2}", digits) else refuse("X", text)


def refuse(kind: str, text: str) -> Any:
    raise Unsupported(f'"{kind}"$"{text[:30]}"')


def _integer(t: int) -> Callable[[str], int]:
    def read_integer(text: str) -> int:
        word = text.strip()
        if re.fullmatch(r"[+-]?\d{1,25}", word):
            if word.startswith("+"):
                refuse("J", text)
            n = int(word)
            return n if abs(n) <= INFS[t] else int(NULLS[t])
        if t == INT and re.fullmatch(r"\d+\.\d+\.\d+\.\d+", word):
            return wrap(INT, _address(word) & 0xFFFFFFFF)
        if re.fullmatch(r"-?0[wW]", word):
            return int(INFS[t] if word[0] == "0" else -INFS[t])
        if word == "" or re.fullmatch(r"[A-Za-z]\w*|0N|\D|-", word):
            return int(NULLS[t])
        if re.fullmatch(r"-?\d+\.\d+|[^\d.:,-]+|\d+[a-zA-Z ]+", word) or (t != INT and "." not in word):
            return int(NULLS[t]) if not re.fullmatch(r"\d+[hijefb]|0x\w*", word) else int(refuse("J", text))
        return int(refuse("J", text))

    return read_integer


def _float(text: str) -> float:
    word = text.strip()
    if re.fullmatch(r"-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", word):
        return float(word)
    if re.fullmatch(r"-?0[wW]", word):
        return -math.inf if word[0] == "-" else math.inf
    if word in ("", "0n", "0N") or re.fullmatch(r"[a-zA-Z]+", word):
        return NAN if word.lower() not in ("inf", "nan", "e", "infinity") else float(refuse("F", text))
    return float(refuse("F", text))


def _address(word: str) -> int:
    """Return an IP address as a number; one of version 4 as version 6 maps it."""
    try:
        address = ipaddress.ip_address(word)
    except ValueError:
        return int(refuse("G", word))
    return int(address) + (0xFFFF << 32 if address.version == 4 else 0)


def _guid(text: str) -> int:
    word = text.strip()
    digits = word.replace("-", "")
    if len(digits) == 32 and re.fullmatch(r"[0-9a-fA-F]+", digits):
        return int(digits, 16)
    return _address(word)


def _char(text: str) -> str:
    return text if len(text) == 1 else str(refuse("C", text))


_DATE = re.compile(r"(\d{4})[-./]?(\d\d)[-./]?(\d\d)")
_CLOCK = re.compile(r"(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?")
_DIGITS = re.compile(r"(\d\d)(\d\d)(?:(\d\d)(\d{0,9}))?")


def _date(text: str) -> int:
    word = text.strip()
    found = _DATE.fullmatch(word)
    if found:
        day = days(int(found[1]), int(found[2]), int(found[3]))
        return day if day is not None else int(NULLS[DATE])
    if word == "" or word.isalpha() or re.fullmatch(r"\d{9,10}", word):
        return int(NULLS[DATE])
    return int(refuse("D", text))


def _month(text: str) -> int:
    found = re.fullmatch(r"(\d{4})[-./]?(\d\d)", text.strip())
    if not found or not 1 <= int(found[2]) <= 12:
        return int(refuse("M", text))
    return (int(found[1]) - 2000) * 12 + int(found[2]) - 1


def _clock(text: str) -> int | None:
    """Return nanoseconds, None for no text."""
    word = text.strip()
    if word == "":
        return None
    found = _CLOCK.fullmatch(word) or _DIGITS.fullmatch(word)
    if not found or int(found[1]) > 23 or int(found[2]) > 59 or int(found[3] or 0) > 59:
        return int(refuse("T", text))
    return nanoseconds(*found.groups())


def _time(t: int, unit: int) -> Callable[[str], int]:
    def read_time(text: str) -> int:
        clock = _clock(text)
        return int(NULLS[t]) if clock is None else clock // unit

    return read_time


def _timestamp(text: str) -> int:
    word = text.strip()
    if word == "":
        return int(NULLS[TIMESTAMP])
    epoch = re.fullmatch(r"(\d{10,11})(?:\.(\d{1,9}))?", word)
    if epoch:
        start = days(1970, 1, 1) or 0
        return start * DAY_NS + int(epoch[1]) * 10**9 + int((epoch[2] or "").ljust(9, "0"))
    moment = re.fullmatch(r"(\d{4}[-./]?\d\d[-./]?\d\d)(?:[DT -](.+))?", word)
    if not moment:
        return int(refuse("P", text))
    clock = _clock(moment[2]) if moment[2] else 0
    return _date(moment[1]) * DAY_NS + (clock or 0)


def _datetime(text: str) -> float:
    moment = _timestamp(text)
    return NAN if moment == NULLS[TIMESTAMP] else moment / DAY_NS


def _timespan(text: str) -> int:
    found = re.fullmatch(r"(\d+)D(.*)", text.strip())
    if found:
        return int(found[1]) * DAY_NS + (_clock(found[2]) or 0)
    return _time(TIMESPAN, 1)(text)


_READERS: dict[int, Callable[[str], Any]] = {
    BOOL: _boolean,
    BYTE: _byte,
    SHORT: _integer(SHORT),
    INT: _integer(INT),
    LONG: _integer(LONG),
    REAL: lambda text: to_real(_float(text)),
    FLOAT: _float,
    CHAR: _char,
    SYMBOL: lambda text: text.strip(" \t\n\r\v\f"),  # not what Latin-1 calls white space: chars are bytes
    DATE: _date,
    MONTH: _month,
    MINUTE: _time(MINUTE, 60_000_000_000),
    SECOND: _time(SECOND, 1_000_000_000),
    TIME: _time(TIME, 1_000_000),
    TIMESPAN: _timespan,
    TIMESTAMP: _timestamp,
    15: _datetime,
    GUID: _guid,
}
