"""One SELECT: FROM, WHERE, grouping, windows, outputs, order, in the order in which SQL works them out."""

from __future__ import annotations

from sqlglot import exp

from bootstrap.convert.base import UnsupportedSqlError
from bootstrap.convert.relational.grouping import Grouping
from bootstrap.convert.relational.model import (
    Aggregate,
    Column,
    Distinct,
    Expr,
    Extend,
    Filter,
    Group,
    Join,
    OneRow,
    Project,
    Ref,
    Relation,
    Sort,
    SortKey,
    Window,
    columns_in,
    map_expr,
    parts,
    ref,
)
from bootstrap.convert.relational.names import name_of
from bootstrap.convert.relational.read_expression import ExpressionReader
from bootstrap.convert.relational.read_from import FromReader, Pair, split_pairs
from bootstrap.convert.relational.read_sql import QueryReader, limited, output_by
from bootstrap.convert.relational.read_subquery import SubQueryReader
from bootstrap.convert.relational.scope import Scope

_REFUSED = ("into", "distribute", "cluster", "sort", "match", "locks", "connect", "prewhere", "hint", "kind")


class SelectReader:
    """`pairs` are the equalities of WHERE between an expression of an outer query and one of this query."""

    def __init__(self, tree: exp.Select, queries: QueryReader, parent: Scope | None) -> None:
        self.tree, self.queries = tree, queries
        self.scope = Scope(parent)
        self.pairs: list[Pair] = []
        self.relation: Relation = OneRow()
        self.sub_queries = SubQueryReader(self)
        self.expressions = ExpressionReader(self.scope, queries.dialect, self.sub_queries)
        self.outputs: list[tuple[Column, Expr]] = []
        refused = [name for name in _REFUSED if tree.args.get(name)]
        if refused:
            raise UnsupportedSqlError(f"SELECT ... {refused[0].upper()}")
        for window in tree.args.get("windows") or []:
            self.expressions.windows[window.name.casefold()] = window

    def read(self) -> Relation:
        """Return the rows of the SELECT. Raises UnsupportedSqlError."""
        self.read_rows()
        if self.pairs:
            raise UnsupportedSqlError("a correlated sub-query of this form")
        return self.finish()

    def read_rows(self) -> None:
        """Read FROM and WHERE: all that the outputs are made from."""
        self.relation, nodes = FromReader(self.queries, self.scope, self.expressions).read(self.tree)
        for node in self.tree.expressions:
            if isinstance(node, exp.Alias):
                self.scope.aliases.setdefault(node.alias.casefold(), node.this)
        joins = [join for node in nodes if (join := self.sub_queries.as_join(node)) is not None]
        rest = [node for node in nodes if not any(node is join.node for join in joins)]
        self._where([self.expressions.condition(node) for node in rest])
        for join in joins:
            self.relation = Join(self.relation, join.relation, join.kind, join.pairs)

    def _where(self, conditions: list[Expr]) -> None:
        inner = [one for one in conditions if not columns_in(one) & self.scope.outer]
        outer = [one for one in conditions if columns_in(one) & self.scope.outer]
        if inner:
            self.relation = Filter(self.relation, tuple(inner))
        pairs, others = split_pairs(outer, self.scope.outer, set(self.relation.columns))
        if others:
            raise UnsupportedSqlError("a sub-query that is correlated by more than an equality")
        self.pairs += pairs

    # -- outputs --

    def finish(self) -> Relation:
        """Return the rows after grouping, windows, order and limits."""
        self.outputs = self.read_outputs()
        order = self._order()
        having = self.tree.args.get("having")
        condition = self.expressions.condition(having.this) if having else None
        if self.tree.args.get("group") or _has_aggregate([e for _, e in self.outputs], order, condition):
            order = self._group(order, condition)
        elif condition is not None:
            raise UnsupportedSqlError("HAVING without groups")
        self._qualify()
        return self._ordered(order)

    def read_outputs(self) -> list[tuple[Column, Expr]]:
        found: list[tuple[Column, Expr]] = []
        for node in self.tree.expressions:
            if isinstance(node, exp.Star) or (isinstance(node, exp.Column) and isinstance(node.this, exp.Star)):
                found += self._star(node)
                continue
            value = self.expressions.read(node.unalias())
            name = node.alias if isinstance(node, exp.Alias) else name_of(value)
            column = value.column if isinstance(value, Ref) and value.column.name == name else Column(name, value.type)
            if any(column is other for other, _ in found):
                column = Column(name, value.type)
            found.append((column, value))
        return found

    def _star(self, node: exp.Expr) -> list[tuple[Column, Expr]]:
        """Return what a star stands for; DuckDB's has EXCLUDE, REPLACE and RENAME behind it."""
        star = node.this if isinstance(node, exp.Column) else node
        left_out = {one.name.casefold() for one in star.args.get("except_") or star.args.get("exclude") or ()}
        replaced = {one.alias.casefold(): one.this for one in star.args.get("replace") or ()}
        renamed = {one.this.name.casefold(): one.alias for one in star.args.get("rename") or ()}
        found: list[tuple[Column, Expr]] = []
        for column, value in self._whole_star(node):
            key = column.name.casefold()
            if key in left_out:
                continue
            if key in replaced:
                value = self.expressions.read(replaced[key])
                column = Column(column.name, value.type)
            elif key in renamed:
                column = Column(renamed[key], column.type)
            found.append((column, value))
        return found

    def _whole_star(self, node: exp.Expr) -> list[tuple[Column, Expr]]:
        if isinstance(node, exp.Column):
            source = self.scope.source(node.table)
            if source is None:
                raise UnsupportedSqlError(f"no table {node.table}")
            return [(column, ref(column)) for column in source.relation.columns]
        found: list[tuple[Column, Expr]] = []
        merged: set[str] = set()
        for source in self.scope.sources:
            for column in source.relation.columns:
                value = self.scope.merged.get(column.name.casefold())
                if value is None:
                    found.append((column, ref(column)))
                elif column.name.casefold() not in merged:
                    merged.add(column.name.casefold())
                    own = value.column if isinstance(value, Ref) else Column(column.name, value.type)
                    found.append((own, value))
        return found

    def _order(self) -> list[SortKey]:
        """Return the sort keys; one that names an output is a reference to it."""
        clause = self.tree.args.get("order")
        keys: list[SortKey] = []
        for node in clause.expressions if clause else []:
            by: Expr | None = None
            position = isinstance(node.this, exp.Literal)
            if position or (isinstance(node.this, exp.Column) and not node.this.table):
                outputs = tuple(column for column, _ in self.outputs)
                named = output_by(node.this, outputs)
                by = next((ref(column) for column, _ in self.outputs if column is named), None)
                if position and by is None:
                    raise UnsupportedSqlError(f"ORDER BY {node.this.sql()}")
            by = by or self.expressions.read(node.this)
            by = next((ref(column) for column, value in self.outputs if value == by), by)
            keys.append(self.expressions.sort_key(node, by))
        return keys

    def _group(self, order: list[SortKey], having: Expr | None) -> list[SortKey]:
        grouping = Grouping(self.queries.dialect, self._group_keys())
        names = {
            column: value for column, value in self.outputs if not isinstance(value, Ref) or value.column is not column
        }
        having = None if having is None else _opened(having, names)
        hidden = [_opened(key.by, names) for key in order if not (isinstance(key.by, Ref) and key.by.column in names)]
        grouping.look_at([*(value for _, value in self.outputs), *hidden, *([] if having is None else [having])])
        outputs = [(column, grouping.lower(value, column)) for column, value in self.outputs]
        condition = None if having is None else grouping.lower(having)
        lowered: list[SortKey] = []
        for key in order:
            named = isinstance(key.by, Ref) and key.by.column in names
            by = key.by if named else grouping.lower(_opened(key.by, names))
            lowered.append(SortKey(by, key.descending, key.nulls_first))
        self.outputs = outputs
        self.relation = grouping.apply(self.relation)
        if condition is not None:
            self.relation = Filter(self.relation, (condition,))
        return lowered

    def _group_keys(self) -> list[tuple[Column, Expr]]:
        clause = self.tree.args.get("group")
        if clause is None:
            return []
        if clause.args.get("all"):
            return [(column, value) for column, value in self.outputs if not _has_aggregate([value], [], None)]
        if any(isinstance(node, exp.Rollup | exp.Cube | exp.GroupingSets) for node in clause.expressions):
            raise UnsupportedSqlError("GROUPING SETS, CUBE or ROLLUP")
        keys: list[tuple[Column, Expr]] = []
        for node in clause.expressions:
            if isinstance(node, exp.Literal) and node.is_int:
                named = output_by(node, tuple(column for column, _ in self.outputs))
                value = next((value for column, value in self.outputs if column is named), None)
                if value is None:
                    raise UnsupportedSqlError(f"GROUP BY {node.sql()}")
            else:
                value = self.expressions.read(node)
            if any(value == other for _, other in keys):
                continue
            column = value.column if isinstance(value, Ref) else next((c for c, v in self.outputs if v == value), None)
            keys.append((column or Column(name_of(value), value.type), value))
        return keys

    def _qualify(self) -> None:
        """Keep the rows of QUALIFY, whose windows become columns first."""
        clause = self.tree.args.get("qualify")
        if clause is None:
            return
        if isinstance(self.relation, Group):
            raise UnsupportedSqlError("QUALIFY over groups")
        condition = self.expressions.condition(clause.this)
        found = list(dict.fromkeys(part for part in parts(condition) if isinstance(part, Window)))
        columns = {part: Column(name_of(part), part.type) for part in found}
        self.relation = Extend(self.relation, tuple((column, part) for part, column in columns.items()))
        self.outputs = [(column, _replaced(value, columns)) for column, value in self.outputs]
        self.relation = Filter(self.relation, (_replaced(condition, columns),))

    def _ordered(self, order: list[SortKey]) -> Relation:
        outputs = {column for column, _ in self.outputs}
        is_distinct = self.tree.args.get("distinct")
        if is_distinct is not None and is_distinct.args.get("on"):
            raise UnsupportedSqlError("DISTINCT ON")
        if all(columns_in(key.by) <= outputs for key in order):
            relation: Relation = Project(self.relation, tuple(self.outputs))
            relation = Distinct(relation) if is_distinct else relation
            return limited(self.tree, Sort(relation, tuple(order)) if order else relation)
        if is_distinct:
            return self._distinct_by_hidden(order, outputs)
        opened = {column: value for column, value in self.outputs if value != ref(column)}
        keys = tuple(SortKey(_opened(key.by, opened), key.descending, key.nulls_first) for key in order)
        # a limit is applied before the outputs are chosen, where the sort keys still are
        return Project(limited(self.tree, Sort(self.relation, keys)), tuple(self.outputs))

    def _distinct_by_hidden(self, order: list[SortKey], outputs: set[Column]) -> Relation:
        """Return distinct rows in the order of their first hidden key."""
        measures: list[tuple[Column, Expr]] = []
        keys: list[SortKey] = []
        for key in order:
            by = key.by
            if not columns_in(by) <= outputs:
                column = Column(name_of(by), by.type)
                measures.append((column, Aggregate(by.type, "max" if key.descending else "min", (by,))))
                by = ref(column)
            keys.append(SortKey(by, key.descending, key.nulls_first))
        grouped = Group(self.relation, tuple(self.outputs), tuple(measures))
        kept = tuple((column, ref(column)) for column, _ in self.outputs)
        return Project(limited(self.tree, Sort(grouped, tuple(keys))), kept)


def _opened(value: Expr, names: dict[Column, Expr]) -> Expr:
    """Return the expression with references to outputs replaced by what they stand for."""
    return map_expr(value, lambda part: names.get(part.column) if isinstance(part, Ref) else None)


def _replaced(value: Expr, columns: dict[Window, Column]) -> Expr:
    return map_expr(value, lambda part: ref(columns[part]) if isinstance(part, Window) and part in columns else None)


def _has_aggregate(values: list[Expr], order: list[SortKey], having: Expr | None) -> bool:
    found = parts((*values, *(key.by for key in order), *(() if having is None else (having,))))
    return any(isinstance(part, Aggregate) for part in found)
