"""text2sql: typed tables, the file's own expectation, the gold's ties, and no question without one right answer."""

from __future__ import annotations

import datetime as dt
import json
import logging
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from shop import line, write_folder
from support import ROOT

from bootstrap.errors import UserError
from bootstrap.records import Problem
from bootstrap.sources import load_source
from bootstrap.sources.gold_order import GoldDatabase, GoldError, read_gold
from bootstrap.sources.text2sql import Text2Sql, read_cells
from interpreters import load_interpreter
from interpreters.base import ColumnType, Limits, Table
from interpreters.checking import check
from interpreters.compare import compare_answer, compare_tables

REAL = ROOT.parent / "shared" / "data" / "text2sql"


def load(folder: Path, **options: Any) -> list[Problem]:
    return list(load_source("text2sql", {"path": str(folder), **options}, 1).load())


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> GoldDatabase:
    return GoldDatabase(write_folder(tmp_path_factory.mktemp("shop")) / "databases" / "shop.sql")


# -- problems -----------------------------------------------------------------------------------------------------


def test_a_question_becomes_a_problem_with_the_whole_database_typed(tmp_path: Path) -> None:
    [problem] = load(write_folder(tmp_path, line("SELECT town FROM shop", "town", [["Oslo"], ["Rome"], ["Oslo"]])))
    assert (problem.statement, problem.family, problem.difficulty) == ("Which?", "shop", 3)
    assert problem.references == {"duckdb": "SELECT town FROM shop"}
    [test] = problem.tests
    assert (test.hidden, test.match_names, test.ties, test.order_by) == (True, False, (), ())
    assert list(test.tables) == ["shop", "sale"]
    assert [(c.name, c.type.value) for c in test.tables["shop"].columns] == [
        ("id", "int"), ("town", "string"), ("opened", "date"), ("floor space", "float"),
    ]  # fmt: skip
    assert test.tables["shop"].rows[1] == (2, "Rome", dt.date(2002, 2, 3), None)
    assert test.tables["sale"].rows[0] == (1, dt.datetime(2024, 1, 1, 10), 5.0, "a;b")
    assert Problem.from_json(json.loads(json.dumps(problem.to_json()))) == problem


def test_expected_rows_are_those_of_the_file_in_the_classes_of_the_gold(tmp_path: Path) -> None:
    gold = "SELECT opened, count(*), min(amount), max(moment) FROM shop, sale WHERE id = shop_id AND id = 1 GROUP BY 1"
    row = ["2001-02-03", 2, 5, "2024-01-02 10:00:00"]
    [problem] = load(write_folder(tmp_path, line(gold, "opened n least last", [row])))
    expected = problem.tests[0].expected
    assert expected.names == ("opened", "n", "least", "last")
    assert [column.type.value for column in expected.columns] == ["date", "int", "float", "timestamp"]
    assert expected.rows == ((dt.date(2001, 2, 3), 2, 5.0, dt.datetime(2024, 1, 2, 10)),)


def test_a_number_written_as_text_is_an_exact_numeric() -> None:
    kind, values = read_cells(["19.5000000000000000", None], ColumnType.FLOAT)
    assert (kind, values) == (ColumnType.DECIMAL, [Decimal("19.5000000000000000"), None])
    assert read_cells(["7"], ColumnType.INT) == (ColumnType.DECIMAL, [Decimal(7)])
    with pytest.raises(GoldError, match="holds"):
        read_cells([1.5], ColumnType.INT)


def test_postgres_golds_are_understood_in_their_own_dialect(tmp_path: Path) -> None:
    gold = "SELECT town FROM shop WHERE opened IS NULL OR town ~ 'R.m' ORDER BY opened DESC NULLS LAST"
    folder = write_folder(tmp_path, line(gold, "town", [["Rome"], ["Oslo"]]), engine="postgres")
    [problem] = load(folder, engine="postgres")
    assert problem.references == {"postgres": gold}
    assert problem.tests[0].ties == (1, 1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"expected": [["Oslo", 1]]}, "cells"),
        ({"expected": [[["Oslo"]]]}, "holds"),
        ({"db_file": "databases/none.sql"}, "No such file"),
        ({"id": None}, "line 1"),
        ({"gold_sql": None}, "line 1"),
    ],
    ids=str,
)
def test_a_line_that_cannot_be_read_names_the_file_and_the_line(
    tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    row = {**line("SELECT town FROM shop", "town", [["Oslo"]]), **change}
    folder = write_folder(tmp_path, {key: value for key, value in row.items() if value is not None})
    with pytest.raises(UserError, match="line 1: not a question") as error:
        load(folder)
    assert reason in str(error.value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"gold_sql": "SELECT nothing FROM shop"}, "Referenced column"),
        ({"gold_sql": "SELEC town"}, "SELEC"),
        ({"gold_sql": "DROP TABLE shop"}, "not a query"),
        ({"gold_sql": "SELECT DISTINCT town FROM shop ORDER BY id", "ordered": True}, "DISTINCT leaves open"),
        ({"ordered": True}, "ordered is True"),
        ({"expected": [["Oslo"], ["Rome"], ["Bonn"]]}, "other rows than the file says"),
        ({"gold_sql": "SELECT town FROM shop ORDER BY id", "ordered": True}, "another number of rows"),
    ],
    ids=str,
)
def test_a_gold_that_cannot_be_used_costs_its_own_question_alone(
    tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    good = line("SELECT count(*), 1.5, true FROM shop", "n x b", [[3, 1.5, True]])
    folder = write_folder(tmp_path, {**line("SELECT town FROM shop", "town", [["Oslo"]]), **change}, good)
    assert [problem.problem_id for problem in load(folder)] == [good["id"]]
    [doubtful, _] = Text2Sql(Text2Sql.Options(path=str(folder)), 1).questions()
    assert reason in doubtful.doubt


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no file .*postgres\.jsonl"):
        load(tmp_path, engine="postgres")


def test_questions_in_doubt_are_left_out_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clear = line("SELECT count(*) FROM shop", "n", [[3]])
    tied = line("SELECT town FROM shop ORDER BY town LIMIT 1", "town", [["Oslo"]])  # two rows, but the same answer
    cut = line("SELECT id FROM shop ORDER BY town LIMIT 1", "id", [[1]])
    other = line("SELECT id FROM shop WHERE id = 1", "id", [[2]])
    folder = write_folder(tmp_path, clear, tied, cut, other)
    with caplog.at_level(logging.WARNING):
        assert [problem.problem_id for problem in load(folder)] == [clear["id"], tied["id"]]
    assert "2 questions" in caplog.text and "the LIMIT cuts through rows that tie" in caplog.text
    doubts = [q.doubt for q in Text2Sql(Text2Sql.Options(path=str(folder)), 1).questions()]
    assert [bool(doubt) for doubt in doubts] == [False, False, True, True]


def test_the_checker_judges_such_a_problem(tmp_path: Path) -> None:
    gold = 'SELECT id, town, "floor space" FROM shop ORDER BY town'
    rows: list[list[Any]] = [[1, "Oslo", 10.5], [3, "Oslo", 20], [2, "Rome", None]]
    [problem] = load(write_folder(tmp_path, line(gold, "id town space", rows)))
    answers = {
        gold: True,
        f"{gold}, id DESC": True,  # ties may come in any order
        "SELECT * EXCLUDE (opened) FROM shop ORDER BY town DESC": False,
        "SELECT * EXCLUDE (opened) FROM shop WHERE town = 'Oslo' ORDER BY town": False,
        'SELECT town, id, "floor space" FROM shop ORDER BY town': False,
    }
    with load_interpreter("duckdb_sql") as interpreter:
        assert {code: check(interpreter, code, problem.tests, Limits()).passed for code in answers} == answers


# -- ties and doubt -----------------------------------------------------------------------------------------------

TIES = {
    "SELECT id FROM shop": (),
    "SELECT id FROM shop ORDER BY town": (2, 1),
    "SELECT id FROM shop WHERE false ORDER BY town": (),
    "SELECT id FROM shop ORDER BY id FETCH FIRST 2 ROWS ONLY": (1, 1),
    "SELECT id FROM shop ORDER BY shop.town DESC, id": (1, 1, 1),
    "SELECT town AS id FROM shop ORDER BY id": (2, 1),  # the alias, not the column
    "SELECT id, town FROM shop ORDER BY 2 DESC": (1, 2),
    "SELECT shop_id FROM sale ORDER BY amount": (1, 1, 2),
    "SELECT shop_id FROM sale GROUP BY shop_id ORDER BY count(*)": (2, 1),
    "SELECT shop_id, count(*) AS n FROM sale GROUP BY 1 ORDER BY n DESC": (1, 2),
    "SELECT shop_id FROM sale ORDER BY amount DESC LIMIT 2": (2,),
    "SELECT shop_id FROM sale ORDER BY amount DESC LIMIT 1 OFFSET 2": (1,),
    "SELECT DISTINCT town FROM shop ORDER BY town": (1, 1),
    "SELECT DISTINCT amount, shop_id FROM sale ORDER BY amount": (1, 1, 2),
    "SELECT id FROM shop UNION SELECT shop_id FROM sale ORDER BY id": (1, 1, 1),
    "SELECT town, id FROM shop UNION ALL SELECT 'Oslo', 9 ORDER BY 1": (3, 1),
    "SELECT id FROM shop ORDER BY opened NULLS FIRST": (1, 1, 1),
    "SELECT amount FROM sale ORDER BY amount * 0.1 + 0.2": (1, 1, 2),
    "WITH t AS (SELECT * FROM shop) SELECT id FROM t ORDER BY town": (2, 1),
    "SELECT * FROM shop ORDER BY town": (2, 1),
}
DOUBTFUL = {
    "a LIMIT through a tie": "SELECT id FROM shop ORDER BY town LIMIT 1",
    "a LIMIT through a tie of counts": "SELECT shop_id FROM sale GROUP BY shop_id ORDER BY count(*) LIMIT 1",
    "an OFFSET through a tie": "SELECT id FROM shop ORDER BY town LIMIT 5 OFFSET 1",
    "a LIMIT without an order": "SELECT id FROM shop LIMIT 1",
    "any value": "SELECT town, any_value(id) FROM shop GROUP BY town",
    "a LIMIT through a tie inside": "SELECT * FROM (SELECT shop_id FROM sale ORDER BY amount DESC LIMIT 1)",
    "an aggregate that depends on order": "SELECT string_agg(id::TEXT, ',') FROM shop",
}  # fmt: skip


@pytest.mark.parametrize(("gold", "ties"), TIES.items(), ids=str)
def test_the_ties_are_those_of_the_golds_own_sort_keys(shop: GoldDatabase, gold: str, ties: tuple[int, ...]) -> None:
    found = read_gold(shop, gold, "duckdb")
    assert (found.ties, found.doubt) == (ties, "")


@pytest.mark.parametrize("gold", DOUBTFUL.values(), ids=DOUBTFUL)
def test_a_gold_that_leaves_its_answer_open_is_in_doubt(shop: GoldDatabase, gold: str) -> None:
    assert read_gold(shop, gold, "duckdb").doubt


def test_a_cut_through_rows_that_look_the_same_leaves_nothing_open(shop: GoldDatabase) -> None:
    assert read_gold(shop, "SELECT amount FROM sale ORDER BY amount DESC LIMIT 1", "duckdb").doubt == ""


def test_distinct_rows_with_several_sort_keys_cannot_be_used(shop: GoldDatabase) -> None:
    with pytest.raises(GoldError, match="DISTINCT leaves open"):
        read_gold(shop, "SELECT DISTINCT town FROM shop ORDER BY id", "duckdb")


# -- the real questions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
@pytest.mark.skipif(not REAL.is_dir(), reason="needs the questions in ../shared/data/text2sql, which are not here")
def test_real_questions_become_problems_that_a_wrong_order_fails(engine: str) -> None:
    problems = load(REAL, engine=engine, limit=60)
    assert len(problems) > 50
    assert len({problem.family for problem in problems}) > 3
    several = [p.tests[0] for p in problems if len(p.tests[0].ties) > 1]
    assert several
    for problem in problems:
        [test] = problem.tests
        assert compare_answer(test.expected, test) is None
        assert test.tables.keys() and all(table.columns for table in test.tables.values())
    for test in several:
        backwards = Table(test.expected.columns, test.expected.rows[::-1])
        assert compare_tables(backwards, test.expected, match_names=False) is None
        assert compare_answer(backwards, test) == "right rows in the wrong order"
