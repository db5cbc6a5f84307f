"""Training tasks: what is asked and answered, in literals that the target language reads back."""

from __future__ import annotations

import ast
from dataclasses import replace

import duckdb
import pytest
from support import pipeline_problems

from bootstrap.config import PromptConfig
from bootstrap.errors import UserError
from bootstrap.prompts import extract_code
from bootstrap.records import Problem
from bootstrap.tasks import TASKS, python_test, require_tasks, task_rows
from interpreters.function_cases import case_of

PYTHON = "def top(items, n):\n    return sorted(items)[-n:]"
SQL = "SELECT list_sort(items)[-n:] AS result FROM top"
CONFIG = PromptConfig()


def function_problem(**changes: object) -> Problem:
    shown = case_of("top", ["items", "n"], [[3, 1, 2], 2], [2, 3], hidden=False)
    hidden = case_of("top", ["items", "n"], [[777], 1], [777], hidden=True)
    problem = Problem("f-1", "Return the n largest items.", (shown, hidden), "f", "by hand", "function",
                      references={"python": PYTHON})  # fmt: skip
    return replace(problem, **changes)  # type: ignore[arg-type]  # fields of Problem


def only(task: str, language: str = "duckdb") -> tuple[str, str]:
    [row] = task_rows(function_problem(), task, language, SQL, CONFIG)
    assert (row.task, row.problem_id, row.language) == (task, "f-1", language)
    return row.prompt, row.answer


def test_a_statement_is_answered_by_the_solution() -> None:
    prompt, answer = only("statement_to_code")
    assert "Return the n largest items." in prompt
    assert extract_code(answer, "duckdb") == SQL


def test_code_is_translated_in_both_directions() -> None:
    prompt, answer = only("python_to_code")
    assert PYTHON in prompt and extract_code(answer, "duckdb") == SQL
    prompt, answer = only("code_to_python")
    assert SQL in prompt and extract_code(answer, "python") == PYTHON


def test_a_test_in_the_target_language_gives_what_the_python_test_says() -> None:
    prompt, answer = only("python_test_to_test")
    assert "assert top([3, 1, 2], 2) == [2, 3]" in prompt
    script, _, expected = extract_code(answer, "duckdb").partition("-- expected\n")
    with duckdb.connect() as connection:
        connection.execute(script)
        assert connection.execute(SQL).fetchall() == connection.execute(expected).fetchall() == [([2, 3],)]


@pytest.mark.parametrize("task", TASKS)
def test_no_hidden_test_is_shown(task: str) -> None:
    rows = task_rows(function_problem(), task, "duckdb", SQL, CONFIG)
    assert not any("777" in row.prompt + row.answer for row in rows)


def test_a_python_test_passes_on_the_reference() -> None:
    scope: dict[str, object] = {}
    exec(PYTHON, scope)
    for test in (*function_problem().tests, replace(function_problem().tests[0], unordered=True)):
        ast.parse(python_test(test))
        exec(python_test(test), scope)


def test_a_problem_without_what_a_task_needs_gives_no_row() -> None:
    bare = function_problem(references={})
    for task in ("python_to_code", "code_to_python", "code_to_code"):
        assert task_rows(bare, task, "duckdb", SQL, CONFIG) == []
    hidden = function_problem(tests=function_problem().tests[1:])
    assert task_rows(hidden, "python_test_to_test", "duckdb", SQL, CONFIG) == []


@pytest.mark.parametrize("task", ["python_to_code", "code_to_python", "python_test_to_test"])
def test_tasks_about_functions_are_refused_for_tables(task: str) -> None:
    [problem] = pipeline_problems(1)
    with pytest.raises(UserError, match=f"{task} needs problems that are functions.*code_to_code"):
        task_rows(problem, task, "polars", problem.references["polars"], CONFIG)


def test_problems_over_tables_are_translated_between_languages() -> None:
    [problem] = pipeline_problems(1)
    rows = task_rows(problem, "code_to_code", "polars", problem.references["polars"], CONFIG)
    assert len(rows) == len(problem.references) - 1
    assert any(problem.references["duckdb"] in row.prompt for row in rows)
    assert {extract_code(row.answer, "polars") for row in rows} == {problem.references["polars"]}


def test_an_unknown_task_or_language_names_what_is_known() -> None:
    with pytest.raises(UserError, match=r"no task 'python_to_cod'.*did you mean 'python_to_code'"):
        require_tasks(["python_to_cod"], "function")
    with pytest.raises(UserError, match="tests cannot be written in cobol yet: known are python"):
        task_rows(function_problem(), "python_test_to_test", "cobol", "", CONFIG)
