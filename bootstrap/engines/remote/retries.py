"""Bounded retries with exponential backoff and full jitter."""

from __future__ import annotations

import asyncio
import email.utils
import logging
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC
from typing import TypeVar

from bootstrap.config import EngineConfig
from bootstrap.errors import EngineError

LONGEST_BACKOFF = 60.0
LONGEST_RETRY_AFTER = 900.0
"""Seconds; a server that asks for more is not waited for."""

T = TypeVar("T")
log = logging.getLogger(__name__)


class TemporaryError(Exception):
    """What may go well the next time. `refused`: the server took no work, so nothing is billed."""

    def __init__(self, reason: str, *, refused: bool, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.refused, self.retry_after = refused, retry_after


class Retries:
    """The waits between attempts. A Retry-After holds back all requests, not only the one that was told."""

    def __init__(self, config: EngineConfig) -> None:
        self.most, self.first = config.retries, config.backoff_seconds
        self.not_before = 0.0
        self.count = 0
        self._random = random.Random()  # only waits depend on it

    async def run(self, attempt: Callable[[], Awaitable[T]], what: str, server: str) -> T:
        """Return what an attempt returns. Raises EngineError after the last one, and at once for other errors."""
        number = 0
        while True:
            while (wait := self.not_before - time.monotonic()) > 0:
                await asyncio.sleep(wait + self._random.uniform(0, min(1.0, self.first)))
            try:
                return await attempt()
            except TemporaryError as e:
                number += 1
                if number > self.most or (e.retry_after or 0) > LONGEST_RETRY_AFTER:
                    raise EngineError(
                        f"{server}: no answer to {what} after {number} attempts; the last one: {e}. "
                        "All answers so far are kept: see to the server, then start again"
                    ) from e
                await self._wait(number, e, what)

    async def _wait(self, number: int, failure: TemporaryError, what: str) -> None:
        self.count += 1
        if failure.retry_after is not None:
            self.not_before = max(self.not_before, time.monotonic() + failure.retry_after)
        wait = self._random.uniform(0, min(LONGEST_BACKOFF, self.first * 2 ** (number - 1)))
        log.warning("%s: %s; attempt %d of %d follows", what, failure, number + 1, self.most + 1)
        await asyncio.sleep(wait)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a Retry-After header asks for: a number or a date; None without a readable one."""
    text = headers.get("retry-after")
    if text is None:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        date = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - time.time())
