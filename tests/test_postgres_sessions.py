"""Sessions on a PostgreSQL server: kept, ended, lost with their server, and never felt by another candidate."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from on_postgres import FAST, INPUT, INPUTS, INT, PATIENT, STRING, ask, cell, run

from interpreters import INTERPRETERS, postgres_sql
from interpreters.base import Column, ColumnType, InterpreterError, Limits, Outcome, Table, TestCase
from interpreters.checking import CheckerPool
from interpreters.postgres.server import shared_server
from interpreters.postgres_sql import PostgresSql

# -- sessions -----------------------------------------------------------------------------------------------------


def test_candidates_of_many_problems_may_come_in_any_order(postgres: PostgresSql) -> None:
    problems = [[{"t": Table((Column("a", INT),), ((n,),))}] for n in range(12)]  # more than are kept
    for n in (*range(12), *reversed(range(12)), 3, 3, 7):
        assert postgres.execute("SELECT a FROM t", problems[n], FAST).results[0].rows == ((n,),)
    schemas = ask(postgres, "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'checker%'")
    assert schemas[0][0] <= 8


def test_a_code_leaves_no_setting_for_the_next(postgres: PostgresSql) -> None:
    run(postgres, "SELECT set_config('search_path', 'x', false), set_config('statement_timeout', '1', false)")
    run(postgres, "SELECT set_config('DateStyle', 'German', false), setseed(0.7)")
    assert cell(run(postgres, "SELECT '2024-02-01'::date::text AS d FROM t LIMIT 1")) == "2024-02-01"
    first = cell(run(postgres, "SELECT random() AS r"))
    assert cell(run(postgres, "SELECT random() AS r")) == first


def test_large_inputs_load_at_once(postgres: PostgresSql) -> None:
    columns = (Column("a", INT), Column("s", STRING), Column("f", ColumnType.FLOAT))
    inputs = [{"t": Table(columns, tuple((i * k, f"text {i}", i / 7) for i in range(1000)))} for k in range(5)]
    start = time.monotonic()
    execution = postgres.execute("SELECT count(*) AS n, sum(a) AS s FROM t", inputs, PATIENT)
    assert [table.rows[0] for table in execution.results] == [(1000, Decimal(499500 * k)) for k in range(5)]
    assert time.monotonic() - start < 5


def on_server(one: PostgresSql) -> list[Any]:
    """Return the roles, schemas and sessions of all checkers."""
    return ask(
        one,
        "SELECT rolname FROM pg_roles UNION ALL SELECT nspname FROM pg_namespace UNION ALL "
        "SELECT usename FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename IS NOT NULL ORDER BY 1",
    )


def test_nothing_is_left_on_a_shared_server_when_one_user_closes(postgres: PostgresSql) -> None:
    run(postgres, "SELECT 1 AS a")
    before = on_server(postgres)
    leaves = PostgresSql()
    assert cell(run(leaves, "SELECT 1 AS a")) == 1
    assert len(on_server(postgres)) > len(before) + 2
    leaves.close()
    leaves.close()
    assert on_server(postgres) == before
    assert cell(run(postgres, "SELECT 2 AS a")) == 2
    with pytest.raises(InterpreterError, match="closed"):
        run(leaves, "SELECT 1 AS a")


def test_closing_from_another_thread_ends_what_runs(postgres: PostgresSql) -> None:
    one = PostgresSql()
    one.version()
    failed: list[BaseException] = []

    def check_forever() -> None:
        try:
            run(one, "SELECT pg_sleep(60)", PATIENT)
        except InterpreterError as error:
            failed.append(error)

    thread = threading.Thread(target=check_forever)
    thread.start()
    time.sleep(0.5)
    one.close()
    thread.join(10)
    assert not thread.is_alive() and len(failed) == 1
    mine = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()"
    assert ask(postgres, mine) == [(0,)]


# -- sessions that do not end ------------------------------------------------------------------------------------

CATCHES = (
    """DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$"""
)


@pytest.mark.parametrize("statement", [CATCHES, "SELECT pg_sleep(60)", "DO $$ BEGIN LOOP END LOOP; END $$"])
def test_the_watchdog_ends_what_catches_its_cancellation(postgres: PostgresSql, statement: str) -> None:
    fixture = postgres._loaded(INPUTS)
    with psycopg.connect(fixture.role.conninfo, autocommit=True) as connection:
        thread = threading.Thread(target=_attempt, args=(lambda: connection.execute(statement.encode()),))
        thread.start()
        time.sleep(0.2)
        postgres._end_sessions(fixture)
        thread.join(1)
        assert not thread.is_alive()
    assert ask(postgres, f"SELECT 1 FROM pg_stat_activity WHERE usename = '{fixture.role.name}'") == []


def _attempt(action: Callable[[], object]) -> None:
    try:
        action()
    except psycopg.OperationalError:
        return


@pytest.mark.slow
def test_what_cannot_be_cancelled_is_killed_and_others_do_not_notice() -> None:
    code = "SELECT position('b' || repeat('a', 2000000) IN repeat('a', 5000000))"  # searches for hours, deaf
    with PostgresSql() as one, PostgresSql() as other:
        assert run(other, "SELECT 1 AS a").outcome is Outcome.PASSED
        assert run(one, code).outcome is Outcome.TIMEOUT
        for _ in range(3):
            assert cell(run(other, "SELECT sum(a) AS n FROM t")) == cell(run(one, "SELECT sum(a) AS n FROM t")) == 6


# -- a server that is lost ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["embedded", pytest.param("machine", marks=pytest.mark.slow)])
def test_a_server_stopped_in_the_middle_of_500_checks_costs_no_verdict(
    kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(INTERPRETERS, "postgres_sql", "interpreters.postgres_sql:PostgresSql")
    monkeypatch.setenv(postgres_sql.KIND_VARIABLE, kind)
    expected = Table((Column("n", INT),), ((6,),))
    tests = [[TestCase({"t": INPUT}, expected)] * 2 for _ in range(5)]
    codes = {
        "SELECT sum(a) AS n FROM t": Outcome.PASSED, "SELECT max(a) AS n FROM t": Outcome.WRONG_ANSWER,
        "SELECT n FROM t": Outcome.RUNTIME_ERROR, "SELECT a, FROM t": Outcome.SYNTAX_ERROR,
        "SELECT 6 AS n FROM pg_sleep(0.02)": Outcome.PASSED,
    }  # fmt: skip
    server = shared_server(kind)
    with CheckerPool("postgres_sql", 2, Limits(seconds=10)) as pool:
        futures, servers = [], set()
        for i, code in enumerate([*codes] * 100):
            if i % 70 == 50:
                futures[i - 20].result(120)  # so that this server has been at work, and is
                servers.add(server.running().number)
                _kill(server.running().postmaster, (signal.SIGKILL, signal.SIGQUIT, signal.SIGINT)[i // 70 % 3])
            futures.append(pool.submit(code, tests[i % 5]))
        verdicts = [future.result(120).outcome for future in futures]
    assert verdicts == [*codes.values()] * 100
    assert len(servers) > 4


def _kill(postmaster: int, number: int) -> None:
    try:
        os.kill(postmaster, number)
    except ProcessLookupError:
        return


def test_a_session_that_is_killed_again_and_again_is_the_candidates_fault() -> None:
    with PostgresSql() as one, PostgresSql() as witness:
        assert cell(run(witness, "SELECT 1 AS a")) == 1
        assert cell(run(one, "SELECT 2 AS a")) == 2
        done = threading.Event()
        killer = threading.Thread(target=_kill_sessions_that_sleep, args=(witness, done))
        killer.start()
        execution = run(one, "SELECT pg_sleep(20)", PATIENT)
        done.set()
        killer.join()
        assert execution.outcome is Outcome.RUNTIME_ERROR and "ended, twice" in execution.message
        assert cell(run(one, "SELECT 2 AS a")) == 2


def _kill_sessions_that_sleep(witness: PostgresSql, done: threading.Event) -> None:
    while not done.wait(0.1):
        _attempt(lambda: _kill_all(ask(witness, "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'")))


def _kill_all(rows: list[tuple[int]]) -> None:
    for [pid] in rows:
        os.kill(pid, signal.SIGKILL)
