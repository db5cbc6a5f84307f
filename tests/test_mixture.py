"""Several sources in one run: some of each, in turn, and no id twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support import pipeline_problems

from bootstrap.errors import UserError
from bootstrap.files import write_jsonl
from bootstrap.records import Problem
from bootstrap.sources import load_source


def part(path: Path, problems: list[Problem], **more: Any) -> dict[str, Any]:
    write_jsonl(path, (problem.to_json() for problem in problems))
    return {"name": "jsonl", "options": {"path": str(path)}, **more}


def test_problems_come_in_turn_until_each_source_ends(tmp_path: Path) -> None:
    problems = pipeline_problems(6)
    parts = {"a": part(tmp_path / "a", problems[:2]), "b": part(tmp_path / "b", problems[2:], limit=3)}
    found = [p.problem_id for p in load_source("mixture", {"parts": parts}, 1).load()]
    assert found == [problems[i].problem_id for i in (0, 2, 1, 3, 4)]


def test_the_same_problem_in_two_sources_is_refused(tmp_path: Path) -> None:
    problems = pipeline_problems(2)
    parts = {"a": part(tmp_path / "a", problems), "b": part(tmp_path / "b", problems)}
    with pytest.raises(UserError, match="two of them have a problem"):
        list(load_source("mixture", {"parts": parts}, 1).load())


def test_a_source_that_is_not_known_is_refused_before_anything_is_read() -> None:
    with pytest.raises(UserError, match="no problem source 'jsnl'"):
        load_source("mixture", {"parts": {"a": {"name": "jsnl"}}}, 1)
