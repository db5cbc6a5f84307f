"""The server side of process.py: import an engine once, then fork one child per candidate, or per problem.

Talks to its parent over one SOCK_SEQPACKET socket. `run N L` comes with a descriptor, which is given to a new child
unread: requests and replies pass between parent and child only, so nothing of a candidate stays in this process, and
no candidate sees another's. Inputs, which are ours, may be loaded here once for many children: `load L` comes with a
descriptor to read them from, the children forked with that L have them, `drop L` forgets them. `end N` kills child N
with everything it started, waits for them, and answers with the wait status. Only `end` reaps, so a process id cannot
be used again while anybody may still want to kill it. `late N` tells how long child N has waited for a processor.

This process never lets an engine start its threads: they do not survive a fork.

With PROGRAMS in place of a runner it imports no engine: each child becomes the program that its request names.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from interpreters.isolation import huge_pages, namespaces
from interpreters.isolation.confine import adopt_orphans, die_with_parent, library_paths, prepare
from interpreters.isolation.probe import find_sandbox
from interpreters.processes.candidate import Runner, live, read_inputs
from interpreters.processes.programs import PROGRAMS, SYSTEM_FILES, become
from interpreters.sandbox import Sandbox

SWEEP_SECONDS = 3.0


def main(control_fd: int, runner_module: str, folder: str, parent: int, layers: Sequence[str]) -> None:
    """Serve until the parent closes its end, then kill what is left."""
    signal.signal(signal.SIGTERM, _leave)
    try:
        die_with_parent(parent, signal.SIGTERM, sys.exit)
        _prepare_and_serve(socket.socket(fileno=control_fd), runner_module, folder, layers)
    finally:
        os.chdir("/")
        _remove(folder)


def _prepare_and_serve(control: socket.socket, runner_module: str, folder: str, layers: Sequence[str]) -> None:
    inside, why_not = _enter_namespaces(layers)
    signal.signal(signal.SIGTERM, _leave)
    adopt_orphans()
    os.chdir(folder)
    programs = runner_module == PROGRAMS
    readable = SYSTEM_FILES if programs else library_paths()
    sandbox = find_sandbox(layers, readable, inside, programs)
    if why_not:
        sandbox = Sandbox(sandbox.layers, {**sandbox.missing, "namespaces": why_not}, sandbox.holes)
    _register_no_hooks()
    runner = _warm(control, runner_module, sandbox)
    prepare(tuple(sandbox.layers), programs)
    sys.path.pop(0)  # the project itself is no business of a candidate
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    gc.collect()
    gc.freeze()
    gc.disable()
    os.environ.clear()
    huge_pages.gather()
    Zygote(control, runner, folder, tuple(sandbox.layers)).serve()


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(1)


def _register_no_hooks() -> None:
    """Let modules that are imported from now on have nothing done at forks (random, threading, logging would).

    Their hooks mend locks that other threads held, and here there are no others; in every child they would take a
    tenth of its time. What is left out with them: children of one zygote draw the same numbers from `random`.
    """
    os.register_at_fork = _ignore


def _ignore(**hooks: object) -> None:
    pass


def _enter_namespaces(layers: Sequence[str]) -> tuple[str, str]:
    """Return the namespaces entered, and why there are none."""
    if "namespaces" not in layers:
        return "", "switched off"
    try:
        return namespaces.enter(), ""
    except OSError as error:
        return "", str(error)


def _warm(control: socket.socket, runner_module: str, sandbox: Sandbox) -> Runner | None:
    try:
        runner: Runner | None = None if runner_module == PROGRAMS else importlib.import_module(runner_module)
        version = runner.warm() if runner is not None else ""
    except Exception as error:  # the boundary of start-up: the parent raises it as InterpreterUnavailable
        control.send(f"failed {type(error).__name__}: {error}"[:2000].encode("utf-8", "replace"))
        raise SystemExit(1) from error
    told = {"version": version, "layers": dict(sandbox.layers), "missing": dict(sandbox.missing)}
    control.send(b"ready " + json.dumps({**told, "holes": sandbox.holes}).encode())
    return runner


class Zygote:
    """The children by number, and what the parent may ask for."""

    def __init__(self, control: socket.socket, runner: Runner | None, folder: str, layers: Sequence[str]) -> None:
        self._control, self._runner, self._folder, self._layers = control, runner, folder, layers
        self._readable = library_paths()
        self._loaded: dict[int, Any] = {}  # number -> inputs as the runner holds them
        self._children: dict[int, int] = {}  # number -> process id
        self._ended: dict[int, int] = {}  # process id -> wait status, of those that went by themselves

    def serve(self) -> None:
        try:
            while self._answer():
                pass
        finally:
            for number in list(self._children):
                self._end(number)

    def _answer(self) -> bool:
        """Obey one command; return False when the parent is gone."""
        command, descriptors, _, _ = socket.recv_fds(self._control, 64, 1)
        word, *numbers = command.split() or [b""]
        match word, [int(number) for number in numbers]:
            case b"run", [number, loaded]:
                self._fork(number, descriptors[0], loaded)
            case b"end", [number]:
                self._control.send(b"ended %d" % self._end(number))
            case b"late", [number]:
                self._control.send(b"late %d" % _waited(self._children[number]))
            case b"load", [number]:
                self._control.send(b"loaded %d" % self._load(number, descriptors[0]))
            case b"drop", [number]:
                del self._loaded[number]
            case _:
                return False
        return True

    def _load(self, number: int, connection: int) -> int:
        """Load inputs for many children; return 1 when that went well, 0 if not, 2 if it started threads."""
        if self._runner is None:
            return 0
        threads = _threads()
        with socket.socket(fileno=connection) as source:
            try:
                self._loaded[number] = self._runner.load(read_inputs(source.fileno()))
            except Exception:  # the child that loads them itself will say why
                return 0
        return 1 if _threads() == threads else 2

    def _fork(self, number: int, connection: int, loaded: int) -> None:
        zygote = os.getpid()
        child = os.fork()
        if child == 0:
            if self._runner is None:
                become(connection, zygote, self._layers)
            inputs = self._loaded[loaded] if loaded else None
            live(self._runner, connection, zygote, self._layers, self._readable, inputs)
        os.close(connection)
        self._children[number] = child

    def _end(self, number: int) -> int:
        """Kill the child, its process group and everything that it started; return its wait status."""
        child = self._children.pop(number)
        if child not in self._ended:
            _kill(child, os.killpg)
            _kill(child, os.kill)
            self._ended[child] = os.waitpid(child, 0)[1]
        self._sweep()
        _empty(self._folder)
        return self._ended.pop(child)

    def _sweep(self) -> None:
        """Kill and reap what is neither this process nor one of its living children."""
        deadline = time.monotonic() + SWEEP_SECONDS
        while strays := set(_children()) - set(self._children.values()):
            for pid in strays:
                _kill(pid, os.kill)
                os.waitpid(pid, 0)
            if time.monotonic() > deadline:
                raise TimeoutError("a candidate's processes multiply faster than they can be killed")


def _threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def _sees_itself() -> bool:
    """Say whether /proc counts processes as this one does: not in namespaces where it could not be mounted anew."""
    return str(Path("/proc/self").readlink()) == str(os.getpid())


def _children() -> list[int]:
    """Return the processes whose parent is this one, the dead that nobody has awaited included."""
    if not _sees_itself():
        return []  # a namespace of processes, which ends with this one
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb", buffering=0) as children:
            return [int(pid) for pid in children.read().split()]
    except FileNotFoundError:  # a kernel without this file
        return _children_by_stat()


def _children_by_stat() -> list[int]:
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


def _waited(pid: int) -> int:
    """Return for how many microseconds the threads of a process were ready to run but had no processor: the most of
    any thread, 0 where the kernel does not tell (proc(5), schedstat)."""
    longest = 0
    if not _sees_itself():
        return longest
    for schedstat in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with contextlib.suppress(OSError, IndexError):
            longest = max(longest, int(schedstat.read_bytes().split()[1]) // 1000)
    return longest


def _kill(pid: int, kill: Callable[[int, int], None]) -> None:
    with contextlib.suppress(ProcessLookupError):
        kill(pid, signal.SIGKILL)


def _remove(folder: str) -> None:
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except RecursionError:  # without Landlock a candidate can nest folders deeper than Python follows
        subprocess.run(["/bin/rm", "-rf", "--", folder], check=False)


def _empty(folder: str) -> None:
    """Leave an empty working directory for the next candidate."""
    try:
        if not any(Path(folder).iterdir()):
            return
    except FileNotFoundError:
        pass  # the candidate removed it
    _remove(folder)
    Path(folder).mkdir(0o700)
    os.chdir(folder)
