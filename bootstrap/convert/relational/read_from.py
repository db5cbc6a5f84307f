"""The FROM clause: tables and joins, with the conditions that belong to each join.

Conditions of inner joins go to the first join at which both their sides are there: analysts write
`a JOIN b JOIN c ON ... AND ...`, or put them into WHERE after commas.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot import exp

from bootstrap.convert.base import UnsupportedSqlError
from bootstrap.convert.relational.coercion import compare
from bootstrap.convert.relational.model import (
    Call,
    Column,
    Expr,
    Filter,
    InQuery,
    Join,
    JoinKind,
    OneRow,
    Relation,
    ScalarQuery,
    columns_in,
    parts,
    ref,
)
from bootstrap.convert.relational.read_expression import ExpressionReader
from bootstrap.convert.relational.read_sql import QueryReader
from bootstrap.convert.relational.scope import Scope, Source
from interpreters.base import ColumnType

Pair = tuple[Expr, Expr]


def conjuncts(node: exp.Expr | None) -> list[exp.Expr]:
    """Return the parts that AND joins."""
    if node is None:
        return []
    if isinstance(node, exp.Paren):
        return conjuncts(node.this)
    if isinstance(node, exp.And):
        return [*conjuncts(node.this), *conjuncts(node.expression)]
    return [node]


@dataclass
class FromReader:
    """Reads the tables of one SELECT into its scope. `pool` are conditions of inner joins, still to be placed."""

    queries: QueryReader
    scope: Scope
    expressions: ExpressionReader
    pool: list[Expr] = field(default_factory=list)

    def read(self, tree: exp.Select) -> tuple[Relation, list[exp.Expr]]:
        """Return the joined tables, and the parts of WHERE that joined none of them."""
        clause, where = tree.args.get("from_"), tree.args.get("where")
        nodes = conjuncts(where.this if where else None)
        if clause is None:
            return OneRow(), nodes
        if tree.args.get("laterals"):
            raise UnsupportedSqlError("LATERAL")
        joins = [*(clause.this.args.get("joins") or []), *(tree.args.get("joins") or [])]
        for table in (clause.this, *(join.this for join in joins)):
            self._source(table)
        nodes = self._take_where(nodes, joins)
        relation: Relation = self.scope.sources[0].relation
        for number, join in self._in_reach(joins):
            relation = self._join(relation, join, number)
        if self.pool:
            relation = Filter(relation, tuple(self.pool))
        return relation, nodes

    def _take_where(self, nodes: list[exp.Expr], joins: list[exp.Join]) -> list[exp.Expr]:
        """Return the parts of WHERE. Equalities between two tables go to the pool where joins lack conditions."""
        if not any(_is_bare(join) for join in joins) or any(join.side for join in joins):
            return nodes
        kept = []
        for node in nodes:
            if isinstance(node, exp.EQ) and all(isinstance(side, exp.Column) for side in (node.this, node.expression)):
                condition = self.expressions.read(node)
                if not columns_in(condition) & self.scope.outer and len(columns_in(condition)) == 2:
                    self.pool.append(condition)
                    continue
            kept.append(node)
        return kept

    def _in_reach(self, joins: list[exp.Join]) -> list[tuple[int, exp.Join]]:
        """Return the joins with the numbers of their tables; after commas, next the table that a condition reaches."""
        waiting = list(enumerate(joins, 1))
        if not all(_is_bare(join) and not join.side for join in joins):
            return waiting
        found: list[tuple[int, exp.Join]] = []
        there = set(self.scope.sources[0].relation.columns)
        while waiting:
            reached = [
                one for one in waiting if self._connects(there, set(self.scope.sources[one[0]].relation.columns))
            ]
            chosen = (reached or waiting)[0]
            waiting.remove(chosen)
            found.append(chosen)
            there |= set(self.scope.sources[chosen[0]].relation.columns)
        return found

    def _connects(self, left: set[Column], right: set[Column]) -> bool:
        used = [columns_in(one) for one in self.pool]
        return any(columns & left and columns & right and columns <= left | right for columns in used)

    def _source(self, node: exp.Expr) -> None:
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            relation, name = self.queries.table(node), node.alias or node.name
        elif isinstance(node, exp.Subquery) and isinstance(node.this, exp.Query):
            relation, name = self.queries.read(node.this, None), node.alias
        else:
            raise UnsupportedSqlError(f"{type(node).__name__} in FROM")
        if node.args.get("sample") or node.args.get("pivots"):
            raise UnsupportedSqlError("TABLESAMPLE or PIVOT")
        if name and self.scope.source(name):
            raise UnsupportedSqlError(f"two tables are called {name}")
        self.scope.sources.append(Source(name, self.queries.renamed(relation, node.args.get("alias"))))

    def _join(self, left: Relation, node: exp.Join, number: int) -> Relation:
        kind = (node.side or node.kind or "INNER").upper()
        if kind not in ("INNER", "CROSS", "LEFT", "RIGHT", "FULL", "SEMI", "ANTI") or node.method.upper() == "ASOF":
            raise UnsupportedSqlError(f"{kind} JOIN {node.kind}".strip())
        right = self.scope.sources[number]
        pairs = self._using(node, self.scope.sources[:number], right, kind)
        conditions = [self.expressions.condition(one) for one in conjuncts(node.args.get("on"))]
        label = right.name
        if kind in ("INNER", "CROSS"):
            return self._inner(left, right.relation, pairs, conditions, label)
        found, others = split_pairs(conditions, set(left.columns), set(right.relation.columns))
        pairs += found
        if kind in ("SEMI", "ANTI"):
            return self._lookup(left, number, "semi" if kind == "SEMI" else "anti", pairs, others)
        if kind == "RIGHT":
            flipped = [(b, a) for a, b in pairs]
            return _outer(right.relation, left, "left", flipped, others, self.scope.sources[0].name)
        return _outer(left, right.relation, "left" if kind == "LEFT" else "full", pairs, others, label)

    def _lookup(self, left: Relation, number: int, kind: JoinKind, pairs: list[Pair], others: list[Expr]) -> Relation:
        """Return a SEMI or ANTI JOIN, after which the columns of the right are gone."""
        right = self.scope.sources[number].relation
        if not pairs or any(not columns_in(one) <= set(right.columns) for one in others):
            raise UnsupportedSqlError(f"a {kind.upper()} JOIN with more than equalities")
        self.scope.sources[number] = Source("", OneRow())
        return Join(left, Filter(right, tuple(others)) if others else right, kind, tuple(pairs))

    def _inner(self, left: Relation, right: Relation, pairs: list[Pair], on: list[Expr], label: str) -> Relation:
        self.pool += on
        there = {*left.columns, *right.columns}
        ready = [one for one in self.pool if columns_in(one) <= there and not _is_closed(one)]
        self.pool[:] = [one for one in self.pool if not any(one is other for other in ready)]
        found, others = split_pairs(ready, set(left.columns), set(right.columns))
        pairs = [*pairs, *found]
        joined = Join(left, right, "inner" if pairs else "cross", tuple(pairs), (), label)
        return Filter(joined, tuple(others)) if others else joined

    def _using(self, node: exp.Join, sources: list[Source], right: Source, kind: str) -> list[Pair]:
        names = [one.name for one in node.args.get("using") or []]
        if str(node.args.get("method") or "").upper() == "NATURAL":
            names = [one.name for one in right.relation.columns if any(source.find(one.name) for source in sources)]
        pairs: list[Pair] = []
        for name in names:
            left = self.scope.merged.get(name.casefold())
            if left is None:
                found = [column for source in sources if (column := source.find(name)) is not None]
                left = ref(found[0]) if len(found) == 1 else None
            column = right.find(name)
            if left is None or column is None:
                raise UnsupportedSqlError(f"USING ({name})")
            pairs.append((left, ref(column)))
            merged = {"RIGHT": ref(column), "FULL": Call(left.type, "fill_null", (left, ref(column)))}.get(kind, left)
            self.scope.merged[name.casefold()] = merged
        return [compare("==", a, b, self.queries.dialect).arguments for a, b in pairs]  # type: ignore[misc]  # two


def _outer(
    left: Relation, right: Relation, kind: JoinKind, pairs: list[Pair], others: list[Expr], label: str
) -> Relation:
    """Return an outer join; what its condition says of the right side alone filters that side before."""
    own = [one for one in others if kind == "left" and columns_in(one) <= set(right.columns)]
    rest = [one for one in others if not any(one is other for other in own)]
    if not pairs or (rest and kind == "full"):
        raise UnsupportedSqlError(f"a {kind.upper()} JOIN without an equality")
    right = Filter(right, tuple(own)) if own else right
    return Join(left, right, kind, tuple(pairs), tuple(rest), label)


def split_pairs(conditions: list[Expr], left: set[Column], right: set[Column]) -> tuple[list[Pair], list[Expr]]:
    """Return the equalities between the two sides, left side first, and the other conditions."""
    pairs: list[Pair] = []
    others: list[Expr] = []
    for one in conditions:
        sides = one.arguments if isinstance(one, Call) and one.function == "==" else ()
        used = [columns_in(side) for side in sides]
        if len(used) == 2 and used[0] and used[1] and used[0] <= left and used[1] <= right:
            pairs.append((sides[0], sides[1]))
        elif len(used) == 2 and used[0] and used[1] and used[0] <= right and used[1] <= left:
            pairs.append((sides[1], sides[0]))
        elif one.type is not ColumnType.BOOL or getattr(one, "value", None) is not True:  # ON TRUE says nothing
            others.append(one)
    return pairs, others


def _is_bare(join: exp.Join) -> bool:
    return not join.args.get("on") and not join.args.get("using")


def _is_closed(condition: Expr) -> bool:
    """Say whether a condition asks another query, which is left to WHERE."""
    return any(isinstance(part, InQuery | ScalarQuery) for part in parts(condition))
