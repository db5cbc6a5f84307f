"""Which layers of the sandbox are in force, found by trying attacks, and whether they are enough to go on.

The zygote tries each layer in a throw-away child, takes those that work, and then lets a child under all of them try
to read a file, reach the network, start a process, signal its parent and raise its limits. What gets through is a
hole. A hole in files, network or processes is below the required level: the interpreter refuses, unless it was opened
with `sandbox="unsafe"`. The line that says all this is printed and stored with every run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

SandboxName = Literal["required", "unsafe"]

LAYERS = ("unprivileged", "landlock", "chroot", "seccomp", "namespaces")
"""In the order in which a child takes them; `chroot` only where Landlock is missing, `namespaces` go around it all."""

REQUIRED = ("files", "network", "processes")
"""What must hold before code of a model may run."""


class Level(IntEnum):
    NONE = 0  # a hole in what is required
    STANDARD = 1  # files, network and processes are closed
    STRONG = 2  # and namespaces around the zygote, and as root a uid of its own: two walls for everything


@dataclass(frozen=True)
class Wanted:
    """What an interpreter is opened with: the layers to try, and whether a hole is a reason to refuse."""

    layers: frozenset[str] = frozenset(LAYERS)
    required: bool = True


@dataclass(frozen=True)
class Sandbox:
    """What was found: `layers` in force with a detail, `missing` with the reason, `holes` that attacks went through."""

    layers: Mapping[str, str]
    missing: Mapping[str, str]
    holes: tuple[str, ...]

    @property
    def level(self) -> Level:
        if any(hole in REQUIRED for hole in self.holes):
            return Level.NONE
        walls = {"seccomp", "landlock", "namespaces"} <= self.layers.keys()
        root_kept = self.missing.get("unprivileged", NOTHING_TO_DROP) != NOTHING_TO_DROP
        return Level.STRONG if walls and not root_kept and not self.holes else Level.STANDARD

    def line(self) -> str:
        """Return one line for the terminal and for a run's metadata."""
        found = [f"{name} {detail}".strip() for name, detail in self.layers.items()]
        lost = [f"{name} no: {reason}" for name, reason in self.missing.items()]
        holes = f"; OPEN TO ATTACK: {', '.join(self.holes)}" if self.holes else ""
        return f"sandbox: {self.level.name.lower()} ({', '.join(found + lost)}{holes})"

    def refusal(self) -> str | None:
        """Return why code of a model must not run here, or None."""
        open_to = [hole for hole in self.holes if hole in REQUIRED]
        if not open_to:
            return None
        return (
            f"the sandbox does not hold here: a candidate could get at {', '.join(open_to)} ({self.line()}). "
            "Use a kernel with seccomp and Landlock (5.13 or later), or give --sandbox unsafe where every candidate "
            "may do what this account may"
        )


NOTHING_TO_DROP = "nothing to give up"


def wanted(sandbox: SandboxName | Wanted) -> Wanted:
    """Return what a name stands for. Raises ValueError for another name."""
    if isinstance(sandbox, Wanted):
        return sandbox
    if sandbox not in ("required", "unsafe"):
        raise ValueError(f"sandbox: expected required or unsafe, found {sandbox!r}")
    return Wanted(required=sandbox == "required")


def level_of(line: str) -> Level | None:
    """Return the level that a stored line names; None for a line of another format."""
    words = line.removeprefix("sandbox: ").split(" ", 1)
    return next((level for level in Level if level.name.lower() == words[0]), None)
