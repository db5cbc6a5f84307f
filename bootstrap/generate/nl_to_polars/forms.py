"""Typed forms of questions: what the words and the code of every language are rendered from.

A query reads in the order of its fields: rows of a table (joined with another), those that meet all conditions, with
derived columns, grouped, groups kept, columns computed over rows of the same group, rows kept by these, ordered, cut,
and of each the output columns. Names are unique within a query, so that a name says what it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from interpreters.base import ColumnType, Value

NUMBERS = (ColumnType.INT, ColumnType.FLOAT)
DATES = (ColumnType.DATE, ColumnType.TIMESTAMP)


@dataclass(frozen=True)
class Col:
    """A column of the input, or something that the query names. `nullable`: it may be missing."""

    name: str
    type: ColumnType
    nullable: bool = False


@dataclass(frozen=True)
class Call:
    """A function of one expression, see functions.py; `n` and `text` are its constants."""

    function: str
    of: Expr
    n: int = 0
    text: str = ""


@dataclass(frozen=True)
class Arithmetic:
    sign: Literal["+", "-", "/"]
    left: Expr
    right: Expr | int | float


@dataclass(frozen=True)
class Case:
    """`yes` where the condition holds, `no` where it does not or cannot be decided."""

    condition: Condition
    yes: str
    no: str


@dataclass(frozen=True)
class Filled:
    """A column with a value for what is missing."""

    of: Col
    value: Value


Expr = Col | Call | Arithmetic | Case | Filled


@dataclass(frozen=True)
class Compare:
    sign: Literal["==", "!=", "<", "<=", ">", ">="]
    left: Expr
    right: Value | Col


@dataclass(frozen=True)
class Missing:
    of: Expr
    missing: bool = True


@dataclass(frozen=True)
class OneOf:
    of: Expr
    values: tuple[Value, ...]
    inside: bool = True


@dataclass(frozen=True)
class Between:
    """Both ends belong to it."""

    of: Expr
    low: Value
    high: Value


@dataclass(frozen=True)
class TextTest:
    how: Literal["contains", "starts", "ends"]
    of: Expr
    text: str
    any_case: bool = False


@dataclass(frozen=True)
class AnyOf:
    conditions: tuple[Condition, ...]


Condition = Compare | Missing | OneOf | Between | TextTest | AnyOf


@dataclass(frozen=True)
class Aggregate:
    """`how` over the rows of a group; `of` is None for "count". `where`: only the rows that meet it."""

    how: str
    of: Expr | None = None
    where: Condition | None = None
    q: float = 0.0
    digits: int | None = None


@dataclass(frozen=True)
class Window:
    """A value per row from the rows with the same `by` (all rows without it), in an order that has no ties."""

    how: str
    of: Col
    by: tuple[str, ...] = ()
    order: str = ""
    n: int = 0
    descending: bool = False


@dataclass(frozen=True)
class Named:
    name: str
    value: Expr | Aggregate | Window


@dataclass(frozen=True)
class Join:
    """`table`: the other table, or groups of the same one: its name, with `keys` and `aggregates`."""

    table: str
    left: str
    right: str
    how: Literal["inner", "left", "semi", "anti"]
    aggregates: tuple[Named, ...] = ()
    columns: tuple[Col, ...] = ()
    """Columns of the other table that the query uses."""


@dataclass(frozen=True)
class Order:
    name: str
    descending: bool = False


@dataclass(frozen=True)
class Query:
    table: str
    output: tuple[str, ...]
    join: Join | None = None
    where: tuple[Condition, ...] = ()
    derived: tuple[Named, ...] = ()
    keys: tuple[str, ...] = ()
    aggregates: tuple[Named, ...] = ()
    having: tuple[Condition, ...] = ()
    windows: tuple[Named, ...] = ()
    keep: tuple[Condition, ...] = ()
    order: tuple[Order, ...] = ()
    limit: int | None = None
    distinct: bool = False
    subject: str = ""
    """What kind of question it is."""

    @property
    def shape(self) -> Literal["rows", "groups", "one"]:
        return "groups" if self.keys else "one" if self.aggregates else "rows"

    @property
    def size(self) -> int:
        """Return how many things the question asks for, a measure of difficulty."""
        parts = (self.where, self.derived, self.keys, self.aggregates, self.having, self.windows, self.keep)
        return sum(map(len, parts)) + bool(self.order) + bool(self.limit) + self.distinct + 2 * bool(self.join)

    def definition(self, name: str) -> Named | None:
        """Return what a name stands for; None for a column of the input."""
        named = (*self.derived, *self.aggregates, *self.windows, *(self.join.aggregates if self.join else ()))
        return next((one for one in named if one.name == name), None)

    def without_a_part(self) -> Iterator[Query]:
        """Yield the query without one of its conditions, cuts and other parts that must tell."""
        for part in ("where", "having", "keep"):
            conditions = getattr(self, part)
            for i in range(len(conditions)):
                left = {part: conditions[:i] + conditions[i + 1 :]}
                yield replace(self, **left)
        for i, one in enumerate(self.aggregates):
            if isinstance(one.value, Aggregate) and one.value.where is not None:
                plain = Named(one.name, replace(one.value, where=None))
                yield replace(self, aggregates=(*self.aggregates[:i], plain, *self.aggregates[i + 1 :]))
        if self.limit is not None:
            yield replace(self, limit=None)
        if self.distinct:
            yield replace(self, distinct=False)
        if self.join is not None and self.join.how in ("semi", "anti"):
            yield replace(self, join=None)


def columns_in(part: Expr | Condition | Aggregate | Window | Value | None) -> Iterator[Col]:
    """Yield the columns that an expression or a condition reads."""
    match part:
        case Col():
            yield part
        case Call(of=of) | Filled(of=of) | Missing(of=of) | OneOf(of=of) | Between(of=of) | TextTest(of=of):
            yield from columns_in(of)
        case Arithmetic(left=left, right=right) | Compare(left=left, right=right):
            yield from columns_in(left)
            yield from columns_in(right)
        case Case(condition=condition):
            yield from columns_in(condition)
        case AnyOf(conditions=conditions):
            for one in conditions:
                yield from columns_in(one)
        case Aggregate(of=of, where=where):
            yield from columns_in(of)
            yield from columns_in(where)
        case Window(of=of):
            yield of


def inputs_of(query: Query) -> set[str]:
    """Return the names that the query takes from its tables."""
    named = (*query.derived, *query.aggregates, *query.windows)
    parts = [*query.where, *query.having, *query.keep, *(one.value for one in named)]
    read = {column.name for part in parts for column in columns_in(part)} | {*query.keys, *query.output}
    for one in query.windows:
        if isinstance(one.value, Window):
            read |= {*one.value.by, one.value.order} - {""}
    if query.join is not None:
        read |= {query.join.left}
        read |= {c.name for one in query.join.aggregates for c in columns_in(one.value)}
    return {name for name in read if query.definition(name) is None}
