"""Giving up root and every capability, by ctypes.

What root may do does not end with permissions: it raises its own limits, is not counted by RLIMIT_NPROC, and reads
everybody's files. A child of root therefore becomes a user that nobody else is.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os

from interpreters.isolation import linux

PRIVATE_UIDS = range(61000, 65000)
_PR_CAPBSET_READ, _PR_CAPBSET_DROP = 23, 24
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_CAPABILITY_VERSION = 0x20080522
_Words = ctypes.c_uint32 * 6  # twice 32 bits of: effective, permitted, inheritable


class _Signal(ctypes.Structure):
    _fields_ = (("number", ctypes.c_int),)


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Capabilities(ctypes.Structure):
    _fields_ = (("words", _Words),)


def private_uid() -> int:
    """Return a user id for this process, 61000 to 64999, that belongs to no account.

    Distributions hand out lower numbers to people and services and reserve those from 65000 on. systemd lends numbers
    from 61184 on to services with DynamicUser; such a service would be a stranger with the same number, so this is no
    wall by itself. The number follows from the process id and its namespace: siblings differ as long as their ids
    do not differ by a multiple of 4000, and children of two namespaces hardly ever meet.
    """
    namespace = os.stat("/proc/self/ns/pid").st_ino  # noqa: PTH116  # a Path costs 0.2 ms in a fresh child
    return PRIVATE_UIDS[(os.getpid() + namespace * 2654435761) % len(PRIVATE_UIDS)]


def is_privileged() -> bool:
    """Return whether this process is root or has any capability in effect."""
    held = _Capabilities()
    linux.libc("capget", _Header(_CAPABILITY_VERSION, 0), held)
    return os.geteuid() == 0 or held.words[0] != 0 or held.words[3] != 0


def drop(uid: int, root: str | None = None) -> None:
    """As root become user and group `uid`; as anyone give up all capabilities. There is no way back.

    With `root`, that folder becomes "/" before (chroot), which only the capabilities given up here can undo.
    Keeps the signal that comes when the parent dies, which the kernel forgets when the user changes. Must come before
    the first thread. Raises OSError when root cannot become that user (in a user namespace that does not map it, or
    without CAP_SETUID and CAP_SETGID).
    """
    linux.require_one_thread("giving up capabilities")
    parent, last_signal = os.getppid(), _Signal()
    linux.prctl(linux.PR_GET_PDEATHSIG, last_signal)
    clear_bounding_set()
    if root is not None:
        os.chroot(root)
        os.chdir("/")
    if os.geteuid() == 0:
        _become(uid)
    _clear_capabilities()
    if last_signal.number:
        linux.prctl(linux.PR_SET_PDEATHSIG, last_signal.number)
        if os.getppid() != parent:  # it died while the signal was forgotten
            os._exit(1)
    if is_privileged():
        raise OSError(errno.EPERM, "privileges are left after giving them up")


@functools.cache
def clear_bounding_set() -> None:
    """Let no later program of this process or its children gain a capability; a zygote does it once for all children.

    Only CAP_SETPCAP may do it; for others no_new_privs makes the set meaningless.
    """
    with contextlib.suppress(PermissionError):
        for capability in range(64):
            try:
                if linux.prctl(_PR_CAPBSET_READ, capability) == 1:
                    linux.prctl(_PR_CAPBSET_DROP, capability)
            except OSError as error:
                if error.errno != errno.EINVAL:  # the first number that the kernel does not know
                    raise
                return


def _become(uid: int) -> None:
    try:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    except OSError as error:
        raise OSError(
            error.errno,
            f"root cannot become user {uid}: {os.strerror(error.errno or 0)}. "
            "It needs CAP_SETUID and CAP_SETGID, and in a user namespace a mapping of that user and group",
        ) from error


def _clear_capabilities() -> None:
    with contextlib.suppress(OSError):  # kernels before 4.3 have no ambient set
        linux.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    linux.libc("capset", _Header(_CAPABILITY_VERSION, 0), _Capabilities())
