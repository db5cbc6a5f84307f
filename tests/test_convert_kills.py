"""A conversion that asks a server is killed at random moments and started again: nothing twice, nothing lost."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from fake_server import FakeServer
from support import ROOT, pipeline_problems

from bootstrap.records import dump_line

PROBLEMS, RETRIES, CONCURRENCY, KILLS = 30, 1, 4, 4


def start(folder: Path, server: FakeServer, out: str) -> subprocess.Popen[str]:
    engine = {"base_url": server.url, "concurrency": CONCURRENCY, "api_key_env": "KEY_OF_THE_TEST"}
    words = [f"--engine={key}={value}" for key, value in engine.items()]
    command = [
        sys.executable, "-m", "bootstrap.convert", "--problems", str(folder / "problems.jsonl"),
        "--target", "polars_expr", "--no-rules", "--llm-to-use", "gpt", "--model", "m", "--retries", str(RETRIES),
        "--workers", "1", "--out", str(folder / out), *words,
    ]  # fmt: skip
    environment = {**os.environ, "KEY_OF_THE_TEST": "k"}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )  # fmt: skip


def attempts(path: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in (path / "attempts.jsonl").read_text(encoding="utf-8").splitlines()]
    return sorted(rows, key=lambda row: (row["problem_id"], row["round"]))


def test_a_conversion_killed_at_random_moments_asks_nothing_twice_and_loses_nothing(tmp_path: Path) -> None:
    problems = [replace(p, references={"duckdb": p.references["duckdb"]}) for p in pipeline_problems(PROBLEMS)]
    (tmp_path / "problems.jsonl").write_text("".join(dump_line(p.to_json()) for p in problems), encoding="utf-8")
    with FakeServer(delay=0.02) as server:
        whole = start(tmp_path, server, "whole")
        _, errors = whole.communicate(timeout=120)
        assert whole.returncode == 0, errors
        requests = len(server.asked)
        rng = random.Random(3)
        server.asked.clear()
        for _ in range(KILLS):
            before, program = len(server.asked), start(tmp_path, server, "killed")
            wanted = rng.randint(1, requests // KILLS)
            while len(server.asked) < before + wanted and program.poll() is None:
                time.sleep(0.002)
            time.sleep(rng.random() / 5)
            program.send_signal(signal.SIGKILL)
            program.communicate()
        last = start(tmp_path, server, "killed")
        _, errors = last.communicate(timeout=120)
        assert last.returncode == 0, errors
    assert len(attempts(tmp_path / "whole")) == PROBLEMS * (1 + RETRIES)
    assert attempts(tmp_path / "killed") == attempts(tmp_path / "whole")
    stored = [json.loads(line)["request"] for line in (tmp_path / "killed/calls.jsonl").read_text().splitlines()]
    again = Counter(json.dumps(one, sort_keys=True) for one in stored)
    assert set(again.values()) == {1}
    assert len(server.asked) <= requests + KILLS * CONCURRENCY  # those that were on the wire, and no others
