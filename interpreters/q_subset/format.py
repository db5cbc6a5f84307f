"""The text that q's console shows for a value, and the one-line form (.Q.s1) that nested values take in it."""

from __future__ import annotations

from typing import Any

from interpreters.q_subset.errors import METER, Unsupported
from interpreters.q_subset.temporal import format_temporal
from interpreters.q_subset.values import (
    BOOL,
    BYTE,
    CHAR,
    DATETIME,
    FLOAT,
    GUID,
    INFS,
    INT,
    LONG,
    MONTH,
    REAL,
    SHORT,
    SYMBOL,
    TEMPORAL,
    TYPE_CHARS,
    TYPE_NAMES,
    Atom,
    Derived,
    Dict,
    Lambda,
    Null,
    Prim,
    Table,
    Vec,
    is_keyed,
    is_null_raw,
    items,
)

WIDTH, HEIGHT = 80, 25
# Keywords that are q's own primitives show their names, those that are k's show k; of others the text is not known.
_RESERVED_WORDS = """
    abs acos all any asin atan avg bin binr cor cos cov dev div exp in insert last like log max min prd sin sqrt
    ss sum tan var wavg within wsum xexp
"""
RESERVED = frozenset(_RESERVED_WORDS.split())
SHOWN_AS = {
    "count": "#:", "reverse": "|:", "neg": "-:", "not": "~:", "flip": "+:", "group": "=:", "distinct": "?:",
    "first": "*:", "iasc": "<:", "idesc": ">:", "null": "^:", "floor": "_:", "type": "@:", "where": "&:",
    "string": "$:", "enlist": ",:", "deltas": "-':", "ratios": "%':",
}  # fmt: skip
SUFFIX = {SHORT: "h", INT: "i", MONTH: "m", REAL: "e"}
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def float_text(v: float, precision: int) -> str:
    if v != v:
        return "0n"
    if v in (float("inf"), float("-inf")):
        return "0w" if v > 0 else "-0w"
    text = f"{v:.{precision or 17}g}"
    return "0" if text == "-0" else text


def plain_text(t: int, v: Any, precision: int) -> str:
    """Return the text of one item of type t without quotes, backtick or suffix."""
    if t in (REAL, FLOAT):
        return float_text(v, precision if t == FLOAT else min(precision or 9, 9))
    if t in (SYMBOL, CHAR):
        return str(v)
    if t == BYTE:
        return f"{v:02x}"
    if t == GUID:
        digits = f"{v:032x}"
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
    if t == BOOL:
        return str(v)
    if is_null_raw(t, v):
        return "0N"
    if t == DATETIME:
        return format_temporal(t, v)
    if abs(v) == INFS[t]:
        return "0W" if v > 0 else "-0W"
    return format_temporal(t, v) if t in TEMPORAL else str(v)


def cell_text(t: int, v: Any, precision: int) -> str:
    """Return the text of an item in a table or matrix, where nulls are blank."""
    if t not in (BOOL, BYTE, GUID, CHAR) and is_null_raw(t, v):
        return ""
    if t in TEMPORAL and t != DATETIME and abs(v) == INFS[t]:
        raise Unsupported("showing an infinite time")
    return plain_text(t, v, precision)


def quoted(chars: list[str]) -> str:
    parts = []
    for char in chars:
        if char in _ESCAPES:
            parts.append(_ESCAPES[char])
        elif ord(char) < 32 or ord(char) > 126:
            parts.append(f"\\{ord(char):03o}")
        else:
            parts.append(char)
    return '"' + "".join(parts) + '"'


def one_line(x: Any, precision: int = 7) -> str:
    """Return the one-line form of a value."""
    METER.charge(1)
    if type(x) is Atom:
        return _atom(x, precision)
    if type(x) is Vec:
        text = _vector(x, precision) if x.t else _general(x, precision)
        return f"`{x.attr}#{text}" if x.attr else text
    if type(x) is Dict:
        return f"{_left(one_line(x.keys, precision), x.keys)}!{one_line(x.values, precision)}"
    if type(x) is Table:
        names = Vec(SYMBOL, list(x.names))
        columns = [Vec(c.t, c.v) for c in x.columns]
        return f"+{_left(one_line(names), names)}!{_general(Vec(0, list(columns)), precision)}"
    return function_text(x)


def _left(text: str, x: Any) -> str:
    return f"({text})" if type(x) is Vec and (len(x.v) == 1 or not x.v) and text[0] in ",`" else text


def function_text(x: Any) -> str:
    if type(x) is Lambda:
        return str(x.text)
    if type(x) is Prim and (x.t != 101 or x.name in RESERVED or x.name[0] in "#|-~+=?*<>^_@&,"):
        return x.name
    if type(x) is Prim and x.name in SHOWN_AS:
        return SHOWN_AS[x.name]
    if type(x) is Null:
        return "::"
    if type(x) is Derived:
        return function_text(x.fn) + x.iterator
    raise Unsupported("showing this function")


def _atom(x: Atom, precision: int) -> str:
    t, v = -x.t, x.v
    if t == CHAR:
        return quoted([v])
    if t == SYMBOL:
        return f"`{v}"
    if t == BYTE:
        return f"0x{v:02x}"
    if t == BOOL:
        return f"{v}b"
    text = plain_text(t, v, precision)
    if t == FLOAT:
        return text if any(c in text for c in ".enw") else text + "f"
    if t == REAL:
        return text + "e"
    if text in ("0N", "0W", "-0W") and t != LONG:
        return text + TYPE_CHARS[t]
    return text + SUFFIX.get(t, "")


def _vector(x: Vec, precision: int) -> str:
    t, v = x.t, x.v
    if t == CHAR:
        return ("," if len(v) == 1 else "") + quoted(v)
    if not v:
        return f"`{TYPE_NAMES[t]}$()"
    if len(v) == 1:
        return "," + _atom(Atom(-t, v[0]), precision)
    METER.charge(len(v))
    if t == BOOL:
        return "".join(map(str, v)) + "b"
    if t == BYTE:
        return "0x" + "".join(f"{b:02x}" for b in v)
    if t == SYMBOL:
        return "".join(f"`{name}" for name in v)
    texts = [plain_text(t, item, precision) for item in v]
    if t in TEMPORAL and any(text in ("0N", "0W", "-0W") for text in texts):
        raise Unsupported("showing a list of times with nulls or infinities")
    joined = " ".join(texts)
    if t == FLOAT:
        return joined if any(c in joined for c in ".enw") else joined + "f"
    return joined + SUFFIX.get(t, "")


def _general(x: Vec, precision: int) -> str:
    if not x.v:
        return "()"
    if len(x.v) == 1:
        return "," + one_line(x.v[0], precision)
    return "(" + ";".join(one_line(v, precision) for v in x.v) + ")"


# -- several lines --------------------------------------------------------------------------------------------------


def console(x: Any, precision: int = 7) -> str:
    """Return what the console prints for a value, without the last line end."""
    lines = _lines(x, precision)
    if len(lines) > HEIGHT - 2:
        lines = [*lines[: HEIGHT - 3], ".."]
    return "\n".join(line if len(line) < WIDTH else line[: WIDTH - 3] + ".." for line in lines)


def _lines(x: Any, precision: int) -> list[str]:
    if type(x) is Table:
        return _table_lines(x, precision)
    if is_keyed(x):
        left, right = _table_lines(x.keys, precision), _table_lines(x.values, precision)
        width = max(map(len, left))
        pad = ["-" if i == 1 else " " for i in range(len(left))]
        return [a + p * (width - len(a)) + "| " + b for a, b, p in zip(left, right, pad, strict=True)]
    if type(x) is Dict:
        return _dict_lines(x, precision)
    if type(x) is Vec and x.t == 0 and x.v and not x.attr:
        return _rows(x, precision)
    return [one_line(x, precision)]


def _rows(x: Vec, precision: int) -> list[str]:
    """The lines of a general list: a matrix in columns, else one item a line."""
    limited = Vec(0, x.v[: HEIGHT - 1]) if len(x.v) > HEIGHT else x
    if _is_matrix(x):
        grid = _grid(limited.v, precision)
        return _columns(grid)
    if len(x.v) == 1:
        return [one_line(x, precision)]
    return [one_line(v, precision) for v in limited.v]


def _is_matrix(x: Vec) -> bool:
    if not all(type(v) is Vec for v in x.v) or len({len(v.v) for v in x.v}) != 1 or not x.v[0].v:
        return False
    kinds = {v.t for v in x.v}
    if len(kinds) == 1 and kinds <= {BOOL, BYTE, CHAR}:
        return False
    if BOOL in kinds or BYTE in kinds:
        raise Unsupported("showing a matrix of booleans or bytes beside other types")
    return True


def _grid(rows: list[Any], precision: int) -> list[list[str]]:
    return [
        [cell_text(v.t, item, precision) for item in v.v[:WIDTH]]
        if v.t
        else [one_line(item, precision) for item in v.v[:WIDTH]]
        for v in rows
    ]


def _columns(grid: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
    return [" ".join(text.ljust(w) for text, w in zip(row, widths, strict=True)).rstrip() for row in grid]


def _cells(column: Vec, precision: int) -> list[str]:
    if column.t:
        return [cell_text(column.t, v, precision) for v in column.v]
    return [one_line(v, precision) for v in column.v]


def _table_lines(x: Table, precision: int) -> list[str]:
    if not x.columns:
        raise Unsupported("showing a table without columns")
    shown = [Vec(c.t, c.v[: HEIGHT + 1]) for c in x.columns]
    cells = [[name, *_cells(c, precision)] for name, c in zip(x.names, shown, strict=True)]
    widths = [max(map(len, column)) for column in cells]
    rows = [" ".join(text.ljust(w) for text, w in zip(row, widths, strict=True)) for row in zip(*cells, strict=True)]
    rule = "-" * (sum(widths) + len(widths) - 1)
    return [row.rstrip() for row in [rows[0], rule, *rows[1:]]]


def _dict_lines(x: Dict, precision: int) -> list[str]:
    keys = x.keys
    size = len(items(keys)) if type(keys) is Vec else 0
    if size == 0:
        raise Unsupported("showing an empty dictionary")
    if not isinstance(keys, Vec):
        raise Unsupported("showing a dictionary with a table as keys")
    left = _cells(Vec(keys.t, keys.v), precision)
    right = _value_lines(x.values, precision)
    width = max(map(len, left))
    return [f"{a.ljust(width)}| {b}".rstrip() for a, b in zip(left, right, strict=False)]


def _value_lines(values: Any, precision: int) -> list[str]:
    if type(values) is Table:
        raise Unsupported("showing a dictionary with a table as values")
    if values.t:
        return _cells(values, precision)
    if _is_matrix(values):
        return _columns(_grid(values.v, precision))
    return [one_line(v, precision) for v in values.v]
