"""q, checked by the project's own interpreter of a subset of it. See runners/q_subset_runner.py.

A candidate is a script: for a table problem one whose last value is the table, for a function problem one that defines
the function which the tests call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from interpreters.base import Column, ColumnType, Table
from interpreters.processes.forked import ForkedInterpreter
from interpreters.q_values import refuses

_PAIR = Table((Column("a", ColumnType.INT), Column("b", ColumnType.LIST)), ((1, [2, 3]),))


class QSubset(ForkedInterpreter):
    """Scripts of q, each in a forked child of a process that has the interpreter imported."""

    name = "q_subset"
    language = "q"
    runner = "interpreters.runners.q_subset_runner"
    self_test = ("add:{[a;b] a+b}", [{"add": _PAIR}])
    install = "nothing: it is part of this project"
    loads_once = True

    def refuses(self, inputs: Sequence[Mapping[str, Table]]) -> str | None:
        return refuses(inputs)
