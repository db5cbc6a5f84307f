"""Namespaces around a program: what is seen inside, and that nothing inside outlives what is outside."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import pytest
from locked import PLAIN_UID, SECCOMP, Layer, as_users, child, drop_privileges, locked, needs_root

from interpreters.isolation import linux, namespaces, privileges

pytestmark = pytest.mark.skipif(
    (reason := namespaces.probe()) is not None, reason=f"no namespaces can be made here: {reason}"
)


def inside(attack: Callable[[], object], layers: Sequence[Layer] = ()) -> Callable[[], object]:
    """Return an attack that first goes through `layers` and into namespaces."""

    def entered() -> object:
        for layer in layers:
            layer()
        names = namespaces.enter()
        assert names.removeprefix("user+").removesuffix("+proc") == "net+pid+mount+ipc+uts"
        return attack()

    return entered


def without_mount_rights() -> None:
    """Be root as containers have it: with some capabilities, but not CAP_SYS_ADMIN."""
    linux.prctl(24, 21)  # PR_CAPBSET_DROP
    held = privileges._Capabilities()
    linux.libc("capget", privileges._Header(0x20080522, 0), held)
    for word in range(3):
        held.words[word] &= ~(1 << 21)
    linux.libc("capset", privileges._Header(0x20080522, 0), held)


@as_users
def test_the_program_goes_on_as_number_1_without_a_network(uid: int | None) -> None:
    def seen() -> list[object]:
        return [os.getpid(), os.getppid(), [name for _, name in socket.if_nameindex()], os.getuid()]

    assert locked(inside(seen), (), uid).value == [1, 0, ["lo"], uid or 0]


@as_users
def test_every_namespace_is_new_and_stays_inside(uid: int | None) -> None:
    def names() -> dict[str, str]:
        return {kind: os.readlink(f"/proc/self/ns/{kind}") for kind in ("net", "pid", "mnt", "ipc", "uts")}  # noqa: PTH115

    outside = names()
    there = locked(inside(names), (), uid).value
    assert not set(there.values()) & set(outside.values())
    assert names() == outside


@as_users
def test_a_user_namespace_only_where_it_is_needed(uid: int | None) -> None:
    assert str(locked(namespaces.enter, (), uid).value).startswith("net+" if uid is None else "user+net+")


@as_users
def test_proc_shows_only_what_is_inside(uid: int | None) -> None:
    def processes() -> list[str] | None:
        names = namespaces.enter()
        return [entry.name for entry in Path("/proc").glob("[0-9]*")] if names.endswith("+proc") else None

    mounts = Path("/proc/self/mounts").read_text()
    found = locked(processes, (), uid).value
    if found is None:
        pytest.skip("/proc cannot be mounted in a namespace here")
    assert found == ["1"]
    assert Path("/proc/self/mounts").read_text() == mounts


@as_users
def test_processes_outside_cannot_be_signalled(uid: int | None) -> None:
    outside = os.getpid()
    assert locked(inside(lambda: os.kill(outside, 0)), (), uid).errno == errno.ESRCH


@as_users
def test_children_can_give_up_all_privileges_inside(uid: int | None) -> None:
    def given_up() -> list[object]:
        drop_privileges()
        return [privileges.is_privileged(), os.getuid()]

    privileged, user = locked(inside(given_up), (), uid).value
    assert not privileged and (user in privileges.PRIVATE_UIDS if uid is None else user == uid)


@needs_root
def test_root_without_the_right_to_mount_gets_a_user_namespace_with_the_private_users() -> None:
    assert locked(namespaces.enter, (without_mount_rights,)).value.startswith("user+net+")
    user = locked(inside(lambda: (drop_privileges(), os.getuid())[1], [without_mount_rights])).value
    assert user in privileges.PRIVATE_UIDS


@needs_root
def test_a_user_that_the_namespace_does_not_know_is_refused_with_the_reason() -> None:
    refused = locked(inside(lambda: privileges.drop(PLAIN_UID), [without_mount_rights]))
    assert refused.errno == errno.EINVAL and "mapping" in refused.message


@as_users
def test_the_outer_process_ends_as_the_inner_one(uid: int | None) -> None:
    assert locked(inside(lambda: os._exit(7)), (), uid).status == 7
    assert locked(inside(lambda: ctypes.string_at(0)), (), uid).status == 128 + signal.SIGSEGV


def test_where_it_does_not_work_nothing_has_changed() -> None:
    def attempt() -> list[object]:
        before = os.readlink("/proc/self/ns/net")  # noqa: PTH115
        reason = namespaces.probe()
        with contextlib.suppress(OSError):
            namespaces.enter()
        return [reason, before == os.readlink("/proc/self/ns/net"), os.getpid() > 1]  # noqa: PTH115

    reason, same, outside = locked(attempt, SECCOMP).value
    assert "Operation not permitted" in reason and same and outside


# -- ends ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def ready() -> Iterator[tuple[int, int]]:
    """A pipe on which processes say that they have begun."""
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def stay(ready: tuple[int, int]) -> NoReturn:
    """Stay, with a child in a session of its own that ignores what it can."""
    if os.fork() == 0:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
    os.write(ready[1], b"x")
    while True:
        time.sleep(60)


def until_both_stay(ready: tuple[int, int]) -> None:
    for _ in range(2):
        assert select.select([ready[0]], [], [], 20)[0], "they did not begin"
        os.read(ready[0], 1)


@as_users
def test_killing_the_outer_process_kills_everything_inside(uid: int | None, ready: tuple[int, int]) -> None:
    with child(inside(lambda: stay(ready)), (), uid) as outer:
        until_both_stay(ready)
        os.kill(outer.pid, signal.SIGKILL)
        assert outer.read(10) == ""  # the end of file: nobody holds the pipe any more


@as_users
def test_killing_the_parent_of_the_outer_process_kills_everything(uid: int | None, ready: tuple[int, int]) -> None:
    def in_the_middle() -> None:
        if os.fork() == 0:
            inside(lambda: stay(ready))()
        time.sleep(60)

    with child(in_the_middle, (), uid) as middle:
        until_both_stay(ready)
        os.kill(middle.pid, signal.SIGKILL)
        assert middle.read(10) == ""


@as_users
def test_sigterm_is_passed_on(uid: int | None, ready: tuple[int, int]) -> None:
    with child(inside(lambda: stay(ready)), (), uid) as outer:
        until_both_stay(ready)
        os.kill(outer.pid, signal.SIGTERM)
        assert outer.read(10) == ""
        assert outer.wait() == 128 + signal.SIGTERM


def test_who_ignores_sigterm_is_killed(ready: tuple[int, int]) -> None:
    def ignore() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        stay(ready)

    def impatient() -> None:
        namespaces.PATIENCE_SECONDS = 1

    with child(inside(ignore, [impatient])) as outer:
        until_both_stay(ready)
        os.kill(outer.pid, signal.SIGTERM)
        assert outer.read(10) == ""
        assert outer.wait() == 128 + signal.SIGKILL
