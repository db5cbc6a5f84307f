"""The table of iterations that a person reads in the terminal, during the run and at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

MISSING = "–"  # not measured, or not yet


@dataclass(frozen=True)
class SummaryRow:
    """One iteration in plain values. Rates are shares of 1; `control`: pass@1 of the seeds-only twin on dev.

    `seconds` is by stage; `best` marks the best model so far.
    """

    iteration: int
    solved_total: int | None = None
    newly_solved: int | None = None
    pass_at_1: float | None = None
    ci95: tuple[float, float] | None = None
    control: float | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
    best: bool = False


def iteration_table(rows: Sequence[SummaryRow], problems: int | None = None) -> Table:
    """Return one line per iteration; where the terminal is narrow the seconds wrap, the numbers before them do not.

    `problems`: how many `solved` can reach.
    """
    from rich import box
    from rich.table import Table

    title = f"{problems:,} train problems" if problems else None
    table = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        header_style="bold",
        title=title,
        title_justify="left",
        padding=(0, 1, 0, 0),
    )
    for name in ("iter", "solved", "new", "dev pass@1 %", "control %", "seconds"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("by stage", style="dim")
    for row in rows:
        table.add_row(*_cells(row), style="bold" if row.best else "")
    return table


def _cells(row: SummaryRow) -> list[str]:
    interval = "" if row.ci95 is None else f" ({row.ci95[0] * 100:.1f}–{row.ci95[1] * 100:.1f})"
    return [
        f"★ {row.iteration}" if row.best else f"{row.iteration}",
        _count(row.solved_total),
        MISSING if row.newly_solved is None else f"+{row.newly_solved:,}",
        _percent(row.pass_at_1) + interval,
        _percent(row.control),
        f"{sum(row.seconds.values()):,.0f}",
        ", ".join(f"{stage.lower()} {seconds:,.0f}" for stage, seconds in row.seconds.items()),
    ]


def _count(value: int | None) -> str:
    return MISSING if value is None else f"{value:,}"


def _percent(share: float | None) -> str:
    return MISSING if share is None else f"{share * 100:.1f}"
