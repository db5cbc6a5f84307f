"""Small runs for tests: real configurations, real interpreters, the scripted engine and a trainer that is a script."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from bootstrap.records import Problem
from bootstrap.sources import load_source

ROOT = Path(__file__).resolve().parent.parent
FAKE_TRAINER = Path(__file__).with_name("fake_trainer.py")


def pipeline_problems(count: int, seed: int = 5) -> list[Problem]:
    return list(load_source("table_pipelines", {"count": count, "length_weights": [1.0, 1.0]}, seed).load())


def wrong_code(problem: Problem, language: str) -> str:
    """Return code that runs and is wrong (an empty table is never a right answer)."""
    return "df.head(0)" if language == "polars" else "SELECT * FROM df LIMIT 0"


def write_script(path: Path, problems: Iterable[Problem], language: str = "polars") -> Path:
    """Write a script for the scripted engine: each iteration solves about a third of what is left.

    Problem i is solved by sample i % 2 of iteration 1 + i % 3; every other answer is wrong, broken, or kills its
    process. On the dev and test splits every second problem is solved.
    """
    broken = {
        "polars": ["df.filter(", "df.nonsense()", "1 + 1", "import os; os._exit(0)"],
        "duckdb": ["SELEC", "SELECT 1"],
    }
    rows: list[dict[str, Any]] = []
    for i, problem in enumerate(problems):
        right = problem.references[language]
        bad = [wrong_code(problem, language), *broken[language]]
        for iteration in range(1, 5):
            for wave in range(2):
                for sample in range(2):
                    solved = iteration == 1 + i % 3 and sample == i % 2
                    code = right if solved else bad[(i + sample + wave) % len(bad)]
                    rows.append({
                        "problem_id": problem.problem_id, "completion": code, "sample_index": sample,
                        "tag": f"iteration {iteration} wave {wave}",
                    })  # fmt: skip
        for sample in range(2):  # every other tag: evaluations and controls
            code = right if i % 2 else wrong_code(problem, language)
            rows.append({"problem_id": problem.problem_id, "completion": code, "sample_index": sample})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def small_config(folder: Path, **overrides: Any) -> Path:
    """Write the YAML of a run that takes seconds: 24 problems, three iterations, no model."""
    problems = pipeline_problems(24)
    script = write_script(folder / "script.jsonl", problems)
    values: dict[str, Any] = {
        "target": "polars_expr", "base_model": "scripted/none", "seed": 5, "max_iterations": 3,
        "source": {"name": "table_pipelines", "options": {"count": 24, "length_weights": [1.0, 1.0]}},
        "admission": {"languages": "target", "repeats": "audited"}, "audit": {"problems": 2, "mutants": 6},
        "split": {"dev": 5, "test": 5, "seeds": 3, "near_duplicates": "keep"},
        "prompt": {"style": "plain"},
        "engine": {"name": "scripted", "script": str(script), "batch_sequences": 6},
        "sampling": {"waves": [2, 2]},
        "checking": {"workers": 1, "seconds": 5.0},
        "train": {"program": str(FAKE_TRAINER), "steps": 3, "start_from": "best"},
        "controls": {"seed_only": True, "sample_only_problems": 4},
        "wandb": {"mode": "disabled"},
    }  # fmt: skip
    for key, value in overrides.items():
        section, _, name = key.partition("__")
        if name:
            values[section] = {**values.get(section, {}), name: value}
        else:
            values[section] = value
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def loop_words(config: Path, outputs: Path, *words: str) -> list[str]:
    program = str(ROOT / "bootstrap_loop.py")
    return [sys.executable, program, "--config", str(config), "--output-dir", str(outputs), *words]


def run_loop(config: Path, outputs: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the loop's program to its end."""
    return subprocess.run(
        loop_words(config, outputs, *words), capture_output=True, text=True, timeout=240, cwd=ROOT, check=False
    )  # fmt: skip
