"""SQL of one dialect for another engine: sqlglot for the grammar, our rules for what its translation leaves to run.

    convert_dialect("SELECT name, MAX(age) FROM person", "sqlite", "postgres", schema)

A query is parsed, its names are resolved (dialects_names.py), groups and sorting are made strict
(dialects_groups.py), values are converted as the source converts them (dialects_calls.py), and the tree is written in
the target's grammar. Where the meaning leaves a choice there are several attempts. None is right before an
interpreter said so.
"""

from __future__ import annotations

from typing import Literal

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from bootstrap.convert.base import Conversion, Schema, UnsupportedSqlError
from bootstrap.convert.dialects_calls import Calls
from bootstrap.convert.dialects_groups import Choices, regroup
from bootstrap.convert.dialects_names import Names
from bootstrap.convert.dialects_sources import join_in_order, match_members, plain_functions, refuse_extensions

Target = Literal["duckdb", "postgres"]
SOURCES = ("sqlite", "duckdb", "postgres")
ATTEMPTS = (Choices(), Choices(value="max"), Choices(value="min"), Choices(swapped=True), Choices(cased=True))


def convert_dialect(sql: str, source: str, target: Target, schema: Schema) -> list[Conversion]:
    """Return the query in the target's dialect, the strict meaning of the source first.

    Raises UnsupportedSqlError when no rule translates it, ValueError for a dialect that is not known.
    """
    if source not in SOURCES:
        raise ValueError(f"no rules for the dialect {source!r}; known: {', '.join(SOURCES)}")
    parsed = read_query(sql, source)
    attempts: dict[str, Conversion] = {}
    for choices in ATTEMPTS:
        code, rules = _converted(parsed.copy(), source, target, schema, choices)
        attempts.setdefault(code, Conversion(code, "+".join(["sqlglot", *sorted(rules)])))
    return list(attempts.values())


def read_query(sql: str, source: str) -> exp.Query:
    """Parse one query. Raises UnsupportedSqlError."""
    try:
        trees = [tree for tree in sqlglot.parse(sql, read=source) if tree is not None]
    except SqlglotError as error:
        raise UnsupportedSqlError(f"sqlglot cannot read it: {str(error).splitlines()[0][:120]}") from error
    trees = [tree for tree in trees if not isinstance(tree, exp.Semicolon)]
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        raise UnsupportedSqlError(f"{len(trees)} statements, or one that is no query")
    return trees[0]


def _converted(
    tree: exp.Expr, source: str, target: Target, schema: Schema, choices: Choices
) -> tuple[str, set[str]]:  # fmt: skip
    loose = source == "sqlite"
    rules: set[str] = set()
    if source == "duckdb" and target != source:
        refuse_extensions(tree)
    try:
        if loose:
            tree = plain_functions(tree)
        Names(schema, target, loose=loose).query(tree)
        if loose:
            rules |= join_in_order(tree)
            rules |= match_members(tree)
        if loose or target == "postgres":
            rules |= regroup(tree, target, choices.value)
        calls = Calls(source, target, choices)
        tree = calls.rewrite(tree)
        code = tree.sql(target, comments=False, unsupported_level=sqlglot.ErrorLevel.RAISE)
    except SqlglotError as error:
        raise UnsupportedSqlError(f"sqlglot cannot write it: {str(error).splitlines()[0][:120]}") from error
    return code, rules | calls.rules
