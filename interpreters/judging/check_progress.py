"""Progress of a long check: one line that is written over on a terminal, else a line now and then."""

from __future__ import annotations

import time
from typing import TextIO

TERMINAL_SECONDS = 0.2
LINE_SECONDS = 15.0


class Progress:
    """Counts candidates that were judged."""

    def __init__(self, total: int, stream: TextIO) -> None:
        self._total, self._stream = total, stream
        self._terminal = stream.isatty()
        self._every = TERMINAL_SECONDS if self._terminal else LINE_SECONDS
        self._started = self._shown = time.monotonic()
        self._done = self._passed = 0

    def add(self, *, passed: bool) -> None:
        self._done += 1
        self._passed += passed
        if time.monotonic() - self._shown >= self._every:
            self._show()

    def end(self) -> None:
        """Show the last state, and leave the line."""
        self._show()
        if self._terminal:
            print(file=self._stream, flush=True)

    def _show(self) -> None:
        self._shown = time.monotonic()
        text = progress_line(self._done, self._total, self._passed, self._shown - self._started)
        before, after = ("\r\x1b[K", "") if self._terminal else ("", "\n")
        print(f"{before}{text}", end=after, file=self._stream, flush=True)


def progress_line(done: int, total: int, passed: int, seconds: float) -> str:
    """Return counts, rate, share that passed, and how long the rest will take."""
    rate = done / max(seconds, 1e-9)
    share = f"{passed / done:.1%} passed" if done else "none yet"
    left = f", {_clock((total - done) / rate)} left" if done and done < total else ""
    return f"{done:,} of {total:,} ({done / max(total, 1):.0%}), {rate:.1f}/s, {share}{left}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
