"""The function under test inside a data set's code: its parameters, their annotations, and what its tests give them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bootstrap.sources.python_tests.asserts import Pair
from bootstrap.sources.python_tests.literals import NotALiteralError, value_of

Definition = ast.FunctionDef | ast.Lambda


class UnusableError(ValueError):
    """The record makes no problem; the message is the reason under which it is counted."""


@dataclass(frozen=True)
class Signature:
    """`owner`: the class whose method it is, "" for a plain function. `defaults`: parameter -> value, where it shows.

    `keyword_only`: parameters that a call must name. `annotations`: parameter -> text; `returns`: of the answer.
    """

    name: str
    owner: str
    parameters: tuple[str, ...]
    defaults: dict[str, Any]
    keyword_only: frozenset[str]
    annotations: dict[str, str]
    returns: str
    gives_nothing: bool


def signature_of(code: str, entry: str) -> Signature:
    """Return the signature of `f`, `Solution().f` or `Solution.f`. Raises UnusableError."""
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UnusableError("the reference is no Python") from error
    owner, name = _split(entry)
    body: Sequence[ast.stmt] = tree.body
    if owner:
        classes = [one for one in tree.body if isinstance(one, ast.ClassDef) and one.name == owner]
        body = classes[-1].body if classes else []
    found = list(_definitions(body, name))
    if not found:
        raise UnusableError("the reference does not define its entry point")
    return _signature(name, owner, found[-1])


def _split(entry: str) -> tuple[str, str]:
    owner, _, name = entry.strip().rpartition(".")
    owner = owner.removesuffix("()")
    if not name.isidentifier() or (owner and not owner.isidentifier()):
        raise UnusableError("the entry point is neither a function nor a method")
    return owner, name


def _definitions(body: Sequence[ast.stmt], name: str) -> Iterator[Definition]:
    for one in body:
        match one:
            case ast.FunctionDef(name=found) if found == name:
                yield one
            case ast.Assign(targets=[ast.Name(id=found)], value=ast.Lambda() as value) if found == name:
                yield value


def _signature(name: str, owner: str, node: Definition) -> Signature:
    given = node.args
    if given.vararg or given.kwarg:
        raise UnusableError("the entry point takes any number of arguments")
    positional = [*given.posonlyargs, *given.args]
    static = isinstance(node, ast.FunctionDef) and any(ast.unparse(d) == "staticmethod" for d in node.decorator_list)
    if owner and not static:
        positional = positional[1:]
    defaults: dict[str, Any] = {}
    padded = [None] * (len(positional) - len(given.defaults)) + list(given.defaults)[-len(positional) or None :]
    for one, value in (*zip(positional, padded, strict=False), *zip(given.kwonlyargs, given.kw_defaults, strict=True)):
        if value is not None:
            try:
                defaults[one.arg] = value_of(value)
            except NotALiteralError:
                continue
    every = [*positional, *given.kwonlyargs]
    return Signature(
        name=name,
        owner=owner,
        parameters=tuple(one.arg for one in every),
        defaults=defaults,
        keyword_only=frozenset(one.arg for one in given.kwonlyargs),
        annotations={one.arg: ast.unparse(one.annotation) for one in every if one.annotation},
        returns=ast.unparse(node.returns) if isinstance(node, ast.FunctionDef) and node.returns else "",
        gives_nothing=isinstance(node, ast.FunctionDef) and not _gives(node),
    )


def _gives(node: ast.FunctionDef) -> bool:
    """Say whether the function itself, and no function inside it, returns or yields a value."""
    waiting: list[ast.AST] = list(node.body)
    while waiting:
        one = waiting.pop()
        if isinstance(one, ast.Return) and one.value is not None and not _is_none(one.value):
            return True
        if isinstance(one, ast.Yield | ast.YieldFrom):
            return True
        if not isinstance(one, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            waiting.extend(ast.iter_child_nodes(one))
    return False


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def bound(signature: Signature, pairs: Sequence[Pair]) -> tuple[list[str], list[list[Any]]]:
    """Return the parameters that the tests use and, for each pair, their values. Raises UnusableError."""
    rows = [_bound(signature, pair) for pair in pairs]
    used = [name for name in signature.parameters if any(name in row for row in rows)]
    found = []
    for row in rows:
        full = signature.defaults | row
        if any(name not in full for name in used):
            raise UnusableError("the tests give some parameters at some times only")
        found.append([full[name] for name in used])
    return used, found


def _bound(signature: Signature, pair: Pair) -> dict[str, Any]:
    positional = [name for name in signature.parameters if name not in signature.keyword_only]
    if len(pair.args) > len(positional) or not pair.keywords.keys() <= set(signature.parameters):
        raise UnusableError("the tests call the function with other parameters than it has")
    row = dict(zip(positional, pair.args, strict=False)) | dict(pair.keywords)
    if any(name not in row and name not in signature.defaults for name in signature.parameters):
        raise UnusableError("the tests call the function with other parameters than it has")
    return row
