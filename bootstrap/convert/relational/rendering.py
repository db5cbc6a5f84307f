"""Python code as text: expressions with their precedence, method chains and their layout, names that are safe."""

from __future__ import annotations

import json
import keyword
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from bootstrap.convert.base import UnsupportedSqlError
from bootstrap.convert.relational.model import Column

WIDTH = 100  # of a line, before a chain is broken
INNER_WIDTH = 60  # of a chain inside an expression, before it gets a name of its own
ANY, COMPARE, OR, AND, ADD, MULTIPLY, UNARY, POWER, ATOM = range(9)
"""How tightly an expression binds: Python's precedence, the loosest first."""
LEVELS = {
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), COMPARE),
    "|": OR, "&": AND, "+": ADD, "-": ADD, "*": MULTIPLY, "/": MULTIPLY, "//": MULTIPLY, "%": MULTIPLY,
}  # fmt: skip


@dataclass(frozen=True)
class Code:
    """An expression. `raw` is the Python constant, where it is one; `text` is then what the library makes of it."""

    text: str
    level: int = ATOM
    raw: str = ""

    def at(self, level: int) -> str:
        """Return the text as an operand, in parentheses where it binds too loosely."""
        return self.text if self.level >= level else f"({self.text})"

    def value(self) -> str:
        return self.raw or self.text


class Argument:
    """How a template shows an argument: `{0}` for a method to follow, `{0:v}` a value, `{0:e}` an expression."""

    def __init__(self, code: Code) -> None:
        self._code = code

    def __format__(self, spec: str) -> str:
        if spec == "v":
            return self._code.value()
        return self._code.text if spec == "e" else self._code.at(ATOM)


def fill(template: str, arguments: Iterable[Code]) -> Code:
    """Return the code of a call."""
    text = template.format(*map(Argument, arguments))
    level = POWER if " ** " in template else UNARY if template.startswith(("~", "-")) else ATOM
    return Code(text, level)


def operate(operator: str, left: Code, right: Code) -> Code:
    """Return `left operator right`: one side may be a Python constant, not both."""
    level = LEVELS[operator]
    low = level + 1 if level == COMPARE else level
    first = left.raw if left.raw and not right.raw and operator not in "|&" else left.at(low)
    second = right.raw if right.raw and operator not in "|&" else right.at(level + 1)
    if right.raw.startswith("-") and level > ADD:
        second = f"({second})"
    return Code(f"{first} {operator} {second}", level)


def text(value: str) -> str:
    """Return a string constant, in double quotes."""
    return json.dumps(value, ensure_ascii=False) if value.isprintable() else repr(value)


def sequence(items: list[str]) -> str:
    """Return one argument for one or several: the item itself, or a list."""
    return items[0] if len(items) == 1 else f"[{', '.join(items)}]"


def is_name(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name)


@dataclass(frozen=True)
class Assigned:
    """A column of a step that chooses or makes columns: `same` where one keeps its name, with the name as text."""

    name: str
    same: bool
    value: str
    aliased: str


def assigned(columns: list[Assigned], reserved: tuple[str, ...] = ()) -> list[str]:
    """Return the arguments in this order: by position, then by keyword; all by position where that cannot be."""
    if any(not one.same and (not is_name(one.name) or one.name in reserved) for one in columns):
        return [one.value if one.same else one.aliased for one in columns]
    start = next((number for number, one in enumerate(columns) if not one.same), len(columns))
    if any(one.same for one in columns[start:]):
        return [one.value if one.same else one.aliased for one in columns]
    return [one.value if number < start else f"{one.name}={one.value}" for number, one in enumerate(columns)]


# -- chains -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ListOf:
    """A list of chains, as one argument."""

    chains: tuple[Chain, ...]

    def flat(self) -> str:
        return f"[{', '.join(chain.flat() for chain in self.chains)}]"

    def laid_out(self, indent: int) -> str:
        space = " " * (indent + 4)
        items = "".join(f"{space}{chain.laid_out(indent + 4)},\n" for chain in self.chains)
        return f"[\n{items}{' ' * indent}]"


@dataclass(frozen=True)
class Item:
    """One argument of a step: text, or a chain of its own."""

    body: str | Chain | ListOf

    def flat(self) -> str:
        return self.body if isinstance(self.body, str) else self.body.flat()

    def laid_out(self, indent: int) -> str:
        return self.body if isinstance(self.body, str) else self.body.laid_out(indent)


@dataclass(frozen=True)
class Chain:
    """An expression and the methods called on it, one after the other."""

    head: str
    steps: tuple[tuple[str, tuple[Item, ...]], ...] = ()

    def then(self, method: str, *arguments: str | Chain | ListOf) -> Chain:
        return Chain(self.head, (*self.steps, (method, tuple(map(Item, arguments)))))

    def flat(self) -> str:
        calls = (f".{method}({', '.join(item.flat() for item in items)})" for method, items in self.steps)
        return self.head + "".join(calls)

    def laid_out(self, indent: int = 0) -> str:
        """Return the text on one line where it fits, else one step per line."""
        flat = self.flat()
        if len(flat) + indent <= WIDTH or not self.steps:
            return flat
        space = " " * (indent + 4)
        lines = [f"{space}.{method}({_arguments(items, indent + 4)})" for method, items in self.steps]
        return "\n".join(["(", f"{space}{self.head}", *lines, f"{' ' * indent})"])


def _arguments(items: tuple[Item, ...], indent: int) -> str:
    flat = ", ".join(item.flat() for item in items)
    if len(flat) + indent <= WIDTH:
        return flat
    space = " " * (indent + 4)
    return "\n" + "".join(f"{space}{item.laid_out(indent + 4)},\n" for item in items) + " " * indent


# -- names --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Frame:
    """A table under construction: its code, what its columns are called now, and which of them are known equal."""

    chain: Chain
    names: dict[Column, str]
    equal: tuple[frozenset[Column], ...] = field(default=())

    def then(self, method: str, *arguments: str | Chain | ListOf) -> Frame:
        return Frame(self.chain.then(method, *arguments), self.names)


def fresh(name: str, taken: Iterable[str]) -> str:
    """Return the name, with a number where it is taken; case does not tell names apart."""
    folded = {other.casefold() for other in taken}
    found, number = name, 2
    while found.casefold() in folded:
        found, number = f"{name}_{number}", number + 1
    return found


def all_fresh(columns: Iterable[Column], taken: Iterable[str] = ()) -> dict[Column, str]:
    """Return a name for each column, unlike all the others."""
    names: dict[Column, str] = {}
    for column in columns:
        names[column] = fresh(column.name or "value", [*taken, *names.values()])
    return names


def require_granted(tables: Iterable[str], names: Collection[str]) -> None:
    """Raise UnsupportedSqlError where a table hides a name that the code needs."""
    for name in tables:
        if name in names:
            raise UnsupportedSqlError(f"a table is called {name}, which hides the library")


def table_name(name: str) -> str:
    """Return how code reads a table: by its name, or as a global where that is no name in Python."""
    return name if is_name(name) else f"globals()[{text(name)}]"
