"""Problems that the target language cannot hold: quarantined with a reason, never INFRA, never made by the audit."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from bootstrap.admission import Plan, admit, admit_by
from bootstrap.audit.data_sets import Constants, Variation
from bootstrap.audit.search import Search
from bootstrap.audit.workers import OpenInterpreters, Workers
from bootstrap.config import AuditConfig
from bootstrap.records import Problem
from interpreters import INTERPRETERS, load_interpreter
from interpreters.base import Column, ColumnType, Limits, Table, TestCase
from interpreters.function_cases import case_of

HEADS = (Column("k", ColumnType.INT), Column("s", ColumnType.STRING))


def of_rows(*rows: tuple[int | None, str | None]) -> TestCase:
    found = tuple((None if k is None else 2 * k,) for k, _ in rows)
    return TestCase({"t": Table(HEADS, rows)}, Table((Column("k", ColumnType.INT),), found))


def problem(name: str, *tests: TestCase, kind: Literal["table", "function"] = "table", **references: str) -> Problem:
    return Problem(name, "Say it.", tests, name, "test", kind=kind, references=references)


DOUBLED = "t.select(pl.col('k') * 2)"
HELD = problem("held", of_rows((1, "a"), (2, None)), of_rows((3, "b"), (None, "c")), polars=DOUBLED)
EMPTY_TEXT = problem("text", of_rows((1, "a"), (2, "")), of_rows((3, "b")), polars=DOUBLED)


def quarantined(target: str, *problems: Problem) -> dict[str, str]:
    return admit_by(problems, Workers(1, target), Plan(), lambda done, total: None).quarantined


def test_what_q_cannot_hold_is_quarantined_without_a_reference_in_it() -> None:
    found = quarantined("q_subset", HELD, EMPTY_TEXT)
    assert found.keys() == {"text"}
    assert found["text"].startswith("q_subset cannot hold its inputs: a column of text has the empty text")
    assert quarantined("polars_expr", HELD, EMPTY_TEXT) == {}


def test_a_reference_whose_language_cannot_hold_the_inputs_proves_nothing() -> None:
    in_q = replace(EMPTY_TEXT, references={"q": "select k:2*k from t"})
    _, found = admit([in_q, replace(HELD, references={"q": "select k:2*k from t"})], 1, lambda done, total: None)
    assert found.keys() == {"text"}
    assert found["text"].startswith("q reference: q_subset cannot hold its inputs")


def test_tables_of_several_rows_are_no_calls_of_a_function() -> None:
    called = [case_of("double", ["n"], [n], [2 * n], hidden=False) for n in (1, 2)]
    function = problem("function", *called, kind="function", python="def double(n):\n    return [2 * n]")
    assert quarantined("python_function", HELD, function) == {
        "held": "python_function cannot hold its inputs: a function has one input table of one row, its arguments; "
        "found t of 2 rows"
    }
    assert quarantined("q_subset", function) == {}


def test_an_answer_that_q_cannot_give_is_quarantined() -> None:
    called = [case_of("power", ["n"], [n], 10**n, hidden=False) for n in (2, 30)]
    function = problem("function", *called, kind="function", python="def power(n):\n    return 10**n")
    assert "an expected answer: an integer is beyond q's longs" in quarantined("q_subset", function)["function"]
    assert quarantined("python_function", function) == {}


def test_a_function_that_q_keeps_for_itself_is_quarantined() -> None:
    called = [case_of("sum", ["n"], [n], [2 * n], hidden=False) for n in (1, 2)]
    function = problem("function", *called, kind="function", python="def sum(n):\n    return [2 * n]")
    assert "'sum'" in quarantined("q_subset", function)["function"]


@pytest.mark.parametrize("name", INTERPRETERS)
def test_every_interpreter_says_what_it_refuses_without_being_started(name: str) -> None:
    with load_interpreter(name) as interpreter:
        one = case_of("f", ["n"], [1], 2, hidden=False).tables
        assert interpreter.refuses([one]) is None
        assert (interpreter.refuses([HELD.tests[0].tables]) is None) == (name != "python_function")


def test_the_audit_adds_no_data_set_that_the_target_cannot_hold() -> None:
    new = [Variation("empty text", EMPTY_TEXT.tests[0].tables), Variation("held", of_rows((5, "x"), (6, "y")).tables)]
    for target, tried in (("q_subset", ["held"]), ("polars_expr", ["empty text", "held"])):
        with OpenInterpreters(Workers(1, target)) as opened:
            search = Search(HELD, "polars", opened, AuditConfig(), Limits())
            assert [one.kind for one in new if search.is_carried(one)] == tried


def test_constants_of_q_are_found_in_its_own_notation() -> None:
    found = Constants.of(['select from t where city in `rome`oslo,day>2024.01.02,n>12,name like "a*"'])
    assert found.texts == ("2024-01-02", "a*", "oslo", "rome")
    assert [str(number) for number in found.numbers] == ["12"]
