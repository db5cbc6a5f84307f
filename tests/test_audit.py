"""The audit: weak data sets are found and mended, hopeless problems are named with their survivors, flaky references
do not come in, and the program goes on where it was stopped. Real DuckDB and Polars throughout."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from support import ROOT, pipeline_problems

from bootstrap.admission import Plan, admit, admit_by, trivial_answer
from bootstrap.audit.audit import ProblemAudit, audit, quarantine_reason, with_added
from bootstrap.audit.data_sets import variations
from bootstrap.audit.habits import habits_of
from bootstrap.audit.report import totals_of
from bootstrap.audit.workers import CELLS_PER_BATCH, Workers, run_jobs
from bootstrap.config import AuditConfig, load_config
from bootstrap.prepare import prepare
from bootstrap.records import Problem, dump_line
from bootstrap.run_store import RunStore
from interpreters import load_interpreter
from interpreters.base import Column, ColumnType, Limits, Table, TestCase, Value
from interpreters.checking import check

INT, TEXT = ColumnType.INT, ColumnType.STRING
ORDERS = (Column("order_id", INT), Column("city", TEXT), Column("amount", INT))
SUMS = (Column("city", TEXT), Column("total", INT))


def table(columns: Sequence[Column], *rows: tuple[Value, ...]) -> Table:
    return Table(tuple(columns), rows)


def problem(tests: Sequence[TestCase], **references: str) -> Problem:
    return Problem("p1", "the total amount over 10 by city", tuple(tests), "f1", "test", references=references)


WEAK = TestCase(
    {"orders": table(ORDERS, (1, "oslo", 20), (2, "rome", 30), (3, "rome", 1))},
    table(SUMS, ("oslo", 20), ("rome", 30)),
)
WEAK_SQL = "SELECT city, sum(amount) AS total FROM orders WHERE amount > 10 GROUP BY city"
WEAK_POLARS = 'orders.filter(pl.col("amount") > 10).group_by("city").agg(pl.col("amount").sum().alias("total"))'
ONE_CITY = TestCase({"orders": table(ORDERS, (1, "oslo", 20))}, table(SUMS[:1], ("oslo",)))
TWO_CITIES = TestCase({"orders": table(ORDERS, (1, "rome", 5), (2, "oslo", 7))}, table(SUMS[:1], ("rome",), ("oslo",)))
HOPELESS_SQL = "SELECT city FROM (SELECT *, amount * 2 + 7 - order_id * 3 AS unused FROM orders) AS t"


def audited(one: Problem, target: str, config: AuditConfig | None = None) -> ProblemAudit:
    [found] = audit([one], Workers(1, target), config or AuditConfig())
    return found


@pytest.mark.parametrize(("target", "language"), [("duckdb_sql", "duckdb"), ("polars_expr", "polars")])
def test_a_weak_data_set_is_mended_by_others_that_kill_the_survivors(target: str, language: str) -> None:
    one = problem([WEAK], **{language: WEAK_SQL if language == "duckdb" else WEAK_POLARS})
    without = audit([one], Workers(1, target), AuditConfig(), search=False)[0]
    assert {"constant", "comparison", "aggregate", "constant_answer"} <= {m.operator for m in without.survivors}
    found = audited(one, target)
    assert found.killed_before < found.mutants
    assert found.kill_rate > without.kill_rate
    assert 1 <= len(found.added) <= AuditConfig().max_added
    assert all(test.hidden for test in found.added)
    assert quarantine_reason(found, AuditConfig()) is None
    mended = with_added(one, found)
    with load_interpreter(target) as interpreter:
        for mutant in without.survivors[:-1]:  # the last is the constant answer, which is no code
            passed = check(interpreter, mutant.code, mended.tests, Limits()).passed
            assert passed == (mutant in found.survivors), mutant
        assert check(interpreter, one.references[language], mended.tests, Limits()).passed


def test_an_added_data_set_gives_what_the_reference_gives_in_every_language() -> None:
    one = problem([WEAK], duckdb=WEAK_SQL, polars=WEAK_POLARS)
    found = audited(one, "polars_expr")
    assert found.added
    admitted, quarantined = admit([with_added(one, found)], 1, lambda done, total: None)
    assert (len(admitted), quarantined) == (1, {})


def test_no_data_set_is_added_on_which_the_languages_differ() -> None:
    other = WEAK_SQL.replace("> 10", "> 15")  # right on the given data set, as 10 is
    one = problem([WEAK], duckdb=other, polars=WEAK_POLARS)
    for test in audited(one, "polars_expr").added:
        amounts = [row[2] for row in test.tables["orders"].rows]
        assert not any(isinstance(amount, int) and 10 < amount <= 15 for amount in amounts)


def test_a_hopeless_problem_is_quarantined_and_lists_what_survives() -> None:
    found = audited(problem([ONE_CITY, TWO_CITIES], duckdb=HOPELESS_SQL), "duckdb_sql", AuditConfig(mutants=8))
    reason = quarantine_reason(found, AuditConfig()) or ""
    assert found.kill_rate < AuditConfig().min_kill_rate
    assert len(found.survivors) > 4
    assert "mutants fail, less than 80%; survivors: " in reason
    assert all(f"{mutant.operator} ({mutant.detail}): {mutant.code}" in reason for mutant in found.survivors)


def test_a_problem_below_the_kill_rate_is_quarantined_with_the_rate() -> None:
    found = audited(problem([WEAK, WEAK], duckdb=WEAK_SQL), "duckdb_sql", AuditConfig(max_added=0))
    kept = replace(found, survivors=found.survivors[:-1], killed_wrong=found.killed_wrong + 1)  # no constant answer
    assert quarantine_reason(kept, AuditConfig(min_kill_rate=0.0)) is None
    assert f"{kept.kill_rate:.0%} of {kept.mutants} mutants fail, less than 95%" in (
        quarantine_reason(kept, AuditConfig(min_kill_rate=0.95)) or ""
    )


def test_errors_and_wrong_answers_are_counted_apart() -> None:
    step = "WITH s AS (SELECT city, amount AS a FROM orders WHERE amount > 10)"
    code = f"{step} SELECT city, sum(a) AS total FROM s GROUP BY city"  # without its step there is no column a
    found = audited(problem([WEAK], duckdb=code), "duckdb_sql")
    assert found.killed_error >= 1
    assert found.killed_wrong + found.killed_error + len(found.survivors) == found.mutants
    assert sum(made for made, _, _ in found.by_operator.values()) == found.mutants
    totals = totals_of([found], AuditConfig())
    assert totals.line().startswith(f"audit: 1 problem, {found.mutants} mutants, ")


def test_a_problem_without_a_reference_that_can_change_is_skipped_with_the_reason() -> None:
    found = audited(problem([WEAK], sqlite="SELECT * FROM orders"), "duckdb_sql")
    assert "no reference in" in found.skipped
    assert quarantine_reason(found, AuditConfig()) is None


def test_pipelines_lose_nearly_all_their_mutants() -> None:
    found = audit(pipeline_problems(24), Workers(2, "polars_expr"), AuditConfig())
    totals = totals_of(found, AuditConfig())
    assert totals.kill_rate is not None
    assert totals.kill_rate > 0.97
    assert totals.quarantined <= 1


# -- data sets ---------------------------------------------------------------------------------------------------------

CUSTOMERS = table((Column("customer_id", INT), Column("name", TEXT)), (1, "ann"), (2, "bob"), (3, "cid"))
SALES = table(
    (Column("sale_id", INT), Column("customer_id", INT), Column("price", INT), Column("note", TEXT)),
    (1, 1, 5, None), (2, 1, 7, "x"), (3, 2, 5, "y"),
)  # fmt: skip
SHOP = TestCase({"customers": CUSTOMERS, "sales": SALES}, table((Column("n", INT),), (3,)))


def test_variations_keep_to_the_habits_of_the_tables() -> None:
    habits = habits_of([SHOP])
    assert habits.keys == {"customers": ((0,),), "sales": ((0,),)}
    assert [(link.table, link.target) for link in habits.links] == [("sales", "customers")]
    source = variations([SHOP], ["SELECT count(*) FROM sales WHERE price > 6 AND note <> 'x'"], "seed")
    for _, one in zip(range(60), source, strict=False):
        people, sales = one.tables["customers"].rows, one.tables["sales"].rows
        assert len({row[0] for row in people}) == len(people), one.kind
        assert len({row[0] for row in sales}) == len(sales), one.kind
        assert {row[1] for row in sales} <= {row[0] for row in people}, one.kind
        assert None not in {cell for row in sales for cell in row[:3]}, one.kind
        assert one.tables["sales"].columns == SALES.columns


def test_variations_look_for_trouble() -> None:
    source = variations([SHOP], ["SELECT count(*) FROM sales WHERE price > 6 AND note <> 'x'"], "seed")
    tables = [one.tables for _, one in zip(range(60), source, strict=False)]
    prices = {row[2] for some in tables for row in some["sales"].rows}
    notes = {row[3] for some in tables for row in some["sales"].rows}
    assert {5, 6, 7, 0, -5} <= prices
    assert {None, "", "X", "x"} <= notes
    assert any(not some["sales"].rows for some in tables)
    assert any(len(some["sales"].rows) == 1 for some in tables)
    assert any({row[0] for row in some["customers"].rows} - {row[1] for row in some["sales"].rows} for some in tables)


def test_variations_are_the_same_for_the_same_seed() -> None:
    first, again, other = (
        [one for _, one in zip(range(20), variations([SHOP], ["price > 6"], seed), strict=False)]
        for seed in ("a", "a", "b")
    )
    assert first == again
    assert first != other


# -- determinism and trivial answers -----------------------------------------------------------------------------------

NUMBERS = (Column("k", TEXT), Column("x", INT))
ROWS = tuple((f"k{i % 5}", i) for i in range(40))
LARGE = Table(NUMBERS, tuple(random.Random(3).sample(ROWS, len(ROWS))))
RANDOM = "SELECT k, x, random() < 2 AS r FROM df ORDER BY random() LIMIT 3"
FLAKY: dict[str, tuple[str, str, tuple[tuple[Value, ...], ...]]] = {
    "the first row of an unsorted table": ("duckdb", "SELECT * FROM df LIMIT 1", LARGE.rows[:1]),
    "the first row of a group": (
        "polars", "df.group_by('k', maintain_order=True).agg(pl.col('x').first()).head(1)", LARGE.rows[:1],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FLAKY)
def test_a_reference_that_depends_on_the_order_of_the_rows_is_quarantined(name: str) -> None:
    language, code, expected = FLAKY[name]
    tests = (TestCase({"df": LARGE}, Table(NUMBERS, expected)),)
    one = Problem("p1", "s", tests, "f", "test", references={language: code})
    admitted, quarantined = admit([one], 1, lambda done, total: None)
    assert admitted == []
    assert "flaky, with the input rows shuffled: WRONG_ANSWER" in quarantined["p1"]


def test_a_reference_that_draws_at_random_is_quarantined() -> None:
    with load_interpreter("duckdb_sql") as interpreter:
        expected = interpreter.execute_trusted([(RANDOM, [{"df": LARGE}])])[0].results[0]
    one = Problem("p1", "s", (TestCase({"df": LARGE}, expected),), "f", "test", references={"duckdb": RANDOM})
    assert "WRONG_ANSWER" in admit([one], 1, lambda done, total: None)[1]["p1"]


def test_ties_that_the_order_leaves_free_are_not_flaky() -> None:
    expected = Table(NUMBERS, tuple(sorted(LARGE.rows)))
    test = TestCase({"df": LARGE}, expected, order_by=("k",))
    one = Problem("p1", "s", (test,), "f", "test", references={"polars": "df.sort('k')"})
    assert admit([one], 1, lambda done, total: None)[1] == {}


def test_repeats_can_be_left_to_the_audited_sample() -> None:
    test = TestCase({"df": LARGE}, Table(NUMBERS, LARGE.rows[:1]))
    one = Problem("p1", "s", (test,), "f", "test", references={"polars": "df.head(1)"})
    for sample, flaky in ((frozenset[str](), False), (frozenset({"p1"}), True)):
        plan = Plan("polars", repeats="audited", sample=sample)
        found = admit_by([one], Workers(1, "polars_expr"), plan, lambda done, total: None)
        assert bool(found.quarantined) == flaky


def test_other_languages_can_be_left_to_the_audited_sample() -> None:
    right = problem([WEAK], polars=WEAK_POLARS, duckdb="SELECT 1 AS wrong")
    for languages, sample, refused in (
        ("all", set(), True), ("target", {"p1"}, False), ("sample", set(), False), ("sample", {"p1"}, True),
    ):  # fmt: skip
        plan = Plan("polars", languages, sample=sample)  # type: ignore[arg-type]  # one of the three words
        found = admit_by([right], Workers(1, "polars_expr"), plan, lambda done, total: None)
        assert bool(found.quarantined) == refused, (languages, sample)


def test_a_problem_without_a_reference_in_the_target_language_is_proved_by_what_it_has() -> None:
    wrong = problem([WEAK], duckdb="SELECT 1 AS wrong")
    found = admit_by([wrong], Workers(1), Plan("polars", "target"), lambda done, total: None)
    assert "duckdb reference: WRONG_ANSWER" in found.quarantined["p1"]


def test_one_result_for_all_data_sets_is_a_trivial_answer() -> None:
    other = replace(WEAK, tables={"orders": table(ORDERS, (7, "oslo", 20), (8, "rome", 30))})
    assert "constant table" in (trivial_answer([WEAK, other]) or "")
    assert trivial_answer([WEAK]) is None


def test_jobs_with_large_tables_cross_in_several_batches() -> None:
    large = Table((Column("i", INT),), tuple((i,) for i in range(CELLS_PER_BATCH // 2 + 1)))
    jobs = [(f"df.select(pl.col('i').sum() + {number})", [{"df": large}]) for number in range(3)]
    with load_interpreter("polars_expr") as interpreter:
        results = [execution.results[0].rows for execution in run_jobs(interpreter, jobs)]
    total = sum(range(CELLS_PER_BATCH // 2 + 1))
    assert results == [((total + number,),) for number in range(3)]


# -- programs ----------------------------------------------------------------------------------------------------------


def test_prepare_writes_the_audit_and_quarantines_by_it(tmp_path: Path) -> None:
    problems = tmp_path / "problems.jsonl"
    hopeless = replace(problem([ONE_CITY, TWO_CITIES], duckdb=HOPELESS_SQL), problem_id="hopeless", family="hopeless")
    weak = replace(problem([WEAK], duckdb=WEAK_SQL), problem_id="weak", family="weak")
    good = [replace(p, references={"duckdb": p.references["duckdb"]}) for p in pipeline_problems(6)]
    problems.write_text("".join(dump_line(p.to_json()) for p in [hopeless, weak, *good]), encoding="utf-8")
    config = load_config(None, {"target": "duckdb_sql", "base_model": "none", "split.dev": 1, "split.test": 1,
                                "split.seeds": 2, "source.name": "jsonl", "checking.workers": 1, "audit.mutants": 8,
                                "source.options": {"path": str(problems)}})  # fmt: skip
    store = RunStore(tmp_path / "run")
    record = prepare(store, config, lambda done, total, what: None)
    kept = store.problems()
    assert "survivors: " in store.split()["quarantined"]["hopeless"]
    assert len(kept["weak"].tests) > 1
    assert "duckdb" not in kept["weak"].references or "weak" in store.split()["seeds"]
    written = json.loads(store.audit_file.read_text(encoding="utf-8"))
    assert written["totals"]["problems"] == len(good) + 2
    assert written["totals"]["quarantined"] == 1
    assert {row["problem_id"]: len(row["added"]) for row in written["problems"]}["weak"] == len(kept["weak"].tests) - 1
    assert str(record["audit"]).startswith(f"audit: {len(good) + 2} problems, ")


def words(out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "bootstrap.audit", "--source", "table_pipelines", "--target", "polars_expr",
            "--out", str(out), *more]  # fmt: skip


def run(out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words(out, *more), cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)


def rows_of(out: Path) -> list[str]:
    """Return the lines without what the order of work decides."""
    return sorted(out.read_text(encoding="utf-8").splitlines())


@pytest.mark.slow
def test_the_program_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole.jsonl", tmp_path / "broken.jsonl"
    ended = run(whole, "--count", "90", "--mutants", "6")
    assert ended.returncode == 0, ended.stderr
    assert "90 problems, " in ended.stdout
    assert "kill rate by problem" in ended.stdout
    started = subprocess.Popen(words(broken, "--count", "90", "--mutants", "6"), cwd=ROOT, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not broken.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    started.send_signal(signal.SIGKILL)
    started.wait()
    done = rows_of(broken)
    assert 0 < len(done) < 90
    with open(broken, "ab") as file:
        file.write(b'{"key": "torn')
    ended = run(broken, "--count", "90", "--mutants", "6")
    assert ended.returncode == 0, ended.stderr
    assert rows_of(broken) == rows_of(whole)


def test_the_program_reads_problems_and_counts_a_finished_file_again_without_work(tmp_path: Path) -> None:
    problems, out = tmp_path / "problems.jsonl", tmp_path / "audit.jsonl"
    problems.write_text(dump_line(problem([WEAK], polars=WEAK_POLARS).to_json()), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "bootstrap.audit",
        "--problems",
        str(problems),
        "--out",
        str(out),
        "--add-datasets",
    ]
    first = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    content = out.read_bytes()
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    assert out.read_bytes() == content
    assert first.stdout.splitlines()[-5:] == again.stdout.splitlines()[-5:]
    [row] = [json.loads(line) for line in content.splitlines()]
    assert len(row["tests"]) == len(row["added"]) >= 1


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--problems", "x.jsonl"], "give one of --problems FILE and --source NAME"),
        (["--target", "polar"], "did you mean"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path: Path, more: list[str], sentence: str) -> None:
    ended = run(tmp_path / "out.jsonl", *more)
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert sentence in ended.stderr
