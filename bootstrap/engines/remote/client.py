"""What the two ways to ask a server, side by side and in batches, both work with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bootstrap.config import EngineConfig
from bootstrap.engines.remote.budget import Budget
from bootstrap.engines.remote.calls import Answer, Call, Dialect, MalformedAnswerError
from bootstrap.engines.remote.retries import Retries, TemporaryError
from bootstrap.engines.remote.transport import Server

Keep = Callable[[Call, Answer], None]


@dataclass(frozen=True)
class Client:
    dialect: Dialect
    config: EngineConfig
    server: Server
    retries: Retries
    budget: Budget

    def read(self, response: Mapping[str, Any]) -> Answer:
        """Return the answer in a response. Raises TemporaryError where it has another shape."""
        try:
            return self.dialect.answer(response)
        except (MalformedAnswerError, KeyError, TypeError, IndexError, AttributeError) as e:
            raise TemporaryError(f"an answer of another shape ({e!r}): {str(response)[:200]}", refused=False) from e
