"""What requests cost, and the budget that stops them before it is passed.

Before a request is sent its worst case is reserved: a token of input per byte of text, and all the output it may make.
The answer replaces it by what was used. A request that was sent and never answered may be billed all the same, so its
worst case stays counted; a log beside the store (`*.asked.jsonl`, kept where a budget is set) holds that over kills.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from bootstrap.engine_config import EngineConfig, PriceConfig
from bootstrap.engines.remote.calls import Usage
from bootstrap.engines.remote.store import mended_rows
from bootstrap.errors import UserError
from bootstrap.files import disk_error

MILLION = 1_000_000


class BudgetReachedError(UserError):
    """The next request does not fit into what is left; all answers so far are in the store."""


def cost_of(usage: Usage, price: PriceConfig | None) -> float:
    """Return US dollars; 0 where the model has no price."""
    if price is None:
        return 0.0
    cached = price.input if price.cached_input is None else price.cached_input
    fresh = usage.input - usage.cached
    return (fresh * price.input + usage.cached * cached + usage.output * price.output) / MILLION


class Budget:
    """Tokens and dollars spent and reserved. `spent` holds what the store's answers took, by model."""

    def __init__(self, config: EngineConfig, model: str, spent: Mapping[str, Usage], log: AskedLog | None) -> None:
        self.limit_usd, self.limit_tokens = config.budget_usd, config.budget_tokens
        unpriced = sorted({model, *spent} - config.prices.keys())
        if self.limit_usd and unpriced:
            raise UserError(
                f"engine.budget_usd needs the prices of {', '.join(unpriced)}: "
                f"set engine.prices to {{{unpriced[0]}: {{input: ..., output: ...}}}}, dollars per million tokens"
            )
        self.price = config.prices.get(model)
        self.log = log
        self.usd = sum(cost_of(usage, config.prices.get(name)) for name, usage in spent.items())
        self.tokens = sum(usage.input + usage.output for usage in spent.values())
        self.reserved_usd, self.reserved_tokens = 0.0, 0
        if log:
            self._spend(log.lost)

    def fits(self, worst: Usage) -> bool:
        usd = self.usd + self.reserved_usd + cost_of(worst, self.price)
        tokens = self.tokens + self.reserved_tokens + worst.input + worst.output
        return not (self.limit_usd and usd > self.limit_usd) and not (self.limit_tokens and tokens > self.limit_tokens)

    def reserve(self, worst: Usage, key: str | None = None) -> None:
        """Count a request before it is sent; with its key it is logged too. A batch is not: it is found again."""
        self._reserve(worst, 1)
        if self.log and key:
            self.log.write(key, worst, 1)

    def settle(self, worst: Usage, used: Usage | None, key: str | None = None) -> None:
        """Replace a reservation by what was used: nothing, where the server refused; the worst, where nobody knows."""
        self._reserve(worst, -1)
        self._spend(worst if used is None else used)
        if self.log and key and used is not None:
            self.log.write(key, worst, -1)

    def _reserve(self, worst: Usage, sign: int) -> None:
        self.reserved_usd += sign * cost_of(worst, self.price)
        self.reserved_tokens += sign * (worst.input + worst.output)

    def _spend(self, usage: Usage) -> None:
        self.usd += cost_of(usage, self.price)
        self.tokens += usage.input + usage.output

    def reached(self, worst: Usage) -> BudgetReachedError:
        """Return the sentence for a request that does not fit."""
        limits = [f"engine.budget_usd {self.limit_usd:g} ({self.usd:.4f} spent)"] if self.limit_usd else []
        limits += [f"engine.budget_tokens {self.limit_tokens:,} ({self.tokens:,} spent)"] if self.limit_tokens else []
        return BudgetReachedError(
            f"stopped before {' or '.join(limits)} is passed: the next request may take {worst.input:,} input and "
            f"{worst.output:,} output tokens. All answers so far are kept: raise the budget and start again"
        )


class AskedLog:
    """What was sent (+1) and what was heard of it (-1); what is left over at the start was lost, and may be billed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = open(path, "ab")  # noqa: SIM115 - open as long as the engine
        except OSError as e:
            raise disk_error(path, e) from e
        self.lost = Usage()
        for row in mended_rows(path):
            usage = Usage(row["input"], row["output"])
            self.lost = self.lost + usage if row["sent"] > 0 else self.lost - usage

    def write(self, key: str, worst: Usage, sent: int) -> None:
        row = {"key": key, "input": worst.input, "output": worst.output, "sent": sent}
        try:
            self._file.write(json.dumps(row).encode() + b"\n")
            self._file.flush()
        except OSError as e:
            raise disk_error(self.path, e) from e

    def close(self) -> None:
        self._file.close()
