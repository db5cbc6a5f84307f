"""The database of one process: every data set in schemas of its own, and both sides of a pair run over all of them.

The code that is run here is our own, rendered from templates, so it runs in this process. It is the text that stands
in the pair, taken in by the very code that takes it in inside the interpreter `ibis_duckdb`: what holds here holds
there. What others wrote (mined files, given pairs) never comes here.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb
import ibis
import ibis.expr.schema as sch

from interpreters.base import Table
from interpreters.processes.candidate import Columns
from interpreters.runners import ibis_runner
from interpreters.runners.duckdb_values import SETTINGS, create_table, fetch, quoted

MAX_CELLS = 20_000


@dataclass(frozen=True)
class Loaded:
    """Data sets in the database. `shuffled` hold the same rows in another order of storage."""

    tables: Sequence[Mapping[str, Table]]
    cursors: Sequence[duckdb.DuckDBPyConnection]
    shuffled: Sequence[duckdb.DuckDBPyConnection]
    schemas: Mapping[str, sch.Schema]


@dataclass(frozen=True)
class Query:
    """SQL that an Ibis expression was compiled to, and the schema that the expression has."""

    sql: str
    schema: sch.Schema


class FixtureDatabase:
    def __init__(self) -> None:
        self.connection = duckdb.connect(":memory:", config=SETTINGS)
        self.connection.execute("SET TimeZone = 'UTC'")
        self._backend = ibis.duckdb.from_connection(self.connection)
        self._schemas = 0

    def load(self, data_sets: Sequence[Mapping[str, Table]]) -> Loaded:
        """Load data sets for good, each twice."""
        rng = random.Random(0)
        cursors = [self._filled(tables) for tables in data_sets]
        mixed = [
            {name: Table(table.columns, tuple(rng.sample(table.rows, len(table.rows)))) for name, table in one.items()}
            for one in data_sets
        ]
        shuffled = [self._filled(tables) for tables in mixed]
        schemas = {name: self._schema(cursors[0], name) for name in data_sets[0]}
        return Loaded(data_sets, cursors, shuffled, schemas)

    def _filled(self, tables: Mapping[str, Table]) -> duckdb.DuckDBPyConnection:
        schema = f"f{self._schemas}"
        self._schemas += 1
        self.connection.execute(f"CREATE SCHEMA {schema}")
        for name, table in tables.items():
            cells = [list(column) for column in zip(*table.rows, strict=True)] or [[] for _ in table.columns]
            create_table(self.connection, name, Columns(table.columns, cells, len(table.rows)), schema)
        cursor = self.connection.cursor()
        cursor.execute(f"SET schema = '{schema}'")
        return cursor

    def _schema(self, cursor: duckdb.DuckDBPyConnection, name: str) -> sch.Schema:
        cursor.execute(f"SELECT * FROM {quoted(name)} LIMIT 0")
        mapper = self._backend.compiler.type_mapper
        found = {str(column[0]): mapper.from_string(str(column[1])) for column in cursor.description or []}
        cursor.abort()
        return sch.Schema(found)

    def rows(self, cursor: duckdb.DuckDBPyConnection, sql: str) -> Table:
        """Return what a query gives. Raises duckdb.Error, CandidateError for a result that is too large."""
        return _table(fetch(cursor, sql, MAX_CELLS))

    def compiled(self, code: str, schemas: Mapping[str, sch.Schema]) -> Query:
        """Return the SQL of Ibis code over tables with these schemas. Raises what building the expression raises."""
        expression = ibis_runner.Candidate(code).table_over(schemas, self._backend)
        return Query(self._backend.compile(expression), expression.schema())

    def answer(self, cursor: duckdb.DuckDBPyConnection, query: Query) -> Table:
        """Return what an Ibis expression gives over a data set. Raises as `rows` does."""
        return _table(ibis_runner.as_declared(fetch(cursor, query.sql, MAX_CELLS), query.schema))

    def close(self) -> None:
        self.connection.close()


def _table(columns: Columns) -> Table:
    rows = zip(*columns.values, strict=True) if columns.height else ()
    return Table(tuple(columns.columns), tuple(rows))
