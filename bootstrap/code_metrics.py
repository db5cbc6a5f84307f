"""What code is made of, by its syntax tree: its constructs, its size, and which of many codes are near-duplicates."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from bootstrap.similarity import DIALECTS, code_grams, code_tokens, family_of, similar_pairs

NEAR = 0.9  # Jaccard similarity of syntax trees from which two codes count as near-duplicates


def constructs(code: str, language: str) -> list[str]:
    """Return the constructs that code uses, each once: clauses and functions of SQL, statements and methods of Python.

    Code that cannot be parsed, or whose language has no parser here, has none.
    """
    family = family_of(language)
    if family == "python":
        return _python_constructs(code)
    return _sql_constructs(code, DIALECTS.get(language)) if family == "sql" else []


def _python_constructs(code: str) -> list[str]:
    try:
        tree = ast.parse(code.strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            found.add(f".{node.func.attr}()")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            found.add(f"{node.func.id}()")
        elif isinstance(node, ast.stmt | ast.comprehension | ast.Lambda | ast.IfExp | ast.operator | ast.cmpop):
            found.add(type(node).__name__)
    return sorted(found)


def _sql_constructs(code: str, dialect: str | None) -> list[str]:
    import sqlglot

    try:
        tree = sqlglot.parse_one(code, read=dialect)
    except (sqlglot.errors.SqlglotError, RecursionError):
        return []
    plain = ("Identifier", "Column", "Table", "TableAlias", "Literal", "Alias", "From")
    return sorted({name for node in tree.walk() if (name := type(node).__name__) not in plain})


def size_of(code: str, language: str) -> int:
    """Return the number of nodes of the syntax tree, or of tokens."""
    return len(code_tokens(code, language))


def near_duplicate_of(codes: Sequence[tuple[str, str]]) -> Mapping[int, int]:
    """Return position -> position of the first earlier code that it is nearly the same as; codes are (language, code).

    Equal codes count too. Only codes of one family of languages are compared.
    """
    found: dict[int, int] = {}
    for family in sorted({family_of(language) for language, _ in codes}):
        members = [i for i, (language, _) in enumerate(codes) if family_of(language) == family]
        first: dict[frozenset[object], int] = {}
        for i in members:
            one = code_grams(codes[i][1], codes[i][0])
            if one in first:
                found[i] = first[one]
            else:
                first[one] = i
        distinct = list(first)
        for left, right, _ in similar_pairs(distinct, NEAR):
            earlier, later = sorted((first[distinct[left]], first[distinct[right]]))
            found[later] = min(found.get(later, earlier), earlier)
    return found
