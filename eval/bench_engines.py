"""Requests per second of the engines behind a server, where the server takes no time.

These sides ask the null server (eval/bench_engines_server.py) the same requests, so many at a time, and take turns:

  engine   bootstrap's engine openai whole: keys, budget, retries, and every answer written to a store
  openai   a bare loop over the openai package's client, where it is installed
  httpx2   a bare loop over the HTTP client that both of them sit on
  floor    the same bytes through plain asyncio streams

CPU is that of this process alone, per request; the server runs in a process of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bootstrap.config import EngineConfig, PromptConfig
from bootstrap.engines import load_engine
from bootstrap.engines.base import Decoding, Request
from eval.bench_table import Section, ratios, spread

CONCURRENCY = 32
PROMPT = "Solve the task in DuckDB SQL. Write exactly one SELECT statement.\n\n" + "orders(id int, amount float)\n" * 50
AIM = 500  # requests per second
TITLE = "Engines: requests per second against a server that takes no time"
COLUMNS = ("side", "requests/s", "CPU ms/request", "answers", "CPU vs floor", "aim")


@dataclass(frozen=True)
class Pace:
    rounds: int
    requests: int  # in a round of one side


FULL, QUICK = Pace(5, 1000), Pace(2, 150)


@dataclass(frozen=True)
class Round:
    """What one side did in its turn."""

    requests: int
    answers: int
    wall_seconds: float
    cpu_ms: float  # per request

    @property
    def rate(self) -> float:
        return self.requests / self.wall_seconds


Ask = Callable[[str, Sequence[str]], int]  # address, prompts -> number of right answers


@contextlib.contextmanager
def null_server() -> Iterator[str]:
    """Run the null server in a process of its own; yield its address."""
    words = [sys.executable, "-m", "eval.bench_engines_server"]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).resolve().parents[1]
    ) as server:
        assert server.stdout and server.stdin
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
        finally:
            server.stdin.close()  # it ends
            server.wait()


# -- the sides ------------------------------------------------------------------------------------------------------


def ask_engine(url: str, prompts: Sequence[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        config = EngineConfig(
            name="openai", base_url=url, store=f"{folder}/answers.jsonl", concurrency=CONCURRENCY,
            budget_tokens=10**12,
        )  # fmt: skip
        engine = load_engine("null", config, PromptConfig())
        requests = [Request(str(i), prompt, 1) for i, prompt in enumerate(prompts)]
        with contextlib.redirect_stdout(None):  # its lines of progress
            count = sum(c.text == "SELECT 1" for c in engine.generate(requests, Decoding(0.8, 0.95, 100, 1)))
            engine.close()
        return count


def body_of(prompt: str) -> dict[str, Any]:
    return {
        "model": "null", "messages": [{"role": "user", "content": prompt}], "temperature": 0.8, "top_p": 0.95,
        "max_completion_tokens": 100, "seed": 1,
    }  # fmt: skip


async def in_turns(prompts: Sequence[str], answer: Callable[[str], Awaitable[str | None]]) -> int:
    """Ask for all prompts, `CONCURRENCY` at a time; return how many answers are right."""
    waiting, right = iter(prompts), 0

    async def work() -> None:
        nonlocal right
        for prompt in waiting:
            if await answer(prompt) == "SELECT 1":
                right += 1

    await asyncio.gather(*(work() for _ in range(CONCURRENCY)))
    return right


def ask_openai(url: str, prompts: Sequence[str]) -> int:
    from openai import AsyncOpenAI

    async def run() -> int:
        async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:

            async def answer(prompt: str) -> str | None:
                return (await client.chat.completions.create(**body_of(prompt))).choices[0].message.content

            return await in_turns(prompts, answer)

    return asyncio.run(run())


def ask_httpx2(url: str, prompts: Sequence[str]) -> int:
    import httpx2

    async def run() -> int:
        async with httpx2.AsyncClient() as client:

            async def answer(prompt: str) -> str | None:
                response = await client.post(f"{url}/chat/completions", json=body_of(prompt))
                return response.json()["choices"][0]["message"]["content"]

            return await in_turns(prompts, answer)

    return asyncio.run(run())


def ask_streams(url: str, prompts: Sequence[str]) -> int:
    port = int(url.split(":")[2].split("/")[0])

    async def run() -> int:
        free = [await asyncio.open_connection("127.0.0.1", port) for _ in range(CONCURRENCY)]

        async def answer(prompt: str) -> str | None:
            reader, writer = connection = free.pop()
            body = json.dumps(body_of(prompt)).encode()
            writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            head = await reader.readuntil(b"\r\n\r\n")
            size = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
            found = json.loads(await reader.readexactly(size))
            free.append(connection)
            return found["choices"][0]["message"]["content"]

        count = await in_turns(prompts, answer)
        for _, writer in free:
            writer.close()
        return count

    return asyncio.run(run())


# -- the table ------------------------------------------------------------------------------------------------------


def sides() -> dict[str, Ask]:
    found = {"engine": ask_engine, "openai": ask_openai, "httpx2": ask_httpx2, "floor": ask_streams}
    return {name: ask for name, ask in found.items() if name != "openai" or importlib.util.find_spec("openai")}


def timed(ask: Ask, url: str, count: int, number: int) -> Round:
    prompts = [f"{PROMPT}{number} {i}" for i in range(count)]
    wall, cpu = time.perf_counter(), time.process_time()
    answers = ask(url, prompts)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return Round(count, answers, wall, 1000 * cpu / count)


def measure(pace: Pace) -> dict[str, list[Round]]:
    """Let each side do its rounds after one to warm up. They take turns, in one order and then in the other."""
    asks = sides()
    found: dict[str, list[Round]] = {name: [] for name in asks}
    with null_server() as url:
        for ask in asks.values():
            timed(ask, url, CONCURRENCY, 0)
        for number in range(1, pace.rounds + 1):
            for name in list(asks) if number % 2 else reversed(asks):
                found[name].append(timed(asks[name], url, pace.requests, number))
    return found


def engines_section(*, quick: bool) -> Section:
    """Measure every side that is there."""
    pace = QUICK if quick else FULL
    found = measure(pace)
    notes = [
        f"{pace.rounds} rounds of {pace.requests} requests, {CONCURRENCY} at a time, the sides in turn; median "
        f"(least–greatest). Prompts of {len(PROMPT):,} characters, each another one. The engine writes its store."
    ]
    notes += [] if "openai" in found else ["openai is not measured: pip install openai"]
    rows = [row_of(name, rounds, found) for name, rounds in found.items()]
    return Section(TITLE, COLUMNS, rows, notes, {name: [*map(asdict, rounds)] for name, rounds in found.items()})


def row_of(name: str, rounds: Sequence[Round], found: Mapping[str, Sequence[Round]]) -> list[str]:
    rate, cpu = spread([one.rate for one in rounds]), spread([one.cpu_ms for one in rounds])
    right = f"{sum(one.answers for one in rounds)}/{sum(one.requests for one in rounds)}"
    against = ratios([one.cpu_ms for one in rounds], [one.cpu_ms for one in found["floor"]])
    reached = "met" if median(one.rate for one in rounds) >= AIM else "missed"
    aim = f"≥ {AIM}/s: {reached}" if name == "engine" else ""
    return [name, rate.text(".0f"), cpu.text(), right, f"{against.text('.1f')}x" if name != "floor" else "", aim]
