"""Rules of SQL mutants for the parts of a query: conditions, order, limits, joins, set operations, output columns."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from sqlglot import exp

from bootstrap.audit.sql_rules import (
    Change,
    Rule,
    Statement,
    drop_item,
    drop_self,
    effective_order,
    named,
    set_arg,
    single_row,
)

_SIDES = {"": ("LEFT",), "LEFT": ("",), "RIGHT": ("", "LEFT"), "FULL": ("LEFT", "")}
_FAILS_FOR_NULL = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Like, exp.In)
_NO_DUPLICATES = (exp.In, exp.Exists)


def conditions(node: exp.Expr, statement: Statement) -> Iterator[Change]:
    """Leave out one condition of WHERE, HAVING, QUALIFY or ON."""
    if isinstance(node, exp.Where | exp.Having | exp.Qualify):
        key, operator, parts = (
            "this",
            f"drop_{node.key}",
            list(node.this.flatten()) if _is_and(node.this) else [node.this],
        )
    elif isinstance(node, exp.Join) and _is_and(node.args.get("on")):
        key, operator, parts = "on", "drop_on", _parts(node.args["on"])
    else:
        return
    if len(parts) == 1:
        if node.parent is not None and not isinstance(node.parent, exp.Filter):
            yield Change(operator, f"without {statement.text(parts[0])}", drop_self)
        return
    for index, one in enumerate(parts):
        kept = exp.and_(*[part.copy() for position, part in enumerate(parts) if position != index])
        yield Change(operator, f"without {statement.text(one)}", set_arg(key, kept))


def _is_and(node: exp.Expr | None) -> bool:
    return isinstance(node, exp.And)


def _parts(condition: exp.Expr) -> list[exp.Expr]:
    return list(condition.flatten()) if _is_and(condition) else [condition]


def distinct(node: exp.Expr, statement: Statement) -> Iterator[Change]:
    """Leave out DISTINCT, where the rows are not different anyway and duplicates matter."""
    if not isinstance(node, exp.Select):
        return
    if node.args.get("distinct") is None:
        if node.parent is None and not statement.flow.rows_differ(node) and not _at_most_one_row(node):
            yield Change("add_distinct", "SELECT -> SELECT DISTINCT", set_arg("distinct", exp.Distinct()))
        return
    without = node.copy()
    without.set("distinct", None)
    if not statement.flow.rows_differ(without) and _duplicates_count(node):
        yield Change("drop_distinct", "DISTINCT left out", set_arg("distinct", None))


def _at_most_one_row(node: exp.Select) -> bool:
    limit = node.args.get("limit")
    return single_row(node) or (isinstance(limit, exp.Limit) and limit.expression == exp.Literal.number(1))


def _duplicates_count(node: exp.Expr) -> bool:
    """Say whether duplicate rows of a query change anything around it."""
    parent = node.parent.parent if isinstance(node.parent, exp.Subquery) else node.parent
    if isinstance(parent, exp.SetOperation):
        return not parent.args.get("distinct") and _duplicates_count(parent)
    return not isinstance(parent, _NO_DUPLICATES)


def ordering(node: exp.Expr, statement: Statement) -> Iterator[Change]:
    if isinstance(node, exp.Ordered) and effective_order(node, statement.ordered):
        turned = "ASC" if node.args.get("desc") else "DESC"
        yield Change("direction", f"{statement.text(node)} -> {turned}", partial(_turn, statement.language))
        never_null = isinstance(node.this, exp.Count)
        if not never_null and (not isinstance(node.this, exp.Column) or statement.scope.nullable(node.this)):
            yield Change("nulls_order", f"{statement.text(node)}: NULLS to the other end",
                         set_arg("nulls_first", not node.args.get("nulls_first")))  # fmt: skip
    if isinstance(node, exp.Order) and effective_order(node, statement.ordered) and isinstance(node.parent, exp.Query):
        yield Change("drop_order", f"without {statement.text(node)}", drop_self)
        if len(node.expressions) > 1:
            last = len(node.expressions) - 1
            yield Change("drop_order", f"without the key {statement.text(node.expressions[last])}",
                         drop_item("expressions", last))  # fmt: skip


def _turn(language: str, node: exp.Expr) -> None:
    """Turn the direction round; NULLs stay where the language has them by default."""
    descending = not node.args.get("desc")
    node.set("desc", descending)
    node.set("nulls_first", descending if language == "postgres" else False)


def limits(node: exp.Expr, statement: Statement) -> Iterator[Change]:
    if not isinstance(node, exp.Limit | exp.Offset | exp.Fetch) or (node.parent and single_row(node.parent)):
        return
    key = "count" if isinstance(node, exp.Fetch) else "expression"
    count = node.args.get(key)
    if not isinstance(count, exp.Literal) or not str(count.this).isdigit():
        return
    yield Change("drop_limit", f"without {statement.text(node)}", drop_self)
    for number in (int(count.this) - 1, int(count.this) + 1):
        if number >= 0:
            yield Change("limit", f"{statement.text(node)} -> {number}",
                         set_arg(key, exp.Literal.number(number)))  # fmt: skip


def joins(node: exp.Expr, statement: Statement) -> Iterator[Change]:
    if not isinstance(node, exp.Join) or node.args.get("method") or not (node.args.get("on") or node.args.get("using")):
        return
    kind, side = str(node.args.get("kind") or ""), str(node.args.get("side") or "")
    if kind in ("SEMI", "ANTI"):
        other = "ANTI" if kind == "SEMI" else "SEMI"
        yield Change("join_kind", f"{kind} JOIN -> {other} JOIN", set_arg("kind", other))
        return
    for to in _SIDES.get(side, ()):
        if not side and _needs_partner(node, statement):
            continue
        yield Change("join_kind", f"{side or 'INNER'} JOIN {statement.text(node.this)} -> {to or 'INNER'} JOIN",
                     partial(_set_side, to))  # fmt: skip


def _needs_partner(node: exp.Join, statement: Statement) -> bool:
    """Say whether a condition of the query fails for rows without a partner: then an inner join is as good."""
    query, alias = node.parent, node.this.alias_or_name.casefold()
    if query is None:
        return False
    names = {name.casefold() for name in statement.scope.sources(query).get(alias, {})}
    where, joins = query.args.get("where"), query.args.get("joins") or []
    tests = _parts(where.this) if where else []
    tests += [join.args["on"] for join in joins if join is not node and join.args.get("on")]
    columns = [column for test in tests if isinstance(test, _FAILS_FOR_NULL) for column in test.find_all(exp.Column)]
    return any(
        column.table.casefold() == alias if column.table else column.name.casefold() in names for column in columns
    )


def _set_side(side: str, node: exp.Expr) -> None:
    node.set("side", side or None)
    node.set("kind", None)


def set_operations(node: exp.Expr, statement: Statement) -> Iterator[Change]:
    if not isinstance(node, exp.SetOperation):
        return
    name = node.key.upper()
    if _duplicates_count(node):
        all_now = not node.args.get("distinct")
        yield Change("set_operation", f"{name}{' ALL' if all_now else ''} -> {name}{'' if all_now else ' ALL'}",
                     set_arg("distinct", all_now))  # fmt: skip
    other = {exp.Except: exp.Intersect, exp.Intersect: exp.Except, exp.Union: exp.Intersect}.get(type(node))
    if other is not None:
        yield Change("set_operation", f"{name} -> {other.key.upper()}", partial(_as_kind, other))


def _as_kind(kind: type[exp.SetOperation], node: exp.Expr) -> exp.Expr:
    arguments = {key: value.copy() if isinstance(value, exp.Expr) else value for key, value in node.args.items()}
    return kind(**{**arguments, "distinct": True})


def output_columns(node: exp.Expr, statement: Statement) -> Iterator[Change]:
    """Leave out or exchange output columns of the whole statement."""
    if not isinstance(node, exp.Select) or node.parent is not None:
        return
    for index in range(len(node.expressions) if len(node.expressions) > 1 else 0):
        one = node.expressions[index]
        if not one.is_star:
            yield Change("drop_column", f"without {statement.text(one)}", drop_item("expressions", index))
    for index in range(len(node.expressions) - 1):
        left, right = node.expressions[index : index + 2]
        if not left.is_star and not right.is_star:
            yield Change("swap_columns", f"{statement.text(left)} and {statement.text(right)} exchanged",
                         partial(_exchange_items, index))  # fmt: skip


def _exchange_items(index: int, node: exp.Expr) -> None:
    items = [one.copy() for one in node.expressions]
    items[index], items[index + 1] = items[index + 1], items[index]
    node.set("expressions", items)


def grouping(node: exp.Expr, statement: Statement) -> Iterator[Change]:
    """Group by another column, in the output too; leave out a key that the output does not show."""
    if not isinstance(node, exp.Select) or not node.args.get("group"):
        return
    keys, shown = node.args["group"].expressions, [one.unalias() for one in node.expressions]
    for index, key in enumerate(keys):
        if isinstance(key, exp.Column):
            for name in statement.scope.others(key):
                yield Change("group_key", f"GROUP BY {statement.text(key)} -> {name}",
                             partial(_regroup, key, name))  # fmt: skip
        if len(keys) > 1 and key not in shown and not isinstance(key, exp.Literal):
            yield Change("group_key", f"GROUP BY without {statement.text(key)}", partial(_drop_key, index))


def _drop_key(index: int, node: exp.Expr) -> None:
    drop_item("expressions", index)(node.args["group"])


def _regroup(key: exp.Column, name: str, node: exp.Expr) -> None:
    for one in list(node.args["group"].find_all(exp.Column)):
        if one == key:
            one.replace(named(one, name))
    for one in node.expressions:
        if one == key:
            one.replace(exp.alias_(named(key, name), key.this.copy()))
        elif isinstance(one, exp.Alias) and one.this == key:
            one.this.replace(named(key, name))


def steps(node: exp.Expr, statement: Statement) -> Iterator[Change]:
    """Skip a step: a named query, or one in FROM, becomes the table that it reads."""
    if not isinstance(node, exp.CTE | exp.Subquery) or not isinstance(node.this, exp.Select):
        return
    if isinstance(node, exp.Subquery) and not isinstance(node.parent, exp.From | exp.Join):
        return
    source = node.this.args.get("from_")
    if source is None or node.this.args.get("joins") or not isinstance(source.this, exp.Table):
        return
    skipped = exp.select("*").from_(source.this.copy())
    if node.this != skipped and not (_only_picks(node.this) and not statement.flow.all_shown(node.this)):
        yield Change("drop_step", f"without the step {statement.text(node.this)}",
                     set_arg("this", skipped))  # fmt: skip


def _only_picks(query: exp.Select) -> bool:
    """Say whether a query takes columns as they are, of all rows."""
    clauses = ("where", "group", "having", "distinct", "limit", "offset", "qualify")
    return not any(query.args.get(clause) for clause in clauses) and all(
        isinstance(one, exp.Column) for one in query.expressions
    )


CLAUSE_RULES: tuple[Rule, ...] = (
    conditions, distinct, ordering, limits, joins, set_operations, output_columns, grouping, steps,
)  # fmt: skip
