"""What names say about a relationship: from 0, nothing, to 1, the child's column is called after the parent."""

from __future__ import annotations

from bootstrap.generate.nl_to_postgres.schema import humanized, singular_of

SUFFIXES = ("identifier", "number", "uuid", "guid", "code", "key", "num", "ref", "id", "no", "nr", "fk")
GENERIC = frozenset({*SUFFIXES, "name", "title", "type", "date", "description", "details", "value", "status", "year"})
SELF = frozenset(
    {"manager", "supervisor", "parent", "boss", "superior", "mentor", "leader", "reportsto", "predecessor"}
)
EXACT, ROLE, SHORT, HINT = 1.0, 0.85, 0.75, 0.2


def glued(name: str) -> str:
    return humanized(name).replace(" ", "")


def parts(name: str) -> tuple[str, str]:
    """Return stem and suffix: "customerid" is customer and id."""
    for suffix in SUFFIXES:
        if name.endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)], suffix
    return ("", name) if name in SUFFIXES else (name, "")


def evidence(child: str, parent_table: str, parent: str) -> float:
    """Return how much the child column's name speaks for the parent; names are without prefixes of their tables."""
    column, key = glued(child), glued(parent)
    owner = glued(singular_of(humanized(parent_table)))
    stem, suffix = parts(column)
    key_stem, key_suffix = parts(key)
    after_owner = _same(stem, owner) and (not suffix or suffix == key_suffix or key in GENERIC or key_stem == owner)
    if (column == key and key not in GENERIC) or (stem and after_owner):
        return EXACT
    if key not in GENERIC and len(key) >= 4 and column.endswith(key):
        return ROLE
    if stem and suffix == key_suffix and len(owner) >= 4 and stem.endswith(owner):
        return ROLE
    if not suffix and len(owner) >= 4 and column.endswith(owner) and (key_suffix or not key_stem):
        return SHORT
    if suffix and suffix == key_suffix and _short_for(stem, owner) and (not key_stem or key_stem == stem):
        return SHORT
    if stem and not suffix and (_same(stem, key_stem) or _same(stem, owner)):
        return SHORT
    return HINT if suffix and (key in SUFFIXES or key_suffix) else 0.0


def self_evidence(child: str) -> float:
    """Return how much a column's name speaks for the key of its own table."""
    stem, suffix = parts(glued(child))
    return SHORT if stem in SELF or (suffix and any(stem.endswith(word) for word in SELF)) else 0.0


def comment_evidence(comment: str, parent_table: str) -> float:
    """Return how much a column's comment speaks for a parent: it names it."""
    words = {singular_of(word) for word in humanized(comment).replace(",", " ").split()}
    return SHORT if singular_of(humanized(parent_table)) in words else 0.0


def is_own_key(column: str, table: str) -> bool:
    """Say whether a column is called like the key of its own table."""
    stem, suffix = parts(glued(column))
    owner = glued(singular_of(humanized(table)))
    return bool(suffix) and (not stem or _same(stem, owner) or _short_for(stem, owner) or owner.endswith(stem))


def _same(stem: str, owner: str) -> bool:
    return bool(stem) and singular_of(stem) == owner


def _short_for(stem: str, owner: str) -> bool:
    """Say whether a stem abbreviates a word: its beginning, or its letters in order from the same first one."""
    if len(stem) < 2 or len(owner) <= len(stem) or stem[0] != owner[0]:
        return False
    if owner.startswith(stem):
        return len(stem) >= 3
    letters = iter(owner)
    return len(stem) >= 3 and len(owner) >= 6 and all(letter in letters for letter in stem)
