"""What the script of q_driver.py answers, read strictly: every byte of it may have been written by a candidate.

An answer is one object with one key: "called" or "last" with a value (what the function returned, or the script's last
value), or "error" or "syntax" with the text of a q error. Values become those of q_subset, and q_values.py says what
they are outside q. Whatever is not in this format raises WireError.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from interpreters.base import Column, Execution, Outcome, Table, Value
from interpreters.function_cases import RESULT
from interpreters.q_subset import values as q
from interpreters.q_values import from_q, result_type, table_from_q, what_it_is
from interpreters.wire import MAX_DEPTH, WireError, parse_untrusted

_OUTCOMES = {"wsfull": Outcome.MEMORY_EXCEEDED, "nyi": Outcome.UNSUPPORTED}
_MEANINGS = {
    "type": "wrong type", "length": "lists of different lengths", "rank": "wrong number of arguments",
    "domain": "an argument outside the domain", "nyi": "this q does not implement it", "limit": "a limit of q",
    "wsfull": "more memory than is given", "stack": "too deep a recursion", "constants": "too many constants",
    "locals": "too many local variables", "params": "too many parameters", "branch": "too long a branch",
    "assign": "a word that q keeps for itself", "mismatch": "columns that do not fit",
}  # fmt: skip
_NAME = re.compile(r"[A-Za-z.][\w.]*")


def read_answer(line: bytes, code: str, entry: str, max_cells: int) -> Execution:
    """Return what an answer means. Raises WireError for what is none."""
    answer = parse_untrusted(line)
    if not isinstance(answer, dict) or len(answer) != 1:
        raise WireError("expected an object with one key")
    [(kind, content)] = answer.items()
    if kind in ("error", "syntax"):
        return _failure(kind, _text(content), code)
    if kind not in ("called", "last"):
        raise WireError("an unknown kind of answer")
    noun = noun_of(content)
    try:
        return _called(from_q(noun)) if kind == "called" else _last(noun, entry, max_cells)
    except WireError as error:
        return Execution(Outcome.NO_RESULT, (), str(error))


def _called(value: Value) -> Execution:
    return Execution(Outcome.PASSED, (Table((Column(RESULT, result_type(value)),), ((value,),)),))


def _last(noun: q.Value, entry: str, max_cells: int) -> Execution:
    if not isinstance(noun, q.Table) and not q.is_keyed(noun):
        wanted = f"a function called {entry}" if entry else "a table as the last value"
        return Execution(Outcome.NO_RESULT, (), f"expected {wanted}, found {what_it_is(noun)}")
    columns, values = table_from_q(noun)
    if sum(map(len, values)) > max_cells:
        return Execution(Outcome.OUTPUT_EXCEEDED, (), f"the result has more than {max_cells} cells")
    return Execution(Outcome.PASSED, (Table(tuple(columns), tuple(zip(*values, strict=True))),))


def _failure(kind: str, name: str, code: str) -> Execution:
    outcome = Outcome.SYNTAX_ERROR if kind == "syntax" else _OUTCOMES.get(name, Outcome.RUNTIME_ERROR)
    meaning = _MEANINGS.get(name, "")
    if not meaning and _NAME.fullmatch(name) and re.search(rf"(?<![\w.`\"]){re.escape(name)}(?![\w.])", code):
        meaning = "no such name, or an error of that name that the code raises"
    return Execution(outcome, (), f"'{name}: {meaning}" if meaning else f"'{name}")


# -- values ---------------------------------------------------------------------------------------------------------


def noun_of(row: object, depth: int = 0) -> q.Value:
    """Return the value that the script wrote as JSON."""
    if depth > 2 * MAX_DEPTH:  # tables and dictionaries take two levels
        raise WireError("a value is nested too deep")
    if not isinstance(row, dict) or row.keys() != {"t", "v"} or type(row["t"]) is not int:
        raise WireError("a value is no pair of type and content")
    kind, content = row["t"], row["v"]
    if kind == 0:
        return q.Vec(0, [noun_of(item, depth + 1) for item in _list(content)])
    if kind == 98:
        return _table(content, depth)
    if kind == 99:
        return _dictionary(content, depth)
    if abs(kind) in _READERS:
        return _typed(kind, content)
    if content is not None or kind < 77:
        raise WireError(f"{kind} is no type of q")
    return q.NULL if kind == 101 else q.HOLE  # any function


def _typed(kind: int, content: object) -> q.Value:
    if abs(kind) == q.CHAR:
        chars = list(_chars(content))
        if kind > 0:
            return q.Vec(q.CHAR, chars)
        if len(chars) != 1:
            raise WireError("a char has another length than one")
        return q.Atom(kind, chars[0])
    read = _READERS[abs(kind)]
    return q.Atom(kind, read(content)) if kind < 0 else q.Vec(kind, [read(item) for item in _list(content)])


def _table(content: object, depth: int) -> q.Table:
    head, body = _pair(content)
    names = noun_of(head, depth + 1)
    if not isinstance(names, q.Vec) or names.t != q.SYMBOL:
        raise WireError("the names of a table are no symbols")
    columns = [noun_of(column, depth + 1) for column in _list(body)]
    vectors = [column for column in columns if isinstance(column, q.Vec)]
    if len(vectors) != len(columns) or len(columns) != len(names.v) or len({len(one.v) for one in vectors}) > 1:
        raise WireError("the columns of a table are no lists of one length")
    return q.Table([_utf8(name) for name in names.v], vectors)


def _dictionary(content: object, depth: int) -> q.Dict:
    keys, values = (noun_of(part, depth + 1) for part in _pair(content))
    if not isinstance(keys, q.Vec | q.Table) or not isinstance(values, q.Vec | q.Table):
        raise WireError("the keys or values of a dictionary are no list")
    if _count(keys) != _count(values):
        raise WireError("a dictionary has more keys than values, or fewer")
    return q.Dict(keys, values)


def _count(noun: q.Vec | q.Table) -> int:
    return noun.height() if isinstance(noun, q.Table) else len(noun.v)


def _pair(content: object) -> list[Any]:
    pair = _list(content)
    if len(pair) != 2:
        raise WireError("expected two parts")
    return pair


def _list(content: object) -> list[Any]:
    if not isinstance(content, list):
        raise WireError("expected a list")
    return content


# -- cells ----------------------------------------------------------------------------------------------------------

_INTEGER = re.compile(r"-?[0-9]{1,19}")
_FLOAT = re.compile(r"-?[0-9]{1,400}(\.[0-9]{0,400})?(e[+-]?[0-9]{1,4})?")
_WORDS = {"": "null", "0N": "null", "0n": "null", "0W": "inf", "0w": "inf", "-0W": "-inf", "-0w": "-inf"}


def _chars(content: object) -> str:
    """Return one char for each byte, as q_subset holds text."""
    if not isinstance(content, str) or not re.fullmatch(r"([0-9a-f]{2})*", content):
        raise WireError("text is not given as hexadecimal digits")
    return bytes.fromhex(content).decode("latin-1")


def _text(content: object) -> str:
    return _utf8(_chars(content))


def _utf8(chars: str) -> str:
    return chars.encode("latin-1").decode("utf-8", "replace")


def _word(kind: int, content: object) -> tuple[str, Any]:
    """Return the text of a cell, and its value where it is null or infinite."""
    if not isinstance(content, str):
        raise WireError("a cell is not given as text")
    infinite = q.INFS.get(kind)
    return content, {"null": q.NULLS[kind], "inf": infinite, "-inf": -infinite if infinite is not None else None}.get(
        _WORDS.get(content, "")
    )


def _integer(kind: int) -> Callable[[object], int]:
    def read(content: object) -> int:
        text, special = _word(kind, content)
        if special is not None:
            return int(special)
        if not _INTEGER.fullmatch(text) or not q.NULLS[kind] <= int(text) <= q.INFS[kind]:
            raise WireError(f"a cell is no {q.TYPE_NAMES[kind]}")
        return int(text)

    return read


def _float(kind: int) -> Callable[[object], float]:
    def read(content: object) -> float:
        text, special = _word(kind, content)
        if special is not None:
            return float(special)
        if not _FLOAT.fullmatch(text) or math.isinf(float(text)):
            raise WireError(f"a cell is no {q.TYPE_NAMES[kind]}")
        return float(text)

    return read


def _matching(pattern: str, base: int) -> Callable[[object], int]:
    def read(content: object) -> int:
        if not isinstance(content, str) or not re.fullmatch(pattern, content):
            raise WireError("a cell is not written as its type is")
        return int(content.replace("-", ""), base)

    return read


_READERS: Mapping[int, Callable[[object], Any]] = {
    q.BOOL: _matching("[01]", 2),
    q.BYTE: _matching("[0-9a-f]{2}", 16),
    q.GUID: _matching("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", 16),
    q.CHAR: _chars,
    q.SYMBOL: _chars,
    **{kind: _integer(kind) for kind in q.BITS},
    **{kind: _float(kind) for kind in q.FLOATS},
}
