"""Kill a run with SIGKILL at random moments, resume it each time, and compare it with an uninterrupted run.

    python -m eval.bench_kill                       # real model and trainer, 30 kills: about 10 minutes on 2 cores
    python -m eval.bench_kill --engine scripted     # no model, no training: about 3 minutes

The moments are spread evenly over the whole run: 30 equal slices of its time, one random moment in each. They are
dealt to several runs, because a run has to get on between two kills. Each resumed run must end with the same
candidates (all fields but seconds), solved set, training rows, model weights, evaluation rows and report without
times. Reads configs/demo.yaml, made small; leaves nothing unless --keep or a difference. Status 1: a difference.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bootstrap.config import parse_overrides
from bootstrap.errors import UserError
from bootstrap.files import read_json
from bootstrap.run_store import RunStore
from eval.bench_kill_compare import Part, compare_runs
from eval.bench_kill_setup import ROOT, write_config

RUN = "small"  # the same name in every folder: it is part of the report
MOMENTS_PER_RUN = 6
EARLY = ("CONVERT", "BASE", "BUILD", "TRAIN", "EVALUATE", "DONE")
LATER = ("SOLVE", "BUILD", "TRAIN", "EVALUATE", "DONE")
FINAL = ("CONTROLS", "TEST", "REPORT")


@dataclass(frozen=True)
class Clock:
    """The uninterrupted run on the clock: seconds in all, and of them those before its first stage."""

    total: float
    start_up: float


@dataclass(frozen=True)
class Kill:
    """One SIGKILL: the moment of the uninterrupted run aimed at, the seconds after the start, what was going on."""

    aimed: float
    after: float
    stage: str


@dataclass(frozen=True)
class KilledRun:
    """A run killed and resumed until it ended. `redone`: seconds beyond those of the uninterrupted run."""

    number: int
    kills: list[Kill]
    redone: float
    parts: list[Part] = field(default_factory=list)


def words_of(config: Path, outputs: Path) -> list[str]:
    program = str(ROOT / "bootstrap_loop.py")
    return [sys.executable, program, "--config", str(config), "--output-dir", str(outputs), "--run-name", RUN,
            "--resume"]  # fmt: skip


def run_for(words: Sequence[str], log: Path, seconds: float | None) -> tuple[bool, float]:
    """Run the loop to its end or, after `seconds`, until SIGKILL; return whether it was killed, and its seconds.

    Raises UserError when the loop fails by itself.
    """
    started = time.monotonic()
    with open(log, "ab") as output:
        loop = subprocess.Popen(words, cwd=ROOT, stdout=output, stderr=output, start_new_session=True)
        with contextlib.suppress(subprocess.TimeoutExpired):
            loop.wait(seconds)
        killed = loop.poll() is None
        loop.kill()
        status = loop.wait()
    if not killed and status != 0:
        raise UserError(f"the loop ended with status {status}; its output: {log}")
    return killed, time.monotonic() - started


def progress_of(store: RunStore) -> float:
    """Return the seconds of the stages that a run has finished."""
    folders = [*store.iterations(), store.final]
    return sum(record["seconds"] for folder in folders for record in store.metadata(folder)["stages"].values())


def stage_after(store: RunStore) -> str:
    """Return the first stage without a record: what was going on when the run was killed."""
    numbers = range(len(store.iterations()))
    for number in numbers:
        done = store.metadata(store.iteration(number))["stages"]
        owed = next((stage for stage in (EARLY if number == 0 else LATER) if stage not in done), None)
        if owed:
            return f"iteration {number} {owed}"
    done = store.metadata(store.final)["stages"]
    owed = next((stage for stage in FINAL if stage not in done), None)
    if not store.final.exists():
        return f"after iteration {len(numbers) - 1}" if numbers else "before the first stage"
    return f"final {owed}" if owed else "after the report"


def log_length(store: RunStore) -> int:
    return store.log_file.stat().st_size if store.log_file.exists() else 0


def kill_moments(rng: random.Random, kills: int, seconds: float) -> list[list[float]]:
    """Return the moments of each killed run, sorted: one in each of `kills` equal slices, dealt out in turn."""
    moments = [(i + rng.random()) * seconds / kills for i in range(kills)]
    runs = max(1, -(-kills // MOMENTS_PER_RUN))
    return [moments[start::runs] for start in range(runs)]


def delay_until(moment: float, progress: float, clock: Clock, rng: random.Random) -> float:
    """Return the seconds after which a run that has got so far comes to `moment`; if it is past it, a short while."""
    ahead = moment - progress
    return ahead if ahead > 0.1 else rng.uniform(0.1, clock.start_up + 0.5)


def killed_run(number: int, moments: Sequence[float], config: Path, reference: Path, clock: Clock,
               rng: random.Random) -> KilledRun:  # fmt: skip
    """Kill a run at the moments, resume it to its end, and compare; a run that ends before its kill is not killed."""
    outputs = reference.parent.parent / f"killed_{number}"
    store, log = RunStore(outputs / RUN), reference.parent.parent / f"killed_{number}.log"
    words, kills, spent = words_of(config, outputs), [], 0.0
    for moment in moments:
        before = log_length(store)
        killed, seconds = run_for(words, log, delay_until(moment, progress_of(store), clock, rng))
        spent += seconds
        if not killed:
            break
        stage = stage_after(store) if log_length(store) > before else "start-up"
        kills.append(Kill(round(moment, 2), round(seconds, 2), stage))
    else:
        spent += run_for(words, log, None)[1]
    return KilledRun(number, kills, round(spent - clock.total, 2), compare_runs(reference, store.root))


def uninterrupted_run(config: Path, outputs: Path) -> Clock:
    outputs.mkdir(parents=True)
    _, seconds = run_for(words_of(config, outputs), outputs.with_suffix(".log"), None)
    return Clock(seconds, max(0.2, seconds - progress_of(RunStore(outputs / RUN))))


def kill_and_compare(config: Path, folder: Path, kills: int, seed: int) -> tuple[Clock, list[KilledRun]]:
    """Return the uninterrupted run's clock, and the killed runs with `kills` kills between them."""
    clock = uninterrupted_run(config, folder / "uninterrupted")
    print(f"uninterrupted: {clock.total:.1f} s, of them {clock.start_up:.1f} s of start-up", flush=True)
    rng, runs, landed = random.Random(seed), list[KilledRun](), 0
    while landed < kills:
        for moments in kill_moments(rng, kills - landed, clock.total):
            run = killed_run(len(runs) + 1, moments, config, folder / "uninterrupted" / RUN, clock, rng)
            runs.append(run)
            landed += len(run.kills)
            different = [part.name for part in run.parts if part.difference]
            print(f"run {run.number}: {len(run.kills)} kills ({landed} of {kills}), {run.redone:.1f} s redone, "
                  f"{'different: ' + ', '.join(different) if different else 'equal'}", flush=True)  # fmt: skip
    return clock, runs


def show(clock: Clock, runs: Sequence[KilledRun]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    kills = [kill for run in runs for kill in run.kills]
    stages = Table("stage", "kills", title=f"where {len(kills)} kills landed", title_justify="left")
    for stage, count in Counter(kill.stage for kill in kills).most_common():
        stages.add_row(stage, str(count))
    console.print(stages)
    parts = Table("compared", "files", "rows", "equal in", title="killed and uninterrupted runs", title_justify="left")
    for i, part in enumerate(runs[0].parts):
        equal = sum(run.parts[i].difference is None for run in runs)
        parts.add_row(part.name, str(part.files), str(part.rows), f"{equal} of {len(runs)} runs")
    console.print(parts)
    redone = sum(run.redone for run in runs)
    console.print(
        f"{len(kills)} kills in {len(runs)} runs of {clock.total:.1f} s each; {redone:.1f} s were spent again "
        f"({redone / max(len(kills), 1):.1f} s per kill, of them {clock.start_up:.1f} s of start-up)"
    )


def first_of(runs: Sequence[KilledRun]) -> str | None:
    """Return the first difference of the first run that has one."""
    return next(
        (f"run {run.number}: {p.name}: {p.difference}" for run in runs for p in run.parts if p.difference), None
    )


def measure(args: argparse.Namespace, folder: Path) -> str | None:
    """Run everything, print and write it; return the first difference, None where there is none."""
    config = write_config(args.engine, folder, parse_overrides(args.overrides))
    clock, runs = kill_and_compare(config, folder, args.kills, args.seed)
    show(clock, runs)
    difference = first_of(runs)
    if args.out:
        row = {"engine": args.engine, "seed": args.seed, "cores": os.cpu_count(), "clock": asdict(clock),
               "first_difference": difference, "runs": [asdict(run) for run in runs],
               "report": read_json(folder / "uninterrupted" / RUN / "final_report.json")}  # fmt: skip
        args.out.write_text(json.dumps(row, indent=2) + "\n", encoding="utf-8")
    return difference


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m eval.bench_kill", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("overrides", nargs="*", metavar="key=value", help="any key of the small run's configuration")
    add("--engine", choices=["transformers", "scripted"], default="transformers", help="what samples (%(default)s)")
    add("--kills", type=int, default=30, help="kills that must land (%(default)s)")
    add("--seed", type=int, default=1, help="of the moments (%(default)s)")
    add("--keep", action="store_true", help="leave the run folders")
    add("--out", type=Path, help="JSON file with everything measured")
    args = parser.parse_args(argv)
    if args.kills < 1:
        parser.error("--kills must be at least 1")
    folder = Path(tempfile.mkdtemp(prefix="bench_kill_"))
    difference: str | None = "the comparison did not come to its end"
    try:
        difference = measure(args, folder)
    except UserError as e:
        print(f"error: {e}", file=sys.stderr)
        return 2
    finally:
        if difference or args.keep:
            print(f"run folders: {folder}")
        else:
            shutil.rmtree(folder)
    print(f"DIFFERENT: {difference}" if difference else "every killed run ended like the uninterrupted one")
    return 1 if difference else 0


if __name__ == "__main__":
    sys.exit(main())
