"""BUILD: from verified solutions to the rows that the trainer reads.

Solutions of iterations 0..i are put together; per problem at most `keep_per_problem` are kept, distinct by syntax
tree (and, where the configuration says so, not alike), shortest first. Of what was solved with a hint, no more than a
share is trained on. A row of a problem held out for dev or test is refused: that would be a fault of ours.

Tier of a row: `reference` (given), `sampled` (a first attempt), `repaired` (after seeing a failed attempt: `turn`) or
`hinted` (after seeing a solution in another language). Its prompt is the task alone in every tier.
"""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from bootstrap.config import RunConfig
from bootstrap.prompts import as_messages, render_answer, render_prompt
from bootstrap.records import Candidate, Hint, Problem, digest
from bootstrap.similarity import Grams, code_grams, jaccard
from bootstrap.targets import hints_for, language_of
from bootstrap.tasks import TaskRow, task_rows

WITH_HINT = "statement_and_hint_to_code"
"""The task of rows whose prompt shows a solution in another target language."""

Tier = Literal["reference", "sampled", "repaired", "hinted"]
TIERS: tuple[Tier, ...] = get_args(Tier)
Row = dict[str, Any]
Made = list[tuple["Solution", list[Row]]]


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
    turn: int = 0
    hinted: bool = False


@dataclass(frozen=True)
class Choice:
    """The solutions kept, how many were distinct by syntax tree, and how many were dropped as near-duplicates."""

    kept: list[Solution]
    distinct: int
    near_duplicates: int = 0


@dataclass(frozen=True)
class DatasetStats:
    """Counts of one training set: candidates made, verified, distinct by syntax tree, kept, the kept by iteration and
    tier; near-duplicates dropped, hinted solutions left out, and how often a solution is there once more."""

    generated: int
    valid: int
    distinct: int
    kept: int
    problems: int
    by_iteration: Mapping[str, int]
    by_tier: Mapping[str, int] = field(default_factory=dict)
    near_duplicates: int = 0
    hinted_left_out: int = 0
    repeated: int = 0


def tier_of(one: Solution | Candidate) -> Tier:
    if one.iteration == 0:
        return "reference"
    if one.hinted:
        return "hinted"
    return "repaired" if one.turn else "sampled"


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
            c.problem_id, c.code, c.iteration, c.sampler, c.seed, c.prompt_digest, len(problems[c.problem_id].tests),
            c.turn, c.hinted,
        )
        for c in candidates
        if c.passed
    ]  # fmt: skip


def preference(solution: Solution) -> tuple[bool, bool, int, str, int, int, int]:
    """Return the sort key of solutions: seeds first, those made with a hint last, then the shortest."""
    return (
        solution.iteration > 0, solution.hinted, len(solution.code), solution.code, solution.turn,
        solution.iteration, solution.seed,
    )  # fmt: skip


def choose(
    solutions: Sequence[Solution], keep_per_problem: int, language: Callable[[Solution], str],
    near_duplicates: float = 1.0,
) -> Choice:  # fmt: skip
    """Return the solutions kept, by problem; `language` says what each is written in."""
    by_problem: dict[str, dict[str, Solution]] = defaultdict(dict)
    for solution in sorted(solutions, key=preference):  # of equals the first stays, whatever their order was
        by_problem[solution.problem_id].setdefault(normalise(solution.code, language(solution)), solution)
    kept, dropped = list[Solution](), 0
    for _, found in sorted(by_problem.items()):
        unlike, alike = list(found.values())[:keep_per_problem], 0
        if near_duplicates < 1:
            unlike, alike = different(list(found.values()), keep_per_problem, language, near_duplicates)
        kept += unlike
        dropped += alike
    return Choice(kept, sum(len(found) for found in by_problem.values()), dropped)


def different(
    solutions: Sequence[Solution], count: int, language: Callable[[Solution], str], threshold: float
) -> tuple[list[Solution], int]:
    """Return the first solutions that are not alike, up to `count`, and how many were passed over on the way."""
    kept: list[Solution] = []
    seen: list[Grams] = []
    for position, solution in enumerate(solutions):
        if len(kept) == count:
            return kept, position - count
        grams = code_grams(solution.code, language(solution))
        if all(jaccard(grams, other) < threshold for other in seen):
            kept.append(solution)
            seen.append(grams)
    return kept, len(solutions) - len(kept)


def refuse_held_out(solutions: Iterable[Solution], split: Mapping[str, Any]) -> None:
    """Raise RuntimeError when a solution of a held-out problem is about to be trained on."""
    held_out = {*split["dev"], *split["test"]}
    leaked = sorted({s.problem_id for s in solutions} & held_out)
    if leaked:
        raise RuntimeError(f"held-out problems in the training set: {', '.join(leaked[:5])} ({len(leaked)} in all)")


def training_rows(solution: Solution, problem: Problem, config: RunConfig, hint: Hint | None = None) -> list[Row]:
    """Return the rows of a solution, one or more per task, and one with the hint: prompt, completion, provenance."""
    tasks, prompt, language = config.dataset.tasks, config.prompt, language_of(problem, config)
    pairs = [pair for task in tasks for pair in task_rows(problem, task, language, solution.code, prompt)]
    if hint is not None:
        shown, answer = render_prompt(problem, language, prompt, hint), render_answer(solution.code, language, prompt)
        pairs.append(TaskRow(WITH_HINT, problem.problem_id, language, shown, answer))
    return [_row(solution, pair, prompt.chat) for pair in pairs]


def _row(solution: Solution, pair: TaskRow, chat: bool) -> Row:
    prompt: Any = pair.prompt
    completion: Any = pair.answer
    if chat:
        prompt, completion = as_messages(prompt), [{"role": "assistant", "content": completion}]
    row: Row = {
        "prompt": prompt,
        "completion": completion,
        "task": pair.task,
        "problem_id": solution.problem_id,
        "iteration": solution.iteration,
        "sampler": solution.sampler,
        "seed": solution.seed,
        "prompt_digest": solution.prompt_digest,
        "tests_passed": solution.tests_passed,
        "tier": tier_of(solution),
    }
    if solution.turn or solution.hinted:  # a first attempt at the task alone has neither
        row |= {"turn": solution.turn, "hinted": solution.hinted}
    return row


def replayed_hints(kept: Sequence[Solution], problems: Mapping[str, Problem]) -> dict[str, Hint]:
    """Return problem_id -> the hint for problems that are solved in two target languages."""
    solved: dict[str, str] = {}
    for solution in sorted(kept, key=lambda s: (len(s.code), s.code)):
        solved.setdefault(solution.problem_id, solution.code)
    return hints_for({problem_id: problems[problem_id] for problem_id in solved}, solved)


def within_share(made: Made, share: float) -> Made:
    """Return what is left when hinted solutions may have no more than this share of the rows.

    Left out are first those of problems that have another solution, then, until it fits, the longest of the problems
    with the most of them, by digest where that is equal.
    """
    direct = {solution.problem_id for solution, _ in made if not solution.hinted}
    kept = [(one, rows) for one, rows in made if not one.hinted or one.problem_id not in direct]
    total = sum(len(rows) for _, rows in kept)
    hinted = sum(len(rows) for one, rows in kept if one.hinted)
    counts: dict[str, int] = defaultdict(int)
    order: list[tuple[int, str, int]] = []
    for position, (one, _) in enumerate(kept):
        if one.hinted:
            order.append((-counts[one.problem_id], digest(one.problem_id, one.code), position))
            counts[one.problem_id] += 1
    gone: set[int] = set()
    for _, _, position in sorted(order):
        if hinted <= share * total:
            break
        gone.add(position)
        hinted -= len(kept[position][1])
        total -= len(kept[position][1])
    return [pair for position, pair in enumerate(kept) if position not in gone]


def balanced(made: Made) -> Made:
    """Return the solutions with those of each problem, in turn, as often as the problem with most has solutions."""
    by_problem: dict[str, Made] = defaultdict(list)
    for pair in made:
        by_problem[pair[0].problem_id].append(pair)
    most = max(map(len, by_problem.values()), default=0)
    return [
        found[i % len(found)]
        for found in by_problem.values()
        for i in range(len(found) if found[0][0].hinted else most)
    ]  # fmt: skip


def build_dataset(
    seeds: Sequence[Solution],
    candidates: Iterable[Candidate],
    problems: Mapping[str, Problem],
    split: Mapping[str, Any],
    config: RunConfig,
) -> tuple[list[Row], DatasetStats]:
    """Return the training rows and their counts. Of the candidates, read one by one, only what passes is kept."""
    solutions, generated = list(seeds), len(seeds)
    for candidate in candidates:
        solutions += passing_solutions([candidate], problems)
        generated += 1
    refuse_held_out(solutions, split)
    settings = config.dataset
    chosen = choose(
        solutions, settings.keep_per_problem, lambda s: language_of(problems[s.problem_id], config),
        settings.near_duplicates,
    )  # fmt: skip
    hints = replayed_hints(chosen.kept, problems) if config.sharing.replay else {}
    made = [
        (s, training_rows(s, problems[s.problem_id], config, hints.get(s.problem_id))) for s in chosen.kept
    ]  # fmt: skip
    kept = within_share(made, settings.hinted_share)
    trained = balanced(kept) if settings.balance else kept
    stats = DatasetStats(
        generated=generated, valid=len(solutions), distinct=chosen.distinct, kept=len(kept),
        problems=len({s.problem_id for s, _ in kept}), by_iteration=_counted(sorted(s.iteration for s, _ in kept)),
        by_tier=_counted(sorted((tier_of(s) for s, _ in kept), key=TIERS.index)),
        near_duplicates=chosen.near_duplicates, hinted_left_out=len(made) - len(kept),
        repeated=len(trained) - len(kept),
    )  # fmt: skip
    return [row for _, rows in trained for row in rows], stats


def _counted(values: Iterable[object]) -> dict[str, int]:
    return dict(Counter(map(str, values)))
