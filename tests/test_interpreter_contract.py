"""One suite for every interpreter: what each owes its caller, whatever the candidate does."""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
from contract_samples import EMPTY, FAST, FLOAT, INT, OF_ALL_VALUES, OF_ROWS, SALES, SAMPLES, STRING, Samples, totals
from stand_in_q import standing_in

from interpreters import INTERPRETERS, load_interpreter
from interpreters.base import (
    Column,
    ColumnType,
    Execution,
    GoOn,
    Interpreter,
    InterpreterError,
    InterpreterUnavailable,
    Limits,
    Outcome,
    Table,
    TestCase,
    Verdict,
)
from interpreters.checking import CheckerPool, check, judge

ROOT = Path(__file__).resolve().parent.parent
of_rows = pytest.mark.parametrize("interpreter", OF_ROWS, indirect=True)
of_all_values = pytest.mark.parametrize("interpreter", OF_ALL_VALUES, indirect=True)


@pytest.fixture(scope="module", params=sorted(INTERPRETERS))
def interpreter(request: pytest.FixtureRequest) -> Iterator[Interpreter]:
    with standing_in(request.param), load_interpreter(request.param) as loaded:
        assert loaded.available() is None
        yield loaded


@pytest.fixture
def samples(interpreter: Interpreter) -> Samples:
    return SAMPLES[interpreter.name]


def children_of(parent: int) -> set[int]:
    return {
        int(pid) for task in Path(f"/proc/{parent}/task").iterdir() for pid in (task / "children").read_text().split()
    }


def run(interpreter: Interpreter, code: str, table: Table | None = None, limits: Limits = FAST) -> Execution:
    samples = SAMPLES[interpreter.name]
    tables = dict.fromkeys(samples.names, table or samples.tables[0])
    return interpreter.execute(textwrap.dedent(code), [tables], limits)


# -- verdicts -----------------------------------------------------------------------------------------------------


def test_a_right_answer_passes_every_data_set(interpreter: Interpreter, samples: Samples) -> None:
    verdict = check(interpreter, samples.right, samples.tests, FAST)
    assert verdict == Verdict(Outcome.PASSED, None, "", verdict.seconds, interpreter.name)
    assert 0 < verdict.seconds < FAST.seconds


def test_a_wrong_answer_names_the_first_failing_test(interpreter: Interpreter, samples: Samples) -> None:
    first, right, last = samples.tests
    verdict = check(interpreter, samples.wrong, [right, first, last], FAST)
    assert (verdict.outcome, verdict.failed_test) == (Outcome.WRONG_ANSWER, 1)
    assert samples.wrong_says in verdict.message


@of_rows
def test_order_counts_only_where_the_test_asks_for_it(interpreter: Interpreter, samples: Samples) -> None:
    rows = tuple(sorted(((shop, units) for shop, units, _ in SALES.rows), key=lambda row: str(row[0])))
    expected = Table(SALES.columns[:2], rows)
    assert check(interpreter, samples.ordered, [TestCase({"sales": SALES}, expected)], FAST).passed
    ascending = [TestCase({"sales": SALES}, expected, order_by=("shop",))]
    assert check(interpreter, samples.ordered, ascending, FAST).outcome is Outcome.WRONG_ANSWER
    descending = [TestCase({"sales": SALES}, Table(expected.columns, rows[2:] + rows[:2]), order_by=("shop",))]
    assert check(interpreter, samples.ordered, descending, FAST).passed


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("syntax_error", Outcome.SYNTAX_ERROR),
        ("runtime_error", Outcome.RUNTIME_ERROR),
        ("endless", Outcome.TIMEOUT),
        ("memory_bomb", Outcome.MEMORY_EXCEEDED),
        ("huge_output", Outcome.OUTPUT_EXCEEDED),
        ("no_select", None),
    ],
)
def test_each_failure_has_its_outcome(
    interpreter: Interpreter, samples: Samples, kind: str, outcome: Outcome | None
) -> None:
    limits = Limits(20.0, 256, 2**20, 5_000) if kind == "memory_bomb" else FAST
    start = time.monotonic()
    execution = run(interpreter, getattr(samples, kind), limits=limits)
    assert (execution.outcome, execution.results) == (outcome or samples.refused, ())
    assert execution.message and len(execution.message) <= 300 and "\n" not in execution.message
    assert time.monotonic() - start < limits.seconds + 3.0


def test_a_runtime_error_says_what_helps(interpreter: Interpreter, samples: Samples) -> None:
    assert samples.runtime_error_says in run(interpreter, samples.runtime_error).message


@pytest.mark.parametrize("code", ["", "   \n", "-- nothing", "# nothing", "\0", "\ud800", "(" * 5000, "𝒳" * 10_000])
def test_no_text_breaks_the_interpreter(interpreter: Interpreter, code: str) -> None:
    execution = run(interpreter, code)
    assert execution.outcome is not Outcome.PASSED
    json.dumps(execution.message, ensure_ascii=False).encode("utf-8")


def test_a_message_of_a_candidate_is_one_short_printable_line() -> None:
    verdict = judge(Execution(Outcome.RUNTIME_ERROR, (), "a\x00\n\ud800" + "b" * 999), totals(), "any")
    assert len(verdict.message) == 300 and verdict.message.isprintable()


def test_an_execution_that_lacks_tables_is_our_error() -> None:
    with pytest.raises(InterpreterError):
        judge(Execution(Outcome.PASSED, ()), totals(), "any")


# -- values -------------------------------------------------------------------------------------------------------

UTC = dt.UTC
VALUES: dict[str, tuple[ColumnType, list[Any]]] = {
    "i": (INT, [1, None, -(2**53) - 1, 2**63 - 1]),
    "wide": (INT, [2**70, None, -1, 0]),
    "f": (FLOAT, [0.1, None, -math.inf, -0.0]),
    "b": (ColumnType.BOOL, [True, None, False, True]),
    "s": (STRING, ["", None, "ünï\n'\"", "𝒳\t"]),
    "bin": (ColumnType.BINARY, [b"", None, b"\x00\xff", b"a"]),
    "d": (ColumnType.DATE, [dt.date(1, 1, 1), None, dt.date(9999, 12, 31), dt.date(2024, 2, 29)]),
    "ts": (ColumnType.TIMESTAMP, [dt.datetime(2024, 1, 1, 1, 2, 3, 4), None] + [dt.datetime(1, 1, 1)] * 2),
    "t": (ColumnType.TIME, [dt.time(0), None, dt.time(23, 59, 59, 999999), dt.time(1)]),
    "iv": (ColumnType.INTERVAL, [dt.timedelta(days=-1, microseconds=1), None] + [dt.timedelta(hours=30)] * 2),
    "dec": (ColumnType.DECIMAL, [Decimal("1.50"), None, Decimal("-0.25"), Decimal("123456789012345678.99")]),
    "l": (ColumnType.LIST, [[1, None], None, [], [3]]),
    "st": (ColumnType.STRUCT, [{"a": 1, "b": "x"}, None, {"a": None, "b": "é"}, {"a": 2, "b": ""}]),
}


@of_all_values
def test_every_type_goes_in_and_comes_back_unchanged(interpreter: Interpreter, samples: Samples) -> None:
    table = Table(
        tuple(Column(name, kind) for name, (kind, _) in VALUES.items()),
        tuple(zip(*(values for _, values in VALUES.values()), strict=True)),
    )
    execution = interpreter.execute(samples.identity, [{"t": table}], FAST)
    assert execution.message == ""
    [back] = execution.results
    assert back.columns == table.columns
    assert check(interpreter, samples.identity, [TestCase({"t": table}, table)], FAST).passed
    assert list(zip(*back.rows, strict=True))[:3] == list(zip(*table.rows, strict=True))[:3]


@of_all_values
def test_nan_is_not_null(interpreter: Interpreter, samples: Samples) -> None:
    column = (Column("f", FLOAT),)
    nan, null = Table(column, ((math.nan,), (1.0,))), Table(column, ((None,), (1.0,)))
    assert check(interpreter, samples.identity, [TestCase({"t": nan}, nan)], FAST).passed
    assert not check(interpreter, samples.identity, [TestCase({"t": nan}, null)], FAST).passed
    assert not check(interpreter, samples.identity, [TestCase({"t": null}, nan)], FAST).passed


@of_rows
def test_an_empty_table_keeps_its_columns(interpreter: Interpreter, samples: Samples) -> None:
    assert run(interpreter, samples.identity, EMPTY).results == (EMPTY,)


@of_all_values
def test_names_that_need_quoting_are_kept(interpreter: Interpreter, samples: Samples) -> None:
    table = Table((Column('a "b"', INT), Column("select", INT)), ((1, 2),))
    assert run(interpreter, samples.identity, table).results == (table,)


def test_a_test_never_sees_the_tables_of_the_one_before(interpreter: Interpreter, samples: Samples) -> None:
    one, other = samples.tables
    execution = interpreter.execute(samples.identity, [{"t": one}, {"t": other}, {"u": one}], FAST)
    assert execution.results == (one, other)
    assert execution.outcome is samples.no_table


# -- stopping early -----------------------------------------------------------------------------------------------


def test_no_test_runs_that_the_caller_does_not_want(interpreter: Interpreter, samples: Samples) -> None:
    one, other = samples.tables
    inputs = [{"t": one}, {"t": other}, {"t": one}, {"u": one}]
    asked: list[int] = []

    def until(last: int) -> Execution:
        def go_on(index: int, table: Table) -> bool:
            assert table == inputs[index]["t"]
            asked.append(index)
            return index < last

        return interpreter.execute(samples.identity, inputs, FAST, go_on)

    assert [len(until(last).results) for last in (1, 0, 2)] == [2, 1, 3]  # each finds the interpreter as it should be
    assert asked == [0, 1, 0, 0, 1, 2]
    assert until(3).outcome is samples.no_table  # the last test has no table t


def test_what_is_wrong_early_is_not_run_to_its_end(interpreter: Interpreter, samples: Samples) -> None:
    one, other = samples.tables
    never = TestCase({"t": one}, one)
    wrong = [TestCase({"t": one}, other), *[never] * 3]
    seen: list[int] = []

    class Watched:
        name = interpreter.name

        def execute(self, code: str, inputs: Any, limits: Limits, go_on: GoOn | None = None) -> Execution:
            execution = interpreter.execute(code, inputs, limits, go_on)
            seen.append(len(execution.results))
            return execution

    verdict = check(cast("Interpreter", Watched()), samples.identity, wrong, FAST)
    assert (verdict.outcome, verdict.failed_test, seen) == (Outcome.WRONG_ANSWER, 0, [1])
    assert check(interpreter, samples.identity, [never] * 3, FAST).passed


def test_a_caller_that_fails_leaves_the_interpreter_usable(interpreter: Interpreter, samples: Samples) -> None:
    def fail(index: int, table: Table) -> bool:
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        interpreter.execute(samples.identity, [{"t": samples.tables[0]}] * 3, FAST, fail)
    other = samples.tables[1]
    assert interpreter.execute(samples.identity, [{"t": other}], FAST).results == (other,)


# -- trusted batches ----------------------------------------------------------------------------------------------


def test_a_trusted_batch_gives_what_single_runs_give(interpreter: Interpreter, samples: Samples) -> None:
    codes = [samples.right, samples.runtime_error, samples.syntax_error, samples.right]
    jobs = [(code, [test.tables for test in samples.tests]) for code in codes]
    batch = interpreter.execute_trusted(jobs)  # type: ignore[attr-defined]  # beyond the protocol
    alone = [interpreter.execute(code, inputs, FAST) for code, inputs in jobs]
    assert [(e.outcome, len(e.results)) for e in batch] == [(e.outcome, len(e.results)) for e in alone]
    assert [e.outcome for e in batch][::3] == [Outcome.PASSED] * 2


def test_a_job_that_hangs_costs_a_trusted_batch_only_itself(interpreter: Interpreter, samples: Samples) -> None:
    inputs = [samples.tests[0].tables]
    jobs = [(code, inputs) for code in (samples.right, samples.endless, samples.right)]
    batch = interpreter.execute_trusted(jobs, FAST)  # type: ignore[attr-defined]  # beyond the protocol
    assert [e.outcome for e in batch] == [Outcome.PASSED, Outcome.TIMEOUT, Outcome.PASSED]


# -- the pool -----------------------------------------------------------------------------------------------------


def test_a_pool_gives_each_candidate_its_own_verdict(interpreter: Interpreter, samples: Samples) -> None:
    with CheckerPool(interpreter.name, 2, FAST) as pool:
        futures = [
            pool.submit(code, samples.tests) for code in (samples.right, samples.wrong, samples.syntax_error) * 4
        ]
        outcomes = [future.result(30).outcome for future in futures]
    assert outcomes == [Outcome.PASSED, Outcome.WRONG_ANSWER, Outcome.SYNTAX_ERROR] * 4


def test_leaving_a_pool_cancels_what_waits_and_kills_what_runs(interpreter: Interpreter, samples: Samples) -> None:
    before, start = children_of(os.getpid()), time.monotonic()
    with pytest.raises(KeyboardInterrupt), CheckerPool(interpreter.name, 1, Limits(seconds=60)) as pool:
        futures = [pool.submit(samples.endless, samples.tests) for _ in range(5)]
        while not futures[0].running():
            time.sleep(0.01)
        raise KeyboardInterrupt
    assert time.monotonic() - start < 20
    for future in futures:
        with pytest.raises(CancelledError):
            future.result(1)
    assert children_of(os.getpid()) == before


def test_a_killed_parent_takes_its_interpreter_and_its_candidate_along(
    interpreter: Interpreter, samples: Samples, tmp_path: Path
) -> None:
    program = f"""
import os, sys, threading, time
from interpreters import load_interpreter
from interpreters.base import Column, ColumnType, Limits, Table
t = Table((Column("a", ColumnType.INT),), ((1,),))
one = load_interpreter({interpreter.name!r})
one.version()
threading.Thread(target=lambda: print(one.execute({samples.endless!r}, [{{"t": t}}], Limits(seconds=60)))).start()
time.sleep(0.3)
print(open(f"/proc/self/task/{{os.getpid()}}/children").read(), flush=True)
os.kill(os.getpid(), 9)
"""
    command, environment = [sys.executable, "-c", program], {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    helpers = [Path("/proc", pid) for pid in done.stdout.split()]  # a zygote; for PostgreSQL its server's guardian too
    assert helpers, done.stderr
    deadline = time.monotonic() + 10
    while any(one.exists() and b"import main; main(" in (one / "cmdline").read_bytes() for one in helpers):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert list(tmp_path.iterdir()) == []  # its working directory


def test_an_interpreter_that_does_not_exist_is_named_with_its_neighbour() -> None:
    with pytest.raises(InterpreterUnavailable, match="did you mean 'polars_expr'"):
        load_interpreter("polars_exp")


def test_importing_the_package_loads_no_engine() -> None:
    program = (
        "import sys, interpreters.checking, interpreters.wire, interpreters.compare, interpreters.processes.process;"
        "print(sorted({'polars', 'duckdb', 'numpy', 'pyarrow', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
