"""Landlock: a process takes away its own access to files, for good, without privileges. By ctypes.

Covered: opening files and listing folders outside the given paths, writing, creating, removing, renaming and
truncating anywhere, starting programs other than those given; with newer kernels also TCP (ABI 4), commands to
devices (ABI 5), signals to processes outside and connections to abstract sockets (ABI 6).

NOT covered: descriptors that are already open, other protocols than TCP, connections to sockets that have a path,
chmod, chown, times and attributes, and looking at files (stat, access, chdir, readlink): names and sizes stay visible.
seccomp.py denies most of these.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
from collections.abc import Sequence

from interpreters.isolation import linux

KNOWN_ABI = 7
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same numbers on all architectures
_VERSION = 1
_PATH_BENEATH = 1
_QUIET = 1  # LANDLOCK_RESTRICT_SELF_LOG_SAME_EXEC_OFF: attempts of candidates shall not fill the audit log

_EXECUTE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 2, 1 << 3
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}  # how many of the rights, counted by bit, an ABI knows
_TCP_BIND_AND_CONNECT = 0b11
_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11
_SIZES = {1: 8, 4: 16, 6: 24}  # bytes of the rule set's attributes that an ABI reads


class _Attributes(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def abi() -> int:
    """Return the version of Landlock in this kernel, 0 when there is none or it is switched off."""
    try:
        return linux.syscall("landlock_create_ruleset", _CREATE_RULESET, None, 0, _VERSION)
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM):  # EPERM: a container's own filter
            return 0
        raise


def restrict(readable: Sequence[str], executable: Sequence[str] = ()) -> int:
    """Leave this process nothing but reading the given files and folders, and starting the given programs, which are
    single files; return the ABI in force.

    Libraries there can still be loaded. A path that is missing, or that this user cannot reach, is left out. Must come
    before the first thread, and from the process itself: /proc/self names the one that opens it.
    Raises OSError when there is no Landlock, no_new_privs is not set, or another thread would stay free.
    """
    version = min(abi(), KNOWN_ABI)
    if version == 0:
        raise OSError(errno.ENOSYS, "this kernel has no Landlock, or does not enable it (lsm=landlock,...)")
    linux.require_no_new_privs("Landlock")
    linux.require_one_thread("Landlock")
    rules = _new_rules(version)
    try:
        for path in readable:
            _permit(rules, path, _READ_FILE | _READ_DIR)
        for path in executable:
            _permit(rules, path, _READ_FILE | _EXECUTE)
        linux.syscall("landlock_restrict_self", _RESTRICT_SELF, rules, _QUIET if version >= 7 else 0)
    finally:
        os.close(rules)
    return version


def _at(version: int, by_version: dict[int, int]) -> int:
    return by_version[max(known for known in by_version if known <= version)]


def _new_rules(version: int) -> int:
    """Return a descriptor of rules that deny everything which this version can deny."""
    attributes = _Attributes(
        (1 << _at(version, _FILE_RIGHTS)) - 1, _TCP_BIND_AND_CONNECT, _ABSTRACT_SOCKETS_AND_SIGNALS
    )  # fmt: skip
    return linux.syscall("landlock_create_ruleset", _CREATE_RULESET, attributes, _at(version, _SIZES), 0)


def _permit(rules: int, path: str, rights: int) -> None:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not stat.S_ISDIR(os.fstat(parent).st_mode):
                rights &= ~_READ_DIR  # the kernel refuses it for a file
            linux.syscall("landlock_add_rule", _ADD_RULE, rules, _PATH_BENEATH, _PathBeneath(rights, parent), 0)
        finally:
            os.close(parent)
