"""Queries inside expressions of another query: as they stand where they are independent of it, else as joins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Literal as OneOf

from sqlglot import exp

from bootstrap.convert.base import UnsupportedSqlError
from bootstrap.convert.relational.coercion import comparable
from bootstrap.convert.relational.functions import BOOL, INT
from bootstrap.convert.relational.model import (
    Aggregate,
    Call,
    Column,
    Expr,
    Group,
    HasRows,
    InQuery,
    Join,
    Literal,
    Project,
    Ref,
    Relation,
    ScalarQuery,
    parts,
    ref,
)

if TYPE_CHECKING:
    from bootstrap.convert.relational.read_select import SelectReader

_SHAPING = ("group", "having", "limit", "offset", "qualify")


@dataclass(frozen=True)
class Membership:
    """A condition of WHERE that keeps rows by looking for them in another query."""

    node: exp.Expr
    kind: OneOf["semi", "anti"]
    relation: Relation
    pairs: tuple[tuple[Expr, Expr], ...]


class SubQueryReader:
    def __init__(self, select: SelectReader) -> None:
        self._select = select

    def as_join(self, node: exp.Expr) -> Membership | None:
        """Return the condition as a join, where it is a sub-query that is correlated by equalities."""
        inner, negated = node, False
        while isinstance(inner, exp.Paren | exp.Not):
            negated ^= isinstance(inner, exp.Not)
            inner = inner.this
        kind: OneOf["semi", "anti"] = "anti" if negated else "semi"
        if isinstance(inner, exp.Exists):
            reader = self._inside(inner.this.unnest())
            if reader is not None and reader.pairs:
                return Membership(node, kind, reader.relation, tuple(reader.pairs))
        if isinstance(inner, exp.In) and inner.args.get("query") is not None and not isinstance(inner.this, exp.Tuple):
            reader = self._inside(inner.args["query"].unnest())
            if reader is not None and reader.pairs:
                if negated:
                    raise UnsupportedSqlError("NOT IN of a correlated sub-query")
                [(_, value)] = reader.read_outputs()
                sides = comparable(self._select.expressions.read(inner.this), value, self._select.queries.dialect)
                return Membership(node, kind, reader.relation, (*reader.pairs, sides))
        return None

    def exists(self, node: exp.Exists) -> Expr:
        tree = node.this.unnest()
        reader = self._inside(tree)
        if reader is None or not reader.pairs:
            return HasRows(BOOL, reader.relation if reader else self._select.queries.read(tree, self._select.scope))
        if len(reader.pairs) != 1:
            raise UnsupportedSqlError("EXISTS with several correlations outside of AND")
        [(outer, inside)] = reader.pairs
        found = InQuery(BOOL, outer, _one_column(reader.relation, inside))
        return Call(BOOL, "fill_null", (found, Literal(BOOL, False)))

    def membership(self, argument: Expr, node: exp.Expr) -> Expr:
        relation = self._select.queries.read(node, self._select.scope)
        if len(relation.columns) != 1:
            raise UnsupportedSqlError("IN of a query with several columns")
        left, right = comparable(argument, ref(relation.columns[0]), self._select.queries.dialect)
        if not isinstance(right, Ref):
            relation = _one_column(relation, right)
        return InQuery(BOOL, left, relation)

    def scalar(self, node: exp.Expr) -> Expr:
        """Return the value of a query with one cell; where it is correlated, joined as one value per group."""
        if not isinstance(node, exp.Select):
            relation = self._select.queries.read(node, self._select.scope)
            return ScalarQuery(_only(relation).type, relation)
        reader = self._reader(node)
        reader.read_rows()
        if not reader.pairs:
            relation = reader.finish()
            return ScalarQuery(_only(relation).type, relation)
        if any(node.args.get(key) for key in _SHAPING):
            raise UnsupportedSqlError("a correlated sub-query with groups or a limit")
        [(column, value)] = reader.read_outputs()
        if not any(isinstance(part, Aggregate) for part in parts(value)):
            if isinstance(value, Literal):
                raise UnsupportedSqlError("a correlated sub-query for a constant")
            value = Aggregate(value.type, "any", (value,))  # it has one row for each of ours, or the query is wrong
        column = Column(column.name, value.type)
        return self._joined(reader, column, value)

    def _joined(self, reader: SelectReader, column: Column, value: Expr) -> Expr:
        keys = tuple((i.column if isinstance(i, Ref) else Column("key", i.type), i) for _, i in reader.pairs)
        group = Group(reader.relation, keys, ((column, value),))
        pairs = tuple((outer, ref(key)) for (outer, _), (key, _) in zip(reader.pairs, keys, strict=True))
        self._require_own(reader)
        self._select.relation = Join(self._select.relation, group, "left", pairs, (), "sub")
        if isinstance(value, Aggregate) and value.function == "count":
            return Call(INT, "fill_null", (ref(column), Literal(INT, 0)))
        return ref(column)

    def _require_own(self, reader: SelectReader) -> None:
        own = set(self._select.relation.columns)
        if any(part.column not in own for outer, _ in reader.pairs for part in parts(outer) if isinstance(part, Ref)):
            raise UnsupportedSqlError("a sub-query that is correlated with a query further out")

    def _reader(self, tree: exp.Select) -> SelectReader:
        queries = self._select.queries.with_tables(tree)
        return type(self._select)(tree, queries, self._select.scope)

    def _inside(self, tree: exp.Expr) -> SelectReader | None:
        """Return the rows of a sub-query before its outputs; None where it shapes them further."""
        if not isinstance(tree, exp.Select) or any(tree.args.get(key) for key in _SHAPING):
            return None
        if any(one.find(exp.AggFunc) for one in tree.expressions):
            return None
        reader = self._reader(tree)
        reader.read_rows()
        if reader.pairs:
            self._require_own(reader)
        return reader


def _one_column(relation: Relation, value: Expr) -> Relation:
    column = value.column if isinstance(value, Ref) else Column("value", value.type)
    return Project(relation, ((column, value),))


def _only(relation: Relation) -> Column:
    if len(relation.columns) != 1:
        raise UnsupportedSqlError("a sub-query with several columns where one value is asked for")
    return relation.columns[0]
