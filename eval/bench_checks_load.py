"""What a second worker brings: the CheckerPool with one worker and with two, in turn, and what bounds it.

While a pool is kept busy, the processors' time is split into what its processes use, what this process uses to feed
them and to judge, and what other programs use. The rest is waiting: for hand-overs between processes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import median

from eval.bench_checks_cpu import descendants_seconds, machine_seconds, own_seconds
from eval.bench_checks_work import SAMPLES, Check, Size, checks
from eval.bench_table import ratios
from interpreters.checking import CheckerPool

FULL_SHARE = 0.9  # of the processors, or of the one that Python threads share: from here on it is what bounds


@dataclass(frozen=True)
class LoadPlan:
    """How many rounds, and how many seconds each of them is about."""

    rounds: int
    seconds: float


@dataclass(frozen=True)
class Load:
    """One round of a pool. Seconds of CPU: of this process, of all below it, of the whole machine."""

    size: Size
    workers: int
    checks: int
    agreed: int
    wall: float
    own: float
    below: float
    machine: float

    @property
    def per_second(self) -> float:
        return self.checks / self.wall


def measure_load(pools: Mapping[int, CheckerPool], language: str, size: Size, plan: LoadPlan) -> list[Load]:
    """Return the rounds of the pools, which take turns, after one to warm up."""
    series = {workers: checks(language, size) for workers in pools}
    counts, found = {}, []
    for workers, pool in pools.items():
        _round(pool, workers, size, series[workers], SAMPLES * workers)
        trial = _round(pool, workers, size, series[workers], SAMPLES * workers)
        counts[workers] = SAMPLES * max(2 * workers, round(plan.seconds * trial.per_second / SAMPLES))
    for number in range(plan.rounds):
        for workers in list(pools) if number % 2 else reversed([*pools]):
            found.append(_round(pools[workers], workers, size, series[workers], counts[workers]))
    return found


def _round(pool: CheckerPool, workers: int, size: Size, series: Iterator[Check], count: int) -> Load:
    work = list(islice(series, count))
    machine, below, own, wall = machine_seconds(), descendants_seconds(), own_seconds(), time.perf_counter()
    verdicts = [pool.submit(one.code, one.tests) for one in work]
    agreed = sum(verdict.result().passed == one.is_right for verdict, one in zip(verdicts, work, strict=True))
    wall, own = time.perf_counter() - wall, own_seconds() - own
    below, machine = descendants_seconds() - below, machine_seconds() - machine
    return Load(size, workers, count, agreed, wall, own, below, machine)


def load_notes(name: str, loads: Sequence[Load]) -> list[str]:
    sizes = dict.fromkeys(load.size for load in loads)
    return [load_note(f"{name}, {size}", [load for load in loads if load.size == size]) for size in sizes]


def load_note(title: str, loads: Sequence[Load]) -> str:
    """Return one sentence: what the second worker brings, who uses the processors, and so what bounds it."""
    few, many = ([load for load in loads if load.workers == workers] for workers in (1, 2))
    gain = ratios([load.per_second for load in many], [load.per_second for load in few])
    speeds = [median(load.per_second for load in side) for side in (few, many)]
    below, own, others, reason = shares(many, os.cpu_count() or 1)
    return (
        f"{title}: CheckerPool with 1 -> 2 workers {speeds[0]:.3g} -> {speeds[1]:.3g} checks/s, {gain.text()}x. "
        f"With 2, its processes use {below:.0%} of the {os.cpu_count()} cores, this process {own:.0%}, "
        f"other programs {others:.0%}: bound by {reason}."
    )


def shares(loads: Sequence[Load], cores: int) -> tuple[float, float, float, str]:
    """Return the shares of the processors below this process, of itself and of others, and what bounds the pool."""
    time_there_was = cores * sum(load.wall for load in loads)
    below, own, machine = (
        sum(getattr(load, part) for load in loads) / time_there_was for part in ("below", "own", "machine")
    )
    others = max(machine - below - own, 0.0)
    if below + own + others >= FULL_SHARE:
        return below, own, others, "the cores" if others < below + own else "other programs on the cores"
    if own * cores >= FULL_SHARE:
        return below, own, others, "this process, whose threads run one at a time"
    return below, own, others, "waiting for hand-overs between processes"
