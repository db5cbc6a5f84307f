"""Say how far a run is, from another terminal: its stage, how much of it is done, what is solved, how dev goes.

Reads the files of the run folder and nothing else; takes no lock, so it never gets in the way of the loop.

    python -m bootstrap.status outputs/RUN
    python -m bootstrap.status outputs/RUN --watch 10

Whether a process is alive can be seen only on the machine where the loop runs; elsewhere (a login node, a shared disk)
the age of the last sign of life says it. Time left is that of the stage or wave under way, at its pace so far.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bootstrap.diagnosis_records import diagnosis_file, read_diagnosis
from bootstrap.errors import UserError, nearest
from bootstrap.programs import run_program
from bootstrap.progression import best_of, past_of
from bootstrap.run_store import RunStore
from bootstrap.status_files import (
    LoopProcess,
    Progress,
    candidate_counts,
    disk_use,
    last_line,
    log_events,
    loop_process,
    newest_write,
    progress_of,
    read_gpu_now,
)
from bootstrap.summary_diagnosis import cause_sentence

STAGES = ("SOLVE", "BUILD", "TRAIN", "EVALUATE", "DONE")
FIRST_STAGES = ("CONVERT", "BASE", "BUILD", "TRAIN", "EVALUATE", "DONE")
LAST_STAGES = ("CONTROLS", "TEST", "REPORT")
LABELS = {"SOLVE": "solve", "TRAIN": "train", "EVALUATE": "evaluate", "CONVERT": "convert", "BASE": "base"}
FRESH_SECONDS = 120.0  # what wrote its files since may be running on another machine

State = Literal["running", "stopped", "finished", "unclear"]


@dataclass(frozen=True)
class RunStatus:
    """What the files of a run say at one moment."""

    run: str
    state: State
    process: LoopProcess
    where: str  # e.g. "iteration 3, SOLVE"
    since: dt.datetime | None  # when that stage began, as far as the log says
    progress: Progress | None
    candidates: tuple[int, int] | None  # of the iteration under way: recorded, problems solved
    solved: tuple[int, int] | None  # train problems solved, seeds included; all
    dev: tuple[tuple[int, float], ...]
    best: int | None
    stopped_because: str | None
    attempts: int
    silent_seconds: float | None
    cause: str  # why dev stands still, as far as it does
    last_log: str
    gpu: str
    disk: tuple[int, int]  # bytes of the run; bytes free on its disk


def read_status(root: Path) -> RunStatus:
    """Return the status of a run. Raises UserError when the folder holds none."""
    store = RunStore(root)
    require_run(store)
    folder, stage = stage_under_way(store)
    process, silent = loop_process(root / ".lock"), newest_write(store)
    final = store.metadata(store.final)
    state = state_of(final["stages"], process, silent)
    began, child_log = log_events(store, folder.name, LABELS.get(stage, stage.lower()))
    known = [past_of(m) for path in store.iterations() if "EVALUATE" in (m := store.metadata(path))["stages"]]
    counts = candidate_counts(folder / "candidates.jsonl") if stage == "SOLVE" else None
    recorded = [store.metadata(path)["stages"] for path in store.iterations()]
    train = len(store.split()["train"]) if store.split_file.is_file() else 0
    return RunStatus(
        run=store.name, state=state, process=process, since=began, candidates=counts,
        where="at its end" if state == "finished" else f"{folder.name.replace('_', ' ')}, {stage}",
        progress=progress_of(child_log, began) if child_log and state != "finished" else None,
        solved=(solved_so_far(recorded) + (counts[1] if counts else 0), train) if train else None,
        dev=tuple((one.iteration, one.dev_pass_at_1) for one in known),
        best=best_of(known).iteration if known else None,
        stopped_because=final.get("stopped_because"),
        cause=cause_told(store, known[-1].iteration) if known else "",
        attempts=len(list((root / "logs").glob("attempt_*"))),
        silent_seconds=silent, last_log=last_line(store.log_file), gpu=read_gpu_now(folder / "gpu.jsonl"),
        disk=disk_use(root),
    )  # fmt: skip


def solved_so_far(recorded: Sequence[Mapping[str, Any]]) -> int:
    """Return the train problems solved in the finished SOLVEs, seeds included."""
    totals = [stages["SOLVE"]["solved_total"] for stages in recorded if "SOLVE" in stages]
    seeds = [stages["CONVERT"].get("seeds", 0) for stages in recorded[:1] if "CONVERT" in stages]
    return int(max([*totals, *seeds], default=0))


def cause_told(store: RunStore, iteration: int) -> str:
    """Return the likeliest cause in the last diagnosis, empty while dev gets better."""
    diagnosis = read_diagnosis(diagnosis_file(store, iteration))
    return cause_sentence(diagnosis.causes[0]) if diagnosis and diagnosis.causes else ""


def require_run(store: RunStore) -> None:
    if store.exists or store.run_file.is_file() or (store.root / ".lock").is_file():
        return
    if not store.root.is_dir():
        others = [str(path.parent) for path in sorted(store.root.parent.glob("*/config.resolved.json"))]
        raise UserError(f"there is no folder {store.root}{nearest(str(store.root), others)} give outputs/RUN")
    inside = [path.parent.name for path in sorted(store.root.glob("*/config.resolved.json"))]
    told = f"; runs in it: {', '.join(inside)}" if inside else ""
    raise UserError(f"{store.root} is not a run folder: it has no config.resolved.json{told}")


def stage_under_way(store: RunStore) -> tuple[Path, str]:
    """Return the folder and the first stage of it that has no record."""
    folders = store.iterations()
    folder = store.final if store.final.exists() else folders[-1] if folders else store.iteration(0)
    order = LAST_STAGES if folder == store.final else STAGES if folder != store.iteration(0) else FIRST_STAGES
    stages = store.metadata(folder)["stages"]
    owed = [stage for stage in order if stage not in stages]
    return folder, owed[0] if owed else order[-1]


def state_of(final: Mapping[str, Any], process: LoopProcess, silent: float | None) -> State:
    if process.alive:
        return "running"
    if "REPORT" in final:
        return "finished"
    return "unclear" if silent is not None and silent < FRESH_SECONDS else "stopped"


# -- for people ---------------------------------------------------------------------------------------------------


def lines_of(status: RunStatus, now: dt.datetime) -> list[str]:
    """Return the status in lines."""
    lines = [f"{status.run}: {state_sentence(status)}", f"  {stage_line(status, now)}"]
    if status.progress:
        lines.append(f"  {progress_line(status.progress)}")
    if status.candidates:
        lines.append(f"  this iteration: {status.candidates[0]:,} candidates, {status.candidates[1]:,} newly solved")
    if status.solved:
        lines.append(f"  solved: {status.solved[0]:,} of {status.solved[1]:,} train problems (seeds included)")
    if status.dev:
        curve = "  ".join(f"{i}{'★' if i == status.best else ''} {rate:.1%}" for i, rate in status.dev)
        lines.append(f"  dev pass@1 by iteration: {curve}")
    lines += [f"  dev stands still, likely cause {status.cause}"] if status.cause else []
    lines += [f"  {status.gpu}"] if status.gpu else []
    lines += [f"  last log line: {status.last_log}"] if status.last_log else []
    used, free = (size / 2**30 for size in status.disk)
    return [*lines, f"  disk: {used:.2f} GiB in the run's folder, {free:,.0f} GiB free"]


def state_sentence(status: RunStatus) -> str:
    starts = f", start number {status.attempts}" if status.attempts > 1 else ""
    silent = "" if status.silent_seconds is None else f"; last sign of life {duration(status.silent_seconds)} ago"
    if status.state == "running":
        return f"running (process {status.process.pid}{starts})"
    if status.state == "finished":
        return f"finished: {status.stopped_because}"
    if status.state == "unclear":
        return f"no process of it on this machine{silent}: it has just ended, or it runs on another machine"
    return f"stopped before its end{silent}; go on with --resume"


def stage_line(status: RunStatus, now: dt.datetime) -> str:
    if status.since is None or status.state == "finished":
        return status.where
    spent = duration((now - status.since).total_seconds())
    told = f"for {spent}" if status.state == "running" else f"begun {spent} ago"
    return f"{status.where}, {told} (since {status.since:%Y-%m-%d %H:%M:%S})"


def progress_line(progress: Progress) -> str:
    share = f" ({progress.done / progress.total:.0%})" if progress.total else ""
    left = "" if progress.seconds_left is None else f", roughly {duration(progress.seconds_left)} left of it"
    return f"progress: {progress.done:,} of {progress.total:,}{share}{left}  {progress.note}".rstrip()


def duration(seconds: float) -> str:
    """Return "40 s", "12 min" or "3 h 05 min"."""
    whole = max(0, round(seconds))
    if whole < 100:
        return f"{whole} s"
    minutes = round(whole / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run_dir", type=Path, help="folder of the run, e.g. outputs/RUN")
    parser.add_argument("--watch", type=float, metavar="SECONDS", help="show it again every so many seconds")
    args = parser.parse_args(argv)
    if args.watch is not None and args.watch <= 0:
        parser.error(f"--watch: expected more than 0, found {args.watch:g}")

    def work() -> None:
        while True:
            lines = lines_of(read_status(args.run_dir), dt.datetime.now())
            clear = "\x1b[H\x1b[2J" if args.watch and os.isatty(1) else ""
            print(clear + "\n".join(lines), flush=True)
            if not args.watch:
                return
            time.sleep(args.watch)

    run_program(work)


if __name__ == "__main__":
    main()
