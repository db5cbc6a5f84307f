"""The nouns of the loop: what a problem and a candidate are, and how each becomes one line of JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from interpreters.base import Outcome, TestCase, Verdict
from interpreters.wire import test_case_from_json, test_case_to_json

PROBLEM_FORMAT = 1


def digest(*parts: str) -> str:
    """Return a short content digest (first 16 hex digits of SHA-256) of the parts."""
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


@dataclass(frozen=True)
class Problem:
    """A statement with tests. `references` maps a language to a solution that is right by construction.

    `family` is the unit of splitting: problems of one family are all in train, all in dev or all in test. `target`
    names the interpreter for which it is to be solved, in runs with several of them; empty: the run's only one.
    """

    problem_id: str
    statement: str
    tests: tuple[TestCase, ...]
    family: str
    source: str
    kind: Literal["table", "function"] = "table"
    licence: str = "Apache-2.0"
    difficulty: int = 0  # number of steps, where the source knows it
    references: Mapping[str, str] = field(default_factory=dict)
    target: str = ""

    def to_json(self) -> dict[str, Any]:
        row = {k: v for k, v in self.__dict__.items() if k != "tests" and (k, v) != ("target", "")}
        return {"format": PROBLEM_FORMAT, **row, "tests": [test_case_to_json(test) for test in self.tests]}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Problem:
        fields = {k: v for k, v in row.items() if k not in ("format", "tests")}
        return cls(**fields, tests=tuple(test_case_from_json(test) for test in row["tests"]))


@dataclass(frozen=True)
class Hint:
    """A solution of the same problem in another language, which a prompt may show."""

    language: str
    code: str


@dataclass(frozen=True)
class Mistake:
    """An attempt that failed and what a prompt may tell of its failure, which is nothing of a hidden test."""

    code: str
    outcome: Outcome
    message: str


@dataclass(frozen=True)
class Candidate:
    """One completion of one problem, judged. Passing or not, it is one line of `candidates.jsonl`."""

    problem_id: str
    iteration: int
    wave: int
    sample_index: int
    prompt_digest: str
    completion: str
    code: str
    outcome: Outcome
    failed_test: int | None = None
    message: str = ""
    tokens: int = 0
    seconds: float = 0.0  # wall time of the check
    sampler: str = ""  # digest of the model that wrote it
    seed: int = 0  # seed of the batch
    batch: int = 0
    turn: int = 0  # repair turn: the prompt showed an earlier attempt and what was wrong with it; 0: a first attempt
    hinted: bool = False  # the prompt showed a solution in another language

    @classmethod
    def judged(cls, verdict: Verdict, **fields: Any) -> Candidate:
        return cls(
            **fields, outcome=verdict.outcome, failed_test=verdict.failed_test, message=verdict.message,
            seconds=round(verdict.seconds, 4),
        )  # fmt: skip

    @property
    def passed(self) -> bool:
        return self.outcome is Outcome.PASSED

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Candidate:
        return cls(**{**row, "outcome": Outcome(row["outcome"])})


def dump_line(row: Mapping[str, Any]) -> str:
    """Return one canonical JSONL line (sorted keys, no NaN), newline included."""
    return json.dumps(row, ensure_ascii=False, sort_keys=True, allow_nan=False) + "\n"
