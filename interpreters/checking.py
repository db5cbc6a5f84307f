"""From code and tests to a verdict: run, compare, and keep several interpreters busy at once."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, replace

from interpreters import load_interpreter
from interpreters.base import Execution, Interpreter, InterpreterError, Limits, Outcome, Table, TestCase, Verdict
from interpreters.compare import compare_answer
from interpreters.processes.replies import clean
from interpreters.sandbox import SandboxName, Wanted
from interpreters.worklist import Worklist

WAITING_PER_WORKER = 64  # checks that may wait for a worker before `submit` blocks
JOIN_SECONDS = 30.0
CONFIRMATIONS = 4
"""Further runs that must be right before an answer counts that may be right by luck. Polars gives two groups in order
for half of the loadings of a problem's tables, and then for all children of that loading; so each of these runs has the
tables loaded afresh, and of such answers one in 32 passes at most."""

log = logging.getLogger(__name__)


class Comparisons:
    """The differences between the tables of one candidate and those expected, each looked for once."""

    def __init__(self, tests: Sequence[TestCase]) -> None:
        self._tests = tests
        self._found: dict[int, tuple[Table, str | None]] = {}

    def difference(self, index: int, table: Table) -> str | None:
        """Return what is wrong with the table of a test, None when it is right."""
        if index not in self._found or self._found[index][0] is not table:
            self._found[index] = (table, compare_answer(table, self._tests[index]))
        return self._found[index][1]

    def is_right(self, index: int, table: Table) -> bool:
        return self.difference(index, table) is None


def judge(
    execution: Execution, tests: Sequence[TestCase], interpreter_name: str, known: Comparisons | None = None
) -> Verdict:
    """Return the verdict on what a candidate gave. The first test that fails decides; `known` saves comparing again.

    Raises InterpreterError when an execution that claims to be whole lacks tables.
    """
    comparisons = known or Comparisons(tests)

    def verdict(outcome: Outcome, failed_test: int | None, message: str) -> Verdict:
        return Verdict(outcome, failed_test, clean(message), execution.seconds, interpreter_name)

    for index, table in enumerate(execution.results[: len(tests)]):
        difference = comparisons.difference(index, table)
        if difference is not None:
            return verdict(Outcome.WRONG_ANSWER, index, difference)
    if execution.outcome is not Outcome.PASSED:
        return verdict(execution.outcome, len(execution.results), execution.message)
    if len(execution.results) != len(tests):
        raise InterpreterError(f"{interpreter_name} gave {len(execution.results)} tables for {len(tests)} tests")
    return verdict(Outcome.PASSED, None, "")


def check(interpreter: Interpreter, code: str, tests: Sequence[TestCase], limits: Limits) -> Verdict:
    """Run and judge one candidate, up to the first test that fails. An interpreter that fails is tried once more, then
    raises. An answer that may be right by luck (`Interpreter.lucky`) is run again, and fails if it is wrong once.

    The candidate's process hears after each test whether there is another one, and so whether that test was right: of
    no use to it, because the first wrong answer ends it.

    The second try runs in a fresh process: an interpreter that raises InterpreterError has ended its own.
    """
    verdict = _check_once(interpreter, code, tests, limits)
    if verdict.passed and interpreter.lucky(code):
        for _ in range(CONFIRMATIONS):
            fresh = [replace(test, tables=dict(test.tables)) for test in tests]
            again = _check_once(interpreter, code, fresh, limits)
            if not again.passed:
                return replace(again, message=clean(f"right once and not again: {again.message}"))
    return verdict


def _check_once(interpreter: Interpreter, code: str, tests: Sequence[TestCase], limits: Limits) -> Verdict:
    inputs = [test.tables for test in tests]
    comparisons = Comparisons(tests)
    try:
        execution = interpreter.execute(code, inputs, limits, comparisons.is_right)
    except InterpreterError as error:
        log.warning("%s failed (%s); trying once more in a fresh process", interpreter.name, error)
        execution = interpreter.execute(code, inputs, limits, comparisons.is_right)
    return judge(execution, tests, interpreter.name, comparisons)


@dataclass(frozen=True)
class _Submission:
    code: str
    tests: Sequence[TestCase]
    future: Future[Verdict]


class CheckerPool:
    """Check candidates on `workers` threads, each with an interpreter of its own.

    `submit` blocks while `WAITING_PER_WORKER` checks per worker wait. Leaving the `with` block cancels what waits,
    kills what runs (its future raises CancelledError) and ends every process, after a KeyboardInterrupt too.
    """

    def __init__(
        self, interpreter_name: str, workers: int, limits: Limits, sandbox: SandboxName | Wanted = "required"
    ) -> None:
        if workers < 1:
            raise ValueError(f"a checker pool needs at least one worker, not {workers}")
        self._limits = limits
        self._interpreters = [load_interpreter(interpreter_name, sandbox) for _ in range(workers)]
        self._waiting: Worklist[_Submission] = Worklist(workers, WAITING_PER_WORKER)
        self._closing = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=(i, one), name=f"check-{interpreter_name}-{i}", daemon=True)
            for i, one in enumerate(self._interpreters)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, code: str, tests: Sequence[TestCase]) -> Future[Verdict]:
        """Return a future of the verdict; it raises InterpreterError when the interpreter failed twice.

        Codes of one problem, known by the identity of its tests, go to the worker that has its tables loaded.
        """
        future: Future[Verdict] = Future()
        if not self._waiting.put(id(tests), _Submission(code, tests, future)):
            raise RuntimeError("the checker pool is closed")
        return future

    def close(self) -> None:
        """Cancel, kill and wait; safe to call twice."""
        self._closing.set()
        for submission in self._waiting.close():
            submission.future.cancel()
        for interpreter in self._interpreters:
            interpreter.close()
        for thread in self._threads:
            thread.join(JOIN_SECONDS)

    def __enter__(self) -> CheckerPool:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _work(self, worker: int, interpreter: Interpreter) -> None:
        with contextlib.suppress(Exception):  # whatever it is, the first check raises it into its future
            interpreter.available()  # starts its processes now, beside whatever the caller loads
        while (submission := self._waiting.take(worker)) is not None:
            if submission.future.set_running_or_notify_cancel():
                self._check(interpreter, submission)
        interpreter.close()

    def _check(self, interpreter: Interpreter, submission: _Submission) -> None:
        try:
            verdict = check(interpreter, submission.code, submission.tests, self._limits)
        except BaseException as error:  # the boundary of the thread: the future carries it to the caller
            submission.future.set_exception(CancelledError() if self._closing.is_set() else error)
            return
        if self._closing.is_set():  # the process was killed under the candidate: not a verdict
            submission.future.set_exception(CancelledError())
        else:
            submission.future.set_result(verdict)
