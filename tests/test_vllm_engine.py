"""vLLM in process: what can be said without it, and samples from a tiny model where it is installed."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from test_transformers_engine import PROMPTS, SPEC, requests

from bootstrap.base_model import build_base_model
from bootstrap.config import EngineConfig, PromptConfig
from bootstrap.engines import load_engine
from bootstrap.engines.base import Decoding
from bootstrap.engines.vllm_engine import base_and_adapter, check_requirement
from bootstrap.errors import UserError

GREEDY = Decoding(temperature=0.0, top_p=1.0, max_new_tokens=16, seed=11)
INSTALLED = importlib.util.find_spec("vllm") is not None


@pytest.mark.skipif(INSTALLED, reason="vllm is installed")
def test_without_vllm_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"not installed \(pip install vllm\).* use the engine openai"):
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
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    pytest.importorskip("vllm", reason="vllm is not installed")
    spec = SPEC.model_copy(update={"head_dim": 32})  # the least that vLLM takes on a CPU
    folder = build_base_model(spec, PROMPTS, tmp_path_factory.mktemp("models") / "base", seed=3)
    config = EngineConfig(
        name="vllm", dtype="float32", max_model_len=128, gpu_memory_utilization=0.2, enforce_eager=True
    )
    engine = load_engine(str(folder), config, PromptConfig(style="plain"))
    yield engine
    engine.close()


@pytest.mark.vllm
def test_greedy_answers_come_for_every_request_and_again(engine: Any) -> None:
    found = list(engine.generate(requests(2), GREEDY))
    assert [(c.problem_id, c.sample_index) for c in found] == [(f"p{i}", s) for i in range(3) for s in (0, 1)]
    assert all(1 <= c.tokens <= 16 for c in found)
    assert all(c.complete or c.tokens == 16 for c in found)
    assert list(engine.generate(requests(2), GREEDY)) == found


@pytest.mark.vllm
def test_the_seed_decides_every_sample(engine: Any) -> None:
    sampled = Decoding(temperature=1.0, top_p=0.9, max_new_tokens=16, seed=3)
    found = list(engine.generate(requests(4), sampled))
    assert len({c.text for c in found if c.problem_id == "p0"}) > 2
    assert list(engine.generate(requests(4), sampled)) == found
