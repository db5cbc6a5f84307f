"""Training sets: distinct, capped, seeds first, shortest first, never held out, the same whatever the order."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from support import pipeline_problems

from bootstrap.config import RunConfig
from bootstrap.dataset import DatasetStats, Solution, build_dataset, choose, normalise, within_share
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
    dataset = {"keep_per_problem": keep, **overrides.pop("dataset", {})}
    config = configured(dataset=dataset, **{"prompt": {"style": "plain"}, **overrides})
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
    assert stats == DatasetStats(
        6, valid=5, distinct=4, kept=3, problems=2, by_iteration={"0": 1, "1": 1, "2": 1},
        by_tier={"reference": 1, "sampled": 2},
    )  # fmt: skip
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
    chosen = choose([Solution(pid, "df", 1) for pid in ("c", "a", "b")], 1, lambda _: "polars")
    assert [solution.problem_id for solution in chosen.kept] == ["a", "b", "c"]


# -- near-duplicates ----------------------------------------------------------------------------------------------

CHAIN = "df.filter(pl.col('a') > 1).sort('b').head(5)"
RENAMED = "x = df.filter(pl.col('a') > 1)\nx.sort('b').head(5)"
SAME_BUT_NAMES = "result = df.filter(pl.col('a') > 1)\nresult.sort('b').head(5)"
OTHER = "df.sort('b').limit(5).with_columns(pl.col('c').cum_sum()).drop('c').filter(pl.col('a') > 1)"


@pytest.mark.parametrize(
    ("threshold", "kept", "dropped"),
    [(1.0, [CHAIN, RENAMED, SAME_BUT_NAMES, OTHER], 0), (0.99, [CHAIN, RENAMED, OTHER], 1), (0.5, [CHAIN, OTHER], 2)],
)
def test_a_solution_like_a_shorter_one_is_dropped(threshold: float, kept: list[str], dropped: int) -> None:
    found = [candidate(B, code) for code in (OTHER, SAME_BUT_NAMES, RENAMED, CHAIN)]
    rows, stats = build(found, keep=4, dataset={"near_duplicates": threshold})
    assert codes(rows, B) == sorted(kept, key=len)
    assert (stats.near_duplicates, stats.distinct) == (dropped, 5)


def test_the_place_of_a_near_duplicate_goes_to_one_that_is_different() -> None:
    found = [candidate(B, code) for code in (CHAIN, RENAMED, OTHER)]
    assert codes(build(found, keep=2)[0], B) == [CHAIN, RENAMED]
    assert codes(build(found, keep=2, dataset={"near_duplicates": 0.5})[0], B) == [CHAIN, OTHER]


def test_alike_solutions_of_two_problems_are_both_kept() -> None:
    rows, _ = build([candidate(A, CHAIN), candidate(B, CHAIN)], dataset={"near_duplicates": 0.5})
    assert codes(rows, A)[1:] == codes(rows, B) == [CHAIN]


# -- tiers, hints and balance -------------------------------------------------------------------------------------


def test_a_row_says_by_which_kind_of_prompt_it_was_made() -> None:
    rows, stats = build([candidate(B, "df.head(1)"), candidate(B, "df.head(22)", turn=2)])
    assert [(row["tier"], row.get("turn"), row.get("hinted")) for row in rows] == [
        ("reference", None, None), ("sampled", None, None), ("repaired", 2, False),
    ]  # fmt: skip
    assert stats.by_tier == {"reference": 1, "sampled": 1, "repaired": 1}
    rows, _ = build([candidate(B, "df.head(1)", hinted=True)], dataset={"hinted_share": 1.0})
    assert (rows[1]["tier"], rows[1]["turn"], rows[1]["hinted"]) == ("hinted", 0, True)


@pytest.mark.parametrize("way", [{"turn": 1}, {"hinted": True}])
def test_the_prompt_of_a_repaired_or_hinted_solution_is_the_task_alone(way: dict[str, Any]) -> None:
    plain, _ = build([candidate(B, "df.head(1)")])
    rows, _ = build([candidate(B, "df.head(1)", **way)], dataset={"hinted_share": 1.0})
    assert (rows[1]["prompt"], rows[1]["completion"]) == (plain[1]["prompt"], plain[1]["completion"])


def test_a_problem_with_another_solution_is_trained_on_without_its_hinted_ones() -> None:
    found = [candidate(B, "df", hinted=True), candidate(B, "df.head(1)"), candidate(B, "df.head( 1)", hinted=True)]
    rows, stats = build(found, keep=4, dataset={"hinted_share": 1.0})
    assert [(row["completion"], row["tier"]) for row in rows[1:]] == [("df.head(1)", "sampled")]
    assert stats.hinted_left_out == 1


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.5, 1.0])
def test_hinted_rows_are_at_most_their_share_and_no_fewer_than_they_may_be(share: float) -> None:
    solutions = [Solution(f"p{i}", "df.head(1)", 1) for i in range(12)]
    solutions += [Solution(f"h{i}", f"df.head({n})", 1, hinted=True) for i in range(9) for n in range(1 + i % 3)]
    kept = [one for one, _ in within_share([(one, [{}]) for one in solutions], share)]
    hinted = sum(one.hinted for one in kept)
    assert len(kept) - hinted == 12 and hinted <= share * len(kept)
    assert hinted == 18 or hinted + 1 > share * (len(kept) + 1)


def test_of_hinted_solutions_the_second_ones_of_a_problem_go_first() -> None:
    found = [candidate(B, f"df.head({n})", hinted=True) for n in (1, 22)]
    rows, stats = build(found, dataset={"hinted_share": 0.5})
    assert codes(rows, B) == ["df.head(1)"] and stats.hinted_left_out == 1
    rows, stats = build(found)
    assert codes(rows, B) == [] and stats.hinted_left_out == 2


def test_balanced_every_problem_has_as_many_rows() -> None:
    found = [candidate(B, f"df.head({n})") for n in (1, 22, 333)]
    rows, stats = build(found, keep=3, dataset={"balance": True})
    assert codes(rows, A) == [PROBLEMS[A].references["polars"]] * 3
    assert codes(rows, B) == ["df.head(1)", "df.head(22)", "df.head(333)"]
    assert (stats.kept, stats.repeated) == (4, 2)
    rows, _ = build([candidate(A, "df"), candidate(A, "df.x"), *found[:2]], keep=3, dataset={"balance": True})
    assert codes(rows, B) == ["df.head(1)", "df.head(22)", "df.head(1)"]


def test_balanced_hinted_rows_are_not_repeated() -> None:
    found = [candidate(A, "df"), candidate(A, "df.x"), candidate(B, "df.head(1)", hinted=True)]
    rows, stats = build(found, keep=3, dataset={"balance": True})
    assert codes(rows, B) == ["df.head(1)"] and (len(codes(rows, A)), stats.repeated) == (3, 0)


@pytest.mark.parametrize(
    "wrong", [{"near_duplicates": 0.0}, {"near_duplicates": 1.5}, {"hinted_share": -0.1}, {"hinted_share": 1.1}]
)
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="should be"):
        configured(dataset=wrong)
