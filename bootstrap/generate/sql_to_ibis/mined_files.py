"""Files that may hold SQL, and the queries in them: SQL files, strings in Python, doctests, fenced blocks, notebooks.

Where a snapshot of Ibis code lies beside a query (`decompiled.py` in the folder of an `out.sql`, or in the snapshot
folder of the test function that holds the SQL), it comes along.
"""

from __future__ import annotations

import ast
import doctest
import json
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = (".sql", ".py", ".md", ".qmd", ".rst", ".txt", ".ipynb")
LARGEST = 2_000_000  # bytes of a file
_QUERY = re.compile(r"\s*(?:--[^\n]*\n\s*)*\(?\s*(?:SELECT|WITH)\s", re.IGNORECASE)
_FENCE = re.compile(r"^[ \t]*(?:```+|~~~+)[ \t]*\{?\.?(\w+)[^\n]*\n(.*?)^[ \t]*(?:```+|~~~+)[ \t]*$", re.M | re.S)
_SKIPPED = {"__pycache__", ".git", "node_modules"}
SNAPSHOT = "decompiled.py"


@dataclass(frozen=True)
class FoundQuery:
    """A text that starts like a query. `kind`: what it was found in. `ibis`: Ibis code that may belong to it.
    `dialects`: those to read it in; none where nothing says which."""

    kind: str
    sql: str
    ibis: tuple[str, ...] = ()
    dialects: tuple[str, ...] = ()


class UnreadableError(ValueError):
    """A file that cannot be read as what its name says."""


def files_of(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder that may hold queries, in order."""
    for path in sorted(folder.rglob("*")):
        if path.suffix in SUFFIXES and not _SKIPPED & set(path.parts) and path.is_file():
            yield path


def queries_of(path: Path) -> list[FoundQuery]:
    """Return the queries of a file, each text once. Raises UnreadableError."""
    if path.stat().st_size > LARGEST:
        raise UnreadableError(f"it is larger than {LARGEST:,} bytes")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableError("it is not UTF-8") from error
    found: dict[str, FoundQuery] = {}
    for query in _found(path, text):
        key = " ".join(query.sql.split())
        if key not in found or (query.ibis and not found[key].ibis):
            found[key] = query
    return list(found.values())


def _found(path: Path, text: str) -> Iterator[FoundQuery]:
    if path.suffix == ".sql":
        beside = _snapshots(path.parent)
        if _QUERY.match(text):
            yield FoundQuery("sql file", text, beside)
    elif path.suffix == ".py":
        yield from _in_python(text, path)
    elif path.suffix == ".ipynb":
        yield from _in_notebook(text)
    else:
        yield from _in_blocks(text)


def _snapshots(folder: Path) -> tuple[str, ...]:
    """Return the Ibis code that was kept as the snapshots of a test."""
    if not folder.is_dir():
        return ()
    return tuple(path.read_text(encoding="utf-8") for path in sorted(folder.rglob(SNAPSHOT)))


def _in_python(text: str, path: Path | None) -> Iterator[FoundQuery]:
    """Yield queries among the strings of Python code, those in its doctests and blocks of docstrings included."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # of escapes in somebody's strings
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise UnreadableError("it is not Python") from error
    owner = _owners(tree)
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    constants = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in parts]
    for node in sorted(constants, key=lambda one: (one.lineno, one.col_offset)):
        if not isinstance(node.value, str):
            continue
        if _QUERY.match(node.value):
            folder = path.parent / "snapshots" / path.stem / owner[id(node)] if path and id(node) in owner else None
            yield FoundQuery("string in Python", node.value, _snapshots(folder) if folder else ())
        elif ">>> " in node.value:
            yield from _in_doctests(node.value)
        elif "```" in node.value:
            yield from _in_blocks(node.value)


def _owners(tree: ast.Module) -> dict[int, str]:
    """Return id of node -> name of the test function that it is in."""
    return {
        id(node): function.name
        for function in tree.body
        if isinstance(function, ast.FunctionDef) and function.name.startswith("test")
        for node in ast.walk(function)
    }


def _in_doctests(text: str) -> Iterator[FoundQuery]:
    try:
        examples = doctest.DocTestParser().get_examples(text)
    except ValueError:
        return  # no doctest after all: its indentation is not one
    for example in examples:
        yield from _of_kind("doctest", example.source)


def _in_blocks(text: str) -> Iterator[FoundQuery]:
    for language, body in _FENCE.findall(text):
        if language.lower() in ("sql", "duckdb", "postgres", "postgresql", "sqlite", "mysql", "bigquery", "snowflake"):
            for statement in body.split(";"):
                if _QUERY.match(statement):
                    yield FoundQuery("code block", statement.strip())
        elif language.lower() in ("python", "py", "python3", "pycon"):
            yield from _in_doctests(body) if ">>> " in body else _of_kind("code block", body)


def _of_kind(kind: str, source: str) -> Iterator[FoundQuery]:
    try:
        for found in _in_python(source, None):
            yield FoundQuery(kind, found.sql)
    except UnreadableError:
        return  # a fragment with an ellipsis or a prompt: no code


def _in_notebook(text: str) -> Iterator[FoundQuery]:
    try:
        cells = json.loads(text)["cells"]
        sources = [(str(cell["cell_type"]), "".join(cell["source"])) for cell in cells]
    except (ValueError, KeyError, TypeError) as error:
        raise UnreadableError("it is no notebook") from error
    for kind, source in sources:
        if kind == "markdown":
            yield from _in_blocks(source)
        elif source.lstrip().startswith("%%sql"):
            body = source.lstrip().partition("\n")[2]
            if _QUERY.match(body):
                yield FoundQuery("notebook", body)
        elif kind == "code":
            lines = [line for line in source.splitlines() if not line.lstrip().startswith(("%", "!"))]
            yield from _of_kind("notebook", "\n".join(lines))
