"""`python -m interpreters.check`, called as a user calls it, with real interpreters."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from support import ROOT

from interpreters.judging.check_progress import progress_line

SECRET = "expected-7391"
INPUT = {"columns": [["a", "int"], ["s", "string"]], "height": 3, "values": [[1, 2, 3], ["x", "y", None]]}
DOUBLED = {"columns": [["a", "int"]], "height": 3, "values": [[2, 4, 6]]}
TOLD = {"columns": [["s", "string"]], "height": 1, "values": [[SECRET]]}
RIGHT = {"polars_expr": "t.select(pl.col('a') * 2)", "duckdb_sql": "SELECT a * 2 AS a FROM t",
         "q_subset": "select a:2*a from t"}  # fmt: skip


def test_of(expected: Mapping[str, Any], table: Mapping[str, Any] = INPUT, name: str = "t") -> dict[str, Any]:
    return {"tables": {name: table}, "expected": expected, "order_by": [], "hidden": False}


test_of.__test__ = False  # type: ignore[attr-defined]  # functions take attributes
PROBLEMS = [
    {"problem_id": "double", "statement": "Double a.", "tests": [test_of(DOUBLED), test_of(DOUBLED)]},
    {"problem_id": "secret", "statement": "Say it.", "tests": [test_of(TOLD)]},
]


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


class Desk:
    """A folder with problems and candidates, and the program to be called on them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.out = folder, folder / "verdicts.jsonl"
        self.problems = write(folder / "problems.jsonl", PROBLEMS)
        self.candidates = folder / "candidates.jsonl"

    def put(self, *codes: str, problem: str = "double") -> None:
        write(self.candidates, [{"problem_id": problem, "code": code} for code in codes])

    def words(self, *more: str, target: str = "polars_expr") -> list[str]:
        files = ("--problems", str(self.problems), "--candidates", str(self.candidates), "--out", str(self.out))
        return [sys.executable, "-m", "interpreters.check", "--target", target, *files, "--workers", "1", *more]

    def check(self, *more: str, target: str = "polars_expr") -> subprocess.CompletedProcess[str]:
        command = self.words(*more, target=target)
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)

    def outcomes(self) -> list[str]:
        return [row["outcome"] for row in read(self.out)]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


# -- verdicts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", sorted(RIGHT))
def test_every_candidate_gets_a_line_in_its_place(desk: Desk, target: str) -> None:
    codes = {RIGHT[target]: "PASSED", RIGHT[target].replace("2", "3"): "WRONG_ANSWER", "SELEC (": "SYNTAX_ERROR"}
    rows = [
        {"problem_id": "double", "code": code, "id": f"mine-{number}", "model": "m", "temperature": 0.5}
        for number, code in enumerate([*codes, *codes])
    ]
    rows[0] |= {"completion": "x" * 300, "outcome": "as it was", "logprob": float("nan")}
    write(desk.candidates, rows)
    done = desk.check(target=target)
    assert done.returncode == 0, done.stderr
    found = read(desk.out)
    assert [row["id"] for row in found] == [row["id"] for row in rows]
    assert [row["outcome"] for row in found] == list(codes.values()) * 2
    assert [row["failed_test"] for row in found] == [None, 0, 0] * 2
    assert all((row["problem_id"], row["model"], row["temperature"]) == ("double", "m", 0.5) for row in found)
    assert not any({"code", "completion", "logprob"} & row.keys() for row in found)
    assert found[0]["interpreter"].replace("-", " ").split()[0] == target.split("_")[0]
    assert "PASSED                     2    33.3%" in done.stdout
    assert "1 of 1 problems have a candidate that passed" in done.stdout


def test_other_names_of_fields_can_be_given(desk: Desk) -> None:
    write(desk.candidates, [{"problem_id": "double", "text": RIGHT["polars_expr"], "nr": 7}])
    assert desk.check("--code-field", "text", "--id-field", "nr").returncode == 0
    assert [(row["id"], row["outcome"]) for row in read(desk.out)] == [(7, "PASSED")]


def test_nothing_of_the_expected_values_is_written(desk: Desk) -> None:
    desk.put("pl.DataFrame({'s': ['a']})", "pl.DataFrame({'s': [1]})", "t", "pl.DataFrame({'s': []})", problem="secret")
    done = desk.check()
    assert desk.outcomes() == ["WRONG_ANSWER"] * 4
    assert SECRET not in desk.out.read_text(encoding="utf-8") + done.stdout + done.stderr


ODD = ["t\0", "\0", "", "\ud800", "'\ud800'", "t" * 10_000, "\ufeff" + "t", "(" * 5000]


@pytest.mark.parametrize("target", sorted(RIGHT))
def test_odd_code_is_judged_like_any_other(desk: Desk, target: str) -> None:
    desk.put(*(code for odd in ODD for code in (odd, RIGHT[target])))
    done = desk.check(target=target)
    assert done.returncode == 0, done.stderr
    assert set(desk.outcomes()[::2]) <= {"SYNTAX_ERROR", "RUNTIME_ERROR", "NO_RESULT", "FORBIDDEN", "WRONG_ANSWER"}
    assert desk.outcomes()[1::2] == ["PASSED"] * len(ODD)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["polars_expr", "duckdb_sql"])
def test_a_line_of_50_mb_is_judged(desk: Desk, target: str) -> None:
    filler = {"polars_expr": "#", "duckdb_sql": "--"}[target] + "x" * 50_000_000 + "\n"
    desk.put(filler + RIGHT[target], "SELECT '" + "x" * 50_000_000, RIGHT[target])
    done = desk.check("--memory-mb", "1024", target=target)
    assert done.returncode == 0, done.stderr
    assert [row["id"] for row in read(desk.out)] == [1, 2, 3]
    assert desk.outcomes()[2] == "PASSED" and desk.outcomes()[1] != "PASSED"


# -- going on -----------------------------------------------------------------------------------------------------


def slow_codes(count: int) -> list[str]:
    """Return distinct right answers that take a moment."""
    return [f"__import__('time').sleep(0.1)\nresult = t.select(pl.col('a') * 2)  # {number}" for number in range(count)]


def without_seconds(path: Path) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in read(path)]


def test_what_is_judged_is_not_judged_again(desk: Desk) -> None:
    desk.put(RIGHT["polars_expr"], "t")
    desk.check()
    before = desk.out.read_bytes()
    done = desk.check()
    assert (done.returncode, desk.out.read_bytes()) == (0, before)
    assert "2 candidates, 2 judged already" in done.stderr
    assert "PASSED                     1    50.0%" in done.stdout


def test_killed_and_started_again_it_leaves_what_it_would_have_left(desk: Desk, tmp_path: Path) -> None:
    desk.put(*slow_codes(30))
    desk.check()
    whole = without_seconds(desk.out)
    desk.out = tmp_path / "killed.jsonl"
    program = subprocess.Popen(desk.words(), cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (desk.out.exists() and desk.out.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.01)
    program.send_signal(signal.SIGKILL)
    program.wait()
    assert 0 < len(read(desk.out)) < 30
    with open(desk.out, "ab") as file:
        file.write(b'{"id": 17, "problem_id": "dou')
    done = desk.check()
    assert done.returncode == 0
    assert "is torn and is dropped" in done.stderr
    assert without_seconds(desk.out) == whole


@pytest.mark.slow
def test_interrupted_it_says_how_to_go_on(desk: Desk) -> None:
    desk.put(*slow_codes(100))
    program = subprocess.Popen(desk.words(), cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    while not (desk.out.exists() and desk.out.stat().st_size):
        time.sleep(0.01)
    program.send_signal(signal.SIGINT)
    _, errors = program.communicate(timeout=60)
    assert program.returncode == 130
    assert "Start again with the same command" in errors
    assert 0 < len(read(desk.out)) < 100


def test_other_limits_or_tests_or_code_are_judged_anew(desk: Desk) -> None:
    desk.put(RIGHT["polars_expr"], "t.select('a')")
    desk.check()
    desk.check("--seconds", "4")
    assert desk.outcomes() == ["PASSED", "WRONG_ANSWER"] * 2
    same = {"columns": [["a", "int"]], "height": 3, "values": [[1, 2, 3]]}
    write(desk.problems, [{"problem_id": "double", "tests": [test_of(same)]}])
    done = desk.check("--seconds", "4")
    assert desk.outcomes()[4:] == ["WRONG_ANSWER", "PASSED"]
    assert "1    50.0%" in done.stdout  # of the two candidates, not of the six lines
    desk.put(RIGHT["polars_expr"], "t")
    desk.check("--seconds", "4")
    assert desk.outcomes()[6:] == ["WRONG_ANSWER"]


def test_the_same_code_is_judged_once_and_told_for_each(desk: Desk) -> None:
    desk.put(*["while True: pass"] * 20, "t")
    start = time.monotonic()
    done = desk.check("--seconds", "1")
    assert done.returncode == 0
    assert desk.outcomes() == ["TIMEOUT"] * 20 + ["WRONG_ANSWER"]
    assert [row["id"] for row in read(desk.out)] == list(range(1, 22))
    assert time.monotonic() - start < 18


def test_what_the_interpreter_could_not_judge_is_owed_again(desk: Desk) -> None:
    unreadable = {"columns": [["a", "int"]], "height": 1, "values": [["1" + "0" * 60]]}
    write(desk.problems, [{"problem_id": "double", "tests": [test_of(DOUBLED, unreadable)]}, PROBLEMS[1]])
    write(desk.candidates, [
        {"problem_id": problem, "code": code} for problem in ("double", "secret") for code in ("t", "t.head(1)")
    ])  # fmt: skip
    for lines in (4, 6):  # the two that are owed are tried again, and written again
        done = desk.check()
        assert done.returncode == 1
        assert "2 candidates could not be judged (INFRA)" in done.stderr
        assert len(desk.outcomes()) == lines
    write(desk.problems, PROBLEMS)
    done = desk.check()
    assert done.returncode == 0, done.stderr
    assert desk.outcomes()[:4] == ["INFRA", "INFRA", "WRONG_ANSWER", "WRONG_ANSWER"]
    assert "INFRA" not in done.stdout and "WRONG_ANSWER               4   100.0%" in done.stdout


# -- input that cannot be used --------------------------------------------------------------------------------------

GOOD = {"problem_id": "double", "code": "t"}
BAD_CANDIDATES = {
    b"": "expected one candidate per line, found an empty file",
    b"\n \n": "expected one candidate per line, found an empty file",
    b"{}\n": 'line 1: expected the key "problem_id", found no key at all',
    b"nonsense\n": "line 1: expected one JSON object, found 'nonsense'",
    b'{"problem_id": "double", "code": "t"}\n{"problem_id": "dou': "line 2: expected one JSON object",
    b"[1, 2]\n": "line 1: expected a JSON object, found list [1, 2]",
    b"[" * 100_000: "line 1: expected one JSON object",
    b'\n\n{"problem_id": "double"}\n': "line 3: expected the key \"code\", found 'problem_id'; name the field",
    b'{"problem_id": "double", "code": ["t"]}\n': "line 1: expected text under \"code\", found ['t']",
    b'{"problem_id": 3, "code": "t"}\n': 'line 1: expected text under "problem_id", found 3',
    b'{"problem_id": "doubel", "code": "t"}\n': "found 'doubel'; did you mean 'double'?",
    b'{"problem_id": "zzzzzzzz", "code": "t"}\n': "expected the id of one of the 2 problems, found 'zzzzzzzz'; is it",
    b'{"problem_id": "double", "code": "\xff"}\n': "line 1: expected UTF-8, found the byte 0xff at position 35",
    b'{"problem_id": "double", "code": "t", "id": [1]}\n': 'expected text or a whole number under "id", found [1]',
    b'{"problem_id": "double", "code": "t", "id": 2}\n{"problem_id": "double", "code": "t"}\n':
        "line 2: expected ids that occur once, found 2 again, which line 1 has",
}  # fmt: skip


@pytest.mark.parametrize("content", BAD_CANDIDATES, ids=lambda content: repr(content[:40]))
def test_bad_candidates_are_refused_with_the_line_and_what_to_do(desk: Desk, content: bytes) -> None:
    desk.candidates.write_bytes(content)
    refused(desk, BAD_CANDIDATES[content])


def refused(desk: Desk, words: str, *more: str) -> None:
    done = desk.check(*more)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1 and len(done.stderr) < 1000
    assert not desk.out.exists()


def problem(**changes: Any) -> dict[str, Any]:
    return {"problem_id": "double", "tests": [test_of(DOUBLED)], **changes}


BAD_PROBLEMS = {
    "expected one problem per line, found an empty file": [],
    "line 1, problem 'double': expected a list of tests under \"tests\", found none": [problem(tests=[])],
    "line 1, problem 'double': expected a list of tests under \"tests\", found None": [problem(tests=None)],
    "expected test 0 as docs/problem_format.md says, found: not a test case": [problem(tests=[{"tables": {}}])],
    "expected test 1 as docs/problem_format.md says": [problem(tests=[test_of(DOUBLED), {**test_of(DOUBLED), "x": 1}])],
    "found: a column has another length": [problem(tests=[test_of({**DOUBLED, "height": 2})])],
    "found: a column has an unknown type": [problem(tests=[test_of({**DOUBLED, "columns": [["a", "integer"]]})])],
    "line 2: expected problem ids that occur once, found 'double' again, which line 1 has": [problem(), problem()],
    "table names of at most 200 characters, found one of 10000": [
        problem(tests=[test_of(DOUBLED, name="t" * 10_000)])
    ],
    'line 1: expected the key "problem_id", found': [{"tests": []}],
}  # fmt: skip


@pytest.mark.parametrize("words", BAD_PROBLEMS)
def test_bad_problems_are_refused_with_the_line_and_what_to_do(desk: Desk, words: str) -> None:
    desk.put("t")
    write(desk.problems, BAD_PROBLEMS[words])
    refused(desk, words)


def test_files_that_are_missing_are_named(desk: Desk) -> None:
    refused(desk, f"{desk.candidates}: expected a readable file, found: No such file")
    desk.put("t")
    desk.problems = desk.folder / "nowhere.jsonl"
    refused(desk, f"{desk.problems}: expected a readable file, found: No such file")


def test_the_output_is_never_one_of_the_inputs_or_a_file_of_another_kind(desk: Desk) -> None:
    desk.put("t")
    before = desk.candidates.read_bytes()
    desk.out = desk.candidates
    done = desk.check()
    assert (done.returncode, desk.candidates.read_bytes()) == (2, before)
    assert "--out: expected a file of its own" in done.stderr
    desk.out = write(desk.folder / "other.jsonl", [{"a": 1}])
    done = desk.check()
    assert done.returncode == 2
    assert "other.jsonl, line 1: expected a verdict of this program" in done.stderr
    assert read(desk.out) == [{"a": 1}]


@pytest.mark.slow
def test_two_at_once_do_not_write_one_file(desk: Desk) -> None:
    desk.put(*slow_codes(60))
    first = subprocess.Popen(desk.words(), cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while not (desk.out.exists() and desk.out.stat().st_size):
        time.sleep(0.01)
    second = desk.check()
    assert second.returncode == 2
    assert "found another check at work" in second.stderr
    assert first.wait(60) == 0
    assert len(read(desk.out)) == 60


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--seconds", "0"], "--seconds: invalid positive float value: '0'"),
        (["--workers", "-1"], "--workers: invalid positive int value: '-1'"),
        (["--memory-mb", "much"], "--memory-mb: invalid positive int value: 'much'"),
        (["--target", "polar"], "invalid choice: 'polar'"),
    ],
)
def test_flags_that_cannot_be_are_refused(desk: Desk, words: list[str], said: str) -> None:
    desk.put("t")
    done = desk.check(*words)
    assert done.returncode == 2
    assert said in done.stderr


def test_help_is_instant_and_loads_no_engine() -> None:
    program = (
        "import sys; from interpreters.check import make_parser; print(len(make_parser().format_help()) > 1000, "
        "sorted({'polars', 'duckdb', 'numpy', 'ibis', 'psycopg'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True []"


# -- progress -----------------------------------------------------------------------------------------------------


def test_progress_names_the_rate_the_share_and_the_time_left() -> None:
    assert progress_line(0, 500, 0, 0.1) == "0 of 500 (0%), 0.0/s, none yet"
    assert progress_line(1000, 5000, 250, 10.0) == "1,000 of 5,000 (20%), 100.0/s, 25.0% passed, 0:40 left"
    assert progress_line(10, 100_000, 5, 1.0) == "10 of 100,000 (0%), 10.0/s, 50.0% passed, 2:46:39 left"
    assert progress_line(5, 5, 5, 1.0) == "5 of 5 (100%), 5.0/s, 100.0% passed"


def test_on_a_terminal_progress_is_one_line(desk: Desk) -> None:
    desk.put(*slow_codes(20))
    master, slave = os.openpty()
    program = subprocess.Popen(desk.words(), cwd=ROOT, stderr=slave, stdout=subprocess.DEVNULL)
    os.close(slave)
    shown = b""
    try:
        while chunk := os.read(master, 4096):
            shown += chunk
    except OSError:  # how a terminal says that its last writer has gone
        pass
    os.close(master)
    assert program.wait() == 0
    states = shown.decode().split("\r\x1b[K")
    assert len(states) > 3
    assert all("\n" not in state for state in states[1:-1])
    assert states[-1].startswith("20 of 20 (100%)")


@pytest.mark.parametrize(("target", "reason"), [("python_function", "of 3 rows"), ("q_subset", "'select'")])
def test_a_problem_that_a_language_cannot_hold_is_an_error_of_the_input(desk: Desk, target: str, reason: str) -> None:
    table = {**INPUT, "columns": [["a", "int"], ["select", "string"]]}
    write(desk.problems, [{"problem_id": "double", "statement": "Double a.", "tests": [test_of(DOUBLED, table)]}])
    desk.put("t")
    done = desk.check(target=target)
    assert done.returncode == 2
    assert "--problems: expected problems whose inputs" in done.stderr
    assert reason in done.stderr
    assert not desk.out.exists()
