"""Errors that a person can act on: programs print their one sentence and exit with status 2, without a traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Says what was expected, what was found and what to do."""


class EngineError(RuntimeError):
    """The engine that samples could not answer; says nothing about any candidate."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return ', did you mean X?' for the nearest valid name, or an empty string."""
    found = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.5)
    return f"; did you mean {found[0]!r}?" if found else ""
