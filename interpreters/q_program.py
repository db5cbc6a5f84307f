"""Which q the user has installed, and what it needs to start.

`Q_EXECUTABLE` names the program; else it is looked for under `QHOME`, then on PATH. It gets its own file, its start-up
scripts and licence from the top of QHOME and QLIC, shared libraries, and what `Q_READABLE` names besides (paths parted
as in PATH; a folder with all that is in it): a q that is itself a script of another language needs that language's
folder there. Nothing is downloaded, and the user's environment does not pass but for QHOME and QLIC.
"""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

from interpreters.base import InterpreterUnavailable
from interpreters.processes.programs import Program

VARIABLE, READABLE = "Q_EXECUTABLE", "Q_READABLE"
DRIVER = "driver.q"
_UNDER_HOME = ("l64/q", "l64arm/q", "bin/q", "q")
_SCRIPTS = ("*.k", "*.q", "*.lic")  # of QHOME
_OPTIONS = ("-q", "-s", "0", "-P", "0", "-S", "-314159", "-z", "0")  # quiet, and what else may change an answer
_CHAIN = 4  # a script's interpreter may be a script; the kernel follows as many
_PT_INTERP = 3


def find(environment: Mapping[str, str], given: str | None = None) -> Path:
    """Return the program's file. Raises InterpreterUnavailable with where it was looked for and what to do."""
    named = given or environment.get(VARIABLE, "")
    home = environment.get("QHOME", "")
    if named:
        return _require_program(Path(shutil.which(named) or named), f"{VARIABLE} is {named}")
    for place in _UNDER_HOME if home else ():
        if Path(home, place).is_file():
            return _require_program(Path(home, place), f"QHOME is {home}")
    on_path = shutil.which("q", path=environment.get("PATH"))
    if on_path:
        return _require_program(Path(on_path), "q is on PATH")
    under = f"under QHOME ({home}: {', '.join(_UNDER_HOME)})" if home else "QHOME is not set"
    raise InterpreterUnavailable(
        f"no q found: {VARIABLE} is not set, {'nothing ' if home else ''}{under}, no q on PATH. Install kdb+, KDB-X or "
        f"another q with its licence and set {VARIABLE} to its program; nothing is downloaded"
    )


def _require_program(path: Path, why: str) -> Path:
    if not path.is_file():
        raise InterpreterUnavailable(f"no q found: {why}, but there is no such file; mend it")
    if not os.access(path, os.X_OK):
        raise InterpreterUnavailable(f"{path} is not executable ({why}): chmod +x it, or name another program")
    return path.absolute()


def program_of(path: Path, environment: Mapping[str, str], memory_mb: int) -> Program:
    """Return how to run the driver with this q. Raises InterpreterUnavailable for a program that cannot run here."""
    kept = _kept(path, environment)
    chain = list(_executed(path))
    readable = {str(file) for folder in {*kept.values()} for kind in _SCRIPTS for file in Path(folder).glob(kind)}
    readable |= {one for one in environment.get(READABLE, "").split(os.pathsep) if one}
    return Program(
        (str(path), DRIVER, *_OPTIONS, "-w", str(memory_mb)),
        {"PATH": "/usr/bin:/bin", "TZ": "UTC", "LC_ALL": "C.UTF-8", **kept},
        tuple(sorted({*readable, *chain})),
        tuple(chain),
    )


def _kept(path: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Return QHOME and QLIC as they are, or QHOME where q itself would look: in the home, or above the program."""
    kept = {name: environment[name] for name in ("QHOME", "QLIC") if environment.get(name)}
    places = [Path(environment["HOME"], "q")] if environment.get("HOME") else []
    for home in (*places, path.resolve().parent.parent, path.resolve().parent):
        if "QHOME" not in kept and (home / "q.k").is_file():
            kept["QHOME"] = str(home)
    return kept


def _executed(path: Path) -> Iterator[str]:
    """Yield what the kernel executes to start a program: its file, by name and behind links, then what that names as
    its interpreter (a script's first line) or loader."""
    following: str | None = str(path)
    for _ in range(_CHAIN):
        if following is None:
            return
        yield from dict.fromkeys([following, str(Path(following).resolve())])
        following = _interpreter_of(Path(following))


def _interpreter_of(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            head = file.read(512)
            if head.startswith(b"#!"):
                words = head.splitlines()[0][2:].decode("utf-8", "replace").split()
                return words[0] if words else None
            if not head.startswith(b"\x7fELF"):
                return None
            if head[4] != 2:
                raise InterpreterUnavailable(f"{path} is a 32-bit program, which the sandbox keeps out: install 64-bit")
            offset, size, count = struct.unpack_from("<Q", head, 32)[0], *struct.unpack_from("<HH", head, 54)
            file.seek(offset)
            for header in struct.iter_unpack("<IIQQQQQQ", file.read(size * count)):
                if header[0] == _PT_INTERP:
                    file.seek(header[2])
                    return file.read(header[5]).rstrip(b"\0").decode("utf-8", "replace")
    except (OSError, struct.error) as error:
        raise InterpreterUnavailable(f"{path} cannot be read as a program: {error}") from error
    return None
