"""Sessions: one locked-down child per problem that judges many candidates over inputs loaded once.

Only for languages whose single statement cannot change what the next one sees (a SELECT), never for Python. A session
ends after `CHECKS_PER_SESSION` codes, when its process ends, and when it has been unused for longer than the others.

A failure that the past of a session could have caused (it died, or ran out of memory) counts only in a fresh one.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence

from interpreters.base import Execution, GoOn, InterpreterError, Limits, Outcome, Table
from interpreters.processes.conversation import explain, message_of_code, message_of_new_inputs, request_of_session
from interpreters.processes.process import Zygote
from interpreters.processes.replies import Replies

SESSIONS = 8  # kept open per interpreter: the problems that are being worked on
CHECKS_PER_SESSION = 500

Inputs = Sequence[Mapping[str, Table]]
Key = tuple[Limits, str, tuple[int, ...]]

_PAST = frozenset({Outcome.MEMORY_EXCEEDED, Outcome.NO_RESULT, Outcome.RUNTIME_ERROR, Outcome.OUTPUT_EXCEEDED})


class Session:
    """One child with its inputs loaded. Raises InterpreterError when it cannot be opened."""

    def __init__(self, zygote: Zygote, inputs: Inputs, limits: Limits, context: str) -> None:
        self.codes = 0
        self.alive = True
        self._inputs = list(inputs)  # kept alive: they are known by identity
        self._limits = limits
        self._child = zygote.fork()
        cpu_seconds = limits.seconds * CHECKS_PER_SESSION
        self._child.ask(request_of_session(inputs, limits, cpu_seconds, context), Replies([], limits))

    def run(self, code: str, go_on: GoOn | None) -> Execution:
        """Run one code over the inputs; ends the session when its process does not survive that."""
        self.codes += 1
        replies = Replies([len(self._inputs)], self._limits, started=True, go_on=go_on)
        ending, status = self._child.ask(message_of_code(code, asks=go_on is not None), replies)
        if ending != "told":
            self.alive = False
            if status is None:  # a statement cannot have done that
                raise InterpreterError("the session ended together with its zygote")
            replies.end_job(*explain(ending, status, self._limits))
        elif replies.broken:
            self.close()
        return replies.executions[0]

    def renew(self, inputs: Inputs) -> None:
        """Go on with other inputs. Raises InterpreterError when they cannot be loaded."""
        self._inputs = list(inputs)
        self._child.ask(message_of_new_inputs(inputs), Replies([], self._limits))

    def close(self) -> None:
        self.alive = False
        self._child.end()


class Sessions:
    """The open sessions of one interpreter, by inputs (by identity, not by value).

    `grows`: what a session has done before can make it run out of memory, so that this is tried in a fresh one too.
    `renews`: the session of a problem that is over goes on with another one, which saves the start of a process; for
    runners whose `load` leaves nothing of what was loaded before.
    """

    def __init__(self, zygote: Zygote, grows: bool = True, renews: bool = True) -> None:
        self._zygote, self._grows, self._renews = zygote, grows, renews
        self._open: OrderedDict[Key, Session] = OrderedDict()
        self._busy = threading.Lock()  # `close` may come from another thread

    def execute(
        self, code: str, inputs: Inputs, limits: Limits, go_on: GoOn | None = None, context: str = ""
    ) -> Execution:
        """Run a code in the session of its inputs. Raises InterpreterError when the interpreter failed."""
        if not inputs:
            return Execution(Outcome.PASSED)
        with self._busy:
            return self._execute(code, inputs, limits, go_on, context)

    def _execute(self, code: str, inputs: Inputs, limits: Limits, go_on: GoOn | None, context: str) -> Execution:
        self._zygote.start()
        key = (limits, context, tuple(id(tables) for tables in inputs))
        session = self._session(key, inputs, limits, context)
        try:
            execution = session.run(code, go_on)
            suspect = not session.alive and session.codes > 1 and execution.outcome in _PAST
            if suspect or (self._grows and session.codes > 1 and execution.outcome is Outcome.MEMORY_EXCEEDED):
                self._end(key)
                session = self._session(key, inputs, limits, context)
                execution = session.run(code, go_on)
        except BaseException:  # a session that was left in the middle of a code is of no use
            self._end_all()
            raise
        if not session.alive or session.codes >= CHECKS_PER_SESSION:
            self._end(key)
        return execution

    def _session(self, key: Key, inputs: Inputs, limits: Limits, context: str) -> Session:
        if key in self._open:
            self._open.move_to_end(key)
            return self._open[key]
        while len(self._open) >= SESSIONS:
            oldest, session = self._open.popitem(last=False)
            if self._renews and oldest[:2] == key[:2]:
                session.renew(inputs)
                self._open[key] = session
                return session
            session.close()
        session = self._open[key] = Session(self._zygote, inputs, limits, context)
        return session

    def _end(self, key: Key) -> None:
        self._open.pop(key).close()

    def close(self) -> None:
        """End every session, unless another thread runs one at this moment; safe to call twice."""
        if self._busy.acquire(blocking=False):
            try:
                self._end_all()
            finally:
                self._busy.release()

    def _end_all(self) -> None:
        while self._open:
            self._end(next(iter(self._open)))
