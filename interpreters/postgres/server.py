"""One PostgreSQL server for this program, started when first needed and shared by all that use it.

The server belongs to a process of its own (postgres/guardian.py), which takes it away when the last user has left, at
the end of the program, and when the program is killed. A server that has died is replaced at the next use; what its
users had on it is gone then, and they know by its number.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import json
import logging
import os
import select
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from interpreters.base import InterpreterError, InterpreterUnavailable
from interpreters.postgres.binaries import Binaries, Kind, find_binaries
from interpreters.postgres.folders import DATABASE
from interpreters.postgres.guardian import ADMIN, ENVIRONMENT, START_SECONDS, Plan

STOP_SECONDS = 20.0  # the guardian's own patience is shorter
SESSIONS_PER_CORE = 20
_CACHE = "bootstrap-self-training"
_ROOT = str(Path(__file__).resolve().parents[2])
_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]); from interpreters.postgres.guardian import main; "
    "main(int(sys.argv[2]), sys.argv[3])"
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Running:
    """A server that runs, as far as is known. `number` tells it from those before it."""

    number: int
    kind: Kind
    sockets: str
    postmaster: int

    @property
    def conninfo(self) -> dict[str, str]:
        return {"host": self.sockets, "port": "5432", "dbname": DATABASE, "user": ADMIN}


class Server:
    """The server of one kind. Its methods may be called from any thread."""

    def __init__(self, kind: Kind | None) -> None:
        self._kind = kind
        self._users = 0
        self._number = 0
        self._guardian: subprocess.Popen[bytes] | None = None
        self._folder = ""
        self._limited = (0, 0)
        self._running: Running | None = None
        self._lock = threading.RLock()

    def join(self) -> None:
        """Become a user; does not start anything yet."""
        with self._lock:
            self._users += 1

    def leave(self) -> bool:
        """Stop being a user; the last one stops the server. Return whether that was so."""
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self.stop()
            return self._users == 0

    def running(self) -> Running:
        """Return the server, after starting it where there is none. Raises InterpreterUnavailable with the reason."""
        with self._lock:
            if self._running is not None:
                if self.is_running():
                    return self._running
                log.warning("the PostgreSQL server has ended; starting another")
                self.stop()
            binaries = find_binaries(self._kind, os.environ)
            try:
                self._running = self._start(binaries)
            except BaseException:
                self.stop()
                raise
            return self._running

    def limit_sessions(self, memory_mb: int) -> None:
        """Let sessions that begin from now on add so much to the address space that the server has."""
        with self._lock:
            limited = (self.running().number, memory_mb)
            if limited == self._limited or self._guardian is None or self._guardian.stdin is None:
                return
            with contextlib.suppress(BrokenPipeError):  # it has just ended
                self._guardian.stdin.write(b"%d\n" % memory_mb)
                self._guardian.stdin.flush()
                if self._listen(START_SECONDS).get("limited"):
                    self._limited = limited
                    return
            raise InterpreterError(f"the sessions of PostgreSQL could not be limited to {memory_mb} MiB")

    def is_running(self) -> bool:
        """Say whether there is a server, as far as is known."""
        guardian = self._guardian
        return guardian is not None and guardian.poll() is None

    def _start(self, binaries: Binaries) -> Running:
        plan = Plan(
            str(binaries.folder), f"{binaries.version} {binaries.kind}", binaries.major, _cache_folder(),
            SESSIONS_PER_CORE * max(os.cpu_count() or 1, 5),
        )  # fmt: skip
        arguments = [_ROOT, str(os.getpid()), json.dumps(dataclasses.asdict(plan))]
        with tempfile.TemporaryFile() as errors:
            self._guardian = subprocess.Popen(
                [sys.executable, "-I", "-c", _PROGRAM, *arguments],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, start_new_session=True,
                env={**ENVIRONMENT, "TMPDIR": tempfile.gettempdir()},
            )  # fmt: skip
            told = self._listen(3 * START_SECONDS)
            errors.seek(0)
            reason = told.get("failed") or errors.read()[-2000:].decode("utf-8", "replace") or "no answer"
        if "sockets" not in told:
            raise InterpreterUnavailable(f"{binaries.version} in {binaries.folder} does not start: {reason}")
        self._number += 1
        self._folder = told["folder"]
        log.info("started %s (%s) in %s", binaries.version, binaries.kind, self._folder)
        return Running(self._number, binaries.kind, told["sockets"], int(told["postmaster"]))

    def _listen(self, seconds: float) -> dict[str, str]:
        assert self._guardian is not None and self._guardian.stdout is not None
        if not select.select([self._guardian.stdout], [], [], seconds)[0]:
            return {}
        line = self._guardian.stdout.readline()
        return json.loads(line) if line else {}

    def stop(self) -> None:
        """Stop the server and wait until nothing is left of it; safe to call twice."""
        with self._lock:
            guardian, self._guardian, self._running = self._guardian, None, None
            if guardian is None:
                return
            assert guardian.stdin is not None and guardian.stdout is not None
            with contextlib.suppress(BrokenPipeError):
                guardian.stdin.write(b"stop\n")  # not its end only: a fork of this program may hold the pipe too
                guardian.stdin.close()
            try:
                guardian.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                guardian.kill()
                guardian.wait()
            guardian.stdout.close()
            if self._folder:
                shutil.rmtree(self._folder, ignore_errors=True)  # only where somebody killed the guardian


def _cache_folder() -> str | None:
    home = os.environ.get("HOME")
    base = os.environ.get("XDG_CACHE_HOME") or (f"{home}/.cache" if home else "")
    return f"{base}/{_CACHE}" if base.startswith("/") else None


_servers: dict[tuple[int, Kind | None], Server] = {}
_servers_lock = threading.Lock()


def shared_server(kind: Kind | None) -> Server:
    """Return this program's server of a kind (None: of the first kind that is there), started or not.

    A fork of the program has servers of its own.
    """
    with _servers_lock:
        key = (os.getpid(), kind)
        if key not in _servers:
            _servers[key] = Server(kind)
            atexit.register(_stop_at_exit, key)
        return _servers[key]


def _stop_at_exit(key: tuple[int, Kind | None]) -> None:
    if key[0] == os.getpid():
        _servers[key].stop()
