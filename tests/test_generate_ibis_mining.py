"""Mining for the generator `sql_to_ibis`: queries in files of all kinds, made-up tables, given pairs."""

from __future__ import annotations

import json
from pathlib import Path

import ibis
import pytest
import sqlglot
from sqlglot import exp

from bootstrap.files import read_jsonl
from bootstrap.generate.generation import Generation
from bootstrap.generate.sql_to_ibis.given import judge_pairs, main
from bootstrap.generate.sql_to_ibis.guessing import GuessedSchema, NoSchemaError, guess_schema
from bootstrap.generate.sql_to_ibis.ibis_source import UnreadableIbisError, read_ibis
from bootstrap.generate.sql_to_ibis.mined_files import queries_of
from interpreters.base import ColumnType
from tests.support import ROOT

GIVEN = ROOT.parent / "shared" / "data" / "ibis_sql_pairs.jsonl"
QUERY = "SELECT city, COUNT(*) AS n FROM people WHERE age > 30 GROUP BY city"
DECLARED = 'import ibis\n\nt = ibis.table(name="t", schema={"a": "int64", "b": "string"})\n\n'


def mined(folder: Path, out: Path, **settings: object) -> dict[str, object]:
    given = {"variations": 0, "compositions": 0, "mine": [str(folder)], **settings}
    return dict(Generation("sql_to_ibis", given, out, workers=1).run())


def schema_of(sql: str) -> GuessedSchema:
    tree = sqlglot.parse_one(sql, read="duckdb")
    assert isinstance(tree, exp.Query)
    return guess_schema(tree)


# -- what is found ------------------------------------------------------------------------------------------------


def test_queries_are_found_in_files_of_all_kinds(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "markdown", "source": [f"```sql\n{QUERY}\n```\n"]},
        {"cell_type": "code", "source": ["%%sql\n", "SELECT a FROM magic"]},
        {"cell_type": "code", "source": "%pip install x\nrun('SELECT a FROM cell')"},
    ]
    files = {
        "one.sql": f"-- how many\n{QUERY};\n",
        "two.py": f'def f():\n    """Run.\n\n    >>> con.sql("SELECT a FROM doc")\n    """\n    return """{QUERY}"""\n',
        "three.md": f"Text\n```sql\n{QUERY}; SELECT 1 FROM second\n```\n```python\nsql = 'SELECT b FROM block'\n```\n",
        "four.ipynb": json.dumps({"cells": cells}),
    }
    found = {}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        found[name] = [
            (one.kind, one.sql.split("FROM ")[1].split()[0].strip(";")) for one in queries_of(tmp_path / name)
        ]
    assert found == {
        "one.sql": [("sql file", "people")],
        "two.py": [("doctest", "doc"), ("string in Python", "people")],
        "three.md": [("code block", "people"), ("code block", "second"), ("code block", "block")],
        "four.ipynb": [("code block", "people"), ("notebook", "magic"), ("notebook", "cell")],
    }


def test_a_snapshot_comes_with_the_query_of_its_test(tmp_path: Path) -> None:
    code = f"{DECLARED}result = t.filter(t.a > 1)\n"
    snapshot = tmp_path / "snapshots" / "test_x" / "test_large" / "decompiled.py"
    snapshot.parent.mkdir(parents=True)
    snapshot.write_text(code, encoding="utf-8")
    test = 'def test_large(snapshot):\n    sql = "SELECT * FROM t WHERE a > 1"\n'
    (tmp_path / "test_x.py").write_text(test, encoding="utf-8")
    [query] = queries_of(tmp_path / "test_x.py")
    assert query.ibis == (code,)


# -- made-up tables -----------------------------------------------------------------------------------------------


def test_types_are_read_off_the_use_of_columns() -> None:
    found = schema_of(
        "SELECT p.city, SUM(p.paid), EXTRACT(hour FROM p.seen), o.total / 2.5 FROM people AS p JOIN orders AS o ON "
        "p.code = o.buyer WHERE p.age > 30 AND p.born < '1990-01-01' AND p.code LIKE 'x%' AND p.active "
        "AND o.total > 0.5"
    )
    assert found == {
        "people": {
            "city": ColumnType.STRING, "paid": ColumnType.INT, "seen": ColumnType.TIMESTAMP, "code": ColumnType.STRING,
            "age": ColumnType.INT, "born": ColumnType.DATE, "active": ColumnType.BOOL,
        },
        "orders": {"total": ColumnType.FLOAT, "buyer": ColumnType.STRING},
    }  # fmt: skip


def test_columns_of_ctes_and_derived_tables_are_no_columns_of_tables() -> None:
    found = schema_of("WITH c AS (SELECT x AS y FROM t) SELECT y, z FROM (SELECT y, 1 AS z FROM c) AS d ORDER BY z")
    assert found == {"t": {"x": ColumnType.INT}}


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT word FROM first, other", "which table a column belongs to"),
        ("SELECT * FROM t", "no column of a table is named"),
        ("SELECT x FROM s.t", "a table of a named schema"),
    ],
)
def test_tables_that_cannot_be_made_up_are_refused_with_the_reason(sql: str, reason: str) -> None:
    with pytest.raises(NoSchemaError, match=reason):
        schema_of(sql)


def test_declared_tables_are_read_without_running_the_code() -> None:
    source = read_ibis(f"{DECLARED}f = t.filter(t.a > 1)\n\nresult = f.select(f.b)\n")
    assert source.tables == {"t": {"a": ColumnType.INT, "b": ColumnType.STRING}}
    assert source.code == "f = t.filter(t.a > 1)\n\nresult = f.select(f.b)"
    with pytest.raises(UnreadableIbisError, match="a column of type inet"):
        read_ibis('t = ibis.table({"a": "inet"}, name="t")')


# -- the whole ----------------------------------------------------------------------------------------------------


def test_a_folder_gives_proved_pairs_and_a_reason_for_the_rest(tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    texts = {
        "good.sql": QUERY,
        "bigquery.sql": "SELECT `a b` FROM t WHERE c > 3",
        "star.sql": "SELECT * FROM t",
        "no_table.sql": "SELECT 1 AS one",
        "torn.sql": "SELECT FROM WHERE (",
        "broken.py": "def (",
        "broken.ipynb": "{",
        "hostile.py": "code = '''SELECT x FROM read_csv('/etc/passwd')'''",
        "vacuous.md": "```sql\nSELECT x FROM t WHERE 1 = 0\n```",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "latin.md").write_bytes(b"\xff\xfe\xe9")
    summary = mined(folder, tmp_path / "out")
    pairs = list(read_jsonl(tmp_path / "out" / "pairs.jsonl"))
    assert {(pair["data"]["domain"], pair["data"]["dialect"]) for pair in pairs} == {
        ("good.sql", "duckdb"), ("bigquery.sql", "bigquery"),
    }  # fmt: skip
    total = summary["total"]
    assert isinstance(total, dict) and total["generated"] == len(texts) + 1 and total["distinct"] == 2
    assert summary["problems"] == 2


def test_the_installed_ibis_gives_proved_pairs(tmp_path: Path) -> None:
    folder = Path(ibis.__file__).parent / "backends" / "tests" / "sql" / "snapshots" / "test_select_sql"
    if not folder.is_dir():
        pytest.skip("this build of Ibis comes without its tests")
    summary = mined(folder, tmp_path / "out")
    total = summary["total"]
    assert isinstance(total, dict) and total["distinct"] >= 40


def test_given_pairs_are_judged_one_by_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    large, nothing = "SELECT a FROM t WHERE a > 1", "SELECT a FROM t WHERE 1 = 0"
    given = [
        ("right", large, "result = t.filter(t.a > 1).select('a')"),
        ("wrong", large, "result = t.filter(t.a >= 1).select('a')"),
        ("hostile", "SELECT a FROM t", "import os\nresult = t.select('a')"),
        ("empty", nothing, "result = t.filter(False).select('a')"),
    ]
    rows = [{"id": name, "sql": sql, "ibis": DECLARED + code} for name, sql, code in given]
    rows.append({"id": "half", "sql": "SELECT a FROM t"})
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows) + "{torn", encoding="utf-8")
    assert main([str(file)]) == 0
    shown = [line.split(":")[0].split()[:2] for line in capsys.readouterr().out.splitlines()]
    assert shown[:-1] == [
        ["proved", "right"], ["invalid", "wrong"], ["invalid", "hostile"], ["vacuous", "empty"], ["invalid", "line"],
        ["invalid", "line"],
    ]  # fmt: skip


def test_given_pairs_can_be_taken_in(tmp_path: Path) -> None:
    file = tmp_path / "pairs.jsonl"
    row = {"sql": "SELECT a FROM t WHERE a > 1", "ibis": f"{DECLARED}result = t.filter(t.a > 1).select('a')"}
    file.write_text(json.dumps(row) + "\n", encoding="utf-8")
    settings = {"variations": 0, "compositions": 0, "pairs": [str(file)]}
    summary = Generation("sql_to_ibis", settings, tmp_path / "out", workers=1).run()
    assert summary["total"]["distinct"] == 1
    [pair] = read_jsonl(tmp_path / "out" / "pairs.jsonl")
    assert pair["code"] == "result = t.filter(t.a > 1).select('a')"


def test_the_pairs_of_the_ibis_decompiler_hold_or_are_explained() -> None:
    if not GIVEN.is_file():
        pytest.skip("the pairs are not here: expected ../shared/data/ibis_sql_pairs.jsonl")
    judged = list(judge_pairs(GIVEN))
    assert sum(one.state == "proved" for one in judged) >= 35
    assert all(one.reason for one in judged if one.state != "proved")
