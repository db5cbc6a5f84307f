"""Which model is which in a run: follows from the configuration and the records of finished iterations alone."""

from __future__ import annotations

from pathlib import Path

from bootstrap.config import RunConfig
from bootstrap.engine_config import EngineConfig
from bootstrap.engines import REMOTE
from bootstrap.progression import Past, best_of, past_of
from bootstrap.run_store import RunStore


def trains(config: RunConfig, iteration: int) -> bool:
    """Say whether an iteration trains: a replay never does, iteration 0 only on `seed_steps`."""
    return config.train.program is not None and (iteration > 0 or config.train.seed_steps > 0)


def base_model(store: RunStore, config: RunConfig) -> str:
    return config.base_model or str(store.base_model)


def engine_config(store: RunStore, config: RunConfig) -> EngineConfig:
    """Return how the run samples; what a server answers is kept in the run's folder, unless it is told otherwise."""
    if config.engine.name in REMOTE and config.engine.store is None:
        return config.engine.model_copy(update={"store": str(store.root / "answers.jsonl")})
    return config.engine


def model_of(store: RunStore, config: RunConfig, iteration: int) -> str:
    """Return the model of an iteration: what it trained, or the base model where nothing is trained."""
    return str(store.model(iteration)) if trains(config, iteration) else base_model(store, config)


def control_of(store: RunStore, config: RunConfig, iteration: int) -> str:
    """Return the seed-only twin of an iteration's model; iteration 0 has seen nothing but the seeds anyway."""
    return str(store.control_model(iteration)) if iteration else model_of(store, config, 0)


def adapter_of(store: RunStore, config: RunConfig, model: str) -> str | None:
    """Return the folder of a trained model's LoRA adapter, None for the base model, which has none."""
    if config.train.lora is None or model == base_model(store, config):
        return None
    return str(Path(model) / "adapter") if config.train.lora.merge else model


def has_twin(config: RunConfig, iteration: int) -> bool:
    return config.controls.seed_only and iteration > 0 and trains(config, iteration)


def past(store: RunStore, last: int) -> list[Past]:
    """Return what is known of the iterations 0..last, all of them evaluated."""
    return [past_of(store.metadata(store.iteration(i))) for i in range(last + 1)]


def best_before(store: RunStore, iteration: int) -> int:
    """Return the iteration before this one whose model is the best on dev."""
    return best_of(past(store, iteration - 1)).iteration
