"""Training sets: distinct, capped, seeds first, shortest first, never held out, the same whatever the order."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from support import pipeline_problems

from bootstrap.config import RunConfig
from bootstrap.dataset import DatasetStats, Solution, build_dataset, choose, normalise
from bootstrap.prompts import extract_code, render_prompt
from bootstrap.records import Candidate
from interpreters.base import Outcome

PROBLEMS = {problem.problem_id: problem for problem in pipeline_problems(4)}
A, B, DEV, TEST = PROBLEMS
SPLIT = {"train": [A, B], "dev": [DEV], "test": [TEST], "seeds": [A]}


def configured(**overrides: Any) -> RunConfig:
    return RunConfig.model_validate({"target": "polars_expr", "base_model": "none/none", **overrides})


def candidate(problem_id: str, code: str, outcome: Outcome = Outcome.PASSED, **fields: Any) -> Candidate:
    values = {"iteration": 1, "wave": 0, "sample_index": 0, "prompt_digest": "p", "sampler": "m", "seed": 3, **fields}
    return Candidate(problem_id=problem_id, completion=code, code=code, outcome=outcome, **values)


def build(candidates: list[Candidate], keep: int = 2, **overrides: Any) -> tuple[list[dict[str, Any]], DatasetStats]:
    config = configured(dataset={"keep_per_problem": keep}, **{"prompt": {"style": "plain"}, **overrides})
    seeds = [Solution(A, PROBLEMS[A].references["polars"], 0, tests_passed=4)]
    return build_dataset(seeds, candidates, PROBLEMS, SPLIT, config)


def codes(rows: list[dict[str, Any]], problem_id: str) -> list[str]:
    return [row["completion"] for row in rows if row["problem_id"] == problem_id]


def test_a_problem_keeps_its_shortest_solutions_up_to_the_cap() -> None:
    rows, _ = build([candidate(B, code) for code in ("df.head(333)", "df.head(1)", "df.head(22)")])
    assert codes(rows, B) == ["df.head(1)", "df.head(22)"]


def test_a_seed_is_kept_before_shorter_solutions_that_were_sampled() -> None:
    rows, _ = build([candidate(A, "df"), candidate(A, "df.x")])
    assert codes(rows, A) == [PROBLEMS[A].references["polars"], "df"]
    assert [row["tier"] for row in rows] == ["reference", "sampled"]


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("polars", "df.head(1)", "df . head( 1 )  # the first"),
        ("polars", "df['a b']", 'df["a b"]'),
        ("polars", "df.filter(pl.col('a') > 1)", "(df\n .filter(\n  pl.col('a') > 1,\n ))"),
        ("duckdb", "SELECT a FROM df", "select  a\n\tfrom DF;"),
        ("duckdb", "SELECT a FROM df", "SELECT a FROM df ;\n"),
        ("duckdb", "SELECT 'it''s  A', b FROM df", "select 'it''s  A',\nB from df"),
    ],
)
def test_code_that_differs_in_layout_alone_is_one_solution(language: str, one: str, other: str) -> None:
    assert normalise(one, language) == normalise(other, language)


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        ("polars", "df.head(1)", "df.head(2)"),
        ("polars", "df['a b']", "df['a  b']"),
        ("polars", "df['a']", "df['A']"),
        ("duckdb", "SELECT * FROM df WHERE a = 'x'", "SELECT * FROM df WHERE a = 'X'"),
        ("duckdb", "SELECT * FROM df WHERE a = 'x y'", "SELECT * FROM df WHERE a = 'x  y'"),
        ("duckdb", "SELECT 'it''s', b FROM df", "SELECT 'it''S', b FROM df"),
        ("duckdb", "SELECT a FROM df", "SELECT a, b FROM df"),
    ],
)
def test_code_that_differs_in_a_constant_or_a_string_is_two(language: str, one: str, other: str) -> None:
    assert normalise(one, language) != normalise(other, language)


def test_code_that_does_not_parse_is_compared_as_text() -> None:
    assert normalise(" df.head( ", "polars") == normalise("df.head(", "polars")
    assert normalise("df.head(\0", "polars") != normalise("df.tail(\0", "polars")


def test_of_equal_solutions_the_shortest_spelling_is_trained_on() -> None:
    rows, stats = build([candidate(B, "df.head( 1 )"), candidate(B, "df.head(1)"), candidate(B, "df .head(1)")])
    assert codes(rows, B) == ["df.head(1)"]
    assert (stats.valid, stats.distinct, stats.kept) == (4, 2, 2)


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.PASSED])
def test_nothing_but_a_passing_candidate_is_trained_on(outcome: Outcome) -> None:
    rows, stats = build([candidate(B, "df.head(1)", outcome)])
    assert codes(rows, B) == []
    assert (stats.generated, stats.valid) == (2, 1)


@pytest.mark.parametrize("held_out", [DEV, TEST])
def test_a_solution_of_a_held_out_problem_is_refused(held_out: str) -> None:
    with pytest.raises(RuntimeError, match=f"held-out problems in the training set: {held_out}"):
        build([candidate(B, "df.head(1)"), candidate(held_out, "df.head(1)")])


def test_the_counts_say_what_became_of_every_candidate() -> None:
    found = [candidate(B, f"df.head({n})", iteration=n, seed=n) for n in (1, 2, 3)]
    found += [candidate(B, "df.head( 3 )", iteration=3), candidate(B, "df.head(", Outcome.SYNTAX_ERROR)]
    rows, stats = build(found)
    assert stats == DatasetStats(6, valid=5, distinct=4, kept=3, problems=2, by_iteration={"0": 1, "1": 1, "2": 1})
    assert len(rows) == stats.kept


def test_a_row_says_where_it_comes_from() -> None:
    rows, _ = build([candidate(B, "df.head(1)", iteration=2, sampler="model", seed=9, prompt_digest="d")])
    provenance = ("iteration", "sampler", "seed", "prompt_digest", "tests_passed", "tier")
    assert [rows[1][key] for key in provenance] == [2, "model", 9, "d", len(PROBLEMS[B].tests), "sampled"]


def test_a_row_of_a_chat_is_a_question_and_an_answer() -> None:
    rows, _ = build([candidate(B, "df.head(1)")], prompt={"style": "instruct", "chat": True})
    config = configured(prompt={"style": "instruct", "chat": True})
    row = rows[-1]
    assert row["prompt"] == [{"role": "user", "content": render_prompt(PROBLEMS[B], "polars", config.prompt)}]
    assert [message["role"] for message in row["completion"]] == ["assistant"]
    assert extract_code(row["completion"][0]["content"], "polars") == "df.head(1)"


def test_the_rows_do_not_depend_on_the_order_of_the_candidates() -> None:
    spellings = ["df.head(1)", "df.head( 1)", "df.head(1 )", "df.tail(1)", "df", "df.head(12)"]
    found = [candidate(pid, code, seed=seed) for pid in (A, B) for code in spellings for seed in (1, 2)]
    found.append(replace(found[0], iteration=2))
    expected = build(found, keep=3)
    for seed in range(20):
        shuffled = random.Random(seed).sample(found, len(found))
        assert build(shuffled, keep=3) == expected


def test_problems_come_in_the_order_of_their_ids() -> None:
    kept, _ = choose([Solution(pid, "df", 1) for pid in ("c", "a", "b")], 1, lambda _: "polars")
    assert [solution.problem_id for solution in kept] == ["a", "b", "c"]
