"""`function_basics`: small function problems of our own, with references in Python and q.

A problem is a draft of one of the topic modules. The expected answers come from running its Python function; the q
solution is proven against them at admission, like any reference.
"""

from __future__ import annotations

import copy
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from bootstrap.errors import UserError, nearest
from bootstrap.records import Problem
from bootstrap.sources.function_basics import (
    counting,
    dictionaries,
    formats,
    intervals,
    letters,
    matrices,
    number_lists,
    ordering,
    sentences,
    simulations,
    whole_numbers,
)
from bootstrap.sources.function_basics.drafts import Draft, drafts_of
from bootstrap.sources.python_tests.shapes import PLAIN
from bootstrap.sources.python_tests.wording import statement
from interpreters.base import TestCase
from interpreters.function_cases import case_of

TOPICS: dict[str, list[Draft]] = {
    "whole_numbers": drafts_of(whole_numbers),
    "number_lists": drafts_of(number_lists),
    "ordering": drafts_of(ordering),
    "counting": drafts_of(counting),
    "dictionaries": drafts_of(dictionaries),
    "letters": drafts_of(letters),
    "sentences": drafts_of(sentences),
    "formats": drafts_of(formats),
    "matrices": drafts_of(matrices),
    "intervals": drafts_of(intervals),
    "simulations": drafts_of(simulations),
}
LEVELS = (1, 2, 3)
TRIES = 6
"""Calls drawn for each test wanted: those with an answer of their own are taken first."""

Call = tuple[Any, ...]


class FunctionBasics:
    class Options(BaseModel):
        model_config = ConfigDict(extra="forbid", frozen=True)

        count: int | None = Field(None, ge=1)
        """Problems, drawn by the seed; all where it is not given."""
        topics: tuple[str, ...] = tuple(TOPICS)
        """Topics to take problems of."""
        difficulty: tuple[int, ...] = LEVELS
        """Levels to take: 1 is an expression, 2 takes a thought, 3 an algorithm."""
        visible: int = Field(4, ge=3)
        """Tests per problem that prompts may show."""
        hidden: int = Field(20, ge=6)
        """Hidden tests of drawn inputs; the edge cases of a problem come besides."""

        @field_validator("topics")
        @classmethod
        def _known(cls, topics: tuple[str, ...]) -> tuple[str, ...]:
            for topic in topics:
                if topic not in TOPICS:
                    raise ValueError(f"no topic {topic!r}{nearest(topic, TOPICS)} known: {', '.join(TOPICS)}")
            return topics

        @field_validator("difficulty")
        @classmethod
        def _levels(cls, difficulty: tuple[int, ...]) -> tuple[int, ...]:
            for level in difficulty:
                if level not in LEVELS:
                    raise ValueError(f"no difficulty {level}, only {', '.join(map(str, LEVELS))}")
            return difficulty

    def __init__(self, options: Options, seed: int) -> None:
        self.options, self.seed = options, seed

    def load(self) -> Iterator[Problem]:
        """Yield the problems, topic by topic. Raises UserError where the options leave too few."""
        wanted = [
            draft for topic in TOPICS for draft in TOPICS[topic]
            if topic in self.options.topics and draft.level in self.options.difficulty
        ]  # fmt: skip
        count = self.options.count or len(wanted)
        if not wanted or count > len(wanted):
            raise UserError(
                f"source.options.count: {count if wanted else 'any'} problems wanted, but these topics and difficulty "
                f"have {len(wanted)}; ask for fewer, or allow more topics and difficulties"
            )
        chosen = sorted(random.Random(f"{self.seed}:basics").sample(range(len(wanted)), count))
        yield from (make_problem(wanted[i], self.options.visible, self.options.hidden, self.seed) for i in chosen)


def make_problem(draft: Draft, visible: int, hidden: int, seed: int) -> Problem:
    """Return the problem of a draft; the seed draws its tests, the problem is the same."""
    tests = _tests(draft, visible, hidden, random.Random(f"{seed}:{draft.name}"))
    calls = [test.tables[draft.name].rows[0] for test in tests]
    answers = [test.expected.rows[0][0] for test in tests]
    columns = list(zip(*calls, strict=True))
    shapes = [PLAIN] * len(columns)
    return Problem(
        problem_id=f"fb-{draft.name}",
        statement=statement(
            draft.statement, draft.name, draft.parameters, columns, answers, shapes, PLAIN, changed="", unordered=False
        ),
        tests=tests,
        family=f"fb-{draft.name}",
        source="function_basics",
        kind="function",
        difficulty=draft.level,
        references={"python": draft.python, "q": draft.q},
    )


def _tests(draft: Draft, visible: int, hidden: int, rng: random.Random) -> tuple[TestCase, ...]:
    """Return the visible tests, then the hidden ones: the edge cases first."""
    edges = [_case(draft, args) for args in draft.edges]
    ranked = _telling([_case(draft, args) for args in _drawn(draft, (visible + hidden) * TRIES, rng)])
    shown = [replace(test, hidden=False) for test in ranked[:visible]]
    return (*shown, *edges, *ranked[visible : visible + hidden])


def _case(draft: Draft, args: Call) -> TestCase:
    """Return the hidden test of a call: the reference says what is right, and keeps its hands off the arguments."""
    expected = draft.function(*copy.deepcopy(args))
    return case_of(draft.name, draft.parameters, args, expected, hidden=True)


def _drawn(draft: Draft, tries: int, rng: random.Random) -> list[Call]:
    """Return different calls, none of them an edge case."""
    seen = {repr(args) for args in draft.edges}
    calls: list[Call] = []
    for _ in range(tries):
        args = draft.arguments(rng)
        if repr(args) not in seen:
            seen.add(repr(args))
            calls.append(args)
    return calls


def _telling(tests: Sequence[TestCase]) -> list[TestCase]:
    """Return the tests in such an order that each answer comes once before any comes twice, and so on."""
    times: Counter[str] = Counter()
    rounds: list[int] = []
    for test in tests:
        answer = repr(test.expected.rows[0][0])
        rounds.append(times[answer])
        times[answer] += 1
    return [tests[i] for i in sorted(range(len(tests)), key=lambda i: (min(rounds[i], 3), i))]
