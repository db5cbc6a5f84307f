"""What a candidate's process may not do. Runs in the forked child, before any code of the candidate.

Always: its own session and process group, death with the zygote, no inherited descriptors but its own socket and what
its runner opened, standard streams on /dev/null, an empty environment, an empty folder as working directory, limits on
address space, CPU time, file size, open files and core dumps, no new privileges. The zygote kills whatever it leaves.

In layers, each where the machine has it (`sandbox.py` says which are in force, by trying attacks): a uid of its own and
no capabilities (`privileges.py`), no file but the libraries' (`landlock.py`, else an empty root folder), no network, no
process, no signal and no change of files or limits (`seccomp.py`), and around the zygote namespaces of its own for
network, processes, mounts and IPC (`namespaces.py`).

NOT covered: faults of the kernel itself, timing and load as a way to signal, and the reading of library files. This
bounds what a model writes by accident or by reward hacking; against an adversary with a kernel exploit, put the whole
program into a virtual machine.

A child that is to become another program (q, which is no library) has the same walls but one: it may execute, and
then only the files named for it (`landlock.py`), out of a root folder that has nothing else in it (`root_folder.py`).
"""

from __future__ import annotations

import math
import os
import resource
import signal
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from interpreters.isolation import landlock, linux, privileges, root_folder, seccomp

SOCKET = 3  # the descriptor of a candidate's process on which requests and replies pass
MAX_OPEN_FILES = 64
PROGRAM_MB = 128  # address space of a program that a child becomes, its libraries included, before any data
_PR_SET_CHILD_SUBREAPER = 36
_DATA = ("/usr/share/zoneinfo", "/etc/localtime", "/proc/self/status", "/sys/fs/cgroup", "/dev/null", "/dev/urandom")


def die_with_parent(parent: int, last_signal: int, leave: Callable[[int], object] = os._exit) -> None:
    """Ask the kernel for a signal when the parent's thread ends; the parent may have ended before the question."""
    linux.prctl(linux.PR_SET_PDEATHSIG, last_signal)
    if os.getppid() != parent:
        leave(1)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent dies, so that all of them can be found and killed."""
    linux.prctl(_PR_SET_CHILD_SUBREAPER, 1)


def separate(connection: int, zygote: int) -> None:
    """Cut the fresh child off from the zygote: session, descriptors, environment. `connection` becomes SOCKET."""
    os.setsid()
    linux.LIBC.signal(signal.SIGTERM, None)  # SIG_DFL; Python's own function takes ten times as long here
    die_with_parent(zygote, signal.SIGKILL)
    if connection != SOCKET:
        os.dup2(connection, SOCKET)
    os.closerange(SOCKET + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    if os.environ:
        os.environ.clear()


def library_paths() -> tuple[str, ...]:
    """Return what a candidate's process may read: the interpreter's libraries, time zones, nothing of the project."""
    project = Path(__file__).resolve().parents[2]
    libraries = {sys.prefix + "/lib", sys.base_prefix + "/lib", *(p for p in sys.path if p)}
    kept = {path for path in libraries if Path(path) != project and Path(path).exists()}
    outermost = [path for path in kept if not any(other in Path(path).parents for other in map(Path, kept))]
    return tuple(sorted(outermost)) + tuple(path for path in _DATA if Path(path).exists())


def prepare(layers: Collection[str], may_execute: bool = False) -> None:
    """Do in the zygote what its children would all have to do."""
    if "unprivileged" in layers:
        privileges.clear_bounding_set()
    if "seccomp" in layers:
        seccomp.prepare(may_execute)


def _address_space() -> int:
    with open("/proc/self/statm", "rb", buffering=0) as statm:
        return int(statm.read(64).split()[0]) * resource.getpagesize()


def _limit(mapped: int, memory_mb: int, cpu_seconds: float) -> None:
    cpu = math.ceil(cpu_seconds) + 1
    for kind, limit in (
        (resource.RLIMIT_AS, mapped + memory_mb * 2**20),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, MAX_OPEN_FILES),
    ):
        resource.setrlimit(kind, (limit, limit))


def lockdown(memory_mb: int, cpu_seconds: float, layers: Collection[str], readable: Sequence[str]) -> None:
    """Give up every right that running a candidate does not need; the memory comes on top of what is mapped now.

    `layers` are those that `sandbox.py` found to work here. Raises OSError when one of them fails all the same.
    """
    _limit(_address_space(), memory_mb, cpu_seconds)
    if "unprivileged" in layers or "chroot" in layers:
        privileges.drop(privileges.private_uid(), "." if "chroot" in layers else None)
    linux.set_no_new_privs()
    if "landlock" in layers:
        landlock.restrict(readable)
    if "seccomp" in layers:
        seccomp.install()


def lockdown_program(
    memory_mb: int, cpu_seconds: float, layers: Collection[str], readable: Sequence[str], executable: Sequence[str]
) -> None:
    """Give up every right but to read the given paths and to become one of the given programs.

    With `chroot` among the layers the root folder holds those paths and nothing else. Raises OSError as above.
    """
    root = root_folder.build([*readable, *executable]) if "chroot" in layers else None
    _limit(PROGRAM_MB * 2**20, memory_mb, cpu_seconds)
    if "unprivileged" in layers or root is not None:
        privileges.drop(privileges.private_uid(), root)
    linux.set_no_new_privs()
    if "landlock" in layers:
        landlock.restrict(readable, executable)
    if "seccomp" in layers:
        seccomp.install(True)
