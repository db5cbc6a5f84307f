"""The lines of progress that an engine behind a server prints: requests, tokens and cost."""

from __future__ import annotations

import time

from bootstrap.engines.remote.budget import Budget
from bootstrap.engines.remote.calls import Usage
from bootstrap.engines.remote.retries import Retries

EVERY_SECONDS = 10.0


class Meter:
    """Counts since the engine was loaded; `kept` came from the store."""

    def __init__(self, name: str, budget: Budget, retries: Retries) -> None:
        self.name, self.budget, self.retries = name, budget, retries
        self.requests, self.kept = 0, 0
        self.used = Usage()
        self.busy_seconds = 0.0
        self._shown = self._since = time.monotonic()
        self._counted = 0

    def answered(self, used: Usage) -> None:
        self.requests += 1
        self.used += used
        if time.monotonic() - self._shown >= EVERY_SECONDS:
            self.show()

    def start(self) -> None:
        """Begin a stretch of work: time between calls of the engine counts for no rate."""
        self._since, self._counted = time.monotonic(), self.requests

    def show(self) -> None:
        self._shown = now = time.monotonic()
        rate = (self.requests - self._counted) / max(now - self._since, 1e-9)
        print(f"{self.line()}, {rate:.1f} requests/s", flush=True)

    def line(self) -> str:
        used, budget = self.used, self.budget
        parts = [f"{self.name}: {self.requests:,} requests, {self.kept:,} more from the store"]
        parts.append(f"{used.input:,} input tokens ({used.cached:,} cached), {used.output:,} output")
        parts += [f"{self.retries.count:,} retries"] if self.retries.count else []
        if budget.price:
            parts.append(f"${budget.usd:.4f}" + (f" of ${budget.limit_usd:g}" if budget.limit_usd else ""))
        if budget.limit_tokens:
            parts.append(f"{budget.tokens:,} of {budget.limit_tokens:,} tokens")
        return ", ".join(parts)
