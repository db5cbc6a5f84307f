"""What can be seen of a process tree from outside, while an attack runs and after it."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

POLL_SECONDS = 0.015
_TELLING = ("memfd:", "anon_inode:[io_uring]", "anon_inode:[userfaultfd]", "anon_inode:bpf", "anon_inode:[perf_event]")


def descendants(pid: int) -> set[int]:
    """Return the processes that came from this one and still have it, or one of them, as a parent."""
    children_of = _children if Path(f"/proc/self/task/{os.getpid()}/children").exists() else _children_by_stat()
    found: set[int] = set()
    open_ends = [pid]
    while open_ends:
        for child in children_of(open_ends.pop()):
            if child not in found:
                found.add(child)
                open_ends.append(child)
    return found


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):  # it has ended meanwhile
        for task in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found += map(int, (task / "children").read_text().split())
    return found


def _children_by_stat() -> Callable[[int], list[int]]:
    """Return the same for a kernel without those files, from one look at all processes."""
    found: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            found.setdefault(int(stat_fields(int(entry.name))[1]), []).append(int(entry.name))
    return lambda pid: found.get(pid, [])


def stat_fields(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the third on (the second may hold spaces); raises OSError."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def resident_bytes() -> int:
    """Return how much memory this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@dataclass
class Seen:
    """The most that was seen of the descendants of this process, but for those that were there for other reasons."""

    processes: int = 0
    threads: int = 0  # of one process
    mapped: int = 0  # bytes of address space of one process
    nicest: int = 99  # the lowest nice value
    real_time: bool = False  # a process that the scheduler prefers to all others
    held: int = 0  # bytes that this process itself holds
    words: set[str] = field(default_factory=set)  # marks found in command lines, mounts and open descriptors
    answered: bool = False  # somebody listens on the port


class Watch:
    """Looks at the descendants of this process again and again, from entry to exit of the `with` block."""

    def __init__(self, marker: str, port: int, without: set[int]) -> None:
        self.seen = Seen()
        self._marker, self._port, self._without = marker, port, without
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="attack-watch", daemon=True)

    def __enter__(self) -> Self:
        self._look()
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._ended.wait(POLL_SECONDS):
            self._look()

    def _look(self) -> None:
        seen = self.seen
        family = descendants(os.getpid()) - self._without
        seen.processes = max(seen.processes, len(family))
        seen.held = max(seen.held, resident_bytes())
        for pid in family:
            with contextlib.suppress(OSError, IndexError):
                self._look_at(pid)
        with socket.socket() as probe:
            seen.answered |= probe.connect_ex(("127.0.0.1", self._port)) == 0

    def _look_at(self, pid: int) -> None:
        seen, fields = self.seen, stat_fields(pid)
        seen.nicest = min(seen.nicest, int(fields[16]))
        seen.threads = max(seen.threads, int(fields[17]))
        seen.mapped = max(seen.mapped, int(fields[20]))
        seen.real_time |= fields[38] in ("1", "2", "6")  # SCHED_FIFO, SCHED_RR, SCHED_DEADLINE
        if self._marker in Path(f"/proc/{pid}/cmdline").read_text(errors="replace"):
            seen.words.add("program")
        if self._marker in Path(f"/proc/{pid}/mountinfo").read_text(errors="replace"):
            seen.words.add("mount")
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                target = str(descriptor.readlink())
                seen.words.update(word for word in _TELLING if word in target)
