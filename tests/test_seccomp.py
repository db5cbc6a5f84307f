"""The system call filter as a program: run by a small interpreter of classic BPF, for both architectures."""

from __future__ import annotations

import errno
import random
import re
import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from interpreters.isolation.seccomp import CHECKED, DENIED, UNKNOWN_TO_US, program
from interpreters.isolation.syscall_numbers import FIRST_UNKNOWN, NUMBERS

PID = 4242
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
ALLOW, KILL, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
MACHINES = pytest.mark.parametrize("machine", ARCHITECTURES)

THREAD_FLAGS = 0x003D0F00  # what the C library gives clone for a thread
FORK_FLAGS = 0x01200011
CREATE, TRUNCATE, TEMPORARY, CLOSE_ON_EXEC, DIRECTORY = 0o100, 0o1000, 0o20000000, 0o2000000, 0o200000


def decode(code: bytes) -> list[tuple[int, int, int, int]]:
    return list(struct.iter_unpack("=HBBI", code))


def answer(code: bytes, number: int, arguments: Sequence[int] = (), architecture: int | None = None) -> int:
    """Run the filter on one system call."""
    given = [value % 2**64 for value in arguments] + [0] * (6 - len(arguments))
    sample = struct.pack("=IIQ6Q", number, architecture or 0, 0, *given)
    steps = decode(code)
    register, at = 0, 0
    while True:
        operation, if_true, if_false, value = steps[at]
        at += 1
        if operation == 0x20:
            [register] = struct.unpack_from("=I", sample, value)
        elif operation == 0x54:
            register &= value
        elif operation == 0x05:
            at += value
        elif operation == 0x06:
            return value
        else:
            holds = {0x15: register == value, 0x35: register >= value, 0x45: bool(register & value)}[operation]
            at += if_true if holds else if_false


def ask(machine: str, number: int, *arguments: int) -> int:
    return answer(program(machine, PID), number, arguments, ARCHITECTURES[machine])


@MACHINES
def test_the_program_is_well_formed(machine: str) -> None:
    steps = decode(program(machine, PID))
    assert len(steps) <= 4096
    assert {operation for operation, *_ in steps} <= {0x20, 0x54, 0x05, 0x06, 0x15, 0x35, 0x45}
    assert steps[-1][0] == 0x06
    for at, (operation, if_true, if_false, value) in enumerate(steps):
        if operation == 0x20:
            assert value % 4 == 0 and value <= 60
        elif operation == 0x05:
            assert at + 1 + value < len(steps)
        elif operation in (0x15, 0x35, 0x45):
            assert at + 1 + max(if_true, if_false) < len(steps)


@MACHINES
def test_every_number_gets_the_answer_of_its_name(machine: str) -> None:
    names = {number: name for name, number in NUMBERS[machine].items()}
    code, chance = program(machine, PID), random.Random(0)
    for number in [*range(FIRST_UNKNOWN + 100), 2**30 - 1]:
        name = names.get(number, "")
        if name in CHECKED:
            continue
        arguments = [chance.getrandbits(64) for _ in range(6)]
        found = answer(code, number, arguments, ARCHITECTURES[machine])
        missing = name in UNKNOWN_TO_US or number >= FIRST_UNKNOWN
        assert found == (ENOSYS if missing else EPERM if name in DENIED else ALLOW), (number, name)


@MACHINES
def test_another_architecture_is_killed(machine: str) -> None:
    code = program(machine, PID)
    for architecture in (0x40000003, 0x40000028, *ARCHITECTURES.values()):  # i386 and 32-bit ARM among them
        if architecture != ARCHITECTURES[machine]:
            assert answer(code, 39, architecture=architecture) == KILL


def test_the_x32_abi_is_killed_and_so_is_a_negative_number() -> None:
    for number in (0x40000000, 0x40000001, 0x40000000 | 520, 0xFFFFFFFF):
        assert ask("x86_64", number) == KILL
    assert ask("x86_64", 520) == ENOSYS  # x32's execve without its bit
    assert ask("aarch64", 0x40000000) == ENOSYS


SAMPLES = [  # name, arguments, answer
    ("clone", [THREAD_FLAGS], ALLOW),
    ("clone", [FORK_FLAGS], EPERM),
    ("clone", [0x4111], EPERM),  # posix_spawn: VM, VFORK, SIGCHLD
    ("clone", [THREAD_FLAGS | 0x10000000], EPERM),
    ("clone", [THREAD_FLAGS | 0x00020000], EPERM),
    ("openat", [-100, 0, CLOSE_ON_EXEC], ALLOW),
    ("openat", [-100, 0, DIRECTORY], ALLOW),
    ("openat", [CREATE, TRUNCATE, 0, 0o600], ALLOW),  # flags are the third argument
    *(("openat", [-100, 0, flag], EPERM) for flag in (1, 2, 3, CREATE, TRUNCATE, TEMPORARY, 1 | 0o2000)),
    *((name, [PID, 0], ALLOW) for name in ("kill", "tkill", "tgkill", "rt_sigqueueinfo", "pidfd_open")),
    *((name, [pid], EPERM) for name in ("kill", "tgkill", "pidfd_open") for pid in (0, 1, -1, -PID, PID + 1)),
    ("kill", [PID | 0xFFFFFFFF00000000], ALLOW),  # an int has 32 bits, whatever the register holds above
    ("tgkill", [1, PID], EPERM),
    ("rt_tgsigqueueinfo", [PID, PID + 1], ALLOW),
    ("prlimit64", [0, 7, 0, 0x7FFF0000], ALLOW),
    ("prlimit64", [PID, 7, 0, 0x7FFF0000], ALLOW),
    ("prlimit64", [PID + 1, 7, 0, 0x7FFF0000], EPERM),
    ("prlimit64", [0, 7, 0x7FFF0000], EPERM),
    ("prlimit64", [0, 7, 0x7FFF00000000], EPERM),  # a pointer whose lower half is zero
    ("prctl", [15], ALLOW),
    *(("prctl", [option], EPERM) for option in (1, 36, 62, 0x59616D61)),
    ("ioctl", [0, 0x5401], ALLOW),
    *(("ioctl", [0, command], EPERM) for command in (0x5412, 0x40086602, 0x8901, 0x8902)),
    ("ioctl", [0, 0x5412 | 1 << 32], EPERM),  # TIOCSTI, hidden by a bit that the kernel ignores
    ("fcntl", [0, 3], ALLOW),
    *(("fcntl", [0, command], EPERM) for command in (8, 10, 15, 1024, 1026)),
]


@MACHINES
@pytest.mark.parametrize(("name", "arguments", "expected"), SAMPLES)
def test_arguments_decide(machine: str, name: str, arguments: list[int], expected: int) -> None:
    assert ask(machine, NUMBERS[machine][name], *arguments) == expected


def test_the_old_open_is_checked_by_its_second_argument() -> None:
    assert ask("x86_64", 2, 0, 0, CREATE) == ALLOW
    assert ask("x86_64", 2, 0, CREATE) == EPERM


@pytest.mark.parametrize(
    ("machine", "allowed"),
    [
        # read write close mmap brk rt_sigaction sendto recvfrom sendmsg recvmsg shutdown poll futex exit_group
        ("x86_64", [0, 1, 3, 9, 12, 13, 44, 45, 46, 47, 48, 7, 202, 231, 444, 445, 446]),
        ("aarch64", [63, 64, 57, 222, 214, 134, 206, 207, 211, 212, 210, 73, 98, 94, 444, 445, 446]),
    ],
)
def test_ordinary_calls_are_allowed_whatever_the_arguments(machine: str, allowed: list[int]) -> None:
    for number in allowed:
        assert ask(machine, number, 2**64 - 1, PID, 1) == ALLOW


@MACHINES
def test_the_search_is_short(machine: str) -> None:
    steps = decode(program(machine, PID))
    deepest, paths = 0, [(3, 0)]
    while paths:
        at, depth = paths.pop()
        operation, if_true, if_false, value = steps[at]
        deepest = max(deepest, depth)
        if operation == 0x05:
            paths.append((at + 1 + value, depth))
        elif operation == 0x35:
            paths += [(at + 1 + if_true, depth + 1), (at + 1 + if_false, depth + 1)]
        elif (operation, value) == (0x20, 0):  # the load of the number
            paths.append((at + 1, depth))
    assert 5 < deepest <= 9


def test_a_machine_without_a_table_is_refused() -> None:
    with pytest.raises(OSError, match="no table of system calls for 'riscv64'"):
        program("riscv64", PID)


# -- tables -------------------------------------------------------------------------------------------------------


def header(machine: str) -> dict[str, int]:
    path = HEADERS[machine]
    if not path.exists():
        pytest.skip(f"no kernel headers here ({path}, Debian: linux-libc-dev)")
    text = path.read_text(encoding="utf-8")
    return {name: int(number) for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)\b", text)}


@MACHINES
def test_the_numbers_are_those_of_the_kernel(machine: str) -> None:
    theirs = header(machine)
    newest = max(number for name, number in theirs.items() if name != "syscalls")
    known = {name: number for name, number in NUMBERS[machine].items() if number <= newest}
    assert {name: theirs.get(name) for name in known} == known


@MACHINES
def test_no_name_is_missing_from_a_table_that_the_kernel_has(machine: str) -> None:
    theirs = header(machine)
    named = DENIED | CHECKED.keys() | UNKNOWN_TO_US
    assert {name for name in named if name in theirs} <= NUMBERS[machine].keys()
    assert named <= NUMBERS["x86_64"].keys()
