"""Constants beside a constant: what a person writes who is off by one, and where data sets look for differences."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from decimal import Decimal

_NUMBER = re.compile(r"\d{1,15}(\.\d{1,9})?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
OTHER_TEXTS = 2  # other constants of the statement that are tried in the place of one


def near_number(text: str) -> list[str]:
    """Return the numbers beside a number, one unit of its last digit away."""
    if not _NUMBER.fullmatch(text):
        return []
    value = Decimal(text)
    step = Decimal(1).scaleb(int(value.as_tuple().exponent))
    return [format(value - step, "f"), format(value + step, "f")]


def near_text(text: str, others: Sequence[str]) -> list[str]:
    """Return other texts for a constant: the days beside a date, the numbers beside a number in quotes, else other
    constants of the same statement, else the same text in the other case."""
    if _DATE.fullmatch(text):
        try:
            day = dt.date.fromisoformat(text)
            return [str(day - dt.timedelta(1)), str(day + dt.timedelta(1))]
        except (ValueError, OverflowError):
            return []
    if near_number(text):
        return near_number(text)
    found = [other for other in others if other != text and not _DATE.fullmatch(other) and "%" not in other]
    return found[:OTHER_TEXTS] or [each for each in (text.swapcase(), text + "x") if each != text][:1]


def near_patterns(pattern: str) -> list[str]:
    """Return a LIKE pattern with its ends opened or closed."""
    core = pattern.strip("%")
    ends = (f"%{core}%", f"{core}%", f"%{core}", core)
    return [end for end in ends if end != pattern] if core else []
