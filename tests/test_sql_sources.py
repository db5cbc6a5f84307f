"""Sources over SQL databases, and the q test set: layouts, loose cells, alternatives, answers that are left open."""

from __future__ import annotations

import json
import logging
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from support import ROOT

from bootstrap.errors import UserError
from bootstrap.records import Problem
from bootstrap.sources import load_source
from bootstrap.sources.defog import alternatives_of, without_schema
from bootstrap.sources.sqlite_child import fit
from bootstrap.sources.text2sql import Text2Sql
from interpreters import load_interpreter
from interpreters.base import Column, ColumnType, Limits, Table
from interpreters.checking import check
from interpreters.compare import compare_answer, compare_tables
from interpreters.function_cases import arguments_of, expected_of

REAL = ROOT.parent / "shared" / "data"
SHOP = """
CREATE TABLE Shop (Id INTEGER, Town TEXT, "Floor space" REAL, Opened DATE);
INSERT INTO Shop VALUES (1, 'Oslo', 10, '2020-01-01'), (2, 'Rome', NULL, '2021-01-01'), (3, 'Oslo', 20.5, '2022-01-01');
CREATE TABLE Sale (Shop_id INT, Amount INT);
INSERT INTO Sale VALUES (1, 5), (1, 7), (3, 7), (9, 'many');
"""


def spider(folder: Path, *golds: Any, file: str = "shop.sqlite") -> list[Problem]:
    database = folder / "database" / "shop"
    database.mkdir(parents=True)
    if file.endswith(".sqlite"):
        with sqlite3.connect(database / file) as connection:
            connection.executescript(SHOP)
        connection.close()
    else:
        (database / file).write_text(SHOP, encoding="utf-8")
    rows = [
        {"question": f"Q {i}?", "db_id": "shop", "query": g} if isinstance(g, str) else g for i, g in enumerate(golds)
    ]
    (folder / "dev.json").write_text(json.dumps(rows), encoding="utf-8")
    return list(load_source("spider", {"path": str(folder), "seconds": 1.0}, 1).load())


# -- spider -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", ["shop.sqlite", "shop.sql", "schema.sql"])
def test_a_question_becomes_a_problem_with_the_golds_rows(tmp_path: Path, file: str) -> None:
    [problem] = spider(tmp_path, "SELECT Town, count(*) FROM Shop GROUP BY Town ORDER BY count(*) DESC;", file=file)
    [test] = problem.tests
    assert (problem.family, problem.source, test.match_names, test.ties) == ("shop", "spider", False, (1, 1))
    assert test.expected.rows == (("Oslo", 2), ("Rome", 1))
    assert problem.references == {"sqlite": "SELECT Town, count(*) FROM Shop GROUP BY Town ORDER BY count(*) DESC"}
    assert test.tables["shop"].columns == (
        Column("id", ColumnType.INT), Column("town", ColumnType.STRING), Column("floor space", ColumnType.FLOAT),
        Column("opened", ColumnType.STRING),
    )  # fmt: skip
    answer = "SELECT town, count(*) FROM shop GROUP BY town ORDER BY 2 DESC"
    with load_interpreter("duckdb_sql") as interpreter:
        assert check(interpreter, answer, problem.tests, Limits()).passed


def test_a_column_of_mixed_cells_is_text(tmp_path: Path) -> None:
    [problem] = spider(tmp_path, "SELECT Amount FROM Sale")
    assert problem.tests[0].tables["sale"].columns[1] == Column("amount", ColumnType.STRING)
    assert sorted(problem.tests[0].expected.rows) == [("5",), ("7",), ("7",), ("many",)]


@pytest.mark.parametrize(
    ("cells", "declared", "kind", "expected"),
    [
        ([1, None, 2], ColumnType.INT, ColumnType.INT, [1, None, 2]),
        ([1, 2], ColumnType.FLOAT, ColumnType.FLOAT, [1.0, 2.0]),
        ([1, 2.5], ColumnType.INT, ColumnType.FLOAT, [1.0, 2.5]),
        ([1, 2], ColumnType.STRING, ColumnType.INT, [1, 2]),
        (["a", 1, None, b"x"], ColumnType.INT, ColumnType.STRING, ["a", "1", None, "x"]),
        ([None, None], ColumnType.FLOAT, ColumnType.FLOAT, [None, None]),
        ([None], None, ColumnType.NULL, [None]),
        ([b"\xff"], ColumnType.STRING, ColumnType.BINARY, [b"\xff"]),
    ],
)
def test_cells_get_the_class_that_fits(
    cells: list[Any], declared: ColumnType | None, kind: ColumnType, expected: list[Any]
) -> None:
    found = fit(cells, declared)
    assert found == (kind, expected) and [type(cell) for cell in found[1]] == [type(cell) for cell in expected]


LEFT_OUT = {
    "SELECT Id FROM Shop ORDER BY Town LIMIT 1": "the LIMIT cuts through rows that tie",
    "SELECT Id, Town FROM Shop GROUP BY Town": "the order in which the input rows are stored",
    "SELECT Id FROM Shop LIMIT 1": "the order in which the input rows are stored",
    "SELECT date('now'), Id FROM Shop": "the answer depends on the day or on chance",
    "SELECT count(*) FROM Sale WHERE Amount < 100": "cells of another class than their column's",
    "SELECT nowhere FROM Shop": "SQLite does not run it: no such column",
    "SELEC 1": "SQLite does not run it",
    "DROP TABLE Shop": "SQLite does not run it",
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT max(x) FROM n": "interrupted",
}


def test_questions_without_one_right_answer_are_counted_by_reason(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken: list[Any] = [7, {"db_id": "shop", "query": "SELECT 1"}, {"question": "Q?", "db_id": "shop"}]
    elsewhere = [{"question": "Q?", "db_id": name, "query": "SELECT 1"} for name in ("nowhere", "../shop")]
    with caplog.at_level(logging.WARNING):
        tied = "SELECT Town FROM Shop ORDER BY Town DESC LIMIT 1"
        problems = spider(tmp_path, tied, *LEFT_OUT, *broken, *elsewhere)
    assert [problem.references["sqlite"] for problem in problems] == [tied]
    reasons = ("the row is not a JSON object", "question is missing", "the gold query is missing",
               "its database is not there", "db_id is not the name of a folder")  # fmt: skip
    assert f"{len(LEFT_OUT) + 5} questions" in caplog.text
    for reason in (*LEFT_OUT.values(), *reasons):
        assert reason in caplog.text


def test_a_folder_without_question_files_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"expected one of train_spider.json.*found none"):
        list(load_source("spider", {"path": str(tmp_path)}, 1).load())


@pytest.mark.skipif(not REAL.is_dir(), reason="needs the questions in ../shared/data/text2sql, which are not here")
def test_real_golds_of_sqlite_give_the_rows_that_the_file_has_from_elsewhere(tmp_path: Path) -> None:
    lines = (REAL / "text2sql" / "duckdb.jsonl").read_text(encoding="utf-8").splitlines()[:40]
    rows = [json.loads(line) for line in lines]
    for row in rows:
        database = tmp_path / "database" / row["db_id"]
        database.mkdir(parents=True, exist_ok=True)
        text = (REAL / "text2sql" / row["db_file"]).read_text(encoding="utf-8")
        (database / f"{row['db_id']}.sql").write_text(text, encoding="utf-8")
    questions = [{**row, "query": row["gold_sqlite"]} for row in rows]
    (tmp_path / "train.json").write_text(json.dumps(questions), encoding="utf-8")
    mine = {p.statement: p for p in load_source("spider", {"path": str(tmp_path)}, 1).load()}
    theirs = {p.statement: p for p in Text2Sql(Text2Sql.Options(path=str(REAL / "text2sql"), limit=40), 1).load()}
    both = mine.keys() & theirs.keys()
    assert len(both) > 20
    dates = {ColumnType.DATE, ColumnType.TIMESTAMP, ColumnType.TIME}  # SQLite has them as text
    for statement in both:
        expected = theirs[statement].tests[0].expected
        if not dates & {column.type for column in expected.columns}:
            assert compare_tables(mine[statement].tests[0].expected, expected, match_names=False) is None, statement


# -- defog --------------------------------------------------------------------------------------------------------


def test_braces_stand_for_every_choice_of_columns() -> None:
    assert alternatives_of("SELECT {a, b}, c FROM t GROUP BY {a, b}, c;") == [
        "SELECT a, c FROM t GROUP BY a, c", "SELECT b, c FROM t GROUP BY b, c",
        "SELECT a, b, c FROM t GROUP BY a, b, c",
    ]  # fmt: skip
    assert alternatives_of("SELECT 1; SELECT ';' FROM t;") == ["SELECT 1", "SELECT ';' FROM t"]
    assert len(alternatives_of("SELECT {a, b}, {c, d} FROM t")) == 9


def test_schema_names_go_but_not_from_text() -> None:
    assert without_schema("SELECT * FROM public.t WHERE a = 'public.b' OR Public . c > 1") == (
        "SELECT * FROM t WHERE a = 'public.b' OR c > 1"
    )


def defog(folder: Path, *rows: dict[str, Any], csv_text: str = "") -> list[Problem]:
    (folder / "databases").mkdir()
    script = SHOP.replace("'many'", "1").replace("TABLE ", "TABLE public.").replace("INTO ", "INTO public.")
    (folder / "databases" / "shop.sql").write_text(script, encoding="utf-8")
    if csv_text:
        (folder / "questions.csv").write_text(csv_text, encoding="utf-8")
    else:
        lines = [json.dumps({"id": f"d{i}", "db_id": "shop", "question": "Q?", **row}) for i, row in enumerate(rows)]
        (folder / "questions.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return list(load_source("defog", {"path": str(folder)}, 1).load())


def test_every_accepted_answer_passes_and_no_other(tmp_path: Path) -> None:
    [problem] = defog(tmp_path, {"gold_sql_raw": "SELECT {id, town}, opened FROM public.shop ORDER BY opened DESC"})
    answers = {
        "SELECT id, opened FROM shop ORDER BY opened DESC": True,
        "SELECT town, opened FROM shop ORDER BY opened DESC": True,
        "SELECT id, town, opened FROM shop ORDER BY opened DESC": True,
        "SELECT id, town, opened FROM shop ORDER BY opened": False,
        "SELECT opened FROM shop ORDER BY opened DESC": False,
        "SELECT town, id, opened FROM shop ORDER BY opened DESC": False,
    }
    with load_interpreter("duckdb_sql") as interpreter:
        assert {code: check(interpreter, code, problem.tests, Limits()).passed for code in answers} == answers
    assert problem.references == {"postgres": "SELECT id, opened FROM shop ORDER BY opened DESC"}
    assert Problem.from_json(json.loads(json.dumps(problem.to_json()))) == problem


def test_alternatives_of_other_orders_leave_the_order_free(tmp_path: Path) -> None:
    [problem] = defog(
        tmp_path, {"gold_sql_raw": "SELECT id FROM shop ORDER BY id; SELECT id + 0 FROM shop WHERE id > 1"}
    )
    [test] = problem.tests
    assert test.ties == () and len(test.accepted) == 1
    backwards = Table(test.expected.columns, test.expected.rows[::-1])
    assert compare_answer(backwards, test) is None and compare_answer(test.accepted[0], test) is None


def test_a_file_of_sql_eval_is_read_too(tmp_path: Path) -> None:
    text = 'db_name,query,question,query_category\nshop,"SELECT {id, town} FROM shop",Which?,braces\n'
    [problem] = defog(tmp_path, csv_text=text)
    assert problem.statement == "Which?" and len(problem.tests[0].accepted) == 2


def test_questions_of_defog_are_left_out_by_reason(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        [problem] = defog(
            tmp_path, {"gold_sql_raw": "SELECT id FROM shop", "instructions": "Ids alone."}, {"gold_sql_raw": ""},
            {"gold_sql_raw": "SELECT CURRENT_DATE"}, {"gold_sql_raw": "SELECT id FROM shop", "db_id": "other"},
            {"gold_sql_raw": "SELECT id FROM shop", "columns": ["id"], "expected": [[4]]},
            {"gold_sql_raw": "SELECT id FROM shop ORDER BY town LIMIT 1"},
        )  # fmt: skip
    assert problem.statement == "Q? Ids alone."
    assert "5 questions" in caplog.text
    for reason in ("gold query is missing", "day or on chance", "database is not there", "other rows than", "that tie"):
        assert reason in caplog.text


@pytest.mark.skipif(not REAL.is_dir(), reason="needs the questions in ../shared/data/defog, which are not here")
def test_real_questions_of_defog_accept_their_own_answers() -> None:
    problems = list(load_source("defog", {"path": str(REAL / "defog")}, 1).load())
    assert len(problems) >= 45
    assert any(problem.tests[0].accepted for problem in problems)
    for problem in problems:
        [test] = problem.tests
        assert all(compare_answer(table, test) is None for table in (test.expected, *test.accepted))


# -- q-HumanEval --------------------------------------------------------------------------------------------------

PROMPT = "// @overview\n// Add two lists.\n//\n// @param a {long[]} one\nadd:{[a;b]\n    / body\n    }"
TESTS = (
    "def check(candidate):\n    assert candidate([1, 2], [3, 4]) == [4, 6], 'first'\n    assert candidate([], []) == []"
)


def q_problems(folder: Path, *rows: object, **options: Any) -> list[Problem]:
    path = folder / "q.jsonl"
    path.write_text(
        "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), encoding="utf-8"
    )
    return list(load_source("q_humaneval", {"path": str(path), **options}, 1).load())


def test_asserts_become_hidden_tests_with_the_parameters_of_the_head(tmp_path: Path) -> None:
    row = {"task_id": 3, "prompt": PROMPT, "tests": TESTS, "entry_point": "add", "canonical_solution": "{x+y}"}
    [problem] = q_problems(tmp_path, row)
    assert (problem.problem_id, problem.kind, problem.references) == ("q-humaneval-3", "function", {"q": "{x+y}"})
    assert [arguments_of(test) for test in problem.tests] == [
        ("add", ["a", "b"], [[1, 2], [3, 4]]), ("add", ["a", "b"], [[], []]),
    ]  # fmt: skip
    assert [expected_of(test) for test in problem.tests] == [[4, 6], []]
    assert all(test.hidden for test in problem.tests)
    [shown] = q_problems(tmp_path, row, visible=1)
    assert [test.hidden for test in shown.tests] == [False, True]


def test_rows_of_the_q_test_set_that_cannot_be_read_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = {"prompt": PROMPT, "tests": TESTS, "entry_point": "add"}
    half = {**good, "tests": TESTS + "\n    assert candidate(helper(1), []) == []"}
    with caplog.at_level(logging.WARNING):
        problems = q_problems(tmp_path, good, half, {**good, "tests": ""}, "{", "[1]", {**good, "entry_point": 5})
    assert [problem.problem_id for problem in problems] == ["q-humaneval-0"]
    assert "5 problems" in caplog.text and "tests is missing or not text" in caplog.text
    assert "an assert cannot be read" in caplog.text and "the line is not a JSON object" in caplog.text
    assert [len(problem.tests) for problem in q_problems(tmp_path, good, half, partial=True)] == [2, 2]
