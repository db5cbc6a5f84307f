"""Admission: a problem enters a run only when its references prove it, and trivial answers do not.

A reference runs, in its own language's interpreter, over every data set and must give the expected result; then once
more, and once with the rows of the input tables shuffled, and must give it again. A trivial answer must fail: the
input handed back unchanged, an empty table, the first data set's result given for all. A function has one row of
arguments, which nothing can shuffle; there an argument handed back unchanged must fail. And the target language must
be able to hold the tests, even where no reference is in it. What does not pass is quarantined with the reason.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from bootstrap.audit.data_sets import shuffled
from bootstrap.audit.search import constant_passes
from bootstrap.audit.workers import OpenInterpreters, Workers, in_threads, interpreters_by_language, run_jobs
from bootstrap.carried import refusal
from bootstrap.records import Problem, digest
from interpreters import load_interpreter
from interpreters.base import Execution, Interpreter, Job, Outcome, Table, TestCase
from interpreters.checking import judge
from interpreters.compare import compare_answer
from interpreters.function_cases import arguments_of

CHUNK = 50
"""Problems per batch of references: how often progress is shown, and how evenly the threads share the work."""

Chunk = tuple[str, list[Problem]]  # language, problems


@dataclass(frozen=True)
class Plan:
    """Which references run, and how often; the settings are explained in bootstrap.config.AdmissionConfig. `sample`:
    the problems that are audited too."""

    target_language: str = ""
    languages: Literal["all", "sample", "target"] = "all"
    repeats: Literal["all", "audited"] = "all"
    sample: Collection[str] = field(default_factory=frozenset)

    def languages_of(self, problem: Problem) -> list[str]:
        """Return the languages in which a problem's references run."""
        everything = self.languages == "all" or (self.languages == "sample" and problem.problem_id in self.sample)
        if everything or self.target_language not in problem.references:
            return list(problem.references)
        return [self.target_language]

    def repeats_of(self, problem: Problem) -> bool:
        return self.repeats == "all" or problem.problem_id in self.sample


def trivial_answer(tests: Sequence[TestCase]) -> str | None:
    """Return the reason when a trivial answer passes every test.

    Where there is one data set alone, its result is right for all: there the audit is what adds others.
    """
    for name in tests[0].tables:
        if all(compare_answer(t.tables[name], t) is None for t in tests):
            return f"the table {name} unchanged is a right answer"
    if all(compare_answer(Table(t.expected.columns, ()), t) is None for t in tests):
        return "an empty table is a right answer"
    if len(tests) > 1 and constant_passes(tests):
        return "a constant table is a right answer: every data set has the same result"
    return None


def trivial(problem: Problem) -> str | None:
    """Return the reason when a trivial answer passes every test of a problem."""
    return trivial_answer(problem.tests) if problem.kind == "table" else trivial_function(problem.tests)


def trivial_function(tests: Sequence[TestCase]) -> str | None:
    """Return the reason when an argument unchanged, or one answer for all, passes every test of a function."""
    _, names, _ = arguments_of(tests[0])
    for index, name in enumerate(names):
        if all(compare_answer(_unchanged(test, index), test) is None for test in tests):
            return f"the argument {name} unchanged is a right answer"
    if len(tests) > 1 and constant_passes(tests):
        return "a constant is a right answer: every test has the same result"
    return None


def _unchanged(test: TestCase, index: int) -> Table:
    [table] = test.tables.values()
    return Table((table.columns[index],), ((table.rows[0][index],),))


def failing_references(
    problems: Sequence[Problem], language: str, interpreter: Interpreter, plan: Plan
) -> dict[str, str]:  # fmt: skip
    """Return problem_id -> reason, for the problems whose reference in this language does not pass its tests."""
    refused = not_carried(problems, interpreter)
    failed = {problem_id: f"{language} reference: {reason}" for problem_id, reason in refused.items()}
    carried = [problem for problem in problems if problem.problem_id not in failed]
    jobs: list[Job] = [(p.references[language], inputs_of(p, plan)) for p in carried]
    for problem, execution in zip(carried, run_jobs(interpreter, jobs), strict=True):
        reason = what_failed(problem, execution, interpreter.name)
        if reason:
            failed[problem.problem_id] = f"{language} reference: {reason}"
    return failed


def not_carried(problems: Sequence[Problem], interpreter: Interpreter) -> dict[str, str]:
    """Return problem_id -> reason, for the problems whose inputs this interpreter's language cannot hold."""
    found = {p.problem_id: interpreter.refuses([test.tables for test in p.tests]) for p in problems}
    return {key: f"{interpreter.name} cannot hold its inputs: {why}" for key, why in found.items() if why is not None}


def not_answered(problems: Sequence[Problem], interpreter: Interpreter) -> dict[str, str]:
    """Return problem_id -> reason, for the problems whose tests no right program in this language can pass."""
    found = {p.problem_id: refusal(p, interpreter.language) for p in problems}
    return {key: f"{interpreter.name} cannot hold its tests: {why}" for key, why in found.items() if why is not None}


def inputs_of(problem: Problem, plan: Plan) -> list[Mapping[str, Table]]:
    """Return the tables of every test and, for repeats, the same again and the same shuffled."""
    inputs = [test.tables for test in problem.tests]
    if not plan.repeats_of(problem):
        return inputs
    if problem.kind == "function":
        return [*inputs, *inputs]
    rng = random.Random(digest("admission", problem.problem_id))
    return [*inputs, *inputs, *(shuffled(tables, rng) for tables in inputs)]


def what_failed(problem: Problem, execution: Execution, interpreter_name: str) -> str | None:
    """Return what is wrong with the runs of a reference: the first over all tests, and those that repeat it."""
    count = len(problem.tests)
    passes = (("", 0), ("flaky, on a second run: ", count), ("flaky, with the input rows shuffled: ", 2 * count))
    for what, start in passes:
        results = execution.results[start : start + count]
        if start and not results and execution.outcome is Outcome.PASSED:
            return None  # it was to run no more often
        outcome = Outcome.PASSED if len(results) == count else execution.outcome
        verdict = judge(Execution(outcome, results, execution.message), problem.tests, interpreter_name)
        if not verdict.passed:
            return f"{what}{verdict.outcome.value} {verdict.message}".strip()
    return None


@dataclass(frozen=True)
class Admission:
    """`quarantined`: problem_id -> reason. `missing`: language -> why its references could not be run here."""

    admitted: list[Problem]
    quarantined: dict[str, str]
    missing: Mapping[str, str]


def admit_by(
    problems: Sequence[Problem], workers: Workers, plan: Plan, on_checked: Callable[[int, int], None]
) -> Admission:  # fmt: skip
    """Run the references of a plan and sort the problems. `on_checked` gets the references run so far and their total.

    A reference that nothing here can run proves nothing: a problem without any other is quarantined.
    Raises InterpreterError.
    """
    quarantined = {p.problem_id: reason for p in problems if (reason := trivial(p))}
    if workers.target is not None:
        with load_interpreter(workers.target, workers.sandbox) as target:
            quarantined.update(not_answered(problems, target) | not_carried(problems, target))
    chunks = reference_chunks(problems, plan)
    total, done = sum(len(members) for _, members in chunks), 0

    def check(opened: OpenInterpreters, chunk: Chunk) -> tuple[int, dict[str, str]]:
        language, members = chunk
        interpreter = opened.get(language)
        return len(members), failing_references(members, language, interpreter, plan) if interpreter else {}

    def show(result: tuple[int, dict[str, str]]) -> None:
        nonlocal done
        done += result[0]
        on_checked(done, total)

    outcome = in_threads(chunks, workers, check, show)
    for _, failed in outcome.results:
        quarantined.update(failed)
    runnable = interpreters_by_language()
    for problem in problems:
        languages = [language for language in plan.languages_of(problem) if language in runnable]
        if languages and all(language in outcome.missing for language in languages):
            reason = f"no reference could be run: {outcome.missing[languages[0]]}"
            quarantined.setdefault(problem.problem_id, reason)
    admitted = [p for p in problems if p.problem_id not in quarantined]
    return Admission(admitted, dict(sorted(quarantined.items())), outcome.missing)


def admit(
    problems: Sequence[Problem], workers: int, on_checked: Callable[[int, int], None]
) -> tuple[list[Problem], dict[str, str]]:
    """Return the problems whose references all prove them and, for the others, problem_id -> reason."""
    found = admit_by(problems, Workers(workers), Plan(), on_checked)
    return found.admitted, found.quarantined


def reference_chunks(problems: Iterable[Problem], plan: Plan) -> list[Chunk]:
    """Return pieces of work over the references of a plan."""
    members: dict[str, list[Problem]] = {}
    for problem in problems:
        for language in plan.languages_of(problem):
            members.setdefault(language, []).append(problem)
    return [
        (language, members[language][start : start + CHUNK])
        for language in interpreters_by_language()
        for start in range(0, len(members.get(language, ())), CHUNK)
    ]
