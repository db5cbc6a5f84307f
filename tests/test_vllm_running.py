"""Sampling with a `vllm serve` that runs already, and the digests by which its answers are kept."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from stand_in_vllm import events, stand_in
from test_transformers_engine import build
from test_vllm_server import ask, asked, load, make_adapter

from bootstrap.engines.remote.own_server import free_port
from bootstrap.engines.vllm_engine import adapter_digest
from bootstrap.engines.vllm_server import content_digest
from bootstrap.errors import EngineError, UserError


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture
def bin_folder(tmp_path: Path) -> Path:
    return tmp_path / "bin"


@pytest.fixture
def running(base: Path, bin_folder: Path) -> Iterator[str]:
    stand_in(bin_folder, adapters=["adapter"])
    with served(base, bin_folder) as url:
        yield url


@contextmanager
def served(base: Path, bin_folder: Path) -> Iterator[str]:
    """Run the stand-in; give its address."""
    port = free_port()
    words = [str(bin_folder / "vllm"), "serve", str(base), "--served-model-name", "mine", "--host", "127.0.0.1"]
    server = subprocess.Popen([*words, "--port", str(port)], start_new_session=True)
    try:
        wait_for(port, server)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    pytest.fail("the stand-in does not start")


def test_a_running_server_is_asked_for_its_base_and_for_adapters(running: str, base: Path, tmp_path: Path) -> None:
    assert all(c.text.startswith(str(base)) for c in ask(load(base, tmp_path, base_url=running)))
    assert {body["model"] for body in asked(tmp_path)} == {"mine"}
    for content in (b"one", b"two"):
        adapter = make_adapter(tmp_path / f"adapter_{content.decode()}", base, content)
        assert all(c.text.startswith(str(adapter)) for c in ask(load(adapter, tmp_path, base_url=running)))
    control = [(row["path"], row["body"]["lora_name"]) for row in events(tmp_path / "bin") if "lora" in str(row)]
    names = [name for path, name in control if path == "/v1/load_lora_adapter"]
    assert len(set(names)) == 2
    assert [name for path, name in control if path == "/v1/unload_lora_adapter"] == names


def test_an_adapter_that_a_killed_program_left_is_used(running: str, base: Path, tmp_path: Path) -> None:
    adapter = make_adapter(tmp_path / "adapter", base)
    left = load(adapter, tmp_path, base_url=running)
    again = load(adapter, tmp_path, base_url=running, store=str(tmp_path / "other.jsonl"))
    assert len(ask(again)) == 4
    left.close()  # it is gone already: no matter


def test_what_a_running_server_cannot_do_is_a_sentence(
    running: str, base: Path, tmp_path: Path, bin_folder: Path
) -> None:
    other = make_adapter(tmp_path / "unfit", base)
    with pytest.raises(UserError, match=r"refused the adapter .* \(status 400: LoRA rank 64 is greater"):
        load(other, tmp_path, base_url=running)
    trained = build(tmp_path / "trained", seed=4)
    with pytest.raises(UserError, match=rf"serves {re.escape(str(base))}, and .*trained is wanted.*merge=false"):
        load(trained, tmp_path, base_url=running)
    with pytest.raises(EngineError, match=r"http://127\.0\.0\.1:9/v1 does not answer"):
        load(base, tmp_path, base_url="http://127.0.0.1:9/v1")


def test_a_running_server_without_adapters_is_told_how_to_start(base: Path, tmp_path: Path, bin_folder: Path) -> None:
    stand_in(bin_folder)
    adapter = make_adapter(tmp_path / "adapter", base)
    how = "start it as `VLLM_ALLOW_RUNTIME_LORA_UPDATING=1 vllm serve"
    with served(base, bin_folder) as url, pytest.raises(UserError, match=how):
        load(adapter, tmp_path, base_url=url)


# -- which model it is --------------------------------------------------------------------------------------------


def test_every_matrix_counts_in_a_models_digest(base: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(base, copy)
    assert content_digest(str(copy), None) == content_digest(str(base), None)
    content = (copy / "model.safetensors").read_bytes()
    length = int.from_bytes(content[:8], "little")
    tensors = json.loads(content[8 : 8 + length])
    for name in ("model.layers.0.self_attn.q_proj.weight", "model.norm.weight", "model.layers.1.mlp.up_proj.weight"):
        begin = 8 + length + tensors[name]["data_offsets"][0]
        changed = content[:begin] + bytes([content[begin] ^ 1]) + content[begin + 1 :]
        (copy / "model.safetensors").write_bytes(changed)
        assert content_digest(str(copy), None) != content_digest(str(base), None), name


def test_how_an_adapter_is_applied_counts_and_where_its_base_lies_does_not(base: Path, tmp_path: Path) -> None:
    first = make_adapter(tmp_path / "first", base)
    assert adapter_digest(first) == adapter_digest(make_adapter(tmp_path / "moved", base / "elsewhere"))
    assert adapter_digest(first) != adapter_digest(make_adapter(tmp_path / "scaled", base, lora_alpha=32))
