"""LoRA adapters: whether one fits its base, how one goes on being trained, and merging one in 16 bits, checked.

Merging rounds the sum of base and adapter to the base's own type. `merge_adapter` compares the logits before and after
on a few rows: where they differ by more than rounding explains, something was lost and the checkpoint is not written.
"""

from __future__ import annotations

import argparse
import json
import re
import struct
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sft.rows import SftError, TokenRow, say

if TYPE_CHECKING:
    import torch
    from peft import LoraConfig
    from transformers import PreTrainedModel

PROBE_ROWS, PROBE_TOKENS = 4, 64  # of the training rows; on a CPU a large model takes seconds for them
MERGE_TOLERANCE = {"float32": 1.0e-4, "bfloat16": 0.1, "float16": 2.0e-2}
"""Largest `Merge.difference` by the base's type. Measured on random Qwen3 models of 2 to 28 layers and width up to 512,
with adapters that change the logits by 0.06 to 1.4 of their size: up to 1.6e-6, 2.3e-2 and 2.8e-3, growing with the
number of layers."""
SHOWN = 3


@dataclass(frozen=True)
class Merge:
    """How logits differ, root mean square over that of the logits themselves, each position's mean taken off."""

    difference: float  # merged from base and adapter side by side: rounding
    adapter_effect: float  # base and adapter side by side from the base alone
    tolerance: float


def lora_config(args: argparse.Namespace) -> LoraConfig | None:
    """Return the configuration of a new adapter, None where none is made."""
    if not args.use_lora or args.continue_adapter:
        return None
    from peft import LoraConfig

    targets = args.lora_target_modules
    return LoraConfig(
        r=args.lora_r, lora_alpha=args.lora_alpha, lora_dropout=args.lora_dropout, task_type="CAUSAL_LM",
        target_modules=targets[0] if targets == ["all-linear"] else targets,
    )  # fmt: skip


def four_bit_options() -> dict[str, Any]:
    """Return what `from_pretrained` is told for QLoRA: NF4 with double quantization, computing in bf16."""
    import os

    import torch
    from transformers import BitsAndBytesConfig

    quantization = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )  # fmt: skip
    return {"quantization_config": quantization, "device_map": {"": int(os.environ.get("LOCAL_RANK", "0"))}}


def merge_adapter(base: PreTrainedModel, folder: Path, rows: list[TokenRow]) -> tuple[PreTrainedModel, Merge]:
    """Return the base with the adapter merged into it, and how exactly. Raises SftError beyond the tolerance."""
    from peft import PeftModel

    base.eval()
    probes = [row.input_ids[-PROBE_TOKENS:] for row in rows[:: max(1, len(rows) // PROBE_ROWS)][:PROBE_ROWS]]
    tolerance = MERGE_TOLERANCE[str(base.dtype).removeprefix("torch.")]
    alone = logits(base, probes)
    model = PeftModel.from_pretrained(base, str(folder))
    beside = logits(model, probes)
    try:
        merged = model.merge_and_unload(safe_merge=True)
    except ValueError as e:  # a sum that is not a number in the base's type
        raise SftError(f"{folder} cannot be merged: {e}; use --no-merge_lora, or a base in bfloat16.") from e
    merge = Merge(distance(logits(merged, probes), beside), distance(alone, beside), tolerance)
    if not merge.difference <= tolerance:
        raise SftError(
            f"merging {folder} changed the logits by {merge.difference:.1e} of their size, above {tolerance:.0e}: the "
            "merged checkpoint would not be the model that was trained and is not written; use --no-merge_lora."
        )
    if merge.adapter_effect and merge.difference > merge.adapter_effect / 2:
        say(f"warning: rounding in the merge ({merge.difference:.1e}) is not small beside what the adapter changes "
            f"({merge.adapter_effect:.1e}); train longer or at a higher rate, or use --no-merge_lora.")  # fmt: skip
    return merged.requires_grad_(True), merge


def logits(model: Any, probes: list[list[int]]) -> list[torch.Tensor]:
    import torch

    with torch.inference_mode():
        return [model(input_ids=torch.tensor([ids], device=model.device)).logits[0].float() for ids in probes]


def distance(left: list[torch.Tensor], right: list[torch.Tensor]) -> float:
    """Return the root mean square of the difference over that of `right`; adding a number to all logits is nothing."""
    centred = [(a - a.mean(-1, keepdim=True), b - b.mean(-1, keepdim=True)) for a, b in zip(left, right, strict=True)]
    difference = sum(float((a - b).square().sum()) for a, b in centred)
    return float((difference / max(sum(float(b.square().sum()) for _, b in centred), 1e-30)) ** 0.5)


def merge_record(merge: Merge) -> dict[str, float]:
    return {name: float(f"{value:.3g}") for name, value in asdict(merge).items()}


# --- does it fit: from the headers of the files alone ---


def check_adapter(folder: Path, base: Path) -> None:
    """Raise SftError where an adapter's layers are not there in its base, or have other shapes.

    Read from the headers of safetensors files; a base in another form, or on the hub, is left to PEFT.
    """
    shapes = {name: shape for file in sorted(base.glob("*.safetensors")) for name, shape in header(file).items()}
    weights = folder / "adapter_model.safetensors"
    if not shapes or not weights.is_file():
        return
    wrong = []
    for name, shape in header(weights).items():
        layer = re.fullmatch(r"base_model\.model\.(.+)\.lora_([AB])(?:\.\w+)?\.weight", name)
        if layer is None:
            continue
        there = shapes.get(f"{layer[1]}.weight")
        if there is None:
            wrong.append(f"{layer[1]}: not in the base")
        elif (side := "in" if layer[2] == "A" else "out") and shape[side == "in"] != there[side == "in"]:
            wrong.append(f"{layer[1]}: {there[side == 'in']} {side}puts in the base, {shape[side == 'in']} here")
    if wrong:
        more = f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise SftError(
            f"the adapter {folder} does not fit its base {base} ({'; '.join(wrong[:SHOWN])}{more}): it was trained on "
            "another model; correct base_model_name_or_path in its adapter_config.json, or train it again."
        )


def header(file: Path) -> dict[str, list[int]]:
    """Return name -> shape of a safetensors file's tensors; {} for a torn file, which loading will name."""
    try:
        with file.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            found = json.loads(stream.read(length))
        return {name: entry["shape"] for name, entry in found.items() if name != "__metadata__"}
    except (OSError, struct.error, ValueError, KeyError, TypeError, MemoryError, OverflowError):
        return {}
