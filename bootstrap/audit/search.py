"""Look for data sets that tell the surviving mutants of a problem from its reference.

The expected result of a new data set is what the reference gives, and that must be beyond doubt: the same twice, the
same with the input rows in other orders, and the same in every language that the problem has a reference in. A data
set is kept only where a surviving mutant fails on it; it becomes a hidden test.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from bootstrap.audit.data_sets import Variation, job_of, shuffled, variations
from bootstrap.audit.workers import OpenInterpreters, run_jobs
from bootstrap.config import AuditConfig
from bootstrap.records import Problem, digest
from interpreters.base import Execution, Interpreter, Limits, Outcome, Table, TestCase
from interpreters.checking import judge
from interpreters.compare import compare_answer

if TYPE_CHECKING:
    from bootstrap.audit.audit import Subject

TRIES = 24
"""Variations of one round."""
ROUNDS = 3
"""Rounds at most; where enough mutants die, the first that finds nothing is the last."""
REFERENCE_LIMITS = Limits(seconds=60.0, memory_mb=4096)
"""For a reference, in whatever language: on a busy machine it may be slow, and that must not decide what is kept."""
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
        codes = [self.problem.references[self.language], *(subject.mutants[i].code for i in subject.alive)]
        source = variations(self.problem.tests, codes, digest("data sets", self.problem.problem_id))
        found: list[tuple[str, TestCase]] = []
        for _ in range(ROUNDS):
            more = self.round(subject, list(islice(source, TRIES)), self.config.max_added - len(found))
            found += more
            enough = subject.killed >= self.config.min_kill_rate * len(subject.mutants)
            if not subject.alive or len(found) == self.config.max_added or (enough and not more):
                break
        return found

    def round(self, subject: Subject, tried: Sequence[Variation], room: int) -> list[tuple[str, TestCase]]:
        trials = self.trials(tried)
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

    def trials(self, tried: Sequence[Variation]) -> list[Trial]:
        """Return the variations on which the reference gives one result, whatever the order of the rows."""
        interpreter = self.opened.get(self.language)
        assert interpreter is not None
        code = self.problem.references[self.language]
        jobs = [job_of(code, [one.tables, one.tables, shuffled(one.tables, self.rng)]) for one in tried]
        trials = []
        for one, execution in zip(tried, run_jobs(interpreter, jobs, REFERENCE_LIMITS), strict=True):
            if execution.outcome is Outcome.PASSED:
                test = self.as_test(one, execution.results[0])
                if all(compare_answer(table, test) is None for table in execution.results[1:]):
                    trials.append(Trial(one, test, {}))
        return trials

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
        orders = [test, *(replace(test, tables=shuffled(test.tables, self.rng)) for _ in range(SHUFFLES))]
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
