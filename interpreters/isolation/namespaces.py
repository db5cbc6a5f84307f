"""Namespaces around a whole program: no network, nobody else's processes, IPC, mounts or host name. By ctypes.

Root that may (CAP_SYS_ADMIN) needs no user namespace; everybody else gets one in which the user stays who it is. A
namespace of processes begins with the next child, so two processes come out of `enter`: the inner one, number 1 of
the new namespace, goes on with the program; the outer one stays behind, passes SIGTERM on, and ends as the inner one
ends. When number 1 dies the kernel kills everything in the namespace, so nothing that it started can outlive it.

What number 1 should know: a signal without a handler does not reach it from inside or outside, SIGKILL and SIGSTOP from
outside excepted; it is the parent of every orphan; its own getppid() is 0. `enter` gives it a handler for SIGTERM.

NOT covered: files (mounts stay as they were, but for /proc), sockets that have a path, and descriptors already open.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
from types import FrameType
from typing import NoReturn

from interpreters.isolation import linux
from interpreters.isolation.privileges import PRIVATE_UIDS

PATIENCE_SECONDS = 3  # from SIGTERM to SIGKILL for the inner process
_NEW_MOUNTS, _NEW_UTS, _NEW_IPC, _NEW_USER, _NEW_PIDS, _NEW_NET = (
    0x00020000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
_ALL = _NEW_NET | _NEW_PIDS | _NEW_MOUNTS | _NEW_IPC | _NEW_UTS
_NAMES = "net+pid+mount+ipc+uts"
_PRIVATE_TREE = 0x4000 | 0x40000  # MS_REC, MS_PRIVATE
_NOSUID_NODEV_NOEXEC = 2 | 4 | 8


def probe() -> str | None:
    """Return why `enter` would fail here, or None. Tries it in a child that ends at once."""
    try:
        _try_in_child()
    except OSError as error:
        return str(error)
    return None


def enter() -> str:
    """Go on as number 1 of new namespaces; return their names, "+proc" among them when /proc shows only what is inside.

    The caller must have one thread, and files that it has written flushed. Raises OSError when it does not work here,
    and nothing has changed then.
    """
    linux.require_one_thread("entering namespaces")
    user = _try_in_child()
    parent = os.getppid()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # until somebody is there to pass it on
    try:
        _isolate(user)
        watched, held = os.pipe()
        inner = os.fork()
    except OSError as error:  # no way back from here, so not an OSError, which would mean that nothing has changed
        raise RuntimeError(f"namespaces worked in a trial, but not for the program itself: {error}") from error
    if inner != 0:
        os.close(watched)
        _stay_outside(inner, parent)
    os.close(held)
    _begin_inside(watched)
    return ("user+" if user else "") + _NAMES + ("+proc" if _mount_proc() else "")


# -- making them ----------------------------------------------------------------------------------------------------


def _try_in_child() -> bool:
    """Do it all in a throw-away child; return whether a user namespace is needed. Raises OSError with the reason."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _answer(writing)
    os.close(writing)
    with open(reading, "rb") as pipe:
        answer = pipe.read()
    with contextlib.suppress(ChildProcessError):  # the caller may ignore SIGCHLD
        os.waitpid(child, 0)
    if answer in (b"plain", b"user"):
        return answer == b"user"
    number, _, reason = answer.decode("utf-8", "replace").partition(" ")
    raise OSError(int(number or errno.EPERM), reason or "the trial of namespaces ended without an answer")


def _answer(writing: int) -> NoReturn:
    try:
        try:
            _isolate(user=False)
            answer = "plain"
        except PermissionError:
            _isolate(user=True)
            answer = "user"
        inner = os.fork()  # the first process of the new namespace
        if inner == 0:
            os._exit(0)
        os.waitpid(inner, 0)
    except OSError as error:
        answer = f"{error.errno or errno.EPERM} {error.strerror or error}"
    try:
        os.write(writing, answer.encode("utf-8", "replace"))
    finally:
        os._exit(0)


def _isolate(user: bool) -> None:
    """Put this process, and for process ids its next child, into new namespaces."""
    if user:
        _unshare_with_user()
    else:
        linux.libc("unshare", _ALL)
    linux.mount(None, "/", None, _PRIVATE_TREE)  # what is mounted inside must not appear outside


def _unshare_with_user() -> None:
    """The maps are written by a child that stayed outside: only there root can map more than one user."""
    reading, writing = os.pipe()
    owner, user, group = os.getpid(), os.geteuid(), os.getegid()
    writer = os.fork()
    if writer == 0:
        os.close(writing)
        _write_maps_when_told(reading, owner, user, group)
    os.close(reading)
    try:
        linux.libc("unshare", _NEW_USER | _ALL)
        os.write(writing, b"now")
    finally:
        os.close(writing)
        number = os.waitstatus_to_exitcode(os.waitpid(writer, 0)[1])
    if number != 0:
        number = max(number, 0) or errno.EPERM
        raise OSError(number, f"a user namespace cannot be given its users: {os.strerror(number)}")


def _write_maps_when_told(reading: int, owner: int, user: int, group: int) -> NoReturn:
    number = errno.EPERM
    try:
        if not os.read(reading, 3):
            os._exit(0)  # there is no namespace, which its maker reports
        private = f"{PRIVATE_UIDS.start} {PRIVATE_UIDS.start} {len(PRIVATE_UIDS)}\n"
        try:  # as root: with the ids that candidates get
            if user != 0:
                raise PermissionError
            _write(owner, "gid_map", f"{group} {group} 1\n{private}")
            _write(owner, "uid_map", f"{user} {user} 1\n{private}")
        except OSError:
            with contextlib.suppress(FileNotFoundError):  # before Linux 3.19
                _write(owner, "setgroups", "deny")
            _write(owner, "gid_map", f"{group} {group} 1\n")
            _write(owner, "uid_map", f"{user} {user} 1\n")
        number = 0
    except OSError as error:
        number = error.errno or errno.EPERM
    finally:
        os._exit(number)


def _write(owner: int, name: str, text: str) -> None:
    descriptor = os.open(f"/proc/{owner}/{name}", os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def _mount_proc() -> bool:
    """Show the new processes under /proc. A container that hides parts of its own /proc does not permit it."""
    with contextlib.suppress(OSError):
        linux.mount("proc", "/proc", "proc", _NOSUID_NODEV_NOEXEC)
        return True
    return False


# -- the two processes ----------------------------------------------------------------------------------------------


def _begin_inside(watched: int) -> None:
    """Be number 1. The outer process is no visible parent, but while it lives its end of the pipe is open."""
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    if select.select([watched], [], [], 0)[0]:
        os._exit(1)
    os.close(watched)
    signal.signal(signal.SIGTERM, _leave)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _stay_outside(inner: int, parent: int) -> NoReturn:
    """Be the outer process: pass SIGTERM on, a parent's death included, and end as the inner process ends."""

    def end_inner(number: int, frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(inner, signal.SIGTERM)
        signal.alarm(PATIENCE_SECONDS)

    def kill_inner(number: int, frame: FrameType | None) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(inner, signal.SIGKILL)

    code = 1
    try:
        signal.signal(signal.SIGTERM, end_inner)
        signal.signal(signal.SIGALRM, kill_inner)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            end_inner(signal.SIGTERM, None)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        code = os.waitstatus_to_exitcode(os.waitpid(inner, 0)[1])
    finally:
        os._exit(code if code >= 0 else 128 - code)
