"""Questions, code and SQL from a model, by the scripted engine: joined by id, kept only where both answers agree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from csv_folders import shop_folder
from fake_server import FakeServer

from bootstrap.admission import admit
from bootstrap.errors import EngineError
from bootstrap.generate import load_generator
from bootstrap.generate.generation import Generation
from bootstrap.generate.nl_to_polars.asking import questions_in
from bootstrap.generate.nl_to_polars.model_route import order_of, without_cuts
from bootstrap.records import Problem, digest
from interpreters.base import Column, ColumnType, Table

ANSWERS = {
    "Total amount per city, largest first?": (
        "df.lazy().group_by('city').agg(total=pl.col('amount').sum()).sort('total', descending=True).collect()",
        "SELECT city, sum(amount) AS total FROM orders GROUP BY city ORDER BY total DESC",
    ),
    "Orders of Oslo with more than 4 items: order id and items.": (
        "df.lazy().filter(pl.col('city') == 'Oslo', pl.col('items') > 4).select('order_id', 'items').collect()",
        "SELECT order_id, items FROM orders WHERE city = 'Oslo' AND items > 4;",
    ),
    "disagrees": (
        "df.lazy().group_by('city').agg(pl.len()).collect()", "SELECT city, sum(items) FROM orders GROUP BY city"
    ),
    "wrong order": (
        "df.lazy().group_by('city').agg(n=pl.len()).sort('n').collect()",
        "SELECT city, count(*) AS n FROM orders GROUP BY city ORDER BY n DESC",
    ),
    "breaks a rule": ("df.group_by('city').len()", "SELECT city, count(*) FROM orders GROUP BY city"),
    "reads a file": ("pl.scan_csv('/etc/passwd').collect()", "SELECT * FROM read_csv('/etc/passwd')"),
    "writes in SQL": ("df.lazy().select(pl.len()).collect()", "DROP TABLE orders"),
    "vacuous filter": (
        "df.lazy().filter(pl.col('items') > 0).group_by('city').agg(pl.len()).collect()",
        "SELECT city, count(*) FROM orders WHERE items > 0 GROUP BY city",
    ),
    "empty": ("df.lazy().filter(pl.col('items') > 99).collect()", "SELECT * FROM orders WHERE items > 99"),
    "depends on the order of rows": (
        "df.lazy().head(3).select('order_id').collect()", "SELECT order_id FROM orders LIMIT 3"
    ),
}  # fmt: skip
KEPT = 2


def settings(folder: Path, **engine: Any) -> dict[str, Any]:
    model = {"name": "none", "turns": 1, "questions": 12, "engine": {"name": "scripted", **engine}}
    return {"folder": str(folder), "count": None, "seed": 3, "model": model}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = shop_folder(tmp_path / "csv")
    (folder / "towns.csv").unlink()
    return folder


def write_script(shop: Path, path: Path, answers: dict[str, tuple[str, str]]) -> Path:
    """Write what the model says: the rows in no order, because ids join them."""
    units = load_generator("nl_to_polars", settings(shop, script=str(path)), path.parent / "none").units()
    [unit] = [one for one in units if one.startswith("ask ")]
    rows = [{"tag": "questions", "problem_id": unit, "completion": f"Here:\n```json\n{json.dumps(list(answers))}\n```"}]
    for question, (code, sql) in answers.items():
        key = digest("question", "orders", question)
        rows.append({"tag": "polars", "problem_id": key, "completion": f"```python\n{code}\n```"})
        rows.append({"tag": "duckdb", "problem_id": key, "completion": f"```sql\n{sql}\n```"})
    path.write_text("".join(json.dumps(row) + "\n" for row in reversed(rows)), encoding="utf-8")
    return path


def run(shop: Path, script: Path, out: Path, **engine: Any) -> dict[str, Any]:
    return Generation("nl_to_polars", settings(shop, script=str(script), **engine), out).run()


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_only_what_two_independent_answers_agree_on_is_kept(shop: Path, tmp_path: Path) -> None:
    script = write_script(shop, tmp_path / "script.jsonl", ANSWERS)
    summary = run(shop, script, tmp_path / "out")
    pairs = rows_of(tmp_path / "out" / "pairs.jsonl")
    assert [row["question"] for row in pairs] == list(ANSWERS)[:KEPT]
    for row in pairs:
        assert row["code"] == ANSWERS[row["question"]][0]
        assert row["data"]["question_id"] == digest("question", "orders", row["question"])
    reasons = {row["reason"]: row["count"] for row in summary["refused"]}
    assert sum(reasons.values()) == len(ANSWERS) - KEPT
    assert reasons["the code and the SQL disagree"] == 3
    assert reasons["the answer stays the same without one of the conditions or the cut"] == 1
    assert sum(count for reason, count in reasons.items() if "breaks a rule" in reason) == 2


def test_pairs_of_a_model_are_problems_that_the_loop_admits(shop: Path, tmp_path: Path) -> None:
    script = write_script(shop, tmp_path / "script.jsonl", ANSWERS)
    run(shop, script, tmp_path / "out")
    problems = [Problem.from_json(row) for row in rows_of(tmp_path / "out" / "problems.jsonl")]
    admitted, refused = admit(problems, 1, lambda done, total: None)
    assert len(admitted) == KEPT, refused
    assert problems[0].tests[0].order_by == ("total",)


def test_a_model_that_stops_half_way_is_not_asked_again_for_what_it_said(shop: Path, tmp_path: Path) -> None:
    script = write_script(shop, tmp_path / "script.jsonl", ANSWERS)
    whole = run(shop, script, tmp_path / "whole")
    rows = rows_of(script)
    script.write_text("".join(json.dumps(row) + "\n" for row in rows if row["tag"] != "duckdb"), encoding="utf-8")
    with pytest.raises(EngineError):
        run(shop, script, tmp_path / "out")
    said = rows_of(tmp_path / "out" / "answers.jsonl")
    assert {row["tag"] for row in said} == {"questions", "polars"}
    script.write_text("".join(json.dumps(row) + "\n" for row in rows if row["tag"] == "duckdb"), encoding="utf-8")
    assert run(shop, script, tmp_path / "out")["digest"] == whole["digest"]
    for name in ("pairs.jsonl", "problems.jsonl", "chat.jsonl"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_the_answers_of_a_generation_replay_it(shop: Path, tmp_path: Path) -> None:
    script = write_script(shop, tmp_path / "script.jsonl", ANSWERS)
    first = run(shop, script, tmp_path / "out")
    again = run(shop, tmp_path / "out" / "answers.jsonl", tmp_path / "again")
    assert again["digest"] == first["digest"]


def test_an_answer_without_questions_is_told(shop: Path, tmp_path: Path) -> None:
    script = write_script(shop, tmp_path / "script.jsonl", {})
    summary = run(shop, script, tmp_path / "out")
    assert summary["total"]["distinct"] == 0 and any("held no questions" in note for note in summary["notes"])


def test_a_batch_service_gets_all_requests_of_a_kind_at_once(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.setenv("KEY_OF_THE_TEST", "k")
    question = next(iter(ANSWERS))
    code, sql = ANSWERS[question]
    with FakeServer() as server:
        server.text = f"```json\n{json.dumps([question])}\n```\n```python\n{code}\n```\n```sql\n{sql}\n```"
        engine = {"name": "openai", "base_url": server.url, "api_key_env": "KEY_OF_THE_TEST", "batch": True}
        wanted = settings(shop, **engine, batch_poll_seconds=0.01)
        wanted["model"]["turns"] = 3
        summary = Generation("nl_to_polars", wanted, tmp_path / "out").run()
        files = [server.batches.files[made["input_file_id"]] for made in server.batches.made.values()]
    assert [len(content.splitlines()) for content in files] == [3, 1, 1]
    assert summary["total"]["distinct"] == 1
    assert len(rows_of(tmp_path / "out" / "answers.jsonl")) == 5


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ('["a b", "c", "a  b", 3]', ["a b", "c"]), ("1. one\n2) two\n", ["one", "two"]), ("- x\n* y", ["x", "y"]),
        ("no list", []), ("[broken", []), ("", []),
    ],
)  # fmt: skip
def test_questions_are_read_from_lists_of_json_and_of_text(answer: str, found: list[str]) -> None:
    assert questions_in(answer, 5) == found


def test_cuts_are_left_out_one_at_a_time() -> None:
    code = "df.lazy().filter(pl.col('a') > 1).join(t.lazy().filter(pl.col('b')), on='k').head(2).collect()"
    found = without_cuts(code)
    assert len(found) == 3 and sorted(one.count("filter") for one in found) == [1, 1, 2]
    assert sum("head" in one for one in found) == 2


def test_the_order_of_sql_is_read_up_to_the_first_key_that_is_not_shown() -> None:
    table = Table((Column("a", ColumnType.INT), Column("B", ColumnType.INT)), ())
    assert order_of("SELECT a, b FROM t ORDER BY 2 DESC, a, c, a", table) == ("B", "a")
    assert order_of("SELECT a, b FROM t", table) == ()
    assert order_of("SELECT a, b FROM t ORDER BY lower(a)", table) == ()
