"""A generator for the tests of the frame: pairs without any engine, some of them twice, some refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from bootstrap.files import append_jsonl, write_json
from bootstrap.generate.base import Pair, Refusal, UnitResult


class Toy:
    class Settings(BaseModel):
        model_config = ConfigDict(extra="forbid", frozen=True)

        seed: int = 1
        """Of the generator."""
        count: int | None = None
        """Pairs wanted."""
        units: int = 8
        """Pieces of work."""
        fails_at: str | None = None
        """Where it stops for a reason of its own, the first time."""

    title = "Toy pairs <script>"
    licence = "CC0-1.0"
    processes = False

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings, self.folder = settings, folder

    def units(self) -> Sequence[str]:
        return [f"unit {number}" for number in range(self.settings.units)]

    def work(self, unit: str) -> UnitResult:
        number = int(unit.split()[1])
        append_jsonl(self.folder / "worked.jsonl", [{"unit": unit}])
        if unit == self.settings.fails_at and not (self.folder / "failed.json").exists():
            write_json(self.folder / "failed.json", {"at": unit})
            raise KeyboardInterrupt
        group = "even" if number % 2 == 0 else "odd"
        pairs = [
            Pair(f"{self.settings.seed}-{shown}", group, f"number {shown}\u202e", f"SELECT {shown} AS n", "duckdb")
            for shown in (number, number + 1)  # the second is the first of the next unit
        ]
        refusals = [Refusal(group, "invalid", "does not run", "SELECT <b>"), Refusal(group, "vacuous", "is empty")]
        return UnitResult(unit, pairs, refusals, [f"{group} numbers"])

    def write(self, pairs: Sequence[Pair], folder: Path) -> None:
        write_json(folder / "own.json", {"ids": [pair.pair_id for pair in pairs]})

    def close(self) -> None:
        pass
