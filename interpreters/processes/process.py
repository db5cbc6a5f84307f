"""The parent side of the sandbox: one zygote per interpreter, forked children in which code runs, hard deadlines.

Everything that a model wrote runs through here. isolation/confine.py lists what a child is kept from and what it is
NOT kept from; zygote.py kills and reaps. Expected values never leave this process.

Until a child says that it has started, only our own code has run, and any failure is an InterpreterError. Afterwards
every ending is the candidate's, even one that takes the zygote along (it may have killed it): the zygote is replaced.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from interpreters.base import Execution, GoOn, InterpreterError, InterpreterUnavailable, Job, Limits, Outcome, Table
from interpreters.processes.conversation import converse, explain, message_of_inputs, request_of_jobs
from interpreters.processes.replies import LOAD_SECONDS, Replies
from interpreters.sandbox import Sandbox, SandboxName, Wanted, wanted

START_SECONDS = 60.0  # import of an engine on a cold, loaded machine
END_SECONDS = 8.0  # kill, reap, sweep
INPUTS_LOADED = 16  # problems whose inputs a zygote holds
SELF_TEST_FORKS = 3
SELF_TEST_SECONDS = 5.0

_ROOT = str(Path(__file__).resolve().parents[2])
_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]); from interpreters.processes.zygote import main; "
    "main(int(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5]), sys.argv[6].split(','))"
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

    def __init__(
        self, runner_module: str, self_test: Job | None, sandbox: SandboxName | Wanted = "required", context: str = ""
    ) -> None:
        self.version = ""
        self.sandbox = Sandbox({}, {}, ())
        self._wanted = wanted(sandbox)
        self._runner_module = runner_module
        self._self_test = self_test
        self._context = context
        self._numbers = itertools.count(1)
        self._may_load = True
        self._loaded: OrderedDict[tuple[int, ...], tuple[int, object]] = OrderedDict()
        self.process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._folder = ""
        self._closed = False
        self._lock = threading.Lock()  # between `close` and a start in another thread

    # -- life -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Make sure that it runs. Raises InterpreterUnavailable with the reason when it cannot."""
        self._require_open()
        if self.process is not None:
            status = self.process.poll()
            if status is None:
                return
            log.warning("the zygote of %s ended with status %s; starting another", self._runner_module, status)
            self._stop()
        try:
            with tempfile.TemporaryFile() as errors:
                self._start(errors)
        except OSError as error:  # no room, no processes left: ours, never the candidate's
            raise InterpreterError(f"the zygote of {self._runner_module} cannot be started: {error}") from error

    def _start(self, errors: IO[bytes]) -> None:
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
        layers = ",".join(sorted(self._wanted.layers))
        arguments = [_ROOT, str(theirs.fileno()), self._runner_module, self._folder, str(os.getpid()), layers]
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-s", "-P", "-c", _PROGRAM, *arguments],
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
            told = json.loads(text)
            sandbox = Sandbox(told["layers"], told["missing"], tuple(told["holes"]))
            if self.version and sandbox.level < self.sandbox.level:
                log.warning("a new zygote has a weaker sandbox: %s. Before: %s", sandbox.line(), self.sandbox.line())
            self.version, self.sandbox = told["version"], sandbox
            refusal = sandbox.refusal()
            if refusal and self._wanted.required:
                raise InterpreterUnavailable(refusal)
            return
        errors.seek(0)
        reason = text or errors.read()[-2000:].decode("utf-8", "replace") or f"no answer in {START_SECONDS:.0f} s"
        raise InterpreterUnavailable(f"{self._runner_module} does not start under {sys.executable}: {reason}")

    def _test_itself(self) -> None:
        if self._self_test is None:
            return
        limits = Limits(seconds=SELF_TEST_SECONDS)
        for _ in range(SELF_TEST_FORKS):
            [execution] = self._run([self._self_test], limits, self._context)
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
            process, control = self.process, self._control
            self.process = self._control = None
            self._loaded.clear()
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

    def run(self, jobs: Sequence[Job], limits: Limits, context: str = "", go_on: GoOn | None = None) -> list[Execution]:
        """Run the jobs one after the other in one forked child; return what the first of them gave.

        At least one execution comes back. When a job takes its process with it, the list ends with that job.
        `context` goes to the runner's `prepare`, `go_on` is for a single job. Raises InterpreterError when the child
        failed before it came to the first job's code.
        """
        self.start()
        return self._run(jobs, limits, context, go_on)

    def run_loaded(
        self, code: str, inputs: Sequence[Mapping[str, Table]], limits: Limits, go_on: GoOn | None = None
    ) -> Execution:
        """Run one code in a child of its own, over inputs that the zygote loads once for all codes of a problem."""
        self.start()
        return self._run([(code, inputs)], limits, "", go_on, self._load(inputs))[0]

    def _run(
        self, jobs: Sequence[Job], limits: Limits, context: str, go_on: GoOn | None = None, loaded: int = 0
    ) -> list[Execution]:
        replies = Replies([len(inputs) for _, inputs in jobs], limits, go_on=go_on)
        with self.fork(loaded) as child:
            message = request_of_jobs(jobs, limits, context, bool(loaded), asks=go_on is not None)
            ending, status = child.ask(message, replies, last=True)
        if not replies.complete and (not replies.executions or ending != "told"):
            replies.end_job(*explain(ending, status, limits))
        return replies.executions

    def _load_no_more(self) -> int:
        """Replace a zygote in which loading started threads, and load in the children from now on."""
        log.warning("loading inputs starts threads in %s; every child loads its own from now on", self._runner_module)
        self._may_load = False
        self._stop()
        self.start()
        return 0

    def fork(self, loaded: int = 0) -> Child:
        """Return a new child, which waits for its request. The zygote must run."""
        number = next(self._numbers)
        return Child(self, number, self._send_socket(b"run %d %d" % (number, loaded)))

    def _send_socket(self, command: bytes) -> socket.socket:
        """Send a command with one end of a new socket; return the other end."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(self._socket(), [command], [theirs.fileno()])
        except (OSError, InterpreterError) as error:
            ours.close()
            raise self.lost(error) from error
        return ours

    def _load(self, inputs: Sequence[Mapping[str, Table]]) -> int:
        """Return the number under which the zygote holds these inputs, known by identity; 0 when it cannot."""
        key = tuple(id(tables) for tables in inputs)
        if not self._may_load:
            return 0
        if key in self._loaded:
            self._loaded.move_to_end(key)
            return self._loaded[key][0]
        number = next(self._numbers)
        with self._send_socket(b"load %d" % number) as connection:
            connection.settimeout(LOAD_SECONDS)
            try:
                connection.sendall(message_of_inputs(inputs))
            except OSError as error:
                raise self.lost(error) from error
            answer = self._receive(LOAD_SECONDS)
        if answer != b"loaded 1":  # the child tries for itself, and says what is wrong
            return self._load_no_more() if answer == b"loaded 2" else 0
        self._loaded[key] = (number, list(inputs))  # kept alive: they are known by identity
        if len(self._loaded) > INPUTS_LOADED:
            _, (oldest, _) = self._loaded.popitem(last=False)
            self._socket().send(b"drop %d" % oldest)
        return number

    def lost(self, error: Exception) -> InterpreterError:
        """End what is left of the zygote; return the error to raise."""
        self._stop()
        return InterpreterError(f"the zygote of {self._runner_module} is gone: {error}")

    def _socket(self) -> socket.socket:
        if self._control is None:
            raise InterpreterError(f"the zygote of {self._runner_module} was stopped")
        return self._control

    def end(self, number: int, may_raise: bool) -> int | None:
        """Have a child killed and reaped; return its wait status, None when the candidate took the zygote along."""
        answer = self._command(b"end", number)
        if answer is not None:
            return answer
        if may_raise:
            raise self.lost(InterpreterError("it did not end its child"))
        self._stop(patience=0.1)
        return None

    def waited(self, number: int) -> float:
        """Return for how many seconds a child has been kept from a processor."""
        return (self._command(b"late", number) or 0) / 1e6

    def _command(self, word: bytes, number: int) -> int | None:
        process = self.process
        try:
            if process is not None:
                process.send_signal(signal.SIGCONT)  # a candidate may have stopped it
            self._socket().send(b"%s %d" % (word, number))
            _, space, answer = self._receive(END_SECONDS).partition(b" ")
            return int(answer) if space else None
        except (OSError, InterpreterError):
            return None

    def _receive(self, seconds: float) -> bytes:
        control = self._socket()
        control.settimeout(seconds)
        try:
            return control.recv(2**16)
        except OSError:  # too late, gone, or closed by another thread
            return b""


class Child:
    """One forked child: `ask` as often as it lives, then `end`. A context manager ends it too."""

    def __init__(self, zygote: Zygote, number: int, connection: socket.socket) -> None:
        self._zygote, self._number, self._connection = zygote, number, connection
        self._process = zygote.process
        self._ended = False

    def ask(self, message: bytes, replies: Replies, last: bool = False) -> tuple[str, int | None]:
        """Send a message and read its replies; return why that ended, and the wait status where the child is gone.

        Unless all was told, the child is ended. Raises InterpreterError when it has never started.
        """
        try:
            ending = converse(self._connection, message, replies, lambda: self._zygote.waited(self._number))
        except InterpreterError as error:
            self.end(may_raise=False)
            raise error
        except OSError as error:
            raise self._zygote.lost(error) from error
        status = None
        if last or ending != "told":
            status = self.end(may_raise=not replies.started)
        if not replies.started:
            raise InterpreterError(f"the child ended before the candidate started ({ending}, status {status})")
        return ending, status

    def end(self, may_raise: bool = False) -> int | None:
        """Kill it; return its wait status, None when it is not known. Safe to call twice."""
        if self._ended:
            return None
        self._ended = True
        self._connection.close()
        if self._process is not self._zygote.process:  # it went with an earlier zygote
            return None
        return self._zygote.end(self._number, may_raise)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *error: object) -> None:
        self.end()
