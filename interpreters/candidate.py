"""The life of one forked child: read the request, load its inputs, give up all rights, run the code, send tables.

Messages in both directions are a length of four bytes and JSON. The child sends `{"started": true}` once everything
of ours has worked, then for each test `{"table": ...}`, or `{"failure": outcome, "message": ...}` and nothing more for
that job. `{"broken": ...}` instead of `started` says that our own part failed.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from interpreters.base import Column, ColumnType, Outcome, Value
from interpreters.confine import SOCKET, lockdown, separate
from interpreters.wire import WireError, columns_from_json, columns_to_json, dump_bytes, parse_request

MESSAGE_LENGTH = 300
LENGTH = struct.Struct(">I")


@dataclass(frozen=True)
class Columns:
    """A table as the child holds it: one list of values per column."""

    columns: Sequence[Column]
    values: Sequence[Sequence[Value]]
    height: int


SAMPLE = Columns(
    [Column("i", ColumnType.INT), Column("s", ColumnType.STRING), Column("x", ColumnType.FLOAT)],
    [[1, 2, None], ["a", "b", None], [0.5, 1.5, None]],
    3,
)  # for runners to warm up with


class CandidateError(Exception):
    """The candidate gave no table, for a reason that a runner can name."""

    def __init__(self, outcome: Outcome, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome


class Runner(Protocol):
    """The part of an interpreter that lives in the child: a module with these functions.

    `warm` runs in the zygote and returns the engine's name and version. It does beforehand what every child would
    have to do, but starts no thread: threads do not survive a fork, and locks that they hold stay locked. `load` turns
    the inputs of one job into the engine's own tables; `run` yields one table per test, and may stop early to respect
    `max_cells`. `describe` turns an exception into an outcome and a line.
    """

    def warm(self) -> str: ...
    def prepare(self, memory_mb: int) -> None: ...
    def load(self, tests: Sequence[Mapping[str, Columns]]) -> Any: ...
    def run(self, code: str, loaded: Any, max_cells: int) -> Iterator[Columns]: ...
    def describe(self, error: BaseException) -> tuple[Outcome, str]: ...


def first_line(error: BaseException) -> str:
    """Return "Type: first line of the message that is not empty"."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return ": ".join([type(error).__name__, *lines[:1]])[:MESSAGE_LENGTH]


def live(runner: Runner, connection: int, zygote: int) -> None:
    """Be the child, from fork to exit. Does not return."""
    separate(connection, zygote)
    try:
        request = parse_request(_receive())
        runner.prepare(request["memory_mb"])
        loaded = runner.load(_inputs(request["jobs"][0]))
        lockdown(request["memory_mb"], request["cpu_seconds"])
    except Exception as error:  # the boundary of our own part: everything here becomes an InterpreterError
        _send(dump_bytes({"broken": f"{type(error).__name__}: {error}"}))
        os._exit(1)
    _send(dump_bytes({"started": True}))
    for index, job in enumerate(request["jobs"]):
        _run_job(runner, job["code"], loaded if index == 0 else runner.load(_inputs(job)), request)
    os._exit(0)


def _inputs(job: Mapping[str, Any]) -> list[dict[str, Columns]]:
    return [{name: Columns(*columns_from_json(table)) for name, table in tables.items()} for tables in job["inputs"]]


def _run_job(runner: Runner, code: str, loaded: Any, caps: Mapping[str, int]) -> None:
    try:
        for message in _messages(runner.run(code, loaded, caps["max_cells"]), caps):
            _send(message)
    except BaseException as error:  # the boundary of the candidate: SystemExit and a panic are its failures too
        outcome, reason = _explain(runner, error)
        _send(dump_bytes({"failure": outcome, "message": reason[:MESSAGE_LENGTH]}))


def _messages(tables: Iterable[Columns], caps: Mapping[str, int]) -> Iterator[bytes]:
    left = caps["max_bytes"]
    for table in tables:
        if table.height * max(len(table.columns), 1) > caps["max_cells"]:
            raise CandidateError(Outcome.OUTPUT_EXCEEDED, f"the result has more than {caps['max_cells']} cells")
        message = dump_bytes({"table": columns_to_json(table.columns, table.values, table.height)})
        left -= len(message) + LENGTH.size
        if left < 0:
            raise CandidateError(Outcome.OUTPUT_EXCEEDED, f"the results have more than {caps['max_bytes']} bytes")
        yield message


def _explain(runner: Runner, error: BaseException) -> tuple[Outcome, str]:
    if isinstance(error, CandidateError):
        return error.outcome, str(error)
    if isinstance(error, MemoryError):
        return Outcome.MEMORY_EXCEEDED, first_line(error)
    if isinstance(error, SystemExit | KeyboardInterrupt | GeneratorExit):
        return Outcome.NO_RESULT, f"the code ended with {type(error).__name__}"
    if isinstance(error, WireError):
        return Outcome.NO_RESULT, str(error)
    return runner.describe(error)


def _receive() -> bytes:
    return _read(LENGTH.unpack(_read(LENGTH.size))[0])


def _read(size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        chunk = os.read(SOCKET, min(size - len(received), 2**20))
        if not chunk:
            raise EOFError("the request ended early")
        received += chunk
    return bytes(received)


def _send(payload: bytes) -> None:
    left = memoryview(LENGTH.pack(len(payload)) + payload)
    while left:
        left = left[os.write(SOCKET, left) :]
