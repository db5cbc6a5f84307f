"""q-HumanEval as an outside test set: Python checks replayed against what q answers, and the score of a file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from q_tasks import LOST, SAMPLES, write_answers, write_tasks

from bootstrap.config import RunConfig
from bootstrap.errors import UserError
from eval.benchmark import sampled
from eval.python_checks import Checked, CheckError, run_check, undefined_names
from eval.q_humaneval import Task, closing_brace, judge, read_tasks, script_of
from eval.run_eval import main
from interpreters import load_interpreter
from interpreters.base import Column, ColumnType, Execution, Interpreter, Outcome, Table, Value


@pytest.fixture(scope="module")
def python() -> Iterator[Interpreter]:
    with load_interpreter("python_function") as opened:
        if opened.available() is not None:
            pytest.skip(str(opened.available()))
        yield opened


@pytest.fixture(scope="module")
def target() -> Iterator[Interpreter]:
    with load_interpreter("q_subset") as opened:
        if opened.available() is not None:
            pytest.skip(str(opened.available()))
        yield opened


def task(entry: str, check: str, prompt: str = "") -> Task:
    lines = "".join(f"    {line}\n" for line in check.splitlines())
    return Task("0", prompt, entry, f"def check(candidate):\n{lines}")


def judged(python: Interpreter, target: Interpreter, code: str, check: str) -> Outcome:
    return judge(task("f", check), code, python, target)[0]


def test_every_kind_of_assert_tells_right_from_wrong(python: Interpreter, target: Interpreter, tmp_path: Path) -> None:
    for one, sample in zip(read_tasks(write_tasks(tmp_path)), SAMPLES, strict=True):
        if one.task_id == LOST:
            continue
        right = judge(one, script_of(one, sample.right), python, target)
        assert right == (Outcome.PASSED, ""), sample.entry
        assert judge(one, script_of(one, sample.wrong), python, target)[0] is Outcome.WRONG_ANSWER, sample.entry


def test_the_table_and_the_scores_of_a_file_of_completions(
    python: Interpreter, target: Interpreter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks, answers = write_tasks(tmp_path), write_answers(tmp_path, "right", "wrong", "wrong")
    main([
        "--benchmark", "q_humaneval", "--data", str(tasks), "--completions", str(answers), "--out", str(tmp_path),
        "--workers", "1", "--ks", "1", "3",
    ])  # fmt: skip
    shown = capsys.readouterr().out
    assert f"task {LOST} cannot pass: its tests call helper, which nobody defines" in shown
    assert "judged by q-subset" in shown and "(not kdb+)" in shown
    scores = json.loads((tmp_path / "scores.json").read_text())["scores"]["answers"]
    assert (scores["tasks"], scores["num_samples"]) == (20, 3)
    assert scores["pass_at_k"] == {"1": round(19 / 20 / 3, 4), "3": round(19 / 20, 4)}
    assert (list(scores["cannot_pass"]), scores["unsupported"]) == ([LOST], {})
    rows = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert rows[0]["outcomes"] == ["PASSED", "WRONG_ANSWER", "WRONG_ANSWER"]


def test_models_answer_with_the_settings_of_a_run(
    python: Interpreter, target: Interpreter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script, run = tmp_path / "script.jsonl", tmp_path / "run"
    rows = [{"problem_id": str(i), "completion": sample.right} for i, sample in enumerate(SAMPLES)]
    script.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    run.mkdir()
    engine = {"name": "scripted", "script": str(script)}
    config = {"target": "q_subset", "base_model": "none", "engine": engine, "prompt": {"style": "plain"}}
    (run / "config.resolved.json").write_text(json.dumps(config), encoding="utf-8")
    main([
        "--benchmark", "q_humaneval", "--data", str(write_tasks(tmp_path)), "--out", str(tmp_path), "--run-dir",
        str(run), "--models", "base=none", "--workers", "1",
    ])  # fmt: skip
    assert "pass@1 95.0%" in capsys.readouterr().out
    assert json.loads((tmp_path / "scores.json").read_text())["scores"]["base"]["pass_at_1"] == 0.95


def test_several_copies_of_a_model_answer_as_one(tmp_path: Path) -> None:
    script = tmp_path / "script.jsonl"
    rows = [{"problem_id": f"t{i}", "completion": f"answer {i} {sample}"} for i in range(7) for sample in range(2)]
    script.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    tasks = [Task(f"t{i}", f"prompt {i}", "f", "") for i in range(7)]
    found = []
    for replicas in (1, 2):
        engine = {"name": "scripted", "script": str(script), "batch_sequences": 4, "replicas": replicas}
        config = RunConfig.model_validate({"target": "q_subset", "base_model": "none", "engine": engine})
        found.append(sampled("none", config, tasks, 2, "t"))
    assert found[0] == found[1]
    assert [answer.completion for answer in found[0]] == [row["completion"] for row in rows]


def test_a_task_without_an_answer_stops_the_score(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answers = tmp_path / "few.jsonl"
    answers.write_text("", encoding="utf-8")
    arguments = ["--benchmark", "q_humaneval", "--data", str(write_tasks(tmp_path)), "--out", str(tmp_path)]
    with pytest.raises(SystemExit):
        main([*arguments, "--completions", str(answers)])
    assert "expected an answer to each of the 20 tasks" in capsys.readouterr().err


def test_models_and_completions_are_not_both_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--benchmark", "q_humaneval", "--data", str(write_tasks(tmp_path)), "--out", str(tmp_path)])
    assert "give either --completions FILE or --models" in capsys.readouterr().err


def test_rows_that_are_no_tasks_are_told(tmp_path: Path) -> None:
    path = tmp_path / "tasks.jsonl"
    path.write_text('{"prompt": "f:{", "tests": "def check(candidate): pass"}\n', encoding="utf-8")
    with pytest.raises(UserError, match="row 1: entry_point is missing"):
        read_tasks(path)


# -- outcomes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("f:{[x] x+1}", Outcome.PASSED),
        ("f:{[x] x+2}", Outcome.WRONG_ANSWER),
        ("f:{[x] x+`a}", Outcome.RUNTIME_ERROR),
        ("g:{[x] x+1}", Outcome.NO_RESULT),
        ("f:{[x] hopen x}", Outcome.UNSUPPORTED),
        ("f:{[x] x+1", Outcome.SYNTAX_ERROR),
    ],
)
def test_the_outcome_is_the_scripts_own(python: Interpreter, target: Interpreter, code: str, outcome: Outcome) -> None:
    assert judged(python, target, code, "assert candidate(1) == 2\nassert candidate(2) == 3") is outcome


def test_an_answer_that_the_check_cannot_use_is_an_error_of_the_script(
    python: Interpreter, target: Interpreter
) -> None:
    assert judged(python, target, "f:{[x] x}", "assert candidate(1).decode() == 'a'") is Outcome.RUNTIME_ERROR


def test_an_argument_that_q_cannot_hold_is_not_supported(python: Interpreter, target: Interpreter) -> None:
    found = judge(task("f", "assert candidate(2**70) == 1"), "f:{x}", python, target)
    assert found[0] is Outcome.UNSUPPORTED and found[1].startswith("a call that q cannot carry")


def test_a_check_that_is_no_python_is_not_supported() -> None:
    row = {"task_id": 1, "prompt": "f:{[x]", "entry_point": "f", "tests": "def check(candidate:\n"}
    with pytest.raises(CheckError):
        undefined_names(row["tests"])  # type: ignore[arg-type]  # text


# -- recording and replaying ------------------------------------------------------------------------------------------


def plus_one(asked: list[list[Value]]) -> Any:
    """Return what answers calls with one more than their argument, and notes them."""

    def answers(calls: Sequence[list[Value]]) -> Execution:
        asked.extend(calls)
        column = Column("result", ColumnType.INT)
        return Execution(Outcome.PASSED, tuple(Table((column,), ((call[0] + 1,),)) for call in calls))  # type: ignore[operator]  # integers

    return answers


def test_a_call_may_depend_on_an_earlier_answer(python: Interpreter) -> None:
    asked: list[list[Value]] = []
    check = "def check(candidate):\n    x = 0\n    for _ in range(3):\n        x = candidate(x)\n    assert x == 3"
    assert run_check(python, check, plus_one(asked)) == Checked(Outcome.PASSED)
    assert asked == [[0], [1], [2]]


def test_the_same_call_is_asked_once(python: Interpreter) -> None:
    asked: list[list[Value]] = []
    check = "def check(candidate):\n    assert candidate(1) == 2\n    assert candidate(1) == candidate(1)"
    assert run_check(python, check, plus_one(asked)).outcome is Outcome.PASSED
    assert asked == [[1]]


def test_what_is_asked_holds_no_expected_value(python: Interpreter) -> None:
    asked: list[list[Value]] = []
    check = "def check(candidate):\n    assert candidate(1) == 987654\n    assert not candidate(2)"
    assert run_check(python, check, plus_one(asked)).outcome is Outcome.WRONG_ANSWER
    assert "987654" not in repr(asked)


def test_a_check_that_asks_for_ever_is_told(python: Interpreter) -> None:
    check = "def check(candidate):\n    x = 0\n    for _ in range(99):\n        x = candidate(x)\n    assert x"
    with pytest.raises(CheckError, match="after 40 rounds"):
        run_check(python, check, plus_one([]))


@pytest.mark.parametrize(
    ("check", "missing"),
    [
        ("def check(candidate):\n    assert candidate(1) == poly([1], 2)", ["poly"]),
        ("def poly(a):\n    return a\ndef check(candidate):\n    assert candidate(1) == poly(2)", []),
        ("from math import sqrt\ndef check(candidate):\n    assert [x for x in (sqrt(4),)] == candidate(1)", []),
        ("def check(candidate):\n    import random as r\n    assert candidate(r.random(), other)", ["other"]),
    ],
)
def test_names_that_nobody_defines_are_found(check: str, missing: list[str]) -> None:
    assert undefined_names(check) == missing


# -- scripts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "completion", "script"),
    [
        ("f:{[x]\n", "  x+1\n  }\ng:{", "f:{[x]\n  x+1\n  }"),
        ("f:{[x]\n", "```q\nf:{[x] x}\n```", "f:{[x] x}"),
        ("f:{[x]\n  / body }\n", '  "}" / a }\n  }', 'f:{[x]\n  / body }\n  "}" / a }\n  }'),
        ("f:{[x]\n  / body\n  }", "{[x] x}", "f:{[x] x}"),
        ("f:{[x]\n  / body\n  }", "h:{x}\nf:{[x] h x}", "h:{x}\nf:{[x] h x}"),
        ("f:{[x]\n", "  x+1\n", "f:{[x]\n  x+1\n"),
        ("/ write f", "1+1", "1+1"),
    ],
)
def test_a_completion_becomes_a_script(prompt: str, completion: str, script: str) -> None:
    assert script_of(task("f", "", prompt), completion) == script


def test_the_closing_brace_is_not_one_in_text() -> None:
    assert closing_brace('f:{"\\"}";{x}1} / }') == 13
    assert closing_brace("f:{x") is None
