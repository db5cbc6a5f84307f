"""Run a server as long as the program that wants it lives: the server and all that it started end with that program.

`vllm serve` starts processes of its own, which outlive it when it is killed and keep the memory of their GPUs. They
are in one session with it, which is ended as a whole: when stdin, a pipe that the program holds open, is closed (so
also when the program is killed), or when the server itself has ended. NOT covered: what makes itself a session of its
own (Ray's processes), and a guard killed together with its program.

    python guard.py SECONDS COMMAND WORD ...
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1
STOP_SECONDS = 15.0
"""SECONDS, as a rule: between SIGTERM and SIGKILL, in which vLLM ends its workers and frees shared memory."""
LOOK_SECONDS = 0.1


def start(words: list[str]) -> subprocess.Popen[bytes]:
    libc = ctypes.CDLL(None)

    def end_with_the_guard() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)

    return subprocess.Popen(words, stdin=subprocess.DEVNULL, start_new_session=True, preexec_fn=end_with_the_guard)


def end(server: subprocess.Popen[bytes], seconds: float) -> None:
    """End the server's session: SIGTERM, and SIGKILL for what is left."""
    signal_all(server.pid, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and (server.poll() is None or signal_all(server.pid, 0)):
        time.sleep(LOOK_SECONDS)
    signal_all(server.pid, signal.SIGKILL)
    server.wait()


def signal_all(group: int, number: int) -> bool:
    """Send a signal to a process group; say whether there is anybody in it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)
        return True
    return False


def main() -> int:
    """Return the server's exit status, 128 + signal where a signal ended it, 0 where it was told to stop."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)  # the program decides, by its pipe
    seconds, server = float(sys.argv[1]), start(sys.argv[2:])
    status = None
    while status is None:
        if select.select([sys.stdin], [], [], LOOK_SECONDS)[0] and not os.read(sys.stdin.fileno(), 1):
            end(server, seconds)
            return 0
        status = server.poll()
    end(server, seconds)
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
