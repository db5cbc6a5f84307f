"""The checkers of a run's target language."""

from __future__ import annotations

import os

from bootstrap.config import RunConfig
from interpreters.base import Limits
from interpreters.checking import CheckerPool


def limits_of(config: RunConfig) -> Limits:
    return Limits(seconds=config.checking.seconds, memory_mb=config.checking.memory_mb)


def open_pool(config: RunConfig) -> CheckerPool:
    """Return the checkers of the target language, as the configuration sizes them."""
    workers = config.checking.workers or os.cpu_count() or 1
    return CheckerPool(config.target, workers, limits_of(config), config.checking.sandbox)
