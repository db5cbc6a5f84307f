"""What the three sources hand over: one record of a data set, in the same form whatever the set."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from bootstrap.sources.python_tests.asserts import Extraction


@dataclass(frozen=True)
class PythonRecord:
    """`entry`: `f` or `Solution().f`. `any_order`: the text says that the items of the answer may come in any order."""

    problem_id: str
    text: str
    code: str
    entry: str
    tests: Extraction
    source: str
    licence: str
    difficulty: int = 0
    any_order: bool = False


@dataclass
class Tally:
    """What became of the rows of a data set. `dropped`: why rows gave no problem; `unread`: why single tests were left
    out of problems that stand."""

    rows: int = 0
    extracted: int = 0
    problems: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    unread: Counter[str] = field(default_factory=Counter)

    def line(self) -> str:
        """Return one line for the log; empty when every row gave a problem with all its tests."""
        parts = [f"{count} rows because {reason}" for reason, count in self.dropped.most_common()]
        parts += [f"{count} single tests because {reason}" for reason, count in self.unread.most_common()]
        return "; ".join(parts)
