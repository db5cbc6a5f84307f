"""The side of a checker pool that lives in a Ray actor: a local pool, fed and emptied by remote calls.

Candidates run here as they do without Ray, in the children of a zygote that the pool's threads start; what a candidate
says reaches the stage only as a Verdict. Nothing here imports ray: the class is made an actor by check_pool.py.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

from bootstrap.scale_out.same_code import versions
from interpreters.base import InterpreterUnavailable, Limits, TestCase, Verdict
from interpreters.checking import CheckerPool
from interpreters.sandbox import SandboxName

TOGETHER = 8  # answers that share a call, which costs more than a check ...
LINGER_SECONDS = 0.02  # ... if they come within so long of the first


@dataclass(frozen=True)
class Work:
    """One check: its number, which comes back with the answer, and the number under which its tests were sent."""

    check: int
    tests: int
    code: str


@dataclass(frozen=True)
class Answer:
    """A verdict, or why there is none: the interpreter, not the candidate, failed."""

    check: int
    verdict: Verdict | None
    error: str = ""
    unavailable: bool = False


@dataclass(frozen=True)
class CheckerHello:
    """What an actor says of itself before it gets work."""

    versions: Mapping[str, str]
    host: str
    pid: int


class CheckActor:
    """`accept` and `collect` are called from two threads: Ray gives each a group of its own."""

    def __init__(self, interpreter_name: str, workers: int, limits: Limits, sandbox: SandboxName) -> None:
        self._words = interpreter_name, workers, limits, sandbox
        self._pool: CheckerPool | None = None
        self._tests: dict[int, Sequence[TestCase]] = {}
        self._answers: list[Answer] = []
        self._open = 0  # checks that have no answer yet
        self._changed = threading.Condition()

    def hello(self) -> CheckerHello:
        """Start the interpreters, beside whatever comes next."""
        if self._pool is None:
            self._pool = CheckerPool(*self._words)
        return CheckerHello(versions(), socket.gethostname(), os.getpid())

    def accept(
        self, tests: Mapping[int, Sequence[TestCase]], forgotten: Sequence[int], work: Sequence[Work]
    ) -> None:  # fmt: skip
        """Take tests that later checks name by their number, forget others, and begin the checks."""
        self._tests.update(tests)
        with self._changed:
            self._open += len(work)
        for one in work:
            try:
                assert self._pool is not None, "work came before hello"
                future = self._pool.submit(one.code, self._tests[one.tests])
            except Exception as error:  # the boundary of the call, whose result nobody waits for
                self._add(Answer(one.check, None, f"a checker actor could not begin: {type(error).__name__}: {error}"))
            else:
                future.add_done_callback(partial(self._settled, one.check))
        for number in forgotten:
            self._tests.pop(number, None)

    def _settled(self, check: int, future: Future[Verdict]) -> None:
        if future.cancelled():
            return
        error = future.exception()
        if error is None:
            self._add(Answer(check, future.result()))
        else:
            self._add(Answer(check, None, str(error), isinstance(error, InterpreterUnavailable)))

    def _add(self, answer: Answer) -> None:
        with self._changed:
            self._open -= 1
            self._answers.append(answer)
            self._changed.notify_all()

    def collect(self, seconds: float) -> list[Answer]:
        """Return the answers that there are, waiting so long for one; an empty list is a sign of life."""
        with self._changed:
            if self._changed.wait_for(lambda: bool(self._answers), seconds):
                self._changed.wait_for(lambda: not self._open or len(self._answers) >= TOGETHER, LINGER_SECONDS)
            answers, self._answers = self._answers, []
        return answers

    def end(self) -> None:
        """Kill what runs and end every process."""
        if self._pool is not None:
            self._pool.close()
