"""How the loop launches a training: accelerate's files as accelerate reads them, the command, and two processes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import ROOT, run_loop, small_config
from test_run_sft import ROWS, base, flags, train_file, write_rows  # noqa: F401 - fixtures

from bootstrap.accelerate_config import Launch, launch_digest, launch_of
from bootstrap.children import Command
from bootstrap.commands import Commands
from bootstrap.config import RunConfig, load_config
from bootstrap.errors import UserError
from bootstrap.run_store import RunStore
from bootstrap.train_config import TrainConfig
from sft.run_sft import parse_args

FILES = sorted((ROOT / "configs" / "accelerate").glob("*.yaml"))
TWO_ON_A_CPU = {
    "compute_environment": "LOCAL_MACHINE", "distributed_type": "MULTI_GPU", "use_cpu": True, "mixed_precision": "no",
    "num_machines": 1, "num_processes": 2, "machine_rank": 0, "main_process_port": 0, "main_training_function": "main",
}  # fmt: skip
"""Under MULTI_CPU accelerate wants MPI; this way it starts torch's own launcher."""


def commands_of(tmp_path: Path, **train: Any) -> Commands:
    config = load_config(
        None, {"target": "polars_expr", "base_model": "owner/base", **{f"train.{k}": v for k, v in train.items()}}
    )
    return Commands(RunStore(tmp_path / "run"), config, tmp_path / "logs")


def trainer_words(command: Command) -> tuple[list[str], Any]:
    """Return the words before the trainer, and its own arguments as it reads them."""
    at = command.words.index("sft/run_sft.py")
    return list(command.words[:at]), parse_args(list(command.words[at + 1 :]))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_accelerate_reads_every_file(path: Path) -> None:
    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser

    found = load_config_from_file(str(path))
    assert found.mixed_precision == "bf16"
    assert f"configs/accelerate/{path.name}" in path.read_text(encoding="utf-8")
    args, _, _ = _validate_launch_command(
        launch_command_parser().parse_args(["--config_file", str(path), "sft/run_sft.py", "--use_lora"])
    )
    launch = launch_of(TrainConfig(accelerate_config=str(path)))
    assert (args.num_processes, args.num_machines) == (launch.processes, launch.machines)
    if "fsdp" in path.name or path.name == "two_nodes.yaml":
        assert (args.use_fsdp, args.fsdp_version, args.fsdp_state_dict_type) == (True, 2, "FULL_STATE_DICT")
        unknown = [key for key in yaml.safe_load(path.read_text())["fsdp_config"] if not hasattr(args, key)]
        assert unknown == []
    if path.name == "zero3_8gpu.yaml":
        assert (args.use_deepspeed, args.zero_stage, args.zero3_save_16bit_model) == (True, 3, True)


def test_the_files_say_how_many_processes_share_the_weights() -> None:
    found = {path.stem: launch_of(TrainConfig(accelerate_config=str(path))) for path in FILES}
    assert found == {
        "one_gpu": Launch(1), "fsdp2_8gpu": Launch(8, 1, sharded=True), "zero3_8gpu": Launch(8, 1, sharded=True),
        "two_nodes": Launch(16, 2, sharded=True),
    }  # fmt: skip


def test_the_loop_launches_by_accelerates_file(tmp_path: Path) -> None:
    file = "configs/accelerate/fsdp2_8gpu.yaml"
    [command, twin] = commands_of(tmp_path, accelerate_config=file).trainings(1, 0)
    start, args = trainer_words(command)
    assert start == [sys.executable, "-m", "accelerate.commands.launch", "--config_file", file]
    assert args.base_model == "owner/base" and twin.words[: len(start)] == tuple(start)
    assert not commands_of(tmp_path, accelerate_config=file).can_wait(command)
    start, _ = trainer_words(commands_of(tmp_path, accelerate_config=file, launcher=["srun", "-N2"]).trainings(1, 0)[0])
    assert start[:3] == ["srun", "-N2", sys.executable]


def test_every_training_setting_reaches_the_trainer(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "lora": {"r": 8, "alpha": 16, "load_in_4bit": True, "merge": False}, "packing": True, "device": "cpu",
        "attn_implementation": "flash_attention_2", "gradient_checkpointing": True, "precision": "bf16",
    }  # fmt: skip
    _, args = trainer_words(commands_of(tmp_path, **settings).trainings(1, 0)[0])
    assert (args.use_lora, args.load_in_4bit, args.merge_lora, args.lora_r) == (True, True, False, 8)
    assert (args.packing, args.attn_implementation, args.use_cpu) == (True, "flash_attention_2", True)
    assert (args.gradient_checkpointing, args.precision, args.continue_adapter) == (True, "bf16", False)


@pytest.mark.parametrize(("merge", "end"), [(True, "iteration_1/model/adapter"), (False, "iteration_1/model")])
def test_the_best_adapter_goes_on_from_where_it_lies(tmp_path: Path, merge: bool, end: str) -> None:
    commands = commands_of(tmp_path, lora={"merge": merge}, start_from="best_adapter")
    _, first = trainer_words(commands.trainings(1, 0)[0])  # nothing has been trained yet
    assert (first.base_model, first.continue_adapter) == ("owner/base", False)
    _, second = trainer_words(commands.trainings(2, 1)[0])
    assert second.base_model.endswith(end) and second.continue_adapter
    _, twin = trainer_words(commands.trainings(2, 1)[1])
    assert twin.base_model.endswith(end.replace("model", "control_model", 1)) and twin.continue_adapter


def test_samplers_may_have_an_environment_of_their_own(tmp_path: Path) -> None:
    commands = commands_of(tmp_path)
    config = commands.config.model_copy(
        update={"engine": commands.config.engine.model_copy(update={"python": "/other/bin/python"})}
    )
    moved = Commands(commands.store, config, commands.logs)
    samplers = [moved.solve(1), moved.evaluate(1), moved.sample_only(1), moved.test(1)]
    assert {command.words[0] for command in samplers} == {"/other/bin/python"}
    assert {c.words[0] for c in (*moved.trainings(1, 0), moved.final_report())} == {sys.executable}


@pytest.mark.parametrize(("train", "sentence"), [
    ({"packing": True}, "packing needs attn_implementation: flash_attention_2"),
    ({"packing": True, "attn_implementation": "sdpa"}, "other attention would let a row see the one before it"),
    ({"start_from": "best_adapter"}, "start_from best_adapter needs lora"),
    ({"start_from": "best", "lora": {"merge": False}}, "start_from best needs lora.merge"),
])  # fmt: skip
def test_settings_that_exclude_each_other_are_refused(tmp_path: Path, train: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=re.escape(sentence)):
        commands_of(tmp_path, **train)


def test_what_decides_results_in_accelerates_file_has_a_digest(tmp_path: Path) -> None:
    def digest(**changed: Any) -> str | None:
        path = tmp_path / "file.yaml"
        path.write_text(yaml.safe_dump({**TWO_ON_A_CPU, **changed}))
        return launch_digest(TrainConfig(accelerate_config=str(path)))

    assert digest() == digest(main_process_ip="elsewhere", main_process_port=1) != digest(num_processes=4)
    assert launch_digest(TrainConfig()) is None
    with pytest.raises(UserError, match=r"expected num_processes, a number of at least 1, found None"):
        digest(num_processes=None)


@pytest.mark.slow
def test_two_processes_train_by_the_loops_own_command(base: Path, train_file: Path, tmp_path: Path) -> None:  # noqa: F811
    """The command of the TRAIN stage, run as it is: accelerate, gloo, two processes, one model."""
    file = tmp_path / "two.yaml"
    file.write_text(yaml.safe_dump(TWO_ON_A_CPU))
    values = {
        "target": "polars_expr", "base_model": str(base), "train.accelerate_config": str(file), "train.steps": 4,
        "train.device": "cpu", "train.threads": 1, "train.batch_size": 4,
    }  # fmt: skip
    store = RunStore(tmp_path / "run")
    store.iteration(1).mkdir(parents=True)
    write_rows(store.train_file(1), ROWS)
    [command, _] = Commands(store, load_config(None, values), tmp_path / "logs").trainings(1, 0)
    done = subprocess.run(command.words, capture_output=True, cwd=ROOT, timeout=240)
    assert done.returncode == 0, done.stderr.decode()
    metrics = json.loads((store.model(1) / "train_metrics.json").read_text())
    assert (metrics["processes"], metrics["steps"], metrics["epochs"]) == (2, 4, pytest.approx(0.8))


@pytest.mark.slow
def test_no_worker_outlives_a_killed_launcher(base: Path, train_file: Path, tmp_path: Path) -> None:  # noqa: F811
    file = tmp_path / "two.yaml"
    file.write_text(yaml.safe_dump(TWO_ON_A_CPU))
    words = ["-m", "accelerate.commands.launch", "--config_file", str(file), str(ROOT / "sft" / "run_sft.py")]
    program = [sys.executable, *words, *flags(base, train_file, tmp_path / "out", steps=100_000)]
    with open(tmp_path / "log", "wb") as log:
        launcher = subprocess.Popen(program, stderr=log, stdout=log)
    deadline = time.monotonic() + 120
    while b"\nstep " not in (tmp_path / "log").read_bytes() and time.monotonic() < deadline:
        time.sleep(0.1)
    workers = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
    launcher.kill()
    launcher.wait()
    time.sleep(2)
    assert len(workers) == 2 and [pid for pid in workers if running(pid)] == []


def running(pid: str) -> bool:
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


def test_a_missing_file_of_accelerate_is_named(tmp_path: Path) -> None:
    config = small_config(tmp_path, train__accelerate_config="configs/accelerate/fsdp_8gpu.yaml")
    ended = run_loop(config, tmp_path / "outputs")
    assert ended.returncode == 2
    assert re.search(r"error: no configuration file .*did you mean .*fsdp2_8gpu\.yaml", ended.stderr)


def test_old_runs_have_settings_for_what_is_new() -> None:
    config = load_config(None, {"target": "polars_expr", "base_model": "owner/base"})
    old = config.model_dump(mode="json")
    for key in ("accelerate_config", "attn_implementation", "packing", "device"):
        del old["train"][key]
    assert RunConfig.model_validate(old) == config


def test_a_loop_goes_on_with_the_adapter_of_its_best_iteration(tmp_path: Path) -> None:
    config = small_config(
        tmp_path, train__start_from="best_adapter", train__lora={"merge": False}, max_iterations=2,
        controls={"seed_only": False, "sample_only_problems": 0},
    )  # fmt: skip
    ended = run_loop(config, tmp_path / "outputs")
    assert ended.returncode == 0, ended.stderr
    log = (tmp_path / "outputs" / "small" / "bootstrap.log").read_text(encoding="utf-8")
    second = next(line for line in log.splitlines() if "start iteration_2_train:" in line)
    assert "iteration_1/model" in second and "--continue_adapter" in second
