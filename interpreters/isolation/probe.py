"""Attempts on the sandbox, made in throw-away children of the zygote before it imports an engine."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from interpreters.isolation import landlock, privileges, root_folder, seccomp
from interpreters.isolation.confine import lockdown, lockdown_program
from interpreters.sandbox import NOTHING_TO_DROP, Sandbox

PROBE_MEMORY_MB = 256
PROBE_CPU_SECONDS = 10


def find_sandbox(layers: Collection[str], readable: Sequence[str], inside: str, programs: bool = False) -> Sandbox:
    """Return what holds here. `inside` names the namespaces that the calling process is in already, or is empty.

    `programs`: its children become other programs, so a root folder of their own is worth having beside Landlock."""
    found, missing = {}, {}
    for name, attempt in (_ATTEMPTS_OF_PROGRAMS if programs else _ATTEMPTS).items():
        if name not in layers:
            missing[name] = "switched off"
            continue
        if name == "chroot" and "landlock" in found and not programs:
            continue
        reason, detail = attempt(readable)
        if reason is None:
            found[name] = detail
        else:
            missing[name] = reason
    if inside:
        found["namespaces"] = inside
    if programs:
        return Sandbox(found, missing, _holes_of_programs(list(found), readable, bool(inside)))
    holes = _in_child(lambda: json.dumps(_holes(list(found), readable, bool(inside))))
    return Sandbox(found, missing, tuple(json.loads(holes)))


# -- layers, each alone -------------------------------------------------------------------------------------------


def _unprivileged(readable: Sequence[str]) -> tuple[str | None, str]:
    if not privileges.is_privileged():
        return NOTHING_TO_DROP, ""
    return _works(lambda: privileges.drop(privileges.private_uid())), "own uid" if os.geteuid() == 0 else ""


def _landlock(readable: Sequence[str]) -> tuple[str | None, str]:
    return _works(lambda: _and_no_new_privs(lambda: landlock.restrict(readable))), f"ABI {landlock.abi()}"


def _chroot(readable: Sequence[str]) -> tuple[str | None, str]:
    return _works(lambda: privileges.drop(privileges.private_uid(), ".")), ""


def _seccomp(readable: Sequence[str]) -> tuple[str | None, str]:
    return _works(lambda: _and_no_new_privs(seccomp.install)), ""


_ATTEMPTS: dict[str, Callable[[Sequence[str]], tuple[str | None, str]]] = {
    "unprivileged": _unprivileged,
    "landlock": _landlock,
    "chroot": _chroot,
    "seccomp": _seccomp,
}


def _root_folder(readable: Sequence[str]) -> tuple[str | None, str]:
    return _works(lambda: privileges.drop(privileges.private_uid(), root_folder.build(readable))), "own root folder"


def _seccomp_of_programs(readable: Sequence[str]) -> tuple[str | None, str]:
    return _works(lambda: _and_no_new_privs(lambda: seccomp.install(True))), "but execve"


_ATTEMPTS_OF_PROGRAMS = {**_ATTEMPTS, "chroot": _root_folder, "seccomp": _seccomp_of_programs}


def _and_no_new_privs(restrict: Callable[[], object]) -> None:
    lockdown(PROBE_MEMORY_MB, PROBE_CPU_SECONDS, (), ())
    restrict()


def _works(attempt: Callable[[], object]) -> str | None:
    """Return None when the attempt went through in a child, else the reason."""

    def told() -> str:
        try:
            attempt()
        except OSError as error:
            return str(error) or type(error).__name__
        return "ok"

    answer = _in_child(told)
    return None if answer == "ok" else answer or "the attempt ended its process"


def _in_child(work: Callable[[], str]) -> str:
    """Return what `work` returned in a forked child; empty when the child died."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, work().encode("utf-8", "replace")[:4000])
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as answer:
        text = answer.read().decode("utf-8", "replace")
    os.waitpid(child, 0)
    return text


# -- attacks under all of them ------------------------------------------------------------------------------------


def _holes(layers: Sequence[str], readable: Sequence[str], contained: bool) -> list[str]:
    lockdown(PROBE_MEMORY_MB, PROBE_CPU_SECONDS, layers, readable)
    return _open_doors(contained, lambda: _reads_a_file() or any(Path("/").iterdir()))  # an empty root shows nothing


def _holes_of_programs(layers: Sequence[str], readable: Sequence[str], contained: bool) -> tuple[str, ...]:
    """As above, under the walls of a child that may execute: here no program at all, so the shell must not start."""

    def locked() -> None:
        lockdown_program(PROBE_MEMORY_MB, PROBE_CPU_SECONDS, layers, readable, ())

    def tell_doors() -> str:
        locked()
        return json.dumps(_open_doors(contained, _reads_a_file))

    def tell_shell() -> str:
        locked()
        with contextlib.suppress(OSError):
            os.execv("/bin/sh", ["sh", "-c", ":"])
        return "kept from it"

    doors: list[str] = json.loads(_in_child(tell_doors))
    if _in_child(tell_shell) != "kept from it" and "processes" not in doors:
        doors.append("processes")
    return tuple(doors)


def _open_doors(contained: bool, reads_a_file: Callable[[], bool]) -> list[str]:
    attacks = {
        "files": reads_a_file,
        "network": _reaches_a_network,
        "processes": lambda: _starts_a_process() and not contained,
        "signals": lambda: _signals_its_parent() and not contained,
        "limits": _raises_a_limit,
    }
    return [name for name, attack in attacks.items() if _goes_through(attack)]


def _goes_through(attack: Callable[[], bool]) -> bool:
    try:
        return attack()
    except (OSError, ValueError):  # ValueError: how Python's setrlimit says that it is not permitted
        return False


def _reads_a_file() -> bool:
    for path in ("/etc/passwd", "/etc/hostname", __file__):
        try:
            Path(path).read_bytes()
        except OSError:
            continue
        return True
    return False


def _reaches_a_network() -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as anyone:
        anyone.sendto(b"", ("127.0.0.1", 9))  # where there is no network, not even this is possible
    return True


def _starts_a_process() -> bool:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return True


def _signals_its_parent() -> bool:
    os.kill(os.getppid(), signal.SIGCONT)
    return True


def _raises_a_limit() -> bool:
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return True
