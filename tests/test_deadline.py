"""A verdict does not depend on what else the machine does: time spent waiting for a processor is not counted."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from interpreters import load_interpreter
from interpreters.base import Column, ColumnType, Limits, Outcome, Table
from interpreters.processes.replies import PATIENCE, Replies

INPUT = Table((Column("a", ColumnType.INT),), ((1,),))
SPIN = (
    "end = __import__('time').thread_time() + {seconds}\nwhile __import__('time').thread_time() < end: pass\nresult = t"
)
LIMITS = Limits(seconds=0.6)


@pytest.fixture
def load() -> Iterator[None]:
    """Several processes that want every core."""
    burners = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3 * len(os.sched_getaffinity(0)))
    ]
    yield
    for burner in burners:
        burner.kill()
        burner.wait()


@pytest.mark.usefixtures("load")
def test_a_candidate_within_its_limit_passes_on_a_busy_machine() -> None:
    with load_interpreter("polars_expr") as interpreter:
        start = time.monotonic()
        execution = interpreter.execute(SPIN.format(seconds=0.4), [{"t": INPUT}], LIMITS)
        assert execution.outcome is Outcome.PASSED, execution
        assert time.monotonic() - start > LIMITS.seconds  # it did have to wait


@pytest.mark.usefixtures("load")
@pytest.mark.parametrize("code", ["while True: pass", "__import__('time').sleep(60)"])
def test_what_does_not_end_is_killed_on_a_busy_machine_too(code: str) -> None:
    with load_interpreter("polars_expr") as interpreter:
        interpreter.version()
        start = time.monotonic()
        assert interpreter.execute(code, [{"t": INPUT}], LIMITS).outcome is Outcome.TIMEOUT
        assert time.monotonic() - start < PATIENCE * LIMITS.seconds + 3


def test_the_deadline_moves_by_what_was_waited_and_no_further_than_patience() -> None:
    replies = Replies([1, 1], LIMITS, started=True)
    first = replies.deadline
    assert replies.extend(0.25) and replies.deadline == pytest.approx(first + 0.25)
    assert replies.extend(0.25) and replies.deadline == pytest.approx(first + 0.25)
    replies.extend(1000)
    assert replies.deadline == pytest.approx(first + (PATIENCE - 1) * LIMITS.seconds)
    replies.end_job(Outcome.TIMEOUT)
    assert replies.deadline < first + 1  # the next job starts with its own time


def test_what_a_session_waited_for_earlier_codes_is_not_counted_again() -> None:
    replies = Replies([1], LIMITS, started=True)
    assert replies.look_again is not None and replies.look_again < replies.deadline
    first = replies.deadline
    replies.set_baseline(7.0)
    replies.extend(7.25)
    assert replies.deadline == pytest.approx(first + 0.25)
