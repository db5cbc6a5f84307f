"""The few system calls of Linux that Python's standard library does not offer, by ctypes.

Calls that restrict a process restrict only the thread that makes them, as a rule: Landlock and capabilities are held
per thread. `require_one_thread` is there so that no forgotten thread keeps its rights.
"""

from __future__ import annotations

import ctypes
import errno
import os

PR_SET_PDEATHSIG, PR_GET_PDEATHSIG = 1, 2
PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS = 38, 39

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.syscall.restype = ctypes.c_long
Argument = int | bytes | ctypes.Structure | None  # bytes: text of C, ended by a null


def _word(argument: Argument) -> object:
    # ctypes passes a bare int as 32 bits; the kernel reads whole registers.
    if isinstance(argument, int):
        return ctypes.c_ulong(argument)
    return ctypes.byref(argument) if isinstance(argument, ctypes.Structure) else argument


def _checked(result: int, what: str) -> int:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{what} failed: {os.strerror(number)}")
    return result


def syscall(what: str, number: int, *arguments: Argument) -> int:
    """Make a system call by its number. Raises OSError; `what` is its name for the message."""
    return _checked(LIBC.syscall(ctypes.c_long(number), *map(_word, arguments)), what)


def libc(name: str, *arguments: Argument) -> int:
    """Call a function of the C library that returns -1 and sets errno when it fails. Raises OSError then."""
    return _checked(getattr(LIBC, name)(*map(_word, arguments)), name)


def prctl(option: int, *arguments: Argument) -> int:
    """Call prctl with zeros for the arguments left out: some options insist on them. Raises OSError."""
    return libc("prctl", option, *arguments, *[0] * (4 - len(arguments)))


def mount(source: str | None, target: str, kind: str | None, flags: int) -> None:
    """Mount a file system, or change a mount. Raises OSError."""
    names = [name if name is None else name.encode() for name in (source, target, kind)]
    libc("mount", *names, flags, None)


def set_no_new_privs() -> None:
    """Give up, for good, that a program or anything else adds privileges to this process."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)


def require_no_new_privs(layer: str) -> None:
    """Raise OSError when the process could still gain privileges: the kernel then refuses most callers, not root."""
    if prctl(PR_GET_NO_NEW_PRIVS) != 1:
        raise OSError(errno.EACCES, f"{layer} needs no_new_privs: call set_no_new_privs() before")


def require_one_thread(layer: str) -> None:
    """Raise OSError when there are other threads, which `layer` would not restrict."""
    threads = len(os.listdir("/proc/self/task"))  # noqa: PTH208  # twice as fast, and run for every candidate
    if threads != 1:
        raise OSError(
            errno.EBUSY,
            f"{layer} restricts one thread only, and {threads - 1} others would stay free. "
            "Call it before anything starts a thread.",
        )
