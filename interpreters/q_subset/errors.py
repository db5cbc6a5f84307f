"""What may stop a q program: an error of the language, a form that this subset does not know, a spent budget.

`QError` is an answer about the program: real q raises the same name. `Unsupported` is an answer about this
interpreter: it does not know what real q would do, so nothing is concluded. A spent step budget is `StepsExceeded`.
"""

from __future__ import annotations


class QError(Exception):
    """An error that q itself raises; `name` is what follows the quote in its console: type, length, rank ..."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Unsupported(Exception):  # noqa: N818 - an outcome, not a fault
    """A form outside the subset. The message says which."""


class StepsExceeded(Exception):  # noqa: N818 - an outcome, not a fault
    """The program used more steps than it was given."""


class Meter:
    """Counts work and nesting, so that endless loops and runaway recursion end from inside."""

    __slots__ = ("depth", "max_depth", "steps")

    def __init__(self) -> None:
        self.steps = 0
        self.depth = 0
        self.max_depth = 0

    def reset(self, steps: int, depth: int) -> None:
        self.steps = steps
        self.depth = 0
        self.max_depth = depth

    def charge(self, count: int) -> None:
        self.steps -= count
        if self.steps < 0:
            raise StepsExceeded("step budget spent")


METER = Meter()  # one evaluation at a time in a process; Workspace resets it
MAX_ITEMS = 2_000_000  # of one list; real q would say wsfull somewhere above


def check_size(count: int) -> int:
    """Charge for a list before it is made. Raises QError wsfull for one that is too long."""
    if count > MAX_ITEMS:
        raise QError("wsfull")
    METER.charge(count)
    return count
