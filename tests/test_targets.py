"""Runs with several target languages: one problem per language, siblings in one part, hints from what is solved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from support import pipeline_problems

from bootstrap.checkers import Checkers
from bootstrap.config import RunConfig
from bootstrap.dataset import WITH_HINT, Solution, build_dataset, seed_solutions
from bootstrap.files import read_json, write_jsonl
from bootstrap.prepare import prepare
from bootstrap.prompts import render_prompt
from bootstrap.records import Candidate, Hint
from bootstrap.run_store import RunStore
from bootstrap.solving import hints_before
from bootstrap.targets import for_target, hints_for, language_of, origin_of, seeds_wanted
from interpreters.base import Outcome

POLARS, DUCKDB = "polars_expr", "duckdb_sql"


def configured(**overrides: Any) -> RunConfig:
    values: dict[str, Any] = {
        "target": POLARS, "other_targets": [DUCKDB], "base_model": "none/none", "prompt": {"style": "plain"},
        "split": {"dev": 4, "test": 4, "seeds": 5, "near_duplicates": "keep"}, "audit": {"problems": 0},
        "checking": {"workers": 1}, "controls": {"seed_only": False},
    }  # fmt: skip
    return RunConfig.model_validate(values | overrides)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunStore, RunConfig]:
    folder = tmp_path_factory.mktemp("run")
    write_jsonl(folder / "problems_in.jsonl", (problem.to_json() for problem in pipeline_problems(16)))
    config = configured(source={"name": "jsonl", "options": {"path": str(folder / "problems_in.jsonl")}})
    store = RunStore(folder / "run")
    prepare(store, config, lambda done, total, what: None)
    return store, config


def test_a_problem_is_there_once_per_language_and_all_of_them_in_one_part(
    prepared: tuple[RunStore, RunConfig],
) -> None:
    store, _ = prepared
    problems, split = store.problems(), store.split()
    assert len(problems) == 32 and {one.target for one in problems.values()} == {POLARS, DUCKDB}
    part_of = {pid: part for part in ("train", "dev", "test") for pid in split[part]}
    by_origin: dict[str, set[str]] = {}
    for one in problems.values():
        by_origin.setdefault(origin_of(one), set()).add(part_of[one.problem_id])
    assert len(by_origin) == 16 and all(len(parts) == 1 for parts in by_origin.values())


def test_seeds_are_shared_out_and_no_answer_of_another_problem_is_written_down(
    prepared: tuple[RunStore, RunConfig],
) -> None:
    store, config = prepared
    problems, seeds = store.problems(), set(store.split()["seeds"])
    assert sorted(problems[pid].target for pid in seeds) == [DUCKDB] * 2 + [POLARS] * 3
    for pid, problem in problems.items():
        shown = {"polars", "duckdb"} & problem.references.keys()
        assert shown == ({language_of(problem, config)} if pid in seeds else set())
    assert {s.problem_id for s in seed_solutions(problems, sorted(seeds), config)} == seeds


def test_each_language_is_checked_by_its_own_interpreter() -> None:
    [problem] = pipeline_problems(1)
    polars, duckdb = for_target(problem, POLARS), for_target(problem, DUCKDB)
    with Checkers(configured()) as checkers:
        right = [
            checkers.submit(problem.references[name], one) for name, one in (("polars", polars), ("duckdb", duckdb))
        ]
        wrong = checkers.submit(problem.references["polars"], duckdb)
        assert all(future.result().passed for future in right)
        assert right[1].result().interpreter == DUCKDB and not wrong.result().passed


def test_a_hint_is_the_shortest_solution_in_another_language() -> None:
    first, second = pipeline_problems(2)
    members = [for_target(one, target) for one in (first, second) for target in (POLARS, DUCKDB)]
    problems = {one.problem_id: one for one in members}
    solved = {f"{first.problem_id}@{DUCKDB}": "SELECT 1"}
    assert hints_for(problems, solved) == {f"{first.problem_id}@{POLARS}": Hint("duckdb", "SELECT 1")}


def test_prompts_name_the_language_and_show_the_hint() -> None:
    [problem] = pipeline_problems(1)
    config = configured().prompt
    assert render_prompt(problem, "polars", config) == f"{problem.statement}\n"
    sibling, hint = for_target(problem, POLARS), Hint("duckdb", "SELECT 1")
    assert render_prompt(sibling, "polars", config) == f"polars: {problem.statement}\n"
    assert render_prompt(sibling, "polars", config, hint) == f"duckdb: SELECT 1\npolars: {problem.statement}\n"
    told = render_prompt(sibling, "polars", config.model_copy(update={"style": "instruct"}), hint)
    assert "A solution in DuckDB SQL" in told and "```sql\nSELECT 1\n```" in told


def test_prompts_of_an_iteration_show_what_was_solved_before_it(prepared: tuple[RunStore, RunConfig]) -> None:
    store, config = prepared
    assert hints_before(store, 1, config) == {}  # not asked for
    config = config.model_copy(update={"sharing": config.sharing.model_copy(update={"hints": True})})
    problems, seeds = store.problems(), store.split()["seeds"]
    solved = {(origin_of(problems[pid]), language_of(problems[pid], config)) for pid in seeds}
    hints = hints_before(store, 1, config)
    assert hints and {(origin_of(problems[pid]), hint.language) for pid, hint in hints.items()} == solved
    unsolved = next(pid for pid in store.split()["train"] if pid not in seeds and pid not in hints)
    row = Candidate(unsolved, 1, 0, 0, "p", "code", "code", Outcome.PASSED)
    store.append_candidates(1, [row])
    later = hints_before(store, 2, config)
    assert len(later) == len(hints) + 1 and hints_before(store, 1, config) == hints


def test_replay_trains_on_the_hint_where_both_languages_are_solved() -> None:
    problems = {
        one.problem_id: one for p in pipeline_problems(1) for one in (for_target(p, POLARS), for_target(p, DUCKDB))
    }
    first, second = problems
    given = [Solution(first, "df", 0), Solution(second, "SELECT * FROM df", 0)]
    split = {"train": [first, second], "dev": [], "test": [], "seeds": [first, second]}
    plain, _ = build_dataset(given, [], problems, split, configured())
    rows, _ = build_dataset(given, [], problems, split, configured(sharing={"replay": True}))
    hinted = [row for row in rows if row["task"] == WITH_HINT]
    assert len(plain) == 2 and len(rows) == 4
    assert {(row["problem_id"], row["prompt"].split(":")[0]) for row in hinted} == {
        (first, "duckdb"),
        (second, "polars"),
    }


def test_seeds_are_divided_without_loss() -> None:
    assert seeds_wanted(configured()) == {POLARS: 3, DUCKDB: 2}


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        ({"other_targets": [POLARS]}, "an interpreter twice"),
        ({"other_targets": [], "sharing": {"hints": True}}, "need other_targets"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(overrides: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        configured(**overrides)


def test_a_run_in_one_language_is_as_it_was(tmp_path: Path) -> None:
    problems = [replace(problem, target="left over") for problem in pipeline_problems(14)]
    write_jsonl(tmp_path / "in.jsonl", (problem.to_json() for problem in problems))
    config = configured(other_targets=[], source={"name": "jsonl", "options": {"path": str(tmp_path / "in.jsonl")}})
    store = RunStore(tmp_path / "run")
    prepare(store, config, lambda done, total, what: None)
    assert {one.target for one in store.problems().values()} == {""}
    assert read_json(store.split_file)["train"]
