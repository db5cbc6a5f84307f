"""Threads that run code of our own generators, each with interpreters of its own."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Generic, Literal, Self, TypeVar

from interpreters import INTERPRETERS, load_interpreter
from interpreters.base import Execution, Interpreter, Job, Limits, Table

CELLS_PER_BATCH = 400_000
"""Of input tables, sent to a process at once."""

Piece = TypeVar("Piece")
Result = TypeVar("Result")


def interpreters_by_language(target: str | None = None) -> dict[str, str]:
    """Return language -> name of the interpreter that checks it: the target where it is one, else the first."""
    found: dict[str, str] = {}
    for name in (*([target] if target else []), *INTERPRETERS):
        found.setdefault(load_interpreter(name).language, name)
    return found


@dataclass(frozen=True)
class Workers:
    """How many threads, and which interpreters they open: one per language, `target` for its own; `languages`: no
    others than these."""

    count: int = 1
    target: str | None = None
    sandbox: Literal["required", "unsafe"] = "required"
    languages: Collection[str] | None = None


def run_jobs(interpreter: Interpreter, jobs: Sequence[Job], limits: Limits | None = None) -> list[Execution]:
    """Run jobs as trusted code, in batches of bounded size: a batch crosses to its process in one piece."""
    executions: list[Execution] = []
    batch: list[Job] = []
    cells = 0
    for job in jobs:
        size = sum(len(table.rows) * len(table.columns) for tables in job[1] for table in tables.values())
        if batch and cells + size > CELLS_PER_BATCH:
            executions += _run(interpreter, batch, limits)
            batch, cells = [], 0
        batch.append(job)
        cells += size
    return executions + (_run(interpreter, batch, limits) if batch else [])


def _run(interpreter: Interpreter, jobs: Sequence[Job], limits: Limits | None) -> list[Execution]:
    return interpreter.execute_trusted(jobs, limits) if limits else interpreter.execute_trusted(jobs)


class OpenInterpreters:
    """The interpreters of one thread: opened when first asked for, closed together."""

    def __init__(self, workers: Workers) -> None:
        names = interpreters_by_language(workers.target)
        wanted = names if workers.languages is None else workers.languages
        self._names = {language: name for language, name in names.items() if language in wanted}
        self._sandbox = workers.sandbox
        self._target = load_interpreter(workers.target, workers.sandbox) if workers.target else None
        self._stack = contextlib.ExitStack()
        self._opened: dict[str, Interpreter] = {}
        self.missing: dict[str, str] = {}
        """Language -> why it cannot be run here."""

    def get(self, language: str) -> Interpreter | None:
        """Return the interpreter of a language, or None: none is wanted, or none runs here (see `missing`)."""
        if language not in self._opened and language not in self.missing:
            if language not in self._names:
                return None
            interpreter = self._stack.enter_context(load_interpreter(self._names[language], self._sandbox))
            reason = interpreter.available()
            if reason is not None:
                self.missing[language] = reason
            else:
                self._opened[language] = interpreter
        return self._opened.get(language)

    def refusal(self, inputs: Sequence[Mapping[str, Table]]) -> str | None:
        """Return why the target cannot carry these inputs, None where it can or there is none."""
        return self._target.refuses(inputs) if self._target is not None else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()


@dataclass(frozen=True)
class Outcome(Generic[Result]):
    """What the threads gave, in the order of the pieces, and the languages that could not be run here, with reasons."""

    results: list[Result]
    missing: Mapping[str, str]


def in_threads(
    pieces: Sequence[Piece], workers: Workers, work: Callable[[OpenInterpreters, Piece], Result],
    on_done: Callable[[Result], None],
) -> Outcome[Result]:  # fmt: skip
    """Do the work on each piece; `on_done` is called in this thread as they finish. Raises what `work` raises."""
    finished: queue.Queue[Result] = queue.Queue()
    missing: dict[str, str] = {}

    def work_through(share: Sequence[Piece]) -> list[Result]:
        results = []
        with OpenInterpreters(workers) as opened:
            for piece in share:
                results.append(work(opened, piece))
                finished.put(results[-1])
            missing.update(opened.missing)
        return results

    left = len(pieces)
    with ThreadPoolExecutor(workers.count) as threads:
        running = [threads.submit(work_through, pieces[i :: workers.count]) for i in range(workers.count)]
        while left and not any(one.done() and one.exception() for one in running):
            with contextlib.suppress(queue.Empty):
                on_done(finished.get(timeout=0.2))
                left -= 1
        shares = [one.result() for one in running]
    return Outcome([shares[i % workers.count][i // workers.count] for i in range(len(pieces))], missing)
