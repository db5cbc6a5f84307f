"""From a record to calls that can be run: arguments by parameter, and the ways to write its reference."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bootstrap.sources.python_tests.asserts import Pair
from bootstrap.sources.python_tests.literals import Nodes
from bootstrap.sources.python_tests.record import PythonRecord
from bootstrap.sources.python_tests.reference import reference_code
from bootstrap.sources.python_tests.shapes import PLAIN, Shape, has_only_tuples, is_plain, of_annotation, together
from bootstrap.sources.python_tests.signature import Signature, UnusableError, bound, signature_of
from interpreters.base import TestCase
from interpreters.function_cases import case_of
from interpreters.wire import WireError

LARGEST_TEST = 20_000
"""Characters of a test's arguments; larger ones are made to be slow, and cost every check."""
_CLOCKS = frozenset({"now", "today", "utcnow", "time", "perf_counter", "monotonic"})


@dataclass(frozen=True)
class Prepared:
    """A record with its calls: `tests` hold the arguments, `pairs` say what must come back.

    `codes`: the ways to write the reference, the simplest first. `changed`: the parameter that is the answer, where
    the function changes it in place.
    """

    record: PythonRecord
    signature: Signature
    names: tuple[str, ...]
    pairs: tuple[Pair, ...]
    tests: tuple[TestCase, ...]
    codes: tuple[str, ...]
    shapes: tuple[Shape, ...]
    answer: Shape
    changed: str


def prepared(record: PythonRecord, limit: int) -> Prepared:
    """Return the record ready to run, with at most `limit` of its tests. Raises UnusableError."""
    if not record.tests.pairs:
        reasons = record.tests.unread.most_common(1)
        raise UnusableError(f"no test could be read: {reasons[0][0]}" if reasons else "there are no tests")
    if _depends_on_chance(record.code):
        raise UnusableError("the reference depends on chance or on the clock")
    signature = signature_of(record.code, record.entry)
    names, rows = bound(signature, record.tests.pairs)
    if not names:
        raise UnusableError("the function has no parameters")
    changed = _changed(signature, names, record.tests.pairs, rows)
    chosen = _chosen(record, signature.name, names, rows, limit)
    pairs = tuple(replace(pair, relation="reference") if changed and pair.expected is None else pair
                  for pair, _, _ in chosen)  # fmt: skip
    values = {name: [row[index] for _, row, _ in chosen] for index, name in enumerate(names)}
    shapes = {name: _shape(values[name], signature.annotations.get(name, "")) for name in names}
    answer = _answer_shape(signature, pairs)
    codes = [
        reference_code(record.code, signature, names, one, answer, changed) for one in _ways(shapes)
    ]  # fmt: skip
    return Prepared(
        record, signature, tuple(names), pairs, tuple(test for _, _, test in chosen), tuple(dict.fromkeys(codes)),
        tuple(shapes.values()), shapes[changed] if changed else answer, changed,
    )  # fmt: skip


def _depends_on_chance(code: str) -> bool:
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UnusableError("the reference is no Python") from error
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="random")):
                return True
            case ast.Call(func=ast.Attribute(value=ast.Name(id="datetime" | "date" | "time"), attr=name)):
                if name in _CLOCKS:
                    return True
            case ast.ImportFrom(module="random"):
                if _uses(tree, {alias.name for alias in node.names}):
                    return True
    return False


def _uses(tree: ast.Module, names: set[str]) -> bool:
    return any(isinstance(node, ast.Name) and node.id in names for node in ast.walk(tree))


def _changed(signature: Signature, names: Sequence[str], pairs: Sequence[Pair], rows: Sequence[Sequence[Any]]) -> str:
    """Return the parameter that a function without an answer changes: the first that can be changed. "" for others."""
    if not signature.gives_nothing:
        return ""
    for index, name in enumerate(names):
        if all(isinstance(row[index], list | dict | Nodes) for row in rows):
            return name
    raise UnusableError("the function gives no answer")


def _chosen(
    record: PythonRecord, entry: str, names: Sequence[str], rows: Sequence[Sequence[Any]], limit: int
) -> list[tuple[Pair, Sequence[Any], TestCase]]:
    """Return the first tests that can be carried, each call once. What is left out is counted with the record."""
    found: dict[str, tuple[Pair, Sequence[Any], TestCase]] = {}
    for pair, row in zip(record.tests.pairs, rows, strict=True):
        if len(found) == limit:
            break
        plain = [_plain(value) for value in row]
        key = repr(plain)
        if len(key) > LARGEST_TEST:
            record.tests.unread["its arguments are too large"] += 1
            continue
        try:
            found.setdefault(key, (pair, row, case_of(entry, names, plain, None, hidden=True)))
        except WireError as error:
            record.tests.unread[str(error)] += 1
    if not found:
        raise UnusableError("no test's arguments can be carried")
    return list(found.values())


def _plain(value: Any) -> Any:
    """Return a value with trees and linked lists as lists."""
    if isinstance(value, Nodes):
        return list(value.values)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _shape(values: Sequence[Any], annotation: str) -> Shape:
    shape = together(values)
    named = of_annotation(annotation)
    return named if is_plain(shape) and named != PLAIN else shape


def _answer_shape(signature: Signature, pairs: Sequence[Pair]) -> Shape:
    """Return the shape of the answer where it is made of nodes; other answers become plain by themselves."""
    named = of_annotation(signature.returns)
    if named != PLAIN:
        return named
    nodes = [pair.expected for pair in pairs if isinstance(pair.expected, Nodes)]
    return Shape(nodes[0].kind) if nodes else PLAIN


def _ways(shapes: Mapping[str, Shape]) -> Iterator[Mapping[str, Shape]]:
    """Yield what to turn arguments into: nothing where lists can stand for tuples, then what the data set had."""
    if has_only_tuples([*shapes.values()]):
        yield {}
    yield shapes
