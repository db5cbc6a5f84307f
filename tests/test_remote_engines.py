"""Engines behind a server, against a real one on a socket that misbehaves as it is told."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_server import FakeServer, Reply, error

from bootstrap.config import EngineConfig, PromptConfig
from bootstrap.engines import load_engine
from bootstrap.engines.base import Completion, Decoding, Request
from bootstrap.engines.remote.budget import BudgetReachedError
from bootstrap.errors import EngineError, UserError

DECODING = Decoding(temperature=0.8, top_p=0.95, max_new_tokens=20, seed=1)
PROSE = Reply(body=b"<html>Bad gateway</html>")
NO_CHOICES = Reply(body=b'{"error": {"message": "the model is asleep"}}')
PRICES = {"model": {"input": 1.0, "output": 10.0, "cached_input": 0.5}}


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as server:
        yield server


def options(server: FakeServer, folder: Path, **changed: Any) -> dict[str, Any]:
    return {
        "name": "openai", "base_url": server.url, "store": str(folder / "answers.jsonl"), "backoff_seconds": 0.01,
        "retries": 3, "timeout_seconds": 10.0,
    } | changed  # fmt: skip


def load(server: FakeServer, folder: Path, model: str = "model", **changed: Any) -> Any:
    return load_engine(model, EngineConfig.model_validate(options(server, folder, **changed)), PromptConfig())


def problems(count: int, samples: int = 1, tag: str = "") -> list[Request]:
    return [Request(f"p{i}", f"prompt number {i}", samples, tag) for i in range(count)]


def ask(engine: Any, count: int = 1, samples: int = 1, decoding: Decoding = DECODING) -> list[Completion]:
    try:
        return sorted(engine.generate(problems(count, samples), decoding), key=lambda c: (c.problem_id, c.sample_index))
    finally:
        engine.close()


def stored(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]


# -- what is asked and answered -----------------------------------------------------------------------------------


def test_every_sample_is_a_request_with_a_seed_of_its_own(server: FakeServer, tmp_path: Path) -> None:
    found = ask(load(server, tmp_path), 3, 4)
    assert [(c.problem_id, c.sample_index) for c in found] == [(f"p{i}", s) for i in range(3) for s in range(4)]
    assert len({c.text for c in found}) == 12
    bodies = [one.body for one in server.chats]
    assert len({body.pop("seed") for body in bodies}) == 12
    assert {body.pop("messages")[0]["content"] for body in bodies} == {f"prompt number {i}" for i in range(3)}
    assert bodies[0] == {"model": "model", "temperature": 0.8, "top_p": 0.95, "max_completion_tokens": 20}


def test_keys_can_be_renamed_left_out_and_added(server: FakeServer, tmp_path: Path) -> None:
    changed = {"omit": ["seed", "top_p"], "extra_body": {"effort": "low"}, "token_limit_key": "max_tokens"}
    ask(load(server, tmp_path, **changed))
    assert server.chats[0].body.keys() == {"model", "messages", "temperature", "max_tokens", "effort"}


@pytest.mark.parametrize(
    ("text", "reason", "complete"),
    [("SELECT 1", "stop", True), ("SELEC", "length", False), (None, "stop", True), ("", "content_filter", False)],
)
def test_an_answer_is_complete_when_it_ended_by_itself(
    server: FakeServer, tmp_path: Path, text: str | None, reason: str, complete: bool
) -> None:
    body = server.chat({"model": "model", "messages": [{"content": "x"}], "max_completion_tokens": 1})
    body["choices"][0] |= {"finish_reason": reason, "message": {"content": text}}
    server.plan.append(Reply(body=json.dumps(body).encode()))
    [found] = ask(load(server, tmp_path))
    assert (found.text, found.complete, found.tokens) == (text or "", complete, 5)


def test_anthropic_is_asked_in_its_own_form(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "the key")
    for reason, text, complete in (("end_turn", "yes", True), ("max_tokens", "ye", False), ("refusal", None, True)):
        server.finish_reason, server.text = reason, text
        folder = tmp_path / reason
        [found] = ask(load(server, folder, "anthropic-model", name="anthropic"), 1)
        assert (found.text, found.complete, found.tokens) == (text or "", complete, 5)
    one = server.chats[0]
    assert (one.path, one.headers["x-api-key"]) == ("/v1/messages", "the key")
    assert one.headers["anthropic-version"] == "2023-06-01"
    assert one.body.keys() == {"model", "messages", "max_tokens", "temperature", "top_p"}


def test_connections_are_used_again_and_no_more_requests_run_than_allowed(tmp_path: Path) -> None:
    with FakeServer(delay=0.01) as server:
        ask(load(server, tmp_path, concurrency=5), 60)
        assert server.most_busy == 5
        assert server.connections == 5


def test_completions_come_as_they_are_answered(server: FakeServer, tmp_path: Path) -> None:
    server.plan.extend([Reply(delay=1.0), Reply()])
    engine = load(server, tmp_path, concurrency=2)
    started = time.monotonic()
    found = engine.generate(problems(2), DECODING)
    next(found)
    assert time.monotonic() - started < 0.9
    assert len(list(found)) == 1
    assert engine.busy_seconds >= 0.9
    engine.close()


# -- failures -----------------------------------------------------------------------------------------------------

TEMPORARY = {
    "429": error(429), "500": error(500), "503": error(503),
    "prose and 503": Reply(503, {}, b"overloaded"), "dropped": Reply(way="drop"),
    "cut off": Reply(way="half"), "prose": PROSE, "empty": Reply(body=b""), "a list": Reply(body=b"[]"),
    "no choices": NO_CHOICES, "no message": Reply(body=b'{"choices": [{"finish_reason": "stop"}]}'),
    "content that is a number": Reply(body=b'{"choices": [{"message": {"content": 7}}]}'), "408": error(408),
}  # fmt: skip


@pytest.mark.parametrize("name", TEMPORARY)
def test_what_may_go_well_next_time_is_asked_again(
    server: FakeServer, tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.plan.extend([TEMPORARY[name]] * 2)
    [found] = ask(load(server, tmp_path))
    assert found.text.startswith("prompt number 0 / ")
    assert len(server.chats) == 3
    assert "attempt 2 of 4 follows" in caplog.text and "attempt 3 of 4 follows" in caplog.text


@pytest.mark.parametrize("name", TEMPORARY)
def test_retries_end_in_a_sentence_with_server_request_and_advice(
    server: FakeServer, tmp_path: Path, name: str
) -> None:
    server.plan.extend([TEMPORARY[name]] * 4)
    message = (
        r"openai at http://127.* no answer to request \w{16} \(problem p0, sample 0\) after 4 attempts.*start again"
    )
    with pytest.raises(EngineError, match=message):
        ask(load(server, tmp_path))
    assert len(server.chats) == 4


def test_an_answer_that_is_too_slow_is_asked_for_again(server: FakeServer, tmp_path: Path) -> None:
    drip = Reply(body=b'{"choices": ' + b" " * 1000, way="drip", delay=0.02)
    server.plan.extend([Reply(delay=5.0), drip])
    started = time.monotonic()
    ask(load(server, tmp_path, timeout_seconds=0.3))
    assert len(server.chats) == 3
    assert time.monotonic() - started < 4


def test_a_server_that_is_not_there_is_named(server: FakeServer, tmp_path: Path) -> None:
    engine = load(server, tmp_path, base_url="http://127.0.0.1:9/v1", retries=1)
    with pytest.raises(EngineError, match=r"http://127.0.0.1:9/v1: no answer .* cannot connect"):
        ask(engine)


@pytest.mark.parametrize("header", ["0.6", "date"])
def test_retry_after_holds_back_every_request(server: FakeServer, tmp_path: Path, header: str) -> None:
    from email.utils import formatdate

    text = formatdate(time.time() + 2, usegmt=True) if header == "date" else header
    server.plan.append(error(429, Retry_After=text))
    started = time.monotonic()
    ask(load(server, tmp_path, concurrency=1), 3)
    assert 0.55 < time.monotonic() - started < 4
    assert len(server.chats) == 4


def test_a_wait_of_hours_is_not_waited_for(server: FakeServer, tmp_path: Path) -> None:
    server.plan.append(error(429, Retry_After="7200"))
    with pytest.raises(EngineError, match="after 1 attempts"):
        ask(load(server, tmp_path))


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_a_refused_request_is_not_repeated(server: FakeServer, tmp_path: Path, status: int) -> None:
    server.plan.extend([error(status, "temperature is not supported")] * 2)
    with pytest.raises(EngineError, match=rf"status {status}: temperature is not supported\): (check|leave out)"):
        ask(load(server, tmp_path))
    assert len(server.chats) == 1


def test_an_empty_account_is_not_waited_for(server: FakeServer, tmp_path: Path) -> None:
    server.plan.append(error(429, "quota exceeded", "insufficient_quota"))
    with pytest.raises(EngineError, match="no credit left"):
        ask(load(server, tmp_path))
    assert len(server.chats) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_names_its_variable(
    server: FakeServer, tmp_path: Path, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "secret")
    server.plan.append(error(status, "wrong key"))
    with pytest.raises(UserError, match=rf"refused the key in MY_KEY \(status {status}: wrong key\)") as raised:
        ask(load(server, tmp_path, api_key_env="MY_KEY"))
    assert server.chats[0].headers["authorization"] == "Bearer secret"
    assert "secret" not in str(raised.value)
    assert "secret" not in (tmp_path / "answers.jsonl").read_text()


@pytest.mark.parametrize(("name", "variable"), [("openai", "OPENAI_API_KEY"), ("anthropic", "ANTHROPIC_API_KEY")])
def test_a_missing_key_is_named_before_anything_is_sent(
    server: FakeServer, tmp_path: Path, name: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(UserError, match=f"set the environment variable {variable}"):
        load(server, tmp_path, name=name, base_url=None)


def test_after_a_failure_what_is_on_the_wire_is_kept_and_nothing_more_is_asked(
    server: FakeServer, tmp_path: Path
) -> None:
    server.plan.extend([Reply(400, {}, b"no", delay=0.1), Reply(delay=0.4), Reply(delay=0.4)])
    with pytest.raises(EngineError, match="status 400"):
        ask(load(server, tmp_path, concurrency=3), 10)
    assert len(server.chats) == 3
    assert len(stored(tmp_path)) == 2


def test_a_caller_that_stops_early_ends_the_requests(server: FakeServer, tmp_path: Path) -> None:
    server.plan.extend([Reply()] + [Reply(delay=0.5)] * 5)
    engine = load(server, tmp_path, concurrency=3)
    found = engine.generate(problems(10), DECODING)
    next(found)
    found.close()
    time.sleep(0.2)
    engine.close()
    assert len(server.chats) <= 4


# -- the store ----------------------------------------------------------------------------------------------------


def test_what_the_store_holds_is_not_asked_again(server: FakeServer, tmp_path: Path) -> None:
    first = ask(load(server, tmp_path), 5, 2)
    assert ask(load(server, tmp_path), 5, 2) == first
    assert len(server.chats) == 10
    ask(load(server, tmp_path), 5, 3)
    assert len(server.chats) == 15
    assert set(server.answered.values()) == {1}


@pytest.mark.parametrize(
    "changed",
    [{"temperature": 0.7}, {"top_p": 0.9}, {"max_new_tokens": 21}, {"seed": 2}],
)
def test_other_decoding_is_another_request(server: FakeServer, tmp_path: Path, changed: dict[str, Any]) -> None:
    ask(load(server, tmp_path))
    ask(load(server, tmp_path), decoding=Decoding(**{**DECODING.__dict__, **changed}))
    assert len(server.chats) == 2


def test_the_store_is_a_script(server: FakeServer, tmp_path: Path) -> None:
    engine = load(server, tmp_path)
    asked = [*problems(3, 2, "iteration 1"), Request("twin", "prompt number 0", 2, "iteration 1")]
    found = {(c.problem_id, c.sample_index): c.text for c in engine.generate(asked, DECODING)}
    list(engine.generate(problems(3, 2, "dev"), DECODING))  # served from the store under another tag
    engine.close()
    assert len(server.chats) == 6  # the twin's requests are those of its double
    script = load_engine("m", EngineConfig(name="scripted", script=str(tmp_path / "answers.jsonl")), PromptConfig())
    assert {(c.problem_id, c.sample_index): c.text for c in script.generate(asked, DECODING)} == found
    assert len(list(script.generate(problems(3, 2, "dev"), DECODING))) == 6


def test_a_torn_last_line_is_dropped_and_asked_again(
    server: FakeServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = ask(load(server, tmp_path), 3)
    path = tmp_path / "answers.jsonl"
    content = path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(content) if byte == ord("\n")]
    for cut in (ends[1] + 1, ends[1] + 40, ends[2] - 1, ends[2] - 2):
        path.write_bytes(content[:cut])
        before = len(server.chats)
        with caplog.at_level(logging.WARNING):
            assert ask(load(server, tmp_path), 3) == first
        assert len(server.chats) == before + 1
        assert "line 3 is torn and is dropped" in caplog.text
        assert len(stored(tmp_path)) == 3


def test_a_line_that_is_something_else_is_refused(server: FakeServer, tmp_path: Path) -> None:
    (tmp_path / "answers.jsonl").write_text('{"problem_id": "p0", "completion": "x"}\n')
    with pytest.raises(UserError, match=r"answers\.jsonl: expected lines of an engine's store, .*'key'"):
        load(server, tmp_path)
    (tmp_path / "answers.jsonl").write_text("prose\n{}\n")
    with pytest.raises(UserError, match=r"answers\.jsonl, line 1: expected a JSON object"):
        load(server, tmp_path)


def test_a_store_that_another_engine_has_open_is_refused(server: FakeServer, tmp_path: Path) -> None:
    engine = load(server, tmp_path)
    with pytest.raises(UserError, match="another program has"):
        load(server, tmp_path)
    engine.close()
    load(server, tmp_path).close()


def test_a_store_must_be_named(server: FakeServer, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"set engine\.store"):
        load(server, tmp_path, store=None)


def test_request_response_usage_and_cost_are_stored(server: FakeServer, tmp_path: Path) -> None:
    ask(load(server, tmp_path, prices=PRICES))
    [row] = stored(tmp_path)
    assert row["request"] == server.chats[0].body
    assert row["response"]["choices"][0]["message"]["content"] == row["completion"]
    assert (row["usage"], row["model"], row["finish_reason"]) == ([3, 5, 1], "model", "stop")
    assert row["cost_usd"] == pytest.approx((2 * 1.0 + 1 * 0.5 + 5 * 10.0) / 1e6)


# -- the budget ---------------------------------------------------------------------------------------------------


def test_a_budget_of_tokens_is_never_passed_and_counts_over_starts(server: FakeServer, tmp_path: Path) -> None:
    budget = 1500
    with pytest.raises(BudgetReachedError, match=r"before engine\.budget_tokens 1,500 .* raise the budget"):
        ask(load(server, tmp_path, budget_tokens=budget, concurrency=4), 1000)
    first = server.tokens
    assert 1000 < first <= budget
    with pytest.raises(BudgetReachedError):
        ask(load(server, tmp_path, budget_tokens=budget, concurrency=4), 1000)
    assert server.tokens == first  # the rest was too small for one more request
    with pytest.raises(BudgetReachedError):
        ask(load(server, tmp_path, budget_tokens=budget + 300, concurrency=4), 1000)
    assert first < server.tokens <= budget + 300


def test_a_budget_of_dollars_is_never_passed(server: FakeServer, tmp_path: Path) -> None:
    with pytest.raises(BudgetReachedError, match=r"engine\.budget_usd 0\.002"):
        ask(load(server, tmp_path, budget_usd=0.002, prices=PRICES, concurrency=8), 1000)
    spent = sum(row["cost_usd"] for row in stored(tmp_path))
    assert 0.0012 < spent <= 0.002


def test_a_budget_of_dollars_needs_prices(server: FakeServer, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"needs the prices of model: set engine\.prices"):
        load(server, tmp_path, budget_usd=1.0)


def test_a_request_that_is_never_answered_counts_as_its_worst(server: FakeServer, tmp_path: Path) -> None:
    """One request may take about 370 tokens: two that were dropped leave no room for another within 1,000."""
    server.plan.extend([Reply(way="drop")] * 2)
    with pytest.raises(BudgetReachedError):
        ask(load(server, tmp_path, budget_tokens=1000, concurrency=1))
    assert len(server.chats) == 2
    with pytest.raises(BudgetReachedError):
        ask(load(server, tmp_path, budget_tokens=1000, concurrency=1))
    assert len(server.chats) == 2
    server.plan.extend([error(500)] * 3)  # refused: not billed
    assert len(ask(load(server, tmp_path, budget_tokens=1300, concurrency=1))) == 1


def test_a_server_that_does_not_say_what_was_used_is_counted_at_the_worst(server: FakeServer, tmp_path: Path) -> None:
    server.usage = False
    with pytest.raises(BudgetReachedError):
        ask(load(server, tmp_path, budget_tokens=1000, concurrency=1), 10)
    assert len(server.chats) == 2
    assert stored(tmp_path)[0]["tokens"] is None


def test_progress_says_requests_tokens_and_cost(
    server: FakeServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ask(load(server, tmp_path, prices=PRICES, budget_usd=1.0), 4)
    out = capsys.readouterr().out
    assert "openai: 4 requests, 0 more from the store, 12 input tokens (4 cached), 20 output, $0.0002 of $1" in out
    assert out.rstrip().endswith("requests/s")
