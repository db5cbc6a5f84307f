"""Sampling a model of a billion parameters: the transformers engine beside a bare `generate`, by size of the batch."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path

from bootstrap.engines import load_engine
from bootstrap.sampling import plan_batches
from eval.bench_gpu_matrix import device_name, free_gpu
from eval.bench_gpu_model import Bench, make_bench
from eval.bench_gpu_scales import Scale
from eval.bench_sampling import SAMPLES, BareGenerate, Pass, Workload, alternate, engine_alone
from eval.bench_table import Section, ratios, spread


def workload(bench: Bench, sequences: int, scale: Scale) -> Workload:
    """Return one batch of so many sequences."""
    changes = {
        "engine": {"batch_sequences": sequences, "dtype": "bfloat16" if device_name() == "cuda" else "float32"},
        "sampling": {"max_new_tokens": scale.new_tokens},
    }
    config = bench.config.model_copy(
        update={name: getattr(bench.config, name).model_copy(update=keys) for name, keys in changes.items()}
    )
    plan = plan_batches(bench.problems, config, tag="bench", wave=0, num_samples=SAMPLES, temperature=1.0)
    problems = {problem.problem_id: problem for problem in bench.problems}
    return Workload(str(bench.model), config, bench.language, problems, [plan[len(plan) // 2]])


def passes(bench: Bench, sequences: int, scale: Scale) -> dict[str, list[Pass]]:
    """Return the passes of both sides, each with a copy of the model of its own."""
    work = workload(bench, sequences, scale)
    engine = load_engine(work.model, work.config.engine, work.config.prompt)
    bare = BareGenerate(work)
    sides = {"engine": partial(engine_alone, engine, work), "generate": partial(bare.run, work)}
    found = alternate(sides, scale.rounds)
    engine.close()
    del engine, bare, sides
    free_gpu()
    return found


def sampling_section(scale: Scale, work: Path) -> Section:
    bench = make_bench(scale.model, work)
    found = {sequences: passes(bench, sequences, scale) for sequences in scale.sequences}
    rows = []
    for sequences, sides in found.items():
        speeds = {side: [one.speed for one in all_passes] for side, all_passes in sides.items()}
        ratio = ratios(speeds["engine"], speeds["generate"])
        rows.append([f"{sequences}", spread(speeds["engine"]).text(",.0f"), spread(speeds["generate"]).text(",.0f"),
                     ratio.text()])  # fmt: skip
    notes = [
        f"{scale.new_tokens} new tokens each, {SAMPLES} samples per prompt; {scale.rounds} rounds after one that warms "
        "up; median (least–greatest). Above 1 the engine is faster. Random weights: nearly every answer runs to the "
        "limit."
    ]
    figures = {"rounds": {str(n): {side: [asdict(p) for p in ps] for side, ps in sides.items()}
                          for n, sides in found.items()}}  # fmt: skip
    columns = ("sequences", "engine, tokens/s", "bare generate, tokens/s", "engine / generate")
    return Section("Sampling: the transformers engine beside a bare generate", columns, rows, notes, figures)
