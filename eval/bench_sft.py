"""Measure what the trainer costs: `sft/run_sft.py` against a plain PyTorch loop on the same batches.

    python -m eval.bench_sft                 # about two minutes on one core, no files needed
    python -m eval.bench_sft --base_model DIR --train_file train.jsonl --rounds 5

Each round runs the program as a child and then the plain loop on the very batches that the child reports: same model,
rows, order, optimizer, schedule and clipping. The rounds alternate, so that a busy machine slows both. Prints medians
of milliseconds per step, the ratio per round, and the floor: forward, backward and optimizer step, nothing else.
CPU milliseconds leave out the time that other programs took; on a busy machine read that ratio.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

ROOT = Path(__file__).resolve().parents[1]
WARM_UP = 5  # first steps of a run, left out


@dataclass(frozen=True)
class Recipe:
    """What both sides share; the numbers of the demo."""

    base_model: Path
    train_file: Path
    steps: int
    batch_size: int
    threads: int
    learning_rate: float = 3e-3
    warmup_steps: int = 30
    weight_decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.98)

    def flags(self) -> list[str]:
        """Return the arguments that make run_sft.py train by this recipe."""
        pairs = {
            "base_model": self.base_model, "train_file": self.train_file, "max_steps": self.steps,
            "per_device_train_batch_size": self.batch_size, "threads": self.threads, "precision": "fp32",
            "learning_rate": self.learning_rate, "warmup_steps": self.warmup_steps, "logging_steps": 50,
            "weight_decay": self.weight_decay, "adam_beta1": self.betas[0], "adam_beta2": self.betas[1],
        }  # fmt: skip
        return [part for name, value in pairs.items() for part in (f"--{name}", str(value))] + ["--use_cpu"]


@dataclass(frozen=True)
class Round:
    """Median milliseconds per step of one round: wall, wall, wall, CPU, CPU."""

    trainer: float
    plain: float
    floor: float
    trainer_cpu: float
    plain_cpu: float
    loss_difference: float  # relative, of the mean training loss: the two sides must learn the same


def run_trainer(recipe: Recipe, folder: Path) -> tuple[dict[str, Any], float]:
    """Run run_sft.py as a child; return its step profile and its mean training loss."""
    profile = folder / "profile.json"
    command = [sys.executable, str(ROOT / "sft" / "run_sft.py"), *recipe.flags()]
    command += ["--output_dir", str(folder / "out"), "--profile_steps", str(profile)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"run_sft.py failed with status {done.returncode}:\n{done.stderr}")
    metrics = json.loads((folder / "out" / "train_metrics.json").read_text())
    return json.loads(profile.read_text()), metrics["train_loss"]


def make_batches(profile: dict[str, Any], pad: int) -> list[dict[str, torch.Tensor]]:
    """Return the child's batches, padded on the right as it pads them."""
    import torch

    batches = []
    for step in profile["steps"]:
        rows = [profile["rows"][i] for i in step]
        width = max(len(ids) for ids, _ in rows)
        ids = torch.tensor([ids + [pad] * (width - len(ids)) for ids, _ in rows])
        mask = torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for ids, _ in rows])
        inside = torch.tensor([[0] * prompt + [1] * (width - prompt) for _, prompt in rows])
        batches.append({"input_ids": ids, "attention_mask": mask, "labels": ids.masked_fill(mask * inside == 0, -100)})
    return batches


def plain_loop(
    model: PreTrainedModel, batches: list[dict[str, torch.Tensor]], recipe: Recipe
) -> tuple[list[float], list[float], list[float], float]:
    """Train as one would by hand; return per step the seconds, those of the floor, CPU seconds; and the mean loss."""
    import torch
    from torch.nn.functional import cross_entropy
    from torch.optim.lr_scheduler import LambdaLR

    decays = [p for p in model.parameters() if p.ndim > 1]
    groups = [{"params": decays, "weight_decay": recipe.weight_decay},
              {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0}]  # fmt: skip
    optimizer = torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=recipe.betas, fused=True)
    total, warm = len(batches), recipe.warmup_steps
    schedule = LambdaLR(optimizer, lambda i: i / warm if i < warm else (total - i) / max(total - warm, 1))
    seconds, floor, cpu_seconds, losses = [], [], [], []
    model.train()
    for batch in batches:
        start, cpu = time.perf_counter(), time.process_time()
        logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], use_cache=False).logits
        loss = cross_entropy(logits[:, :-1].flatten(0, 1), batch["labels"][:, 1:].flatten())
        loss.backward()
        computed = time.perf_counter()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        clipped = time.perf_counter()
        optimizer.step()
        stepped = time.perf_counter()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        seconds.append(time.perf_counter() - start)
        cpu_seconds.append(time.process_time() - cpu)
        floor.append(computed - start + stepped - clipped)
    return seconds, floor, cpu_seconds, sum(losses) / len(losses)


def run_round(recipe: Recipe) -> Round:
    from transformers import AutoModelForCausalLM

    with tempfile.TemporaryDirectory() as folder:
        profile, trainer_loss = run_trainer(recipe, Path(folder))
    model = AutoModelForCausalLM.from_pretrained(recipe.base_model)
    batches = make_batches(profile, model.config.pad_token_id)
    seconds, floor, cpu_seconds, plain_loss = plain_loop(model, batches, recipe)
    series = (profile["seconds"], seconds, floor, profile["cpu_seconds"], cpu_seconds)
    trainer, plain, floor_ms, trainer_cpu, plain_cpu = (1000 * median(times[WARM_UP:]) for times in series)
    return Round(trainer, plain, floor_ms, trainer_cpu, plain_cpu, abs(trainer_loss / plain_loss - 1))


def make_inputs(folder: Path) -> tuple[Path, Path]:
    """Write a tiny base model and 3,000 rows of about 40 tokens; return both paths."""
    from bootstrap.base_model import FromScratch, build_base_model

    rng = random.Random(0)
    columns = ["amount", "qty", "price", "city", "day", "score", "rank", "cost"]
    rows = []
    for _ in range(3000):
        steps = [(rng.choice(columns), rng.randint(1, 50)) for _ in range(rng.randint(1, 3))]
        said = " , then ".join(f"keep rows where {column} is above {n}" for column, n in steps)
        code = "df" + "".join(f'.filter(pl.col("{column}") > {n})' for column, n in steps)
        rows.append({"prompt": f"columns {' , '.join(rng.sample(columns, 4))} . {said} .\n", "completion": code})
    train_file = folder / "train.jsonl"
    train_file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    texts = [row[key] for row in rows for key in ("prompt", "completion")]
    return build_base_model(FromScratch(), texts, folder / "base", seed=0), train_file


def report(rounds: list[Round]) -> str:
    lines = ["round  run_sft ms  plain ms  floor ms  ratio  run_sft CPU ms  plain CPU ms  ratio  loss differs"]
    for i, r in enumerate(rounds, 1):
        lines.append(f"{i:>5} {r.trainer:>11.1f} {r.plain:>9.1f} {r.floor:>9.1f} {r.trainer / r.plain:>6.3f} "
                     f"{r.trainer_cpu:>15.1f} {r.plain_cpu:>13.1f} {r.trainer_cpu / r.plain_cpu:>6.3f} "
                     f"{r.loss_difference:>13.1e}")  # fmt: skip
    for name, ratios in (
        ("wall", sorted(r.trainer / r.plain for r in rounds)),
        ("CPU", sorted(r.trainer_cpu / r.plain_cpu for r in rounds)),
    ):
        lines.append(f"ratio by {name} time: median {median(ratios):.3f}, from {ratios[0]:.3f} to {ratios[-1]:.3f}")
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base_model", type=Path, help="checkpoint folder; default: a new one of 0.7M parameters")
    parser.add_argument("--train_file", type=Path, help="rows for --base_model; default: 3,000 generated ones")
    parser.add_argument("--steps", type=int, default=80, help="steps per round and side (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (%(default)s)")
    parser.add_argument("--batch_size", type=int, default=48, help="rows per step (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (%(default)s)")
    args = parser.parse_args(argv)
    if (args.base_model is None) != (args.train_file is None):
        parser.error("give both of --base_model and --train_file, or neither")
    if args.steps <= 2 * WARM_UP:
        parser.error(f"--steps must be above {2 * WARM_UP}: the first {WARM_UP} of each run are left out")
    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    import torch

    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        base, rows = (args.base_model, args.train_file) if args.base_model else make_inputs(Path(folder))
        recipe = Recipe(base, rows, args.steps, args.batch_size, args.threads)
        print(report([run_round(recipe) for _ in range(args.rounds)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
