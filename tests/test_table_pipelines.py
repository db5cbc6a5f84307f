"""table_pipelines: the languages agree, near-misses fail, and the same seed gives the same problems."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator

import pytest
from ibis.expr.types import Table
from support import pipeline_problems

from bootstrap.admission import admit, interpreters_by_language, trivial_answer
from bootstrap.errors import UserError
from bootstrap.prompts import RULES
from bootstrap.records import Problem
from bootstrap.sources import load_source
from bootstrap.sources.pipelines.generate import STEP_KINDS, draw_pipeline, mutants, survives
from bootstrap.sources.pipelines.steps import AmbiguousStepError, Frame, FrameColumn, Sort, Top
from bootstrap.sources.pipelines.tables import INT_NAMES, NEW_NAMES, TEXT_NAMES
from bootstrap.sources.table_pipelines import RENDERERS
from interpreters import INTERPRETERS, load_interpreter
from interpreters.base import Limits
from interpreters.checking import CheckerPool, judge


@pytest.fixture(scope="module")
def problems() -> list[Problem]:
    options = {"count": 40, "length_weights": [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]}
    return list(load_source("table_pipelines", options, 11).load())


def test_polars_and_duckdb_agree_on_every_problem(problems: list[Problem]) -> None:
    admitted, quarantined = admit(problems, 2, lambda done, total: None)
    assert quarantined == {}
    assert len(admitted) == len(problems)
    assert set(interpreters_by_language()) >= {"polars", "duckdb", "ibis"}


CHECKED_BY = [name for name in INTERPRETERS if load_interpreter(name).language in RENDERERS]  # starts none of them


@pytest.mark.parametrize("name", CHECKED_BY)
def test_every_interpreter_gives_what_the_steps_mean(name: str) -> None:
    options = {"count": 40, "length_weights": [1.0, 1.0, 1.0, 1.0, 1.0, 1.0], "data_sets": 2}
    drawn = [p for seed in (21, 22) for p in load_source("table_pipelines", options, seed).load()]
    with load_interpreter(name) as interpreter:
        if reason := interpreter.available():
            pytest.skip(reason)
        jobs = [(p.references[interpreter.language], [test.tables for test in p.tests]) for p in drawn]
        executions = interpreter.execute_trusted(jobs)
    verdicts = [judge(execution, p.tests, name) for execution, p in zip(executions, drawn, strict=True)]
    assert [(job[0], v.message) for job, v in zip(jobs, verdicts, strict=True) if not v.passed] == []


def test_every_rendered_language_has_its_words_for_prompts() -> None:
    assert RENDERERS.keys() <= RULES.keys()


def test_no_column_is_called_as_a_method_of_ibis_tables() -> None:
    """The Ibis references write `_.name`, which would be the method."""
    assert [name for name in (*INT_NAMES, *TEXT_NAMES, *NEW_NAMES) if hasattr(Table, name)] == []


def test_the_same_seed_gives_the_same_problems_and_another_gives_others() -> None:
    first, again, other = (pipeline_problems(20, seed) for seed in (3, 3, 4))
    assert [p.to_json() for p in first] == [p.to_json() for p in again]
    assert {p.problem_id for p in first} != {p.problem_id for p in other}


def test_statements_are_all_different_and_are_the_families(problems: list[Problem]) -> None:
    assert len({p.family for p in problems}) == len(problems) == len({p.problem_id for p in problems})


def test_each_problem_has_four_data_sets_with_duplicates_and_hides_half(problems: list[Problem]) -> None:
    for problem in problems:
        assert [test.hidden for test in problem.tests] == [False, False, True, True]
        for test in problem.tests:
            rows = test.tables["df"].rows
            assert len(set(rows)) < len(rows)
            assert test.expected.rows
    assert any(None in row for p in problems for t in p.tests for row in t.tables["df"].rows)


def test_problems_survive_their_json(problems: list[Problem]) -> None:
    assert [Problem.from_json(p.to_json()) for p in problems] == problems


def test_trivial_answers_fail(problems: list[Problem]) -> None:
    assert [reason for p in problems if (reason := trivial_answer(p.tests))] == []


def test_no_near_miss_of_a_pipeline_passes_its_data_sets() -> None:
    for seed in range(60):
        pipeline = draw_pipeline(random.Random(seed), list(STEP_KINDS), 1 + seed % 4, 4)
        table = pipeline.tables[0]
        for mutant in mutants(pipeline.steps, table):
            assert not survives(mutant, list(pipeline.tables), list(pipeline.results)), (pipeline.steps, mutant)


def changed_constants(code: str) -> Iterator[str]:
    """Yield the code with one number changed by one."""
    tree = ast.parse(code, mode="eval")
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and type(node.value) is int:
            node.value += 1
            yield ast.unparse(tree)
            node.value -= 1


def test_the_real_checker_refuses_code_with_a_changed_constant(problems: list[Problem]) -> None:
    jobs = [(p, mutant) for p in problems[:40] for mutant in changed_constants(p.references["polars"])]
    assert len(jobs) > 20
    with CheckerPool("polars_expr", 2, Limits()) as pool:
        verdicts = [pool.submit(mutant, problem.tests) for problem, mutant in jobs]
        assert [job for job, verdict in zip(jobs, verdicts, strict=True) if verdict.result().passed] == []


def test_first_rows_come_only_where_no_tie_is_cut() -> None:
    columns = (FrameColumn("qty", "int"), FrameColumn("city", "text"))
    tied = Frame(columns, ((1, "rome"), (2, "oslo"), (2, "lima")))
    with pytest.raises(AmbiguousStepError, match="tie at row 2"):
        Top(2, "qty", descending=False).apply(tied)
    hidden_tie = Frame(columns, ((1, "rome"), (2, "oslo"), (2, "oslo"), (2, "lima")))
    with pytest.raises(AmbiguousStepError):  # the rows on both sides of the cut are equal, another tied row is not
        Top(2, "qty", descending=False).apply(hidden_tie)
    assert Sort("qty", descending=True).apply(tied).order == ("qty",)


@pytest.mark.parametrize("option", [{"kindz": []}, {"kinds": ["sorted", "top"]}, {"count": 0}])
def test_a_wrong_option_is_named(option: dict[str, object]) -> None:
    with pytest.raises(UserError, match=r"source\.options\.(kind|count)"):
        load_source("table_pipelines", option, 1)


def test_too_few_statements_for_the_count_is_an_error() -> None:
    options = {"count": 50, "length_weights": [1.0], "kinds": ["distinct", "drop"]}
    with pytest.raises(UserError, match="different statements"):
        list(load_source("table_pipelines", options, 1).load())


def test_a_reference_that_is_wrong_is_quarantined_with_the_reason(problems: list[Problem]) -> None:
    broken = Problem(**{**problems[0].__dict__, "references": {"polars": "df.head(0)", "duckdb": "SELECT 1 AS x"}})
    admitted, quarantined = admit([broken, problems[1]], 1, lambda done, total: None)
    assert [p.problem_id for p in admitted] == [problems[1].problem_id]
    assert "reference: WRONG_ANSWER" in quarantined[broken.problem_id]


def test_every_language_with_a_reference_has_an_interpreter_here() -> None:
    for name in interpreters_by_language().values():
        with load_interpreter(name) as interpreter:
            assert interpreter.available() is None
