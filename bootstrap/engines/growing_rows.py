"""The sequences that grow side by side in `generate`: which have ended, and how the others go on in smaller numbers.

Where memory runs out in the middle of a batch, nothing that was written is thrown away. Answers that have ended are
kept, and the others go on from the tokens they have, so that a long answer is as likely as in a batch that fits:
sampling the rest anew would favour short ones.
"""

from __future__ import annotations

import queue
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bootstrap.records import digest

if TYPE_CHECKING:
    import torch

MEMORY_TEXTS = ("out of memory", "not enough memory", "can't allocate memory", "cannot allocate memory",
                "alloc_failed", "could not create a memory object")  # fmt: skip
"""What CUDA, cuBLAS, torch's CPU allocator and oneDNN say, in lower case."""

Answer = tuple[int, list[int]]
"""Number of a sequence in its batch, and its tokens."""


@dataclass(frozen=True)
class Rows:
    """Sequences of one length: prompts padded on the left, and what has been written so far."""

    ids: torch.Tensor
    mask: torch.Tensor
    prompt: int  # columns of the prompt
    numbers: tuple[int, ...]  # of the sequences in their batch

    @property
    def written(self) -> int:
        return int(self.ids.shape[1]) - self.prompt

    def split(self, size: int) -> list[Rows]:
        """Return parts of at most `size` sequences, in order, without columns in which all of them are padding."""
        return [self._part(start, start + size) for start in range(0, len(self.numbers), size)]

    def _part(self, start: int, stop: int) -> Rows:
        mask = self.mask[start:stop]
        first = int(mask.any(0).int().argmax())
        return Rows(self.ids[start:stop, first:], mask[:, first:], self.prompt - first, self.numbers[start:stop])

    def seed(self, batch_seed: int) -> int:
        """Return the seed of a part: it follows from the batch's, the members and how far they have come."""
        return int(digest(str(batch_seed), str(self.written), *map(str, self.numbers)), 16) % 2**31


class EndWatch:
    """A stopping criterion of `generate` that stops nothing: it hands out each row once, when it has ended.

    It looks at every `every`-th step: on a GPU each look waits until the GPU has caught up.
    """

    def __init__(self, end_ids: set[int], rows: Rows, finished: queue.Queue[Any], every: int = 1) -> None:
        self.end_ids, self.rows, self.finished, self.every = end_ids, rows, finished, every
        self.ids = rows.ids
        self.seen = int(rows.ids.shape[1])
        self.given: set[int] = set()

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor, **_: Any) -> torch.Tensor:
        import torch

        self.ids = input_ids
        if input_ids.shape[1] - self.seen >= self.every:
            self._look()
        return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)

    def rest(self) -> None:
        """Hand out what has not been yet, with the rows that reached the limit of tokens."""
        self._look()
        self._give(self._ungiven())

    def left(self) -> Rows | None:
        """Hand out the rows that have ended, and return the others as they stand; None where all have ended."""
        import torch

        self._look()
        growing, new = self._ungiven(), self.ids.shape[1] - self.rows.ids.shape[1]
        if not growing:
            return None
        mask = torch.nn.functional.pad(self.rows.mask[growing], (0, new), value=1)
        numbers = tuple(self.rows.numbers[row] for row in growing)
        return Rows(self.ids[growing], mask, self.rows.prompt, numbers)

    def _ungiven(self) -> list[int]:
        return [row for row in range(len(self.rows.numbers)) if row not in self.given]

    def _look(self) -> None:
        new = self.ids[:, self.seen :].tolist()
        self._give([row for row in self._ungiven() if not self.end_ids.isdisjoint(new[row])])
        self.seen = int(self.ids.shape[1])

    def _give(self, rows: list[int]) -> None:
        if rows:
            tokens = self.ids[rows, self.rows.prompt :].tolist()
            answers = [(self.rows.numbers[row], self._to_end(t)) for row, t in zip(rows, tokens, strict=True)]
            self.finished.put(answers)
            self.given.update(rows)  # last: where memory runs out in here, they are looked at again

    def _to_end(self, tokens: list[int]) -> list[int]:
        end = next((place for place, token in enumerate(tokens) if token in self.end_ids), len(tokens))
        return tokens[: end + 1]


def out_of_memory(error: BaseException) -> bool:
    """Say whether there was no memory left, on a GPU or on the machine."""
    import torch

    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error).lower() for text in MEMORY_TEXTS)


def too_long(tokens: int, written: int, limit: int, failure: str) -> str:
    """Return what to say where one sequence alone does not fit."""
    return (
        f"out of memory with one sequence alone, after halving its batch down to it: {tokens} tokens, {written} of "
        f"them of an answer that may have {limit} ({failure}). Set sampling.max_new_tokens lower, give shorter "
        "prompts, halve the weights with engine.dtype=bfloat16 if they are in float32, or free the device; with "
        "engine.batch_sequences lower, less is tried in vain before it fits"
    )


def first_line(error: BaseException) -> str:
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {text}"[:300]
