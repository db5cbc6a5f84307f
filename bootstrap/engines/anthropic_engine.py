"""Completions from Anthropic's Messages API, over the client that the engine openai uses: it needs no package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bootstrap.config import EngineConfig, PromptConfig
from bootstrap.engines.base import Decoding
from bootstrap.engines.remote.calls import Answer, MalformedAnswerError, Usage
from bootstrap.engines.remote.engine import RemoteEngine
from bootstrap.prompts import as_messages

VERSION = "2023-06-01"
ENDED = ("end_turn", "stop_sequence", "refusal")


class AnthropicDialect:
    name = "anthropic"
    url = "https://api.anthropic.com/v1"
    key_variable = "ANTHROPIC_API_KEY"
    path = "/messages"
    batch_path = ""
    takes_seed = False

    def headers(self, api_key: str) -> dict[str, str]:
        return {"anthropic-version": VERSION} | ({"x-api-key": api_key} if api_key else {})

    def body(self, model: str, prompt: str, decoding: Decoding, config: EngineConfig) -> dict[str, Any]:
        body = {
            "model": model, "messages": as_messages(prompt), "max_tokens": decoding.max_new_tokens,
            "temperature": decoding.temperature,
        }  # fmt: skip
        return body if decoding.top_p == 1 else body | {"top_p": decoding.top_p}

    def answer(self, response: Mapping[str, Any]) -> Answer:
        """A refusal, and an answer without content, is a completion with empty text."""
        blocks, reason = response["content"], response.get("stop_reason") or ""
        if not isinstance(blocks, list):
            raise MalformedAnswerError(f"content is {type(blocks).__name__}, not a list")
        text = "".join(block["text"] for block in blocks if block.get("type") == "text")
        return Answer("" if reason == "refusal" else text, reason in ENDED, reason, usage_of(response), response)


def usage_of(response: Mapping[str, Any]) -> Usage | None:
    """Return the tokens; Anthropic counts what was read from and written to its cache beside the input."""
    usage = response.get("usage") or {}
    if usage.get("input_tokens") is None or usage.get("output_tokens") is None:
        return None
    cached, written = (int(usage.get(f"cache_{what}_input_tokens") or 0) for what in ("read", "creation"))
    return Usage(int(usage["input_tokens"]) + cached + written, int(usage["output_tokens"]), cached)


def load_anthropic(model: str, config: EngineConfig, prompt: PromptConfig) -> RemoteEngine:
    return RemoteEngine(model, config, AnthropicDialect())
