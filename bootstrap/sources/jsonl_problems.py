"""Problems from a JSONL file in the project's own format (the lines of a run's `problems.jsonl`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from bootstrap.errors import UserError
from bootstrap.files import read_jsonl
from bootstrap.records import Problem


class JsonlProblems:
    class Options(BaseModel):
        model_config = ConfigDict(extra="forbid", frozen=True)

        path: str
        """The file."""

    def __init__(self, options: Options, seed: int) -> None:
        self.path = Path(options.path)

    def load(self) -> Iterator[Problem]:
        if not self.path.is_file():
            raise UserError(f"source.options.path: no file {self.path}")
        for number, row in enumerate(read_jsonl(self.path), 1):
            try:
                yield Problem.from_json(row)
            except (KeyError, TypeError, ValueError) as e:
                raise UserError(f"{self.path}, line {number}: not a problem ({e})") from e
