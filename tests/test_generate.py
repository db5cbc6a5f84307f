"""The frame of all generators: the same files however often it is stopped, every pair counted, clear refusals."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bootstrap.errors import UserError
from bootstrap.files import read_json, read_jsonl
from bootstrap.generate import GENERATORS, load_generator
from bootstrap.generate.__main__ import main
from bootstrap.generate.generation import Generation
from bootstrap.sources import load_source

OUTPUTS = ("pairs.jsonl", "problems.jsonl", "own.json", "report.json", "report.html", "README.md")


@pytest.fixture(autouse=True)
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(GENERATORS, "toy", "toy_generator:Toy")


def generate(folder: Path, **settings: Any) -> dict[str, Any]:
    return Generation("toy", settings, folder, workers=1).run()


def outputs(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in OUTPUTS}


def worked(folder: Path) -> list[str]:
    return [row["unit"] for row in read_jsonl(folder / "worked.jsonl")]


def test_every_pair_is_counted_once_by_what_became_of_it(tmp_path: Path) -> None:
    total = generate(tmp_path, units=4)["total"]
    assert {name: total[name] for name in ("generated", "valid", "telling", "distinct")} == {
        "generated": 16, "valid": 12, "telling": 8, "distinct": 5,
    }  # fmt: skip
    report = read_json(tmp_path / "report.json")
    assert {row["reason"]: row["count"] for row in report["refused"]}["does not run"] == 4
    assert [row["pair_id"] for row in read_jsonl(tmp_path / "pairs.jsonl")] == [f"1-{n}" for n in range(5)]
    assert read_json(tmp_path / "own.json")["ids"] == [f"1-{n}" for n in range(5)]


def test_it_stops_when_there_are_enough_and_keeps_exactly_so_many(tmp_path: Path) -> None:
    assert generate(tmp_path, units=50, count=6)["total"]["distinct"] == 6
    assert worked(tmp_path) == [f"unit {n}" for n in range(5)]


@pytest.mark.parametrize("count", [None, 5])
def test_stopped_and_started_again_it_ends_with_the_same_files(tmp_path: Path, count: int | None) -> None:
    settings = {"count": count, "fails_at": "unit 3"}
    (tmp_path / "whole").mkdir()
    with pytest.raises(KeyboardInterrupt):
        generate(tmp_path / "cut", **settings)
    assert not (tmp_path / "cut" / "report.json").exists()
    with open(tmp_path / "cut" / "units.jsonl", "ab") as file:
        file.write(b'{"unit": "unit 3", "pai')  # a kill in the middle of a line
    generate(tmp_path / "cut", **settings)
    assert worked(tmp_path / "cut").count("unit 1") == 1
    with pytest.raises(KeyboardInterrupt):
        generate(tmp_path / "whole", **settings)
    generate(tmp_path / "whole", **settings)
    assert outputs(tmp_path / "cut") == outputs(tmp_path / "whole")


def test_a_finished_generation_does_no_work_again(tmp_path: Path) -> None:
    first = generate(tmp_path)
    before = outputs(tmp_path)
    assert generate(tmp_path) == first and outputs(tmp_path) == before
    assert len(worked(tmp_path)) == 8


def test_the_result_does_not_depend_on_the_order_in_which_units_finish(tmp_path: Path) -> None:
    generate(tmp_path / "in_order")
    generate(tmp_path / "other")
    rows = (tmp_path / "other" / "units.jsonl").read_text().splitlines(keepends=True)
    for name in OUTPUTS:
        (tmp_path / "other" / name).unlink()
    (tmp_path / "other" / "units.jsonl").write_text("".join(reversed(rows)))
    generate(tmp_path / "other")
    assert outputs(tmp_path / "other") == outputs(tmp_path / "in_order")


def test_the_page_shows_text_as_text(tmp_path: Path) -> None:
    generate(tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<script>" not in page and "SELECT &lt;b&gt;" in page
    assert "\u202e" not in page and "\\u202e" in page
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "| all | 32 | 24 | 16 | 9 |" in card and "cc0-1.0" in card


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    generate(tmp_path / "one", seed=1)
    with pytest.raises(UserError, match="other settings"):
        generate(tmp_path / "one", seed=2)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all my work")
    with pytest.raises(UserError, match="expected a new or empty folder"):
        generate(tmp_path / "mine")


def test_names_and_keys_that_are_not_known_are_explained(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no generator 'toyy'.* did you mean 'toy'"):
        load_generator("toyy", {}, tmp_path)
    with pytest.raises(UserError, match=r"cuont.*did you mean 'count'"):
        load_generator("toy", {"cuont": 3}, tmp_path)


def test_the_loop_reads_what_was_generated_and_refuses_what_is_not_complete(tmp_path: Path) -> None:
    generate(tmp_path / "made")
    assert list(load_source("generated", {"path": str(tmp_path / "made")}, 1).load()) == []  # toys are no problems
    with pytest.raises(UserError, match="no complete generation"):
        list(load_source("generated", {"path": str(tmp_path)}, 1).load())
    with pytest.raises(UserError, match="give path"):
        list(load_source("generated", {}, 1).load())
    assert list(load_source("generated", {"generator": "toy", "settings": {"count": 3}}, 1).load()) == []


def test_the_program_generates_and_says_what_it_gave(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    assert main(["toy", "--out", str(tmp_path / "out"), "--workers", "1", "units=3"]) == 0
    assert "12 generated, 9 valid, 6 not vacuous, 4 distinct" in capsys.readouterr().out
    with pytest.raises(SystemExit) as ended:
        main(["toy", "--out", str(tmp_path / "out2"), "--config", str(tmp_path / "none.yaml")])
    assert ended.value.code == 2 and "no configuration file" in capsys.readouterr().err


def test_help_needs_no_engine() -> None:
    program = [sys.executable, "-X", "importtime", "-m", "bootstrap.generate", "--help"]
    shown = subprocess.run(program, capture_output=True, text=True, cwd=Path(__file__).parent.parent, env=os.environ)
    assert "sql_to_ibis" in shown.stdout
    assert not {" duckdb", " polars", " ibis", " torch", " sqlglot"} & {
        line.rpartition("|")[2].rstrip() for line in shown.stderr.splitlines()
    }
