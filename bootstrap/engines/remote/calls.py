"""One request for one completion, what comes back, and what a provider's own form of both must offer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bootstrap.config import EngineConfig
from bootstrap.engines.base import Completion, Decoding, Request
from bootstrap.records import digest

OVERHEAD_TOKENS = 256
"""Input tokens that a server may add to the text of a request: roles, template, a system prompt of its own."""


@dataclass(frozen=True)
class Usage:
    """Tokens; `cached` of `input` came from the server's cache."""

    input: int = 0
    output: int = 0
    cached: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.input + other.input, self.output + other.output, self.cached + other.cached)

    def __sub__(self, other: Usage) -> Usage:
        return Usage(self.input - other.input, self.output - other.output, self.cached - other.cached)


@dataclass(frozen=True)
class Owner:
    """Who asked: equal requests of two problems are sent once and answer both."""

    problem_id: str
    sample_index: int
    tag: str


@dataclass(frozen=True)
class Call:
    """One request. `key` names its model, messages, decoding and sample index; `worst` bounds what it can take."""

    key: str
    body: Mapping[str, Any]
    owners: tuple[Owner, ...]
    worst: Usage

    @property
    def name(self) -> str:
        return f"request {self.key} (problem {self.owners[0].problem_id}, sample {self.owners[0].sample_index})"


@dataclass(frozen=True)
class Answer:
    """`usage` is None where the server does not say; `response` is what it sent, whole."""

    text: str
    complete: bool
    finish_reason: str
    usage: Usage | None
    response: Mapping[str, Any]

    def completions(self, owners: Iterable[Owner]) -> Iterator[Completion]:
        tokens = self.usage.output if self.usage else 0
        for owner in owners:
            yield Completion(owner.problem_id, owner.sample_index, self.text, tokens, self.complete)


class MalformedAnswerError(ValueError):
    """A response that is JSON and no answer; says what was found."""


class Dialect(Protocol):
    """How one provider writes requests and answers. `batch_path` is empty where its batches are not supported."""

    name: str
    url: str  # the provider's own address
    key_variable: str
    path: str
    batch_path: str
    takes_seed: bool

    def headers(self, api_key: str) -> dict[str, str]: ...

    def body(self, model: str, prompt: str, decoding: Decoding, config: EngineConfig) -> dict[str, Any]: ...

    def answer(self, response: Mapping[str, Any]) -> Answer:
        """Return what a response holds. Raises MalformedAnswerError, or what a missing key or a wrong type raises."""
        ...


def plan_calls(
    requests: Sequence[Request], decoding: Decoding, dialect: Dialect, model: str, config: EngineConfig,
    content: str = "",
) -> list[Call]:  # fmt: skip
    """Return one call per sample, equal ones joined. The key decides the seed, so that samples differ.

    `content` is a digest of the model, for servers of which the model behind a name changes; it is part of the keys.
    """
    owners: dict[str, list[Owner]] = {}
    made: dict[str, tuple[dict[str, Any], Usage]] = {}
    for request in requests:
        shared = dialect.body(model, request.prompt, decoding, config) | config.extra_body
        shared = {name: value for name, value in shared.items() if name not in config.omit}
        text = json.dumps(shared, sort_keys=True, ensure_ascii=False)
        size = len(text.encode("utf-8", "surrogatepass"))  # a token is at least one byte
        worst = Usage(size + OVERHEAD_TOKENS, decoding.max_new_tokens)
        for index in range(request.num_samples):
            key = digest(f"{dialect.name}{content}", text, str(decoding.seed), str(index))
            owners.setdefault(key, []).append(Owner(request.problem_id, index, request.tag))
            seed = {"seed": int(key, 16) % 2**31} if dialect.takes_seed and "seed" not in config.omit else {}
            made[key] = {**seed, **shared}, worst
    return [Call(key, body, tuple(owners[key]), worst) for key, (body, worst) in made.items()]
