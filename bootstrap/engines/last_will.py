"""End processes when the program that started this one has ended, also when it was killed.

vLLM's scheduler is a process of its own that waits for ever when the program before it is killed, and keeps the memory
of the GPUs. `LastWill` holds a pipe open to this program, which kills the named processes, and those that
they have started, when the pipe is closed.

    python last_will.py PID ...
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


class LastWill:
    def __init__(self, pids: Sequence[int]) -> None:
        words = (sys.executable, "-I", __file__, *map(str, pids))
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True)

    def close(self) -> None:
        """Kill those of the processes that are still there."""
        self.process.communicate()


def descendants(above: int) -> set[int]:
    """Return the processes below one."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found = {above}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {above}


def kill_all(pid: int, descriptor: int) -> None:
    below = descendants(pid)
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)  # fails where it is gone, and its number another's
        for one in below:
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, signal.SIGKILL)


def main() -> None:
    named: dict[int, int] = {}
    for pid in map(int, sys.argv[1:]):
        with contextlib.suppress(ProcessLookupError):
            named[pid] = os.pidfd_open(pid)  # a number may be given again, a descriptor stays its process
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    for pid, descriptor in named.items():
        kill_all(pid, descriptor)


if __name__ == "__main__":
    main()
