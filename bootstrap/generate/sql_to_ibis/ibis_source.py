"""Ibis code that others wrote, read without running it: the tables that it declares, and the code without them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from interpreters.base import ColumnType

_TYPES = {
    **dict.fromkeys(("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "int"), ColumnType.INT),
    **dict.fromkeys(("float32", "float64", "double", "float"), ColumnType.FLOAT),
    "string": ColumnType.STRING, "str": ColumnType.STRING, "boolean": ColumnType.BOOL, "bool": ColumnType.BOOL,
    "date": ColumnType.DATE, "timestamp": ColumnType.TIMESTAMP, "time": ColumnType.TIME,
}  # fmt: skip


@dataclass(frozen=True)
class IbisSource:
    """`tables`: those declared by `ibis.table(name=..., schema={...})`. `code`: the rest, over tables of these names
    that are there already."""

    tables: dict[str, dict[str, ColumnType]]
    code: str


class UnreadableIbisError(ValueError):
    """Code that cannot be read, or declares a table with a type that has no counterpart here."""


def read_ibis(code: str) -> IbisSource:
    """Return the tables that code declares, and the code without their declarations. Raises UnreadableIbisError.

    `import ibis` goes too: it is there already. Every other import stays, for the sandbox to refuse.
    """
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError) as error:
        raise UnreadableIbisError("the Ibis code is not Python") from error
    tables: dict[str, dict[str, ColumnType]] = {}
    dropped: set[int] = set()
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        declared = _declared(call)
        if declared is not None:
            tables[declared[0]] = {column: _type(kind) for column, kind in declared[1].items()}
    for statement in tree.body:
        if ast.unparse(statement) == "import ibis" or _only_names(statement):
            dropped |= set(range(statement.lineno, (statement.end_lineno or statement.lineno) + 1))
    lines = [line for number, line in enumerate(code.splitlines(), 1) if number not in dropped]
    return IbisSource(tables, "\n".join(_without_runs(lines)).strip())


def _without_runs(lines: list[str]) -> Iterator[str]:
    """Yield the lines with at most one empty line in a row."""
    for number, line in enumerate(lines):
        if line.strip() or (number and lines[number - 1].strip()):
            yield line


def _declared(call: ast.Call) -> tuple[str, dict[str, str]] | None:
    if ast.unparse(call.func) != "ibis.table":
        return None
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    positional = dict(zip(("schema", "name"), call.args, strict=False))
    try:
        name = ast.literal_eval(given.get("name", positional.get("name")))  # type: ignore[arg-type]  # None is refused
        schema = ast.literal_eval(given.get("schema", positional.get("schema")))  # type: ignore[arg-type]  # as above
        return str(name), {str(column): str(kind) for column, kind in dict(schema).items()}
    except (ValueError, TypeError) as error:
        raise UnreadableIbisError("a table is declared by something else than constants") from error


def _only_names(statement: ast.stmt) -> bool:
    """Say whether a statement only gives a declared table its own name."""
    if not isinstance(statement, ast.Assign) or not isinstance(statement.value, ast.Call):
        return False
    target = statement.targets[0]
    declared = _declared(statement.value)
    return declared is not None and isinstance(target, ast.Name) and target.id == declared[0]


def _type(kind: str) -> ColumnType:
    name = kind.lstrip("!").lower()
    if name.startswith("decimal"):
        return ColumnType.DECIMAL
    if name not in _TYPES:
        raise UnreadableIbisError(f"a column of type {name}")
    return _TYPES[name]
