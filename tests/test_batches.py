"""The provider's batch service: joined by custom_id, rows retried, and never a second batch for the same requests."""

from __future__ import annotations

import json
import random
import signal
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_server import FakeServer
from test_remote_engines import DECODING, ask, load, options, problems, stored
from test_remote_kills import PROBLEMS, SAMPLES, kill_after, start

from bootstrap.engines.remote.budget import BudgetReachedError
from bootstrap.errors import EngineError, UserError

BATCH = {"batch": True, "batch_poll_seconds": 0.01}


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as server:
        yield server


def sizes(server: FakeServer) -> list[int]:
    made = server.batches.made.values()
    return [len(server.batches.files[batch["input_file_id"]].splitlines()) for batch in made]


def state(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "answers.jsonl.batches.jsonl").read_text().splitlines()]


def right(found: Any, count: int, samples: int) -> bool:
    """Say whether every sample is there with the text that its own request gets."""
    keys = [(c.problem_id, c.sample_index) for c in found]
    texts = all(c.text.startswith(f"prompt number {c.problem_id[1:]} / ") for c in found)
    return keys == [(f"p{i}", sample) for i in range(count) for sample in range(samples)] and texts


def test_all_requests_go_in_one_batch_and_answers_are_joined_by_id(
    server: FakeServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = ask(load(server, tmp_path, **BATCH), 4, 3)
    assert right(found, 4, 3) and len({c.text for c in found}) == 12
    assert sizes(server) == [12] and not server.chats
    assert "batch-0: completed" in capsys.readouterr().out
    assert ask(load(server, tmp_path), 4, 3) == found  # from the store, without batches too
    assert not server.chats


def test_a_batch_is_as_large_as_allowed(server: FakeServer, tmp_path: Path) -> None:
    assert right(ask(load(server, tmp_path, **BATCH, batch_requests=3), 8), 8, 1)
    assert sorted(sizes(server)) == [2, 3, 3]


def test_rows_that_failed_go_into_a_following_batch(server: FakeServer, tmp_path: Path) -> None:
    server.batches.row_errors = {0: deque([429, 500]), 3: deque([503])}
    assert right(ask(load(server, tmp_path, **BATCH), 3, 2), 3, 2)
    assert sizes(server) == [6, 2, 1]
    assert set(server.batches.answered.values()) == {1}


def test_rows_that_never_succeed_end_in_a_sentence(server: FakeServer, tmp_path: Path) -> None:
    server.batches.row_errors = {0: deque([500] * 50)}
    with pytest.raises(EngineError, match=r"1 requests have no answer after \d further batches; .*row told 500"):
        ask(load(server, tmp_path, **BATCH, retries=2), 4)
    assert len(stored(tmp_path)) == 3
    assert sizes(server) == [4, 1, 1, 1]


def test_a_row_that_is_refused_stops_after_the_others_are_kept(server: FakeServer, tmp_path: Path) -> None:
    server.batches.row_errors = {1: deque([400])}
    with pytest.raises(EngineError, match=r"refused request .*status 400: row told 400"):
        ask(load(server, tmp_path, **BATCH), 4)
    assert len(stored(tmp_path)) == 3
    assert len(ask(load(server, tmp_path, **BATCH), 4)) == 4
    assert sizes(server) == [4, 1]


def test_an_expired_batch_is_followed_by_one_with_the_rest(server: FakeServer, tmp_path: Path) -> None:
    server.batches.endings.extend(["expired", "expired"])
    assert right(ask(load(server, tmp_path, **BATCH), 4, 2), 4, 2)
    assert sizes(server) == [8, 4, 2]


@pytest.mark.parametrize(
    ("ending", "message", "answered"),
    [("cancelled", "was cancelled.* start again to send the rest", 4), ("failed", "too many tokens.* lower", 0)],
)
def test_a_batch_that_a_person_must_see_to_stops_with_what_it_answered(
    server: FakeServer, tmp_path: Path, ending: str, message: str, answered: int
) -> None:
    server.batches.endings.append(ending)
    with pytest.raises(EngineError, match=message):
        ask(load(server, tmp_path, **BATCH), 8)
    assert len(stored(tmp_path)) == answered
    assert right(ask(load(server, tmp_path, **BATCH), 8), 8, 1)
    assert sizes(server) == [8, 8 - answered]


def test_a_batch_whose_making_was_not_heard_is_found_again(server: FakeServer, tmp_path: Path) -> None:
    server.batches.unheard = 2
    server.batches.page = 1
    for _ in range(3):  # others' batches, listed before and behind ours
        server.batches.files["other"] = b""
        server.batches._make({"endpoint": "/v1/chat/completions", "input_file_id": "other", "metadata": None})
    assert right(ask(load(server, tmp_path, **BATCH), 5), 5, 1)
    assert sizes(server) == [0, 0, 0, 5]


def test_the_token_is_on_disk_before_the_batch_is_made(server: FakeServer, tmp_path: Path) -> None:
    ask(load(server, tmp_path, **BATCH), 2)
    [intent, made, done] = state(tmp_path)
    [batch] = server.batches.made.values()
    assert batch["metadata"] == {"bootstrap_intent": intent["intent"]}
    assert (made["batch"], done["done"]) == (batch["id"], "completed")


def test_a_budget_takes_what_fits_into_a_batch_and_stops_before_it_is_passed(
    server: FakeServer, tmp_path: Path
) -> None:
    server.usage = False  # so each answer counts as its worst, about 410 tokens
    with pytest.raises(BudgetReachedError):
        ask(load(server, tmp_path, **BATCH, budget_tokens=2000), 100)
    assert sizes(server) == [4]
    spent = sum(sum(row["usage"][:2]) for row in stored(tmp_path))
    assert 1200 < spent <= 2000


def test_anthropic_has_no_batches_here(server: FakeServer, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"engine\.batch: not there for anthropic"):
        load(server, tmp_path, name="anthropic", **BATCH)


@pytest.mark.slow
def test_a_kill_at_any_moment_goes_on_with_the_same_batch(server: FakeServer, tmp_path: Path) -> None:
    """Requests to the server are few, so a kill after each number of them is a kill in each state."""
    rng = random.Random(3)
    for number in range(1, 8):
        folder = tmp_path / str(number)
        asked = options(server, folder, **BATCH)
        before = len(server.batches.made)
        for _ in range(2):
            kill_after(server, start(asked), number if rng.random() < 0.7 else 1, signal.SIGKILL)
        out, errors = start(asked).communicate(timeout=60)
        assert len([line for line in out.splitlines() if line[0] == "["]) == PROBLEMS * SAMPLES, errors
        assert len(server.batches.made) - before == 1
    assert set(server.batches.answered.values()) == {7}  # the same requests in seven stores


@pytest.mark.parametrize("keep", [0, 1, 2])
def test_every_state_that_a_kill_leaves_is_gone_on_with(server: FakeServer, tmp_path: Path, keep: int) -> None:
    """The state as it is before the batch is made, before its name is noted, and before it is noted as done."""
    first = ask(load(server, tmp_path, **BATCH), 4)
    path = tmp_path / "answers.jsonl.batches.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:keep]) + (lines[keep][:9] if keep else ""))
    (tmp_path / "answers.jsonl").write_text("")
    assert ask(load(server, tmp_path, **BATCH), 4) == first
    assert len(server.batches.made) == (2 if keep == 0 else 1)  # without the intent's line nothing had been made


def test_requests_that_were_not_in_the_batch_get_one_of_their_own(server: FakeServer, tmp_path: Path) -> None:
    server.batches.looks = 10**6
    engine = load(server, tmp_path, **BATCH)
    found = engine.generate(problems(3), DECODING)
    thread = threading.Thread(target=lambda: list(found), daemon=True)
    thread.start()
    while not server.batches.made:
        thread.join(0.01)
    (tmp_path / "second").mkdir()
    state_now = (tmp_path / "answers.jsonl.batches.jsonl").read_text()
    (tmp_path / "second" / "answers.jsonl.batches.jsonl").write_text(state_now)
    for batch in server.batches.made.values():
        batch["looks"] = 2
    server.batches.looks = 2
    assert right(ask(load(server, tmp_path / "second", **BATCH), 5), 5, 1)
    assert sizes(server) == [3, 2]
    thread.join()
    engine.close()
