"""The database itself, beside its copy: it explains every pair's SQL, and answers questions about its schema."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import psycopg
from psycopg import sql

from bootstrap.generate.nl_to_postgres.inputs import DatabaseError, Input, opened
from bootstrap.generate.nl_to_postgres.render import quoted
from bootstrap.generate.nl_to_postgres.schema import DatabaseCopy
from bootstrap.generate.nl_to_postgres.settings import Settings
from interpreters.base import Table
from interpreters.compare import compare_tables
from interpreters.postgres.pg_values import from_sql


def live_naming(copy: DatabaseCopy, name: str) -> str:
    """Return how a table of the copy is written in SQL for the database itself."""
    if name in copy.catalogue and name not in copy.tables:
        return f"information_schema.{name}"
    schema, table = copy.tables[name].live
    return quoted(table) if schema == "public" else f"{quoted(schema)}.{quoted(table)}"


class Live:
    """One open database. When it goes away it stays away: `gone` says why, and what is asked then is not answered."""

    def __init__(self, given: Input, settings: Settings, folder: Path) -> None:
        self.name, self.gone = given.name, ""
        self._stack = ExitStack()
        try:
            self._connection = self._stack.enter_context(opened(given, settings, folder))
        except DatabaseError as error:
            self.gone = str(error)

    def explains(self, code: str) -> str:
        """Return why the server makes no plan of a query; nothing where it makes one. The query is not run."""
        return self._asked(f"EXPLAIN {code}")[0]

    def explains_with_path(self, code: str, schemas: Sequence[str]) -> str:
        """Return the same for SQL that names tables without their schemas, which has been parsed as a SELECT."""
        if self.gone:
            return ""
        path = sql.SQL(", ").join(map(sql.Identifier, schemas))
        try:
            with self._connection.transaction(force_rollback=True):
                self._connection.execute(sql.SQL("SET LOCAL search_path = {}").format(path))
                self._connection.execute(f"EXPLAIN {code}".encode(), prepare=False, binary=False)
        except psycopg.Error as error:
            return self._refused(error)
        return ""

    def _refused(self, error: psycopg.Error) -> str:
        """Return why the server refuses something; nothing where it has gone away."""
        if self._connection.broken or self._connection.closed:
            self.gone = " ".join(str(error).split())[:200] or "the connection was lost"
            return ""
        return " ".join(str(error).split())[:160] or type(error).__name__

    def differs(self, code: str, answer: Table, ties: Sequence[int]) -> str:
        """Return how the database's own answer to a question about its schema differs; in most cases nothing."""
        refused, table = self._asked(code)
        if refused or table is None:
            return refused
        return compare_tables(table, answer, ties=ties, match_names=False) or ""

    def _asked(self, code: str) -> tuple[str, Table | None]:
        if self.gone:
            return "", None
        try:
            with self._connection.transaction(force_rollback=True):
                result = self._connection.execute(code.encode()).pgresult
        except psycopg.Error as error:
            return self._refused(error), None
        assert result is not None
        cells = [[result.get_value(row, i) for row in range(result.ntuples)] for i in range(result.nfields)]
        read = [
            from_sql((result.fname(i) or b"").decode(), result.ftype(i), result.fmod(i), cells[i])
            for i in range(result.nfields)
        ]
        rows = tuple(zip(*(values for _, values in read), strict=True))
        return "", Table(tuple(column for column, _ in read), rows)

    def close(self) -> None:
        try:
            self._stack.close()
        except DatabaseError as error:  # the connection was lost long before
            self.gone = self.gone or str(error)
