"""Completions from any server with OpenAI's chat interface: OpenAI, `vllm serve`, `transformers serve` and others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bootstrap.config import EngineConfig, PromptConfig
from bootstrap.engines.base import Decoding
from bootstrap.engines.remote.calls import Answer, MalformedAnswerError, Usage
from bootstrap.engines.remote.engine import RemoteEngine
from bootstrap.prompts import as_messages

CUT_OFF = ("length", "content_filter", "")
"""Reasons to end that are not the model's own."""


class OpenAIDialect:
    name = "openai"
    url = "https://api.openai.com/v1"
    key_variable = "OPENAI_API_KEY"
    path = "/chat/completions"
    batch_path = "/v1/chat/completions"
    takes_seed = True

    def headers(self, api_key: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {api_key}"} if api_key else {}

    def body(self, model: str, prompt: str, decoding: Decoding, config: EngineConfig) -> dict[str, Any]:
        return {
            "model": model, "messages": as_messages(prompt), "temperature": decoding.temperature,
            "top_p": decoding.top_p, config.token_limit_key: decoding.max_new_tokens,
        }  # fmt: skip

    def answer(self, response: Mapping[str, Any]) -> Answer:
        """A refusal, and an answer without content, is a completion with empty text."""
        if "choices" not in response:
            raise MalformedAnswerError(f"no choices: {str(response.get('error', ''))[:200]}")
        choice = response["choices"][0]
        text, reason = choice["message"].get("content") or "", choice.get("finish_reason") or ""
        if not isinstance(text, str):
            raise MalformedAnswerError(f"content is {type(text).__name__}, not text")
        return Answer(text, reason not in CUT_OFF, reason, usage_of(response.get("usage")), response)


def usage_of(usage: Mapping[str, Any] | None) -> Usage | None:
    if not usage or usage.get("prompt_tokens") is None or usage.get("completion_tokens") is None:
        return None
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    return Usage(int(usage["prompt_tokens"]), int(usage["completion_tokens"]), int(cached))


def load_openai(model: str, config: EngineConfig, prompt: PromptConfig) -> RemoteEngine:
    return RemoteEngine(model, config, OpenAIDialect())
