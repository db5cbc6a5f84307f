"""`directory`: finished problems in the directory form of `python -m bootstrap.export` (export/directory.py)."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from bootstrap.errors import UserError
from bootstrap.export.directory import BrokenEntryError, entry_folders, read_entry
from bootstrap.records import Problem

log = logging.getLogger(__name__)


class Directory:
    class Options(BaseModel):
        model_config = ConfigDict(extra="forbid", frozen=True)

        path: str
        """The folder with a folder per finished problem."""
        solutions: bool = True
        """Give each solution as the reference of its language; false: the problems as they were before."""

    def __init__(self, options: Options, seed: int) -> None:
        self.options, self.folder = options, Path(options.path)

    def load(self) -> Iterator[Problem]:
        """Yield the problems by the names of their folders. Raises UserError where no folder can be read."""
        if not self.folder.is_dir():
            raise UserError(f"source.options.path: no folder {self.folder}")
        left_out: Counter[str] = Counter()
        loaded = 0
        for folder in entry_folders(self.folder):
            try:
                finished = read_entry(folder)
            except BrokenEntryError as error:
                left_out[str(error)] += 1
                continue
            loaded += 1
            references = {**finished.problem.references, finished.language: finished.code}
            yield replace(finished.problem, references=references) if self.options.solutions else finished.problem
        if left_out:
            reasons = "; ".join(f"{count} because {why}" for why, count in left_out.most_common(9))
            log.warning("%d folders of %s left out: %s", left_out.total(), self.folder, reasons)
        if not loaded:
            raise UserError(f"source.options.path: no folder in {self.folder} holds a finished problem")
