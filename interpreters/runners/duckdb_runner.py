"""DuckDB inside the child: exactly one SELECT, on an in-memory database that holds only the inputs of one problem.

The connection is opened and used in the zygote, before the fork, because a first use costs more than a whole check.
That is safe only without background threads: `warm` refuses to go on when there is one. Each child gets its own copy.

Each data set has a schema of its own and a cursor whose search path it is, so that many candidates run over tables
that were loaded once. A SELECT of DuckDB 2 can write (`WITH x AS (INSERT ... RETURNING ...)` is one to its parser), so
every query runs in a read-only transaction; the settings are locked, and the seed of random() is set anew.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from interpreters.base import Limits, Outcome
from interpreters.processes.candidate import SAMPLE, CandidateError, Columns
from interpreters.runners.duckdb_values import SETTINGS, create_table, fetch, message_of, outcome_of, quoted

_SPARE = 0.75  # part of the memory limit that DuckDB may plan with, so that it reports before malloc fails
_CHANCE = re.compile(r"random|seed|uuid|shuffle|sample", re.IGNORECASE)  # what the seed decides
_connection: duckdb.DuckDBPyConnection
_cursors: list[duckdb.DuckDBPyConnection] = []  # of the schemas d0, d1, ...
_tables: list[str] = []  # what is loaded into them, ready to be named in SQL
_begin: duckdb.Statement
_rollback: duckdb.Statement


@dataclass(frozen=True)
class Loaded:
    """A cursor per data set, or why there is none."""

    cursors: Sequence[duckdb.DuckDBPyConnection]
    refusal: str = ""


def warm() -> str:
    global _connection, _begin, _rollback
    _connection = duckdb.connect(":memory:", config=SETTINGS)
    _connection.execute("SET TimeZone = 'UTC'")
    _limit_memory(Limits().memory_mb)
    _begin, _rollback = _connection.extract_statements("BEGIN TRANSACTION READ ONLY; ROLLBACK")
    loaded = load([{"t": SAMPLE}])
    for _ in range(10):
        list(run("SELECT s, sum(i) AS n FROM t GROUP BY s ORDER BY s", loaded, SAMPLE.height * 2))
    _cursors.pop().close()
    _tables.clear()
    _connection.execute("DROP SCHEMA d0 CASCADE")
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads > 1:
        raise RuntimeError(f"duckdb {duckdb.__version__} runs {threads} threads, which a fork would lose")
    return f"duckdb {duckdb.__version__}"


def connection() -> duckdb.DuckDBPyConnection:
    """Return this process' copy of the connection that `warm` opened."""
    return _connection


def prepare(memory_mb: int, context: str) -> None:
    if memory_mb != Limits().memory_mb:  # setting it costs 2 ms, so `warm` has set the usual one
        _limit_memory(memory_mb)


def _limit_memory(memory_mb: int) -> None:
    _connection.execute(f"SET memory_limit = '{max(int(memory_mb * _SPARE), 1)}MiB'")


def load(tests: Sequence[Mapping[str, Columns]]) -> Loaded:
    """Fill one schema per test. A second call replaces what the first one made."""
    try:
        while _tables:
            _connection.execute(f"DROP TABLE {_tables[-1]}")
            _tables.pop()
        for number, tables in enumerate(tests):
            if number == len(_cursors):
                _open_schema(number)
            for name, table in tables.items():
                create_table(_connection, name, table, f"d{number}")
                _tables.append(f"d{number}.{quoted(name)}")
    except duckdb.Error as error:
        return Loaded([], f"the input tables cannot be loaded: {message_of(error)}")
    return Loaded(_cursors[: len(tests)])


def _open_schema(number: int) -> None:
    _connection.execute(f"CREATE SCHEMA d{number}")
    cursor = _connection.cursor()
    cursor.execute(f"SET schema = 'd{number}'")
    _cursors.append(cursor)


def run(code: str, loaded: Loaded, max_cells: int) -> Generator[Columns, None, None]:
    select = _single_select(code)
    sets_seed = _CHANCE.search(select.query) is not None
    if loaded.refusal:
        raise CandidateError(Outcome.UNSUPPORTED, loaded.refusal)
    for cursor in loaded.cursors:
        if sets_seed:
            cursor.execute("SELECT setseed(0.5)").fetchall()
        cursor.execute(_begin)
        try:
            yield fetch(cursor, select, max_cells)
        finally:
            cursor.abort()
            cursor.execute(_rollback)


def _single_select(code: str) -> duckdb.Statement:
    try:
        statements = _connection.extract_statements(code)
    except (duckdb.ParserException, duckdb.SyntaxException) as error:
        raise CandidateError(Outcome.SYNTAX_ERROR, message_of(error)) from error
    if len(statements) != 1:
        raise CandidateError(Outcome.FORBIDDEN, f"expected one SELECT statement, found {len(statements)} statements")
    kind = statements[0].type
    if kind is not duckdb.StatementType.SELECT:
        raise CandidateError(Outcome.FORBIDDEN, f"expected a SELECT statement, found {kind.name}")
    return statements[0]


def describe(error: BaseException) -> tuple[Outcome, str]:
    return outcome_of(error)
