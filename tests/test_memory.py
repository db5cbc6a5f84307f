"""GPU memory said before loading: the formula against what is known, measured and named in configurations."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support import ROOT

from bootstrap.config import RunConfig, load_config
from bootstrap.errors import UserError
from bootstrap.memory import GB, Machine, activation_bytes, estimates, main, require_memory
from bootstrap.model_shape import KNOWN, Shape, from_values, shape_of
from bootstrap.train_config import LoraConfig, TrainConfig

BIG = "Qwen/Qwen3-32B"
BOXES = {
    "qwen3_32b_lora": (141, 1), "qwen3_32b_q_lora": (141, 1), "qwen3_32b_q_8gpu": (141, 8), "qwen25_7b_duckdb": (80, 1),
    "qwen25_7b_postgres": (80, 1), "qwen25_1b_polars": (24, 1),
}  # fmt: skip


def config_of(name: str, **overrides: Any) -> RunConfig:
    return load_config(ROOT / "configs" / f"{name}.yaml", {k.replace("__", "."): v for k, v in overrides.items()})


def test_the_32b_model_weighs_what_it_is_known_to_weigh() -> None:
    shape = KNOWN[BIG]
    assert 2 * shape.parameters / GB == pytest.approx(65.5, abs=0.1)
    assert 2 * shape.cache_values_per_token == 256 * 1024
    training = next(e for e in estimates(config_of("qwen3_32b_lora"), shape) if e.stage == "training")
    assert 80 <= training.total / GB <= 90  # what LoRA of rank 32 is known to want


@pytest.mark.parametrize(("name", "billions"), [
    ("Qwen/Qwen3-0.6B", 0.596), ("Qwen/Qwen3-1.7B", 1.72), ("Qwen/Qwen3-8B", 8.19), (BIG, 32.76),
    ("Qwen/Qwen2.5-Coder-0.5B-Instruct", 0.494), ("Qwen/Qwen2.5-Coder-1.5B-Instruct", 1.544),
    ("Qwen/Qwen2.5-Coder-7B-Instruct", 7.616),
])  # fmt: skip
def test_the_models_known_here_have_as_many_parameters_as_transformers_makes(name: str, billions: float) -> None:
    import torch
    from transformers import AutoModelForCausalLM, Qwen2Config, Qwen3Config

    shape = KNOWN[name]
    values: dict[str, Any] = {
        "num_hidden_layers": shape.layers, "hidden_size": shape.hidden, "intermediate_size": shape.intermediate,
        "num_attention_heads": shape.heads, "num_key_value_heads": shape.kv_heads, "vocab_size": shape.vocab,
        "tie_word_embeddings": shape.tied,
    }  # fmt: skip
    config = Qwen3Config(head_dim=shape.head_dim, **values) if shape.qk_norm else Qwen2Config(**values)
    with torch.device("meta"):
        count = AutoModelForCausalLM.from_config(config).num_parameters()
    assert shape.parameters == pytest.approx(count, rel=1e-3)
    assert count / 1e9 == pytest.approx(billions, rel=5e-3)


@pytest.mark.parametrize("name", BOXES)
def test_the_configurations_fit_the_hardware_that_they_name(name: str) -> None:
    gigabytes, gpus = BOXES[name]
    config = config_of(name)
    assert f"{gigabytes} GB" in (ROOT / "configs" / f"{name}.yaml").read_text(encoding="utf-8")
    assert len(require_memory(config, str(config.base_model), Machine(gigabytes * GB, gpus))) == 2


@pytest.mark.parametrize(("overrides", "gigabytes", "gpus", "sentence"), [
    ({"train.lora": None}, 141, 1, r"training needs about 6\d\d.*has 141.*Nearest that fits: train.lora='\{r: 32"),
    ({}, 80, 1, r"sampling needs about .*engine.batch_sequences=8 .*training .*train.batch_size=1 train.gradient_acc"),
    ({"train.lora": None}, 141, 8, r"Nearest that fits: train.accelerate_config=configs/accelerate/fsdp2_8gpu.yaml"),
    ({"engine.name": "vllm"}, 48, 4, r"43.2 GB of them for vllm. Nearest that fits: engine.tensor_parallel_size=2"),
    ({"engine.name": "vllm", "engine.replicas": 4}, 48, 4,
     r"Nearest that fits: engine.tensor_parallel_size=2 engine.replicas=2"),
    ({"train.gradient_checkpointing": False}, 141, 1, r"Nearest that fits: train.(batch_size|gradient_check)"),
    ({"engine.batch_sequences": 1}, 70, 1, r"training .*load_in_4bit: true"),
    ({}, 16, 1, r"No setting tried here fits \(\d+.\d GB at the least\)"),
])  # fmt: skip
def test_too_little_memory_is_said_with_figures_and_the_nearest_setting(
    overrides: dict[str, Any], gigabytes: float, gpus: int, sentence: str
) -> None:
    config = load_config(ROOT / "configs" / "qwen3_32b_lora.yaml", overrides)
    with pytest.raises(UserError, match=sentence):
        require_memory(config, BIG, Machine(gigabytes * GB, gpus))


@pytest.mark.parametrize("lora", [False, True])
@pytest.mark.parametrize("qk_norm", [False, True])
def test_activations_are_those_that_autograd_keeps(lora: bool, qk_norm: bool) -> None:
    """Counted on a CPU in bf16: how many bytes a token of a further layer keeps for the backward pass."""
    shape = Shape(1, 256, 1024, 4, 2, 64, 500, tied=True, qk_norm=qk_norm)
    train = TrainConfig(precision="bf16", lora=LoraConfig(r=8, alpha=8) if lora else None)
    (few, many), (few_more, many_more) = (
        [kept_bytes(shape, layers, tokens, rank=8 if lora else 0) for tokens in (64, 128)] for layers in (1, 2)
    )
    measured = ((many_more - many) - (few_more - few)) / 64
    assert activation_bytes(shape, train) == pytest.approx(measured, rel=0.15)


def kept_bytes(shape: Shape, layers: int, tokens: int, rank: int) -> int:
    import torch
    from peft import LoraConfig as PeftLora
    from peft import get_peft_model
    from transformers import AutoModelForCausalLM, Qwen2Config, Qwen3Config

    values: dict[str, Any] = {
        "num_hidden_layers": layers, "hidden_size": shape.hidden, "intermediate_size": shape.intermediate,
        "num_attention_heads": shape.heads, "num_key_value_heads": shape.kv_heads, "vocab_size": shape.vocab,
    }  # fmt: skip
    model: Any = AutoModelForCausalLM.from_config(
        Qwen3Config(head_dim=shape.head_dim, **values) if shape.qk_norm else Qwen2Config(**values)
    )
    body = model.model
    if rank:
        model = get_peft_model(model.to(torch.bfloat16), PeftLora(r=rank, lora_alpha=rank, target_modules="all-linear"))
        body = model.base_model.model.model
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: dict[int, int] = {}
    alive = []

    def note(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        alive.append(storage)
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    ids = torch.randint(0, shape.vocab, (1, tokens))
    hooks = torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor)
    with hooks, torch.autocast("cpu", dtype=torch.bfloat16):
        body(input_ids=ids, use_cache=False)
    return sum(kept.values())


def test_the_size_is_read_from_a_folder_an_adapter_and_the_hubs_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"model_type": "qwen3", "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
              "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 100}  # fmt: skip
    model, adapter = tmp_path / "model", tmp_path / "adapter"
    snapshot = tmp_path / "hub" / "models--owner--name" / "snapshots" / "abc"
    for folder in (model, adapter, snapshot):
        folder.mkdir(parents=True)
    for folder in (model, snapshot):
        (folder / "config.json").write_text(json.dumps(values))
    (adapter / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(model)}))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    assert shape_of(str(model)) == shape_of(str(adapter)) == shape_of("owner/name") == from_values(values)
    with pytest.raises(UserError, match=r"size of owner/other is not known.*hf download owner/other config.json"):
        shape_of("owner/other")
    (model / "config.json").write_text('{"model_type": "mamba", "hidden_size": 64}')
    with pytest.raises(UserError, match=r"found no intermediate_size, .*\(model_type mamba\)"):
        shape_of(str(model))


def test_experts_count_as_weights() -> None:
    values = {"hidden_size": 2048, "intermediate_size": 6144, "moe_intermediate_size": 768, "num_hidden_layers": 48,
              "num_attention_heads": 32, "num_key_value_heads": 4, "head_dim": 128, "vocab_size": 151936,
              "num_experts": 128, "model_type": "qwen3_moe"}  # fmt: skip
    assert from_values(values).parameters / 1e9 == pytest.approx(30.5, abs=0.1)


def test_the_program_says_what_fits(capsys: pytest.CaptureFixture[str]) -> None:
    config = ["--config", str(ROOT / "configs" / "qwen3_32b_lora.yaml")]
    assert main([*config, "--gpu-gb", "141"]) == 0
    assert "32.76B parameters, 256 KiB of cache per token" in (said := capsys.readouterr().out)
    assert said.splitlines()[-1] == "fits"
    assert main([*config, "--gpu-gb", "24"]) == 2
    assert "error: sampling needs about" in capsys.readouterr().err
    assert main([*config]) == 0
    assert main(["--config", str(ROOT / "configs" / "demo.yaml")]) == 2


def test_planning_needs_no_torch() -> None:
    code = "import sys, bootstrap.memory, bootstrap.machine; assert not {'torch', 'transformers'} & sys.modules.keys()"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
