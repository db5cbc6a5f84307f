"""The command line from outside: quick help, mistakes answered in one sentence, and a debug run to the end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT, run_loop, small_config

from interpreters import INTERPRETERS

HEAVY = {"torch", "transformers", "trl", "vllm", "wandb", "polars", "duckdb", "matplotlib", "numpy", "datasets"}


def test_help_imports_nothing_heavy() -> None:
    words = [sys.executable, "-X", "importtime", "bootstrap_loop.py", "--help"]
    ended = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=True)
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in ended.stderr.splitlines()}
    assert "bootstrap" in imported
    assert not imported & HEAVY
    assert "--resume-iteration" in ended.stdout


MISTAKES: dict[str, tuple[list[str], list[str]]] = {
    "unknown key": (["train.learning_rat=1"], ["unknown key 'train.learning_rat'", "did you mean 'learning_rate'"]),
    "unknown target": (["--target", "polars_exp"], ["did you mean 'polars_expr'", *INTERPRETERS]),
    "unknown engine": (["engine.name=script"], ["no engine 'script'", "did you mean 'scripted'", "transformers"]),
    "unknown source": (["source.name=table_pipeline"], ["no problem source", "did you mean 'table_pipelines'"]),
    "unknown option": (["source.options.cout=3"], ["source.options.cout", "did you mean 'count'"]),
    "missing model": (["engine.name=transformers", "--base-model", "./nowhere"], ["./nowhere: no such folder"]),
    "nothing to resume": (["--resume-iteration", "1"], ["there is no run in", "small to resume"]),
    "not a setting": (["train.steps"], ["override 'train.steps': expected key=value"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence_and_leaves_no_folder(tmp_path: Path, mistake: str) -> None:
    words, sentences = MISTAKES[mistake]
    ended = run_loop(small_config(tmp_path), tmp_path / "outputs", *words)
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    for sentence in sentences:
        assert sentence in ended.stderr
    assert not (tmp_path / "outputs").exists()


def test_a_configuration_that_is_not_there_is_answered_with_the_nearest(tmp_path: Path) -> None:
    small_config(tmp_path)
    ended = run_loop(tmp_path / "smal.yaml", tmp_path / "outputs")
    assert ended.returncode == 2
    assert f"no configuration file {tmp_path / 'smal.yaml'}; did you mean '{tmp_path / 'small.yaml'}'" in ended.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [([], "give --config FILE"), (["--run-name", "gone", "--resume"], "there is no run in {outputs}/gone to resume")],
)
def test_without_a_configuration_there_must_be_a_run(tmp_path: Path, words: list[str], sentence: str) -> None:
    command = [sys.executable, "bootstrap_loop.py", "--output-dir", str(tmp_path), *words]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert ended.returncode == 2
    assert sentence.format(outputs=tmp_path) in ended.stderr
    assert list(tmp_path.iterdir()) == []


def test_debug_runs_one_small_iteration_to_the_end_in_a_folder_of_its_own(tmp_path: Path) -> None:
    config = small_config(tmp_path)  # the settings stand before and after the flags
    ended = run_loop(config, tmp_path / "outputs", "controls.seed_only=false", "--debug", "split.seeds=5")
    assert ended.returncode == 0, ended.stderr
    [run] = (tmp_path / "outputs").iterdir()
    assert run.name.startswith("small-debug-")
    assert [folder.name for folder in sorted(run.glob("iteration_*"))] == ["iteration_0", "iteration_1"]
    assert json.loads((run / "final_report.json").read_text())["stopped_because"] == "max iterations: 1"
    resolved = json.loads((run / "config.resolved.json").read_text())
    assert (resolved["split"]["seeds"], resolved["split"]["dev"]) == (5, 4)
    assert resolved["controls"]["seed_only"] is False
    assert (run / "report.html").is_file()


def test_debug_fits_a_configuration_whose_model_is_given_by_hand(tmp_path: Path) -> None:
    config = tmp_path / "bare.yaml"
    config.write_text("target: polars_expr\nengine: {name: script}\n")
    ended = run_loop(config, tmp_path / "outputs", "--debug", "--base-model", "owner/model")
    assert "no engine 'script'" in ended.stderr
