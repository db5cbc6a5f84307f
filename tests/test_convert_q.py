"""Python functions to q by a teacher, from the command line: what the interpreter of q proves on all tests is kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bootstrap.convert.__main__ import main
from bootstrap.convert.questions import question
from bootstrap.records import Problem
from bootstrap.sources import load_source
from interpreters import load_interpreter


def row(number: int, text: str, code: str, *tests: tuple[list[Any], Any]) -> dict[str, Any]:
    entry = code.removeprefix("def ").partition("(")[0]
    return {
        "task_id": number, "text": text, "code": code, "entry_point": entry,
        "tests": [{"args": args, "expected": expected} for args, expected in tests],
    }  # fmt: skip


ROWS = [
    row(1, "Return the squares of a list of numbers.", "def squares(xs):\n    return [x * x for x in xs]",
        ([[1, 2, 3]], [1, 4, 9]), ([[5]], [25]), ([[-2, 0]], [4, 0])),
    row(2, "Count each letter of a text.", "def letters(s):\n    return {c: s.count(c) for c in s}",
        (["aab"], {"__dict__": [["a", 2], ["b", 1]]}), (["xy"], {"__dict__": [["x", 1], ["y", 1]]}),
        (["q"], {"__dict__": [["q", 1]]})),
    row(3, "Put the words of a text in reverse order.", "def backwards(s):\n    return ' '.join(s.split(' ')[::-1])",
        (["to be or"], "or be to"), (["one two"], "two one"), (["a b c d"], "d c b a")),
    row(4, "Say whether a number is even.", "def is_even(n):\n    return n % 2 == 0",
        ([4], True), ([7], False), ([0], True)),
    row(5, "Return the numbers below n.", "def til(n):\n    return list(range(n))",
        ([3], [0, 1, 2]), ([5], [0, 1, 2, 3, 4])),
]  # fmt: skip
ANSWERS = {
    "mbpp_1": "```q\nsquares:{[xs] xs*xs}\n```",
    "mbpp_2": "So:\n```q\nletters:{[s] g:count each group s; (enlist each key g)!value g}\n```",
    "mbpp_3": '```q\nbackwards:{[s] " " vs reverse s}\n```',
    "mbpp_4": "```q\nis_even:{[n] 0=n mod 2}\n```",
}
"""By problem; the third is wrong. The fifth has a name that q keeps: nobody is asked for it."""


@pytest.fixture
def problems(tmp_path: Path) -> list[Problem]:
    path = tmp_path / "mbpp.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in ROWS), encoding="utf-8")
    return list(load_source("mbpp", {"path": str(path)}, 1).load())


def convert(folder: Path, problems: list[Problem], answers: dict[str, str]) -> dict[str, Any]:
    with load_interpreter("q_subset") as q:
        if q.available() is not None:
            pytest.skip(str(q.available()))
    script = folder / "script.jsonl"
    rows = [{"problem_id": name, "completion": text} for name, text in answers.items()]
    script.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    main([
        "--source", "mbpp", "--option", f"path={folder / 'mbpp.jsonl'}", "--target", "q_subset", "--llm-to-use",
        "scripted", "--model", "none", "--engine", f"script={script}", "--retries", "1", "--workers", "1",
        "--out", str(folder / "out"),
    ])  # fmt: skip
    lines = (folder / "out" / "solutions.jsonl").read_text(encoding="utf-8").splitlines()
    return {found["problem_id"]: found for found in map(json.loads, lines)}


def test_right_answers_are_kept_and_wrong_ones_are_not(tmp_path: Path, problems: list[Problem]) -> None:
    solved = convert(tmp_path, problems, ANSWERS)
    assert sorted(solved) == ["mbpp_1", "mbpp_2", "mbpp_4"]
    assert solved["mbpp_1"]["code"] == "squares:{[xs] xs*xs}"
    attempts = [json.loads(line) for line in (tmp_path / "out" / "attempts.jsonl").read_text().splitlines()]
    wrong = [one["outcome"] for one in attempts if one["problem_id"] == "mbpp_3"]
    assert wrong == ["WRONG_ANSWER", "WRONG_ANSWER"]
    summary = json.loads((tmp_path / "out" / "summary.json").read_text(encoding="utf-8"))
    assert summary["lost"] == {"WRONG_ANSWER": 1, "q cannot hold it": 1}


def test_the_teacher_hears_how_python_and_q_differ(problems: list[Problem]) -> None:
    asked = question(problems[1], "q", 0, [])
    assert "Translate the code to q (kdb+)" in asked and "The same in Python" in asked
    assert "letters(s string)" in asked and "Text is a list of chars" in asked and "Answer with one ```q block" in asked
    assert "Solve the task in q (kdb+)." in question(problems[1], "q", 2, [])
