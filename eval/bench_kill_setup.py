"""The small runs that eval.bench_kill kills: their configuration and, for the scripted engine, the script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml

from bootstrap.config import RunConfig, load_config
from bootstrap.files import write_jsonl
from bootstrap.records import Problem
from bootstrap.sources import load_source

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "configs" / "demo.yaml"
EngineName = Literal["scripted", "transformers"]

SMALL = {
    "seed": 3, "source.options.count": 160, "split.dev": 20, "split.test": 20, "split.seeds": 40,
    "checking.workers": 1, "controls.sample_only_problems": 12, "wandb.mode": "disabled",
}  # fmt: skip
TRAINED = {
    "max_iterations": 2, "from_scratch.num_layers": 1, "engine.batch_sequences": 24, "sampling.waves": [2, 2],
    "source.options.length_weights": [1.0], "source.options.kinds": ["sort", "top", "drop", "keep", "distinct"],
    "train.steps": 20, "train.seed_steps": 100, "train.warmup_steps": 10, "train.threads": 1,
}  # fmt: skip
SCRIPTED = {
    "max_iterations": 3, "base_model": "scripted/none", "engine.name": "scripted", "engine.batch_sequences": 6,
    "sampling.waves": [2, 2], "train.program": None, "train.seed_steps": 0, "controls.seed_only": False,
}  # fmt: skip


def write_config(engine: EngineName, folder: Path, overrides: Mapping[str, Any]) -> Path:
    """Write the YAML of a small run with this engine, derived from the demo's, and its script; return its path."""
    values: dict[str, Any] = {**SMALL, **(SCRIPTED if engine == "scripted" else TRAINED)}
    script = folder / "script.jsonl"
    if engine == "scripted":
        values["engine.script"] = str(script)
    config = load_config(DEMO, {**values, **overrides})
    if engine == "scripted":
        write_jsonl(script, script_rows(problems_of(config)))
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(config.model_dump(mode="json")), encoding="utf-8")
    return path


def problems_of(config: RunConfig) -> list[Problem]:
    return list(load_source(config.source.name, config.source.options, config.seed).load())


def script_rows(problems: Sequence[Problem], waves: int = 2, samples: int = 2) -> Iterator[dict[str, Any]]:
    """Yield completions: iteration 1 + i % 3 solves problem i, the rest is wrong, broken, or ends its process."""
    broken = ["df.head(0)", "df.filter(", "df.nonsense()", "1 + 1", "import os; os._exit(0)"]
    for i, problem in enumerate(problems):
        right = problem.references["polars"]
        for iteration in range(1, 4):
            for wave in range(waves):
                for sample in range(samples):
                    solves = iteration == 1 + i % 3 and sample == i % samples
                    text = right if solves else broken[(i + sample + wave) % len(broken)]
                    tag = f"iteration {iteration} wave {wave}"
                    yield {"problem_id": problem.problem_id, "tag": tag, "sample_index": sample, "completion": text}
        for sample in range(samples):  # every other tag: evaluations and controls
            text = right if i % 2 else broken[i % len(broken)]
            yield {"problem_id": problem.problem_id, "sample_index": sample, "completion": text}
