"""A real OpenAI-compatible server, `transformers serve`, with a tiny model from random weights."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_transformers_engine import GREEDY, PROMPTS, SAMPLED, build, requests

from bootstrap.config import EngineConfig, PromptConfig
from bootstrap.engines import load_engine
from bootstrap.errors import EngineError

pytestmark = pytest.mark.slow
PROGRAM = "from transformers.cli.transformers import main; main()"
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""The form of the model's family: the server reads answers by it."""
START_SECONDS = 120


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = build(tmp_path_factory.mktemp("models") / "base")
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"chat_template": TEMPLATE}))
    path = folder / "generation_config.json"  # without do_sample the server ignores a request's temperature
    path.write_text(json.dumps(json.loads(path.read_text()) | {"do_sample": True}))
    return folder


@pytest.fixture(scope="module")
def url(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    for package in ("fastapi", "uvicorn", "openai"):
        pytest.importorskip(package, reason="pip install transformers[serving]")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, "-c", PROGRAM, "serve", str(folder), "--device", "cpu", "--host", "127.0.0.1"]
    with open(tmp_path_factory.mktemp("log") / "serve.log", "wb") as log:
        server = subprocess.Popen([*words, "--port", str(port)], stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_for(port, server, Path(log.name))
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait(30)


def wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"transformers serve does not start: {log.read_text()[-2000:]}")


def load(folder: Path, url: str, store: Path, **changed: Any) -> Any:
    config = EngineConfig(name="openai", base_url=url, store=str(store), concurrency=4, **changed)
    return load_engine(str(folder), config, PromptConfig())


def test_greedy_answers_are_those_of_the_engine_transformers(folder: Path, url: str, tmp_path: Path) -> None:
    served = load(folder, url, tmp_path / "answers.jsonl")
    found = {c.problem_id: c for c in served.generate(requests(1), GREEDY)}
    here = load_engine(str(folder), EngineConfig(device="cpu", threads=1), PromptConfig(chat=True))
    expected = {c.problem_id: c for c in here.generate(requests(1), GREEDY)}
    assert found.keys() == expected.keys() == {f"p{i}" for i in range(len(PROMPTS))}
    assert [found[pid].text.strip() for pid in found] == [expected[pid].text.strip() for pid in found]
    assert [found[pid].complete for pid in found] == [expected[pid].complete for pid in found]
    served.close()
    again = load(folder, "http://127.0.0.1:9/v1", tmp_path / "answers.jsonl")  # all from the store
    assert {c.problem_id: c for c in again.generate(requests(1), GREEDY)} == found
    again.close()


def test_samples_come_with_their_usage(folder: Path, url: str, tmp_path: Path) -> None:
    engine = load(folder, url, tmp_path / "answers.jsonl", budget_tokens=10**6)
    found = list(engine.generate(requests(6), SAMPLED))
    engine.close()
    assert len({(c.problem_id, c.sample_index) for c in found}) == 18
    assert len({c.text for c in found}) > 6
    assert all(0 < c.tokens <= SAMPLED.max_new_tokens for c in found)
    rows = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert all(row["response"]["object"] == "chat.completion" and row["usage"][0] > 0 for row in rows)


def test_a_model_that_the_server_does_not_have_is_a_sentence(folder: Path, url: str, tmp_path: Path) -> None:
    engine = load(folder / "other", url, tmp_path / "answers.jsonl", retries=1, backoff_seconds=0.01)
    with pytest.raises(EngineError, match=r"openai at http://127.*(status|no answer)"):
        list(engine.generate(requests(1), GREEDY))
    engine.close()
