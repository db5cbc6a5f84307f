"""The generator `sql_to_ibis`: templates bound in both languages, pairs proved, what is wrong named and left out."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from bootstrap.admission import admit
from bootstrap.errors import UserError
from bootstrap.files import read_json, read_jsonl
from bootstrap.generate import load_generator
from bootstrap.generate.generation import Generation
from bootstrap.generate.sql_to_ibis.database import FixtureDatabase
from bootstrap.generate.sql_to_ibis.domains import DOMAINS_SHIPPED, read_domains
from bootstrap.generate.sql_to_ibis.fixtures import data_sets_of
from bootstrap.generate.sql_to_ibis.layout import laid_out_ibis, laid_out_sql
from bootstrap.generate.sql_to_ibis.pairs import shape_of
from bootstrap.generate.sql_to_ibis.proof import NotProvedError, Proved, prove
from bootstrap.generate.sql_to_ibis.template_files import TEMPLATES_SHIPPED, read_templates
from bootstrap.records import Problem
from interpreters.base import Column, ColumnType, Table
from tests.support import ROOT

OUTPUTS = ("pairs.jsonl", "problems.jsonl", "coverage.json", "report.json", "report.html", "README.md")
GOOD = {
    "name": "large_ones", "difficulty": 1, "features": ["where"], "axes": {"x": "facts.number", "v": "value of x"},
    "sql": "SELECT * FROM {facts} WHERE {x} > {v}", "ibis": "{facts}.filter(_{x} > {v})",
}  # fmt: skip


def templates_in(folder: Path, *rows: object) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "own.yaml").write_text(yaml.safe_dump(list(rows)), encoding="utf-8")
    return folder


def faults_of(folder: Path) -> list[str]:
    return read_templates(folder, read_domains(DOMAINS_SHIPPED)[0])[1]


# -- what is shipped ----------------------------------------------------------------------------------------------


def test_everything_that_is_shipped_is_right() -> None:
    domains, faults = read_domains(DOMAINS_SHIPPED)
    templates, more = read_templates(TEMPLATES_SHIPPED, domains)
    assert not faults and not more
    assert len(domains) >= 8 and len(templates) >= 80


def test_the_templates_cover_what_analysts_write() -> None:
    templates, _ = read_templates(TEMPLATES_SHIPPED, read_domains(DOMAINS_SHIPPED)[0])
    shown = {feature for ready in templates for feature in ready.template.features}
    wanted = (
        "where arithmetic case like date aggregate having distinct union,intersect,except semi_join anti_join "
        "self_join full_join window frame cte scalar_sub-query in_sub-query exists correlated qualify rollup "
        "grouping_sets is_null cast top-k_per_group pivot"
    )
    assert not {one.replace("_", " ") for word in wanted.split() for one in word.split(",")} - shown


def test_data_sets_hold_nulls_ties_duplicates_and_an_empty_table() -> None:
    for domain in read_domains(DOMAINS_SHIPPED)[0]:
        data_sets = data_sets_of(domain, seed=1)
        assert len(data_sets) >= 4
        facts = [one["facts"].rows for one in data_sets]
        assert any(not rows for rows in facts) and any(None in row for rows in facts for row in rows)
        assert any(len({row[1:] for row in rows}) < len(rows) for rows in facts)
        assert all(len({row[0] for row in rows}) == len(rows) for rows in facts)  # the key is one
        assert data_sets == data_sets_of(domain, seed=1) != data_sets_of(domain, seed=2)


# -- what is wrong is named ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sql": "SELECT * FROM {facts} WHERE {x} > {w}"}, "parameter w: nothing binds {w}"),
        ({"axes": {"x": "facts.nummer", "v": "value of x"}}, "parameter x: facts has no column"),
        ({"axes": {"x": "factory.number", "v": "value of x"}}, "parameter x: 'factory.number': expected a role"),
        ({"axes": {"x": "facts.number", "v": "vlaue of x"}}, "did you mean 'value'"),
        ({"axes": {"x": "facts.number", "v": "value of y"}}, "parameter v: 'y'"),
        ({"axes": {"x": "facts.number", "v": [{"sql": ">"}]}}, "parameter v: a choice has sql and ibis"),
        ({"axes": {"x": "facts.number", "v": "value of x", "z": [1]}}, "parameter z: it is bound, and neither"),
        ({"features": []}, "parameter features"),
        ({"diffculty": 1}, "parameter diffculty"),
        ({"sql": "SELECT 1 AS {x} > {v}", "ibis": "_{x} + {v}"}, "expected a table"),
    ],
)
def test_a_wrong_template_is_named_and_left_out(tmp_path: Path, change: dict[str, object], said: str) -> None:
    folder = templates_in(tmp_path / "own", GOOD, {**GOOD, "name": "wrong", **change})
    [fault] = faults_of(folder)
    assert fault.startswith("own.yaml: template wrong refused: ") and said in fault


def test_a_generation_goes_on_without_what_is_refused(tmp_path: Path) -> None:
    folder = templates_in(tmp_path / "own", GOOD, {**GOOD, "name": "wrong", "ibis": "{facts}.filter(_{y} > 1)"}, "text")
    (folder / "broken.yaml").write_text("- name: [", encoding="utf-8")
    settings = {"templates": str(folder), "variations": 2, "compositions": 0}
    summary = Generation("sql_to_ibis", settings, tmp_path / "out", workers=1).run()
    assert summary["total"]["distinct"] > 10
    assert any("template wrong refused: parameter y" in note for note in summary["notes"])
    assert sum(row["count"] for row in summary["refused"] if row["kind"] == "invalid") == len(summary["notes"]) == 3


def test_a_folder_without_a_right_template_is_refused(tmp_path: Path) -> None:
    folder = templates_in(tmp_path / "own", {**GOOD, "sql": "SELECT {q}"})
    with pytest.raises(UserError, match="nothing binds"):
        load_generator("sql_to_ibis", {"templates": str(folder)}, tmp_path)


def test_an_unknown_dialect_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="did you mean 'postgres'"):
        load_generator("sql_to_ibis", {"dialects": {"postgers": 1.0}}, tmp_path)


def test_names_that_are_keywords_or_have_spaces_and_emoji_work(tmp_path: Path) -> None:
    kinds = ["count", "amount", "amount", "date", "date", "moment", "flag"]
    names = ["order", "Unit Price", "🍎 weight", "select", "due date", "at", "flag?"]
    plain: dict[str, object] = {name: {"kind": kind} for name, kind in zip(names, kinds, strict=True)}
    texts = {"group": "category", 'the "kind"': "category", "mémo": "text"}
    facts = {**plain, **{name: {"kind": kind, "values": ["a b", "it's", "cde"]} for name, kind in texts.items()}}
    entities = {
        "full name": {"kind": "text", "values": ["x", "y"]}, "where": {"kind": "category", "values": ["u", "v"]},
        "count": {"kind": "count"}, "since": {"kind": "date"},
    }  # fmt: skip
    events = {
        "why": {"kind": "category", "values": ["p", "q"]}, "sum": {"kind": "amount"}, "when": {"kind": "date"},
    }  # fmt: skip
    domain = {
        "name": "awkward",
        "facts": {"name": "table_1", "key": "no.", "entity": "from", "columns": facts},
        "entities": {"name": "values_", "key": "from", "parent": "to", "columns": entities},
        "events": {"name": "später", "fact": "no.", "columns": events},
    }
    (tmp_path / "domains").mkdir()
    (tmp_path / "domains" / "one.yaml").write_text(yaml.safe_dump(domain, allow_unicode=True), encoding="utf-8")
    settings = {"domains": str(tmp_path / "domains"), "variations": 1, "compositions": 0}
    summary = Generation("sql_to_ibis", settings, tmp_path / "out", workers=1).run()
    total = summary["total"]
    assert total["distinct"] > 100 and total["valid"] >= 0.9 * total["generated"]


# -- the proof ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def database() -> FixtureDatabase:
    return FixtureDatabase()


def proved(database: FixtureDatabase, sql: str, code: str) -> Proved:
    columns = (Column("k", ColumnType.INT), Column("g", ColumnType.STRING), Column("x", ColumnType.INT))
    rows = ((1, "a", 5), (2, "a", None), (3, "b", 5), (4, None, 7), (5, "b", 1))
    tables = [Table(columns, rows), Table(columns, rows[1:4]), Table(columns, ())]
    return prove(sql, code, ["t"], database, database.load([{"t": table} for table in tables]))


def test_a_right_pair_is_proved_with_its_order_and_ties(database: FixtureDatabase) -> None:
    found = proved(
        database, "SELECT g, x FROM t WHERE x > 1 ORDER BY x", "t.filter(_.x > 1).select('g', 'x').order_by('x')"
    )
    assert [test.ties for test in found.tests] == [(2, 1), (1, 1), ()]


@pytest.mark.parametrize(
    ("sql", "code", "kind", "reason"),
    [
        ("SELECT k FROM t WHERE x > 1", "t.filter(_.x >= 1).select('k')", "invalid", "the answers differ"),
        ("SELECT k, x FROM t ORDER BY k", "t.select('k', 'x').order_by(-_.k)", "invalid", "the answers differ"),
        ("SELECT g FROM t", "t.select('g').distinct()", "invalid", "the answers differ"),
        ("SELECT q FROM t", "t.select('k')", "invalid", "the SQL does not run"),
        ("SELECT k FROM t", "t.select('q')", "invalid", "the Ibis code gives no expression"),
        ("SELECT k FROM t WHERE", "t", "invalid", "the SQL cannot be parsed"),
        ("SELECT k FROM t LIMIT 2", "t.select('k').limit(2)", "invalid", "a LIMIT without ORDER BY"),
        ("SELECT g, x FROM t ORDER BY x LIMIT 1 OFFSET 1", "t.order_by('x').limit(1, offset=1).select('g', 'x')",
         "invalid", "a LIMIT cuts through rows that tie"),
        ("SELECT k FROM t WHERE x > 99", "t.filter(_.x > 99).select('k')", "vacuous", "an empty table"),
        ("SELECT * FROM t", "t", "vacuous", "an input table"),
        ("SELECT 1 AS one FROM t LIMIT 0", "t.select(one=1).limit(0)", "invalid", "a LIMIT without"),
        ("SELECT k FROM t WHERE k > 0", "t.filter(_.k > 0).select('k')", "vacuous", "without its WHERE"),
        ("SELECT DISTINCT k FROM t", "t.select('k').distinct()", "vacuous", "without its DISTINCT"),
        ("SELECT g, COUNT(*) AS n FROM t GROUP BY g HAVING COUNT(*) > 0",
         "t.group_by('g').agg(n=_.count()).filter(_.n > 0)", "vacuous", "without its HAVING"),
        ("SELECT SUM(x) AS s FROM t ORDER BY s", "t.agg(s=_.x.sum()).order_by('s')", "vacuous", "no data set has two"),
    ],
)  # fmt: skip
def test_a_wrong_or_vacuous_pair_is_refused(
    database: FixtureDatabase, sql: str, code: str, kind: str, reason: str
) -> None:  # fmt: skip
    with pytest.raises(NotProvedError) as found:
        proved(database, sql, code)
    assert found.value.kind == kind and found.value.reason.startswith(reason)


def test_an_answer_that_depends_on_the_order_of_storage_is_refused(database: FixtureDatabase) -> None:
    with pytest.raises(NotProvedError, match="when rows are stored otherwise"):
        proved(database, "SELECT FIRST(k) AS k FROM t", "t.agg(k=_.k.first(include_null=True))")


def test_code_is_laid_out_by_clauses_and_calls() -> None:
    long = "a_rather_long_column_name, another_rather_long_column_name"
    assert laid_out_sql(f"SELECT {long} FROM t WHERE x IN (SELECT y FROM u WHERE z = 'FROM here')") == (
        f"SELECT {long}\nFROM t\nWHERE x IN (SELECT y FROM u WHERE z = 'FROM here')"
    )
    assert laid_out_ibis(f'orders.filter(_.x > 1).select("{long}").order_by("x")') == (
        f'(\n    orders.filter(_.x > 1)\n    .select("{long}")\n    .order_by("x")\n)'
    )


def test_the_same_query_over_another_schema_is_of_one_family() -> None:
    one = shape_of('orders.filter(_.price > 3).select("order_id", total=_.price)', ["orders"])
    assert one == shape_of('trips.filter(_.fare > 7).select("trip", sum=_.fare)', ["trips"])
    assert one != shape_of('orders.filter(_.price < 3).select("order_id", total=_.price)', ["orders"])


# -- the whole ----------------------------------------------------------------------------------------------------

SMALL = {"count": 60, "variations": 2, "compositions": 20, "seed": 3}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a generation that nobody disturbed."""
    folder = tmp_path_factory.mktemp("sql_to_ibis") / "whole"
    Generation("sql_to_ibis", SMALL, folder, workers=1).run()
    return folder


def test_pairs_are_problems_that_admission_takes(whole: Path) -> None:
    summary = read_json(whole / "report.json")
    assert summary["total"]["distinct"] == summary["problems"] == 60
    problems = [Problem.from_json(row) for row in read_jsonl(whole / "problems.jsonl")]
    admitted, refused = admit(problems, workers=1, on_checked=lambda done, total: None)
    assert not refused and len(admitted) == 60
    assert {test.hidden for problem in problems for test in problem.tests} == {True, False}
    pairs = list(read_jsonl(whole / "pairs.jsonl"))
    assert all(pair["question"] in problem.statement for pair, problem in zip(pairs, problems, strict=True))
    assert len({pair["data"]["dialect"] for pair in pairs}) > 3
    assert sum(read_json(whole / "coverage.json")["dialect"].values()) == 60


def command(out: Path) -> list[str]:
    settings = [f"{key}={value}" for key, value in SMALL.items()]
    return [sys.executable, "-m", "bootstrap.generate", "sql_to_ibis", "--out", str(out), "--workers", "2", *settings]


def test_a_generation_that_was_killed_ends_with_the_same_rows(whole: Path, tmp_path: Path) -> None:
    rng, killed = random.Random(5), tmp_path / "killed"
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    for _ in range(3):
        running = subprocess.Popen(
            command(killed), cwd=ROOT, env=environment, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        time.sleep(2 + 3 * rng.random())
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    subprocess.run(command(killed), check=True, cwd=ROOT, env=environment, capture_output=True)
    for name in OUTPUTS:
        assert (whole / name).read_bytes() == (killed / name).read_bytes(), name
