"""Candidates in q: functions and tables, what each failure is called, and what hostile scripts come to."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from interpreters import load_interpreter
from interpreters.base import Column, ColumnType, Execution, Interpreter, InterpreterError, Limits, Outcome, Table
from interpreters.checking import check
from interpreters.function_cases import case_of, expected_of

LIMITS = Limits(seconds=2.0, memory_mb=512, output_bytes=2**20, cells=5_000)
SALES = Table(
    (Column("city", ColumnType.STRING), Column("amount", ColumnType.INT)),
    (("rome", 1), ("oslo", None), ("rome", 4)),
)
CITIES = Table((Column("city", ColumnType.STRING), Column("land", ColumnType.STRING)), (("rome", "it"), ("oslo", None)))


@pytest.fixture(scope="module")
def q() -> Iterator[Interpreter]:
    with load_interpreter("q_subset") as loaded:
        assert loaded.available() is None
        yield loaded


@pytest.fixture(autouse=True)
def _the_next_check_does_not_notice(q: Interpreter) -> Iterator[None]:
    yield
    assert check(q, "f:{x+1}", [case_of("f", ["n"], [1], 2, hidden=False)], LIMITS).passed


def call(q: Interpreter, code: str, *arguments: Any, entry: str = "f") -> Execution:
    names = [f"p{i}" for i in range(len(arguments))]
    return q.execute(code, [case_of(entry, names, arguments, None, hidden=False).tables], LIMITS)


def answer(q: Interpreter, code: str, *arguments: Any) -> Any:
    execution = call(q, code, *arguments)
    assert execution.outcome is Outcome.PASSED, execution
    [[value]] = execution.results[0].rows
    return value


def rows(q: Interpreter, code: str, **tables: Table) -> Any:
    execution = q.execute(code, [tables or {"sales": SALES}], LIMITS)
    assert execution.outcome is Outcome.PASSED, execution
    return execution.results[0].rows


# -- functions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "arguments", "expected"),
    [
        ("f:{x+y}", [1, [2, 3]], [3, 4]), ("f:sum", [[1, 2]], 3), ("f:+/", [[1, 2]], 3), ("f:{x+y}[1]", [2], 3),
        ("f::{x+1}", [2], 3), ("f:{reverse x}", ["abc"], "cba"), ("f:{x}", ["a"], "a"), ("f:{first x}", ["a"], "a"),
        ("f:{type x}", ["abc"], 10), ("f:{type x}", [[]], 0), ("f:{x}", [None], None),
        ("f:{x}", [[1, None]], [1, None]),
        ("f:{x}", [[[1, "a"], []]], [[1, "a"], []]), ("f:{key x}", [{"ab": 1, "c": 2}], ["ab", "c"]),
        ('f:{x "ab"}', [{"ab": 1, "c": 2}], 1), ("f:{x 3}", [{1: 2, 3: 4}], 4), ("f:{x}", [{1: 2}], {1: 2}),
        ("f:{[] 7}", [], 7), ("g:{x*x}\nf:{[a]\n  b:g a;\n  b+1 }", [3], 10),
        ("f:{$[x<2;x;.z.s[x-1]+.z.s x-2]}", [10], 55),
        ("f:{x}\nf 1\nshow f", [5], 5), ("f:{0N!x}", [5], 5), ("f:{count group x}", ["hello"], 4),
    ],
)  # fmt: skip
def test_a_function_is_applied_to_values(q: Interpreter, code: str, arguments: list[Any], expected: Any) -> None:
    wanted = expected_of(case_of("f", [], [], expected, hidden=False))
    assert answer(q, code, *arguments) == wanted


def test_a_script_is_run_anew_for_each_test(q: Interpreter) -> None:
    tests = [case_of("f", ["n"], [1], 1, hidden=False) for _ in range(3)]
    assert check(q, "n:0\nf:{n+:x; n}", tests, LIMITS).passed


def test_arguments_that_no_table_holds_are_bound_as_none(q: Interpreter) -> None:
    assert call(q, "f", [1, "a"]).message == "'f"
    assert call(q, "f", 1).results[0].rows == ((1,),)  # where they have a place, the script sees the table


@pytest.mark.parametrize(
    ("code", "outcome", "message"),
    [
        ("g:{x}", Outcome.NO_RESULT, "expected a function called f, found a function"),
        ("f:5", Outcome.NO_RESULT, "expected a function called f, found a long"),
        ("", Outcome.NO_RESULT, "expected a function called f, found nothing"),
        ("f:{x+y}", Outcome.NO_RESULT, "a projection, as of too few arguments"),
        ("f:{[] 1}[;]", Outcome.RUNTIME_ERROR, "'rank"),
        ("f:{0x01}", Outcome.NO_RESULT, "byte"),
        ("f:{([] a:1 2)}", Outcome.NO_RESULT, "table"),
        ("f:{x+`a}", Outcome.RUNTIME_ERROR, "'type"),
        ("f:{1 2+1 2 3}", Outcome.RUNTIME_ERROR, "'length"),
        ("f:{nobody x}", Outcome.RUNTIME_ERROR, "'nobody"),
        ('f:{\'"my own"}', Outcome.RUNTIME_ERROR, "'my own"),
        ("f:{x+1", Outcome.SYNTAX_ERROR, "'}"),
        ("f:{(x+1}", Outcome.SYNTAX_ERROR, "')"),
        ('f:{"abc}', Outcome.SYNTAX_ERROR, "'\""),
        ("f:{x}\ng:(1;2", Outcome.SYNTAX_ERROR, "')"),
        ("f:{rand x}", Outcome.UNSUPPORTED, "the keyword rand is outside this subset of q"),
        ("1+`a\ng:{rand x", Outcome.SYNTAX_ERROR, "'}"),
        ("1+`a\nrand 5", Outcome.RUNTIME_ERROR, "'type"),
    ],
)
def test_each_failure_has_its_name(q: Interpreter, code: str, outcome: Outcome, message: str) -> None:
    execution = call(q, code, [1, [2]])
    assert (execution.outcome, message in execution.message) == (outcome, True), execution


# -- tables ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("sales", SALES.rows),
        ("select sum amount by city from sales", (("oslo", 0), ("rome", 5))),
        ("r:select from sales where amount>1", (("rome", 4),)),
        ("r:`amount xdesc sales;", (("rome", 4), ("rome", 1), ("oslo", None))),
        ("r:select city from sales where null amount\nshow r", (("oslo",),)),
        ("select s:string city from sales where amount=1", (({"$string": "rome"},),)),
    ],
)
def test_the_last_value_is_the_table(q: Interpreter, code: str, expected: Any) -> None:
    assert rows(q, code) == expected


def test_several_tables_are_globals(q: Interpreter) -> None:
    code = "0!select sum amount by land from sales lj `city xkey cities"
    assert rows(q, code, sales=SALES, cities=CITIES) == ((None, 0), ("it", 5))


def test_a_table_of_one_row_is_a_table_where_no_function_takes_its_name(q: Interpreter) -> None:
    one = Table(SALES.columns, SALES.rows[:1])
    assert rows(q, "update amount:2*amount from sales", sales=one) == (("rome", 2),)
    assert rows(q, "double:{2*x}\nupdate amount:double amount from sales", sales=one) == (("rome", 2),)


@pytest.mark.parametrize("code", ["sum sales`amount", "sales:{x}", "(::)", "`sales", "sales[0]", "enlist sales"])
def test_what_is_no_table_is_no_result(q: Interpreter, code: str) -> None:
    execution = q.execute(code, [{"sales": SALES}], LIMITS)
    assert (execution.outcome, execution.results) == (Outcome.NO_RESULT, ())


def test_inputs_that_q_cannot_hold_are_refused_beforehand(q: Interpreter) -> None:
    booleans = Table((Column("b", ColumnType.BOOL),), ((True,), (None,)))
    assert "booleans has NULL" in (q.refuses([{"t": booleans}]) or "")
    assert q.refuses([{"sales": SALES, "cities": CITIES}]) is None
    with pytest.raises(InterpreterError, match="booleans has NULL"):
        q.execute("t", [{"t": booleans}], LIMITS)


# -- hostile scripts ------------------------------------------------------------------------------------------------

HOSTILE: Mapping[str, tuple[str, Outcome, str]] = {
    "round brackets": ("(" * 5000, Outcome.SYNTAX_ERROR, "'limit"),
    "curly brackets": ("f:" + "{" * 5000, Outcome.SYNTAX_ERROR, "'limit"),
    "balanced brackets": ("(" * 5000 + "1" + ")" * 5000, Outcome.SYNTAX_ERROR, "'limit"),
    "unbalanced brackets": ("f:{x[1;(2}", Outcome.SYNTAX_ERROR, "')"),
    "a closing bracket": ("f:{x}]", Outcome.SYNTAX_ERROR, "']"),
    "a megabyte of text": ('f:{"' + "a" * 1_000_000 + '"}', Outcome.PASSED, ""),
    "more than two megabytes": ("f:{x} /" + "a" * 2_000_000, Outcome.UNSUPPORTED, "characters, over 2000000"),
    "a backslash": ("\\", Outcome.NO_RESULT, "found nothing"),
    "recursion": ("f:{f x}", Outcome.RUNTIME_ERROR, "'stack"),
    "recursion of itself": ("f:{.z.s x}", Outcome.RUNTIME_ERROR, "'stack"),
    "recursion through each": ("f:{f each x,x}", Outcome.RUNTIME_ERROR, "'stack"),
    "recursion through a trap": ("f:{@[f;x;{f 1}]}", Outcome.TIMEOUT, ""),
    "while": ("f:{while[1b;]}", Outcome.TIMEOUT, ""),
    "while at the top": ("while[1b;]", Outcome.TIMEOUT, ""),
    "do": ("f:{do[0W;1]}", Outcome.TIMEOUT, ""),
    "a converging iterator": ("f:{{1b}{x}/x}", Outcome.TIMEOUT, ""),
    "til": ("f:{til 1000000000}", Outcome.MEMORY_EXCEEDED, "'wsfull"),
    "take": ("f:{1000000000#x}", Outcome.MEMORY_EXCEEDED, "'wsfull"),
    "each right": ("f:{(1000000#1),/:til 100000}", Outcome.TIMEOUT, "step limit"),
    "doubling": ("f:{while[1b; x,:x]}", Outcome.MEMORY_EXCEEDED, "'wsfull"),
    "a large answer": ("f:{2000#enlist 1000#\"x\"}", Outcome.OUTPUT_EXCEEDED, ""),
    "a deep answer": ("f:{enlist/[100;x]}", Outcome.NO_RESULT, "nested deeper"),
    "system": ('f:{system "ls"}', Outcome.UNSUPPORTED, "the keyword system"),
    "a system command": ("\\ls\nf:{x}", Outcome.UNSUPPORTED, "the system command"),
    "hopen": ("f:{hopen `:localhost:5000}", Outcome.UNSUPPORTED, "the keyword hopen"),
    "read0": ("f:{read0 `:/etc/passwd}", Outcome.UNSUPPORTED, "the keyword read0"),
    "read1 in an evaluated text": ('f:{value "read1 `:/etc/passwd"}', Outcome.UNSUPPORTED, "the keyword read1"),
    "0: with a file": ("f:{`:/etc/passwd 0: enlist x}", Outcome.UNSUPPORTED, "file operation 0:"),
    "set with a file": ("f:{`:a set x}", Outcome.UNSUPPORTED, "set of a file"),
    "get with a file": ("f:{get `:/etc/passwd}", Outcome.UNSUPPORTED, "as a name"),
    "exit": ("exit 0", Outcome.UNSUPPORTED, "the keyword exit"),
    "names of the system": ("f:{.z.x}", Outcome.UNSUPPORTED, ".z.x"),
    "half a pair": ("f:{\ud800}", Outcome.SYNTAX_ERROR, "'"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_script_is_refused_or_stopped(q: Interpreter, name: str) -> None:
    code, outcome, message = HOSTILE[name]
    start = time.monotonic()
    execution = call(q, code, [1, 2])
    assert (execution.outcome, message in execution.message) == (outcome, True), execution
    assert time.monotonic() - start < 4 * LIMITS.seconds + 5.0


def test_a_budget_of_steps_ends_what_the_clock_would_not(q: Interpreter) -> None:
    patient = Limits(seconds=120.0, memory_mb=512)
    test = case_of("f", ["n"], [1], 1, hidden=False)
    execution = q.execute('f:{while[1b; (5000#"a") like "*a*a*a*b"]}', [test.tables], patient)
    assert (execution.outcome, execution.message) == (Outcome.TIMEOUT, "step limit: more than 20000000 steps")


def test_recursion_goes_as_deep_as_programs_need(q: Interpreter) -> None:
    assert answer(q, "f:{$[x=0;0;1+f x-1]}", 900) == 900
    assert answer(q, "f:{$[x=0;0;first 1+f each enlist x-1]}", 450) == 450


@pytest.mark.parametrize(
    "around", [("(", ")"), ("{[x]", "}[1]"), ("$[1b;", ";0]"), ("exec first a from ([] a:enlist ", ")")]
)
def test_brackets_may_be_as_deep_as_q_has_them(q: Interpreter, around: tuple[str, str]) -> None:
    left, right = around
    depth = 60
    assert answer(q, f"f:{{{left * depth}7{right * depth}}}", 1) == 7


def test_long_loops_leave_no_garbage(q: Interpreter) -> None:
    """Nothing collects cycles in a child, so there must be none."""
    small = Limits(seconds=30.0, memory_mb=64)
    code = 'g:{if[x>0; :x]; 0}\nf:{i:0; while[i<50000; g i; @[{\'x};"a";{x}]; i+:1]; i}'
    execution = q.execute(code, [case_of("f", ["n"], [1], 1, hidden=False).tables], small)
    assert execution.outcome is Outcome.PASSED, execution
