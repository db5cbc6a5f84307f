"""The life of one forked child: read the request, load its inputs, give up all rights, run the code, send tables.

Messages in both directions begin with their length in four bytes; those of the child are JSON. The child sends
`{"started": true}` once everything of ours has worked, then for each test `{"table": ...}`, or `{"failure": outcome,
"message": ...}` and nothing more for that job. `{"broken": ...}` instead of `started` says that our own part failed.
A request whose `jobs` are null opens a session: each later message is `CODE` (or `ASK`) and the text of a code, run
over the inputs that were loaded once, or `INPUTS` and a message with other inputs, which take the place of those.

Where the request says `asks`, or the message begins with `ASK`, the child waits after the table of each test but the
last for one byte: `GO_ON`, or `STOP` when the parent has seen enough.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

from interpreters.base import Column, ColumnType, Outcome, Value
from interpreters.isolation.confine import SOCKET, lockdown, separate
from interpreters.wire import WireError, columns_from_json, columns_to_json, dump_bytes, parse_request

MESSAGE_LENGTH = 300
LENGTH = struct.Struct(">I")
CODE, ASK, INPUTS = b"c", b"a", b"i"
GO_ON, STOP = b"+", b"-"


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
    have to do, but starts no thread: threads do not survive a fork, and locks that they hold stay locked. `prepare`
    runs first in the child, with what the adapter has to say as `context`; what it opens stays open. `load` turns the
    inputs of one job into the engine's own tables. After that the child gives up its rights. `run` yields one table
    per test, and may stop early to respect `max_cells`; with sticky sessions it runs many codes over what `load` gave,
    and must leave no trace of one for the next. `describe` turns an exception into an outcome and a line.
    """

    def warm(self) -> str: ...
    def prepare(self, memory_mb: int, context: str) -> None: ...
    def load(self, tests: Sequence[Mapping[str, Columns]]) -> Any: ...
    def run(self, code: str, loaded: Any, max_cells: int) -> Generator[Columns, None, None]: ...
    def describe(self, error: BaseException) -> tuple[Outcome, str]: ...


def first_line(error: BaseException) -> str:
    """Return "Type: first line of the message that is not empty"."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return ": ".join([type(error).__name__, *lines[:1]])[:MESSAGE_LENGTH]


def live(
    runner: Runner, connection: int, zygote: int, layers: Sequence[str], readable: Sequence[str], loaded: Any = None
) -> None:
    """Be the child, from fork to exit; `loaded` are inputs that the zygote has loaded already. Does not return."""
    separate(connection, zygote)
    try:
        request = parse_request(receive(SOCKET))
        runner.prepare(request["memory_mb"], request["context"])
        if loaded is None:
            loaded = runner.load(_inputs(request["inputs"]))
        lockdown(request["memory_mb"], request["cpu_seconds"], layers, readable)
    except Exception as error:  # the boundary of our own part: everything here becomes an InterpreterError
        _send(dump_bytes({"broken": f"{type(error).__name__}: {error}"}))
        os._exit(1)
    _send(dump_bytes({"started": True}))
    if request["jobs"] is None:
        _serve(runner, loaded, request)
    for index, job in enumerate(request["jobs"]):
        asks = job["tests"] - 1 if request["asks"] else 0
        _run_job(runner, job["code"], loaded if index == 0 else runner.load(_inputs(job["inputs"])), request, asks)
    os._exit(0)


def _serve(runner: Runner, loaded: Any, request: Mapping[str, Any]) -> NoReturn:
    """Run one code after the other over the inputs, until nobody asks any more."""
    tests = len(request["inputs"])
    while True:
        try:
            message = receive(SOCKET)
        except EOFError:
            os._exit(0)
        if message[:1] == INPUTS:
            inputs = parse_request(message[1:])["inputs"]
            loaded, tests = runner.load(_inputs(inputs)), len(inputs)
            _send(dump_bytes({"started": True}))
        else:
            asks = tests - 1 if message[:1] == ASK else 0
            _run_job(runner, message[1:].decode("utf-8", "surrogatepass"), loaded, request, asks)


def read_inputs(descriptor: int) -> list[dict[str, Columns]]:
    """Return the inputs in a message that the parent sends."""
    return _inputs(parse_request(receive(descriptor))["inputs"])


def _inputs(tests: Sequence[Mapping[str, Any]]) -> list[dict[str, Columns]]:
    return [{name: Columns(*columns_from_json(table)) for name, table in tables.items()} for tables in tests]


def _run_job(runner: Runner, code: str, loaded: Any, caps: Mapping[str, int], asks: int) -> None:
    """Run a code; after each of the first `asks` tests, wait to be told to go on."""
    try:
        with closing(runner.run(code, loaded, caps["max_cells"])) as tables:  # its clean-up comes before the next code
            for index, message in enumerate(_messages(tables, caps)):
                _send(message)
                if index < asks and os.read(SOCKET, 1) != GO_ON:
                    return
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


def receive(descriptor: int) -> bytes:
    return _read(descriptor, LENGTH.unpack(_read(descriptor, LENGTH.size))[0])


def _read(descriptor: int, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        chunk = os.read(descriptor, min(size - len(received), 2**20))
        if not chunk:
            raise EOFError("the request ended early")
        received += chunk
    return bytes(received)


def _send(payload: bytes) -> None:
    left = memoryview(LENGTH.pack(len(payload)) + payload)
    while left:
        left = left[os.write(SOCKET, left) :]
