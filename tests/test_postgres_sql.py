"""What is special to PostgreSQL: its values and names, rights behind the gate, sessions on a server, and its loss."""

from __future__ import annotations

import datetime as dt
import math
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from on_postgres import FAST, INPUT, INPUTS, INT, STRING, cell, run
from support import ROOT

from interpreters import postgres_sql
from interpreters.attacks.scene import Scene
from interpreters.attacks.table import run_attacks
from interpreters.base import (
    Column,
    ColumnType,
    InterpreterUnavailable,
    Limits,
    Outcome,
    Table,
    TestCase,
)
from interpreters.checking import check
from interpreters.postgres_sql import PostgresSql

# -- statements ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "SELECT 5 AS n;",
        "SELECT 5 AS n ; -- done",
        "SELECT 5 AS n -- done",
        "/* a */ SELECT 5 AS n /* b */",
        "WITH x AS (SELECT 5 AS n) SELECT * FROM x",
        "(SELECT 5 AS n)",
        "VALUES (5)",
        "SELECT 5 AS n WHERE 'a%s' LIKE 'a%%' AND ':x' <> '$1'",
        "SELECT sum(a) - 1 AS n FROM t",
        "SELECT count(*) + 2 AS n FROM T",
    ],
)
def test_one_select_in_any_dress_is_run(postgres: PostgresSql, code: str) -> None:
    assert cell(run(postgres, code)) == 5


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("SELECT 1; SELECT 2", Outcome.FORBIDDEN),
        (";", Outcome.FORBIDDEN),
        ("EXPLAIN SELECT 1", Outcome.FORBIDDEN),
        ("SHOW data_directory", Outcome.FORBIDDEN),
        ("DO $$ BEGIN END $$", Outcome.FORBIDDEN),
        ("SELECT * FROM t FOR UPDATE", Outcome.FORBIDDEN),
        ("SELECT 1 INTO x", Outcome.FORBIDDEN),
        ("SELECT FROM WHERE", Outcome.SYNTAX_ERROR),
        ("SELECT 'a", Outcome.SYNTAX_ERROR),
        ("SELECT 1) UNION (SELECT 2", Outcome.SYNTAX_ERROR),
        ("SELECT $1::int", Outcome.RUNTIME_ERROR),
        ("SELECT 1 / 0", Outcome.RUNTIME_ERROR),
        ("SELECT a FROM tt", Outcome.RUNTIME_ERROR),
        ("SELECT repeat('x', 2000000000)", Outcome.MEMORY_EXCEEDED),
        ("SELECT count(*) FROM (SELECT repeat(g::text, 1000) x FROM generate_series(1, 1000000) g ORDER BY 1) y",
         Outcome.MEMORY_EXCEEDED),
        ("WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT n FROM r", Outcome.OUTPUT_EXCEEDED),
        ("SELECT repeat('x', 3000000)", Outcome.OUTPUT_EXCEEDED),
        ("SELECT repeat('x', 1000000) FROM generate_series(1, 5000)", Outcome.OUTPUT_EXCEEDED),
    ],
)  # fmt: skip
def test_each_failure_is_told_from_the_others(postgres: PostgresSql, code: str, outcome: Outcome) -> None:
    limits = Limits(seconds=30, memory_mb=512, output_bytes=2**20, cells=5_000)
    execution = run(postgres, code, limits)
    assert (execution.outcome, execution.results) == (outcome, ())
    assert execution.message


def test_names_are_as_given_so_capitals_need_quotes(postgres: PostgresSql) -> None:
    inputs = [{"Sales": Table((Column("Total", INT),), ((7,),))}]
    assert postgres.execute('SELECT "Total" FROM "Sales"', inputs, FAST).results[0].rows == ((7,),)
    assert postgres.execute("SELECT Total FROM Sales", inputs, FAST).outcome is Outcome.RUNTIME_ERROR


def test_a_select_without_columns_is_a_table_without_columns(postgres: PostgresSql) -> None:
    assert run(postgres, "SELECT FROM t").results == (Table((), ((),) * 3),)


# -- values -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "kind", "value"),
    [
        ("1::smallint", INT, 1),
        ("(2::numeric ^ 100)::numeric(40, 0)", INT, 2**100),
        ("1.50::numeric(10, 2)", ColumnType.DECIMAL, Decimal("1.50")),
        ("'NaN'::numeric", ColumnType.FLOAT, math.nan),
        ("10::numeric ^ 500", STRING, "1" + "0" * 500 + ".0000000000000000"),
        ("'-Infinity'::float8", ColumnType.FLOAT, -math.inf),
        ("0.1::real", ColumnType.FLOAT, 0.1),
        ("'é'::char(3)", STRING, "é  "),
        ("'0d3f2a8e-6a5c-4f0e-8f0a-2f0a8e6a5c4f'::uuid", STRING, "0d3f2a8e-6a5c-4f0e-8f0a-2f0a8e6a5c4f"),
        ("'10.0.0.1'::inet", STRING, "10.0.0.1"),
        ("int4range(1, 5)", STRING, "[1,5)"),
        ("ROW(1, 'a')", STRING, "(1,a)"),
        ("'infinity'::date", STRING, "infinity"),
        ("'0044-03-15 BC'::date", STRING, "0044-03-15 BC"),
        ("'24:00'::time", STRING, "24:00:00"),
        ("'2024-05-01 12:00+02'::timestamptz", ColumnType.TIMESTAMP, dt.datetime(2024, 5, 1, 10, tzinfo=dt.UTC)),
        ("'2024-05-01 12:00:00.5'::timestamp", ColumnType.TIMESTAMP, dt.datetime(2024, 5, 1, 12, 0, 0, 500000)),
        ("'-1 day +02:00:00.25'::interval", ColumnType.INTERVAL, dt.timedelta(days=-1, hours=2, milliseconds=250)),
        ("'-00:00:01'::interval", ColumnType.INTERVAL, dt.timedelta(seconds=-1)),
        ("'1 year 2 mons'::interval", ColumnType.INTERVAL, dt.timedelta(days=420)),
        ("ARRAY['a,b', NULL, 'NULL', '\"\\', '']", ColumnType.LIST, ["a,b", None, "NULL", '"\\', ""]),
        ("ARRAY[[1, 2], [3, NULL]]", ColumnType.LIST, [[1, 2], [3, None]]),
        ("'[5:6]={1,2}'::int[]", ColumnType.LIST, [1, 2]),
        ("'{}'::date[]", ColumnType.LIST, []),
        ("ARRAY['\\x00ff'::bytea]", ColumnType.LIST, [b"\x00\xff"]),
        ("ARRAY['infinity'::date]", STRING, "{infinity}"),
        ("jsonb_build_object('a', 1, 'b', ARRAY[NULL, 'x'])", ColumnType.STRUCT, {"a": 1, "b": [None, "x"]}),
        ("'[1, {\"a\": 2.5}]'::json", ColumnType.LIST, [1, {"a": 2.5}]),
        ("'\"text\"'::jsonb", ColumnType.OTHER, "text"),
        ("NULL", STRING, None),
    ],
)
def test_a_value_comes_back_as(postgres: PostgresSql, expression: str, kind: ColumnType, value: Any) -> None:
    [table] = run(postgres, f"SELECT {expression} AS v").results
    assert table.columns == (Column("v", kind),)
    assert repr(table.rows[0][0]) == repr(value)


def test_a_time_zone_set_by_the_query_changes_no_instant(postgres: PostgresSql) -> None:
    code = "SELECT set_config('TimeZone', 'Asia/Kolkata', true), '2024-05-01 12:00+00'::timestamptz AS v"
    [table] = run(postgres, code).results
    assert table.rows[0][1] == dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("name", "column", "value", "says"),
    [
        ("t", Column("a", STRING), "x\0y", "null character"),
        ("t", Column("a", ColumnType.LIST), ["x\0y"], "cannot be loaded"),
        ("t", Column("a", STRING), "\ud800", "cannot be loaded"),
        ("t", Column("b" * 64, INT), 1, "more than PostgreSQL's 63 bytes"),
        ("é" * 32, Column("a", INT), 1, "more than PostgreSQL's 63 bytes"),
        ("t", Column("", INT), 1, "no column named"),
        ("t", Column("ctid", INT), 1, "cannot be loaded"),
        ("t", Column("a", ColumnType.STRUCT), {"d": dt.date(2024, 1, 1)}, "jsonb"),
        ("t", Column("a", ColumnType.LIST), [[1], [math.nan]], "jsonb"),
    ],
)
def test_tables_that_it_cannot_hold_are_unsupported(
    postgres: PostgresSql, name: str, column: Column, value: Any, says: str
) -> None:
    inputs = [{name: Table((column,), ((value,),))}]
    for _ in range(2):
        execution = postgres.execute("SELECT 1 AS a", inputs, FAST)
        assert execution.outcome is Outcome.UNSUPPORTED and says in execution.message
    jobs = [("SELECT 1 AS a", inputs), ("TABLE t", INPUTS), ("SELECT 1 AS a", inputs), ("TABLE t", INPUTS)]
    outcomes = [job.outcome for job in postgres.execute_trusted(jobs)]
    assert outcomes == [Outcome.UNSUPPORTED, Outcome.PASSED] * 2


def test_lists_go_in_as_arrays_where_they_can(postgres: PostgresSql) -> None:
    lists = {"i": [[1], [2**70]], "f": [[1], [0.5]], "d": [[Decimal("1.5")], [2]], "n": [[[1], [2, 3]], [[]]]}
    table = Table(tuple(Column(name, ColumnType.LIST) for name in lists), tuple(zip(*lists.values(), strict=True)))
    [types] = postgres.execute(
        "SELECT DISTINCT pg_typeof(i)::text, pg_typeof(f)::text, pg_typeof(d)::text, pg_typeof(n)::text FROM t",
        [{"t": table}], FAST,
    ).results  # fmt: skip
    assert types.rows == (("numeric[]", "double precision[]", "numeric[]", "jsonb"),)
    assert check(postgres, "SELECT * FROM t", [TestCase({"t": table}, table)], FAST).passed


# -- what stands behind the gate ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_attack_of_the_table_is_stopped(postgres: PostgresSql) -> None:
    with Scene() as scene:
        results = list(run_attacks(postgres, scene))
    late = "ran for"  # which is for test_attack_table.py to judge, beside which nothing else runs
    succeeded = [row for row in results if not row.stopped and not row.how.startswith(late)]
    assert [f"{row.number} {row.name}: {row.how}" for row in succeeded] == []
    assert {row.number for row in results} >= set(range(45, 55))


@pytest.fixture
def candidate(postgres: PostgresSql) -> Iterator[psycopg.Connection]:
    """A connection as a problem's role, without the gate: any statement, over any protocol."""
    fixture = postgres._loaded(INPUTS)
    with psycopg.connect(fixture.role.conninfo, autocommit=True) as connection:
        connection.execute(f"SET search_path = {next(iter(fixture.schemas[0]))}".encode())
        connection.execute("SET default_transaction_read_only = off")
        yield connection


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM t", "DROP TABLE t", "CREATE TABLE x (a int)", "CREATE TEMP TABLE x (a int)", "CREATE SCHEMA x",
        "COPY t TO PROGRAM 'true'", "COPY t FROM '/etc/passwd'", "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_ls_dir('/')", "SELECT lo_create(0)", "SELECT lo_import('/etc/passwd')", "SELECT pg_advisory_lock(1)",
        "SELECT pg_notify('a', 'b')", "SELECT pg_terminate_backend(pg_backend_pid())", "SELECT * FROM pg_authid",
        "ALTER SYSTEM SET work_mem = '1GB'", "SET ROLE checker", "CREATE ROLE x", "CREATE EXTENSION dblink",
        "CREATE FUNCTION x() RETURNS int LANGUAGE sql AS 'SELECT 1'", "SET temp_file_limit = -1", "CHECKPOINT",
        "SELECT pg_logical_emit_message(true, 'a', 'b')",
    ],
)  # fmt: skip
def test_rights_alone_refuse_it(candidate: psycopg.Connection, statement: str) -> None:
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidSchemaName)):
        candidate.execute(statement.encode())


def test_a_role_reads_its_own_problem_only(postgres: PostgresSql, candidate: psycopg.Connection) -> None:
    other = postgres._loaded([{"u": INPUT}])
    schema = next(iter(other.schemas[0]))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        candidate.execute(f"SELECT * FROM {schema}.u".encode())
    seen = candidate.execute("SELECT query FROM pg_stat_activity WHERE usename <> current_user").fetchall()
    assert {query for [query] in seen} <= {"<insufficient privilege>"}


@pytest.mark.parametrize("memory_mb", [64, 256])
def test_a_session_may_have_the_memory_of_the_limits(postgres: PostgresSql, memory_mb: int) -> None:
    limits = Limits(seconds=30, memory_mb=memory_mb, output_bytes=2**20, cells=5_000)
    assert run(postgres, "SELECT length(repeat('x', 400000000)) AS n", limits).outcome is Outcome.MEMORY_EXCEEDED
    assert cell(run(postgres, f"SELECT length(repeat('x', {memory_mb * 400_000})) AS n", limits)) > 0


# -- opening it ---------------------------------------------------------------------------------------------------


def test_the_adapter_loads_no_driver_until_it_is_used() -> None:
    program = "import sys, interpreters.postgres_sql as p; p.PostgresSql(); print('psycopg' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "False\n", done.stderr


def test_an_unknown_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(postgres_sql.KIND_VARIABLE, "remote")
    with pytest.raises(InterpreterUnavailable, match="CHECKER_POSTGRES: expected one of machine, embedded, found"):
        PostgresSql()
