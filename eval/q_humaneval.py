"""q-HumanEval as its harness scores it: the tasks, how a completion becomes a script, the verdicts, the table.

A task's Python check runs against what the script's function answers (eval/python_checks.py). A task that cannot pass,
since its check needs names that nobody defines, and a task that is not supported stay in the denominator.

How a completion becomes a script: of a completion with fenced blocks the first that is named q, else the first, is
read, else all of it. Where that text defines the function it is the script. Else, where the prompt ends inside the
function's head, the prompt goes on with the text up to the brace that closes the function. Else a text that begins
with a brace is given the function's name, and any other is the script as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bootstrap.audit.workers import OpenInterpreters, Workers, in_threads
from bootstrap.errors import UserError
from bootstrap.prompts import FENCE, extract_code
from bootstrap.sources.q_humaneval import UnusableError, check_of, read_rows, require_fields
from eval.metrics import ProblemScore, summarise
from eval.python_checks import CheckError, run_check, undefined_names
from interpreters import load_interpreter
from interpreters.base import Execution, Interpreter, InterpreterUnavailable, Limits, Outcome, Value
from interpreters.function_cases import case_of
from interpreters.q_values import require_carried
from interpreters.wire import WireError

LIMITS = Limits(seconds=10.0, memory_mb=2048)
CHUNK = 4
"""Answers that a thread judges before it is asked for more."""


@dataclass(frozen=True)
class Task:
    """`missing`: names that its check needs and nobody defines. `unsupported`: why its check cannot run here."""

    task_id: str
    prompt: str
    entry: str
    check: str
    missing: tuple[str, ...] = ()
    unsupported: str = ""


@dataclass(frozen=True)
class Answer:
    """One completion of a task, in its order among the others."""

    task_id: str
    index: int
    completion: str


@dataclass(frozen=True)
class Judged:
    task_id: str
    index: int
    code: str
    outcome: Outcome
    message: str


def read_tasks(path: Path) -> list[Task]:
    """Return all tasks of the file. Raises UserError where one has no prompt, tests or entry_point."""
    tasks = []
    for number, row in read_rows(path):
        if not isinstance(row, Mapping):
            raise UserError(f"{path}: row {number + 1} is not a JSON object")
        try:
            require_fields(row)
        except UnusableError as error:
            raise UserError(f"{path}: row {number + 1}: {error}") from error
        tasks.append(task_of(row, number))
    if len({task.task_id for task in tasks}) != len(tasks) or not tasks:
        raise UserError(f"{path}: expected tasks with a task_id each, found {len(tasks)} rows, or an id twice")
    return tasks


def task_of(row: Mapping[str, Any], number: int) -> Task:
    task_id = number if row.get("task_id") in (None, "") else row["task_id"]
    check = check_of(row)
    missing, unsupported = [], ""
    try:
        missing = undefined_names(check)
        if not re.search(r"^def check\(", check, re.MULTILINE):
            unsupported = "its tests have no function check(candidate)"
    except CheckError as error:
        unsupported = str(error)
    return Task(str(task_id), row["prompt"], row["entry_point"].strip(), check, tuple(missing), unsupported)


# -- scripts ----------------------------------------------------------------------------------------------------------


def script_of(task: Task, completion: str) -> str:
    """Return the script that a completion stands for, see above."""
    text = extract_code(completion, "q") if FENCE.search(completion) else completion
    if re.search(rf"^{re.escape(task.entry)}\s*:", text, re.MULTILINE):
        return text
    if closing_brace(task.prompt) is None and opens_function(task):
        script = task.prompt + text
        end = closing_brace(script)
        return script if end is None else script[: end + 1]
    return f"{task.entry}:{text.lstrip()}" if text.lstrip().startswith("{") else text


def opens_function(task: Task) -> bool:
    return re.search(rf"^{re.escape(task.entry)}\s*:\s*\{{", task.prompt, re.MULTILINE) is not None


def closing_brace(code: str) -> int | None:
    """Return where the first function of q code is closed, None where it is not: braces in text and comments are
    passed over."""
    depth, at = 0, 0
    while at < len(code):
        if code[at] == '"':
            at = _end_of_text(code, at)
        elif code[at] == "/" and (at == 0 or code[at - 1].isspace()):
            at = code.find("\n", at)
            if at < 0:
                return None
        elif code[at] == "{":
            depth += 1
        elif code[at] == "}":
            depth -= 1
            if depth == 0:
                return at
        at += 1
    return None


def _end_of_text(code: str, at: int) -> int:
    """Return where the text that begins here ends."""
    at += 1
    while at < len(code) and code[at] != '"':
        at += 2 if code[at] == "\\" else 1
    return at


# -- verdicts ---------------------------------------------------------------------------------------------------------


def judge(task: Task, code: str, python: Interpreter, target: Interpreter) -> tuple[Outcome, str]:
    """Return what the task's check says about a script."""
    if task.unsupported:
        return Outcome.UNSUPPORTED, task.unsupported

    def answers(calls: Sequence[list[Value]]) -> Execution:
        names = [[f"x{i}" for i in range(1, len(call) + 1)] for call in calls]
        tests = [
            case_of(task.entry, some, call, None, hidden=True) for some, call in zip(names, calls, strict=True)
        ]  # fmt: skip
        require_carried([test.tables for test in tests])
        return target.execute(code, [test.tables for test in tests], LIMITS)

    try:
        checked = run_check(python, task.check, answers)
    except CheckError as error:
        return Outcome.UNSUPPORTED, str(error)
    except WireError as error:
        return Outcome.UNSUPPORTED, f"a call that q cannot carry: {error}"
    return checked.outcome, checked.message


def judge_all(
    tasks: Sequence[Task], answers: Sequence[Answer], interpreter: str, workers: int, on_done: Callable[[int], None]
) -> list[Judged]:
    """Return a verdict for each answer, in their order; the same script of a task is judged once.

    Raises InterpreterUnavailable where the target or Python cannot run here, InterpreterError where one fails.
    """
    by_id = {task.task_id: task for task in tasks}
    scripts = [script_of(by_id[one.task_id], one.completion) for one in answers]
    distinct = list(dict.fromkeys(zip((one.task_id for one in answers), scripts, strict=True)))
    language = load_interpreter(interpreter).language
    team = Workers(workers, interpreter, languages=(language, "python"))

    def work(opened: OpenInterpreters, piece: Sequence[tuple[str, str]]) -> list[tuple[Outcome, str]]:
        python, target = opened.get("python"), opened.get(language)
        if python is None or target is None:
            raise InterpreterUnavailable("; ".join(f"{name}: {why}" for name, why in opened.missing.items()))
        return [judge(by_id[task_id], code, python, target) for task_id, code in piece]

    pieces = [distinct[start : start + CHUNK] for start in range(0, len(distinct), CHUNK)]
    done = in_threads(pieces, team, work, lambda found: on_done(len(found))).results
    verdicts = dict(zip(distinct, (verdict for found in done for verdict in found), strict=True))
    return [
        Judged(one.task_id, one.index, code, *verdicts[one.task_id, code])
        for one, code in zip(answers, scripts, strict=True)
    ]


# -- scores -----------------------------------------------------------------------------------------------------------


def task_rows(tasks: Sequence[Task], judged: Iterable[Judged]) -> list[dict[str, Any]]:
    """Return one row per task: how many of its answers passed, and what became of the first. Raises UserError."""
    by_task: dict[str, list[Judged]] = {task.task_id: [] for task in tasks}
    for one in judged:
        by_task[one.task_id].append(one)
    unanswered = [task_id for task_id, found in by_task.items() if not found]
    if unanswered:
        raise UserError(
            f"expected an answer to each of the {len(tasks)} tasks, found none to {', '.join(unanswered[:5])}"
            f"{' ...' if len(unanswered) > 5 else ''}: the harness scores all tasks"
        )
    return [_row(task, sorted(by_task[task.task_id], key=lambda one: one.index)) for task in tasks]


def _row(task: Task, found: Sequence[Judged]) -> dict[str, Any]:
    return {
        "problem_id": task.task_id, "family": task.task_id, "difficulty": 0, "entry_point": task.entry,
        "n": len(found), "correct": sum(one.outcome is Outcome.PASSED for one in found),
        "outcome": found[0].outcome.value, "message": found[0].message, "code": found[0].code,
        "outcomes": [one.outcome.value for one in found], "missing_names": list(task.missing),
    }  # fmt: skip


def scores_of(rows: Sequence[Mapping[str, Any]], ks: Sequence[int] | None, engine: str) -> dict[str, Any]:
    """Return pass@k over all tasks, with the engine's label and the tasks that no answer can pass here."""
    found = [ProblemScore.from_json(row) for row in rows]
    summary = summarise(found, [k for k in ks if k <= min(score.n for score in found)] if ks else None)
    return {
        "engine": engine, "tasks": summary.n, "num_samples": summary.num_samples, "pass_at_1": summary.pass_at_1,
        "pass_at_k": summary.pass_at_k, "ci95": list(summary.ci95),
        "cannot_pass": {row["problem_id"]: row["missing_names"] for row in rows if row["missing_names"]},
        "unsupported": {
            row["problem_id"]: row["message"] for row in rows if set(row["outcomes"]) == {Outcome.UNSUPPORTED.value}
        },
    }  # fmt: skip


def table_lines(rows: Sequence[Mapping[str, Any]], scores: Mapping[str, Any]) -> Iterator[str]:
    yield f"{'task':>8}  {'passed':>7}  {'first answer':<18} function"
    for row in rows:
        passed = f"{row['correct']}/{row['n']}"
        yield f"{row['problem_id']:>8}  {passed:>7}  {row['outcome']:<18} {row['entry_point']}"
    for task_id, names in scores["cannot_pass"].items():
        yield f"task {task_id} cannot pass: its tests call {', '.join(names)}, which nobody defines"
    for task_id, message in scores["unsupported"].items():
        yield f"task {task_id} is not supported: {message}"
    low, high = scores["ci95"]
    for k, rate in scores["pass_at_k"].items():
        interval = f" (95 % interval {low:.1%} to {high:.1%})" if k == "1" else ""
        yield f"pass@{k} {rate:.1%}{interval} of {scores['tasks']} tasks, {scores['num_samples']} answers each"
    yield f"judged by {scores['engine']}"
