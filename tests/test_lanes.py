"""Several batches at a time: in order all the same, bounded, checked as they come, and nothing left when it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from test_sampling import IDS, PROBLEMS, RIGHT, WRONG, checkers, configured, engine_of, plan, run

from bootstrap.checkers import Checkers
from bootstrap.engines.base import Completion, Decoding, Request
from bootstrap.errors import EngineError
from bootstrap.lanes import lanes_of
from bootstrap.programs import StopRequest
from bootstrap.records import Candidate
from bootstrap.sampling import IN_FLIGHT, Batch, SampleAndCheck

ROWS = [{"problem_id": pid, "completion": code} for pid in IDS for code in (WRONG[pid], RIGHT[pid])]
SECONDS = 20.0


class InLanes:
    """The scripted engine, serving several batches at a time; `before(batch's first problem)` may hold one up."""

    def __init__(self, folder: Path, lanes: int, before: Callable[[str], None] = lambda pid: None) -> None:
        self.scripted = engine_of(folder, ROWS)
        self.name, self.model_digest, self.busy_seconds = "lanes", self.scripted.model_digest, 0.0
        self.lanes, self.before = lanes, before
        self.threads: set[int] = set()
        self.stopped = threading.Event()

    def generate(self, requests: Sequence[Request], decoding: Decoding) -> Iterator[Completion]:
        self.threads.add(threading.get_ident())
        self.before(requests[0].problem_id)
        yield from self.scripted.generate(requests, decoding)

    def interrupt(self) -> None:
        self.stopped.set()

    def close(self) -> None: ...


@pytest.fixture(scope="module")
def pool() -> Iterator[Checkers]:
    with checkers(seconds=5.0) as pool:
        yield pool


@pytest.fixture(autouse=True)
def no_lane_is_left() -> Iterator[None]:
    yield
    assert not [thread for thread in threading.enumerate() if thread.name == "lane"]


def sampler_with(engine: Any, pool: Checkers) -> SampleAndCheck:
    return SampleAndCheck(PROBLEMS, engine, pool, configured(), iteration=1)


def rows_of(found: list[list[Candidate]]) -> list[list[dict[str, Any]]]:
    return [[{**candidate.to_json(), "seconds": 0} for candidate in batch] for batch in found]


def one_each() -> list[Batch]:
    """Return a plan with a batch for each problem."""
    return plan(engine={"name": "scripted", "batch_sequences": 1})


@pytest.mark.parametrize("lanes", [2, 3, 20])
def test_candidates_are_the_same_whatever_the_number_of_lanes(pool: Checkers, tmp_path: Path, lanes: int) -> None:
    alone = run(sampler_with(engine_of(tmp_path, ROWS), pool), one_each())
    engine = InLanes(tmp_path, lanes)
    sampler = sampler_with(engine, pool)
    counted: list[int] = []
    assert rows_of(list(sampler.run(one_each(), counted.append))) == rows_of(alone)
    assert counted == [1] * 12
    assert (sampler.clock.samples, sampler.clock.checks) == (12, 12)
    assert threading.get_ident() not in engine.threads


def test_an_engine_without_lanes_is_asked_by_the_calling_thread(pool: Checkers, tmp_path: Path) -> None:
    engine = InLanes(tmp_path, 1)
    run(sampler_with(engine, pool), plan())
    assert engine.threads == {threading.get_ident()}
    assert lanes_of(object()) == 1


def test_batches_keep_their_order_when_later_ones_are_done_first(pool: Checkers, tmp_path: Path) -> None:
    batches = one_each()
    first, last, later = batches[0].problem_ids[0], batches[-1].problem_ids[0], threading.Event()

    def before(problem_id: str) -> None:
        if problem_id == first:
            assert later.wait(SECONDS)
        elif problem_id == last:
            later.set()

    found = run(sampler_with(InLanes(tmp_path, 2, before), pool), batches)
    assert [candidates[0].problem_id for candidates in found] == [batch.problem_ids[0] for batch in batches]


def test_as_many_batches_run_side_by_side_as_there_are_lanes(pool: Checkers, tmp_path: Path) -> None:
    together = threading.Barrier(3)

    def before(problem_id: str) -> None:
        together.wait(SECONDS)

    run(sampler_with(InLanes(tmp_path, 3, before), pool), one_each())
    assert not together.broken


def test_what_waits_behind_a_slow_batch_is_bounded(pool: Checkers, tmp_path: Path) -> None:
    go, started = threading.Event(), []
    batches = one_each() * 4

    def before(problem_id: str) -> None:
        started.append(problem_id)
        if len(started) == 1:
            assert go.wait(SECONDS)

    found = sampler_with(InLanes(tmp_path, 2, before), pool).run(batches, lambda count: None)
    threading.Timer(1.0, go.set).start()
    next(found)
    assert len(started) <= 2 + IN_FLIGHT
    assert len(list(found)) == len(batches) - 1


def test_completions_are_checked_before_their_batch_is_whole(pool: Checkers, tmp_path: Path) -> None:
    """The second sample of each problem comes only when the first one has its verdict."""
    engine = InLanes(tmp_path, 2)
    sampler = sampler_with(engine, pool)
    verdicts: dict[str, Any] = {}
    submit = pool.submit

    class Watched:
        def submit(self, code: str, problem: Any) -> Any:
            verdicts[problem.problem_id] = submit(code, problem)
            return verdicts[problem.problem_id]

    def generate(requests: Sequence[Request], decoding: Decoding) -> Iterator[Completion]:
        for completion in engine.scripted.generate(requests, decoding):
            if completion.sample_index == 1:
                verdicts[completion.problem_id].result(SECONDS)
            yield completion

    engine.generate = generate  # type: ignore[method-assign]
    sampler.checkers = Watched()  # type: ignore[assignment]
    assert len(run(sampler, one_each())) == 6


# -- how it ends --------------------------------------------------------------------------------------------------


def hold_up_all_but(failing: str, engine: InLanes, error: BaseException) -> Callable[[str], None]:
    def before(problem_id: str) -> None:
        if problem_id == failing:
            raise error
        assert engine.stopped.wait(SECONDS)  # as a batch that takes for ever, until the engine is interrupted
        raise EngineError("interrupted")

    return before


@pytest.mark.parametrize("error", [EngineError("out of memory"), KeyboardInterrupt("stop")])
def test_the_error_of_one_lane_ends_the_others_and_is_raised(
    pool: Checkers, tmp_path: Path, error: BaseException
) -> None:
    engine, batches = InLanes(tmp_path, 3), one_each()
    engine.before = hold_up_all_but(batches[1].problem_ids[0], engine, error)
    started = time.monotonic()
    with pytest.raises(type(error), match=str(error)):
        run(sampler_with(engine, pool), batches)
    assert engine.stopped.is_set()
    assert time.monotonic() - started < SECONDS / 2


def test_closing_early_leaves_no_lane(pool: Checkers, tmp_path: Path) -> None:
    engine, batches = InLanes(tmp_path, 3), one_each()

    def before(problem_id: str) -> None:
        if problem_id != batches[0].problem_ids[0]:
            assert engine.stopped.wait(SECONDS)

    engine.before = before
    found = sampler_with(engine, pool).run(batches, lambda count: None)
    next(found)
    found.close()  # type: ignore[attr-defined]
    assert engine.stopped.is_set()


def test_a_request_to_stop_ends_the_lanes(pool: Checkers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = InLanes(tmp_path, 2)

    def before(problem_id: str) -> None:
        monkeypatch.setattr(StopRequest, "requested", True)
        assert engine.stopped.wait(SECONDS)

    engine.before = before
    with pytest.raises(KeyboardInterrupt):
        run(sampler_with(engine, pool), one_each())


def test_an_error_of_who_counts_is_raised(pool: Checkers, tmp_path: Path) -> None:
    def count(samples: int) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        list(sampler_with(InLanes(tmp_path, 2), pool).run(one_each(), count))


def test_the_time_in_which_the_engine_stands_still_for_verdicts_is_counted(tmp_path: Path) -> None:
    endless = [{"problem_id": pid, "completion": "[0 for _ in iter(int, 1)]"} for pid in IDS for _ in range(2)]
    with checkers(seconds=0.5) as pool:
        engine = InLanes(tmp_path, 2)
        engine.scripted = engine_of(tmp_path, endless)
        sampler = sampler_with(engine, pool)
        run(sampler, plan(IDS[:2]))
    assert sampler.clock.waiting_seconds > 0.4
