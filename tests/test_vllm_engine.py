"""vLLM: what can be said without it; and where it is installed, answers of a tiny model in process and over HTTP."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_transformers_engine import PROMPTS, SPEC, requests

from bootstrap.base_model import build_base_model
from bootstrap.config import EngineConfig, PromptConfig
from bootstrap.engines import load_engine
from bootstrap.engines.base import Completion, Decoding, Request
from bootstrap.engines.remote.own_server import free_port
from bootstrap.engines.vllm_engine import base_and_adapter, check_requirement
from bootstrap.errors import EngineError, UserError

GREEDY = Decoding(temperature=0.0, top_p=1.0, max_new_tokens=16, seed=11)
SAMPLED = Decoding(temperature=1.0, top_p=0.9, max_new_tokens=16, seed=3)
SETTINGS: dict[str, Any] = {
    "dtype": "float32", "max_model_len": 128, "gpu_memory_utilization": 0.2, "enforce_eager": True, "lora_rank": 8,
}  # fmt: skip
INSTALLED = importlib.util.find_spec("vllm") is not None


@pytest.mark.skipif(INSTALLED, reason="vllm is installed")
def test_without_vllm_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"not installed \(pip install vllm\).*engine\.name=vllm_server"):
        load_engine("owner/model", EngineConfig(name="vllm"), PromptConfig())


@pytest.mark.parametrize(("installed", "fits"), [("5.20.1", True), ("5.21.0", False), ("5.15.0", False)])
def test_another_transformers_than_vllm_wants_is_named(installed: str, fits: bool) -> None:
    wanted = ["torch==2.14.0", "transformers<5.21,>=5.16", 'transformers>=9; python_version < "3.0"']
    if fits:
        check_requirement("vllm 0.33.0", wanted, "transformers", installed)
        return
    with pytest.raises(
        UserError, match=rf"vllm 0\.33\.0 needs transformers .*, found {installed}: make an environment"
    ):
        check_requirement("vllm 0.33.0", wanted, "transformers", installed)


def test_an_adapters_folder_names_its_base(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "owner/base"}))
    assert base_and_adapter(str(tmp_path)) == ("owner/base", tmp_path)
    (tmp_path / "config.json").write_text("{}")  # merged: the adapter's settings lie beside
    assert base_and_adapter(str(tmp_path)) == (str(tmp_path), None)
    assert base_and_adapter("owner/name") == ("owner/name", None)
    (tmp_path / "config.json").unlink()
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(UserError, match="names no base model"):
        base_and_adapter(str(tmp_path))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("vllm", reason="vllm is not installed")
    spec = SPEC.model_copy(update={"head_dim": 32})  # the least that vLLM takes on a CPU
    folder = build_base_model(spec, PROMPTS, tmp_path_factory.mktemp("models") / "base", seed=3)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings["chat_template"] = "{% for one in messages %}{{ one.content }}{% endfor %} > "
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


@pytest.fixture(scope="module")
def engine(folder: Path) -> Iterator[Any]:
    engine = load_engine(str(folder), EngineConfig(name="vllm", **SETTINGS), PromptConfig(style="plain"))
    yield engine
    engine.close()


def answers(engine: Any, decoding: Decoding, samples: int = 2) -> list[Completion]:
    return sorted(engine.generate(requests(samples), decoding), key=lambda c: (c.problem_id, c.sample_index))


def texts(engine: Any, decoding: Decoding = GREEDY, samples: int = 1) -> list[str]:
    return [c.text.rstrip("\ufffd") for c in answers(engine, decoding, samples)]  # vLLM gives no half characters


def by_transformers(folder: Path, chat: bool = False) -> list[str]:
    engine = load_engine(str(folder), EngineConfig(device="cpu", threads=1), PromptConfig(style="plain", chat=chat))
    return texts(engine)


def make_adapter(base: Path, out: Path, seed: int) -> tuple[Path, Path]:
    """Return the folders of a random adapter and of the same merged into its base."""
    import peft
    import torch
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    settings = peft.LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", init_lora_weights=False)
    model = peft.get_peft_model(AutoModelForCausalLM.from_pretrained(base), settings)
    model.save_pretrained(out / "adapter")
    merged = out / "merged"
    shutil.copytree(base, merged)
    model.merge_and_unload().save_pretrained(merged)
    return out / "adapter", merged


@pytest.mark.vllm
def test_greedy_answers_are_those_of_transformers_for_every_request_and_again(engine: Any, folder: Path) -> None:
    found = answers(engine, GREEDY)
    assert [(c.problem_id, c.sample_index) for c in found] == [(f"p{i}", s) for i in range(3) for s in (0, 1)]
    assert all(1 <= c.tokens <= 16 for c in found)
    assert all(c.complete or c.tokens == 16 for c in found)
    assert answers(engine, GREEDY) == found
    assert texts(engine) == by_transformers(folder)


@pytest.mark.vllm
def test_a_chat_goes_through_the_models_template(engine: Any, folder: Path) -> None:
    engine.chat = True
    try:
        assert texts(engine) == by_transformers(folder, chat=True)
    finally:
        engine.chat = False


@pytest.mark.vllm
def test_the_seed_decides_every_sample(engine: Any) -> None:
    found = answers(engine, SAMPLED, 4)
    assert len({c.text for c in found if c.problem_id == "p0"}) > 2
    assert answers(engine, SAMPLED, 4) == found
    [alone] = [c for c in engine.generate(requests(4)[:1], SAMPLED) if c.sample_index == 3]
    assert alone in found  # whatever else is in its batch


@pytest.mark.vllm
def test_answers_come_as_they_finish_and_the_rest_can_be_left(engine: Any) -> None:
    long = Decoding(temperature=1.0, top_p=1.0, max_new_tokens=100, seed=3)
    found = list(engine.generate(requests(16), long))
    assert [c.tokens for c in found] != sorted((c.tokens for c in found), reverse=True)
    assert found[0].tokens < max(c.tokens for c in found)
    stream = engine.generate(requests(16), long)
    next(stream)
    stream.close()
    assert engine.llm.llm_engine.get_num_unfinished_requests() == 0
    assert len(answers(engine, GREEDY)) == 6


@pytest.mark.vllm
def test_a_prompt_that_is_too_long_is_an_engine_error_and_harms_no_other(engine: Any) -> None:
    with pytest.raises(EngineError, match=r"vLLM failed: .*maximum context length is 128"):
        list(engine.generate([Request("a", "x" * 400, 1)], GREEDY))
    assert len(answers(engine, GREEDY)) == 6


@pytest.mark.vllm
def test_adapters_are_applied_one_after_the_other_and_leave_nothing_behind(folder: Path, tmp_path: Path) -> None:
    seen = []
    for seed in (1, 2):
        adapter, merged = make_adapter(folder, tmp_path / str(seed), seed)
        engine = load_engine(str(adapter), EngineConfig(name="vllm", **SETTINGS), PromptConfig(style="plain"))
        before = children()
        seen.append(texts(engine))
        engine.close()
        assert seen[-1] == by_transformers(merged)
        assert any("EngineCore" in name for name in before)
    assert seen[0] != seen[1]


def children() -> list[str]:
    words = ["ps", "-o", "cmd=", "--ppid", str(os.getpid())]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()


# -- vllm serve ---------------------------------------------------------------------------------------------------


def load_server(model: Path, store: Path, chat: bool = False, **changed: Any) -> Any:
    config = EngineConfig(name="vllm_server", python=sys.executable, store=str(store), **SETTINGS, **changed)
    return load_engine(str(model), config, PromptConfig(style="plain", chat=chat))


@pytest.mark.vllm
def test_a_server_of_ones_own_answers_as_transformers_does(folder: Path, tmp_path: Path) -> None:
    adapter, merged = make_adapter(folder, tmp_path / "made", 1)
    engine = load_server(adapter, tmp_path / "answers.jsonl")
    assert texts(engine) == by_transformers(merged)
    found = answers(engine, SAMPLED, 4)
    engine.close()
    assert len({c.text for c in found}) > 6
    again = load_server(adapter, tmp_path / "other.jsonl")  # nothing is in its store
    assert answers(again, SAMPLED, 4) == found
    again.close()


@pytest.mark.vllm
def test_a_running_server_loads_the_adapter_of_each_iteration(folder: Path, tmp_path: Path) -> None:
    port = free_port()
    words = [str(Path(sys.executable).parent / "vllm"), "serve", str(folder), "--port", str(port), "--enable-lora"]
    words += ["--max-lora-rank", "8", "--dtype", "float32", "--max-model-len", "128", "--enforce-eager"]
    environment = {**os.environ, "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1"}
    with open(tmp_path / "serve.log", "wb") as log:
        server = subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT, env=environment)
    try:
        wait_for(f"http://127.0.0.1:{port}/health", server, tmp_path / "serve.log")
        url, store = f"http://127.0.0.1:{port}/v1", tmp_path / "answers.jsonl"
        for chat in (False, True):
            engine = load_server(folder, store, chat, base_url=url)
            assert texts(engine) == by_transformers(folder, chat)
            engine.close()
        for seed in (1, 2):
            adapter, merged = make_adapter(folder, tmp_path / str(seed), seed)
            engine = load_server(adapter, store, base_url=url)
            assert texts(engine) == by_transformers(merged)
            engine.close()
        assert b"bootstrap-" not in urllib.request.urlopen(f"{url}/models").read()
        with pytest.raises(UserError, match="A running server cannot exchange its model"):
            load_server(merged, store, base_url=url)
    finally:
        server.terminate()
        server.wait(60)


def wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(url).close()
            return
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"vllm serve does not start: {log.read_text()[-2000:]}")
