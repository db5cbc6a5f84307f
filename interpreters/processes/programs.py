"""Children that become another program: what the parent asks for, what the child does, how what it prints is read.

For languages whose engine is a program and no library. The child writes the program's files, gives up its rights and
executes it. The program prints to the parent: first the line `begin`, when all that is ours has worked, then anything
at all, and once a line that starts with `mark` and goes on with its answer. What comes before `begin` is our own, or
the program's complaint about how it is installed; what comes after it may be anybody's.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from interpreters.base import Execution, Limits, Outcome
from interpreters.isolation import linux
from interpreters.isolation.confine import SOCKET, lockdown_program, separate
from interpreters.processes.candidate import receive
from interpreters.processes.replies import BrokenChildError, Replies, clean
from interpreters.wire import WireError, dump_request, parse_request

PROGRAMS = "programs"  # what a zygote is started with in place of a runner's module
SYSTEM_FILES = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/etc/localtime", "/usr/share/zoneinfo",
    "/dev/null", "/dev/urandom", "/proc/cpuinfo", "/sys/devices/system/cpu",
)  # fmt: skip
"""What any program reads to start: shared libraries, the time zone, what the processor is."""

_FOLDER = "program"  # in the zygote's own, which it empties after each child
_KEPT = 4096  # bytes of what is printed before the beginning, and of the last that is printed after it
_NOT_STARTED = 126


@dataclass(frozen=True)
class Program:
    """What a child becomes. `files` are written into its working directory, by name; it may read them, `readable` and
    `executable`, and execute the last."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    readable: tuple[str, ...]
    executable: tuple[str, ...]

    def request(self, files: Mapping[str, str], limits: Limits) -> bytes:
        return dump_request(
            {
                "arguments": list(self.arguments),
                "environment": dict(self.environment),
                "readable": [*SYSTEM_FILES, *self.readable],
                "executable": list(self.executable),
                "files": {name: text.encode("utf-8", "surrogatepass") for name, text in files.items()},
                "memory_mb": limits.memory_mb,
                "cpu_seconds": limits.seconds,
            }
        )


# -- the child ------------------------------------------------------------------------------------------------------


def become(connection: int, zygote: int, layers: Sequence[str]) -> NoReturn:
    """Be the child, from fork to execve. What fails on the way is printed, as the program would."""
    try:
        separate(connection, zygote)
        request = parse_request(receive(SOCKET))
        os.umask(0o022)
        Path(_FOLDER).mkdir()
        os.chdir(_FOLDER)
        for name, content in request["files"].items():
            Path(name).write_bytes(content)
        readable = [*request["readable"], *request["files"]]
        lockdown_program(request["memory_mb"], request["cpu_seconds"], layers, readable, request["executable"])
        for stream in (1, 2):
            os.dup2(SOCKET, stream)
        os.set_inheritable(SOCKET, False)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            linux.LIBC.signal(number, None)  # Python ignores them, and an ignored signal stays so in a new program
        os.execve(request["arguments"][0], request["arguments"], request["environment"])
    except BaseException as error:  # the boundary of our own part: the parent finds it before the beginning
        os.write(SOCKET, f"{type(error).__name__}: {error}\n".encode("utf-8", "replace"))
        os._exit(_NOT_STARTED)


# -- the parent -----------------------------------------------------------------------------------------------------


class Printed(Replies):
    """What one program prints. `read` makes the result of the answer, or raises WireError.

    A candidate can print what looks like an answer: it is then its answer. It counts as little as any other that it
    could give, because what is expected is not in its process.
    """

    def __init__(
        self, begin: bytes, mark: bytes, limits: Limits, load_seconds: float, read: Callable[[bytes], Execution]
    ) -> None:
        super().__init__([1], limits)
        self.load_seconds = load_seconds
        self.tail = bytearray()
        """The last that was printed, on either side of the beginning."""
        self._begin, self._mark, self._read = begin, mark, read
        self._bytes = 0

    def feed(self, chunk: bytes) -> bool:
        self._bytes += len(chunk)
        if self._bytes > self._limits.output_bytes + _KEPT:
            if not self.started:
                raise BrokenChildError(f"more than {self._limits.output_bytes} bytes before it began")
            return self._fail(Outcome.OUTPUT_EXCEEDED, f"more than {self._limits.output_bytes} bytes were printed")
        self._buffer += chunk
        lines = self._buffer.split(b"\n") if b"\n" in chunk else [self._buffer]
        self._buffer = bytearray(lines.pop())
        return all(map(self._take_line, lines))

    def text(self) -> str:
        """Return the last that was printed as one line."""
        return clean(bytes(self.tail + self._buffer)[-_KEPT:].decode("utf-8", "replace"))

    def _take_line(self, line: bytearray) -> bool:
        if not self.started and line == self._begin:
            self.started = True
            self._since = time.monotonic()
            self.tail.clear()
        elif self.started and line.startswith(self._mark):
            return self._answer(bytes(line[len(self._mark) :]))
        else:
            self.tail += line + b"\n"
            del self.tail[:-_KEPT]
        return True

    def _answer(self, line: bytes) -> bool:
        try:
            execution = self._read(line)
        except WireError as error:
            return self._fail(Outcome.NO_RESULT, f"the answer is not one: {error}")
        self._results.extend(execution.results)
        self.end_job(execution.outcome, execution.message)
        return False
