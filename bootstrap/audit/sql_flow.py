"""Which parts of a SQL statement matter for its result: columns that a later step drops do not, nor does a DISTINCT on
rows that are all different. A mutant there would mean the same as its original."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from bootstrap.audit.sql_scope import Scope

_MAX_DEPTH = 40  # of steps after each other
_INJECTIVE = (exp.Add, exp.Sub, exp.Mul)


class Flow:
    """How rows and columns go from step to step, a step being a named query."""

    def __init__(self, tree: exp.Expr, scope: Scope) -> None:
        self._scope = scope
        self._steps = {cte.alias.casefold(): cte for cte in tree.find_all(exp.CTE)}
        self._readers: dict[str, list[exp.Select]] = {}
        for query in tree.find_all(exp.Select):
            for source in _sources(query):
                if isinstance(source, exp.Table) and source.name.casefold() in self._steps:
                    self._readers.setdefault(source.name.casefold(), []).append(query)

    # -- columns -----------------------------------------------------------------------------------------------------

    def is_dead(self, node: exp.Expr) -> bool:
        """Say whether a node is part of an output column that nothing after it uses."""
        while node.parent is not None and not isinstance(node.parent, exp.Select):
            node = node.parent
        query = node.parent
        if not isinstance(query, exp.Select) or node.arg_key != "expressions" or node.is_star:
            return False
        return not query.args.get("distinct") and not self.shows(query, node.alias_or_name.casefold())

    def shows(self, query: exp.Select, name: str, depth: int = 0) -> bool:
        """Say whether an output column of a query matters."""
        step = query.parent
        if not isinstance(step, exp.CTE) or depth > _MAX_DEPTH:
            return True
        readers = self._readers.get(step.alias.casefold(), [])
        return any(self._uses(reader, name, depth + 1) for reader in readers)

    def _uses(self, query: exp.Select, name: str, depth: int) -> bool:
        if query.args.get("distinct"):
            return True
        for column in query.find_all(exp.Column):
            if column.name.casefold() != name:
                continue
            part = _part_of(column, query)
            if part.arg_key == "with_":  # in a step before this one
                continue
            if part.arg_key != "expressions" or part.is_star or self.shows(query, part.alias_or_name.casefold(), depth):
                return True
        return any(one.is_star for one in query.expressions) and self.shows(query, name, depth)

    def all_shown(self, query: exp.Select, depth: int = 0) -> bool:
        """Say whether further columns of a step would show in the result: every step after it takes them all."""
        step = query.parent
        if not isinstance(step, exp.CTE) or depth > _MAX_DEPTH:
            return True
        for reader in self._readers.get(step.alias.casefold(), []):
            takes_all = any(one.is_star for one in reader.expressions) or reader.args.get("distinct")
            if takes_all and self.all_shown(reader, depth + 1):
                return True
        return False

    # -- rows --------------------------------------------------------------------------------------------------------

    def keys(self, query: exp.Expr, depth: int = 0) -> set[str] | None:
        """Return output columns that are never the same together in two rows of a query; None where none are known."""
        if not isinstance(query, exp.Select) or depth > _MAX_DEPTH:
            return None
        if query.args.get("distinct"):
            return {name.casefold() for name in self._scope.outputs(query)} or None
        group = query.args.get("group")
        if group:
            return _renamed({_name(key) for key in group.expressions}, query)
        before = self._keys_before(query, depth)
        return None if before is None else _renamed(before, query)

    def _keys_before(self, query: exp.Select, depth: int) -> set[str] | None:
        """Return the keys of the one query that a query reads from."""
        sources = _sources(query)
        if len(sources) != 1:
            return None
        source = sources[0]
        inner = source.this if isinstance(source, exp.Subquery) else self._steps.get(source.name.casefold())
        return self.keys(inner.this if isinstance(inner, exp.CTE) else inner, depth + 1) if inner else None

    def one_row_per_group(self, query: exp.Select) -> bool:
        """Say whether a query groups what is grouped so already."""
        group = query.args.get("group")
        before = self._keys_before(query, 0)
        return group is not None and before is not None and before <= {_name(key) for key in group.expressions}

    def rows_differ(self, query: exp.Expr) -> bool:
        return self.keys(query) is not None


def _sources(query: exp.Select) -> list[exp.Expr]:
    first = query.args.get("from_")
    return ([first.this] if first else []) + [join.this for join in query.args.get("joins") or ()]


def _part_of(column: exp.Column, query: exp.Select) -> exp.Expr:
    """Return the part of the query that a column stands in: an output column, or a clause."""
    node: exp.Expr = column
    while node.parent is not None and node.parent is not query:
        node = node.parent
    return node


def _name(key: exp.Expr) -> str:
    return key.name.casefold() if isinstance(key, exp.Column) else ""


def _renamed(keys: set[str], query: exp.Select) -> set[str] | None:
    """Return what the columns are called in the output, or None when one of them is not there as it was."""
    found: set[str] = set()
    for key in keys:
        names = [name for one in query.expressions for name in _outputs(one, key)]
        if not names:
            return None
        found.add(names[0])
    return found


def _outputs(one: exp.Expr, key: str) -> Iterator[str]:
    """Yield the name under which an output holds a column: itself, or reckoned from it so that it stays different."""
    if one.is_star:
        star = one.this if isinstance(one, exp.Column) else one
        left_out = {each.name.casefold() for each in star.args.get("except_") or ()}
        renamed = {each.this.name.casefold(): each.alias.casefold() for each in star.args.get("rename") or ()}
        changed = {each.alias.casefold(): each.this for each in star.args.get("replace") or ()}
        if key not in left_out and (key not in changed or _carried(changed[key]) == key):
            yield renamed.get(key, key)
    elif key and _carried(one.unalias()) == key:
        yield one.alias_or_name.casefold()


def _carried(value: exp.Expr) -> str | None:
    """Return the column that a value is, give or take a constant."""
    if isinstance(value, exp.Column):
        return value.name.casefold()
    constant = isinstance(value, _INJECTIVE) and isinstance(value.expression, exp.Literal)
    if constant and str(value.expression.this) != "0" and isinstance(value.this, exp.Column):
        return value.this.name.casefold()
    return None
