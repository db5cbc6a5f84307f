"""Progress of a child program: a line `progress DONE/TOTAL NOTE` on stdout, which the loop turns into a bar."""

from __future__ import annotations

import re
import time

LINE = re.compile(r"^progress (\d+)/(\d+) ?(.*)$")
EVERY_SECONDS = 1.0


class ProgressLines:
    """Count work done; prints at most one line a second, and the last one always."""

    def __init__(self, total: int, unit: str, done: int = 0) -> None:
        self.total, self.unit, self.done = total, unit, done
        self.started = self._printed = time.monotonic()
        self._at_start = done
        self.note = ""

    def add(self, count: int) -> None:
        self.done += count
        now = time.monotonic()
        if now - self._printed >= EVERY_SECONDS:
            self._printed = now
            self.show()

    def show(self) -> None:
        rate = (self.done - self._at_start) / max(time.monotonic() - self.started, 1e-9)
        print(f"progress {self.done}/{self.total} {rate:.0f} {self.unit} {self.note}".rstrip(), flush=True)
