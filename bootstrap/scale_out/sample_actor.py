"""The side of a sampler that lives in a Ray actor: one engine with its model. Nothing here imports ray."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bootstrap.config import EngineConfig, PromptConfig
from bootstrap.engines import load_engine
from bootstrap.engines.base import Completion, Decoding, Engine, Request
from bootstrap.errors import EngineError, UserError
from bootstrap.scale_out.same_code import versions


@dataclass(frozen=True)
class SamplerWords:
    """What an actor's engine is made from. `folders` must be there where it is made."""

    model: str
    engine: EngineConfig
    prompt: PromptConfig
    folders: tuple[str, ...]


@dataclass(frozen=True)
class SamplerHello:
    """What an actor says of itself before it loads the model."""

    versions: Mapping[str, str]
    host: str


class SampleActor:
    """`alive` and `drop` are called beside the others: Ray gives them a thread of their own."""

    def __init__(self, words: SamplerWords) -> None:
        self._words = words
        self._engine: Engine | None = None
        self._dropped = -1

    def hello(self) -> SamplerHello:
        return SamplerHello(versions(), socket.gethostname())

    def load(self) -> tuple[str, str]:
        """Load the model; return the engine's name and the model's digest. Raises UserError, EngineError."""
        words = self._words
        for folder in words.folders:
            if not Path(folder).exists():
                raise UserError(
                    f"{socket.gethostname()} does not see {folder}: with several machines the run's folder, its base "
                    "model and its scripts must lie on a file system that all of them share, under the same path"
                )
        try:
            self._engine = load_engine(words.model, words.engine, words.prompt)
        except (UserError, EngineError):
            raise
        except Exception as e:  # a mistake in the engine: it would come again in every actor
            raise EngineError(f"{type(e).__name__}: {e}") from None
        return self._engine.name, self._engine.model_digest

    def generate(self, batch: int, requests: Sequence[Request], decoding: Decoding) -> Iterator[Completion]:
        """Yield the completions of a batch until it is done or dropped. Raises EngineError."""
        assert self._engine is not None, "a batch came before the model was loaded"
        try:
            for completion in self._engine.generate(requests, decoding):
                yield completion
                if self._dropped >= batch:
                    return
        except (UserError, EngineError):
            raise
        except Exception as e:  # a mistake in the engine: it would come again in every actor
            raise EngineError(f"{type(e).__name__}: {e}") from None

    def drop(self, batch: int) -> None:
        """Let a batch, and all before it, end at the next completion: nobody listens any more."""
        self._dropped = max(self._dropped, batch)

    def alive(self) -> None:
        """Answer: that is the sign of life."""

    def end(self) -> None:
        if self._engine is not None:
            self._engine.close()
