"""Kill a run with SIGKILL at random moments, resume it each time, and compare it with an uninterrupted run.

    python -m eval.bench_kill                       # real model and trainer, 30 kills: about 9 minutes on 2 cores
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
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bootstrap.config import parse_overrides
from bootstrap.errors import UserError
from bootstrap.files import read_json
from bootstrap.programs import INTERRUPTED, stop_on_signals
from bootstrap.run_store import RunStore
from eval.bench_kill_compare import Part, compare_runs
from eval.bench_kill_setup import ROOT, write_config
from eval.bench_table import open_console

RUN = "small"  # the same name in every folder: it is part of the report
MOMENTS_PER_RUN = 6
EARLY = ("CONVERT", "BASE", "BUILD", "TRAIN", "EVALUATE", "DONE")
LATER = ("SOLVE", "BUILD", "TRAIN", "EVALUATE", "DONE")
FINAL = ("CONTROLS", "TEST", "REPORT")
START_UP = "start-up"
POLL_SECONDS = 0.01


@dataclass(frozen=True)
class Segment:
    """A stretch of the uninterrupted run: its start-up, or one stage."""

    name: str
    seconds: float


@dataclass(frozen=True)
class Moment:
    """When to kill: so many seconds into the segment of this number."""

    segment: int
    offset: float


@dataclass(frozen=True)
class Kill:
    """One SIGKILL: the segment that was aimed at, the seconds after the start, and what was going on."""

    aimed: str
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


def run_loop(words: Sequence[str], log: Path, wait: Callable[[subprocess.Popen[bytes]], None]) -> tuple[bool, float]:
    """Run the loop until `wait` returns and kill it then; return whether it still ran, and its seconds.

    Raises UserError when the loop fails by itself.
    """
    started = time.monotonic()
    with open(log, "ab") as output:
        loop = subprocess.Popen(words, cwd=ROOT, stdout=output, stderr=output, start_new_session=True)
        try:
            wait(loop)
        finally:
            killed = loop.poll() is None
            loop.kill()
            status = loop.wait()
    if not killed and status != 0:
        raise UserError(f"the loop ended with status {status}; its output: {log}")
    return killed, time.monotonic() - started


def to_the_end(loop: subprocess.Popen[bytes]) -> None:
    loop.wait()


def wait_for(moment: Moment, store: RunStore, start_up: float) -> Callable[[subprocess.Popen[bytes]], None]:
    """Return what waits until the loop comes to the moment, whatever the machine's speed.

    Its segment begins when every stage before it is recorded. Where an earlier kill came late and the segment is done
    already, the loop is killed as soon as it is under way.
    """
    recorded, before = len(stages_of(store)), moment.segment - 1
    ahead = 0.0 if recorded > before >= 0 else moment.offset
    if recorded >= before >= 0:
        ahead += start_up

    def wait(loop: subprocess.Popen[bytes]) -> None:
        while len(stages_of(store)) < before and loop.poll() is None:
            time.sleep(POLL_SECONDS)
        with contextlib.suppress(subprocess.TimeoutExpired):
            loop.wait(ahead)

    return wait


def stages_of(store: RunStore) -> list[Segment]:
    """Return the finished stages of a run, in the order in which they were done."""
    orders = [EARLY, *(LATER for _ in store.iterations()[1:]), FINAL]
    found = []
    for folder, order in zip([*store.iterations(), store.final], orders[-1 - len(store.iterations()) :], strict=True):
        done = store.metadata(folder)["stages"]
        found += [Segment(f"{folder.name} {stage}", done[stage]["seconds"]) for stage in order if stage in done]
    return found


def log_length(store: RunStore) -> int:
    return store.log_file.stat().st_size if store.log_file.exists() else 0


def kill_moments(rng: random.Random, kills: int, timeline: Sequence[Segment]) -> list[list[Moment]]:
    """Return the moments of each killed run, in order: one in each of `kills` equal slices, dealt out in turn."""
    seconds = sum(segment.seconds for segment in timeline)
    moments = [moment_at((i + rng.random()) * seconds / kills, timeline) for i in range(kills)]
    runs = max(1, -(-kills // MOMENTS_PER_RUN))
    return [moments[start::runs] for start in range(runs)]


def moment_at(seconds: float, timeline: Sequence[Segment]) -> Moment:
    for number, segment in enumerate(timeline):
        if seconds < segment.seconds:
            return Moment(number, seconds)
        seconds -= segment.seconds
    return Moment(len(timeline) - 1, timeline[-1].seconds)


def killed_run(
    number: int, moments: Sequence[Moment], config: Path, reference: Path, timeline: Sequence[Segment]
) -> KilledRun:
    """Kill a run at the moments, resume it to its end, and compare; a run that ends before its kill is not killed."""
    outputs = reference.parent.parent / f"killed_{number}"
    store, log = RunStore(outputs / RUN), outputs.with_suffix(".log")
    words, kills, spent = words_of(config, outputs), list[Kill](), 0.0
    for moment in moments:
        before = log_length(store)
        killed, seconds = run_loop(words, log, wait_for(moment, store, timeline[0].seconds))
        spent += seconds
        if not killed:
            break
        at = timeline[min(len(stages_of(store)) + 1, len(timeline) - 1)].name
        stage = at if log_length(store) > before else START_UP
        kills.append(Kill(timeline[moment.segment].name, round(seconds, 2), stage))
    else:
        spent += run_loop(words, log, to_the_end)[1]
    redone = spent - sum(segment.seconds for segment in timeline)
    return KilledRun(number, kills, round(redone, 2), compare_runs(reference, store.root))


def uninterrupted_run(config: Path, outputs: Path) -> list[Segment]:
    """Run once to the end; return what it did when, its start-up first."""
    outputs.mkdir(parents=True)
    _, seconds = run_loop(words_of(config, outputs), outputs.with_suffix(".log"), to_the_end)
    stages = stages_of(RunStore(outputs / RUN))
    return [Segment(START_UP, max(0.2, seconds - sum(stage.seconds for stage in stages))), *stages]


def kill_and_compare(config: Path, folder: Path, kills: int, seed: int) -> tuple[list[Segment], list[KilledRun]]:
    """Return the uninterrupted run's timeline, and the killed runs with `kills` kills between them."""
    timeline = uninterrupted_run(config, folder / "uninterrupted")
    print(f"uninterrupted: {sum(s.seconds for s in timeline):.1f} s, "
          f"of them {timeline[0].seconds:.1f} s of start-up", flush=True)  # fmt: skip
    rng, runs, landed = random.Random(seed), list[KilledRun](), 0
    while landed < kills:
        for moments in kill_moments(rng, kills - landed, timeline):
            run = killed_run(len(runs) + 1, moments, config, folder / "uninterrupted" / RUN, timeline)
            runs.append(run)
            landed += len(run.kills)
            different = [part.name for part in run.parts if part.difference]
            print(f"run {run.number}: {len(run.kills)} kills ({landed} of {kills}), {run.redone:.1f} s redone, "
                  f"{'different: ' + ', '.join(different) if different else 'equal'}", flush=True)  # fmt: skip
    return timeline, runs


def show(timeline: Sequence[Segment], runs: Sequence[KilledRun]) -> None:
    from rich.table import Table

    console = open_console()
    kills = [kill for run in runs for kill in run.kills]
    stages = Table(
        "stage", "seconds uninterrupted", "kills", title=f"where {len(kills)} kills landed", title_justify="left"
    )
    counts = Counter(kill.stage for kill in kills)
    for segment in (one for one in timeline if counts[one.name] or one.seconds >= 0.1):
        stages.add_row(segment.name, f"{segment.seconds:.1f}", str(counts[segment.name] or "–"))
    console.print(stages)
    parts = Table("compared", "files", "rows", "equal in", title="killed and uninterrupted runs", title_justify="left")
    for i, part in enumerate(runs[0].parts):
        if not part.files:
            continue  # nothing is trained with the scripted engine
        equal = sum(run.parts[i].difference is None for run in runs)
        parts.add_row(part.name, str(part.files), str(part.rows), f"{equal} of {len(runs)} runs")
    console.print(parts)
    redone = sum(run.redone for run in runs)
    console.print(
        f"{len(kills)} kills in {len(runs)} runs of {sum(s.seconds for s in timeline):.1f} s each; {redone:.1f} s were "
        f"spent again ({redone / max(len(kills), 1):.1f} s per kill, of them {timeline[0].seconds:.1f} s of start-up)"
    )


def first_of(runs: Sequence[KilledRun]) -> str | None:
    """Return the first difference of the first run that has one."""
    return next(
        (f"run {run.number}: {p.name}: {p.difference}" for run in runs for p in run.parts if p.difference), None
    )


def measure(args: argparse.Namespace, folder: Path) -> str | None:
    """Run everything, print and write it; return the first difference, None where there is none."""
    config = write_config(args.engine, folder, parse_overrides(args.overrides))
    timeline, runs = kill_and_compare(config, folder, args.kills, args.seed)
    show(timeline, runs)
    difference = first_of(runs)
    if args.out:
        row = {
            "engine": args.engine, "seed": args.seed, "cores": os.cpu_count(), "first_difference": difference,
            "timeline": [asdict(segment) for segment in timeline], "runs": [asdict(run) for run in runs],
            "report": read_json(folder / "uninterrupted" / RUN / "final_report.json"),
        }  # fmt: skip
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
    stop_on_signals()
    folder = Path(tempfile.mkdtemp(prefix="bench_kill_"))
    difference: str | None = "the comparison did not come to its end"
    try:
        difference = measure(args, folder)
    except UserError as e:
        print(f"error: {e}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return INTERRUPTED
    finally:
        if difference or args.keep:
            print(f"run folders: {folder}")
        else:
            shutil.rmtree(folder)
    print(f"DIFFERENT: {difference}" if difference else "every killed run ended like the uninterrupted one")
    return 1 if difference else 0


if __name__ == "__main__":
    sys.exit(main())
