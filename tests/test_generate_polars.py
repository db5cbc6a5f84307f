"""Questions about CSV files without a model: every pair is proved, the same after kills, and a problem for the loop."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from csv_folders import dirty_folder, shop_folder
from support import ROOT

from bootstrap.admission import admit, trivial_answer
from bootstrap.generate.generation import Generation
from bootstrap.generate.nl_to_polars.lazy_rules import broken_rule
from bootstrap.records import Problem
from interpreters import load_interpreter
from interpreters.base import Table
from interpreters.compare import compare_tables

OUTPUTS = ("pairs.jsonl", "problems.jsonl", "chat.jsonl", "file_code_pair.jsonl", "schemas.json", "report.json")
SMALL = {"count": None, "batches": 2, "batch": 8, "seed": 4}


def generate(folder: Path, out: Path, **settings: Any) -> dict[str, Any]:
    return Generation("nl_to_polars", {"folder": str(folder), **SMALL, **settings}, out, workers=1).run()


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    generate(shop_folder(folder / "csv"), folder / "out", batches=4)
    return folder / "out"


@pytest.fixture(scope="module")
def problems(made: Path) -> list[Problem]:
    return [Problem.from_json(row) for row in rows_of(made / "problems.jsonl")]


def test_one_id_joins_a_pair_across_all_outputs(made: Path) -> None:
    pairs = rows_of(made / "pairs.jsonl")
    ids = [row["pair_id"] for row in pairs]
    chats, files = rows_of(made / "chat.jsonl"), rows_of(made / "file_code_pair.jsonl")
    assert len(ids) > 40 and ids == [row["id"] for row in chats] == [row["id"] for row in files]
    assert {row["problem_id"] for row in rows_of(made / "problems.jsonl")} <= {f"np-{one}" for one in ids}
    for pair, chat, file in zip(pairs, chats, files, strict=True):
        assert pair["question"] in chat["messages"][1]["content"] and file["question"] == pair["question"]
        assert pair["code"] in chat["messages"][2]["content"] and file["codes"]["polars"] == pair["code"]
        assert 0 < chat["score"] <= 1


def test_questions_are_about_joins_only_where_two_tables_share_a_key(made: Path, tmp_path: Path) -> None:
    joins = [row for row in rows_of(made / "pairs.jsonl") if row["data"]["subject"] == "joins"]
    assert joins and all(row["data"]["tables"] == ["orders", "towns"] for row in joins)
    folder = shop_folder(tmp_path / "csv")
    (folder / "towns.csv").unlink()
    generate(folder, tmp_path / "alone", batches=3)
    assert not [row for row in rows_of(tmp_path / "alone" / "pairs.jsonl") if row["data"]["subject"] == "joins"]


def test_every_code_keeps_the_rules_and_every_variant_is_there(made: Path) -> None:
    pairs = rows_of(made / "pairs.jsonl")
    assert [broken_rule(row["code"], row["data"]["tables"]) for row in pairs] == [None] * len(pairs)
    assert all(row["data"]["duckdb"].startswith("SELECT") for row in pairs)
    with_pandas = [row for row in pairs if row["data"]["pandas"]]
    assert len(with_pandas) > 0.95 * len(pairs)
    assert all(row["data"]["without_pandas"] for row in pairs if not row["data"]["pandas"])


def test_problems_have_data_sets_that_no_trivial_answer_passes(problems: list[Problem]) -> None:
    assert len(problems) > 30
    for problem in problems:
        assert [test.hidden for test in problem.tests] == [False, True, True]
        assert trivial_answer(problem.tests) is None


def test_the_loop_admits_the_problems(problems: list[Problem]) -> None:
    admitted, refused = admit(problems[:25], 1, lambda done, total: None)
    assert len(admitted) == 25, refused


def test_the_code_runs_unchanged_where_df_is_a_lazy_frame(problems: list[Problem]) -> None:
    import polars as pl

    from interpreters.processes.candidate import Columns
    from interpreters.runners.polars_values import columns_of, frame_of

    for problem in problems[:20]:
        test = problem.tests[0]
        frames = {
            name: frame_of(Columns(t.columns, [list(v) for v in zip(*t.rows, strict=True)], len(t.rows))).lazy()
            for name, t in test.tables.items()
        }
        first = next(iter(frames.values()))
        found = columns_of(eval(problem.references["polars"], {"pl": pl, "df": first, **frames}), 10**6)
        table = Table(tuple(found.columns), tuple(zip(*found.values, strict=True)))
        assert compare_tables(table, test.expected, test.order_by, match_names=False) is None


def test_dirty_files_are_told_of_and_never_fatal(tmp_path: Path) -> None:
    summary = generate(dirty_folder(tmp_path / "csv"), tmp_path / "out", batches=1, batch=5)
    notes = " ".join(summary["notes"])
    for file in ("empty.csv", "header_only.csv", "ragged.csv", "mixed.csv", "wide.csv", "patterns.csv"):
        assert f"{file}: " in notes
    assert summary["total"]["distinct"] > 30
    schemas = {one["file"]: one for one in json.loads((tmp_path / "out" / "schemas.json").read_text())["tables"]}
    assert schemas["empty.csv"]["problem"] == "the file is empty" and len(schemas["wide.csv"]["columns"]) == 1500


def test_the_same_settings_give_the_same_bytes(made: Path, tmp_path: Path) -> None:
    folder = shop_folder(tmp_path / "csv")
    for out, seed in (("one", "1"), ("two", "77")):
        words = [f"folder={folder}", "batches=1", "batch=6", "count=null"]
        command = [sys.executable, "-m", "bootstrap.generate", "nl_to_polars", "--out", str(tmp_path / out), *words]
        workers = ["--workers", "2" if out == "two" else "1"]
        subprocess.run([*command, *workers], check=True, cwd=ROOT, env={**_environment(), "PYTHONHASHSEED": seed})
    for name in OUTPUTS:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(ROOT)}


def test_a_generation_killed_at_random_moments_ends_with_the_same_rows(tmp_path: Path) -> None:
    folder = shop_folder(tmp_path / "csv")
    words = [f"folder={folder}", "batches=3", "batch=5", "count=null"]
    command = [sys.executable, "-m", "bootstrap.generate", "nl_to_polars", "--workers", "1"]
    subprocess.run([*command, "--out", str(tmp_path / "whole"), *words], check=True, cwd=ROOT, capture_output=True)
    rng, killed = random.Random(5), tmp_path / "killed"
    units = killed / "units.jsonl"
    for wanted in (1, 4, 8):
        program = subprocess.Popen([*command, "--out", str(killed), *words], cwd=ROOT, stdout=subprocess.DEVNULL)
        while program.poll() is None and (not units.exists() or units.read_bytes().count(b"\n") < wanted):
            time.sleep(0.01)
        time.sleep(rng.random() / 3)
        program.send_signal(signal.SIGKILL)
        program.wait()
    with open(units, "ab") as file:  # what a kill in the middle of a line leaves
        file.write(b'{"unit": "torn')
    subprocess.run([*command, "--out", str(killed), *words], check=True, cwd=ROOT, capture_output=True)
    for name in OUTPUTS:
        assert (tmp_path / "whole" / name).read_bytes() == (killed / name).read_bytes(), name


def test_a_seed_decides_what_is_drawn(made: Path, tmp_path: Path) -> None:
    generate(shop_folder(tmp_path / "csv"), tmp_path / "out", seed=5, batches=1)
    mine = {row["pair_id"] for row in rows_of(made / "pairs.jsonl")}
    other = {row["pair_id"] for row in rows_of(tmp_path / "out" / "pairs.jsonl")}
    assert len(other - mine) > len(other) // 2


def test_the_references_pass_in_their_interpreters_and_dropped_filters_fail(problems: list[Problem]) -> None:
    from bootstrap.generate.nl_to_polars.model_route import without_cuts

    filtered = [problem for problem in problems if ".filter(" in problem.references["polars"]][:8]
    caught = 0
    with load_interpreter("polars_expr") as interpreter:
        for problem in filtered:
            inputs = [test.tables for test in problem.tests]
            jobs = [(code, inputs) for code in without_cuts(problem.references["polars"])]
            for execution in interpreter.execute_trusted(jobs):
                answers = zip(execution.results, problem.tests, strict=False)
                caught += any(
                    compare_tables(found, test.expected, test.order_by, match_names=False) for found, test in answers
                )  # fmt: skip
    assert filtered and caught >= len(filtered)


def test_the_same_words_never_ask_for_two_things(tmp_path: Path) -> None:
    from bootstrap.generate.nl_to_polars import polars_code, templates
    from bootstrap.generate.nl_to_polars.csv_tables import read_tables
    from bootstrap.generate.nl_to_polars.drawing import NothingToAskError
    from bootstrap.generate.nl_to_polars.profiles import profile_of
    from bootstrap.generate.nl_to_polars.wording import Wording

    profile = profile_of(read_tables(shop_folder(tmp_path), 10**6, 1000)[0])
    assert profile is not None
    codes: dict[str, set[str]] = {}
    for number in range(6000):
        try:
            _, query = templates.draw(profile, random.Random(number))
        except NothingToAskError:
            continue
        words = Wording([profile], "business", random.Random(1)).sentence(query)
        codes.setdefault(words, set()).add(polars_code.render(query))
    assert len(codes) > 3000
    assert [words for words, found in codes.items() if len(found) > 1] == []


def test_the_shipped_settings_are_settings_of_the_generator() -> None:
    from bootstrap.config import read_yaml
    from bootstrap.generate.nl_to_polars.generator import PolarsSettings

    values = read_yaml(ROOT / "configs" / "generate" / "nl_to_polars.yaml")
    assert PolarsSettings.model_validate({**values, "folder": "csv"}) == PolarsSettings(folder="csv")
