"""What the parts of eval.bench hand back: a table, sentences under it and the figures; and how ratios are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

Figures = Mapping[str, object]


@dataclass(frozen=True)
class Spread:
    """Median, least and greatest of the rounds."""

    median: float
    low: float
    high: float

    def text(self, form: str = ".2f") -> str:
        return f"{self.median:{form}} ({self.low:{form}}–{self.high:{form}})"


@dataclass(frozen=True)
class Section:
    """One part of the output. `figures` go to the JSON as they are."""

    title: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    notes: Sequence[str] = ()
    figures: Figures = field(default_factory=dict)


def spread(values: Sequence[float]) -> Spread:
    return Spread(median(values), min(values), max(values))


def ratios(mine: Sequence[float], other: Sequence[float]) -> Spread:
    """Return the spread of mine / other, round by round."""
    return spread([a / b for a, b in zip(mine, other, strict=True)])


def times(ratio: Spread) -> str:
    return f"{ratio.text()}x"


def open_console() -> Console:
    """Return a console that is wide enough for the tables where the output is no terminal."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 120
    return console


def print_section(console: Console, section: Section) -> None:
    from rich import box
    from rich.table import Table

    console.print(f"\n[bold]{section.title}[/bold]")
    if section.rows:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
        for i, name in enumerate(section.columns):
            table.add_column(name, justify="right" if i else "left", no_wrap=True)
        for row in section.rows:
            table.add_row(*row)
        console.print(table)
    for note in section.notes:
        console.print(note, markup=False)
