"""What the attack table attacks: secrets, a file, a process and sockets worth getting at, made for the purpose.

A `Scene` says afterwards what an attack did, by looking from outside: at what came home, at the file, at the process,
at the sockets. It never asks the candidate. Everything lies in one temporary folder that every user may enter, so that
it is the sandbox that protects it and not the mode of a folder.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import resource
import secrets
import select
import shutil
import socket
import stat
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from interpreters.attacks.watch import Seen, Watch, descendants, stat_fields
from interpreters.base import Execution

SECRET_NAME = "ATTACK_SCENE_SECRET"  # an environment variable
PREFIX = "sesame-"  # of every secret; an attack may search for it
SETTLE_SECONDS = 2.0  # in which a killed process must be gone
_PUBLIC = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"))
_VICTIM = """
import ctypes, os, signal, sys
secret = ctypes.create_string_buffer(sys.stdin.readline().strip().encode())
for number in (signal.SIGURG, signal.SIGIO, signal.SIGUSR1):
    signal.signal(number, lambda *_: os.write(1, b"signal\\n"))
os.write(1, b"%d\\n" % ctypes.addressof(secret))
while os.read(0, 1):
    pass
"""


class _Template(string.Template):
    delimiter = "@"


@dataclass(frozen=True)
class Trace:
    """How things stand at one moment."""

    file: tuple[object, ...]
    names: frozenset[str]  # in the folder, and elsewhere with the scene's mark
    victim: tuple[object, ...]
    shared: bool  # a System V object with the scene's key exists


class Scene:
    """Use as a context manager, in the thread that runs the attacks, around the start of the interpreter too."""

    def __init__(self) -> None:
        self.marker = f"attack{secrets.token_hex(6)}"
        self.secrets = {name: PREFIX + secrets.token_hex(16) for name in ("file", "name", "environment", "memory")}
        self.secrets["of another problem"] = PREFIX + secrets.token_hex(16)
        self.key = random.SystemRandom().randrange(2**20, 2**30)
        self.seen = Seen()  # of the last attack
        self.calm = Seen()  # of an honest candidate that takes its time
        self._victim: subprocess.Popen[bytes] | None = None
        self._address = 0
        self._sockets: dict[str, socket.socket] = {}

    # -- life -----------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="attack-scene-"))
        os.environ[SECRET_NAME] = self.secrets["environment"]
        self.mend()
        return self

    def __exit__(self, *error: object) -> None:
        os.environ.pop(SECRET_NAME, None)
        self._clear()

    def _clear(self) -> None:
        for one in self._sockets.values():
            one.close()
        self._end_victim()
        self._remove_marked()
        shutil.rmtree(self.folder, ignore_errors=True)

    def mend(self) -> None:
        """Put everything back to how an attack should find it."""
        self._clear()
        self.folder.mkdir()
        self.folder.chmod(0o777)
        for name, mode, text in (
            ("secret.csv", 0o644, self.secrets["file"]),
            (f"{self.secrets['name']}.txt", 0o644, ""),
            ("victim.txt", 0o666, "as it was\n"),
        ):
            (self.folder / name).write_text(text, encoding="utf-8")
            (self.folder / name).chmod(mode)
        self._open_sockets()
        self._start_victim()

    def _start_victim(self) -> None:
        self._victim = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _VICTIM], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={SECRET_NAME: self.secrets["environment"]},
        )  # fmt: skip
        assert self._victim.stdin and self._victim.stdout
        self._victim.stdin.write(self.secrets["memory"].encode() + b"\n")
        self._victim.stdin.flush()
        self._address = int(self._victim.stdout.readline())

    def _end_victim(self) -> None:
        if self._victim is None:
            return
        self._victim.kill()
        self._victim.communicate()
        self._victim = None

    def _open_sockets(self) -> None:
        families: dict[str, tuple[int, int, tuple[str, int] | str]] = {
            "TCP": (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)),
            "UDP": (socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)),
            "unix": (socket.AF_UNIX, socket.SOCK_STREAM, str(self.folder / "socket")),
            "unix datagram": (socket.AF_UNIX, socket.SOCK_DGRAM, str(self.folder / "datagram")),
            "abstract unix": (socket.AF_UNIX, socket.SOCK_STREAM, f"\0{self.marker}"),
        }
        for name, (family, kind, address) in families.items():
            one = self._sockets[name] = socket.socket(family, kind)
            one.bind(address)
            one.setblocking(False)
            if kind == socket.SOCK_STREAM:
                one.listen(16)
        for name in ("socket", "datagram"):
            (self.folder / name).chmod(0o777)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._free_port = free.getsockname()[1]

    def _marked(self) -> list[Path]:
        return [path for folder in _PUBLIC if folder.is_dir() for path in folder.glob(f"*{self.marker}*")]

    def _remove_marked(self) -> None:
        for path in self._marked():
            _remove(path)
        libc = ctypes.CDLL(None)
        for get, remove in (
            (lambda: libc.shmget(self.key, 0, 0), lambda found: libc.shmctl(found, 0, None)),
            (lambda: libc.msgget(self.key, 0), lambda found: libc.msgctl(found, 0, None)),
            (lambda: libc.semget(self.key, 0, 0), lambda found: libc.semctl(found, 0, 0)),
        ):
            if (found := get()) >= 0:
                remove(found)

    # -- what an attack is told -----------------------------------------------------------------------------------

    @property
    def victim(self) -> int:
        assert self._victim is not None
        return self._victim.pid

    def fill(self, code: str) -> str:
        """Return the code of an attack with its @names replaced by what there is to attack."""
        places: Mapping[str, object] = {
            "folder": self.folder, "secret": self.folder / "secret.csv", "file": self.folder / "victim.txt",
            "out": self.folder / self.marker, "marker": self.marker, "key": self.key, "victim": self.victim,
            "address": self._address, "caller": os.getpid(), "unix": self.folder / "socket",
            "datagram": self.folder / "datagram",
            "tcp": self._sockets["TCP"].getsockname()[1], "udp": self._sockets["UDP"].getsockname()[1],
            "port": self._free_port,
        }  # fmt: skip
        return _Template(code).substitute(places)

    # -- what an attack did ---------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def watch(self) -> Iterator[None]:
        """Keep what is seen of the interpreter's processes meanwhile in `seen`."""
        with Watch(self.marker, self._free_port, {self.victim}) as watch:
            self.seen = watch.seen
            yield

    def processes(self) -> int:
        """Return how many processes this one has below it, without the victim."""
        return len(descendants(os.getpid()) - {self.victim})

    def stray_processes(self, before: int) -> int:
        """Return how many more there are than before, once killed ones have had time to go."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while (more := self.processes() - before) > 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        return max(more, 0)

    def trace(self) -> Trace:
        names = {str(path) for path in self.folder.rglob("*")} | {str(path) for path in self._marked()}
        return Trace(_file_state(self.folder / "victim.txt"), frozenset(names), self._victim_state(), self._shared())

    def _victim_state(self) -> tuple[object, ...]:
        assert self._victim is not None
        if self._victim.poll() is not None:
            return ("dead",)
        limits = [resource.prlimit(self.victim, kind) for kind in (resource.RLIMIT_AS, resource.RLIMIT_CPU)]
        score = Path(f"/proc/{self.victim}/oom_score_adj").read_text()
        fields = stat_fields(self.victim)
        state = "stopped" if fields[0] in "Tt" else "alive"
        return (state, fields[16], sorted(os.sched_getaffinity(self.victim)), limits, score)

    def _shared(self) -> bool:
        for kind in ("shm", "msg", "sem"):
            with contextlib.suppress(OSError):
                lines = Path(f"/proc/sysvipc/{kind}").read_text().splitlines()[1:]
                if any(line.split()[0] == str(self.key) for line in lines):
                    return True
        return False

    def heard(self) -> str | None:
        """Return what the victim was sent: a signal, or text on its standard output."""
        assert self._victim is not None and self._victim.stdout
        if self._victim.poll() is not None or not select.select([self._victim.stdout], [], [], 0)[0]:
            return None
        return os.read(self._victim.stdout.fileno(), 4096).decode("utf-8", "replace").strip()

    def connections(self) -> list[str]:
        """Return the sockets that somebody has reached since the last call."""
        reached = []
        for name, one in self._sockets.items():
            with contextlib.suppress(BlockingIOError):
                while True:
                    if one.type == socket.SOCK_DGRAM:
                        one.recv(2**16)
                    else:
                        one.accept()[0].close()
                    reached.append(name)
        return reached

    def leaked(self, execution: Execution) -> str | None:
        """Return which secret came home, in a result or in the message."""
        text = execution.message + "".join(map(repr, execution.results))
        return next((name for name, secret in self.secrets.items() if secret in text), None)


def _file_state(path: Path) -> tuple[object, ...]:
    try:
        found = path.lstat()
        attributes = [(name, os.getxattr(path, name)) for name in sorted(os.listxattr(path))]
        text = path.read_bytes() if stat.S_ISREG(found.st_mode) else b""
    except OSError:
        return ("gone",)
    return (
        found.st_mode,
        found.st_uid,
        found.st_gid,
        found.st_nlink,
        found.st_ino,
        found.st_mtime_ns,
        text,
        attributes,
    )


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
