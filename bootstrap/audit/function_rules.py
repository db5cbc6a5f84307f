"""What the rules of function mutants share: the changes that they propose."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bootstrap.audit.function_scope import Body


@dataclass(frozen=True)
class Change:
    """One change of one node. `edit` gets that node in a tree of its own, and changes it in place or returns another
    to stand for it."""

    operator: str
    detail: str
    edit: Callable[[Any], ast.AST | None]


Rule = Callable[[ast.AST, Body], Iterator[Change]]


def replaced(operator: str, body: Body, node: ast.AST, build: Callable[[Any], ast.AST]) -> Change:
    """Return the change of a node into what `build` makes of it."""
    new = ast.fix_missing_locations(build(copy.deepcopy(node)))
    return Change(operator, f"{body.text(node)} -> {body.text(new)}", build)


def removed(operator: str, body: Body, node: ast.stmt) -> Change:
    """Return the removal of a statement."""
    return Change(operator, f"{body.text(node)} -> nothing", lambda _: ast.Pass())


def plus(node: ast.expr, step: int) -> ast.expr:
    """Return an expression one more or one less."""
    op = ast.Add() if step > 0 else ast.Sub()
    return ast.BinOp(node, op, ast.Constant(abs(step)))


def is_text(node: ast.AST) -> bool:
    """Say whether an expression is text, as far as it shows."""
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def is_list(node: ast.AST) -> bool:
    return isinstance(node, ast.List | ast.ListComp | ast.Tuple | ast.Dict | ast.Set)
