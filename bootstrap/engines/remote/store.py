"""The store: every request with its answer, one line of JSON each, so that nothing is asked or paid twice.

A line is written and flushed as the answer comes, so a killed program finds it; at the end of a call of the engine the
file is synced to disk. The lines are a script for the engine scripted too. One program at a time may have a store open.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bootstrap.engines.remote.calls import Answer, Call, Owner, Usage
from bootstrap.errors import UserError
from bootstrap.files import disk_error

log = logging.getLogger(__name__)


class AnswerStore:
    """Answers by key. `spent` is what the answers so far took, by model."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.spent: dict[str, Usage] = {}
        self._answers: dict[str, Answer] = {}
        self._served: set[tuple[str, Owner]] = set()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(path, "a+b")  # noqa: SIM115 - open as long as the engine
        except OSError as e:
            raise disk_error(path, e) from e
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as e:
            self._file.close()
            raise UserError(f"engine.store: another program has {path} open: wait for it, or name another file") from e
        for row in mended_rows(path):
            self._take(row)

    def get(self, key: str) -> Answer | None:
        return self._answers.get(key)

    def serve(self, call: Call, answer: Answer) -> None:
        """Note for whom an answer from the store was used, where that is new, so that a replay finds it."""
        for owner in call.owners:
            if (call.key, owner) not in self._served:
                self._write(call.key, owner, answer, Usage(), {"repeats": True})
        self._flush()

    def add(self, call: Call, answer: Answer, cost: float) -> None:
        """Write an answer that has just come; its first line holds the request, the response and the cost."""
        self._answers[call.key] = Answer(answer.text, answer.complete, answer.finish_reason, answer.usage, {})
        used = answer.usage or call.worst
        model = str(call.body["model"])
        self.spent[model] = self.spent.get(model, Usage()) + used
        whole = {"model": model, "cost_usd": cost, "request": call.body, "response": answer.response}
        for number, owner in enumerate(call.owners):
            first = number == 0
            self._write(call.key, owner, answer, used if first else Usage(), whole if first else {"repeats": True})
        self._flush()

    def _write(self, key: str, owner: Owner, answer: Answer, used: Usage, more: Mapping[str, Any]) -> None:
        row = {
            "key": key, "problem_id": owner.problem_id, "sample_index": owner.sample_index, "tag": owner.tag,
            "completion": answer.text, "complete": answer.complete, "finish_reason": answer.finish_reason,
            "tokens": answer.usage.output if answer.usage else None,
            "usage": [used.input, used.output, used.cached], **more,
        }  # fmt: skip
        try:
            self._file.write(json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
        except OSError as e:
            raise disk_error(self.path, e) from e
        self._served.add((key, owner))

    def _flush(self) -> None:
        try:
            self._file.flush()
        except OSError as e:
            raise disk_error(self.path, e) from e

    def _take(self, row: Mapping[str, Any]) -> None:
        try:
            key, used = row["key"], Usage(*row["usage"])
            tokens = row["tokens"]
            usage = None if tokens is None else Usage(used.input, tokens, used.cached)
            self._answers[key] = Answer(row["completion"], row["complete"], row["finish_reason"], usage, {})
            self._served.add((key, Owner(row["problem_id"], row["sample_index"], row["tag"])))
        except (KeyError, TypeError) as e:
            raise UserError(
                f"{self.path}: expected lines of an engine's store, found one with missing or bad {e}: "
                "name another file in engine.store"
            ) from e
        if "model" in row:
            self.spent[row["model"]] = self.spent.get(row["model"], Usage()) + used

    def sync(self) -> None:
        try:
            os.fsync(self._file.fileno())
        except OSError as e:
            raise disk_error(self.path, e) from e

    def close(self) -> None:
        self._file.close()


def mended_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a JSONL file without holding all of them; a torn last line is cut off with a warning."""
    good = 0
    with open(path, "r+b") as file:
        for number, line in enumerate(file, 1):
            row = parsed(line)
            if row is None:
                if file.read(1):
                    raise UserError(f"{path}, line {number}: expected a JSON object, found {line[:60]!r}: take it out")
                log.warning("%s: line %d is torn and is dropped; its request is made again", path, number)
                file.truncate(good)
                return
            good += len(line)
            yield row


def parsed(line: bytes) -> dict[str, Any] | None:
    """Return the object in a line, or None where the line is torn or something else."""
    try:
        row = json.loads(line.decode("utf-8", "surrogatepass")) if line.endswith(b"\n") else None
    except ValueError:
        return None
    return row if isinstance(row, dict) else None
