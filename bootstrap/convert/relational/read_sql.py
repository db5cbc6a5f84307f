"""From a query of sqlglot's tree to steps of the model: common tables, set operations, ORDER BY and LIMIT."""

from __future__ import annotations

from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp

from bootstrap.convert.base import Schema, UnsupportedSqlError
from bootstrap.convert.relational.functions import FLOAT, INT
from bootstrap.convert.relational.model import (
    Cast,
    Column,
    Combine,
    Distinct,
    Expr,
    Named,
    Project,
    Relation,
    Scan,
    SetOperator,
    Slice,
    Sort,
    SortKey,
    ref,
)
from bootstrap.convert.relational.scope import Scope
from interpreters.base import ColumnType

_OPERATORS: dict[type[exp.Expr], SetOperator] = {
    exp.Union: "union", exp.Intersect: "intersect", exp.Except: "except",
}  # fmt: skip


def read_sql(sql: str, dialect: str, schema: Schema) -> Relation:
    """Return the steps of a SELECT statement. Raises UnsupportedSqlError with the reason why there are none."""
    try:
        trees = [tree for tree in sqlglot.parse(sql, read=dialect) if tree is not None]
    except sqlglot.errors.SqlglotError as error:
        raise UnsupportedSqlError(f"sqlglot cannot read it: {str(error).splitlines()[0]}") from error
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        raise UnsupportedSqlError("not one SELECT statement")
    return QueryReader(schema, dialect).read(trees[0], None)


@dataclass
class QueryReader:
    """`named` are the common tables that a query can see."""

    schema: Schema
    dialect: str
    named: dict[str, tuple[str, Relation]] = field(default_factory=dict)

    def read(self, tree: exp.Expr, parent: Scope | None) -> Relation:
        from bootstrap.convert.relational.read_select import SelectReader  # which reads queries itself

        if isinstance(tree, exp.Subquery | exp.Paren):
            inner = self.with_tables(tree).read(tree.this, parent)
            return limited(tree, self._sorted(tree, inner))
        reader = self.with_tables(tree)
        if isinstance(tree, exp.Select):
            return SelectReader(tree, reader, parent).read()
        if type(tree) in _OPERATORS:
            return limited(tree, self._sorted(tree, reader.combine(tree, parent)))
        raise UnsupportedSqlError(f"{type(tree).__name__.upper()} is not translated")

    def with_tables(self, tree: exp.Expr) -> QueryReader:
        """Return a reader that sees the common tables of this query too."""
        clause = tree.args.get("with_")
        if clause is None:
            return self
        if clause.args.get("recursive") and any(_is_recursive(one) for one in clause.expressions):
            raise UnsupportedSqlError("a recursive common table")
        reader = QueryReader(self.schema, self.dialect, dict(self.named))
        for table in clause.expressions:
            relation = reader.renamed(reader.read(table.this, None), table.args["alias"])
            reader.named[table.alias.casefold()] = (table.alias, relation)
        return reader

    def renamed(self, relation: Relation, alias: exp.TableAlias | None) -> Relation:
        """Return the relation with the column names of an alias like t(a, b)."""
        names = [] if alias is None else [column.name for column in alias.args.get("columns") or []]
        if not names:
            return relation
        if len(names) != len(relation.columns):
            raise UnsupportedSqlError(f"{len(names)} names for {len(relation.columns)} columns")
        pairs = zip(names, relation.columns, strict=True)
        return Project(relation, tuple((Column(name, column.type), ref(column)) for name, column in pairs))

    def table(self, node: exp.Table) -> Relation:
        """Return a table of the schema, or one use of a common table."""
        name = node.name
        if not node.db and name.casefold() in self.named:
            written, definition = self.named[name.casefold()]
            return Named(written, definition, tuple(Column(one.name, one.type) for one in definition.columns))
        found = next((known for known in self.schema if known.casefold() == name.casefold()), None)
        if found is None:
            raise UnsupportedSqlError(f"no table {name}")
        return Scan(found, tuple(Column(column, kind) for column, kind in self.schema[found].items()))

    def combine(self, tree: exp.Expr, parent: Scope | None) -> Relation:
        """Return a set operation. Raises UnsupportedSqlError where bags of rows are subtracted."""
        operator, distinct = _OPERATORS[type(tree)], bool(tree.args.get("distinct"))
        if tree.args.get("by_name"):
            raise UnsupportedSqlError("a set operation by name")
        if operator != "union" and not distinct:
            raise UnsupportedSqlError(f"{operator.upper()} ALL")
        left, right = self.read(tree.this, parent), self.read(tree.expression, parent)
        if len(left.columns) != len(right.columns):
            raise UnsupportedSqlError("a set operation over different numbers of columns")
        pairs = zip(left.columns, right.columns, strict=True)
        kinds = [_common(a.type, b.type) for a, b in pairs]
        left, right = _in_classes(left, kinds), _in_classes(right, kinds)
        if isinstance(right, Project):  # which can call its columns as the left does at once
            named = zip(left.columns, right.assignments, strict=True)
            right = Project(right.source, tuple((Column(one.name, value.type), value) for one, (_, value) in named))
        fields = tuple(Column(one.name, kind) for one, kind in zip(left.columns, kinds, strict=True))
        return Combine(left, right, operator, distinct, fields)

    def _sorted(self, tree: exp.Expr, relation: Relation) -> Relation:
        """Return the rows of a set operation in order: by its outputs, by position or name."""
        order = tree.args.get("order")
        if order is None:
            return relation
        keys = []
        for node in order.expressions:
            found = output_by(node.this, relation.columns)
            if found is None:
                raise UnsupportedSqlError(f"a set operation in the order of {node.this.sql()}")
            keys.append(SortKey(ref(found), bool(node.args.get("desc")), bool(node.args.get("nulls_first"))))
        return Sort(relation, tuple(keys))


def output_by(node: exp.Expr, columns: tuple[Column, ...]) -> Column | None:
    """Return the output that a position or a name means."""
    if isinstance(node, exp.Literal) and node.is_int and 1 <= int(node.this) <= len(columns):
        return columns[int(node.this) - 1]
    if isinstance(node, exp.Column):
        return next((one for one in columns if one.name.casefold() == node.name.casefold()), None)
    return None


def limited(tree: exp.Expr, relation: Relation) -> Relation:
    """Return the first rows, as LIMIT and OFFSET say."""
    limit, offset = tree.args.get("limit"), tree.args.get("offset")
    if limit is None and offset is None:
        return relation
    if isinstance(limit, exp.Fetch):
        if limit.args.get("limit_options") and "TIES" in limit.args["limit_options"].sql():
            raise UnsupportedSqlError("FETCH WITH TIES")
        count = limit.args.get("count")
    else:
        count = limit.expression if limit is not None else None
    start = _whole(offset.expression) if offset is not None else 0
    length = _whole(count) if count is not None else None
    return Slice(relation, None if length is not None and length < 0 else length, start)


def _whole(node: exp.Expr) -> int:
    text = node.sql()
    if not text.lstrip("-").isdigit():
        raise UnsupportedSqlError(f"LIMIT {text}")
    return int(text)


def _is_recursive(table: exp.CTE) -> bool:
    return any(one.name.casefold() == table.alias.casefold() for one in table.this.find_all(exp.Table))


def _common(a: ColumnType, b: ColumnType) -> ColumnType:
    if a is b or b is ColumnType.NULL:
        return a
    if a is ColumnType.NULL:
        return b
    if {a, b} == {INT, FLOAT}:
        return FLOAT
    raise UnsupportedSqlError(f"a set operation over {a} and {b}")


def _in_classes(relation: Relation, kinds: list[ColumnType]) -> Relation:
    """Return the relation with its columns cast, where they must be."""
    if all(column.type is kind for column, kind in zip(relation.columns, kinds, strict=True)):
        return relation
    outputs: list[tuple[Column, Expr]] = []
    for column, kind in zip(relation.columns, kinds, strict=True):
        value = ref(column)
        outputs.append(
            (column, value) if column.type is kind else (Column(column.name, kind), Cast(kind, value, False))
        )
    return Project(relation, tuple(outputs))


def distinct(relation: Relation) -> Relation:
    return relation if isinstance(relation, Distinct) else Distinct(relation)
