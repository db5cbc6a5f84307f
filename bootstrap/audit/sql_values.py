"""Rules of SQL mutants inside expressions: operators, constants, columns, functions."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from sqlglot import exp

from bootstrap.audit.constants import near_number, near_patterns, near_text
from bootstrap.audit.sql_rules import Change, Rule, Statement, column_named, drop_item, effective_order, named, set_arg

Binary = type[exp.Expr]

_COMPARED: dict[type[exp.Expr], tuple[Binary, ...]] = {
    exp.GT: (exp.GTE, exp.LT, exp.EQ),
    exp.GTE: (exp.GT, exp.LTE, exp.EQ),
    exp.LT: (exp.LTE, exp.GT, exp.EQ),
    exp.LTE: (exp.LT, exp.GTE, exp.EQ),
    exp.EQ: (exp.NEQ, exp.GTE, exp.LTE),
    exp.NEQ: (exp.EQ,),
}
_CALCULATED: dict[type[exp.Expr], tuple[Binary, ...]] = {
    exp.Add: (exp.Sub, exp.Mul),
    exp.Sub: (exp.Add,),
    exp.Mul: (exp.Add, exp.Div),
    exp.Div: (exp.Mul,),
    exp.Mod: (exp.Div,),
}
_FUNCTIONS: dict[type[exp.Expr], type[exp.Expr]] = {
    exp.Upper: exp.Lower,
    exp.Lower: exp.Upper,
    exp.Floor: exp.Ceil,
    exp.Ceil: exp.Floor,
    exp.RowNumber: exp.Rank,
    exp.Rank: exp.DenseRank,
    exp.DenseRank: exp.Rank,
    exp.Lag: exp.Lead,
    exp.Lead: exp.Lag,
    exp.FirstValue: exp.LastValue,
    exp.LastValue: exp.FirstValue,
}
_LEFT_OUT = (exp.Abs, exp.Round, exp.Trim, exp.Coalesce, exp.Filter)
_AGGREGATES: tuple[type[exp.Expr], ...] = (exp.Sum, exp.Avg, exp.Min, exp.Max)
_NO_VALUES = (exp.DataTypeParam, exp.Limit, exp.Offset, exp.Fetch, exp.Ordered, exp.Group)
_NEGATED: dict[type[exp.Expr], str] = {
    exp.Is: "null_test", exp.In: "membership", exp.Between: "membership", exp.Exists: "membership",
    exp.Like: "pattern", exp.ILike: "pattern",
}  # fmt: skip


def comparison(node: exp.Expr, statement: Statement) -> Iterator[Change]:
    if _joins_tables(node) or (isinstance(node, exp.Binary) and node.this == node.expression):
        return
    for other in _COMPARED.get(type(node), ()):
        if other in (exp.EQ, exp.NEQ) or not statement.is_text(node.this, node.expression):
            yield statement.replacement("comparison", node, _binary(other, node.this, node.expression))


def _joins_tables(node: exp.Expr) -> bool:
    """Say whether this compares columns of two tables, which nobody does with another sign by mistake."""
    if not isinstance(node, exp.EQ):
        return False
    sides = (node.this, node.expression)
    return all(isinstance(side, exp.Column) for side in sides) and sides[0].table != sides[1].table


def _binary(kind: Binary, left: exp.Expr, right: exp.Expr) -> exp.Expr:
    return kind(this=_bracketed(left), expression=_bracketed(right))


def _bracketed(node: exp.Expr) -> exp.Expr:
    return exp.Paren(this=node.copy()) if isinstance(node, exp.Binary | exp.Not) else node.copy()


def arithmetic(node: exp.Expr, statement: Statement) -> Iterator[Change]:
    if type(node) not in _CALCULATED or statement.is_text(node.this):
        return
    for other in _CALCULATED[type(node)]:
        yield statement.replacement("arithmetic", node, _bracketed(_binary(other, node.this, node.expression)))
    if isinstance(node, exp.Sub | exp.Div):
        turned = _binary(type(node), node.expression, node.this)
        yield statement.replacement("arithmetic", node, _bracketed(turned))


def connective(node: exp.Expr, statement: Statement) -> Iterator[Change]:
    if isinstance(node, exp.And | exp.Or) and not isinstance(node.parent, exp.Join):
        other = exp.Or if isinstance(node, exp.And) else exp.And
        yield statement.replacement("connective", node, _bracketed(_binary(other, node.this, node.expression)))


def negation(node: exp.Expr, statement: Statement) -> Iterator[Change]:
    """Turn IS NULL, IN, BETWEEN, LIKE and EXISTS around; leave out one of a list."""
    operator = _NEGATED.get(type(node))
    if operator is None:
        return
    if isinstance(node.parent, exp.Not):
        yield Change(operator, f"{statement.text(node.parent)} -> {statement.text(node)}", _without_not)
    else:
        yield statement.replacement(operator, node, exp.Paren(this=exp.Not(this=node.copy())))
    for index, one in enumerate(node.expressions if isinstance(node, exp.In) and len(node.expressions) > 1 else ()):
        yield Change("membership", f"{statement.text(node)} without {statement.text(one)}",
                     drop_item("expressions", index))  # fmt: skip


def _without_not(node: exp.Expr) -> None:
    if node.parent is not None:
        node.parent.replace(node.copy())


def number(node: exp.Expr, statement: Statement) -> Iterator[Change]:
    if isinstance(node, exp.Literal) and not node.is_string and not isinstance(node.parent, _NO_VALUES):
        if _in_exists(node):
            return
        for other in near_number(str(node.this)):
            yield statement.replacement("constant", node, exp.Literal.number(other))
    if isinstance(node, exp.Boolean):
        yield statement.replacement("constant", node, exp.Boolean(this=not node.this))


def _in_exists(node: exp.Expr) -> bool:
    """Say whether this is the 1 of EXISTS (SELECT 1 ...), which means nothing."""
    return isinstance(node.parent, exp.Select) and isinstance(node.parent.parent, exp.Exists | exp.Subquery)


def text(node: exp.Expr, statement: Statement) -> Iterator[Change]:
    if not isinstance(node, exp.Literal) or not node.is_string or node.find_ancestor(exp.Interval, exp.DataType):
        return
    if isinstance(node.parent, exp.Like | exp.ILike):
        for pattern in near_patterns(str(node.this)):
            yield statement.replacement("pattern", node, exp.Literal.string(pattern))
        return
    for other in near_text(str(node.this), statement.texts):
        yield statement.replacement("constant", node, exp.Literal.string(other))


def column(node: exp.Expr, statement: Statement) -> Iterator[Change]:
    """Take another column of the same class; the name in the result stays."""
    if not isinstance(node, exp.Column) or node.is_star or not _stands_alone(node, statement):
        return
    for name in statement.scope.others(node):
        new: exp.Expr = named(node, name)
        if isinstance(node.parent, exp.Select) and node.arg_key == "expressions":
            new = exp.alias_(new, node.this.copy())
        yield statement.replacement("column", node, new)


def _stands_alone(node: exp.Column, statement: Statement) -> bool:
    """Say whether this name can change without another one: not a grouping key, nor an order that nobody sees."""
    if node.find_ancestor(exp.Ordered) and not effective_order(node, statement.ordered):
        return False
    query = node.find_ancestor(exp.Select)
    group = query.args.get("group") if query else None
    return group is None or node not in group.expressions or not isinstance(node.parent, exp.Select | exp.Group)


def aggregate(node: exp.Expr, statement: Statement) -> Iterator[Change]:
    if type(node) in _AGGREGATES and not isinstance(node.this, exp.Distinct):
        numeric = not statement.is_text(node.this)
        for other in _AGGREGATES:
            if other is not type(node) and (numeric or other in (exp.Min, exp.Max)):
                yield statement.replacement("aggregate", node, other(this=node.this.copy()))
    if isinstance(node, exp.Count):
        for counted in _counted(node, statement):
            yield statement.replacement("count", node, exp.Count(this=counted, big_int=True))


def _counted(node: exp.Count, statement: Statement) -> Iterator[exp.Expr]:
    """Yield what else could be counted: the rows, the values that are there, the different ones."""
    inner = node.this
    if isinstance(inner, exp.Star):
        query = node.find_ancestor(exp.Select)
        for name in statement.scope.names(query, lambda facts: facts.nullable)[:2]:
            yield column_named(name)
        if query is None or statement.flow.one_row_per_group(query):
            return
        group = query.args.get("group")
        keys = {key.name for key in group.expressions} if group else set()
        for name in [n for n in statement.scope.names(query, lambda facts: facts.repeats) if n not in keys][:1]:
            yield exp.Distinct(expressions=[column_named(name)])
    elif isinstance(inner, exp.Distinct):
        if len(inner.expressions) == 1:
            yield inner.expressions[0].copy()
    elif isinstance(inner, exp.Column):
        yield exp.Distinct(expressions=[inner.copy()])
        if statement.scope.nullable(inner):
            yield exp.Star()


def case(node: exp.Expr, statement: Statement) -> Iterator[Change]:
    """Exchange the values of two branches, or leave out ELSE."""
    if not isinstance(node, exp.Case):
        return
    branches = [one.args["true"] for one in node.args["ifs"]]
    default = node.args.get("default")
    for i in range(len(branches) - 1):
        detail = f"{statement.text(branches[i])} and {statement.text(branches[i + 1])} exchanged"
        yield Change("case_branches", detail, partial(_exchange_branches, i))
    if default is not None:
        detail = f"{statement.text(branches[-1])} and {statement.text(default)} exchanged"
        yield Change("case_branches", detail, _exchange_default)
        yield Change("case_branches", f"without ELSE {statement.text(default)}", set_arg("default", None))


def _exchange_branches(index: int, node: exp.Expr) -> None:
    left, right = node.args["ifs"][index : index + 2]
    first, second = left.args["true"].copy(), right.args["true"].copy()
    left.set("true", second)
    right.set("true", first)


def _exchange_default(node: exp.Expr) -> None:
    last = node.args["ifs"][-1]
    branch, default = last.args["true"].copy(), node.args["default"].copy()
    last.set("true", default)
    node.set("default", branch)


def function(node: exp.Expr, statement: Statement) -> Iterator[Change]:
    other = _FUNCTIONS.get(type(node))
    if other is not None:
        arguments = {key: value.copy() for key, value in node.args.items() if isinstance(value, exp.Expr)}
        yield statement.replacement("function", node, other(**arguments))
    if isinstance(node, _LEFT_OUT):
        yield statement.replacement("function", node, node.this)
    if isinstance(node, exp.Window) and node.args.get("partition_by"):
        yield Change("function", f"{statement.text(node)} without PARTITION BY", set_arg("partition_by", None))


VALUE_RULES: tuple[Rule, ...] = (
    comparison, arithmetic, connective, negation, number, text, column, aggregate, case, function,
)  # fmt: skip
