"""What the tests of PostgreSQL share: a table, an interpreter, and questions to it and to its server."""

from __future__ import annotations

from typing import Any

import psycopg

from interpreters.base import Column, ColumnType, Execution, Limits, Outcome, Table
from interpreters.postgres_sql import PostgresSql

FAST = Limits(seconds=0.6, memory_mb=512, output_bytes=2**20, cells=5_000)
PATIENT = Limits(seconds=30, memory_mb=512)
INT, STRING = ColumnType.INT, ColumnType.STRING
INPUT = Table((Column("a", INT), Column("s", STRING)), ((1, "x"), (2, None), (3, "Y")))
INPUTS = [{"t": INPUT}]


def run(one: PostgresSql, code: str, limits: Limits = FAST) -> Execution:
    return one.execute(code, INPUTS, limits)


def cell(execution: Execution) -> Any:
    """Return the only value of a result."""
    assert execution.outcome is Outcome.PASSED, execution
    [[value]] = execution.results[0].rows
    return value


def ask(one: PostgresSql, query: str) -> list[Any]:
    """Ask the server as its administrator."""
    with psycopg.connect(**one._place.conninfo(), autocommit=True) as connection:  # type: ignore[arg-type]
        return connection.execute(query.encode()).fetchall()
