"""Interpreters whose code runs in forked children of a zygote: all that they share, on top of process.py.

A new one names its runner (see candidate.Runner), a self-test and what to install. `sticky` keeps one child per
problem for many candidates, which is right only where a candidate cannot change what the next one sees. `loads_once`
lets the zygote load a problem's inputs for all its children, which is right only where loading starts no thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

from interpreters.base import Column, ColumnType, Execution, GoOn, InterpreterUnavailable, Job, Limits, Table
from interpreters.processes.process import Zygote
from interpreters.processes.sticky import Sessions
from interpreters.sandbox import SandboxName, Wanted

JOBS_PER_CHILD = 256
TRUSTED_LIMITS = Limits(seconds=10.0, memory_mb=4096)  # for each job
KEYED = Table((Column("k", ColumnType.INT), Column("v", ColumnType.FLOAT)), ((1, 0.5), (2, 1.5), (2, None)))
"""For self-tests: a table `t` worth joining with itself."""


class ForkedInterpreter:
    """An `Interpreter` (see base.py) by class attributes."""

    name: ClassVar[str]
    language: ClassVar[str]
    runner: ClassVar[str]  # module
    self_test: ClassVar[Job]
    install: ClassVar[str]  # what `available` tells to install
    sticky: ClassVar[bool] = False
    loads_once: ClassVar[bool] = False

    def __init__(self, sandbox: SandboxName | Wanted = "required") -> None:
        self._zygote = Zygote(self.runner, self.self_test, sandbox)
        self._sessions = Sessions(self._zygote)

    def available(self) -> str | None:
        try:
            self._zygote.start()
        except InterpreterUnavailable as error:
            text = str(error)
            return f"{text} Install it with: {self.install}" if "No module named" in text else text
        return None

    def version(self) -> str:
        self._zygote.start()
        return self._zygote.version

    def sandbox(self) -> str:
        self._zygote.start()
        return self._zygote.sandbox.line()

    def refuses(self, inputs: Sequence[Mapping[str, Table]]) -> str | None:
        return None

    def lucky(self, code: str) -> bool:
        return False

    def execute(
        self, code: str, inputs: Sequence[Mapping[str, Table]], limits: Limits, go_on: GoOn | None = None
    ) -> Execution:
        if self.sticky:
            return self._sessions.execute(code, inputs, limits, go_on)
        if self.loads_once:
            return self._zygote.run_loaded(code, inputs, limits, go_on)
        return self._zygote.run([(code, inputs)], limits, go_on=go_on)[0]

    def execute_trusted(self, jobs: Sequence[Job], limits: Limits = TRUSTED_LIMITS) -> list[Execution]:
        """Run code that we wrote ourselves, many jobs in one child, so that no fork is paid for each; `limits` hold
        for each job. A job that takes its child with it costs only itself."""
        executions: list[Execution] = []
        while len(executions) < len(jobs):
            executions += self._zygote.run(jobs[len(executions) : len(executions) + JOBS_PER_CHILD], limits)
        return executions

    def close(self) -> None:
        self._zygote.close()
        self._sessions.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
