"""As whom a PostgreSQL server of this program runs. No account is ever made.

As root, which PostgreSQL refuses, the server runs under a user id that belongs to no account. initdb insists on one
that has an account, so it runs as such a one (nobody), and its files change hands. In a user namespace of its own, a
user without an account seems to be nobody while initdb runs, and so does a root that has no other user to become, as
in containers that know a single one, for as long as the server runs.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from pathlib import Path
from typing import Any

from interpreters.isolation import linux

SERVER_UID = 65533  # between what systemd lends out and `nobody`; candidates have 61000 to 64999
_NOBODY = 65534
_NEW_USER = 0x10000000


def server_uid() -> int | None:
    """Return the user id to start the server with; None: the caller's own."""
    return SERVER_UID if os.geteuid() == 0 and _is_known(SERVER_UID) else None


def tool_uid() -> int | None:
    """Return the user id to run initdb with; None: the caller's own. Raises RuntimeError where there is no account."""
    return _some_account() if server_uid() is not None else None


def _is_known(uid: int) -> bool:
    """Say whether this user namespace has such a user."""
    maps = [map(int, line.split()) for line in Path("/proc/self/uid_map").read_text().splitlines()]
    return any(first <= uid < first + count for first, _, count in maps)


def _some_account() -> int:
    ids = sorted((entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid != 0), key=lambda uid: uid != _NOBODY)
    if not ids:
        raise RuntimeError("initdb needs an account that is not root's, and this machine has none (/etc/passwd)")
    return ids[0]


def server_options(uid: int | None, first: Callable[[], None]) -> dict[str, Any]:
    """Return the arguments of Popen for a server of this user, which calls `first` before all else."""
    if uid is not None or os.geteuid() != 0:
        return {"preexec_fn": first, **_other(uid)}
    seem = _seeming(_some_account())

    def seem_and_call() -> None:
        seem()
        first()

    return {"preexec_fn": seem_and_call}


def tool_options(uid: int | None) -> dict[str, Any]:
    """Return the arguments of Popen for initdb of this user."""
    if uid is None and (os.geteuid() == 0 or not _has_account(os.geteuid())):
        return {"preexec_fn": _seeming(_some_account())}
    return _other(uid)


def _other(uid: int | None) -> dict[str, Any]:
    return {} if uid is None else {"user": uid, "group": uid, "extra_groups": []}


def _has_account(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _seeming(account: int) -> Callable[[], None]:
    """Return what makes a process that is to start seem to be this account, though it stays who it is."""
    uid = os.geteuid()

    def enter() -> None:
        linux.libc("unshare", _NEW_USER)
        Path("/proc/self/uid_map").write_text(f"{account} {uid} 1")

    return enter


def run_as(uid: int, question: Callable[[], bool]) -> bool:
    """Return the answer that another user gets, asked in a child. The caller is root and has one thread."""
    child = os.fork()
    if child == 0:
        answer = False
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            answer = question()
        finally:
            os._exit(0 if answer else 1)
    return os.waitpid(child, 0)[1] == 0


def own(path: Path, uid: int | None) -> None:
    """Give a folder with all its content to a user; None: leave it."""
    if uid is None:
        return
    os.chown(path, uid, uid)
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            os.chown(os.path.join(folder, name), uid, uid, follow_symlinks=False)  # noqa: PTH118 - a thousand files
