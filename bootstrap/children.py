"""Child programs of the loop: started, watched, logged, and ended with the loop however the loop ends.

A child has a session of its own and dies with the loop (parent-death signal), so that a killed loop leaves nobody who
writes into its run folder; the run's lock is inherited, so that even a grandchild left behind keeps a second loop out.

Importing torch and its friends takes seconds in which neither training nor sampling runs. `ChildRunner.prestart`
starts the program of a later stage with `--wait`: it imports, then waits on stdin for the word to begin.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bootstrap.errors import UserError
from bootstrap.programs import StopRequest
from bootstrap.progress import LINE

PR_SET_PDEATHSIG = 1
STOP_SECONDS = 5.0  # between SIGTERM and SIGKILL
TAIL_LINES = 15
LAST_LINES_SECONDS = 2.0  # after the child has ended; a grandchild left behind may hold its output open for ever

STEP_LINE = re.compile(r"^step (\d+)/(\d+):? ?(.*)$")
"""How the trainer says how far it is."""

log = logging.getLogger(__name__)

OnProgress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Command:
    """One child program: its words, where its output goes, and the name by which a person knows it."""

    label: str
    words: tuple[str, ...]
    log_file: Path

    def __str__(self) -> str:
        return shlex.join(self.words)


class ChildFailedError(UserError):
    """A child ended with an error; the message holds its last line, its log and the command to run it by hand."""


class Child:
    """A child process, waiting until `begin`. Must be started from the main thread: the parent-death signal follows
    the thread."""

    def __init__(self, command: Command, keep_open: Sequence[int], *, wait: bool = False) -> None:
        self.command = command
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._on_progress: OnProgress = _ignore
        command.log_file.parent.mkdir(parents=True, exist_ok=True)
        loop = os.getpid()
        libc = ctypes.CDLL(None)

        def die_with_the_loop() -> None:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != loop:  # it died before the line above
                os._exit(1)

        self._waits = wait
        words = (*command.words, "--wait") if wait else command.words
        try:
            self.process = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
                pass_fds=tuple(keep_open), preexec_fn=die_with_the_loop, env={**os.environ, "PYTHONUNBUFFERED": "1"},
                text=True, errors="replace",
            )  # fmt: skip
        except OSError as e:
            raise UserError(f"cannot start {command.label}: {words[0]}: {e.strerror} (by hand: {command})") from e
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def begin(self, on_progress: OnProgress) -> None:
        """Let the child work."""
        log.info("start %s: %s (log: %s)", self.command.label, self.command, self.command.log_file)
        self._on_progress = on_progress
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has failed already: `check` will say so
            if self._waits:
                self.process.stdin.write("go\n")
            self.process.stdin.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with open(self.command.log_file, "a", encoding="utf-8") as file:
            file.write(f"$ {self.command}\n")
            for line in self.process.stdout:
                self._note(line.rstrip())
                with contextlib.suppress(OSError):  # a full disk: the child meets it too, and says so
                    file.write(line)
                    file.flush()

    def _note(self, line: str) -> None:
        progress = LINE.match(line) or STEP_LINE.match(line)
        if progress:
            self._on_progress(int(progress[1]), int(progress[2]), progress[3])
        elif line.strip():
            self.tail.append(line)

    def check(self) -> bool:
        """Say whether the child has ended well. Raises ChildFailedError when it has ended otherwise."""
        status = self.process.poll()
        if status is None:
            return False
        self._reader.join(LAST_LINES_SECONDS)
        if status != 0:
            raise ChildFailedError(self._explain(status))
        return True

    def _explain(self, status: int) -> str:
        cause = next((line for line in reversed(self.tail) if "error" in line.lower()), "")
        cause = cause or (self.tail[-1] if self.tail else "it printed nothing")
        ended = f"ended with status {status}"
        if status < 0:
            ended = f"was ended by signal {-status} ({signal.strsignal(-status)})"
        return (
            f"{self.command.label} {ended}: {cause.strip()}\n  log: {self.command.log_file}\n"
            f"  by hand: {self.command}\n  after mending it, go on with --resume"
        )

    def stop(self) -> None:
        """End the child and everything in its session: SIGTERM, and SIGKILL for what is left."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_SECONDS)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        for pid in session_members(self.process.pid):  # replicas, and what they started, have groups of their own
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


def session_members(leader: int) -> list[int]:
    """Return the processes of a session, whatever group they are in."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has just ended
            if int(path.read_text().rpartition(")")[2].split()[3]) == leader:
                found.append(int(path.parent.name))
    return found


class ChildRunner:
    """Runs the commands of the stages; knows the children that were started ahead of theirs."""

    def __init__(self, keep_open: Sequence[int] = ()) -> None:
        self._keep_open = keep_open
        self._early: dict[tuple[str, ...], Child] = {}

    def prestart(self, command: Command) -> None:
        """Start a program that knows `--wait` ahead of its stage. If the stage never comes, `close` ends it."""
        if command.words not in self._early:
            self._early[command.words] = Child(command, self._keep_open, wait=True)

    def run(
        self, commands: Sequence[Command], on_progress: OnProgress, once_begun: Callable[[], None] = lambda: None
    ) -> list[float]:
        """Run the commands side by side until all have ended; return the seconds of each.

        `once_begun` is called when all of them work; progress is that of the first. Raises ChildFailedError for the
        first that fails; the others are ended then, and also when this process is interrupted.
        """
        started = time.monotonic()
        seconds: dict[int, float] = {}
        with contextlib.ExitStack() as stack:
            children: list[Child] = []
            for command in commands:
                children.append(self._take(command))
                stack.callback(children[-1].stop)
                children[-1].begin(on_progress if len(children) == 1 else _ignore)
            once_begun()
            while len(seconds) < len(children):
                StopRequest.check()
                for i, child in enumerate(children):
                    if i not in seconds and child.check():
                        seconds[i] = time.monotonic() - started
                time.sleep(0.02)
        return [seconds[i] for i in range(len(children))]

    def _take(self, command: Command) -> Child:
        early = self._early.pop(command.words, None)
        if early is not None and early.process.poll() is None:
            return early
        return Child(command, self._keep_open)

    def close(self) -> None:
        """End the children that were started ahead and never came to work."""
        while self._early:
            self._early.popitem()[1].stop()


def _ignore(done: int, total: int, note: str) -> None: ...


def python(module_or_path: str, *words: str) -> tuple[str, ...]:
    """Return the words that run a module (by dotted name) or a file of the project with this interpreter."""
    start = ("-m", module_or_path) if not module_or_path.endswith(".py") else (module_or_path,)
    return (sys.executable, *start, *words)
