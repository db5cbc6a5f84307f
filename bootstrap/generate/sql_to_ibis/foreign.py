"""What others wrote: given pairs and mined queries, proved in the sandbox.

The SQL runs in the interpreter `duckdb_sql`, the Ibis code in `ibis_duckdb`, over data sets made for the query. Where
there is no Ibis code, or it does not hold, the converter's translator writes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import ibis
from sqlglot import exp
from sqlglot.errors import ErrorLevel, SqlglotError

from bootstrap.convert.base import UnsupportedSqlError
from bootstrap.convert.translate import translate_sql
from bootstrap.generate.base import Pair, Refusal, UnitResult
from bootstrap.generate.sql_to_ibis.expansion import Candidate
from bootstrap.generate.sql_to_ibis.guessing import NoSchemaError, guess_schema, parsed
from bootstrap.generate.sql_to_ibis.ibis_source import UnreadableIbisError, read_ibis
from bootstrap.generate.sql_to_ibis.input_dialects import Said
from bootstrap.generate.sql_to_ibis.made_tables import Schema, made_tables
from bootstrap.generate.sql_to_ibis.mined_files import FoundQuery, UnreadableError, queries_of
from bootstrap.generate.sql_to_ibis.pairs import Origin, make_pair
from bootstrap.generate.sql_to_ibis.proof import NotProvedError
from bootstrap.generate.sql_to_ibis.sandboxed import Sandboxed
from interpreters.base import TestCase
from interpreters.processes.candidate import first_line

READ_AS = ("duckdb", "postgres", "mysql", "bigquery", "snowflake")
"""Dialects that a mined query is read in where nothing names one, the first that can; its text stays as found."""
NAMED = {
    **{name: name for name in (*READ_AS, "sqlite", "clickhouse", "trino", "databricks", "oracle", "druid", "exasol")},
    "postgresql": "postgres", "impala": "hive", "mssql": "tsql", "pyspark": "spark", "risingwave": "postgres",
    "materialize": "postgres", "flink": "hive", "singlestoredb": "singlestore", "datafusion": "postgres",
}  # fmt: skip
"""Name in a path -> dialect in which the queries of that file are read, and in no other."""


@dataclass(frozen=True)
class Proposal:
    """Ibis code for a query. `origin`: whose it is."""

    code: str
    schema: Schema
    origin: str


class Foreign:
    def __init__(self, seed: int, licence: str = "") -> None:
        self._seed, self._licence, self._sandbox = seed, licence, Sandboxed()

    def close(self) -> None:
        self._sandbox.close()

    def mined(self, unit: str, path: Path) -> UnitResult:
        """Prove what a file holds."""
        try:
            named = dialects_of(path) if path.suffix == ".sql" else ()
            queries = [replace(query, dialects=named) for query in queries_of(path)]
        except (UnreadableError, OSError) as error:
            reason = str(error) if isinstance(error, UnreadableError) else "it cannot be opened"
            return UnitResult(unit, refusals=[Refusal("mined file", "invalid", reason, path.name)])
        pairs: list[Pair] = []
        refusals: list[Refusal] = []
        for query in queries:
            try:
                pairs.append(self.proved(query, path.name))
            except NotProvedError as error:
                shown = f"{error.detail}\n{query.sql.strip()}"
                refusals.append(Refusal(f"mined: {query.kind}", error.kind, error.reason, shown))
        return UnitResult(unit, pairs, refusals)

    def given(self, unit: str, path: Path) -> UnitResult:
        """Prove the pairs of a JSONL file."""
        pairs: list[Pair] = []
        refusals: list[Refusal] = []
        for name, query in given_pairs(path):
            try:
                if isinstance(query, str):
                    raise NotProvedError("invalid", query, name)
                pairs.append(self.proved(query, path.name, translate=False))
            except NotProvedError as error:
                refusals.append(Refusal("given", error.kind, error.reason, f"{name}\n{error.detail}"))
        return UnitResult(unit, pairs, refusals)

    def proved(self, query: FoundQuery, place: str, translate: bool = True) -> Pair:
        """Return the pair of a query with the first Ibis code that holds. Raises NotProvedError.

        Here ends what sqlglot makes of SQL that it half knows: it fails with errors of any kind.
        """
        try:
            return self._proved(query, place, translate)
        except _HALF_KNOWN as error:
            detail = f"{type(error).__name__}: {first_line(error)}"
            raise NotProvedError("invalid", "sqlglot fails on it", detail) from error

    def _proved(self, query: FoundQuery, place: str, translate: bool) -> Pair:
        tree, dialect, sql = _read(query.sql, query.dialects or READ_AS)
        first: NotProvedError | None = None
        for proposal in _proposals(tree, sql, query.ibis, translate):
            try:
                tests = self._tests(tree, sql, proposal)
            except NotProvedError as error:
                first = first or error
                continue
            features = tuple(sorted({type(node).__name__.lower() for node in tree.find_all(*_FEATURES)})) or ("select",)
            candidate = Candidate(
                group=f"mined: {query.kind}" if translate else "given", sql=sql, ibis=proposal.code, roles=(),
                features=features, difficulty=min(1 + len(features) // 2, 5), params={"ibis_by": proposal.origin},
            )  # fmt: skip
            origin = Origin("mined" if translate else "given", place, ibis.__version__, self._licence)
            return make_pair(candidate, tests, Said(dialect, query.sql.strip().rstrip(";").strip()), origin)
        raise first or NotProvedError("invalid", "there is no Ibis code for it")

    def _tests(self, tree: exp.Query, sql: str, proposal: Proposal) -> tuple[TestCase, ...]:
        """Return the tests that code passes. Where they say nothing, other data may. Raises NotProvedError."""
        for attempt in range(_ATTEMPTS):
            inputs = made_tables(proposal.schema, tree, f"{self._seed} {attempt} {sql}")
            try:
                return self._sandbox.prove(tree, sql, proposal.code, inputs)
            except NotProvedError as error:
                if error.kind != "vacuous" or attempt + 1 == _ATTEMPTS:
                    raise
        raise AssertionError("unreachable: the last attempt returns or raises")


_HALF_KNOWN = (AttributeError, TypeError, KeyError, IndexError, RecursionError, SqlglotError)
_ATTEMPTS = 4
"""Data that are made for a query before it counts as vacuous."""
_FEATURES = (
    exp.Join, exp.Where, exp.Group, exp.Having, exp.Order, exp.Limit, exp.Union, exp.Window, exp.CTE, exp.Subquery,
    exp.Case, exp.Distinct, exp.Exists, exp.Qualify,
)  # fmt: skip


def dialects_of(path: Path) -> tuple[str, ...]:
    """Return the dialect that a file's path names, as `bigquery/out.sql` does; nothing where it names none."""
    words = [*reversed(path.parts[:-1]), path.stem]
    return next(((NAMED[word],) for word in words if word in NAMED), ())


def _read(text: str, dialects: tuple[str, ...]) -> tuple[exp.Query, str, str]:
    """Return a query's tree for DuckDB, the dialect that it was read in, and its text for DuckDB."""
    found = parsed(text, dialects)
    if found is None:
        raise NotProvedError("invalid", "no dialect reads it as one query")
    tree, dialect = found
    if not list(tree.find_all(exp.Table)):
        raise NotProvedError("invalid", "the query reads no table")
    if dialect == "duckdb":
        return tree, dialect, text.strip().rstrip(";").strip()
    try:
        sql = tree.sql("duckdb", unsupported_level=ErrorLevel.RAISE)
    except SqlglotError as error:
        raise NotProvedError("invalid", f"it cannot be written for DuckDB from {dialect}") from error
    again = parsed(sql, ("duckdb",))
    if again is None:
        raise NotProvedError("invalid", f"it cannot be written for DuckDB from {dialect}")
    return again[0], dialect, sql


def _proposals(tree: exp.Query, sql: str, codes: Sequence[str], translate: bool) -> Iterator[Proposal]:
    """Yield Ibis code for a query: what came with it first. Raises NotProvedError where there is none at all."""
    reasons: list[str] = []
    schemas: list[Schema] = []
    for code in codes:
        try:
            source = read_ibis(code)
        except UnreadableIbisError as error:
            reasons.append(str(error))
            continue
        schemas.append(source.tables)
        yield Proposal(source.code, source.tables, "its author")
    if not translate:
        if reasons:
            raise NotProvedError("invalid", reasons[0])
        return
    if not schemas:
        try:
            schemas.append(guess_schema(tree))
        except NoSchemaError as error:
            raise NotProvedError("invalid", f"its tables cannot be made up: {error}") from error
    for schema in schemas:
        try:
            for attempt in translate_sql(sql, "duckdb", "ibis", {name: dict(one) for name, one in schema.items()}):
                yield Proposal(attempt.code, schema, "the translator")
        except UnsupportedSqlError as error:
            reasons.append(str(error))
    if reasons:
        raise NotProvedError("invalid", "the translator does not know it", "; ".join(reasons))


def given_pairs(path: Path) -> Iterator[tuple[str, FoundQuery | str]]:
    """Yield name and pair for each line of a JSONL file; a line that holds none comes with the reason."""
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            yield f"line {number}", "a line that is not JSON"
            continue
        if not isinstance(row, Mapping) or not all(isinstance(row.get(key), str) for key in ("sql", "ibis")):
            yield f"line {number}", "a line without the texts sql and ibis"
            continue
        yield str(row.get("id", f"line {number}")), FoundQuery("given", row["sql"], (row["ibis"],))
