"""The shape of final_report.json: its keys, what each means, and its format number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from bootstrap.diagnosis_records import Cause, Diagnosis
from eval.metrics import PassRate
from eval.paired import DifficultyReport, SampleOnlyControl, TestReport

REPORT_FORMAT = 1
RUNNING = "running"  # `stopped_because` of a run that has not ended


@dataclass(frozen=True)
class ProblemCounts:
    train: int
    to_solve: int  # train problems without a given solution
    dev: int
    test: int
    seeds: int
    seeds_by_route: Mapping[str, int]  # given by the source, by rules from another language, by a teacher model
    quarantined: int


@dataclass(frozen=True)
class BaseReport:
    """The model the loop starts from, on dev (iteration 0: after training on the seeds, where the config does that)."""

    n: int
    num_samples: int
    pass_at_1: float
    pass_at_1_ci95: tuple[float, float]
    pass_at_k: dict[str, float]


@dataclass(frozen=True)
class IterationReport:
    """One iteration; the fields of a stage that has not finished are null."""

    iteration: int
    parent: int | None  # iteration whose model training started from; null: the base model
    attempted: int | None
    samples: int | None
    newly_solved: int | None
    solved_total: int | None
    solved_by_loop: int | None  # newly solved so far, of problems.to_solve; solved_total counts the seeds too
    train_rows: int | None
    train_steps: int | None
    train_loss: float | None
    best_so_far: bool | None
    dev: PassRate | None
    control_dev: PassRate | None
    outcomes: dict[str, int] | None  # verdicts of this iteration's samples
    seconds: dict[str, float]  # by stage
    diagnosis: Diagnosis | None = None  # of iteration_N/diagnosis.json


@dataclass(frozen=True)
class GpuUse:
    """What nvidia-smi said during one kind of stage, over all GPUs and iterations; null what it did not say."""

    samples: int
    gpus: int
    utilisation_mean: float | None  # per cent of the time in which any kernel ran
    memory_peak_mb: float | None  # of the fullest GPU
    memory_total_mb: float | None


@dataclass(frozen=True)
class ControlPoint:
    iteration: int
    pass_at_1: float
    ci95: tuple[float, float]


@dataclass(frozen=True)
class SeedOnlyControl:
    """The same number of training steps on the seeds alone. `pass_at_1` is that of the last point on dev."""

    name: str
    pass_at_1: float
    ci95: tuple[float, float]
    steps: int | None
    dev_by_iteration: list[ControlPoint]


@dataclass(frozen=True)
class Timing:
    """`idle_share` = 1 - (seconds_engine + seconds_train) / seconds_total: neither sampling nor training ran.

    seconds_engine sums the records' `engine_seconds` (the model was generating), seconds_train their `train_seconds`
    (inside trainer.train(), controls included). Null when a finished stage of BUSY_FIELDS did not record its share.
    """

    idle_share: float | None
    seconds_engine: float | None
    seconds_train: float | None
    gpu: dict[str, GpuUse] = field(default_factory=dict)  # by stage; empty where no GPU was watched


@dataclass(frozen=True)
class FinalReport:
    """The content of final_report.json; a key is never renamed or removed without a new `format`."""

    format: int
    run: str
    target: str
    language: str
    base_model: str
    stopped_because: str
    best_iteration: int | None
    problems: ProblemCounts | None
    base: BaseReport | None
    iterations: list[IterationReport]
    controls: list[SeedOnlyControl | SampleOnlyControl]
    test: TestReport | None
    by_difficulty: list[DifficultyReport]
    seconds_total: float
    seconds_by_stage: dict[str, float]
    timing: Timing
    by_target: dict[str, TestReport] = field(default_factory=dict)  # for runs with several target languages
    causes: list[Cause] = field(default_factory=list)  # why dev stands still at the end, likeliest first
    audit: str | None = None  # what mutants of the references came to, in one line
