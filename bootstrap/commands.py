"""The command line of each child program. What is written here is what a person can run by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bootstrap.children import python
from bootstrap.config import RunConfig
from bootstrap.run_store import RunStore

Words = tuple[str, ...]


def base_model(spec: Path, corpus: Path, out: Path, seed: int) -> Words:
    return python(
        "bootstrap.base_model", "--spec", str(spec), "--corpus", str(corpus), "--out", str(out), "--seed", str(seed)
    )  # fmt: skip


def solve(store: RunStore, iteration: int, model: str) -> Words:
    return python("bootstrap.solve", "--run-dir", str(store.root), "--iteration", str(iteration), "--model", model)


def evaluate(store: RunStore, split: str, out: Path, models: Mapping[str, str]) -> Words:
    named = [f"{name}={model}" for name, model in models.items()]
    return python(
        "eval.run_eval", "--run-dir", str(store.root), "--split", split, "--out", str(out), "--models", *named
    )  # fmt: skip


def sample_only(store: RunStore, model: str, iterations: int) -> Words:
    return python(
        "bootstrap.sample_only", "--run-dir", str(store.root), "--model", model, "--iterations", str(iterations)
    )  # fmt: skip


def final_report(store: RunStore) -> Words:
    return python("eval.final_report", "--run-dir", str(store.root))


def train(
    config: RunConfig, *, name: str, model: str, train_file: Path, out: Path, steps: int, seed: int, threads: int
) -> Words:
    """Return the call of the trainer; `steps` 0 means that `train.epochs` decides."""
    t = config.train
    assert t.program is not None
    length = ("--max_steps", str(steps)) if steps else ("--num_train_epochs", str(t.epochs))
    words = [
        "--base_model", model, "--train_file", str(train_file), "--output_dir", str(out), *length,
        "--learning_rate", str(t.learning_rate), "--lr_scheduler_type", t.scheduler,
        "--warmup_steps", str(t.warmup_steps), "--weight_decay", str(t.weight_decay),
        "--adam_beta2", str(t.adam_beta2), "--per_device_train_batch_size", str(t.batch_size),
        "--gradient_accumulation_steps", str(t.gradient_accumulation_steps), "--max_length", str(t.max_length),
        "--precision", t.precision, "--threads", str(threads), "--seed", str(seed), "--experiment_name", name,
    ]  # fmt: skip
    words.append("--gradient_checkpointing" if t.gradient_checkpointing else "--no-gradient_checkpointing")
    if t.save_steps:
        words += ["--save_steps", str(t.save_steps), "--resume"]
    if t.lora:
        words += [
            "--use_lora", "--lora_r", str(t.lora.r), "--lora_alpha", str(t.lora.alpha),
            "--lora_dropout", str(t.lora.dropout), "--lora_target_modules", *t.lora.target_modules.split(),
        ]  # fmt: skip
    return (*(t.launcher or python(t.program)[:-1]), t.program, *words)
