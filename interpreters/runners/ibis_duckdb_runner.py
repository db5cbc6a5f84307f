"""Ibis on DuckDB inside the child: see ibis_runner.py for what a candidate is, duckdb_runner.py for the database.

The database is opened, and Ibis is tried on it, in the zygote, before the fork: both cost more than a whole check.
Every data set has a schema of its own, and the search path moves from one to the next. The inputs may be loaded in the
zygote too, for many children, so their schemas go when nobody holds them any more.
"""

from __future__ import annotations

import functools
import itertools
import re
import weakref
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

import duckdb
import ibis
import ibis.expr.datatypes as types
import ibis.expr.schema as sch
from ibis.backends.duckdb import Backend

from interpreters.base import Limits, Outcome
from interpreters.processes.candidate import SAMPLE, CandidateError, Columns
from interpreters.processes.preload import preload, require_no_threads_but, thread_names
from interpreters.runners import duckdb_runner, ibis_runner
from interpreters.runners.duckdb_values import create_table, fetch, message_of, outcome_of, quoted

USES = (
    *ibis_runner.USES,
    "t.mutate(r=ibis.row_number().over(group_by='s', order_by=_.i), p=_.i.sum().over(group_by='s'))",
    "t.filter(_.x > _.x.mean(), _.i == t.i.max())",
)
_CHANCE = re.compile("random|uuid|sample", re.IGNORECASE)  # what the seed decides
_numbers = itertools.count()
_backend: Backend


@dataclass(frozen=True)
class DataSet:
    """Input tables that are in the database, in a schema of their own."""

    name: str
    schemas: ibis_runner.Schemas


class Loaded:
    """The data sets of one problem, or why there are none. When it goes, they go."""

    def __init__(self) -> None:
        self.data_sets: list[DataSet] = []
        self.refusal = ""

    def add(self, tables: Mapping[str, Columns]) -> None:
        """Create the tables in a new schema. Raises duckdb.Error."""
        connection, name = duckdb_runner.connection(), f"i{next(_numbers)}"
        connection.execute(f"CREATE SCHEMA {name}")
        weakref.finalize(self, connection.execute, f"DROP SCHEMA {name} CASCADE").atexit = False
        for table_name, table in tables.items():
            create_table(connection, table_name, table, name)
        self.data_sets.append(DataSet(name, {table_name: _schema(name, table_name) for table_name in tables}))


def _schema(name: str, table_name: str) -> sch.Schema:
    connection = duckdb_runner.connection()
    connection.execute(f"SELECT * FROM {name}.{quoted(table_name)} LIMIT 0")
    described = connection.description or []
    connection.abort()
    return sch.Schema({column[0]: _ibis_type(str(column[1])) for column in described})


@functools.cache
def _ibis_type(sql_type: str) -> types.DataType:
    return _backend.compiler.type_mapper.from_string(sql_type)


def warm() -> str:
    global _backend
    ibis_runner.keep_libraries_quiet()
    version = duckdb_runner.warm()
    threads = thread_names()
    _backend = ibis.duckdb.from_connection(duckdb_runner.connection())
    ibis.set_backend(_backend)  # Ibis' default would be another database
    preload(lambda: _use(USES + ibis_runner.EAGER_USES))
    for _ in range(ibis_runner.ROUNDS):
        _use(USES)
    require_no_threads_but(threads)
    return f"ibis {ibis.__version__} on {version}"


def _use(codes: Sequence[str]) -> None:
    for code in codes:
        list(run(code, load([{"t": SAMPLE}]), Limits().cells))


def prepare(memory_mb: int, context: str) -> None:
    duckdb_runner.prepare(memory_mb, context)
    duckdb_runner.connection().execute("SET lock_configuration = true")


def load(tests: Sequence[Mapping[str, Columns]]) -> Loaded:
    loaded = Loaded()
    try:
        for tables in tests:
            loaded.add(tables)
    except duckdb.Error as error:
        loaded.refusal = f"the input tables cannot be loaded: {message_of(error)}"
    return loaded


def run(code: str, loaded: Loaded, max_cells: int) -> Generator[Columns, None, None]:
    candidate = ibis_runner.Candidate(code)
    if loaded.refusal:
        raise CandidateError(Outcome.UNSUPPORTED, loaded.refusal)
    connection, compiled, query = duckdb_runner.connection(), None, ""
    for data_set in loaded.data_sets:
        connection.execute(f"SET schema = '{data_set.name}'")
        table = candidate.table_over(data_set.schemas, _backend)
        if table is not compiled:
            compiled, query = table, _backend.compile(table)
        if _CHANCE.search(query):
            connection.execute("SELECT setseed(0.5)").fetchall()
        _backend._run_pre_execute_hooks(table)  # hands over tables in memory and functions; nothing public does
        try:
            yield ibis_runner.as_declared(fetch(connection, query, max_cells), table.schema())
        finally:
            connection.abort()


def describe(error: BaseException) -> tuple[Outcome, str]:
    if not isinstance(error, duckdb.Error):
        return ibis_runner.describe(error)
    outcome, line = outcome_of(error)
    return Outcome.RUNTIME_ERROR if outcome is Outcome.SYNTAX_ERROR else outcome, line  # the text was Ibis' own
