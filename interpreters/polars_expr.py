"""Polars: one expression, or statements that assign `result`, over the input tables. See runners/polars_runner.py."""

from __future__ import annotations

from interpreters.processes.forked import KEYED, ForkedInterpreter


class PolarsExpr(ForkedInterpreter):
    """Polars expressions, each in a forked child of a process that has Polars imported."""

    name = "polars_expr"
    language = "polars"
    runner = "interpreters.runners.polars_runner"
    self_test = ("t.join(t, on='k').group_by('k').agg(pl.col('v').sum()).sort('k')", [{"t": KEYED}])
    install = "python -m pip install polars"
    loads_once = True
