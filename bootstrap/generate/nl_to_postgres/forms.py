"""The small typed form from which a question, its SQL and its expected answer are all made.

The form is written as SQL by render.py, put into words by wording.py, and evaluated over rows of Python, by itself,
by evaluate.py: when PostgreSQL's answer is that of the evaluation, the SQL says what the form means.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Literal

from interpreters.base import ColumnType, Value


@dataclass(frozen=True)
class Col:
    source: str
    column: str
    type: ColumnType
    nullable: bool = False


@dataclass(frozen=True)
class Lit:
    value: Value


@dataclass(frozen=True)
class Call:
    """A function of functions.py, by its name there."""

    function: str
    args: tuple[Expr, ...]
    type: ColumnType


@dataclass(frozen=True)
class Case:
    branches: tuple[tuple[Pred, Expr], ...]
    default: Expr
    type: ColumnType = ColumnType.STRING


@dataclass(frozen=True)
class Agg:
    """An aggregate of functions.py; without an argument, rows are counted. `where`: which rows count."""

    function: str
    arg: Expr | None
    type: ColumnType
    where: tuple[Pred, ...] = ()


@dataclass(frozen=True)
class Win:
    """A window function: row_number, rank, dense_rank, lag, or sum, avg, min, max, count over a partition; with an
    order the latter run up to the row itself."""

    function: str
    arg: Expr | None
    partition: tuple[Expr, ...]
    order: tuple[Key, ...]
    type: ColumnType


@dataclass(frozen=True)
class Scalar:
    """The one value of a query."""

    query: Query
    type: ColumnType


Expr = Col | Lit | Call | Case | Agg | Win | Scalar


@dataclass(frozen=True)
class Test:
    """A comparison; with NULL on a side it is not met."""

    __test__ = False  # not a test class for pytest

    op: Literal["=", "<>", "<", "<=", ">", ">="]
    left: Expr
    right: Expr


@dataclass(frozen=True)
class Between:
    expr: Expr
    low: Lit
    high: Lit


@dataclass(frozen=True)
class OneOf:
    expr: Expr
    values: tuple[Lit, ...]
    negated: bool = False


@dataclass(frozen=True)
class Missing:
    expr: Expr
    negated: bool = False


@dataclass(frozen=True)
class Like:
    """Text that contains, starts with or ends with a text, letter case counting."""

    kind: Literal["contains", "starts", "ends"]
    expr: Expr
    text: str


@dataclass(frozen=True)
class Is:
    """A condition that is a truth value by itself."""

    expr: Expr
    wanted: bool = True


@dataclass(frozen=True)
class Either:
    preds: tuple[Pred, ...]


@dataclass(frozen=True)
class Within:
    """A value that is, or is not, among those of a query's one column. `style`: how to write it in SQL."""

    expr: Expr
    query: Query
    negated: bool = False
    style: Literal["in", "exists"] = "in"


Pred = Test | Between | OneOf | Missing | Like | Is | Either | Within


@dataclass(frozen=True)
class Key:
    """A sort key; NULLs come last in both directions. `nullable`: whether there may be any."""

    expr: Expr
    descending: bool = False
    nullable: bool = False


@dataclass(frozen=True)
class Source:
    alias: str
    table: str


@dataclass(frozen=True)
class Join:
    source: Source
    left: tuple[Col, ...]
    right: tuple[Col, ...]
    kind: Literal["inner", "left"] = "inner"


@dataclass(frozen=True)
class Output:
    name: str
    expr: Expr


@dataclass(frozen=True)
class Query:
    """`ctes`: named queries that sources of this one may name; the sources of a later one may name earlier ones."""

    source: Source
    outputs: tuple[Output, ...]
    joins: tuple[Join, ...] = ()
    where: tuple[Pred, ...] = ()
    group: tuple[Expr, ...] = ()
    having: tuple[Pred, ...] = ()
    distinct: bool = False
    order: tuple[Key, ...] = ()
    limit: int | None = None
    ctes: tuple[tuple[str, Statement], ...] = ()

    @property
    def grouped(self) -> bool:
        return bool(self.group) or any(isinstance(node, Agg) for output in self.outputs for node in walk(output.expr))


@dataclass(frozen=True)
class SetQuery:
    """Two queries as one set of rows, sorted by the positions of `order` where there are any."""

    kind: Literal["UNION", "INTERSECT", "EXCEPT"]
    left: Query
    right: Query
    order: tuple[int, ...] = ()


Statement = Query | SetQuery


def walk(node: object) -> Iterator[object]:
    """Yield a node and all that it is made of, except what sub-queries are made of."""
    yield node
    if isinstance(node, tuple):
        for item in node:
            yield from walk(item)
    elif is_dataclass(node):
        for field in fields(node):
            value = getattr(node, field.name)
            if not isinstance(value, Query | SetQuery):
                yield from walk(value)


def queries_of(node: object) -> Iterator[Query]:
    """Yield every query within a form, itself included."""
    if isinstance(node, Query):
        yield node
    if isinstance(node, tuple):
        for item in node:
            yield from queries_of(item)
    elif is_dataclass(node):
        for field in fields(node):
            yield from queries_of(getattr(node, field.name))


def tables_of(form: Statement) -> list[str]:
    """Return the tables that a form reads, its own named queries left out."""
    named = {name for query in queries_of(form) for name, _ in query.ctes}
    sources = [
        source for query in queries_of(form) for source in (query.source, *(join.source for join in query.joins))
    ]
    return list(dict.fromkeys(source.table for source in sources if source.table not in named))
