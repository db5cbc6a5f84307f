"""The server side of process.py: import an engine once, then fork one child per candidate.

Talks to its parent over one SOCK_SEQPACKET socket. `run` comes with a descriptor, which is given to a new child
unread: requests and replies pass between parent and child only, so nothing of a candidate stays in this process, and
no candidate sees another's. `end` kills the child with everything it started, waits for them, and answers with the
wait status. Only `end` reaps, so a process id cannot be used again while anybody may still want to kill it.

This process never lets an engine start its threads: they do not survive a fork.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from interpreters.candidate import Runner, live
from interpreters.confine import adopt_orphans, die_with_parent

SWEEP_SECONDS = 3.0


def main(control_fd: int, runner_module: str, folder: str, parent: int) -> None:
    """Serve until the parent closes its end, then kill what is left."""
    control = socket.socket(fileno=control_fd)
    adopt_orphans()
    signal.signal(signal.SIGTERM, _leave)
    die_with_parent(parent, signal.SIGTERM)
    runner = _warm(control, runner_module)
    sys.path.pop(0)  # the project itself is no business of a candidate
    os.chdir(folder)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        _serve(control, runner, folder)
    finally:
        os.chdir("/")
        shutil.rmtree(folder, ignore_errors=True)


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(1)


def _warm(control: socket.socket, runner_module: str) -> Runner:
    try:
        runner: Runner = importlib.import_module(runner_module)
        version = runner.warm()
    except Exception as error:  # the boundary of start-up: the parent raises it as InterpreterUnavailable
        control.send(f"failed {type(error).__name__}: {error}"[:2000].encode("utf-8", "replace"))
        raise SystemExit(1) from error
    control.send(f"ready {version}".encode())
    return runner


def _serve(control: socket.socket, runner: Runner, folder: str) -> None:
    zygote, child = os.getpid(), 0
    try:
        while True:
            command, descriptors, _, _ = socket.recv_fds(control, 16, 1)
            if command == b"run":
                child = os.fork()
                if child == 0:
                    live(runner, descriptors[0], zygote)
                os.close(descriptors[0])
            elif command == b"end":
                status, child = _end(child), 0
                _empty(folder)
                control.send(b"ended %d" % status)
            else:  # the parent is gone
                return
    finally:
        _end(child)


def _end(child: int) -> int:
    """Kill the child, its process group and everything that it started; return its wait status."""
    status = 0
    if child:
        _kill(child, os.killpg)
        _kill(child, os.kill)
        status = os.waitpid(child, 0)[1]
    deadline = time.monotonic() + SWEEP_SECONDS
    while _reap_one_of_many():
        if time.monotonic() > deadline:
            raise TimeoutError("a candidate's processes multiply faster than they can be killed")
    return status


def _reap_one_of_many() -> bool:
    """Reap or kill orphans of the candidate; return False when there is none."""
    try:
        reaped, _ = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    if not reaped:
        for pid in _children():
            _kill(pid, os.kill)
        time.sleep(0.001)
    return True


def _children() -> list[int]:
    mine = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name in the second field may hold spaces and brackets; the parent is the second field after it.
            parent = int(stat.read_bytes().rpartition(b")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == os.getpid():
            mine.append(int(stat.parent.name))
    return mine


def _kill(pid: int, kill: Callable[[int, int], None]) -> None:
    with contextlib.suppress(ProcessLookupError):
        kill(pid, signal.SIGKILL)


def _empty(folder: str) -> None:
    """Leave an empty working directory for the next candidate."""
    try:
        if not any(Path(folder).iterdir()):
            return
        shutil.rmtree(folder)
    except FileNotFoundError:
        pass  # the candidate removed it
    Path(folder).mkdir(0o700)
    os.chdir(folder)
