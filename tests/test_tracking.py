"""The tracker with real offline W&B: no key, no network, and never in the way of the loop."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootstrap.tracking import Tracker, TrackerUnavailable

METRICS = {"eval/pass_at_1": 0.42, "solve/solved_total": 914, "train/loss": 0.31}
LOOP_PROCESS = """
import sys, time
from pathlib import Path
from bootstrap.tracking import Tracker
tracker = Tracker(Path(sys.argv[1]), "demo", {})
tracker.log_iteration(0, {"train/loss": 1.0})
print("logged", flush=True)
time.sleep(60)
"""


@pytest.fixture(autouse=True, scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An empty home folder and no W&B variables: what the person who runs the tests has set does not count."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("WANDB_")]:
            patch.delenv(name)
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        yield


def track(run_dir: Path, iterations: range, loss: float = 0.31) -> None:
    tracker = Tracker(run_dir, "demo", {"seed": 1})
    for iteration in iterations:
        tracker.log_iteration(iteration, {**METRICS, "train/loss": loss, "solve/solved_total": 100 * iteration})
    tracker.close()


def offline_ids(run_dir: Path) -> list[str]:
    return sorted(path.name.split("-", 3)[3] for path in (run_dir / "wandb").glob("offline-run-*"))


def history(run_dir: Path, part: str) -> list[dict[str, float]]:
    """Return the rows that an offline run logged, from W&B's log format (that of LevelDB, one block here)."""
    from wandb.proto.wandb_internal_pb2 import Record

    (path,) = (run_dir / "wandb").glob(f"offline-run-*-{part}/*.wandb")
    content, at, rows = path.read_bytes(), 7, []
    while at + 7 <= len(content):
        length = int.from_bytes(content[at + 4 : at + 6], "little")
        record = Record.FromString(content[at + 7 : at + 7 + length])
        items = record.history.item
        rows += (
            [{item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}] if items else []
        )
        at += 7 + length
    return rows


def curve(run_dir: Path) -> list[tuple[float, float]]:
    return [(row["iteration"], row["loop/train/loss"]) for row in history(run_dir, "loop")]


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run_dir = tmp_path_factory.mktemp("tracked")
    track(run_dir, range(3))
    assert processes_with_home(os.environ["HOME"]) == []
    return run_dir


@pytest.fixture
def run_dir(tracked: Path, tmp_path: Path) -> Path:
    """A copy of a run with iterations 0 to 2 tracked, so that a test may go on with it."""
    return Path(shutil.copytree(tracked, tmp_path / "run", symlinks=True))


def test_an_offline_run_leaves_one_folder_per_iteration_and_one_for_the_loop(tracked: Path) -> None:
    names = [name.split("-", 1)[1] for name in offline_ids(tracked)]
    assert names == ["iteration-0", "iteration-1", "iteration-2", "loop"]
    assert curve(tracked) == [(0, 0.31), (1, 0.31), (2, 0.31)]
    (row,) = history(tracked, "iteration-2")
    assert (row["eval/pass_at_1"], row["solve/solved_total"]) == (0.42, 200)


def test_nothing_is_written_to_the_home_folder(tracked: Path) -> None:
    assert list(Path(os.environ["HOME"]).rglob("*")) == []


def test_what_is_tracked_already_starts_nothing(run_dir: Path) -> None:
    before = (run_dir / "wandb" / "tracking.log").stat()
    track(run_dir, range(2, 3))  # the loop was killed after it was tracked, before it was recorded as done
    assert (run_dir / "wandb" / "tracking.log").stat() == before


def test_a_publisher_killed_before_its_record_is_repeated_without_duplicates(run_dir: Path) -> None:
    before = offline_ids(run_dir)
    (run_dir / "wandb" / "published.json").unlink()
    track(run_dir, range(3, 4))
    assert [name for name in offline_ids(run_dir) if "iteration-3" not in name] == before
    assert len(curve(run_dir)) == 4


def test_going_back_to_an_iteration_replaces_it_and_ends_the_curve_there(run_dir: Path) -> None:
    start = time.monotonic()
    tracker = Tracker(run_dir, "demo", {"seed": 1})
    tracker.log_iteration(1, {**METRICS, "train/loss": 0.5})
    assert time.monotonic() - start < 0.5, "logging waited for W&B"
    tracker.close()
    assert curve(run_dir) == [(0, 0.31), (1, 0.5)]
    assert len(offline_ids(run_dir)) == 4


def test_a_disabled_tracker_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for mode, variable in (("disabled", "online"), ("environment", "disabled")):
        monkeypatch.setenv("WANDB_MODE", variable)
        tracker = Tracker(tmp_path / "run", "demo", {}, mode=mode)
        tracker.log_iteration(0, METRICS)
        tracker.close()
    assert not (tmp_path / "run").exists()


def test_a_tracker_that_cannot_start_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TrackerUnavailable, match="wandb login"):
        Tracker(tmp_path, "demo", {}, mode="online")
    monkeypatch.setenv("WANDB_MODE", "onlin")
    with pytest.raises(TrackerUnavailable, match="expected offline, online or disabled"):
        Tracker(tmp_path, "demo", {})


def test_a_failure_after_the_start_is_logged_once_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tracker = Tracker(tmp_path / "run", "demo", {})
    (tmp_path / "run" / "wandb" / ".lock").mkdir()  # the child cannot take its lock
    with caplog.at_level(logging.WARNING):
        for iteration in range(2):
            tracker.log_iteration(iteration, METRICS)
            tracker.close()
    assert len(caplog.records) == 1
    assert "tracking.log" in caplog.text


def test_sigkill_of_the_loop_leaves_a_folder_that_the_next_start_completes(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    loop = subprocess.Popen([sys.executable, "-c", LOOP_PROCESS, str(run_dir)], stdout=subprocess.PIPE)
    assert loop.stdout and loop.stdout.readline() == b"logged\n"
    loop.send_signal(signal.SIGKILL)
    loop.communicate()
    track(run_dir, range(1, 2))
    assert len(offline_ids(run_dir)) == 3
    assert curve(run_dir) == [(0, 1.0), (1, 0.31)]


def processes_with_home(home: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            variables = (path / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if f"HOME={home}".encode() in variables and path.name != str(os.getpid()):
            found.append((path / "cmdline").read_text())
    return found
