"""The run folder: the only code that knows its paths, and what makes a run resumable.

    outputs/<run>/
      config.resolved.json  run.json             settings; versions, git commit, sandbox level
      problems.jsonl  split.json                 frozen before the first iteration
      base/                                      the base model, where it is made from random weights
      iteration_0/audit.json                     what mutants of the references came to, problem by problem
      iteration_0/convert/                       what a teacher was asked for seeds, where there is one
      iteration_N/
        candidates.jsonl                         every candidate of SOLVE, appended batch by batch
        solved_problems/<problem_id>.json        what this iteration solved, one file per problem
        train.jsonl  dataset_stats.json          written by BUILD
        model/  control_model/                   written by TRAIN
        evaluation/                              written by EVALUATE
        diagnosis.json  gpu.jsonl                written by DONE; GPU load, where there is nvidia-smi
        metadata.json                            the record of every finished stage, written last
      final/                                     controls and the one look at the test split
      logs/attempt_N/                            what the child programs printed, one folder per start of the loop
      aside/                                     iterations that --resume-iteration moved away
      recheck.jsonl                              what `python -m bootstrap.recheck` found, if it was called

A stage is finished when, and only when, its record is in `metadata.json`.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from bootstrap.config import RunConfig, load_config
from bootstrap.errors import UserError
from bootstrap.files import (
    append_jsonl,
    each_jsonl,
    read_json,
    read_jsonl,
    sync_folder,
    write_json,
    write_jsonl,
)
from bootstrap.records import Candidate, Problem

FORMAT = 1
LOCK_SECONDS = 3.0  # a killed loop's children need a moment to die


class RunStore:
    """One run folder. Opening it creates nothing; `lock` makes this process its only writer."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock: IO[str] | None = None

    # --- paths ---

    @property
    def name(self) -> str:
        return self.root.name

    @property
    def config_file(self) -> Path:
        return self.root / "config.resolved.json"

    @property
    def run_file(self) -> Path:
        return self.root / "run.json"

    @property
    def problems_file(self) -> Path:
        return self.root / "problems.jsonl"

    @property
    def split_file(self) -> Path:
        return self.root / "split.json"

    @property
    def base_model(self) -> Path:
        return self.root / "base"

    @property
    def final(self) -> Path:
        return self.root / "final"

    @property
    def log_file(self) -> Path:
        return self.root / "bootstrap.log"

    @property
    def final_report_file(self) -> Path:
        return self.root / "final_report.json"

    @property
    def audit_file(self) -> Path:
        return self.iteration(0) / "audit.json"

    @property
    def conversion(self) -> Path:
        """Folder of the teacher's conversion."""
        return self.iteration(0) / "convert"

    @property
    def recheck_file(self) -> Path:
        return self.root / "recheck.jsonl"

    def iteration(self, number: int) -> Path:
        return self.root / f"iteration_{number}"

    def candidates_file(self, iteration: int) -> Path:
        return self.iteration(iteration) / "candidates.jsonl"

    def solved_folder(self, iteration: int) -> Path:
        return self.iteration(iteration) / "solved_problems"

    def train_file(self, iteration: int) -> Path:
        return self.iteration(iteration) / "train.jsonl"

    def dataset_stats_file(self, iteration: int) -> Path:
        return self.iteration(iteration) / "dataset_stats.json"

    def model(self, iteration: int) -> Path:
        return self.iteration(iteration) / "model"

    def control_model(self, iteration: int) -> Path:
        return self.iteration(iteration) / "control_model"

    def evaluation(self, iteration: int) -> Path:
        return self.iteration(iteration) / "evaluation"

    def summary_file(self, iteration: int) -> Path:
        return self.root / "high_level_summary" / f"iteration_{iteration}.md"

    # --- life of the folder ---

    @property
    def exists(self) -> bool:
        return self.config_file.exists()

    def lock(self) -> None:
        """Become the only loop on this folder, until the process ends. Raises UserError when another one is."""
        self.root.mkdir(parents=True, exist_ok=True)
        self._lock = open(self.root / ".lock", "a+", encoding="utf-8")  # noqa: SIM115 - held for the process's life
        deadline = time.monotonic() + LOCK_SECONDS
        while not self._try_lock(self._lock):
            if time.monotonic() > deadline:
                self._lock.seek(0)
                owner = self._lock.read().strip() or "unknown"
                raise UserError(
                    f"another loop is running on {self.root} (process {owner}); wait for it, stop it, or choose "
                    "another --run-name"
                )
            time.sleep(0.1)
        self._lock.truncate(0)
        self._lock.write(str(os.getpid()))
        self._lock.flush()

    @staticmethod
    def _try_lock(file: IO[str]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def new_attempt(self) -> Path:
        """Create and return the log folder of this start of the loop."""
        number = 1 + len(list((self.root / "logs").glob("attempt_*")))
        folder = self.root / "logs" / f"attempt_{number}"
        folder.mkdir(parents=True)
        return folder

    @property
    def lock_descriptors(self) -> tuple[int, ...]:
        """Return the descriptors that a child must inherit so that the run stays locked while it lives."""
        return (self._lock.fileno(),) if self._lock else ()

    def move_aside(self, first_iteration: int) -> list[Path]:
        """Move iterations >= `first_iteration` and everything final into `aside/`; return where they went."""
        later = [p for p in self.iterations() if int(p.name.split("_")[1]) >= first_iteration]
        summaries = [self.summary_file(int(p.name.split("_")[1])) for p in later]
        return self._move([self.final, *self._outcome(), *reversed(later), *summaries])

    def move_final_aside(self) -> list[Path]:
        """Move the controls, the test and the report aside: the loop goes on after all."""
        return self._move([self.final, *self._outcome()])

    def _outcome(self) -> list[Path]:
        return [self.root / name for name in ("final_report.json", "report.html", "curves.png")]

    def _move(self, paths: Iterable[Path]) -> list[Path]:
        """Move what exists of `paths`, in that order: latest results first, so that a kill leaves no gap."""
        aside = self.root / "aside" / str(1 + len(list((self.root / "aside").glob("*"))))
        moved = []
        for path in paths:
            if path.exists():
                aside.mkdir(parents=True, exist_ok=True)
                os.replace(path, aside / path.name)
                moved.append(aside / path.name)
        sync_folder(self.root)
        return moved

    def iterations(self) -> list[Path]:
        """Return the iteration folders, in order."""
        found = [p for p in self.root.glob("iteration_*") if p.name.split("_")[1].isdigit()]
        return sorted(found, key=lambda p: int(p.name.split("_")[1]))

    # --- stage records ---

    def metadata(self, folder: Path) -> dict[str, Any]:
        path = folder / "metadata.json"
        return read_json(path) if path.exists() else {"stages": {}}

    def stage(self, folder: Path, stage: str) -> dict[str, Any] | None:
        """Return the record of a finished stage, or None."""
        record = self.metadata(folder)["stages"].get(stage)
        return dict(record) if record is not None else None

    def finish_stage(self, folder: Path, stage: str, record: Mapping[str, Any], **top: Any) -> None:
        """Record a stage as finished: the last write of that stage. `top` adds keys beside `stages`."""
        metadata = self.metadata(folder)
        metadata.update(top)
        metadata["stages"][stage] = dict(record)
        write_json(folder / "metadata.json", metadata)

    # --- content ---

    def write_problems(self, problems: Iterable[Problem]) -> None:
        write_jsonl(self.problems_file, (problem.to_json() for problem in problems))

    def problems(self, ids: Collection[str] | None = None) -> dict[str, Problem]:
        """Return the problems by id: those asked for (a test set costs time to read), or all."""
        rows = read_jsonl(self.problems_file)
        try:
            wanted = [row for row in rows if ids is None or row["problem_id"] in ids]
            return {row["problem_id"]: Problem.from_json(row) for row in wanted}
        except (KeyError, TypeError, ValueError) as e:
            raise UserError(f"{self.problems_file}: a line is not a problem ({e}); start a new run") from e

    def write_audit(self, row: Mapping[str, Any]) -> None:
        write_json(self.audit_file, row)

    def split(self) -> dict[str, Any]:
        return read_json(self.split_file)

    def candidates(self, iteration: int, *, mend: bool = False) -> list[Candidate]:
        """Return the candidates recorded so far in an iteration."""
        return list(self.each_candidate(iteration, mend=mend))

    def each_candidate(self, iteration: int, *, mend: bool = False) -> Iterator[Candidate]:
        """Yield them one by one: the archive of a long run is larger than what its readers keep of it."""
        path = self.candidates_file(iteration)
        for number, row in enumerate(each_jsonl(path, mend=mend), 1):
            try:
                candidate = Candidate.from_json(row)
            except (KeyError, TypeError, ValueError) as e:
                raise UserError(
                    f"{path}, line {number}: not a candidate ({e}); take the line out (keep a copy) and start again "
                    "with --resume"
                ) from e
            yield candidate

    def append_candidates(self, iteration: int, candidates: Iterable[Candidate]) -> None:
        self.iteration(iteration).mkdir(parents=True, exist_ok=True)
        append_jsonl(self.candidates_file(iteration), (candidate.to_json() for candidate in candidates))

    def replace_candidates(self, iteration: int, candidates: Iterable[Candidate]) -> None:
        write_jsonl(self.candidates_file(iteration), (candidate.to_json() for candidate in candidates))

    def write_config(self, values: Mapping[str, Any]) -> None:
        write_json(self.config_file, values)

    def config(self) -> RunConfig:
        """Return the resolved configuration of the run."""
        return load_config(None, {}, read_json(self.config_file))

    def write_run(self, row: Mapping[str, Any]) -> None:
        write_json(self.run_file, row)

    def run_row(self) -> dict[str, Any]:
        return read_json(self.run_file)
