"""Candidates that are Python: one expression, or statements that assign `result`, over names that are granted."""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import dataclass
from types import CodeType
from typing import Any

from interpreters.base import Outcome
from interpreters.processes.candidate import CandidateError, first_line

_RESULT = "result"
_FILE = "<candidate>"
Import = tuple[str, str, str]
"""Module, name taken from it ("" for the module itself), name that it gets here ("" for its own)."""


@dataclass(frozen=True)
class Program:
    """A compiled candidate, to be run over one scope or several."""

    code: CodeType
    is_expression: bool

    def run(self, scope: dict[str, Any]) -> object:
        """Return the value of the expression, or what the statements leave in `result` (None without it)."""
        if self.is_expression:
            return eval(self.code, scope)  # running the candidate is what this process is for
        exec(self.code, scope)
        return scope.get(_RESULT)


def compile_code(code: str, granted: Collection[Import]) -> Program:
    """Compile a candidate without the granted imports: what they name is there anyway.

    Raises CandidateError: SYNTAX_ERROR, or FORBIDDEN for every other import.
    """
    try:
        body = _permitted(ast.parse(code.strip(), _FILE), granted)
        if len(body) == 1 and isinstance(body[0], ast.Expr):
            return Program(compile(ast.Expression(body[0].value), _FILE, "eval"), True)
        return Program(compile(ast.Module(body, []), _FILE, "exec"), False)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise CandidateError(Outcome.SYNTAX_ERROR, first_line(error)) from error


def _permitted(tree: ast.Module, granted: Collection[Import]) -> list[ast.stmt]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) and not (node in tree.body and _is_granted(node, granted)):
            raise CandidateError(Outcome.FORBIDDEN, f"not allowed: {ast.unparse(node)}")
    return [statement for statement in tree.body if not _is_granted(statement, granted)]


def _is_granted(statement: ast.AST, granted: Collection[Import]) -> bool:
    if isinstance(statement, ast.Import):
        return all((alias.name, "", alias.asname or "") in granted for alias in statement.names)
    if isinstance(statement, ast.ImportFrom):
        module = "." * statement.level + (statement.module or "")
        return all((module, alias.name, alias.asname or "") in granted for alias in statement.names)
    return False
