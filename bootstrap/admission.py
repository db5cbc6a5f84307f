"""Admission: a problem enters a run only when its references prove it, and trivial answers do not.

Every reference runs, in its own language's interpreter, over every data set and must give the expected result; the
input handed back unchanged and an empty table must fail. What does not pass is quarantined with the reason.
"""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from bootstrap.records import Problem
from interpreters import INTERPRETERS, load_interpreter
from interpreters.base import Interpreter, Table, TestCase
from interpreters.checking import judge
from interpreters.compare import compare_answer

CHUNK = 50
"""Problems per batch of references: how often progress is shown, and how evenly the threads share the work."""

Chunk = tuple[str, list[Problem]]  # language, problems


def interpreters_by_language() -> dict[str, str]:
    """Return language -> name of the first interpreter that checks it."""
    found: dict[str, str] = {}
    for name in INTERPRETERS:
        found.setdefault(load_interpreter(name).language, name)
    return found


def trivial_answer(tests: Sequence[TestCase]) -> str | None:
    """Return the reason when a trivial answer passes every test: an input unchanged, or an empty table."""
    for name in tests[0].tables:
        if all(compare_answer(t.tables[name], t) is None for t in tests):
            return f"the table {name} unchanged is a right answer"
    if all(compare_answer(Table(t.expected.columns, ()), t) is None for t in tests):
        return "an empty table is a right answer"
    return None


def failing_references(problems: Sequence[Problem], language: str, interpreter: Interpreter) -> dict[str, str]:
    """Return problem_id -> reason, for the problems whose reference in this language does not pass its tests."""
    failed: dict[str, str] = {}
    jobs = [(p.references[language], [test.tables for test in p.tests]) for p in problems]
    for problem, execution in zip(problems, interpreter.execute_trusted(jobs), strict=True):
        verdict = judge(execution, problem.tests, interpreter.name)
        if not verdict.passed:
            failed[problem.problem_id] = f"{language} reference: {verdict.outcome.value} {verdict.message}".strip()
    return failed


def admit(
    problems: Sequence[Problem], workers: int, on_checked: Callable[[int, int], None]
) -> tuple[list[Problem], dict[str, str]]:
    """Return the admitted problems and, for the others, problem_id -> reason.

    `on_checked` gets the references run so far and their total. Raises InterpreterError.
    """
    quarantined = {p.problem_id: reason for p in problems if (reason := trivial_answer(p.tests))}
    chunks = reference_chunks(problems)
    total, done = sum(len(members) for _, members in chunks), 0
    shares = [chunks[i::workers] for i in range(workers)]  # a thread keeps its interpreters over its whole share
    with ThreadPoolExecutor(workers) as threads:
        finished: queue.Queue[int] = queue.Queue()
        results = [threads.submit(check_share, share, finished) for share in shares]
        while done < total and not any(r.done() and r.exception() for r in results):
            with contextlib.suppress(queue.Empty):
                done += finished.get(timeout=0.2)
                on_checked(done, total)
        for result in results:
            quarantined.update(result.result())
    return [p for p in problems if p.problem_id not in quarantined], dict(sorted(quarantined.items()))


def check_share(chunks: Sequence[Chunk], finished: queue.Queue[int]) -> dict[str, str]:
    """Run one thread's chunks; return what failed."""
    names, failed = interpreters_by_language(), {}
    with contextlib.ExitStack() as stack:
        opened: dict[str, Interpreter] = {}
        for language, members in chunks:
            if language not in opened:
                opened[language] = stack.enter_context(load_interpreter(names[language]))
            failed.update(failing_references(members, language, opened[language]))
            finished.put(len(members))
    return failed


def reference_chunks(problems: Iterable[Problem]) -> list[Chunk]:
    """Return pieces of work over every reference in a language that has an interpreter."""
    members: dict[str, list[Problem]] = {}
    for problem in problems:
        for language in problem.references:
            members.setdefault(language, []).append(problem)
    return [
        (language, members[language][start : start + CHUNK])
        for language in interpreters_by_language()
        for start in range(0, len(members.get(language, ())), CHUNK)
    ]
