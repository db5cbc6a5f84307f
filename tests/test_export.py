"""Exports: what is written is read back equal, proved again, and found out when it is changed."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from support import ROOT, pipeline_problems, run_loop, small_config

from bootstrap.errors import UserError
from bootstrap.export.directory import files_of, folder_name, read_entry, stale_files, write_entry
from bootstrap.export.finished import Finished
from bootstrap.export.literals import duckdb_literal, python_literal, sql_table
from bootstrap.export.rows import licence_ids, size_category
from bootstrap.records import Problem
from bootstrap.sources import load_source
from interpreters import load_interpreter
from interpreters.base import Column, ColumnType, Limits, Outcome, Table, TestCase
from interpreters.compare import compare_tables
from interpreters.function_cases import case_of

PYTHON = "def top_two(items):\n    return set(sorted(items)[-2:])"
SQL = "SELECT list_sort(items)[-2:] AS result FROM top_two"


def function_problem() -> Problem:
    tests = tuple(case_of("top_two", ["items"], [items], set(items[:2]), hidden=hidden)
                  for items, hidden in (([3, 2, 1], False), ([9, 8, 0, -1], True)))  # fmt: skip
    return Problem("lists/top two", "Return the two largest items of a list, in any order.", tests, "top", "by hand",
                   "function", "MIT", references={"python": PYTHON})  # fmt: skip


def finished(problem: Problem, language: str = "duckdb", code: str | None = None) -> Finished:
    interpreter = {"duckdb": "duckdb_sql", "polars": "polars_expr", "python": "python_function"}[language]
    return Finished(problem, language, interpreter, code or problem.references[language], "by a test", iteration=2)


def run(module: str, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, words)], capture_output=True, text=True, timeout=240, cwd=ROOT,
        check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with problems of both kinds and solutions, of which some fail."""
    root = tmp_path_factory.mktemp("finished")
    problems = [*pipeline_problems(5), function_problem()]
    rows: list[dict[str, Any]] = [
        {"problem_id": p.problem_id, "code": p.references.get("duckdb", SQL)} for p in problems
    ]
    rows += [
        {"problem_id": problems[0].problem_id, "code": "SELECT 1"},
        {"problem_id": "unknown", "code": "x"},
        {"a": 1},
    ]
    (root / "problems.jsonl").write_text("".join(json.dumps(p.to_json()) + "\n" for p in problems), encoding="utf-8")
    (root / "solutions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for form in ("directory", "chat", "hub"):
        ended = run(
            "bootstrap.export", "--problems", root / "problems.jsonl", "--solutions", root / "solutions.jsonl",
            "--target", "duckdb_sql", "--out", root / form, "--form", form, "--workers", 1,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        assert "left out: 1 solutions that fail: WRONG_ANSWER" in ended.stdout
        assert "left out: 1 lines without problem_id and code" in ended.stdout
    return root


def copied(folder: Path, form: str, to: Path) -> Path:
    for path in sorted((folder / form).rglob("*")):
        if path.is_file():
            target = to / form / path.relative_to(folder / form)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return to / form


# -- round trips --------------------------------------------------------------------------------------------------


def test_the_directory_form_is_read_back_as_the_same_problems(folder: Path) -> None:
    problems = {p.problem_id: p for p in load_source("jsonl", {"path": str(folder / "problems.jsonl")}, 1).load()}
    options = {"path": str(folder / "directory"), "solutions": False}
    assert {p.problem_id: p for p in load_source("directory", options, 1).load()} == problems
    with_solutions = list(load_source("directory", {"path": str(folder / "directory")}, 1).load())
    assert all("duckdb" in problem.references for problem in with_solutions)


@pytest.mark.parametrize("form", ["chat", "hub"])
def test_the_problems_beside_rows_are_read_by_the_jsonl_source(folder: Path, form: str) -> None:
    original = (folder / "problems.jsonl").read_text(encoding="utf-8")
    problems = list(load_source("jsonl", {"path": str(folder / form / "problems.jsonl")}, 1).load())
    expected = load_source("jsonl", {"path": str(folder / "problems.jsonl")}, 1).load()
    assert sorted(problems, key=lambda p: p.problem_id) == sorted(expected, key=lambda p: p.problem_id)
    assert original.count("\n") == len(problems)


@pytest.mark.parametrize("form", ["directory", "chat", "hub"])
def test_an_export_is_proved_again_and_goes_on_where_it_was(folder: Path, form: str, tmp_path: Path) -> None:
    words = ("--input-dir", folder / form, "--output-dir", tmp_path, "--workers", 1)
    ended = run("bootstrap.verify", *words)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    rows = [json.loads(line) for line in (tmp_path / "verdicts.jsonl").read_text(encoding="utf-8").splitlines()]
    solutions = [row for row in rows if row["role"] == "solution"]
    assert len(solutions) == 6 and {row["outcome"] for row in rows} == {"PASSED"}
    assert all(row["constructs"] and row["characters"] for row in solutions)
    assert len(rows) - len(solutions) == (1 if form == "directory" else 0)  # sol.py of the function
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert (summary["codes"], summary["failing"]) == (len(rows), 0)
    again = run("bootstrap.verify", *words)
    assert again.returncode == 0 and f"{len(rows)} to verify, {len(rows)} known already" in again.stdout
    assert run("bootstrap.verify", *words, "--max-problems", 2).returncode == 0


def test_what_was_changed_by_hand_is_found_out(folder: Path, tmp_path: Path) -> None:
    export = copied(folder, "directory", tmp_path)
    wrong, stale, broken, bare = sorted(path for path in export.iterdir() if path.is_dir())[-4:]
    (wrong / "sol.sql").write_text("SELECT 1\n", encoding="utf-8")
    (stale / "test_case_1_correct_ans.txt").write_text("42\n", encoding="utf-8")
    (broken / "entry.json").write_text('{"format": 1', encoding="utf-8")
    (bare / "entry.json").unlink()
    ended = run("bootstrap.verify", "--input-dir", export, "--output-dir", tmp_path / "out", "--workers", 1)
    assert ended.returncode == 1, ended.stderr
    lines = (tmp_path / "out" / "verdicts.jsonl").read_text(encoding="utf-8").splitlines()
    rows = {(row["name"], row["role"]): row for row in map(json.loads, lines)}
    assert rows[wrong.name, "solution"]["outcome"] == "WRONG_ANSWER"
    assert rows[stale.name, "solution"]["stale_files"] == ["test_case_1_correct_ans.txt"]
    assert rows[broken.name, "solution"]["message"] == "entry.json is not JSON"
    assert rows[bare.name, "solution"]["message"] == "no entry.json"
    problems = list(load_source("directory", {"path": str(export)}, 1).load())
    assert len(problems) == 4


def test_lines_that_are_no_rows_are_told_and_not_fatal(folder: Path, tmp_path: Path) -> None:
    export = copied(folder, "chat", tmp_path)
    with open(export / "chat.jsonl", "a", encoding="utf-8") as file:
        file.write('{"problem_id": "x"}\n{"messages": 1\n')
    ended = run("bootstrap.verify", "--input-dir", export, "--workers", 1)
    assert ended.returncode == 1
    assert ended.stdout.count("BROKEN not a row of an export") == 2
    assert (tmp_path / "chat_verified" / "summary.json").is_file()


# -- what is in the files -----------------------------------------------------------------------------------------


def test_a_folder_has_the_files_of_the_published_form(tmp_path: Path) -> None:
    one = finished(function_problem(), code=SQL)
    assert folder_name(one.problem).startswith("lists-top-two-") and folder_name(one.problem).endswith("_top_two")
    assert {
        "entry.json", "sol.py", "sol.sql", "problem_description.txt", "test_case_1.py", "test_case_2.py",
        "test_case_1_correct_ans.txt", "test_case_2_correct_ans.txt", "duckdb_test_case_1.sql",
        "duckdb_test_case_2.sql",
    } == files_of(one).keys()  # fmt: skip
    write_entry(tmp_path / "one", one)
    assert read_entry(tmp_path / "one") == one


def test_the_python_tests_print_the_correct_answers(tmp_path: Path) -> None:
    write_entry(tmp_path, finished(function_problem(), code=SQL))
    for number in (1, 2):
        ended = subprocess.run([sys.executable, f"test_case_{number}.py"], cwd=tmp_path, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stderr
        printed, expected = ended.stdout, (tmp_path / f"test_case_{number}_correct_ans.txt").read_text(encoding="utf-8")
        assert sorted(eval(printed)) == sorted(eval(expected))  # a set: in any order


def test_text_and_structs_are_printed_as_they_are_and_read_back_in_their_order(tmp_path: Path) -> None:
    code = "def first_key(d, add):\n    return next(iter(d)) + add"
    case = case_of("first_key", ["d", "add"], [{"z": 1, "a": [2.5, None]}, "'\"\\n"], "z'\"\\n", hidden=False)
    one = finished(Problem("p", "Say it.", (case,), "f", "by hand", "function", references={"python": code}), "python")
    write_entry(tmp_path, one)
    assert stale_files(tmp_path, read_entry(tmp_path)) == []
    ended = subprocess.run(
        [sys.executable, "test_case_1.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert ended.stdout == (tmp_path / "test_case_1_correct_ans.txt").read_text(encoding="utf-8"), ended.stderr


def test_the_sql_tests_make_the_tables_that_the_solution_reads() -> None:
    for problem in [*pipeline_problems(4), function_problem()]:
        one = finished(problem, code=problem.references.get("duckdb", SQL))
        for number, test in enumerate(problem.tests, 1):
            script, _, _ = files_of(one)[f"duckdb_test_case_{number}.sql"].partition(".read")
            with duckdb.connect() as connection:
                connection.execute(script)
                assert len(connection.execute(one.code).fetchall()) == len(test.expected.rows)


def test_the_polars_tests_run_the_solution(tmp_path: Path) -> None:
    [problem] = pipeline_problems(1)
    write_entry(tmp_path, finished(problem, "polars"))
    for number in range(1, len(problem.tests) + 1):
        name = f"polars_test_case_{number}.py"
        ended = subprocess.run([sys.executable, name], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ended.returncode == 0 and "shape: " in ended.stdout, ended.stderr


VALUES: dict[ColumnType, list[Any]] = {
    ColumnType.BOOL: [True, None], ColumnType.INT: [1, -(2**100)], ColumnType.FLOAT: [0.1, 1e300, None],
    ColumnType.DECIMAL: [Decimal("1.50"), Decimal("-3")], ColumnType.STRING: ["it's \\n \"é\"", ""],
    ColumnType.BINARY: [b"\x00\xff", b""], ColumnType.DATE: [dt.date(2026, 1, 2)],
    ColumnType.TIMESTAMP: [dt.datetime(2026, 1, 2, 3, 4, 5, 6)], ColumnType.TIME: [dt.time(1, 2, 3)],
    ColumnType.INTERVAL: [dt.timedelta(days=1, microseconds=7)], ColumnType.LIST: [[1, 2], [], None],
    ColumnType.STRUCT: [{"a": 1, "b": [1.5]}, None],
}  # fmt: skip


@pytest.mark.parametrize("interpreter_name", ["duckdb_sql", "postgres_sql"])
def test_a_table_in_sql_is_the_table(interpreter_name: str) -> None:
    with load_interpreter(interpreter_name) as interpreter:
        for kind, cells in VALUES.items():
            table = Table((Column("a b", kind),), tuple((cell,) for cell in cells))
            _, _, select = sql_table("t", table, interpreter.language).partition(" AS\n")
            execution = interpreter.execute(select, [{}], Limits(seconds=30))
            assert execution.outcome is Outcome.PASSED, (kind, execution.message)
            assert compare_tables(execution.results[0], table) is None, (kind, execution.results[0])


def test_a_value_in_python_is_the_value() -> None:
    for cells in VALUES.values():
        for cell in cells:
            assert eval(python_literal(cell), {"datetime": dt, "Decimal": Decimal}) == cell
    assert (python_literal(float("inf")), duckdb_literal(float("nan"))) == ('float("inf")', "'nan'::DOUBLE")


def test_an_empty_table_keeps_its_columns() -> None:
    with duckdb.connect() as connection:
        connection.execute(sql_table("t", Table((Column("a", ColumnType.DATE),), ()), "duckdb"))
        assert connection.execute("DESCRIBE t").fetchall()[0][:2] == ("a", "DATE")


def test_the_card_has_a_header_that_the_hub_reads(folder: Path) -> None:
    text = (folder / "hub" / "README.md").read_text(encoding="utf-8")
    header = yaml.safe_load(text.split("---")[1])
    assert header["license"] == ["apache-2.0", "mit"] and header["size_categories"] == ["n<1K"]
    assert header["configs"][0]["data_files"] == [{"split": "train", "path": "data/train.jsonl"}]
    rows = (folder / "hub" / "data" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 6
    for words in ("6 solutions of 6 problems", "| by hand | 1 | MIT |", "duckdb_sql (duckdb ", "1 solutions that fail"):
        assert words in text
    assert licence_ids(["Apache-2.0", "CC BY-SA 4.0", "mine"]) == ["apache-2.0", "cc-by-sa-4.0", "other"]
    assert [size_category(n) for n in (5, 1000, 99_999, 10**7)] == ["n<1K", "1K<n<10K", "10K<n<100K", "n>1M"]


def test_chat_rows_are_conversations(folder: Path) -> None:
    for line in (folder / "chat" / "chat.jsonl").read_text(encoding="utf-8").splitlines():
        assert [message["role"] for message in json.loads(line)["messages"]] == ["user", "assistant"]


# -- runs and mistakes --------------------------------------------------------------------------------------------


def test_the_solved_problems_of_a_run_are_exported_and_proved_again(tmp_path: Path) -> None:
    ended = run_loop(small_config(tmp_path), tmp_path / "outputs", "--run-name", "r")
    assert ended.returncode == 0, ended.stderr
    export = tmp_path / "export"
    ended = run("bootstrap.export", "--run-dir", tmp_path / "outputs" / "r", "--out", export)
    assert ended.returncode == 0, ended.stderr
    report = json.loads((tmp_path / "outputs" / "r" / "final_report.json").read_text(encoding="utf-8"))
    folders = [path for path in export.iterdir() if path.is_dir()]
    assert len(folders) == report["iterations"][-1]["solved_total"]
    assert run("bootstrap.verify", "--input-dir", export, "--workers", 1).returncode == 0


def test_mistakes_on_the_command_line_are_told(folder: Path, tmp_path: Path) -> None:
    wrong = {
        ("bootstrap.export", "--out", tmp_path / "x"): "give --run-dir, or --problems",
        ("bootstrap.export", "--run-dir", tmp_path, "--out", tmp_path / "x"): "expected the folder of a run",
        ("bootstrap.export", "--run-dir", tmp_path, "--out", folder): "expected a new or empty folder",
        ("bootstrap.verify", "--input-dir", tmp_path / "nowhere"): "no folder",
        ("bootstrap.verify", "--input-dir", tmp_path): "expected a folder per finished problem",
    }
    for (module, *words), message in wrong.items():
        ended = run(str(module), *words)
        assert ended.returncode == 2 and message in ended.stderr, (words, ended.stderr)


def test_a_language_without_test_files_is_refused_for_the_directory_form() -> None:
    one = replace(finished(function_problem(), code=SQL), language="cobol")
    with pytest.raises(UserError, match=r"no file ending for cobol.*--form chat"):
        files_of(one)


def test_accepted_tables_and_ties_survive_the_round_trip(tmp_path: Path) -> None:
    table, other = (Table((Column("a", ColumnType.INT),), ((n,),)) for n in (1, 2))
    test = TestCase({"t": table}, table, ties=(1,), accepted=(other,), match_names=False)
    problem = Problem("p", "Say one or two.", (test,), "f", "by hand", references={"duckdb": "SELECT a FROM t"})
    write_entry(tmp_path, finished(problem))
    assert read_entry(tmp_path).problem == problem


def test_accepted_tables_are_not_compared_by_columns_that_they_may_lack() -> None:
    table = Table((Column("a", ColumnType.INT),), ((1,),))
    with pytest.raises(ValueError, match="order_by and accepted tables"):
        TestCase({"t": table}, table, ("a",), accepted=(table,))
