"""Mutants of Polars and Ibis code, by its syntax tree: the same ideas as for SQL, on chains of method calls.

The rules stand in python_values.py (what is inside an expression) and python_chains.py (the calls of a chain).
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator

from bootstrap.audit.mutants import Columns, Edit, UnmutableError
from bootstrap.audit.python_chains import CHAIN_RULES
from bootstrap.audit.python_rules import Change
from bootstrap.audit.python_scope import Program
from bootstrap.audit.python_values import VALUE_RULES


def edits(code: str, language: str, columns: Columns, ordered: bool) -> Iterator[Edit]:
    rewritten(code, language)
    program = Program(code, language, columns, ordered)
    for index, node in enumerate(program.nodes):
        for rule in (*VALUE_RULES, *CHAIN_RULES):
            for change in rule(node, program):
                yield Edit(change.operator, change.detail, _maker(code, index, change))


def rewritten(code: str, language: str) -> str:
    try:
        return ast.unparse(ast.parse(code.strip()))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UnmutableError(f"it is no {language} code: {error}") from error


class _Exchange(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else self.generic_visit(node)


def _maker(code: str, index: int, change: Change) -> Callable[[], str]:
    def make() -> str:
        tree: ast.AST = ast.parse(code.strip())
        node = next(node for position, node in enumerate(ast.walk(tree)) if position == index)
        new = change.edit(node)
        if new is not None:
            tree = _Exchange(node, new).visit(tree)
        return ast.unparse(ast.fix_missing_locations(tree))

    return make
