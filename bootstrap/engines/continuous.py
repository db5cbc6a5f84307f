"""Continuous batching with transformers: the next sequence of a batch takes the place of one that has ended.

The seed decides every completion here too. All sequences are queued before the first step and the cache has a size that
follows from them, so that the schedule, and with it the order of the random draws, is the same each time; CUDA graphs
and the asynchronous mode of transformers are left off. Tried on a CPU alone: a step costs more than one of plain
`generate`, which is won back where many answers are much shorter than the longest.
"""

from __future__ import annotations

import copy
import math
import queue
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bootstrap.engines.growing_rows import first_line, out_of_memory, too_long
from bootstrap.errors import EngineError
from bootstrap.records import digest

PAGE = {"cpu": 16, "cuda": 256}
"""Tokens in a page of the cache; FlashAttention wants multiples of 256."""
STEP_TOKENS = 1024  # that a step may read of new prompts


@dataclass(frozen=True)
class Growing:
    """A sequence and its number in the batch."""

    number: int
    prompt: list[int]
    written: list[int]


@dataclass(frozen=True)
class Grower:
    """`options` are those of `generate`, `limit` the tokens of an answer, `free` gives back unused memory."""

    model: Any
    options: dict[str, Any]
    limit: int
    finished: queue.Queue[Any]
    free: Callable[[], None]

    def grow(self, prompts: Sequence[list[int]], at_once: int, batch_seed: int) -> bool:
        """Hand out every answer as it ends; return whether memory ran out, so that fewer ran at once."""
        self._check()
        left, seed, halved = [Growing(number, prompt, []) for number, prompt in enumerate(prompts)], batch_seed, False
        at_once = min(at_once, len(left))
        while True:
            left, failure = self._run(left, at_once, seed)
            if failure is None:
                return halved
            self.free()
            if at_once == 1:
                first = left[0]
                raise EngineError(too_long(len(first.prompt + first.written), len(first.written), self.limit, failure))
            halved, at_once = True, at_once // 2
            print(f"out of memory: {len(left)} sequences go on, at most {at_once} at once ({failure})", flush=True)
            seed = int(digest(str(batch_seed), *(f"{one.number}:{len(one.written)}" for one in left)), 16) % 2**31

    def _check(self) -> None:
        """Raise EngineError where the checkpoint asks for something that continuous batching would leave out."""
        for processor in self.model._get_logits_processor(self._generation()):
            if not getattr(processor, "supports_continuous_batching", False):
                raise EngineError(
                    "engine.continuous_batching is set, and the model's generation_config.json asks for "
                    f"{type(processor).__name__}, which transformers leaves out there: set engine.continuous_batching=0"
                )

    def _run(self, waiting: Sequence[Growing], at_once: int, seed: int) -> tuple[list[Growing], str | None]:
        """Return what has not ended when memory ran out, and what was said then; None when all have."""
        manager = self._manager(waiting, at_once, seed)
        for one in waiting:
            manager.add_request(
                one.prompt + one.written, str(one.number), self.limit - len(one.written),
                eos_token_id=self.options["eos_token_id"],
            )  # fmt: skip
        manager.start()
        try:
            left = self._collect(manager, waiting)
        finally:
            manager.stop(hard_stop=True)
            manager.destroy()
        if not left:
            return [], None
        error = manager.background_thread_status.fatal_error
        if error is None or not out_of_memory(error):
            why = f": {first_line(error)}" if error else ""
            raise EngineError(f"continuous batching left out {len(left)} sequences{why}") from error
        return left, first_line(error)

    def _generation(self) -> Any:
        generation = copy.deepcopy(self.model.generation_config)
        generation.update(**self.options)
        return generation

    def _manager(self, waiting: Sequence[Growing], at_once: int, seed: int) -> Any:
        from transformers import ContinuousBatchingConfig

        page = PAGE[self.model.device.type]
        longest = max(len(one.prompt) for one in waiting) + self.limit
        sizes = ContinuousBatchingConfig(
            page_size=page, num_blocks=at_once * math.ceil(longest / page), max_batch_tokens=max(at_once, STEP_TOKENS),
            max_requests_per_batch=at_once, safety_margin=0.0, seed=seed, auto_switch_to_flash=False,
            use_async_batching=False, use_cuda_graph=False,
        )  # fmt: skip
        return self.model.init_continuous_batching(self._generation(), sizes)

    def _collect(self, manager: Any, waiting: Sequence[Growing]) -> list[Growing]:
        owed = {one.number: one for one in waiting}
        left = []
        while owed:
            output = manager.get_result(timeout=1.0)
            if output is None:
                if not manager.is_running():
                    break
                continue
            one = owed.pop(int(output.request_id))
            one = replace(one, written=one.written + output.generated_tokens)
            if output.error is None:
                self.finished.put([(one.number, one.written)])
            else:
                left.append(one)
        return sorted([*left, *owed.values()], key=lambda one: one.number)
