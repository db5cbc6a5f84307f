"""A PostgreSQL server as an administrator would run it: for tests of DATABASE_URL."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from interpreters.postgres.accounts import own, tool_options, tool_uid
from interpreters.postgres.binaries import find_binaries
from interpreters.postgres.folders import reachable, work_folder

GRADER = "grader"


@dataclass(frozen=True)
class Stock:
    """A running server with a database `school`, owned by somebody else, and a role that may what a checker needs."""

    sockets: str
    port: int
    process: subprocess.Popen[bytes]

    def url(self, user: str = GRADER, scheme: str = "postgresql", database: str = "school") -> str:
        return f"{scheme}://{user}@/{database}?host={self.sockets}&port={self.port}"

    def network_url(self) -> str:
        return f"postgresql://{GRADER}:secret@127.0.0.1:{self.port}/school"

    def rows(self, query: str, user: str = "owner") -> list[Any]:
        with psycopg.connect(self.url(user), autocommit=True) as connection:
            cursor = connection.execute(query.encode())
            return cursor.fetchall() if cursor.description else []

    def leftovers(self) -> list[Any]:
        return self.rows(
            "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'checker%' UNION ALL "
            "SELECT rolname FROM pg_roles WHERE rolname LIKE 'checker%' UNION ALL "
            "SELECT usename FROM pg_stat_activity WHERE usename LIKE 'checker%' OR usename = 'grader'"
        )


@contextlib.contextmanager
def stock_server() -> Iterator[Stock]:
    """Run one with the binaries that the program would take, on a socket and on the loopback network."""
    uid = tool_uid()
    with work_folder(uid) as folder:
        binaries = find_binaries(None, os.environ).folder
        if uid is not None:
            binaries = reachable(binaries, {uid}, folder)
        for name in ("data", "s"):
            (folder / name).mkdir(0o755 if name == "s" else 0o700)
            own(folder / name, uid)
        _run([str(binaries / "initdb"), "-D", str(folder / "data"), "-U", "owner", "-A", "trust", "-E", "UTF8"], uid)
        _allow_passwords_only(folder / "data" / "pg_hba.conf")
        port = _free_port()
        command = [str(binaries / "postgres"), "-D", str(folder / "data"), "-F", "-k", str(folder / "s")]
        process = subprocess.Popen(
            [*command, "-h", "127.0.0.1", "-p", str(port)], stderr=subprocess.DEVNULL, cwd="/", **tool_options(uid)
        )
        try:
            yield _furnished(Stock(str(folder / "s"), port, process))
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(20)


def _run(command: Sequence[str], uid: int | None) -> None:
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
    subprocess.run(command, check=True, cwd="/", env=environment, capture_output=True, **tool_options(uid))


def _allow_passwords_only(rules: Path) -> None:
    rules.write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _furnished(stock: Stock) -> Stock:
    _await(stock)
    with psycopg.connect(stock.url("owner", database="postgres"), autocommit=True) as one:
        one.execute(f"CREATE ROLE {GRADER} LOGIN CREATEROLE PASSWORD 'secret'")
        one.execute("CREATE ROLE beggar LOGIN")
        one.execute("CREATE DATABASE school")
        one.execute(f"GRANT CREATE ON DATABASE school TO {GRADER}")
    with psycopg.connect(stock.url("owner"), autocommit=True) as one:
        one.execute("CREATE TABLE marks (a int); INSERT INTO marks VALUES (1)")
        one.execute("CREATE SCHEMA checker_of_mine; CREATE ROLE checker_of_mine")
    return stock


def _await(stock: Stock) -> None:
    for _ in range(600):
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(stock.url("owner", database="postgres")).close()
            return
        if stock.process.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError("the server for tests does not start")
