"""DuckDB inside the child, for scripts: a fresh in-memory database, any statements, the table of the last one.

The database is this process' copy of one that was opened before the fork, so it dies with the process, whatever the
script did to it. Settings may be changed; files stay closed, since DuckDB opens no door to them again that it was
started without, and the process has no right to them either.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence

import duckdb

from interpreters.base import Outcome
from interpreters.processes.candidate import CandidateError, Columns
from interpreters.runners import duckdb_runner
from interpreters.runners.duckdb_values import create_table, fetch, message_of, outcome_of

warm = duckdb_runner.warm
prepare = duckdb_runner.prepare


def load(tests: Sequence[Mapping[str, Columns]]) -> Sequence[Mapping[str, Columns]]:
    return tests


def run(code: str, loaded: Sequence[Mapping[str, Columns]], max_cells: int) -> Generator[Columns, None, None]:
    database = duckdb_runner.connection()
    statements = _statements(database, code)
    for tables in loaded:
        try:
            for name, table in tables.items():
                create_table(database, name, table)
        except duckdb.Error as error:
            line = f"the input tables cannot be loaded: {message_of(error)}"
            raise CandidateError(Outcome.UNSUPPORTED, line) from error
        for statement in statements[:-1]:
            database.execute(statement)
        yield fetch(database, statements[-1], max_cells)


def _statements(database: duckdb.DuckDBPyConnection, code: str) -> list[duckdb.Statement]:
    try:
        statements = database.extract_statements(code)
    except (duckdb.ParserException, duckdb.SyntaxException) as error:
        raise CandidateError(Outcome.SYNTAX_ERROR, message_of(error)) from error
    if not statements:
        raise CandidateError(Outcome.NO_RESULT, "the script has no statement")
    return statements


def describe(error: BaseException) -> tuple[Outcome, str]:
    return outcome_of(error)
