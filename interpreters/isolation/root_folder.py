"""A root folder that holds a program and what it reads, at their own names, and nothing else. By bind mounts.

The mounts belong to the process that makes them and to what it becomes: they go with it, and nobody else sees them.
Only who may mount can do this: root, or anybody in a user namespace. It also opens the way to files in a folder that
the later user of the process may not enter, such as a program in root's home.

NOT covered: what is bound is what lies there, so a given folder shows all that is in it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from interpreters.isolation import linux

_FOLDER = Path("root")  # in the working directory, which is this process' own
_THREADS = "/proc/self/task"  # of this process alone: the next layers look whether there is one thread
_NEW_MOUNTS = 0x00020000
_PRIVATE_TREE = 0x4000 | 0x40000  # MS_REC, MS_PRIVATE
_BIND, _NOSUID_NODEV = 0x1000, 2 | 4


def build(paths: Sequence[str]) -> str:
    """Return the folder, for chroot. A path that is missing is left out; one that is relative ends up in the folder
    itself. Raises OSError where this process may not mount."""
    linux.libc("unshare", _NEW_MOUNTS)
    linux.mount(None, "/", None, _PRIVATE_TREE)
    _FOLDER.mkdir(exist_ok=True)
    linux.mount("tmpfs", str(_FOLDER), "tmpfs", _NOSUID_NODEV)
    _FOLDER.chmod(0o755)
    bound: set[Path] = set()
    for path in map(Path, sorted({*paths, _THREADS})):
        if path.exists():
            _place(Path("/", path), path, bound)
    return str(_FOLDER)


def _place(name: Path, source: Path, bound: set[Path]) -> None:
    """Show `source` as `name` in the folder. Links on the way to it are made again, and what they lead to is shown."""
    for here in (*reversed(name.parents), name):
        if here in bound:
            return
        inside = _inside(here)
        if here.is_symlink():
            if not inside.is_symlink():
                inside.symlink_to(here.readlink())
            whole = Path(os.path.normpath(here.parent / here.readlink() / name.relative_to(here)))
            _place(whole, whole, bound)
            return
        if here != name:
            inside.mkdir(exist_ok=True)
    _bind(source, _inside(name))
    bound.add(name)


def _inside(path: Path) -> Path:
    return _FOLDER / path.relative_to("/")


def _bind(source: Path, target: Path) -> None:
    if source.is_dir():
        target.mkdir(exist_ok=True)
    else:
        target.touch()
    linux.mount(str(source), str(target), None, _BIND)
