"""How a problem of this pack is written down: a Python function under `draft`, with its inputs and its q solution.

    @draft(1, ints(), whole(1, 5), q="k#desc nums", edges=[([], 2)])
    def largest(nums: list[int], k: int) -> list[int]:
        '''Return the k largest numbers, largest first; all of them where there are fewer.'''
        return sorted(nums, reverse=True)[:k]

The docstring is the statement, the function the trusted reference, its source (without decorator and docstring) the
reference in Python. `q` is the body of the q function of the same name and parameters.
"""

from __future__ import annotations

import ast
import inspect
import random
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

Draw = Callable[[random.Random], Any]
"""Draws one value; for a function of several parameters that depend on each other, a tuple of all arguments."""


@dataclass(frozen=True)
class Draft:
    """`edges`: arguments that every selection of tests has, because random ones seldom meet them."""

    name: str
    parameters: tuple[str, ...]
    statement: str
    level: int
    function: Callable[..., Any]
    python: str
    q: str
    draws: tuple[Draw, ...]
    edges: tuple[tuple[Any, ...], ...]

    def arguments(self, rng: random.Random) -> tuple[Any, ...]:
        """Return the arguments of one call."""
        if len(self.draws) == 1 and len(self.parameters) > 1:
            return tuple(self.draws[0](rng))
        return tuple(draw(rng) for draw in self.draws)


def draft(
    level: int, *draws: Draw, q: str, edges: Sequence[tuple[Any, ...]] = ()
) -> Callable[[Callable[..., Any]], Draft]:
    """Return the decorator that makes a draft of a function."""

    def make(function: Callable[..., Any]) -> Draft:
        names = tuple(inspect.signature(function).parameters)
        return Draft(
            function.__name__, names, _one_line(function.__doc__ or ""), level, function, _source_of(function),
            _q_function(function.__name__, names, q), draws, tuple(edges),
        )  # fmt: skip

    return make


def drafts_of(module: ModuleType) -> list[Draft]:
    """Return the drafts of a module, in the order of its text."""
    return [value for value in vars(module).values() if isinstance(value, Draft)]


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _source_of(function: Callable[..., Any]) -> str:
    """Return a function's source without its decorator and its docstring."""
    lines = textwrap.dedent(inspect.getsource(function)).splitlines()
    tree = ast.parse("\n".join(lines)).body[0]
    assert isinstance(tree, ast.FunctionDef)
    document = tree.body[0]
    kept = [*lines[tree.lineno - 1 : document.lineno - 1], *lines[document.end_lineno :]]
    return "\n".join(kept) + "\n"


def _q_function(name: str, names: Sequence[str], body: str) -> str:
    lines = textwrap.dedent(body).strip().splitlines()
    head = f"{name}:{{[{';'.join(names)}]"
    if len(lines) == 1:
        return f"{head} {lines[0]}}}\n"
    return "\n".join([head, *(f"  {line}" for line in lines)]) + "}\n"


# -- draws --------------------------------------------------------------------------------------------------------


def whole(low: int, high: int) -> Draw:
    """Draw an integer; the ends of the range, and zero inside it, come more often."""
    ends = [one for one in (low, high, 0, 1) if low <= one <= high]
    return lambda rng: rng.choice(ends) if rng.random() < 0.15 else rng.randint(low, high)


def real(low: int, high: int) -> Draw:
    """Draw a float in steps of a quarter, so that sums are exact."""
    return lambda rng: rng.randint(4 * low, 4 * high) / 4


def flag() -> Draw:
    return lambda rng: rng.random() < 0.5


def one_of(*values: Any) -> Draw:
    return lambda rng: rng.choice(values)


def text(alphabet: str = "abcde", low: int = 0, high: int = 8) -> Draw:
    """Draw a text; some have few different letters, so that neighbours are alike."""

    def draw(rng: random.Random) -> str:
        letters = rng.sample(alphabet, min(2, len(alphabet))) if rng.random() < 0.3 else alphabet
        return "".join(rng.choice(letters) for _ in range(_size(rng, low, high)))

    return draw


def sentence(words: str = "red green blue a to Sky sun stone on my", low: int = 0, high: int = 6) -> Draw:
    """Draw words with one space between them."""
    return lambda rng: " ".join(rng.choice(words.split()) for _ in range(_size(rng, low, high)))


def list_of(item: Draw, low: int = 0, high: int = 8) -> Draw:
    """Draw a list: at times of few different items, at times sorted."""

    def draw(rng: random.Random) -> list[Any]:
        size, chance = _size(rng, low, high), rng.random()
        if chance < 0.25:
            pool = [item(rng) for _ in range(rng.randint(1, 3))]
            return [rng.choice(pool) for _ in range(size)]
        drawn = [item(rng) for _ in range(size)]
        if chance < 0.45 and None not in drawn:
            drawn.sort(reverse=chance < 0.35)
        return drawn

    return draw


def ints(low: int = -9, high: int = 9, least: int = 0, most: int = 8) -> Draw:
    return list_of(whole(low, high), least, most)


def reals(low: int = -9, high: int = 9, least: int = 0, most: int = 8) -> Draw:
    return list_of(real(low, high), least, most)


def flags(least: int = 0, most: int = 8) -> Draw:
    return list_of(flag(), least, most)


def words(alphabet: str = "abc", least: int = 0, most: int = 6, low: int = 1, high: int = 4) -> Draw:
    """Draw a list of texts."""
    return list_of(text(alphabet, low, high), least, most)


def ordered(draw: Draw) -> Draw:
    """Draw a list and sort it."""
    return lambda rng: sorted(draw(rng))


def distinct(draw: Draw) -> Draw:
    """Draw a list and drop what repeats."""

    def once(rng: random.Random) -> list[Any]:
        kept: list[Any] = []
        for value in draw(rng):
            if value not in kept:
                kept.append(value)
        return kept

    return once


def mapping(item: Draw, least: int = 0, most: int = 6, keys: Draw | None = None) -> Draw:
    """Draw a dictionary from text."""
    named = keys or text("abcd", 1, 2)
    return lambda rng: {named(rng): item(rng) for _ in range(_size(rng, least, most))}


def grid(item: Draw, least: int = 1, most: int = 4, *, square: bool = False) -> Draw:
    """Draw a list of rows of one length, at least one of at least one."""

    def draw(rng: random.Random) -> list[list[Any]]:
        height = rng.randint(least, most)
        width = height if square else rng.randint(least, most)
        return [[item(rng) for _ in range(width)] for _ in range(height)]

    return draw


def pairs(low: int = 0, high: int = 20, least: int = 0, most: int = 6, width: int = 8) -> Draw:
    """Draw a list of closed intervals [start, end]; some are one point."""
    return list_of(span(low, high, width), least, most)


def span(low: int = 0, high: int = 20, width: int = 8) -> Draw:
    """Draw one closed interval [start, end]."""

    def draw(rng: random.Random) -> list[int]:
        start = rng.randint(low, high)
        return [start, start + rng.randint(0, width)]

    return draw


def _size(rng: random.Random, low: int, high: int) -> int:
    chance = rng.random()
    if chance < 0.12:
        return low
    return min(low + 1, high) if chance < 0.2 else rng.randint(low, high)
