"""eval.bench_verifier: its own rules tell right from wrong, and it would notice a verifier that does not."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from support import ROOT, pipeline_problems

from bootstrap.audit.mutants import Mutant
from eval.bench_verifier import Counts, Subject, Truth, compare, note
from interpreters import load_interpreter
from interpreters.base import Column, ColumnType, Table, TestCase, Value

NAMES = (Column("k", ColumnType.STRING), Column("v", ColumnType.FLOAT))


def rows(*cells: tuple[Value, Value]) -> Table:
    return Table(NAMES, cells)


RIGHT = rows(("a", 1.5), ("b", 2.0), ("b", 2.0), ("c", None))
BAG = TestCase({}, RIGHT)
SORTED = TestCase({}, RIGHT, order_by=("k",))
TIED = TestCase({}, RIGHT, ties=(1, 2, 1))

CASES: dict[str, tuple[TestCase, Table, Truth]] = {
    "the same": (BAG, RIGHT, "same"),
    "another order of a bag": (BAG, rows(*RIGHT.rows[::-1]), "same"),
    "an integer for a float": (BAG, rows(("a", 1.5), ("b", 2), ("b", Decimal("2.0")), ("c", None)), "same"),
    "a duplicate less": (BAG, rows(*RIGHT.rows[:3]), "different"),
    "another duplicate": (BAG, rows(("a", 1.5), ("a", 1.5), ("b", 2.0), ("c", None)), "different"),
    "a truth for a number": (BAG, rows(("a", True), ("b", 2.0), ("b", 2.0), ("c", None)), "different"),
    "nothing for a number": (BAG, rows(("a", None), ("b", 2.0), ("b", 2.0), ("c", None)), "different"),
    "the last digits of a float": (BAG, rows(("a", 1.5000000001), ("b", 2.0), ("b", 2.0), ("c", None)), "close"),
    "another float": (BAG, rows(("a", 1.51), ("b", 2.0), ("b", 2.0), ("c", None)), "different"),
    "another order of a list": (SORTED, rows(*RIGHT.rows[::-1]), "different"),
    "another order of groups": (TIED, rows(RIGHT.rows[1], RIGHT.rows[0], *RIGHT.rows[2:]), "different"),
    "another name": (BAG, Table((Column("x", ColumnType.STRING), NAMES[1]), RIGHT.rows), "different"),
    "another name that does not count": (
        replace(BAG, match_names=False), Table((Column("x", ColumnType.STRING), NAMES[1]), RIGHT.rows), "same",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_its_rules_tell_right_from_wrong(case: str) -> None:
    test, actual, truth = CASES[case]
    assert compare(actual, test) == truth


def test_a_moment_is_the_same_in_every_zone_and_a_day_is_no_moment() -> None:
    column = (Column("t", ColumnType.TIMESTAMP),)
    noon = dt.datetime(2024, 5, 1, 12, tzinfo=dt.UTC)
    test = TestCase({}, Table(column, ((noon.replace(tzinfo=None),),)))
    assert compare(Table(column, ((noon.astimezone(dt.timezone(dt.timedelta(hours=2))),),)), test) == "same"
    assert compare(Table(column, ((dt.date(2024, 5, 1),),)), test) == "different"


def test_a_wrong_verdict_is_counted_and_shown_and_a_truth_that_changes_is_not() -> None:
    [problem] = pipeline_problems(1)
    wrong, right = Mutant("df.head(0)", "limit", ""), Mutant(problem.references["polars"], "none", "")
    counts = Counts("polars_expr")
    with load_interpreter("polars_expr") as interpreter:
        note(counts, Subject(problem, wrong, "different"), True, interpreter)
        note(counts, Subject(problem, right, "same"), False, interpreter)
        note(counts, Subject(problem, right, "different"), True, interpreter)  # it is the same when it runs again
    assert (counts.false_accepts, counts.false_rejects, counts.unstable) == (1, 1, 1)
    assert [example["code"] for example in counts.examples] == [wrong.code, right.code]


@pytest.mark.slow
def test_a_small_run_finds_no_false_verdict(tmp_path: Path) -> None:
    out = tmp_path / "verifier.json"
    words = [sys.executable, "-m", "eval.bench_verifier", "--count", "120", "--workers", "1", "--out", str(out)]
    ended = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)
    assert ended.returncode == 0, ended.stderr + ended.stdout
    assert "polars_expr" in ended.stdout
    found = json.loads(out.read_text(encoding="utf-8"))
    assert [row["target"] for row in found] == ["polars_expr", "duckdb_sql"]
    for row in found:
        assert row["made"]["different"] > 80
        assert (row["false_accepts"], row["false_rejects"], row["examples"]) == (0, 0, [])
