"""DuckDB SQL: exactly one SELECT over the input tables by name. See duckdb_runner.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from interpreters.base import Column, ColumnType, Execution, InterpreterUnavailable, Job, Limits, Table
from interpreters.process import Zygote
from interpreters.trusted import TRUSTED_LIMITS, run_all

_KEYED = Table((Column("k", ColumnType.INT), Column("v", ColumnType.FLOAT)), ((1, 0.5), (2, 1.5), (2, None)))
_SELF_TEST: Job = ("SELECT k, sum(a.v) AS v FROM t AS a JOIN t AS b USING (k) GROUP BY k ORDER BY k", [{"t": _KEYED}])


class DuckdbSql:
    """SELECT statements, run in a forked child of a process that has an empty database open."""

    name = "duckdb_sql"
    language = "duckdb"

    def __init__(self) -> None:
        self._zygote = Zygote("interpreters.duckdb_runner", _SELF_TEST)

    def available(self) -> str | None:
        try:
            self._zygote.start()
        except InterpreterUnavailable as error:
            return f"{error} Install it with: python -m pip install duckdb"
        return None

    def version(self) -> str:
        self._zygote.start()
        return self._zygote.version

    def execute(self, code: str, inputs: Sequence[Mapping[str, Table]], limits: Limits) -> Execution:
        return self._zygote.run([(code, inputs)], limits)[0]

    def execute_trusted(self, jobs: Sequence[Job], limits: Limits = TRUSTED_LIMITS) -> list[Execution]:
        """Run code that we wrote ourselves, many jobs in one child; `limits` hold for each job."""
        return run_all(self._zygote, jobs, limits)

    def close(self) -> None:
        self._zygote.close()

    def __enter__(self) -> DuckdbSql:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
