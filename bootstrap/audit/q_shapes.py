"""Rules for q mutants that look at operands, arguments and branches."""

from __future__ import annotations

from collections.abc import Iterator

from bootstrap.audit.q_text import Change, Rule, Statement
from interpreters.q_subset.words import CONTROL

_ONE_WAY = frozenset({"-", "%", ",", "div", "mod", "except", "in", "xexp", "?", "like", "cut", "rotate", "sublist"})
"""Between two operands that are not to be exchanged; comparisons are turned round by another rule."""
_LEFT_OUT = frozenset(
    {"+", "-", "*", "%", "|", "&", ",", "#", "_", "div", "mod", "except", "inter", "union", "^", "or", "and"}
)
"""Operators whose left operand may be forgotten."""


def exchanged(statement: Statement, index: int) -> Iterator[Change]:
    """Exchange the two operands of an infix."""
    token = statement.tokens[index]
    if token.text not in _ONE_WAY or not statement.is_infix(index):
        return
    start, end = statement.left_start(index), statement.right_end(index)
    if start is None or end <= index:
        return
    left, right = statement.piece(start, index - 1), statement.piece(index + 1, end)
    middle = f" {token.text} " if token.kind == "name" else token.text
    yield Change("arguments", statement.tokens[start].start, statement.tokens[end].end, f"({right}){middle}{left}")


def forgotten(statement: Statement, index: int) -> Iterator[Change]:
    """Leave out the left operand of an infix, or the infix and all that follows."""
    token = statement.tokens[index]
    if token.text not in _LEFT_OUT or not statement.is_infix(index):
        return
    start, end = statement.left_start(index), statement.right_end(index)
    if start is None or end <= index:
        return
    yield statement.removed("operand left out", start, index + 1)
    yield Change("operand left out", token.start, statement.tokens[end].end, "")


def branches(statement: Statement, index: int) -> Iterator[Change]:
    """Exchange the two branches of a condition."""
    if statement.word(index) != "$" or statement.kind(index + 1) != "[" or statement.ends_noun(index - 1):
        return
    parts = statement.parts(index + 1)
    if len(parts) >= 3:
        (a, b), (c, d) = parts[1], parts[2]
        text = statement.text
        if len(parts) == 3:
            yield Change("branches", a, d, text[c:d] + text[b:c] + text[a:b])
        yield Change("branches", a, b, text[c:d].strip())


def arguments(statement: Statement, index: int) -> Iterator[Change]:
    """Exchange the first two arguments in brackets after a name or function."""
    if statement.kind(index) != "[" or statement.kind(index - 1) not in ("name", "}", "adverb", "]"):
        return
    if statement.word(index - 1) in CONTROL:
        return
    parts = statement.parts(index)
    if len(parts) >= 2:
        (a, b), (c, d) = parts[0], parts[1]
        text = statement.text
        if text[a:b].strip() and text[c:d].strip() and text[a:b].strip() != text[c:d].strip():
            yield Change("arguments", a, d, text[c:d] + text[b:c] + text[a:b])


def flattened(statement: Statement, index: int) -> Iterator[Change]:
    """Forget a pair of brackets: what follows is taken from right to left."""
    token = statement.tokens[index]
    if token.kind != "(" or statement.kind(index + 1) == "[":
        return
    parts = statement.parts(index)
    if len(parts) == 1 and parts[0][1] > parts[0][0]:
        (start, end) = parts[0]
        yield Change("brackets", token.start, end + 1, " " + statement.text[start:end].strip() + " ")


SHAPE_RULES: tuple[Rule, ...] = (exchanged, forgotten, branches, arguments, flattened)
