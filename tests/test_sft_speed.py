"""What makes training faster changes nothing of what is learned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_run_sft import base, flags, refusal, train_file  # noqa: F401 - fixtures
from test_training_commands import commands_of, trainer_words

from sft.run_sft import main
from sft.speed import attend_without_mask, compile_each_layer, leave_inputs_in_16_bits


def small_model(seed: int = 0) -> Any:
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=64, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=8,
        intermediate_size=48, attn_implementation="sdpa",
    )  # fmt: skip
    return Qwen3ForCausalLM(config)


def loss_and_gradients(model: Any) -> tuple[Any, list[Any]]:
    """Return the loss over three rows padded on the right, and the gradients."""
    import torch
    from torch.nn.functional import cross_entropy

    ids = torch.arange(3 * 10).reshape(3, 10) % 61 + 3
    mask = (torch.arange(10) < torch.tensor([[10], [6], [3]])).long()
    labels = ids.masked_fill(mask == 0, -100)
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
    loss = cross_entropy(logits[:, :-1].float().flatten(0, 1), labels[:, 1:].flatten())
    loss.backward()
    return loss.detach(), [p.grad for p in model.parameters() if p.grad is not None]


def test_rows_padded_on_the_right_need_no_mask() -> None:
    import torch

    plain, without = small_model(), small_model()
    seen: list[Any] = []
    attend_without_mask(without.base_model)
    without.model.layers[0].register_forward_pre_hook(
        lambda _, args, kwargs: seen.append(kwargs["attention_mask"]), with_kwargs=True
    )
    loss, gradients = loss_and_gradients(plain)
    other, others = loss_and_gradients(without)
    assert seen == [None]  # so that torch may take its causal kernel
    torch.testing.assert_close(loss, other, rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(gradients, others, rtol=1e-4, atol=1e-7)


def test_inputs_of_adapters_may_stay_in_16_bits() -> None:
    import torch
    from peft import LoraConfig, get_peft_model

    def run(*, stay: bool) -> tuple[Any, list[Any]]:
        torch.manual_seed(1)
        settings = LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
        model = get_peft_model(small_model().bfloat16(), settings)
        if stay:
            leave_inputs_in_16_bits(model)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return loss_and_gradients(model)

    loss, gradients = run(stay=False)
    other, others = run(stay=True)
    assert torch.equal(loss, other) and gradients
    assert all(torch.equal(a, b) for a, b in zip(gradients, others, strict=True))


@pytest.mark.slow
def test_compiled_layers_compute_the_same() -> None:
    import torch

    plain, compiled = small_model(), small_model()
    compile_each_layer(compiled)
    loss, gradients = loss_and_gradients(plain)
    other, others = loss_and_gradients(compiled)
    torch.testing.assert_close(loss, other, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(gradients, others, rtol=1e-3, atol=1e-6)


@pytest.mark.slow
def test_a_compiled_training_learns_as_another_does(base: Path, train_file: Path, tmp_path: Path) -> None:  # noqa: F811
    losses = []
    for name, more in (("plain", []), ("compiled", ["--torch_compile", "--gradient_checkpointing"])):
        assert main(flags(base, train_file, tmp_path / name, *more, steps=4)) == 0
        losses.append(json.loads((tmp_path / name / "train_metrics.json").read_text())["train_loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_the_setting_reaches_the_trainer(tmp_path: Path) -> None:
    for on in (False, True):
        [command, *_] = commands_of(tmp_path, torch_compile=on).trainings(1, 0)
        assert trainer_words(command)[1].torch_compile is on


def test_compiling_without_a_compiler_is_refused(
    base: Path, train_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]  # noqa: F811
) -> None:  # fmt: skip
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "needs a C++ compiler" in refusal(capsys, flags(base, train_file, tmp_path / "out", "--torch_compile"))
