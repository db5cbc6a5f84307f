"""The q subset against the q reference's own examples, and the program that counts them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from eval.bench_q import Example, main, read_examples, replay
from interpreters.q_subset import VERSION, Workspace

SESSIONS = Path(__file__).resolve().parents[1].parent / "shared" / "data" / "q_reference" / "sessions.jsonl"


@pytest.mark.skipif(not SESSIONS.is_file(), reason="the q reference's examples are not on this machine")
def test_the_reference_agrees_and_hardly_ever_differs() -> None:
    found = [replay(example).outcome for example in read_examples(SESSIONS, None)]
    assert found.count("agrees") >= 0.85 * len(found)
    assert found.count("differs") <= 0.015 * len(found)


def example(expression: str, expected: str, *setup: str) -> Example:
    return Example("page", 1, setup, expression, expected)


def test_white_space_does_not_count() -> None:
    assert replay(example("(1 2;30 4)", "1  2\n30 4 ")).outcome == "agrees"


def test_a_wrong_value_differs() -> None:
    assert replay(example("1+1", "3")).outcome == "differs"


def test_setup_is_replayed_and_its_errors_are_passed_over() -> None:
    assert replay(example("a+1", "6", "a:5", "1+`a")).outcome == "agrees"


def test_what_is_not_known_is_unsupported() -> None:
    assert replay(example("hopen 1", "3i")).outcome == "unsupported"


def test_a_difference_after_a_refused_setup_is_unsupported() -> None:
    assert replay(example("h", "3i", "h:hopen 1")).outcome == "unsupported"


def test_an_error_is_compared_as_the_console_shows_it() -> None:
    assert replay(example("1+`a", "'type")).outcome == "agrees"


def test_the_program_counts_by_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"page": "one", "line": 1, "setup": [], "expr": "1+1", "expected": "2"},
        {"page": "two", "line": 2, "setup": ["a:1"], "expr": "a", "expected": "2"},
    ]
    data = tmp_path / "examples.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    assert main(["--data", str(data)]) == 1
    shown = capsys.readouterr().out
    assert "DIFFERS two:2" in shown
    assert main(["--data", str(data), "--allow", "1", "--out", str(tmp_path / "out.json")]) == 0
    assert [row["outcome"] for row in json.loads((tmp_path / "out.json").read_text())] == ["agrees", "differs"]


def test_printed_text_comes_before_the_value() -> None:
    assert Workspace().console('-1 "hi";2+0N!3') == "hi\n3\n5"


def test_precision_is_the_one_setting() -> None:
    workspace = Workspace()
    workspace.evaluate("\\P 3")
    assert workspace.console("1%3") == "0.333"


def test_a_statement_may_go_over_lines_and_comments_are_left_out() -> None:
    script = "/ a function\nf:{[a]\n  b:a+1; / one more\n  b*2\n  }\n/\nblock comment\n\\\nf 3\n"
    assert Workspace().evaluate(script)[-1].text == "8"


def test_results_say_what_is_shown() -> None:
    shown = [result.shown for result in Workspace().evaluate("a:1\na\na;\n")]
    assert shown == [False, True, False]


def test_long_output_is_cut_as_in_a_console() -> None:
    lines = Workspace().console("([]a:til 100)").split("\n")
    assert (len(lines), lines[-1]) == (23, "..")
    assert Workspace().console("til 100").endswith("..")


def test_the_version_is_text() -> None:
    assert VERSION.count(".") == 1


def test_the_console_program_answers_and_says_what_it_is() -> None:
    command = [sys.executable, "-m", "interpreters.q_subset"]
    found = subprocess.run(
        command, input="1+1\nfoo\nhopen 1\n\\\\\n", capture_output=True, text=True, timeout=60, check=True
    )
    assert "not kdb+" in found.stdout
    assert [line.removeprefix("q)") for line in found.stdout.split("\n")[1:4]] == [
        "2",
        "'foo",
        "Unsupported: the keyword hopen",
    ]


def test_strings_are_bytes_of_utf8() -> None:
    workspace = Workspace()
    assert workspace.console('count "é"') == "2"
    assert workspace.console('"é"') == '"\\303\\251"'
    assert workspace.console('-1 "é";') == "é"
