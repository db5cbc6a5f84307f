"""Mutants of the statements of a Python function: left out, ended early, answered with nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from bootstrap.audit.function_rules import Change, Rule, removed, replaced
from bootstrap.audit.function_scope import Body

_AUGMENTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Sub, ast.BitXor: ast.BitOr,
    ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
}  # fmt: skip


def returns(node: ast.AST, body: Body) -> Iterator[Change]:
    """Give back nothing, or the negation of a condition."""
    if not isinstance(node, ast.Return) or node.value is None:
        return
    if not (isinstance(node.value, ast.Constant) and node.value.value is None):
        yield replaced("return", body, node, lambda _: ast.Return(ast.Constant(None)))
    if isinstance(node.value, ast.Compare | ast.BoolOp):
        yield replaced("return", body, node, lambda one: ast.Return(ast.UnaryOp(ast.Not(), one.value)))


def guards(node: ast.AST, body: Body) -> Iterator[Change]:
    """Leave out an early return, an `else`, or a whole condition around statements."""
    if not isinstance(node, ast.If):
        return
    if not node.orelse and isinstance(node.body[-1], ast.Return | ast.Continue | ast.Break):
        yield removed("early exit", body, node)
    if node.orelse and not any(body.drives_loop(one) for one in node.orelse):
        yield Change("else", f"else of if {body.text(node.test)} -> nothing", _drop_else)


def _drop_else(node: ast.If) -> None:
    node.orelse = []


def statements(node: ast.AST, body: Body) -> Iterator[Change]:
    """Leave out a statement that changes something; one that gives a name its first value would only raise."""
    if isinstance(node, ast.stmt) and body.drives_loop(node):
        return
    if isinstance(node, ast.AugAssign):
        yield removed("statement", body, node)
        other = _AUGMENTED.get(type(node.op))
        is_list = isinstance(node.value, ast.List | ast.Constant) and not isinstance(
            getattr(node.value, "value", 0), int | float
        )
        if other is not None and not is_list:
            yield replaced("arithmetic", body, node, lambda one: ast.AugAssign(one.target, other(), one.value))
    elif _is_call(node) or (isinstance(node, ast.Assign) and _is_set_before(node, body)):
        assert isinstance(node, ast.stmt)  # both are
        yield removed("statement", body, node)


def _is_call(node: ast.AST) -> bool:
    """Say whether this is a call for its effect; what is printed nobody sees."""
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
        return False
    return getattr(node.value.func, "id", "") != "print"


def _is_set_before(node: ast.Assign, body: Body) -> bool:
    """Say whether what is assigned has a value before: an item of a list, or a name that was set further up."""
    function = body.function_of(node)
    if function is None or len(node.targets) != 1:
        return False
    target = node.targets[0]
    if not isinstance(target, ast.Name):
        return True
    if target.id in {one.arg for one in (*function.args.args, *function.args.posonlyargs)}:
        return True
    return any(
        isinstance(other, ast.Name)
        and isinstance(other.ctx, ast.Store)
        and other.id == target.id
        and (other.lineno, other.col_offset) < (target.lineno, target.col_offset)
        for other in ast.walk(function)
    )


def jumps(node: ast.AST, body: Body) -> Iterator[Change]:
    """Go on where a loop ends, and the other way round."""
    loop = next((one for one in body.above(node) if isinstance(one, ast.For | ast.While)), None)
    if isinstance(loop, ast.While):
        return  # it would mostly go on for ever
    if isinstance(node, ast.Break):
        yield replaced("jump", body, node, lambda _: ast.Continue())
    elif isinstance(node, ast.Continue):
        yield replaced("jump", body, node, lambda _: ast.Break())
        yield removed("jump", body, node)


STATEMENT_RULES: tuple[Rule, ...] = (returns, guards, statements, jumps)
