"""Several samplers behind one engine: each lives somewhere else and generates a batch at a time, side by side.

A sampler may die, fall silent or become unreachable: it is lost then. Its batch is owed again, on any free sampler, and
a new one is started in its place, for a bounded number of times. What a lost sampler has handed out stays handed out,
by (problem_id, sample_index); only the rest is taken from the next attempt. An error that the engine itself reports is
no loss: it would come again, so it is raised at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from bootstrap.engines.base import Completion, Decoding, Request
from bootstrap.errors import EngineError
from bootstrap.programs import StopRequest

REPLACEMENTS = 10
"""Lost samplers that are replaced before a fleet gives up."""
LOOK_SECONDS = 0.2

Key = tuple[str, int]  # problem_id, sample_index


class SamplerLostError(EngineError):
    """What a sampler stands for died, fell silent or cannot be reached; its batch can be asked of another one."""


class Sampler(Protocol):
    """One copy of the model, somewhere. `generate` is called by one thread at a time, `close` by any."""

    name: str
    model_digest: str

    def generate(self, requests: Sequence[Request], decoding: Decoding) -> Iterator[Completion]:
        """Yield every completion of one batch, each as soon as it is finished, in any order.

        Raises SamplerLostError when the sampler is lost (or closed meanwhile), EngineError for what the engine says. An
        iterator that is dropped before its end leaves the sampler fit for the next batch.
        """
        ...

    def close(self) -> None:
        """End it, at once and for good; a `generate` under way in another thread raises SamplerLostError. Harmless
        when it is closed or lost already."""
        ...


@dataclass
class _Slot:
    """The place of a sampler; empty until it is started, and after it is lost."""

    number: int
    sampler: Sampler | None = None
    free: bool = True
    dropped: bool = False  # closed by `interrupt` in the middle of its batch


class Fleet:
    """An engine of `size` samplers; as many threads may be in `generate` at the same time.

    `start(number)` returns a sampler that is ready, for the place 0..size-1. It is called in several threads, and
    raises UserError where the model cannot be loaded, SamplerLostError where the sampler died before it was ready.
    `abort_starts` lets calls of `start` under way raise SamplerLostError; later ones work again. `on_close` is called
    once, when all samplers are closed.
    """

    def __init__(
        self, start: Callable[[int], Sampler], size: int, *, replacements: int = REPLACEMENTS,
        abort_starts: Callable[[], None] = lambda: None, on_close: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self.lanes, self.model_digest, self.name = size, "", ""
        self._start, self._abort_starts, self._on_close = start, abort_starts, on_close
        self._replacements, self._losses, self._closed = replacements, 0, False
        self._slots = [_Slot(number) for number in range(size)]
        self._changed = threading.Condition()
        self._busy = _BusyTime()
        try:
            self._start_all()
        except BaseException:
            self.close()
            raise

    @property
    def busy_seconds(self) -> float:
        """Wall time in which at least one sampler generated."""
        return self._busy.seconds

    @property
    def losses(self) -> int:
        """How many samplers were lost so far."""
        return self._losses

    def generate(self, requests: Sequence[Request], decoding: Decoding) -> Iterator[Completion]:
        owed = {(r.problem_id, index) for r in requests for index in range(r.num_samples)}
        asked = frozenset(owed)
        while owed:
            slot = self._take()
            try:
                sampler = slot.sampler or self._fill(slot)
                with self._busy:
                    for completion in sampler.generate(requests, decoding):
                        if _is_new(completion, owed, asked):
                            yield completion
                if owed:
                    raise EngineError(f"sampler {slot.number} left out {len(owed)} of {len(asked)} completions")
            except SamplerLostError as e:
                self._note_loss(slot, e)
            finally:
                self._release(slot)

    def interrupt(self) -> None:
        """Let every `generate` under way raise EngineError at once. Samplers in the middle of a batch are closed, and
        started again when there is a next batch."""
        with self._changed:
            busy = [slot for slot in self._slots if not slot.free]
            samplers = [slot.sampler for slot in busy if slot.sampler is not None]
            for slot in busy:
                slot.dropped = True
        self._abort_starts()
        _close_all(samplers)

    def close(self) -> None:
        with self._changed:
            first, self._closed = not self._closed, True
            self._changed.notify_all()
        self.interrupt()
        _close_all([slot.sampler for slot in self._slots if slot.sampler is not None])
        if first:
            self._on_close()

    # --- starting, and starting again ---

    def _start_all(self) -> None:
        """Start every sampler, in parallel. Raises the error of the first that cannot."""
        errors: list[BaseException] = []

        def fill(slot: _Slot) -> None:
            try:
                while slot.sampler is None and not errors:
                    try:
                        self._fill(slot)
                    except SamplerLostError as e:
                        if not errors:
                            self._note_loss(slot, e)
            except BaseException as e:  # handed over and raised in the caller's thread
                errors.append(e)

        threads = [threading.Thread(target=fill, args=(slot,), name="start", daemon=True) for slot in self._slots]
        for thread in threads:
            thread.start()
        try:
            while not errors and any(thread.is_alive() for thread in threads):
                StopRequest.check()
                time.sleep(0.02)
        finally:
            while any(thread.is_alive() for thread in threads):  # it was stopped, or one has failed
                errors.append(EngineError("another sampler did not start"))
                self._abort_starts()
                time.sleep(0.02)
        if errors:
            raise errors[0]

    def _fill(self, slot: _Slot) -> Sampler:
        """Start the sampler of an empty slot. Raises SamplerLostError, UserError, EngineError."""
        sampler = self._start(slot.number)
        with self._changed:
            slot.sampler = sampler
            self.name, self.model_digest = self.name or sampler.name, self.model_digest or sampler.model_digest
            refused = self._closed or slot.dropped
        if refused:
            sampler.close()
        if sampler.model_digest != self.model_digest:
            raise EngineError(
                f"sampler {slot.number} has loaded the model {sampler.model_digest}, the others {self.model_digest}: "
                "its files differ from place to place, or were changed meanwhile; copy the model again"
            )
        return sampler

    def _note_loss(self, slot: _Slot, error: SamplerLostError) -> None:
        """Empty the slot of a lost sampler. Raises EngineError when there were too many, or it was closed by us."""
        if slot.sampler is not None:
            slot.sampler.close()
        with self._changed:
            slot.sampler = None
            if self._closed or slot.dropped:
                raise EngineError("sampling was interrupted") from error
            self._losses += 1
            losses = self._losses
        if losses > self._replacements:
            raise EngineError(
                f"{losses} samplers were lost, and {self._replacements} are replaced at most; the last one: {error}"
            ) from error
        print(f"sampler {slot.number} is lost: {error}; replacement {losses} of {self._replacements}", flush=True)

    # --- which sampler is free ---

    def _take(self) -> _Slot:
        """Return a slot that nobody uses, with a sampler rather than an empty one."""
        with self._changed:
            while True:
                if self._closed:
                    raise EngineError("the engine is closed")
                free = [slot for slot in self._slots if slot.free]
                if free:
                    slot = min(free, key=lambda slot: slot.sampler is None)
                    slot.free = slot.dropped = False
                    return slot
                self._changed.wait(LOOK_SECONDS)
                StopRequest.check()

    def _release(self, slot: _Slot) -> None:
        with self._changed:
            slot.free = True
            if slot.dropped:
                slot.sampler = None
            self._changed.notify()


def _close_all(samplers: Sequence[Sampler]) -> None:
    """Close samplers side by side: each may take a while to end."""
    threads = [threading.Thread(target=sampler.close, name="close", daemon=True) for sampler in samplers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _is_new(completion: Completion, owed: set[Key], asked: frozenset[Key]) -> bool:
    """Say whether a completion is handed out for the first time. Raises EngineError for one that nobody asked for."""
    key = (completion.problem_id, completion.sample_index)
    if key not in asked:
        raise EngineError(f"a sampler answered what it was not asked: completion {key[1]} of problem {key[0]}")
    found = key in owed
    owed.discard(key)
    return found


class _BusyTime:
    """Adds up the time in which at least one thread is inside."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside, self._since, self._sum = 0, 0.0, 0.0

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._since = time.monotonic()
            self._inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._sum += time.monotonic() - self._since

    @property
    def seconds(self) -> float:
        with self._lock:
            return self._sum + (time.monotonic() - self._since if self._inside else 0.0)
