"""`generated`: problems by a generator (bootstrap.generate): those of a finished folder, or made on the spot."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from bootstrap.errors import UserError
from bootstrap.records import Problem
from bootstrap.sources.jsonl_problems import JsonlProblems


class Generated:
    class Options(BaseModel):
        model_config = ConfigDict(extra="forbid", frozen=True)

        path: str | None = None
        """Folder of a generation that is complete."""
        generator: str | None = None
        """Or the name of a generator, which then works before the run starts."""
        settings: dict[str, Any] = {}
        """Its settings."""

    def __init__(self, options: Options, seed: int) -> None:
        self.options, self.seed = options, seed

    def load(self) -> Iterator[Problem]:
        """Yield the problems in the order of the generation. Raises UserError, and what the generator raises."""
        if (self.options.path is None) == (self.options.generator is None):
            raise UserError("source.options: give path, the folder of a generation, or generator, the name of one")
        if self.options.path is not None:
            yield from self._of(Path(self.options.path))
            return
        from bootstrap.generate.generation import Generation

        with tempfile.TemporaryDirectory(prefix="generation-") as folder:
            settings = {"seed": self.seed, **self.options.settings}
            Generation(str(self.options.generator), settings, Path(folder) / "made").run()
            yield from self._of(Path(folder) / "made")

    def _of(self, folder: Path) -> Iterator[Problem]:
        if not (folder / "report.json").is_file():
            raise UserError(
                f"source.options.path: {folder} holds no complete generation; make it, or go on with it, by "
                "python -m bootstrap.generate"
            )
        path = str(folder / "problems.jsonl")
        yield from JsonlProblems(JsonlProblems.Options(path=path), self.seed).load()
