"""Seeds: solutions of train problems in the target language that are there before any model is trained.

Those that the source gives come first, then what rules translate from another language, then what a teacher wrote; each
has been proved on all tests of its problem.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bootstrap.convert.attempts import Route
from bootstrap.convert.rules import convert_by_rules
from bootstrap.records import Problem
from interpreters.checking import CheckerPool

CHUNK = 100
"""Problems translated at a time, until there are seeds enough."""


@dataclass
class Seeds:
    """Problems by id, each with its solution among its references, the routes they came by, and what was lost."""

    language: str
    problems: dict[str, Problem] = field(default_factory=dict)
    routes: dict[str, Route] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)

    def add(self, problem: Problem, code: str, route: Route) -> None:
        self.problems[problem.problem_id] = replace(problem, references={**problem.references, self.language: code})
        self.routes[problem.problem_id] = route

    def add_given(self, train: Iterable[Problem], wanted: int) -> None:
        """Take the solutions that admission has run."""
        for problem in train:
            if len(self.problems) < wanted and self.language in problem.references:
                self.add(problem, problem.references[self.language], "given")

    def add_by_rules(
        self, train: Sequence[Problem], wanted: int, open_pool: Callable[[], CheckerPool],
        on_done: Callable[[int, int], None],
    ) -> None:  # fmt: skip
        """Translate, problem after problem, until there are enough. Raises InterpreterError."""
        left = [problem for problem in train if self.language not in problem.references]
        if not left or len(self.problems) >= wanted:
            return
        with open_pool() as pool:
            for start in range(0, len(left), CHUNK):
                chunk = {problem.problem_id: problem for problem in left[start : start + CHUNK]}
                for one in convert_by_rules(list(chunk.values()), self.language, pool):
                    if one.accepted is None:
                        self.lost[one.problem_id] = one.lost
                    elif len(self.problems) < wanted:
                        self.add(chunk[one.problem_id], one.accepted.code, "rules")
                on_done(min(len(self.problems), wanted), wanted)
                if len(self.problems) >= wanted:
                    return

    def add_solutions(self, train: Mapping[str, Problem], rows: Iterable[Mapping[str, Any]], wanted: int) -> None:
        """Take what `python -m bootstrap.convert` has proved."""
        for row in rows:
            if len(self.problems) < wanted and row["problem_id"] in train and row["problem_id"] not in self.problems:
                self.add(train[row["problem_id"]], row["code"], row["route"])
