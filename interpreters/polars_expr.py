"""Polars: one expression, or statements that assign `result`, over the input tables by name. See polars_runner.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from interpreters.base import Column, ColumnType, Execution, InterpreterUnavailable, Job, Limits, Table
from interpreters.process import Zygote
from interpreters.trusted import TRUSTED_LIMITS, run_all

_KEYED = Table((Column("k", ColumnType.INT), Column("v", ColumnType.FLOAT)), ((1, 0.5), (2, 1.5), (2, None)))
_SELF_TEST: Job = ("t.join(t, on='k').group_by('k').agg(pl.col('v').sum()).sort('k')", [{"t": _KEYED}])


class PolarsExpr:
    """Polars expressions, run in a forked child of a process that has Polars imported."""

    name = "polars_expr"
    language = "polars"

    def __init__(self) -> None:
        self._zygote = Zygote("interpreters.polars_runner", _SELF_TEST)

    def available(self) -> str | None:
        try:
            self._zygote.start()
        except InterpreterUnavailable as error:
            return f"{error} Install it with: python -m pip install polars"
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

    def __enter__(self) -> PolarsExpr:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
