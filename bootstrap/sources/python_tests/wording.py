"""The statement of a function problem: the data set's text, and one line that names the function and its parameters.

The types are said in words, so that the same statement can be put to any target language.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from bootstrap.sources.python_tests.shapes import PLAIN, Shape

_EXAMPLES = re.compile(
    r"\n\s*Example[s]?(?:\s*\d+)?\s*:.*?(?=\n\s*Constraints\s*:|\n\s*Follow[- ]up\s*:|\Z)", re.DOTALL
)
_SCAFFOLD = re.compile(r"\s*Please complete the following python code precisely:\s*```.*?(?:```|\Z)", re.DOTALL)
_FORMAT = re.compile(r"\n#+\s*(?:Format|Answer)\s*:.*\Z", re.DOTALL)
_QUESTION = re.compile(r"\A.*?\n#+\s*Question\s*:\s*\n", re.DOTALL)
_ANY_ORDER = re.compile(r"[^.\n]*\bany order\b[^.\n]*", re.IGNORECASE)
_ANSWER = re.compile(r"\b(?:return|answer|output|result)\w*\b", re.IGNORECASE)
_SEVERAL = re.compile(r"\breturn any\b|\bany (?:one )?of (?:them|the (?:answers|solutions))\b", re.IGNORECASE)


def without_scaffold(text: str) -> str:
    """Return a problem's text without examples (they are tests) and without the frame of code and instructions."""
    text = text.replace("\xa0", " ").replace("\r\n", "\n")
    text = _FORMAT.sub("", _QUESTION.sub("", _SCAFFOLD.sub("", text)))
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]+\n", "\n", _EXAMPLES.sub("\n", text))).strip()


def says_any_order(text: str) -> bool:
    """Say whether the items of the answer may come in any order."""
    return any(_ANSWER.search(sentence) for sentence in _ANY_ORDER.findall(text))


def says_several(text: str) -> bool:
    """Say whether there are several right answers, of which the tests know one."""
    return bool(_SEVERAL.search(text))


def statement(
    text: str, entry: str, names: Sequence[str], columns: Sequence[Sequence[Any]], answers: Sequence[Any],
    shapes: Sequence[Shape], answer: Shape, *, changed: str, unordered: bool,
) -> str:  # fmt: skip
    """Return the whole statement. `columns`: for each parameter the values that the tests give it."""
    given = [f"{name} is {_described(v, s)}" for name, v, s in zip(names, columns, shapes, strict=True)]
    lines = [f"Function: {entry}({', '.join(names)})." + (f" {'; '.join(given)}." if given else "")]
    what = f"{changed} as it is after the change, " if changed else ""
    lines.append(f"It returns {what}{_described(answers, answer)}{', in any order' if unordered else ''}.")
    return f"{text.strip()}\n\n{' '.join(lines)}"


def _described(values: Sequence[Any], shape: Shape = PLAIN) -> str:
    if shape.kind == "tree":
        return "a binary tree, as the list of its values level by level with null for a missing child"
    if shape.kind == "linked":
        return "a linked list, as the list of its values"
    if shape.kind == "list" and shape.item and shape.item.kind in ("tree", "linked"):
        return f"a list, each item of which is {_described([], shape.item)}"
    return _one(values) + (" or null" if any(v is None for v in values) and any(v is not None for v in values) else "")


_WORDS = {
    "bool": ("a boolean", "booleans"), "int": ("an integer", "integers"), "float": ("a number", "numbers"),
    "str": ("a text", "texts"), "NoneType": ("null", "nulls"), "dict": ("a dictionary", "dictionaries"),
    "list": ("a list", "lists"),
}  # fmt: skip


def _one(values: Sequence[Any]) -> str:
    kinds = _kinds(values)
    if len(kinds) != 1:
        return "a value" if not kinds else " or ".join(_WORDS[kind][0] for kind in kinds)
    if kinds == ["list"]:
        return f"a list{_members(values)}"
    if kinds == ["dict"]:
        return _dictionary(values)
    return _WORDS[kinds[0]][0]


def _many(values: Sequence[Any]) -> str:
    kinds = _kinds(values)
    if len(kinds) != 1:
        return " or ".join(_WORDS[kind][1] for kind in kinds)
    return f"lists{_members(values)}" if kinds == ["list"] else _WORDS[kinds[0]][1]


def _members(values: Sequence[Any]) -> str:
    inner = [item for value in values if isinstance(value, list) for item in value]
    if inner and all(_is_entry(item) for item in inner):
        return ' of {"key", "value"} entries of a dictionary, sorted by key'
    return f" of {_many(inner)}" if inner else ""


def _dictionary(values: Sequence[Any]) -> str:
    inner = [item for value in values if isinstance(value, dict) for item in value.values()]
    return f"a dictionary from text to {_many(inner)}" if inner else "a dictionary"


def _is_entry(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"key", "value"}


def _kinds(values: Sequence[Any]) -> list[str]:
    """Return the classes of values, None aside; integers among floats are numbers."""
    found = {type(value).__name__ for value in values if value is not None}
    if {"int", "float"} <= found:
        found.discard("int")
    return sorted(found)
