"""Values of q as source text: what every q reads back as the same value.

Lists are written so that their type is plain: one item by `enlist`, an empty vector by a cast, nulls among dates and
times as single items. Symbols that q cannot spell are casts of text.
"""

from __future__ import annotations

import math
import re
from typing import Any

from interpreters.q_subset import values as q
from interpreters.q_subset.temporal import format_temporal
from interpreters.wire import WireError

_PLAIN_SYMBOL = re.compile(r"[A-Za-z][A-Za-z0-9_]*|")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_NULL_SUFFIX = {q.DATE: "d", q.TIMESTAMP: "p", q.TIMESPAN: "n", q.TIME: "t"}


def source_text(noun: q.Value) -> str:
    """Return q source of a value that `to_q` makes. Raises WireError for another."""
    if isinstance(noun, q.Atom):
        return _atom(-noun.t, noun.v)
    if isinstance(noun, q.Vec):
        return _list(noun)
    if isinstance(noun, q.Dict):
        return f"{_left(source_text(noun.keys))}!{source_text(noun.values)}"
    if isinstance(noun, q.Table):
        columns = zip(noun.names, noun.columns, strict=True)
        return f"([] {'; '.join(f'{name}:{source_text(column)}' for name, column in columns)})"
    if isinstance(noun, q.Null):
        return "(::)"
    raise WireError(f"a {type(noun).__name__} of q has no source text")


def _left(text: str) -> str:
    """Return an operand as it must stand before an operator."""
    return f"({text})" if text.startswith(("enlist", "`$")) else text


def _list(noun: q.Vec) -> str:
    if noun.t == q.CHAR:
        return f"enlist {_quoted(noun.v)}" if len(noun.v) == 1 else _quoted(noun.v)
    if not noun.v:
        return f"`{q.TYPE_NAMES[noun.t]}$()" if noun.t else "()"
    if not noun.t:
        texts = [source_text(item) for item in noun.v]
        return f"enlist {texts[0]}" if len(texts) == 1 else f"({';'.join(texts)})"
    if len(noun.v) == 1:
        return f"enlist {_atom(noun.t, noun.v[0])}"
    return _vector(noun.t, noun.v)


def _vector(kind: int, raw: list[Any]) -> str:
    if kind == q.SYMBOL and not all(map(_PLAIN_SYMBOL.fullmatch, raw)):
        return f"`$({';'.join(_list(q.string(name)) for name in raw)})"
    texts = [_atom(kind, item) for item in raw]
    if kind == q.SYMBOL:
        return "".join(texts)
    if kind == q.BOOL:
        return "".join(text[0] for text in texts) + "b"
    if kind in _NULL_SUFFIX and q.NULLS[kind] in raw:
        return f"({';'.join(texts)})"
    return " ".join(texts)


def _atom(kind: int, raw: Any) -> str:
    if kind in _NULL_SUFFIX:
        return f"0N{_NULL_SUFFIX[kind]}" if raw == q.NULLS[kind] else format_temporal(kind, raw)
    if kind == q.LONG:
        return "0N" if raw == q.NULLS[q.LONG] else str(raw)
    if kind == q.FLOAT:
        return _float(raw)
    if kind == q.BOOL:
        return f"{raw}b"
    if kind == q.CHAR:
        return _quoted([raw])
    if kind == q.SYMBOL:
        return f"`{raw}" if _PLAIN_SYMBOL.fullmatch(raw) else f"`${_quoted(list(raw))}"
    raise WireError(f"a {q.TYPE_NAMES[kind]} of q has no source text here")


def _float(raw: float) -> str:
    if math.isnan(raw):
        return "0n"
    return repr(raw) if math.isfinite(raw) else "0w" if raw > 0 else "-0w"


def _quoted(chars: list[str]) -> str:
    """Return text in quotes: readable where it prints, else the bytes of its UTF-8 as octal escapes."""
    text = "".join(chars).encode("latin-1").decode("utf-8", "surrogateescape")
    return f'"{"".join(map(_char, text))}"'


def _char(char: str) -> str:
    if char in _ESCAPES:
        return _ESCAPES[char]
    if char.isprintable():
        return char
    return "".join(f"\\{byte:03o}" for byte in char.encode("utf-8", "surrogateescape"))
