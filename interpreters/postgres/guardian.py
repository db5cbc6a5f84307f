"""The process that keeps a PostgreSQL server: makes its data folder, starts it, and takes all of it away again.

A program of its own, started by postgres/server.py: it outlives its parent by the moment that tidying up takes,
however the parent ended. It goes when the parent says so, closes the pipe or dies; when it is killed itself, the kernel
stops the server. Nothing is left: no process, no folder, no account, no System V segment.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from interpreters.isolation.confine import adopt_orphans, die_with_parent
from interpreters.isolation.linux import LIBC
from interpreters.postgres.accounts import own, run_as, server_options, server_uid, tool_options, tool_uid
from interpreters.postgres.folders import SOCKETS, DataFolder, reachable, work_folder

ADMIN = "checker"
START_SECONDS = 60.0
STOP_SECONDS = 5.0  # for each of: fast stop, immediate stop
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "TZ": "UTC", "LC_ALL": "C.UTF-8"}
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off", "full_page_writes": "off", "synchronous_commit": "off",
    "wal_level": "minimal", "max_wal_senders": "0",
    "shared_buffers": "64MB", "work_mem": "64MB", "temp_file_limit": "256MB",
    "dynamic_shared_memory_type": "mmap",  # in the data folder, not in /dev/shm
    "max_worker_processes": "0", "max_parallel_workers_per_gather": "0", "jit": "off",
    "timezone": "UTC", "log_timezone": "UTC",
    "client_connection_check_interval": "500ms",
    "log_min_messages": "log", "log_min_error_statement": "panic", "log_checkpoints": "off",
}  # fmt: skip
_SETTINGS_SINCE = {18: {"io_method": "sync"}}  # else three processes more
SESSION_MB = 32  # address space of a session that does nothing, beyond the server's own
_REMOVE = 0  # IPC_RMID


@dataclass(frozen=True)
class Plan:
    """What to start: `binaries` is the folder of postgres, `version` what it calls itself."""

    binaries: str
    version: str
    major: int
    cache: str | None
    connections: int


class Released(Exception):  # noqa: N818 - not an error
    """The parent does not need the server any more."""


class Watch:
    """Waits for a process, but only as long as the parent wants it. `asked` is a number that the parent has sent."""

    def __init__(self, parent: int) -> None:
        self.asked = 0
        self._poll = select.poll()
        self._poll.register(sys.stdin.fileno(), select.POLLIN)
        try:
            self._poll.register(os.pidfd_open(parent), select.POLLIN)
        except ProcessLookupError:
            raise Released from None
        if os.getppid() != parent:  # gone before the question
            raise Released

    def wait(self, process: subprocess.Popen[bytes], seconds: float | None = None) -> int | None:
        """Return its exit status, None when it still runs after `seconds` or the parent asks. Raises Released."""
        descriptor = os.pidfd_open(process.pid)
        self._poll.register(descriptor, select.POLLIN)
        try:
            ready = self._poll.poll(None if seconds is None else seconds * 1000)
        finally:
            self._poll.unregister(descriptor)
            os.close(descriptor)
        found = {number for number, _ in ready}
        if sys.stdin.fileno() in found:
            self.asked = _number(os.read(sys.stdin.fileno(), 64))
            return None
        if found - {descriptor}:
            raise Released
        return process.wait() if found else None


def _number(word: bytes) -> int:
    """Return the number that the parent sent. Anything else, as the end of file, means that it lets go."""
    if not word.strip().isdigit():
        raise Released
    return int(word)


def main(parent: int, plan: str) -> None:
    """Start a server, tell where it is, and keep it until the parent lets go."""
    signal.signal(signal.SIGTERM, _leave)
    adopt_orphans()
    os.umask(0o077)
    with contextlib.suppress(Released), work_folder(server_uid()) as folder:
        _keep(Plan(**json.loads(plan)), folder, Watch(parent))


def _leave(number: int, frame: FrameType | None) -> None:
    raise Released


def _keep(plan: Plan, folder: Path, watch: Watch) -> None:
    guardian = Guardian(plan, folder, watch)
    try:
        postgres = guardian.start()
        _tell({"folder": str(folder), "sockets": str(folder / SOCKETS), "postmaster": postgres.pid})
        while watch.wait(postgres) is None:
            _tell({"limited": guardian.limit_sessions(postgres.pid, watch.asked)})
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        _tell({"failed": f"{error}"})
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        guardian.stop()


def _tell(message: dict[str, object]) -> None:
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(message), flush=True)


class Guardian:
    """The server of one plan in one folder."""

    def __init__(self, plan: Plan, folder: Path, watch: Watch) -> None:
        self._plan, self._folder, self._watch = plan, folder, watch
        self._binaries = Path(plan.binaries)
        self._postgres: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        """Return the process of a server that takes connections. Raises RuntimeError with the reason."""
        sockets = self._folder / SOCKETS
        sockets.mkdir(0o770)
        if (uid := server_uid()) is not None:
            os.chown(sockets, 0, uid)  # root reaches it as the owner, also where it has no rights over others' files
            sockets.chmod(0o770)
            accounts = {uid, tool_uid() or uid}
            self._binaries = reachable(self._binaries, accounts, self._folder)
        data = DataFolder(self._folder / "data", self._plan.version, self._binaries, self._plan.cache)
        if data.copy_of_cache():
            try:
                return self._serve(data.path)
            except RuntimeError:  # a power cut may have spoilt the cache
                data.discard()
        self._initialise(data)
        return self._serve(data.path)

    def _initialise(self, data: DataFolder) -> None:
        account = tool_uid()
        data.path.mkdir(0o700)
        own(data.path, account)
        for command, text in data.commands(ADMIN):
            self._run(command, text, account)
        data.save()

    def _run(self, command: Sequence[str], text: str, uid: int | None) -> None:
        with open(self._folder / "log", "ab") as log, subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd="/", env=ENVIRONMENT, **tool_options(uid)
        ) as process:  # fmt: skip
            assert process.stdin is not None
            try:
                with contextlib.suppress(BrokenPipeError), process.stdin:  # it may have ended already
                    process.stdin.write(text.encode())
                status = self._watch.wait(process, START_SECONDS)
            except BaseException:
                process.kill()
                raise
            if status != 0:
                process.kill()
                raise RuntimeError(f"{command[0]} ended with {status}: {self._end_of_log()}")

    def _serve(self, data: Path) -> subprocess.Popen[bytes]:
        uid, guardian = server_uid(), os.getpid()
        own(data, uid)

        def bind() -> None:
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            die_with_parent(guardian, signal.SIGQUIT)

        settings = {
            **_SETTINGS, "unix_socket_directories": str(self._folder / SOCKETS), "unix_socket_permissions": "0777",
            "max_connections": str(self._plan.connections),
        }  # fmt: skip
        for major, more in _SETTINGS_SINCE.items():
            settings |= more if self._plan.major >= major else {}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = [str(self._binaries / "postgres"), "-D", str(data), *options]
        with open(self._folder / "log", "ab") as log:
            self._postgres = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env=ENVIRONMENT,
                process_group=0, **server_options(uid, bind),
            )  # fmt: skip
        self._await_ready(self._postgres, data / "postmaster.pid")
        return self._postgres

    def _await_ready(self, postgres: subprocess.Popen[bytes], status_file: Path) -> None:
        """Wait until the status file says that the server takes connections: its eighth line."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._watch.wait(postgres, 0.005) is not None:
                break
            with contextlib.suppress(FileNotFoundError):
                lines = status_file.read_text().splitlines()
                if len(lines) >= 8 and lines[7].strip() == "ready":
                    return
        self.stop()
        raise RuntimeError(f"the server does not start: {self._end_of_log()}")

    def _end_of_log(self) -> str:
        return (self._folder / "log").read_bytes()[-1500:].decode("utf-8", "replace").strip()

    def limit_sessions(self, postmaster: int, memory_mb: int) -> bool:
        """Let sessions that begin from now on add so much to the address space that the server has."""

        def limit() -> bool:
            pages = int(Path(f"/proc/{postmaster}/statm").read_text().split()[0])
            most = pages * resource.getpagesize() + (memory_mb + SESSION_MB) * 2**20
            resource.prlimit(postmaster, resource.RLIMIT_AS, (most, resource.RLIM_INFINITY))
            return True

        uid = server_uid()
        return limit() if uid is None else run_as(uid, limit)  # root may not where it lacks CAP_SYS_RESOURCE

    def stop(self) -> None:
        """Stop the server, fast, then at once, then by force, with all its sessions."""
        postgres, self._postgres = self._postgres, None
        if postgres is not None:
            _end(postgres)
        _kill_children()
        self._remove_segment()

    def _remove_segment(self) -> None:
        """Remove the shared memory that a server has left which was killed: it is named in the file that it left."""
        with contextlib.suppress(FileNotFoundError, IndexError, ValueError):
            line = (self._folder / "data" / "postmaster.pid").read_text().splitlines()[6]
            LIBC.shmctl(ctypes.c_int(int(line.split()[1])), ctypes.c_int(_REMOVE), None)


def _end(postgres: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        postgres.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            postgres.wait(STOP_SECONDS)
            return


def _kill_children() -> None:
    """Kill what the server has left to this process, until there is nothing."""
    with contextlib.suppress(ChildProcessError, FileNotFoundError):  # none is left; a kernel without this file
        while True:
            for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            os.wait()
