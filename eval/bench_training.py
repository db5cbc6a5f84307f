"""The step time of sft/run_sft.py against a plain PyTorch loop: eval.bench_sft's rounds, as a part of eval.bench."""

from __future__ import annotations

import os
import tempfile
from dataclasses import asdict
from pathlib import Path

from eval.bench_sft import Recipe, Round, make_inputs, run_round
from eval.bench_table import Section, ratios, spread, times

AIM = 1.15
BATCH_SIZE = 48


def training_section(*, quick: bool) -> Section:
    """Run the rounds on one thread, as the demo trains."""
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()
    before = torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS")
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory() as folder:
            base, rows = make_inputs(Path(folder))
            recipe = Recipe(base, rows, steps=30 if quick else 80, batch_size=BATCH_SIZE, threads=1)
            rounds = [run_round(recipe) for _ in range(1 if quick else 3)]
    finally:
        torch.set_num_threads(before[0])
    return section_of(rounds, recipe)


def section_of(rounds: list[Round], recipe: Recipe) -> Section:
    series = {
        "run_sft.py": ([r.trainer for r in rounds], [r.trainer_cpu for r in rounds]),
        "plain PyTorch loop": ([r.plain for r in rounds], [r.plain_cpu for r in rounds]),
    }
    rows = [[name, spread(wall).text(".1f"), spread(cpu).text(".1f")] for name, (wall, cpu) in series.items()]
    rows.append(["floor: forward, backward, optimizer", spread([r.floor for r in rounds]).text(".1f"), ""])
    (wall, cpu), (plain_wall, plain_cpu) = series.values()
    by_wall, by_cpu = ratios(wall, plain_wall), ratios(cpu, plain_cpu)
    rows.append(["run_sft.py / plain loop", times(by_wall), times(by_cpu)])
    rows.append(["run_sft.py / floor", times(ratios(wall, [r.floor for r in rounds])), ""])
    notes = [
        f"{len(rounds)} rounds of {recipe.steps} steps a side, {recipe.batch_size} rows each, one thread; "
        f"median (least–greatest); aim: at most {AIM:.2f}x the plain loop. Mean losses differ by at most "
        f"{max(r.loss_difference for r in rounds):.0e} of their value."
    ]
    figures = {"rounds": [asdict(r) for r in rounds], "wall_ratio": asdict(by_wall), "cpu_ratio": asdict(by_cpu),
               "aim": AIM, "steps": recipe.steps, "batch_size": recipe.batch_size}  # fmt: skip
    columns = ("side", "ms per step", "CPU ms per step")
    return Section("Training: step time on the same batches", columns, rows, notes, figures)
