"""A checker pool whose checks are done by Ray actors, with the protocol of interpreters.checking.CheckerPool.

Every actor has a seat here: two threads, one that gives it checks, many in one call, and one that takes its answers.
A check is in exactly one place, the list of what waits or the seat that gave it to an actor; its future is settled by
whoever takes it out of there. So nothing is lost with an actor (the seat puts its checks back), nothing is settled
twice, and what an actor says after it was given up is not heard.
"""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future

from bootstrap.errors import UserError
from bootstrap.scale_out.cluster import join, leave
from bootstrap.scale_out.seat import Check, CheckerWords, Seat
from bootstrap.scale_out_config import RayConfig
from interpreters.base import TestCase, Verdict
from interpreters.checking import WAITING_PER_WORKER
from interpreters.worklist import Worklist

PROBLEMS_KNOWN = 4096


class Problems:
    """Numbers for tests, which are known by identity; the last `PROBLEMS_KNOWN` are kept alive for that."""

    def __init__(self) -> None:
        self._numbers: OrderedDict[int, tuple[int, Sequence[TestCase]]] = OrderedDict()
        self._next = itertools.count()
        self._lock = threading.Lock()

    def number(self, tests: Sequence[TestCase]) -> int:
        with self._lock:
            if id(tests) not in self._numbers:
                self._numbers[id(tests)] = next(self._next), tests
            self._numbers.move_to_end(id(tests))
            while len(self._numbers) > PROBLEMS_KNOWN:
                self._numbers.popitem(last=False)
            return self._numbers[id(tests)][0]


class RayCheckerPool:
    """See the module. `submit` blocks while `WAITING_PER_WORKER` checks per worker wait.

    Leaving the `with` block cancels what waits or runs, and ends the actors. When more actors are lost than the
    configuration lets replace, every future and `submit` raise the reason, a UserError.
    """

    def __init__(self, words: CheckerWords, config: RayConfig) -> None:
        self._cluster = join(config)
        self._open = True
        self._numbers = itertools.count()
        self._problems = Problems()
        self._failure: UserError | None = None
        self._failing = threading.Lock()
        try:
            nodes = self._cluster.checking_nodes()
        except BaseException:
            leave(self._cluster)
            raise
        seats = config.checker_actors or len(nodes)
        per_actor = words.workers or max(node.cpus for node in nodes)
        self._waiting: Worklist[Check] = Worklist(seats, WAITING_PER_WORKER * per_actor)
        self._seats = [Seat(i, words, self._cluster, self._waiting, self._give_up) for i in range(seats)]
        for seat in self._seats:
            seat.start()

    def submit(self, code: str, tests: Sequence[TestCase]) -> Future[Verdict]:
        """Return a future of the verdict; it raises InterpreterError when the interpreter failed twice.

        Codes of one problem, known by the identity of its tests, go to the actor that has them.
        """
        future: Future[Verdict] = Future()
        problem = self._problems.number(tests)
        if not self._waiting.put(problem, Check(next(self._numbers), problem, code, tests, future)):
            raise self._failure or RuntimeError("the checker pool is closed")
        return future

    @property
    def settled(self) -> int:
        """How many verdicts came from actors."""
        return sum(seat.settled for seat in self._seats)

    @property
    def owed_again(self) -> int:
        """How many checks were given to an actor that was lost before it had answered."""
        return sum(seat.owed_again for seat in self._seats)

    @property
    def losses(self) -> int:
        """How many actors were lost."""
        return self._cluster.losses

    def close(self) -> None:
        """Cancel, kill and wait; safe to call twice."""
        if not self._open:
            return
        self._open = False
        for check in self._waiting.close():
            if not check.future.cancel():  # it was with an actor that was lost
                check.future.set_exception(CancelledError())
        for seat in self._seats:
            seat.close()
        for seat in self._seats:
            seat.join()
        leave(self._cluster)

    def _give_up(self, reason: UserError) -> None:
        """End the work of all seats; called by the thread of one of them."""
        with self._failing:
            self._failure = self._failure or reason
        for seat in self._seats:  # first: what they put back from now on finds the reason
            seat.close(self._failure)
        for check in self._waiting.close():
            if check.future.running() or check.future.set_running_or_notify_cancel():
                check.future.set_exception(self._failure)

    def __enter__(self) -> RayCheckerPool:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
