"""The route by a teacher: a model proposes, the interpreter decides, and the verdict is told for some more rounds.

The tests are those of the problem, fixed before the first question, and the same in every round. Problems are taken in
chunks, so that a budget, or a wanted number of solutions, ends the work early with nothing half done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from bootstrap.convert.attempts import Attempt, Converted, task_digest
from bootstrap.convert.questions import question, strategy_of
from bootstrap.engines.base import Decoding, Engine, Request
from bootstrap.prompts import extract_code
from bootstrap.records import Problem, digest
from interpreters.checking import CheckerPool

CHUNK = 64
"""Problems that go through all their rounds together."""


@dataclass(frozen=True)
class Plan:
    """How long to try: `retries` rounds after the first; `wanted` solutions are enough (None: all that can be had)."""

    retries: int = 2
    wanted: int | None = None
    max_new_tokens: int = 1024
    top_p: float = 0.95
    seed: int = 1


@dataclass
class Teacher:
    """What stays the same over the rounds. `write` stores attempts as they come, before anything is built on them."""

    engine: Engine
    pool: CheckerPool
    language: str
    plan: Plan
    write: Callable[[Sequence[Attempt]], None]
    on_done: Callable[[int], None] = lambda count: None

    def convert(self, problems: Sequence[Problem], recorded: Iterable[Attempt] = ()) -> Iterator[Converted]:
        """Yield what became of each problem, chunk by chunk; what `recorded` holds is not asked again.

        Raises EngineError and InterpreterError; what was written until then is kept.
        """
        known: dict[str, list[Attempt]] = {problem.problem_id: [] for problem in problems}
        for attempt in recorded:
            if attempt.route == "teacher" and attempt.problem_id in known:
                known[attempt.problem_id].append(attempt)
        solved = 0
        for start in range(0, len(problems), CHUNK):
            chunk = problems[start : start + CHUNK]
            for number in range(self.plan.retries + 1):
                self._round(number, chunk, known)
            found = [Converted(problem.problem_id, known[problem.problem_id]) for problem in chunk]
            yield from found
            solved += sum(one.accepted is not None for one in found)
            if self.plan.wanted is not None and solved >= self.plan.wanted:
                return

    def _round(self, number: int, chunk: Sequence[Problem], known: dict[str, list[Attempt]]) -> None:
        """Ask for every problem of the chunk that is unsolved and has no attempt of this round yet."""
        owed = {
            p.problem_id: p
            for p in chunk
            if len(known[p.problem_id]) <= number and not any(a.passed for a in known[p.problem_id])
        }
        strategy = strategy_of(number)
        requests = [
            Request(pid, question(p, self.language, number, known[pid]), 1, f"convert round {number}")
            for pid, p in owed.items()
        ]
        seed = int(digest(str(self.plan.seed), "convert", str(number)), 16) % 2**31  # the same after a kill
        decoding = Decoding(strategy.temperature, self.plan.top_p, self.plan.max_new_tokens, seed)
        futures = []
        for completion in self.engine.generate(requests, decoding) if requests else ():
            problem, code = owed[completion.problem_id], extract_code(completion.text, self.language)
            futures.append((problem, code, self.pool.submit(code, problem.tests)))
        for problem, code, future in futures:
            attempt = Attempt.judged(
                future.result(), problem_id=problem.problem_id, problem=task_digest(problem), route="teacher",
                rule=strategy.name, round=number, code=code,
            )  # fmt: skip
            self.write([attempt])
            known[problem.problem_id].append(attempt)
            if attempt.passed or number == self.plan.retries:
                self.on_done(1)
