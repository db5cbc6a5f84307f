"""The contract of a generator: pieces of work with names, and the pairs that each of them gives.

A generator divides its work into units. The same settings and inputs give the same units in the same order, and a unit
gives the same pairs whenever and wherever it is worked on: that is what makes a generation resumable and lets units run
side by side. What a unit drops is counted with its reason; what cannot be worked on at all (a broken file, a database
that is gone) is a refusal in the report, never the end of the generation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from pydantic import BaseModel

from bootstrap.records import Problem

Kind = Literal["invalid", "vacuous", "duplicate"]
"""Why a pair is refused: it does not run or its answers do not agree; its answer says nothing; it is there already."""


@dataclass(frozen=True)
class Pair:
    """One accepted pair. `pair_id` joins it across all outputs, and pairs of one id are duplicates: it is a digest of
    what makes the pair another one. `group`: the template, phase or file that it comes from. `data`: the generator's
    own columns, plain JSON."""

    pair_id: str
    group: str
    question: str
    code: str
    language: str
    data: Mapping[str, Any] = field(default_factory=dict)
    problem: Problem | None = None

    def to_json(self) -> dict[str, Any]:
        row = {name: value for name, value in self.__dict__.items() if name != "problem"}
        return {**row, "problem": self.problem.to_json() if self.problem else None}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> Pair:
        problem = Problem.from_json(row["problem"]) if row["problem"] else None
        return cls(**{**row, "problem": problem})


@dataclass(frozen=True)
class Refusal:
    """Something generated that is not kept. `sample`: what a person wants to see of it."""

    group: str
    kind: Kind
    reason: str
    sample: str = ""


@dataclass(frozen=True)
class UnitResult:
    """What a unit gave. `notes`: facts about the inputs for the report, one line each."""

    unit: str
    pairs: Sequence[Pair] = ()
    refusals: Sequence[Refusal] = ()
    notes: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "unit": self.unit, "pairs": [pair.to_json() for pair in self.pairs],
            "refusals": [asdict(refusal) for refusal in self.refusals], "notes": list(self.notes),
        }  # fmt: skip

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> UnitResult:
        pairs = [Pair.from_json(pair) for pair in row["pairs"]]
        return cls(row["unit"], pairs, [Refusal(**refusal) for refusal in row["refusals"]], row["notes"])


class Generator(Protocol):
    """One way to make pairs. One class in one file, and one line in `bootstrap.generate.GENERATORS`.

    `Settings` has at least `seed` and `count` (pairs wanted; None: all that the units give). It is pydantic with extra
    keys forbidden, and each key is documented.
    """

    Settings: ClassVar[type[BaseModel]]
    settings: BaseModel
    title: ClassVar[str]
    """What the pairs are, for the card: "SQL queries and the same in Ibis"."""
    licence: str
    """Of what is generated, which is that of its inputs where they are somebody's."""
    processes: bool
    """Whether units may be worked on in several processes. False where a model is asked: its engine is one."""

    def units(self) -> Sequence[str]:
        """Return the names of the pieces of work, in the order of the output. Raises UserError for bad settings."""
        ...

    def work(self, unit: str) -> UnitResult:
        """Do one piece of work. Raises EngineError, InterpreterError; nothing that a bad input could bring about."""
        ...

    def write(self, pairs: Sequence[Pair], folder: Path) -> None:
        """Write the outputs of its own, besides pairs.jsonl, problems.jsonl, the report and the card."""
        ...

    def close(self) -> None:
        """End what was opened; safe to call twice."""
        ...
