"""What the rules of SQL mutants share: the statement that they look at, and the changes that they propose."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from sqlglot import exp

from bootstrap.audit.mutants import ColumnFacts
from bootstrap.audit.sql_flow import Flow
from bootstrap.audit.sql_scope import Scope
from interpreters.base import ColumnType

_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*")
DETAIL_LENGTH = 120


@dataclass(frozen=True)
class Change:
    """One change of one node. `edit` gets that node in a copy of the tree, and changes it in place or returns another
    to stand for it."""

    operator: str
    detail: str
    edit: Callable[[exp.Expr], exp.Expr | None]


@dataclass(frozen=True)
class Statement:
    tree: exp.Expr
    scope: Scope
    flow: Flow
    language: str
    ordered: bool

    @cached_property
    def texts(self) -> list[str]:
        """Return the text constants of the statement, in order, without doubles."""
        return list(dict.fromkeys(node.this for node in self.tree.find_all(exp.Literal) if node.is_string))

    def text(self, node: exp.Expr) -> str:
        line = node.sql(self.language)
        return line if len(line) <= DETAIL_LENGTH else line[: DETAIL_LENGTH - 3] + "..."

    def facts(self, node: exp.Expr) -> ColumnFacts | None:
        """Return what is known of a value: the facts of the first column in it, or of a constant."""
        if isinstance(node, exp.Literal):
            return ColumnFacts(ColumnType.STRING if node.is_string else ColumnType.INT, False)
        column = node if isinstance(node, exp.Column) else node.find(exp.Column)
        return self.scope.facts(column) if isinstance(column, exp.Column) else None

    def is_text(self, *nodes: exp.Expr) -> bool:
        found = [self.facts(node) for node in nodes]
        return any(facts is not None and facts.type in (ColumnType.STRING, ColumnType.BOOL) for facts in found)

    def replacement(self, operator: str, node: exp.Expr, new: exp.Expr) -> Change:
        """Return the change of a node into another one."""
        return Change(operator, f"{self.text(node)} -> {self.text(new)}", lambda _: new.copy())


Rule = Callable[[exp.Expr, Statement], Iterator[Change]]


def named(column: exp.Column, name: str) -> exp.Column:
    """Return the column with another name, from the same table."""
    new = column.copy()
    new.set("this", exp.to_identifier(name, quoted=column.this.quoted or not _PLAIN_NAME.fullmatch(name)))
    return new


def column_named(name: str) -> exp.Column:
    return exp.column(exp.to_identifier(name, quoted=not _PLAIN_NAME.fullmatch(name)))


def single_row(query: exp.Expr) -> bool:
    """Say whether a query gives one row whatever it reads: nothing but aggregates, without groups."""
    return (
        isinstance(query, exp.Select)
        and not query.args.get("group")
        and all(one.find(exp.AggFunc) and not one.find(exp.Window) for one in query.expressions)
    )


def effective_order(node: exp.Expr, ordered: bool) -> bool:
    """Say whether the rows of a query, or of what stands under an ORDER BY, can be told apart by their order.

    Only at the top of the statement where the order counts, or where a LIMIT, a DISTINCT ON, a window or an ordered
    aggregate picks by it.
    """
    owner = node.find_ancestor(exp.Query, exp.Window, exp.AggFunc, exp.WithinGroup)
    if not isinstance(owner, exp.Query):
        return owner is not None
    if single_row(owner):
        return False
    distinct = owner.args.get("distinct")
    if owner.args.get("limit") or owner.args.get("offset") or (distinct and distinct.args.get("on")):
        return True
    return ordered and owner.parent is None


def set_arg(key: str, value: object) -> Callable[[exp.Expr], None]:
    """Return the edit that sets one part of a node; a node given as value is copied."""

    def edit(node: exp.Expr) -> None:
        node.set(key, value.copy() if isinstance(value, exp.Expr) else value)

    return edit


def drop_item(key: str, index: int) -> Callable[[exp.Expr], None]:
    """Return the edit that leaves out one of a node's list."""

    def edit(node: exp.Expr) -> None:
        node.set(key, [one.copy() for position, one in enumerate(node.args[key]) if position != index])

    return edit


def drop_self(node: exp.Expr) -> None:
    """Take a clause out of its query."""
    if node.parent is not None and node.arg_key:
        node.parent.set(node.arg_key, None)
