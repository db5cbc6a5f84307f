"""FROM and set operations where SQLite is free: a condition that names a later table, members of different classes."""

from __future__ import annotations

from sqlglot import exp

from bootstrap.convert.base import UnsupportedSqlError
from bootstrap.convert.dialects_build import as_kind, cast
from bootstrap.convert.dialects_kinds import NUMBERS, STRING, kind_of
from interpreters.base import ColumnType


def plain_functions(tree: exp.Expr) -> exp.Expr:
    """Write functions that only SQLite has by those that all have."""

    def rewritten(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Anonymous) and node.name.lower() == "total" and len(node.expressions) == 1:
            total = exp.Sum(this=node.expressions[0].copy())
            return exp.Coalesce(this=total, expressions=[exp.Literal.number("0.0")])
        return node

    return tree.transform(rewritten)


def refuse_extensions(tree: exp.Expr) -> None:
    """Raise UnsupportedSqlError for what only DuckDB has, and sqlglot would write as something else."""
    for node in tree.walk():
        if isinstance(node, exp.Group | exp.Order):
            names = {one.this.name if isinstance(one, exp.Ordered) else one.name for one in node.expressions}
            if node.args.get("all") or "ALL" in {name.upper() for name in names}:
                raise UnsupportedSqlError(f"{node.key.upper()} BY ALL")
        if isinstance(node, exp.Star) and any(node.args.values()):
            raise UnsupportedSqlError("* with EXCLUDE or REPLACE")
        if isinstance(node, exp.Qualify | exp.Pivot | exp.Lambda) or node.args.get("percent"):
            raise UnsupportedSqlError(f"{node.key.upper()} of DuckDB")


def join_in_order(tree: exp.Expr) -> set[str]:
    """Move the condition of an inner join that names a table joined later to WHERE, where all are known."""
    moved: set[str] = set()
    for select in list(tree.find_all(exp.Select)):
        first = select.args.get("from_")
        known = _names_of(first.this) if first else set()
        joins = select.args.get("joins") or []
        every = known.union(*(_names_of(join.this) for join in joins)) if joins else known
        for join in joins:
            known = known | _names_of(join.this)
            condition = join.args.get("on")
            used = {column.meta.get("source") for column in condition.find_all(exp.Column)} if condition else set()
            if (used & every) - known and join.side not in ("LEFT", "RIGHT", "FULL"):
                join.set("on", None)
                join.set("kind", "CROSS")
                select.where(condition.copy(), copy=False)
                moved.add("late-condition")
    return moved


def _names_of(source: exp.Expr) -> set[str]:
    """Return the names, folded, under which a source of FROM and those joined to it in parentheses are known."""
    names = {source.alias_or_name.casefold()} if source.alias_or_name else set()
    if isinstance(source, exp.Subquery) and not isinstance(source.this, exp.Query):
        names |= _names_of(source.this)
    for join in source.args.get("joins") or ():
        names |= _names_of(join.this)
    return names


def match_members(tree: exp.Expr) -> set[str]:
    """Show as text the columns of a set operation that are text in one member and a number or a day in another."""
    changed: set[str] = set()
    for operation in [
        found for found in tree.find_all(exp.SetOperation) if not isinstance(found.parent, exp.SetOperation)
    ]:
        members = _members(operation)
        width = {len(member.expressions) for member in members}
        if len(width) != 1 or any(one.is_star for one in members):
            continue
        for position in range(width.pop()):
            shown = [member.expressions[position] for member in members]
            kinds = {kind_of(one) for one in shown} - {ColumnType.NULL}
            if None in kinds or len(kinds) < 2 or kinds <= NUMBERS or STRING not in kinds:
                continue
            changed.add("text-members")
            for one in shown:
                inner = one.unalias()
                made: exp.Expr = cast(inner, "TEXT", STRING)
                if isinstance(inner, exp.Column) and one is inner:
                    made = as_kind(exp.Alias(this=made, alias=inner.this.copy()), STRING)
                inner.replace(made)
    return changed


def _members(node: exp.Expr) -> list[exp.Select]:
    if isinstance(node, exp.SetOperation):
        return [*_members(node.this), *_members(node.expression)]
    if isinstance(node, exp.Subquery):
        return _members(node.this)
    return [node] if isinstance(node, exp.Select) else []
