"""Sampling and checking: planned from recorded state alone, judged by a real interpreter, nothing made up."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from support import pipeline_problems, wrong_code

from bootstrap.checkers import Checkers
from bootstrap.config import EngineConfig, PromptConfig, RunConfig
from bootstrap.engines import load_engine
from bootstrap.engines.base import Completion, Decoding, Request
from bootstrap.errors import EngineError, UserError
from bootstrap.records import Candidate
from bootstrap.sampling import Batch, SampleAndCheck, VerdictCache, plan_batches
from bootstrap.solving import keep_complete, plan_wave, wave_members
from interpreters.base import InterpreterError, Outcome

PROBLEMS = {problem.problem_id: problem for problem in pipeline_problems(6)}
IDS = tuple(PROBLEMS)
RIGHT = {pid: problem.references["polars"] for pid, problem in PROBLEMS.items()}
WRONG = {pid: wrong_code(problem, "polars") for pid, problem in PROBLEMS.items()}
ENDLESS = "[0 for _ in iter(int, 1)]"
DECODING = Decoding(temperature=1.0, top_p=1.0, max_new_tokens=8, seed=1)


def configured(**overrides: Any) -> RunConfig:
    values: dict[str, Any] = {
        "target": "polars_expr", "base_model": "none/none", "prompt": {"style": "plain"},
        "engine": {"name": "scripted", "batch_sequences": 4}, "sampling": {"waves": [2, 2]},
    }  # fmt: skip
    return RunConfig.model_validate(values | overrides)


def plan(ids: tuple[str, ...] = IDS, *, tag: str = "iteration 1", wave: int = 0, **overrides: Any) -> list[Batch]:
    problems = [PROBLEMS[pid] for pid in ids]
    return plan_batches(problems, configured(**overrides), tag=tag, wave=wave, num_samples=2, temperature=0.8)


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def engine_of(folder: Path, rows: list[dict[str, Any]]) -> Any:
    script = write_rows(folder / "script.jsonl", rows)
    return load_engine("none", EngineConfig(name="scripted", script=str(script)), PromptConfig(style="plain"))


def answers(*codes: str) -> list[dict[str, Any]]:
    """Return script rows in which every problem has these answers, in turn for samples 0, 1, ..."""
    return [{"problem_id": pid, "completion": code} for pid in IDS for code in codes]


@pytest.fixture(scope="module")
def pool() -> Iterator[Checkers]:
    with checkers(seconds=5.0) as pool:
        yield pool


def checkers(**limits: Any) -> Checkers:
    return Checkers(configured(checking={"workers": 1, **limits}))


def sampler_of(folder: Path, pool: Checkers, rows: list[dict[str, Any]]) -> SampleAndCheck:
    return SampleAndCheck(PROBLEMS, engine_of(folder, rows), pool, configured(), iteration=1)


def run(sampler: SampleAndCheck, batches: list[Batch]) -> list[list[Candidate]]:
    return list(sampler.run(batches, lambda count: None))


def recorded(problem_id: str, code: str, outcome: Outcome, *, wave: int = 0, batch: int = 0) -> Candidate:
    return Candidate(problem_id, 1, wave, 0, "p", code, code, outcome, batch=batch)


# -- plans --------------------------------------------------------------------------------------------------------


def test_a_plan_does_not_depend_on_the_order_of_the_problems() -> None:
    for seed in range(10):
        assert plan(tuple(random.Random(seed).sample(IDS, len(IDS)))) == plan()


def test_a_plan_holds_every_problem_once_in_batches_that_fit_the_engine() -> None:
    batches = plan()
    assert sorted(pid for batch in batches for pid in batch.problem_ids) == sorted(IDS)
    assert [batch.index for batch in batches] == [0, 1, 2]
    assert all(batch.size <= 4 for batch in batches)


def test_more_samples_than_the_engine_takes_at_once_still_make_a_batch() -> None:
    batches = plan(engine={"name": "scripted", "batch_sequences": 1})
    assert [len(batch.problem_ids) for batch in batches] == [1] * len(IDS)


def test_every_batch_wave_iteration_and_run_has_a_seed_of_its_own() -> None:
    plans = [plan(), plan(wave=1), plan(tag="iteration 2"), plan(seed=2)]
    seeds = [batch.seed for batches in plans for batch in batches]
    assert len(set(seeds)) == len(seeds) == 12


@pytest.mark.parametrize(("enough", "members"), [(1, [2, 3, 4, 5]), (2, [1, 2, 3, 4, 5])])
def test_a_problem_leaves_the_waves_with_enough_distinct_correct_solutions(enough: int, members: list[int]) -> None:
    earlier = [recorded(IDS[0], code, Outcome.PASSED) for code in ("df", "df.x")]
    earlier += [recorded(IDS[1], "df", Outcome.PASSED)] * 2  # the same code twice is one solution
    earlier += [recorded(IDS[2], code, Outcome.WRONG_ANSWER) for code in ("df", "df.x")]
    assert wave_members(PROBLEMS, IDS, earlier, enough) == [PROBLEMS[IDS[i]] for i in members]


# -- resuming -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two_waves(pool: Checkers, tmp_path_factory: pytest.TempPathFactory) -> list[Candidate]:
    """Return the candidates of two whole waves: the first problem is solved in the first one."""
    rows = answers("df.head(0)", "df.nonsense()")
    rows.append({"problem_id": IDS[0], "completion": RIGHT[IDS[0]], "sample_index": 1})
    sampler = sampler_of(tmp_path_factory.mktemp("script"), pool, rows)
    found: list[Candidate] = []
    for wave in (0, 1):
        batches, complete = plan_wave(PROBLEMS, IDS, found, configured(), tag="iteration 1", wave=wave)
        assert not complete
        for candidates in run(sampler, batches):
            found += candidates
    assert len(found) == 2 * 6 + 2 * 5
    return found


def test_what_is_complete_is_kept_whole(two_waves: list[Candidate]) -> None:
    assert keep_complete(PROBLEMS, IDS, two_waves, configured(), "iteration 1") == two_waves


def test_a_cut_off_recording_loses_exactly_the_batch_that_was_cut(two_waves: list[Candidate]) -> None:
    ends = [0]  # numbers of candidates at which a batch is whole
    for before, after in zip(two_waves, [*two_waves[1:], None], strict=True):
        if after is None or (before.wave, before.batch) != (after.wave, after.batch):
            ends.append(two_waves.index(before) + 1)
    for cut in range(len(two_waves) + 1):
        kept = keep_complete(PROBLEMS, IDS, two_waves[:cut], configured(), "iteration 1")
        assert kept == two_waves[: max(end for end in ends if end <= cut)]


# -- checking -----------------------------------------------------------------------------------------------------


def test_every_candidate_comes_back_judged_in_the_order_of_its_batch(pool: Checkers, tmp_path: Path) -> None:
    rows = [{"problem_id": pid, "completion": code} for pid in IDS for code in (WRONG[pid], RIGHT[pid])]
    sampler, batches = sampler_of(tmp_path, pool, rows), plan()
    for batch, candidates in zip(batches, run(sampler, batches), strict=True):
        assert [(c.problem_id, c.sample_index) for c in candidates] == [
            (pid, sample) for pid in batch.problem_ids for sample in range(2)
        ]
        assert [c.outcome for c in candidates] == [Outcome.WRONG_ANSWER, Outcome.PASSED] * len(batch.problem_ids)
        assert {(c.batch, c.seed, c.wave) for c in candidates} == {(batch.index, batch.seed, batch.wave)}


def test_the_same_code_of_the_same_problem_is_checked_once(pool: Checkers, tmp_path: Path) -> None:
    sampler = sampler_of(tmp_path, pool, answers("df.head(0)", "```\ndf.head(0)\n```"))
    first = run(sampler, plan())
    assert (sampler.clock.samples, sampler.clock.checks) == (12, 6)  # the same code of six problems
    second = run(sampler, plan(wave=1))
    assert sampler.clock.checks == 6
    assert [[c.outcome for c in batch] for batch in second] == [[c.outcome for c in batch] for batch in first]


def test_a_verdict_of_an_earlier_iteration_is_not_checked_again(pool: Checkers, tmp_path: Path) -> None:
    sampler = sampler_of(tmp_path, pool, answers("df.head(0)", "df.head(0)"))
    sampler.cache.add([recorded(IDS[0], "df.head(0)", Outcome.WRONG_ANSWER)])
    run(sampler, plan())
    assert sampler.clock.checks == len(IDS) - 1


@pytest.mark.parametrize("outcome", Outcome)
def test_only_outcomes_that_come_again_are_remembered(outcome: Outcome) -> None:
    cache = VerdictCache()
    cache.add([recorded(IDS[0], "df", outcome)])
    again = {"PASSED", "WRONG_ANSWER", "RUNTIME_ERROR", "SYNTAX_ERROR", "FORBIDDEN", "NO_RESULT"}
    assert (cache.get(IDS[0], "df") is not None) == (outcome.value in again)
    assert cache.get(IDS[1], "df") is None


def test_a_timeout_is_checked_anew_in_the_next_batch(tmp_path: Path) -> None:
    with checkers(seconds=0.3) as pool:
        sampler = sampler_of(tmp_path, pool, answers(ENDLESS, ENDLESS))
        for wave in (0, 1):
            [candidates] = run(sampler, plan(IDS[:1], wave=wave))
            assert {c.outcome for c in candidates} == {Outcome.TIMEOUT}
    assert sampler.clock.checks == 2


def test_an_interpreter_that_fails_is_an_error_and_no_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")  # what the interpreter's process is started with
    with checkers() as pool, pytest.raises(InterpreterError, match="does not start"):
        run(sampler_of(tmp_path, pool, answers("df", "df")), plan())


def test_an_engine_without_an_answer_stops_the_stage(pool: Checkers, tmp_path: Path) -> None:
    sampler = sampler_of(tmp_path, pool, answers("df"))
    with pytest.raises(EngineError, match=f"no completion 1 of problem {plan()[0].problem_ids[0]} for 'iteration 1'"):
        run(sampler, plan())


def test_checking_runs_while_the_engine_samples(pool: Checkers, tmp_path: Path) -> None:
    """The first batch comes out before the last one has been asked for."""
    sampler, batches, asked = sampler_of(tmp_path, pool, answers("df.head(0)", "df.head(0)")), plan(), []

    def ask() -> Iterator[Batch]:
        for batch in batches:
            asked.append(batch.index)
            yield batch
            warm: Future[Any] = pool.submit("df", PROBLEMS[IDS[0]])
            warm.result()  # the single worker has now checked what came before

    got = sampler.run(ask(), lambda count: None)
    next(got)
    assert asked == [0, 1]
    assert len(list(got)) == 2


# -- the scripted engine ------------------------------------------------------------------------------------------


def generate(engine: Any, num_samples: int, tag: str = "") -> list[Completion]:
    return list(engine.generate([Request(IDS[0], "prompt", num_samples, tag)], DECODING))


def test_a_tag_of_its_own_goes_before_the_answers_for_every_tag(tmp_path: Path) -> None:
    rows = [{"problem_id": IDS[0], "completion": "any"}, {"problem_id": IDS[0], "completion": "dev", "tag": "dev"}]
    engine = engine_of(tmp_path, rows)
    assert [generate(engine, 1, tag)[0].text for tag in ("dev", "iteration 1", "")] == ["dev", "any", "any"]


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [{"problem_id": "other", "completion": "df"}],
        [{"problem_id": IDS[0], "completion": "df", "sample_index": 0}],
        [{"problem_id": IDS[0], "completion": "df", "sample_index": 1}],
        [{"problem_id": IDS[0], "completion": c, "tag": "iteration 2", "sample_index": i} for i, c in enumerate("ab")],
    ],
)
def test_an_answer_that_the_script_does_not_hold_is_never_made_up(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    with pytest.raises(EngineError, match=r"script\.jsonl holds no completion \d of problem"):
        generate(engine_of(tmp_path, rows), 2, "iteration 1")


@pytest.mark.parametrize(
    "row",
    [
        {"completion": "df"},
        {"problem_id": "a"},
        {"problem_id": "a", "completion": "df", "sample_index": "first"},
        {"problem_id": "a", "completion": "df", "sample_index": None},
        {"problem_id": "a", "completion": None},
        {"problem_id": "a", "completion": ["df"]},
    ],
)
def test_a_row_of_another_shape_is_refused(tmp_path: Path, row: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=r"script\.jsonl: a row is not a recorded completion"):
        engine_of(tmp_path, [row])


def test_a_script_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"engine\.script: .*nowhere\.jsonl does not exist"):
        load_engine("none", EngineConfig(name="scripted", script=str(tmp_path / "nowhere.jsonl")), PromptConfig())
    with pytest.raises(UserError, match=r"set engine\.script"):
        load_engine("none", EngineConfig(name="scripted"), PromptConfig())
