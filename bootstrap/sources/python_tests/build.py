"""Problems from records: run the references, hold their answers against the data set's, add inputs, word statements."""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bootstrap.audit.data_sets import Variation
from bootstrap.audit.function_habits import keeps_answer_habits
from bootstrap.audit.function_inputs import function_variations
from bootstrap.audit.workers import run_jobs
from bootstrap.errors import UserError
from bootstrap.records import Problem, digest
from bootstrap.sources.python_tests.asserts import TOLERANCE, Pair
from bootstrap.sources.python_tests.prepared import Prepared, prepared
from bootstrap.sources.python_tests.record import PythonRecord, Tally
from bootstrap.sources.python_tests.signature import UnusableError
from bootstrap.sources.python_tests.wording import statement
from interpreters import load_interpreter
from interpreters.base import Execution, Interpreter, Job, Limits, Outcome, TestCase, Value
from interpreters.compare import compare_answer
from interpreters.function_cases import answer_of, arguments_of, case_of, expected_of
from interpreters.wire import WireError

LIMITS = Limits(seconds=8.0, memory_mb=2048)
"""For a reference over all its tests, twice."""
ADDED_LIMITS = Limits(seconds=0.5, memory_mb=1024)
"""For a reference on one new input: what takes longer would cost every check."""
BATCH = 64
"""Records whose references run side by side in one process."""
ROUNDS = 3
SPARE = 2
"""New inputs beyond those wanted that are tried in each round, so that some can be chosen."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BuildOptions:
    tests: int
    added: int
    seed: int


def build(records: Iterable[PythonRecord | str], options: BuildOptions, tally: Tally) -> Iterator[Problem]:
    """Yield the problems that stand; text in the place of a record is the reason why a row has none.

    Raises UserError where Python functions cannot be run here, InterpreterError where the interpreter fails.
    """
    with load_interpreter("python_function") as interpreter:
        reason = interpreter.available()
        if reason is not None:
            raise UserError(f"the references of this source cannot be run here: {reason}")
        for batch in _batches(records):
            yield from _build_batch(interpreter, batch, options, tally)
    if tally.line():
        log.warning("%d of %d rows made problems; left out: %s", tally.problems, tally.rows, tally.line())


def _batches(records: Iterable[PythonRecord | str]) -> Iterator[Sequence[PythonRecord | str]]:
    waiting = iter(records)
    while batch := list(itertools.islice(waiting, BATCH)):
        yield batch


def _build_batch(
    interpreter: Interpreter, batch: Sequence[PythonRecord | str], options: BuildOptions, tally: Tally
) -> Iterator[Problem]:
    ready: list[Prepared] = []
    for record in batch:
        tally.rows += 1
        if isinstance(record, str):
            tally.dropped[record] += 1
            continue
        try:
            ready.append(prepared(record, options.tests))
            tally.extracted += 1
        except UnusableError as error:
            tally.dropped[str(error)] += 1
    found = proven(interpreter, ready, tally)
    added = more_inputs(interpreter, found, options)
    for one, more in zip(found, added, strict=True):
        tally.problems += 1
        tally.unread.update(one.prepared.record.tests.unread)
        yield problem_of(one, more)


# -- the references -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Proven:
    """A record whose reference gives what the data set says. `unordered`: the order of the answer's items is free."""

    prepared: Prepared
    code: str
    tests: tuple[TestCase, ...]
    unordered: bool


def proven(interpreter: Interpreter, ready: Sequence[Prepared], tally: Tally) -> list[Proven]:
    """Return the records whose reference is right, in their order; the others are counted by the first reason."""
    found: dict[int, Proven] = {}
    reasons: dict[int, str] = {}
    for way in range(max((len(one.codes) for one in ready), default=0)):
        asked = [i for i, one in enumerate(ready) if i not in found and way < len(one.codes)]
        jobs: list[Job] = [(ready[i].codes[way], [test.tables for test in ready[i].tests] * 2) for i in asked]
        for i, execution in zip(asked, run_jobs(interpreter, jobs, LIMITS), strict=True):
            try:
                found[i] = _proven(ready[i], ready[i].codes[way], execution)
            except UnusableError as error:
                reasons[i] = str(error)
    tally.dropped.update(reason for i, reason in reasons.items() if i not in found)
    return [found[i] for i in sorted(found)]


def _proven(one: Prepared, code: str, execution: Execution) -> Proven:
    if execution.outcome is not Outcome.PASSED:
        raise UnusableError(_failure(execution))
    count = len(one.tests)
    answers = [table.rows[0][0] for table in execution.results[:count]]
    if not all(
        _agrees(pair, answer, any_order=one.record.any_order) for pair, answer in zip(one.pairs, answers, strict=True)
    ):
        raise UnusableError("the reference disagrees with a test")
    unordered = _is_unordered(one, answers)
    tests = tuple(
        _with_answer(test, answer, unordered=unordered) for test, answer in zip(one.tests, answers, strict=True)
    )  # fmt: skip
    again = zip(execution.results[count:], tests, strict=True)
    if not all(compare_answer(table, test) is None for table, test in again):
        raise UnusableError("the reference gives another answer on a second run")
    return Proven(one, code, tests, unordered)


def _failure(execution: Execution) -> str:
    """Return a reason without the particulars of one record."""
    match execution.outcome:
        case Outcome.RUNTIME_ERROR:
            return f"the reference raises {execution.message.partition(':')[0]}"
        case Outcome.TIMEOUT:
            return "the reference takes too long"
        case Outcome.FORBIDDEN:
            return f"the reference imports what is not permitted ({execution.message.removeprefix('not allowed: ')})"
        case Outcome.NO_RESULT if "cannot be carried" in execution.message:
            return "the reference answers with a value that cannot be carried"
    return f"the reference ends with {execution.outcome.value}"


def _with_answer(test: TestCase, answer: Value, *, unordered: bool) -> TestCase:
    entry, names, args = arguments_of(test)
    return case_of(entry, names, args, answer, hidden=True, unordered=unordered)


def _is_unordered(one: Prepared, answers: Sequence[Value]) -> bool:
    """Say whether the order of the answer's items says nothing: by the text, by how the tests compare, or because the
    answer is a set or a dictionary."""
    if not all(isinstance(answer, list) for answer in answers):
        return False
    compared = any(pair.relation in ("set", "bag") or _has_no_order(pair.expected) for pair in one.pairs)
    returns = one.signature.returns.lower().startswith(("set", "frozenset", "typing.set"))
    entries = all(isinstance(item, dict) and item.keys() == {"key", "value"} for a in answers for item in _items(a))
    return one.record.any_order or compared or returns or (entries and any(map(_items, answers)))


def _items(value: Value) -> list[Value]:
    return value if isinstance(value, list) else []


def _has_no_order(value: Any) -> bool:
    return isinstance(value, set | frozenset) or (
        isinstance(value, dict) and bool(value) and not all(isinstance(key, str) for key in value)
    )


def _agrees(pair: Pair, answer: Value, *, any_order: bool) -> bool:
    """Say whether the reference's answer is what the data set's test asks for."""
    if pair.relation == "reference":
        return True
    if pair.relation in ("true", "false"):
        return bool(answer) == (pair.relation == "true")
    expected = pair.expected
    try:
        _, wanted = answer_of(list(expected.values) if hasattr(expected, "kind") else expected)
    except WireError as error:
        raise UnusableError("a test expects a value that cannot be carried") from error
    if answer == wanted:
        return True
    if pair.relation == "close":
        return _close(answer, wanted, pair.tolerance or TOLERANCE)
    if pair.relation == "set":
        return {repr(item) for item in _items(answer)} == {repr(item) for item in _items(wanted)}
    unordered = any_order or pair.relation == "bag" or _has_no_order(expected)
    case = case_of("f", [], [], wanted, hidden=True, unordered=unordered)
    return compare_answer(replace(case.expected, columns=(answer_of(answer)[0],), rows=((answer,),)), case) is None


def _close(answer: Value, wanted: Value, tolerance: float) -> bool:
    if isinstance(answer, list) and isinstance(wanted, list):
        return len(answer) == len(wanted) and all(map(_close, answer, wanted, itertools.repeat(tolerance)))
    if isinstance(answer, int | float) and isinstance(wanted, int | float):
        return math.isclose(answer, wanted, rel_tol=tolerance, abs_tol=tolerance)
    return answer == wanted


# -- more inputs --------------------------------------------------------------------------------------------------


def more_inputs(interpreter: Interpreter, found: Sequence[Proven], options: BuildOptions) -> list[list[TestCase]]:
    """Return for each problem further tests: inputs that keep to its habits, of which the reference takes no harm."""
    made: list[list[TestCase]] = [[] for _ in found]
    sources = [
        function_variations(one.tests, [one.code], digest("inputs", str(options.seed), one.prepared.record.problem_id))
        for one in found
    ]
    for _ in range(ROUNDS if options.added else 0):
        wanting = [i for i, tests in enumerate(made) if len(tests) < options.added]
        tried = [(i, one) for i in wanting for one in itertools.islice(sources[i], options.added + SPARE)]
        jobs: list[Job] = [(found[i].code, [one.tables] * 2) for i, one in tried]
        for (i, one), execution in zip(tried, run_jobs(interpreter, jobs, ADDED_LIMITS), strict=True):
            made[i] += _new_test(found[i], one, execution)
    return [_telling(one.tests, tests, options.added) for one, tests in zip(found, made, strict=True)]


def _new_test(one: Proven, variation: Variation, execution: Execution) -> list[TestCase]:
    """Return the test of a new input, or none where the reference fails on it, wavers, or answers as it never did."""
    if execution.outcome is not Outcome.PASSED:
        return []
    answer = execution.results[0].rows[0][0]
    case = _with_answer(replace(one.tests[0], tables=variation.tables), answer, unordered=one.unordered)
    usual = keeps_answer_habits([expected_of(test) for test in one.tests], answer)
    return [case] if usual and compare_answer(execution.results[1], case) is None else []


def _telling(given: Sequence[TestCase], made: Sequence[TestCase], count: int) -> list[TestCase]:
    """Return so many of the new tests, those first whose answer no other test has."""
    seen = {repr(expected_of(test)) for test in given}
    fresh: list[TestCase] = []
    stale: list[TestCase] = []
    for test in made:
        answer = repr(expected_of(test))
        (stale if answer in seen else fresh).append(test)
        seen.add(answer)
    return [*fresh, *stale][:count]


def problem_of(one: Proven, added: Sequence[TestCase]) -> Problem:
    record, signature = one.prepared.record, one.prepared.signature
    shown = min(2, len(one.tests) // 2)
    tests = [replace(test, hidden=index >= shown) for index, test in enumerate(one.tests)]
    columns = list(zip(*(arguments_of(test)[2] for test in tests), strict=True))
    text = statement(
        record.text, signature.name, one.prepared.names, columns, [expected_of(test) for test in tests],
        one.prepared.shapes, one.prepared.answer, changed=one.prepared.changed, unordered=one.unordered,
    )  # fmt: skip
    return Problem(
        problem_id=record.problem_id,
        statement=text,
        tests=(*tests, *added),
        family=record.problem_id,
        source=record.source,
        kind="function",
        licence=record.licence,
        difficulty=record.difficulty,
        references={"python": one.code},
    )
