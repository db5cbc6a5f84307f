"""Which problems of functions q can hold: their arguments, and the answers that they expect.

A right program in q cannot pass a test whose expected answer q has no value for. The answers are written as q source
here, in the parent, evaluated there by the q subset (our own literals, no candidate), and read back: what does not
compare equal to itself after that way is not carried.
"""

from __future__ import annotations

from collections.abc import Sequence

from bootstrap.records import Problem
from interpreters.base import Table, TestCase, Value
from interpreters.compare import compare_answer
from interpreters.function_cases import answer_of, expected_of
from interpreters.q_subset import QError, StepsExceeded, Unsupported, Workspace
from interpreters.q_values import from_q, q_literal, require_carried
from interpreters.wire import WireError


def refusal(problem: Problem, language: str) -> str | None:
    """Return why a language cannot hold a problem, None where it can, as far as is known here: of q alone."""
    return q_refusal(problem) if language == "q" else None


def q_refusal(problem: Problem) -> str | None:
    """Return in one sentence why q cannot hold a problem's tests, None where it can. For a problem on tables only its
    inputs are asked about: what q gives back as a table is compared as any other."""
    try:
        require_carried([test.tables for test in problem.tests])
    except WireError as error:
        return str(error)
    return answers_refusal(problem.tests) if problem.kind == "function" else None


def answers_refusal(tests: Sequence[TestCase]) -> str | None:
    """Return why q cannot give what these tests of a function expect, None where it can."""
    for test in tests:
        answer = expected_of(test)
        try:
            column, found = answer_of(round_trip(answer))
        except WireError as error:
            return f"an expected answer: {error}"
        if compare_answer(Table((column,), ((found,),)), test) is not None:
            return "an expected answer comes back from q as another value"
    return None


def round_trip(value: Value) -> Value:
    """Return a value as it comes back from q. Raises WireError for what q cannot carry."""
    source = q_literal(value)
    try:
        return from_q(Workspace().evaluate(f"{source};")[-1].value)
    except (QError, Unsupported, StepsExceeded) as error:
        raise WireError(f"q does not read the value back ({error})") from error
