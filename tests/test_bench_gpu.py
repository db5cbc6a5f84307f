"""eval.bench_gpu: its arithmetic against independent counts, and all its parts with a model of two layers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support import ROOT

from bootstrap.base_model import FromScratch
from bootstrap.config import load_config
from bootstrap.errors import UserError
from bootstrap.model_shape import Shape
from eval.bench_gpu import PARTS, choose, main, markdown, read_figures
from eval.bench_gpu_model import Bench, make_bench
from eval.bench_gpu_scales import CPU, GPU, SCALES, TINY
from eval.bench_gpu_sft import RANK, rows_of, train_flops, trained

LENGTH, SCORED = 48, 12
SHAPE = Shape(6, 128, 384, 4, 2, 32, 512, tied=True, qk_norm=True)


def shape_of_spec(spec: FromScratch, vocabulary: int) -> Shape:
    return Shape(
        spec.num_layers, spec.hidden_size, spec.intermediate_size, spec.num_heads, spec.num_kv_heads, spec.head_dim,
        vocabulary, spec.tie_word_embeddings,
    )  # fmt: skip


def model_of(shape: Shape) -> Any:
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        vocab_size=shape.vocab, hidden_size=shape.hidden, num_hidden_layers=shape.layers, head_dim=shape.head_dim,
        num_attention_heads=shape.heads, num_key_value_heads=shape.kv_heads, intermediate_size=shape.intermediate,
        tie_word_embeddings=True, attn_implementation="eager",
    )  # fmt: skip
    return Qwen3ForCausalLM(config)


@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
def test_the_formula_counts_what_torch_counts(lora: bool) -> None:
    """In the lowest layer LoRA needs no gradient of the input, which the formula counts: hence the tolerance."""
    import torch
    from peft import LoraConfig, get_peft_model
    from torch.utils.flop_counter import FlopCounterMode

    model = model_of(SHAPE)
    if lora:
        model = get_peft_model(model, LoraConfig(r=RANK, target_modules="all-linear", task_type="CAUSAL_LM"))
    ids = torch.randint(0, SHAPE.vocab, (2, LENGTH))
    with FlopCounterMode(display=False) as counter:
        model(input_ids=ids, logits_to_keep=SCORED, use_cache=False).logits.float().logsumexp(-1).sum().backward()
    assert counter.get_total_flops() == pytest.approx(2 * train_flops(SHAPE, LENGTH, SCORED, lora=lora), rel=0.03)


def test_the_share_is_that_of_the_steps_after_the_first_ones() -> None:
    variant = TINY.training.variants[0]
    profile = {"rows": [([1] * 40, 30), ([1] * 20, 10)], "steps": [[0, 1], [0, 1], [1, 1]],
               "seconds": [9.0, 1.0, 1.0], "gpu_peak_bytes": None}  # fmt: skip
    done = trained(profile, 1, variant, SHAPE, rate=1e9)
    by_hand = train_flops(SHAPE, 40, 10, lora=False) + 3 * train_flops(SHAPE, 20, 10, lora=False)
    assert (done.tokens, done.seconds, done.steps) == (100, 2.0, 2)
    assert done.share == pytest.approx(by_hand / 2.0 / 1e9)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return make_bench(TINY.model, tmp_path_factory.mktemp("work"))


def test_rows_have_exactly_the_planned_lengths(bench: Bench) -> None:
    from sft.base import load_tokenizer
    from sft.rows import Row, tokenize_rows

    training = TINY.training
    for variant in training.variants:
        made = list(rows_of(training, variant, bench.words()))
        rows = [Row(n, row["prompt"], row["completion"]) for n, row in enumerate(made)]
        kept, dropped = tokenize_rows(rows, load_tokenizer(str(bench.model)), training.length)
        lengths = {len(row.input_ids) for row in kept}
        assert len(kept) == variant.batch_size * training.steps and not dropped
        assert {len(row.input_ids) - row.prompt_tokens for row in kept} == {training.scored}
        assert max(lengths) <= training.length and min(lengths) >= (variant.shortest or training.length)


def test_the_model_is_kept_and_another_one_refused(bench: Bench) -> None:
    assert make_bench(TINY.model, bench.model.parent).model == bench.model
    with pytest.raises(UserError, match="another scale"):
        make_bench(CPU.model, bench.model.parent)


def test_models_and_demo_are_as_large_as_promised() -> None:
    one = load_config(ROOT / "configs" / "gpu_1b.yaml", {})
    demo = load_config(ROOT / "configs" / "gpu_demo_100m.yaml", {})
    small = load_config(ROOT / "configs" / "demo.yaml", {})
    assert one.from_scratch and demo.from_scratch
    for spec in (one.from_scratch, GPU.model, CPU.model):
        assert shape_of_spec(spec, 600).parameters >= 1.0e9
    assert shape_of_spec(GPU.model, GPU.model.tokenizer.vocab_size).parameters == pytest.approx(1.72e9, rel=0.01)
    assert shape_of_spec(demo.from_scratch, 600).parameters >= 1.0e8
    assert demo.source.options["count"] >= 10 * small.source.options["count"]
    for scale in SCALES.values():
        for config, words in (("gpu_1b", scale.iteration), ("gpu_demo_100m", scale.demo)):
            from bootstrap.config import parse_overrides

            load_config(ROOT / "configs" / f"{config}.yaml", parse_overrides(words))


# --- the program ---


def test_help_is_instant_and_parts_are_chosen_by_name() -> None:
    code = "import sys, eval.bench_gpu; assert not {'torch', 'transformers'} & set(sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
    assert choose("demo, sft") == ["sft", "demo"]
    with pytest.raises(UserError, match="did you mean 'matrix'"):
        choose("matrx")


def test_figures_of_another_scale_are_not_mixed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--scale", "tiny", "--only", "matrix", "--work", str(tmp_path)]) == 0
    found = read_figures(tmp_path / "bench_gpu.json", "tiny")
    assert {one["dtype"] for one in found["parts"]["matrix"]["figures"]["products"]} == {"bfloat16", "float32"}
    assert main(["--scale", "cpu", "--only", "matrix", "--work", str(tmp_path)]) == 2
    assert "figures of another scale" in capsys.readouterr().err


def test_the_large_scale_without_a_gpu_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert main(["--scale", "gpu", "--work", str(tmp_path / "work")]) == 2
    assert "sees no GPU: use --scale cpu" in capsys.readouterr().err
    assert not (tmp_path / "work").exists()


def test_what_was_not_measured_is_named_as_open() -> None:
    page = markdown({"machine": {"gpu": None, "cpu": "a CPU"}, "scale": "cpu", "parts": {}})
    assert "No GPU: every figure that asks for one is open." in page
    assert all(f"--only {name}`" in page for name in PARTS)


@pytest.mark.slow
def test_all_parts_run_with_a_small_model(tmp_path: Path) -> None:
    assert main(["--scale", "tiny", "--work", str(tmp_path)]) == 0
    parts = json.loads((tmp_path / "bench_gpu.json").read_text())["parts"]
    assert set(parts) == set(PARTS)
    trainings = parts["sft"]["figures"]["trainings"]
    assert [one["name"] for one in trainings] == [variant.name for variant in TINY.training.variants]
    trainings += parts["compiled"]["figures"]["trainings"]
    assert len(trainings) == 3 and all(one["tokens"] > 0 and one["share"] > 0 for one in trainings)
    assert {str(n) for n in TINY.sequences} == set(parts["sampling"]["figures"]["rounds"])
    for name in ("iteration", "demo"):
        report = parts[name]["figures"]["report"]
        assert {"SOLVE", "BUILD", "TRAIN", "EVALUATE"} <= set(report["seconds_by_stage"])
        assert report["stopped_because"] == "max iterations: 1"
    assert "Not measured" not in (tmp_path / "bench_gpu.md").read_text()
