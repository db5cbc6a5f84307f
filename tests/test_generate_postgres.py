"""nl_to_postgres without a model: every phase, masks, relationships, kills, and databases that are not as hoped."""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from bootstrap.admission import admit
from bootstrap.errors import UserError
from bootstrap.generate.generation import Generation
from bootstrap.generate.nl_to_postgres.demo import demo_script
from bootstrap.generate.nl_to_postgres.evaluate import Evaluation
from bootstrap.generate.nl_to_postgres.inputs import inputs_of, opened
from bootstrap.generate.nl_to_postgres.introspect import read_schema
from bootstrap.generate.nl_to_postgres.masking import Masks, Search
from bootstrap.generate.nl_to_postgres.relationships import find_relations, measured, read_keys
from bootstrap.generate.nl_to_postgres.settings import PHASES, Settings
from bootstrap.records import Problem
from interpreters.postgres.server import Server

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="the real inputs are not here: ../shared/data")
TPCH_KEYS = """nation.n_regionkey -> region.r_regionkey
supplier.s_nationkey -> nation.n_nationkey
customer.c_nationkey -> nation.n_nationkey
partsupp.ps_partkey -> part.p_partkey
partsupp.ps_suppkey -> supplier.s_suppkey
orders.o_custkey -> customer.c_custkey
lineitem.l_orderkey -> orders.o_orderkey
lineitem.l_partkey -> part.p_partkey
lineitem.l_suppkey -> supplier.s_suppkey
lineitem.(l_partkey, l_suppkey) -> partsupp.(ps_partkey, ps_suppkey)"""


def small(count: int = 6, **more: Any) -> dict[str, Any]:
    return {"phases": {phase: {"count": count} for phase in PHASES}, **more}


def generated(folder: Path, settings: dict[str, Any], workers: int = 1) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    summary = Generation("nl_to_postgres", settings, folder, workers=workers).run()
    return summary, [json.loads(line) for line in (folder / "pairs.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generation over the demo database."""
    folder = tmp_path_factory.mktemp("questions") / "out"
    generated(folder, small(8))
    return folder


def rows_of(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name).read_text(encoding="utf-8").splitlines()]


def test_every_phase_gives_pairs_with_answers_and_problems(demo: Path) -> None:
    pairs, triples = rows_of(demo, "pairs.jsonl"), rows_of(demo, "triples.jsonl")
    assert {pair["group"] for pair in pairs} == set(PHASES)
    assert [pair["pair_id"] for pair in pairs] == [triple["id"] for triple in triples]
    assert all(triple["rows"] > 0 and triple["answer"]["height"] > 0 for triple in triples)
    assert all(pair["code"].count("JOIN") >= 2 for pair in pairs if pair["group"] == "joins")
    coverage = json.loads((demo / "coverage.json").read_text())
    assert {"functions", "clauses", "tables", "difficulty"} <= set(coverage)


def test_problems_are_admitted(demo: Path) -> None:
    problems = [Problem.from_json(row) for row in rows_of(demo, "problems.jsonl")]
    assert len(problems) >= 30
    assert all(len(problem.tests) >= 2 and problem.tests[-1].hidden for problem in problems)
    admitted, quarantined = admit(problems[:30], 1, lambda done, total: None)
    assert len(admitted) >= 29, quarantined


def test_at_least_thirty_functions_can_be_asked_for() -> None:
    from bootstrap.generate.nl_to_postgres.draw_builtins import function_names
    from bootstrap.generate.nl_to_postgres.functions import FUNCTIONS

    assert len({FUNCTIONS[name].name or name for name in function_names()}) >= 30


# -- masks --------------------------------------------------------------------------------------------------------


def originals(columns: dict[str, list[str]]) -> set[str]:
    """Return the telling values of columns of the demo database, as they could be written."""
    settings = Settings.model_validate({"databases": [{"demo": True}]})
    found: set[str] = set()
    [given] = inputs_of(settings)
    with opened(given, settings, Path(os.environ.get("TMPDIR", "/tmp")) / f"locks-{os.getpid()}") as connection:
        for table, names in columns.items():
            for name in names:
                rows = connection.execute(f"SELECT {name} FROM {table} WHERE {name} IS NOT NULL").fetchall()  # type: ignore[arg-type]  # ours
                found |= {str(value) for [value] in rows}
    return {value for value in found if len(value) >= 4}


def test_no_output_shows_a_personal_value(tmp_path: Path) -> None:
    marked = {
        "sales.customers": ["full_name", "email", "phone", "birth_date", "joined_on"],
        "hr.employees": ["first_name", "last_name", "ssn", "card_number", "salary"],
    }
    personal = ["sales.customers.joined_on", "employees.salary"]
    generated(tmp_path / "out", small(8, masking={"personal": personal}))
    values = originals(marked)
    assert len(values) > 300
    for file in (tmp_path / "out").rglob("*"):
        if file.is_file():
            text = file.read_text(encoding="utf-8")
            shown = {value for value in values if value.lower() in text.lower()}
            assert not shown, (file.name, sorted(shown)[:5])


def test_masks_are_the_same_everywhere_and_keep_joins() -> None:
    from bootstrap.generate.nl_to_postgres.schema import ColumnInfo, TableInfo
    from interpreters.base import ColumnType

    def table(name: str, kind: ColumnType) -> TableInfo:
        return TableInfo(name, ("public", name), (ColumnInfo("c", kind, "text", True),))

    tables = {"a": table("a", ColumnType.STRING), "b": table("b", ColumnType.STRING), "d": table("d", ColumnType.DATE)}
    rows = {
        "a": [(f"Person Number{i}",) for i in range(200)],
        "b": [(f"call Person Number{i} back",) for i in range(0, 200, 2)],
        "d": [(dt.date(1980, 1, 1) + dt.timedelta(days=i),) for i in range(300)],
    }
    masks = Masks(b"key", tables, rows, [("a", "c"), ("d", "c")])
    masked = {name: masks.table(tables[name], rows[name]) for name in tables}
    assert len({row[0] for row in masked["a"]}) == 200
    assert not {row[0] for row in masked["a"]} & {row[0] for row in rows["a"]}
    assert {row[0] for row in masked["b"]} <= {f"call {row[0]} back" for row in masked["a"]}
    assert not {row[0] for row in masked["d"]} & {row[0] for row in rows["d"]}
    assert masked == {
        n: Masks(b"key", tables, rows, [("a", "c"), ("d", "c")]).table(tables[n], rows[n]) for n in tables
    }
    assert masked["a"] != Masks(b"other", tables, rows, [("a", "c")]).table(tables["a"], rows["a"])
    assert Search(b"key", masks.marks()).finds(["please call person number7 now"])
    assert not Search(b"key", masks.marks()).finds([str(masked)])


# -- relationships ------------------------------------------------------------------------------------------------


@needs_data
def test_the_relationships_of_tpch_are_found_without_declared_keys(tmp_path: Path) -> None:
    settings = Settings.model_validate({"databases": [{"path": str(DATA / "tpch" / "sf001")}]})
    [given] = inputs_of(settings)
    with opened(given, settings, tmp_path) as connection:
        schema = read_schema(connection, (), 60)
        found, _ = find_relations(connection, schema.tables, settings.discovery_rows)
    measure = measured(found, read_keys(TPCH_KEYS.splitlines()))
    assert schema.declared == ()
    assert measure.recall >= 0.95 and measure.precision >= 0.9, (measure.missed, measure.wrong)


def test_the_relationships_of_the_demo_are_found_without_declared_keys(tmp_path: Path) -> None:
    settings = Settings()
    [given] = inputs_of(settings)
    with opened(given, settings, tmp_path) as connection:
        schema = read_schema(connection, (), 60)
        found, _ = find_relations(connection, schema.tables, 1000)
    measure = measured(found, schema.declared)
    assert measure.recall >= 0.95 and measure.precision >= 0.9, (measure.missed, measure.wrong)


# -- kills --------------------------------------------------------------------------------------------------------


def test_killed_and_resumed_it_ends_with_the_same_files(demo: Path, tmp_path: Path) -> None:
    config, out = tmp_path / "config.yaml", tmp_path / "out"
    config.write_text(json.dumps(small(8)))
    command = [sys.executable, "-m", "bootstrap.generate", "nl_to_postgres", "--config", str(config), "--out", str(out)]
    rng = random.Random(3)
    for pause in (rng.uniform(2, 5), rng.uniform(3, 7), None):
        with subprocess.Popen([*command, "--workers", "2"], start_new_session=True, stdout=subprocess.DEVNULL) as child:
            if pause is None:
                assert child.wait(120) == 0
            else:
                time.sleep(pause)
                os.killpg(child.pid, signal.SIGKILL)
    for name in ("pairs.jsonl", "problems.jsonl", "triples.jsonl", "schemas.json", "coverage.json"):
        assert (out / name).read_bytes() == (demo / name).read_bytes(), name


# -- databases ----------------------------------------------------------------------------------------------------

_ODD = """
CREATE TABLE empty_one (id integer, name text);
CREATE TABLE "order" ("group" integer, "naïve ✓" text, "a b" numeric, doc jsonb, spans int4range[]);
INSERT INTO "order" SELECT i, 'v' || i % 4, i * 1.5, '{}', NULL FROM generate_series(1, 30) AS i;
CREATE TABLE large (id bigint PRIMARY KEY, kind integer, amount double precision, at timestamptz);
INSERT INTO large SELECT i, i % 9, i / 7.0, timestamptz '2024-01-01 00:00+02' + i * interval '1 minute'
FROM generate_series(1, 60000) AS i;
CREATE TABLE nothing ();
"""


def test_odd_empty_and_large_tables_are_named_and_do_no_harm(tmp_path: Path) -> None:
    script = tmp_path / "odd.sql"
    script.write_text(_ODD)
    settings = small(4, databases=[{"path": str(script)}], max_rows=100, discovery_rows=1000)
    summary, pairs = generated(tmp_path / "out", settings)
    notes = "\n".join(summary["notes"])
    assert "empty_one" in notes and "jsonb" in notes and "sampled" in notes
    assert {pair["group"] for pair in pairs} >= {"builtins", "single_table", "sample_data", "schema_docs"}
    assert any('"order"' in pair["code"] for pair in pairs)


def test_a_broken_database_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    script = tmp_path / "broken.sql"
    script.write_text("CREATE TABLE t (id integer")
    databases = [{"path": str(script)}, {"demo": True}]
    summary, pairs = generated(tmp_path / "out", {"phases": {"single_table": {"count": 3}}, "databases": databases})
    assert len(pairs) == 3
    assert any("broken" in note for note in summary["notes"])
    with pytest.raises(UserError, match="none can be read"):
        generated(tmp_path / "none", {"databases": [{"path": str(script)}]})


def test_sql_text_has_no_rights_on_the_machine(tmp_path: Path) -> None:
    script = tmp_path / "hostile.sql"
    script.write_text("CREATE TABLE t (line text); COPY t FROM PROGRAM 'id';")
    with pytest.raises(UserError, match="must be superuser"):
        generated(tmp_path / "out", {"databases": [{"path": str(script)}]})


def test_a_database_given_by_url_is_only_read_and_may_go_away(tmp_path: Path) -> None:
    server = Server(None)
    server.join()
    try:
        info = server.running().conninfo
        url = (
            f"postgresql:///{info['dbname']}?host={info['host']}&port={info['port']}&user={info['user']}&sslmode=prefer"
        )
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(demo_script(1).encode())
            before = connection.execute("SELECT count(*) FROM pg_class").fetchone()
        settings = {"databases": [{"url": url, "schemas": ["sales"], "name": "shop"}], "sessions": 1}
        phases = {"phases": {"joins": {"count": 3}, "schema_docs": {"count": 3}}}
        _, pairs = generated(tmp_path / "out", {**settings, **phases}, workers=2)  # of one session
        assert len(pairs) >= 5 and all("sales." in pair["code"] for pair in pairs if pair["group"] == "joins")
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM pg_class").fetchone() == before
            assert connection.execute("SELECT count(*) FROM pg_roles WHERE rolname ~ 'content'").fetchone() == (0,)
        going = Generation(
            "nl_to_postgres", {**settings, "phases": {"joins": {"count": 2}}}, tmp_path / "going", workers=1
        )
        going.generator.units()  # the copy is made while the database is there
    finally:
        server.leave()
    summary = going.run()
    assert summary["total"]["distinct"] == 2
    assert any("proved on the copy alone" in note for note in summary["notes"])
    later = Generation("nl_to_postgres", {**settings, "phases": {"joins": {"count": 2}}}, tmp_path / "again", workers=1)
    with pytest.raises(UserError, match="not reached in 4 attempts"):
        later.run()


def test_a_password_is_never_written_down(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="url_env"):
        Generation("nl_to_postgres", {"databases": [{"url": "postgresql://me:secret@host/db"}]}, tmp_path / "out")


# -- the evaluation -----------------------------------------------------------------------------------------------


def test_a_query_that_says_something_else_than_its_form_is_refused(demo: Path) -> None:
    from bootstrap.generate.nl_to_postgres.deck import Deck, Draft
    from bootstrap.generate.nl_to_postgres.draw_single import aggregated
    from bootstrap.generate.nl_to_postgres.prove import Proof, Prover
    from bootstrap.generate.nl_to_postgres.snapshot import load_copy
    from interpreters.postgres_sql import PostgresSql

    copy = load_copy(demo, "demo")
    draft: Draft = aggregated(Deck(copy, random.Random(4)))
    with PostgresSql() as interpreter:
        prover = Prover(copy, Settings(), interpreter, Search(b"", frozenset()))
        proof = Proof(draft, "single_table", "SELECT 12345 AS wrong")
        prover._expect(proof, Evaluation(copy.rows))
        prover._ask([proof], copy.rows)
    assert "disagree" in proof.reason
