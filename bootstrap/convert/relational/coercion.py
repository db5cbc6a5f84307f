"""What SQL casts by itself: operands of comparisons and of arithmetic, by the rules of the source's dialect."""

from __future__ import annotations

import datetime as dt

from bootstrap.convert.base import UnsupportedSqlError
from bootstrap.convert.relational.functions import BOOL, FLOAT, INT, NUMERIC, STRING, TEMPORAL
from bootstrap.convert.relational.model import Call, Cast, Expr, Literal
from interpreters.base import ColumnType

DATE, TIMESTAMP, NULL = ColumnType.DATE, ColumnType.TIMESTAMP, ColumnType.NULL
_TRUTH = {"true": True, "t": True, "1": True, "yes": True, "false": False, "f": False, "0": False, "no": False}


def cast(argument: Expr, kind: ColumnType, lenient: bool = False) -> Expr:
    """Return the expression in another class; constants are cast at once."""
    if argument.type is kind or argument.type is NULL:
        return argument
    if isinstance(argument, Literal):
        constant = _constant(argument, kind)
        if constant is not None:
            return constant
    return Cast(kind, argument, lenient and argument.type is STRING)


def _constant(literal: Literal, kind: ColumnType) -> Literal | None:
    value = literal.value
    if kind is STRING and literal.type in NUMERIC:
        return Literal(STRING, str(value))
    if kind in TEMPORAL and isinstance(value, str):
        return _moment(value, kind)
    if kind in NUMERIC and isinstance(value, str):
        return _number(value)
    if kind is FLOAT and literal.type is INT and isinstance(value, int):
        return Literal(FLOAT, float(value))
    if kind is BOOL and literal.type in (INT, STRING) and str(value).lower() in _TRUTH:
        return Literal(BOOL, _TRUTH[str(value).lower()])
    return None


def _number(text: str) -> Literal | None:
    for kind, read in ((INT, int), (FLOAT, float)):
        try:
            return Literal(kind, read(text))
        except ValueError:
            continue
    return None


def _moment(text: str, kind: ColumnType) -> Literal | None:
    try:
        moment = dt.datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    if moment.tzinfo is not None:
        return None
    midnight = moment.time() == dt.time()
    if kind is DATE and midnight:
        return Literal(DATE, moment.date().isoformat())
    return Literal(TIMESTAMP, moment.isoformat(sep=" "))


def number(argument: Expr) -> Expr:
    """Return an operand of arithmetic: text counts as the number that it spells, true as one."""
    if argument.type is BOOL:
        return cast(argument, INT)
    return cast(argument, FLOAT, lenient=True) if argument.type is STRING else argument


def compare(operator: str, left: Expr, right: Expr, dialect: str) -> Call:
    return Call(BOOL, operator, comparable(left, right, dialect))


def comparable(left: Expr, right: Expr, dialect: str) -> tuple[Expr, Expr]:
    """Return both sides of a comparison in one class. Raises UnsupportedSqlError where no rule says which."""
    a, b = left.type, right.type
    if a is b or NULL in (a, b) or (a in NUMERIC and b in NUMERIC) or (a in TEMPORAL and b in TEMPORAL):
        return left, right
    for kinds, order in (({a, b}, (left, right)), ({a, b}, (right, left))):
        one, other = order
        if other.type is STRING and kinds != {STRING}:
            cast_one, cast_other = _with_text(one, other, dialect)
            return (cast_one, cast_other) if one is left else (cast_other, cast_one)
        if one.type is BOOL and other.type is INT:
            sides = one, cast(other, BOOL)
            return sides if one is left else (sides[1], sides[0])
    raise UnsupportedSqlError(f"a comparison of {a} with {b}")


def _with_text(one: Expr, text: Expr, dialect: str) -> tuple[Expr, Expr]:
    """Return a value of another class and a text, comparable."""
    if isinstance(text, Literal):
        constant = _constant(text, one.type)
        if constant is not None:
            return one, constant
        if one.type in TEMPORAL and dialect == "sqlite":
            return cast(one, STRING), text
        raise UnsupportedSqlError(f"a comparison of {one.type} with the text {text.value!r}")
    if isinstance(one, Literal) and one.type in NUMERIC and dialect == "sqlite":
        return cast(one, STRING), text  # the affinity of a text column
    if one.type in NUMERIC or one.type in TEMPORAL:
        return one, cast(text, one.type, lenient=True)
    raise UnsupportedSqlError(f"a comparison of {one.type} with text")
