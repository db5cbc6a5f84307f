"""The contract of an engine: requests in, completions out as they finish."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Request:
    """`num_samples` completions of one prompt. `tag` says what for ("iteration 3", "dev"), for logs and replay."""

    problem_id: str
    prompt: str
    num_samples: int
    tag: str = ""


@dataclass(frozen=True)
class Decoding:
    """How to sample. Temperature 0 is greedy. The same requests, decoding and seed give the same completions."""

    temperature: float
    top_p: float
    max_new_tokens: int
    seed: int


@dataclass(frozen=True)
class Completion:
    problem_id: str
    sample_index: int
    text: str
    tokens: int
    complete: bool  # ended by itself, not at max_new_tokens


class Engine(Protocol):
    """One loaded model; `close` frees what it holds. Not thread-safe, unless it has an attribute `lanes` that says how
    many threads may be in `generate` at the same time (see bootstrap.lanes)."""

    name: str
    model_digest: str

    @property
    def busy_seconds(self) -> float:
        """Wall time spent generating since the start."""
        ...

    def generate(self, requests: Sequence[Request], decoding: Decoding) -> Iterator[Completion]:
        """Yield every completion of one batch of requests, each as soon as it is finished, in any order.

        Raises EngineError when the engine fails; never yields a made-up completion.
        """
        ...

    def close(self) -> None: ...
