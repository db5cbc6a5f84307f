"""Two runs on the same held-out problems: paired differences with intervals, from the run folders alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_final_report import RunShape, make_run

from bootstrap.errors import UserError
from bootstrap.files import read_json, write_json
from eval.compare import Side, compare, lines_of, main


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("runs")
    weak = RunShape(skill=(0.18, 0.3, 0.36), control_skill=(0.2, 0.2))
    return make_run(folder / "weak", weak), make_run(folder / "strong", RunShape())


def test_the_better_run_is_ahead_with_an_interval_and_the_other_way_round_it_is_behind(
    runs: tuple[Path, Path],
) -> None:
    weak, strong = map(Side.of, runs)
    ahead, behind = compare(weak, strong)["second_minus_first"], compare(strong, weak)["second_minus_first"]
    assert 0 < ahead["ci95"][0] < ahead["difference"] < ahead["ci95"][1]
    assert ahead["difference"] == -behind["difference"] and ahead["wins"] == behind["losses"]


def test_a_run_against_itself_differs_in_nothing(runs: tuple[Path, Path]) -> None:
    found = compare(Side.of(runs[0]), Side.of(runs[0]))
    assert found["second_minus_first"]["difference"] == 0 and found["settings"] == {}
    assert "the settings are the same" in lines_of(found)


def test_settings_that_differ_are_listed_by_key(runs: tuple[Path, Path], tmp_path: Path) -> None:
    other = make_run(tmp_path / "other")
    row = read_json(other / "run.json")
    row["settings"]["train"]["steps"] = 500
    write_json(other / "run.json", row)
    assert compare(Side.of(runs[1]), Side.of(other))["settings"] == {"train.steps": [300, 500]}


def test_unfinished_runs_are_compared_on_dev_and_it_says_so(runs: tuple[Path, Path], tmp_path: Path) -> None:
    going = make_run(tmp_path / "going", RunShape(finished=False))
    found = compare(Side.of(runs[0]), Side.of(going))
    assert found["part"] == "dev" and "chosen on" in "\n".join(lines_of(found))


def test_problems_that_one_run_trained_on_do_not_count(runs: tuple[Path, Path], tmp_path: Path) -> None:
    other = make_run(tmp_path / "other")
    split = read_json(other / "split.json")
    split["train"] += split["test"][:50]
    write_json(other / "split.json", split)
    assert compare(Side.of(runs[1]), Side.of(other))["n"] == 70
    split["train"] += split["test"][50:110]
    write_json(other / "split.json", split)
    with pytest.raises(UserError, match=r"only 10 are the same"):
        compare(Side.of(runs[1]), Side.of(other))


def test_the_program_prints_and_writes_the_comparison(
    runs: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*map(str, runs), "--out", str(tmp_path / "c.json")]) == 0
    printed = capsys.readouterr().out
    assert "second minus first: +" in printed and "95 % interval" in printed
    assert json.loads((tmp_path / "c.json").read_text())["n"] == 120
    with pytest.raises(SystemExit):
        main([str(runs[0]), str(tmp_path)])
    assert "not a run folder" in capsys.readouterr().err
