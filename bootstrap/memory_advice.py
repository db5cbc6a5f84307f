"""The nearest settings with which a stage fits into a GPU: changes are tried in the order in which they alter least."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bootstrap.accelerate_config import launch_of
from bootstrap.config import RunConfig, flatten
from bootstrap.memory import GB, Machine, estimates, limit
from bootstrap.model_shape import Shape
from bootstrap.train_config import LoraConfig

SHARDED = "configs/accelerate/fsdp2_8gpu.yaml"
SHARDED_GPUS = 8

Change = dict[str, Any]


def advice(stage: str, config: RunConfig, shape: Shape, machine: Machine) -> str:
    """Return a sentence with overrides that make a stage fit, or how much memory the least of them would want."""
    least = float("inf")
    for change in changes(stage, config, machine):
        changed = apply(config, change)
        found = next(e for e in estimates(changed, shape, machine.gpu_bytes) if e.stage == stage)
        if found.total <= limit(found, changed, machine):
            words = " ".join(f"{key}={shown(value)}" for key, value in change.items())
            return f"Nearest that fits: {words} (about {found.total / GB:.1f} GB)"
        least = min(least, found.total)
    return (
        f"No setting tried here fits ({least / GB:.1f} GB at the least): take more or larger GPUs, or a smaller model"
    )


def changes(stage: str, config: RunConfig, machine: Machine) -> Iterator[Change]:
    return training_changes(config, machine) if stage == "training" else sampling_changes(config, machine)


def training_changes(config: RunConfig, machine: Machine) -> Iterator[Change]:
    """Yield checkpointing and smaller batches, then shards over GPUs, then LoRA, then QLoRA, each with the former.

    The accumulation changes with the batch and the number of GPUs: the rows of a step stay the same, where they can.
    """
    train = config.train
    batches = [train.batch_size >> i for i in range(train.batch_size.bit_length())]
    for method in training_methods(config, machine):
        for checkpointing in (train.gradient_checkpointing, True)[train.gradient_checkpointing :]:
            for batch in batches:
                change = dict(method)
                spread = SHARDED_GPUS if "train.accelerate_config" in method else 1
                if checkpointing != train.gradient_checkpointing:
                    change["train.gradient_checkpointing"] = True
                if batch != train.batch_size:
                    change["train.batch_size"] = batch
                rows = train.batch_size * train.gradient_accumulation_steps // spread
                if rows // batch != train.gradient_accumulation_steps:
                    change["train.gradient_accumulation_steps"] = max(1, rows // batch)
                if change:
                    yield change


def training_methods(config: RunConfig, machine: Machine) -> Iterator[Change]:
    train = config.train
    yield {}
    if config.controls.parallel:
        yield {"controls.parallel": False}
    if machine.gpus >= SHARDED_GPUS and not launch_of(train).sharded:
        yield {"train.accelerate_config": SHARDED}
    if train.lora is None:
        yield {"train.lora": {"r": 32, "alpha": 64}, "train.learning_rate": train.learning_rate * 10}
    if train.lora is None or not train.lora.load_in_4bit:
        small = {"r": 32, "alpha": 64} if train.lora is None else train.lora.model_dump(exclude_defaults=True)
        rate = {"train.learning_rate": train.learning_rate * 10} if train.lora is None else {}
        yield {"train.lora": {**small, "load_in_4bit": True}, **rate}


def sampling_changes(config: RunConfig, machine: Machine) -> Iterator[Change]:
    engine = config.engine
    if engine.in_vllm:
        for gpus in (2, 4, 8):
            if engine.tensor_parallel_size < gpus <= machine.gpus:
                yield {"engine.tensor_parallel_size": gpus, **fewer_replicas(config, machine, gpus)}
        return
    for dtype in ({}, {"engine.dtype": "bfloat16"}) if engine.dtype == "float32" else ({},):
        for i in range(engine.batch_sequences.bit_length()):
            if i or dtype:
                yield {**dtype, **({"engine.batch_sequences": engine.batch_sequences >> i} if i else {})}
    if machine.gpus > 1:
        for gpus in (2, 4, 8):
            if gpus <= machine.gpus:
                yield {
                    "engine.name": "vllm", "engine.tensor_parallel_size": gpus,
                    **fewer_replicas(config, machine, gpus),
                }  # fmt: skip


def fewer_replicas(config: RunConfig, machine: Machine, gpus: int) -> Change:
    """Return the replicas for which this machine has so many GPUs each, where those are fewer than configured."""
    room = max(1, machine.gpus // gpus)
    return {"engine.replicas": room} if room < config.engine.replicas and config.executor == "local" else {}


def apply(config: RunConfig, change: Change) -> RunConfig:
    """Return a copy with a few settings replaced; only what the estimates read need be right in it."""
    sections: dict[str, dict[str, Any]] = {}
    for key, value in change.items():
        section, _, name = key.partition(".")
        sections.setdefault(section, {})[name] = LoraConfig(**value) if name == "lora" else value
    copies = {name: getattr(config, name).model_copy(update=values) for name, values in sections.items()}
    return config.model_copy(update=copies)


def shown(value: Any) -> str:
    """Return a value as an override on the command line takes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "'{" + ", ".join(f"{key}: {shown(inner)}" for key, inner in flatten(value).items()) + "}'"
    return f"{value:.1e}" if isinstance(value, float) else str(value)
