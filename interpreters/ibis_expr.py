"""Ibis: one table expression, or statements that assign `result`, over the input tables. See runners/ibis_runner.py."""

from __future__ import annotations

from interpreters.processes.forked import KEYED, ForkedInterpreter

_SELF_TEST = ("t.join(t, 'k').group_by('k').agg(v=_.v.sum()).order_by('k')", [{"t": KEYED}])


class IbisDuckdb(ForkedInterpreter):
    """Ibis expressions, compiled to SQL and run on DuckDB in a forked child."""

    name = "ibis_duckdb"
    language = "ibis"
    runner = "interpreters.runners.ibis_duckdb_runner"
    self_test = _SELF_TEST
    install = "python -m pip install 'ibis-framework[duckdb]'"
    loads_once = True


class IbisPolars(ForkedInterpreter):
    """Ibis expressions, planned and run by Polars in a forked child. Ibis 12 translates neither window functions nor
    scalar subqueries (`_.x > _.x.mean()`) to Polars."""

    name = "ibis_polars"
    language = "ibis"
    runner = "interpreters.runners.ibis_polars_runner"
    self_test = _SELF_TEST
    install = "python -m pip install 'ibis-framework[polars]'"
    loads_once = True
