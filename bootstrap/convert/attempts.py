"""What a conversion tried: one line of `attempts.jsonl` each, with the interpreter's verdict on all tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from bootstrap.records import Problem, digest
from interpreters.base import Outcome, Verdict

Route = Literal["given", "rules", "teacher"]
ROUTES: tuple[Route, ...] = ("given", "rules", "teacher")


@dataclass(frozen=True)
class Attempt:
    """One code in the target language. `rule` names the rules, or the strategy of the question to a teacher."""

    problem_id: str
    problem: str  # digest of what was to be solved, so that an edited problem is tried anew
    route: Route
    rule: str
    round: int
    code: str
    outcome: Outcome
    failed_test: int | None = None
    message: str = ""

    @property
    def passed(self) -> bool:
        return self.outcome is Outcome.PASSED

    @classmethod
    def judged(cls, verdict: Verdict, **fields: Any) -> Attempt:
        return cls(**fields, outcome=verdict.outcome, failed_test=verdict.failed_test, message=verdict.message)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Attempt:
        return cls(**{**row, "outcome": Outcome(row["outcome"])})


def task_digest(problem: Problem) -> str:
    """Return a digest of what a conversion starts from and must come to."""
    expected = (repr((test.expected, test.order_by, test.ties)) for test in problem.tests)
    return digest(problem.statement, *map(repr, sorted(problem.references.items())), *expected)


@dataclass(frozen=True)
class Converted:
    """What became of one problem: the attempts in their order, and why there was none."""

    problem_id: str
    attempts: Sequence[Attempt] = ()
    refused: str = ""

    @property
    def accepted(self) -> Attempt | None:
        return next((attempt for attempt in self.attempts if attempt.passed), None)

    @property
    def lost(self) -> str:
        """Return why nothing was accepted: the outcome of the last attempt, or why there was none."""
        if self.accepted is not None:
            return ""
        return self.attempts[-1].outcome.value if self.attempts else self.refused or "no route"


def by_route(found: Iterable[Attempt]) -> dict[str, int]:
    """Return how many solutions came by each route, in the order of the routes."""
    counts = Counter(attempt.route for attempt in found)
    return {route: counts[route] for route in ROUTES if counts[route]}
