"""BUILD: from verified solutions to the rows that the trainer reads.

Solutions of iterations 0..i are put together; per problem at most `keep_per_problem` are kept, distinct by syntax
tree, shortest first. A row of a problem held out for dev or test is refused: that would be a fault of ours.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bootstrap.config import RunConfig
from bootstrap.prompts import as_messages, render_answer, render_prompt
from bootstrap.records import Candidate, Hint, Problem
from bootstrap.targets import hints_for, language_of
from bootstrap.tasks import TaskRow, task_rows

WITH_HINT = "statement_and_hint_to_code"
"""The task of rows whose prompt shows a solution in another target language."""


@dataclass(frozen=True)
class Solution:
    """A verified solution and where it came from."""

    problem_id: str
    code: str
    iteration: int  # 0: given as a seed
    sampler: str = ""
    seed: int = 0
    prompt_digest: str = ""
    tests_passed: int = 0


@dataclass(frozen=True)
class DatasetStats:
    """Counts of one training set: candidates made, verified, distinct by syntax tree, kept, and rows by iteration."""

    generated: int
    valid: int
    distinct: int
    kept: int
    problems: int
    by_iteration: Mapping[str, int]


def normalise(code: str, language: str) -> str:
    """Return a form in which code that differs in layout alone is equal: the syntax tree, or SQL without its layout."""
    if language in ("polars", "ibis", "python"):
        try:
            return ast.dump(ast.parse(code.strip()))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return code.strip()
    if language == "q":  # where a space and the case of a letter count
        return "\n".join(line.rstrip() for line in code.strip().splitlines())
    strings = re.split(r"('(?:[^']|'')*')", code.strip().rstrip(";").rstrip())
    return "".join(part if i % 2 else re.sub(r"\s+", " ", part).lower() for i, part in enumerate(strings))


def seed_solutions(problems: Mapping[str, Problem], seeds: Sequence[str], config: RunConfig) -> list[Solution]:
    """Return the given solutions, which admission has run."""
    given = [problems[problem_id] for problem_id in seeds]
    return [
        Solution(one.problem_id, one.references[language_of(one, config)], 0, tests_passed=len(one.tests))
        for one in given
    ]


def passing_solutions(candidates: Iterable[Candidate], problems: Mapping[str, Problem]) -> list[Solution]:
    """Return the passing candidates as solutions."""
    return [
        Solution(
            c.problem_id, c.code, c.iteration, c.sampler, c.seed, c.prompt_digest, len(problems[c.problem_id].tests)
        )
        for c in candidates
        if c.passed
    ]  # fmt: skip


def preference(solution: Solution) -> tuple[bool, int, str, int, int]:
    """Return the sort key of solutions: seeds first, then the shortest."""
    return (solution.iteration > 0, len(solution.code), solution.code, solution.iteration, solution.seed)


def choose(
    solutions: Sequence[Solution], keep_per_problem: int, language: Callable[[Solution], str]
) -> tuple[list[Solution], int]:
    """Return the solutions kept, by problem, and how many were distinct; `language` says what each is written in."""
    by_problem: dict[str, dict[str, Solution]] = defaultdict(dict)
    for solution in sorted(solutions, key=preference):  # of equals the first stays, whatever their order was
        by_problem[solution.problem_id].setdefault(normalise(solution.code, language(solution)), solution)
    kept = [s for pid in sorted(by_problem) for s in list(by_problem[pid].values())[:keep_per_problem]]
    return kept, sum(len(found) for found in by_problem.values())


def refuse_held_out(solutions: Iterable[Solution], split: Mapping[str, Any]) -> None:
    """Raise RuntimeError when a solution of a held-out problem is about to be trained on."""
    held_out = {*split["dev"], *split["test"]}
    leaked = sorted({s.problem_id for s in solutions} & held_out)
    if leaked:
        raise RuntimeError(f"held-out problems in the training set: {', '.join(leaked[:5])} ({len(leaked)} in all)")


def training_rows(
    solution: Solution, problem: Problem, config: RunConfig, hint: Hint | None = None
) -> list[dict[str, Any]]:
    """Return the rows of a solution, one or more per task, and one with the hint: prompt, completion, provenance."""
    tasks, prompt, language = config.dataset.tasks, config.prompt, language_of(problem, config)
    pairs = [pair for task in tasks for pair in task_rows(problem, task, language, solution.code, prompt)]
    if hint is not None:
        shown, answer = render_prompt(problem, language, prompt, hint), render_answer(solution.code, language, prompt)
        pairs.append(TaskRow(WITH_HINT, problem.problem_id, language, shown, answer))
    return [_row(solution, pair, prompt.chat) for pair in pairs]


def _row(solution: Solution, pair: TaskRow, chat: bool) -> dict[str, Any]:
    prompt: Any = pair.prompt
    completion: Any = pair.answer
    if chat:
        prompt, completion = as_messages(prompt), [{"role": "assistant", "content": completion}]
    return {
        "prompt": prompt,
        "completion": completion,
        "task": pair.task,
        "problem_id": solution.problem_id,
        "iteration": solution.iteration,
        "sampler": solution.sampler,
        "seed": solution.seed,
        "prompt_digest": solution.prompt_digest,
        "tests_passed": solution.tests_passed,
        "tier": "reference" if solution.iteration == 0 else "sampled",
    }


def replayed_hints(kept: Sequence[Solution], problems: Mapping[str, Problem]) -> dict[str, Hint]:
    """Return problem_id -> the hint for problems that are solved in two target languages."""
    solved: dict[str, str] = {}
    for solution in sorted(kept, key=lambda s: (len(s.code), s.code)):
        solved.setdefault(solution.problem_id, solution.code)
    return hints_for({problem_id: problems[problem_id] for problem_id in solved}, solved)


def build_dataset(
    seeds: Sequence[Solution],
    candidates: Sequence[Candidate],
    problems: Mapping[str, Problem],
    split: Mapping[str, Any],
    config: RunConfig,
) -> tuple[list[dict[str, Any]], DatasetStats]:
    """Return the training rows and their counts."""
    solutions = [*seeds, *passing_solutions(candidates, problems)]
    refuse_held_out(solutions, split)
    kept, distinct = choose(
        solutions, config.dataset.keep_per_problem, lambda s: language_of(problems[s.problem_id], config)
    )
    hints = replayed_hints(kept, problems) if config.sharing.replay else {}
    rows = [
        row for s in kept for row in training_rows(s, problems[s.problem_id], config, hints.get(s.problem_id))
    ]  # fmt: skip
    by_iteration: dict[str, int] = defaultdict(int)
    for solution in sorted(kept, key=lambda s: s.iteration):
        by_iteration[str(solution.iteration)] += 1
    stats = DatasetStats(
        generated=len(seeds) + len(candidates), valid=len(solutions), distinct=distinct, kept=len(kept),
        problems=len({s.problem_id for s in kept}), by_iteration=dict(by_iteration),
    )  # fmt: skip
    return rows, stats
