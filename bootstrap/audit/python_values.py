"""Rules of Python mutants inside expressions: operators, constants, columns, functions."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from bootstrap.audit.constants import near_number, near_patterns, near_text
from bootstrap.audit.mutants import others_after
from bootstrap.audit.python_rules import Change, Rule, call, is_text, renamed, replaced
from bootstrap.audit.python_scope import (
    AGGREGATING,
    GROUPS,
    Program,
    flat,
    is_polars_function,
    method,
    receiver,
    text_of,
)

_COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Gt: (ast.GtE, ast.Lt, ast.Eq),
    ast.GtE: (ast.Gt, ast.LtE, ast.Eq),
    ast.Lt: (ast.LtE, ast.Gt, ast.Eq),
    ast.LtE: (ast.Lt, ast.GtE, ast.Eq),
    ast.Eq: (ast.NotEq, ast.GtE, ast.LtE),
    ast.NotEq: (ast.Eq,),
}
_COMPARED_METHODS = {
    "gt": ("ge", "lt"), "ge": ("gt", "le"), "lt": ("le", "gt"), "le": ("lt", "ge"), "eq": ("ne",), "ne": ("eq",),
}  # fmt: skip
_CALCULATED: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Add, ast.Div),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Div,),
    ast.Mod: (ast.FloorDiv,),
}
_AGGREGATES = ("sum", "mean", "min", "max")
_OTHER_FUNCTION = {
    "to_uppercase": "to_lowercase", "to_lowercase": "to_uppercase", "upper": "lower", "lower": "upper",
    "floor": "ceil", "ceil": "floor", "year": "month", "month": "day", "first": "last", "last": "first",
    "starts_with": "ends_with", "ends_with": "contains", "contains": "starts_with",
    "startswith": "endswith", "endswith": "contains", "lag": "lead", "lead": "lag", "rank": "dense_rank",
}  # fmt: skip
_LEFT_OUT = frozenset({
    "over", "fill_null", "fillna", "coalesce", "abs", "round", "strip_chars", "strip", "to_uppercase", "to_lowercase",
    "upper", "lower", "drop_nulls",
})  # fmt: skip
_TRUTHS = {
    "is_null": "is_not_null", "is_not_null": "is_null", "isnull": "notnull", "notnull": "isnull", "isin": "notin",
    "notin": "isin",
}  # fmt: skip
_NEGATED = frozenset({"is_in", "is_between", "between", "contains", "starts_with", "ends_with", "startswith",
                      "endswith", "like", "ilike", "is_duplicated", "is_unique", "re_search"})  # fmt: skip
_TAKES_VALUES = _NEGATED | frozenset(_COMPARED_METHODS) | {
    "is_in", "isin", "notin", "lit", "literal", "fill_null", "coalesce", "then", "otherwise", "ifelse", "when",
}  # fmt: skip
_ROWS = frozenset({"head", "limit", "tail", "slice", "top_k", "bottom_k"})


def comparison(node: ast.AST, program: Program) -> Iterator[Change]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and method(program.parents.get(node)) != "join":
        text = is_text(program, [node.left, *node.comparators])
        for other in _COMPARED.get(type(node.ops[0]), ()):
            if not text or other in (ast.Eq, ast.NotEq):
                yield replaced("comparison", program, node, partial(_compared, other))
    for other_name in _COMPARED_METHODS.get(method(node), ()):
        yield renamed("comparison", program, node, other_name)


def _compared(other: type[ast.cmpop], node: ast.Compare) -> ast.expr:
    return ast.Compare(node.left, [other()], node.comparators)


def _calculated(other: type[ast.operator], node: ast.BinOp) -> ast.expr:
    return ast.BinOp(node.left, other(), node.right)


def _constant(value: str | int | float, _: ast.expr) -> ast.expr:
    return ast.Constant(value)


def arithmetic(node: ast.AST, program: Program) -> Iterator[Change]:
    if not isinstance(node, ast.BinOp) or type(node.op) not in _CALCULATED or is_text(program, [node.left]):
        return
    for other in _CALCULATED[type(node.op)]:
        yield replaced("arithmetic", program, node, partial(_calculated, other))
    if isinstance(node.op, ast.Sub | ast.Div):
        yield replaced("arithmetic", program, node, lambda one: ast.BinOp(one.right, one.op, one.left))


def connective(node: ast.AST, program: Program) -> Iterator[Change]:
    """Take the other of & and |, or leave out one side of &."""
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.BitAnd | ast.BitOr):
        return
    other = ast.BitOr if isinstance(node.op, ast.BitAnd) else ast.BitAnd
    yield replaced("connective", program, node, partial(_calculated, other))
    if isinstance(node.op, ast.BitAnd):
        yield Change("drop_where", f"without {program.text(node.right)}", lambda one: one.left)
        yield Change("drop_where", f"without {program.text(node.left)}", lambda one: one.right)


def negation(node: ast.AST, program: Program) -> Iterator[Change]:
    """Turn a test for missing values, membership or a pattern around; leave out one of a list."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert):
        yield replaced("membership", program, node, lambda one: one.operand)
        return
    name = method(node)
    if name in _TRUTHS:
        yield renamed("membership" if name.endswith("in") else "null_test", program, node, _TRUTHS[name])
    elif name in _NEGATED and not _is_inverted(program.parents.get(node)):
        yield replaced("membership", program, node, lambda one: ast.UnaryOp(ast.Invert(), one))
    if name in ("is_in", "isin", "notin") and isinstance(node, ast.Call) and node.args:
        items = node.args[0].elts if isinstance(node.args[0], ast.List) else []
        for index, item in enumerate(items if len(items) > 1 else []):
            yield Change("membership", f"{program.text(node)} without {program.text(item)}",
                         partial(_without_item, index))  # fmt: skip


def _without_item(index: int, node: ast.Call) -> None:
    items = node.args[0]
    assert isinstance(items, ast.List)
    items.elts.pop(index)


def _is_inverted(node: ast.AST | None) -> bool:
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert)


def number(node: ast.AST, program: Program) -> Iterator[Change]:
    if not isinstance(node, ast.Constant) or type(node.value) not in (int, float):
        return
    parent = program.parents[node]
    if method(parent) in _ROWS or isinstance(parent, ast.keyword | ast.Subscript):
        return
    for other in near_number(repr(node.value)):
        yield replaced("constant", program, node, partial(_constant, int(other) if "." not in other else float(other)))


def text(node: ast.AST, program: Program) -> Iterator[Change]:
    """Change a text that is a value: compared with, listed, searched for or filled in."""
    if not _is_value(node, program):
        return
    value = text_of(node) or ""
    if method(program.parents[node]) in ("like", "ilike"):
        for pattern in near_patterns(value):
            yield replaced("pattern", program, node, partial(_constant, pattern))
        return
    texts = [found for other in program.nodes if _is_value(other, program) and (found := text_of(other))]
    for other in near_text(value, list(dict.fromkeys(texts))):
        yield replaced("constant", program, node, partial(_constant, other))


def _is_value(node: ast.AST, program: Program) -> bool:
    if text_of(node) is None or program.mention(node) is not None:
        return False
    parent = program.parents[node]
    if isinstance(parent, ast.List | ast.Tuple):
        parent = program.parents[parent]
    return isinstance(parent, ast.Compare) or method(parent) in _TAKES_VALUES


def column(node: ast.AST, program: Program) -> Iterator[Change]:
    """Take another column of the same class; in select and aggregate the name in the result stays."""
    name = program.mention(node)
    if name is None:
        return
    scope = program.scope(node)
    facts = scope[name]
    alike = [n for n, other in scope.items() if facts and other and other.type is facts.type]
    for other in others_after(name, alike):
        if isinstance(node, ast.Attribute):
            build: Callable[[Any], ast.expr] = partial(_attribute, other)
        elif _is_output(node, program):
            build = partial(_column_as, other, name)
        else:
            build = partial(_constant, other)
        yield replaced("group_key" if _is_key(node, program) else "column", program, node, build)


def _attribute(name: str, node: ast.Attribute) -> ast.expr:
    return ast.Attribute(node.value, name, ast.Load())


def _column_as(name: str, alias: str, _: ast.expr) -> ast.expr:
    column_call = call(ast.Name("pl", ast.Load()), "col", ast.Constant(name))
    return call(column_call, "alias", ast.Constant(alias))


def _is_key(node: ast.AST, program: Program) -> bool:
    return method(program.frame_call(node)) in GROUPS


def _is_output(node: ast.AST, program: Program) -> bool:
    """Say whether a text names a column of Polars' result: then its name can stay when it becomes another column."""
    around = program.frame_call(node)
    direct = around is not None and any(one is node for one in flat(around.args))
    return program.language == "polars" and direct and method(around) in {"select", *GROUPS}


def aggregate(node: ast.AST, program: Program) -> Iterator[Change]:
    name = method(node)
    short = is_polars_function(node)  # pl.sum("x")
    if not isinstance(node, ast.Call) or (node.args and not short) or program.frame_call(node) is None:
        return
    if name in _AGGREGATES:
        text_only = is_text(program, node.args if short else [receiver(node)])
        for other in _AGGREGATES:
            if other != name and not (text_only and other in ("sum", "mean")):
                yield renamed("aggregate", program, node, other)
    elif name in ("count", "n_unique", "nunique", "len"):
        for other in _other_counts(node, program):
            yield renamed("count", program, node, other)


def _other_counts(node: ast.Call, program: Program) -> list[str]:
    """Return what else could be counted: the rows, the values that are there, the different ones."""
    name, counted = method(node), receiver(node)
    distinct = "n_unique" if program.language == "polars" else "nunique"
    if name == distinct:
        return ["count"]
    facts = program.facts_in(counted, program.scope(node))
    if facts is None:
        return []
    nullable = facts.nullable and program.language == "polars"
    return [distinct, *([{"count": "len", "len": "count"}[name]] if nullable else [])]


def branches(node: ast.AST, program: Program) -> Iterator[Change]:
    """Exchange the values of the last two branches of when/then/otherwise or ifelse."""
    if not isinstance(node, ast.Call):
        return
    if method(node) == "otherwise" and method(receiver(node)) == "then":
        yield replaced("case_branches", program, node, _exchange_then)
    elif method(node) == "ifelse" and len(node.args) in (2, 3):
        yield replaced("case_branches", program, node, _exchange_last)


def _exchange_then(node: ast.Call) -> ast.expr:
    then = receiver(node)
    assert isinstance(then, ast.Call)
    return call(call(receiver(then), "then", *node.args), "otherwise", *then.args)


def _exchange_last(node: ast.Call) -> ast.expr:
    return ast.Call(node.func, [*node.args[:-2], node.args[-1], node.args[-2]], node.keywords)


def function(node: ast.AST, program: Program) -> Iterator[Change]:
    name = method(node)
    if not isinstance(node, ast.Call) or program.frame_call(node) is None:
        return
    if name in _OTHER_FUNCTION and not (name in ("first", "last") and method(receiver(node)) in GROUPS | AGGREGATING):
        yield renamed("function", program, node, _OTHER_FUNCTION[name])
    if name in _LEFT_OUT and program.frame(receiver(node)) is None:
        yield replaced("function", program, node, _left_out)


def _left_out(node: ast.Call) -> ast.expr:
    inner = receiver(node)
    return inner.value if isinstance(inner, ast.Attribute) and inner.attr in ("str", "dt") else inner


VALUE_RULES: tuple[Rule, ...] = (
    comparison, arithmetic, connective, negation, number, text, column, aggregate, branches, function,
)  # fmt: skip
