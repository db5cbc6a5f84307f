"""`python -m bootstrap.status` tells how far a run is from its files, whatever state the run is in."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from recorded_runs import Recorded, Sampled, record_run
from support import ROOT, loop_words, run_loop, small_config

from bootstrap.files import read_json, write_json
from bootstrap.run_store import RunStore
from bootstrap.status import RunStatus, duration, lines_of, main, read_status
from bootstrap.status_files import candidate_counts, loop_process, progress_of

NOW = dt.datetime(2026, 11, 20, 12, 30, 0)  # the log's clock has no zone


def told(root: Path) -> str:
    return "\n".join(lines_of(read_status(root), dt.datetime.now()))


def sampler(problem_id: str, iteration: int, sample: int) -> Sampled:
    right = problem_id.endswith("1") and sample == 1
    return Sampled.right('\'"outcome": "PASSED"\'') if right else Sampled(code='\'"outcome": "PASSED"\'')


@pytest.fixture
def stopped(tmp_path: Path) -> RunStore:
    """A run whose second iteration was killed in SOLVE, an hour ago."""
    store, _ = record_run(tmp_path / "outputs" / "night", Recorded(sampler, [{0}, {0, 1}, {0}], train=50))
    metadata = read_json(store.iteration(2) / "metadata.json")
    write_json(store.iteration(2) / "metadata.json", {**metadata, "stages": {}})
    log = store.root / "logs" / "attempt_2" / "iteration_2_solve.log"
    log.parent.mkdir(parents=True)
    log.write_text(
        "$ python -m bootstrap.solve\nprogress 20/180 4 samples/s (wave 1)\nprogress 60/180 4 samples/s 3 solved\nprogr"
    )
    store.log_file.write_text(
        "2026-11-20 12:00:00,000 INFO run outputs/night, target polars_expr\n"
        f"2026-11-20 12:20:00,500 INFO start iteration_2_solve: python (log: elsewhere/attempt_2/{log.name})\n"
    )  # fmt: skip
    (store.root / ".lock").write_text("999999999")
    for path in [*store.root.rglob("*.log"), *store.root.rglob("*.jsonl")]:
        os.utime(path, (time.time() - 3600, time.time() - 3600))
    return store


def test_a_killed_run_tells_its_stage_its_progress_and_what_is_solved(stopped: RunStore) -> None:
    status = read_status(stopped.root)
    assert (status.state, status.where) == ("stopped", "iteration 2, SOLVE")
    assert status.since == dt.datetime(2026, 11, 20, 12, 20)
    assert status.progress is not None
    assert (status.progress.done, status.progress.total, status.progress.seconds_left) == (60, 180, 30.0)
    assert status.candidates == (180, 0)  # those that iteration 1 solved are not tried again
    assert status.solved == (5, 50)
    lines = "\n".join(lines_of(status, NOW))
    assert "stopped before its end; last sign of life 60 min ago; go on with --resume" in lines
    assert "iteration 2, SOLVE, begun 10 min ago (since 2026-11-20 12:20:00)" in lines
    assert "progress: 60 of 180 (33%), roughly 30 s left of it" in lines
    assert "0 1.0%  1★ 2.0%" in lines
    assert "likely cause" not in lines  # iteration 1 was better than iteration 0


def test_a_run_that_stands_still_says_why(tmp_path: Path) -> None:
    store, _ = record_run(tmp_path / "run", Recorded(sampler, [{0}, {0}], train=50))
    assert "dev stands still, likely cause no_diversity: " in told(store.root)


def test_watching_shows_it_again_until_it_is_stopped(stopped: RunStore) -> None:
    watch = subprocess.Popen(
        [sys.executable, "-m", "bootstrap.status", str(stopped.root), "--watch", "0.1"], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert watch.stdout is not None
    seen = 0
    while seen < 3:
        line = watch.stdout.readline()
        assert line, "it ended"
        seen += line.startswith("night: stopped")
    watch.send_signal(signal.SIGINT)
    assert "Traceback" not in watch.communicate(timeout=30)[1]
    assert watch.returncode == 130


def test_candidates_are_counted_without_being_read(stopped: RunStore) -> None:
    path = stopped.candidates_file(1)
    assert candidate_counts(path) == (200, 5)
    with open(path, "ab") as file:
        file.write(b'{"problem_id": "torn", "outcome": "PASSED"')
    assert candidate_counts(path) == (200, 5)


def test_a_process_with_the_number_of_a_dead_loop_is_not_taken_for_it(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    lock.write_text(str(os.getpid()))
    assert loop_process(lock).alive
    os.utime(lock, (1_000_000_000, 1_000_000_000))  # this process began later
    assert not loop_process(lock).alive


@pytest.mark.parametrize("content", ["", "not a number", "999999999"])
def test_a_lock_file_that_names_nobody_means_no_process(tmp_path: Path, content: str) -> None:
    (tmp_path / ".lock").write_text(content)
    assert not loop_process(tmp_path / ".lock").alive
    assert not loop_process(tmp_path / "none").alive


def test_a_run_whose_process_is_elsewhere_is_not_called_dead(stopped: RunStore) -> None:
    os.utime(stopped.log_file)
    status = read_status(stopped.root)
    assert status.state == "unclear"
    assert "no process of it on this machine" in "\n".join(lines_of(status, NOW))


def test_the_steps_of_a_training_have_a_time_left_too(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    log.write_text("$ python sft/run_sft.py\nstep 25/100: loss 0.5\n")
    progress = progress_of(log, dt.datetime.now() - dt.timedelta(seconds=50))
    assert progress is not None and progress.note == "loss 0.5"
    assert progress.seconds_left == pytest.approx(150, rel=0.05)


def test_what_an_earlier_start_printed_is_no_progress(tmp_path: Path) -> None:
    log = tmp_path / "solve.log"
    log.write_text("progress 20/180 4 samples/s\n$ python -m bootstrap.solve\nloading\n")
    assert progress_of(log, None) is None


@pytest.mark.parametrize(
    ("seconds", "words"), [(-1, "0 s"), (99, "99 s"), (100, "2 min"), (5940, "99 min"), (6000, "1 h 40 min")]
)
def test_durations_are_rounded_as_people_say_them(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize("name", ["night2", ".", "other"])
def test_a_folder_that_is_no_run_is_named(stopped: RunStore, capsys: pytest.CaptureFixture[str], name: str) -> None:
    outputs = stopped.root.parent
    (outputs / "other").mkdir()
    with pytest.raises(SystemExit) as ended:
        main([str(outputs / name)])
    error = capsys.readouterr().err
    assert ended.value.code == 2
    assert {"night2": "did you mean", ".": "runs in it: night", "other": "is not a run folder"}[name] in error


def test_a_run_that_has_written_nothing_yet_has_a_status(tmp_path: Path) -> None:
    (tmp_path / ".lock").write_text("")
    status = read_status(tmp_path)
    assert (status.where, status.solved, status.dev, status.progress) == ("iteration 0, CONVERT", None, (), None)


def poll(root: Path, wanted: str, seconds: float = 60.0) -> RunStatus:
    """Return the first status of a running loop that names this stage."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (root / ".lock").exists() and wanted in (status := read_status(root)).where:
            return status
        time.sleep(0.02)
    raise AssertionError(f"{wanted!r} never came")


def test_a_loop_is_watched_while_it_runs_when_it_is_killed_and_when_it_has_ended(tmp_path: Path) -> None:
    config, run = small_config(tmp_path), tmp_path / "outputs" / "small"
    loop = subprocess.Popen(
        loop_words(config, tmp_path / "outputs"), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        running = poll(run, "iteration 1")
        assert (running.state, running.process.pid) == ("running", loop.pid)
        assert f"running (process {loop.pid})" in told(run)
        time.sleep(0.2)
    finally:
        loop.send_signal(signal.SIGKILL)
        loop.wait()
    assert read_status(run).state == "unclear"
    ended = run_loop(config, tmp_path / "outputs", "--resume")
    assert ended.returncode == 0, ended.stderr
    shown = subprocess.run(
        [sys.executable, "-m", "bootstrap.status", str(run)], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert "small: finished: every train problem is solved" in shown
    assert "solved: 14 of 14 train problems" in shown
