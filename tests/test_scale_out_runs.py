"""Samplers on a Ray cluster, and whole runs: the same candidates and the same report as without it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from ray_nodes import actors, needs_ray, nodes, started_nodes, wait_until
from support import ROOT, loop_words, run_loop, small_config

from bootstrap.config import RunConfig
from bootstrap.engines import open_engine
from bootstrap.engines.base import Completion, Decoding, Request
from bootstrap.engines.fleet import Fleet
from bootstrap.errors import EngineError, UserError
from eval.bench_scale_out import Nodes, kill_all
from eval.final_report import without_times

pytestmark = [needs_ray]
__all__ = ["nodes", "started_nodes"]  # fixtures

DECODING = Decoding(1.0, 1.0, 8, 1)


def configuration(folder: Path, address: str, samples: int, **engine: Any) -> RunConfig:
    """Return that of a run whose script answers two problems."""
    script = folder / "script.jsonl"
    rows = [{"problem_id": p, "completion": f"{p} {i}"} for p in "ab" for i in range(samples)]
    script.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    values = {"name": "scripted", "script": str(script), **engine}
    ray = {"address": address, "answer_seconds": 20.0}
    return RunConfig(target="polars_expr", base_model="scripted/none", engine=values, executor="ray", ray=ray)


def opened(config: RunConfig) -> Fleet:
    engine = open_engine("scripted/none", config, config.engine)
    assert isinstance(engine, Fleet)
    return engine


def requests(samples: int) -> list[Request]:
    return [Request(problem, "", samples, "test") for problem in "ab"]


def told(completions: Sequence[Completion]) -> list[tuple[str, int, str]]:
    return sorted((c.problem_id, c.sample_index, c.text) for c in completions)


def expected(samples: int) -> list[tuple[str, int, str]]:
    return sorted((p, i, f"{p} {i}") for p in "ab" for i in range(samples))


def test_a_sampler_that_dies_owes_its_batch_again_and_nothing_comes_twice(nodes: Nodes, tmp_path: Path) -> None:
    engine = opened(configuration(tmp_path, nodes.address, 2000, replicas=2))
    try:
        found: list[Completion] = []
        for completion in engine.generate(requests(2000), DECODING):
            found.append(completion)
            if len(found) == 10:
                kill_all(actors(os.getpid(), "SampleActor"))
        assert told(found) == expected(2000)
        assert engine.losses >= 1
        assert told(list(engine.generate(requests(5), DECODING))) == expected(5)
    finally:
        engine.close()
    wait_until(lambda: not actors(os.getpid(), "SampleActor"), "the end of the samplers")


def test_a_batch_that_is_dropped_leaves_the_sampler_fit_for_the_next(nodes: Nodes, tmp_path: Path) -> None:
    engine = opened(configuration(tmp_path, nodes.address, 500))
    try:
        for _ in range(3):
            dropped = engine.generate(requests(500), DECODING)
            next(iter(dropped))
            dropped.close()  # type: ignore[attr-defined]  # it is a generator
        assert told(list(engine.generate(requests(3), DECODING))) == expected(3)
        assert engine.losses == 0
    finally:
        engine.close()


def test_what_the_engine_says_is_raised_and_is_no_loss(nodes: Nodes, tmp_path: Path) -> None:
    engine = opened(configuration(tmp_path, nodes.address, 2))
    try:
        with pytest.raises(EngineError, match="holds no completion 2 of problem a"):
            list(engine.generate(requests(3), DECODING))
        assert engine.losses == 0
    finally:
        engine.close()
    bad = configuration(tmp_path, nodes.address, 2, script=str(tmp_path / "none.jsonl"))
    with pytest.raises(UserError, match=r"none\.jsonl does not exist"):
        opened(bad)


def test_gpus_that_the_cluster_does_not_have_are_not_waited_for(nodes: Nodes, tmp_path: Path) -> None:
    config = configuration(tmp_path, nodes.address, 1, name="transformers", device="cuda", replicas=2)
    with pytest.raises(UserError, match=r"2 samplers with 1 GPU.*has 0 GPU\(s\) on 3 node"):
        opened(config)


def rows_of(run: Path) -> list[dict[str, Any]]:
    paths = sorted(run.glob("iteration_*/candidates.jsonl"))
    rows = [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def report(run: Path) -> Any:
    found = without_times(json.loads((run / "final_report.json").read_text(encoding="utf-8")))
    found.pop("run", None)
    return found


def slow_config(folder: Path, **overrides: Any) -> Path:
    """Write the YAML of a small run, some of whose codes in iteration 1 never end: they leave time to lose a node."""
    folder.mkdir()
    controls = {"seed_only": False, "sample_only_problems": 4}
    config = small_config(folder, max_iterations=2, controls=controls, checking__seconds=2.0, **overrides)
    rows = [json.loads(line) for line in (folder / "script.jsonl").read_text(encoding="utf-8").splitlines()]
    for row in rows:
        if row.get("tag") == "iteration 1 wave 0" and row["completion"] in ("1 + 1", "df.nonsense()"):
            row["completion"] = "[x for x in iter(int, 1)]"
    (folder / "script.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return config


@pytest.mark.slow
def test_a_run_that_loses_a_node_while_it_solves_ends_as_one_without_ray(nodes: Nodes, tmp_path: Path) -> None:
    near = run_loop(slow_config(tmp_path / "near"), tmp_path / "near")
    assert near.returncode == 0, near.stderr
    far = slow_config(tmp_path / "far", executor="ray", ray={"address": nodes.address}, engine__replicas=2)
    loop = subprocess.Popen(loop_words(far, tmp_path / "far"), cwd=ROOT, stderr=subprocess.PIPE, text=True)
    run = tmp_path / "far" / "small"
    first = run / "iteration_1" / "candidates.jsonl"
    wait_until(lambda: first.exists() or loop.poll() is not None, "the first candidates", 240.0)
    nodes.kill_one()
    _, errors = loop.communicate(timeout=400)
    assert loop.returncode == 0, errors
    assert "was lost" in (run / "logs" / "attempt_1" / "iteration_1_solve.log").read_text(encoding="utf-8")
    assert rows_of(run) == rows_of(tmp_path / "near" / "small")
    assert report(run) == report(tmp_path / "near" / "small")
