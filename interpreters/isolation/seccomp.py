"""A filter for system calls: what a locked process may not ask of the kernel. Raw classic BPF, no library.

Covered: starting processes and programs (threads go on working), new sockets, signals to and tracing of anyone else,
changing files and their modes, owners, times and attributes, opening files for writing, mounts and namespaces, BPF,
io_uring, userfaultfd, keys, memory files, performance events, modules, clocks, names of the host, identities,
priorities and processor affinity, raising limits, System V and POSIX message queues and shared memory, most ioctls,
and every call newer than the tables. Calls of another architecture, or of the x32 ABI, kill the process.

NOT covered: reading and listing files (landlock.py), looking at them with stat or statfs, changing the folder, using
descriptors that were open before (a socket goes on working, and with it whatever its other end is willing to do),
memory and CPU time (rlimits), and mistakes of the kernel in what stays allowed. It is a list of what is denied, not
of what is allowed, because the engines' own needs change with each of their releases.

A process that is to become another program keeps one call more, execve. Which programs it may start is then for
Landlock, or its root folder, to say; whatever it starts has this same filter.

Denied calls fail with EPERM. Two give ENOSYS instead, as on an older kernel, so that the C library falls back on a
call whose arguments a filter can read: clone3 on clone, openat2 on openat. So do the calls that are unknown here.

The program is a binary search over the call's number, 9 comparisons at most; the kernel remembers which numbers are
always allowed and skips the program for them.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from interpreters.isolation import linux
from interpreters.isolation.syscall_numbers import FIRST_UNKNOWN, NUMBERS

_DENIED_FOR: Mapping[str, str] = {
    "starting processes and programs": "fork vfork execve execveat uselib",
    "sockets": "socket socketpair connect bind listen accept accept4",
    "other processes": """
        ptrace process_vm_readv process_vm_writev process_madvise process_mrelease kcmp pidfd_send_signal pidfd_getfd
    """,
    "changing folders and files": """
        creat truncate ftruncate fallocate mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2
        link linkat symlink symlinkat mknod mknodat
    """,
    "modes, owners, times, attributes": """
        chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat file_setattr utime utimes futimesat utimensat
        setxattr lsetxattr fsetxattr setxattrat getxattr lgetxattr fgetxattr getxattrat
        listxattr llistxattr flistxattr listxattrat removexattr lremovexattr fremovexattr removexattrat
    """,
    "ways around paths, and watching them": """
        name_to_handle_at open_by_handle_at inotify_init inotify_init1 fanotify_init lookup_dcookie nfsservctl
    """,
    "mounts and namespaces": """
        mount umount2 mount_setattr pivot_root chroot setns unshare fsopen fsconfig fsmount fspick
        open_tree open_tree_attr move_mount quotactl quotactl_fd acct swapon swapoff
    """,
    "large or unusual doors of the kernel": """
        bpf io_uring_setup io_uring_enter io_uring_register userfaultfd perf_event_open memfd_create memfd_secret
        keyctl add_key request_key modify_ldt personality _sysctl
    """,
    "the machine": """
        init_module finit_module delete_module create_module kexec_load kexec_file_load reboot syslog vhangup
        iopl ioperm settimeofday clock_settime adjtimex clock_adjtime sethostname setdomainname
    """,
    "identity, priority, limits": """
        setsid setpgid setuid setgid setreuid setregid setresuid setresgid setfsuid setfsgid setgroups capset
        setpriority sched_setaffinity sched_setscheduler sched_setparam sched_setattr ioprio_set setrlimit
    """,
    "memory and messages shared by name": """
        shmget shmat shmctl msgget msgsnd msgrcv msgctl semget semop semtimedop semctl mq_open mq_unlink
    """,
}
DENIED = frozenset(name for names in _DENIED_FOR.values() for name in names.split())
UNKNOWN_TO_US = frozenset({"clone3", "openat2"})  # ENOSYS

_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # AUDIT_ARCH_*
_X32 = 0x40000000  # the bit that marks a call of the x32 ABI, on x86_64 only
_OWN_PID = -1  # stands in the cached program for the process that installs it

# Instructions of classic BPF (linux/bpf_common.h) and answers of a filter (linux/seccomp.h).
_LOAD, _AND, _JUMP, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x54, 0x05, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
_SET_MODE_FILTER, _ALL_THREADS = 1, 1


class Instruction(NamedTuple):
    """One instruction of classic BPF; the jumps count instructions from the next one on."""

    code: int
    value: int
    if_true: int = 0
    if_false: int = 0


Block = tuple[Instruction, ...]  # never runs past its end: every path through it returns
ALLOW: Block = (Instruction(_RETURN, 0x7FFF0000),)
DENY: Block = (Instruction(_RETURN, 0x00050000 | errno.EPERM),)
NO_SUCH_CALL: Block = (Instruction(_RETURN, 0x00050000 | errno.ENOSYS),)
KILL: Block = (Instruction(_RETURN, 0x80000000),)


# -- what depends on arguments --------------------------------------------------------------------------------------


def _load(argument: int, upper_half: bool = False) -> Instruction:
    """Load 32 of an argument's 64 bits. The lower half is all that the kernel sees of an int."""
    return Instruction(_LOAD, _ARGUMENTS + 8 * argument + 4 * upper_half)


def _if_among(values: Sequence[int], then: Block, otherwise: Block) -> Block:
    tests = [Instruction(_EQUAL, value, len(values) + len(otherwise) - i - 1) for i, value in enumerate(values)]
    return (*tests, *otherwise, *then)


def _only(argument: int, *values: int) -> Block:
    return (_load(argument), *_if_among(values, ALLOW, DENY))


def _all_but(argument: int, *values: int) -> Block:
    return (_load(argument), *_if_among(values, DENY, ALLOW))


def _deny_unless_null(argument: int) -> Block:
    """Go on only with a null pointer: deny when either half has a bit."""
    halves = [_load(argument), _load(argument, upper_half=True)]
    return tuple(step for half in halves for step in (half, Instruction(_EQUAL, 0, 1), *DENY))


_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | (os.O_TMPFILE & ~os.O_DIRECTORY)
_CLONE_THREAD = 0x00010000
_NEW_NAMESPACES = 0x7E020000  # CLONE_NEW*: mount, cgroup, uts, ipc, user, pid, net


def _read_only(flags: int) -> Block:
    return (_load(flags), Instruction(_ANY_BIT, _WRITING, if_false=1), *DENY, *ALLOW)


_HARMLESS_IOCTLS = (
    0x5401,  # TCGETS: is it a terminal?
    0x802C542A,  # TCGETS2: the same, newer
    0x5413,  # TIOCGWINSZ: its size
    0x541B,  # FIONREAD: bytes that wait
    0x5421,  # FIONBIO: blocking or not
    0x5450,  # FIONCLEX
    0x5451,  # FIOCLEX
)
_FCNTL_SIGNALS = (8, 10, 15)  # F_SETOWN, F_SETSIG, F_SETOWN_EX: have the kernel signal someone else
_FCNTL_DISTURBS = (1024, 1026)  # F_SETLEASE, F_NOTIFY
_PRCTL_FAMILY = (1, 36)  # PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER
_PRCTL_OTHERS = (0x59616D61, 62)  # PR_SET_PTRACER, PR_SCHED_CORE

CHECKED: Mapping[str, Block] = {
    "clone": (
        _load(0),
        Instruction(_AND, _CLONE_THREAD | _NEW_NAMESPACES),
        *_if_among([_CLONE_THREAD], ALLOW, DENY),
    ),
    "open": _read_only(flags=1),
    "openat": _read_only(flags=2),
    **dict.fromkeys(["kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"], _only(0, _OWN_PID)),
    "pidfd_open": _only(0, _OWN_PID),
    "prlimit64": (*_deny_unless_null(2), *_only(0, 0, _OWN_PID)),
    "prctl": _all_but(0, *_PRCTL_FAMILY, *_PRCTL_OTHERS),
    "ioctl": _only(1, *_HARMLESS_IOCTLS),
    "fcntl": _all_but(1, *_FCNTL_SIGNALS, *_FCNTL_DISTURBS),
}


# -- the program ----------------------------------------------------------------------------------------------------


def program(machine: str, pid: int, may_execute: bool = False) -> bytes:
    """Return the filter for the process `pid` as the kernel reads it: 8 bytes per instruction.

    Raises OSError for a machine without a table.
    """
    code, places = _template(machine, may_execute)
    filled = bytearray(code)
    for place in places:
        struct.pack_into("=I", filled, place, pid)
    return bytes(filled)


@functools.cache  # it is the same for every child of a zygote, but for the own process id
def _template(machine: str, may_execute: bool) -> tuple[bytes, tuple[int, ...]]:
    if machine not in NUMBERS:
        known = ", ".join(NUMBERS)
        raise OSError(errno.ENOTSUP, f"no table of system calls for {machine!r}; there is one for {known}")
    steps = (
        Instruction(_LOAD, _ARCHITECTURE),
        Instruction(_EQUAL, _ARCHITECTURES[machine], 1),
        *KILL,
        Instruction(_LOAD, _NUMBER),
        *_search(list(_cases(machine, may_execute))),
    )
    code = b"".join(struct.pack("=HBBI", s.code, s.if_true, s.if_false, s.value & 0xFFFFFFFF) for s in steps)
    return code, tuple(8 * i + 4 for i, step in enumerate(steps) if step.value == _OWN_PID)


def _cases(machine: str, may_execute: bool) -> Iterator[tuple[int, Block]]:
    """Yield the first number of each range and what to do for the range, in ascending order."""
    numbers = NUMBERS[machine]
    answers = {numbers[name]: DENY for name in DENIED if name in numbers}
    answers |= {numbers[name]: NO_SUCH_CALL for name in UNKNOWN_TO_US}
    answers |= {numbers[name]: block for name, block in CHECKED.items() if name in numbers}
    if may_execute:
        answers[numbers["execve"]] = ALLOW
    last = None
    for number in range(FIRST_UNKNOWN):
        block = answers.get(number, ALLOW)
        if block != last:
            yield number, block
        last = block
    # On x86_64 this also closes 512 to 547: x32's own calls, execve among them, which old kernels took without the bit.
    yield FIRST_UNKNOWN, NO_SUCH_CALL
    if machine == "x86_64":
        yield _X32, KILL


def _search(cases: Sequence[tuple[int, Block]]) -> Block:
    if len(cases) == 1:
        return cases[0][1]
    middle = len(cases) // 2
    lower, upper = _search(cases[:middle]), _search(cases[middle:])
    number = cases[middle][0]
    if len(lower) <= 255:  # a conditional jump has 8 bits
        return (Instruction(_AT_LEAST, number, len(lower)), *lower, *upper)
    return (Instruction(_AT_LEAST, number, 0, 1), Instruction(_JUMP, len(lower)), *lower, *upper)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_void_p))


class _Prepared(NamedTuple):
    """The filter in memory, where the kernel reads it, but for the own process id."""

    call: int  # number of seccomp(2)
    steps: ctypes.Array[ctypes.c_char]
    places: tuple[int, ...]
    whole: _Program


@functools.cache
def prepare(may_execute: bool) -> _Prepared:
    """Build the filter once, for a zygote's children to install. Raises OSError where there is none for the machine."""
    machine = os.uname().machine
    if sys.maxsize < 2**32 or sys.byteorder != "little":
        raise OSError(errno.ENOTSUP, "the system call tables are for 64-bit little-endian programs only")
    code, places = _template(machine, may_execute)
    steps = ctypes.create_string_buffer(code, len(code))
    return _Prepared(NUMBERS[machine]["seccomp"], steps, places, _Program(len(code) // 8, ctypes.addressof(steps)))


def install(may_execute: bool = False) -> None:
    """Filter every system call of all threads of this process from now on, and of all that they may start.

    Raises OSError when no_new_privs is not set, or the machine or the kernel cannot do it.
    """
    linux.require_no_new_privs("seccomp")
    filled = prepare(may_execute)
    for place in filled.places:
        struct.pack_into("=I", filled.steps, place, os.getpid())
    thread = linux.syscall("seccomp", filled.call, _SET_MODE_FILTER, _ALL_THREADS, filled.whole)
    if thread != 0:
        raise OSError(errno.EBUSY, f"thread {thread} has a system call filter of its own, which cannot be combined")
