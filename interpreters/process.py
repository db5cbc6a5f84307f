"""The parent side of the sandbox: one zygote per interpreter, one forked child per candidate, hard deadlines.

Everything that a model wrote runs through here. confine.py lists what a child is kept from and what it is NOT kept
from; zygote.py kills and reaps. Expected values never leave this process.

Until a child says that it has started, only our own code has run, and any failure is an InterpreterError. Afterwards
every ending is the candidate's, even one that takes the zygote along (it may have killed it): the zygote is replaced.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from interpreters.base import Execution, InterpreterError, InterpreterUnavailable, Job, Limits, Outcome
from interpreters.candidate import LENGTH
from interpreters.replies import Replies
from interpreters.wire import dump_bytes, table_to_json

START_SECONDS = 60.0  # import of an engine on a cold, loaded machine
LOAD_SECONDS = 20.0  # from fork to the candidate's first line: reading and loading its inputs
END_SECONDS = 8.0  # kill, reap, sweep
SELF_TEST_FORKS = 3
SELF_TEST_SECONDS = 5.0

_ROOT = str(Path(__file__).resolve().parent.parent)
_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]); from interpreters.zygote import main; "
    "main(int(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5]))"
)
_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "TZ": "UTC",
    "LC_ALL": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "POLARS_MAX_THREADS": "1",
    "_RJEM_MALLOC_CONF": "background_thread:false,narenas:1",  # the allocator of Polars: no threads in the zygote
}

log = logging.getLogger(__name__)


class Zygote:
    """The process of one interpreter. Starts when first needed, and again after it has died or failed.

    Not thread-safe, but `close` may come from another thread. The thread that starts the process must live as long as
    it is used: the kernel ends the process with that thread.
    """

    def __init__(self, runner_module: str, self_test: Job) -> None:
        self.version = ""
        self._runner_module = runner_module
        self._self_test = self_test
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._folder = ""
        self._closed = False
        self._lock = threading.Lock()  # between `close` and a start in another thread

    # -- life -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Make sure that it runs. Raises InterpreterUnavailable with the reason when it cannot."""
        self._require_open()
        if self._process is not None:
            status = self._process.poll()
            if status is None:
                return
            log.warning("the zygote of %s ended with status %s; starting another", self._runner_module, status)
            self._stop()
        with tempfile.TemporaryFile() as errors:
            with self._lock:
                self._require_open()  # again: `close` may have come meanwhile
                self._spawn(errors)
            try:
                self._await_ready(errors)
                self._test_itself()
            except BaseException:
                self._stop()
                raise

    def _require_open(self) -> None:
        if self._closed:
            raise InterpreterError(f"the interpreter of {self._runner_module} is closed")

    def _spawn(self, errors: IO[bytes]) -> None:
        self._folder = tempfile.mkdtemp(prefix="candidate-")
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        arguments = [_ROOT, str(theirs.fileno()), self._runner_module, self._folder, str(os.getpid())]
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", _PROGRAM, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=_ENVIRONMENT,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def _await_ready(self, errors: IO[bytes]) -> None:
        answer = self._receive(START_SECONDS)
        word, _, text = answer.decode("utf-8", "replace").partition(" ")
        if word == "ready":
            self.version = text
            return
        errors.seek(0)
        reason = text or errors.read()[-2000:].decode("utf-8", "replace") or f"no answer in {START_SECONDS:.0f} s"
        raise InterpreterUnavailable(f"{self._runner_module} does not start under {sys.executable}: {reason}")

    def _test_itself(self) -> None:
        limits = Limits(seconds=SELF_TEST_SECONDS)
        for _ in range(SELF_TEST_FORKS):
            [execution] = self._run([self._self_test], limits)
            if execution.outcome is not Outcome.PASSED:
                raise InterpreterUnavailable(
                    f"{self.version} fails in a forked child: {execution.outcome} {execution.message}. "
                    "The engine's threads may not survive a fork on this machine."
                )

    def close(self) -> None:
        """End the zygote and all its children, for good; safe to call twice."""
        with self._lock:
            self._closed = True
        self._stop()

    def _stop(self, patience: float = END_SECONDS) -> None:
        with self._lock:
            process, control = self._process, self._control
            self._process = self._control = None
        if process is None or control is None:
            return
        with contextlib.suppress(OSError):  # it may have gone already
            control.shutdown(socket.SHUT_RDWR)  # the zygote reads the end of file, kills its child and leaves
        control.close()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    # -- candidates -----------------------------------------------------------------------------------------------

    def run(self, jobs: Sequence[Job], limits: Limits) -> list[Execution]:
        """Run the jobs one after the other in one forked child; return what the first of them gave.

        At least one execution comes back. When a job takes its process with it, the list ends with that job.
        Raises InterpreterError when the child failed before it came to the first job's code.
        """
        self.start()
        return self._run(jobs, limits)

    def _run(self, jobs: Sequence[Job], limits: Limits) -> list[Execution]:
        request = _request(jobs, limits)
        replies = Replies([len(inputs) for _, inputs in jobs], limits)
        try:
            ours, theirs = socket.socketpair()
            with ours:
                with theirs:
                    socket.send_fds(self._socket(), [b"run"], [theirs.fileno()])
                ending = _converse(ours, request, replies)
            status = self._end(may_raise=not replies.started)
        except (OSError, InterpreterError) as error:
            self._stop()
            if isinstance(error, InterpreterError):
                raise
            raise InterpreterError(f"the zygote of {self._runner_module} is gone: {error}") from error
        if not replies.started:
            raise InterpreterError(f"the child ended before the candidate started ({ending}, status {status})")
        if not replies.executions or ending != "told":
            replies.end_job(*_explain(ending, status, limits))
        return replies.executions

    def _socket(self) -> socket.socket:
        if self._control is None:
            raise InterpreterError(f"the zygote of {self._runner_module} was stopped")
        return self._control

    def _end(self, may_raise: bool) -> int | None:
        """Have the child killed and reaped; return its wait status, None when the candidate took the zygote along."""
        process = self._process
        try:
            if process is not None:
                process.send_signal(signal.SIGCONT)  # a candidate may have stopped it
            self._socket().send(b"end")
            word, _, status = self._receive(END_SECONDS).partition(b" ")
            if word == b"ended":
                return int(status)
        except (OSError, InterpreterError):
            pass
        if may_raise:
            raise InterpreterError(f"the zygote of {self._runner_module} did not end its child")
        self._stop(patience=0.1)
        return None

    def _receive(self, seconds: float) -> bytes:
        control = self._socket()
        control.settimeout(seconds)
        try:
            return control.recv(4096)
        except (TimeoutError, ConnectionError):
            return b""


def _request(jobs: Sequence[Job], limits: Limits) -> bytes:
    encoded = [
        {
            "code": code,
            "inputs": [{name: table_to_json(table) for name, table in tables.items()} for tables in inputs],
        }
        for code, inputs in jobs
    ]
    return dump_bytes(
        {
            "jobs": encoded,
            "memory_mb": limits.memory_mb,
            "cpu_seconds": limits.seconds * len(jobs),
            "max_cells": limits.cells,
            "max_bytes": limits.output_bytes,
        }
    )


def _converse(connection: socket.socket, request: bytes, replies: Replies) -> str:
    """Send the request and read replies; return why it ended: told (nothing more to come), closed, or deadline."""
    load_deadline = time.monotonic() + LOAD_SECONDS
    connection.settimeout(LOAD_SECONDS)
    try:
        connection.sendall(LENGTH.pack(len(request)) + request)
    except (TimeoutError, ConnectionError):
        return "closed"
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    while True:
        left = (replies.deadline if replies.started else load_deadline) - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            return "deadline"
        try:
            chunk = connection.recv(2**18)
        except ConnectionError:
            return "closed"
        if not chunk:
            return "closed"
        if not replies.feed(chunk):
            return "told"


def _explain(ending: str, status: int | None, limits: Limits) -> tuple[Outcome, str]:
    """Say why a child that had started gave no answer."""
    if ending == "deadline":
        return Outcome.TIMEOUT, f"no result after {limits.seconds:g} s"
    if status is None:
        return Outcome.NO_RESULT, "the process ended together with its sandbox"
    if not os.WIFSIGNALED(status):
        return (
            Outcome.NO_RESULT,
            f"the process ended with exit code {os.waitstatus_to_exitcode(status)}, without a result",
        )
    number = os.WTERMSIG(status)
    if number == signal.SIGABRT:  # how Rust and C++ end when an allocation fails
        return Outcome.MEMORY_EXCEEDED, "the process aborted: an allocation failed"
    if number == signal.SIGXCPU:
        return Outcome.TIMEOUT, f"more CPU time than {limits.seconds:g} s allow"
    if number == signal.SIGKILL:  # it was still alive: our own kill
        return Outcome.NO_RESULT, "the process closed its connection without a result"
    return Outcome.RUNTIME_ERROR, f"the process died of {signal.Signals(number).name}"
