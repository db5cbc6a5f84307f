"""The functions that forms may use: how each is written in SQL, how it is put into words, and what it means in Python.

Argument classes by letter: T text, I whole number, N decimal or whole number, F any number, D date, M date or
timestamp, B truth value; lower-case letters stand for constants that come with the function (see `constants`).
A function of Python never sees NULL unless `nulls` is set: of NULL PostgreSQL makes NULL.
"""

from __future__ import annotations

import calendar
import datetime as dt
import hashlib
import math
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction
from typing import Any

from interpreters.base import ColumnType as C

Constants = tuple[object, ...]


@dataclass(frozen=True)
class Function:
    """`sql` and `words` are formats over the arguments. `name`: what PostgreSQL calls it, for the counts."""

    sql: str
    words: str
    takes: str
    result: C | None  # None: as the first argument
    python: Callable[..., Any]
    constants: tuple[Constants, ...] = ()
    nulls: bool = False
    name: str = ""

    def of(self, args: Sequence[Any]) -> Any:
        """Return the function's value."""
        if not self.nulls and any(arg is None for arg in args):
            return None
        return self.python(*args)


@dataclass(frozen=True)
class Aggregate:
    """`python` gets the values that are not NULL. Of none it makes NULL, or `empty`."""

    sql: str
    words: str
    takes: str
    result: C | None
    python: Callable[[list[Any]], Any]
    empty: object = None
    least: int = 1

    def of(self, values: list[Any]) -> Any:
        return self.python(values) if len(values) >= self.least else self.empty


def rounded(value: Any, digits: int) -> Decimal:
    """Return a number rounded half away from zero, as numeric does; a float counts with the 15 digits that are cast."""
    with localcontext() as context:
        context.prec = 60
        if isinstance(value, float):
            exact = Decimal(format(value, ".15g"))
        elif isinstance(value, Fraction):
            exact = Decimal(value.numerator) / Decimal(value.denominator)
        else:
            exact = Decimal(value)
        return exact.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def ratio(a: Any, b: Any) -> Decimal | None:
    """Return a quotient with two digits; of a division by zero NULL."""
    if b == 0:
        return None
    with localcontext() as context:
        context.prec = 60
        top, bottom = (Decimal(format(v, ".15g")) if isinstance(v, float) else Decimal(v) for v in (a, b))
        return rounded(top / bottom, 2)


def mean(values: list[Any]) -> Any:
    if isinstance(values[0], float):
        return math.fsum(values) / len(values)
    with localcontext() as context:
        context.prec = 40
        return Decimal(sum(values)) / len(values)


def median(values: list[Any]) -> float:
    return float(statistics.median([float(value) for value in values]))


def deviation(values: list[Any]) -> float:
    return float(statistics.stdev([float(value) for value in values]))


def _trunc(unit: str) -> Callable[[Any], dt.date]:
    def cut(value: Any) -> dt.date:
        day = value.date() if isinstance(value, dt.datetime) else value
        if unit == "week":
            return day - dt.timedelta(day.weekday())
        month = 1 if unit == "year" else (day.month - 1) // 3 * 3 + 1 if unit == "quarter" else day.month
        return day.replace(month=month, day=1)

    return cut


def _day(value: Any) -> dt.date:
    return value.date() if isinstance(value, dt.datetime) else value


def _later(value: Any, months: int) -> dt.date:
    """Return the date some months later, the last day of the month where it has no such day."""
    day = _day(value)
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return dt.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _fill(text: str, size: int, with_: str, left: bool) -> str:
    if len(text) >= size:
        return text[:size]
    filler = (with_ * size)[: size - len(text)]
    return filler + text if left else text + filler


def _part(text: str, separator: str, number: int) -> str:
    parts = text.split(separator)
    return parts[number - 1] if number <= len(parts) else ""


def _initcap(text: str) -> str:
    return re.sub(r"[^\W_]+", lambda match: match[0][0].upper() + match[0][1:].lower(), text)


def _sign(value: Any) -> int:
    return (value > 0) - (value < 0)


def _floor(value: Any) -> Any:
    return type(value)(math.floor(value))


def _ceil(value: Any) -> Any:
    return type(value)(math.ceil(value))


def _mod(a: int, b: int) -> int:
    return int(math.fmod(a, b))


_HOLES = ((1,), (2,), (3,), (4,))
FUNCTIONS: Mapping[str, Function] = {
    "upper": Function("UPPER({0})", "{0} in upper case", "T", C.STRING, str.upper),
    "lower": Function("LOWER({0})", "{0} in lower case", "T", C.STRING, str.lower),
    "initcap": Function("INITCAP({0})", "{0} with each word's first letter in upper case and the others in lower case",
                        "T", C.STRING, _initcap),
    "length": Function("LENGTH({0})", "number of characters of {0}", "T", C.INT, len),
    "octet_length": Function("OCTET_LENGTH({0})", "number of bytes of {0} in UTF-8", "T", C.INT,
                             lambda text: len(text.encode())),
    "left": Function("LEFT({0}, {1})", "first {1} characters of {0}", "Tn", C.STRING, lambda t, n: t[:n],
                     ((2,), (3,), (4,))),
    "right": Function("RIGHT({0}, {1})", "last {1} characters of {0}", "Tn", C.STRING, lambda t, n: t[-n:],
                      ((2,), (3,), (4,))),
    "substring": Function("SUBSTRING({0} FROM {1} FOR {2})", "characters {1} to {3} of {0}", "Tn", C.STRING,
                          lambda t, start, size, _: t[start - 1 : start - 1 + size], ((2, 3, 4), (3, 2, 4), (2, 2, 3))),
    "reverse": Function("REVERSE({0})", "{0} spelled backwards", "T", C.STRING, lambda t: t[::-1]),
    "replace": Function("REPLACE({0}, {1}, {2})", "{0} with every {1} replaced by {2}", "Tn", C.STRING,
                        lambda t, a, b: t.replace(a, b), (("a", "*"), ("e", "3"), (" ", "_"), ("o", "0"))),
    "translate": Function("TRANSLATE({0}, {1}, {2})", "{0} with each of the letters {1} replaced by the one "
                                                      "at the same "
                          "place in {2}", "Tn", C.STRING, lambda t, a, b: t.translate(str.maketrans(a, b)),
                          (("aeiou", "12345"), ("abc", "xyz"))),
    "split_part": Function("SPLIT_PART({0}, {1}, {2})", "part number {2} of {0}, split at each {1} (an empty "
                                                        "text where "
                           "there is no such part)", "Tn", C.STRING, _part, ((" ", 1), (" ", 2), ("-", 1))),
    "lpad": Function("LPAD({0}, {1}, {2})", "{0} filled with {2} on the left, or cut off on the right, to "
                                            "{1} characters",
                     "Tn", C.STRING, lambda t, n, c: _fill(t, n, c, True), ((10, "*"), (12, "."))),
    "rpad": Function("RPAD({0}, {1}, {2})", "{0} filled with {2}, or cut off, on the right to {1} characters", "Tn",
                     C.STRING, lambda t, n, c: _fill(t, n, c, False), ((10, "-"), (12, "."))),
    "repeat": Function("REPEAT({0}, {1})", "{0} written {1} times in a row", "Tn", C.STRING, lambda t, n: t * n,
                       ((2,), (3,))),
    "strpos": Function("STRPOS({0}, {1})", "position of the first {1} in {0} (0 where there is none)", "Tn", C.INT,
                       lambda t, c: t.find(c) + 1, (("a",), (" ",), ("e",), ("n",))),
    "starts_with": Function("STARTS_WITH({0}, {1})", "whether {0} starts with {1} (case matters)", "Tn", C.BOOL,
                            lambda t, c: t.startswith(c), (("A",), ("C",), ("S",), ("M",))),
    "concat": Function("CONCAT({0}, {2}, {1})", "{0} and {1} joined by {2} (a missing one counts as an empty text)",
                       "TTn", C.STRING, lambda a, b, c: (a or "") + c + (b or ""), ((" / ",), (": ",)), nulls=True),
    "concat_ws": Function("CONCAT_WS({2}, {0}, {1})", "{0} and {1} joined by {2}, missing "
                                                      "ones left out", "TTn", C.STRING,
                          lambda a, b, c: c.join(v for v in (a, b) if v is not None), ((", ",), (" - ",)), nulls=True),
    "md5": Function("MD5({0})", "MD5 digest of {0}, in hexadecimal", "T", C.STRING,
                    lambda t: hashlib.md5(t.encode(), usedforsecurity=False).hexdigest()),
    "ascii": Function("ASCII({0})", "code point of the first character of {0} (0 for an empty text)", "T", C.INT,
                      lambda t: ord(t[0]) if t else 0),
    "regexp_replace": Function("REGEXP_REPLACE({0}, {1}, {2}, 'g')", "{0} with every match of the regular "
                                                                     "expression {1} "
                               "replaced by {2}", "Tn", C.STRING, lambda t, a, b: re.sub(a, b, t),
                               (("[0-9]+", "#"), ("[aeiou]", "_"), ("[^A-Za-z]", ""))),
    "abs": Function("ABS({0})", "absolute value of {0}", "F", None, abs),
    "round": Function("ROUND({0}::numeric, {1})", "{0} rounded to {1} digits after the decimal point", "Nn", C.DECIMAL,
                      rounded, ((1,), (0,), (2,))),
    "ceil": Function("CEIL({0})", "{0} rounded up to a whole number", "R", None, _ceil),
    "floor": Function("FLOOR({0})", "{0} rounded down to a whole number", "R", None, _floor),
    "trunc": Function("TRUNC({0})", "{0} without its digits after the decimal point", "R", None,
                      lambda v: type(v)(math.trunc(v))),
    "mod": Function("MOD({0}, {1})", "remainder of {0} divided by {1}", "In", C.INT, _mod,
                    ((2,), (3,), (5,), (7,), (10,))),
    "div": Function("DIV({0}, {1})", "whole number of times that {1} goes into {0}", "In", C.INT,
                    lambda a, b: int(Fraction(a, b)), ((2,), (3,), (10,))),
    "gcd": Function("GCD({0}, {1})", "greatest common divisor of {0} and {1}", "In", C.INT, math.gcd, ((12,), (30,))),
    "power": Function("POWER({0}, {1})", "{0} to the power of {1}", "Fn", C.FLOAT, lambda v, n: float(v) ** n,
                      ((2,), (3,))),
    "sqrt": Function("ROUND(SQRT(ABS({0}))::numeric, 2)", "square root of the absolute value of {0}, rounded "
                                                          "to 2 digits "
                     "after the decimal point", "F", C.DECIMAL, lambda v: rounded(math.sqrt(abs(v)), 2)),
    "sign": Function("SIGN({0})", "sign of {0} (1, 0 or -1)", "F", C.INT, _sign),
    "greatest": Function("GREATEST({0}, {1})", "larger of {0} and {1} (where one is missing, "
                                               "the other)", "FFsame", None,
                         lambda a, b: max((v for v in (a, b) if v is not None), default=None), nulls=True),
    "least": Function("LEAST({0}, {1})", "smaller of {0} and {1} (where one is missing, the other)", "FFsame", None,
                      lambda a, b: min((v for v in (a, b) if v is not None), default=None), nulls=True),
    "coalesce": Function("COALESCE({0}, {1})", "{0}, or {1} where it is missing", "Tn", C.STRING,
                         lambda a, b: b if a is None else a, (("unknown",), ("none",), ("-",)), nulls=True),
    "coalesce_number": Function("COALESCE({0}, {1})", "{0}, or {1} where it is missing", "Fn", None,
                                lambda a, b: b if a is None else a, ((0,), (-1,)), nulls=True, name="coalesce"),
    "year": Function("EXTRACT(YEAR FROM {0})::int", "year of {0}", "M", C.INT, lambda v: v.year, name="extract"),
    "month": Function("EXTRACT(MONTH FROM {0})::int", "month number of {0}", "M", C.INT, lambda v: v.month,
                      name="extract"),
    "quarter": Function("EXTRACT(QUARTER FROM {0})::int", "quarter (1 to 4) of {0}", "M", C.INT,
                        lambda v: (v.month - 1) // 3 + 1, name="extract"),
    "dow": Function("EXTRACT(ISODOW FROM {0})::int", "day of the week of {0} as a number (Monday 1 to Sunday 7)", "M",
                    C.INT, lambda v: v.isoweekday(), name="extract"),
    "month_start": Function("DATE_TRUNC('month', {0})::date", "first day of the month of {0}", "M", C.DATE,
                            _trunc("month"), name="date_trunc"),
    "quarter_start": Function("DATE_TRUNC('quarter', {0})::date", "first day of the quarter of {0}", "M", C.DATE,
                              _trunc("quarter"), name="date_trunc"),
    "week_start": Function("DATE_TRUNC('week', {0})::date", "Monday of the week of {0}", "M", C.DATE, _trunc("week"),
                           name="date_trunc"),
    "year_month": Function("TO_CHAR({0}, 'YYYY-MM')", "year and month of {0} written like 2024-05", "M", C.STRING,
                           lambda v: f"{v.year:04}-{v.month:02}", name="to_char"),
    "day_name": Function("TO_CHAR({0}, 'DD.MM.YYYY')", "{0} written like 31.12.2024", "M", C.STRING,
                         lambda v: f"{v.day:02}.{v.month:02}.{v.year:04}", name="to_char"),
    "plus_days": Function("({0}::date + {1})", "date {1} days after {0}", "Mn", C.DATE,
                          lambda v, n: _day(v) + dt.timedelta(n), ((7,), (30,), (90,)), name="date + integer"),
    "plus_month": Function("({0}::date + INTERVAL '{1} months')::date", "date {1} months after {0}", "Mk", C.DATE,
                           _later, ((1,), (3,), (6,)), name="date + interval"),
    "days_between": Function("({1}::date - {0}::date)", "number of days from {0} to {1}", "MM", C.INT,
                             lambda a, b: (_day(b) - _day(a)).days, name="date - date"),
    "ratio": Function("ROUND({0}::numeric / NULLIF({1}, "
                      "0)::numeric, 2)", "{0} divided by {1}, rounded to 2 digits after "
                      "the decimal point (missing where that is a "
                      "division by zero)", "FF", C.DECIMAL, ratio, name="nullif"),
    "text_of": Function("{0}::text", "{0} as text", "I", C.STRING, str, name="cast"),
    "times": Function("({0} * {1})", "{0} times {1}", "NN", C.DECIMAL, lambda a, b: a * b, name="*"),
    "plus": Function("({0} + {1})", "{0} plus {1}", "NN", C.DECIMAL, lambda a, b: a + b, name="+"),
    "minus": Function("({0} - {1})", "{0} minus {1}", "NN", C.DECIMAL, lambda a, b: a - b, name="-"),
    "round2": Function("ROUND({0}::numeric, 2)", "{0}, rounded to 2 digits after the decimal point", "N", C.DECIMAL,
                       lambda v: rounded(v, 2), name="round"),
    "nonzero": Function("COALESCE({0}, 0)", "{0} (0 where there is none)", "F", None, lambda v: 0 if v is None else v,
                        nulls=True, name="coalesce"),
}  # fmt: skip

AGGREGATES: Mapping[str, Aggregate] = {
    "count": Aggregate("COUNT({0})", "number of {many} with a known {0}", "*", C.INT, len, 0, 0),
    "count_distinct": Aggregate("COUNT(DISTINCT {0})", "number of different values of {0}", "*", C.INT,
                                lambda values: len(set(values)), 0, 0),
    "sum": Aggregate("SUM({0})", "total of {0}", "F", None,
                     lambda values: math.fsum(values) if isinstance(values[0], float) else sum(values)),
    "avg": Aggregate("AVG({0})", "average of {0}", "F", C.DECIMAL, mean),
    "min": Aggregate("MIN({0})", "smallest {0}", "*", None, min),
    "max": Aggregate("MAX({0})", "largest {0}", "*", None, max),
    "median": Aggregate("PERCENTILE_CONT(0.5) WITHIN GROUP "
                        "(ORDER BY {0})", "median (percentile_cont) of {0}", "F", C.FLOAT,
                        median),
    "stddev": Aggregate("ROUND(STDDEV_SAMP({0})::numeric, 2)", "sample standard deviation of {0}, rounded to "
                                                               "2 digits after "
                        "the decimal point", "F", C.DECIMAL, lambda values: rounded(deviation(values), 2), None, 2),
    "string_agg": Aggregate("STRING_AGG(DISTINCT {0}, ', ' "
                            "ORDER BY {0})", "different values of {0} in alphabetical order, "
                            "joined by ', '", "T", C.STRING, lambda values: ", ".join(sorted(set(values)))),
    "bool_or": Aggregate("BOOL_OR({0})", "whether {0} holds for any", "B", C.BOOL, any),
    "bool_and": Aggregate("BOOL_AND({0})", "whether {0} holds for all (missing ones left aside)", "B", C.BOOL, all),
}  # fmt: skip
EXTREMES = {C.DATE: ("earliest", "latest"), C.TIMESTAMP: ("earliest", "latest"),
            C.STRING: ("alphabetically first", "alphabetically last")}  # fmt: skip
"""How the least and the greatest of a class are called, where not smallest and largest."""
