"""Layers: eval -> bootstrap -> interpreters, sft alone; and the loop process stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT

LAYERS = {
    "interpreters": {"interpreters"},
    "bootstrap": {"bootstrap", "interpreters"},
    "eval": {"eval", "bootstrap", "interpreters"},
    "sft": {"sft"},
}
HEAVY = ("torch", "transformers", "trl", "vllm", "wandb", "polars", "duckdb", "matplotlib", "httpx2", "openai", "ray")


def imported_packages(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add((node.module or "").split(".")[0])
    return found


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_run_one_way(layer: str) -> None:
    for path in (ROOT / layer).rglob("*.py"):
        assert imported_packages(path) & LAYERS.keys() <= LAYERS[layer], path


@pytest.mark.parametrize("module", ["bootstrap.loop", "bootstrap.cli", "eval.run_eval", "interpreters.checking"])
def test_importing_what_the_loop_process_needs_loads_nothing_heavy(module: str) -> None:
    program = f"import sys, {module}; print([m for m in {HEAVY!r} if m in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert ended.stdout.strip() == "[]"


def test_no_module_is_named_after_a_library() -> None:
    names = {p.stem for layer in LAYERS for p in (ROOT / layer).rglob("*.py")} - {"__init__"}
    assert not names & set(sys.stdlib_module_names)
    assert not names & {"datasets", "polars", "duckdb", "transformers", "torch", "wandb", "tokenizers", "ibis"}


def test_files_stay_short() -> None:
    for layer in (*LAYERS, "tests"):
        for path in (ROOT / layer).rglob("*.py"):
            assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, path
