"""The benchmarks on real inputs: a sample of each here, and small inputs of our own that always run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from shop import line, write_folder
from support import ROOT

from bootstrap.errors import UserError
from bootstrap.sources.text2sql import Question, Text2Sql
from eval import bench_sqllogic, bench_text2sql
from eval.bench_text2sql import choose, faultless, measure
from eval.sqllogic import Record, Sort, check_record, read_record
from interpreters import INTERPRETERS, load_interpreter
from interpreters.base import Interpreter, Limits, Outcome

DATA = ROOT.parent / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="needs the real inputs in ../shared/data, not here")

OSLO = "SELECT id FROM shop WHERE town = 'Oslo'"
OPEN = "SELECT id FROM shop ORDER BY town LIMIT 1"


def questions(folder: Path, **options: Any) -> list[Question]:
    return list(Text2Sql(Text2Sql.Options(path=str(folder), **options), 0).questions())


# -- text2sql -----------------------------------------------------------------------------------------------------


def test_golds_pass_their_own_question_and_fail_the_others(tmp_path: Path) -> None:
    lines = [
        line(OSLO, "id", [[1], [3]]),
        line("SELECT id FROM shop WHERE town < 'P'", "id", [[3], [1]]),  # the same rows: no pair with the first
        line("SELECT id FROM shop ORDER BY id", "id", [[1], [2], [3]]),
        line("SELECT id FROM shop ORDER BY id DESC", "id", [[3], [2], [1]]),  # other rows, for the order counts
        line(OPEN, "id", [[1]]),
    ]
    figures = measure(questions(write_folder(tmp_path, *lines)), "duckdb", 1)
    assert (figures.questions, figures.passed, figures.in_doubt) == (5, 5, 1)
    assert (figures.pairs, figures.same_answer, figures.accepted) == (10, 2, ())
    assert [doubt for _, doubt in figures.doubts] == ["the LIMIT cuts through rows that tie"]
    assert faultless(figures)


def test_a_gold_that_fails_and_a_pair_that_is_accepted_are_listed(tmp_path: Path) -> None:
    asked, other = questions(write_folder(tmp_path, line(OSLO, "id", [[1], [3]]), line(OPEN, "id", [[1]])))
    wrong = replace(asked.problem, references={"duckdb": "SELECT id FROM shop"})
    figures = measure([replace(asked, problem=wrong)], "duckdb", 1)
    [miss] = figures.misses
    assert (miss.outcome, miss.message, miss.doubt) == ("WRONG_ANSWER", "row count 3, expected 2", "")
    assert not faultless(figures)
    # A question whose gold answers another one: the file's rows say that the answers differ, the checker does not.
    sly = replace(other.problem, references={"duckdb": OSLO})
    figures = measure([asked, replace(other, problem=sly, doubt="")], "duckdb", 1)
    assert [(pair.problem_id, pair.other_id) for pair in figures.accepted] == [
        (asked.problem.problem_id, sly.problem_id)
    ]
    assert not faultless(figures)


def test_the_program_writes_its_figures_and_says_by_its_exit_whether_all_is_well(tmp_path: Path) -> None:
    folder, out = write_folder(tmp_path, line(OSLO, "id", [[1], [3]])), tmp_path / "figures.json"
    words = ["--data", str(folder), "--engine", "duckdb", "--workers", "1", "--out", str(out)]
    assert bench_text2sql.main(words) == 0
    assert json.loads(out.read_text())["duckdb"]["passed"] == 1
    assert bench_text2sql.main([*words[:1], str(tmp_path / "none"), *words[2:]]) == 2


def test_an_engine_without_an_interpreter_is_named() -> None:
    with pytest.raises(UserError, match="postgres needs the interpreter postgres_sql"):
        choose("both", {"duckdb_sql": ""})


@needs_data
@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_real_golds_are_judged_rightly(engine: Any) -> None:
    name = bench_text2sql.ENGINES[engine]
    if name not in INTERPRETERS:
        pytest.skip(f"no interpreter {name} is here")
    with load_interpreter(name) as interpreter:
        if reason := interpreter.available():
            pytest.skip(reason)
    figures = measure(questions(DATA / "text2sql", engine=engine, limit=30), engine, 2)
    assert figures.questions == 30 and figures.pairs > 80
    assert (figures.misses, figures.accepted) == ((), ())


# -- sqllogic -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def scripts() -> Any:
    with load_interpreter("duckdb_script") as interpreter:
        yield interpreter


def judge(interpreter: Interpreter, query: str, *expected: str, sort: Sort = "nosort", setup: str = "") -> bool:
    rows = tuple(tuple(row.split("|")) for row in expected)
    record = Record("a.test", (setup,) if setup else (), query, rows, sort)
    return check_record(record, lambda script: interpreter.execute(script, [{}], Limits()))[0] is Outcome.PASSED


PRINTED = {
    "SELECT 1, NULL, '', 'a b'": "1|NULL|(empty)|a b",
    "SELECT true, false": "1|false",
    "SELECT sqrt(2.0), 49::DOUBLE": "1.414214|49.000000",
    "SELECT sum(i) FROM range(4) t(i)": "6.000000",
    "SELECT 2.50::DECIMAL(4,2), 'inf'::DOUBLE, 'nan'::DOUBLE": "2.5|inf|nan",
    "SELECT [1, NULL], {'a': 'x, y', 'b': ['']}": "[1, NULL]|{'a': 'x, y', 'b': ['']}",
    "SELECT 1 AS a, [2] AS a, 3 AS a": "1|[2]|3",
    "SELECT DATE '0000-01-01', 5": "0001-01-01 (BC)|5",
    "SELECT TIMESTAMP '2024-01-02 03:04:05.6', INTERVAL 1 MONTH": "2024-01-02 03:04:05.6|1 month",
    "SELECT 'a' || chr(0) || 'b'": "a\\0b",
    "SELECT 5 -- a comment": "5",
    "VALUES (7)": "7",
    "FROM (SELECT 8);": "8",
}
MISPRINTED = {
    "SELECT 1": ["2", "1.5", "true", "x", "1|1"],
    "SELECT sqrt(2.0)": ["1.414218", "1.414", "NULL"],
    "SELECT 0.001::DOUBLE": ["0.00101", "0"],
    "SELECT true": ["0", "false", "2"],
    "SELECT ''": ["NULL", "x"],
    "SELECT NULL": ["(empty)", "0"],
    "SELECT [1, 2]": ["[2, 1]", "[1,2]", "1"],
    "SELECT 2.50::DECIMAL(4,2)": ["2.51"],
    "SELECT DATE '2024-01-01'": ["2024-01-02"],
    "SELECT nothing": ["1"],
}


@pytest.mark.parametrize("query", PRINTED)
def test_printed_rows_are_read_back(scripts: Interpreter, query: str) -> None:
    assert judge(scripts, query, PRINTED[query])


@pytest.mark.parametrize("query", MISPRINTED)
def test_other_printed_rows_are_not(scripts: Interpreter, query: str) -> None:
    assert [text for text in MISPRINTED[query] if judge(scripts, query, text)] == []


def test_rows_are_in_order_or_sorted_as_the_record_says(scripts: Interpreter) -> None:
    query = "SELECT i, [i] FROM range(2) t(i) ORDER BY i"
    assert judge(scripts, query, "0|[0]", "1|[1]")
    assert not judge(scripts, query, "1|[1]", "0|[0]")
    assert judge(scripts, query, "1|[1]", "0|[0]", sort="rowsort")
    assert not judge(scripts, query, "1|[0]", "0|[1]", sort="rowsort")
    assert judge(scripts, query, "1|[0]", "0|[1]", sort="valuesort")
    assert not judge(scripts, query, "1|[0]", "0|[2]", sort="valuesort")
    assert not judge(scripts, query, "0|[0]")
    assert judge(scripts, "SELECT 1 WHERE false")
    assert not judge(scripts, "SELECT 1 WHERE false", "1")


def test_statements_before_the_query_and_prepared_ones_are_run(scripts: Interpreter) -> None:
    assert judge(scripts, "EXECUTE v(3)", "[3, NULL]", setup="PREPARE v AS SELECT [$1, NULL] -- prepared")
    assert judge(scripts, "DELETE FROM t", "2", setup="CREATE TABLE t AS FROM range(2)")


def test_a_connection_in_the_place_of_a_sort_mode_means_in_order() -> None:
    row = {"file": "f", "description": "", "setup": ["a"], "query": "q", "expected": [["1"]], "sort": "con2"}
    assert read_record(row) == Record("f", ("a",), "q", (("1",),), "nosort")


def test_a_miss_tells_whether_plain_duckdb_misses_too() -> None:
    records = [
        Record("a.test", (), "SELECT 1", (("2",),), "nosort"),
        Record("a.test", ("SET threads = 1",), "SELECT i FROM range(2) t(i)", (("0",), ("1",)), "nosort"),
        Record("a.test", (), "SELECT count(*) FROM duckdb_settings() WHERE name = 'temp_directory' AND value = ''",
               (("0",),), "nosort"),
    ]  # fmt: skip
    figures = bench_sqllogic.measure(records)
    assert (figures.records, figures.right) == ({"SELECT": 3}, {"SELECT": 1})
    assert (figures.single_selects, figures.single_right) == (2, 0)
    assert [(miss.number, miss.interpreter, miss.ours) for miss in figures.misses] == [
        (1, "duckdb_script", False), (1, "duckdb_sql", False), (3, "duckdb_script", True), (3, "duckdb_sql", True),
    ]  # fmt: skip


@needs_data
def test_a_sample_of_duckdbs_own_tests_gives_the_rows_of_the_file() -> None:
    records = bench_sqllogic.read_records(DATA / "duckdb_sqllogic_500.jsonl", 30)
    figures = bench_sqllogic.measure(records)
    assert figures.records["SELECT"] > 25 and figures.single_selects > 5
    assert figures.right == figures.records and figures.misses == ()
    blurred = [replace(r, expected=(("?",) * len(r.expected[0]), *r.expected[1:])) for r in records if r.expected]
    assert sum(bench_sqllogic.measure(blurred[:10]).right.values()) == 0
