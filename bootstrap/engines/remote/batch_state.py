"""Which batches were begun, with which requests, and which are done: one JSONL beside the store.

The line of an intent is on disk before its batch is made, and its token goes into the batch's metadata: after a kill at
any moment the batch is found again by the token, or it was never made.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bootstrap.errors import UserError
from bootstrap.files import append_jsonl, read_jsonl


@dataclass(frozen=True)
class Intent:
    token: str
    keys: tuple[str, ...]
    batch_id: str | None = None


class BatchState:
    """The intents that are not done, in the order in which they were begun."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.intents: dict[str, Intent] = {}
        for row in read_jsonl(path, mend=True):
            self._take(row)

    def _take(self, row: dict[str, object]) -> None:
        token, keys, batch_id = row.get("intent"), row.get("keys"), row.get("batch")
        if isinstance(token, str) and isinstance(keys, list):
            self.intents[token] = Intent(token, tuple(str(key) for key in keys))
        elif isinstance(token, str) and isinstance(batch_id, str) and token in self.intents:
            self.intents[token] = Intent(token, self.intents[token].keys, batch_id)
        elif isinstance(token, str) and "done" in row:
            self.intents.pop(token, None)
        else:
            raise UserError(f"{self.path}: expected lines about batches, found {str(row)[:80]}: take the line out")

    def begin(self, keys: Iterable[str]) -> Intent:
        intent = Intent(uuid.uuid4().hex, tuple(keys))
        self._note({"intent": intent.token, "keys": list(intent.keys)})
        return intent

    def made(self, intent: Intent, batch_id: str) -> None:
        self._note({"intent": intent.token, "batch": batch_id})

    def done(self, intent: Intent, how: str) -> None:
        self._note({"intent": intent.token, "done": how})

    def _note(self, row: dict[str, object]) -> None:
        append_jsonl(self.path, [row])
        self._take(row)

    def for_keys(self, wanted: Iterable[str]) -> Sequence[Intent]:
        """Return the intents under way that hold a wanted request."""
        keys = set(wanted)
        return [intent for intent in self.intents.values() if keys.intersection(intent.keys)]
