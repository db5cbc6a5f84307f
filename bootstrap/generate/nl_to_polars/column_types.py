"""What the text of a column means: numbers, dates, truth values or text, and which words stand for nothing.

A column is what nearly all of its values are. Where a few of many values do not fit, they count as missing and are
told of; a column with more of them is text. Digits with leading zeros are text: they are codes, not numbers.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from interpreters.base import ColumnType, Value

MISSING = frozenset(("", "na", "n/a", "#n/a", "null", "nan", "(null)", "\\n", "-", "--", "?", "#na"))
"""In lower case: words that stand for no value in any column."""
MISSING_AMONG_NUMBERS = frozenset((".", "none", "nil", "missing", "unknown", "n.a.", "*", "x", "—", "–"))
"""Words that stand for no value among numbers and dates; among texts they are values."""
MISFITS = 0.02  # share of values that may not fit
ENOUGH = 50  # values from which a share says something
_INT = re.compile(r"[+-]?(0|[1-9]\d{0,17})\Z")
_FLOAT = re.compile(r"[+-]?((0|[1-9]\d*)?\.\d+|(0|[1-9]\d*)\.?)([eE][+-]?\d{1,3})?\Z")
_COMMA = re.compile(r"[+-]?((0|[1-9]\d*),\d+|[1-9]\d{0,2}(\.\d{3})+(,\d+)?)\Z")
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}([,' \u00a0\u202f]\d{3})+(\.\d+)?\Z")
_CODE = re.compile(r"[A-Z]{2}\Z")
_DATE_SHAPE = re.compile(
    r"(\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{1,2}[- ][A-Za-z]{3,9}[- ]\d{2,4}|[A-Za-z]{3,9} \d{1,2}, \d{4})"
)
_ZONE = re.compile(r"\s?(Z|UTC|[+-]\d{2}:?\d{2})\Z")
_DATES = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%y",
    "%m/%d/%y", "%d/%m/%y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%d-%b-%y", "%b %d, %Y", "%B %d, %Y",
)  # fmt: skip
_TIMES = ("%H:%M:%S", "%H:%M", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p")
_AMBIGUOUS = {"%m/%d/%Y": "%d/%m/%Y", "%d-%m-%Y": "%m-%d-%Y", "%m/%d/%y": "%d/%m/%y"}


def looks_missing(cell: str) -> bool:
    return cell.strip().lower() in MISSING


def kind_of(cell: str) -> str:
    """Return "number", "date", "truth" or "text", for one cell without its column."""
    text = cell.strip()
    if any(pattern.match(text) for pattern in (_INT, _FLOAT, _COMMA, _GROUPED)) and any(map(str.isdigit, text)):
        return "number"
    if text.lower() in ("true", "false"):
        return "truth"
    return "date" if len(text) <= 40 and _DATE_SHAPE.match(text) else "text"


def uses_decimal_comma(columns: Iterable[Sequence[str]], separator: str) -> bool:
    """Say whether a file writes 1,5 for one and a half: a number with a comma that cannot group thousands, or any
    number with a comma where the separator is a semicolon and fewer numbers have a point. A point before three digits
    may group thousands, and says nothing."""
    commas = points = sure = 0
    for cells in columns:
        for cell in cells[:500]:
            text = cell.strip()
            if _COMMA.match(text) and "," in text:
                commas += 1
                sure += not _GROUPED.match(text)
            points += bool(_FLOAT.match(text) and "." in text and not _COMMA.match(text))
    return sure > points or (separator == ";" and commas > points)


@dataclass(frozen=True)
class Typed:
    """The values of a column. `notes`: what does not fit, one line each, to be put after the column's name."""

    type: ColumnType
    values: list[Value]
    notes: tuple[str, ...] = ()


def typed(cells: Sequence[str], decimal_comma: bool) -> Typed:
    """Return a column as what it is."""
    texts = [cell.strip() for cell in cells]
    known = [text for text in texts if text.lower() not in MISSING]
    if not known:
        return Typed(ColumnType.STRING, [None] * len(texts))
    for read in (_truths, _whole, _grouped_whole, _point_or_comma, _dates):
        found = read(texts, known, decimal_comma)
        if found is not None:
            return found
    return _text(texts, known)


def _text(texts: Sequence[str], known: Sequence[str]) -> Typed:
    """Return text. NA is a value where the other values are codes of two capitals, as those of countries are."""
    codes = [text for text in known if _CODE.match(text)]
    if len(codes) > 0.9 * len(known) and "NA" in texts:
        missing = MISSING - {"na"}
        values: list[Value] = [None if text.lower() in missing else text for text in texts]
        return Typed(ColumnType.STRING, values, ("NA is read as a code, as the other values are",))
    return Typed(ColumnType.STRING, [None if text.lower() in MISSING else text for text in texts])


Read = Callable[[str], Value]


def _converted(kind: ColumnType, texts: Sequence[str], known: Sequence[str], read: Read) -> Typed | None:
    """Return the column by a reading of its texts, which gives None for what it cannot read; None where too many
    cannot be read."""
    values = {text: read(text) for text in dict.fromkeys(known)}
    missing = MISSING_AMONG_NUMBERS
    real = [text for text in known if values[text] is not None or text.lower() not in missing]
    bad = [text for text in real if values[text] is None]
    if not real or len(bad) == len(real) or (bad and (len(real) < ENOUGH or len(bad) > MISFITS * len(real))):
        return None
    example = f"{len(bad)} values are no {kind.value}, e.g. {bad[0][:40]!r}, and count as missing" if bad else ""
    return Typed(kind, [values.get(text) for text in texts], (example,) if bad else ())


def _truths(texts: Sequence[str], known: Sequence[str], decimal_comma: bool) -> Typed | None:
    words = {"true": True, "false": False}
    return _converted(ColumnType.BOOL, texts, known, lambda text: words.get(text.lower()))


def _whole(texts: Sequence[str], known: Sequence[str], decimal_comma: bool) -> Typed | None:
    return _converted(ColumnType.INT, texts, known, lambda text: int(text) if _INT.match(text) else None)


def _grouped_whole(texts: Sequence[str], known: Sequence[str], decimal_comma: bool) -> Typed | None:
    """Read 1,234,567 (and 1.234.567 where the comma is decimal) as whole numbers."""
    if decimal_comma:
        grouped = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+\Z")
    else:
        grouped = re.compile(r"[+-]?[1-9]\d{0,2}([,' \u00a0\u202f]\d{3})+\Z")

    def read(text: str) -> Value:
        return int(re.sub(r"[^\d+-]", "", text)) if grouped.match(text) or _INT.match(text) else None

    return _converted(ColumnType.INT, texts, known, read)


def _point_or_comma(texts: Sequence[str], known: Sequence[str], decimal_comma: bool) -> Typed | None:
    def read(text: str) -> Value:
        if decimal_comma and _COMMA.match(text):
            return float(text.replace(".", "").replace(",", "."))
        if not decimal_comma and _GROUPED.match(text):
            return float(re.sub(r"[,' \u00a0\u202f]", "", text))
        return float(text) if _FLOAT.match(text) and abs(float(text)) < 1e300 else None

    return _converted(ColumnType.FLOAT, texts, known, read)


# -- dates --------------------------------------------------------------------------------------------------------


def _dates(texts: Sequence[str], known: Sequence[str], decimal_comma: bool) -> Typed | None:
    sample = list(dict.fromkeys(text for text in known if text.lower() not in MISSING_AMONG_NUMBERS))
    if not sample or sum(bool(_DATE_SHAPE.match(text)) for text in sample[:200]) < 0.9 * len(sample[:200]):
        return None
    for day in _DATES:
        found = _converted(ColumnType.DATE, texts, known, lambda text, day=day: _day(text, day))  # type: ignore[misc]
        if found is None:
            found = _converted(ColumnType.TIMESTAMP, texts, known, lambda text, day=day: _moment(text, day))  # type: ignore[misc]
        if found is not None:
            other = _AMBIGUOUS.get(day)
            reader = _day if found.type is ColumnType.DATE else _moment
            if other and all(reader(text, other) is not None for text in sample):
                told = f"dates can be read as {day} and as {other}; read as {day}"
                return Typed(found.type, found.values, (*found.notes, told))
            return found
    return None


@lru_cache(maxsize=65_536)
def _day(text: str, form: str) -> dt.date | None:
    try:
        return dt.datetime.strptime(text, form).date()
    except ValueError:
        return None


@lru_cache(maxsize=65_536)
def _moment(text: str, form: str) -> dt.datetime | None:
    zone = _ZONE.search(text)
    plain = (text[: zone.start()] if zone and ":" in text[: zone.start()] else text).replace("T", " ", 1)
    for time in _TIMES:
        try:
            moment = dt.datetime.strptime(plain, f"{form} {time}")
        except ValueError:
            continue
        return moment - _offset(zone.group(1)) if zone and plain != text.replace("T", " ", 1) else moment
    return None


def _offset(zone: str) -> dt.timedelta:
    if zone in ("Z", "UTC"):
        return dt.timedelta(0)
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    return (-1 if zone[0] == "-" else 1) * dt.timedelta(hours=hours, minutes=minutes)
