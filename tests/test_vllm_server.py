"""Sampling with `vllm serve`: one that the stage starts and ends, and one that runs; with a program that passes for it.

tests/test_vllm_engine.py asks a real one, where vllm is installed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from stand_in_vllm import events, stand_in, tell
from support import ROOT, run_loop, small_config
from test_transformers_engine import build

from bootstrap.commands import Commands
from bootstrap.config import EngineConfig, PromptConfig, RunConfig
from bootstrap.engines import load_engine
from bootstrap.engines.base import Completion, Decoding, Request
from bootstrap.errors import EngineError, UserError
from bootstrap.machine import check_vllm_server, needed_gpus
from bootstrap.models import engine_config
from bootstrap.run_store import RunStore

DECODING = Decoding(temperature=0.8, top_p=0.95, max_new_tokens=20, seed=1)
ADAPTER = {"base_model_name_or_path": "", "r": 8, "lora_alpha": 16}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture
def bin_folder(tmp_path: Path) -> Path:
    return tmp_path / "bin"


def make_adapter(folder: Path, base: Path, content: bytes = b"weights", **settings: Any) -> Path:
    folder.mkdir()
    row = {**ADAPTER, "base_model_name_or_path": str(base), **settings}
    (folder / "adapter_config.json").write_text(json.dumps(row))
    (folder / "adapter_model.safetensors").write_bytes(content)
    return folder


def load(model: Path | str, folder: Path, chat: bool = False, **changed: Any) -> Any:
    settings = {
        "name": "vllm_server", "python": str(folder / "bin" / "python"), "store": str(folder / "answers.jsonl"),
        "backoff_seconds": 0.01, "retries": 3, "start_seconds": 20.0, "batch_sequences": 4,
    }  # fmt: skip
    config = EngineConfig.model_validate(settings | changed)
    return load_engine(str(model), config, PromptConfig(style="plain", chat=chat))


def problems(count: int, samples: int = 1) -> list[Request]:
    return [Request(f"p{i}", f"prompt number {i}", samples) for i in range(count)]


def ask(engine: Any, count: int = 2, samples: int = 2) -> list[Completion]:
    try:
        return sorted(engine.generate(problems(count, samples), DECODING), key=lambda c: (c.problem_id, c.sample_index))
    finally:
        engine.close()


def started(folder: Path) -> list[dict[str, Any]]:
    return [row for row in events(folder / "bin") if "started" in row]


def asked(folder: Path) -> list[dict[str, Any]]:
    return [row["body"] for row in events(folder / "bin") if row.get("path", "").endswith("completions")]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pids: list[int], seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(map(alive, pids))


# -- a server of the stage's own ----------------------------------------------------------------------------------


def test_a_server_is_started_with_the_model_and_ended(
    base: Path, tmp_path: Path, bin_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(bin_folder, delay=0.5)
    settings = {"tensor_parallel_size": 2, "replicas": 3, "max_model_len": 99, "batch_sequences": 10}
    engine = load(base, tmp_path, serve_words=["--kv-cache-dtype", "fp8"], **settings)
    [row] = started(tmp_path)
    assert alive(row["pid"]) and alive(row["core"])
    found = ask(engine, 3, 4)
    assert not alive(row["pid"]) and not alive(row["core"])
    words = row["started"]
    option = {word: words[i + 1] for i, word in enumerate(words[:-1]) if word.startswith("--")}
    assert words[:2] == ["serve", str(base)] and "--enable-prefix-caching" in words and "--enable-lora" not in words
    assert option["--tensor-parallel-size"] == "2" and option["--data-parallel-size"] == "3"
    assert option["--max-num-seqs"] == "4" and option["--max-model-len"] == "99" and option["--dtype"] == "bfloat16"
    assert option["--kv-cache-dtype"] == "fp8" and option["--host"] == "127.0.0.1"
    assert [(c.problem_id, c.sample_index) for c in found] == [(f"p{i}", s) for i in range(3) for s in range(4)]
    assert len({c.text for c in found}) == 12 and {c.tokens for c in found} == {5}
    printed = capsys.readouterr().out
    assert "| INFO loading" in printed and "vllm serve answers after" in printed and "serve " + str(base) in printed


def test_plain_prompts_are_completed_and_chats_are_messages(base: Path, tmp_path: Path, bin_folder: Path) -> None:
    stand_in(bin_folder)
    ask(load(base, tmp_path), 1, 1)
    ask(load(base, tmp_path, chat=True), 1, 1)
    plain, chat = asked(tmp_path)
    assert plain.pop("prompt") == "prompt number 0" and chat.pop("messages")[0]["content"] == "prompt number 0"
    assert plain.pop("seed") != chat.pop("seed")
    assert plain == chat and plain.pop("model").startswith("bootstrap-")
    settings = {"temperature": 0.8, "top_p": 0.95, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
    assert plain == {**settings, "max_tokens": 20}


def test_answers_are_kept_by_the_models_content(base: Path, tmp_path: Path, bin_folder: Path) -> None:
    stand_in(bin_folder)
    adapter = make_adapter(tmp_path / "adapter", base)
    first = ask(load(adapter, tmp_path))
    assert ask(load(adapter, tmp_path)) == first and len(asked(tmp_path)) == 4  # from the store
    (adapter / "adapter_model.safetensors").write_bytes(b"trained")  # the next iteration's, in the same place
    second = ask(load(adapter, tmp_path))
    assert len(asked(tmp_path)) == 8 and {c.text for c in first}.isdisjoint(c.text for c in second)
    ask(load(base, tmp_path))
    assert len(asked(tmp_path)) == 12 and len({body["seed"] for body in asked(tmp_path)}) == 12


def test_an_adapter_is_served_on_its_base(base: Path, tmp_path: Path, bin_folder: Path) -> None:
    stand_in(bin_folder)
    adapter = make_adapter(tmp_path / "adapter", base)
    found = ask(load(adapter, tmp_path, lora_rank=16))
    [row] = started(tmp_path)
    words = row["started"]
    assert words[1] == str(base) and "--enable-lora" in words
    assert words[words.index("--max-lora-rank") + 1] == "16"
    assert words[words.index("--lora-modules") + 1] == f"{asked(tmp_path)[0]['model']}={adapter}"
    assert all(c.text.startswith(str(adapter)) for c in found)
    with pytest.raises(UserError, match=r"has rank 8, and engine\.lora_rank is 4: set engine\.lora_rank to 8"):
        load(adapter, tmp_path, lora_rank=4)


def test_why_a_server_does_not_start_is_said(base: Path, tmp_path: Path, bin_folder: Path) -> None:
    stand_in(bin_folder, fails=(
        "(EngineCore) ERROR ValueError: No available memory for the cache blocks.\n  File x\n"
        "RuntimeError: Engine core initialization failed. See root cause above.\n"
    ))  # fmt: skip
    with pytest.raises(
        UserError,
        match=r"ended with status 1: ValueError: No available memory for the cache blocks\.; by hand: .*serve",
    ):
        load(base, tmp_path)
    [row] = started(tmp_path)
    assert gone([row["pid"], row["core"]])
    tell(bin_folder)
    ask(load(base, tmp_path))  # nothing is left locked


@pytest.mark.parametrize("behaviour", [{"delay": 60}, {"hangs": True}])
def test_a_server_that_never_answers_is_given_up(
    base: Path, tmp_path: Path, bin_folder: Path, behaviour: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bootstrap.engines.remote.own_server.HEALTH_SECONDS", 0.2)
    stand_in(bin_folder, **behaviour)
    with pytest.raises(
        UserError, match=r"does not answer after 1 s \(engine\.start_seconds\).*last line: INFO loading"
    ):
        load(base, tmp_path, start_seconds=1.0)
    [row] = started(tmp_path)
    assert gone([row["pid"], row["core"]])


def test_a_server_that_dies_is_started_again_and_asked_for_the_rest(
    base: Path, tmp_path: Path, bin_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stand_in(bin_folder, dies_after=5)
    found = ask(load(base, tmp_path), 4, 4)
    assert len(found) == len({(c.problem_id, c.sample_index) for c in found}) == 16
    first, second = started(tmp_path)
    assert gone([row[name] for row in (first, second) for name in ("pid", "core")])
    assert "ended with status 7: RuntimeError: CUDA error: an illegal address; it is started again" in (
        capsys.readouterr().out
    )
    stored = (tmp_path / "answers.jsonl").read_text().splitlines()
    assert len([line for line in stored if "response" in json.loads(line)]) == 16


def test_a_server_that_always_dies_ends_the_stage_with_its_reason(base: Path, tmp_path: Path, bin_folder: Path) -> None:
    stand_in(bin_folder, dies_after=3, again=True)
    with pytest.raises(EngineError, match=r"status 7: RuntimeError: CUDA error.*All answers so far are kept"):
        ask(load(base, tmp_path), 8, 4)
    assert len(started(tmp_path)) == 3
    assert 1 <= len((tmp_path / "answers.jsonl").read_text().splitlines()) <= 9


STAGE = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from bootstrap.engines.remote import guard
from test_vllm_server import load
guard.STOP_SECONDS = 2.0
engine = load({base!r}, Path({folder!r}))
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_killed_stage_leaves_no_server(
    base: Path, tmp_path: Path, bin_folder: Path, stubborn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(bin_folder, stubborn=stubborn)
    code = STAGE.format(tests=str(ROOT / "tests"), base=str(base), folder=str(tmp_path))
    stage = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    assert stage.stdout is not None
    for line in stage.stdout:
        if line.strip() == b"ready":
            break
    [row] = started(tmp_path)
    assert alive(row["pid"]) and alive(row["core"])
    os.kill(stage.pid, signal.SIGKILL)
    stage.wait()
    assert gone([row["pid"], row["core"]], 10.0)


def test_what_can_serve_is_looked_for_before_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run_config(**engine: Any) -> RunConfig:
        lora = {"merge": False} if engine.get("base_url") else None
        return RunConfig.model_validate({
            "target": "polars_expr", "base_model": "owner/model", "engine": {"name": "vllm_server", **engine},
            "train": {"lora": lora},
        })  # fmt: skip

    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"no program vllm on the PATH: set engine\.python"):
        check_vllm_server(run_config())
    with pytest.raises(UserError, match=r"engine\.python is /no/python: no such program"):
        check_vllm_server(run_config(python="/no/python"))
    (tmp_path / "python").symlink_to(sys.executable)
    with pytest.raises(UserError, match="no program vllm beside it"):
        check_vllm_server(run_config(python=str(tmp_path / "python")))
    check_vllm_server(run_config(base_url="http://127.0.0.1:1/v1"))
    full = run_config(base_url="http://127.0.0.1:1/v1").model_copy(update={"train": run_config().train})
    with pytest.raises(UserError, match=r"cannot exchange its model.*merge: false"):
        check_vllm_server(full)


def test_the_stages_run_in_the_loops_environment_and_their_answers_stay_in_the_run(tmp_path: Path) -> None:
    engine = {"name": "vllm_server", "python": "/other/python", "tensor_parallel_size": 2, "replicas": 4}
    config = RunConfig.model_validate({"target": "polars_expr", "base_model": "owner/model", "engine": engine})
    store = RunStore(tmp_path / "run")
    assert Commands(store, config, tmp_path).solve(1).words[0] == sys.executable
    assert engine_config(store, config).store == str(store.root / "answers.jsonl")
    assert needed_gpus(config) == 8


# -- a whole run --------------------------------------------------------------------------------------------------

TRAINER = """
import json, shutil, sys
from pathlib import Path
option = dict(zip(sys.argv, sys.argv[1:]))
out = Path(option["--output_dir"])
shutil.copytree(option["--base_model"], out, dirs_exist_ok=True)
weights = bytearray((out / "model.safetensors").read_bytes())
begin = 8 + int.from_bytes(weights[:8], "little")
weights[begin] = (weights[begin] + 1) % 256
(out / "model.safetensors").write_bytes(bytes(weights))
metrics = {"steps": 1, "train_loss": 1.0, "tokens_per_second": 1.0, "seconds": {"train": 0.0}}
(out / "train_metrics.json").write_text(json.dumps(metrics))
"""


def test_every_stage_of_a_run_serves_its_own_model(base: Path, tmp_path: Path, bin_folder: Path) -> None:
    (tmp_path / "trainer.py").write_text(TRAINER)
    python = stand_in(bin_folder, delay=0.1)
    config = small_config(
        tmp_path, engine={"name": "vllm_server", "python": str(python), "batch_sequences": 6, "device": "cpu"},
        base_model=str(base), max_iterations=2, sampling={"waves": [2]}, train__program=str(tmp_path / "trainer.py"),
        train__device="cpu", controls={"seed_only": False, "sample_only_problems": 0},
    )  # fmt: skip
    done = run_loop(config, tmp_path / "outputs")
    assert done.returncode == 0, done.stderr[-2000:]
    run = tmp_path / "outputs" / "small"
    models = [row["started"][1] for row in started(tmp_path)]
    assert {str(base), str(run / "iteration_1" / "model"), str(run / "iteration_2" / "model")} <= set(models)
    stored = [json.loads(line) for line in (run / "answers.jsonl").read_text().splitlines()]
    served = {row["model"]: row["completion"].split()[0] for row in stored if "response" in row}
    assert len(set(served.values())) == len(served) >= 3  # a name and its answers for each content
    assert gone([row[name] for row in started(tmp_path) for name in ("pid", "core")])
    assert "| INFO loading" in next(run.glob("logs/*/iteration_1_solve.log")).read_text()
