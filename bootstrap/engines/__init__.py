"""Engines by name: what turns prompts into completions. One file and one line here."""

from __future__ import annotations

import importlib

from bootstrap.config import EngineConfig, PromptConfig
from bootstrap.engines.base import Engine
from bootstrap.errors import UserError, nearest

ENGINES = {
    "transformers": "bootstrap.engines.transformers_engine:TransformersEngine",
    "scripted": "bootstrap.engines.scripted:ScriptedEngine",
    "openai": "bootstrap.engines.openai_engine:load_openai",
    "anthropic": "bootstrap.engines.anthropic_engine:load_anthropic",
    "vllm": "bootstrap.engines.vllm_engine:VllmEngine",
}
REMOTE = ("openai", "anthropic")
"""Engines that ask a server and keep what it answers."""


def preload_engine(model: str, config: EngineConfig) -> None:
    """Do the imports that loading `model`, or one made from it, will need."""
    if config.name == "transformers":
        from bootstrap.engines.transformers_engine import preload

        preload(model)


def load_engine(model: str, config: EngineConfig, prompt: PromptConfig) -> Engine:
    """Return the engine that the configuration names, with `model` (a folder or hub name) loaded."""
    check_engine_name(config.name)
    module, _, attribute = ENGINES[config.name].partition(":")
    engine: Engine = getattr(importlib.import_module(module), attribute)(model, config, prompt)
    return engine


def check_engine_name(name: str) -> None:
    if name not in ENGINES:
        raise UserError(f"no engine {name!r}{nearest(name, ENGINES)} known: {', '.join(ENGINES)}")
