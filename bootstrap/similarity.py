"""Near-duplicates: sets of n-grams over words or over syntax trees, and an exact join of all that are alike.

Two texts are compared by the Jaccard similarity of their word n-grams (n = 1, 2, 3, in lower case, without
punctuation); two codes by that of the n-grams of their syntax trees, in which layout, comments and the names of local
variables do not count. The join is exact: an inverted index over the rarest n-grams of each set finds every pair at
or above the threshold.
"""

from __future__ import annotations

import ast
import math
import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

WORD_GRAMS = (1, 2, 3)
TREE_GRAMS = (1, 2, 3)
FAMILIES = {
    "polars": "python", "ibis": "python", "python": "python",
    "duckdb": "sql", "postgres": "sql", "sqlite": "sql", "sql": "sql",
}  # fmt: skip
"""Language -> languages whose trees can be compared with it; any other is compared with itself, token by token."""

DIALECTS = {"duckdb": "duckdb", "postgres": "postgres", "sqlite": "sqlite"}
WORD = re.compile(r"\w+")
TOKEN = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|\w+(?:\.\w+)*|\S")

Grams = frozenset[Hashable]


def family_of(language: str) -> str:
    return FAMILIES.get(language, language)


def grams(tokens: Sequence[Hashable], sizes: Sequence[int]) -> Grams:
    """Return the n-grams of these sizes; of a shorter sequence the sequence itself is one."""
    found: set[Hashable] = {tuple(tokens[i : i + n]) for n in sizes for i in range(len(tokens) - n + 1)}
    return frozenset(found | {tuple(tokens)}) if tokens else frozenset()


def text_grams(text: str) -> Grams:
    return grams(WORD.findall(text.casefold()), WORD_GRAMS)


def code_grams(code: str, language: str) -> Grams:
    return grams(code_tokens(code, language), TREE_GRAMS)


# -- trees as tokens ----------------------------------------------------------------------------------------------


def code_tokens(code: str, language: str) -> list[str]:
    """Return the nodes of the syntax tree in order of reading; the plain tokens of code that cannot be parsed."""
    family = family_of(language)
    found = None
    if family == "python":
        found = _python_tokens(code)
    elif family == "sql":
        found = _sql_tokens(code, DIALECTS.get(language))
    return found if found is not None else TOKEN.findall(code.lower())


def _python_tokens(code: str) -> list[str] | None:
    try:
        tree = ast.parse(code.strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    _without_docstrings(tree)
    renamed = {name: f"v{i}" for i, name in enumerate(dict.fromkeys(_bound_names(tree)))}
    return [token for node in _in_order(tree) for token in _python_token(node, renamed)]


def _without_docstrings(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and len(body) > 1 and _is_text(body[0]):
            del body[0]


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _bound_names(tree: ast.AST) -> Iterator[str]:
    """Yield what the code itself names, in order: functions, parameters, variables."""
    for node in _in_order(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _in_order(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes in the order of reading, without recursion: a chain may be deep."""
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.expr_context):
            continue
        yield node
        stack.extend(reversed(list(ast.iter_child_nodes(node))))


def _python_token(node: ast.AST, renamed: dict[str, str]) -> Iterator[str]:
    yield type(node).__name__
    for field in ("id", "arg", "attr", "name"):
        value = getattr(node, field, None)
        if isinstance(value, str):
            yield renamed.get(value, value)
    if isinstance(node, ast.Constant):
        yield repr(node.value)


def _sql_tokens(code: str, dialect: str | None) -> list[str] | None:
    import sqlglot

    try:
        tree = sqlglot.parse_one(code, read=dialect)
    except (sqlglot.errors.SqlglotError, RecursionError):
        return None
    return [token for node in tree.dfs() for token in _sql_token(node)]


def _sql_token(node: Any) -> Iterator[str]:
    name = type(node).__name__
    if name == "Identifier":
        yield node.name.lower()
    elif name == "Literal":
        yield repr(node.this)
    elif name not in ("Column", "Table", "TableAlias"):  # wrappers of what follows
        yield name


# -- the join -----------------------------------------------------------------------------------------------------


def jaccard(left: Grams, right: Grams) -> float:
    both = len(left & right)
    return both / (len(left) + len(right) - both) if both else 0.0


def similar_pairs(sets: Sequence[Grams], threshold: float) -> list[tuple[int, int, float]]:
    """Return every pair of positions with a Jaccard similarity of at least `threshold` (above 0); empty sets have none.

    Two sets that are alike share at least one of their rarest members: of the first
    `size - ceil(threshold * size) + 1` in one order for all. Only those are indexed.
    """
    ranked = _ranked(sets)
    index: dict[int, list[int]] = defaultdict(list)
    found: list[tuple[int, int, float]] = []
    for position in sorted(range(len(sets)), key=lambda i: (len(sets[i]), i)):
        members = ranked[position]
        size = len(members)
        candidates: set[int] = set()
        for member in members[: size - math.ceil(threshold * size - 1e-9) + 1]:
            candidates.update(index[member])
            index[member].append(position)
        for other in candidates:
            if len(sets[other]) >= threshold * size - 1e-9:
                similarity = jaccard(sets[position], sets[other])
                if similarity >= threshold - 1e-9:
                    found.append((min(position, other), max(position, other), similarity))
    return sorted(found)


def _ranked(sets: Sequence[Grams]) -> list[list[int]]:
    """Return each set as the ranks of its members, rarest first."""
    counts = Counter(member for one in sets for member in one)
    rank = {member: i for i, member in enumerate(sorted(counts, key=lambda m: (counts[m], repr(m))))}
    return [sorted(rank[member] for member in one) for one in sets]
