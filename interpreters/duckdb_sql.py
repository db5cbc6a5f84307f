"""DuckDB SQL: exactly one SELECT over the input tables by name. See runners/duckdb_runner.py."""

from __future__ import annotations

from interpreters.processes.forked import KEYED, ForkedInterpreter


class DuckdbSql(ForkedInterpreter):
    """SELECT statements, many per problem, in a locked-down child that holds the problem's tables."""

    name = "duckdb_sql"
    language = "duckdb"
    runner = "interpreters.runners.duckdb_runner"
    self_test = ("SELECT k, sum(a.v) AS v FROM t AS a JOIN t AS b USING (k) GROUP BY k ORDER BY k", [{"t": KEYED}])
    install = "python -m pip install duckdb"
    sticky = True
