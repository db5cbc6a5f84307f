"""The measuring of engines: every side asks all and gets right answers, and the aim is the engine's; no clocks."""

from __future__ import annotations

import pytest

from eval.bench_engines import COLUMNS, CONCURRENCY, Round, ask_engine, ask_streams, null_server, row_of, sides, timed
from eval.bench_engines_server import request_size


def test_every_side_gets_an_answer_to_every_request() -> None:
    with null_server() as url:
        for name, ask in sides().items():
            one = timed(ask, url, CONCURRENCY + 9, 1)
            assert one.requests == one.answers == CONCURRENCY + 9, name
            assert one.rate > 0 and one.cpu_ms > 0
        assert ask_engine(url, ["the same"] * 4) == 4  # one request
        assert ask_streams(url, []) == 0


def test_requests_are_told_apart_by_their_length() -> None:
    one = b"POST /v1 HTTP/1.1\r\nContent-Length: 23\r\n\r\n" + b"x" * 23
    two = one + one
    headers = len(one) - 23
    found = [request_size(two[:cut]) for cut in range(len(two) + 1)]
    assert found == [None] * headers + [len(one)] * (len(two) - headers + 1)


@pytest.mark.parametrize(("seconds", "word"), [(1.0, "met"), (3.0, "missed")])
def test_the_aim_is_held_against_the_engine(seconds: float, word: str) -> None:
    rounds = {"engine": [Round(1000, 1000, seconds, 2.0)], "floor": [Round(1000, 999, 0.1, 0.5)]}
    row = row_of("engine", rounds["engine"], rounds)
    assert len(row) == len(COLUMNS)
    assert row[3] == "1000/1000" and row[4].startswith("4.0 ") and row[5] == f"≥ 500/s: {word}"
    assert row_of("floor", rounds["floor"], rounds)[3:] == ["999/1000", "", ""]
