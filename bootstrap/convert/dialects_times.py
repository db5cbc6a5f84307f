"""SQLite's functions of time: strftime, date, datetime, time, julianday and unixepoch, with their modifiers.

SQLite keeps days and moments as text; the problem's tables may hold them as such. A day made of a day stays one, and
one made of text is text, unless the caller wants it the other way round.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlglot import exp

from bootstrap.convert.base import UnsupportedSqlError
from bootstrap.convert.dialects_build import as_kind, cast, piece
from bootstrap.convert.dialects_kinds import FLOAT, INT, STRING, TIMES, kind_of
from bootstrap.convert.dialects_values import is_day
from interpreters.base import ColumnType

TIMESTAMP = ColumnType.TIMESTAMP
FUNCTIONS = frozenset({"strftime", "date", "datetime", "time", "julianday", "unixepoch"})
_STEP = re.compile(r"([-+]?\d+(?:\.\d+)?) (second|minute|hour|day|month|year)s?", re.IGNORECASE)
_START = re.compile(r"start of (day|month|year)", re.IGNORECASE)
_READ_MOMENT = {
    "duckdb": "TRY_CAST(_text AS TIMESTAMP)",
    "postgres": r"CAST(CASE WHEN _text ~ '^\d{4}-\d\d-\d\d' THEN _text END AS TIMESTAMP)",
}
_SECONDS = {"duckdb": "EPOCH(_x)", "postgres": "EXTRACT(EPOCH FROM _x)"}
_COMMON = re.compile(r"(?:[^%]|%[YmdHMSj%])*")  # formats that both targets have
_SHAPES = {"date": "%Y-%m-%d", "datetime": "%Y-%m-%d %H:%M:%S", "time": "%H:%M:%S"}


def time_call(node: exp.Expr) -> tuple[str, list[exp.Expr]] | None:
    """Return the name and the arguments of a function of time, None for any other expression."""
    if isinstance(node, exp.Anonymous) and node.name.lower() in FUNCTIONS:
        return node.name.lower(), list(node.expressions)
    if isinstance(node, exp.TimeToStr):
        inner = node.this.this if isinstance(node.this, exp.TsOrDsToTimestamp) else node.this
        return "strftime", [node.args["format"], inner]
    if isinstance(node, exp.Date | exp.TsOrDsToDate | exp.Datetime | exp.Time):
        name = {exp.Datetime: "datetime", exp.Time: "time"}.get(type(node), "date")
        return name, [one for one in (node.this, *node.expressions) if one is not None]
    return None


def timed(name: str, given: Sequence[exp.Expr], target: str, *, swapped: bool) -> exp.Expr:
    """Return the call of a function of time for a target. Raises UnsupportedSqlError."""
    shape = given[0] if name == "strftime" else None
    rest = given[1:] if shape is not None else given
    now = exp.Literal.string("now")
    first = rest[0] if rest else now
    moment = moment_of(first, target)
    for modifier in rest[1:]:
        moment = _modified(moment, modifier, target)
    if shape is not None:
        return _formatted(moment, shape, target)
    if name == "julianday":
        return piece(f"{_SECONDS[target]} / 86400.0 + 2440587.5", target, FLOAT, x=moment)
    if name == "unixepoch":
        return piece(f"CAST(FLOOR({_SECONDS[target]}) AS BIGINT)", target, INT, x=moment)
    is_time = kind_of(first) in TIMES or (isinstance(first, exp.Literal) and first.name.lower() == "now")
    if name != "time" and is_time is not swapped:
        return cast(moment, "DATE", ColumnType.DATE) if name == "date" else moment
    return _formatted(moment, exp.Literal.string(_SHAPES[name]), target)


def moment_of(node: exp.Expr, target: str) -> exp.Expr:
    kind = kind_of(node)
    if kind is TIMESTAMP:
        return node
    if isinstance(node, exp.Literal) and node.name.lower() == "now":
        return as_kind(piece("LOCALTIMESTAMP", target, TIMESTAMP), TIMESTAMP)
    if kind is ColumnType.DATE or (isinstance(node, exp.Literal) and is_day(node.name)):
        return cast(node, "TIMESTAMP", TIMESTAMP)
    if kind is STRING:
        return piece(_READ_MOMENT[target], target, TIMESTAMP, text=node)
    raise UnsupportedSqlError(f"the moment of {node.sql('sqlite')[:60]}, which is neither a day nor a text")


def _modified(moment: exp.Expr, modifier: exp.Expr, target: str) -> exp.Expr:
    text = modifier.name.strip() if isinstance(modifier, exp.Literal) else ""
    step, start = _STEP.fullmatch(text), _START.fullmatch(text)
    if step:
        interval = f"_x + INTERVAL '{step[1].removeprefix('+')} {step[2].lower()}'"
        return piece(interval, target, TIMESTAMP, x=moment)
    if start:
        return piece(f"DATE_TRUNC('{start[1].lower()}', _x)", target, TIMESTAMP, x=moment)
    if text.lower() in ("localtime", "utc"):  # the clock of the tests is UTC
        return moment
    raise UnsupportedSqlError(f"the modifier {modifier.sql('sqlite')[:40]} of a function of time")


def _formatted(moment: exp.Expr, shape: exp.Expr, target: str) -> exp.Expr:
    if not isinstance(shape, exp.Literal):
        raise UnsupportedSqlError("strftime with a format that is not written out")
    if shape.name == "%s":
        return piece(f"CAST(CAST(FLOOR({_SECONDS[target]}) AS BIGINT) AS TEXT)", target, STRING, x=moment)
    if shape.name == "%w":
        return piece("CAST(EXTRACT(DOW FROM _x) AS TEXT)", target, STRING, x=moment)
    if not _COMMON.fullmatch(shape.name):
        raise UnsupportedSqlError(f"strftime with the format {shape.name}")
    return as_kind(exp.TimeToStr(this=moment.copy(), format=exp.Literal.string(shape.name)), STRING)
