"""`leetcode`: records of LeetCodeDataset (all its versions) as function problems.

The entry point is a method of a class; the reference wraps it in a function of plain parameters. Trees and linked
lists travel as the lists of their values. Where the text says "in any order" the answer's items are compared as a
bag. Problems with several right answers, of which the tests know one, are left out and counted.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any

from bootstrap.records import Problem
from bootstrap.sources.python_tests.asserts import Extraction, pairs_of
from bootstrap.sources.python_tests.record import PythonRecord, Tally
from bootstrap.sources.python_tests.rows import Row, text_field
from bootstrap.sources.python_tests.signature import UnusableError
from bootstrap.sources.python_tests.source import PythonOptions, problems_of
from bootstrap.sources.python_tests.wording import says_any_order, says_several, without_scaffold

LICENCE = "MIT; problem statements belong to LeetCode"
_DIFFICULTIES = {"easy": 1, "medium": 2, "hard": 3}


class LeetCode:
    class Options(PythonOptions):
        pass

    def __init__(self, options: Options, seed: int) -> None:
        self.options, self.seed = options, seed
        self.tally = Tally()
        """What became of the rows, once they are read."""

    def load(self) -> Iterator[Problem]:
        """Yield the problems; rows that give none are counted in the log. Raises UserError."""
        self.tally = Tally()
        yield from problems_of(self.options, self.seed, record_of, self.tally)


def record_of(row: Row) -> PythonRecord:
    """Return the record of a row. Raises UnusableError."""
    completion, entry = text_field(row, "completion", "solution"), text_field(row, "entry_point")
    if not completion or not entry:
        raise UnusableError("a row has no completion or no entry_point")
    text = description(row)
    if says_several(text):
        raise UnusableError("there are several right answers, and the tests know one")
    tests = pairs_of(text_field(row, "test"), [entry.rpartition(".")[2]])
    if not tests.pairs:
        given = listed_tests(row.get("input_output"))
        tests = given if given.pairs else tests
    name = text_field(row, "task_id", "question_title") or str(row.get("question_id") or entry)
    return PythonRecord(
        problem_id=f"leetcode_{name}",
        text=text,
        code=f"{text_field(row, 'prompt')}\n\n{completion}",
        entry=entry,
        tests=tests,
        source="leetcode",
        licence=LICENCE,
        difficulty=_DIFFICULTIES.get(text_field({**_meta(row), **row}, "difficulty").lower(), 0),
        any_order=says_any_order(text),
    )


def _meta(row: Row) -> Mapping[str, Any]:
    meta = row.get("meta")
    return meta if isinstance(meta, Mapping) else {}


def description(row: Row) -> str:
    """Return the problem's text without examples and code: the form that says what the inputs keep to, if there is
    one. Raises UnusableError."""
    meta = _meta(row)
    texts = [text_field(row, "problem_description"), text_field(meta, "question_title", "question"),
             text_field(row, "query"), text_field(row, "content", "question")]  # fmt: skip
    found = [text for one in texts if (text := without_scaffold(one))]
    if not found:
        raise UnusableError("a row has no text")
    return next((text for text in found if "Constraints" in text), max(found, key=len))


def listed_tests(tests: Any) -> Extraction:
    """Return the tests of a list of {"input": "nums = [2, 7], target = 9", "output": "[0, 1]"}."""
    lines = []
    for test in tests if isinstance(tests, list) else ():
        if isinstance(test, Mapping) and isinstance(test.get("input"), str) and isinstance(test.get("output"), str):
            line = f"assert candidate({test['input']}) == {test['output']}"
            lines.append(line if _is_python(line) else "assert None")
    return pairs_of("\n".join(lines), [])


def _is_python(line: str) -> bool:
    try:
        ast.parse(line)
    except (SyntaxError, ValueError):
        return False
    return True
