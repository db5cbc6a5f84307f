"""What a person sees in the terminal: a bar for the stage under way, a table after each iteration, the log lines.

Without a terminal (a job's log file) the bar becomes one line now and then.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from bootstrap.summary import summary_rows
from bootstrap.summary_table import iteration_table

LINE_SECONDS = 30.0  # between two progress lines where there is no terminal

log = logging.getLogger(__name__)

OnProgress = Callable[[int, int, str], None]


class Screen:
    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console()

    @contextmanager
    def stage(self, title: str, what: str) -> Iterator[OnProgress]:
        """Show a stage; yields what takes (done, total, note)."""
        if not self.console.is_terminal:
            yield self._lines(title, what)
            return
        with Progress(
            SpinnerColumn(), TextColumn("[bold]{task.fields[title]}[/] {task.description}"), BarColumn(bar_width=30),
            MofNCompleteColumn(), TextColumn("{task.fields[note]}"), TimeElapsedColumn(),
            console=self.console, transient=True,
        ) as progress:  # fmt: skip
            task = progress.add_task(what, total=None, title=title, note="")

            def update(done: int, total: int, note: str) -> None:
                progress.update(task, completed=done, total=total or None, note=note)

            yield update

    def _lines(self, title: str, what: str) -> OnProgress:
        last = time.monotonic()

        def update(done: int, total: int, note: str) -> None:
            nonlocal last
            if time.monotonic() - last >= LINE_SECONDS:
                last = time.monotonic()
                log.info("%s %s: %s of %s %s", title, what, done, total or "?", note)

        return update

    def iterations(self, records: Sequence[Mapping[str, Any]], train_problems: int) -> None:
        """Print the table of all finished iterations."""
        self.console.print(iteration_table(summary_rows(records), train_problems))

    def say(self, text: str) -> None:
        self.console.print(text, highlight=False)

    def final(self, report: Mapping[str, Any]) -> None:
        """Print what the run has shown: the test figures beside their control and interval."""
        test = report.get("test")
        if not test:
            return
        low, high = test["ci95"]
        lines = [
            f"test ({test['n']} problems, touched once): {test['base']['pass_at_1']:.1%} -> "
            f"{test['best']['pass_at_1']:.1%}, difference {100 * test['difference']:+.1f} points "
            f"(95 % interval {100 * low:+.1f} to {100 * high:+.1f}, p {test['p_value']:.1g})"
        ]
        control = test.get("vs_seed_only")
        if control:
            low, high = control["ci95"]
            lines.append(
                f"seed-only control at the same steps: {test['seed_only']['pass_at_1']:.1%}, difference "
                f"{100 * control['difference']:+.1f} points (95 % interval {100 * low:+.1f} to {100 * high:+.1f})"
            )
        self.say("\n".join(lines))
