"""The page for GPU boxes: what it names is there, its commands parse, and its Slurm script stops and goes on."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import ROOT, small_config
from test_docs import code_of, fenced, loop_commands

from bootstrap.cli import collect_overrides, make_parser
from bootstrap.config import load_config
from bootstrap.memory import main as memory

PAGE = (ROOT / "docs" / "gpu_box.md").read_text(encoding="utf-8")


def test_what_the_page_names_is_there() -> None:
    files = set(re.findall(r"configs/[\w./-]+\.yaml", PAGE))
    modules = set(re.findall(r"-m ((?:bootstrap|eval|interpreters)\.\w+)", code_of(PAGE)))
    assert len(files) >= 7 and {"bootstrap.memory", "bootstrap.status", "eval.compare"} <= modules
    assert sorted(name for name in files if not (ROOT / name).is_file()) == []
    assert sorted(name for name in modules if not (ROOT / (name.replace(".", "/") + ".py")).is_file()) == []


def test_its_commands_are_understood(capsys: pytest.CaptureFixture[str]) -> None:
    commands = [words for words in loop_commands(PAGE) if "$CONFIG" not in words]
    assert len(commands) >= 2
    for words in commands:
        args = make_parser().parse_intermixed_args(words)
        args.config = ROOT / args.config
        load_config(args.config, collect_overrides(args))
    plans = [line.split("#")[0].split()[3:] for line in code_of(PAGE).splitlines() if "-m bootstrap.memory --" in line]
    assert [memory(words) for words in plans] == [0, 2]
    assert "Nearest that fits" in capsys.readouterr().err


@pytest.mark.parametrize("setting", ["train.lora={r: 32, alpha: 64, load_in_4bit: true}", "memory_check=warn"])
def test_its_settings_are_settings(setting: str) -> None:
    assert f"`{setting}`" in PAGE
    args = make_parser().parse_intermixed_args(["--config", str(ROOT / "configs" / "qwen3_32b_lora.yaml"), setting])
    load_config(args.config, collect_overrides(args))


def test_the_slurm_script_stops_requeues_and_goes_on(tmp_path: Path) -> None:
    [script] = [block for block in fenced(PAGE) if "#SBATCH" in block]
    (tmp_path / "loop.sh").write_text(script)
    (tmp_path / "scontrol").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/requeued\n')
    (tmp_path / "scontrol").chmod(0o755)
    outputs = tmp_path / "outputs"
    environment = {
        **os.environ, "SLURM_JOB_ID": "7", "SLURM_SUBMIT_DIR": str(ROOT), "CONFIG": str(small_config(tmp_path)),
        "LOOP_WORDS": f"--output-dir {outputs}",
        "PATH": f"{tmp_path}:{Path(sys.executable).parent}:{os.environ['PATH']}",
    }  # fmt: skip
    words = ["bash", str(tmp_path / "loop.sh")]
    first = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (outputs / "small" / "iteration_1").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    first.send_signal(signal.SIGTERM)
    assert first.wait(60) == 0
    assert (tmp_path / "requeued").read_text() == "requeue 7\n"
    assert not (outputs / "small" / "final_report.json").exists()
    subprocess.run(words, env=environment, check=True, timeout=240, capture_output=True)
    assert (outputs / "small" / "final_report.json").is_file()
