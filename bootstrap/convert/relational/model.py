"""The relational model: steps over tables, and the scalar expressions inside them.

A column is told from others by identity, never by its name: names of columns change on the way (a join renames what
collides, each library in its own manner), and a renderer alone knows what a column is called at some step.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal as OneOf

from interpreters.base import ColumnType, Value


@dataclass(frozen=True, eq=False)
class Column:
    """`name` is what the query calls it; a renderer makes it unique among its neighbours."""

    name: str
    type: ColumnType


# -- expressions --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Expr:
    type: ColumnType


@dataclass(frozen=True)
class Ref(Expr):
    column: Column


@dataclass(frozen=True)
class Literal(Expr):
    """A constant; dates and timestamps are held as ISO text, their class says what they are."""

    value: Value


@dataclass(frozen=True)
class Call(Expr):
    """An operator or function of `functions.py`."""

    function: str
    arguments: tuple[Expr, ...]


@dataclass(frozen=True)
class Case(Expr):
    branches: tuple[tuple[Expr, Expr], ...]
    default: Expr | None


@dataclass(frozen=True)
class Cast(Expr):
    """`lenient`: what cannot be cast becomes NULL."""

    argument: Expr
    lenient: bool


@dataclass(frozen=True)
class InValues(Expr):
    argument: Expr
    values: tuple[Expr, ...]


@dataclass(frozen=True)
class InQuery(Expr):
    argument: Expr
    relation: Relation


@dataclass(frozen=True)
class ScalarQuery(Expr):
    """The single cell of a relation, NULL where it has no row."""

    relation: Relation


@dataclass(frozen=True)
class HasRows(Expr):
    relation: Relation


@dataclass(frozen=True)
class Aggregate(Expr):
    """`count` without an argument counts rows. `condition` is FILTER."""

    function: str
    arguments: tuple[Expr, ...]
    distinct: bool = False
    condition: Expr | None = None


@dataclass(frozen=True)
class SortKey:
    by: Expr
    descending: bool
    nulls_first: bool


@dataclass(frozen=True)
class Frame:
    """Rows before and after the current one; None is unbounded. `peers`: a RANGE, which ends after rows that tie."""

    start: int | None
    end: int | None
    peers: bool = False


@dataclass(frozen=True)
class Window(Expr):
    """`frame` is None where the whole partition counts, or where the function knows no frame."""

    function: str
    arguments: tuple[Expr, ...]
    partition: tuple[Expr, ...]
    order: tuple[SortKey, ...]
    frame: Frame | None


# -- steps --------------------------------------------------------------------------------------------------------

Assignments = tuple[tuple[Column, Expr], ...]
JoinKind = OneOf["inner", "left", "full", "cross", "semi", "anti"]
SetOperator = OneOf["union", "intersect", "except"]


@dataclass(frozen=True, eq=False)
class Relation:
    @property
    def columns(self) -> tuple[Column, ...]:
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Scan(Relation):
    table: str
    fields: tuple[Column, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.fields


@dataclass(frozen=True, eq=False)
class Named(Relation):
    """One use of a common table expression; its columns stand for those of `definition`, by position."""

    name: str
    definition: Relation
    fields: tuple[Column, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.fields


@dataclass(frozen=True, eq=False)
class OneRow(Relation):
    """What a SELECT without FROM selects from."""

    @property
    def columns(self) -> tuple[Column, ...]:
        return ()


@dataclass(frozen=True, eq=False)
class Step(Relation):
    source: Relation

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.source.columns


@dataclass(frozen=True, eq=False)
class Filter(Step):
    conditions: tuple[Expr, ...]


@dataclass(frozen=True, eq=False)
class Extend(Step):
    assignments: Assignments

    @property
    def columns(self) -> tuple[Column, ...]:
        return (*self.source.columns, *(column for column, _ in self.assignments))


@dataclass(frozen=True, eq=False)
class Project(Step):
    assignments: Assignments

    @property
    def columns(self) -> tuple[Column, ...]:
        return tuple(column for column, _ in self.assignments)


@dataclass(frozen=True, eq=False)
class Group(Step):
    """Without keys: one row."""

    keys: Assignments
    measures: Assignments

    @property
    def columns(self) -> tuple[Column, ...]:
        return tuple(column for column, _ in (*self.keys, *self.measures))


@dataclass(frozen=True, eq=False)
class Sort(Step):
    keys: tuple[SortKey, ...]


@dataclass(frozen=True, eq=False)
class Slice(Step):
    limit: int | None
    offset: int


@dataclass(frozen=True, eq=False)
class Distinct(Step):
    pass


@dataclass(frozen=True, eq=False)
class Join(Relation):
    """`pairs` are equalities of an expression of the left with one of the right; `others` any conditions besides."""

    left: Relation
    right: Relation
    kind: JoinKind
    pairs: tuple[tuple[Expr, Expr], ...]
    others: tuple[Expr, ...] = ()
    label: str = ""  # of the right side, for names that collide

    @property
    def columns(self) -> tuple[Column, ...]:
        if self.kind in ("semi", "anti"):
            return self.left.columns
        return (*self.left.columns, *self.right.columns)


@dataclass(frozen=True, eq=False)
class Combine(Relation):
    """A set operation; its columns stand for those of both sides, by position."""

    left: Relation
    right: Relation
    operator: SetOperator
    distinct: bool
    fields: tuple[Column, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.fields


# -- walking ------------------------------------------------------------------------------------------------------


def map_expr(node: Expr, change: Callable[[Expr], Expr | None]) -> Expr:
    """Return the expression with parts replaced: `change` returns the replacement, or None to look further inside."""
    changed = change(node)
    if changed is not None:
        return changed
    found = {field.name: _map_value(getattr(node, field.name), change) for field in dataclasses.fields(node)}
    return dataclasses.replace(node, **found)  # type: ignore[arg-type]  # fields by their own names


def _map_value(value: object, change: Callable[[Expr], Expr | None]) -> object:
    if isinstance(value, Expr):
        return map_expr(value, change)
    if isinstance(value, tuple):
        return tuple(_map_value(item, change) for item in value)
    if isinstance(value, SortKey):
        return dataclasses.replace(value, by=map_expr(value.by, change))
    return value


def parts(value: object) -> Iterator[Expr]:
    """Yield every expression in an expression (itself first), a sort key or a tuple; sub-queries stay closed."""
    if isinstance(value, Expr):
        yield value
        for field in dataclasses.fields(value):
            yield from parts(getattr(value, field.name))
    elif isinstance(value, SortKey):
        yield from parts(value.by)
    elif isinstance(value, tuple):
        for item in value:
            yield from parts(item)


def columns_in(value: object) -> set[Column]:
    return {part.column for part in parts(value) if isinstance(part, Ref)}


def ref(column: Column) -> Ref:
    return Ref(column.type, column)


def single_measure(relation: Relation) -> tuple[Aggregate, Relation] | None:
    """Return the aggregate of at most one column, and what it is of, where that is all that a relation is."""
    if isinstance(relation, Project) and [value for _, value in relation.assignments] == [ref(relation.columns[0])]:
        relation = relation.source
    if not isinstance(relation, Group) or relation.keys or len(relation.measures) != 1:
        return None
    measure = relation.measures[0][1]
    if not isinstance(measure, Aggregate) or measure.condition is not None:
        return None
    plain = not measure.arguments or (len(measure.arguments) == 1 and isinstance(measure.arguments[0], Ref))
    return (measure, relation.source) if plain else None


def relations_in(relation: Relation) -> Iterator[Relation]:
    """Yield a relation and all below it, sub-queries and common tables too."""
    yield relation
    for field in dataclasses.fields(relation):
        value = getattr(relation, field.name)
        if isinstance(value, Relation):
            yield from relations_in(value)
            continue
        for part in parts(value):
            if isinstance(part, InQuery | ScalarQuery | HasRows):
                yield from relations_in(part.relation)


def columns_used(relation: Relation) -> set[Column]:
    """Return the columns that any expression reads; not those that only a join's own pair reads on its right."""
    used: set[Column] = set(relation.columns)
    for one in relations_in(relation):
        for field in dataclasses.fields(one):
            value = getattr(one, field.name)
            used |= columns_in(tuple(left for left, _ in value) if field.name == "pairs" else value)
        if isinstance(one, Named | Combine):
            used |= {column for inner in _inner(one) for column in inner.columns}
    return used


def _inner(relation: Named | Combine) -> list[Relation]:
    return [relation.definition] if isinstance(relation, Named) else [relation.left, relation.right]
