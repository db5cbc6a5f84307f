"""Run a program of the project as somebody else: as root inside bubblewrap, or as a user without rights."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from support import ROOT

CURRENT, CONTAINED, PLAIN = "current user", "root in bubblewrap", "plain user"
USERS = (CURRENT, CONTAINED, PLAIN)
_BEFORE = {
    CURRENT: [],
    CONTAINED: ["bwrap", "--unshare-all", "--die-with-parent", "--bind", "/", "/", "--dev", "/dev", "--proc", "/proc"],
    PLAIN: [sys.executable, str(Path(__file__).with_name("plain_user.py")), "FOLDER"],
}


def run_as(user: str, words: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `python WORDS` in the project as this user, with HOME and TMPDIR in `folder`, which becomes theirs."""
    before = [str(folder) if word == "FOLDER" else word for word in _BEFORE[user]]
    environment = {**os.environ, "HOME": str(folder), "TMPDIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [*before, sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900,
        check=False,
    )  # fmt: skip


def why_not(user: str, folder: Path) -> str | None:
    """Return why nothing can be run as this user here."""
    if user == CONTAINED and shutil.which("bwrap") is None:
        return "bubblewrap is not installed (apt-get install bubblewrap)"
    if user == PLAIN and os.getuid() != 0:
        return "only root can become another user; the current user is a plain one"
    tried = run_as(user, ["-c", "import interpreters"], folder)
    return f"nothing can be run as {user}: {tried.stderr[-500:]}" if tried.returncode else None
