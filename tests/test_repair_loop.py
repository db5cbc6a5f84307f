"""Repair turns and reference hints in the loop's own program: what they solve, what is trained and counted, and that a
kill in the middle changes nothing."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import ROOT, loop_words, pipeline_problems, run_loop, small_config, wrong_code
from test_loop import candidates, report, solved
from test_repair import FIRST, PROBLEMS, failed

from bootstrap.checkers import Checkers
from bootstrap.config import EngineConfig
from bootstrap.engines import load_engine
from bootstrap.records import Mistake
from bootstrap.repair import mistakes_for
from bootstrap.run_store import RunStore
from bootstrap.sampling import SampleAndCheck
from bootstrap.solve import run_waves
from bootstrap.solving import unsolved_before
from interpreters.base import Outcome

SLOW = "SELECT sum(range % 7) AS x FROM range(30000000)"
"""Runs for a fraction of a second and is wrong."""
BOTH = {"waves": [2], "repair": {"turns": 2, "samples": 1}, "reference_hints": {"samples": 1, "after_iterations": 1}}


def write_script(path: Path) -> Path:
    """Problem i is solved by repair turn 1, by repair turn 2, in iteration 2 by the hint, or never, by i % 4. Answers
    of repair turn 1 that are wrong take a while."""
    rows: list[dict[str, Any]] = []
    for i, problem in enumerate(pipeline_problems(24)):
        right = problem.references["duckdb"]
        for iteration in (1, 2):
            answers = {
                0: [wrong_code(problem, "duckdb"), "SELECT nothing FROM df"],
                1: [right if i % 4 == 0 else SLOW],
                2: [right if i % 4 == 1 else "SELEC"],
                3: [right if i % 4 == 2 else "SELECT 1"],
            }
            for tag in (f"iteration {iteration}", f"sample only {iteration}"):
                rows += [
                    {"problem_id": problem.problem_id, "completion": code, "sample_index": sample,
                     "tag": f"{tag} wave {wave}"}
                    for wave, codes in answers.items() for sample, code in enumerate(codes)
                ]  # fmt: skip
        rows += [{"problem_id": problem.problem_id, "completion": right if i % 2 else "SELECT 1", "sample_index": 0}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def repair_config(folder: Path, script: Path) -> Path:
    return small_config(
        folder, target="duckdb_sql", max_iterations=2, sampling=BOTH, controls__seed_only=False,
        engine={"name": "scripted", "script": str(script), "batch_sequences": 2},
    )  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repair")
    ended = run_loop(repair_config(folder, write_script(folder / "repair.jsonl")), folder / "outputs")
    assert ended.returncode == 0, ended.stderr
    return folder / "outputs" / "small"


def test_each_repair_turn_and_the_hint_solve_what_was_left(finished: Path) -> None:
    split = json.loads((finished / "split.json").read_text())
    numbers = {problem.problem_id: i for i, problem in enumerate(pipeline_problems(24))}
    for iteration, way_of in ((1, {0: 1, 1: 2}), (2, {2: 0})):
        rows = [json.loads(x) for x in (finished / f"iteration_{iteration}" / "candidates.jsonl").open()]
        passed = {row["problem_id"]: row for row in rows if row["outcome"] == "PASSED"}
        unsolved = [numbers[pid] for pid in split["train"] if pid not in split["seeds"]]
        assert {numbers[pid] for pid in passed} == {i for i in unsolved if i % 4 in way_of}
        assert all(row["turn"] == way_of[numbers[pid] % 4] for pid, row in passed.items())
        assert all(row["hinted"] == (iteration == 2) for row in passed.values())
        assert {row["hinted"] for row in rows} == {False, *([True] if iteration == 2 else [])}
        assert {row["problem_id"] for row in rows} <= set(split["train"]) - set(split["seeds"])


def test_what_is_shown_is_not_trained_on(finished: Path) -> None:
    statements = {problem.problem_id: problem.statement for problem in pipeline_problems(24)}
    rows = [json.loads(line) for line in (finished / "iteration_2" / "train.jsonl").open()]
    assert any(row["iteration"] == 2 for row in rows) and any(row["iteration"] == 1 for row in rows)
    assert all(row["prompt"] == f"{statements[row['problem_id']]}\n" for row in rows)


def test_diagnosis_counts_and_log_name_the_kinds_of_waves(finished: Path) -> None:
    folder = finished / "iteration_2"
    ways = json.loads((folder / "diagnosis.json").read_text())["sampling"]["by_way"]
    metrics = json.loads((folder / "solve_metrics.json").read_text())
    assert metrics["solved_by"] == {way: one["solved"] for way, one in ways.items()}
    assert set(ways) == {"first attempt", "repair turn 1", "repair turn 2", "hint"}
    assert ways["hint"]["solved"] == metrics["newly_solved"] > 0
    assert ways["first attempt"]["samples"] == 2 * metrics["attempted"] == 2 * ways["hint"]["samples"]
    assert "- solved by: first attempt 0 of" in (finished / "high_level_summary" / "iteration_2.md").read_text()
    log = (finished / "logs" / "attempt_1" / "iteration_2_solve.log").read_text()
    for name in ("wave 1", "repair turn 1", "repair turn 2", "reference hints"):
        assert f"samples/s ({name})" in log


def test_the_control_that_only_samples_has_the_same_kinds_of_waves(finished: Path) -> None:
    rows = [json.loads(line) for line in (finished / "final" / "sample_only.jsonl").open()]
    assert {(row["wave"], row["turn"], row["hinted"]) for row in rows} == {
        (0, 0, False), (1, 1, False), (2, 2, False), (3, 0, True),
    }  # fmt: skip
    figures = json.loads((finished / "final" / "sample_only.json").read_text())
    assert (figures["samples"], figures["solved"]) == (figures["loop_samples"], figures["loop_solved"])


def test_a_run_killed_in_the_middle_of_a_repair_wave_ends_like_an_uninterrupted_one(
    finished: Path, tmp_path: Path
) -> None:
    config = finished.parent.parent / "small.yaml"
    run = tmp_path / "outputs" / "small"
    path = run / "iteration_1" / "candidates.jsonl"
    loop = subprocess.Popen(
        loop_words(config, tmp_path / "outputs"), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not (path.exists() and '"turn": 1' in path.read_text()):
        assert time.monotonic() < deadline and loop.poll() is None
        time.sleep(0.01)
    loop.kill()
    loop.wait()
    whole = sum(row["turn"] == 1 for row in candidates(finished) if row["iteration"] == 1)
    assert 0 < path.read_text().count('"turn": 1') < whole
    with path.open("a") as file:  # and the first line of a batch whose rest was not written
        file.write(path.read_text().splitlines()[-1] + "\n")
    ended = run_loop(config, tmp_path / "outputs", "--resume")
    assert ended.returncode == 0, ended.stderr
    assert candidates(run) == candidates(finished)
    assert solved(run) == solved(finished)
    assert report(run) == report(finished)
    assert (run / "iteration_2" / "diagnosis.json").read_bytes() == (
        finished / "iteration_2" / "diagnosis.json"
    ).read_bytes()


def test_a_recorded_run_is_replayed_with_its_repair_turns_and_hints(finished: Path, tmp_path: Path) -> None:
    store = RunStore(finished)
    config, problems = store.config(), store.problems(set(store.split()["train"]))
    engine = load_engine("none", EngineConfig(name="scripted", script=str(finished)), config.prompt)
    with Checkers(config) as checkers:
        for iteration in (1, 2):
            sampler = SampleAndCheck(problems, engine, checkers, config, iteration)
            again = run_waves(RunStore(tmp_path), sampler, unsolved_before(store, iteration, config), [])
            recorded = store.candidates(iteration)
            assert [replace(c, seconds=0.0) for c in again] == [replace(c, seconds=0.0) for c in recorded]


def test_with_hidden_errors_an_error_over_tables_is_shown_and_a_wrong_answer_is_not() -> None:
    hidden = replace(PROBLEMS[FIRST], tests=tuple(replace(test, hidden=True) for test in PROBLEMS[FIRST].tests))
    value = next(word for row in hidden.tests[0].tables["df"].rows for word in row if isinstance(word, str))
    harmless, telling = 'column "colour" not found', f"cannot read {value}, which is no number"
    for message, shown in ((harmless, harmless), (telling, "" if len(value) > 3 else telling)):
        attempts = [failed("df", Outcome.RUNTIME_ERROR, message=message)]
        assert mistakes_for({FIRST: hidden}, [FIRST], attempts, (1,)) == {}
        found = mistakes_for({FIRST: hidden}, [FIRST], attempts, (1,), hidden_errors=True)
        assert found == {FIRST: Mistake("df", Outcome.RUNTIME_ERROR, shown)}
        function = {FIRST: replace(hidden, kind="function")}
        assert mistakes_for(function, [FIRST], attempts, (1,), hidden_errors=True) == {}
    wrong = [failed("df", Outcome.WRONG_ANSWER, message="3 rows expected, found 4")]
    assert mistakes_for({FIRST: hidden}, [FIRST], wrong, (1,), hidden_errors=True) == {}
