"""GPUs are watched through a program that imitates nvidia-smi: what it says is written, and shown in the report."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from recorded_runs import Recorded, Sampled, record_run
from support import run_loop, small_config

from bootstrap.gpu_samples import ask, gpu_samples, parse
from bootstrap.status_files import read_gpu_now
from eval.final_report import RunFiles, build_report, without_times, write_final_report
from eval.gpu_curve import gpu_svg, gpu_use, read_gpu

TWO_GPUS = """#!/bin/sh
echo "$@" >> "$0.calls"
echo '0, 97, 61234, 81559, 540.12'
echo '1, [N/A], 1024, 81559, [Not Supported]'
"""
StandIn = Callable[[str], Path]


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Return what puts a program named nvidia-smi on the path."""

    def put(script: str) -> Path:
        program = tmp_path / "bin" / "nvidia-smi"
        program.parent.mkdir(exist_ok=True)
        program.write_text(script)
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
        return program

    return put


def watched(path: Path, stage: str = "TRAIN", seconds: float = 0.6) -> list[dict[str, object]]:
    with gpu_samples(path, stage, every=0.1):
        time.sleep(seconds)
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_each_gpu_is_sampled_while_the_stage_runs(tmp_path: Path, stand_in: StandIn) -> None:
    stand_in(TWO_GPUS)
    rows = watched(tmp_path / "gpu.jsonl")
    assert len(rows) >= 4
    assert {k: v for k, v in rows[0].items() if k != "time"} == {
        "gpu": 0, "utilisation": 97.0, "memory_mb": 61234.0, "memory_total_mb": 81559.0, "power_w": 540.12,
        "stage": "TRAIN",
    }  # fmt: skip
    assert (rows[1]["gpu"], rows[1]["utilisation"], rows[1]["power_w"]) == (1, None, None)
    count = len(rows)
    time.sleep(0.3)
    assert len((tmp_path / "gpu.jsonl").read_text().splitlines()) <= count + 2  # the one that was under way


def test_only_the_gpus_that_the_run_may_use_are_asked_for(stand_in: StandIn) -> None:
    program = stand_in(TWO_GPUS)
    for visible in ("2,3", "", "-1"):
        ask(str(program), {"CUDA_VISIBLE_DEVICES": visible})
    calls = Path(f"{program}.calls").read_text().splitlines()
    assert ["--id=2,3" in call for call in calls] == [True, False, False]


def test_nothing_is_written_without_nvidia_smi_or_in_a_stage_without_gpu(
    tmp_path: Path, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(TWO_GPUS)
    assert watched(tmp_path / "gpu.jsonl", "BUILD", 0.1) == []
    monkeypatch.setenv("PATH", str(tmp_path))
    assert watched(tmp_path / "gpu.jsonl", "TRAIN", 0.1) == []


@pytest.mark.parametrize(
    "script", ["#!/bin/sh\necho 'NVIDIA-SMI has failed'; exit 9\n", "#!/bin/sh\necho 'No devices were found'\n"]
)
def test_a_failing_nvidia_smi_ends_the_watching_with_one_line(
    tmp_path: Path, stand_in: StandIn, caplog: pytest.LogCaptureFixture, script: str
) -> None:
    stand_in(script)
    with caplog.at_level(logging.INFO):
        assert watched(tmp_path / "gpu.jsonl") == []
    assert [record.getMessage()[:35] for record in caplog.records] == ["the GPUs are not watched in TRAIN o"]


def test_a_line_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 5 values"):
        parse("0, 97")


def sample(stage: str, at: float, load: float | None, used: float | None) -> dict[str, object]:
    return {"gpu": 0, "utilisation": load, "memory_mb": used, "memory_total_mb": 1000.0, "power_w": None,
            "stage": stage, "time": at}  # fmt: skip


def test_use_is_summed_up_by_stage() -> None:
    rows = [sample("SOLVE", 1, 50.0, 100.0), sample("SOLVE", 2, 100.0, 400.0), sample("TRAIN", 3, None, None)]
    found = gpu_use(rows)
    assert (found["SOLVE"].utilisation_mean, found["SOLVE"].memory_peak_mb, found["SOLVE"].samples) == (75.0, 400.0, 2)
    assert (found["TRAIN"].utilisation_mean, found["TRAIN"].memory_peak_mb) == (None, None)


def test_the_curve_names_its_stages_and_stays_small() -> None:
    rows = [sample("SOLVE" if i < 4000 else "<TRAIN>", i, 50.0, 500.0) for i in range(8000)]
    svg = gpu_svg(rows)
    assert ">SOLVE<" in svg and "&lt;TRAIN&gt;" in svg
    assert len(svg) < 40_000
    assert gpu_svg([]) == ""


def test_the_report_shows_the_curve_and_leaves_the_rest_as_it_is(tmp_path: Path) -> None:
    store, _ = record_run(tmp_path / "run", Recorded(lambda *_: Sampled(), [{0}, {0}], train=20))
    before = json.loads(json.dumps(without_times(_as_json(store.root))))
    lines = [json.dumps(sample("SOLVE", i, 90.0, 800.0)) for i in range(5)]
    (store.iteration(1) / "gpu.jsonl").write_text("\n".join([*lines[:2], '{"gpu": 0, "sta', *lines[2:]]) + "\n")
    after = _as_json(store.root)
    assert after["timing"]["gpu"]["SOLVE"]["samples"] == 5
    assert without_times(after) == before
    assert '<section id="gpu">' in (store.root / "report.html").read_text()
    assert build_report(RunFiles(store)).timing.gpu["SOLVE"].memory_peak_mb == 800.0
    assert read_gpu([tmp_path / "none"]) == []


def _as_json(root: Path) -> dict[str, dict[str, dict[str, dict[str, object]]]]:
    write_final_report(root)
    found: dict[str, dict[str, dict[str, dict[str, object]]]] = json.loads((root / "final_report.json").read_text())
    return found


def test_the_loop_watches_its_stages(tmp_path: Path, stand_in: StandIn) -> None:
    stand_in(TWO_GPUS)
    ended = run_loop(small_config(tmp_path), tmp_path / "outputs", "--max-iterations", "1")
    assert ended.returncode == 0, ended.stderr
    run = tmp_path / "outputs" / "small"
    stages = {row["stage"] for row in read_gpu([run / "iteration_1" / "gpu.jsonl", run / "final" / "gpu.jsonl"])}
    assert stages == {"SOLVE", "TRAIN", "EVALUATE", "CONTROLS", "TEST"}
    assert json.loads((run / "final_report.json").read_text())["timing"]["gpu"]["SOLVE"]["gpus"] == 2


def test_the_status_shows_what_is_fresh(tmp_path: Path) -> None:
    path = tmp_path / "gpu.jsonl"
    path.write_text(json.dumps(sample("SOLVE", time.time(), 88.0, 640.0)) + "\n")
    assert read_gpu_now(path) == "GPUs: 88 % load, 640 of 1,000 MB"
    path.write_text(json.dumps(sample("SOLVE", time.time() - 3600, 88.0, 640.0)) + "\n")
    assert read_gpu_now(path) == ""
