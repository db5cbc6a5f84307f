"""Single values between Python and q: the plain Python value inside an atom or a vector, in both directions.

What does not fit raises WireError with one sentence.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any

from interpreters.base import Value
from interpreters.q_subset import values as q
from interpreters.q_subset.temporal import EPOCH
from interpreters.wire import WireError

SYMBOL_KEY = "$symbol"
_MIDNIGHT = dt.datetime(2000, 1, 1)
_MICROSECOND = dt.timedelta(microseconds=1)
_MS_OF_DAY = 86_400_000

# -- to q -----------------------------------------------------------------------------------------------------------


def chars_of(text: str) -> str:
    """Return one char for each byte of the text's UTF-8, as q holds it."""
    try:
        return text.encode("utf-8").decode("latin-1")
    except UnicodeEncodeError:
        raise WireError("text has half a surrogate pair") from None


def _symbol(value: Any) -> str:
    if value != value.strip() or "\0" in value:
        raise WireError("text with white space at an end or a zero byte is no symbol of q")
    return chars_of(value)


def _long(value: Any) -> int:
    if abs(value) >= q.INFS[q.LONG]:
        raise WireError("an integer is beyond q's longs, or is what q has for null or infinity")
    return int(value)


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        raise WireError("a number is beyond q's floats") from None


def _timestamp(value: Any) -> int:
    plain = value if value.tzinfo is None else value.astimezone(dt.UTC).replace(tzinfo=None)
    return _timespan(plain - _MIDNIGHT)


def _timespan(value: Any) -> int:
    nanoseconds = value // _MICROSECOND * 1000
    if abs(nanoseconds) >= q.INFS[q.TIMESPAN]:
        raise WireError("a moment or duration is beyond q's nanoseconds in 64 bits (1707 to 2292)")
    return int(nanoseconds)


def _time(value: Any) -> int:
    if value.microsecond % 1000 or value.tzinfo is not None:
        raise WireError("a time of day has parts of a millisecond or a zone, which q's times have not")
    return ((value.hour * 60 + value.minute) * 60 + value.second) * 1000 + value.microsecond // 1000


ATOMS: dict[type, int] = {
    bool: q.BOOL, int: q.LONG, float: q.FLOAT, dt.date: q.DATE, dt.datetime: q.TIMESTAMP, dt.time: q.TIME,
    dt.timedelta: q.TIMESPAN,
}  # fmt: skip
RAW: dict[int, Callable[[Any], Any]] = {
    q.BOOL: int, q.LONG: _long, q.FLOAT: _float, q.SYMBOL: _symbol, q.DATE: lambda value: value.toordinal() - EPOCH,
    q.TIMESTAMP: _timestamp, q.TIME: _time, q.TIMESPAN: _timespan,
}  # fmt: skip


# -- from q ---------------------------------------------------------------------------------------------------------


def value_of(kind: int, raw: Any) -> Value:
    if kind == q.SYMBOL:
        return {SYMBOL_KEY: text_of(raw)}
    if kind == q.CHAR:
        return text_of(raw)
    return cell_of(kind, raw)


def cell_of(kind: int, raw: Any) -> Value:
    """Return an atom or a cell of a column; a null is None, but NaN stays."""
    if kind not in _READ:
        raise WireError(f"the result has a {q.TYPE_NAMES[kind]}, which has no form outside q")
    if kind not in (q.REAL, q.FLOAT) and q.is_null_raw(kind, raw):
        return None
    try:
        return _READ[kind](raw)
    except (OverflowError, ValueError) as error:
        if isinstance(error, WireError):
            raise
        raise WireError(f"the result has a {q.TYPE_NAMES[kind]} beyond the calendar") from error


def text_of(chars: Sequence[str]) -> str:
    try:
        return "".join(chars).encode("latin-1").decode("utf-8")
    except UnicodeError:
        raise WireError("the result has chars that are no text in UTF-8") from None


def _microseconds(nanoseconds: int) -> dt.timedelta:
    if nanoseconds % 1000:
        raise WireError("the result has a moment or duration with parts of a microsecond")
    return dt.timedelta(microseconds=nanoseconds // 1000)


def _clock(milliseconds: int) -> dt.time:
    if not 0 <= milliseconds < _MS_OF_DAY:
        raise WireError("the result has a time outside the 24 hours of a day")
    return (_MIDNIGHT + dt.timedelta(milliseconds=milliseconds)).time()


_READ: dict[int, Callable[[Any], Value]] = {
    q.BOOL: bool, q.SHORT: int, q.INT: int, q.LONG: int, q.REAL: float, q.FLOAT: float,
    q.DATE: lambda raw: dt.date.fromordinal(raw + EPOCH),
    q.TIMESTAMP: lambda raw: _MIDNIGHT + _microseconds(raw),
    q.DATETIME: lambda raw: _MIDNIGHT + dt.timedelta(milliseconds=round(raw * _MS_OF_DAY)),
    q.TIMESPAN: _microseconds,
    q.TIME: _clock,
    q.SECOND: lambda raw: _clock(raw * 1000),
    q.MINUTE: lambda raw: _clock(raw * 60_000),
}  # fmt: skip
