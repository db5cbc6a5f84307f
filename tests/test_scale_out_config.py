"""What can be said about scaling out without a cluster, most of it without ray."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from ray_nodes import needs_ray
from support import ROOT, small_config

from bootstrap.config import load_config
from bootstrap.engine_config import EngineConfig
from bootstrap.errors import UserError
from bootstrap.scale_out.cluster import Node, join
from bootstrap.scale_out.same_code import differences, source_digest, versions
from bootstrap.scale_out.sample_actor import SampleActor, SamplerWords
from bootstrap.scale_out.samplers import gpus_per_sampler, words_of
from bootstrap.scale_out_config import RayConfig
from interpreters.worklist import Worklist


def node(gpus: int) -> Node:
    return Node(f"node of {gpus}", "host", 1, 4, gpus)


def test_runs_are_local_unless_the_configuration_says_ray(tmp_path: Path) -> None:
    assert load_config(small_config(tmp_path), {}).executor == "local"
    config = load_config(small_config(tmp_path, executor="ray", ray={"address": "auto", "checker_actors": 3}), {})
    assert (config.executor, config.ray.checker_actors) == ("ray", 3)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ({"address": "ray://host:10001"}, "must be a node of it"),
        ({"address": "host"}, "expected auto, HOST:PORT or null"),
        ({"answer_seconds": 0}, "greater than 0"),
        ({"replacements": -1}, "greater than or equal to 0"),
        ({"adress": "auto"}, "Extra inputs"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(value: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        RayConfig.model_validate(value)


def test_importing_the_loop_and_its_stages_does_not_load_ray() -> None:
    modules = "bootstrap.loop, bootstrap.solve, bootstrap.scale_out.check_pool, bootstrap.scale_out.samplers"
    program = f"import sys, {modules}; print('ray' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True)
    assert ended.stdout.strip() == "False"


def test_without_ray_the_error_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['ray'] = None\n"
        "from bootstrap.scale_out.cluster import join\n"
        "from bootstrap.scale_out_config import RayConfig\n"
        "from bootstrap.programs import run_program\n"
        "run_program(lambda: join(RayConfig()))"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: executor is ray, but ray cannot be imported")
    assert "pip install -e '.[ray]'" in ended.stderr


@needs_ray
def test_an_address_where_nobody_is_gives_an_error_and_no_waiting() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(UserError, match=rf"nothing answers at 127\.0\.0\.1:{port} .*ray start --head"):
        join(RayConfig(address=f"127.0.0.1:{port}"))


@pytest.mark.parametrize(
    ("engine", "nodes", "each"),
    [
        ({"name": "scripted", "device": "cuda"}, [0], 0),
        ({"name": "transformers"}, [0, 0], 0),
        ({"name": "transformers", "device": "cpu"}, [8], 0),
        ({"name": "transformers", "replicas": 8}, [8], 1),
        ({"name": "vllm", "replicas": 3, "tensor_parallel_size": 4}, [4, 8], 4),
    ],
)
def test_a_sampler_asks_for_the_gpus_that_it_uses(engine: dict[str, Any], nodes: list[int], each: int) -> None:
    assert gpus_per_sampler(EngineConfig.model_validate(engine), [node(n) for n in nodes]) == each


@pytest.mark.parametrize(
    ("engine", "nodes", "found"),
    [
        ({"name": "transformers", "device": "cuda"}, [0], r"has 0 GPU\(s\) on 1 node"),
        ({"name": "transformers", "replicas": 9}, [8, 0], r"has 8 GPU\(s\) on 2 node\(s\) \(8, 0\)"),
        ({"name": "vllm", "tensor_parallel_size": 4}, [3, 3], r"1 samplers with 4 GPU.*has 6 GPU"),
        ({"name": "vllm", "tensor_parallel_size": 2}, [0], "has 0 GPU"),
    ],
)
def test_gpus_that_are_not_there_are_refused_with_the_figures(
    engine: dict[str, Any], nodes: list[int], found: str
) -> None:
    with pytest.raises(UserError, match=found):
        gpus_per_sampler(EngineConfig.model_validate(engine), [node(n) for n in nodes])


def test_a_sampler_is_told_absolute_paths_and_checks_that_it_sees_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_config(small_config(tmp_path), {})
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path)
    engine = config.engine.model_copy(update={"script": "script.jsonl", "replicas": 3})
    words = words_of("model", config, engine)
    assert words.folders == (str(tmp_path / "model"), str(tmp_path / "script.jsonl"))
    assert (words.model, words.engine.script, words.engine.replicas) == (*words.folders, 1)
    assert SampleActor(words).load()[0] == "scripted"
    assert words_of("owner/name", config, EngineConfig()).folders == ()
    elsewhere = SamplerWords("m", engine, config.prompt, ("/no/such/folder",))
    with pytest.raises(UserError, match=r"does not see /no/such/folder: .* file system that all of them share"):
        SampleActor(elsewhere).load()


def test_other_code_is_named() -> None:
    here = versions()
    assert here["project"] == source_digest()
    assert differences(here, here) == ""
    there = {**here, "project": "0", "polars": "0.1"}
    assert differences(here, there) == (
        f"project: here {here['project']}, there 0, polars: here {here['polars']}, there 0.1"
    )


def test_items_that_are_put_back_come_first_and_several_are_taken_at_once() -> None:
    listed: Worklist[str] = Worklist(2, 8)
    for item in "abcd":
        listed.put("kind", item)
    taken = listed.take_some(0, 3)
    assert taken == ["a", "b", "c"]
    assert listed.put_back(0, [("kind", item) for item in taken])
    assert listed.take_some(1, 16) == ["d", "c"]  # of another's list at most half, from its end
    assert listed.take_some(0, 16) == ["a", "b"]
    assert listed.close() == []
    assert not listed.put_back(0, [("kind", "a")])
    assert listed.take_some(0, 1) == []
