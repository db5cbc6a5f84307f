"""The measuring programs from outside, and their arithmetic on made inputs; nothing here looks at a clock."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import ROOT

from bootstrap.errors import UserError
from bootstrap.run_store import RunStore
from eval.bench import choose, main
from eval.bench_demo import SeedResult, promises, read_result
from eval.bench_demo import section_of as demo_section
from eval.bench_kill import EARLY, KilledRun, Moment, Segment, first_of, kill_moments, moment_at, stages_of, wait_for
from eval.bench_kill_compare import compare_runs
from eval.bench_kill_setup import problems_of, script_rows, write_config
from eval.bench_preparation import preparation_section
from eval.bench_stages import find_run, stages_section
from eval.bench_table import ratios, spread


@pytest.mark.parametrize("program", ["bench", "bench_demo", "bench_kill", "bench_sft"])
def test_help_says_how_to_run_it(program: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", f"eval.{program}", "--help"], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert f"python -m eval.{program}" in ended.stdout


def test_parts_are_chosen_by_name_and_run_in_their_order() -> None:
    assert choose(None) == ["stages", "training", "sampling", "checking", "engines", "preparation"]
    assert choose("checking,stages") == ["stages", "checking"]
    with pytest.raises(UserError, match="did you mean 'sampling'"):
        choose("samplin")


def test_a_named_run_that_is_not_there_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "stages", "--run-dir", str(tmp_path / "nothing")]) == 2
    assert "holds no finished run" in capsys.readouterr().err


def test_without_any_run_the_sentence_says_how_to_make_one(tmp_path: Path) -> None:
    assert find_run(None, ROOT / "configs" / "demo.yaml", tmp_path) is None
    assert "make demo" in stages_section(None).notes[0]


def finished_run(folder: Path, config: dict[str, Any], created: int) -> Path:
    """Write what is read of a finished run: 10 s of sampling and 20 s of training in 40 s."""
    solve = {"seconds": 15.0, "engine_seconds": 10.0}
    train = {"seconds": 25.0, "train_seconds": 20.0}
    report = {
        "stopped_because": "max iterations: 1", "seconds_total": 40.0, "timing": {"idle_share": 0.25},
        "seconds_by_stage": {"SOLVE": 15.0, "TRAIN": 25.0}, "best_iteration": 1,
    }  # fmt: skip
    files: dict[str, Any] = {
        "config.resolved.json": config, "run.json": {"created": "today"}, "final_report.json": report,
        "iteration_1/metadata.json": {"stages": {"SOLVE": solve, "TRAIN": train}},
    }  # fmt: skip
    (folder / "iteration_1").mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    os.utime(folder / "final_report.json", (created, created))
    return folder


def test_the_newest_run_of_the_configuration_is_taken_whatever_its_seed(tmp_path: Path) -> None:
    demo = ROOT / "configs" / "demo.yaml"
    values = yaml.safe_load(demo.read_text())
    finished_run(tmp_path / "old", values, 100)
    finished_run(tmp_path / "new", {**values, "seed": 2}, 200)
    finished_run(tmp_path / "other", {**values, "prompt": {"style": "instruct"}}, 300)
    found = find_run(None, demo, tmp_path)
    assert found is not None
    assert found.name == "new"


def test_stage_seconds_are_split_into_busy_and_idle(tmp_path: Path) -> None:
    values = yaml.safe_load((ROOT / "configs" / "demo.yaml").read_text())
    section = stages_section(RunStore(finished_run(tmp_path / "run", values, 1)))
    assert list(section.rows[0]) == ["TRAIN", "25.0", "62.5%", "20.0", "5.0"]
    assert list(section.rows[1]) == ["SOLVE", "15.0", "37.5%", "10.0", "5.0"]
    assert "25.0% of 40 s" in section.notes[1]


def test_ratios_are_taken_round_by_round() -> None:
    assert ratios([2.0, 9.0, 4.0], [1.0, 3.0, 4.0]) == spread([2.0, 3.0, 1.0])
    assert spread([2.0, 3.0, 1.0]).text(".1f") == "2.0 (1.0–3.0)"


def seed_result(seed: int, start: float, best: float, seed_only: float) -> SeedResult:
    return SeedResult(
        seed=seed, start=start, best=best, seed_only=seed_only, difference=best - start, ci95=(0.4, 0.6),
        gain=best - seed_only, gain_ci95=(0.4, 0.6), seconds=100.0 * seed, idle_share=0.1, stopped_because="",
    )  # fmt: skip


def test_a_promise_holds_when_the_worst_seed_keeps_it() -> None:
    results = [seed_result(1, 0.30, 0.80, 0.35), seed_result(2, 0.36, 0.75, 0.40)]
    start, end, gain = promises(results)
    assert (start.worst, start.holds) == (0.36, False)
    assert (end.worst, end.holds) == (0.75, True)
    assert gain.holds
    rows = {row[0]: list(row[1:]) for row in demo_section(results, [start, end, gain]).rows}
    assert rows["mean"] == ["33.0", "77.5", "37.5", "44.5", "40.0", "150"]
    assert rows["least"][0] == "30.0"


def test_a_demo_run_without_a_test_is_refused(tmp_path: Path) -> None:
    (tmp_path / "final_report.json").write_text(json.dumps({"test": None}))
    with pytest.raises(UserError, match="no test with the seed-only control"):
        read_result(1, tmp_path)


TIMELINE = [Segment("start-up", 2.0), *(Segment(f"stage {i}", 2.0) for i in range(29))]


def test_kill_moments_lie_in_equal_slices_and_far_apart_within_a_run() -> None:
    runs = kill_moments(random.Random(1), 30, TIMELINE)
    assert [len(run) for run in runs] == [6] * 5
    assert all(b.segment - a.segment == 5 for run in runs for a, b in pairwise(run))
    assert sorted(moment.segment for run in runs for moment in run) == list(range(30))


def test_a_moment_is_so_many_seconds_into_a_stage() -> None:
    assert moment_at(0.5, TIMELINE) == Moment(0, 0.5)
    assert moment_at(7.0, TIMELINE) == Moment(3, 1.0)
    assert moment_at(60.0, TIMELINE) == Moment(29, 2.0)


def finish_stages(store: RunStore, number: int, stages: Iterable[str]) -> None:
    for stage in stages:
        store.finish_stage(store.iteration(number), stage, {"seconds": 1.0})


def test_finished_stages_are_told_in_the_order_of_the_run(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    assert stages_of(store) == []
    finish_stages(store, 0, EARLY)
    finish_stages(store, 1, ["SOLVE"])
    assert [one.name for one in stages_of(store)][-2:] == ["iteration_0 DONE", "iteration_1 SOLVE"]


def test_a_kill_waits_for_the_stages_before_it(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    finish_stages(store, 0, ["CONVERT"])
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as loop:
        later = threading.Timer(0.1, finish_stages, [store, 0, ["BASE"]])
        later.start()
        wait_for(Moment(3, 0.0), store, 0.0)(loop)
        assert [one.name for one in stages_of(store)] == ["iteration_0 CONVERT", "iteration_0 BASE"]
        assert loop.poll() is None
        loop.communicate(b"\n")
        wait_for(Moment(5, 0.0), store, 0.0)(loop)  # the loop has ended: nothing to wait for


def write_results(run: Path, seconds: float) -> Path:
    """Write a run's results in small; `seconds` is the only thing that may differ."""
    rows = [{"problem_id": "a", "code": "df", "seconds": seconds}, {"problem_id": "b", "code": "1", "seconds": 0.0}]
    (run / "iteration_1" / "model").mkdir(parents=True)
    (run / "iteration_1" / "candidates.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (run / "iteration_1" / "model" / "model.safetensors").write_bytes(b"weights")
    (run / "final_report.json").write_text(json.dumps({"solved": 3, "seconds_total": seconds}))
    return run


def test_runs_that_differ_in_times_alone_are_equal(tmp_path: Path) -> None:
    parts = compare_runs(write_results(tmp_path / "a", 1.0), write_results(tmp_path / "b", 2.0))
    assert [part.difference for part in parts] == [None] * 8


@pytest.mark.parametrize(("path", "old", "new", "said"), [
    ("iteration_1/candidates.jsonl", '"code": "1"', '"code": "2"', "candidates.jsonl, row 2: code was '1', is '2'"),
    ("iteration_1/model/model.safetensors", "weights", "weight5", "model.safetensors, row 1: value was"),
    ("final_report.json", '"solved": 3', '"solved": 4', "final_report.json, row 1: solved was 3, is 4"),
])  # fmt: skip
def test_the_first_difference_is_named(tmp_path: Path, path: str, old: str, new: str, said: str) -> None:
    a, b = write_results(tmp_path / "a", 1.0), write_results(tmp_path / "b", 1.0)
    (b / path).write_text((b / path).read_text().replace(old, new))
    found = first_of([KilledRun(1, [], 0.0, compare_runs(a, b))])
    assert found is not None
    assert said in found


def test_a_file_that_only_one_run_has_is_a_difference(tmp_path: Path) -> None:
    a, b = write_results(tmp_path / "a", 1.0), write_results(tmp_path / "b", 1.0)
    shutil.rmtree(b / "iteration_1" / "model")
    assert "model.safetensors is only in" in str(first_of([KilledRun(1, [], 0.0, compare_runs(a, b))]))


@pytest.mark.parametrize("engine", ["scripted", "transformers"])
def test_the_small_configuration_parses_and_takes_overrides(tmp_path: Path, engine: Any) -> None:
    from bootstrap.config import load_config

    config = load_config(write_config(engine, tmp_path, {"source.options.count": 90}), {})
    assert config.engine.name == engine
    problems = problems_of(config)
    assert len(problems) == 90
    assert {row["problem_id"] for row in script_rows(problems)} == {p.problem_id for p in problems}


@pytest.mark.slow
def test_preparation_measures_what_is_there() -> None:
    section = preparation_section(None, quick=True)
    assert [row[0] for row in section.rows] == [
        "table_pipelines, admitted", "DuckDB to polars", "DuckDB to ibis", "DuckDB to postgres"
    ]  # fmt: skip
    assert all(0 < int(row[2]) <= int(row[1]) for row in section.rows)
