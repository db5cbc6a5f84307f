"""Conversion from outside: rules and a teacher propose, real interpreters decide, and a kill loses nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import ROOT, pipeline_problems, run_loop, small_config, wrong_code

from bootstrap.convert.attempts import Attempt
from bootstrap.convert.questions import STRATEGIES, failure, question
from bootstrap.convert.rules import convert_by_rules, propose
from bootstrap.convert.teacher import Plan, Teacher
from bootstrap.engines.base import Completion, Decoding, Request
from bootstrap.records import Problem, dump_line
from interpreters.base import Column, ColumnType, Limits, Outcome, Table
from interpreters.checking import CheckerPool

PROBLEMS = pipeline_problems(12)


@pytest.fixture(scope="module")
def polars() -> Iterator[CheckerPool]:
    with CheckerPool("polars_expr", 1, Limits()) as pool:
        yield pool


def only(problem: Problem, *languages: str) -> Problem:
    return replace(problem, references={name: problem.references[name] for name in languages})


class Teacherling:
    """An engine whose answers are a function of the question: what a server gives, without a server."""

    name, model_digest, busy_seconds = "teacherling", "t", 0.0

    def __init__(self, answer: Any) -> None:
        self.answer, self.asked = answer, []  # type: list[Request]

    def generate(self, requests: list[Request], decoding: Decoding) -> Iterator[Completion]:
        self.asked += requests
        for request in requests:
            yield Completion(request.problem_id, 0, self.answer(request), 1, True)

    def close(self) -> None:
        pass


def teach(pool: CheckerPool, answer: Any, problems: list[Problem], recorded: Any = (), **plan: Any) -> Any:
    written: list[Attempt] = []
    engine = Teacherling(answer)
    found = list(Teacher(engine, pool, "polars", Plan(**plan), written.extend).convert(problems, recorded))
    return found, engine.asked, written


# -- rules ----------------------------------------------------------------------------------------------------------


def test_rules_carry_sql_to_polars_and_the_interpreter_decides(polars: CheckerPool) -> None:
    found = convert_by_rules([only(p, "duckdb") for p in PROBLEMS], "polars", polars)
    assert [one.problem_id for one in found] == [p.problem_id for p in PROBLEMS]
    proved = [one for one in found if one.accepted]
    assert len(proved) >= len(PROBLEMS) - 1, [one.lost for one in found]
    assert all(one.accepted.route == "rules" and one.accepted.rule.startswith("duckdb") for one in proved)


def test_what_no_rule_reaches_is_refused_with_the_reason(polars: CheckerPool) -> None:
    [none] = convert_by_rules([only(PROBLEMS[0], "polars")], "polars", polars)
    assert none.accepted is None and "no reference in" in none.lost
    broken = replace(PROBLEMS[0], references={"duckdb": "SELEC nothing"})
    [lost] = convert_by_rules([broken], "polars", polars)
    assert lost.accepted is None and lost.lost
    with pytest.raises(ValueError, match="no rules lead to cobol"):
        propose(PROBLEMS[0], "cobol")


def test_a_wrong_reference_is_not_made_right_by_translating_it(polars: CheckerPool) -> None:
    wrong = replace(PROBLEMS[0], references={"duckdb": wrong_code(PROBLEMS[0], "duckdb")})
    [one] = convert_by_rules([wrong], "polars", polars)
    assert one.lost in ("WRONG_ANSWER", "RUNTIME_ERROR") or "not" in one.lost


# -- questions ------------------------------------------------------------------------------------------------------


SECRET = "no question says this"


def test_no_question_holds_a_value_of_a_hidden_test() -> None:
    problem = PROBLEMS[0]
    index = next(i for i, test in enumerate(problem.tests) if test.hidden)
    secret = Table((Column("s", ColumnType.STRING),), ((SECRET,),))
    hidden = replace(problem.tests[index], tables={"df": secret}, expected=secret, order_by=())
    problem = replace(problem, tests=(*problem.tests[:index], hidden, *problem.tests[index + 1 :]))
    message = f"row 0: expected {SECRET!r}"
    wrong = Attempt(problem.problem_id, "", "teacher", "direct", 0, "df", Outcome.WRONG_ANSWER, index, message)
    for number in range(len(STRATEGIES) + 1):
        assert SECRET not in question(only(problem, "duckdb"), "polars", number, [wrong])


def test_a_question_shows_the_source_and_what_failed_on_a_visible_test() -> None:
    problem = only(PROBLEMS[0], "duckdb", "polars")
    attempt = Attempt(problem.problem_id, "", "teacher", "direct", 0, "df.foo()", Outcome.RUNTIME_ERROR, 0, "no foo")
    first, second = (question(problem, "polars", number, [attempt] * number) for number in (0, 1))
    assert problem.statement in first and problem.references["duckdb"] in first
    assert problem.references["polars"] not in first + second
    assert "df.foo()" in second and "no foo" in second
    visible = replace(attempt, outcome=Outcome.WRONG_ANSWER, message="row 1 differs")
    assert "row 1 differs" in failure(problem, visible)


# -- the teacher ----------------------------------------------------------------------------------------------------


def test_a_teacher_is_told_its_verdict_and_asked_again_until_it_is_right(polars: CheckerPool) -> None:
    by_id = {p.problem_id: p for p in PROBLEMS}

    def answer(request: Request) -> str:
        problem = by_id[request.problem_id]
        right = "was tried" in request.prompt or problem is PROBLEMS[0]
        return f"Sure:\n```python\n{problem.references['polars'] if right else wrong_code(problem, 'polars')}\n```"

    problems = [only(p, "duckdb") for p in PROBLEMS[:3]]
    found, asked, written = teach(polars, answer, problems)
    assert [one.accepted.round for one in found] == [0, 1, 1]
    assert len(asked) == len(written) == 5
    assert [one.accepted.rule for one in found] == ["direct", "mend", "mend"]


def test_rounds_end_and_the_tests_stay_as_they_are(polars: CheckerPool) -> None:
    found, asked, _ = teach(polars, lambda request: "I cannot do that.", PROBLEMS[:2], retries=1)
    assert [(one.accepted, one.lost) for one in found] == [(None, "SYNTAX_ERROR")] * 2
    assert len(asked) == 4


def test_what_is_recorded_is_not_asked_again(polars: CheckerPool) -> None:
    _, first, written = teach(polars, lambda request: "df.head(0)", PROBLEMS[:4], retries=1)
    _, none, _ = teach(polars, lambda request: "df.head(0)", PROBLEMS[:4], written, retries=1)
    _, rest, _ = teach(polars, lambda request: "df.head(0)", PROBLEMS[:4], written[:5], retries=1)
    assert (len(first), len(none), len(rest)) == (8, 0, 3)


def test_a_wanted_number_of_solutions_is_enough(polars: CheckerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bootstrap.convert.teacher.CHUNK", 2)
    by_id = {p.problem_id: p for p in PROBLEMS}
    found, asked, _ = teach(polars, lambda r: by_id[r.problem_id].references["polars"], PROBLEMS, wanted=3)
    assert len(asked) == len(found) == 4


# -- the program ----------------------------------------------------------------------------------------------------


def convert(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bootstrap.convert", *words], cwd=ROOT, capture_output=True, text=True, timeout=240,
        check=False,
    )  # fmt: skip


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    rows = [only(p, "duckdb") for p in PROBLEMS[:6]] + [only(PROBLEMS[6], "duckdb", "polars")]
    (tmp_path / "problems.jsonl").write_text("".join(dump_line(p.to_json()) for p in rows), encoding="utf-8")
    return tmp_path


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_program_converts_by_rules_then_by_the_teacher_and_goes_on(desk: Path) -> None:
    words = ["--problems", str(desk / "problems.jsonl"), "--target", "polars_expr", "--out", str(desk / "out")]
    done = convert(*words, "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert "7 problems, 1 with a solution given" in done.stdout
    by_rules = {row["problem_id"] for row in read(desk / "out/solutions.jsonl")}
    script = [{"problem_id": p.problem_id, "completion": p.references["polars"]} for p in PROBLEMS[:6]]
    (desk / "script.jsonl").write_text("".join(dump_line(row) for row in script), encoding="utf-8")
    attempts = (desk / "out/attempts.jsonl").read_bytes()
    with open(desk / "out/attempts.jsonl", "ab") as file:
        file.write(b'{"problem_id": "torn')
    done = convert(*words, "--llm-to-use", "scripted", "--engine", f"script={desk / 'script.jsonl'}", "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert (desk / "out/attempts.jsonl").read_bytes().startswith(attempts)
    solutions = read(desk / "out/solutions.jsonl")
    assert {row["problem_id"]: row["route"] for row in solutions} == {
        p.problem_id: "rules" if p.problem_id in by_rules else "teacher" for p in PROBLEMS[:6]
    }
    summary = json.loads((desk / "out/summary.json").read_text())
    assert (summary["proved"], summary["given"], summary["lost"]) == (6, 1, {})


@pytest.mark.parametrize(("words", "said"), [
    (["--llm-to-use", "gpt"], "name the model with --model"),
    (["--no-rules"], "leaves no route"),
    (["--difficulty", "awful"], "expected easy, medium, hard"),
    (["--difficulty", "hard"], "no problem to convert"),
    (["--target", "cobol_sql"], "no interpreter is called"),
    (["--engine", "nme=3", "--llm-to-use", "local", "--model", "x"], "nme"),
])  # fmt: skip
def test_bad_words_get_a_sentence(desk: Path, words: list[str], said: str) -> None:
    done = convert(
        "--problems", str(desk / "problems.jsonl"), "--target", "polars_expr", "--out", str(desk / "o"), *words
    )
    assert done.returncode == 2
    assert said in done.stderr and "Traceback" not in done.stderr


# -- in the loop ----------------------------------------------------------------------------------------------------


def test_a_loop_gets_seeds_from_rules_and_from_a_teacher(tmp_path: Path) -> None:
    """The problems come with DuckDB alone; some of them are beyond the rules, because their DuckDB is no SELECT."""
    problems = pipeline_problems(24)
    rows = [only(p, "duckdb") for p in problems]
    (tmp_path / "problems.jsonl").write_text("".join(dump_line(p.to_json()) for p in rows), encoding="utf-8")
    script = [{"problem_id": p.problem_id, "completion": p.references["polars"]} for p in problems]
    (tmp_path / "teacher.jsonl").write_text("".join(dump_line(row) for row in script), encoding="utf-8")
    source = {"name": "jsonl", "options": {"path": str(tmp_path / "problems.jsonl")}}
    teacher = {"model": "scripted", "engine": {"name": "scripted", "script": str(tmp_path / "teacher.jsonl")}}
    for name, section, routes in (
        ("rules", {"rules": True}, {"rules": 3}),
        ("teacher", {"rules": False, "teacher": teacher}, {"teacher": 3}),
    ):
        config = small_config(tmp_path, source=source, convert=section, max_iterations=1)
        ended = run_loop(config, tmp_path / name)
        assert ended.returncode == 0, ended.stderr
        report = json.loads((tmp_path / name / "small/final_report.json").read_text())
        assert report["problems"]["seeds_by_route"] == routes
    config = small_config(tmp_path, source=source, convert={"rules": False})
    refused = run_loop(config, tmp_path / "none")
    assert refused.returncode == 2
    assert "only 0 train problems have a solution in polars" in refused.stderr
