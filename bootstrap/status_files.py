"""What `bootstrap.status` reads of a run's files, each of which may be half written, and whether the loop lives."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from bootstrap.children import STEP_LINE
from bootstrap.progress import LINE
from bootstrap.run_store import RunStore
from bootstrap.visible_text import visible

TAIL_BYTES = 64 * 1024
LONGEST_LINE = 160
GPU_FRESH_SECONDS = 60.0
EVENT = re.compile(r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d+ \w+ (.*)$")
STARTED = re.compile(r"^start (\w+): .* \(log: (.*)\)$")
RATE = re.compile(r"^(\d+(?:\.\d+)?) \S+/s\b")
PROBLEM_ID = re.compile(rb'"problem_id": "((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class LoopProcess:
    """The process that the lock file names, and whether it is alive on this machine."""

    pid: int | None
    alive: bool


@dataclass(frozen=True)
class Progress:
    """Of the stage's program, or of a wave of it."""

    done: int
    total: int
    note: str
    seconds_left: float | None


def loop_process(lock_file: Path) -> LoopProcess:
    """Return whether the process named in the lock file is alive on this machine.

    A process that began after the file was written has only been given the same number.
    """
    try:
        text, written = lock_file.read_text(encoding="utf-8").strip(), lock_file.stat().st_mtime
    except OSError:
        return LoopProcess(None, alive=False)
    if not text.isdigit():
        return LoopProcess(None, alive=False)
    began = process_start(int(text))
    if began is None:
        return LoopProcess(int(text), alive=False)
    return LoopProcess(int(text), alive=began <= written + 1.0)


def process_start(pid: int) -> float | None:
    """Return when a process of this machine began, in seconds since 1970; None where there is none, or a dead one."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        uptime = float(Path("/proc/uptime").read_text(encoding="utf-8").split()[0])
    except (OSError, ValueError):
        return None
    if fields[0] in "ZX":
        return None
    return time.time() - uptime + int(fields[19]) / os.sysconf("SC_CLK_TCK")


def tail(path: Path) -> list[str]:
    """Return the last lines of a file, without one that is not finished."""
    try:
        with open(path, "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").split("\n")
    except OSError:
        return []
    return lines[(size > TAIL_BYTES) : -1]


def last_line(path: Path) -> str:
    line = visible(next((line for line in reversed(tail(path)) if line.strip()), ""))
    return line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 1] + "…"


def log_events(store: RunStore, folder: str, label: str) -> tuple[dt.datetime | None, Path | None]:
    """Return when the stage under way began, and the log of its child where it has one: the first program of this start
    of the loop that is of this stage, else the line that came last."""
    began, log = None, None
    for line in tail(store.log_file):
        event = EVENT.match(line)
        if not event:
            continue
        at = dt.datetime.strptime(event[1], "%Y-%m-%d %H:%M:%S")  # the log's clock is local
        started = STARTED.match(event[2])
        if started and started[1] in (f"{folder}_{label}", label, *FINAL_LABELS.get(label, ())):
            began, log = at, store.root / "logs" / Path(started[2]).parent.name / Path(started[2]).name
        elif not started and (" finished in " in event[2] or event[2].startswith("run ")):
            began, log = at, None
    return began, log


FINAL_LABELS = {"controls": ("sample_only",)}
"""Stage -> its program, where that has another name."""


def progress_of(log: Path, began: dt.datetime | None) -> Progress | None:
    """Return how far a child says it is; the pace is its own where it names one, else that since it began."""
    for line in reversed(tail(log)):
        if line.startswith("$ "):
            return None
        found = LINE.match(line) or STEP_LINE.match(line)
        if found:
            done, total, note = int(found[1]), int(found[2]), found[3]
            rate = RATE.match(note)
            pace = float(rate[1]) if rate else _pace(done, began)
            left = max(0, total - done) / pace if pace > 0 else None
            return Progress(done, total, visible(note), left)
    return None


def _pace(done: int, began: dt.datetime | None) -> float:
    seconds = (dt.datetime.now() - began).total_seconds() if began else 0.0
    return done / seconds if seconds > 0 else 0.0


def candidate_counts(path: Path) -> tuple[int, int] | None:
    """Return how many candidates are recorded and how many problems they solve, without reading each as JSON."""
    if not path.is_file():
        return None
    count, solved = 0, set()
    with open(path, "rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                break
            count += 1
            if b'"outcome": "PASSED"' in line:  # never inside a text: there its quotes are escaped
                found = PROBLEM_ID.search(line)
                solved.add(found[1] if found else b"")
    return count, len(solved)


def newest_write(store: RunStore) -> float | None:
    """Return the seconds since the log, a child's log or the candidates were last written."""
    watched = [store.log_file, *(store.root / "logs").glob("*/*.log"), *store.root.glob("iteration_*/*.jsonl")]
    times = [path.stat().st_mtime for path in watched if path.is_file()]
    return max(0.0, time.time() - max(times)) if times else None


def read_gpu_now(path: Path) -> str:
    """Return the newest sample of each GPU in a line; empty where the newest is old or there is none."""
    newest: dict[int, dict[str, float | None]] = {}
    for line in tail(path):
        try:
            row = json.loads(line)
            newest[int(row["gpu"])] = row
        except (ValueError, TypeError, KeyError):
            continue
    fresh = [one for one in newest.values() if time.time() - (one.get("time") or 0.0) < GPU_FRESH_SECONDS]
    if not fresh:
        return ""
    return "GPUs: " + ", ".join(
        f"{_figure(one.get('utilisation'))} % load, {_figure(one.get('memory_mb'))} of "
        f"{_figure(one.get('memory_total_mb'))} MB" for one in fresh
    )  # fmt: skip


def _figure(value: float | None) -> str:
    return "?" if value is None else f"{value:,.0f}"


def disk_use(root: Path) -> tuple[int, int]:
    """Return the bytes that the folder takes (links are not followed), and those free on its disk."""
    used = 0
    for folder, _, names in os.walk(root):
        for name in names:
            try:
                used += (Path(folder) / name).lstat().st_blocks * 512
            except OSError:  # removed meanwhile
                continue
    return used, shutil.disk_usage(root).free
