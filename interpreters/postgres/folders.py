"""Folders of a local PostgreSQL server: one for everything while it runs, one that keeps what initdb made.

What initdb makes is the same every time, so it is copied from the user's cache folder when it is there. Only what
candidates need is kept: one database, in which nobody but the administrator may make anything, and from which the
functions are taken that leave a trace outside the transaction or end a session.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from interpreters.postgres.accounts import run_as

DATABASE = "postgres"
PREFIX = "checker-postgres-"
SOCKETS = "s"
_SOCKET_PATH = 107  # bytes, a limit of the kernel
_TAIL = len(f"/{PREFIX}12345678/{SOCKETS}/.s.PGSQL.5432.lock")
_ABANDONED_SECONDS = 3600.0  # an unfinished copy of this age belongs to nobody
_INITDB = ("-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions", "--wal-segsize=1")
_TRACES = "^(lo_.*|lo(read|write)|pg_(try_)?advisory_.*|pg_(notify|logical_emit_message|export_snapshot))$"
_ENDINGS = "^pg_(cancel|terminate)_backend$"
_SQL = f"""REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC;
GRANT CONNECT ON DATABASE {DATABASE} TO PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
DO $$ DECLARE f regprocedure; BEGIN
FOR f IN SELECT oid FROM pg_proc WHERE proname ~ '{_TRACES}' OR proname ~ '{_ENDINGS}' LOOP
EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f); END LOOP; END $$;
ALTER DATABASE template0 IS_TEMPLATE false;
DROP DATABASE template0;
ALTER DATABASE template1 IS_TEMPLATE false;
DROP DATABASE template1;
"""


@contextlib.contextmanager
def work_folder(uid: int | None) -> Iterator[Path]:
    """Make the folder of one server, which the user `uid` can reach, and remove it with all its content afterwards.

    Whoever has locked it is alive: a folder whose owner was killed goes when the next one is made. The lock also keeps
    away systemd-tmpfiles, which empties old folders.
    """
    base = _base(uid)
    _remove_abandoned(base)
    folder, lock = _locked_folder(base)
    try:
        folder.chmod(0o700 if uid is None else 0o711)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _locked_folder(base: Path) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
        lock = os.open(folder, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return folder, lock
        os.close(lock)  # somebody took it for abandoned before it was locked


def _base(uid: int | None) -> Path:
    bases = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]
    for base in bases:
        short = len(os.fsencode(base)) + _TAIL <= _SOCKET_PATH
        if short and (uid is None or run_as(uid, lambda base=base: os.access(base, os.X_OK))):  # type: ignore[misc]
            return base
    raise RuntimeError(f"no folder for a socket: expected one with a short path that user {uid} can reach: {bases}")


def _remove_abandoned(base: Path) -> None:
    for folder in base.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # it is locked, or goes at this moment
            if folder.stat().st_uid == os.geteuid():
                lock = os.open(folder, os.O_RDONLY)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder, ignore_errors=True)
                finally:
                    os.close(lock)


def reachable(binaries: Path, uids: set[int], folder: Path) -> Path:
    """Return a folder of the same binaries that all these users can run: the given one, or a copy in `folder`.

    Root's virtual environment often lies under a folder that is closed to everybody else.
    """
    if all(run_as(uid, lambda: os.access(binaries / "postgres", os.X_OK)) for uid in uids):
        return binaries
    prefix = binaries.parent
    package = folder / "install" / prefix.parent.name  # libraries are found by their place relative to the programs
    copy = package / prefix.name
    for name in ("lib", "share"):
        shutil.copytree(prefix / name, copy / name, symlinks=True)
    (copy / binaries.name).mkdir()
    for name in ("postgres", "initdb"):
        shutil.copy(binaries / name, copy / binaries.name)
    libraries = prefix.parent.with_name(f"{prefix.parent.name}.libs")  # where a wheel keeps what it is linked with
    if libraries.is_dir():
        shutil.copytree(libraries, package.with_name(libraries.name))
    for path in (folder / "install").rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755)
    (folder / "install").chmod(0o755)
    return copy / binaries.name


class DataFolder:
    """The data of one server, made by initdb or copied from the cache, which is used only where it can be."""

    def __init__(self, path: Path, version: str, binaries: Path, cache: str | None) -> None:
        self.path = path
        self._binaries = binaries
        made_of = "\n".join((version, *_INITDB, _SQL))
        name = f"postgres-{hashlib.sha256(made_of.encode()).hexdigest()[:16]}"
        self._cached = Path(cache, name) if cache else None

    def copy_of_cache(self) -> bool:
        """Copy the cache; return False when there is none."""
        if self._cached is None or not self._cached.is_dir():
            return False
        try:
            shutil.copytree(self._cached, self.path, copy_function=shutil.copyfile)
        except OSError:
            shutil.rmtree(self.path, ignore_errors=True)
            return False
        self.path.chmod(0o700)
        return True

    def commands(self, admin: str) -> list[tuple[list[str], str]]:
        """Return the commands that fill the folder, each with the text of its standard input."""
        server = str(self._binaries / "postgres")
        initdb = [str(self._binaries / "initdb"), "-D", str(self.path), "-U", admin, *_INITDB]
        single = [server, "--single", "-F", "-j", "-D", str(self.path), DATABASE]
        statements = _SQL.replace(";\n", ";\n\n")  # an empty line ends a statement
        return [(initdb, ""), (single, statements)]

    def save(self) -> None:
        """Keep what is there for the next time, whole or not at all, where the cache folder can be written."""
        if self._cached is None:
            return
        with contextlib.suppress(OSError):
            self._cached.parent.mkdir(0o700, parents=True, exist_ok=True)
            for partial in self._cached.parent.glob("partial-*"):
                if time.time() - partial.stat().st_mtime > _ABANDONED_SECONDS:
                    shutil.rmtree(partial, ignore_errors=True)
            with tempfile.TemporaryDirectory(prefix="partial-", dir=self._cached.parent) as partial_folder:
                copy = Path(partial_folder, "data")
                shutil.copytree(self.path, copy, copy_function=shutil.copyfile)
                copy.rename(self._cached)  # fails where another program was faster

    def discard(self) -> None:
        """Remove the data, and the cache that it came from."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._cached is not None:
            shutil.rmtree(self._cached, ignore_errors=True)
