"""Small pieces of SQL written in the target's own grammar, with expressions put in."""

from __future__ import annotations

import functools
from typing import TypeVar

import sqlglot
from sqlglot import exp

from interpreters.base import ColumnType

Node = TypeVar("Node", bound=exp.Expr)


@functools.lru_cache(maxsize=256)
def _parsed(text: str, target: str) -> exp.Expr:
    return sqlglot.parse_one(text, read=target)


def piece(text: str, target: str, kind: ColumnType | None, /, **parts: exp.Expr) -> exp.Expr:
    """Return the expression that `text` says in the target's grammar, each `_name` in it replaced by a part."""
    made = _parsed(text, target).copy()
    holes = [column for column in made.find_all(exp.Column) if column.name[1:] in parts]
    for hole in holes:
        part = parts[hole.name[1:]].copy()
        if isinstance(part, exp.Binary | exp.Unary | exp.Between | exp.In) and isinstance(hole.parent, exp.Binary):
            part = as_kind(exp.Paren(this=part), part.meta.get("kind"))
        if hole is made:
            return as_kind(part, kind)
        hole.replace(part)
    return as_kind(made, kind)


def as_kind(node: Node, kind: ColumnType | None) -> Node:
    """Return the node with the class of its values noted."""
    if kind is not None:
        node.meta["kind"] = kind
    return node


def cast(node: exp.Expr, sql_type: str, kind: ColumnType) -> exp.Expr:
    return as_kind(exp.cast(node.copy(), sql_type), kind)
