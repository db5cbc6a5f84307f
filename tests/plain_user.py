"""Run a command as a user that is nobody: `python plain_user.py FOLDER COMMAND ...`, started by root.

Python itself may lie under a folder that only root can enter. So this takes a mount namespace of its own, in which
such a folder is replaced by an open one that holds nothing but the way to Python and the project, and becomes user
65534 there. FOLDER, which gets to be the user's own, is its HOME and its TMPDIR; the folder above is for scratch.
"""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

NOBODY = 65534
PROJECT = Path(__file__).resolve().parent.parent
UNSHARED = "plain-user-unshared"


def closed_ancestors(path: Path) -> list[Path]:
    """Return the folders on the way to `path` that others may not enter, outermost first."""
    return [folder for folder in reversed(path.parents) if not folder.stat().st_mode & stat.S_IXOTH]


def open_the_way(path: Path, scratch: Path) -> None:
    """Mount an open folder over the outermost closed one, and in it the rest of the way."""
    closed = closed_ancestors(path)
    if not closed:
        return
    outermost = closed[0]
    first = outermost / path.relative_to(outermost).parts[0]
    stand_in = Path(tempfile.mkdtemp(prefix="way-", dir=scratch))
    stand_in.chmod(0o755)
    inner = stand_in / first.name
    inner.mkdir() if first.is_dir() else inner.touch()
    mount("--rbind", first, inner)
    mount("--rbind", stand_in, outermost)
    open_the_way(path, scratch)


def mount(*words: str | Path) -> None:
    subprocess.run(["mount", *map(str, words)], check=True)


def needed() -> list[Path]:
    """Return what the command must be able to read: the virtual environment, the real Python, the project."""
    return [Path(sys.prefix) / "bin", Path(sys.base_prefix) / "bin", PROJECT / "interpreters"]


def main() -> None:
    folder, *command = sys.argv[1:]
    if UNSHARED not in os.environ:
        words = ["unshare", "--mount", "--propagation", "private", sys.executable, __file__, folder, *command]
        os.execvpe("unshare", words, {**os.environ, UNSHARED: "1"})
    for path in needed():
        open_the_way(path, Path(folder).parent)
    os.chown(folder, NOBODY, NOBODY)
    for parent in closed_ancestors(Path(folder) / "x"):
        parent.chmod(0o755)
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "DATABASE_URL")}
    os.chdir(PROJECT)
    os.execvpe(command[0], command, {**kept, "HOME": folder, "TMPDIR": folder, "PYTHONDONTWRITEBYTECODE": "1"})


if __name__ == "__main__":
    main()
