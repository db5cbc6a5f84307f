"""Admission: a problem enters a run only when its references prove it, and trivial answers do not.

Every reference runs, in its own language's interpreter, over every data set and must give the expected result; the
input handed back unchanged and an empty table must fail. What does not pass is quarantined with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from bootstrap.records import Problem
from interpreters import INTERPRETERS, load_interpreter
from interpreters.base import Table, TestCase
from interpreters.checking import judge
from interpreters.compare import compare_tables

CHUNK = 100
"""Problems per batch of trusted references: bounds what a crash of the engine takes with it."""


def interpreters_by_language() -> dict[str, str]:
    """Return language -> name of the first interpreter that checks it."""
    found: dict[str, str] = {}
    for name in INTERPRETERS:
        found.setdefault(load_interpreter(name).language, name)
    return found


def trivial_answer(tests: Sequence[TestCase]) -> str | None:
    """Return the reason when a trivial answer passes every test: an input unchanged, or an empty table."""
    for name in tests[0].tables:
        if all(compare_tables(t.tables[name], t.expected, t.order_by) is None for t in tests):
            return f"the table {name} unchanged is a right answer"
    if all(compare_tables(Table(t.expected.columns, ()), t.expected, t.order_by) is None for t in tests):
        return "an empty table is a right answer"
    return None


def failing_references(problems: Sequence[Problem], language: str, interpreter_name: str) -> dict[str, str]:
    """Return problem_id -> reason, for the problems whose reference in this language does not pass its tests."""
    failed: dict[str, str] = {}
    with load_interpreter(interpreter_name) as interpreter:
        jobs = [(p.references[language], [test.tables for test in p.tests]) for p in problems]
        for problem, execution in zip(problems, interpreter.execute_trusted(jobs), strict=True):
            verdict = judge(execution, problem.tests, interpreter_name)
            if not verdict.passed:
                failed[problem.problem_id] = f"{language} reference: {verdict.outcome.value} {verdict.message}".strip()
    return failed


def admit(
    problems: Sequence[Problem], workers: int, on_checked: Callable[[int], None]
) -> tuple[list[Problem], dict[str, str]]:
    """Return the admitted problems and, for the others, problem_id -> reason."""
    quarantined = {p.problem_id: reason for p in problems if (reason := trivial_answer(p.tests))}
    chunks = list(reference_chunks(problems))

    def check(chunk: tuple[str, str, list[Problem]]) -> dict[str, str]:
        language, name, members = chunk
        failed = failing_references(members, language, name)
        on_checked(len(members))
        return failed

    with ThreadPoolExecutor(workers) as threads:
        for failed in threads.map(check, chunks):
            quarantined.update(failed)
    return [p for p in problems if p.problem_id not in quarantined], dict(sorted(quarantined.items()))


def reference_chunks(problems: Iterable[Problem]) -> list[tuple[str, str, list[Problem]]]:
    """Return (language, interpreter, problems) pieces of work over every reference that has an interpreter."""
    members: dict[str, list[Problem]] = {}
    for problem in problems:
        for language in problem.references:
            members.setdefault(language, []).append(problem)
    return [
        (language, name, members[language][start : start + CHUNK])
        for language, name in interpreters_by_language().items()
        for start in range(0, len(members.get(language, ())), CHUNK)
    ]
