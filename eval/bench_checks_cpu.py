"""CPU time of this process and of everything that it started, however deep, running or ended.

What this process has reaped is in its own accounts. What still runs is read from /proc, each process with what it has
reaped itself: a zygote's ended children, the sessions that a PostgreSQL server has closed. A process whose parent dies
goes to the nearest ancestor that adopts orphans, and so stays among the descendants.

The kernel counts in nanoseconds. What has ended below a running process is told in ticks of 10 ms, rounded down once
for user and once for system time, so a difference can be off by 20 ms for each process that reaps: make rounds long.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_TICK = 1 / os.sysconf("SC_CLK_TCK")


class _Stat(NamedTuple):
    parent: int
    reaped: float  # seconds of CPU


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and all its descendants so far."""
    return own_seconds() + descendants_seconds()


def own_seconds() -> float:
    """Return the CPU seconds of this process alone, all its threads together."""
    return time.process_time()


def descendants_seconds() -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime + sum(map(sum, _running()))


def _running() -> Iterator[tuple[float, float]]:
    """Yield for each descendant that runs its own seconds, and those of what it has reaped."""
    stats = {int(path.parent.name): stat for path in Path("/proc").glob("[0-9]*/stat") if (stat := _read(path))}
    children: dict[int, list[int]] = {}
    for pid, stat in stats.items():
        children.setdefault(stat.parent, []).append(pid)
    waiting = [os.getpid()]
    while waiting:
        for pid in children.get(waiting.pop(), []):
            waiting.append(pid)
            yield _seconds(pid), stats[pid].reaped


def _read(path: Path) -> _Stat | None:
    try:
        fields = path.read_text().rpartition(")")[2].split()
    except OSError:  # it has ended
        return None
    return _Stat(int(fields[1]), (int(fields[13]) + int(fields[14])) * _TICK)


def _seconds(pid: int) -> float:
    """Return the CPU seconds of a process, to the nanosecond; 0 when it has ended."""
    try:
        return time.clock_gettime((~pid << 3) | 2)  # what clock_getcpuclockid(3) returns
    except OSError:
        return 0.0


def machine_seconds() -> float:
    """Return for how many seconds the machine's processors have been busy since it started, added up."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _waiting, interrupts, soft = map(int, fields[:7])
    return (user + nice + system + interrupts + soft) * _TICK
