"""An engine behind a server: answers from the store first, the rest asked side by side, each kept as it comes.

Requests run in an event loop in a thread of its own; what is finished goes through a queue to the caller. When one
request fails for good no new one is sent, those under way are awaited and kept, and then the error is raised.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bootstrap.config import EngineConfig
from bootstrap.engines.base import Completion, Decoding, Request
from bootstrap.engines.remote.batches import Batches
from bootstrap.engines.remote.budget import AskedLog, Budget, cost_of
from bootstrap.engines.remote.calls import Answer, Call, Dialect, plan_calls
from bootstrap.engines.remote.client import Client
from bootstrap.engines.remote.meter import Meter
from bootstrap.engines.remote.retries import Retries
from bootstrap.engines.remote.side_by_side import SideBySide
from bootstrap.engines.remote.store import AnswerStore
from bootstrap.engines.remote.transport import Server
from bootstrap.errors import UserError
from bootstrap.records import digest

Answered = tuple[Call, Answer]


class RemoteEngine:
    """The engine of one provider, whose form of requests is `dialect`.

    `content` is a digest of the model where it may change behind its name; `ended` says how the server has ended, where
    that is known, so that nobody waits for it.
    """

    def __init__(
        self, model: str, config: EngineConfig, dialect: Dialect, content: str = "",
        ended: Callable[[], str | None] = lambda: None,
    ) -> None:  # fmt: skip
        if not config.store:
            raise UserError(f"engine.name is {dialect.name}: set engine.store to the JSONL that is to keep its answers")
        if config.batch and not dialect.batch_path:
            raise UserError(f"engine.batch: not there for {dialect.name}; set it to false, or use the engine openai")
        self.name, self.model, self.config, self.dialect = dialect.name, model, config, dialect
        self.content = content
        self.server = Server(dialect, config, ended)
        self.model_digest = content or digest(dialect.name, self.server.url, model)
        self.store = AnswerStore(Path(config.store))
        limited = config.budget_usd or config.budget_tokens
        self.log = AskedLog(Path(f"{config.store}.asked.jsonl")) if limited else None
        self.budget = Budget(config, model, self.store.spent, self.log)
        retries = Retries(config)
        self.client = Client(dialect, config, self.server, retries, self.budget)
        self.meter = Meter(dialect.name, self.budget, retries)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=dialect.name, daemon=True)
        self._thread.start()

    @property
    def busy_seconds(self) -> float:
        return self.meter.busy_seconds

    def generate(self, requests: Sequence[Request], decoding: Decoding) -> Iterator[Completion]:
        unanswered: list[Call] = []
        for call in plan_calls(requests, decoding, self.dialect, self.model, self.config, self.content):
            known = self.store.get(call.key)
            if known is None:
                unanswered.append(call)
                continue
            self.store.serve(call, known)
            self.meter.kept += 1
            yield from known.completions(call.owners)
        if unanswered:
            yield from self._ask(unanswered)

    def _ask(self, calls: Sequence[Call]) -> Iterator[Completion]:
        answered: queue.SimpleQueue[Answered | None] = queue.SimpleQueue()
        self.meter.start()
        future = asyncio.run_coroutine_threadsafe(self._answer(calls, answered), self._loop)
        future.add_done_callback(lambda _: answered.put(None))
        try:
            while (item := answered.get()) is not None:
                call, answer = item
                yield from answer.completions(call.owners)
            future.result()
        finally:
            future.cancel()

    async def _answer(self, calls: Sequence[Call], answered: queue.SimpleQueue[Answered | None]) -> None:
        started = time.monotonic()

        def keep(call: Call, answer: Answer) -> None:
            used = answer.usage or call.worst
            self.store.add(call, answer, cost_of(used, self.budget.price))
            self.meter.answered(used)
            answered.put((call, answer))

        try:
            if self.config.batch:
                await Batches(self.client, Path(f"{self.store.path}.batches.jsonl")).run(calls, keep)
            else:
                await SideBySide(self.client, calls, keep).run()
        finally:
            self.meter.busy_seconds += time.monotonic() - started
            self.store.sync()

    def close(self) -> None:
        if self._loop.is_closed():
            return
        asyncio.run_coroutine_threadsafe(self.server.close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.store.close()
        if self.log:
            self.log.close()
        self.meter.show()
