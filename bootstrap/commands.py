"""The command line of each child program. What is written here is what a person can run by hand."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bootstrap.children import Command, python
from bootstrap.config import RunConfig
from bootstrap.models import adapter_of, base_model, control_of, has_twin, model_of
from bootstrap.run_store import RunStore
from bootstrap.train_config import LoraConfig, TrainConfig

OWN_TRAINER = "sft/run_sft.py"
ACCELERATE = "accelerate.commands.launch"  # `accelerate launch`, with this Python


@dataclass(frozen=True)
class Commands:
    """The children of one run; `logs` is the folder of this start of the loop."""

    store: RunStore
    config: RunConfig
    logs: Path

    def base_model(self, spec: Path, corpus: Path) -> Command:
        return self._module(
            "iteration_0_base", "bootstrap.base_model", "--spec", str(spec), "--corpus", str(corpus),
            "--out", str(self.store.base_model), "--seed", str(self.config.seed),
        )  # fmt: skip

    def convert(self) -> Command:
        return self._module("iteration_0_convert", "bootstrap.convert", "--run-dir", str(self.store.root))

    def solve(self, iteration: int) -> Command:
        return self._sampler(f"iteration_{iteration}_solve", "bootstrap.solve", "--iteration", str(iteration))

    def evaluate(self, iteration: int) -> Command:
        models = [f"dev={model_of(self.store, self.config, iteration)}"]
        if has_twin(self.config, iteration):
            models.append(f"control_dev={control_of(self.store, self.config, iteration)}")
        out = str(self.store.evaluation(iteration))
        label = f"iteration_{iteration}_evaluate"
        return self._sampler(label, "eval.run_eval", "--split", "dev", "--out", out, "--models", *models)

    def sample_only(self, iterations: int) -> Command:
        return self._sampler("sample_only", "bootstrap.sample_only", "--iterations", str(iterations))

    def test(self, iterations: int) -> Command:
        out = str(self.store.final / "evaluation")
        return self._sampler("test", "eval.run_eval", "--split", "test", "--out", out, "--iterations", str(iterations))

    def final_report(self) -> Command:
        return self._run_dir("report", "eval.final_report")

    def trainings(self, iteration: int, parent: int) -> list[Command]:
        """Return the training of an iteration and, where there is one, of its twin.

        The twin takes the same steps from the same point of its own line, on the seeds alone.
        """
        from_best = iteration > 0 and self.config.train.start_from != "base"
        base = base_model(self.store, self.config)
        start = model_of(self.store, self.config, parent) if from_best else base
        found = [self._train(iteration, "train", start, self.store.train_file(iteration), self.store.model(iteration))]
        if has_twin(self.config, iteration):
            start = control_of(self.store, self.config, parent) if from_best else base
            out = self.store.control_model(iteration)
            found.append(self._train(iteration, "train_control", start, self.store.train_file(0), out))
        return found

    def can_wait(self, command: Command) -> bool:
        """Say whether the program knows `--wait`: ours do, another trainer or a launcher need not."""
        if self.config.engine.name == "scripted":
            return False  # nothing heavy to import
        train = self.config.train
        own = train.program == OWN_TRAINER and not train.launcher and not train.accelerate_config
        return own or "_train" not in command.label

    def _train(self, iteration: int, name: str, model: str, train_file: Path, out: Path) -> Command:
        t = self.config.train
        steps = t.steps if iteration else t.seed_steps
        adapter = adapter_of(self.store, self.config, model) if t.start_from == "best_adapter" else None
        words = [
            "--base_model", adapter or model, "--train_file", str(train_file), "--output_dir", str(out),
            *(("--max_steps", str(steps)) if steps else ("--num_train_epochs", str(t.epochs))),
            "--learning_rate", str(t.learning_rate), "--lr_scheduler_type", t.scheduler,
            "--warmup_steps", str(t.warmup_steps), "--weight_decay", str(t.weight_decay),
            "--adam_beta2", str(t.adam_beta2), "--per_device_train_batch_size", str(t.batch_size),
            "--gradient_accumulation_steps", str(t.gradient_accumulation_steps), "--max_length", str(t.max_length),
            "--precision", t.precision, "--threads", str(self._train_threads(iteration)),
            "--seed", str(self.config.seed * 1000 + iteration),
            "--experiment_name", f"{self.store.name}-iteration-{iteration}-{name}",
            "--gradient_checkpointing" if t.gradient_checkpointing else "--no-gradient_checkpointing",
        ]  # fmt: skip
        if t.save_steps:
            words += ["--save_steps", str(t.save_steps), "--resume", "--drop_checkpoints"]
        if t.device == "cpu":
            words.append("--use_cpu")
        if t.attn_implementation:
            words += ["--attn_implementation", t.attn_implementation]
        if t.torch_compile:
            words.append("--torch_compile")
        if t.packing:
            words.append("--packing")
        if t.lora:
            words += lora_words(t.lora)
        if adapter:
            words.append("--continue_adapter")
        return self._command(f"iteration_{iteration}_{name}", (*trainer_start(t), *words))

    def _train_threads(self, iteration: int) -> int:
        together = 2 if self.config.controls.parallel and has_twin(self.config, iteration) else 1
        return self.config.train.threads or max(1, (os.cpu_count() or 1) // together)

    def _run_dir(self, label: str, module: str, *words: str) -> Command:
        return self._module(label, module, "--run-dir", str(self.store.root), *words)

    def _sampler(self, label: str, module: str, *words: str) -> Command:
        """Return a program that loads the engine: it may have an environment of its own; of vllm_server only the
        server has."""
        command = self._run_dir(label, module, *words)
        own = self.config.engine.python if self.config.engine.name != "vllm_server" else None
        interpreter = own or command.words[0]
        return self._command(label, (interpreter, *command.words[1:]))

    def _module(self, label: str, module: str, *words: str) -> Command:
        return self._command(label, python(module, *words))

    def _command(self, label: str, words: tuple[str, ...]) -> Command:
        return Command(label, words, self.logs / f"{label}.log")


def trainer_start(train: TrainConfig) -> tuple[str, ...]:
    """Return the words that start the trainer, up to its own arguments."""
    assert train.program is not None
    if train.accelerate_config:
        launch = python(ACCELERATE, "--config_file", train.accelerate_config)
        return (*train.launcher, *launch, train.program)
    return (*(train.launcher or python(train.program)[:-1]), train.program)


def lora_words(lora: LoraConfig) -> list[str]:
    words = [
        "--use_lora", "--lora_r", str(lora.r), "--lora_alpha", str(lora.alpha),
        "--lora_dropout", str(lora.dropout), "--lora_target_modules", *lora.target_modules.split(),
    ]  # fmt: skip
    if lora.load_in_4bit:
        words.append("--load_in_4bit")
    if not lora.merge:
        words.append("--no-merge_lora")
    return words
