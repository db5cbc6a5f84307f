"""The loop from outside: the real program, real interpreters, the scripted engine and a trainer that is a script."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from support import ROOT, loop_words, run_loop, small_config

from eval.final_report import without_times

TIMES = {"seconds"}


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an uninterrupted run, made once for all test processes; its configuration lies two up."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "finished"
    folder.mkdir(exist_ok=True)
    with open(folder / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run = folder / "outputs" / "small"
        if not (run / "report.html").exists():
            ended = run_loop(small_config(folder), folder / "outputs")
            assert ended.returncode == 0, ended.stderr
    return run


def candidates(run: Path) -> list[dict[str, Any]]:
    rows = []
    for path in [*sorted(run.glob("iteration_*/candidates.jsonl")), run / "final" / "sample_only.jsonl"]:
        rows += [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [{k: v for k, v in row.items() if k not in TIMES} for row in rows]


def solved(run: Path) -> list[str]:
    return sorted(str(p.relative_to(run)) + p.read_text() for p in run.glob("iteration_*/solved_problems/*"))


def report(run: Path) -> Any:
    found = without_times(json.loads((run / "final_report.json").read_text(encoding="utf-8")))
    found.pop("run", None)
    return found


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of processes that name this folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            text = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if str(folder) in text:
                found.append(text)
    return found


def wait_for(path: Path, text: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if path.exists() and text in path.read_text(encoding="utf-8"):
            return
        time.sleep(0.02)
    raise AssertionError(f"{text!r} never came in {path}")


def test_a_run_leaves_the_folders_and_files_that_are_documented(finished: Path) -> None:
    for name in (
        "config.resolved.json", "run.json", "bootstrap.log", "problems.jsonl", "split.json", "final_report.json",
        "report.html", "curves.png", "high_level_summary/iteration_1.md", "iteration_0/metadata.json",
        "iteration_1/candidates.jsonl", "iteration_1/solved_problems", "iteration_1/train.jsonl",
        "iteration_1/dataset_stats.json", "iteration_1/model", "iteration_1/evaluation/dev.jsonl",
        "iteration_1/metadata.json", "logs/attempt_1/iteration_1_solve.log",
    ):  # fmt: skip
        assert (finished / name).exists(), name


def test_every_iteration_solves_what_the_script_solves(finished: Path) -> None:
    iterations = report(finished)["iterations"]
    assert [row["solved_total"] for row in iterations][-1] == report(finished)["problems"]["train"]
    assert all(row["newly_solved"] > 0 for row in iterations if row["iteration"] > 0)


def test_a_solved_problem_is_not_sampled_again(finished: Path) -> None:
    passed: set[str] = set()
    for number in range(1, 4):
        path = finished / f"iteration_{number}" / "candidates.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        assert not passed & {row["problem_id"] for row in rows}
        passed |= {row["problem_id"] for row in rows if row["outcome"] == "PASSED"}


def test_training_rows_are_verified_and_never_held_out(finished: Path) -> None:
    split = json.loads((finished / "split.json").read_text())
    held_out = {*split["dev"], *split["test"]}
    passed = {(c["problem_id"], c["code"]) for c in candidates(finished) if c["outcome"] == "PASSED"}
    rows = [json.loads(line) for line in (finished / "iteration_3" / "train.jsonl").read_text().splitlines()]
    assert rows
    assert not held_out & {row["problem_id"] for row in rows}
    sampled = [row for row in rows if row["tier"] == "sampled"]
    assert sampled
    assert all((row["problem_id"], row["completion"]) in passed for row in sampled)


def test_the_training_set_of_an_iteration_can_be_made_again(finished: Path, tmp_path: Path) -> None:
    words = ["--run-dir", str(finished), "--iteration", "3", "--out", str(tmp_path / "again.jsonl")]
    done = subprocess.run(
        [sys.executable, "-m", "bootstrap.rebuild", *words], cwd=ROOT, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "again.jsonl").read_bytes() == (finished / "iteration_3" / "train.jsonl").read_bytes()


def test_the_run_folder_holds_no_reference_of_a_problem_to_be_solved(finished: Path) -> None:
    split = json.loads((finished / "split.json").read_text())
    for line in (finished / "problems.jsonl").read_text().splitlines():
        row = json.loads(line)
        assert ("polars" in row["references"]) == (row["problem_id"] in split["seeds"])


def test_a_run_killed_at_random_moments_ends_like_an_uninterrupted_one(finished: Path, tmp_path: Path) -> None:
    config, rng, kills = finished.parent.parent / "small.yaml", random.Random(7), 0
    run = tmp_path / "outputs" / "small"
    for _ in range(5):
        loop = subprocess.Popen(
            loop_words(config, tmp_path / "outputs", "--resume"), cwd=ROOT, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        with contextlib.suppress(subprocess.TimeoutExpired):
            loop.wait(rng.uniform(0.6, 3.0))
        kills += loop.poll() is None
        loop.kill()
        loop.wait()
    assert kills >= 3
    ended = run_loop(config, tmp_path / "outputs", "--resume")
    assert ended.returncode == 0, ended.stderr
    assert candidates(run) == candidates(finished)
    assert solved(run) == solved(finished)
    assert report(run) == report(finished)


def test_ctrl_c_stops_the_children_and_says_how_to_go_on(finished: Path, tmp_path: Path) -> None:
    config = finished.parent.parent / "small.yaml"
    loop = subprocess.Popen(
        loop_words(config, tmp_path), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )  # fmt: skip
    wait_for(tmp_path / "small" / "bootstrap.log", "start iteration_1_solve")
    loop.send_signal(signal.SIGINT)
    _, errors = loop.communicate(timeout=30)
    assert loop.returncode == 130
    assert f"--run-name small --output-dir {tmp_path} --resume" in errors
    assert "Traceback" not in errors
    assert processes_of(tmp_path) == []


def test_a_second_loop_on_the_same_folder_is_refused(finished: Path, tmp_path: Path) -> None:
    config = finished.parent.parent / "small.yaml"
    first = subprocess.Popen(
        loop_words(config, tmp_path), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )  # fmt: skip
    try:
        wait_for(tmp_path / "small" / "bootstrap.log", "CONVERT finished")
        second = run_loop(config, tmp_path, "--resume")
        assert second.returncode == 2
        assert f"another loop is running on {tmp_path / 'small'} (process {first.pid})" in second.stderr
    finally:
        first.send_signal(signal.SIGTERM)
        first.wait(30)


def copy_run(finished: Path, outputs: Path) -> Path:
    run = outputs / "small"
    subprocess.run(["cp", "-r", str(finished), str(run)], check=True)
    return run


def test_resume_iteration_moves_the_later_ones_aside_and_starts_from_the_best_before(
    finished: Path, tmp_path: Path
) -> None:
    run = copy_run(finished, tmp_path)
    config = finished.parent.parent / "small.yaml"
    before = (run / "iteration_1" / "metadata.json").read_bytes()
    ended = run_loop(config, tmp_path, "--resume-iteration", "2")
    assert ended.returncode == 0, ended.stderr
    assert {p.name for p in (run / "aside" / "1").iterdir()} >= {"iteration_2", "iteration_3", "final"}
    assert (run / "iteration_1" / "metadata.json").read_bytes() == before
    assert json.loads((run / "iteration_2" / "metadata.json").read_text())["parent"] == 1
    assert candidates(run) == candidates(finished)


def test_resuming_a_finished_run_changes_nothing(finished: Path, tmp_path: Path) -> None:
    run = copy_run(finished, tmp_path)
    moved = (run / "run.json").read_text().replace(str(finished.parent), str(tmp_path))  # in its resume command
    (run / "run.json").write_text(moved)
    before = {p: p.read_bytes() for p in run.rglob("*.json*") if "logs" not in p.parts}
    ended = run_loop(finished.parent.parent / "small.yaml", tmp_path, "--resume")
    assert ended.returncode == 0, ended.stderr
    assert "has ended already" in ended.stderr
    assert not (run / "aside").exists()
    assert {p: p.read_bytes() for p in before} == before


@pytest.mark.parametrize("number", ["0", "9"])
def test_an_iteration_that_cannot_be_restarted_is_refused(finished: Path, tmp_path: Path, number: str) -> None:
    run = copy_run(finished, tmp_path)
    ended = run_loop(finished.parent.parent / "small.yaml", tmp_path, "--resume-iteration", number)
    assert ended.returncode == 2
    assert "can start again at 1 to 4" in ended.stderr
    assert not (run / "aside").exists()


@pytest.mark.slow
def test_a_raised_limit_goes_on_and_keeps_the_earlier_end_aside(finished: Path, tmp_path: Path) -> None:
    config = finished.parent.parent / "small.yaml"
    assert run_loop(config, tmp_path, "--max-iterations", "1").returncode == 0
    ended = run_loop(config, tmp_path, "--resume")
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "small" / "aside" / "1" / "final_report.json").exists()
    assert report(tmp_path / "small") == report(finished)


def test_a_resume_with_changed_settings_lists_the_keys(finished: Path, tmp_path: Path) -> None:
    copy_run(finished, tmp_path)
    config = finished.parent.parent / "small.yaml"
    ended = run_loop(config, tmp_path, "--resume", "--learning-rate", "0.5", "sampling.waves=[3]")
    assert ended.returncode == 2
    assert "train.learning_rate: was 2e-05, now 0.5" in ended.stderr
    assert "sampling.waves: was [2, 2], now [3]" in ended.stderr


def test_an_existing_run_is_not_touched_without_resume(finished: Path) -> None:
    ended = run_loop(finished.parent.parent / "small.yaml", finished.parent)
    assert ended.returncode == 2
    assert "add --resume" in ended.stderr


def test_the_loop_stops_at_the_target_count_and_says_so(finished: Path, tmp_path: Path) -> None:
    run = copy_run(finished, tmp_path)
    config = finished.parent.parent / "small.yaml"
    ended = run_loop(config, tmp_path, "--resume-iteration", "1", "--target-problems", "4", "--no-wandb")
    assert ended.returncode == 0, ended.stderr
    assert json.loads((run / "final_report.json").read_text())["stopped_because"].startswith("target reached")
    assert not (run / "iteration_2").exists()


@pytest.mark.parametrize("torn", [b'{"problem_id": "tp-', pytest.param(b'{"format": 1}', marks=pytest.mark.slow)])
def test_a_torn_last_line_is_dropped_with_a_warning_and_its_work_done_again(
    finished: Path, tmp_path: Path, torn: bytes
) -> None:
    run = copy_run(finished, tmp_path)
    path = run / "iteration_3" / "candidates.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-3]) + torn)
    for name in ("iteration_3/metadata.json", "final/metadata.json"):
        (run / name).unlink()
    ended = run_loop(finished.parent.parent / "small.yaml", tmp_path, "--resume")
    assert ended.returncode == 0, ended.stderr
    assert candidates(run) == candidates(finished)


def test_a_foreign_line_in_the_middle_is_named_and_nothing_is_lost(finished: Path, tmp_path: Path) -> None:
    run = copy_run(finished, tmp_path)
    path = run / "iteration_1" / "candidates.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    content = b"".join([lines[0], b"not json\n", *lines[1:]])
    path.write_bytes(content)
    (run / "iteration_3" / "metadata.json").unlink()
    (run / "final" / "metadata.json").unlink()
    ended = run_loop(finished.parent.parent / "small.yaml", tmp_path, "--resume")
    assert ended.returncode == 2
    assert f"{path}, line 2" in ended.stderr
    assert path.read_bytes() == content


FULL_DISK = """
set -u
mount -t tmpfs -o size=96k none "$OUTPUTS" || exit 77
"$@"
echo "status $?"
mount -o remount,size=64m "$OUTPUTS"
"$@" --resume
echo "status $?"
cp -r "$OUTPUTS/small" "$KEPT"
"""


@pytest.mark.slow
def test_a_full_disk_gives_a_sentence_and_the_run_goes_on_when_there_is_room(finished: Path, tmp_path: Path) -> None:
    outputs, kept = tmp_path / "outputs", tmp_path / "kept"
    outputs.mkdir()
    words = loop_words(finished.parent.parent / "small.yaml", outputs)
    ended = subprocess.run(
        ["unshare", "--mount", "--map-root-user", "sh", "-c", FULL_DISK, "sh", *words], cwd=ROOT, text=True,
        capture_output=True, env={**os.environ, "OUTPUTS": str(outputs), "KEPT": str(kept)}, check=False, timeout=120,
    )  # fmt: skip
    if ended.returncode in (1, 77) and "status" not in ended.stdout:
        pytest.skip(f"no small file system can be mounted here: {ended.stderr.strip()}")
    assert "No space left on device" in ended.stderr
    assert "--resume" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert [line for line in ended.stdout.splitlines() if line.startswith("status")] == ["status 2", "status 0"]
    assert candidates(kept) == candidates(finished)
    assert report(kept) == report(finished)


@pytest.mark.slow
def test_a_finished_run_is_replayed_without_a_model(finished: Path, tmp_path: Path) -> None:
    config = finished.parent.parent / "small.yaml"
    ended = run_loop(config, tmp_path, "--run-name", "replay", f"engine.script={finished}")
    assert ended.returncode == 0, ended.stderr
    assert candidates(tmp_path / "replay") == candidates(finished)
    assert report(tmp_path / "replay") == report(finished)


def test_the_loop_leaves_no_process_behind(finished: Path) -> None:
    assert [words for words in processes_of(finished) if f"--run-dir {finished}" in words] == []
