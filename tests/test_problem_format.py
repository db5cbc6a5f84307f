"""The documented format of problems: its schema and its example agree with what the programs write and read."""

from __future__ import annotations

import copy
import datetime as dt
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from support import ROOT, pipeline_problems

from bootstrap.records import Problem
from bootstrap.sources.jsonl_problems import JsonlProblems
from interpreters import load_interpreter
from interpreters.base import Column, ColumnType, Limits, Table, TestCase
from interpreters.checking import check
from interpreters.function_cases import case_of
from interpreters.judging.check_input import read_problems

SCHEMA = json.loads((ROOT / "docs" / "problem.schema.json").read_text(encoding="utf-8"))
TEXT = (ROOT / "docs" / "problem_format.md").read_text(encoding="utf-8")
VALID = Draft202012Validator(SCHEMA)
REAL = ROOT.parent / "shared" / "data" / "text2sql" / "duckdb.jsonl"

VALUES: dict[ColumnType, list[Any]] = {
    ColumnType.NULL: [None],
    ColumnType.BOOL: [True, False, None],
    ColumnType.INT: [0, -1, 2**53 + 1, -(2**100), None],
    ColumnType.FLOAT: [0.5, 1.0, float("nan"), float("inf"), float("-inf"), None],
    ColumnType.DECIMAL: [Decimal("1.50"), Decimal("-12345678901234567890.5"), None],
    ColumnType.STRING: ["", "é\n\"", "x" * 1000, None],
    ColumnType.BINARY: [b"", b"\x00\xff\xfe", None],
    ColumnType.DATE: [dt.date(1, 1, 1), dt.date(9999, 12, 31), None],
    ColumnType.TIMESTAMP: [dt.datetime(2026, 1, 2, 3, 4, 5, 6), dt.datetime(2026, 1, 2, tzinfo=dt.UTC), None],
    ColumnType.TIME: [dt.time(0), dt.time(23, 59, 59, 999999), None],
    ColumnType.INTERVAL: [dt.timedelta(0), dt.timedelta(days=-3, microseconds=7), None],
    ColumnType.LIST: [[], [1, 2.5, "x", None, [True]], [dt.date(2026, 1, 2), b"x", 2**60, Decimal("1.5")], None],
    ColumnType.STRUCT: [{}, {"a": 1, "b": {"c": [dt.timedelta(1)]}}, {"t": dt.time(1), "f": float("nan")}, None],
    ColumnType.OTHER: [1, "x", [dt.datetime(2026, 1, 2)], None],
}  # fmt: skip


def table_of(kind: ColumnType) -> Table:
    return Table((Column("a", kind), Column("", kind)), tuple((value, None) for value in VALUES[kind]))


def problem_of(*tests: TestCase) -> Problem:
    return Problem("p-1", "Do it.", tests, "family", "by hand", references={"duckdb": "SELECT 1"})


def over_json(problem: Problem) -> Any:
    return json.loads(json.dumps(problem.to_json(), allow_nan=False))


def example() -> dict[str, Any]:
    [block] = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    row: dict[str, Any] = json.loads(block)
    return row


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("kind", list(ColumnType))
def test_every_type_of_column_is_in_the_schema_and_comes_back(kind: ColumnType) -> None:
    tests = (
        TestCase({"t": table_of(kind), "empty": Table(table_of(kind).columns, ())}, table_of(kind)),
        TestCase({}, table_of(kind), order_by=("a",), hidden=True),
        TestCase({"t": table_of(kind)}, table_of(kind), ties=(len(VALUES[kind]),), match_names=False),
    )
    row = over_json(problem_of(*tests))
    assert list(VALID.iter_errors(row)) == []
    assert repr(Problem.from_json(row)) == repr(problem_of(*tests))  # by text: NaN is not equal to itself


def test_a_test_of_a_function_is_in_the_schema_and_is_the_one_that_the_text_shows() -> None:
    test = case_of("top_two", ["items"], [[3, 1, 2]], {2, 3}, hidden=False)
    [block] = re.findall(r"```jsonc\n(.*?)```", TEXT, re.DOTALL)
    row = over_json(problem_of(test))
    assert list(VALID.iter_errors(row)) == []
    assert row["tests"] == [json.loads(block)]


def test_generated_problems_are_in_the_schema() -> None:
    for problem in pipeline_problems(12):
        assert list(VALID.iter_errors(over_json(problem))) == []


@pytest.mark.skipif(not REAL.exists(), reason=f"the real inputs are not here ({REAL.name})")
def test_real_answers_fit_the_schema() -> None:
    for line in REAL.read_text(encoding="utf-8").splitlines()[:200]:
        row = json.loads(line)
        kinds = [ColumnType.OTHER] * len(row["columns"])
        columns = tuple(map(Column, row["columns"], kinds))
        table = Table(columns, tuple(map(tuple, row["expected"])))
        assert list(VALID.iter_errors(over_json(problem_of(TestCase({}, table, match_names=False))))) == []


# -- the example ----------------------------------------------------------------------------------------------------


def test_the_example_is_complete_and_read_by_every_reader(tmp_path: Path) -> None:
    row = example()
    assert list(VALID.iter_errors(row)) == []
    assert row.keys() == SCHEMA["properties"].keys() - {"target"}
    path = tmp_path / "problems.jsonl"
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    [problem] = JsonlProblems(JsonlProblems.Options(path=str(path)), 0).load()
    assert problem.to_json() == row
    assert read_problems(path)["shop-totals"].tests == problem.tests


@pytest.mark.parametrize("name", ["polars_expr", "duckdb_sql"])
def test_the_references_of_the_example_pass_its_test(name: str) -> None:
    problem = Problem.from_json(example())
    with load_interpreter(name) as interpreter:
        verdict = check(interpreter, problem.references[interpreter.language], problem.tests, Limits())
    assert verdict.passed, verdict


def test_every_key_and_every_type_is_explained() -> None:
    prose = re.sub(r"```json.*?```", "", TEXT, flags=re.DOTALL)
    words = set(re.findall(r"`([^`\n]+)`", prose)) | set(re.findall(r'"([a-z_]+)":', TEXT))
    assert SCHEMA["properties"].keys() <= words
    assert SCHEMA["$defs"]["test"]["properties"].keys() <= words
    assert SCHEMA["$defs"]["table"]["properties"].keys() <= words
    assert set(ColumnType) <= words
    assert set(ColumnType) == set(SCHEMA["$defs"]["column"]["prefixItems"][1]["enum"])


# -- what is not a problem --------------------------------------------------------------------------------------------


def broken() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what is wrong, and the example with that."""

    def changed(*path: str | int, **values: Any) -> dict[str, Any]:
        row = copy.deepcopy(example())
        place: Any = row
        for step in path:
            place = place[step]
        place.update(values)
        return row

    first = ("tests", 0)
    yield "no tests", changed(tests=[])
    yield "unknown key", changed(test=[])
    yield "another format", changed(format=2)
    yield "empty id", changed(problem_id="")
    yield "id that is a number", changed(problem_id=7)
    yield "unknown kind", changed(kind="tables")
    yield "negative difficulty", changed(difficulty=-1)
    yield "reference that is no text", changed(references={"duckdb": ["SELECT 1"]})
    yield "unknown key of a test", changed(*first, limit=3)
    yield "hidden that is a number", changed(*first, hidden=1)
    yield "order_by that is text", changed(*first, order_by="total")
    yield "ties and order_by", changed(*first, ties=[1, 1])
    yield "tie of nothing", changed(*first, order_by=[], ties=[2, 0])
    yield "unordered rows", changed(*first, order_by=[], unordered=True)
    yield "unordered that is a number", changed(*first, unordered=0)
    yield "long table name", changed(*first, tables={"t" * 201: example()["tests"][0]["expected"]})
    yield "tables as a list", changed(*first, tables=[])
    yield "unknown type", changed(*first, "expected", columns=[["shop", "varchar"], ["total", "float"]])
    yield "column of three", changed(*first, "expected", columns=[["shop", "string", "x"], ["total", "float"]])
    yield "column without type", changed(*first, "expected", columns=[["shop"], ["total", "float"]])
    yield "negative height", changed(*first, "expected", height=-1)
    yield "cells in an empty table", changed(*first, "expected", height=0)
    yield "untagged object", changed(*first, "expected", values=[[{"a": 1}, None], [None, None]])
    yield "two tags", changed(*first, "expected", values=[[{"int": "1", "date": "2026-01-02"}, None], [None, None]])
    yield "wrong digits", changed(*first, "expected", values=[[[{"int": "1.5"}], None], [None, None]])
    for key in ("problem_id", "tests"):
        yield f"no {key}", {k: v for k, v in example().items() if k != key}
    for key in ("tables", "expected", "order_by", "hidden"):
        row = example()
        del row["tests"][0][key]
        yield f"test without {key}", row
    for key in ("columns", "height", "values"):
        row = example()
        del row["tests"][0]["expected"][key]
        yield f"table without {key}", row


@pytest.mark.parametrize(("what", "row"), broken(), ids=lambda value: value if isinstance(value, str) else "")
def test_what_is_not_in_the_format_is_not_in_the_schema(what: str, row: dict[str, Any]) -> None:
    assert list(VALID.iter_errors(row)) != []
