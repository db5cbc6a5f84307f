"""Whole runs of the loop, as children with their own configuration, read from the reports that they leave."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bootstrap.base_model import RECORD_FILE
from bootstrap.errors import UserError
from bootstrap.files import read_json
from bootstrap.run_store import RunStore
from eval.bench_table import Section

ROOT = Path(__file__).resolve().parents[1]
DEMO_AIM = 600.0  # seconds


def run_loop(config: Path, work: Path, name: str, overrides: Sequence[str]) -> RunStore:
    """Run the loop anew; return its folder. Raises UserError when it ends with an error."""
    shutil.rmtree(work / name, ignore_errors=True)
    words = [sys.executable, str(ROOT / "bootstrap_loop.py"), "--config", str(config), "--output-dir", str(work),
             "--run-name", name, "wandb.mode=disabled", *overrides]  # fmt: skip
    status = subprocess.run(words, check=False).returncode
    if status:
        raise UserError(f"the loop with {config.name} ended with status {status}; its log is {work / name}")
    return RunStore(work / name)


def section_of(title: str, config: str, overrides: Sequence[str], store: RunStore, aim: float | None) -> Section:
    report: dict[str, Any] = read_json(store.final_report_file)
    parameters = read_json(store.base_model / RECORD_FILE)["parameters"]
    total = report["seconds_total"]
    rows = [[stage, f"{seconds:.1f}", f"{seconds / total:.0%}"]
            for stage, seconds in sorted(report["seconds_by_stage"].items(), key=lambda item: -item[1])]  # fmt: skip
    rows.append(["in all", f"{total:.1f}", "100%" if aim is None else f"aim: at most {aim:.0f} s"])
    notes = [
        f"configs/{config}{' ' if overrides else ''}{' '.join(overrides)}: {parameters / 1e6:,.1f}M parameters; "
        f"{sum(report['problems'][part] for part in ('train', 'dev', 'test')):,} problems; {report['stopped_because']}",
        *(iteration_note(one, store) for one in report["iterations"]),
        test_note(report["test"]),
    ]
    figures = {"config": config, "overrides": [*overrides], "parameters": parameters, "report": report, "aim": aim}
    return Section(title, ("stage", "seconds", "share"), rows, notes, figures)


def iteration_note(row: dict[str, Any], store: RunStore) -> str:
    stages = store.metadata(store.iteration(row["iteration"]))["stages"]
    dev = row["dev"] and f"{row['dev']['pass_at_1']:.1%}"
    if "SOLVE" not in stages:
        return f"iteration {row['iteration']}: dev pass@1 {dev}"
    solve, train = stages["SOLVE"], stages.get("TRAIN", {})
    sampled = f"{solve['samples']:,} samples ({solve.get('tokens_per_second') or 0:,.0f} tokens/s)"
    trained = f"{train.get('steps', 0)} steps at {train.get('tokens_per_second') or 0:,.0f} tokens/s"
    return (
        f"iteration {row['iteration']}: {sampled}, {row['newly_solved']:,} of {row['attempted']:,} problems newly "
        f"solved; trained {trained}; dev pass@1 {dev}"
    )


def test_note(test: dict[str, Any] | None) -> str:
    if test is None:
        return "no test split"
    rates = {name: test[name] and test[name]["pass_at_1"] for name in ("base", "best", "seed_only")}
    said = ", ".join(f"{name.replace('_', '-')} {rate:.1%}" for name, rate in rates.items() if rate is not None)
    return f"test pass@1: {said}"


def iteration_section(overrides: Sequence[str], work: Path) -> Section:
    config = "gpu_1b.yaml"
    store = run_loop(ROOT / "configs" / config, work, "iteration", overrides)
    return section_of("One whole iteration", config, overrides, store, None)


def demo_section(overrides: Sequence[str], work: Path) -> Section:
    config = "gpu_demo_100m.yaml"
    store = run_loop(ROOT / "configs" / config, work, "demo", overrides)
    return section_of("The demo, ten times as large", config, overrides, store, DEMO_AIM)
