"""Measure what the project's speed rests on, each against a named rival and against the floor, side by side.

    python -m eval.bench                                # or: make bench; about 6 minutes on 2 cores
    python -m eval.bench --only checking --quick

  stages    seconds by stage of a finished run, and the share in which neither training nor sampling ran
  training  step time of sft/run_sft.py / a plain PyTorch loop on the same batches / forward, backward and step alone
  sampling  tokens per second of the engine, with and without checkers / a bare `generate` / forward passes alone
  checking  checks per second and CPU per check of each interpreter, at each level of the sandbox / a fresh process, or
            connection, per check / starting /bin/true
  engines   requests per second of the engine layer against a server that answers at once / the openai package / a bare
            HTTP client / a socket
  preparation  problems admitted per second by source, conversions per second by rules / sqlglot's transpiling alone

Reads a run of configs/demo.yaml, where there is one in outputs/. Figures are medians over rounds in which the sides
alternate; read the ratios, for seconds are those of this machine at this moment. Leaves only --out.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from bootstrap.errors import UserError, nearest
from bootstrap.run_store import RunStore
from eval.bench_table import Section, open_console, print_section

DEMO = Path(__file__).resolve().parents[1] / "configs" / "demo.yaml"
PARTS = ("stages", "training", "sampling", "checking", "engines", "preparation")


def choose(only: str | None) -> list[str]:
    """Return the parts to run, in their order. Raises UserError for a name that is none of them."""
    if only is None:
        return list(PARTS)
    wanted = [name.strip() for name in only.split(",") if name.strip()]
    for name in wanted:
        if name not in PARTS:
            raise UserError(f"--only: no part {name!r}{nearest(name, PARTS)} known: {', '.join(PARTS)}")
    return [name for name in PARTS if name in wanted]


def part(name: str, store: RunStore | None, data: Path | None, quick: bool) -> Callable[[], Section]:
    """Return the work of a part; what it needs is imported when it is needed."""

    def stages() -> Section:
        from eval.bench_stages import stages_section

        return stages_section(store)

    def training() -> Section:
        from eval.bench_training import training_section

        return training_section(quick=quick)

    def sampling() -> Section:
        from eval.bench_sampling import sampling_section

        return sampling_section(store, DEMO, quick=quick)

    def checking() -> Section:
        from eval.bench_checks import checks_section

        return checks_section(quick=quick)

    def engines() -> Section:
        from eval.bench_engines import engines_section

        return engines_section(quick=quick)

    def preparation() -> Section:
        from eval.bench_preparation import preparation_section

        return preparation_section(data, quick=quick)

    parts = {"stages": stages, "training": training, "sampling": sampling, "checking": checking, "engines": engines}
    return {**parts, "preparation": preparation}[name]


def machine() -> dict[str, object]:
    return {"cores": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version(),
            "load_before": round(os.getloadavg()[0], 2)}  # fmt: skip


def measure(names: Sequence[str], run_dir: Path | None, data: Path | None, out: Path | None, quick: bool) -> None:
    from eval.bench_stages import find_run

    console, about = open_console(), machine()
    console.print(", ".join(f"{key.replace('_', ' ')} {value}" for key, value in about.items()))
    store = find_run(run_dir, DEMO) if {"stages", "sampling"} & {*names} else None
    figures: dict[str, object] = {"machine": about, "quick": quick}
    for name in names:
        section = part(name, store, data, quick)()
        print_section(console, section)
        figures[name] = section.figures
    if out:
        out.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m eval.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--only", metavar="A,B", help=f"the parts to run, of {', '.join(PARTS)} (all)")
    add("--run-dir", type=Path, help="finished run to read (the newest one of configs/demo.yaml in outputs/)")
    add("--data", type=Path, help="folder of public data sets, for the part preparation")
    add("--quick", action="store_true", help="fewer rounds: a minute, for a look")
    add("--out", type=Path, help="JSON file with every round")
    args = parser.parse_args(argv)
    try:
        measure(choose(args.only), args.run_dir, args.data, args.out, args.quick)
    except UserError as e:
        print(f"error: {e}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
