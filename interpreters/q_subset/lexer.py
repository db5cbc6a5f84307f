"""Splits q source into tokens. Lists of numbers and of symbols become one token, as in q."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from interpreters.q_subset.errors import QError, Unsupported
from interpreters.q_subset.temporal import parse_temporal
from interpreters.q_subset.values import (
    CHAR_TYPES,
    FLOAT,
    INFS,
    INTEGERS,
    LONG,
    NULLABLE_INTS,
    NULLS,
    REAL,
    TEMPORAL,
    Atom,
    Vec,
    to_real,
)


class Token(NamedTuple):
    kind: str  # value, name, op, adverb, or the bracket or semicolon itself
    text: str
    value: Any
    start: int
    end: int
    spaced: bool  # white space before it


_SPACE = re.compile(r"\s+")
_NAME = re.compile(r"\.?[a-zA-Z][a-zA-Z0-9_]*(?:\.[a-zA-Z0-9_]+)*")
_NUMBER = re.compile(r"-?(?:\d|\.\d)(?:[eE][+-]?\d+(?![\w.])|[\w.:](?<!_))*")
_SYMBOL = re.compile(r"`(?::[\w.:/]*|[\w.:]*)")
_OPERATOR = re.compile(r"<=|>=|<>|::|[-+*%&|^=<>,~#_$?@.!:]")
_ADVERB = re.compile(r"[/\\']:|[/\\']")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\", "/": "/"}
_X = """
    value number name ) ] }
"""
_ENDS_NOUN = frozenset(_X.split())


def tokens_of(source: str) -> list[Token]:
    """Return the tokens of one statement. Raises QError for text that is no q."""
    found: list[Token] = []
    at, size = 0, len(source)
    spaced = True
    while at < size:
        space = _SPACE.match(source, at)
        if space:
            at, spaced = space.end(), True
            continue
        char = source[at]
        if char == "/" and spaced:
            end = source.find("\n", at)
            at = size if end < 0 else end
            continue
        token = _token(source, at, char, spaced, found)
        found.append(token)
        at, spaced = token.end, False
    return _join_numbers(found)


def _token(source: str, at: int, char: str, spaced: bool, before: list[Token]) -> Token:
    if char in "()[]{};":
        return Token(char, char, None, at, at + 1, spaced)
    if char == '"':
        return _string(source, at, spaced)
    if char == "`":
        return _symbols(source, at, spaced)
    tight = bool(before) and not spaced and before[-1].kind in _ENDS_NOUN
    if char.isdigit() or (char in ".-" and not tight):
        number = _NUMBER.match(source, at)
        if number:
            return _number(number.group(), at, spaced)
    name = None if char == "." and tight else _NAME.match(source, at)
    if name:
        return Token("name", name.group(), None, at, name.end(), spaced)
    for kind, pattern in (("adverb", _ADVERB), ("op", _OPERATOR)):
        match = pattern.match(source, at)
        if match:
            return Token(kind, match.group(), None, at, match.end(), spaced)
    raise QError(char)


def _string(source: str, at: int, spaced: bool) -> Token:
    parts: list[str] = []
    i = at + 1
    while True:
        if i >= len(source):
            raise QError('"')
        char = source[i]
        if char == '"':
            break
        width = 1
        if char == "\\":
            i, char = _escape(source, i)
        else:
            i, width = i + 1, len(char.encode("utf-8"))
        parts.extend(char.encode("utf-8").decode("latin-1") if ord(char) > 127 and width > 1 else char)
    value = Atom(-10, parts[0]) if len(parts) == 1 else Vec(10, parts)
    return Token("value", source[at : i + 1], value, at, i + 1, spaced)


def _escape(source: str, i: int) -> tuple[int, str]:
    following = source[i + 1 : i + 2]
    if following in _ESCAPES and following:
        return i + 2, _ESCAPES[following]
    octal = source[i + 1 : i + 4]
    if len(octal) == 3 and all(c in "01234567" for c in octal) and int(octal, 8) < 256:
        return i + 4, chr(int(octal, 8))
    raise Unsupported(f"the escape \\{following}")


def _symbols(source: str, at: int, spaced: bool) -> Token:
    names: list[str] = []
    end = at
    while end < len(source) and source[end] == "`":
        match = _SYMBOL.match(source, end)
        if match is None:
            break
        names.append(match.group()[1:])
        end = match.end()
    value = Atom(-11, names[0]) if len(names) == 1 else Vec(11, names)
    return Token("value", source[at:end], value, at, end, spaced)


def _number(text: str, at: int, spaced: bool) -> Token:
    end = at + len(text)
    if re.match(r"\d:(?!\d\d)", text):
        raise Unsupported(f"file operation {text}")
    return Token("number", text, None, at, end, spaced)


def _join_numbers(found: list[Token]) -> list[Token]:
    """Put neighbouring numbers into one vector: `1 2 3h`."""
    joined: list[Token] = []
    i = 0
    while i < len(found):
        token = found[i]
        if token.kind != "number":
            joined.append(token)
            i += 1
            continue
        run = [token]
        i += 1
        while i < len(found) and found[i].kind == "number":
            run.append(found[i])
            i += 1
        value = number_value([t.text for t in run])
        joined.append(Token("value", token.text, value, token.start, run[-1].end, token.spaced))
    return joined


def number_value(words: list[str]) -> Atom | Vec:
    """Return the value of one or several numbers next to each other."""
    parsed = [_parse_number(word) for word in words]
    if len(words) == 1:
        kind, value, _ = parsed[0]
        return value if isinstance(value, Vec) else Atom(-kind, value)
    if any(isinstance(value, Vec) for _, value, _ in parsed):
        raise QError("type")
    last, marked = parsed[-1][0], [kind for kind, _, suffix in parsed if suffix]
    kinds = {kind for kind, _, _ in parsed}
    if len(kinds) == 1:
        return Vec(last, [value for _, value, _ in parsed])
    if not marked or (len(set(marked)) == 1 and marked[0] in (FLOAT,)):
        target = FLOAT if FLOAT in kinds else last
    elif len(set(marked)) == 1:
        target = marked[0]
    else:
        raise QError("type")
    return Vec(target, [_as(word, kind, value, target) for word, (kind, value, _) in zip(words, parsed, strict=True)])


def _as(word: str, kind: int, value: Any, target: int) -> Any:
    if kind == target:
        return value
    if kind == LONG and target in (FLOAT, REAL):
        if value == NULLS[LONG]:
            return NULLS[target]
        return {INFS[LONG]: INFS[target], -INFS[LONG]: -INFS[target]}.get(value, float(value))
    if kind == LONG and target in NULLABLE_INTS:
        if value == NULLS[LONG]:
            return NULLS[target]
        if abs(value) == INFS[LONG]:
            return INFS[target] * (1 if value > 0 else -1)
        if target in INTEGERS and abs(value) < INFS[target]:
            return value
    if kind == FLOAT and target == REAL:
        return to_real(value)
    if kind == FLOAT and target == 13 and re.fullmatch(r"\d{4}\.\d\d", word):
        return _parse_number(word + "m")[1]
    raise Unsupported(f"the number {word} in a list of another type")


def _parse_number(word: str) -> tuple[int, Any, bool]:
    """Return type, plain value (or a Vec for bytes and booleans), and whether a suffix or form gave the type."""
    if word.startswith("0x"):
        digits = word[2:] if len(word) % 2 == 0 else "0" + word[2:]
        if not re.fullmatch(r"[0-9a-fA-F]*", digits):
            raise QError(word)
        raw = list(bytes.fromhex(digits))
        return (4, raw[0], True) if len(raw) == 1 else (4, Vec(4, raw), True)
    if re.fullmatch(r"[01]+b", word):
        bits = [int(c) for c in word[:-1]]
        return (1, bits[0], True) if len(bits) == 1 else (1, Vec(1, bits), True)
    special = re.fullmatch(r"(-?)0([NnWw])([a-z]?)", word)
    if special:
        return _special(word, *special.groups())
    plain = re.fullmatch(r"(-?\d+)([hijefnc]?)", word)
    if plain:
        return _integer(word, plain.group(1), plain.group(2))
    decimal = re.fullmatch(r"(-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([ef]?)", word)
    if decimal:
        value = float(decimal.group(1))
        return (REAL, to_real(value), True) if decimal.group(2) == "e" else (FLOAT, value, bool(decimal.group(2)))
    temporal = parse_temporal(word)
    if temporal:
        return (*temporal, True)
    raise QError(word)


def _special(word: str, sign: str, letter: str, suffix: str) -> tuple[int, Any, bool]:
    kind = CHAR_TYPES.get(suffix, FLOAT if letter in "nw" else LONG)
    if (suffix and suffix not in CHAR_TYPES) or (letter in "Ww" and kind not in INFS):
        raise QError(word)
    if letter in "Nn":
        if sign or kind not in NULLS or kind in (1, 4, 11):
            raise QError(word)
        return kind, NULLS[kind], bool(suffix)
    return kind, -INFS[kind] if sign else INFS[kind], bool(suffix)


def _integer(word: str, digits: str, suffix: str) -> tuple[int, Any, bool]:
    n = int(digits) if len(digits) < 25 else refuse_long(word)
    if suffix in ("e", "f"):
        return (REAL, to_real(float(n)), True) if suffix == "e" else (FLOAT, float(n), True)
    kind = CHAR_TYPES[suffix] if suffix else LONG
    if kind in TEMPORAL or kind == 10:
        raise Unsupported(f"the literal {word}")
    if abs(n) > INFS[kind]:
        raise Unsupported(f"the number {word}")
    return kind, n, bool(suffix)


def refuse_long(word: str) -> int:
    raise Unsupported(f"the number {word[:40]}")
