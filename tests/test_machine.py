"""What a run asks of its machine, said before anything is loaded; and what a resumed run must find as it was."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import small_config

from bootstrap.cli import main, start_folder
from bootstrap.config import RunConfig, load_config
from bootstrap.errors import UserError
from bootstrap.gpus import Found, find_gpus
from bootstrap.machine import (
    check_gpus,
    check_memory,
    check_vllm_environment,
    facts_of,
    needed_gpus,
    require_gpus,
    wants_cuda,
)
from bootstrap.memory import GB, Machine
from bootstrap.model_shape import KNOWN
from bootstrap.run_store import RunStore

BIG = "Qwen/Qwen3-32B"
NO_GPU = not find_gpus().bytes_of_gpus


def config_of(**values: Any) -> RunConfig:
    start = {"target": "polars_expr", "base_model": BIG}
    return load_config(None, {**start, **{key.replace("__", "."): value for key, value in values.items()}})


@pytest.mark.skipif(not NO_GPU, reason="there is a GPU here")
@pytest.mark.parametrize(("settings", "key"), [
    ({"engine__device": "cuda"}, "engine.device is cuda"),
    ({"train__accelerate_config": "configs/accelerate/one_gpu.yaml"}, "train.accelerate_config is"),
    ({"train__lora": {"load_in_4bit": True}}, "train.lora.load_in_4bit is true"),
    ({"train__packing": True, "train__attn_implementation": "flash_attention_2"}, "train.attn_implementation is flash"),
])  # fmt: skip
def test_a_gpu_that_is_asked_for_and_missing_is_named_with_its_setting(settings: dict[str, Any], key: str) -> None:
    with pytest.raises(UserError, match=rf"{re.escape(key)}.*, but torch \S+ (is built without CUDA|sees no GPU)"):
        check_gpus(config_of(**settings))


def test_the_loop_refuses_before_it_writes_anything(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    if not NO_GPU:
        pytest.skip("there is a GPU here")
    config = small_config(tmp_path, engine={"name": "transformers", "device": "cuda"}, base_model="owner/model")
    assert main(["--config", str(config), "--output-dir", str(tmp_path / "outputs")]) == 2
    assert "engine.device is cuda, but torch" in caplog.text
    assert not (tmp_path / "outputs").exists()


def test_what_runs_on_a_cpu_asks_for_no_gpu() -> None:
    assert wants_cuda(config_of(engine__device="cpu")) is None
    assert wants_cuda(config_of()) is None  # auto
    check_gpus(config_of(engine__device="cpu", train__device="cpu"))


def test_gpus_are_counted() -> None:
    config = config_of(train__accelerate_config="configs/accelerate/two_nodes.yaml")
    assert needed_gpus(config) == 8
    copies = {"engine__name": "vllm", "engine__tensor_parallel_size": 2, "engine__replicas": 4}
    assert needed_gpus(config_of(**copies)) == 8
    assert needed_gpus(config_of(**copies, executor="ray")) == 1
    assert needed_gpus(config_of(engine__replicas=3)) == 3
    assert needed_gpus(config_of(engine__replicas=3, engine__device="cpu")) == 1
    assert needed_gpus(config_of(engine__name="vllm", engine__tensor_parallel_size=4)) == 4
    with pytest.raises(UserError, match="8 GPUs are expected on this machine, torch sees 2: lower num_processes"):
        require_gpus("train.accelerate_config is X", Found("2.13", "12.8", (1, 1)), 8)
    with pytest.raises(UserError, match="sees no GPU here: look at nvidia-smi"):
        require_gpus("engine.device is cuda", Found("2.13", "12.8", ()), 1)


def test_the_memory_check_can_be_told_to_warn(caplog: pytest.LogCaptureFixture) -> None:
    small = Machine(24 * GB)
    with pytest.raises(UserError, match=r"sampling needs about .* has 24.0 GB.*It is an estimate: memory_check=warn"):
        check_memory(config_of(), BIG, small)
    check_memory(config_of(memory_check="warn"), BIG, small)
    assert "the GPU has 24.0 GB" in caplog.text
    check_memory(config_of(), "owner/unknown", small)
    assert "GPU memory is not checked: the size of owner/unknown is not known" in caplog.text
    assert BIG in KNOWN


def test_the_environment_of_vllm_is_asked_before_the_run_begins(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"engine.python is /no/python: no such program"):
        check_vllm_environment("/no/python")
    stand_in = tmp_path / "python"
    line = "bootstrap.errors.UserError: vllm 0.33.0 needs transformers <5.21,>=5.16, found 5.23.0: make an environment"
    stand_in.write_text(f"#!/bin/sh\necho '{line}' >&2\nexit 1\n")
    stand_in.chmod(0o755)
    with pytest.raises(
        UserError, match=r"engine.python is .*: vllm 0.33.0 needs transformers <5.21,>=5.16, found 5.23"
    ):
        check_vllm_environment(str(stand_in))


# --- chat template, accelerate's file ---


def model_with(folder: Path, template: str | None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"\x02\x00\x00\x00\x00\x00\x00\x00{}")
    (folder / "tokenizer.json").write_text("{}")
    values = {"chat_template": template} if template else {}
    (folder / "tokenizer_config.json").write_text(json.dumps(values))
    return folder


def chat_config(folder: Path, model: Path, **more: Any) -> Path:
    engine = {"name": "transformers", "device": "cpu"}
    return small_config(folder, engine=engine, base_model=str(model), prompt={"chat": True}, **more)


def test_chat_without_a_template_is_refused_before_anything_is_loaded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = chat_config(tmp_path, model_with(tmp_path / "model", None))
    assert main(["--config", str(config), "--output-dir", str(tmp_path / "outputs")]) == 2
    assert re.search(r"prompt.chat is true, but the tokenizer of .*/model has no chat template", caplog.text)
    with pytest.raises(UserError, match="a model from_scratch has no chat template"):
        facts_of(load_config(None, {"target": "polars_expr", "from_scratch": {}, "prompt.chat": True}))


def test_a_template_may_lie_in_a_file_of_its_own(tmp_path: Path) -> None:
    inside = facts_of(config_of(base_model=str(model_with(tmp_path / "a", "{{ x }}")), prompt__chat=True))
    beside_model = model_with(tmp_path / "b", None)
    (beside_model / "chat_template.jinja").write_text("{{ x }}")
    beside = facts_of(config_of(base_model=str(beside_model), prompt__chat=True))
    assert inside == beside != {}
    assert facts_of(config_of(base_model=str(beside_model))) == {}  # no chat, no template wanted


def begun(tmp_path: Path, path: Path) -> list[str]:
    """Write what a run's folder holds from its first second on; return the words that resume it."""
    config = load_config(path, {})
    store = RunStore(tmp_path / "outputs" / path.stem)
    store.root.mkdir(parents=True)
    start_folder(store, config, "polars", "level 1", facts_of(config))
    return ["--run-name", path.stem, "--output-dir", str(tmp_path / "outputs"), "--resume"]


def test_another_template_than_at_the_start_is_refused_on_resume(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = model_with(tmp_path / "model", "{{ messages }}")
    words = begun(tmp_path, chat_config(tmp_path, model))
    model_with(model, "{{ messages }} now with thoughts")
    assert main(words) == 2
    assert re.search(r"the chat template of .*/model is not what it was when this run began \(digest \w+, now \w+\)",
                     caplog.text)  # fmt: skip


def test_another_number_of_processes_than_at_the_start_is_refused_on_resume(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "accelerate.yaml"
    file.write_text(yaml.safe_dump({"distributed_type": "MULTI_GPU", "num_processes": 2, "use_cpu": True}))
    words = begun(tmp_path, small_config(tmp_path, train__accelerate_config=str(file)))
    file.write_text(yaml.safe_dump({"distributed_type": "MULTI_GPU", "num_processes": 4, "use_cpu": True}))
    assert main(words) == 2
    assert re.search(r"accelerate.yaml \(processes, precision or sharding\) is not what it was", caplog.text)
