"""LoRA in run_sft.py: merged and checked, continued, refused where it does not fit; killed trainings; packing."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from test_run_sft import ROOT, ROWS, base, flags, refusal, train_file, weights  # noqa: F401 - fixtures

from bootstrap.base_model import FromScratch, build_base_model
from bootstrap.config import EngineConfig, PromptConfig
from bootstrap.engines import load_engine
from bootstrap.engines.base import Decoding, Request
from sft.adapters import MERGE_TOLERANCE
from sft.arguments import check_arguments, check_gpu
from sft.rows import SftError
from sft.run_sft import main, parse_args

LORA = ("--use_lora", "--lora_r", "4")


def metrics_of(out: Path) -> Any:
    return json.loads((out / "train_metrics.json").read_text())


@pytest.fixture(scope="module")
def trained(base: Path, train_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    out = tmp_path_factory.mktemp("trained") / "out"
    assert main(flags(base, train_file, out, *LORA, steps=6)) == 0
    return out


def test_merging_changes_the_logits_by_rounding_alone(trained: Path) -> None:
    merge = metrics_of(trained)["merge"]
    assert merge["difference"] < 1e-5 < merge["adapter_effect"]
    assert merge["tolerance"] == MERGE_TOLERANCE["float32"] == 1e-4


def test_merging_into_bf16_stays_within_its_tolerance(base: Path, train_file: Path, tmp_path: Path) -> None:  # noqa: F811
    half = half_of(base, tmp_path, "bfloat16")
    assert main(flags(half, train_file, tmp_path / "out", *LORA, "--precision", "bf16", steps=6)) == 0
    merge = metrics_of(tmp_path / "out")["merge"]
    assert 1e-5 < merge["difference"] < merge["tolerance"] / 3
    assert merge["difference"] < merge["adapter_effect"]


def half_of(base: Path, folder: Path, dtype: str) -> Path:  # noqa: F811
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    AutoModelForCausalLM.from_pretrained(base).to(getattr(torch, dtype)).save_pretrained(folder / dtype)
    AutoTokenizer.from_pretrained(base).save_pretrained(folder / dtype)
    return folder / dtype


def test_a_merge_that_changes_the_model_is_refused_and_keeps_the_adapter(
    base: Path, train_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch  # noqa: F811
) -> None:  # fmt: skip
    monkeypatch.setitem(MERGE_TOLERANCE, "float32", 1e-12)
    assert "changed the logits by" in refusal(capsys, flags(base, train_file, tmp_path, *LORA))
    assert (tmp_path / "adapter" / "adapter_model.safetensors").is_file()
    assert not (tmp_path / "model.safetensors").exists() and not (tmp_path / "train_metrics.json").exists()


def test_an_adapter_that_overflows_its_base_is_one_sentence(
    base: Path, train_file: Path, tmp_path: Path  # noqa: F811
) -> None:  # fmt: skip
    from safetensors.torch import load_file, save_file

    from sft.adapters import merge_adapter
    from sft.base import load_model
    from sft.rows import TokenRow

    half = half_of(base, tmp_path, "float16")
    assert main(flags(half, train_file, tmp_path / "out", *LORA, "--no-merge_lora")) == 0
    file = tmp_path / "out" / "adapter_model.safetensors"
    tensors = {name: tensor + (1e6 if "lora_B" in name else 0) for name, tensor in load_file(file).items()}
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(SftError, match=r"cannot be merged|changed the logits"):
        merge_adapter(load_model(str(half), None), tmp_path / "out", [TokenRow(1, [1, 2, 3], 1)])


def test_an_adapter_goes_on_where_it_stopped(trained: Path, base: Path, train_file: Path, tmp_path: Path) -> None:  # noqa: F811
    """Two times six steps at a constant rate leave the first six where they were, and its base stays the base."""
    more = (*LORA, "--continue_adapter")
    assert main(flags(trained / "adapter", train_file, tmp_path / "on", *more)) == 0
    settings = json.loads((tmp_path / "on" / "adapter" / "adapter_config.json").read_text())
    assert settings["base_model_name_or_path"] == str(base.resolve())
    still = flags(trained / "adapter", train_file, tmp_path / "still", *more, "--learning_rate", "1e-30")
    assert main(still) == 0
    assert weights(tmp_path / "still") == weights(trained) != weights(tmp_path / "on")


def test_an_adapter_alone_is_what_the_merged_model_answers(
    base: Path, train_file: Path, trained: Path, tmp_path: Path  # noqa: F811
) -> None:  # fmt: skip
    assert main(flags(base, train_file, tmp_path, *LORA, "--no-merge_lora", steps=6)) == 0
    assert not (tmp_path / "config.json").exists()
    answers = [greedy_answers(folder) for folder in (tmp_path, trained, base)]
    assert answers[0] == answers[1] != answers[2]


def greedy_answers(model: Path) -> list[str]:
    engine = load_engine(str(model), EngineConfig(device="cpu", threads=1), PromptConfig(style="plain"))
    requests = [Request(str(i), row["prompt"], 1) for i, row in enumerate(ROWS[:4])]
    found = list(engine.generate(requests, Decoding(temperature=0.0, top_p=1.0, max_new_tokens=12, seed=1)))
    engine.close()
    return [one.text for one in sorted(found, key=lambda one: one.problem_id)]


@pytest.mark.parametrize(("change", "sentence"), [
    ({"hidden_size": 48}, r"does not fit its base .*layers\.0\..*: 48 inputs in the base, 32 here; .* and \d+ more"),
    ({"num_layers": 1}, r"layers\.1\..*: not in the base"),
])  # fmt: skip
def test_a_lora_of_another_base_is_named_before_anything_is_loaded(
    trained: Path, train_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],  # noqa: F811
    change: dict[str, int], sentence: str,
) -> None:  # fmt: skip
    import re

    spec = {"num_layers": 2, "hidden_size": 32, "num_heads": 2, "num_kv_heads": 2, "head_dim": 16,
            "intermediate_size": 64, **change}  # fmt: skip
    texts = [row[key] for row in ROWS for key in ("prompt", "completion")]
    other = build_base_model(FromScratch.model_validate(spec), texts, tmp_path / "other", seed=1)
    shutil.copytree(trained / "adapter", adapter := tmp_path / "adapter")
    settings = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps({**settings, "base_model_name_or_path": str(other)}))
    found = refusal(capsys, flags(adapter, train_file, tmp_path / "out", *LORA, "--continue_adapter"))
    assert re.search(sentence, found), found


@pytest.mark.parametrize(("more", "sentence"), [
    (["--packing"], "--packing needs --attn_implementation flash_attention_2, found none given: rows laid end to end"),
    (["--packing", "--attn_implementation", "sdpa"], "found sdpa"),
    (["--load_in_4bit"], "--load_in_4bit needs --use_lora"),
    (["--continue_adapter"], "--continue_adapter needs --use_lora"),
    (["--use_lora", "--load_in_4bit"], "needs the package bitsandbytes, not found: pip install bitsandbytes"),
    (["--attn_implementation", "flash_attention_2"], "needs the package flash-attn, not found: pip install flash-attn"),
    (["--use_lora", "--continue_adapter"], "is no adapter folder (no adapter_config.json in it)"),
])  # fmt: skip
def test_what_cannot_be_trained_is_one_sentence(
    base: Path, train_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: Sequence[str], sentence: str  # noqa: F811
) -> None:  # fmt: skip
    for package in ("bitsandbytes", "flash-attn"):
        if package in sentence and there(package.replace("-", "_")):
            pytest.skip(f"{package} is installed")
    assert sentence in refusal(capsys, flags(base, train_file, tmp_path / "out", *more))


def there(package: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(package) is not None


def test_what_needs_a_gpu_says_so_where_there_is_none() -> None:
    need = ["--base_model", "b", "--train_file", "t", "--output_dir", "o"]
    quantized = parse_args([*need, "--use_lora", "--load_in_4bit"])
    with pytest.raises(SftError, match=r"--load_in_4bit needs a GPU, but torch 2.13 finds none"):
        check_gpu(quantized, found=False, torch_version="2.13")
    with pytest.raises(SftError, match="--use_cpu is given"):
        check_gpu(
            parse_args([*need, "--use_cpu", "--attn_implementation", "flash_attention_2"]), found=True, torch_version=""
        )
    check_gpu(quantized, found=True, torch_version="2.13")
    check_arguments(parse_args([*need, "--use_lora"]))


def test_a_killed_training_ends_with_the_same_weights(base: Path, train_file: Path, tmp_path: Path) -> None:  # noqa: F811
    """Killed for good (SIGKILL) in the middle, gone on from the trainer's checkpoint: the same bits, on one CPU."""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    more = (*LORA, "--lora_dropout", "0.1", "--save_steps", "20", "--logging_steps", "20")
    assert main(flags(base, train_file, whole, *more, steps=150)) == 0
    words = [sys.executable, str(ROOT / "sft" / "run_sft.py"), *flags(base, train_file, cut, *more, steps=150)]
    child = subprocess.Popen(words, stderr=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + 120
    while not list(cut.glob("checkpoint-*/trainer_state.json")) and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    assert not (cut / "train_metrics.json").exists()
    assert main(flags(base, train_file, cut, *more, "--resume", "--drop_checkpoints", steps=150)) == 0
    assert not list(cut.glob("checkpoint-*")) and list(whole.glob("checkpoint-*"))
    assert metrics_of(cut)["resumed_from"].startswith("checkpoint-")
    assert weights(cut) == weights(whole)
    assert (cut / "loss_curve.jsonl").read_text() == (whole / "loss_curve.jsonl").read_text()


def test_checkpointing_changes_time_and_memory_alone(base: Path, train_file: Path, tmp_path: Path) -> None:  # noqa: F811
    for lora in ((), LORA):
        plain, spare = tmp_path / f"plain{len(lora)}", tmp_path / f"spare{len(lora)}"
        assert main(flags(base, train_file, plain, *lora)) == 0
        assert main(flags(base, train_file, spare, *lora, "--gradient_checkpointing")) == 0
        assert weights(plain) == weights(spare)


def test_packed_rows_lie_end_to_end_and_each_starts_anew(base: Path, train_file: Path, tmp_path: Path) -> None:  # noqa: F811
    from sft.base import load_tokenizer
    from sft.rows import read_rows, tokenize_rows
    from sft.run_sft import make_trainer

    args = parse_args(flags(base, train_file, tmp_path))
    args.packing = True  # past its check: the layout is the same with any attention, the result is not
    tokenizer = load_tokenizer(str(base))
    rows = tokenize_rows(read_rows(train_file), tokenizer, 100)[0]
    batch = next(iter(make_trainer(args, rows, [], tokenizer).get_train_dataloader()))
    assert batch["input_ids"].shape[0] == 1 and "attention_mask" not in batch
    starts = [i for i, position in enumerate(batch["position_ids"][0].tolist()) if position == 0]
    ids = batch["input_ids"][0].tolist()
    found = [ids[a:b] for a, b in zip(starts, [*starts[1:], len(ids)], strict=True)]
    assert len(found) == 8 and all(one in [row.input_ids for row in rows] for one in found)
