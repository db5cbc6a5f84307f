"""The nodes of a parsed q program."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Literal:
    value: Any


@dataclass(slots=True)
class Name:
    name: str


@dataclass(slots=True)
class ListOf:
    items: list[Any]


@dataclass(slots=True)
class TableOf:
    """`([keys] columns)`; with `is_dict` the literal `([a:1;b:2])`."""

    keys: list[tuple[str, Any]]
    columns: list[tuple[str, Any]]
    keyed: bool
    is_dict: bool


@dataclass(slots=True)
class Apply:
    fn: Any
    args: list[Any]  # None: elided


@dataclass(slots=True)
class Iterate:
    iterator: str
    fn: Any


@dataclass(slots=True)
class Assign:
    name: str
    index: list[Any] | None
    op: Any  # node of the function in `x f: y`, None for plain
    is_global: bool
    value: Any
    text: str = ""


@dataclass(slots=True)
class Cond:
    branches: list[Any]


@dataclass(slots=True)
class Control:
    word: str
    args: list[Any]


@dataclass(slots=True)
class Block:
    """`[a;b;c]` where an expression may stand: the value of the last."""

    statements: list[Any]


@dataclass(slots=True)
class Return:
    value: Any


@dataclass(slots=True)
class Signal:
    value: Any


@dataclass(slots=True)
class Query:
    """`columns` and `by` are (name or None, node) pairs."""

    verb: str
    limit: list[Any] | None
    distinct: bool
    columns: list[tuple[str, Any]]
    by: list[tuple[str, Any]] | None
    source: Any
    where: list[Any]


@dataclass(slots=True)
class Silent:
    """A statement that ends in a semicolon: its value is not shown."""

    value: Any
