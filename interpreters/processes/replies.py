"""The parent's reading of what a child says. Every byte of it may have been written by a candidate.

Whatever is not in the wire format, too large or out of turn ends the job with a named outcome; nothing here raises
because of what a candidate wrote, except `BrokenChildError`, which is accepted only before any of its code has run.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from interpreters.base import Execution, GoOn, InterpreterError, Limits, Outcome, Table
from interpreters.processes.candidate import LENGTH, MESSAGE_LENGTH
from interpreters.wire import WireError, parse_untrusted, table_from_json

LOAD_SECONDS = 20.0  # from fork to the candidate's first line: reading and loading its inputs
EARLY = 0.05  # part of the limit after which a code is no longer a quick one
PATIENCE = 4.0  # a job may take so many times its limit in wall time, when it had to wait for a processor

# What a child may say about its own job; all other outcomes are for the parent to decide.
_CLAIMS = {
    outcome.value: outcome
    for outcome in (
        Outcome.RUNTIME_ERROR,
        Outcome.SYNTAX_ERROR,
        Outcome.MEMORY_EXCEEDED,
        Outcome.OUTPUT_EXCEEDED,
        Outcome.FORBIDDEN,
        Outcome.NO_RESULT,
        Outcome.UNSUPPORTED,
        Outcome.TIMEOUT,  # a step limit of the language's own
    )
}


class BrokenChildError(InterpreterError):
    """Our own part of the child failed, before the candidate's code."""


def clean(text: str) -> str:
    """Return one printable line of at most 300 characters that any encoding of Unicode can hold."""
    line = " ".join(text.split()).encode("utf-8", "replace").decode("utf-8")
    if line.isprintable():
        return line[:MESSAGE_LENGTH]
    return "".join(c if c.isprintable() else "?" for c in line)[:MESSAGE_LENGTH]


class Replies:
    """The replies of one child to its jobs, job after job. `tests_of_jobs` says how many tables each job owes.

    With `go_on` the child waits after each table but the last: `goes_on` counts the times it is to be told to go on,
    `stops` says that it is to stop. What asking takes is not the child's time.
    """

    def __init__(
        self, tests_of_jobs: Sequence[int], limits: Limits, started: bool = False, go_on: GoOn | None = None
    ) -> None:
        self.executions: list[Execution] = []
        self.load_seconds = LOAD_SECONDS
        self.started = started
        self.broken = False  # a reply was not in the wire format: the child is no good any more
        self.goes_on = 0
        self.stops = False
        self._tests = tests_of_jobs
        self._limits = limits
        self._go_on = go_on
        self._buffer = bytearray()
        self._results: list[Table] = []
        self._bytes_of_job = 0
        self._since = time.monotonic()
        self._extra = 0.0
        self._waited_before = 0.0
        self.look_again: float | None = None  # when to ask what the child had waited before, on the monotonic clock
        if started:
            self.look_again = self._since + EARLY * limits.seconds
            self._skip_empty_jobs()

    @property
    def complete(self) -> bool:
        return self.started and len(self.executions) == len(self._tests)

    @property
    def deadline(self) -> float:
        """Return when the current job must have ended, on the monotonic clock."""
        return self._since + self._limits.seconds + self._extra

    def set_baseline(self, waited: float) -> None:
        """Take what a child that has run other codes had waited when this one had hardly begun."""
        self._waited_before, self.look_again = waited, None

    def extend(self, waited: float) -> bool:
        """Move the deadline by what the child has waited for a processor; say whether that leaves time."""
        most = (PATIENCE - 1) * self._limits.seconds
        self._extra = min(max(waited - self._waited_before, self._extra), most)
        return self.deadline > time.monotonic()

    def feed(self, chunk: bytes) -> bool:
        """Take what was read; return False when nothing that follows can be used."""
        self._buffer += chunk
        while not self.complete and len(self._buffer) >= LENGTH.size:
            end = LENGTH.size + LENGTH.unpack_from(self._buffer)[0]
            if self._bytes_of_job + end > self._limits.output_bytes + 4096:  # the child counts tables only
                return self._fail(Outcome.OUTPUT_EXCEEDED, f"more than {self._limits.output_bytes} bytes of results")
            if len(self._buffer) < end:
                return True
            payload = bytes(self._buffer[LENGTH.size : end])
            del self._buffer[:end]
            self._bytes_of_job += end
            if not self._take(payload):
                return False
        return not self.complete

    def end_job(self, outcome: Outcome, message: str = "") -> None:
        now = time.monotonic()
        self.executions.append(Execution(outcome, tuple(self._results), clean(message), now - self._since))
        self._results, self._bytes_of_job, self._since = [], 0, now
        self._waited_before += self._extra
        self._extra = 0.0
        self._skip_empty_jobs()

    def _fail(self, outcome: Outcome, message: str) -> bool:
        self.broken = True
        self.end_job(outcome, message)
        return False

    def _take(self, payload: bytes) -> bool:
        try:
            message = parse_untrusted(payload)
            if not isinstance(message, dict):
                raise WireError("not an object")
            if not self.started:
                return self._start(message)
            if "failure" in message:
                return self._claim(message)
            if message.keys() != {"table"}:
                raise WireError("neither a table nor a failure")
            self._results.append(table_from_json(message["table"], self._limits.cells))
        except WireError as error:
            return self._fail(Outcome.NO_RESULT, f"the reply is not in the wire format: {error}")
        if len(self._results) == self._tests[len(self.executions)]:
            self.end_job(Outcome.PASSED)
        elif self._go_on is not None:
            self._ask(self._go_on)
        return True

    def _ask(self, go_on: GoOn) -> None:
        asked = time.monotonic()
        wanted = go_on(len(self._results) - 1, self._results[-1])
        self._since += time.monotonic() - asked
        if wanted:
            self.goes_on += 1
        else:
            self.stops = True
            self.end_job(Outcome.PASSED)

    def _start(self, message: dict[str, object]) -> bool:
        if message != {"started": True}:
            raise BrokenChildError(f"the interpreter's child failed before the candidate: {message.get('broken')}")
        self.started = True
        self._since = time.monotonic()
        self._skip_empty_jobs()
        return True

    def _skip_empty_jobs(self) -> None:
        """A job without tests owes no table."""
        while not self.complete and self._tests[len(self.executions)] == 0:
            self.executions.append(Execution(Outcome.PASSED))

    def _claim(self, message: dict[str, object]) -> bool:
        failure, text = message["failure"], message.get("message")
        if not isinstance(failure, str) or failure not in _CLAIMS or not isinstance(text, str):
            raise WireError("not a failure that a candidate can have")
        self.end_job(_CLAIMS[failure], text)
        return True
