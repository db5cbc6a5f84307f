"""What a candidate's process may not do. Runs in the forked child, before any code of the candidate.

Covered today: its own session and process group, death with the zygote, no new privileges, limits on address space,
CPU time, file size, open files and core dumps, no inherited descriptors but its own socket, standard streams on
/dev/null, an empty environment, an empty folder as working directory; the zygote kills whatever it leaves behind.

NOT covered today: reading files, creating empty ones, changing modes and names, the network, starting processes,
signals to and tracing of processes of the same user (a candidate that kills the zygote may leave its own children
behind), and, as root, raising the limits again. `lockdown` is the one place where seccomp, Landlock and a private uid
go; namespaces go where the zygote starts.
"""

from __future__ import annotations

import ctypes
import math
import os
import resource
import signal

SOCKET = 3  # the only descriptor of a candidate's process beside the standard streams
MAX_OPEN_FILES = 64
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_CHILD_SUBREAPER = 36
_LIBC = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, value: int) -> None:
    if _LIBC.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) failed")


def die_with_parent(parent: int, last_signal: int) -> None:
    """Ask the kernel for a signal when the parent's thread ends; the parent may have ended before the question."""
    _prctl(_PR_SET_PDEATHSIG, last_signal)
    if os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies, so that all of them can be found and killed."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def separate(connection: int, zygote: int) -> None:
    """Cut the fresh child off from the zygote: session, descriptors, environment. `connection` becomes SOCKET."""
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    die_with_parent(zygote, signal.SIGKILL)
    if connection != SOCKET:
        os.dup2(connection, SOCKET)
    os.closerange(SOCKET + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    os.environ.clear()


def _address_space() -> int:
    with open("/proc/self/statm", "rb", buffering=0) as statm:
        return int(statm.read(64).split()[0]) * resource.getpagesize()


def lockdown(memory_mb: int, cpu_seconds: float) -> None:
    """Give up every right that running a candidate does not need; the memory comes on top of what is mapped now."""
    cpu = math.ceil(cpu_seconds) + 1
    for kind, limit in (
        (resource.RLIMIT_AS, _address_space() + memory_mb * 2**20),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, MAX_OPEN_FILES),
    ):
        resource.setrlimit(kind, (limit, limit))
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def sandbox_line() -> str:
    """Return one line that names the layers in force, for the terminal and for a run's metadata."""
    return (
        "sandbox: basic (process and session per candidate, kill at the deadline, rlimits, empty environment, "
        "no_new_privs; seccomp no, landlock no, namespaces no, private uid no)"
    )
