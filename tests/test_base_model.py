"""Base models from nothing: the tokenizer gives every text back, one token per known piece, the same for a seed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bootstrap.base_model import BaseModelError, FromScratch, WordTokenizer, build_base_model, build_tokenizer, main

ROOT = Path(__file__).resolve().parents[1]
CODE = 'df.filter(pl.col("amount") > 12).sort("qty", descending=True).head(5)'
STATEMENT = "keep rows where amount is above 12 , then sort by qty descending , then take the first 5 rows .\n"
SMALL = FromScratch(num_layers=1, hidden_size=16, num_heads=2, num_kv_heads=1, head_dim=8, intermediate_size=32)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return build_tokenizer(WordTokenizer(), [CODE, STATEMENT])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_base_model(SMALL, [CODE, STATEMENT], tmp_path_factory.mktemp("models") / "base", seed=3)


def test_known_pieces_are_one_token_each(tokenizer: Any) -> None:
    pieces = [tokenizer.decode([i]) for i in tokenizer(CODE)["input_ids"]]
    assert pieces[:8] == ["df", ".filter(", "pl", '.col("', "amount", '")', " >", " 12"]
    assert len(pieces) == 19
    assert len(tokenizer(STATEMENT)["input_ids"]) == len(STATEMENT.split()) + 1  # and the line end


@pytest.mark.parametrize("number", ["7", "42", "365"])
def test_a_number_of_up_to_three_digits_is_one_token(number: str) -> None:
    tokenizer = build_tokenizer(WordTokenizer(), [f"above {number} ,", f"head({number})"])
    assert len(tokenizer(number)["input_ids"]) == len(tokenizer(f" {number}")["input_ids"]) == 1


@given(st.text())
def test_any_text_comes_back(text: str) -> None:
    tokenizer = build_tokenizer_once()
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def build_tokenizer_once(built: list[Any] = []) -> Any:  # noqa: B006  one tokenizer for all examples of hypothesis
    if not built:
        built.append(build_tokenizer(WordTokenizer(), [CODE, STATEMENT]))
    return built[0]


def test_the_vocabulary_keeps_the_most_frequent_pieces() -> None:
    spec = WordTokenizer(vocab_size=2 + 256 + 1)
    tokenizer = build_tokenizer(spec, [" amount amount qty"])
    assert len(tokenizer) == 259
    assert [len(tokenizer(text)["input_ids"]) for text in (" amount", " qty")] == [1, 4]


def test_the_folder_loads_like_any_checkpoint(model: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    loaded = AutoModelForCausalLM.from_pretrained(model)
    assert tokenizer.decode(tokenizer(CODE)["input_ids"]) == CODE
    assert (tokenizer.pad_token, tokenizer.eos_token) == ("<pad>", "<eos>")
    assert loaded.generation_config.eos_token_id == tokenizer.eos_token_id
    assert loaded.num_parameters() == json.loads((model / "from_scratch.json").read_text())["parameters"]
    assert len(tokenizer) == loaded.config.vocab_size
    assert loaded.generate(**tokenizer([CODE], return_tensors="pt"), max_new_tokens=2).shape[0] == 1


def test_the_seed_decides_every_byte(model: Path, tmp_path: Path) -> None:
    same = build_base_model(SMALL, [CODE, STATEMENT], tmp_path / "same", seed=3)
    other = build_base_model(SMALL, [CODE, STATEMENT], tmp_path / "other", seed=4)
    names = sorted(path.name for path in model.iterdir())
    assert [(same / name).read_bytes() for name in names] == [(model / name).read_bytes() for name in names]
    assert (other / "model.safetensors").read_bytes() != (model / "model.safetensors").read_bytes()


def test_the_program_makes_a_folder_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "spec.json").write_text(SMALL.model_dump_json())
    (tmp_path / "corpus.jsonl").write_text(json.dumps({"text": CODE}) + "\n")
    argv = [f"--{name}={tmp_path / file}" for name, file in (("spec", "spec.json"), ("corpus", "corpus.jsonl"))]
    assert main([*argv, f"--out={tmp_path / 'base'}", "--seed=1"]) == 0
    assert (tmp_path / "base" / "model.safetensors").is_file()
    assert main([*argv, f"--out={tmp_path / 'base'}"]) == 2
    assert "is there already" in capsys.readouterr().err


def test_an_empty_corpus_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BaseModelError, match="no text"):
        build_base_model(SMALL, [], tmp_path / "base", seed=1)


def test_a_pattern_that_is_no_expression_is_refused() -> None:
    with pytest.raises(BaseModelError, match="pattern"):
        build_tokenizer(WordTokenizer(pattern="("), [CODE])


@pytest.mark.parametrize("spec", [{"layers": 3}, {"num_heads": 4, "num_kv_heads": 3}, {"head_dim": 31}])
def test_a_spec_that_fits_no_model_is_refused(spec: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        FromScratch.model_validate(spec)


def test_the_spec_is_importable_without_torch() -> None:
    code = "import sys, bootstrap.base_model; assert not {'torch', 'transformers', 'tokenizers'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_large_models_are_drawn_in_16_bits(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    spec = SMALL.model_copy(update={"dtype": "bfloat16", "hidden_size": 64, "initializer_range": 0.02})
    one, same, other = (build_base_model(spec, [CODE], tmp_path / str(i), seed=s) for i, s in enumerate((3, 3, 4)))
    weights = [(folder / "model.safetensors").read_bytes() for folder in (one, same, other)]
    assert weights[0] == weights[1] != weights[2]
    model = AutoModelForCausalLM.from_pretrained(one, dtype="auto")
    assert model.dtype == torch.bfloat16
    assert model.lm_head.weight is model.model.embed_tokens.weight
    spread = {name: p.float().std().item() for name, p in model.named_parameters() if p.ndim > 1}
    assert all(0.015 < value < 0.025 for value in spread.values()), spread
    assert all((p == 1).all() for p in model.parameters() if p.ndim == 1)
    assert len({p.flatten()[1].item() for p in model.parameters() if p.ndim > 1}) == len(spread)


def test_the_record_of_a_small_model_is_as_it_was(model: Path) -> None:
    assert "dtype" not in json.loads((model / "from_scratch.json").read_text())["spec"]
