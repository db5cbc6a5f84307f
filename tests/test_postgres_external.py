"""A server that DATABASE_URL names: what a checker needs there, what it leaves, and that it touches nothing else."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from on_postgres import INPUTS, run
from stock_postgres import Stock, stock_server
from support import ROOT

from interpreters import postgres_sql
from interpreters.base import InterpreterUnavailable, Outcome
from interpreters.postgres_sql import PostgresSql


@pytest.fixture(scope="module")
def stock() -> Iterator[Stock]:
    with stock_server() as running:
        yield running


@pytest.fixture
def external(stock: Stock) -> Iterator[PostgresSql]:
    with PostgresSql(database_url=stock.url()) as one:
        yield one
    deadline = time.monotonic() + 5
    mine = [("checker_of_mine",)] * 2
    while stock.leftovers() != mine:  # a connection that was closed is seen for a moment
        assert time.monotonic() < deadline, stock.leftovers()
        time.sleep(0.02)


def test_it_checks_there_and_leaves_nothing(external: PostgresSql, stock: Stock) -> None:
    assert external.version().endswith("(external)")
    assert run(external, "SELECT sum(a) AS n FROM t").results[0].rows == ((6,),)
    assert len(stock.leftovers()) > 4
    [job] = external.execute_trusted([("SELECT max(a) AS n FROM t", INPUTS)])
    assert job.results[0].rows == ((3,),)


def test_a_candidate_sees_nothing_of_the_database_and_changes_nothing(external: PostgresSql, stock: Stock) -> None:
    for code in ("SELECT * FROM public.marks", "TABLE checker_of_mine.x", "SELECT nextval('s')"):
        assert run(external, code).outcome in (Outcome.FORBIDDEN, Outcome.RUNTIME_ERROR)
    for code in ("DROP TABLE public.marks", "WITH x AS (DELETE FROM public.marks RETURNING a) SELECT * FROM x"):
        assert run(external, code).outcome is Outcome.FORBIDDEN
    assert stock.rows("SELECT a FROM marks") == [(1,)]


@pytest.mark.parametrize(
    "code",
    ["SELECT pg_sleep(60)", "SELECT count(*) FROM generate_series(1, 100000000) a, generate_series(1, 100000) b"],
)
def test_what_does_not_end_is_ended_on_the_server_too(external: PostgresSql, stock: Stock, code: str) -> None:
    assert run(external, code).outcome is Outcome.TIMEOUT
    assert stock.rows("SELECT state FROM pg_stat_activity WHERE usename LIKE 'checker%'") == []
    assert run(external, "SELECT 1 AS a").outcome is Outcome.PASSED


def test_a_session_that_ends_itself_fails_and_breaks_nothing(external: PostgresSql) -> None:
    execution = run(external, "SELECT pg_terminate_backend(pg_backend_pid())")
    assert execution.outcome is Outcome.RUNTIME_ERROR
    assert run(external, "SELECT 1 AS a").outcome is Outcome.PASSED


def test_what_outlasts_a_transaction_there_is_gone_before_the_next_code(external: PostgresSql) -> None:
    assert run(external, "SELECT pg_advisory_lock(7), set_config('my.own', 'x', false)").outcome is Outcome.PASSED
    assert run(external, "SELECT 1 AS a FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
    [table] = run(external, "SELECT nullif(current_setting('my.own', true), '') AS a").results
    assert table.rows == ((None,),)


def test_over_a_network_it_goes_without_namespaces(stock: Stock) -> None:
    with PostgresSql(database_url=stock.network_url()) as one:
        assert one.available() is None
        assert "namespaces no: switched off" in one.sandbox()
        assert run(one, "SELECT count(*) AS n FROM t").results[0].rows == ((3,),)
        assert run(one, "SELECT pg_sleep(60)").outcome is Outcome.TIMEOUT


def test_the_name_of_a_driver_in_the_url_does_no_harm(stock: Stock) -> None:
    with PostgresSql(database_url=stock.url(scheme="postgres+psycopg")) as one:
        assert one.available() is None


def test_the_variable_is_read_where_no_kind_is_asked_for(stock: Stock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", stock.url())
    monkeypatch.delenv(postgres_sql.KIND_VARIABLE, raising=False)
    with PostgresSql() as one, PostgresSql(server="embedded") as other:
        assert "(external)" in one.version() and "(embedded)" in other.version()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://user:secret@host/db", "expected postgresql://user@host/database, found mysql"),
        ("just text with secret", "found no scheme"),
    ],
)
def test_another_url_is_refused_without_showing_it(url: str, says: str) -> None:
    with pytest.raises(InterpreterUnavailable, match=says) as refused:
        PostgresSql(database_url=url)
    assert "secret" not in str(refused.value)


def test_a_role_without_rights_is_told_which_two_to_ask_for(stock: Stock) -> None:
    with PostgresSql(database_url=stock.url("beggar")) as one:
        refusal = one.available()
    assert refusal is not None
    assert 'ALTER ROLE "beggar" CREATEROLE; GRANT CREATE ON DATABASE "school" TO "beggar"' in refusal


def test_a_server_that_is_not_there_is_a_reason(stock: Stock) -> None:
    with PostgresSql(database_url="postgresql://nobody@/x?host=/nowhere") as one:
        for _ in range(2):
            assert "no connection to PostgreSQL" in str(one.available())


def test_what_a_killed_program_left_goes_when_the_next_one_comes(stock: Stock) -> None:
    program = f"""
import os
from interpreters.base import Column, ColumnType, Limits, Table
from interpreters.postgres_sql import PostgresSql
one = PostgresSql(database_url={stock.url()!r})
table = Table((Column("a", ColumnType.INT),), ((1,),))
print(one.execute("SELECT a FROM t", [{{"t": table}}], Limits()).outcome, flush=True)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "PASSED\n", done.stderr
    left = {name for [name] in stock.leftovers()} - {"checker_of_mine"}
    assert left
    with PostgresSql(database_url=stock.url()) as one:
        deadline = time.monotonic() + 10
        while left & {name for [name] in stock.leftovers()}:  # the server may not have noticed the death yet
            assert time.monotonic() < deadline
            assert one.available() is None
            one._stand_up()  # so that it comes again
            time.sleep(0.05)


def test_sessions_that_an_administrator_ends_cost_no_verdict(external: PostgresSql, stock: Stock) -> None:
    assert run(external, "SELECT 1 AS a").outcome is Outcome.PASSED
    everybody = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename ~ '^(grader|checker)'"
    assert len(stock.rows(everybody)) >= 2
    assert run(external, "SELECT sum(a) AS n FROM t").results[0].rows == ((6,),)
