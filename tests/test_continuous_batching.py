"""Continuous batching keeps the contract of an engine: every completion once, greedy as plain generate, by the seed."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from test_transformers_engine import GREEDY, SAMPLED, build, requests

from bootstrap.config import EngineConfig, PromptConfig, load_config
from bootstrap.engines import load_engine
from bootstrap.engines.base import Completion
from bootstrap.errors import EngineError
from bootstrap.memory import sampling
from bootstrap.model_shape import Shape

ROOT = Path(__file__).resolve().parents[1]


def load(folder: Path, at_once: int) -> Any:
    config = EngineConfig(device="cpu", threads=1, continuous_batching=at_once)
    return load_engine(str(folder), config, PromptConfig(style="plain"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture
def engine(folder: Path) -> Any:
    return load(folder, 4)


def in_order(found: list[Completion]) -> list[Completion]:
    return sorted(found, key=lambda completion: (completion.problem_id, completion.sample_index))


def test_greedy_answers_are_those_of_plain_generate(engine: Any, folder: Path) -> None:
    for at_once in (1, 2, 64):
        engine.at_once = at_once
        assert in_order(list(engine.generate(requests(2), GREEDY))) == in_order(
            list(load(folder, 0).generate(requests(2), GREEDY))
        )


def test_every_sample_comes_once_and_ends_where_it_ended(engine: Any) -> None:
    found = in_order(list(engine.generate(requests(16), SAMPLED)))
    assert [(c.problem_id, c.sample_index) for c in found] == [
        (f"p{p}", sample) for p in range(3) for sample in range(16)
    ]
    ended = [c for c in found if c.complete]
    assert ended and len(ended) < len(found)
    assert all(c.tokens == SAMPLED.max_new_tokens for c in found if not c.complete)
    assert len({c.text for c in found}) > 40


def test_the_seed_decides_every_completion_and_their_order(engine: Any, folder: Path) -> None:
    first = list(engine.generate(requests(16), SAMPLED))
    assert list(engine.generate(requests(16), SAMPLED)) == first
    assert list(load(folder, 4).generate(requests(16), SAMPLED)) == first
    assert list(engine.generate(requests(16), replace(SAMPLED, seed=12))) != first


def test_the_next_sequence_starts_before_the_first_ones_have_all_ended(engine: Any) -> None:
    order = [c.tokens for c in engine.generate(requests(16), replace(SAMPLED, max_new_tokens=200))]
    assert order != sorted(order)  # side by side, the shorter one always comes first


def test_sampling_like_plain_generate(engine: Any, folder: Path) -> None:
    """The lengths of 300 answers have the same mean within four standard errors."""
    plain = [c.tokens for c in load(folder, 0).generate(requests(100), SAMPLED)]
    engine.at_once = 64
    found = [c.tokens for c in engine.generate(requests(100), SAMPLED)]
    mean = [sum(tokens) / len(tokens) for tokens in (plain, found)]
    variance = sum((tokens - mean[0]) ** 2 for tokens in plain) / len(plain)
    assert abs(mean[0] - mean[1]) < 4 * (2 * variance / len(plain)) ** 0.5


def test_settings_of_the_checkpoint_that_it_would_leave_out_are_refused(folder: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(folder, tmp_path / "other"))
    settings = json.loads((other / "generation_config.json").read_text()) | {"repetition_penalty": 1.1}
    (other / "generation_config.json").write_text(json.dumps(settings))
    with pytest.raises(EngineError, match=r"asks for RepetitionPenaltyLogitsProcessor.*continuous_batching=0"):
        list(load(other, 4).generate(requests(1), GREEDY))
    assert len(list(load(other, 0).generate(requests(1), GREEDY))) == 3


def test_a_failure_inside_is_an_engine_error(folder: Path) -> None:
    engine = load(folder, 4)
    engine.tokenizer.add_tokens(["<unknown to the model>"])
    asked = [replace(requests(1)[0], prompt="<unknown to the model>")]
    with pytest.raises(EngineError, match="left out 1 sequences: IndexError"):
        list(engine.generate(asked, SAMPLED))


@pytest.mark.parametrize("setting", [{"continuous_batching": 8}, {"attn_implementation": "sdpa"}])
def test_other_engines_refuse_the_settings_of_transformers(setting: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="is a setting of the engine transformers; name is vllm"):
        EngineConfig.model_validate({"name": "vllm", **setting})


def test_the_memory_that_is_planned_for_is_that_of_what_runs_at_once() -> None:
    shape = Shape(layers=28, hidden=1024, intermediate=3072, heads=16, kv_heads=8, head_dim=128, vocab=150_000)
    config = ROOT / "configs" / "qwen25_1b_polars.yaml"
    needs = {
        at_once: sampling(shape, load_config(config, {"engine.continuous_batching": at_once}), None).total
        for at_once in (0, 16, 64, 256)
    }
    assert needs[16] < needs[0] == needs[64] == needs[256]
