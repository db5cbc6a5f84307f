"""Run the demo with several seeds, one after the other, and say whether its promises hold for each of them.

    python -m eval.bench_demo                 # or: make bench-demo; about 6 minutes per seed on 2 cores

Leaves outputs/bench_demo_seed_N (started again, it goes on where it stopped) and outputs/bench_demo.json. Prints one
table: pass@1 on the test split of the model before the loop, of the best one and of its twin that was trained as long
on the seeds alone, and the paired difference of best and start. The promises: the start is at most 35 %, the end at
least 70 %, and at least 30 points above the twin.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from bootstrap.errors import UserError
from bootstrap.files import read_json
from bootstrap.run_store import RunStore
from eval.bench_table import Section, open_console, print_section

ROOT = Path(__file__).resolve().parents[1]
START_AT_MOST, END_AT_LEAST, GAIN_AT_LEAST = 0.35, 0.70, 0.30


@dataclass(frozen=True)
class SeedResult:
    """One seed's run; rates are shares of 1 on the test split. `difference`: best minus start, `gain`: minus twin."""

    seed: int
    start: float
    best: float
    seed_only: float
    difference: float
    ci95: tuple[float, float]
    gain: float
    gain_ci95: tuple[float, float]
    seconds: float
    idle_share: float | None
    stopped_because: str


@dataclass(frozen=True)
class Promise:
    """A bound that every seed must keep. `worst`: the value that is nearest to breaking it, or has."""

    text: str
    worst: float
    holds: bool


def run_seed(config: Path, outputs: Path, seed: int) -> Path:
    """Run or resume the loop with this seed; return its folder. Raises UserError when it fails."""
    name = f"bench_demo_seed_{seed}"
    words = [sys.executable, str(ROOT / "bootstrap_loop.py"), "--config", str(config), "--output-dir", str(outputs),
             "--run-name", name, "--resume", f"seed={seed}"]  # fmt: skip
    status = subprocess.run(words, check=False).returncode
    if status:
        raise UserError(f"the run with seed {seed} ended with status {status}; start again to go on with it")
    return outputs / name


def read_result(seed: int, run: Path) -> SeedResult:
    """Return what a finished run measured. Raises UserError when the report has no test with a twin."""
    report: dict[str, Any] = read_json(RunStore(run).final_report_file)
    test = report["test"]
    if test is None or test["vs_seed_only"] is None:
        raise UserError(f"{run}: the report has no test with the seed-only control: the run must train and test both")
    return SeedResult(
        seed=seed, start=test["base"]["pass_at_1"], best=test["best"]["pass_at_1"],
        seed_only=test["seed_only"]["pass_at_1"], difference=test["difference"], ci95=tuple(test["ci95"]),
        gain=test["vs_seed_only"]["difference"], gain_ci95=tuple(test["vs_seed_only"]["ci95"]),
        seconds=report["seconds_total"], idle_share=report["timing"]["idle_share"],
        stopped_because=report["stopped_because"],
    )  # fmt: skip


def promises(results: Sequence[SeedResult]) -> list[Promise]:
    start, end = max(r.start for r in results), min(r.best for r in results)
    gain = min(r.gain for r in results)
    return [
        Promise(f"start at most {START_AT_MOST:.0%}", start, start <= START_AT_MOST),
        Promise(f"end at least {END_AT_LEAST:.0%}", end, end >= END_AT_LEAST),
        Promise(f"at least {100 * GAIN_AT_LEAST:.0f} points above seed-only", gain, gain >= GAIN_AT_LEAST),
    ]


def points(rate: float) -> str:
    return f"{100 * rate:.1f}"


def with_interval(rate: float, ci95: tuple[float, float]) -> str:
    return f"{points(rate)} ({points(ci95[0])}–{points(ci95[1])})"


def seed_row(r: SeedResult) -> list[str]:
    return [str(r.seed), points(r.start), points(r.best), points(r.seed_only), with_interval(r.difference, r.ci95),
            with_interval(r.gain, r.gain_ci95), f"{r.seconds:.0f}"]  # fmt: skip


def summary_row(name: str, pick: Callable[[list[float]], float], results: Sequence[SeedResult]) -> list[str]:
    columns = zip(*((r.start, r.best, r.seed_only, r.difference, r.gain) for r in results), strict=True)
    return [name, *(points(pick(list(column))) for column in columns), f"{pick([r.seconds for r in results]):.0f}"]


def section_of(results: Sequence[SeedResult], kept: Sequence[Promise]) -> Section:
    rows = [seed_row(r) for r in results]
    rows += [summary_row(name, pick, results) for name, pick in (("least", min), ("mean", fmean), ("greatest", max))]
    columns = ("seed", "start %", "best %", "seed-only %", "best − start (95 %)", "best − seed-only (95 %)", "seconds")
    notes = [f"{'holds' if p.holds else 'DOES NOT HOLD'}: {p.text}; worst seed: {points(p.worst)}" for p in kept]
    return Section(f"The demo over {len(results)} seeds: pass@1 on the test split", columns, rows, notes)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m eval.bench_demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--seeds", type=int, nargs="+", default=[1, 2, 3], help="one run each (1 2 3)")
    add("--config", type=Path, default=ROOT / "configs" / "demo.yaml", help="the experiment (configs/demo.yaml)")
    add("--output-dir", type=Path, default=Path("outputs"), help="where runs and figures lie (%(default)s)")
    add("--out", type=Path, help="JSON file (bench_demo.json in --output-dir)")
    args = parser.parse_args(argv)
    out = args.out or args.output_dir / "bench_demo.json"
    try:
        results = [read_result(seed, run_seed(args.config, args.output_dir, seed)) for seed in args.seeds]
    except UserError as e:
        print(f"error: {e}", file=sys.stderr)
        return 2
    kept = promises(results)
    row = {"config": str(args.config), "seeds": [asdict(r) for r in results], "promises": [asdict(p) for p in kept]}
    out.write_text(json.dumps(row, indent=2) + "\n", encoding="utf-8")
    print_section(open_console(), section_of(results, kept))
    print(f"figures: {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
