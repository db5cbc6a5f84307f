"""Which problems q can hold: names, arguments and expected answers, each by one example."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support import ROOT

from bootstrap.carried import q_refusal, refusal, round_trip
from bootstrap.records import Problem
from eval.bench_sources import main
from interpreters.function_cases import case_of

REAL = ROOT.parent / "shared" / "data"

VALUES: list[Any] = [
    0, -7, 2**62, True, 1.5, -0.25, 1e300, "", "a", "text with \"quotes\" and \\", "é\n", None, [], [1], [1, None, 3],
    [True], [1.5, 2.0], ["a", "bc"], ["x"],
    [[1, 2], [3]], [[]], [1, "a", 2.5, None], {"a": 1}, {"a": [1, 2], "b": "c"}, {},
    [{"key": 1, "value": "a"}, {"key": 2, "value": "b"}], [["a", 1], ["b", 2]], {"$symbol": "abc"}, [0.0, 1e-300],
]  # fmt: skip


def problem(entry: str, arguments: list[Any], expected: Any) -> Problem:
    names = [f"x{i}" for i in range(len(arguments))]
    return Problem("p", "", (case_of(entry, names, arguments, expected, hidden=True),), "f", "s", kind="function")


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_a_value_comes_back_from_q_as_it_was(value: Any) -> None:
    assert repr(round_trip(value)) == repr(value)
    assert q_refusal(problem("f", [value], value)) is None


@pytest.mark.parametrize(
    ("entry", "arguments", "expected", "reason"),
    [
        ("f", [2**70], 1, "an integer is beyond q's longs"),
        ("f", [1], 2**70, "an expected answer: an integer is beyond q's longs"),
        ("f", [-(2**63)], 1, "an integer is beyond q's longs"),
        ("f", [[1.5, None]], 1, "a list of floats has None"),
        ("f", [1], [1.5, None], "an expected answer: a list of floats has None"),
        ("max", [[1]], 1, "q keeps 'max' for itself"),
        ("is_é", [[1]], 1, "q cannot spell a function called"),
        ("f", [1] * 9, 1, "at most 8 parameters"),
    ],
)
def test_what_q_cannot_hold_is_told(entry: str, arguments: list[Any], expected: Any, reason: str) -> None:
    assert reason in str(q_refusal(problem(entry, arguments, expected)))


def test_other_languages_hold_everything() -> None:
    assert refusal(problem("max", [2**70], 1), "python") is None
    assert refusal(problem("max", [1], 1), "q") is not None


@pytest.mark.skipif(not REAL.is_dir(), reason="needs the problems in ../shared/data, which are not here")
def test_most_problems_of_python_data_sets_can_be_asked_in_q(tmp_path: Path) -> None:
    out = tmp_path / "carried.json"
    main(["--data", str(REAL), "--target", "q_subset", "--limit", "40", "--out", str(out)])
    found = json.loads(out.read_text(encoding="utf-8"))
    assert {one["source"] for one in found} >= {"mbpp", "leetcode"}
    assert all(one["admitted"] >= 0.85 * one["tried"] for one in found)
    assert all(sum(one["dropped"].values()) == one["tried"] - one["admitted"] for one in found)
