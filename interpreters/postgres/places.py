"""Where the PostgreSQL server is: one of this program's own, or one that DATABASE_URL names."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from interpreters.base import InterpreterUnavailable
from interpreters.postgres.binaries import Kind
from interpreters.postgres.server import shared_server

_URL = re.compile(r"postgres(ql)?(\+\w+)?://")

log = logging.getLogger(__name__)


class Place(Protocol):
    external: bool
    has_network: bool  # is it reached over a network, where a namespace without one would keep the child from it

    def kind(self) -> str:
        """Return what to call the server beside its version."""
        ...

    def conninfo(self) -> Mapping[str, str]:
        """Return what to connect with as the administrator, after starting what is needed."""
        ...

    def was_reached(self) -> None:
        """Hear that connecting worked."""
        ...

    def worth_waiting(self) -> bool:
        """Say whether a server that does not answer may answer soon."""
        ...

    def limit_sessions(self, memory_mb: int) -> None:
        """Limit the memory of sessions that begin from now on, where that is ours to do."""
        ...

    def waited(self, processes: Iterable[int]) -> dict[int, float]:
        """Return for how many seconds each of these was kept from a processor, where that can be known."""
        ...

    def kill(self, processes: Iterable[int]) -> bool:
        """Kill sessions that do not listen, though all others end too; return False where that is not ours to do."""
        ...

    def leave(self) -> bool:
        """Stop using it; return whether it has ended, with all that was on it."""
        ...


class OwnServer:
    """A server of this program, shared by its users, which ends with the last of them."""

    external = False
    has_network = False

    def __init__(self, kind: Kind | None) -> None:
        self._server = shared_server(kind)
        self._server.join()

    def kind(self) -> str:
        return self._server.running().kind

    def conninfo(self) -> Mapping[str, str]:
        return self._server.running().conninfo

    def was_reached(self) -> None:
        pass

    def worth_waiting(self) -> bool:
        return True  # it starts, or `conninfo` starts another

    def limit_sessions(self, memory_mb: int) -> None:
        self._server.limit_sessions(memory_mb)

    def waited(self, processes: Iterable[int]) -> dict[int, float]:
        seconds = {}
        for pid in processes:
            with contextlib.suppress(OSError, IndexError):  # it has ended; a kernel that does not tell
                seconds[pid] = int(Path(f"/proc/{pid}/schedstat").read_bytes().split()[1]) / 1e9
        return seconds

    def kill(self, processes: Iterable[int]) -> bool:
        for pid in processes:
            with contextlib.suppress(OSError):  # it may have ended at last
                if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"postgres:"):
                    os.kill(pid, signal.SIGKILL)
        return True

    def leave(self) -> bool:
        return self._server.leave()


class NamedServer:
    """The server of a URL."""

    external = True

    def __init__(self, url: str) -> None:
        if not _URL.match(url):
            scheme = url.partition("://")[0] if "://" in url else "no scheme"
            raise InterpreterUnavailable(f"DATABASE_URL: expected postgresql://user@host/database, found {scheme}")
        self._url = _URL.sub("postgresql://", url)  # without the name of a driver
        self._was_reached = False
        self.has_network = _has_network(self._url)

    def kind(self) -> str:
        return "external"

    def conninfo(self) -> Mapping[str, str]:
        from psycopg import ProgrammingError
        from psycopg.conninfo import conninfo_to_dict

        try:
            return {key: str(value) for key, value in conninfo_to_dict(self._url).items()}
        except ProgrammingError as error:
            raise InterpreterUnavailable(f"DATABASE_URL: {' '.join(str(error).split())}") from error

    def worth_waiting(self) -> bool:
        """A server that was there may be restarting; one that never was is an error in the URL."""
        return self._was_reached

    def was_reached(self) -> None:
        self._was_reached = True

    def limit_sessions(self, memory_mb: int) -> None:
        pass

    def waited(self, processes: Iterable[int]) -> dict[int, float]:
        return {}

    def kill(self, processes: Iterable[int]) -> bool:
        return False

    def leave(self) -> bool:
        return False


def _has_network(url: str) -> bool:
    """Say whether a URL names another host than a folder of sockets; without a host PGHOST counts, else a socket."""
    parts = urlsplit(url)
    hosts = parts.netloc.rpartition("@")[2] or parse_qs(parts.query).get("host", [os.environ.get("PGHOST", "")])[0]
    return any(host and not unquote(host).startswith(("/", "@")) for host in hosts.split(","))
