"""TRL's SFTTrainer with a fixed order of rows and a cheaper loss on the CPU. Imports torch: import it late."""

from __future__ import annotations

import inspect
import json
import math
import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from torch.nn.functional import cross_entropy
from torch.utils.data import Sampler
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from trl import SFTTrainer

from sft.rows import SftError, TokenRow, say


def to_dataset(rows: list[TokenRow]) -> Dataset:
    return Dataset.from_dict({"input_ids": [row.input_ids for row in rows], "labels": [row.labels for row in rows]})


class LengthGroupedSampler(Sampler[int]):
    """Rows in an order that follows from seed and epoch alone, each step made of rows of similar length.

    transformers' sampler of this name draws from torch's global generator, so that a run resumed after the first
    epoch sees other batches; and within a block it goes from long rows to short ones, while here steps are shuffled.
    """

    def __init__(self, lengths: list[int], step_rows: int, seed: int) -> None:
        self.lengths, self.step_rows, self.seed, self.epoch = lengths, step_rows, seed, 0

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        order = torch.randperm(len(self.lengths), generator=generator).tolist()
        block = self.step_rows * max(2, min(50, len(order) // (4 * self.step_rows)))
        for start in range(0, len(order), block):
            order[start : start + block] = sorted(order[start : start + block], key=self.lengths.__getitem__)
        steps = [order[start : start + self.step_rows] for start in range(0, len(order), self.step_rows)]
        whole = len(order) // self.step_rows
        shuffled = torch.randperm(whole, generator=generator).tolist()
        return (row for i in [*shuffled, *range(whole, len(steps))] for row in steps[i])


class StepRecord(TrainerCallback):
    """Write the loss curve and a log line per `logging_steps`, and keep the seconds of every step."""

    def __init__(self, curve: Path) -> None:
        self.curve = curve
        self.seconds: list[float] = []
        self.cpu_seconds: list[float] = []
        self.last = self.last_cpu = 0.0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Keep of an earlier attempt's curve what lies before the checkpoint."""
        if state.is_world_process_zero:
            lines = self.curve.read_text().splitlines() if state.global_step and self.curve.is_file() else []
            kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= state.global_step]
            self.curve.write_text("".join(f"{line}\n" for line in kept))
        self.last, self.last_cpu = time.perf_counter(), time.process_time()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        now, cpu = time.perf_counter(), time.process_time()
        self.seconds.append(now - self.last)
        self.cpu_seconds.append(cpu - self.last_cpu)
        self.last, self.last_cpu = now, cpu
        if state.global_step >= state.max_steps:
            control.should_log = True  # the curve ends at the last step
            # The model itself is written next; resumed at its last step, transformers would train one step more.
            control.should_save = False

    def mean_loss(self) -> float:
        """Return the mean loss over all steps of the curve, an earlier attempt's included."""
        rows = [json.loads(line) for line in self.curve.read_text().splitlines()]
        starts = [0, *(row["step"] for row in rows)]
        return sum(row["loss"] * (row["step"] - start) for row, start in zip(rows, starts, strict=False)) / starts[-1]

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        logs = kwargs["logs"]
        if "loss" not in logs:
            return
        if not math.isfinite(logs["loss"]):
            raise SftError(f"the loss is {logs['loss']} at step {state.global_step}; lower --learning_rate.")
        if state.is_world_process_zero:
            row = {"step": state.global_step, "loss": logs["loss"], "learning_rate": logs["learning_rate"]}
            with self.curve.open("a") as file:
                file.write(json.dumps(row) + "\n")
            if args.disable_tqdm:
                recent = self.seconds[-int(args.logging_steps) :]
                speed = len(recent) / max(sum(recent), 1e-9)
                say(f"step {state.global_step}/{state.max_steps}  loss {logs['loss']:.4f}  "
                    f"lr {logs['learning_rate']:.2e}  {speed:.1f} steps/s")  # fmt: skip


class BootstrapTrainer(SFTTrainer):
    """SFTTrainer, with its own order of rows, its own loss on a CPU, and no model card or FLOPs."""

    model: Any
    processing_class: Any
    train_dataset: Any
    sampler: LengthGroupedSampler
    record: StepRecord
    own_dtype: torch.dtype
    token_count: torch.Tensor | int = 0

    @cached_property
    def own_head(self) -> bool:
        model = self.model.get_base_model() if hasattr(self.model, "get_base_model") else self.model
        selects = "logits_to_keep" in inspect.signature(model.forward).parameters
        return selects and self.args.device.type == "cpu" and not self.aux_loss_enabled

    def tokens_trained(self) -> int:
        """Return the number of tokens, padding apart, of this call's steps on all devices."""
        count = torch.as_tensor(self.token_count, device=self.args.device)
        return int(self.accelerator.reduce(count, reduction="sum"))

    def profile(self, rows: list[TokenRow]) -> dict[str, Any]:
        """Return what a plain loop needs to repeat this run: rows, steps as row indices, and the steps' seconds; and
        the most memory that torch has held on the GPU."""
        steps: list[list[int]] = []
        for epoch in range(math.ceil(self.state.epoch)):
            self.sampler.epoch = epoch
            order = list(self.sampler)
            steps += [order[i : i + self.sampler.step_rows] for i in range(0, len(order), self.sampler.step_rows)]
        return {
            "rows": [[row.input_ids, row.prompt_tokens] for row in rows],
            "steps": steps[: self.state.global_step],
            "seconds": self.record.seconds,
            "cpu_seconds": self.record.cpu_seconds,
            "gpu_peak_bytes": torch.cuda.max_memory_reserved() if self.args.device.type == "cuda" else None,
        }

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> LengthGroupedSampler:
        lengths = [len(ids) for ids in self.train_dataset["input_ids"]]
        rows = self.get_total_train_batch_size(self.args)
        self.sampler = LengthGroupedSampler(lengths, rows, self.args.seed)
        self.add_callback(_EpochOfSampler(self.sampler))
        return self.sampler

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Return the summed loss over the number of completion tokens.

        TRL's head, made for Triton, computes on a CPU every position twice, with entropy and accuracy. Here the
        model's own head scores only the columns in which some row has a label.
        """
        if self.model.training:
            packed = "attention_mask" not in inputs
            count = inputs["input_ids"].numel() if packed else inputs["attention_mask"].sum()
            self.token_count = self.token_count + count
        if return_outputs or not self.own_head:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        labels = inputs["labels"][:, 1:]
        columns = (labels != -100).any(dim=0).nonzero().flatten()
        logits = model(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            logits_to_keep=columns,
            use_cache=False,
        ).logits
        targets = labels[:, columns].flatten()
        loss = cross_entropy(logits.flatten(0, 1).float(), targets, ignore_index=-100, reduction="sum")
        if num_items_in_batch is None:
            return loss / (targets != -100).sum().clamp(min=1)
        return loss / num_items_in_batch * self.accelerator.num_processes

    def create_model_card(self, *_: Any, **__: Any) -> None:
        """Write none: TRL's describes an upload to the hub."""

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Return 0: nobody reads the count, and it walks all modules at every step."""
        return 0


class _EpochOfSampler(TrainerCallback):
    def __init__(self, sampler: LengthGroupedSampler) -> None:
        self.sampler = sampler

    def on_epoch_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.sampler.epoch = int(state.epoch or 0)
