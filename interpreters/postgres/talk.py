"""What the PostgreSQL adapter and its runner in the child have agreed on. Loads no driver."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

LOST = "the connection to PostgreSQL was lost: "
"""How the message of a NO_RESULT begins that the runner claims when the server, not the candidate, failed.

SQL cannot make the runner say it: the messages of the server come with other outcomes.
"""
SILENT = "without a word"
"""The rest of that message when the server said nothing, as when the process of the session itself died."""
BEFORE = "before the statement began"
"""The rest of that message when the statement found the session ended."""


@dataclass(frozen=True)
class Context:
    """How the child connects, and what it asks of the server."""

    conninfo: str
    statement_ms: int  # the server's own limit for one statement; the parent's comes first
    result_bytes: int  # of text that one result may have before it is decoded

    def dump(self) -> str:
        return json.dumps(dataclasses.asdict(self))

    @staticmethod
    def load(text: str) -> Context:
        return Context(**json.loads(text))
