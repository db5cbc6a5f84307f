"""eval.bench_convert: what is proved, refused, lost or in doubt, on a folder of our own and on the real questions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from shop import line, write_folder
from support import ROOT

from bootstrap.sources.gold_order import GoldDatabase, GoldError, read_gold
from bootstrap.sources.text2sql import Text2Sql
from eval.bench_convert import TARGETS, Trial, further_tests, judge_all, main, measure, read_trials, reason_of
from interpreters.base import Column, ColumnType, Limits, Outcome, Table, Verdict
from interpreters.checking import CheckerPool
from interpreters.compare import compare_tables

REAL = ROOT.parent / "shared" / "data" / "text2sql"

TOWNS = line("SELECT town FROM shop", "town", [["Oslo"], ["Rome"], ["Oslo"]], gold_sqlite="SELECT TOWN FROM Shop")
NOTES = line(
    "SELECT note FROM sale WHERE note = 'a;b'", "note", [["a;b"]],
    gold_sqlite='SELECT note FROM sale WHERE note = "a;b"',
)  # fmt: skip
UNKNOWN = line("SELECT id FROM shop", "id", [[1], [2], [3]], gold_sqlite="SELECT number FROM shop")
OTHER = line("SELECT count(*) FROM shop", "n", [[3]], gold_sqlite="SELECT count(*) FROM sale")
BY_CHANCE = line("SELECT count(*) FROM shop WHERE id > 0", "n", [[3]], gold_sqlite="SELECT 3")
OPEN = line("SELECT any_value(id) FROM shop", "id", [[1]], gold_sqlite="SELECT id FROM shop GROUP BY 1 = 1")
UNTRANSLATED = line("SELECT max(id) FROM shop", "id", [[3]])
LINES = (TOWNS, NOTES, UNKNOWN, OTHER, BY_CHANCE, OPEN, UNTRANSLATED)


def figures(folder: Path, *options: str) -> tuple[int, dict[str, Any]]:
    out = folder / "figures.json"
    code = main(["--data", str(folder), "--workers", "1", "--out", str(out), *options])
    return code, json.loads(out.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, dict[str, Any]]]:
    folder = write_folder(tmp_path_factory.mktemp("convert"), *LINES)
    yield figures(folder, "--targets", "duckdb")


def test_every_question_with_a_gold_for_sqlite_is_counted_once(measured: tuple[int, dict[str, Any]]) -> None:
    code, found = measured
    one = found["duckdb"]
    assert (one["tried"], one["in_doubt"], one["converted"]) == (5, 1, 4)  # UNTRANSLATED is no question here
    assert (one["proved_own"], one["proved_all"], one["first_attempt"]) == (3, 2, 2)
    assert one["tried"] == len(one["refused"]) + len(one["lost"]) + one["proved_own"]
    assert code == 1, "3 of 5 is below the aim"


def test_losses_say_why(measured: tuple[int, dict[str, Any]]) -> None:
    one = measured[1]["duckdb"]
    assert [(loss["problem_id"], loss["reason"]) for loss in one["refused"]] == [(UNKNOWN["id"], "no column number")]
    [lost] = one["lost"]
    assert (lost["problem_id"], lost["code"]) == (OTHER["id"], "SELECT COUNT(*) FROM sale")
    assert lost["reason"].startswith("WRONG_ANSWER")


def test_an_accidental_agreement_is_found_on_other_data(measured: tuple[int, dict[str, Any]]) -> None:
    [elsewhere] = measured[1]["duckdb"]["lost_elsewhere"]
    assert (elsewhere["problem_id"], elsewhere["code"]) == (BY_CHANCE["id"], "SELECT 3")


def test_the_table_shows_reasons_and_lost_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_folder(tmp_path, TOWNS, UNKNOWN)
    assert figures(folder, "--targets", "duckdb", "--show-lost", "--data-sets", "0")[0] == 1
    shown = capsys.readouterr().out
    assert "duckdb: 1 refused: no column number" in shown
    assert "SELECT number FROM shop" in shown


def test_postgres_is_measured_on_its_own_questions(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, TOWNS, NOTES, engine="postgres")
    code, found = figures(folder, "--targets", "postgres", "--data-sets", "1")
    assert (code, found["postgres"]["proved_all"], found["postgres"]["tried"]) == (0, 2, 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--targets", "duckdv"], "did you mean 'duckdb'?"),
        (["--targets", ","], "--targets is empty"),
        (["--targets", "postgres"], "no file"),
        (["--targets", "duckdb"], "no line has gold_sqlite"),
    ],
)
def test_mistakes_of_the_user_are_told(
    options: Sequence[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_folder(tmp_path, UNTRANSLATED)
    assert main(["--data", str(folder), *options]) == 2
    assert message in capsys.readouterr().err


# -- data sets ----------------------------------------------------------------------------------------------------


def test_further_data_sets_have_the_answer_of_the_gold(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, TOWNS, OPEN)
    trials = read_trials(folder, "duckdb", None, 3, 1)
    assert [(len(trial.tests), bool(trial.doubt)) for trial in trials] == [(4, False), (1, True)]
    own, *others = trials[0].tests
    assert list(others[0].tables) == ["shop"], "only what the gold reads"
    assert all(test.tables["shop"] != own.tables["shop"] for test in others)
    assert list(further_tests(trials[0].problem, "duckdb", 3)) == others, "the same every time"


def test_a_gold_that_leaves_the_answer_open_on_other_rows_gives_no_data_set(tmp_path: Path) -> None:
    cut = line("SELECT town FROM shop ORDER BY id LIMIT 1", "town", [["Oslo"]], ordered=True)
    [question] = Text2Sql(Text2Sql.Options(path=str(write_folder(tmp_path, cut))), 0).questions()
    for test in further_tests(question.problem, "duckdb", 6):
        ids = [row[0] for row in test.tables["shop"].rows]
        towns = {row[1] for row in test.tables["shop"].rows if row[0] == min(ids)}
        assert len(towns) == 1


def test_a_gold_runs_on_tables_as_on_a_script(tmp_path: Path) -> None:
    loaded = GoldDatabase(write_folder(tmp_path) / "databases" / "shop.sql")
    again = GoldDatabase(loaded.tables)
    for sql in ("SELECT * FROM shop", "SELECT * FROM sale", "SELECT max(moment), sum(amount) FROM sale"):
        assert compare_tables(read_gold(again, sql, "duckdb").answer, read_gold(loaded, sql, "duckdb").answer) is None
    none = Table((Column("x", ColumnType.INT), Column("y", ColumnType.STRING)), ())
    assert read_gold(GoldDatabase({"none": none}), "SELECT count(*) FROM none", "duckdb").answer.rows == ((0,),)
    with pytest.raises(GoldError, match="column of class list"):
        GoldDatabase({"t": Table((Column("x", ColumnType.LIST),), (([1],),))})


# -- attempts -----------------------------------------------------------------------------------------------------


def test_attempts_are_judged_in_order_until_one_is_right(tmp_path: Path) -> None:
    from bootstrap.convert.base import Conversion

    [trial] = read_trials(write_folder(tmp_path, TOWNS), "duckdb", None, 1, 1)
    codes = ["SELECT no FROM shop", "SELECT 'Oslo'", "SELECT town FROM shop", "SELECT town FROM sale"]
    with CheckerPool("duckdb_sql", 1, Limits(seconds=20)) as pool:
        [verdicts] = judge_all(pool, [(trial, [Conversion(code, "mine") for code in codes])])
    assert [verdict.outcome for verdict in verdicts] == [
        Outcome.RUNTIME_ERROR, Outcome.WRONG_ANSWER, Outcome.PASSED,
    ]  # fmt: skip


def test_reasons_of_one_kind_are_counted_together() -> None:
    assert reason_of(f"{Outcome.WRONG_ANSWER.value}: row count 1, expected 2") == "WRONG_ANSWER"
    assert reason_of("no column x: what") == "no column x: what"
    assert Verdict(Outcome.PASSED).failed_test is None


# -- the source ---------------------------------------------------------------------------------------------------


def test_the_gold_for_sqlite_is_a_reference_where_a_line_has_one(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, TOWNS, UNTRANSLATED)
    golds = [problem.references for problem in Text2Sql(Text2Sql.Options(path=str(folder)), 0).load()]
    assert golds == [
        {"duckdb": "SELECT town FROM shop", "sqlite": "SELECT TOWN FROM Shop"},
        {"duckdb": "SELECT max(id) FROM shop"},
    ]


@pytest.mark.skipif(not REAL.is_dir(), reason=f"needs the questions in {REAL}")
@pytest.mark.parametrize("target", ["duckdb", "postgres"])
def test_real_golds_are_proved_by_rules(target: str) -> None:
    engine = TARGETS[target].engine
    questions = Text2Sql(Text2Sql.Options(path=str(REAL), engine=engine, limit=25), 0).questions()
    trials = [Trial(question.problem, question.doubt, question.problem.tests) for question in questions]
    found = measure(trials, target, 1)
    assert found.share >= TARGETS[target].aim, (found.refused, found.lost)
