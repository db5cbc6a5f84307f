"""The place of one checker actor: who sits there, and what it was given and has not answered."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from typing import Any

from bootstrap.errors import UserError
from bootstrap.scale_out.asking import ACTOR_START_SECONDS, ActorLostError, ClosingError, end_actor, on_node, wait_for
from bootstrap.scale_out.check_actor import Answer, CheckActor, CheckerHello, Work
from bootstrap.scale_out.cluster import Cluster
from interpreters.base import InterpreterError, InterpreterUnavailable, Limits, TestCase, Verdict
from interpreters.sandbox import SandboxName
from interpreters.worklist import Worklist

BATCH = 16  # checks in one call
GIVEN_PER_WORKER = 4  # checks that an actor has, at least a batch; it could not hand them on when it dies or is slow
COLLECT_SECONDS = 2.0  # after which an actor without answers says that it is alive
PROBLEMS_HELD = 1024  # whose tests an actor keeps
END_SECONDS = 3.0
JOIN_SECONDS = 30.0


@dataclass(frozen=True)
class Check:
    """One submission. `problem` is the number of its tests, the same for all codes of a problem."""

    number: int
    problem: int
    code: str
    tests: Sequence[TestCase]
    future: Future[Verdict]


@dataclass(frozen=True)
class CheckerWords:
    """What an actor's own pool is made from; `workers` 0: one per processor of its node."""

    interpreter: str
    workers: int
    limits: Limits
    sandbox: SandboxName


class Seat:
    """One thread gives checks, the other takes answers and, when the actor is lost, seats the next one.

    `give_up` is called with the reason for which there will be no more actors. `settled` and `owed_again` count.
    """

    def __init__(
        self, index: int, words: CheckerWords, cluster: Cluster, waiting: Worklist[Check],
        give_up: Callable[[UserError], None],
    ) -> None:  # fmt: skip
        self.settled = self.owed_again = 0
        self._index = self._turn = index
        self._words, self._cluster, self._waiting, self._give_up = words, cluster, waiting, give_up
        self._name = f"checker {index} ({words.interpreter})"
        self._closing = threading.Event()
        self._reason: BaseException | None = None
        self._changed = threading.Condition()
        self._actor: Any = None
        self._depth = BATCH
        self._given: dict[int, Check] = {}
        self._held: OrderedDict[int, None] = OrderedDict()  # problems whose tests the actor has
        self._threads = [
            threading.Thread(target=target, name=f"{self._name} {what}", daemon=True)
            for what, target in (("gives", self._give_all), ("takes", self._take_all))
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self, reason: BaseException | None = None) -> None:
        """Let the threads end the actor and themselves; `join` waits for that. Checks that were given raise the
        reason."""
        self._reason = self._reason or reason or CancelledError()
        self._closing.set()
        with self._changed:
            self._changed.notify_all()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(JOIN_SECONDS)

    # --- giving ---

    def _give_all(self) -> None:
        while (room := self._await_room()) and (checks := self._waiting.take_some(self._index, min(room, BATCH))):
            self._give(checks)

    def _await_room(self) -> int:
        """Return how many checks the actor may be given, when they are enough to be worth a call; 0 when closing."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing.is_set() or self._room() >= self._depth // 2)
            return 0 if self._closing.is_set() else self._room()

    def _room(self) -> int:
        return 0 if self._actor is None else self._depth - len(self._given)

    def _give(self, checks: Sequence[Check]) -> None:
        wanted = [c for c in checks if c.future.running() or c.future.set_running_or_notify_cancel()]
        with self._changed:
            if self._actor is None:  # lost since there was room
                self._put_back(wanted)
                return
            tests = {check.problem: check.tests for check in wanted if check.problem not in self._held}
            self._held.update(dict.fromkeys(tests))
            for check in wanted:
                self._held.move_to_end(check.problem)
            forgotten = [self._held.popitem(last=False)[0] for _ in range(len(self._held) - PROBLEMS_HELD)]
            work = [Work(check.number, check.problem, check.code) for check in wanted]
            self._given.update((check.number, check) for check in wanted)
            self._actor.accept.options(concurrency_group="in").remote(tests, forgotten, work)
            self._changed.notify_all()

    def _put_back(self, checks: Sequence[Check]) -> None:
        if not self._waiting.put_back(self._index, [(check.problem, check) for check in checks]):
            for check in checks:
                check.future.set_exception(self._reason or CancelledError())

    # --- taking ---

    def _take_all(self) -> None:
        while not self._closing.is_set():
            try:
                self._seat_actor()
                while not self._closing.is_set():
                    self._take()
            except ActorLostError as error:
                self._lose(str(error))
            except ClosingError:
                break
            except UserError as error:
                self._give_up(error)
                break
            except Exception as error:  # the boundary of the thread: nothing may wait for ever
                self._give_up(UserError(f"{self._name}: {type(error).__name__}: {error}"))
                break
        self._leave()

    def _seat_actor(self) -> None:
        """Start an actor and let it say what it is. Raises ActorLostError and UserError."""
        import ray

        nodes = self._cluster.checking_nodes()
        node = nodes[self._turn % len(nodes)]
        self._turn += 1  # where this one does not start, the next one is tried elsewhere
        words, workers = self._words, self._words.workers or node.cpus
        place, groups = on_node(node.node_id), {"in": 1, "out": 1}
        make = ray.remote(num_cpus=0, max_restarts=0, concurrency_groups=groups, scheduling_strategy=place)
        actor = make(CheckActor).remote(words.interpreter, workers, words.limits, words.sandbox)
        try:
            hello: CheckerHello = wait_for(actor.hello.remote(), ACTOR_START_SECONDS, self._closing, "not started")
            self._cluster.require_same(hello.versions, f"{self._name} on {hello.host}")
        except BaseException:
            end_actor(actor)
            raise
        self._turn -= 1
        with self._changed:
            self._actor, self._depth = actor, max(BATCH, GIVEN_PER_WORKER * workers)
            self._changed.notify_all()

    def _take(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closing.is_set() or bool(self._given))
            actor = self._actor
        if self._closing.is_set():
            return
        collecting = actor.collect.options(concurrency_group="out").remote(COLLECT_SECONDS)
        answers: Sequence[Answer] = wait_for(collecting, self._cluster.config.answer_seconds, self._closing)
        with self._changed:
            settled = [(self._given.pop(answer.check), answer) for answer in answers if answer.check in self._given]
            self._changed.notify_all()
        for check, answer in settled:
            settle(check, answer)
        self.settled += len(settled)

    def _lose(self, why: str) -> None:
        """Give up the actor; what it has not answered is owed again."""
        actor, checks = self._empty()
        end_actor(actor)
        self.owed_again += len(checks)
        self._put_back(checks)
        try:
            self._cluster.count_loss(self._name, why)
        except UserError as error:
            self._give_up(error)

    def _leave(self) -> None:
        actor, checks = self._empty()
        for check in checks:
            check.future.set_exception(self._reason or CancelledError())
        end_actor(actor, END_SECONDS)

    def _empty(self) -> tuple[Any, list[Check]]:
        with self._changed:
            actor, self._actor = self._actor, None
            checks = list(self._given.values())
            self._given.clear()
            self._held.clear()
            self._changed.notify_all()
        return actor, checks


def settle(check: Check, answer: Answer) -> None:
    if answer.verdict is not None:
        check.future.set_result(answer.verdict)
    elif answer.unavailable:
        check.future.set_exception(InterpreterUnavailable(answer.error))
    else:
        check.future.set_exception(InterpreterError(answer.error))
