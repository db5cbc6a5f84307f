"""A program that asks a server is killed at any moment and started again: no answer is asked for twice, none lost."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_server import FakeServer
from support import ROOT
from test_remote_engines import options

PROBLEMS, SAMPLES, CONCURRENCY = 60, 2, 8
PROGRAM = Path(__file__).with_name("ask_server.py")


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer(delay=0.02) as server:
        yield server


def start(asked: dict[str, Any]) -> subprocess.Popen[str]:
    words = [sys.executable, str(PROGRAM), json.dumps(asked), str(PROBLEMS), str(SAMPLES)]
    return subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}
    )


def kill_after(server: FakeServer, program: subprocess.Popen[str], requests: int, how: int) -> None:
    """Kill the program when it has made so many more requests."""
    before, deadline = len(server.asked), time.monotonic() + 60
    while len(server.asked) < before + requests and program.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)
    program.send_signal(how)
    program.communicate()


def kept(path: Path) -> set[str]:
    """Return the requests whose answers are in whole lines of the store."""
    if not path.exists():
        return set()
    lines = path.read_bytes().split(b"\n")[:-1]
    return {json.dumps(json.loads(line)["request"], sort_keys=True) for line in lines}


def asked_since(server: FakeServer, position: int) -> set[str]:
    return {json.dumps(one.body, sort_keys=True) for one in server.asked[position:]}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_no_answered_request_is_made_twice_and_none_is_lost(server: FakeServer, tmp_path: Path, how: int) -> None:
    rng = random.Random(int(how))
    asked, path = options(server, tmp_path, concurrency=CONCURRENCY), tmp_path / "answers.jsonl"
    kills = 3
    for _ in range(kills):
        held, position = kept(path), len(server.asked)
        kill_after(server, start(asked), rng.randint(1, 40), how)
        assert not asked_since(server, position) & held
    position, held = len(server.asked), kept(path)
    out, errors = start(asked).communicate(timeout=60)
    assert not asked_since(server, position) & held
    found = {(row[0], row[1]): row[2] for line in out.splitlines() if line[0] == "[" for row in [json.loads(line)]}
    assert found.keys() == {(f"p{i}", sample) for i in range(PROBLEMS) for sample in range(SAMPLES)}, errors
    assert all(text.startswith(f"prompt number {pid[1:]} / ") for (pid, _), text in found.items())
    assert len(path.read_text().splitlines()) == PROBLEMS * SAMPLES
    assert len(server.asked) <= PROBLEMS * SAMPLES + kills * CONCURRENCY  # those on the wire, and no others


def test_a_budget_holds_over_kills(server: FakeServer, tmp_path: Path) -> None:
    budget = 3000
    asked = options(server, tmp_path, concurrency=4, budget_tokens=budget)
    rng = random.Random(5)
    for _ in range(3):
        kill_after(server, start(asked), rng.randint(3, 20), signal.SIGKILL)
    program = start(asked)
    _, errors = program.communicate(timeout=60)
    assert program.returncode == 2 and "stopped before engine.budget_tokens" in errors
    assert 0 < server.tokens <= budget
    spent = sum(sum(json.loads(line)["usage"][:2]) for line in (tmp_path / "answers.jsonl").read_text().splitlines())
    assert spent <= server.tokens
