"""Say how much GPU memory a configuration needs, before anything is loaded, from the model's config.json alone.

    python -m bootstrap.memory --config configs/qwen3_32b_lora.yaml --gpu-gb 141
    python -m bootstrap.memory --config configs/X.yaml --gpu-gb 80 --gpus 8 train.batch_size=2

Prints one line per stage with its parts, and where one does not fit the nearest settings that do; exit status 2 then.
Needs no GPU. 1 GB is 10^9 bytes. Sampling and training take turns, so the larger one counts. See docs/gpu_box.md for
the formula and for what it was checked against.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bootstrap.accelerate_config import Launch, launch_of
from bootstrap.config import RunConfig, load_config, parse_overrides
from bootstrap.errors import UserError
from bootstrap.model_shape import Shape, shape_of
from bootstrap.programs import USER_ERROR
from bootstrap.train_config import TrainConfig

GB = 1.0e9
OVERHEAD = 1.5e9  # CUDA's context and the libraries' workspaces; not measured here
ALLOCATOR = 1.05  # blocks that the allocator cannot use; not measured here
LOSS_COLUMNS, LOSS_BYTES = 32_768, 8  # TRL's loss looks at so many columns of the vocabulary at a time
FOUR_BIT = 0.55  # bytes of a weight in NF4 with its scales


@dataclass(frozen=True)
class Estimate:
    """Bytes on one GPU by part; `note` says more for people."""

    stage: str
    parts: tuple[tuple[str, float], ...]
    note: str = ""

    @property
    def total(self) -> float:
        return sum(size for _, size in self.parts) * ALLOCATOR + OVERHEAD

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {size / GB:.1f}" for name, size in self.parts)
        note = f"; {self.note}" if self.note else ""
        return f"{self.stage} needs about {self.total / GB:.1f} GB per GPU ({parts}{note})"


# --- training ---


def training(shape: Shape, train: TrainConfig, launch: Launch, *, together: int = 1) -> Estimate:
    """Return what one GPU holds while it trains; `together`: trainings side by side on it."""
    shards = launch.processes if launch.sharded else 1
    lora = train.lora
    trained = shape.adapter_parameters(lora.r) if lora else shape.parameters
    copies = 2 * trained  # in 16 bits, for computing; of shards, two layers and the embeddings at a time
    if launch.sharded:
        copies = 2 * (2 * shape.layer_parameters + shape.embedding_parameters)
    buckets = 4 * trained if launch.processes > 1 and not launch.sharded else 0
    tokens = train.batch_size * train.max_length
    parts = (
        ("weights", frozen_bytes(shape, train) / shards + 4 * trained / shards),
        ("gradients", 4 * trained / shards + buckets),
        ("optimizer", 8 * trained / shards),
        ("16-bit copies", copies),
        ("activations", activation_bytes(shape, train) * tokens),
        ("loss", min(shape.vocab, LOSS_COLUMNS) * LOSS_BYTES * tokens),
    )
    return Estimate("training", tuple((name, float(size * together)) for name, size in parts if size))


def frozen_bytes(shape: Shape, train: TrainConfig) -> float:
    """Return the bytes of a base that LoRA leaves as it is, 0 for full fine-tuning."""
    if train.lora is None:
        return 0.0
    if train.lora.load_in_4bit:
        return FOUR_BIT * shape.layers * shape.layer_parameters + 2 * shape.embedding_parameters
    return (4 if train.precision == "fp32" else 2) * shape.parameters


def activation_bytes(shape: Shape, train: TrainConfig) -> float:
    """Return the bytes of a token that wait for the backward pass in all layers.

    The numbers count what autograd keeps of Qwen2's and Qwen3's code in bf16 (tests/test_memory.py measures it). The
    residual stream is in fp32 with fp32 weights, in 16 bits with LoRA. With checkpointing it is kept once per layer,
    and one layer is there as a whole.
    """
    stream, norms = (2, 18) if train.lora else (4, 26)
    heads = (10 if shape.qk_norm else 6) * (shape.queries + shape.keys)
    layer = norms * shape.hidden + heads + 8 * shape.intermediate
    if train.precision == "fp32":
        stream, layer = 4, 2 * layer
    return shape.layers * stream * shape.hidden + layer if train.gradient_checkpointing else shape.layers * layer


# --- sampling ---


def sampling(shape: Shape, config: RunConfig, gpu_bytes: float | None) -> Estimate:
    """Return what one GPU holds while the model samples prompts and answers of `train.max_length` tokens together."""
    engine = config.engine
    width = 4 if engine.dtype == "float32" else 2
    length = engine.max_model_len or config.train.max_length
    sequence = width * shape.cache_values_per_token * length
    weights = width * shape.parameters
    if engine.in_vllm:
        held, one = weights / engine.tensor_parallel_size, sequence / engine.tensor_parallel_size
        room = max(0, int(((gpu_bytes or 0) * engine.gpu_memory_utilization - held * ALLOCATOR - OVERHEAD) / one))
        note = f"room for the cache of {room} sequences of {length} tokens" if gpu_bytes else ""
        return Estimate("sampling", (("weights", held), ("cache of one sequence", one)), note)
    prompt = max(1, length - config.sampling.max_new_tokens)
    side_by_side = min(engine.continuous_batching or engine.batch_sequences, engine.batch_sequences)
    parts = (
        ("weights", weights), ("cache", side_by_side * sequence),
        ("reading prompts", side_by_side * prompt * width * (3 * shape.intermediate + 4 * shape.hidden)),
        ("logits", side_by_side * shape.vocab * 8),
    )  # fmt: skip
    return Estimate("sampling", tuple((name, float(size)) for name, size in parts))


# --- does it fit ---


@dataclass(frozen=True)
class Machine:
    """`gpu_bytes` of the smallest of `gpus`."""

    gpu_bytes: float
    gpus: int = 1


def estimates(config: RunConfig, shape: Shape, gpu_bytes: float | None = None) -> list[Estimate]:
    """Return the stages that use a GPU of this machine."""
    found = []
    if config.engine.loads_here and config.engine.device != "cpu":
        found.append(sampling(shape, config, gpu_bytes))
    if config.train.program is not None and config.train.device != "cpu":
        together = 2 if config.controls.parallel and config.controls.seed_only else 1
        found.append(training(shape, config.train, launch_of(config.train), together=together))
    return found


def limit(estimate: Estimate, config: RunConfig, machine: Machine) -> float:
    vllm = estimate.stage == "sampling" and config.engine.in_vllm
    return machine.gpu_bytes * (config.engine.gpu_memory_utilization if vllm else 1.0)


def require_memory(config: RunConfig, model: str, machine: Machine) -> list[Estimate]:
    """Return the estimates; raise UserError where one does not fit, with the nearest settings that do."""
    from bootstrap.memory_advice import advice

    shape = shape_of(model)
    found = estimates(config, shape, machine.gpu_bytes)
    sentences = []
    for estimate in found:
        most = limit(estimate, config, machine)
        if estimate.total > most:
            has = f"the GPU has {machine.gpu_bytes / GB:.1f} GB"
            share = f", {most / GB:.1f} GB of them for vllm" if most < machine.gpu_bytes else ""
            sentences.append(f"{estimate}, and {has}{share}. {advice(estimate.stage, config, shape, machine)}")
    if sentences:
        raise UserError("; ".join(sentences))
    return found


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="any key of the configuration")
    parser.add_argument("--config", type=Path, required=True, help="YAML of the experiment")
    parser.add_argument("--base-model", help="model in place of the configuration's")
    parser.add_argument("--gpu-gb", type=float, help="memory of one GPU in GB; without it the needs are printed alone")
    parser.add_argument("--gpus", type=int, default=1, help="GPUs of the machine (%(default)s)")
    args = parser.parse_intermixed_args(argv)
    try:
        overrides = parse_overrides(args.overrides) | ({"base_model": args.base_model} if args.base_model else {})
        config = load_config(args.config, overrides)
        if config.base_model is None:
            raise UserError(f"{args.config} makes its model from random weights, a small one: there is nothing to plan")
        shape = shape_of(config.base_model)
        print(f"{config.base_model}: {shape.parameters / 1e9:.2f}B parameters, "
              f"{2 * shape.cache_values_per_token / 1024:.0f} KiB of cache per token in 16 bits")  # fmt: skip
        if args.gpu_gb is None:
            print("\n".join(map(str, estimates(config, shape))))
            return 0
        machine = Machine(args.gpu_gb * GB, args.gpus)
        print("\n".join(map(str, require_memory(config, config.base_model, machine))) + "\nfits")
    except UserError as e:
        print(f"error: {e}", file=sys.stderr)
        return USER_ERROR
    return 0


if __name__ == "__main__":
    sys.exit(main())
