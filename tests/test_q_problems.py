"""Problems in q: pipelines that give what their steps mean, nulls included, and tests that are true of right code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bootstrap.export.directory import files_of, read_entry, stale_files, write_entry
from bootstrap.export.finished import Finished
from bootstrap.prompts import extract_code
from bootstrap.records import Problem, digest
from bootstrap.sources import load_source
from bootstrap.sources.pipelines import q_code
from bootstrap.sources.pipelines.steps import (
    Compare,
    Derive,
    Fill,
    Frame,
    FrameColumn,
    Group,
    Keep,
    Missing,
    Rename,
    Scale,
    Sort,
    Step,
    Top,
    apply_steps,
)
from bootstrap.sources.pipelines.tables import INT_NAMES, NEW_NAMES, TEXT_NAMES
from bootstrap.sources.table_pipelines import as_table
from bootstrap.tasks import q_test
from interpreters.base import Table, TestCase
from interpreters.compare import compare_answer
from interpreters.function_cases import case_of
from interpreters.q_names import column_refused
from interpreters.q_subset import Workspace
from interpreters.q_values import q_literal, q_table, table_from_q

COLUMNS = (
    FrameColumn("city", "text", nullable=True), FrameColumn("qty", "int", nullable=True), FrameColumn("age", "int"),
)  # fmt: skip
ROWS: tuple[tuple[Any, ...], ...] = (
    ("rome", 3, 1), (None, None, 2), ("oslo", None, 3), ("rome", -2, 4), ("oslo", None, 5), (None, 7, 6),
    ("rome", 3, 1),
)  # fmt: skip


def answer(script: str, table: Table) -> Table:
    """Return the table that a script leaves, given `df` as its source text."""
    columns, values = table_from_q(Workspace().evaluate(f"df:{q_table(table)}\n{script}")[-1].value)
    return Table(tuple(columns), tuple(zip(*values, strict=True)))


def problems(count: int, seed: int) -> list[Problem]:
    return list(load_source("table_pipelines", {"count": count, "length_weights": [1.0] * 6}, seed).load())


def test_pipelines_in_q_give_what_the_steps_mean() -> None:
    for problem in problems(60, 31):
        for test in problem.tests:
            wrong = compare_answer(answer(problem.references["q"], test.tables["df"]), test)
            assert wrong is None, (problem.references["q"], wrong)


NULLS: dict[str, tuple[Step, ...]] = {
    **{f"qty {op}": (Compare("qty", op, 3),) for op in (">", "<", ">=", "<=", "==", "!=")},
    "city is": (Compare("city", "==", "rome"),), "city is not": (Compare("city", "!=", "rome"),),
    "missing": (Missing("city", True),), "known": (Missing("qty", False),),
    **{f"{how} of groups": (Group("city", how, "qty"),) for how in ("max", "min", "sum", "count")},  # type: ignore[arg-type]  # literals
    "a group of missing ones after a filter": (Missing("qty", True), Group("city", "sum", "qty")),
    "difference": (Derive("total", "qty", "-", "age"),), "less a negative number": (Derive("total", "qty", "-", -3),),
    "scaled": (Scale("qty", 4),), "filled": (Fill("qty", 0), Group("city", "min", "qty")),
    "renamed twice": (Rename("qty", "stock"), Rename("stock", "qty")), "kept": (Keep(("age", "city")),),
    "more than there are": (Top(50, "age", True),), "sorted": (Sort("age", False),),
}  # fmt: skip


@pytest.mark.parametrize("name", NULLS)
def test_nulls_in_q_count_as_the_steps_say(name: str) -> None:
    frame = Frame(COLUMNS, ROWS)
    result = apply_steps(NULLS[name], frame)
    test = TestCase({"df": as_table(frame)}, as_table(result), result.order)
    assert compare_answer(answer(q_code.render(NULLS[name], COLUMNS), as_table(frame)), test) is None


def test_no_column_of_a_pipeline_is_a_word_of_q() -> None:
    assert [name for name in (*INT_NAMES, *TEXT_NAMES, *NEW_NAMES) if column_refused(name)] == []


def test_another_reference_changes_no_digest_of_a_problem() -> None:
    """Splits and audits of recorded runs rest on these."""
    drawn = problems(40, 1)
    assert drawn[0].problem_id == f"tp-{digest(drawn[0].family)}"
    assert digest(*(problem.problem_id for problem in drawn)) == "3a8e7d46fbf96ba6"
    assert digest(*(problem.references["polars"] for problem in drawn)) == "baa780db79be448a"


# -- tests in q ---------------------------------------------------------------------------------------------------

FUNCTIONS: list[tuple[str, str, list[Any], Any]] = [
    ("x-y", "y-x", [1, -2], 3),
    ("neg x", "x", [3], -3),
    ("reverse string x", "string x", [[12, 3]], ["3", "12"]),
    ("distinct x", "x", [[3, 1, 3]], {1, 3}),
    ("count each group x", "count each group 1,x", [[3, 1, 3]], {1: 1, 3: 2}),
    ("count each group x", "1_count each group x", [[3, 1, 3]], {1: 1, 3: 2}),
    ('(enlist"b";enlist"a")!2 1', '(enlist"b";enlist"a")!1 2', [], {"a": 1, "b": 2}),
    ("x", "0b", [None], None),
    ("x,enlist y", "x,y", [["ab"], "cd"], ["ab", "cd"]),
    ("x%y", "x div y", [7, 2], 3.5),
]


@pytest.mark.parametrize(("code", "other", "arguments", "expected"), FUNCTIONS)
def test_a_test_in_q_is_true_of_right_code_alone(code: str, other: str, arguments: list[Any], expected: Any) -> None:
    test = case_of("f1", [f"p{i}" for i in range(len(arguments))], arguments, expected, hidden=False)
    for body, verdict in ((code, "1b"), (other, "0b")):
        workspace = Workspace()
        workspace.evaluate(f"f1:{{{body}}}")
        assert workspace.console(q_test(test)) == verdict


def function_problem() -> Problem:
    tests = tuple(
        case_of("twice", ["word"], [word], 2 * word, hidden=hidden) for word, hidden in (("ab", False), ('"', True))
    )
    return Problem("words/twice", "Say it twice.", tests, "twice", "by hand", "function")


def test_the_script_of_a_function_shows_its_answer() -> None:
    files = files_of(Finished(function_problem(), "q", "q_subset", "twice:{\n  x,x\n  }", "by a test"))
    assert files["sol.q"] == "twice:{\n  x,x\n  }\n"
    for number, test in enumerate(function_problem().tests, 1):
        script = files[f"q_test_case_{number}.q"]
        assert "\\l sol.q\n" in script
        workspace = Workspace()
        workspace.evaluate(files["sol.q"])
        shown = workspace.console(script.partition("\\l sol.q\n")[2].removeprefix("show "))
        assert shown == workspace.console(q_literal(test.expected.rows[0][0]))


def test_the_script_of_a_table_shows_what_the_last_statement_gives() -> None:
    for problem in problems(5, 8):
        code = "/ a comment\n\n" + problem.references["q"].replace(" from df", "\n  from df")
        files = files_of(Finished(problem, "q", "q_subset", code, "by a test"))
        lines = ";".join(q_literal(line) for line in files["sol.q"].splitlines())
        for number, test in enumerate(problem.tests, 1):
            script = files[f"q_test_case_{number}.q"]
            shown = Workspace().console(script.replace("read0`:sol.q", f"({lines})"))
            given = Workspace().console(f"df:{q_table(test.tables['df'])}\n{code}")
            assert shown == given and len(given.splitlines()) == len(test.expected.rows) + 2


def test_a_value_that_q_cannot_hold_is_told_in_a_comment() -> None:
    test = case_of("f1", ["n"], [2**70], 1, hidden=False)
    problem = Problem("p", "Say one.", (test,), "f", "by hand", "function")
    script = files_of(Finished(problem, "q", "q_subset", "f1:{1}", "by a test"))["q_test_case_1.q"]
    assert script.startswith("/ Test 1 cannot be written in q: ")


def test_a_folder_in_q_is_read_back(tmp_path: Path) -> None:
    for number, problem in enumerate([function_problem(), *problems(2, 8)]):
        one = Finished(problem, "q", "q_subset", problem.references.get("q", "twice:{x,x}"), "by a test")
        write_entry(tmp_path / str(number), one)
        assert read_entry(tmp_path / str(number)) == one
        assert stale_files(tmp_path / str(number), one) == []


@pytest.mark.parametrize("name", ["q", "k", "kdb", "kdb+", "Q"])
def test_a_block_called_as_people_call_q_is_found(name: str) -> None:
    assert extract_code(f"```text\nno\n```\n```{name}\nf:{{x}}\n```", "q") == "f:{x}"
