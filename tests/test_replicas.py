"""Copies of a model in child processes: real ones, killed, stopped and starved; and a run that ends as with one."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import ROOT, loop_words, small_config
from test_lanes import ROWS, one_each, rows_of, sampler_with
from test_loop import candidates, finished, processes_of, report, solved  # noqa: F401
from test_sampling import checkers, write_rows
from test_sampling import run as run_batches
from test_transformers_engine import build

from bootstrap.config import EngineConfig, PromptConfig, RunConfig, load_config
from bootstrap.engines import load_engine, open_engine
from bootstrap.engines.base import Completion, Decoding, Request
from bootstrap.engines.fleet import Fleet
from bootstrap.engines.fleet_replicas import open_replicas
from bootstrap.errors import EngineError, UserError
from bootstrap.gpus import Found, replica_gpus
from bootstrap.lanes import Lanes, lanes_of
from bootstrap.programs import StopRequest

DECODING = Decoding(temperature=1.0, top_p=1.0, max_new_tokens=24, seed=3)
LONG = "x" * 20_000
"""So long that a replica cannot have said everything before somebody listens."""
ASKED = [Request(f"p{i}", "prompt", 10) for i in range(10)]


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("script") / "script.jsonl"
    rows = [{"problem_id": f"p{i}", "completion": f"{i} {j} {LONG}"} for i in range(10) for j in range(10)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    before = set(Path("/proc/self/fd").iterdir())
    yield
    assert children() == []
    assert [t.name for t in threading.enumerate() if t.name.startswith(("start", "lane", "close"))] == []
    assert len(set(Path("/proc/self/fd").iterdir()) - before) <= 1  # the one that lists


def children() -> list[int]:
    """Return the replicas of this process, zombies too."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            words = (path / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == os.getpid() and (b"bootstrap.engines.replica" in words or not words):
            found.append(int(path.name))
    return sorted(found)


def scripted(script: Path, replicas: int = 2) -> EngineConfig:
    return EngineConfig(name="scripted", script=str(script), replicas=replicas)


@pytest.fixture
def opened(script: Path) -> Iterator[Callable[..., Fleet]]:
    fleets: list[Fleet] = []

    def open_fleet(replicas: int = 2, **options: Any) -> Fleet:
        fleets.append(open_replicas("none", scripted(script, replicas), PromptConfig(style="plain"), **options))
        return fleets[-1]

    yield open_fleet
    for fleet in fleets:
        fleet.close()


def check_all(found: list[Completion]) -> None:
    """Every completion came once, with its own text."""
    assert len(found) == 100
    assert {(c.problem_id, c.sample_index): c.text for c in found} == {
        (f"p{i}", j): f"{i} {j} {LONG}" for i in range(10) for j in range(10)
    }


def at_work(fleet: Fleet, pids: list[int]) -> tuple[Iterator[Completion], Completion, int]:
    """Begin a batch; return it, its first completion, and the process that answers."""
    batch = fleet.generate(ASKED, DECODING)
    first = next(batch)
    busy = [slot.sampler for slot in fleet._slots if not slot.free]
    pid: int = busy[0]._process.pid  # type: ignore[union-attr]
    assert pid in pids
    return batch, first, pid


def test_replicas_answer_and_end_when_they_are_closed(opened: Callable[..., Fleet]) -> None:
    fleet = opened()
    assert len(children()) == fleet.lanes == 2
    assert fleet.name == "scripted"
    check_all(list(fleet.generate(ASKED, DECODING)))
    assert fleet.busy_seconds > 0
    fleet.close()
    assert children() == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_replica_killed_in_the_middle_of_a_batch_is_replaced_and_nothing_is_lost(
    opened: Callable[..., Fleet], capsys: pytest.CaptureFixture[str], number: signal.Signals
) -> None:
    fleet = opened(1)
    batch, first, pid = at_work(fleet, children())
    os.kill(pid, number)
    check_all([first, *batch])
    assert f"was ended by signal {number.value}" in capsys.readouterr().out
    assert pid not in children()


def test_a_replica_that_is_stopped_is_ended_and_replaced(opened: Callable[..., Fleet]) -> None:
    fleet = opened(1, silence_seconds=4.0)
    batch, first, pid = at_work(fleet, children())
    os.kill(pid, signal.SIGSTOP)
    check_all([first, *batch])
    assert pid not in children()
    assert fleet.losses == 1


def test_a_replica_killed_between_two_batches_is_replaced(opened: Callable[..., Fleet]) -> None:
    fleet = opened(1)
    os.kill(children()[0], signal.SIGKILL)
    check_all(list(fleet.generate(ASKED, DECODING)))


def test_replicas_that_are_killed_again_and_again_are_given_up(opened: Callable[..., Fleet]) -> None:
    fleet = opened(1, replacements=2)
    with pytest.raises(EngineError, match=r"3 samplers were lost, and 2 are replaced.*was ended by signal 9"):
        while True:
            batch, _, pid = at_work(fleet, children())
            os.kill(pid, signal.SIGKILL)
            for _ in batch:
                for one in children():
                    os.kill(one, signal.SIGKILL)


def test_an_error_of_the_engine_costs_no_replica(opened: Callable[..., Fleet]) -> None:
    fleet = opened(1)
    pids = children()
    with pytest.raises(EngineError, match="holds no completion 0 of problem q"):
        list(fleet.generate([Request("q", "", 1)], DECODING))
    check_all(list(fleet.generate(ASKED, DECODING)))
    assert children() == pids


def test_closing_in_the_middle_of_a_batch_leaves_nothing(opened: Callable[..., Fleet]) -> None:
    fleet = opened()
    batch, _, _ = at_work(fleet, children())
    started = time.monotonic()
    fleet.close()
    assert time.monotonic() - started < 5.0
    assert children() == []
    with pytest.raises(EngineError, match="interrupted"):
        list(batch)


def test_what_a_replica_starts_ends_with_it(opened: Callable[..., Fleet]) -> None:
    """The whole process group is ended: engines have processes of their own, which hold GPU memory."""
    fleet = opened(1)
    pid = children()[0]
    other = subprocess.Popen(["sleep", "60"], process_group=pid)
    try:
        os.kill(pid, signal.SIGKILL)
        check_all(list(fleet.generate(ASKED, DECODING)))
        assert other.wait(5.0) == -signal.SIGKILL
    finally:
        other.kill()
        other.wait()


def test_a_replica_that_cannot_load_says_why(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"engine\.script: .*nowhere does not exist"):
        open_replicas("none", scripted(tmp_path / "nowhere"), PromptConfig())
    broken = tmp_path / "model"
    broken.mkdir()
    with pytest.raises(UserError, match=r"no config\.json in it"):
        open_replicas(str(broken), EngineConfig(device="cpu", replicas=2), PromptConfig(style="plain"))


def test_replicas_die_with_their_parent(script: Path) -> None:
    program = (
        "import os, signal\nfrom bootstrap.config import *\n"
        "from bootstrap.engines.fleet_replicas import open_replicas\n"
        f"engine = EngineConfig(name='scripted', script={str(script)!r}, replicas=2)\n"
        "fleet = open_replicas('none', engine, PromptConfig())\n"
        "print(*[slot.sampler._process.pid for slot in fleet._slots], flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    pids = [int(word) for word in ended.stdout.split()]
    assert len(pids) == 2
    deadline = time.monotonic() + 10.0
    while any(alive(pid) for pid in pids):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# -- a real model -------------------------------------------------------------------------------------------------


def test_a_replicas_answers_are_those_of_the_engine_and_survive_its_end(tmp_path: Path) -> None:
    model, engine = str(build(tmp_path / "model")), EngineConfig(device="cpu", threads=1)
    prompt = PromptConfig(style="plain")
    asked = [Request(f"p{i}", f"take the first {i} rows .\n", 4) for i in range(3)]
    here = load_engine(model, engine, prompt)
    expected = {(c.problem_id, c.sample_index): c for c in here.generate(asked, DECODING)}
    fleet = open_replicas(model, engine.model_copy(update={"replicas": 1}), prompt)
    try:
        assert fleet.model_digest == here.model_digest
        batch = fleet.generate(asked, DECODING)
        first = next(batch)
        os.kill(children()[0], signal.SIGKILL)
        found = [first, *batch]
    finally:
        fleet.close()
        here.close()
    assert len(found) == len(expected)
    assert {(c.problem_id, c.sample_index): c for c in found} == expected


HANGS = """
import time
from bootstrap.engines.scripted import ScriptedEngine
ScriptedEngine.generate = lambda self, requests, decoding: time.sleep(3600)
"""


def test_a_replica_that_lives_and_finishes_nothing_is_given_up(
    script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(HANGS)  # each replica reads it when it starts
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    engine = scripted(script, 1).model_copy(update={"answer_seconds": 0.5})
    fleet = open_replicas("none", engine, PromptConfig(style="plain"), replacements=1)
    try:
        with pytest.raises(EngineError, match="lives, and finished no completion for"):
            list(fleet.generate(ASKED, DECODING))
    finally:
        fleet.close()


# -- a stage, and a run -------------------------------------------------------------------------------------------


def test_candidates_are_those_of_one_replica(tmp_path: Path) -> None:
    script = write_rows(tmp_path / "script.jsonl", ROWS)
    with checkers(seconds=5.0) as pool:
        alone = run_batches(sampler_with(load_engine("none", scripted(script, 1), PromptConfig()), pool), one_each())
        fleet = open_replicas("none", scripted(script, 3), PromptConfig())
        sampler = sampler_with(fleet, pool)
        killed = threading.Timer(0.0, lambda: os.kill(children()[0], signal.SIGKILL))
        killed.start()
        assert rows_of(run_batches(sampler, one_each())) == rows_of(alone)
        killed.join()
        fleet.close()


def test_stopping_a_stage_ends_the_replicas_at_work(opened: Callable[..., Fleet]) -> None:
    """They are stopped processes here, so that their batches would take for ever."""
    fleet = opened()

    def generate(batch: int, count: Callable[[int], None]) -> list[Completion]:
        found = []
        for completion in fleet.generate(ASKED, DECODING):
            found.append(completion)
            count(1)
        return found

    def stop_all(samples: int) -> None:
        for pid in children():
            os.kill(pid, signal.SIGSTOP)
        StopRequest.requested = True

    lanes: Lanes[int, list[Completion]] = Lanes(2, 6, generate, lambda made: None, fleet.interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            list(lanes.run(range(4), stop_all))
    finally:
        StopRequest.requested = False
    assert [t for t in threading.enumerate() if t.name == "lane"] == []
    assert children() == []
    check_all(list(fleet.generate(ASKED, DECODING)))  # and it goes on, if it must


@pytest.mark.slow
def test_a_run_with_replicas_that_are_killed_ends_as_one_without(finished: Path, tmp_path: Path) -> None:  # noqa: F811
    words = ["engine.replicas=2", f"engine.script={finished.parent.parent / 'script.jsonl'}", "--resume"]
    config, rng, kills = small_config(tmp_path), random.Random(3), 0
    for whole in (False, False, True):  # twice the loop is killed too
        loop = subprocess.Popen(loop_words(config, tmp_path / "outputs", *words), cwd=ROOT, start_new_session=True)
        deadline = time.monotonic() + (600.0 if whole else rng.uniform(4.0, 8.0))
        while loop.poll() is None and time.monotonic() < deadline:
            if kills < 12 and (found := replicas_below(loop.pid)):
                kills += 1
                with contextlib.suppress(ProcessLookupError):
                    os.kill(rng.choice(found), rng.choice([signal.SIGKILL, signal.SIGTERM]))
                time.sleep(rng.uniform(0.0, 1.0))
            time.sleep(0.05)
        loop.kill()
        status = loop.wait()
    run = tmp_path / "outputs" / "small"
    assert status == 0
    assert kills >= 3
    assert [*map(json.dumps, candidates(run))] == [*map(json.dumps, candidates(finished))]
    assert solved(run) == solved(finished)
    assert report(run) == report(finished)
    assert not processes_of(tmp_path)


def replicas_below(pid: int) -> list[int]:
    """Return the replicas among the descendants of a process."""
    parents, replicas = {}, set()
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if b"bootstrap.engines.replica" in (path / "cmdline").read_bytes():
                replicas.add(int(path.name))
    below = {pid}
    for _ in range(4):
        below |= {child for child, parent in parents.items() if parent in below}
    return sorted(below & replicas)


# -- settings -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["openai", "anthropic"])
def test_a_server_has_no_replicas(name: str) -> None:
    values = {"target": "polars_expr", "base_model": "m", "engine": {"name": name, "replicas": 2}}
    with pytest.raises(UserError, match=rf"replicas is 2, but {name} asks a server.*set engine\.concurrency"):
        load_config(None, values)


def test_a_teacher_is_one_copy() -> None:
    values = {"convert.teacher": {"model": "m", "engine": {"replicas": 2}}}
    with pytest.raises(UserError, match="a teacher is one copy"):
        load_config(None, {"target": "polars_expr", "base_model": "m", **values})


def test_one_replica_samples_in_this_process(script: Path) -> None:
    config = RunConfig.model_validate({"target": "polars_expr", "base_model": "m"})
    engine = open_engine("none", config, scripted(script, 1))
    assert children() == []
    assert not hasattr(engine, "lanes")
    engine.close()


def test_an_engine_that_keeps_its_memory_gets_a_process_to_be_closed_with(
    script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bootstrap.engines.KEEP_MEMORY", ("scripted",))
    config = RunConfig.model_validate({"target": "polars_expr", "base_model": "m"})
    for _ in range(2):  # one model after the other
        engine = open_engine("none", config, scripted(script, 1), apart=True)
        assert (len(children()), lanes_of(engine)) == (1, 1)
        check_all(list(engine.generate(ASKED, DECODING)))
        engine.close()
        assert children() == []


def test_each_replica_gets_gpus_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bootstrap.gpus.find_gpus", lambda: Found("2.13", "12.8", (1,) * 8))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6,7,0,1,2,3")
    two = EngineConfig(name="vllm", tensor_parallel_size=2, replicas=3, device="cuda")
    assert replica_gpus(two) == ["4,5", "6,7", "0,1"]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert replica_gpus(EngineConfig(replicas=3, device="cuda")) == ["0", "1", "2"]
    assert replica_gpus(EngineConfig(replicas=3, device="cpu")) == [None] * 3
    assert replica_gpus(two.model_copy(update={"replicas": 1})) == [None]
    with pytest.raises(UserError, match=r"engine.replicas is 5, and each takes 2 of the GPUs: expected 10, found 8"):
        replica_gpus(two.model_copy(update={"replicas": 5}))
