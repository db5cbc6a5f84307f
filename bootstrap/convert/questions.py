"""What a teacher is asked: a prompt per language and task, and per round another way to look at what failed.

Nothing of a hidden test is in a question. A visible test is shown with its rows; of a hidden one the teacher hears the
kind of failure alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bootstrap.convert.attempts import Attempt
from bootstrap.prompts import NOTES, RULES, describe_table
from bootstrap.records import Problem
from interpreters.base import Outcome, Table

TITLES = {"python": "Python", "sqlite": "SQLite", "duckdb": "DuckDB SQL", "postgres": "PostgreSQL"}
SOURCES = ("python", "duckdb", "postgres", "sqlite")
SHOWN_ROWS = 5
SHOWN_TESTS = 2


@dataclass(frozen=True)
class Strategy:
    """How to ask in one round. `shows_source`: with the reference in another language, where there is one."""

    name: str
    temperature: float
    shows_source: bool
    shows_failure: bool
    advice: str


STRATEGIES = (
    Strategy("direct", 0.0, True, False, ""),
    Strategy("mend", 0.2, True, True, "Find what is wrong with it and answer with the whole corrected code."),
    Strategy("from the statement", 0.6, False, False, "Begin from the statement alone; write the simplest right code."),
    Strategy("plan first", 0.8, True, True, "Write a short plan of the steps first, then other code than before."),
)
"""One per round; the last one serves the rounds that follow."""


def strategy_of(number: int) -> Strategy:
    return STRATEGIES[min(number, len(STRATEGIES) - 1)]


def source_of(problem: Problem, language: str) -> str | None:
    """Return the language of the reference that a teacher is shown, None where there is none."""
    return next((name for name in SOURCES if name in problem.references and name != language), None)


def task_of(problem: Problem, language: str, strategy: Strategy) -> str:
    """Return what kind of task this is, by its input: "statement", "python" or "sql"."""
    source = source_of(problem, language) if strategy.shows_source else None
    return "statement" if source is None else "python" if source == "python" else "sql"


def question(problem: Problem, language: str, number: int, earlier: Sequence[Attempt]) -> str:
    """Return the prompt of a round, given the attempts of the rounds before."""
    strategy = strategy_of(number)
    title, rule, fence = RULES[language]
    parts = [
        _opening(task_of(problem, language, strategy), title),
        f"Task: {problem.statement}",
        _inputs(problem, language),
    ]
    source = source_of(problem, language) if strategy.shows_source else None
    if source is not None:
        parts.append(f"The same in {TITLES[source]}:\n```\n{problem.references[source].strip()}\n```")
    parts += _examples(problem)
    if strategy.shows_failure and earlier:
        last = earlier[-1]
        parts.append(f"This code was tried:\n```{fence}\n{last.code}\n```\n{failure(problem, last)}")
    parts.append(f"{strategy.advice} {rule} Answer with one ```{fence} block.".strip())
    return "\n\n".join(part for part in parts if part) + "\n"


def _opening(task: str, title: str) -> str:
    if task == "statement":
        return f"Solve the task in {title}."
    return f"Translate the code to {title}, so that it gives the same result on every input."


def _inputs(problem: Problem, language: str) -> str:
    lines = [describe_table(name, table) for name, table in problem.tests[0].tables.items()]
    lines += [NOTES[language][problem.kind]] if language in NOTES else []
    return ("Function and parameters:\n" if problem.kind == "function" else "Tables:\n") + "\n".join(lines)


def _examples(problem: Problem) -> list[str]:
    shown = [test for test in problem.tests if not test.hidden][:SHOWN_TESTS]
    return [
        "Example:\n" + "\n".join(f"{name}:\n{_rows(table)}" for name, table in test.tables.items())
        + f"\nresult:\n{_rows(test.expected)}"
        for test in shown
    ]  # fmt: skip


def _rows(table: Table) -> str:
    heads = " | ".join(column.name for column in table.columns)
    rows = [" | ".join(map(repr, row)) for row in table.rows[:SHOWN_ROWS]]
    more = [f"... {len(table.rows) - SHOWN_ROWS} more rows"] if len(table.rows) > SHOWN_ROWS else []
    return "\n".join([heads, *rows, *more])


def failure(problem: Problem, attempt: Attempt) -> str:
    """Return the verdict in words: of a hidden test no value, only that it failed or how the code itself did."""
    index = attempt.failed_test
    hidden = index is None or index >= len(problem.tests) or problem.tests[index].hidden
    if attempt.outcome is Outcome.WRONG_ANSWER:
        return "It runs, but gives another result" + (
            " on a hidden test." if hidden else f" on example {index}: {attempt.message}"
        )
    return f"It failed with {attempt.outcome.value}: {attempt.message}"
