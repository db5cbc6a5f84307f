"""Write the final report of a run: final_report.json, curves.png and report.html, from the files in its folder.

Reads what finished stages recorded and nothing else, so it works on a run that is still going or was killed: what is
not there yet is null, and `stopped_because` is "running". Changes nothing outside the three files.

    python -m eval.final_report --run-dir outputs/RUN

Every number is computed from the run's files. The same files give the same bytes; the only figures that differ between
two equal runs are times, and these are the keys that start with "seconds" or stand under "timing" (`without_times`).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

from bootstrap.diagnosis_records import Diagnosis, diagnosis_file, read_diagnosis
from bootstrap.errors import UserError
from bootstrap.files import read_json, read_jsonl, write_bytes_atomic
from bootstrap.run_store import RunStore
from eval.gpu_curve import gpu_use, read_gpu
from eval.metrics import PassRate, ProblemScore
from eval.paired import compare_by_difficulty, compare_by_target, compare_on_test, compare_sampling
from eval.report_shape import (
    REPORT_FORMAT,
    RUNNING,
    BaseReport,
    ControlPoint,
    FinalReport,
    GpuUse,
    IterationReport,
    ProblemCounts,
    SeedOnlyControl,
    Timing,
)

# Seconds in which a stage's accelerator works; what is left of a run's time is idle (see Timing).
BUSY_FIELDS = {
    "SOLVE": "engine_seconds",
    "EVALUATE": "engine_seconds",
    "TEST": "engine_seconds",
    "CONTROLS": "engine_seconds",
    "TRAIN": "train_seconds",
}


@dataclass(frozen=True)
class StageRecords:
    """One metadata.json: what finished stages recorded. A stage that is not in it has not finished."""

    stages: Mapping[str, Mapping[str, Any]]
    fields: Mapping[str, Any]

    def get(self, stage: str, name: str) -> Any:
        return self.stages.get(stage, {}).get(name)

    @property
    def seconds(self) -> dict[str, float]:
        return {stage: round(record["seconds"], 1) for stage, record in self.stages.items()}


@dataclass(frozen=True)
class RunFiles:
    """What a run has recorded, read once from the paths that RunStore knows."""

    store: RunStore

    @cached_property
    def run(self) -> dict[str, Any]:
        if not self.store.run_file.is_file():
            raise UserError(f"{self.store.root} is not a run folder: it has no run.json; give --run-dir outputs/RUN")
        return read_json(self.store.run_file)

    @cached_property
    def split(self) -> dict[str, Any] | None:
        return read_json(self.store.split_file) if self.store.split_file.is_file() else None

    @cached_property
    def iterations(self) -> dict[int, StageRecords]:
        numbers = [int(folder.name.removeprefix("iteration_")) for folder in self.store.iterations()]
        return {number: self._records(self.store.iteration(number)) for number in numbers}

    @cached_property
    def final(self) -> StageRecords:
        return self._records(self.store.final)

    @property
    def sample_only(self) -> Path:
        return self.store.final / "sample_only.json"

    def test_rows(self, model: str) -> Path:
        return self.store.final / "evaluation" / f"test_{model}.jsonl"

    def diagnosis(self, iteration: int) -> Diagnosis | None:
        """Return the diagnosis of an evaluated iteration; None where there is none yet."""
        if "EVALUATE" not in self.iterations[iteration].stages:
            return None
        return read_diagnosis(diagnosis_file(self.store, iteration))

    @property
    def gpu_files(self) -> list[Path]:
        return [folder / "gpu.jsonl" for folder in (*self.store.iterations(), self.store.final)]

    def _records(self, folder: Path) -> StageRecords:
        fields = self.store.metadata(folder)
        return StageRecords(fields["stages"], fields)


def build_report(files: RunFiles) -> FinalReport:
    """Return the report of what the run has finished so far."""
    run, records = files.run, files.iterations
    solved = accumulate(record.get("SOLVE", "newly_solved") or 0 for record in records.values())
    iterations = [
        _iteration(number, records[number], sofar, files.diagnosis(number))
        for number, sofar in zip(records, solved, strict=True)
    ]
    seconds = _seconds_by_stage([*records.values(), files.final])
    tests = _test_scores(files)
    finished = "CONTROLS" in files.final.stages and files.sample_only.is_file()
    sampling = [compare_sampling(read_json(files.sample_only))] if finished else []
    promoted = max((row.iteration for row in iterations if row.best_so_far), default=None)
    best = files.final.fields.get("best_iteration", promoted)
    return FinalReport(
        format=REPORT_FORMAT,
        run=run["run"],
        target=run["target"],
        language=run["language"],
        base_model=run["base_model"],
        stopped_because=files.final.fields.get("stopped_because") or RUNNING,
        best_iteration=best,
        problems=_problem_counts(files.split),
        base=_base(iterations),
        iterations=iterations,
        controls=[*_seed_only(iterations, records), *sampling],
        test=compare_on_test(tests, best) if best is not None else None,
        by_difficulty=compare_by_difficulty(tests),
        by_target=compare_by_target(tests, best) if best is not None else {},
        seconds_total=round(sum(seconds.values()), 1),
        seconds_by_stage=seconds,
        timing=_timing([*records.values(), files.final], gpu_use(read_gpu(files.gpu_files))),
        causes=list(iterations[-1].diagnosis.causes) if iterations and iterations[-1].diagnosis else [],
        audit=records[0].get("CONVERT", "audit") if 0 in records else None,
    )


def without_times(report: Any) -> Any:
    """Return the report as parsed JSON without its time figures: two equal runs give equal results here."""
    if isinstance(report, dict):
        kept = {k: v for k, v in report.items() if not k.startswith("seconds") and k != "timing"}
        return {k: without_times(v) for k, v in kept.items()}
    return [without_times(item) for item in report] if isinstance(report, list) else report


def write_final_report(run_dir: Path) -> FinalReport:
    """Write final_report.json, curves.png and report.html into the run folder, each in one step; return the report."""
    from eval.curves import curves_png
    from eval.report_html import render_report

    files = RunFiles(RunStore(run_dir))
    report = build_report(files)
    write_bytes_atomic(run_dir / "final_report.json", report_bytes(report))
    write_bytes_atomic(run_dir / "curves.png", curves_png(report))
    write_bytes_atomic(run_dir / "report.html", render_report(report, files).encode("utf-8"))
    return report


def report_bytes(report: FinalReport) -> bytes:
    return (json.dumps(asdict(report), indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")


def print_summary(report: FinalReport) -> None:
    """Print the table of iterations, and what test and controls say, to the terminal."""
    from rich.console import Console

    from bootstrap.summary_table import SummaryRow, iteration_table
    from eval.report_html import headline_sentences

    rows = [
        SummaryRow(
            iteration=row.iteration, solved_total=row.solved_total, newly_solved=row.newly_solved,
            seconds={stage: s for stage, s in row.seconds.items() if s >= 0.5},
            pass_at_1=row.dev.pass_at_1 if row.dev else None,
            ci95=row.dev.ci95 if row.dev else None,
            control=row.control_dev.pass_at_1 if row.control_dev else None,
            best=row.iteration == report.best_iteration,
        )
        for row in report.iterations
    ]  # fmt: skip
    console = Console(highlight=False, soft_wrap=False)
    console.print(iteration_table(rows, problems=report.problems.train if report.problems else None))
    for sentence in headline_sentences(report):
        console.print(sentence, markup=False)


def main(argv: Sequence[str] | None = None) -> int:
    assert __doc__
    parser = argparse.ArgumentParser(
        prog="python -m eval.final_report", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run-dir", type=Path, required=True, help="folder of the run, e.g. outputs/RUN")
    parser.add_argument("--quiet", action="store_true", help="print nothing; write the files only")
    arguments = parser.parse_args(argv)
    try:
        report = write_final_report(arguments.run_dir)
    except UserError as e:
        print(f"error: {e}", file=sys.stderr)
        return 2
    if not arguments.quiet:
        print_summary(report)
        print(f"report: {arguments.run_dir / 'report.html'}")
    return 0


def _problem_counts(split: Mapping[str, Any] | None) -> ProblemCounts | None:
    if split is None:
        return None
    sizes = {name: len(split[name]) for name in ("train", "dev", "test", "seeds", "quarantined")}
    routes = dict(Counter(split.get("seed_routes", dict.fromkeys(split["seeds"], "given")).values()))
    return ProblemCounts(**sizes, seeds_by_route=routes, to_solve=len(set(split["train"]) - set(split["seeds"])))


def _iteration(number: int, records: StageRecords, solved: int, diagnosis: Diagnosis | None) -> IterationReport:
    outcomes = records.get("SOLVE", "outcomes")
    return IterationReport(
        iteration=number,
        parent=records.fields.get("parent"),
        attempted=records.get("SOLVE", "attempted"),
        samples=records.get("SOLVE", "samples"),
        newly_solved=records.get("SOLVE", "newly_solved"),
        solved_total=records.get("SOLVE", "solved_total"),
        solved_by_loop=solved if "SOLVE" in records.stages else None,
        train_rows=records.get("BUILD", "train_rows"),
        train_steps=records.get("TRAIN", "steps"),
        train_loss=records.get("TRAIN", "train_loss"),
        best_so_far=records.get("EVALUATE", "best_so_far"),
        dev=PassRate.from_json(records.get("EVALUATE", "dev")),
        control_dev=PassRate.from_json(records.get("EVALUATE", "control_dev")),
        outcomes=None if outcomes is None else dict(sorted(outcomes.items())),
        seconds=records.seconds,
        diagnosis=diagnosis,
    )


def _base(iterations: Sequence[IterationReport]) -> BaseReport | None:
    dev = next((row.dev for row in iterations if row.iteration == 0), None)
    if dev is None:
        return None
    return BaseReport(dev.n, dev.num_samples, dev.pass_at_1, dev.ci95, dev.pass_at_k)


def _seed_only(iterations: Sequence[IterationReport], records: Mapping[int, StageRecords]) -> list[SeedOnlyControl]:
    measured = [(row.iteration, row.control_dev) for row in iterations if row.control_dev is not None]
    points = [ControlPoint(iteration, dev.pass_at_1, dev.ci95) for iteration, dev in measured]
    if not points:
        return []
    last = points[-1]
    steps = records[last.iteration].get("TRAIN", "total_steps")
    return [SeedOnlyControl("seed_only", last.pass_at_1, last.ci95, steps, points)]


def _test_scores(files: RunFiles) -> dict[str, list[ProblemScore]]:
    """Return the scores by model, once the stage TEST is recorded; a model that was not tested has none."""
    if "TEST" not in files.final.stages:
        return {}
    paths = ((model, files.test_rows(model)) for model in ("base", "best", "seed_only"))
    return {model: [ProblemScore.from_json(row) for row in read_jsonl(path)] for model, path in paths if path.is_file()}


def _seconds_by_stage(records: Sequence[StageRecords]) -> dict[str, float]:
    total: Counter[str] = Counter()
    for record in records:
        for stage, values in record.stages.items():
            total[stage] += values["seconds"]
    return {stage: round(seconds, 1) for stage, seconds in total.items()}


def _timing(records: Sequence[StageRecords], gpu: dict[str, GpuUse]) -> Timing:
    finished = [(stage, values) for record in records for stage, values in record.stages.items()]
    busy = [(stage, values.get(BUSY_FIELDS[stage])) for stage, values in finished if stage in BUSY_FIELDS]
    training = [seconds for stage, seconds in busy if stage == "TRAIN" and seconds is not None]
    engine = [seconds for stage, seconds in busy if stage != "TRAIN" and seconds is not None]
    total = math.fsum(values["seconds"] for _, values in finished)
    if total <= 0 or len(training) + len(engine) < len(busy):
        return Timing(None, None, None, gpu)
    share = 1 - math.fsum(training + engine) / total
    return Timing(round(share, 4), round(math.fsum(engine), 1), round(math.fsum(training), 1), gpu)


if __name__ == "__main__":
    sys.exit(main())
