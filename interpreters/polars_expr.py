"""Polars: one expression, or statements that assign `result`, over the input tables. See runners/polars_runner.py."""

from __future__ import annotations

import re

from interpreters.processes.forked import KEYED, ForkedInterpreter

ANY_ORDER = re.compile(r"\b(?:group_by|unique|value_counts|partition_by|join|join_where|mode|sample|shuffle|sql)\b")
"""What gives rows, or picks them, in an order that changes from run to run."""
SORTED = re.compile(r"\.sort(?:_by)?\b")


class PolarsExpr(ForkedInterpreter):
    """Polars expressions, each in a forked child of a process that has Polars imported."""

    name = "polars_expr"
    language = "polars"
    runner = "interpreters.runners.polars_runner"
    self_test = ("t.join(t, on='k').group_by('k').agg(pl.col('v').sum()).sort('k')", [{"t": KEYED}])
    install = "python -m pip install polars"
    loads_once = True

    def lucky(self, code: str) -> bool:
        """Say whether something in any order is not sorted afterwards: of two groups, half of the runs are in order."""
        found = list(ANY_ORDER.finditer(code))
        return bool(found) and SORTED.search(code, found[-1].end()) is None
