"""Mutants of Python functions: the mistakes that people make in them, one at a time.

The rules stand in function_values.py (what is inside an expression) and function_statements.py (whole statements).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from bootstrap.audit.function_rules import Change
from bootstrap.audit.function_scope import Body
from bootstrap.audit.function_statements import STATEMENT_RULES
from bootstrap.audit.function_values import VALUE_RULES
from bootstrap.audit.mutants import Columns, Edit, UnmutableError


def edits(code: str, language: str, columns: Columns, ordered: bool) -> Iterator[Edit]:
    """Yield every change of the function that the problem's input table is called like."""
    rewritten(code, language)
    body = Body(code, next(iter(columns), ""))
    for number, node in body.numbered():
        for rule in (*VALUE_RULES, *STATEMENT_RULES):
            for change in rule(node, body):
                yield Edit(change.operator, change.detail, _maker(code, number, change))


def rewritten(code: str, language: str) -> str:
    try:
        return ast.unparse(ast.parse(code))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UnmutableError(f"it is no {language} code: {error}") from error


class _Exchange(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else self.generic_visit(node)


def _maker(code: str, number: int, change: Change) -> Callable[[], str]:
    def make() -> str:
        tree: ast.AST = ast.parse(code)
        node = next(node for position, node in enumerate(ast.walk(tree)) if position == number)
        new = change.edit(node)
        if new is not None:
            tree = _Exchange(node, new).visit(tree)
        return ast.unparse(ast.fix_missing_locations(tree))

    return make
