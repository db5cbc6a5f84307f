"""Files and privileges under the lockdown: what Landlock, the filter and the loss of root leave of them."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import signal
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from locked import (
    PARENT,
    SECCOMP,
    Folders,
    Layer,
    as_users,
    call,
    drop_privileges,
    locked,
    needs_landlock,
    needs_root,
    open_folders,
)  # fmt: skip

from interpreters.isolation import landlock, linux, privileges


@pytest.fixture
def folders() -> Iterator[Folders]:
    with open_folders() as made:
        yield made


# -- files --------------------------------------------------------------------------------------------------------


def changes(path: Path) -> dict[str, Callable[[], object]]:
    """Return what changes a file or its folder."""
    name = str(path)
    return {
        "mkdir": lambda: (path.parent / "new").mkdir(),
        "unlink": path.unlink,
        "rename": lambda: path.rename(name + "2"),
        "symlink": lambda: Path(name + "3").symlink_to("/"),
        "hard link": lambda: os.link(name, name + "4"),
        "fifo": lambda: os.mkfifo(name + "5"),
        "truncate": lambda: os.truncate(name, 0),
        "write": lambda: os.open(name, os.O_WRONLY),
        "read and write": lambda: os.open(name, os.O_RDWR),
        "append": lambda: os.open(name, os.O_WRONLY | os.O_APPEND),
        "create": lambda: os.open(name + "6", os.O_RDONLY | os.O_CREAT),
        "open and truncate": lambda: os.open(name, os.O_RDONLY | os.O_TRUNC),
        "unnamed file": lambda: os.open(path.parent, os.O_TMPFILE | os.O_RDWR),
    }


def attributes(path: Path) -> dict[str, Callable[[], object]]:
    """Return what changes what is known of a file: not Landlock's business."""
    name = str(path)

    def set_flags() -> None:
        fcntl.ioctl(os.open(name, os.O_RDONLY), 0x40086602, b"\0" * 8)

    return {
        "chmod": lambda: path.chmod(0o700),
        "fchmod": lambda: os.fchmod(os.open(name, os.O_RDONLY), 0o700),
        "fchmodat2": lambda: call("fchmodat2", -100, 0, 0o700, 0),
        "chown": lambda: os.chown(name, -1, -1),
        "utime": lambda: os.utime(name),
        "set an attribute": lambda: os.setxattr(name, "user.x", b"y"),
        "list attributes": lambda: os.listxattr(name),
        "file flags": set_flags,
    }


@needs_landlock
@as_users
@pytest.mark.parametrize("place", ["inside", "outside"])
def test_no_file_can_be_changed(uid: int | None, place: str, folders: Folders) -> None:
    path: Path = getattr(folders, place) / "file"
    before = path.stat()
    for name, attack in changes(path).items():
        assert locked(attack, folders.landlock, uid).errno == errno.EACCES, name
        assert locked(attack, SECCOMP, uid).errno == errno.EPERM, name
        assert locked(attack, folders.all_layers, uid).errno in (errno.EPERM, errno.EACCES), name
    for name, attack in attributes(folders.inside / "file").items():
        assert locked(attack, SECCOMP, uid).errno == errno.EPERM, name
        assert locked(attack, folders.all_layers, uid).errno == errno.EPERM, name
    assert path.stat() == before
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("content", 0o777)
    assert [entry.name for entry in path.parent.iterdir()] == ["file"]


@needs_landlock
@as_users
def test_only_what_is_given_can_be_read(uid: int | None, folders: Folders) -> None:
    for layers in (folders.landlock, folders.all_layers):
        assert locked((folders.inside / "file").read_text, layers, uid).value == "content"
        assert locked(lambda: [p.name for p in folders.inside.iterdir()], layers, uid).value == ["file"]
        for attack in (
            (folders.outside / "file").read_text,
            lambda: list(folders.outside.iterdir()),
            lambda: list(Path("/").iterdir()),
            Path("/etc/passwd").read_text,
            Path(f"/proc/{PARENT}/environ").read_bytes,
        ):
            assert locked(attack, layers, uid).errno == errno.EACCES


@needs_landlock
@as_users
def test_landlock_alone_starts_no_program_and_opens_no_connection(uid: int | None, folders: Folders) -> None:
    assert locked(lambda: os.execv("/bin/true", ["true"]), folders.landlock, uid).errno == errno.EACCES
    if landlock.abi() >= 4:
        connect = lambda: socket.socket().connect(("127.0.0.1", 9))  # noqa: E731
        assert locked(connect, folders.landlock, uid).errno == errno.EACCES
        assert locked(lambda: socket.socket().bind(("127.0.0.1", 0)), folders.landlock, uid).errno == errno.EACCES
    if landlock.abi() >= 6:
        assert locked(lambda: os.kill(PARENT, 0), folders.landlock, uid).errno == errno.EPERM


@needs_landlock
def test_landlock_refuses_to_leave_a_thread_out(folders: Folders) -> None:
    wait = threading.Event().wait
    start = lambda: threading.Thread(target=wait, args=(5,), daemon=True).start()  # noqa: E731
    refused = locked(lambda: None, (start, *folders.landlock))
    assert refused.errno == errno.EBUSY and "1 others would stay free" in refused.message


# -- privileges ---------------------------------------------------------------------------------------------------


@as_users
def test_nothing_is_left_of_privileges(uid: int | None) -> None:
    def state() -> list[object]:
        status = dict(line.split(":\t") for line in Path("/proc/self/status").read_text().splitlines())
        held = [status[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Amb")]
        return [set(held) == {"0" * 16}, int(status["CapBnd"], 16), os.getresuid(), os.getgroups(), os.getresgid()]

    assert locked(privileges.is_privileged, (), uid).value is (uid is None)
    assert locked(privileges.is_privileged, (drop_privileges,), uid).value is False
    clean, bounding, users, groups, group_ids = locked(state, (drop_privileges,), uid).value
    assert clean
    if uid is None:
        assert bounding == 0 and groups == []
        assert users == group_ids == [users[0]] * 3 and users[0] in range(61000, 65000)


@needs_root
def test_root_cannot_come_back() -> None:
    for attack in (lambda: os.setuid(0), lambda: os.setgroups([0]), lambda: os.chroot("/")):
        assert locked(attack, (drop_privileges,)).errno == errno.EPERM
    raised = lambda: resource.prlimit(0, resource.RLIMIT_CORE, (1, 1))  # noqa: E731
    lower: Layer = lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # noqa: E731
    assert locked(raised, (lower, drop_privileges)).errno == errno.EPERM
    assert locked(lambda: list(Path("/root").iterdir()), (drop_privileges,)).errno in (errno.EACCES, None)


@as_users
def test_the_signal_at_the_parents_death_is_kept(uid: int | None) -> None:
    def kept() -> int:
        found = privileges._Signal()
        linux.prctl(linux.PR_GET_PDEATHSIG, found)
        return found.number

    assert locked(kept, (lambda: linux.prctl(1, signal.SIGKILL), drop_privileges), uid).value == signal.SIGKILL
