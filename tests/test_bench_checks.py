"""The measuring of checks: every side gives right verdicts, all CPU is counted, and the sums are right; no clocks."""

from __future__ import annotations

import importlib.util
import io
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from eval.bench_checks import AIMS, COLUMNS, INTERPRETERS, Round, Side, measure_sides, rows_of
from eval.bench_checks_cpu import cpu_seconds
from eval.bench_checks_load import Load, load_note, shares
from eval.bench_checks_rivals import PROGRAMS, fresh_connection, fresh_process, start_true, write_tables
from eval.bench_checks_work import PROBLEMS, SAMPLES, SIZES, Check, Size, checks, sizes_of
from eval.bench_table import Section, print_section
from interpreters import load_interpreter
from interpreters.base import InterpreterUnavailable, Limits
from interpreters.checking import check
from interpreters.sandbox import Wanted

LANGUAGES = {
    "polars_expr": "polars",
    "duckdb_sql": "duckdb",
    "ibis_duckdb": "ibis",
    "ibis_polars": "ibis",
    "q_subset": "q",
}


def one_problem(language: str, size: Size) -> list[Check]:
    return list(islice(checks(language, size), SAMPLES))


# -- what is checked ------------------------------------------------------------------------------------------------


def sometimes(names: Iterable[str]) -> list[Any]:
    """Leave Ibis, which takes seconds to import, to the slow tests."""
    return [pytest.param(name, marks=pytest.mark.slow if name.startswith("ibis") else ()) for name in names]


def test_half_of_the_candidates_of_every_problem_are_right() -> None:
    work = list(islice(checks("duckdb", "medium"), PROBLEMS * SAMPLES))
    problems = [work[start : start + SAMPLES] for start in range(0, len(work), SAMPLES)]
    assert all(sum(one.is_right for one in problem) == SAMPLES / 2 for problem in problems)
    assert all(one.tests is problem[0].tests for problem in problems for one in problem)
    assert len({id(test.tables) for one in work for test in one.tests}) == 5 * PROBLEMS  # known by identity
    assert all(len(table.rows) == 1000 for test in work[0].tests for table in test.tables.values())


@pytest.mark.parametrize("name", sometimes(INTERPRETERS))
def test_our_verdicts_are_those_that_the_work_says(name: str) -> None:
    try:
        interpreter = load_interpreter(name, Wanted(required=False))
        if reason := interpreter.available():
            pytest.skip(reason)
    except InterpreterUnavailable as reason:
        pytest.skip(str(reason))
    with interpreter:
        for size in sizes_of(interpreter.language):
            for one in one_problem(interpreter.language, size):
                verdict = check(interpreter, one.code, one.tests, Limits())
                assert verdict.passed == one.is_right, f"{size} {one.code}: {verdict}"


# -- rivals ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parquet")
    write_tables(folder)
    return folder


def agrees(passes: Callable[[Check], bool], work: list[Check]) -> list[bool]:
    return [passes(one) == one.is_right for one in work]


@pytest.mark.parametrize("name", sometimes(PROGRAMS))
def test_a_fresh_process_tells_right_from_wrong(name: str, parquet: Path) -> None:
    if name != "q_subset" and not importlib.util.find_spec(name.partition("_")[0]):
        pytest.skip(f"{name.partition('_')[0]} is not installed")
    passes = fresh_process(PROGRAMS[name], parquet)
    for size in sizes_of(LANGUAGES[name]):
        right, wrong, also_right, _, _, failing, *_ = one_problem(LANGUAGES[name], size)
        asked = [right, wrong] if size == "trivial" else [right, wrong, also_right, failing]
        assert agrees(passes, asked) == [True] * len(asked), size


def test_a_fresh_connection_tells_right_from_wrong() -> None:
    if not importlib.util.find_spec("psycopg"):
        pytest.skip("psycopg is not installed")
    try:
        with fresh_connection() as passes:
            for size in SIZES:
                assert agrees(passes, one_problem("postgres", size)) == [True] * SAMPLES
    except InterpreterUnavailable as reason:
        pytest.skip(str(reason))


def test_the_floor_is_a_program_that_ends_well() -> None:
    assert start_true(one_problem("polars", "trivial")[0])


# -- CPU ------------------------------------------------------------------------------------------------------------

BURN = "t = __import__('time')\nwhile t.process_time() < 0.1: pass\n"
FAMILY = f"""
import os, sys
def burn():
    {BURN.replace(chr(10), chr(10) + "    ")}
if os.fork() == 0:
    if os.fork() == 0:
        burn()
        os._exit(0)
    os.wait()
    os.write(1, b"x")
    sys.stdin.readline()
    os._exit(0)
if os.fork() == 0:
    burn()
    os.write(1, b"x")
    os.read(0, 1)
    os._exit(0)
os.wait(), os.wait()
"""


def test_cpu_of_descendants_is_counted_while_they_run_and_after() -> None:
    """One grandchild has ended and was reaped by its parent, which runs; another child burns and goes on."""
    before = cpu_seconds()
    with subprocess.Popen([sys.executable, "-c", FAMILY], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as family:
        assert family.stdout
        assert family.stdout.read(2) == b"xx"
        running = cpu_seconds()
        family.communicate(b"\n\n")
    assert running - before >= 0.17  # of 0.2; what is reaped is told in ticks
    assert cpu_seconds() >= running - 0.04


# -- sums -----------------------------------------------------------------------------------------------------------


def rounds(*cpu_ms: float, agreed: int = 16) -> list[Round]:
    return [Round(16, agreed, 2 * ms, ms) for ms in cpu_ms]


def test_sides_take_turns_in_one_order_and_then_in_the_other() -> None:
    order: list[str] = []

    def side(name: str) -> Side:
        def judge(work: Sequence[Check]) -> list[bool]:
            order.append(name)
            return [one.is_right for one in work]

        return Side(judge, checks("polars", "trivial"), 0.0, SAMPLES, 1)

    sides = {"a": side("a"), "b": side("b")}
    measure_sides(sides, 2)
    assert order[-4:] == ["b", "a", "a", "b"]
    assert [one.agreed for one in sides["a"].rounds] == [SAMPLES] * 2


def test_the_table_says_which_aims_are_met() -> None:
    sides = {
        "unlocked": rounds(10.0, 10.0), "standard": rounds(11.0, 11.0), "strong": rounds(12.0, 12.0, agreed=15),
        "fresh": rounds(240.0, 300.0), "floor": rounds(1.0, 1.0),
    }  # fmt: skip
    rows = {row[0].strip(): dict(zip(COLUMNS, row, strict=True)) for row in rows_of("polars_expr", "trivial", sides)}
    assert rows["strong"]["right"] == "30/32"
    assert rows["strong"]["CPU vs fresh"] == "22.5 (20.0–25.0)x"
    assert rows["strong"]["aim"] == "≥ 20x: met"
    assert rows["standard / unlocked"]["CPU ms/check"] == "+10 (+10–+10) %"
    assert rows["strong / unlocked"]["aim"] == "≤ 15 %: missed"


def test_the_table_says_whether_a_speed_is_reached() -> None:
    sides = dict.fromkeys(("unlocked", "standard", "strong", "fresh"), rounds(2.0, 2.5))
    aims = {row[0].strip(): row[-1] for row in rows_of("q_subset", "puzzle", sides)}
    assert (aims["strong"], aims["strong, speed"]) == ("≥ 5x: missed", "≥ 150/s: met")


def test_the_widest_table_fits_into_its_console() -> None:
    wide = [Round(160, 160, 2.345, 2.345), Round(160, 160, 1.234, 1.234)]
    sides = dict.fromkeys(("unlocked", "standard", "strong", "strong, loading anew", "fresh", "floor"), wide)
    text = io.StringIO()
    rows = [row for name in AIMS for size in AIMS[name] for row in rows_of(name, size, sides)]
    print_section(Console(file=text, width=120), Section("Checking", COLUMNS, rows))
    assert "…" not in text.getvalue()


def load(workers: int, wall: float, below: float, own: float, machine: float) -> Load:
    return Load("medium", workers, 100, 100, wall, own, below, machine)


@pytest.mark.parametrize(("below", "own", "machine", "reason"), [
    (1.7, 0.2, 1.9, "the cores"), (0.5, 0.1, 2.0, "other programs on the cores"),
    (0.4, 0.95, 1.4, "this process, whose threads run one at a time"), (0.5, 0.2, 0.8, "waiting for hand-overs"),
])  # fmt: skip
def test_what_bounds_the_pool_is_read_off_the_shares(below: float, own: float, machine: float, reason: str) -> None:
    assert shares([load(2, 1.0, below, own, machine)], 2)[3].startswith(reason)


def test_the_sentence_on_the_pool_compares_one_worker_with_two() -> None:
    note = load_note("polars_expr, medium", [load(1, 2.0, 1.5, 0.3, 2.0), load(2, 1.0, 1.7, 0.2, 1.9)])
    assert "50 -> 100 checks/s, 2.00 (2.00–2.00)x" in note
