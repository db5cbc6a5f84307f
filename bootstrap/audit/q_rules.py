"""Rules for q mutants that put one token in the place of another, or leave a word out."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bootstrap.audit.mutants import others_after
from bootstrap.audit.q_text import Change, Rule, Statement
from interpreters.q_subset.values import Atom, Vec

_OPERATORS = {
    "<": ("comparison", "<="), "<=": ("comparison", "<"), ">": ("comparison", ">="), ">=": ("comparison", ">"),
    "=": ("comparison", "<>"), "<>": ("comparison", "="), "+": ("arithmetic", "-"), "-": ("arithmetic", "+"),
    "*": ("arithmetic", "+"), "%": ("arithmetic", "*"), "&": ("logic", "|"), "|": ("logic", "&"),
    "#": ("take and drop", "_"), "_": ("take and drop", "#"), "~": ("comparison", "="),
}  # fmt: skip
"""Operator -> kind of mistake, what stands there instead."""
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_ITERATORS = {"/:": "\\:", "\\:": "/:", "/": "\\", "\\": "/"}
_WORDS = {
    "div": ("arithmetic", "mod"), "mod": ("arithmetic", "div"), "and": ("logic", "or"), "or": ("logic", "and"),
    "any": ("logic", "all"), "all": ("logic", "any"), "first": ("first and last", "last"),
    "last": ("first and last", "first"), "asc": ("order", "desc"), "desc": ("order", "asc"),
    "iasc": ("order", "idesc"), "idesc": ("order", "iasc"), "xasc": ("order", "xdesc"), "xdesc": ("order", "xasc"),
    "max": ("function", "min"), "min": ("function", "max"), "maxs": ("function", "mins"),
    "mins": ("function", "maxs"), "sum": ("function", "max"), "sums": ("function", "maxs"), "prd": ("function", "sum"),
    "prds": ("function", "sums"), "avg": ("function", "med"), "med": ("function", "avg"), "count": ("function", "sum"),
    "floor": ("function", "ceiling"), "ceiling": ("function", "floor"), "prev": ("function", "next"),
    "next": ("function", "prev"), "upper": ("function", "lower"), "lower": ("function", "upper"),
    "key": ("function", "value"), "value": ("function", "key"), "deltas": ("function", "sums"),
    "union": ("sets", "inter"), "inter": ("sets", "union"), "except": ("sets", "inter"), "lj": ("join", "ij"),
    "ij": ("join", "lj"), "in": ("sets", "within"), "where": ("function", "where not"), "til": ("range", "1+til"),
    "within": ("sets", "in"), "trim": ("function", "ltrim"), "cut": ("take and drop", "#"),
}  # fmt: skip
_ORDERS = frozenset({"asc", "desc", "iasc", "idesc", "xasc", "xdesc"})
_DROPPED = frozenset({
    "not", "distinct", "reverse", "abs", "asc", "desc", "lower", "upper", "trim", "neg", "fills", "signum", "raze",
    "flip", "sums", "enlist", "string", "group", "deltas",
})  # fmt: skip
"""Words without which the code still says something."""
_NUMBER = re.compile(r"-?\d+")


def operator(statement: Statement, index: int) -> Iterator[Change]:
    token = statement.tokens[index]
    if token.kind != "op" or not statement.ends_noun(index - 1) or statement.word(index + 1) == ":":
        return
    if token.text in _OPERATORS:
        name, other = _OPERATORS[token.text]
        yield statement.replaced(name, index, other)
    if token.text in _TURNED:
        yield statement.replaced("comparison", index, _TURNED[token.text])


def iterator(statement: Statement, index: int) -> Iterator[Change]:
    token = statement.tokens[index]
    if token.kind == "adverb" and token.text in _ITERATORS:
        yield statement.replaced("iterator", index, _ITERATORS[token.text])


def word(statement: Statement, index: int) -> Iterator[Change]:
    token = statement.tokens[index]
    if token.kind != "name" or token.text not in _WORDS or token.text in statement.variables:
        return
    if token.text in _ORDERS and not statement.sorts_count:
        return
    name, other = _WORDS[token.text]
    if token.text == "where" and not statement.text[token.end : token.end + 1].isspace():
        other = "where not"
    yield statement.replaced(name, index, other)


def dropped_word(statement: Statement, index: int) -> Iterator[Change]:
    """Leave a word out that is applied to what follows: `not x` becomes `x`, `reverse each x` becomes `x`."""
    token = statement.tokens[index]
    if token.kind != "name" or token.text not in _DROPPED or (token.text in _ORDERS and not statement.sorts_count):
        return
    following = index + 1
    if statement.kind(following) == "[":
        yield Change("dropped", token.start, token.end, "(::)")
        return
    if statement.word(following) == "each":
        following += 1
    if statement.kind(following) in ("name", "value", "(", "{"):
        yield statement.removed("dropped", index, following)


def constant(statement: Statement, index: int) -> Iterator[Change]:
    """Nudge numbers, turn booleans, shorten texts or change their case."""
    token = statement.tokens[index]
    if token.kind != "value" or not isinstance(token.value, Atom | Vec):
        return
    kind, text = abs(token.value.t), statement.text[token.start : token.end]
    if kind == 1:
        turned = text.translate(str.maketrans("01", "10"))
        yield Change("constant", token.start, token.end, turned)
    elif kind in (5, 6, 7):
        yield from _nudged(token.start, text)
    elif kind == 10 and isinstance(token.value, Vec) and len(token.value.v) > 1 and "\\" not in text:
        yield Change("constant", token.end - 2, token.end - 1, "")
        yield Change("constant", token.start + 1, token.start + 2, "")
    elif kind == 10 and text.swapcase() != text:
        yield Change("constant", token.start, token.end, text.swapcase())


def _nudged(start: int, text: str) -> Iterator[Change]:
    for found in _NUMBER.finditer(text):
        value = int(found.group())
        for other in (value + 1, value - 1):
            sign = f"({other})" if other < 0 <= value and found.group() == text else str(other)
            yield Change("constant", start + found.start(), start + found.end(), sign)


def variable(statement: Statement, index: int) -> Iterator[Change]:
    """Name another variable or column than the right one."""
    token = statement.tokens[index]
    if token.kind == "name" and token.text in statement.variables and statement.word(index + 1) != ":":
        if statement.kind(index - 1) in ("[", ";") and _in_parameters(statement, index):
            return
        for other in others_after(token.text, statement.variables)[:2]:
            yield statement.replaced("variable", index, other)
    elif token.kind == "name" and token.text in statement.columns:
        for other in _other_columns(statement, token.text):
            yield statement.replaced("column", index, other)
    elif token.kind == "value" and isinstance(token.value, Atom) and token.value.t == -11:
        for other in _other_columns(statement, token.value.v):
            yield statement.replaced("column", index, f"`{other}")


def _other_columns(statement: Statement, name: str) -> list[str]:
    if name not in statement.columns:
        return []
    kind = statement.columns[name].type
    return others_after(name, [one for one, facts in statement.columns.items() if facts.type is kind])


def _in_parameters(statement: Statement, index: int) -> bool:
    while statement.kind(index) in ("name", ";"):
        index -= 1
    return statement.kind(index) == "[" and statement.kind(index - 1) == "{"


TOKEN_RULES: tuple[Rule, ...] = (operator, iterator, word, dropped_word, constant, variable)
