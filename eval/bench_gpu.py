"""Measure what a GPU box gives: its matrix rate, training and sampling beside it, a whole iteration, and the demo.

    python -m eval.bench_gpu                               # all of it; aim: 25 minutes on one H200
    python -m eval.bench_gpu --only matrix,sft             # a part at a time, each below 9 minutes
    python -m eval.bench_gpu --scale cpu                   # the same code without a GPU: about 30 minutes on 2 cores

  matrix     bf16 and fp32 products: large squares, and the shapes of the model's layers
  sft        sft/run_sft.py on Qwen3-1.7B's shape with random weights, full and with LoRA: share of the matrix rate
  compiled   the same with --torch_compile
  sampling   the transformers engine beside a bare `generate`, by size of the batch
  iteration  configs/gpu_1b.yaml: one whole iteration of the loop
  demo       configs/gpu_demo_100m.yaml: the demo with a 106M-parameter model and ten times the problems

Leaves in --work bench_gpu.json and bench_gpu.md, to which later parts on the same machine are added, the model and the
two runs. Exit status 1: a training or a run failed, and the rest is measured.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bootstrap.errors import UserError, nearest
from bootstrap.files import read_json, write_json
from eval.bench_table import Section, open_console, print_section

PARTS = ("matrix", "sft", "compiled", "sampling", "iteration", "demo")
SCALES = ("gpu", "cpu", "tiny")
LIBRARIES = ("torch", "transformers", "trl", "peft", "accelerate")


def choose(only: str | None) -> list[str]:
    """Return the parts to run, in their order. Raises UserError for a name that is none of them."""
    wanted = [name.strip() for name in (only or ",".join(PARTS)).split(",") if name.strip()]
    for name in wanted:
        if name not in PARTS:
            raise UserError(f"--only: no part {name!r}{nearest(name, PARTS)} known: {', '.join(PARTS)}")
    return [name for name in PARTS if name in wanted]


def scale_for(wanted: str | None) -> str:
    """Return the scale. Raises UserError where the large one is asked for and there is no GPU: it would take days."""
    import torch

    found = torch.cuda.is_available()
    if wanted == "gpu" and not found:
        raise UserError(
            f"--scale gpu, but torch {torch.__version__} sees no GPU: use --scale cpu, or look at nvidia-smi"
        )
    return wanted or ("gpu" if found else "cpu")


# --- the machine ---


def machine() -> dict[str, str | int | None]:
    import torch

    gpu = torch.cuda.get_device_properties(0) if torch.cuda.is_available() else None
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    return {
        "gpu": gpu and gpu.name, "gpu_gb": gpu and round(gpu.total_memory / 1e9), "driver": driver(),
        "cuda": torch.version.cuda, "cpu": cpu_name(), "cores": os.cpu_count(), "memory_gb": round(memory / 1e9),
        "python": platform.python_version(), **{name: version(name) for name in LIBRARIES},
    }  # fmt: skip


def driver() -> str | None:
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    words = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    return next(iter(done.stdout.split()), None)


def cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


# --- parts and what they leave ---


def part(name: str, scale_name: str, work: Path) -> Callable[[], Section]:
    """Return the work of a part; what it needs is imported when it is needed."""
    from eval.bench_gpu_scales import SCALES as PRESETS

    scale = PRESETS[scale_name]

    def matrix() -> Section:
        from eval.bench_gpu_matrix import matrix_section

        return matrix_section(scale)

    def sft() -> Section:
        from eval.bench_gpu_sft import sft_section

        return sft_section(scale, scale.training.variants, work)

    def compiled() -> Section:
        from eval.bench_gpu_sft import sft_section

        return sft_section(scale, scale.compiled, work)

    def sampling() -> Section:
        from eval.bench_gpu_sampling import sampling_section

        return sampling_section(scale, work)

    def iteration() -> Section:
        from eval.bench_gpu_loop import iteration_section

        return iteration_section(scale.iteration, work)

    def demo() -> Section:
        from eval.bench_gpu_loop import demo_section

        return demo_section(scale.demo, work)

    parts = {"matrix": matrix, "sft": sft, "compiled": compiled, "sampling": sampling, "iteration": iteration}
    return {**parts, "demo": demo}[name]


def read_figures(file: Path, scale: str) -> dict[str, Any]:
    """Return what earlier parts left, or the frame of a new file. Raises UserError for another machine or scale."""
    about = {"machine": machine(), "scale": scale}
    if not file.is_file():
        return {**about, "parts": {}}
    found: dict[str, Any] = read_json(file)
    differing = [key for key, value in about.items() if found.get(key) != value]
    if differing:
        raise UserError(f"{file} has figures of another {' and '.join(differing)}: give another --work, or remove it")
    return {**found, **about}


def markdown(figures: Mapping[str, Any]) -> str:
    """Return the tables of all parts measured so far, with the machine named; a part not measured is named as open."""
    about = figures["machine"]
    named = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in about.items() if value is not None)
    lines = [f"Machine: {named}. Scale: {figures['scale']}."]
    if about["gpu"] is None:
        lines.append("No GPU: every figure that asks for one is open.")
    for name in PARTS:
        one = figures["parts"].get(name)
        lines += ["", f"### {name}: {one['title']}" if one else f"### {name}", ""]
        if one is None:
            lines.append(f"Not measured: `python -m eval.bench_gpu --scale {figures['scale']} --only {name}`.")
            continue
        rows = [one["columns"], ["---"] * len(one["columns"]), *one["rows"]]
        lines += ["| " + " | ".join(row) + " |" for row in rows]
        lines += ["", *(f"- {note}" for note in one["notes"])]
    return "\n".join(lines) + "\n"


def measure(names: Sequence[str], scale: str, work: Path) -> bool:
    """Run the parts, writing the figures after each; say whether all of it was measured."""
    work.mkdir(parents=True, exist_ok=True)
    file, console, whole = work / "bench_gpu.json", open_console(), True
    figures = read_figures(file, scale)
    console.print(", ".join(f"{key.replace('_', ' ')} {value}" for key, value in figures["machine"].items()))
    for name in names:
        try:
            section = part(name, scale, work)()
        except UserError as e:  # the parts after it are measured all the same
            print(f"error: {name}: {e}", file=sys.stderr, flush=True)
            whole = False
            continue
        print_section(console, section)
        whole = whole and not any("failed" in reason for reason in dict_of(section, "missed").values())
        figures["parts"][name] = {
            "title": section.title, "columns": [*section.columns], "rows": [[*row] for row in section.rows],
            "notes": [*section.notes], "figures": section.figures,
        }  # fmt: skip
        write_json(file, figures)
        file.with_suffix(".md").write_text(markdown(figures), encoding="utf-8")
    print(f"figures: {file} and {file.with_suffix('.md')}")
    return whole


def dict_of(section: Section, key: str) -> dict[str, str]:
    found = section.figures.get(key, {})
    return found if isinstance(found, dict) else {}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m eval.bench_gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--only", metavar="A,B", help=f"the parts to run, of {', '.join(PARTS)} (all)")
    add("--scale", choices=SCALES, help="tiny: seconds (gpu where torch sees one, else cpu)")
    add("--work", type=Path, help="folder for the model, the runs and the figures (outputs/bench_gpu_SCALE)")
    args = parser.parse_args(argv)
    try:
        names, scale = choose(args.only), scale_for(args.scale)
        whole = measure(names, scale, args.work or Path("outputs") / f"bench_gpu_{scale}")
    except UserError as e:
        print(f"error: {e}", file=sys.stderr)
        return 2
    return 0 if whole else 1


if __name__ == "__main__":
    sys.exit(main())
