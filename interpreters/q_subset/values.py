"""The values of q: atoms, typed vectors, general lists, dictionaries, tables and functions.

An atom or vector holds plain Python values beside q's type number. Integer-like types (including all temporal ones
but datetime) hold ints, with q's own sentinels for null and infinity, so that order and wrap-around come out as in q.
Reals and floats hold floats (NaN is null), chars and symbols hold str, booleans 0 and 1, a guid its 128 bits.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Any

from interpreters.q_subset.errors import METER, QError, Unsupported

BOOL, GUID, BYTE, SHORT, INT, LONG, REAL, FLOAT, CHAR, SYMBOL = 1, 2, 4, 5, 6, 7, 8, 9, 10, 11
TIMESTAMP, MONTH, DATE, DATETIME, TIMESPAN, MINUTE, SECOND, TIME = 12, 13, 14, 15, 16, 17, 18, 19

TYPE_CHARS = " bg xhijefcspmdznuvt"
TYPE_NAMES = {
    1: "boolean", 2: "guid", 4: "byte", 5: "short", 6: "int", 7: "long", 8: "real", 9: "float", 10: "char",
    11: "symbol", 12: "timestamp", 13: "month", 14: "date", 15: "datetime", 16: "timespan", 17: "minute",
    18: "second", 19: "time",
}  # fmt: skip
NAME_TYPES = {name: number for number, name in TYPE_NAMES.items()}
CHAR_TYPES = {char: number for number, char in enumerate(TYPE_CHARS) if char != " "}

NAN = float("nan")
INF = float("inf")
BITS = {
    SHORT: 16,
    INT: 32,
    LONG: 64,
    TIMESTAMP: 64,
    MONTH: 32,
    DATE: 32,
    TIMESPAN: 64,
    MINUTE: 32,
    SECOND: 32,
    TIME: 32,
}
NULLS: dict[int, Any] = {kind: -(1 << (bits - 1)) for kind, bits in BITS.items()}
NULLS |= {BOOL: 0, BYTE: 0, GUID: 0, REAL: NAN, FLOAT: NAN, DATETIME: NAN, CHAR: " ", SYMBOL: ""}
INFS: dict[int, Any] = {kind: (1 << (bits - 1)) - 1 for kind, bits in BITS.items()}
INFS |= {REAL: INF, FLOAT: INF, DATETIME: INF}
NULLABLE_INTS = frozenset(BITS)
FLOATS = frozenset({REAL, FLOAT, DATETIME})
INTEGERS = frozenset({BOOL, BYTE, SHORT, INT, LONG})
NUMBERS = INTEGERS | {REAL, FLOAT}
TEMPORAL = frozenset(range(TIMESTAMP, TIME + 1))


class Atom:
    __slots__ = ("t", "v")

    def __init__(self, t: int, v: Any) -> None:
        self.t = t  # negative, as q's `type` says
        self.v = v


class Vec:
    """A typed vector (t > 0, plain Python items) or a general list (t = 0, items are values)."""

    __slots__ = ("attr", "t", "v")

    def __init__(self, t: int, v: list[Any], attr: str = "") -> None:
        self.t = t
        self.v = v
        self.attr = attr


class Dict:
    __slots__ = ("keys", "t", "values")

    def __init__(self, keys: Vec | Table, values: Vec | Table) -> None:
        self.t = 99
        self.keys = keys
        self.values = values


class Table:
    __slots__ = ("columns", "names", "t")

    def __init__(self, names: list[str], columns: list[Vec]) -> None:
        self.t = 98
        self.names = names
        self.columns = columns

    def height(self) -> int:
        return len(self.columns[0].v) if self.columns else 0

    def column(self, name: str) -> Vec:
        try:
            return self.columns[self.names.index(name)]
        except ValueError:
            raise QError(name) from None


class Null:
    """The generic null `::`, which is also the identity function."""

    __slots__ = ("t",)

    def __init__(self) -> None:
        self.t = 101


class Hole:
    """An elided argument or list item."""

    __slots__ = ("t",)

    def __init__(self) -> None:
        self.t = 104


class Lambda:
    __slots__ = ("body", "locals", "params", "t", "text")

    def __init__(self, params: list[str], local_names: frozenset[str], body: list[Any], text: str) -> None:
        self.t = 100
        self.params = params
        self.locals = local_names
        self.body = body
        self.text = text


class Prim:
    """A built-in: an operator (102), or a keyword. `calls` holds the implementation for each number of arguments."""

    __slots__ = ("calls", "most", "name", "t")

    def __init__(self, name: str, calls: dict[int, Callable[..., Any]], t: int) -> None:
        self.name = name
        self.calls = calls
        self.most = max(calls)
        self.t = t


class Derived:
    """A function under an iterator."""

    __slots__ = ("fn", "iterator", "t")

    def __init__(self, iterator: str, fn: Any) -> None:
        self.iterator = iterator
        self.fn = fn
        self.t = {"'": 106, "/": 107, "\\": 108, "':": 109, "/:": 110, "\\:": 111}[iterator]


class Projection:
    __slots__ = ("args", "fn", "t")

    def __init__(self, fn: Any, args: list[Any]) -> None:
        self.t = 104
        self.fn = fn  # None: a list with holes
        self.args = args


class Composition:
    __slots__ = ("fns", "t")

    def __init__(self, fns: list[Any]) -> None:
        self.t = 105
        self.fns = fns


NULL = Null()
HOLE = Hole()
Value = Atom | Vec | Dict | Table | Null | Hole | Lambda | Prim | Derived | Projection | Composition


def long(n: int) -> Atom:
    return Atom(-7, n)


def boolean(flag: object) -> Atom:
    return Atom(-1, 1 if flag else 0)


def floating(x: float) -> Atom:
    return Atom(-9, x)


def symbol(name: str) -> Atom:
    return Atom(-11, name)


def string(text: str) -> Vec:
    return Vec(10, list(text))


def longs(items: Iterable[int]) -> Vec:
    return Vec(7, list(items))


def symbols(items: Iterable[str]) -> Vec:
    return Vec(11, list(items))


def general(items: list[Any]) -> Vec:
    return Vec(0, items)


def wrap(t: int, n: int) -> int:
    """Return the integer as it is stored in the type's width."""
    bits = BITS[t]
    half = 1 << (bits - 1)
    return n if -half <= n < half else ((n + half) & ((1 << bits) - 1)) - half


def to_real(x: float) -> float:
    try:
        return float(struct.unpack("f", struct.pack("f", x))[0])
    except OverflowError:
        return INF if x > 0 else -INF


def is_null_raw(t: int, v: Any) -> bool:
    """Whether a plain value of (positive) type t is q's null."""
    if t in FLOATS:
        return bool(v != v)
    if t in (BOOL, BYTE):
        return False
    return bool(v == NULLS[t])


def is_keyed(x: Any) -> bool:
    return type(x) is Dict and type(x.keys) is Table and type(x.values) is Table


def is_function(x: Any) -> bool:
    return x.t >= 100


def items(x: Any) -> list[Any]:
    """Return the items of a list as values (of a table: its rows; of a dictionary: its values)."""
    if type(x) is Vec:
        if x.t == 0:
            return x.v
        t = -x.t
        return [Atom(t, v) for v in x.v]
    if type(x) is Table:
        return [row(x, i) for i in range(x.height())]
    if type(x) is Dict:
        return items(x.values)
    return [x]


def row(table: Table, i: int) -> Dict:
    return Dict(symbols(table.names), collect([item(c, i) for c in table.columns]))


def item(x: Any, i: int) -> Any:
    """Return the i-th item of a list; i is in range."""
    if type(x) is Vec:
        return x.v[i] if x.t == 0 else Atom(-x.t, x.v[i])
    return row(x, i)


def count(x: Any) -> int:
    if type(x) is Vec:
        return len(x.v)
    if type(x) is Table:
        return x.height()
    if type(x) is Dict:
        return count(x.keys)
    return 1


def collect(values: list[Any]) -> Vec:
    """Return the list of these values: a typed vector where all are atoms of one type."""
    if values and type(values[0]) is Atom:
        t = values[0].t
        if all(type(v) is Atom and v.t == t for v in values):
            return Vec(-t, [v.v for v in values])
    return Vec(0, values)


def collect_rows(values: list[Any]) -> Vec | Table:
    """Return the list of these values: a table where all are dictionaries with the same symbol keys."""
    if values and type(values[0]) is Dict and type(values[0].keys) is Vec and values[0].keys.t == SYMBOL:
        names = values[0].keys.v
        if all(type(v) is Dict and type(v.keys) is Vec and v.keys.t == SYMBOL and v.keys.v == names for v in values):
            columns = [collect_rows([item(v.values, i) for v in values]) for i in range(len(names))]
            if names and len(set(names)) == len(names) and all(type(c) is Vec for c in columns):
                return Table(list(names), [c for c in columns if type(c) is Vec])
    return collect(values)


def hashable(x: Any) -> Any:
    """Return a key that is equal for values which q's match calls identical (floats exactly)."""
    if type(x) is Atom:
        return (x.t, x.v if x.v == x.v else None)
    if type(x) is Vec:
        if x.t == 0:
            METER.charge(1 + len(x.v))
            return (0, tuple(hashable(v) for v in x.v))
        if x.t in FLOATS:
            return (x.t, tuple(v if v == v else None for v in x.v))
        return (x.t, tuple(x.v))
    if type(x) is Dict:
        return (99, hashable(x.keys), hashable(x.values))
    if type(x) is Table:
        return (98, tuple(x.names), tuple(hashable(c) for c in x.columns))
    if type(x) is Null:
        return (101,)
    return (x.t, id(x))


def raw_keys(x: Vec | Table) -> list[Any]:
    """Return one hashable key for each item of a list."""
    if type(x) is Vec:
        if x.t == 0:
            return [hashable(v) for v in x.v]
        if x.t in FLOATS:
            return [v if v == v else None for v in x.v]
        return x.v
    assert type(x) is Table
    if not x.columns:
        return []
    return list(zip(*[raw_keys(c) for c in x.columns], strict=True))


def need_list(x: Any) -> Vec:
    """Return an atom as a list of one, a list as it is. Raises QError type for what is neither."""
    if type(x) is Vec:
        return x
    if type(x) is Atom:
        return Vec(-x.t, [x.v])
    if type(x) is Dict and type(x.values) is Vec:
        return x.values
    raise QError("type")


def need_int(x: Any) -> int:
    if type(x) is Atom and -x.t in INTEGERS:
        return int(x.v)
    raise QError("type")


def symbol_list(x: Any) -> list[str]:
    """Return the names in a symbol or list of symbols."""
    if type(x) is Atom and x.t == -SYMBOL:
        return [x.v]
    if type(x) is Vec and (x.t == SYMBOL or not x.v):
        return list(x.v)
    raise QError("type")


def refuse(what: str) -> Any:
    raise Unsupported(what)
