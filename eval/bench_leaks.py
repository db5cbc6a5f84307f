"""Watch a run of many short iterations for what grows: memory, processes, open files, temporary files, disk.

    python -m eval.bench_leaks --iterations 20        # 5 minutes on 2 cores

Starts the loop on the demo's problems with few of them and few steps, in a temporary folder, and looks at its process
and at all that descend from it twice a second. Prints for each iteration what was there at its end (and the most
memory during it), and for each quantity its growth per iteration: the slope of a line through the later half of the
iterations, with a 95 % interval. The first half is left out because caches fill. Disk counts what an iteration leaves
besides the archive of candidates, whose size follows from how many problems are open. Exits with 1 when one grows.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from bootstrap.files import read_json, write_json
from interpreters.attacks.watch import descendants

OVERRIDES = (
    "source.options.count=420", "split.dev=40", "split.test=40", "split.seeds=60", "audit.problems=4",
    "train.steps=6", "train.seed_steps=20", "sampling.waves=[2]", "controls.seed_only=false",
    "controls.sample_only_problems=1", "plateau.rounds=1000",
)  # fmt: skip
LOOK_SECONDS = 0.5
T_95 = 2.3  # of Student's t for 8 degrees of freedom, about: the later half of 20 iterations
ALLOWED = {"loop_mb": 0.1, "files": 0.2, "threads": 0.2, "processes": 0.2, "temporary": 0.2, "disk_mb": 0.05}
"""Growth per iteration that counts as none: the least that a slope's interval must exceed to be a leak."""


@dataclass
class Look:
    """What was there at one moment, or at the end of an iteration."""

    loop_mb: float = 0.0  # resident memory of the loop's own process
    peak_mb: float = 0.0  # of the loop and its descendants together
    files: int = 0
    threads: int = 0
    processes: int = 0
    temporary: int = 0
    disk_mb: float = 0.0


def resident_mb(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    except OSError:
        return 0.0


def look_at(pid: int, temporary: Path) -> Look:
    """Return what is there now. Raises OSError when the process has ended."""
    members = {pid, *descendants(pid)}
    return Look(
        resident_mb(pid), sum(map(resident_mb, members)), len(list(Path(f"/proc/{pid}/fd").iterdir())),
        len(list(Path(f"/proc/{pid}/task").iterdir())), len(members), len(list(temporary.iterdir())),
    )  # fmt: skip


def disk_mb(folder: Path) -> float:
    """Return what an iteration leaves, candidates and the rows that follow from them aside."""
    aside = ("candidates.jsonl", "train.jsonl", "diagnosis.json")
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in aside]
    return sum(path.stat().st_size for path in files if path.parent.name != "solved_problems") / 2**20


def finished(run: Path) -> int:
    """Return how many iterations after the first have recorded their end."""
    paths = (run / f"iteration_{number}" / "metadata.json" for number in range(1, 10_000))
    count = 0
    for path in paths:
        if not path.is_file() or "DONE" not in read_json(path)["stages"]:
            return count
        count += 1
    return count


def watch(iterations: int, folder: Path) -> list[Look]:
    """Run the loop; return one look per iteration."""
    temporary = folder / "tmp"
    temporary.mkdir()
    words = [
        sys.executable, "bootstrap_loop.py", "--config", "configs/demo.yaml", "--no-wandb", "--output-dir", str(folder),
        "--max-iterations", str(iterations), *OVERRIDES,
    ]  # fmt: skip
    looks: list[Look] = []
    peak = 0.0
    with open(folder / "loop.log", "w") as log:
        loop = subprocess.Popen(words, stdout=log, stderr=log, env={**os.environ, "TMPDIR": str(temporary)})
        while loop.poll() is None:
            time.sleep(LOOK_SECONDS)
            try:
                now = look_at(loop.pid, temporary)
            except OSError:
                continue
            peak = max(peak, now.peak_mb)
            if finished(folder / "demo") > len(looks):
                now.peak_mb, peak = peak, 0.0
                now.disk_mb = disk_mb(folder / "demo" / f"iteration_{len(looks) + 1}")
                looks.append(now)
                print(f"iteration {len(looks)}: {line_of(now)}", flush=True)
    if loop.returncode:
        sys.exit((folder / "loop.log").read_text()[-2000:])
    left = [path.name for path in temporary.iterdir()]
    print(f"left in the folder of temporary files at the end: {', '.join(left) or 'nothing'}")
    return looks


def line_of(look: Look) -> str:
    return (
        f"loop {look.loop_mb:.1f} MB, with all below at most {look.peak_mb:,.0f} MB, {look.files} files, "
        f"{look.threads} threads, {look.processes} processes, {look.temporary} temporary, {look.disk_mb:.2f} MB of disk"
    )


def slope(values: Sequence[float]) -> tuple[float, float]:
    """Return the slope of the least-squares line, and half the width of its 95 % interval."""
    xs = range(len(values))
    middle, mean = fmean(xs), fmean(values)
    spread = sum((x - middle) ** 2 for x in xs)
    rise = sum((x - middle) * (y - mean) for x, y in zip(xs, values, strict=True)) / spread
    rest = sum((y - mean - rise * (x - middle)) ** 2 for x, y in zip(xs, values, strict=True))
    return rise, T_95 * math.sqrt(rest / max(1, len(values) - 2) / spread)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--iterations", type=int, default=20, help="of the loop, at least 8 (%(default)s)")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    args = parser.parse_args(argv)
    if args.iterations < 8:
        parser.error(f"--iterations: expected at least 8, found {args.iterations}")
    with tempfile.TemporaryDirectory(prefix="leaks-") as folder:
        looks = watch(args.iterations, Path(folder))
    later = looks[len(looks) // 2 :]
    grows = []
    for name, allowed in ALLOWED.items():
        rise, half = slope([float(getattr(look, name)) for look in later])
        leak = rise - half > allowed
        grows += [name] if leak else []
        print(f"{name:<10} {rise:+.3f} per iteration (95 % interval {rise - half:+.3f} to {rise + half:+.3f})"
              f"{': GROWS' if leak else ''}")  # fmt: skip
    if args.out:
        write_json(args.out, {"iterations": [vars(look) for look in looks], "grows": grows})
    print("nothing grows" if not grows else f"these grow: {', '.join(grows)}")
    return 1 if grows else 0


if __name__ == "__main__":
    sys.exit(main())
