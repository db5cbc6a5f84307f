"""Audit problems by mutants: each mutant of a reference must fail the problem's data sets.

The mutants are made of our own references, so they run as trusted code, many in one process. A mutant that gives
another table is killed by a wrong answer; one that raises, loops or eats its memory is killed by an error, which any
data set would do, so the two are counted apart. Where mutants survive, data sets are looked for that tell them from
the reference (search.py). A constant table, the result of the first data set given for all, counts as a mutant too.

What survives in the end may be wrong code that the data sets let through, or code that means the same. Nobody can
tell which in general, so all of it counts as survived.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bootstrap.audit.data_sets import job_of
from bootstrap.audit.mutants import MAKERS, Mutant, UnmutableError, columns_of, is_ordered, mutants, rewritten
from bootstrap.audit.search import Search, constant_passes
from bootstrap.audit.workers import OpenInterpreters, Workers, in_threads, run_jobs
from bootstrap.config import AuditConfig
from bootstrap.records import Problem
from interpreters import load_interpreter
from interpreters.base import Interpreter, Limits, Outcome, TestCase
from interpreters.checking import judge

LIMITS = Limits(seconds=10.0, memory_mb=2048)
"""For each mutant and data set."""
FUNCTION_LIMITS = (
    (0.02, Limits(0.25, 1024)), (0.1, Limits(0.6, 1024)), (0.5, Limits(2.0, 1024)), (math.inf, Limits(5.0, 1024)),
)  # fmt: skip
"""For each mutant of a function, over all tests, where the reference takes no more than so many seconds: what loops for
ever is met often there, and each time costs the limit."""
REPEATS = 4
"""How often a survivor runs again over all data sets."""
BATCH = 16
"""Problems whose mutants run side by side in one process."""
CONSTANT = Mutant("", "constant_answer", "the expected table of the first data set, given for all")


@dataclass(frozen=True)
class ProblemAudit:
    """What the mutants of one problem came to. `skipped`: why there was no audit, else "".

    `killed_before`: by the data sets that the problem came with. `added`: the data sets that were found, `kinds` how
    each was made. `by_operator`: operator -> made, killed by a wrong answer, killed by an error.
    """

    problem_id: str
    language: str
    mutants: int = 0
    killed_wrong: int = 0
    killed_error: int = 0
    killed_before: int = 0
    survivors: tuple[Mutant, ...] = ()
    added: tuple[TestCase, ...] = ()
    kinds: tuple[str, ...] = ()
    by_operator: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    skipped: str = ""

    @property
    def kill_rate(self) -> float:
        return (self.killed_wrong + self.killed_error) / self.mutants if self.mutants else 1.0


@dataclass
class Subject:
    """A problem under audit: its mutants, and what killed each of them ("wrong", "error", or "" so far)."""

    problem: Problem
    language: str
    mutants: list[Mutant]
    fates: list[str]
    seconds: float = 0.0  # that the reference takes over all tests

    @classmethod
    def of(cls, problem: Problem, language: str, limit: int) -> Subject:
        ordered = is_ordered(problem.tests)
        columns = columns_of(problem.tests)
        made = mutants(problem.references[language], language, columns, ordered=ordered, limit=limit)
        return cls(problem, language, [*made, CONSTANT], [""] * (len(made) + 1))

    @property
    def alive(self) -> list[int]:
        return [index for index, fate in enumerate(self.fates) if not fate]

    @property
    def killed(self) -> int:
        return len(self.fates) - len(self.alive)


def audit(
    problems: Sequence[Problem], workers: Workers, config: AuditConfig, *, search: bool = True,
    on_done: Callable[[Sequence[ProblemAudit]], None] = lambda audits: None,
) -> list[ProblemAudit]:  # fmt: skip
    """Return the audit of each problem, by its reference in the workers' target language or, without one, another.

    `search`: look for data sets where mutants survive. Raises InterpreterError.
    """
    target = load_interpreter(workers.target).language if workers.target else next(iter(MAKERS))
    batches = [problems[start : start + BATCH] for start in range(0, len(problems), BATCH)]

    def work(opened: OpenInterpreters, batch: Sequence[Problem]) -> list[ProblemAudit]:
        return audit_batch(opened, batch, target, config, search=search)

    return [one for batch in in_threads(batches, workers, work, on_done).results for one in batch]


def audit_batch(
    opened: OpenInterpreters, problems: Sequence[Problem], target: str, config: AuditConfig, *, search: bool
) -> list[ProblemAudit]:
    audits: dict[str, ProblemAudit] = {}
    subjects: dict[str, list[Subject]] = {}
    for problem in problems:
        language = language_of(problem, target, opened)
        try:
            if language is None:
                raise UnmutableError(f"no reference in {', '.join(MAKERS)} that can run here")
            subjects.setdefault(language, []).append(Subject.of(problem, language, config.mutants))
        except UnmutableError as error:
            audits[problem.problem_id] = ProblemAudit(problem.problem_id, language or "", skipped=str(error))
    for language, members in subjects.items():
        interpreter = opened.get(language)
        assert interpreter is not None  # language_of has asked for it
        audits |= audit_subjects(opened, interpreter, members, config, search=search)
    return [audits[problem.problem_id] for problem in problems]


def language_of(problem: Problem, target: str, opened: OpenInterpreters) -> str | None:
    """Return the language whose reference is mutated: the target's, else the first that can run here."""
    languages = [target, *(one for one in MAKERS if one != target)]
    return next((one for one in languages if one in problem.references and one in MAKERS and opened.get(one)), None)


def audit_subjects(
    opened: OpenInterpreters, interpreter: Interpreter, subjects: list[Subject], config: AuditConfig, *, search: bool
) -> dict[str, ProblemAudit]:
    """Return problem_id -> audit for subjects in one language."""
    wrong = misread(interpreter, subjects)
    audits = {pid: ProblemAudit(pid, interpreter.language, skipped=reason) for pid, reason in wrong.items()}
    subjects = [one for one in subjects if one.problem.problem_id not in wrong]
    run_mutants(interpreter, [one for one in subjects if one.problem.kind == "table"])
    run_function_mutants(interpreter, [one for one in subjects if one.problem.kind == "function"])
    for one in subjects:
        before = one.killed
        wanted = search and one.alive and config.max_added
        found = Search(one.problem, one.language, opened, config, limits_of(one)).run(one) if wanted else ()
        audits[one.problem.problem_id] = concluded(one, before, found)
    return audits


def limits_of(one: Subject) -> Limits:
    """Return what a mutant of a problem's reference may use."""
    if one.problem.kind == "table":
        return LIMITS
    return next(limits for most, limits in FUNCTION_LIMITS if one.seconds <= most)


def misread(interpreter: Interpreter, subjects: Sequence[Subject]) -> dict[str, str]:
    """Return problem_id -> reason where the reference is not right any more once it is written as its mutants are."""
    jobs = [
        job_of(
            rewritten(one.problem.references[one.language], one.language), [test.tables for test in one.problem.tests]
        )
        for one in subjects
    ]
    executions = run_jobs(interpreter, jobs, LIMITS)
    found = {}
    for one, execution in zip(subjects, executions, strict=True):
        verdict = judge(execution, one.problem.tests, interpreter.name)
        one.seconds = execution.seconds
        if not verdict.passed:
            found[one.problem.problem_id] = f"the reference fails when written as mutants are: {verdict.message}"
    return found


def run_mutants(interpreter: Interpreter, subjects: Sequence[Subject]) -> None:
    """Set the fates of the mutants on the problems' data sets, one data set after the other: most die at the first.

    Those that survive all of them run again: rows in an order that nobody asked for are right by luck at times.
    """
    for one in subjects:
        if not constant_passes(one.problem.tests):
            one.fates[-1] = "wrong"
    longest = max((len(one.problem.tests) for one in subjects), default=0)
    for index in list(range(longest)) * (1 + REPEATS):
        asked = [
            (one, mutant) for one in subjects if index < len(one.problem.tests)
            for mutant in one.alive if one.mutants[mutant] is not CONSTANT
        ]  # fmt: skip
        jobs = [job_of(one.mutants[i].code, [one.problem.tests[index].tables]) for one, i in asked]
        executions = run_jobs(interpreter, jobs, LIMITS)
        for (one, mutant), execution in zip(asked, executions, strict=True):
            outcome = judge(execution, [one.problem.tests[index]], interpreter.name).outcome
            one.fates[mutant] = fate_of(outcome)


def run_function_mutants(interpreter: Interpreter, subjects: Sequence[Subject]) -> None:
    """Set the fates of the mutants of functions, each over all tests at once: there is no order of rows to be lucky
    with, so nothing is repeated."""
    asked: dict[Limits, list[tuple[Subject, int]]] = {}
    for one in subjects:
        if not constant_passes(one.problem.tests):
            one.fates[-1] = "wrong"
        codes = [(one, mutant) for mutant in range(len(one.mutants)) if one.mutants[mutant] is not CONSTANT]
        asked.setdefault(limits_of(one), []).extend(codes)
    for limits, pairs in asked.items():
        jobs = [job_of(one.mutants[i].code, [test.tables for test in one.problem.tests]) for one, i in pairs]
        for (one, mutant), execution in zip(pairs, run_jobs(interpreter, jobs, limits), strict=True):
            one.fates[mutant] = fate_of(judge(execution, one.problem.tests, interpreter.name).outcome)


def fate_of(outcome: Outcome) -> str:
    return {Outcome.PASSED: "", Outcome.WRONG_ANSWER: "wrong"}.get(outcome, "error")


def concluded(one: Subject, before: int, found: Sequence[tuple[str, TestCase]]) -> ProblemAudit:
    counts: dict[str, list[int]] = {}
    for mutant, fate in zip(one.mutants, one.fates, strict=True):
        row = counts.setdefault(mutant.operator, [0, 0, 0])
        row[0] += 1
        row[1] += fate == "wrong"
        row[2] += fate == "error"
    return ProblemAudit(
        problem_id=one.problem.problem_id,
        language=one.language,
        mutants=len(one.mutants),
        killed_wrong=one.fates.count("wrong"),
        killed_error=one.fates.count("error"),
        killed_before=before,
        survivors=tuple(one.mutants[index] for index in one.alive),
        added=tuple(test for _, test in found),
        kinds=tuple(kind for kind, _ in found),
        by_operator={name: (row[0], row[1], row[2]) for name, row in sorted(counts.items())},
    )


def with_added(problem: Problem, audit: ProblemAudit) -> Problem:
    """Return the problem with the data sets that its audit has found, as hidden tests."""
    return replace(problem, tests=(*problem.tests, *audit.added)) if audit.added else problem


def quarantine_reason(audit: ProblemAudit, config: AuditConfig) -> str | None:
    """Return why a problem is not fit for training, with the mutants that its data sets let through; None if it is."""
    constant = any(mutant.operator == CONSTANT.operator for mutant in audit.survivors)
    if audit.skipped or (audit.kill_rate >= config.min_kill_rate and not constant):
        return None
    listed = "; ".join(f"{mutant.operator} ({mutant.detail}): {mutant.code}" for mutant in audit.survivors)
    if constant:
        return f"audit: {CONSTANT.detail}, is a right answer; survivors: {listed}"
    return (
        f"audit: {audit.kill_rate:.0%} of {audit.mutants} mutants fail, less than {config.min_kill_rate:.0%}; "
        f"survivors: {listed}"
    )
