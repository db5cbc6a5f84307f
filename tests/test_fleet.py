"""A fleet of samplers: what is lost is asked again, nothing comes twice, and what cannot be mended is said."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from bootstrap.engines.base import Completion, Decoding, Request
from bootstrap.engines.fleet import Fleet, SamplerLostError
from bootstrap.errors import EngineError, UserError

DECODING = Decoding(temperature=1.0, top_p=1.0, max_new_tokens=8, seed=1)
SECONDS = 20.0


def requests(count: int = 3, samples: int = 2) -> list[Request]:
    return [Request(f"p{i}", f"prompt {i}", samples) for i in range(count)]


class Sampler:
    """Answers each prompt with its text; `at(completion number)` may hold it up or end it."""

    name = "plain"

    def __init__(self, at: Callable[[int], None] = lambda number: None, model_digest: str = "m") -> None:
        self.at, self.model_digest, self.closed = at, model_digest, threading.Event()

    def generate(self, requests: Sequence[Request], decoding: Decoding) -> Iterator[Completion]:
        everything = [(request, index) for request in requests for index in range(request.num_samples)]
        for number, (request, index) in enumerate(everything):
            self.at(number)
            if self.closed.is_set():
                raise SamplerLostError("closed")
            yield Completion(request.problem_id, index, f"{request.prompt} {index}", 1, complete=True)

    def close(self) -> None:
        self.closed.set()


def dies_at(number: int) -> Callable[[int], None]:
    def at(completion: int) -> None:
        if completion == number:
            raise SamplerLostError("it fell over")

    return at


def fleet_of(*samplers: Sampler, size: int = 1, replacements: int = 10) -> Fleet:
    """Return a fleet whose samplers are these, in the order in which they are started."""
    waiting = iter(samplers)
    lock = threading.Lock()

    def start(number: int) -> Sampler:
        with lock:
            return next(waiting)

    return Fleet(start, size, replacements=replacements)


def everything(fleet: Fleet, asked: Sequence[Request]) -> dict[tuple[str, int], Completion]:
    found = list(fleet.generate(asked, DECODING))
    by_key = {(c.problem_id, c.sample_index): c for c in found}
    assert len(by_key) == len(found)
    return by_key


@pytest.mark.parametrize("number", range(6))
def test_a_batch_goes_on_where_its_sampler_was_lost(number: int) -> None:
    lost = Sampler(dies_at(number))
    fleet = fleet_of(lost, Sampler())
    assert everything(fleet, requests()) == everything(fleet_of(Sampler()), requests())
    assert lost.closed.is_set()
    assert fleet.losses == 1


def test_a_batch_survives_several_losses(capsys: pytest.CaptureFixture[str]) -> None:
    fleet = fleet_of(*(Sampler(dies_at(number)) for number in (4, 0, 2, 5)), Sampler())
    assert len(everything(fleet, requests())) == 6
    assert "sampler 0 is lost: it fell over; replacement 4 of 10" in capsys.readouterr().out


def test_too_many_losses_are_an_error_with_the_last_cause() -> None:
    fleet = fleet_of(*(Sampler(dies_at(1)) for _ in range(9)), replacements=3)
    with pytest.raises(EngineError, match="4 samplers were lost, and 3 are replaced at most; the last one: it fell"):
        everything(fleet, requests())


def test_what_an_engine_says_itself_is_raised_at_once() -> None:
    def at(number: int) -> None:
        raise EngineError("CUDA out of memory")

    fleet = fleet_of(Sampler(at), Sampler())
    with pytest.raises(EngineError, match="CUDA out of memory"):
        everything(fleet, requests())
    assert fleet.losses == 0
    fleet.close()


def test_a_sampler_lost_while_it_starts_is_started_again() -> None:
    tries: list[int] = []

    def start(number: int) -> Sampler:
        tries.append(number)
        if len(tries) < 3:
            raise SamplerLostError("it never answered")
        return Sampler()

    assert len(everything(Fleet(start, 1), requests())) == 6
    with pytest.raises(EngineError, match="1 samplers were lost, and 0 are replaced at most"):
        tries.clear()
        Fleet(start, 1, replacements=0)


def test_a_model_that_cannot_be_loaded_is_said_as_it_is_and_the_others_are_closed() -> None:
    loaded, aborted, closed = Sampler(), threading.Event(), threading.Event()

    def start(number: int) -> Sampler:
        if number == 0:
            return loaded
        if number == 1:
            raise UserError("base model x: no such folder")
        assert aborted.wait(SECONDS)  # a start that takes for ever, until it is aborted
        raise SamplerLostError("aborted")

    with pytest.raises(UserError, match="no such folder"):
        Fleet(start, 3, abort_starts=aborted.set, on_close=closed.set)
    assert loaded.closed.is_set()
    assert closed.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name == "start"]


def test_samplers_start_side_by_side() -> None:
    together = threading.Barrier(3)

    def start(number: int) -> Sampler:
        together.wait(SECONDS)
        return Sampler()

    assert Fleet(start, 3).lanes == 3


def test_samplers_with_different_models_are_refused() -> None:
    with pytest.raises(EngineError, match=r"has loaded the model \w+, the others \w+: its files differ"):
        fleet_of(Sampler(), Sampler(model_digest="other"), size=2)


def test_a_sampler_that_leaves_something_out_or_makes_something_up_is_an_error() -> None:
    class Short(Sampler):
        def generate(self, requests: Sequence[Request], decoding: Decoding) -> Iterator[Completion]:
            yield from super().generate(requests[:1], decoding)

    class Inventive(Sampler):
        def generate(self, requests: Sequence[Request], decoding: Decoding) -> Iterator[Completion]:
            yield Completion("never asked", 0, "", 0, complete=True)

    with pytest.raises(EngineError, match="sampler 0 left out 4 of 6 completions"):
        everything(fleet_of(Short()), requests())
    with pytest.raises(EngineError, match="what it was not asked: completion 0 of problem never asked"):
        everything(fleet_of(Inventive()), requests())


def test_batches_go_to_free_samplers_side_by_side_and_wait_where_none_is_free() -> None:
    together = threading.Barrier(2)

    def at(number: int) -> None:
        if number == 0:
            together.wait(SECONDS)

    fleet = fleet_of(Sampler(at), Sampler(at), size=2)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: everything(fleet, requests()), range(4)))
    assert all(one == found[0] for one in found)
    assert not together.broken


def test_nothing_is_lost_or_counted_twice_while_samplers_fall_over_at_random() -> None:
    lives = iter(1 + n * 7 % 23 for n in range(1000))  # completions that each sampler gives before it is lost
    lock = threading.Lock()

    def start(number: int) -> Sampler:
        with lock:
            left = iter(range(next(lives)))

        def at(completion: int) -> None:
            if next(left, None) is None:
                raise SamplerLostError("it fell over")

        return Sampler(at)

    fleet = Fleet(start, 3, replacements=500)
    batches = [[Request(f"b{b}", "x", 5), Request(f"c{b}", "y", 5)] for b in range(40)]
    with ThreadPoolExecutor(3) as threads:
        found = list(threads.map(lambda asked: list(fleet.generate(asked, DECODING)), batches))
    counts = Counter((c.problem_id, c.sample_index) for batch in found for c in batch)
    assert set(counts.values()) == {1}
    assert len(counts) == 400
    assert fleet.losses > 20


def test_busy_seconds_are_those_in_which_any_sampler_generates() -> None:
    wait = threading.Event()

    def at(number: int) -> None:
        wait.wait(0.05)

    fleet = fleet_of(*(Sampler(at) for _ in range(3)), size=3)
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda _: everything(fleet, requests()), range(3)))
    assert 0.25 < fleet.busy_seconds < 0.8  # 6 completions of 0.05 s each, three at a time
    before = fleet.busy_seconds
    wait.wait(0.1)
    assert fleet.busy_seconds == before


def test_interrupting_ends_what_is_under_way_and_the_next_batch_is_answered() -> None:
    inside = threading.Event()

    def at(number: int) -> None:
        if number == 1:
            inside.set()
            assert held.closed.wait(SECONDS)

    held = Sampler(at)
    fleet = fleet_of(held, Sampler(), replacements=0)
    with ThreadPoolExecutor(1) as threads:
        found = threads.submit(everything, fleet, requests())
        assert inside.wait(SECONDS)
        fleet.interrupt()
        with pytest.raises(EngineError, match="sampling was interrupted"):
            found.result(SECONDS)
    assert len(everything(fleet, requests())) == 6
    assert fleet.losses == 0


def test_a_batch_that_is_dropped_leaves_its_sampler_free() -> None:
    fleet = fleet_of(Sampler())
    for _ in range(3):
        dropped = fleet.generate(requests(), DECODING)
        next(dropped)
        dropped.close()  # type: ignore[attr-defined]
    assert len(everything(fleet, requests())) == 6


def test_a_closed_fleet_answers_nothing_and_lets_nobody_wait() -> None:
    closed: list[int] = []
    fleet = Fleet(lambda number: Sampler(), 1, on_close=lambda: closed.append(1))
    held = fleet.generate(requests(), DECODING)
    next(held)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(everything, fleet, requests())
        fleet.close()
        with pytest.raises(EngineError, match="closed"):
            waiting.result(SECONDS)
    with pytest.raises(EngineError, match="interrupted"):
        list(held)
    fleet.close()
    assert closed == [1]
