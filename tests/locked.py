"""A child process that takes layers of the lockdown, runs one attack, and reports what it gave or its errno."""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import select
import signal
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

from interpreters.isolation import landlock, linux, privileges, seccomp
from interpreters.isolation.syscall_numbers import NUMBERS

PR_SET_DUMPABLE = 4
PARENT = os.getpid()
PLAIN_UID = 65534
SYSTEM = ["/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/proc/self", "/dev/null", "/no/such/path"]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
USERS = [
    pytest.param(None, id="root", marks=needs_root),
    pytest.param(os.geteuid() or PLAIN_UID, id="plain user"),
]
as_users = pytest.mark.parametrize("uid", USERS)
needs_landlock = pytest.mark.skipif(landlock.abi() == 0, reason="this kernel has no Landlock")

Layer = Callable[[], object]


def drop_privileges() -> None:
    privileges.drop(privileges.private_uid())


SECCOMP: tuple[Layer, ...] = (linux.set_no_new_privs, seccomp.install)


def call(name: str, *arguments: int) -> int:
    return linux.syscall(name, NUMBERS[os.uname().machine][name], *arguments)


@dataclass(frozen=True)
class Folders:
    """Two folders that everybody may change as far as the file system is concerned; `inside` may be read."""

    inside: Path
    outside: Path

    @property
    def landlock(self) -> tuple[Layer, ...]:
        return (linux.set_no_new_privs, lambda: landlock.restrict([*SYSTEM, str(self.inside)]))

    @property
    def all_layers(self) -> tuple[Layer, ...]:
        return (drop_privileges, *self.landlock, seccomp.install)


@contextlib.contextmanager
def open_folders() -> Iterator[Folders]:
    """Make folders that belong to the plain user: permissions do not stop an attack then."""
    with tempfile.TemporaryDirectory() as parent:
        root = Path(parent)
        made = Folders(root / "inside", root / "outside")
        for folder in (made.inside, made.outside):
            folder.mkdir()
            (folder / "file").write_text("content")
        for path in [root, *root.rglob("*")]:
            path.chmod(0o777)
            if os.geteuid() == 0:
                os.chown(path, PLAIN_UID, PLAIN_UID)
        yield made


@dataclass(frozen=True)
class Ending:
    """What an attack came to. `status` is the exit code, negative for a signal."""

    status: int
    value: Any = None
    errno: int | None = None
    message: str = ""


@dataclass(frozen=True)
class Child:
    """A child that runs. It and whatever it started hold the other end of `pipe`."""

    pid: int
    pipe: int

    def read(self, seconds: float = 20.0) -> str:
        """Return everything up to the end of file, which comes when all of them are gone."""
        text, deadline = b"", time.monotonic() + seconds
        while select.select([self.pipe], [], [], max(deadline - time.monotonic(), 0))[0]:
            if not (chunk := os.read(self.pipe, 65536)):
                return text.decode()
            text += chunk
        raise TimeoutError(f"still running after {seconds} s, having said {text!r}")

    def wait(self) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@contextlib.contextmanager
def child(attack: Callable[[], object], layers: Sequence[Layer] = (), uid: int | None = None) -> Iterator[Child]:
    """Fork a child that takes the layers in order and then attacks. It is killed when the block ends."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _live(attack, layers, uid, writing)
    os.close(writing)
    try:
        yield Child(pid, reading)
    finally:
        os.close(reading)
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def locked(attack: Callable[[], object], layers: Sequence[Layer] = (), uid: int | None = None) -> Ending:
    """Run one attack in a child, to its end."""
    with child(attack, layers, uid) as running:
        text = running.read()
        status = running.wait()
    report = json.loads(text or "{}")
    assert "broken" not in report, report["broken"]
    return Ending(status, **report)


def _live(attack: Callable[[], object], layers: Sequence[Layer], uid: int | None, writing: int) -> NoReturn:
    faulthandler.disable()
    report: dict[str, object] = {}
    try:
        if uid is not None and os.geteuid() == 0:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            linux.prctl(PR_SET_DUMPABLE, 1)  # as a program that this user has started
        for layer in layers:
            layer()
        report = {"value": attack()}
    except OSError as error:
        report = {"errno": error.errno, "message": str(error)}
    except SystemExit as left:
        os._exit(int(str(left.code)))
    except BaseException:  # whatever it is, the test shall show it
        report = {"broken": traceback.format_exc()}
    finally:
        with contextlib.suppress(OSError):
            os.write(writing, json.dumps(report, default=repr).encode())
        os._exit(0)
