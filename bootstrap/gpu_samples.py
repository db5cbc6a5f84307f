"""Watch the GPUs while a stage runs: what nvidia-smi says of load and memory, every ten seconds, as lines of gpu.jsonl.

    {"gpu": 0, "memory_mb": 61234, "memory_total_mb": 81559, "power_w": 540.1, "stage": "TRAIN", "time": …,
     "utilisation": 97}

Where there is no nvidia-smi nothing is written, and where it fails the watching ends with one line in the log: no run
stops for it. `utilisation` is nvidia-smi's: the percentage of time in which any kernel ran, which says little of how
much of the GPU it filled. A figure that a GPU does not give (MIG slices) is null. Written against nvidia-smi's
documented output and a program that imitates it; not yet tried on a GPU.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bootstrap.records import dump_line

EVERY_SECONDS = 10.0
PATIENCE = 20.0  # how long one answer of nvidia-smi may take; it is slow when it has to wake the driver
FIELDS = ("index", "utilization.gpu", "memory.used", "memory.total", "power.draw")
STAGES = ("CONVERT", "SOLVE", "TRAIN", "EVALUATE", "CONTROLS", "TEST")
"""Stages in which a GPU may work."""

log = logging.getLogger(__name__)

Sample = dict[str, float | int | str | None]


@contextmanager
def gpu_samples(path: Path, stage: str, every: float = EVERY_SECONDS) -> Iterator[None]:
    """Append samples to the file while the block runs."""
    program = shutil.which("nvidia-smi")
    if program is None or stage not in STAGES:
        yield
        return
    ended = threading.Event()
    thread = threading.Thread(target=_watch, args=(program, path, stage, every, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(1.0)


def _watch(program: str, path: Path, stage: str, every: float, ended: threading.Event) -> None:
    try:
        while not ended.is_set():
            rows = [{**row, "stage": stage, "time": round(time.time(), 1)} for row in ask(program, os.environ)]
            with open(path, "a", encoding="utf-8") as file:
                file.writelines(map(dump_line, rows))
            ended.wait(every)
    except (OSError, ValueError, subprocess.SubprocessError) as e:
        log.info("the GPUs are not watched in %s of %s: %s", stage, path.parent.name, e)


def ask(program: str, environment: Mapping[str, str]) -> list[Sample]:
    """Return one sample per GPU. Raises OSError, SubprocessError, or ValueError for an answer that cannot be read."""
    words = [program, f"--query-gpu={','.join(FIELDS)}", "--format=csv,noheader,nounits"]
    chosen = environment.get("CUDA_VISIBLE_DEVICES", "").strip()
    if chosen and "-1" not in chosen:
        words.append(f"--id={chosen}")
    answer = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=True)
    return [parse(line) for line in answer.stdout.splitlines() if line.strip()]


def parse(line: str) -> Sample:
    """Return the sample in one line of CSV. Raises ValueError."""
    values = [value.strip() for value in line.split(",")]
    if len(values) != len(FIELDS):
        raise ValueError(f"expected {len(FIELDS)} values ({', '.join(FIELDS)}), found {line[:100]!r}")
    index, utilisation, used, total, power = values
    return {
        "gpu": int(index), "utilisation": _number(utilisation), "memory_mb": _number(used),
        "memory_total_mb": _number(total), "power_w": _number(power),
    }  # fmt: skip


def _number(text: str) -> float | None:
    """Return the number, None for [N/A], [Not Supported] and the like."""
    return None if text.startswith("[") or not text else float(text)
