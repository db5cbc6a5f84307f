"""Dates and times: how q writes them, and the plain integers that stand for them."""

from __future__ import annotations

import datetime as dt
import re

from interpreters.q_subset.errors import Unsupported
from interpreters.q_subset.values import (
    DATE,
    DATETIME,
    MINUTE,
    MONTH,
    SECOND,
    TIME,
    TIMESPAN,
    TIMESTAMP,
)

EPOCH = dt.date(2000, 1, 1).toordinal()
DAY_NS = 86_400_000_000_000
DAY_MS = 86_400_000
UNIT_NS = {MINUTE: 60_000_000_000, SECOND: 1_000_000_000, TIME: 1_000_000, TIMESPAN: 1, DATE: DAY_NS, TIMESTAMP: 1}

_DATE = r"(\d{4})\.(\d\d)\.(\d\d)"
_CLOCK = r"(\d{1,3}):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?"
_HOURS = r"(\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?"
_FORMS: list[tuple[re.Pattern[str], str]] = [
    (re.compile(rf"{_DATE}$"), "date"),
    (re.compile(r"(\d{4})\.(\d\d)m$"), "month"),
    (re.compile(rf"{_DATE}D(?:{_HOURS})?$"), "timestamp"),
    (re.compile(rf"{_DATE}T(?:{_HOURS})?$"), "datetime"),
    (re.compile(rf"(\d+)D(?:{_HOURS})?$"), "timespan"),
    (re.compile(rf"{_CLOCK}$"), "clock"),
]


def days(year: int, month: int, day: int) -> int | None:
    """Return the days since 2000.01.01, None for what is no date."""
    try:
        return dt.date(year, month, day).toordinal() - EPOCH
    except ValueError:
        return None


def nanoseconds(hour: str | None, minute: str | None, second: str | None, fraction: str | None) -> int:
    whole = int(hour or 0) * 3600 + int(minute or 0) * 60 + int(second or 0)
    return whole * 1_000_000_000 + int((fraction or "").ljust(9, "0"))


def parse_temporal(text: str) -> tuple[int, int | float] | None:
    """Return type and value of a temporal literal, None for text that is none."""
    negative = text.startswith("-")
    for pattern, form in _FORMS:
        found = pattern.match(text[negative:])
        if found:
            parsed = _read(form, found.groups())
            if parsed is None:
                return None
            kind, value = parsed
            return kind, -value if negative else value
    return None


def _read(form: str, g: tuple[str | None, ...]) -> tuple[int, int | float] | None:
    if form == "clock":
        return _clock(g)
    if form == "month":
        month = int(g[1] or 0)
        return (MONTH, (int(g[0] or 0) - 2000) * 12 + month - 1) if 1 <= month <= 12 else None
    if form == "timespan":
        return TIMESPAN, int(g[0] or 0) * DAY_NS + nanoseconds(*g[1:])
    day = days(int(g[0] or 0), int(g[1] or 0), int(g[2] or 0))
    if day is None:
        return None
    if form == "date":
        return DATE, day
    clock = nanoseconds(*g[3:])
    return (TIMESTAMP, day * DAY_NS + clock) if form == "timestamp" else (DATETIME, day + clock / DAY_NS)


def _clock(g: tuple[str | None, ...]) -> tuple[int, int] | None:
    if int(g[1] or 0) > 59 or int(g[2] or 0) > 59:
        return None
    clock = nanoseconds(*g)
    if g[2] is None:
        return MINUTE, clock // UNIT_NS[MINUTE]
    if g[3] is None:
        return SECOND, clock // UNIT_NS[SECOND]
    if len(g[3]) <= 3:
        return TIME, clock // UNIT_NS[TIME]
    return TIMESPAN, clock


def year_month_day(day: int) -> tuple[int, int, int]:
    try:
        found = dt.date.fromordinal(day + EPOCH)
    except (ValueError, OverflowError):
        raise Unsupported(f"a date outside the years 1 to 9999: day {day}") from None
    return found.year, found.month, found.day


def format_temporal(t: int, v: int | float) -> str:
    """Return the text of a finite value, without the suffix m of months."""
    if t == DATE:
        return "{:04d}.{:02d}.{:02d}".format(*year_month_day(int(v)))
    if t == MONTH:
        return f"{int(v) // 12 + 2000:04d}.{int(v) % 12 + 1:02d}"
    if t == TIMESTAMP:
        day, rest = divmod(int(v), DAY_NS)
        return f"{format_temporal(DATE, day)}D{_hms(rest // 10**9)}.{rest % 10**9:09d}"
    if t == DATETIME:
        day, rest = divmod(round(v * DAY_MS), DAY_MS)
        return f"{format_temporal(DATE, day)}T{_hms(rest // 1000)}.{rest % 1000:03d}"
    if v < 0:
        return "-" + format_temporal(t, -v)
    whole = int(v)
    if t == MINUTE:
        return f"{whole // 60:02d}:{whole % 60:02d}"
    if t == SECOND:
        return _hms(whole)
    if t == TIME:
        return f"{_hms(whole // 1000)}.{whole % 1000:03d}"
    day, rest = divmod(whole, DAY_NS)
    return f"{day}D{_hms(rest // 10**9)}.{rest % 10**9:09d}"


def _hms(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
