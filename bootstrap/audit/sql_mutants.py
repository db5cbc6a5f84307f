"""Mutants of one SQL statement, by its sqlglot tree: what a person gets wrong in a query that still runs.

The rules stand in sql_values.py (what is inside an expression) and sql_clauses.py (the parts of a query).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from bootstrap.audit.mutants import Columns, Edit, UnmutableError
from bootstrap.audit.sql_clauses import CLAUSE_RULES
from bootstrap.audit.sql_flow import Flow
from bootstrap.audit.sql_rules import Change, Statement
from bootstrap.audit.sql_scope import Scope
from bootstrap.audit.sql_values import VALUE_RULES


def edits(code: str, language: str, columns: Columns, ordered: bool) -> Iterator[Edit]:
    tree = parse(code, language)
    scope = Scope(tree, columns)
    statement = Statement(tree, scope, Flow(tree, scope), language, ordered)
    for index, node in enumerate(tree.walk()):
        if statement.flow.is_dead(node):
            continue
        for rule in (*VALUE_RULES, *CLAUSE_RULES):
            for change in rule(node, statement):
                yield Edit(change.operator, change.detail, _maker(tree, index, change, language))


def rewritten(code: str, language: str) -> str:
    return parse(code, language).sql(language)


def parse(code: str, language: str) -> exp.Expr:
    """Return the tree of the one query in `code`. Raises UnmutableError."""
    try:
        statements = [one for one in sqlglot.parse(code, read=language) if one is not None]
    except (SqlglotError, RecursionError) as error:
        raise UnmutableError(f"sqlglot cannot read it as {language}: {str(error).splitlines()[0]}") from error
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise UnmutableError("it is not a single query")
    return statements[0]


def _maker(tree: exp.Expr, index: int, change: Change, language: str) -> Callable[[], str]:
    def make() -> str:
        copy = tree.copy()
        node = next(node for position, node in enumerate(copy.walk()) if position == index)
        new = change.edit(node)
        if new is not None:
            if node is copy:
                copy = new
            else:
                node.replace(new)
        return copy.sql(language)

    return make
