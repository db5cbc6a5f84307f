"""Engines by name: what turns prompts into completions. One file and one line here."""

from __future__ import annotations

import importlib

from bootstrap.config import EngineConfig, PromptConfig, RunConfig
from bootstrap.engines.base import Engine
from bootstrap.errors import UserError, nearest

ENGINES = {
    "transformers": "bootstrap.engines.transformers_engine:TransformersEngine",
    "scripted": "bootstrap.engines.scripted:ScriptedEngine",
    "openai": "bootstrap.engines.openai_engine:load_openai",
    "anthropic": "bootstrap.engines.anthropic_engine:load_anthropic",
    "vllm": "bootstrap.engines.vllm_engine:VllmEngine",
    "vllm_server": "bootstrap.engines.vllm_server:VllmServerEngine",
}
REMOTE = ("openai", "anthropic", "vllm_server")
"""Engines that ask a server and keep what it answers."""

KEEP_MEMORY = ("vllm",)
"""Engines that hold GPU memory until their process ends."""


def preload_engine(model: str, config: EngineConfig) -> None:
    """Do the imports that loading `model`, or one made from it, will need in this process."""
    if config.name == "transformers" and config.replicas == 1:
        from bootstrap.engines.transformers_engine import preload

        preload(model)


def open_engine(model: str, config: RunConfig, engine: EngineConfig, *, apart: bool = False) -> Engine:
    """Return what samples for a run: an engine in this process, copies of it in processes of their own, or a cluster.

    `apart`: not in this process, where the engine would not give its memory back when it is closed.
    """
    check_engine_name(engine.name)
    if config.executor == "ray":
        from bootstrap import scale_out

        return scale_out.open_engine(model, config, engine)
    copies = engine.replicas > 1 and engine.name != "vllm_server"  # its server makes them
    if copies or (apart and engine.name in KEEP_MEMORY):
        from bootstrap.engines.fleet_replicas import open_replicas

        return open_replicas(model, engine, config.prompt)
    return load_engine(model, engine, config.prompt)


def load_engine(model: str, config: EngineConfig, prompt: PromptConfig) -> Engine:
    """Return the engine that the configuration names, with `model` (a folder or hub name) loaded: one copy of it, in
    this process."""
    check_engine_name(config.name)
    module, _, attribute = ENGINES[config.name].partition(":")
    engine: Engine = getattr(importlib.import_module(module), attribute)(model, config, prompt)
    return engine


def check_engine_name(name: str) -> None:
    if name not in ENGINES:
        raise UserError(f"no engine {name!r}{nearest(name, ENGINES)} known: {', '.join(ENGINES)}")
