"""Names in code: how a table or a column is written in SQL and in Ibis, whatever characters it has."""

from __future__ import annotations

import functools
import json
import keyword
import re

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")


@functools.cache
def _reserved() -> frozenset[str]:
    """Return what DuckDB does not take as a bare name."""
    import duckdb

    found = duckdb.connect(":memory:").execute(
        "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'"
    )
    return frozenset(name for (name,) in found.fetchall())


@functools.cache
def _methods() -> frozenset[str]:
    """Return what `_.name` means on a table without being a column."""
    from ibis.expr.types import Table

    return frozenset(dir(Table))


def sql_name(name: str) -> str:
    """Return a name as SQL has it, quoted where it must be."""
    if _PLAIN.fullmatch(name) and name not in _reserved():
        return name
    return '"' + name.replace('"', '""') + '"'


def is_python_name(name: str) -> bool:
    """Say whether a table of this name can be a variable."""
    return name.isidentifier() and not keyword.iskeyword(name) and name not in ("ibis", "_", "s", "df", "result")


def member(name: str) -> str:
    """Return what follows an owner to name one of its columns: `.price`, or `["unit price"]`."""
    if name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("_") and name not in _methods():
        return f".{name}"
    return f"[{text(name)}]"


def text(value: str) -> str:
    """Return a Python string."""
    return json.dumps(value, ensure_ascii=False)


def slug(name: str) -> str:
    """Return the part that a column's name gives to the name of a result."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "value"
