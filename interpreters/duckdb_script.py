"""DuckDB scripts: several statements, each data set in a fresh database. See runners/duckdb_script_runner.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from interpreters.base import Execution, GoOn, Job, Limits, Outcome, Table
from interpreters.processes.forked import KEYED, TRUSTED_LIMITS, ForkedInterpreter


class DuckdbScript(ForkedInterpreter):
    """Scripts that may create, change and set what they like; the table of the last statement is the result."""

    name = "duckdb_script"
    language = "duckdb_script"
    runner = "interpreters.runners.duckdb_script_runner"
    self_test = ("CREATE TABLE u AS SELECT k + 1 AS k FROM t; SELECT k FROM u ORDER BY k", [{"t": KEYED}])
    install = "python -m pip install duckdb"

    def execute(
        self, code: str, inputs: Sequence[Mapping[str, Table]], limits: Limits, go_on: GoOn | None = None
    ) -> Execution:
        """Run the script in one child per data set; the limits hold for all of them together."""
        results: tuple[Table, ...] = ()
        seconds = 0.0
        for index, tables in enumerate(inputs):
            left = Limits(max(limits.seconds - seconds, 0.01), limits.memory_mb, limits.output_bytes, limits.cells)
            [execution] = self._zygote.run([(code, [tables])], left)
            results += execution.results
            seconds += execution.seconds
            if execution.outcome is not Outcome.PASSED:
                return Execution(execution.outcome, results, execution.message, seconds)
            if go_on is not None and index + 1 < len(inputs) and not go_on(index, results[-1]):
                break
        return Execution(Outcome.PASSED, results, "", seconds)

    def execute_trusted(self, jobs: Sequence[Job], limits: Limits = TRUSTED_LIMITS) -> list[Execution]:
        """Run scripts of our own, each in a child of its own all the same: they change the database."""
        return [self.execute(code, inputs, limits) for code, inputs in jobs]
