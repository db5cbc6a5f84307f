"""What the rules of Python mutants share: the changes that they propose, and small pieces of syntax."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bootstrap.audit.python_scope import Program, receiver
from interpreters.base import ColumnType


@dataclass(frozen=True)
class Change:
    """One change of one node. `edit` gets that node in a tree of its own, and changes it in place or returns another
    to stand for it."""

    operator: str
    detail: str
    edit: Callable[[Any], ast.expr | None]


Rule = Callable[[ast.AST, Program], Iterator[Change]]


def replaced(operator: str, program: Program, node: ast.AST, build: Callable[[Any], ast.expr]) -> Change:
    """Return the change of a node into what `build` makes of it."""
    sample = ast.parse(ast.unparse(node), mode="eval").body
    return Change(operator, f"{program.text(node)} -> {program.text(ast.fix_missing_locations(build(sample)))}", build)


def renamed(operator: str, program: Program, node: ast.AST, name: str) -> Change:
    """Return the change of a method's name."""

    def build(one: ast.Call) -> ast.expr:
        return ast.Call(ast.Attribute(receiver(one), name, ast.Load()), one.args, one.keywords)

    return replaced(operator, program, node, build)


def call(on: ast.expr, name: str, *arguments: ast.expr) -> ast.Call:
    """Return the call of a method."""
    return ast.Call(ast.Attribute(on, name, ast.Load()), [*arguments], [])


def is_text(program: Program, nodes: Sequence[ast.expr]) -> bool:
    """Say whether one of the values is text, or true or false, as far as it shows."""
    for node in nodes:
        if isinstance(node, ast.Constant) and program.mention(node) is None:
            if isinstance(node.value, str | bool):
                return True
            continue
        facts = program.facts_in(node, program.scope(node))
        if facts is not None and facts.type in (ColumnType.STRING, ColumnType.BOOL):
            return True
    return False


# -- edits of a call, in place -----------------------------------------------------------------------------------------


def pop_argument(index: int, node: ast.Call) -> None:
    node.args.pop(index)


def set_argument(index: int, value: object, node: ast.Call) -> None:
    node.args[index] = ast.Constant(value)  # type: ignore[arg-type]  # constants of our own: numbers and texts


def exchange_arguments(index: int, node: ast.Call) -> None:
    node.args.insert(index, node.args.pop(index + 1))


def add_keyword(name: str, value: str | bool, node: ast.Call) -> None:
    node.keywords.append(ast.keyword(name, ast.Constant(value)))


def set_keyword(index: int, value: str | bool, node: ast.Call) -> None:
    node.keywords[index].value = ast.Constant(value)


def turn_flag(index: int, item: int, node: ast.Call) -> None:
    """Turn round one of a keyword's list of flags."""
    flags = node.keywords[index].value
    if isinstance(flags, ast.List) and isinstance(flag := flags.elts[item], ast.Constant):
        flag.value = not flag.value
