"""Names in q: which words the language keeps for itself, and what it can spell."""

from __future__ import annotations

import re

from interpreters.q_subset.keywords import BUILTINS, MISSING

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
MAX_PARAMETERS = 8  # of a lambda
_CONTROL_WORDS = "do if while select exec update delete from by where"
_MORE_WORDS = "aj0 ajf ajf0 csv ijf over prior reciprocal scan ujf wj wj1"
RESERVED = frozenset([
    *(name for name in (*BUILTINS, *MISSING) if NAME.fullmatch(name)), *_CONTROL_WORDS.split(), *_MORE_WORDS.split()
])  # fmt: skip
"""Words that cannot be assigned: control words, and all that KX's reference lists."""

_ROW_NUMBER = "i"  # in a query


def name_refused(name: str, what: str) -> str | None:
    """Return why q cannot have a `what` of this name; None where it can."""
    if not NAME.fullmatch(name):
        return f"q cannot spell {what} called {name!r}: expected a letter, then letters, digits and underscores"
    if name in RESERVED:
        return f"q keeps {name!r} for itself: {what} needs another name"
    return None


def entry_refused(name: str) -> str | None:
    """Return why no function can be called so; None where one can."""
    return name_refused(name, "a function")


def table_refused(name: str) -> str | None:
    return name_refused(name, "a table")


def column_refused(name: str) -> str | None:
    if name == _ROW_NUMBER:
        return "q keeps 'i' for the number of a row: a column needs another name"
    return name_refused(name, "a column")
