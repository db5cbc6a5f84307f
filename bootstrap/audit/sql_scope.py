"""Which columns a part of a SQL statement can name, and what is known of them: for mutants that take another column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from sqlglot import exp

from bootstrap.audit.mutants import ColumnFacts, Columns, others_after
from interpreters.base import ColumnType

Known = dict[str, ColumnFacts | None]
"""Column name as written -> facts, None where nothing is known of a column."""

_NUMBERS = (exp.Add, exp.Sub, exp.Mul, exp.Mod)
_FAILS_FOR_NULL = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Like)
_MAX_DEPTH = 40  # of queries inside queries


class Scope:
    """The columns of one statement. Names of tables and columns are matched without regard to case."""

    def __init__(self, tree: exp.Expr, columns: Columns) -> None:
        self._tables: dict[str, Known] = {name.casefold(): dict(known) for name, known in columns.items()}
        self._steps = {cte.alias.casefold(): cte for cte in tree.find_all(exp.CTE)}

    def sources(self, query: exp.Expr | None, depth: int = 0) -> dict[str, Known]:
        """Return alias -> columns of what a SELECT reads from."""
        if not isinstance(query, exp.Select) or depth > _MAX_DEPTH:
            return {}
        first = query.args.get("from_")
        joined = [join.this for join in query.args.get("joins") or ()]
        relations = ([first.this] if first else []) + joined
        return {
            one.alias_or_name.casefold(): self._relation(one, depth)
            for one in relations
            if isinstance(one, exp.Table | exp.Subquery)
        }

    def _relation(self, one: exp.Table | exp.Subquery, depth: int) -> Known:
        if isinstance(one, exp.Subquery):
            return self.outputs(one.this, depth + 1)
        name = one.name.casefold()
        step = self._steps.get(name)
        if step is None:
            return self._tables.get(name, {})
        outputs = self.outputs(step.this, depth + 1)
        renamed = [column.name for column in step.args["alias"].args.get("columns") or ()]
        return dict(zip(renamed, outputs.values(), strict=False)) if renamed else outputs

    def outputs(self, query: exp.Expr, depth: int = 0) -> Known:
        """Return the columns that a query gives."""
        if isinstance(query, exp.Subquery | exp.Paren):
            return self.outputs(query.this, depth)
        if isinstance(query, exp.SetOperation):
            return self.outputs(query.left, depth)
        if not isinstance(query, exp.Select) or depth > _MAX_DEPTH:
            return {}
        found: Known = {}
        sources = _without_null(query, self.sources(query, depth))
        for one in query.expressions:
            if one.is_star:
                found |= self._star(one, sources)
            else:
                found[one.alias_or_name] = self._facts(one.unalias(), sources)
        return found

    def _star(self, one: exp.Expr, sources: Mapping[str, Known]) -> Known:
        star = one.this if isinstance(one, exp.Column) else one
        alias = one.table.casefold() if isinstance(one, exp.Column) else ""
        found = {k: v for name, known in sources.items() if not alias or name == alias for k, v in known.items()}
        for left_out in star.args.get("except_") or ():
            found.pop(left_out.name, None)
        renamed = {each.this.name: each.alias for each in star.args.get("rename") or ()}
        found = {renamed.get(name, name): facts for name, facts in found.items()}
        return found | {each.alias: self._facts(each.this, sources) for each in star.args.get("replace") or ()}

    def facts(self, column: exp.Column) -> ColumnFacts | None:
        """Return what is known of the column that is named here, in the query around it or one further out."""
        query = column.find_ancestor(exp.Select)
        while query is not None:
            sources = self.sources(query)
            if any(_find(known, column.name) for known in sources.values()):
                return self._facts(column, sources)
            outputs = self.outputs(query)  # ORDER BY and HAVING may name an output column
            if not column.table and _find(outputs, column.name):
                return outputs[_find(outputs, column.name) or ""]
            query = query.find_ancestor(exp.Select)
        return None

    def _facts(self, value: exp.Expr, sources: Mapping[str, Known]) -> ColumnFacts | None:
        if isinstance(value, exp.Column):
            alias = value.table.casefold()
            for name, known in sources.items():
                found = _find(known, value.name) if not alias or alias == name else None
                if found:
                    return known[found]
            return None
        if isinstance(value, exp.Paren | exp.Min | exp.Max | exp.Sum | exp.Neg | exp.Abs | exp.Round):
            return self._facts(value.this, sources)
        if isinstance(value, _NUMBERS):
            return self._facts(value.this, sources) or self._facts(value.expression, sources)
        if isinstance(value, exp.Coalesce):
            inner = self._facts(value.this, sources)
            return ColumnFacts(inner.type, False) if inner else None
        if isinstance(value, exp.Count):
            return ColumnFacts(ColumnType.INT, False)
        if isinstance(value, exp.Avg):
            return ColumnFacts(ColumnType.FLOAT, True)
        return None

    def others(self, column: exp.Column) -> list[str]:
        """Return other columns of the same class that could stand here: of the same table where it is named."""
        facts = self.facts(column)
        query = column.find_ancestor(exp.Select)
        if facts is None or query is None:
            return []
        alias = column.table.casefold()
        sources = self.sources(query)
        known = {k: v for name, cells in sources.items() if not alias or name == alias for k, v in cells.items()}
        if _find(known, column.name) is None:
            known = self.outputs(query)
        alike = [name for name, other in known.items() if other is not None and other.type is facts.type]
        return others_after(_find(known, column.name) or "", alike)

    def nullable(self, column: exp.Column) -> bool:
        """Say whether a column may hold NULL as far as is known."""
        facts = self.facts(column)
        return facts is None or facts.nullable

    def names(self, query: exp.Expr | None, fits: Callable[[ColumnFacts], bool]) -> list[str]:
        """Return the columns that a SELECT reads and of which something is known that fits."""
        sources = _without_null(query, self.sources(query)) if query else {}
        known = (pair for cells in sources.values() for pair in cells.items())
        return list(dict.fromkeys(name for name, facts in known if facts and fits(facts)))


def _find(known: Known, name: str) -> str | None:
    """Return the name as it is known, or None. What is known of nothing at all is no answer either."""
    return next((each for each in known if each.casefold() == name.casefold()), None)


def _without_null(query: exp.Expr, sources: dict[str, Known]) -> dict[str, Known]:
    """Return the columns as they are after WHERE: those that a condition needs hold no NULL any more."""
    where = query.args.get("where")
    tests = list(where.this.flatten()) if where and isinstance(where.this, exp.And) else [where.this] if where else []
    needed: set[str] = set()
    for test in tests:
        is_known = isinstance(test, exp.Not) and isinstance(test.this, exp.Is)
        if is_known or isinstance(test, _FAILS_FOR_NULL):
            needed |= {column.name.casefold() for column in test.find_all(exp.Column)}
    return {
        alias: {
            name: replace(facts, nullable=False) if facts and name.casefold() in needed else facts
            for name, facts in known.items()
        }
        for alias, known in sources.items()
    }
