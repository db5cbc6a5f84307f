"""nl_to_postgres with a model: the scripted engine writes, scores and solves; where solvers differ, a pair falls."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bootstrap.errors import EngineError, UserError
from bootstrap.generate.generation import Generation
from bootstrap.generate.nl_to_postgres.answers import Proposed, read_pairs, read_score
from bootstrap.generate.nl_to_postgres.settings import PHASES, Settings
from bootstrap.records import Problem

SHOP = """
CREATE TABLE customers (id integer PRIMARY KEY, name text, city text);
CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer REFERENCES customers, amount numeric(8,2), note text);
CREATE TABLE lines (
  order_id integer REFERENCES orders, position integer, product text, PRIMARY KEY (order_id, position));
INSERT INTO customers SELECT i, 'c' || i, (ARRAY['Rome', 'Oslo', 'Bonn'])[1 + i % 3] FROM generate_series(1, 30) AS i;
INSERT INTO orders SELECT i, 1 + i * 7 % 30, i * 3.5, 'a.b ' || i FROM generate_series(1, 80) AS i;
INSERT INTO lines SELECT 1 + i % 80, i / 80, 'p' || i % 5 FROM generate_series(0, 159) AS i;
"""
ROME = ("How many customers live in Rome?", "SELECT count(*) AS n FROM customers WHERE city = 'Rome'")
OTHER = "SELECT sum(CASE city WHEN 'Rome' THEN 1 ELSE 0 END) AS number FROM customers"
ANSWERS: dict[str, tuple[str, str, str]] = {
    "builtins": (
        "How many customers have a name of exactly 3 characters?",
        "SELECT count(*) FROM customers WHERE length(name) = 3",
        "SELECT count(*) FROM customers WHERE char_length(name) = 3",
    ),
    "schema_docs": (
        "How many columns does table orders of schema public have?",
        "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'orders'",
        "SELECT count(column_name) FROM information_schema.columns WHERE table_schema = 'public' AND "
        "table_name = 'orders'",
    ),
    "sample_data": (
        "What is the amount of order 12?", "SELECT amount FROM orders WHERE id = 12",
        "SELECT o.amount FROM orders AS o WHERE o.id = 12",
    ),
    "schema_relationship": (
        "How many customers have no order?",
        "SELECT count(*) FROM customers WHERE id NOT IN (SELECT customer_id FROM orders WHERE customer_id IS NOT NULL)",
        "SELECT count(*) FROM customers c WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.id)",
    ),
    "single_table": (*ROME, OTHER),
    "joins": (
        "For each city, how many lines are in the orders of its customers?",
        "SELECT c.city, count(*) FROM lines l JOIN orders o ON l.order_id = o.id JOIN customers c ON c.id = "
        "o.customer_id "
        "GROUP BY c.city",
        "SELECT city, count(position) FROM customers JOIN orders ON customers.id = customer_id "
        "JOIN lines ON order_id = orders.id GROUP BY city",
    ),
    "complex_sqls": (
        "Which orders have an amount above the average amount? Return the id.",
        "SELECT id FROM orders WHERE amount > (SELECT avg(amount) FROM orders)",
        "WITH a AS (SELECT avg(amount) AS mean FROM orders) SELECT id FROM orders, a WHERE amount > mean",
    ),
}  # fmt: skip


def block(question: str, sql: str) -> str:
    return f"Question: {question}\n```sql\n{sql};\n```\n"


def script_rows(phase: str, cases: list[tuple[str, str, str, str]], number: int = 0) -> list[dict[str, str]]:
    """Return the rows for one request of a phase; a case is question, SQL, score and the solver's SQL."""
    unit = f"shop/{phase}/model/{number}"
    rows = [{"problem_id": unit, "tag": "question", "completion": "\n".join(block(q, s) for q, s, _, _ in cases)}]
    for index, (_, _, score, solved) in enumerate(cases):
        rows.append({"problem_id": f"{unit}#{index}", "tag": "critic", "completion": f"Fine.\nScore: {score}"})
        rows.append({"problem_id": f"{unit}#{index}", "tag": "solver", "completion": f"```sql\n{solved}\n```"})
    return rows


def run(tmp_path: Path, rows: list[dict[str, str]], phases: dict[str, Any], **model: Any) -> tuple[Any, list[Any]]:
    tmp_path.mkdir(exist_ok=True)
    (tmp_path / "shop.sql").write_text(SHOP)
    (tmp_path / "script.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = {
        "databases": [{"path": str(tmp_path / "shop.sql")}], "phases": phases, "masking": {"detect": False},
        "model": {"model": "m", "engine": {"name": "scripted", "script": str(tmp_path / "script.jsonl")}, **model},
    }  # fmt: skip
    summary = Generation("nl_to_postgres", settings, tmp_path / "out", workers=2).run()
    return summary, [json.loads(line) for line in (tmp_path / "out" / "pairs.jsonl").read_text().splitlines()]


def test_all_phases_give_pairs_that_two_solvers_agree_on(tmp_path: Path) -> None:
    rows = [row for phase in PHASES for q, s, o in [ANSWERS[phase]] for row in script_rows(phase, [(q, s, "0.9", o)])]
    summary, pairs = run(tmp_path, rows, {phase: {"model_count": 1, "api_answer_count": 1} for phase in PHASES})
    assert {pair["group"] for pair in pairs} == set(PHASES), summary["refused"]
    problems = [json.loads(line) for line in (tmp_path / "out" / "problems.jsonl").read_text().splitlines()]
    assert len(problems) >= 4
    assert all(len(Problem.from_json(problem).tests) >= 2 for problem in problems)


def test_a_pair_falls_by_the_critic_by_the_solver_and_by_execution(tmp_path: Path) -> None:
    cases = [
        (*ROME, "0.9", OTHER),
        ("How many customers are there in Oslo?", "SELECT count(*) FROM customers WHERE city = 'Oslo'", "0.4", OTHER),
        ("How many are there in Bonn?", "SELECT count(*) FROM customers WHERE city = 'Bonn'", "0.9", "SELECT 7"),
        ("How many orders?", "SELECT count(*) FROM purchases", "0.9", "SELECT 1"),
        ("Who lives in Paris?", "SELECT name FROM customers WHERE city = 'Paris'", "0.9", "SELECT 1"),
        ("Remove all.", "DELETE FROM customers", "0.9", "SELECT 1"),
    ]
    summary, pairs = run(
        tmp_path, script_rows("single_table", cases), {"single_table": {"model_count": 6, "api_answer_count": 6}}
    )
    assert [pair["question"] for pair in pairs] == [ROME[0]]
    reasons = " | ".join(row["reason"] for row in summary["refused"])
    for part in ("critic's score", "second solver gets another", "does not run: RUNTIME_ERROR", "no rows", "FORBIDDEN"):
        assert part in reasons, reasons


def test_a_solver_that_is_right_by_chance_falls_on_another_data_set(tmp_path: Path) -> None:
    [[count]] = [[10]]
    cases = [(*ROME, "0.9", f"SELECT {count} AS n FROM customers LIMIT 1")]
    summary, pairs = run(
        tmp_path, script_rows("single_table", cases), {"single_table": {"model_count": 1, "api_answer_count": 1}}
    )
    assert not pairs
    assert "further data set" in summary["refused"][0]["reason"]


def test_backslashes_survive(tmp_path: Path) -> None:
    sql = r"SELECT id FROM orders WHERE note ~ '^a\.b \d$'"
    cases = [("Which orders have a note of 'a.b ' and one digit? Return the id.", sql, "1", sql)]
    _, pairs = run(tmp_path, script_rows("builtins", cases), {"builtins": {"model_count": 1, "api_answer_count": 1}})
    assert [pair["code"] for pair in pairs] == [sql]
    assert read_pairs(json.dumps([{"question": "q", "sql": sql}])) == [Proposed("q", sql)]
    assert read_pairs('[{"question": "q", "sql": "SELECT \'\\d\'"}]') == [Proposed("q", r"SELECT '\d'")]


def test_what_was_asked_is_not_asked_again(tmp_path: Path) -> None:
    """The second unit's request is missing from the script at first: it ends there, and goes on from there."""
    first = script_rows("single_table", [(*ROME, "0.9", OTHER)])
    q, s, o = ANSWERS["sample_data"]
    second = script_rows("single_table", [(q, s, "0.9", o)], number=1)
    phases = {"single_table": {"model_count": 2, "api_answer_count": 1}}
    with pytest.raises(EngineError):
        run(tmp_path, first, phases)
    _, resumed = run(tmp_path, second, phases)
    _, whole = run(tmp_path / "whole", [*first, *second], phases)
    assert len(resumed) == 2 and resumed == whole


def test_a_template_with_an_unbound_parameter_is_named(tmp_path: Path) -> None:
    template = tmp_path / "mine.jinja"
    template.write_text("Write about {{ tabels }}")
    phases = {"single_table": {"model_count": 1, "prompt_template": str(template)}}
    with pytest.raises(UserError, match="tabels"):
        run(tmp_path / "run", [], phases)


def test_a_model_is_needed_for_model_pairs_and_scores_are_read() -> None:
    with pytest.raises(ValueError, match="model_count"):
        Settings.model_validate({"phases": {"joins": {"model_count": 1}}})
    assert (read_score("Score: 0.8"), read_score("**Score:** 7/10"), read_score("good"), read_score("Score: 80")) == (
        0.8, 0.7, None, None,
    )  # fmt: skip
