"""One conversion in a folder: what was tried, what was proved, and how to go on after a kill."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bootstrap.carried import refusal
from bootstrap.config import EngineConfig, PromptConfig
from bootstrap.convert.attempts import ROUTES, Attempt, Converted, by_route, task_digest
from bootstrap.convert.rules import convert_by_rules
from bootstrap.convert.teacher import Plan, Teacher
from bootstrap.engines import REMOTE, load_engine
from bootstrap.errors import UserError
from bootstrap.files import append_jsonl, read_json, read_jsonl, write_json, write_jsonl
from bootstrap.progress import ProgressLines
from bootstrap.records import Problem, digest, dump_line
from interpreters import load_interpreter
from interpreters.base import Limits
from interpreters.checking import CheckerPool

RULES_CHUNK = 200
"""Problems whose attempts by rules are written together."""


@dataclass(frozen=True)
class Settings:
    """`teacher`: model and engine, None for rules alone."""

    target: str
    rules: bool
    teacher: tuple[str, EngineConfig] | None
    plan: Plan
    workers: int = 0
    sandbox: Literal["required", "unsafe"] = "required"
    limits: Limits = field(default_factory=Limits)

    def decisive(self) -> dict[str, Any]:
        """Return what must be the same when a conversion is gone on with."""
        return {"target": self.target, "limits": [self.limits.seconds, self.limits.memory_mb]}


class ConversionRun:
    """The folder and what is in it. Raises UserError where it belongs to another conversion."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder, self.settings = folder, settings
        self.language = load_interpreter(settings.target).language
        self.usage: dict[str, Any] = {}
        folder.mkdir(parents=True, exist_ok=True)
        about = folder / "conversion.json"
        if about.exists() and read_json(about) != settings.decisive():
            raise UserError(
                f"{folder} holds a conversion with other settings ({read_json(about)}): choose another --out"
            )
        write_json(about, settings.decisive())
        self.refused: dict[str, str] = {}
        self.attempts = [Attempt.from_json(row) for row in read_jsonl(self._attempts_file, mend=True)]

    @property
    def _attempts_file(self) -> Path:
        return self.folder / "attempts.jsonl"

    def write(self, attempts: Sequence[Attempt]) -> None:
        append_jsonl(self._attempts_file, (attempt.to_json() for attempt in attempts))
        self.attempts += attempts

    def run(self, problems: Sequence[Problem]) -> None:
        """Try every route that is owed. Raises EngineError, InterpreterError."""
        tasks = {problem.problem_id: task_digest(problem) for problem in problems}
        self.attempts = [a for a in self.attempts if tasks.get(a.problem_id, a.problem) == a.problem]
        workers = self.settings.workers or os.cpu_count() or 1
        with CheckerPool(self.settings.target, workers, self.settings.limits, self.settings.sandbox) as pool:
            if self.settings.rules:
                self._by_rules([p for p in problems if self.language not in p.references], pool)
            if self.settings.teacher:
                solved = {attempt.problem_id for attempt in self.attempts if attempt.passed}
                self.refused = {p.problem_id: why for p in problems if (why := refusal(p, self.language))}
                asked = [p for p in problems if p.problem_id not in solved | self.refused.keys()]
                left = [p for p in asked if self.language not in p.references]
                self._by_teacher(left, pool, *self.settings.teacher)

    def _by_rules(self, problems: Sequence[Problem], pool: CheckerPool) -> None:
        tried = {attempt.problem_id for attempt in self.attempts if attempt.route == "rules"}
        owed = [problem for problem in problems if problem.problem_id not in tried]
        progress = ProgressLines(len(problems), "problems/s by rules", done=len(problems) - len(owed))
        for start in range(0, len(owed), RULES_CHUNK):
            found = convert_by_rules(owed[start : start + RULES_CHUNK], self.language, pool, progress.add)
            self.write([attempt for one in found for attempt in one.attempts])
        progress.show()

    def _by_teacher(self, problems: Sequence[Problem], pool: CheckerPool, model: str, config: EngineConfig) -> None:
        progress = ProgressLines(len(problems), "problems/s by the teacher")
        if config.name in REMOTE and not config.store:
            config = config.model_copy(update={"store": str(self.folder / "calls.jsonl")})
        engine = load_engine(model, config, PromptConfig(style="instruct", chat=True))
        teacher = Teacher(engine, pool, self.language, self.settings.plan, self.write, progress.add)
        recorded = list(self.attempts)
        try:
            for _ in teacher.convert(problems, recorded):
                self.write_solutions(problems)
        finally:
            self.usage = dict(getattr(engine, "usage", {}) or {})
            engine.close()
            progress.show()

    def converted(self, problems: Sequence[Problem]) -> list[Converted]:
        """Return what became of each problem by all routes; a reference in the target language is taken as given."""
        tried: dict[str, list[Attempt]] = {}
        for attempt in self.attempts:
            tried.setdefault(attempt.problem_id, []).append(attempt)
        return [
            Converted(
                p.problem_id, tried.get(p.problem_id, ()),
                f"{self.language} cannot hold it" if p.problem_id in self.refused else "refused by the rules",
            )
            for p in problems
        ]  # fmt: skip

    def write_solutions(self, problems: Sequence[Problem]) -> list[Attempt]:
        """Write solutions.jsonl anew; return what was proved."""
        found = [one.accepted for one in self.converted(problems) if one.accepted is not None]
        tests = {problem.problem_id: len(problem.tests) for problem in problems}
        write_jsonl(self.folder / "solutions.jsonl", (
            {
                "problem_id": a.problem_id, "language": self.language, "code": a.code, "route": a.route, "rule": a.rule,
                "round": a.round, "interpreter": self.settings.target, "tests_passed": tests[a.problem_id],
            }
            for a in found
        ))  # fmt: skip
        return found

    def finish(self, problems: Sequence[Problem]) -> dict[str, Any]:
        """Write solutions.jsonl and summary.json; return the summary."""
        solutions = self.write_solutions(problems)
        owed = [p for p in problems if self.language not in p.references]
        lost = Counter(one.lost for one in self.converted(owed) if one.lost)
        summary = {
            "target": self.settings.target, "problems": len(problems), "given": len(problems) - len(owed),
            "proved": len(solutions), "routes": by_route(solutions), "lost": dict(lost.most_common()),
            "attempts": dict(Counter(attempt.route for attempt in self.attempts)), "usage": self.usage,
            "digest": digest(*(dump_line(a.to_json()) for a in solutions)),
        }  # fmt: skip
        write_json(self.folder / "summary.json", summary)
        return summary


def print_summary(summary: Mapping[str, Any]) -> None:
    """Print what was tried, proved and lost."""
    owed = summary["problems"] - summary["given"]
    share = f" ({100 * summary['proved'] / owed:.1f} %)" if owed else ""
    print(f"{summary['target']}: {summary['problems']} problems, {summary['given']} with a solution given")
    print(f"  proved     {summary['proved']} of {owed}{share}")
    for route in (name for name in ROUTES if name in summary["routes"]):
        print(f"    by {route:<8} {summary['routes'][route]}")
    for reason, count in summary["lost"].items():
        print(f"  lost       {count:>5}  {reason}")
    for name, value in summary["usage"].items():
        print(f"  {name:<10} {value}")
