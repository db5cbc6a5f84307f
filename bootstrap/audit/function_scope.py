"""Which part of a reference's code is mutated: the function under test and what it uses, no adapter and no unused help.

A source may put an adapter below the line `_original = ...` (bootstrap.sources.python_tests.reference); the classes of
nodes, annotations, decorators, docstrings and defaults are left alone, too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

ADAPTER = "_original"
NODE_CLASSES = frozenset({"TreeNode", "ListNode", "Node"})
Function = ast.FunctionDef | ast.AsyncFunctionDef
Scope = Function | ast.ClassDef


class Body:
    """The nodes of a code that count, each with its number in `ast.walk` order; `parents` lead to what holds a node."""

    def __init__(self, code: str, entry: str) -> None:
        self.tree = ast.parse(code)
        self.nodes = list(ast.walk(self.tree))
        self.parents = {child: node for node in self.nodes for child in ast.iter_child_nodes(node)}
        statements = list(_above_adapter(self.tree.body))
        used = _used_names(statements, entry, self.tree.body)
        self.inside: set[ast.AST] = set()
        for statement in statements:
            for part in _parts(statement, used):
                self.inside |= set(_code_of(part))

    def numbered(self) -> Iterator[tuple[int, ast.AST]]:
        for number, node in enumerate(self.nodes):
            if node in self.inside:
                yield number, node

    def parent(self, node: ast.AST) -> ast.AST | None:
        return self.parents.get(node)

    def function_of(self, node: ast.AST) -> Function | None:
        """Return the innermost function that a node stands in."""
        above = self.parents.get(node)
        while above is not None and not isinstance(above, Function):
            above = self.parents.get(above)
        return above

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield what a node stands in, from the inside, up to its function."""
        above = self.parents.get(node)
        while above is not None and not isinstance(above, Function):
            yield above
            above = self.parents.get(above)

    def drives_loop(self, node: ast.AST) -> bool:
        """Say whether a node is part of a statement that brings a `while` to its end: without it, or turned round, the
        loop goes on for ever, which any test notices and each time costs a whole time limit."""
        written: set[str] = set()
        for one in (node, *self.above(node)):
            if isinstance(one, ast.Assign | ast.AugAssign | ast.Expr):
                written |= _written(one)
            if isinstance(one, ast.While) and written & {n.id for n in ast.walk(one.test) if isinstance(n, ast.Name)}:
                return True
        return False

    def text(self, node: ast.AST) -> str:
        line = ast.unparse(node).replace("\n", "; ")
        return line if len(line) <= 120 else line[:117] + "..."


def _written(statement: ast.Assign | ast.AugAssign | ast.Expr) -> set[str]:
    """Return the names that a statement sets, and those on which it calls a method (`queue.pop()`)."""
    found: set[str] = set()
    for one in ast.walk(statement):
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store):
            found.add(one.id)
        elif isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute) and isinstance(one.func.value, ast.Name):
            found.add(one.func.value.id)
    return found


def _above_adapter(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)]) if name == ADAPTER:
                return
        yield statement


def _parts(statement: ast.stmt, used: set[str]) -> Iterator[ast.stmt]:
    """Yield the functions and methods of a statement at the top that are used, or a used assignment as it is."""
    if isinstance(statement, ast.ClassDef):
        if statement.name in used and statement.name not in NODE_CLASSES:
            yield from (one for one in statement.body if isinstance(one, Function) and _is_used(one.name, used))
    elif isinstance(statement, Function):
        if statement.name in used:
            yield statement
    elif isinstance(statement, ast.Assign) and any(isinstance(t, ast.Name) and t.id in used for t in statement.targets):
        yield statement


def _is_used(name: str, used: set[str]) -> bool:
    return name in used or name.startswith("__")


def _used_names(statements: Sequence[ast.stmt], entry: str, whole: Sequence[ast.stmt]) -> set[str]:
    """Return the names that the function under test leads to, by name alone."""
    adapter = [one for one in whole if one not in set(statements)]
    used = {entry} | {name for one in adapter for name in _names_in(one)}
    known = [*statements, *(m for one in statements if isinstance(one, ast.ClassDef) for m in one.body)]
    defined: dict[str, list[ast.stmt]] = {}
    for one in known:
        for name in _defines(one):
            defined.setdefault(name, []).append(one)
    waiting = list(used)
    while waiting:
        for one in defined.get(waiting.pop(), ()):
            inner = one.body if isinstance(one, ast.ClassDef) else [one]
            special = [m for m in inner if isinstance(m, Function) and m.name.startswith("__")]
            for part in special if isinstance(one, ast.ClassDef) else inner:
                new = set(_names_in(part)) - used
                used |= new
                waiting.extend(new)
    return used


def _defines(statement: ast.stmt) -> list[str]:
    if isinstance(statement, Function | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Assign):
        return [target.id for target in statement.targets if isinstance(target, ast.Name)]
    return []


def _names_in(node: ast.AST) -> Iterator[str]:
    """Yield the names that a statement uses; a function's own parameters hide what is called like them outside."""
    own = {one.arg for one in ast.walk(node.args) if isinstance(one, ast.arg)} if isinstance(node, Function) else set()
    for one in ast.walk(node):
        if isinstance(one, ast.Name) and one.id not in own:
            yield one.id
        elif isinstance(one, ast.Attribute):
            yield one.attr


def _code_of(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes below one, without those of annotations, decorators, defaults, imports and docstrings."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.Global | ast.Nonlocal) or _is_docstring(node):
        return
    yield node
    if isinstance(node, Function):
        below: Sequence[ast.AST] = node.body
    elif isinstance(node, ast.AnnAssign):
        below = [node.value] if node.value else []
    elif isinstance(node, ast.Raise | ast.JoinedStr | ast.Assert):
        below = []
    else:
        below = list(ast.iter_child_nodes(node))
    dead: set[ast.AST] = set()
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, [])
        dead |= _after_the_end(block) if isinstance(block, list) else set()
    for one in below:
        if one not in dead:
            yield from _code_of(one)


def _after_the_end(block: Sequence[ast.stmt]) -> set[ast.AST]:
    """Return the statements of a block that are never reached."""
    ends = [number for number, one in enumerate(block) if isinstance(one, ast.Return | ast.Break | ast.Continue)]
    return set(block[ends[0] + 1 :]) if ends else set()


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
