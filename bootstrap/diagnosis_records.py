"""What a diagnosis holds: the content of iteration_N/diagnosis.json. No times, so that a resumed run has the same."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from bootstrap.run_store import RunStore

FORMAT = 1


@dataclass(frozen=True)
class Coverage:
    """Train problems: all, tried in this iteration, with a sample that ran, and solved in it."""

    train: int
    tried: int
    ran: int
    solved: int

    @property
    def left(self) -> int:
        return self.tried - self.solved


@dataclass(frozen=True)
class Diversity:
    """Codes that differ by syntax tree, problem by problem. Shares are of samples; 1: no two were the same."""

    distinct: int
    distinct_share: float
    per_problem: float
    unsolved_share: float | None  # among the samples of problems that stayed unsolved


@dataclass(frozen=True)
class ErrorKind:
    """Samples that failed in one way, and on how many problems; `message` is folded."""

    outcome: str
    message: str
    samples: int
    problems: int


@dataclass(frozen=True)
class NearMisses:
    """Failing samples that passed some tests; tests run in order, the visible ones first.

    `problems` counts the unsolved ones with a sample that fails on hidden tests alone, or on the last test.
    """

    some_passed: int
    hidden_only: int
    last_only: int
    problems: int
    problem_ids: tuple[str, ...]  # the first of them
    passed_before: Mapping[str, int]  # tests passed before the first that failed -> samples


@dataclass(frozen=True)
class Lengths:
    """Length of completions, in tokens where the engine counts them."""

    tokens_mean: float
    tokens_median: float
    tokens_max: int
    characters_passed: float | None  # mean length of the code
    characters_failed: float | None


@dataclass(frozen=True)
class Way:
    """What one kind of prompt came to. `problems`: with a sample of it; `solved`: those that no earlier one solved."""

    samples: int
    problems: int
    solved: int


@dataclass(frozen=True)
class SamplingDiagnosis:
    """What became of an iteration's samples. `ran`: compared with what was expected on at least one test."""

    samples: int
    ran: int
    passed: int
    timeouts: int
    over_limits: int  # memory or output
    not_judged: int  # the checker failed, or does not know the construct
    cut_off: int  # as many tokens as sampling.max_new_tokens allows
    other_language: int  # looks like SQL where Python is wanted, or the other way round
    no_code: int
    coverage: Coverage
    by_difficulty: Mapping[str, Coverage]
    diversity: Diversity
    near_misses: NearMisses
    lengths: Lengths
    errors: tuple[ErrorKind, ...]  # the most frequent
    by_way: Mapping[str, Way] = field(default_factory=dict)  # first attempts, repair turns, hints; empty: one kind only


@dataclass(frozen=True)
class DevChange:
    """Held-out problems whose greedy answer became right or wrong against another iteration's."""

    against: int
    won: int
    lost: int
    lost_ids: tuple[str, ...]  # the first of them


@dataclass(frozen=True)
class Canary:
    """Dev problems that a model which was the best in its time has solved, and how many are failed now.

    Greedy answers flicker: a few are lost in any training. Many more lost than won is forgetting.
    """

    problems: int
    lost: int
    lost_ids: tuple[str, ...]


@dataclass(frozen=True)
class DevDiagnosis:
    problems: int
    solved: int
    against_previous: DevChange | None
    against_base: DevChange | None  # iteration 0
    against_best: DevChange | None  # the best before this one
    canary: Canary
    errors: tuple[ErrorKind, ...]


@dataclass(frozen=True)
class Promotion:
    """Whether this model is the best so far, and what the next iteration does with the best."""

    promoted: bool
    best: int
    samples_with: int  # iteration whose model samples next
    trains_from: int | None  # iteration whose model is trained next; None: the base model


@dataclass(frozen=True)
class Cause:
    """A likely reason for standing still: the figures it rests on, the lever, and the configuration key to change."""

    name: str
    sentence: str
    lever: str
    key: str
    words: str  # what to add to the command line; empty where only a new run can change it
    figures: Mapping[str, float]


@dataclass(frozen=True)
class Diagnosis:
    """`sampling` is null for iteration 0. `causes` is filled while the last `stalled` iterations brought no better dev
    score; the first is the likeliest."""

    iteration: int
    sampling: SamplingDiagnosis | None
    dev: DevDiagnosis
    promotion: Promotion
    stalled: int = 0
    causes: tuple[Cause, ...] = ()
    format: int = field(default=FORMAT)


@functools.cache
def _reader() -> TypeAdapter[Diagnosis]:
    from pydantic import TypeAdapter

    return TypeAdapter(Diagnosis)


def diagnosis_file(store: RunStore, iteration: int) -> Path:
    return store.iteration(iteration) / "diagnosis.json"


def read_diagnosis(path: Path) -> Diagnosis | None:
    """Return the diagnosis in a file; None where there is none, or one of another format."""
    try:
        found = _reader().validate_json(path.read_bytes())
    except (FileNotFoundError, ValueError):  # pydantic's error is a ValueError
        return None
    return found if found.format == FORMAT else None
