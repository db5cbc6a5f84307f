"""Measure how tight the tests of function_basics are: which mutants of its references do they let through?

    python -m eval.bench_basics                                # all mutants of the q solutions
    python -m eval.bench_basics --language python --out basics.json

Every mutant of every reference runs on the problem's tests. What survives runs again on fresh inputs that the
problem's own generator draws with other seeds: a survivor that differs there from the reference, or fails, is a false
accept. The others may mean the same as the reference; nobody can tell in general.

The mutants run as code of our own. Leaves only --out. Some minutes on one core.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bootstrap.audit.audit import CONSTANT, Subject, limits_of, misread, run_function_mutants
from bootstrap.audit.mutants import Mutant
from bootstrap.audit.workers import interpreters_by_language, run_jobs
from bootstrap.config import parse_overrides
from bootstrap.errors import UserError
from bootstrap.programs import run_program
from bootstrap.progress import ProgressLines
from bootstrap.records import Problem
from bootstrap.sources import load_source
from eval.bench_table import Section, open_console, print_section
from interpreters import load_interpreter
from interpreters.base import Execution, Interpreter, Outcome, TestCase
from interpreters.compare import compare_answer
from interpreters.function_cases import arguments_of, expected_of

SOURCE = "function_basics"
BATCH = 12
"""Problems whose mutants run side by side."""
SHOWN = 20
"""Of the false accepts."""


@dataclass(frozen=True)
class FalseAccept:
    problem_id: str
    mutant: Mutant
    arguments: Sequence[object]
    expected: object
    found: str


@dataclass
class Tally:
    problems: int = 0
    mutants: int = 0
    killed_wrong: int = 0
    killed_error: int = 0
    survivors: list[tuple[str, Mutant]] = field(default_factory=list)
    fresh_inputs: int = 0
    false_accepts: list[FalseAccept] = field(default_factory=list)
    operators: dict[str, Counter[str]] = field(default_factory=dict)
    misread: dict[str, str] = field(default_factory=dict)

    def add(self, one: Subject) -> None:
        self.problems += 1
        for mutant, fate in zip(one.mutants, one.fates, strict=True):
            if mutant is CONSTANT:
                continue
            self.mutants += 1
            self.killed_wrong += fate == "wrong"
            self.killed_error += fate == "error"
            self.operators.setdefault(mutant.operator, Counter())[fate or "survived"] += 1
            if not fate:
                self.survivors.append((one.problem.problem_id, mutant))


def fresh_tests(problem: Problem, again: Problem, count: int) -> list[TestCase]:
    """Return tests of `again`, the same problem with another seed, whose inputs are none of the problem's tests."""
    known = {repr(arguments_of(test)[2]) for test in problem.tests}
    return [test for test in again.tests if repr(arguments_of(test)[2]) not in known][:count]


def recheck_survivors(interpreter: Interpreter, one: Subject, tests: Sequence[TestCase], tally: Tally) -> None:
    """Run what has survived on fresh inputs; what differs on one of them was accepted falsely."""
    alive = [i for i in one.alive if one.mutants[i] is not CONSTANT]
    if not alive or not tests:
        return
    tally.fresh_inputs += len(tests)
    jobs = [(one.mutants[i].code, [test.tables for test in tests]) for i in alive]
    for i, execution in zip(alive, run_jobs(interpreter, jobs, limits_of(one)), strict=True):
        found = first_difference(execution, tests)
        if found is not None:
            test, answer = found
            accept = FalseAccept(
                one.problem.problem_id, one.mutants[i], arguments_of(test)[2], expected_of(test), answer
            )
            tally.false_accepts.append(accept)


def first_difference(execution: Execution, tests: Sequence[TestCase]) -> tuple[TestCase, str] | None:
    """Return the first test that an execution fails, with what it gave there; None where it passes all."""
    for table, test in zip(execution.results, tests, strict=False):
        if compare_answer(table, test) is not None:
            return test, repr(table.rows[0][0])
    if execution.outcome is Outcome.PASSED:
        return None
    return tests[len(execution.results)], f"{execution.outcome.value} {execution.message}"


def measure(args: argparse.Namespace) -> Tally:
    options = parse_overrides(args.option)
    problems = list(load_source(SOURCE, options, args.seed).load())
    wide = load_source(SOURCE, {**options, "hidden": args.fresh}, args.seed + 1)
    again = {problem.problem_id: problem for problem in wide.load()}
    tally = Tally()
    progress = ProgressLines(len(problems), "problems/s")
    with load_interpreter(interpreters_by_language()[args.language]) as interpreter:
        reason = interpreter.available()
        if reason is not None:
            raise UserError(f"the references in {args.language} cannot be run here: {reason}")
        for start in range(0, len(problems), BATCH):
            subjects = [Subject.of(problem, args.language, args.mutants) for problem in problems[start : start + BATCH]]
            wrong = misread(interpreter, subjects)
            tally.misread |= wrong
            subjects = [one for one in subjects if one.problem.problem_id not in wrong]
            run_function_mutants(interpreter, subjects)
            for one in subjects:
                tally.add(one)
                fresh = fresh_tests(one.problem, again[one.problem.problem_id], args.fresh)
                recheck_survivors(interpreter, one, fresh, tally)
            progress.add(len(subjects) + len(wrong))
    return tally


def section_of(tally: Tally, language: str) -> Section:
    survived = len(tally.survivors)
    rows = [
        (name, *(f"{counts[fate]:,}" for fate in ("wrong", "error", "survived")))
        for name, counts in sorted(tally.operators.items(), key=lambda pair: -sum(pair[1].values()))
    ]
    killed = tally.killed_wrong + tally.killed_error
    notes = [
        f"{tally.problems} problems, {tally.mutants:,} mutants: {killed:,} killed ({tally.killed_wrong:,} by a wrong "
        f"answer, {tally.killed_error:,} by an error), {survived:,} survived ({survived / max(tally.mutants, 1):.1%})",
        f"false accepts: {len(tally.false_accepts)} of the survivors differ on {tally.fresh_inputs:,} fresh inputs",
        *(f"left out: {problem_id}: {reason}" for problem_id, reason in tally.misread.items()),
        *(shown(one) for one in tally.false_accepts[:SHOWN]),
    ]
    return Section(f"mutants of {language} references", ("operator", "wrong", "error", "survived"), rows, notes)


def shown(one: FalseAccept) -> str:
    return (
        f"  {one.problem_id}: {one.mutant.operator} ({one.mutant.detail}): "
        f"{one.arguments} gives {one.found}, expected {one.expected}"
    )


def figures_of(tally: Tally) -> dict[str, Any]:
    return {
        "problems": tally.problems,
        "mutants": tally.mutants,
        "killed_wrong": tally.killed_wrong,
        "killed_error": tally.killed_error,
        "fresh_inputs": tally.fresh_inputs,
        "operators": {name: dict(counts) for name, counts in sorted(tally.operators.items())},
        "survivors": [{"problem_id": name, **asdict(mutant)} for name, mutant in tally.survivors],
        "false_accepts": [asdict(one) for one in tally.false_accepts],
        "misread": tally.misread,
    }


def work(args: argparse.Namespace) -> None:
    tally = measure(args)
    print_section(open_console(), section_of(tally, args.language))
    if args.out:
        args.out.write_text(json.dumps(figures_of(tally), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m eval.bench_basics", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--language", choices=("q", "python"), default="q", help="whose references are mutated (%(default)s)")
    add("--option", action="append", default=[], metavar="KEY=VALUE", help="an option of the source; repeatable")
    add("--seed", type=int, default=1, help="seed of the tests (%(default)s); fresh inputs have the next one")
    add("--mutants", type=int, default=1000, help="mutants per problem at most (%(default)s)")
    add("--fresh", type=int, default=200, help="fresh inputs per problem that has survivors (%(default)s)")
    add("--out", type=Path, help="JSON file with the counts, the survivors and the false accepts")
    args = parser.parse_args(argv)
    run_program(lambda: work(args))
    return 0


if __name__ == "__main__":
    sys.exit(main())
