"""Look for data sets that tell the surviving mutants of a problem from its reference.

The expected result of a new data set is what the reference gives, and that must be beyond doubt: the same twice, the
same with the input rows in other orders, and the same in every language that the problem has a reference in. A data
set is kept only where a surviving mutant fails on it; it becomes a hidden test.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from bootstrap.audit.data_sets import Variation, job_of, shuffled, variations
from bootstrap.audit.function_habits import keeps_answer_habits
from bootstrap.audit.function_inputs import WILD, function_variations
from bootstrap.audit.workers import OpenInterpreters, run_jobs
from bootstrap.config import AuditConfig
from bootstrap.records import Problem, digest
from interpreters.base import Execution, Interpreter, Limits, Outcome, Table, TestCase
from interpreters.checking import judge
from interpreters.compare import compare_answer
from interpreters.function_cases import expected_of

if TYPE_CHECKING:
    from bootstrap.audit.audit import Subject

TRIES = 24
"""Variations of one round."""
ROUNDS = 3
"""Rounds at most; where enough mutants die, the first that finds nothing is the last."""
REFERENCE_LIMITS = Limits(seconds=60.0, memory_mb=4096)
"""For a reference, in whatever language: on a busy machine it may be slow, and that must not decide what is kept."""
FUNCTION_ROUNDS = 5
"""Rounds at most for a function; the last two, where too few mutants have died, with inputs beyond its habits."""
WILD_ROUNDS = 2
FUNCTION_REFERENCE_LIMITS = Limits(seconds=2.0, memory_mb=2048)
"""For the reference of a function on a new input: where it takes longer, the input is none for a test."""
SHUFFLES = 6
"""Orders of the input rows in which a data set must give the same result before it is kept."""


def constant_passes(tests: Sequence[TestCase]) -> bool:
    """Say whether the expected table of the first data set is right for all of them."""
    return all(compare_answer(tests[0].expected, test) is None for test in tests)


@dataclass
class Trial:
    """A variation with the result that the reference gives, and the survivors that fail on it: index -> fate."""

    variation: Variation
    test: TestCase
    kills: dict[int, str]


class Search:
    """The search for one problem. Uses the interpreters of its thread."""

    def __init__(
        self, problem: Problem, language: str, opened: OpenInterpreters, config: AuditConfig, limits: Limits
    ) -> None:
        self.problem, self.language, self.opened, self.config, self.limits = problem, language, opened, config, limits
        self.rng = random.Random(digest("audit", problem.problem_id, language))

    def run(self, subject: Subject) -> list[tuple[str, TestCase]]:
        """Return the data sets kept, each with how it was made; sets the fates of the mutants that they kill."""
        found: list[tuple[str, TestCase]] = []
        for number, source in enumerate(self.sources(subject)):
            if self.is_last_resort(number) and self.has_enough(subject):
                break
            more = self.round(subject, list(islice(source, TRIES)), self.config.max_added - len(found))
            found += more
            is_full = not subject.alive or len(found) == self.config.max_added
            if is_full or (self.has_enough(subject) and not more):
                break
        return found

    def has_enough(self, subject: Subject) -> bool:
        return subject.killed >= self.config.min_kill_rate * len(subject.mutants)

    def is_last_resort(self, number: int) -> bool:
        """Say whether the inputs of a round need not keep to the habits of a function."""
        return self.problem.kind == "function" and number >= FUNCTION_ROUNDS - WILD_ROUNDS

    def sources(self, subject: Subject) -> list[Iterator[Variation]]:
        """Return for each round where its new inputs come from."""
        codes = [self.problem.references[self.language], *(subject.mutants[i].code for i in subject.alive)]
        tests, seed = self.problem.tests, digest("data sets", self.problem.problem_id)
        if self.problem.kind == "table":
            return [variations(tests, codes, seed)] * ROUNDS
        tame = function_variations(tests, codes[:1], seed)
        wild = function_variations(tests, codes[:1], seed + "wild", wild=True)
        return [tame] * (FUNCTION_ROUNDS - WILD_ROUNDS) + [wild] * WILD_ROUNDS

    def round(self, subject: Subject, tried: Sequence[Variation], room: int) -> list[tuple[str, TestCase]]:
        trials = self.trials([one for one in tried if self.is_carried(one)])
        self.measure(subject, trials)
        found: list[tuple[str, TestCase]] = []
        while trials and len(found) < room:
            best = max(trials, key=lambda trial: (len(trial.kills), -len(trial.variation.kind)))
            if not best.kills:
                break
            trials.remove(best)
            if not self.is_beyond_doubt(best.test):
                continue
            found.append((best.variation.kind, best.test))
            for index, fate in best.kills.items():
                subject.fates[index] = fate
            for trial in trials:
                trial.kills = {index: fate for index, fate in trial.kills.items() if index not in best.kills}
        return found

    def is_carried(self, variation: Variation) -> bool:
        """Say whether the target language can hold the inputs; the problem's own tell whether they are arguments."""
        return self.opened.refusal([*(test.tables for test in self.problem.tests), variation.tables]) is None

    def trials(self, tried: Sequence[Variation]) -> list[Trial]:
        """Return the variations on which the reference gives one result, whatever the order of the rows."""
        interpreter = self.opened.get(self.language)
        assert interpreter is not None
        code = self.problem.references[self.language]
        limits = REFERENCE_LIMITS if self.problem.kind == "table" else FUNCTION_REFERENCE_LIMITS
        jobs = [job_of(code, [one.tables, one.tables, shuffled(one.tables, self.rng)]) for one in tried]
        trials = []
        for one, execution in zip(tried, run_jobs(interpreter, jobs, limits), strict=True):
            if execution.outcome is Outcome.PASSED:
                test = self.as_test(one, execution.results[0])
                is_usual = self.problem.kind == "table" or self.is_usual(one, test)
                if is_usual and all(compare_answer(table, test) is None for table in execution.results[1:]):
                    trials.append(Trial(one, test, {}))
        return trials

    def is_usual(self, variation: Variation, test: TestCase) -> bool:
        """Say whether the answer of a function is like those of its tests, where its input is to be."""
        known = [expected_of(one) for one in self.problem.tests]
        return variation.kind.startswith(WILD) or keeps_answer_habits(known, expected_of(test))

    def as_test(self, variation: Variation, expected: Table) -> TestCase:
        """Return the hidden test of a new data set. Sort keys that the answer does not show are taken to have no ties;
        a data set where they have some changes with the order of the rows, and is not kept."""
        first = self.problem.tests[0]
        ties = (1,) * len(expected.rows) if any(test.ties for test in self.problem.tests) else ()
        return replace(first, tables=variation.tables, expected=expected, hidden=True, ties=ties)

    def measure(self, subject: Subject, trials: Sequence[Trial]) -> None:
        """Fill in which survivors fail on which trial."""
        asked = [index for index in subject.alive if subject.mutants[index].code]
        interpreter = self.opened.get(self.language)
        assert interpreter is not None
        jobs = [job_of(subject.mutants[index].code, [trial.variation.tables for trial in trials]) for index in asked]
        executions = run_jobs(interpreter, jobs if trials else [], self.limits)
        for index, execution in zip(asked, executions, strict=False):
            _note_kills(trials, index, execution)
        for index in set(subject.alive) - set(asked):  # the constant answer, which needs no run
            for trial in trials:
                if compare_answer(self.problem.tests[0].expected, trial.test) is not None:
                    trial.kills[index] = "wrong"

    def is_beyond_doubt(self, test: TestCase) -> bool:
        """Say whether every language gives the expected result, in all orders of the input rows that are tried."""
        orders = [test]
        if self.problem.kind == "table":
            orders += [replace(test, tables=shuffled(test.tables, self.rng)) for _ in range(SHUFFLES)]
        for language, code in self.problem.references.items():
            interpreter = self.opened.get(language)
            if interpreter is not None and not self.agrees(interpreter, code, orders):
                return False
        return True

    def agrees(self, interpreter: Interpreter, code: str, tests: Sequence[TestCase]) -> bool:
        [execution] = run_jobs(interpreter, [job_of(code, [one.tables for one in tests])], REFERENCE_LIMITS)
        return judge(execution, tests, interpreter.name).passed


def _note_kills(trials: Sequence[Trial], index: int, execution: Execution) -> None:
    for trial, table in zip(trials, execution.results, strict=False):
        if compare_answer(table, trial.test) is not None:
            trial.kills[index] = "wrong"
    if execution.outcome is not Outcome.PASSED:  # it ended at this one, and was not tried on those that follow
        trials[len(execution.results)].kills[index] = "error"
