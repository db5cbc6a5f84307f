"""The paced engine of the overlap benchmark: its own time is work, its caller's is waiting."""

from __future__ import annotations

import time

from bootstrap.engines.base import Decoding, Request
from eval.bench_overlap import PacedEngine, configuration, measure, problems_of

DECODING = Decoding(1.0, 1.0, 8, 1)


def test_the_time_of_a_slow_caller_is_waiting_and_its_own_is_not() -> None:
    engine = PacedEngine({"p": "df"}, 0.01)
    for _ in engine.generate([Request("p", "", 5)], DECODING):
        time.sleep(0.03)
    assert engine.busy_seconds >= 0.05
    assert 0.12 <= engine.waited < 0.12 + 0.5


def test_answers_are_all_different_codes_so_that_each_is_checked() -> None:
    engine = PacedEngine({"p": "df"}, 0.0)
    texts = [one.text for one in engine.generate([Request("p", "", 3)], DECODING)]
    assert len(set(texts)) == 3


def test_every_completion_is_checked_at_the_rate_asked_for() -> None:
    problems = {problem.problem_id: problem for problem in problems_of(4)}
    found = measure(problems, configuration("polars_expr", 1), 20.0, 12, 1)
    assert found.checks == 12 and found.rate <= 21 and 0 <= found.waited < 1
