"""Sessions: many candidates over tables loaded once, none of which notices another."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from interpreters import load_interpreter
from interpreters.base import Column, ColumnType, Execution, Interpreter, Limits, Outcome, Table
from interpreters.processes import sticky

FAST = Limits(seconds=0.6, memory_mb=512, output_bytes=2**20, cells=5_000)
INPUT = Table((Column("a", ColumnType.INT),), ((1,), (2,), (3,)))
SUM = "SELECT sum(a) AS n FROM t"


@pytest.fixture(scope="module")
def duckdb() -> Iterator[Interpreter]:
    with load_interpreter("duckdb_sql") as loaded:
        yield loaded


def inputs(*numbers: int) -> list[dict[str, Table]]:
    """Return the inputs of one problem: a table `t` per data set, each with the numbers and their multiples."""
    return [{"t": Table(INPUT.columns, tuple((n * k,) for n in numbers))} for k in (1, 10)]


def rows(execution: Execution) -> list[object]:
    assert execution.outcome is Outcome.PASSED, execution
    return [table.rows for table in execution.results]


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def descendants(pid: int) -> int:
    return sum(1 + descendants(child) for child in children(pid))


@pytest.mark.parametrize(
    "attempt",
    [
        "WITH x AS (INSERT INTO t VALUES (100) RETURNING a) SELECT * FROM x",
        "WITH x AS (DELETE FROM t RETURNING a) SELECT * FROM x",
        "WITH x AS (UPDATE t SET a = 7 RETURNING a) SELECT * FROM x",
        "INSERT INTO t VALUES (100)",
        "SELECT 1; DROP TABLE t",
        "COMMIT; DELETE FROM t",
        "SET schema = 'd1'",
        "CREATE TEMP VIEW t AS SELECT 5 AS a",
        "CREATE MACRO sum(x) AS 5",
        "SELECT * FROM query('DROP TABLE t')",
        "SELECT * FROM force_checkpoint()",
        "SELECT setseed(0.1)",
        "SELECT * FROM enable_logging()",
        "PRAGMA disable_optimizer",
        "SELECT * FROM arrow_scan(1::UBIGINT::POINTER, 2::UBIGINT::POINTER, 3::UBIGINT::POINTER)",
        "SELECT error('stop')",
        "SELECT a FROM t, range(10000)",
        "this is no SQL",
        "",
        "SELECT '" + "x" * 2_000_000 + "' AS a FROM range(100)",
    ],
)
def test_what_one_candidate_tries_the_next_does_not_notice(duckdb: Interpreter, attempt: str) -> None:
    problem = inputs(1, 2, 3)
    chance = "SELECT count(*) AS n FROM t WHERE random() < 0.5"
    before = [rows(duckdb.execute(code, problem, FAST)) for code in (SUM, chance)]
    duckdb.execute(attempt, problem, FAST)
    assert [rows(duckdb.execute(code, problem, FAST)) for code in (SUM, chance)] == before
    assert before[0] == [((6,),), ((60,),)]


def test_writing_select_statements_are_refused(duckdb: Interpreter) -> None:
    attempt = "WITH x AS (INSERT INTO t VALUES (100) RETURNING a) SELECT * FROM x"
    execution = duckdb.execute(attempt, inputs(1), FAST)
    assert execution.outcome is not Outcome.PASSED and "read" in execution.message.lower()


def test_more_problems_than_sessions_take_turns(duckdb: Interpreter) -> None:
    problems = [inputs(n, n + 1) for n in range(sticky.SESSIONS + 3)]
    for _ in range(2):
        for n, problem in enumerate(problems):
            assert rows(duckdb.execute(SUM, problem, FAST)) == [((2 * n + 1,),), ((20 * n + 10,),)]


def test_a_session_that_goes_on_with_another_problem_has_nothing_left_of_the_first(duckdb: Interpreter) -> None:
    secret = Table((Column("s", ColumnType.INT),), ((42,),))
    first = [{"t": INPUT}, {"t": INPUT}, {"hidden": secret}]
    assert rows(duckdb.execute("SELECT 1 AS n", first, FAST)) == [((1,),)] * 3
    problems = [inputs(n) for n in range(sticky.SESSIONS)]
    before = descendants(os.getpid())
    for number, problem in enumerate(problems):
        assert rows(duckdb.execute(SUM, problem, FAST)) == [((number,),), ((10 * number,),)]
        for name in ("hidden", "d2.hidden", "memory.d2.hidden"):
            assert duckdb.execute(f"SELECT * FROM {name}", problem, FAST).outcome is Outcome.RUNTIME_ERROR
        left = "SELECT count(*) AS n FROM information_schema.tables"
        assert rows(duckdb.execute(left, problem, FAST)) == [((2,),)] * 2
    assert descendants(os.getpid()) <= max(before, sticky.SESSIONS + 2)
    assert rows(duckdb.execute("SELECT s FROM hidden", [first[2]], FAST)) == [((42,),)]


def test_a_session_survives_wrong_code_and_is_replaced_after_a_hanging_one(duckdb: Interpreter) -> None:
    problem = inputs(4)
    for code, outcome in (
        ("SELECT nonsense FROM t", Outcome.RUNTIME_ERROR),
        ("SELECT sum(x) FROM range(10000000000) r(x), t", Outcome.TIMEOUT),
        ("SELECT list(x) FROM range(1000000000) r(x)", Outcome.MEMORY_EXCEEDED),
        (SUM, Outcome.PASSED),
    ):
        limits = FAST if outcome is Outcome.TIMEOUT else Limits(seconds=10, memory_mb=256)
        assert duckdb.execute(code, problem, limits).outcome is outcome


def test_a_function_that_cannot_be_interrupted_is_killed_at_the_deadline(duckdb: Interpreter) -> None:
    code = "SELECT levenshtein(repeat('a', 200000), repeat('b', 200000)) AS n"
    start = time.monotonic()
    assert duckdb.execute(code, inputs(1), FAST).outcome is Outcome.TIMEOUT
    assert time.monotonic() - start < FAST.seconds + 2


def test_a_session_ends_after_its_share_of_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sticky, "CHECKS_PER_SESSION", 3)
    problem = inputs(5)
    with load_interpreter("duckdb_sql") as interpreter:
        for _ in range(8):
            assert rows(interpreter.execute(SUM, problem, FAST)) == [((5,),), ((50,),)]


def test_sessions_end_with_their_interpreter() -> None:
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    processes_before = descendants(os.getpid())
    with load_interpreter("duckdb_sql") as interpreter:
        for n in range(5):
            interpreter.execute(SUM, inputs(n), FAST)
        assert descendants(os.getpid()) > processes_before + 4
    assert descendants(os.getpid()) == processes_before
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before


def test_a_zygote_that_is_killed_costs_no_verdict() -> None:
    from interpreters.base import TestCase
    from interpreters.checking import check

    tests = [TestCase({"t": INPUT}, Table((Column("n", ColumnType.INT),), ((6,),)))]
    with load_interpreter("duckdb_sql") as interpreter:
        for number in range(6):
            if number % 2:
                for zygote in children(os.getpid()):
                    if b"duckdb_runner" in Path(f"/proc/{zygote}/cmdline").read_bytes():
                        os.kill(zygote, 9)
            assert check(interpreter, SUM, tests, FAST).passed


def test_a_script_gets_a_database_of_its_own_for_each_data_set() -> None:
    script = "INSERT INTO t VALUES (100); CREATE TABLE u AS SELECT sum(a) AS n FROM t; SELECT n FROM u;"
    with load_interpreter("duckdb_script") as interpreter:
        for _ in range(2):
            assert rows(interpreter.execute(script, inputs(1, 2), FAST)) == [((103,),), ((130,),)]
        execution = interpreter.execute("COPY t TO 'out.csv'; SELECT 1", inputs(1), FAST)
        assert execution.outcome is Outcome.FORBIDDEN
