"""How much of a device's measured matrix rate sft/run_sft.py reaches, in full fine-tuning and with LoRA.

The program runs as a child, as the loop starts it. Operations are counted by the usual formula, 6 per weight and token
(Kaplan et al. 2020, arXiv:2001.08361, table 1) and 12 x layers x width of the queries x length for attention, which is
not halved for its causal mask (PaLM, arXiv:2204.02311, appendix B). Weights are those of the linear layers, and of the
output embeddings for the tokens that have a label: the trainer scores no others. LoRA computes no gradients of frozen
weights: 4 per weight, and 6 per weight of the adapter. What checkpointing computes again is not counted.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bootstrap.errors import UserError
from bootstrap.model_shape import Shape, read_shape
from eval.bench_gpu_matrix import device_name, free_gpu, measured_rate
from eval.bench_gpu_model import Bench, make_bench
from eval.bench_gpu_scales import Scale, Training, Variant
from eval.bench_table import Section

ROOT = Path(__file__).resolve().parents[1]
RANK = 32
AIM = 0.40
BYTES_PER_WEIGHT = {"full": 16, "LoRA": 4}  # in fp32 on a CPU: with gradient and AdamW, or alone
ROOM = 4.0e9  # activations and libraries on a CPU


@dataclass(frozen=True)
class Trained:
    """A variant's steady steps. `share` of the measured matrix rate."""

    name: str
    tokens: int
    seconds: float
    steps: int
    flops: float
    share: float
    gpu_peak_bytes: int | None

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / self.seconds


def train_flops(shape: Shape, length: int, scored: int, *, lora: bool) -> float:
    """Return the operations of forward and backward over one row of `length` tokens, `scored` of them with a label."""
    weights = shape.layers * shape.layer_parameters * length + shape.vocab * shape.hidden * scored
    attention = 12 * shape.layers * shape.queries * length**2
    adapter = 6 * shape.adapter_parameters(RANK) * length if lora else 0
    return float((4 if lora else 6) * weights + attention + adapter)


# --- what is trained on ---


def rows_of(training: Training, variant: Variant, vocabulary: list[str]) -> Iterator[dict[str, str]]:
    """Yield rows of exactly the planned lengths in tokens; the last token is the end that run_sft.py puts there."""
    rng = random.Random(0)
    for _ in range(variant.batch_size * training.steps):
        length = rng.randint(variant.shortest or training.length, training.length)
        text = rng.choices(vocabulary, k=length - 1)
        cut = length - training.scored
        yield {"prompt": "".join(text[:cut]), "completion": "".join(text[cut:])}


# --- training ---


def flags_of(training: Training, variant: Variant, base: Path, folder: Path) -> list[str]:
    rows = {
        "base_model": base, "train_file": folder / "rows.jsonl", "output_dir": folder / "out",
        "max_steps": training.steps, "per_device_train_batch_size": variant.batch_size, "max_length": training.length,
        "profile_steps": folder / "profile.json", "logging_steps": training.steps, "learning_rate": 1e-5,
        "precision": "auto" if device_name() == "cuda" else "fp32",
    }  # fmt: skip
    lora = ["--use_lora", "--no-merge_lora", "--lora_r", str(RANK), "--lora_alpha", str(2 * RANK)]
    named = [part for name, value in rows.items() for part in (f"--{name}", str(value))]
    return [*named, *(lora if variant.lora else []), *variant.flags]


def run_variant(training: Training, variant: Variant, bench: Bench, folder: Path, rate: float) -> Trained:
    """Train in a child. Raises UserError with its last line when it fails."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    lines = [json.dumps(row) + "\n" for row in rows_of(training, variant, bench.words())]
    (folder / "rows.jsonl").write_text("".join(lines), encoding="utf-8")
    command = [sys.executable, str(ROOT / "sft" / "run_sft.py"), *flags_of(training, variant, bench.model, folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise UserError(f"run_sft.py ended with status {done.returncode}: {last[:300]}")
    profile = json.loads((folder / "profile.json").read_text(encoding="utf-8"))
    shutil.rmtree(folder)
    return trained(profile, training.warm_up, variant, read_shape(bench.model / "config.json"), rate)


def trained(profile: dict[str, Any], warm_up: int, variant: Variant, shape: Shape, rate: float) -> Trained:
    """Return what the steps after the first ones did. Tokens are those of rows, without padding."""
    rows = [profile["rows"][i] for step in profile["steps"][warm_up:] for i in step]
    seconds = sum(profile["seconds"][warm_up:])
    flops = sum(train_flops(shape, len(ids), len(ids) - prompt, lora=variant.lora) for ids, prompt in rows)
    return Trained(
        variant.name, sum(len(ids) for ids, _ in rows), seconds, len(profile["steps"]) - warm_up, flops,
        flops / seconds / rate, profile["gpu_peak_bytes"],
    )  # fmt: skip


def lacking_memory(shape: Shape, variant: Variant) -> str | None:
    """Return why a training is left out on a CPU with too little free memory, None where it has enough."""
    if device_name() == "cuda":
        return None
    need = BYTES_PER_WEIGHT["LoRA" if variant.lora else "full"] * shape.parameters + ROOM
    lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    free = 1024 * int(lines["MemAvailable"].split()[0])
    return None if free > need else f"left out: it needs about {need / 1e9:.0f} GB, {free / 1e9:.0f} GB are free"


def sft_section(scale: Scale, variants: Sequence[Variant], work: Path) -> Section:
    bench = make_bench(scale.model, work)
    shape, rate = read_shape(bench.model / "config.json"), measured_rate(scale).rate
    free_gpu()
    done: list[Trained] = []
    missed: dict[str, str] = {}
    for variant in variants:
        reason = lacking_memory(shape, variant)
        if reason is None:
            try:
                done.append(run_variant(scale.training, variant, bench, work / "sft", rate))
                print(f"{variant.name}: {done[-1].share:.1%} of the measured rate", flush=True)
                continue
            except UserError as e:  # the other trainings are measured all the same, and the program ends with status 1
                reason = f"failed: {e}"
        print(f"{variant.name}: {reason}", flush=True)
        missed[variant.name] = reason
    return section_of(scale.training, shape, rate, done, missed)


def section_of(training: Training, shape: Shape, rate: float, done: list[Trained], missed: dict[str, str]) -> Section:
    rows = [
        [one.name, f"{one.tokens_per_second:,.0f}", f"{one.seconds / one.steps:.3g}",
         f"{one.flops / one.seconds / 1e12:.3g}", f"{one.share:.1%}",
         "" if one.gpu_peak_bytes is None else f"{one.gpu_peak_bytes / 1e9:.0f}"]
        for one in done
    ]  # fmt: skip
    rows += [[name, reason, "", "", "", ""] for name, reason in missed.items()]
    notes = [
        f"{shape.parameters / 1e9:.2f}B parameters, {shape.layers} layers, vocabulary of {shape.vocab:,}; rows of "
        f"{training.length} tokens, {training.scored} of them completion; steps {training.warm_up + 1} to "
        f"{training.steps}. Share of {rate / 1e12:.3g} TFLOP/s, the best square product measured just before (aim on a "
        f"GPU: at least {AIM:.0%}). Tokens are counted without padding, operations as in eval/bench_gpu_sft.py."
    ]
    figures = {"parameters": shape.parameters, "rate": rate, "aim": AIM, "trainings": [asdict(one) for one in done],
               "missed": missed}  # fmt: skip
    columns = ("training", "tokens/s", "s per step", "TFLOP/s", "of the rate", "GPU GB at most")
    return Section("Training: share of the measured matrix rate", columns, rows, notes, figures)
