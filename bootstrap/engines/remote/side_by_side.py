"""Ask every request by itself, so many at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from functools import partial

from bootstrap.engines.remote.calls import Call, Usage
from bootstrap.engines.remote.client import Client, Keep
from bootstrap.engines.remote.retries import TemporaryError
from bootstrap.errors import EngineError, UserError


class SideBySide:
    """One round of requests. After a failure those on the wire are awaited, those between two attempts are not."""

    def __init__(self, client: Client, calls: Sequence[Call], keep: Keep) -> None:
        self.client, self.keep = client, keep
        self.waiting = deque(calls)
        self.failure: Exception | None = None
        self.tasks: list[asyncio.Task[None]] = []
        self.sending: set[asyncio.Task[None] | None] = set()
        self.settled = asyncio.Event()
        self.door = asyncio.Lock()

    async def run(self) -> None:
        """Hand every answer to `keep`. Raises the first error that no retry mends, BudgetReachedError among them."""
        count = min(self.client.config.concurrency, len(self.waiting))
        self.tasks = [asyncio.create_task(self._work()) for _ in range(count)]
        try:
            await asyncio.gather(*self.tasks, return_exceptions=True)
        finally:
            for task in self.tasks:
                task.cancel()
        if self.failure:
            raise self.failure

    async def _work(self) -> None:
        while self.waiting and not self.failure:
            call = self.waiting.popleft()
            try:
                await self.client.retries.run(partial(self._attempt, call), call.name, self.client.server.name)
            except Exception as e:  # raised by `run`, when the others have ended
                self._stop(e)

    def _stop(self, failure: Exception) -> None:
        if self.failure is None:
            self.failure = failure
            for task in self.tasks:
                if task not in self.sending and task is not asyncio.current_task():
                    task.cancel()

    async def _attempt(self, call: Call) -> None:
        budget, task = self.client.budget, asyncio.current_task()
        async with self.door:  # in turn, so that none waits for ever
            await self._make_room(call)
            budget.reserve(call.worst, call.key)
        self.sending.add(task)
        used: Usage | None = None  # not known: it may be billed
        try:
            answer = self.client.read(await self.client.server.post(self.client.dialect.path, call.body))
            used = answer.usage or call.worst
            self.keep(call, answer)
        except TemporaryError as e:
            used = Usage() if e.refused else None
            if self.failure:
                raise EngineError("not asked again: another request has failed") from e
            raise
        except (EngineError, UserError):
            used = used or Usage()
            raise
        finally:
            budget.settle(call.worst, used, call.key)
            self.sending.discard(task)
            self.settled.set()

    async def _make_room(self, call: Call) -> None:
        """Wait until the request's worst case fits into the budget. Raises BudgetReachedError where it never will."""
        while not self.client.budget.fits(call.worst):
            if not self.sending:
                raise self.client.budget.reached(call.worst)
            self.settled.clear()
            await self.settled.wait()
