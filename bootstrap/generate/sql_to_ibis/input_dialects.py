"""The query in another SQL dialect: by sqlglot, and believed only after it was read back and run.

sqlglot is silently wrong in places, and reading back what it wrote hides some of them. So a text is taken only when
sqlglot warns of nothing, the text uses nothing that the dialect is known to lack, reading it as that dialect and
running it on DuckDB gives the same rows in the same order on every data set, and, for SQLite, SQLite itself gives them
too. Otherwise the query stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

from bootstrap.generate.sql_to_ibis.database import FixtureDatabase, Loaded
from bootstrap.generate.sql_to_ibis.layout import WIDTH
from bootstrap.generate.sql_to_ibis.on_sqlite import sqlite_refuses
from bootstrap.generate.sql_to_ibis.proof import Proved
from interpreters.compare import compare_tables
from interpreters.processes.candidate import CandidateError

_NOWHERE_ELSE: tuple[type[exp.Expr], ...] = (exp.Pivot,)
LACKS: Mapping[str, tuple[type[exp.Expr], ...]] = {
    "postgres": (exp.AnyValue, exp.ArgMax, exp.ArgMin, exp.Median, exp.ApproxDistinct, exp.Qualify),
    "sqlite": (
        exp.Rollup, exp.Cube, exp.GroupingSets, exp.Extract, exp.DateDiff, exp.TimestampTrunc, exp.DateTrunc,
        exp.Interval, exp.Median, exp.Stddev, exp.StddevSamp, exp.Variance, exp.Corr, exp.ArgMax, exp.ArgMin,
        exp.AnyValue, exp.Quantile, exp.PercentileCont, exp.Qualify, exp.RegexpLike, exp.RegexpExtract,
        exp.RegexpReplace,
    ),
    "mysql": (
        exp.Rollup, exp.Cube, exp.GroupingSets, exp.Median, exp.Corr, exp.ArgMax, exp.ArgMin, exp.Qualify,
        exp.Quantile, exp.PercentileCont, exp.TimestampTrunc, exp.DateTrunc, exp.SplitPart, exp.StartsWith,
        exp.RegexpExtract, exp.LogicalAnd, exp.LogicalOr, exp.Filter,
    ),
    "bigquery": (exp.Cube, exp.Median, exp.Quantile, exp.PercentileCont, exp.Filter),
    "snowflake": (exp.Filter, exp.Quantile),
}  # fmt: skip
"""Dialect -> constructs that it does not have, or not with DuckDB's meaning; sqlglot writes them all the same."""
_NOT_NULL = re.compile(r"\bNOT ((?:[\w.]|\"[^\"]*\"|`[^`]*`)+) IS NULL\b")
"""How sqlglot writes IS NOT NULL, and nobody else does."""


@dataclass(frozen=True)
class Said:
    """The query as a pair shows it. `refused`: why it is not in the dialect that was drawn; empty where it is."""

    dialect: str
    text: str
    refused: str = ""


def said(dialect: str, sql: str, proved: Proved, database: FixtureDatabase, loaded: Loaded) -> Said:
    """Return the query in a dialect, or as it is with the reason."""
    if dialect == "duckdb":
        return Said("duckdb", sql)
    text = _written(proved.tree, dialect)
    reason = text.reason or _lacking(text.sql, dialect) or _other_answer(text.sql, dialect, proved, database, loaded)
    if not reason and dialect == "sqlite":
        reason = sqlite_refuses(text.sql, proved.tests)
    return Said("duckdb", sql, f"{dialect}: {reason}") if reason else Said(dialect, text.sql)


@dataclass(frozen=True)
class _Text:
    sql: str = ""
    reason: str = ""


def _written(tree: exp.Query, dialect: str) -> _Text:
    if dialect == "sqlite":
        tree = _with_plain_days(tree)
    try:
        text = tree.sql(dialect, unsupported_level=ErrorLevel.RAISE)
        return _Text(_NOT_NULL.sub(r"\1 IS NOT NULL", text if len(text) <= WIDTH else tree.sql(dialect, pretty=True)))
    except SqlglotError:
        return _Text(reason="sqlglot says that it cannot be written")


def _with_plain_days(tree: exp.Query) -> exp.Query:
    """Return the query with days and moments as texts: SQLite has no other, and its CAST(... AS DATE) gives a year."""

    def plain(node: exp.Expr) -> exp.Expr:
        moment = isinstance(node, exp.Cast) and node.to.this in (exp.DataType.Type.DATE, exp.DataType.Type.TIMESTAMP)
        return node.this if moment and isinstance(node.this, exp.Literal) else node

    changed = tree.transform(plain)
    return changed if isinstance(changed, exp.Query) else tree


def _read_back(text: str, dialect: str) -> exp.Expr | None:
    try:
        return sqlglot.parse_one(text, read=dialect)
    except SqlglotError:
        return None


def _lacking(text: str, dialect: str) -> str:
    tree = _read_back(text, dialect)
    if tree is None:
        return "it cannot be read back"
    for node in tree.walk():
        if isinstance(node, (exp.Anonymous, exp.AnonymousAggFunc)):
            return f"no function {node.name.lower()} known there"
        if isinstance(node, (*_NOWHERE_ELSE, *LACKS.get(dialect, ()))):
            return f"it lacks {type(node).__name__}"
        if isinstance(node, exp.Round) and node.args.get("decimals") and dialect == "postgres":
            return "it rounds floats to whole numbers only"
        if isinstance(node, exp.Join) and dialect == "mysql" and node.side == "FULL":
            return "it lacks FULL JOIN"
        if isinstance(node, exp.Join) and node.args.get("kind") in ("SEMI", "ANTI"):
            return "it lacks SEMI and ANTI JOIN"
        if isinstance(node, exp.Group) and node.args.get("all") and dialect in ("postgres", "sqlite", "mysql"):
            return "it lacks GROUP BY ALL"
    return ""


def _other_answer(text: str, dialect: str, proved: Proved, database: FixtureDatabase, loaded: Loaded) -> str:
    try:
        back = sqlglot.transpile(text, read=dialect, write="duckdb", unsupported_level=ErrorLevel.RAISE)[0]
        for cursor, test in zip(loaded.cursors, proved.tests, strict=True):
            answer = database.rows(cursor, back)
            if compare_tables(answer, test.expected, ties=test.ties) is not None:
                return "read back, it gives other rows"
    except (SqlglotError, duckdb.Error, CandidateError):
        return "read back, it does not run"
    return ""
