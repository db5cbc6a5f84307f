"""like, ss and ssr: q's own patterns, and the places where they match."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from interpreters.q_subset.errors import METER, QError, Unsupported
from interpreters.q_subset.values import BOOL, CHAR, SYMBOL, Atom, Dict, Vec, boolean, collect, longs, string


@lru_cache(maxsize=256)
def pattern_of(text: str) -> re.Pattern[str]:
    """Return a regular expression for a pattern of ? [abc] [^abc] [a-z]."""
    parts: list[str] = []
    i = 0
    while i < len(text):
        char = text[i]
        if char == "?":
            parts.append(".")
        elif char == "*":
            raise Unsupported("* in a search pattern")
        elif char == "[":
            end = text.find("]", i + 2 + (text[i + 1 : i + 2] == "^"))
            if end < 0:
                raise Unsupported("a pattern with an open bracket")
            parts.append(_bracket(text[i + 1 : end]))
            i = end
        else:
            parts.append(re.escape(char))
        i += 1
    return re.compile("".join(parts), re.DOTALL)


def _bracket(inside: str) -> str:
    negated = inside.startswith("^") and len(inside) > 1
    body = inside[1:] if negated else inside
    escaped = "".join("\\" + c if c in "\\]^[" else c for c in body)
    if (
        body.startswith("-")
        or (body.endswith("-") and len(body) > 1)
        or (re.search(r"(.)-(.)", body) is None and "-" in body)
    ):
        escaped = escaped.replace("-", "\\-")
    return f"[{'^' if negated else ''}{escaped}]"


@lru_cache(maxsize=256)
def glob_of(text: str) -> Callable[[str], bool]:
    """Return the test for a pattern with stars: each piece is looked for from the left, so that time stays linear."""
    pieces = [pattern_of(piece) for piece in _split_at_stars(text)]

    def test(candidate: str) -> bool:
        if len(pieces) == 1:
            return pieces[0].fullmatch(candidate) is not None
        first = pieces[0].match(candidate)
        if first is None:
            return False
        at = first.end()
        for piece in pieces[1:-1]:
            found = piece.search(candidate, at)
            if found is None:
                return False
            at = found.end()
        tail = pieces[-1]
        size = len(_split_at_stars(text)[-1]) if tail.pattern else 0
        return any(
            tail.fullmatch(candidate, start) for start in range(max(at, len(candidate) - size), len(candidate) + 1)
        )

    return test


def _split_at_stars(text: str) -> list[str]:
    """Split at the stars outside brackets."""
    pieces, current, inside = [], "", 0
    for i, char in enumerate(text):
        if char == "*" and not inside:
            pieces.append(current)
            current = ""
            continue
        if char == "[" and not inside:
            inside = i + 1
        elif char == "]" and inside and i > inside + (text[inside] == "^"):
            inside = 0
        current += char
    return [*pieces, current]


def text_of(x: Any) -> str:
    """Return a string, char or symbol as text. Raises QError type for anything else."""
    if type(x) is Vec and (x.t == CHAR or not x.v):
        return "".join(x.v)
    if type(x) is Atom and x.t in (-CHAR, -SYMBOL):
        return str(x.v)
    raise QError("type")


def like(x: Any, y: Any) -> Any:
    if type(x) is Dict:
        return Dict(x.keys, like(x.values, y))
    if type(y) is Vec and y.t == 0 and y.v:
        raise Unsupported("like with a list of patterns")
    matches = glob_of(text_of(y))
    if type(x) is Vec and x.t == SYMBOL:
        METER.charge(len(x.v))
        return Vec(BOOL, [int(matches(v)) for v in x.v])
    if type(x) is Vec and x.t == 0:
        return collect([like(v, y) for v in x.v]) if x.v else Vec(BOOL, [])
    METER.charge(len(text_of(x)))
    return boolean(matches(text_of(x)))


def places(text: str, pattern: str) -> list[tuple[int, int]]:
    """Return start and end of every match; matches do not overlap."""
    if not pattern:
        raise QError("length")
    METER.charge(len(text))
    compiled = pattern_of(pattern)
    spans = [found.span() for found in compiled.finditer(text)]
    if len(spans) != sum(1 for _ in re.finditer(f"(?={compiled.pattern})", text, re.DOTALL)):
        raise Unsupported("a search whose matches overlap")
    return spans


def ss(x: Any, y: Any) -> Any:
    if type(x) is not Vec or x.t != CHAR:
        raise QError("type")
    return longs(start for start, _ in places("".join(x.v), text_of(y)))


def ssr(x: Any, y: Any, z: Any) -> Any:
    from interpreters.q_subset.application import apply

    if type(x) is not Vec or x.t != CHAR:
        raise QError("type") if type(x) is Atom else Unsupported("ssr of a list")
    text = "".join(x.v)
    spans = places(text, text_of(y))
    if len(spans) > 10_000:
        METER.charge(len(text))
    pieces, at = [], 0
    for start, end in spans:
        new = text_of(apply(z, [string(text[start:end])])) if z.t >= 100 else text_of(z)
        METER.charge(len(new))
        pieces += [text[at:start], new]
        at = end
    return string("".join([*pieces, text[at:]]))
