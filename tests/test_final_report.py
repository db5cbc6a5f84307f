"""The final report is computed from a run's files alone; these tests write such folders and read what comes out."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from bootstrap.run_store import RunStore
from eval.final_report import (
    RunFiles,
    build_report,
    main,
    report_bytes,
    without_times,
    write_final_report,
)
from eval.metrics import ProblemScore, summarise
from eval.report_shape import FinalReport

HOSTILE = "</pre></script><img src=x onerror=alert(1)>{{ 7*7 }}\x00\u202e"
SEEDS = 40
LOSSES = ("WRONG_ANSWER", "RUNTIME_ERROR", "SYNTAX_ERROR", "TIMEOUT")


@dataclass(frozen=True)
class RunShape:
    """What a synthetic run holds; `skill` is the chance of a right answer by iteration."""

    skill: tuple[float, ...] = (0.18, 0.44, 0.62, 0.71, 0.77)
    control_skill: tuple[float, ...] | None = (0.25, 0.29, 0.31, 0.32)
    train: int = 300
    held_out: int = 120
    samples: int = 4
    finished: bool = True
    hostile: bool = False
    speed: float = 1.0  # scales every time


def make_run(folder: Path, shape: RunShape = RunShape()) -> Path:
    """Write the folder of a run as the loop leaves it and return its path."""
    folder.mkdir(parents=True)
    sizes = {"train": shape.train + SEEDS, "dev": shape.held_out, "test": shape.held_out}
    ids = {name: [f"{name}-{i:04d}" for i in range(n)] for name, n in sizes.items()}
    ids["seeds"] = ids["train"][:SEEDS]
    _write(folder / "run.json", _run_record(folder.name))
    _write(folder / "split.json", {**ids, "quarantined": {"bad-1": "the reference fails its own tests"}})
    _write_rows(folder / "problems.jsonl", (_problem(i, shape) for name in sizes for i in ids[name]))
    solved = 0
    for iteration in range(len(shape.skill)):
        solved = _write_iteration(folder, shape, iteration, ids, solved)
    if shape.finished:
        _write_final(folder, shape, ids["test"], solved)
    return folder


def _run_record(name: str) -> dict[str, object]:
    return {
        "format": 1, "run": name, "target": "polars", "language": "Polars", "base_model": "from scratch (0.65M)",
        "created": "2026-11-20T10:00:00Z", "versions": {"python": "3.11.9", "torch": "2.13.0", "polars": "2.1.0"},
        "git_commit": "0123abc", "sandbox": "namespaces + seccomp + rlimits (level 3 of 3)",
        "settings": {"seed": 1, "sampling": {"waves": [4, 4], "temperature": 1.0}, "train": {"steps": 300}},
        "resume_command": f"python bootstrap_loop.py --config outputs/{name}/config.resolved.json --resume",
    }  # fmt: skip


def _problem(problem_id: str, shape: RunShape) -> dict[str, object]:
    statement = f"keep rows where amount is above 12 , then sort by qty descending . ({problem_id})"
    return {
        "format": 1, "problem_id": problem_id, "statement": HOSTILE if shape.hostile else statement, "tests": [],
        "family": problem_id, "source": "table_pipelines", "difficulty": _steps(problem_id), "references": {},
    }  # fmt: skip


def _steps(problem_id: str) -> int:
    return int(problem_id.rsplit("-", 1)[1]) % 3 + 1


def scores(ids: Iterable[str], skill: float, seed: object) -> list[dict[str, object]]:
    """Return rows of an evaluation: harder problems are solved less often."""
    luck = random.Random(str(seed))
    return [_score(i, luck.random() < min(1.0, skill * 3 / (1 + _steps(i)))) for i in ids]


def _score(problem_id: str, passed: bool) -> dict[str, object]:
    code = "df.filter(pl.col('amount') > 12).sort('qty', descending=True)"
    return {
        "problem_id": problem_id, "family": problem_id, "difficulty": _steps(problem_id),
        "n": 1, "correct": int(passed), "outcome": "PASSED" if passed else "WRONG_ANSWER", "completion": code,
        "code": code if passed else "df.head(12)", "message": "" if passed else "row 1: expected qty 9, found 4",
    }  # fmt: skip


def _rate(rows: list[dict[str, object]]) -> dict[str, object]:
    return asdict(summarise([ProblemScore.from_json(row) for row in rows]))


def _write_iteration(folder: Path, shape: RunShape, iteration: int, ids: Mapping[str, list[str]], solved: int) -> int:
    here, pace = folder / f"iteration_{iteration}", shape.speed
    (here / "evaluation").mkdir(parents=True)
    first = {"CONVERT": {"seconds": 3.2 * pace, "seeds": SEEDS, "accepted": SEEDS, "quarantined": 1}}
    stages: dict[str, dict[str, object]] = first if iteration == 0 else {}
    if iteration:
        rows = list(_candidates(shape, iteration, ids["train"][SEEDS + solved :]))
        _write_rows(here / "candidates.jsonl", rows)
        new = len({row["problem_id"] for row in rows if row["outcome"] == "PASSED"})
        outcomes = Counter(str(row["outcome"]) for row in rows)
        stages["SOLVE"] = {
            "seconds": 21.0 * pace, "attempted": len(ids["train"]) - SEEDS - solved, "samples": len(rows),
            "distinct": len(rows) // 2, "newly_solved": new, "solved_total": SEEDS + solved + new, "outcomes": outcomes,
            "tokens": 9000, "sampling_seconds": 18.0 * pace, "checking_seconds": 4.0 * pace,
            "engine_seconds": 18.0 * pace,
        }  # fmt: skip
        solved += new
    stages["BUILD"] = {"seconds": 0.6 * pace, "train_rows": SEEDS + solved, "generated": 80, "valid": 60, "kept": 40}
    stages["TRAIN"] = {
        "seconds": 60.0 * pace, "steps": 300, "train_loss": 0.9 / (1 + iteration), "tokens_per_second": 15000,
        "control_seconds": 28.0 * pace, "train_seconds": 55.0 * pace, "total_steps": 400 + 300 * iteration,
    }  # fmt: skip
    dev = scores(ids["dev"], shape.skill[iteration], f"dev {iteration}")
    _write_rows(here / "evaluation" / "dev.jsonl", dev)
    control = None
    if iteration and shape.control_skill:
        control = _rate(scores(ids["dev"], shape.control_skill[iteration - 1], f"control {iteration}"))
    stages["EVALUATE"] = {
        "seconds": 4.0 * pace, "dev": _rate(dev), "control_dev": control, "best_so_far": True,
        "engine_seconds": 3.0 * pace,
    }  # fmt: skip
    _write(
        here / "metadata.json",
        {"iteration": iteration, "parent": iteration - 1 if iteration else None, "stages": stages},
    )
    return solved


def _candidates(shape: RunShape, iteration: int, unsolved: list[str]) -> Iterable[dict[str, object]]:
    luck = random.Random(iteration)
    for problem_id in unsolved:
        for sample in range(shape.samples):
            passed = luck.random() < shape.skill[iteration - 1] / 3
            yield {
                "problem_id": problem_id, "iteration": iteration, "wave": 0, "sample_index": sample, "batch": 0,
                "prompt_digest": "0" * 16, "completion": HOSTILE, "tokens": 12, "seconds": 0.002,
                "sampler": "", "seed": 1, "code": HOSTILE if shape.hostile else f"df.sort('qty').head({sample})",
                "failed_test": None if passed else 0, "outcome": "PASSED" if passed else luck.choice(LOSSES),
                "message": HOSTILE if shape.hostile else "" if passed else "ColumnNotFoundError: unable to find 'qty'",
            }  # fmt: skip


def _write_final(folder: Path, shape: RunShape, ids: list[str], solved: int) -> None:
    final = folder / "final"
    (final / "evaluation").mkdir(parents=True)
    skills = {"base": shape.skill[0], "best": shape.skill[-1]}
    stages: dict[str, dict[str, object]] = {"TEST": {"seconds": 9.0 * shape.speed, "engine_seconds": 7.0 * shape.speed}}
    if shape.control_skill:
        skills["seed_only"] = shape.control_skill[-1]
        stages = {"CONTROLS": {"seconds": 30.0 * shape.speed, "engine_seconds": 26.0 * shape.speed}, **stages}
        counts = {"problems": 100, "samples": 1600, "solved": 37, "loop_solved": 78, "loop_samples": 1500}
        _write(final / "sample_only.json", counts)
    for model, skill in skills.items():
        _write_rows(final / "evaluation" / f"test_{model}.jsonl", scores(ids, skill, "test"))
    best = len(shape.skill) - 1
    _write(final / "metadata.json", {"stages": stages, "best_iteration": best, "stopped_because": "max_iterations"})


def _write(path: Path, content: object) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def _write_rows(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("outputs") / "demo")


@pytest.fixture(scope="module")
def report(run: Path) -> FinalReport:
    return build_report(RunFiles(RunStore(run)))


def test_every_number_follows_from_the_files(run: Path, report: FinalReport) -> None:
    assert asdict(report.problems) == {
        "train": 340,
        "to_solve": 300,
        "dev": 120,
        "test": 120,
        "seeds": 40,
        "seeds_by_route": {"given": 40},
        "quarantined": 1,
    }
    dev = [json.loads(line) for line in (run / "iteration_0/evaluation/dev.jsonl").read_text().splitlines()]
    assert report.base.pass_at_1 == round(sum(row["correct"] for row in dev) / 120, 4)
    assert [row.parent for row in report.iterations] == [None, 0, 1, 2, 3]
    assert report.iterations[-1].solved_total == 40 + report.iterations[-1].solved_by_loop
    assert report.best_iteration == 4 and report.stopped_because == "max_iterations"


def test_the_test_split_is_compared_pairwise_with_base_and_control(report: FinalReport) -> None:
    test = report.test
    assert test.n == 120 and test.best.iteration == 4
    assert test.difference == pytest.approx(test.best.pass_at_1 - test.base.pass_at_1, abs=1e-4)
    assert test.vs_seed_only.difference == pytest.approx(test.best.pass_at_1 - test.seed_only.pass_at_1, abs=1e-4)
    assert test.ci95[0] > 0 and test.p_value < 0.001
    assert [(row.difficulty, row.n) for row in report.by_difficulty] == [(1, 40), (2, 40), (3, 40)]


def test_both_controls_are_reported_with_intervals(report: FinalReport) -> None:
    seeds, sampling = report.controls
    assert (seeds.name, seeds.steps) == ("seed_only", 1600)
    assert [point.iteration for point in seeds.dev_by_iteration] == [1, 2, 3, 4]
    assert (sampling.name, sampling.solved_rate, sampling.loop_solved_rate) == ("sample_only", 0.37, 0.78)
    assert sampling.solved_ci95 == (0.2818, 0.4678)


def test_idle_share_is_what_neither_sampling_nor_training_used(report: FinalReport) -> None:
    busy = report.timing.seconds_engine + report.timing.seconds_train
    assert (report.timing.seconds_engine, report.timing.seconds_train) == (4 * 18 + 5 * 3 + 26 + 7, 5 * 55)
    assert report.timing.idle_share == pytest.approx(1 - busy / report.seconds_total, abs=1e-4)
    assert report.seconds_total == pytest.approx(sum(report.seconds_by_stage.values()))


def test_idle_share_is_null_where_a_stage_did_not_record_its_share(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    path = tmp_path / "run" / "iteration_2" / "metadata.json"
    row = json.loads(path.read_text())
    del row["stages"]["TRAIN"]["train_seconds"]
    path.write_text(json.dumps(row))
    assert build_report(RunFiles(RunStore(tmp_path / "run"))).timing.idle_share is None


def test_equal_runs_give_equal_reports_times_aside(tmp_path: Path) -> None:
    slow, fast = (make_run(tmp_path / name / "demo", RunShape(speed=speed)) for name, speed in (("a", 1.0), ("b", 0.5)))
    reports = [json.loads(report_bytes(build_report(RunFiles(RunStore(path))))) for path in (slow, fast)]
    assert reports[0] != reports[1]
    assert without_times(reports[0]) == without_times(reports[1])
    assert "seconds_total" not in without_times(reports[0])


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    run = make_run(tmp_path / "demo", RunShape(train=60, held_out=30))
    names = ("final_report.json", "curves.png", "report.html")
    write_final_report(run)
    first = [(run / name).read_bytes() for name in names]
    write_final_report(run)
    assert [(run / name).read_bytes() for name in names] == first
    assert not list(run.glob(".*.tmp"))


def test_the_written_file_has_the_documented_shape(tmp_path: Path) -> None:
    run = make_run(tmp_path / "demo", RunShape(train=60, held_out=30))
    written = write_final_report(run)
    content = (run / "final_report.json").read_bytes()
    assert TypeAdapter(FinalReport).validate_json(content) == written
    wanted = "format run target language base_model stopped_because best_iteration problems base iterations controls"
    assert list(json.loads(content))[:11] == wanted.split()
    assert (run / "curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("iterations", [0, 1, 3])
def test_an_unfinished_run_gives_a_report_with_nulls(tmp_path: Path, iterations: int) -> None:
    run = make_run(
        tmp_path / "demo", RunShape(skill=(0.2, 0.4, 0.5)[:iterations], finished=False, train=60, held_out=30)
    )
    report = write_final_report(run)
    assert (report.stopped_because, report.test, report.by_difficulty) == ("running", None, [])
    assert len(report.iterations) == iterations


def test_a_run_killed_in_its_first_minute_gives_a_report(tmp_path: Path) -> None:
    (tmp_path / "demo" / "iteration_1").mkdir(parents=True)
    _write(tmp_path / "demo" / "run.json", _run_record("demo"))
    report = write_final_report(tmp_path / "demo")
    assert (report.problems, report.base, report.best_iteration, report.seconds_total) == (None, None, None, 0)


def test_a_stage_without_record_does_not_count_whatever_files_it_left(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    for name, stage in (("final", "TEST"), ("final", "CONTROLS"), ("iteration_4", "EVALUATE")):
        path = tmp_path / "run" / name / "metadata.json"
        row = json.loads(path.read_text())
        del row["stages"][stage]
        path.write_text(json.dumps(row))
    report = build_report(RunFiles(RunStore(tmp_path / "run")))
    assert report.test is None and report.iterations[-1].dev is None
    assert [control.name for control in report.controls] == ["seed_only"]


def test_without_controls_their_parts_are_empty(tmp_path: Path) -> None:
    run = make_run(tmp_path / "demo", RunShape(control_skill=None, train=60, held_out=30))
    report = build_report(RunFiles(RunStore(run)))
    assert report.controls == [] and report.test.seed_only is None and report.test.vs_seed_only is None
    assert report.by_difficulty[0].seed_only is None


def test_the_program_prints_the_table_and_where_the_report_is(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--run-dir", str(run)]) == 0
    out = capsys.readouterr().out
    assert "★ 4" in out and "touched once" in out and "report.html" in out


def test_a_folder_that_is_no_run_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--run-dir", str(tmp_path)]) == 2
    assert "is not a run folder" in capsys.readouterr().err


def test_help_needs_no_heavy_import() -> None:
    probe = "import sys, eval.final_report; print({'matplotlib', 'numpy', 'rich', 'wandb'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True).stdout.strip() == "set()"


def test_run_as_a_program_it_writes_what_the_function_writes(tmp_path: Path) -> None:
    make_run(tmp_path / "run", RunShape())
    write_final_report(tmp_path / "run")
    names = ("final_report.json", "curves.png", "report.html")
    by_function = {name: (tmp_path / "run" / name).read_bytes() for name in names}
    words = [sys.executable, "-m", "eval.final_report", "--run-dir", str(tmp_path / "run"), "--quiet"]
    subprocess.run(words, check=True, cwd=Path(__file__).resolve().parent.parent)
    assert {name: (tmp_path / "run" / name).read_bytes() for name in names} == by_function
    assert b"control: seeds only" in by_function["report.html"]
