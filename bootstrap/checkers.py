"""The checkers of a run's target languages."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol

from bootstrap.config import RunConfig
from bootstrap.records import Problem
from interpreters.base import Limits, TestCase, Verdict
from interpreters.checking import CheckerPool


def limits_of(config: RunConfig) -> Limits:
    return Limits(seconds=config.checking.seconds, memory_mb=config.checking.memory_mb)


def open_pool(config: RunConfig, target: str | None = None) -> CheckerPool:
    """Return the checkers of one target language (the first one), as the configuration sizes them."""
    workers = config.checking.workers or os.cpu_count() or 1
    return CheckerPool(target or config.target, workers, limits_of(config), config.checking.sandbox)


class Pool(Protocol):
    """What checks candidates of one language, here or elsewhere; see CheckerPool."""

    def submit(self, code: str, tests: Sequence[TestCase]) -> Future[Verdict]: ...

    def close(self) -> None: ...


def open_executor(config: RunConfig, target: str) -> Pool:
    """Return the checkers of one target language where the configuration has them: on this machine, or on Ray's.

    Raises UserError when there is no such cluster.
    """
    if config.executor == "local":
        return open_pool(config, target)
    from bootstrap.scale_out.check_pool import RayCheckerPool
    from bootstrap.scale_out.seat import CheckerWords

    checking = config.checking
    return RayCheckerPool(CheckerWords(target, checking.workers, limits_of(config), checking.sandbox), config.ray)


class Checkers:
    """A pool for each target language of a run; each checks the problems that are to be solved in it."""

    def __init__(self, config: RunConfig) -> None:
        self._first = config.target
        self._pools: dict[str, Pool] = {}
        try:
            for target in config.targets:
                self._pools[target] = open_executor(config, target)
        except BaseException:
            self.close()
            raise

    def submit(self, code: str, problem: Problem) -> Future[Verdict]:
        """Return a future of the verdict, see CheckerPool.submit."""
        return self._pools[problem.target or self._first].submit(code, problem.tests)

    def __enter__(self) -> Checkers:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()
