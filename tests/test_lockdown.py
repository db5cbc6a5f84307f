"""What a locked process may still do, and what it may not: each layer alone, and all together, as root and as a user.

The attacks run in a forked child and reach for the kernel directly; test_interpreter_attacks.py goes through the door.
Every attack on processes succeeds, or fails otherwise, as root without the layers.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from locked import PARENT, SECCOMP, Folders, as_users, call, locked, needs_landlock, open_folders
from support import ROOT

from interpreters.isolation import linux, seccomp

MACHINE = os.uname().machine


@pytest.fixture
def folders() -> Iterator[Folders]:
    with open_folders() as made:
        yield made


# -- processes ----------------------------------------------------------------------------------------------------


def thread_that_works() -> str:
    gave: list[str] = []
    thread = threading.Thread(target=lambda: gave.append("worked"))
    thread.start()
    thread.join(10)
    return gave[0]


def fork_from_a_thread() -> int:
    caught: list[OSError] = []

    def attack() -> None:
        try:
            os.fork()
        except OSError as error:
            caught.append(error)

    thread = threading.Thread(target=attack)
    thread.start()
    thread.join(10)
    raise caught[0]


PROCESSES: dict[str, Callable[[], object]] = {
    "fork": os.fork,
    "fork from a thread": fork_from_a_thread,
    "posix_spawn": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    "subprocess": lambda: subprocess.run(["/bin/true"], check=True),
    "exec": lambda: os.execv("/bin/true", ["true"]),
    "unshare": lambda: call("unshare", 0x10000000),
    "setsid": os.setsid,
    "setpgid": lambda: os.setpgid(0, 0),
    "signal to the parent": lambda: os.kill(PARENT, 0),
    "signal to everybody": lambda: os.kill(-1, 0),
    "signal to the group": lambda: os.kill(0, 0),
    "tgkill the parent": lambda: call("tgkill", PARENT, PARENT, 0),
    "queue a signal": lambda: call("rt_sigqueueinfo", PARENT, 0, 0),
    "own a descriptor's signals": lambda: fcntl.fcntl(0, fcntl.F_SETOWN, PARENT),
    "pidfd of the parent": lambda: os.pidfd_open(PARENT),
    "ptrace": lambda: call("ptrace", 16, PARENT, 0, 0),
    "read the parent's memory": lambda: call("process_vm_readv", PARENT, 0, 0, 0, 0, 0),
    "subreaper": lambda: linux.prctl(36, 1),
    "survive the parent": lambda: linux.prctl(1, 0),
    "priority": lambda: os.nice(1),
    "affinity": lambda: os.sched_setaffinity(0, os.sched_getaffinity(0)),
    "limits": lambda: resource.prlimit(0, resource.RLIMIT_NOFILE, (64, 64)),
    "limits of the parent": lambda: resource.prlimit(PARENT, resource.RLIMIT_NOFILE),
    "capabilities": lambda: call("capset", 0, 0),
    "identity": lambda: os.setuid(os.getuid()),
    "socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
    "unix socket": lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
    "netlink": lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "socketpair": socket.socketpair,
    "io_uring": lambda: call("io_uring_setup", 1, 0),
    "bpf": lambda: call("bpf", 0, 0, 0),
    "userfaultfd": lambda: call("userfaultfd", 0),
    "keys": lambda: call("keyctl", 0, 0),
    "perf": lambda: call("perf_event_open", 0, 0, 0, 0, 0),
    "memory file": lambda: os.memfd_create("x"),
    "shared memory": lambda: call("shmget", 0, 4096, 0o1600),
    "message queue": lambda: call("mq_open", 0, 0),
    "personality": lambda: call("personality", 0),
    "mount": lambda: linux.mount("none", "/", "tmpfs", 0),
    "push input": lambda: fcntl.ioctl(0, termios.TIOCSTI, b"x"),
}


@as_users
@pytest.mark.parametrize("attack", PROCESSES.values(), ids=PROCESSES.keys())
def test_the_filter_denies(attack: Callable[[], object], uid: int | None) -> None:
    assert locked(attack, SECCOMP, uid).errno == errno.EPERM


@needs_landlock
@as_users
@pytest.mark.parametrize("attack", PROCESSES.values(), ids=PROCESSES.keys())
def test_all_layers_deny(attack: Callable[[], object], uid: int | None, folders: Folders) -> None:
    assert locked(attack, folders.all_layers, uid).errno == errno.EPERM


def inherited_pair() -> str:
    ours, theirs = PAIR
    ours.sendall(b"there")
    ready = select.select([theirs], [], [], 5)[0]
    theirs.sendmsg([ready[0].recv(16), b" and back"])
    return ours.recvmsg(64)[0].decode()


def new_memory() -> int:
    with mmap.mmap(-1, 2**20) as memory:
        memory[:4] = b"data"
        return len(memory)


def queue_to_itself() -> str:
    reading, writing = os.pipe()
    os.write(writing, b"x")
    return os.read(os.dup(reading), 1).decode()


PAIR = socket.socketpair()
ALLOWED: dict[str, tuple[Callable[[], object], object]] = {
    "thread": (thread_that_works, "worked"),
    "inherited socket": (inherited_pair, "there and back"),
    "signal to itself": (lambda: os.kill(os.getpid(), 0), None),
    "pidfd of itself": (lambda: os.pidfd_open(os.getpid()) > 2, True),
    "its limits": (lambda: resource.prlimit(0, resource.RLIMIT_CORE) == resource.getrlimit(resource.RLIMIT_CORE), True),
    "memory": (new_memory, 2**20),
    "pipe": (queue_to_itself, "x"),
    "is it a terminal": (lambda: os.isatty(PAIR[0].fileno()), False),
    "random bytes": (lambda: len(os.urandom(8)), 8),
    "clock": (lambda: time.time() > 0 and time.sleep(0.001), None),
    "reading a file": (lambda: Path("/proc/self/statm").stat().st_size, 0),
    "a library": (lambda: ctypes.CDLL("libm.so.6").abs(-3), 3),
}


@needs_landlock
@as_users
@pytest.mark.parametrize(("work", "expected"), ALLOWED.values(), ids=ALLOWED.keys())
def test_what_an_engine_needs_goes_on_working(
    work: Callable[[], object], expected: object, uid: int | None, folders: Folders
) -> None:
    for layers in (SECCOMP, folders.landlock, folders.all_layers):
        assert locked(work, layers, uid).value == expected


@as_users
def test_abort_and_signals_to_itself_end_the_process(uid: int | None) -> None:
    assert locked(os.abort, SECCOMP, uid).status == -signal.SIGABRT
    assert locked(lambda: os.kill(os.getpid(), signal.SIGTERM), SECCOMP, uid).status == -signal.SIGTERM
    assert locked(lambda: signal.raise_signal(signal.SIGKILL), SECCOMP, uid).status == -signal.SIGKILL


@pytest.mark.skipif(MACHINE != "x86_64", reason="x86_64 has these doors")
def test_calls_of_other_abis_kill() -> None:
    assert locked(lambda: linux.syscall("x32 getpid", 39 | 0x40000000), SECCOMP).status == -signal.SIGSYS
    assert locked(call_by_interrupt_80, SECCOMP).status == -signal.SIGSYS


def call_by_interrupt_80() -> int:
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")  # mov eax, 20 (getpid of i386); int 0x80; ret
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    return ctypes.CFUNCTYPE(ctypes.c_int)(address)()


def test_new_calls_do_not_exist() -> None:
    for number in (435, 437, 472, 1000):
        assert locked(lambda number=number: linux.syscall("new", number, 0, 0), SECCOMP).errno == errno.ENOSYS


def test_threads_that_run_already_are_filtered_too() -> None:
    go, ended = threading.Event(), threading.Event()
    numbers: list[int | None] = []

    def attack() -> None:
        go.wait(10)
        try:
            os.mkdir("/tmp/never")  # noqa: PTH102  # the call itself
        except OSError as error:
            numbers.append(error.errno)
        ended.set()

    def start() -> None:
        threading.Thread(target=attack, daemon=True).start()

    def finish() -> object:
        go.set()
        return ended.wait(10) and numbers

    assert locked(finish, (linux.set_no_new_privs, start, seccomp.install)).value == [errno.EPERM]


@as_users
def test_layers_need_no_new_privs(uid: int | None, folders: Folders) -> None:
    for install in (seccomp.install, folders.landlock[1]):
        refused = locked(install, (), uid)
        assert refused.errno == errno.EACCES and "needs no_new_privs" in refused.message


# -- engines ------------------------------------------------------------------------------------------------------

ENGINES = """
import os, sys
import duckdb, numpy, polars as pl
from interpreters.isolation import landlock, linux, privileges, seccomp
warm = duckdb.connect(config={"threads": 1})
warm.execute("select 1").fetchall()
child = os.fork()
if child == 0:
    privileges.drop(privileges.private_uid())
    linux.set_no_new_privs()
    landlock.restrict([sys.prefix, sys.base_prefix, "/usr", "/lib", "/proc/self", "/sys/fs/cgroup"])
    seccomp.install()
    frame = pl.DataFrame({"a": [1, 2, 2], "b": ["x", "y", "z"]})
    other = frame.lazy().group_by("a").agg(pl.len().alias("n"), pl.col("b").max()).join(frame.lazy(), on="a").sort("b")
    rows = other.collect().height
    joined = "select count(*) from range(1000) t(i) join range(500) u(j) on i = j"
    [[count]] = warm.execute(joined).fetchall()
    [[again]] = duckdb.connect().execute("select sum(i) from range(10) t(i)").fetchall()
    product = int((numpy.ones((200, 200)) @ numpy.ones((200, 200))).sum())
    os.write(1, f"{rows} {count} {again} {product}".encode())
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@needs_landlock
def test_engines_run_under_all_layers() -> None:
    settings = {"POLARS_MAX_THREADS": "2", "_RJEM_MALLOC_CONF": "background_thread:false", "OPENBLAS_NUM_THREADS": "1"}
    ended = subprocess.run(
        [sys.executable, "-c", ENGINES], capture_output=True, text=True, cwd=ROOT, env=settings, timeout=60, check=False
    )  # fmt: skip
    assert (ended.stdout, ended.returncode) == ("3 500 45 8000000", 0), ended.stderr
