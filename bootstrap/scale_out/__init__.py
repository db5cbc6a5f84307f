"""Sampling and checking by the actors of a Ray cluster, for `executor: ray`. Ray is imported only when that is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bootstrap.config import RunConfig
    from bootstrap.engine_config import EngineConfig
    from bootstrap.engines.base import Engine


def open_engine(model: str, config: RunConfig, engine: EngineConfig) -> Engine:
    """Return the engine of a stage: a fleet of sampler actors, or, where a server samples, what asks it from here.

    Raises UserError when there is no cluster, or one with too few GPUs, and EngineError as load_engine does.
    """
    from bootstrap.engines import REMOTE, load_engine

    if engine.name in REMOTE:
        return load_engine(model, engine, config.prompt)
    from bootstrap.scale_out.samplers import open_samplers

    return open_samplers(model, config, engine)
