"""Several batches at a time, for an engine that serves more than one: one whose `lanes` says so.

Each batch is pulled by a thread of its own, so that its completions go to the checkers as they come. Whole batches are
handed to the calling thread in their order all the same: a slow one holds back those behind it, of which a bounded
number may wait.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from bootstrap.programs import StopRequest

LOOK_SECONDS = 0.2
JOIN_SECONDS = 0.2

B = TypeVar("B")  # a batch
G = TypeVar("G")  # a batch whose completions have all come

OnSample = Callable[[int], None]


def lanes_of(engine: object) -> int:
    """Return how many batches an engine serves at the same time."""
    return int(getattr(engine, "lanes", 1))


class LaneStoppedError(Exception):
    """Ends a lane for whose batch nobody waits any more."""


class _Lane(threading.Thread, Generic[G]):
    """Generates one batch."""

    def __init__(self, generate: Callable[[], G], ended: threading.Event) -> None:
        super().__init__(name="lane", daemon=True)
        self.made: G | None = None
        self.error: BaseException | None = None
        self.ended = False
        self._generate, self._tell = generate, ended

    def run(self) -> None:
        try:
            self.made = self._generate()
        except LaneStoppedError:
            pass
        except BaseException as e:  # handed over and raised in the calling thread
            self.error = e
        self.ended = True
        self._tell.set()


class Lanes(Generic[B, G]):
    """Generates up to `lanes` batches at a time, while as many (or `waiting`, if that is more) wait for verdicts or for
    their turn.

    `generate(batch, on_sample)` runs in a thread of its own and calls `on_sample` for each completion, with which it
    may be ended; `pending` returns a verdict that a batch still waits for; `interrupt`, where the engine has it, lets
    every `generate` under way end at once.
    """

    def __init__(
        self, lanes: int, waiting: int, generate: Callable[[B, OnSample], G],
        pending: Callable[[G], Future[Any] | None], interrupt: Callable[[], None] | None = None,
    ) -> None:  # fmt: skip
        self.waiting_seconds = 0.0
        """How long the engine stood still for verdicts; where some of the lanes did, their share of the time."""
        self._lanes, self._most = lanes, max(lanes, waiting)
        self._generate, self._pending, self._interrupt = generate, pending, interrupt
        self._changed = threading.Event()

    def run(self, batches: Iterable[B], on_sample: OnSample) -> Generator[G]:
        """Yield each batch when its completions and verdicts are there. Raises the first error of a lane; no lane is
        left when this ends, however it ends."""
        source, more = iter(batches), True
        row: deque[_Lane[G]] = deque()
        stop = threading.Event()
        generate = self._counted(on_sample, stop)
        try:
            while True:
                self._changed.clear()  # before looking: what happens from now on wakes
                _raise_error(row)
                busy = sum(not lane.ended for lane in row)
                while more and busy < self._lanes and len(row) - busy < self._most:
                    more = self._start_next(source, row, generate)
                    busy += more
                if not row:
                    return
                made = row[0].made
                if made is not None and self._pending(made) is None:
                    row.popleft()
                    yield made
                else:
                    self._wait(made, busy, held_back=more)
        finally:
            self._end(row, stop)

    @staticmethod
    def _start_next(source: Iterator[B], row: deque[_Lane[G]], generate: Callable[[B], _Lane[G]]) -> bool:
        """Start a lane for the next batch, and say whether there was one."""
        for batch in source:
            row.append(generate(batch))
            row[-1].start()
            return True
        return False

    def _counted(self, on_sample: OnSample, stop: threading.Event) -> Callable[[B], _Lane[G]]:
        """Return what makes the lane of a batch; lanes call `on_sample` one after the other."""
        turn = threading.Lock()

        def count(samples: int) -> None:
            if stop.is_set():
                raise LaneStoppedError
            with turn:
                on_sample(samples)

        def lane(batch: B) -> _Lane[G]:
            def generate() -> G:
                if stop.is_set():
                    raise LaneStoppedError
                return self._generate(batch, count)

            return _Lane(generate, self._changed)

        return lane

    def _wait(self, made: G | None, busy: int, *, held_back: bool) -> None:
        """Wait until a lane ends, or a verdict comes for which the first batch waits."""
        started = time.monotonic()
        verdict = self._pending(made) if made is not None else None
        if verdict is not None:
            verdict.add_done_callback(lambda _: self._changed.set())
        self._changed.wait(LOOK_SECONDS)
        StopRequest.check()
        if verdict is not None and (held_back or not busy):
            self.waiting_seconds += (time.monotonic() - started) * (1 - busy / self._lanes)

    def _end(self, row: Iterable[_Lane[G]], stop: threading.Event) -> None:
        stop.set()
        while alive := [lane for lane in row if lane.is_alive()]:
            if self._interrupt is not None:
                self._interrupt()
            alive[0].join(JOIN_SECONDS)


def _raise_error(row: Iterable[_Lane[G]]) -> None:
    for lane in row:
        if lane.error is not None:
            raise lane.error
