"""`nl_to_polars`: questions about CSV files, lazy Polars code, and the answer of DuckDB to every one of them.

Units: one per file that says what was read; then, by the grammar, batches of questions about each table and each pair
of tables that share a key, in turns; or, with a model, its questions about each table in turns of styles and subjects.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from bootstrap.errors import UserError
from bootstrap.generate.base import Pair, UnitResult
from bootstrap.generate.nl_to_polars.csv_tables import CsvTable, read_tables
from bootstrap.generate.nl_to_polars.model_settings import ModelSettings
from bootstrap.generate.nl_to_polars.outputs import write_outputs
from bootstrap.generate.nl_to_polars.profiles import Link, Profile, links_of, profile_of

if TYPE_CHECKING:
    from bootstrap.generate.nl_to_polars.model_route import ModelRoute


class PolarsSettings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = 1
    """Of everything that is drawn."""
    count: int | None = Field(3000, ge=1)
    """Pairs wanted; null: all that the batches give."""
    folder: str
    """Folder of the CSV files (.csv, .tsv, .tab, .psv, .txt)."""
    licence: str = "as the CSV files"
    """Of the files, and so of what is made of them: for the card and the problems."""
    max_bytes: int = Field(64 * 2**20, ge=1)
    """Read so much of a file at most."""
    max_rows: int = Field(50_000, ge=1)
    """Take so many rows of a file at most; an enormous file is its first rows."""
    batch: int = Field(25, ge=1)
    """Questions drawn in one unit."""
    batches: int = Field(60, ge=1)
    """Units per table, and per pair of tables with a common key."""
    problem_rows: int = Field(36, ge=4)
    """Rows of the main table in a data set of a problem."""
    data_sets: int = Field(3, ge=2)
    """Data sets of a problem; the first one is visible."""
    pandas: bool = True
    """Render, run and compare a pandas variant of every pair too."""
    model: ModelSettings | None = None
    """Ask this model for questions, code and SQL; null: the grammar alone, without any model."""


class NlToPolars:
    Settings: ClassVar[type[BaseModel]] = PolarsSettings
    title: ClassVar[str] = "Questions about CSV files and lazy Polars code"

    def __init__(self, settings: PolarsSettings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder
        self.licence = settings.licence
        self.processes = settings.model is None

    # -- inputs ---------------------------------------------------------------------------------------------------

    @cached_property
    def tables(self) -> list[CsvTable]:
        return read_tables(Path(self.settings.folder), self.settings.max_bytes, self.settings.max_rows)

    @cached_property
    def profiles(self) -> dict[str, Profile]:
        found = [profile_of(table) for table in self.tables]
        return {one.name: one for one in found if one is not None}

    @cached_property
    def links(self) -> dict[str, list[Link]]:
        """Return "left+right" -> the ways to join the two."""
        found: dict[str, list[Link]] = {}
        for link in links_of(list(self.profiles.values())):
            found.setdefault(f"{link.left}+{link.right}", []).append(link)
        return found

    # -- the contract ---------------------------------------------------------------------------------------------

    def units(self) -> Sequence[str]:
        """Return "read FILE", then "TABLE#NUMBER" in turns. A digest of what was read is in every name, so that
        nothing made from another content is taken for finished."""
        digests = {table.name: table.digest for table in self.tables}
        read = [f"read {table.name}@{table.digest}" for table in self.tables]
        if not self.profiles:
            raise UserError(
                f"folder: none of the {len(self.tables)} files in {self.settings.folder} holds a table to ask about: "
                + "; ".join(f"{t.file}: {t.refused or 'too few rows'}" for t in self.tables[:5])
            )
        if self.settings.model is not None:
            turns = range(self.settings.model.turns)
            return [*read, *(f"ask {name}#{turn:03}@{digests[name]}" for turn in turns for name in self.profiles)]
        subjects = [*self.profiles, *self.links]
        marks = {one: "".join(digests[name] for name in one.split("+")) for one in subjects}
        return [*read, *(f"{one}#{n:03}@{marks[one]}" for n in range(self.settings.batches) for one in subjects)]

    def work(self, unit: str) -> UnitResult:
        """Do one unit. Raises EngineError, InterpreterError where a model is asked."""
        if unit.startswith("read "):
            return self._read(unit)
        name = unit.partition("#")[0]
        if self.settings.model is not None:
            return self._asked.work(unit, name.removeprefix("ask "))
        from bootstrap.generate.nl_to_polars.grammar import Grammar

        left, _, right = name.partition("+")
        main, other = self.profiles[left], self.profiles.get(right)
        rng = random.Random(f"{self.settings.seed}:{unit}")
        with Grammar(self.settings, main, other, self.links.get(name, ()), rng, unit) as grammar:
            return grammar.batch()

    @cached_property
    def _asked(self) -> ModelRoute:  # its module loads the engines
        from bootstrap.generate.nl_to_polars.model_route import ModelRoute

        return ModelRoute(self.settings, self.tables, self.profiles, self.links, self.folder, self.units())

    def write(self, pairs: Sequence[Pair], folder: Path) -> None:
        """Write schemas.json, chat.jsonl and file_code_pair.jsonl."""
        write_outputs(self.tables, pairs, folder)

    def close(self) -> None:
        if "_asked" in self.__dict__:
            self._asked.close()

    # -- units ----------------------------------------------------------------------------------------------------

    def _read(self, unit: str) -> UnitResult:
        """Say what was read of a file, and what stands in the way."""
        table = next(one for one in self.tables if unit == f"read {one.name}@{one.digest}")
        profile = self.profiles.get(table.name)
        notes = [f"{table.file}: {note}" for note in (*table.notes, *(profile.notes if profile else ()))]
        if profile is None:
            reason = table.refused or "too few rows for questions"
            return UnitResult(unit, notes=[*notes, f"{table.file}: {reason}; there are no questions about it"])
        shape = f"{len(table.table.rows):,} rows, {len(table.columns)} columns, {table.encoding}"
        separator = {"\t": "tab", "": "one column"}.get(table.separator, f"separator {table.separator}")
        ways = [
            f"{link.left}.{link.left_column} is found in {link.right}.{link.right_column} ({link.share:.0%})"
            for links in self.links.values() for link in links if link.left == table.name
        ]  # fmt: skip
        return UnitResult(unit, notes=[f"{table.file}: {shape}, {separator}", *notes, *ways])
