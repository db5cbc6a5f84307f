"""The provider's batch service: upload, create, look from time to time, download, join by custom_id.

Rows that failed go into a following batch. A program that is killed goes on with the same batch when it starts again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from bootstrap.engines.remote.batch_state import BatchState, Intent
from bootstrap.engines.remote.calls import Call, Usage
from bootstrap.engines.remote.client import Client, Keep
from bootstrap.engines.remote.retries import TemporaryError
from bootstrap.engines.remote.transport import as_object, said_by
from bootstrap.errors import EngineError

ENDED = ("completed", "failed", "expired", "cancelled")
TOKEN_KEY = "bootstrap_intent"  # in the batch's metadata
LONGEST_WAIT = 300.0
GROWTH = 1.5
PAGE = 100

Batch = dict[str, Any]
Settle = Callable[[Call, Usage], None]
T = TypeVar("T")


class Batches:
    """The batches of one call of the engine, under way at the same time."""

    def __init__(self, client: Client, state: Path) -> None:
        self.client = client
        self.state = BatchState(state)
        self.running = 0
        self.settled = asyncio.Event()
        self._files: dict[str, str] = {}  # token -> uploaded file

    async def run(self, calls: Sequence[Call], keep: Keep) -> None:
        """Hand every answer to `keep`. Raises the first error that a further batch would not mend."""
        left = {call.key: call for call in calls}
        lots: list[tuple[Intent | None, list[Call]]] = []
        for intent in self.state.for_keys(left):
            lots.append((intent, [left.pop(key) for key in intent.keys if key in left]))
        rest, most = list(left.values()), self.client.config.batch_requests
        lots += [(None, rest[start : start + most]) for start in range(0, len(rest), most)]
        tasks = [asyncio.create_task(self._answer_lot(intent, lot, keep)) for intent, lot in lots if lot]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def _answer_lot(self, intent: Intent | None, calls: Sequence[Call], keep: Keep) -> None:
        left = {call.key: call for call in calls}
        barren, reason = 0, ""
        while left:
            if intent is None:
                intent = self.state.begin(call.key for call in await self._make_room(list(left.values())))
            sent = [left[key] for key in intent.keys if key in left]
            before = len(left)
            reason = await self._one_batch(intent, sent, left, keep) or reason
            intent = None
            barren = 0 if len(left) < before else barren + 1
            if barren > self.client.config.retries:
                raise EngineError(
                    f"{self.client.server.name}: {len(left)} requests have no answer after {barren} further batches; "
                    f"the last failure: {reason}. All answers so far are kept: start again later"
                )

    async def _make_room(self, calls: Sequence[Call]) -> list[Call]:
        """Return the first requests that fit into the budget together. Raises BudgetReachedError where none will."""
        budget = self.client.budget
        while not budget.fits(calls[0].worst):
            if not self.running:
                raise budget.reached(calls[0].worst)
            self.settled.clear()
            await self.settled.wait()
        fitting, total = [], Usage()
        for call in calls:
            total += call.worst
            if not budget.fits(total):
                break
            fitting.append(call)
        return fitting

    async def _one_batch(self, intent: Intent, sent: Sequence[Call], left: dict[str, Call], keep: Keep) -> str:
        """Take from `left` what one batch answers. Returns the last reason for a row that it does not."""
        budget, server = self.client.budget, self.client.server
        reserved = {call.key: call.worst for call in sent}
        for worst in reserved.values():
            budget.reserve(worst)
        self.running += 1

        def settle(call: Call, used: Usage) -> None:
            budget.settle(reserved.pop(call.key), used)
            del left[call.key]

        try:
            batch = await self._retried(lambda: self._found_or_made(intent, sent), "the making of a batch")
            batch = await self._ended(batch)
            rows = [row for name in ("output_file_id", "error_file_id") for row in await self._rows(batch.get(name))]
            reason, fatal = self._take(rows, {call.key: call for call in sent}, settle, keep)
        finally:
            self.running -= 1
            for worst in reserved.values():
                budget.settle(worst, Usage())
            self.settled.set()
        self.state.done(intent, batch["status"])
        if fatal:
            raise EngineError(f"{server.name} refused {fatal}: change the setting that it names, or use engine.omit")
        if batch["status"] in ("failed", "cancelled"):
            raise EngineError(f"{server.name}: batch {batch['id']} {ending(batch)}")
        return reason or f"batch {batch['id']} {batch['status']}"

    def _take(self, rows: Iterable[Batch], sent: dict[str, Call], settle: Settle, keep: Keep) -> tuple[str, str]:
        """Keep the answers among the rows; return the last reason to ask again, and the first not to."""
        reason = fatal = ""
        for row in rows:
            call = sent.pop(str(row.get("custom_id")), None)
            if call is None:  # kept before a kill
                continue
            response = row.get("response") or {}
            status, body = response.get("status_code"), response.get("body")
            try:
                if status != 200 or not isinstance(body, dict):
                    said, _ = said_by(json.dumps(body or row).encode())
                    raise TemporaryError(f"status {status}: {said}", refused=True)
                answer = self.client.read(body)
            except TemporaryError as e:
                reason = f"{call.name}: {e}"
                if isinstance(status, int) and 400 <= status < 500 and status not in (408, 429):
                    fatal = fatal or reason
                continue
            keep(call, answer)
            settle(call, answer.usage or call.worst)
        return reason, fatal

    async def _found_or_made(self, intent: Intent, calls: Sequence[Call]) -> Batch:
        """Return the intent's batch; one attempt. A batch that was made unheard is found before another is made."""
        server = self.client.server
        if intent.batch_id:
            return await server.get(f"/batches/{intent.batch_id}")
        batch = await self._find(intent.token)
        if batch is None:
            if intent.token not in self._files:
                self._files[intent.token] = await self._upload(intent, calls)
            batch = await server.post("/batches", {
                "input_file_id": self._files[intent.token], "endpoint": self.client.dialect.batch_path,
                "completion_window": "24h", "metadata": {TOKEN_KEY: intent.token},
            })  # fmt: skip
        self.state.made(intent, field(batch, "id"))
        print(f"{server.name}: batch {batch['id']} with {len(calls):,} requests", flush=True)
        return batch

    async def _find(self, token: str) -> Batch | None:
        after = ""
        while True:
            page = await self.client.server.get(f"/batches?limit={PAGE}{after}")
            found = page.get("data") or []
            for batch in found:
                if (batch.get("metadata") or {}).get(TOKEN_KEY) == token:
                    return dict(batch)
            if not page.get("has_more") or not found:
                return None
            after = f"&after={found[-1]['id']}"

    async def _upload(self, intent: Intent, calls: Sequence[Call]) -> str:
        path = self.client.dialect.batch_path
        lines = [{"custom_id": call.key, "method": "POST", "url": path, "body": dict(call.body)} for call in calls]
        content = "".join(json.dumps(line) + "\n" for line in lines).encode()
        answer = await self.client.server.send(
            "POST", "/files", form={"purpose": "batch"},
            files={"file": (f"{intent.token}.jsonl", content, "application/jsonl")},
        )  # fmt: skip
        return field(as_object(answer, "/files"), "id")

    async def _ended(self, batch: Batch) -> Batch:
        """Return the batch when it has ended; looks at it in growing intervals."""
        wait, shown = self.client.config.batch_poll_seconds, ""
        identity = field(batch, "id")
        while field(batch, "status") not in ENDED:
            await asyncio.sleep(wait)
            wait = min(wait * GROWTH, LONGEST_WAIT)
            batch = await self._retried(lambda: self.client.server.get(f"/batches/{identity}"), f"batch {identity}")
            counts = batch.get("request_counts") or {}
            line = f"{batch.get('status')}, {counts.get('completed', 0)}/{counts.get('total', '?')} requests"
            if line != shown:
                print(f"{self.client.server.name}: batch {identity}: {line}", flush=True)
                shown = line
        return batch

    async def _rows(self, file_id: str | None) -> list[Batch]:
        """Return the rows of one of a batch's files."""
        if not file_id:
            return []

        async def attempt() -> list[Batch]:
            path = f"/files/{file_id}/content"
            content = await self.client.server.send("GET", path)
            return [as_object(line, path) for line in content.split(b"\n") if line.strip()]

        return await self._retried(attempt, f"file {file_id}")

    async def _retried(self, attempt: Callable[[], Awaitable[T]], what: str) -> T:
        return await self.client.retries.run(attempt, what, self.client.server.name)


def field(row: Batch, name: str) -> str:
    """Return a text of an answer. Raises TemporaryError where it is not there."""
    found = row.get(name)
    if not isinstance(found, str):
        raise TemporaryError(f"an answer without {name}: {str(row)[:200]}", refused=True)
    return found


def ending(batch: Batch) -> str:
    """Return what became of a batch that was not carried out, and what to do."""
    if batch["status"] == "cancelled":
        return "was cancelled. What it had answered is kept: start again to send the rest"
    errors = (batch.get("errors") or {}).get("data") or [{}]
    return f"failed: {errors[0].get('message', 'no reason given')}. Mend that, or lower engine.batch_requests"
