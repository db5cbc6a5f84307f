"""Judge a stream of candidates on several processes: in order, and without reading far ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import TypeVar

from interpreters.base import InterpreterError, Outcome, TestCase, Verdict
from interpreters.checking import CheckerPool
from interpreters.processes.replies import clean

LOOKAHEAD = 128  # candidates that may be judged before one whose turn it is; a slow one must not hold up the others

Label = TypeVar("Label")


def judge_in_order(
    pool: CheckerPool, candidates: Iterable[tuple[Label, str, Sequence[TestCase]]], lookahead: int = LOOKAHEAD
) -> Iterator[tuple[Label, Verdict]]:
    """Yield the label of each candidate (label, code, tests) with its verdict, in the order of the candidates.

    Where the interpreter itself failed, twice, the verdict is INFRA, which says nothing about the candidate.
    """
    waiting: deque[tuple[Label, Future[Verdict]]] = deque()
    for label, code, tests in candidates:
        waiting.append((label, pool.submit(code, tests)))
        while waiting and (len(waiting) > lookahead or waiting[0][1].done()):
            yield _settle(*waiting.popleft())
    while waiting:
        yield _settle(*waiting.popleft())


def _settle(label: Label, future: Future[Verdict]) -> tuple[Label, Verdict]:
    try:
        return label, future.result()
    except InterpreterError as error:
        return label, Verdict(Outcome.INFRA, None, clean(str(error)))
