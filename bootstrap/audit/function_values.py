"""Mutants of what is inside the expressions of a Python function: operators, constants, bounds, calls, conditions."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from typing import cast

from bootstrap.audit.function_rules import Change, Rule, is_list, is_text, plus, replaced
from bootstrap.audit.function_scope import Body

LARGEST = 10_000
"""A constant beyond stands for a value that is never met, or for a modulus: one off is the same to any test."""

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,),
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,), ast.Sub: (ast.Add,), ast.Mult: (ast.Add,), ast.Div: (ast.Mult,), ast.FloorDiv: (ast.Mult,),
    ast.Mod: (ast.FloorDiv,), ast.Pow: (ast.Mult,), ast.LShift: (ast.RShift,), ast.RShift: (ast.LShift,),
    ast.BitAnd: (ast.BitOr,), ast.BitOr: (ast.BitAnd,), ast.BitXor: (ast.BitOr,),
}  # fmt: skip
_FUNCTIONS = {
    "min": "max", "max": "min", "any": "all", "all": "any", "floor": "ceil", "ceil": "floor", "sum": "max",
    "bisect_left": "bisect_right", "bisect_right": "bisect_left", "bisect": "bisect_left", "sorted": "list",
    "nlargest": "nsmallest", "nsmallest": "nlargest", "permutations": "combinations", "combinations": "permutations",
}  # fmt: skip
_METHODS = {
    "upper": "lower", "lower": "upper", "startswith": "endswith", "endswith": "startswith", "lstrip": "rstrip",
    "rstrip": "lstrip", "find": "rfind", "rfind": "find", "append": "extend", "popleft": "pop", "isupper": "islower",
    "islower": "isupper", "isdigit": "isalpha", "isalpha": "isdigit", "union": "intersection",
    "intersection": "union", "difference": "union", "keys": "values", "values": "keys", "search": "match",
    "index": "count", "heappop": "heappushpop", "match": "search", "split": "rsplit", "add": "discard",
    "bisect_left": "bisect_right", "bisect_right": "bisect_left", "floor": "ceil", "ceil": "floor",
}  # fmt: skip
_KEPT = frozenset({"heappop", "split"})
"""Exchanged by name they mostly fail or mean the same: left alone."""


def comparisons(node: ast.AST, body: Body) -> Iterator[Change]:
    if not isinstance(node, ast.Compare) or len(node.ops) > 3:
        return
    for index, op in enumerate(node.ops):
        for other in _COMPARISONS[type(op)]:
            if other in (ast.Lt, ast.LtE, ast.Gt, ast.GtE) and _is_edge(op, other) and _keeps_the_best(node, body):
                continue  # of two equal values either is the best

            def build(one: ast.Compare, index: int = index, other: type[ast.cmpop] = other) -> ast.AST:
                one.ops[index] = other()
                return one

            yield replaced("comparison", body, node, build)


def _is_edge(op: ast.cmpop, other: type[ast.cmpop]) -> bool:
    """Say whether two comparisons differ for equal values alone."""
    return {type(op), other} in ({ast.Lt, ast.LtE}, {ast.Gt, ast.GtE})


def _keeps_the_best(node: ast.Compare, body: Body) -> bool:
    """Say whether this is `if a < b: b = a`."""
    holder = body.parent(node)
    if not isinstance(holder, ast.If) or holder.test is not node or len(holder.body) != 1:
        return False
    match holder.body[0]:
        case ast.Assign(targets=[target], value=value):
            pair = {ast.unparse(target), ast.unparse(value)}
            return pair == {ast.unparse(node.left), ast.unparse(node.comparators[0])}
    return False


def arithmetic(node: ast.AST, body: Body) -> Iterator[Change]:
    if isinstance(node, ast.BinOp | ast.UnaryOp) and body.drives_loop(node):
        return
    if isinstance(node, ast.BinOp):
        if is_text(node.left) or is_text(node.right) or is_list(node.left) or is_list(node.right):
            return  # it would not run
        for other in _ARITHMETIC.get(type(node.op), ()):
            if isinstance(node.op, ast.Add | ast.Sub) and _is_zero(node.right):
                continue

            def build(one: ast.BinOp, other: type[ast.operator] = other) -> ast.AST:
                one.op = other()
                return one

            yield replaced("arithmetic", body, node, build)
        if isinstance(node.op, ast.Sub | ast.Div | ast.FloorDiv | ast.Mod | ast.Pow):
            yield replaced("arguments", body, node, lambda one: ast.BinOp(one.right, one.op, one.left))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        yield replaced("arithmetic", body, node, lambda one: one.operand)


def _is_zero(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == 0


def constants(node: ast.AST, body: Body) -> Iterator[Change]:
    if not isinstance(node, ast.Constant) or isinstance(body.parent(node), ast.JoinedStr | ast.FormattedValue):
        return
    value = node.value
    if isinstance(value, bool):
        yield replaced("constant", body, node, lambda one: ast.Constant(not one.value))
    elif isinstance(value, int) and abs(value) <= LARGEST:
        for step in (1, -1):
            if not _changes_nothing(node, value + step, body):
                yield replaced("constant", body, node, functools.partial(_number_off, step))
    elif isinstance(value, float) and abs(value) <= LARGEST:
        yield replaced("constant", body, node, lambda one: ast.Constant(one.value + 1))
    elif isinstance(value, str):
        yield from _texts(node, value, body)


def _number_off(step: int, node: ast.Constant) -> ast.AST:
    return ast.Constant(cast(int, node.value) + step)


def _index_off(step: int, node: ast.Subscript) -> ast.AST:
    return ast.Subscript(node.value, plus(node.slice, step), ast.Load())


def _texts(node: ast.Constant, value: str, body: Body) -> Iterator[Change]:
    if value == "":
        yield replaced("constant", body, node, lambda one: ast.Constant("x"))
        return
    if value.swapcase() != value and not isinstance(body.parent(node), ast.Dict):
        yield replaced("constant", body, node, lambda one: ast.Constant(one.value.swapcase()))
    yield replaced("constant", body, node, lambda one: ast.Constant(one.value[:-1]))


def _changes_nothing(node: ast.Constant, value: int, body: Body) -> bool:
    """Say whether another number means the same where it stands, as the start or the step of what is empty of them."""
    holder = body.parent(node)
    if isinstance(holder, ast.Call) and getattr(holder.func, "id", "") == "range" and len(holder.args) == 3:
        return holder.args[2] is node and value == 0
    return isinstance(holder, ast.Slice) and holder.step is node and value == 0


def bounds(node: ast.AST, body: Body) -> Iterator[Change]:
    """Range, slice and index one off."""
    match node:
        case ast.Call(func=ast.Name(id="range"), args=args) if args:
            for index in range(min(len(args), 2)):
                if isinstance(args[index], ast.Constant):
                    continue  # the rule for constants sees to it
                for step in (1, -1):
                    yield _argument_off(node, index, step, body)
        case ast.Subscript(slice=ast.Slice(lower=lower, upper=upper)):
            for name, one in (("lower", lower), ("upper", upper)):
                if one is not None and not isinstance(one, ast.Constant):
                    for step in (1, -1):
                        yield _slice_off(node, name, step, body)
        case ast.Subscript(slice=index, ctx=ast.Load()) if isinstance(index, ast.Name | ast.BinOp):
            for step in (1, -1):
                yield replaced("index", body, node, functools.partial(_index_off, step))


def _argument_off(node: ast.Call, index: int, step: int, body: Body) -> Change:
    def build(one: ast.Call) -> ast.AST:
        one.args[index] = plus(one.args[index], step)
        return one

    return replaced("range", body, node, build)


def _slice_off(node: ast.Subscript, name: str, step: int, body: Body) -> Change:
    def build(one: ast.Subscript) -> ast.AST:
        setattr(one.slice, name, plus(getattr(one.slice, name), step))
        return one

    return replaced("slice", body, node, build)


def logic(node: ast.AST, body: Body) -> Iterator[Change]:
    if isinstance(node, ast.BoolOp):
        other: ast.boolop = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield replaced("logic", body, node, lambda one: ast.BoolOp(other, one.values))
        for index in range(len(node.values)):
            yield replaced("logic", body, node, functools.partial(_without, index))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield replaced("logic", body, node, lambda one: one.operand)
    elif isinstance(node, ast.IfExp):
        yield replaced("logic", body, node, lambda one: ast.IfExp(one.test, one.orelse, one.body))
    elif isinstance(node, ast.If | ast.While) and isinstance(node.test, ast.Name | ast.Call):
        yield _condition_turned(node, body)
    elif isinstance(node, ast.comprehension) and node.ifs:
        yield Change("logic", f"if {body.text(node.ifs[0])} -> nothing", _drop_condition)


def _without(index: int, node: ast.BoolOp) -> ast.expr:
    left = node.values[:index] + node.values[index + 1 :]
    return left[0] if len(left) == 1 else ast.BoolOp(node.op, left)


def _condition_turned(node: ast.If | ast.While, body: Body) -> Change:
    def edit(one: ast.If | ast.While) -> None:
        one.test = ast.UnaryOp(ast.Not(), one.test)

    text = body.text(node.test)
    return Change("logic", f"{text} -> not {text}", edit)


def _drop_condition(node: ast.comprehension) -> None:
    node.ifs.pop(0)


def calls(node: ast.AST, body: Body) -> Iterator[Change]:
    """Another function or method, arguments exchanged, a keyword left out."""
    if not isinstance(node, ast.Call):
        return
    if isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS and not node.keywords:
        yield replaced("function", body, node, _with_function)
    if isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS.keys() - _KEPT:
        yield replaced("method", body, node, _with_method)
    name = getattr(node.func, "id", "") or getattr(node.func, "attr", "")
    plain = not any(isinstance(one, ast.Starred) for one in node.args)
    if len(node.args) == 2 and plain and name not in _SYMMETRIC and ast.dump(node.args[0]) != ast.dump(node.args[1]):
        yield replaced("arguments", body, node, _with_arguments_exchanged)
    if name in ("sorted", "sort", "max", "min"):
        for index, word in enumerate(node.keywords):
            if word.arg in ("reverse", "key"):
                yield replaced("function", body, node, functools.partial(_without_keyword, index))
    if name in ("abs", "set", "sorted", "reversed", "round", "int") and len(node.args) == 1 and plain:
        yield replaced("function", body, node, lambda one: one.args[0])


_SYMMETRIC = frozenset({"max", "min", "gcd", "lcm", "isinstance", "range", "print", "zip", "hypot", "defaultdict"})


def _with_function(node: ast.Call) -> ast.AST:
    if isinstance(node.func, ast.Name):
        node.func.id = _FUNCTIONS[node.func.id]
    return node


def _with_method(node: ast.Call) -> ast.AST:
    if isinstance(node.func, ast.Attribute):
        node.func.attr = _METHODS[node.func.attr]
    return node


def _with_arguments_exchanged(node: ast.Call) -> ast.AST:
    node.args.reverse()
    return node


def _without_keyword(index: int, node: ast.Call) -> ast.AST:
    node.keywords.pop(index)
    return node


VALUE_RULES: tuple[Rule, ...] = (comparisons, arithmetic, constants, bounds, logic, calls)
