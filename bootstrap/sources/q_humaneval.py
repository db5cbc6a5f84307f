"""`q_humaneval`: the file format of KX' q-HumanEval: functions of q, described in a comment, tested by Python asserts.

Each line of the file (or row of a JSON array) has `prompt` (a comment with @overview, @param and @return, and the head
of a function), `entry_point`, `tests` (a Python function `check(candidate)` of asserts), and may have `task_id`,
`test_setup_code` and `canonical_solution` (q, mostly empty). The asserts are read, not run: a call with its expected
value becomes a test. A problem of which an assert cannot be read is left out and counted, or kept with the tests
that can be (`partial`): then it is easier than its author meant.
"""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from bootstrap.errors import UserError
from bootstrap.records import Problem
from bootstrap.sources.python_tests.asserts import Pair, pairs_of
from interpreters.base import TestCase
from interpreters.function_cases import case_of
from interpreters.wire import WireError

log = logging.getLogger(__name__)

HEAD = re.compile(r"\{\s*\[([^\]]*)\]")
FIELDS = ("prompt", "tests", "entry_point")


class UnusableError(ValueError):
    """A row that makes no problem; the message is the reason under which it is counted."""


class QHumanEval:
    class Options(BaseModel):
        model_config = ConfigDict(extra="forbid", frozen=True)

        path: str
        """The file: JSONL, or JSON with a list."""
        visible: int = Field(0, ge=0)
        """Tests of each problem that a prompt may show; 0 for an outside test set."""
        partial: bool = False
        """Keep problems of which only some asserts can be read."""
        licence: str = "MIT"
        """Licence of the file."""

    def __init__(self, options: Options, seed: int) -> None:
        self.options, self.path = options, Path(options.path)

    def load(self) -> Iterator[Problem]:
        """Yield the problems in the order of the file. Raises UserError for a file that cannot be read."""
        left_out: Counter[str] = Counter()
        for number, row in read_rows(self.path):
            try:
                yield self.problem(row, number)
            except UnusableError as error:
                left_out[str(error)] += 1
        if left_out:
            reasons = "; ".join(f"{count} because {why}" for why, count in left_out.most_common(9))
            log.warning("%d problems of %s left out: %s", left_out.total(), self.path, reasons)

    def problem(self, row: object, number: int) -> Problem:
        """Return the problem of one row. Raises UnusableError."""
        if not isinstance(row, Mapping):
            raise UnusableError("the line is not a JSON object")
        require_fields(row)
        tests = tuple(self._tests(row))
        task = row.get("task_id")
        reference = row.get("canonical_solution")
        return Problem(
            problem_id=f"q-humaneval-{number if task in (None, '') else task}",
            statement=row["prompt"].strip(),
            tests=tests,
            family=f"q-humaneval-{row['entry_point']}",
            source="q_humaneval",
            kind="function",
            licence=self.options.licence,
            references={"q": reference} if isinstance(reference, str) and reference.strip() else {},
        )

    def _tests(self, row: Mapping[str, Any]) -> Iterator[TestCase]:
        entry = row["entry_point"].strip()
        found = pairs_of(check_of(row), [entry])
        if not found.pairs:
            why = found.unread.most_common(1)
            raise UnusableError(why[0][0] if why else "no assert calls the function")
        if found.unread and not self.options.partial:
            raise UnusableError(f"an assert cannot be read: {found.unread.most_common(1)[0][0]}")
        names = parameters_of(row["prompt"], entry)
        for number, pair in enumerate(found.pairs):
            yield test_of(entry, names, pair, hidden=number >= self.options.visible)


def read_rows(path: Path) -> Iterator[tuple[int, object]]:
    """Yield the rows of the file with their numbers, None for a line that is no JSON. Raises UserError."""
    if not path.is_file():
        raise UserError(f"q-HumanEval: no file {path}")
    content = path.read_text(encoding="utf-8", errors="replace")
    if content.lstrip().startswith("["):
        try:
            yield from enumerate(json.loads(content))
        except ValueError as e:
            raise UserError(f"q-HumanEval: {path} is not JSON ({e})") from e
        return
    for number, line in enumerate(filter(str.strip, content.splitlines())):
        try:
            yield number, json.loads(line)
        except ValueError:
            yield number, None


def require_fields(row: Mapping[str, Any]) -> None:
    """Raise UnusableError for a row without prompt, tests or entry_point."""
    missing = [name for name in FIELDS if not isinstance(row.get(name), str) or not row[name].strip()]
    if missing:
        raise UnusableError(f"{missing[0]} is missing or not text")


def check_of(row: Mapping[str, Any]) -> str:
    """Return the Python code that tests: what it needs first, then the function `check`."""
    return f"{row.get('test_setup_code') or ''}\n{row['tests']}"


def parameters_of(prompt: str, entry: str) -> list[str]:
    """Return the parameters in the head of the function, `name:{[x;y]`; none where it has no head."""
    at = prompt.rfind(f"{entry}:")
    head = HEAD.search(prompt, at + len(entry) + 1) if at >= 0 else None
    return [name.strip() for name in head.group(1).split(";") if name.strip()] if head else []


def test_of(entry: str, names: list[str], pair: Pair, *, hidden: bool) -> TestCase:
    """Return the test of one assert. Raises UnusableError."""
    if pair.relation == "reference":
        raise UnusableError("a test has no value to compare with")
    if pair.keywords:
        raise UnusableError("a test calls the function with keywords, which q does not have")
    if len(names) != len(pair.args):
        names = [f"x{i}" for i in range(1, len(pair.args) + 1)]
    try:
        return case_of(entry, names, pair.args, pair.expected, hidden=hidden, unordered=pair.relation in ("bag", "set"))
    except WireError as error:
        raise UnusableError(f"a test holds what no table can: {error}") from error


test_of.__test__ = False  # type: ignore[attr-defined]  # pytest collects names that start with test_
