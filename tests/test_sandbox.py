"""The sandbox says what holds, refuses below the required level, and never loses a layer silently."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from pathlib import Path

import pytest
from support import run_loop, small_config

from bootstrap.cli import warn_of_lower_sandbox
from interpreters import load_interpreter
from interpreters.base import Column, ColumnType, InterpreterError, Limits, Outcome, Table
from interpreters.sandbox import LAYERS, Level, Sandbox, Wanted, level_of, wanted

INPUT = Table((Column("a", ColumnType.INT),), ((1,), (2,)))
RIGHT = {"polars_expr": "t.select(pl.col('a') * 2)", "duckdb_sql": "SELECT a * 2 AS a FROM t"}
ALL = frozenset(LAYERS)


def without(*layers: str) -> Wanted:
    return Wanted(ALL - {*layers})


def describe(name: str, sandbox: Wanted) -> tuple[str | None, str]:
    with load_interpreter(name, sandbox) as interpreter:
        reason = interpreter.available()
        return reason, "" if reason else interpreter.sandbox()


@pytest.mark.parametrize("name", RIGHT)
def test_this_machine_holds_what_is_required(name: str) -> None:
    with load_interpreter(name) as interpreter:
        assert interpreter.available() is None
        level = level_of(interpreter.sandbox())
        assert level is not None and level >= Level.STANDARD
        execution = interpreter.execute(RIGHT[name], [{"t": INPUT}], Limits())
    assert execution.results[0].rows == ((2,), (4,))


@pytest.mark.parametrize(
    ("lost", "open_to"),
    [
        (("seccomp", "namespaces"), "network, processes"),
        (("landlock", "chroot"), "files"),
        (LAYERS, "files, network, processes"),
    ],
)
def test_a_hole_in_what_is_required_is_refused_with_its_name(lost: tuple[str, ...], open_to: str) -> None:
    reason, _ = describe("polars_expr", without(*lost))
    assert reason is not None and f"get at {open_to} " in reason and "--sandbox unsafe" in reason


def test_unsafe_goes_on_and_says_what_is_open() -> None:
    reason, line = describe("polars_expr", Wanted(frozenset(), required=False))
    assert reason is None
    assert line.startswith("sandbox: none (") and "OPEN TO ATTACK: files, network, processes" in line
    assert all(f"{layer} no: switched off" in line for layer in ("landlock", "seccomp", "namespaces"))


@pytest.mark.parametrize("lost", [("namespaces",), ("unprivileged",), ("landlock",)])
def test_one_wall_less_is_a_lower_level_but_no_hole(lost: tuple[str, ...]) -> None:
    if lost == ("landlock",) and os.geteuid() != 0 and "namespaces no" in describe("polars_expr", without())[1]:
        pytest.skip("an empty root folder needs root or a user namespace")
    reason, line = describe("polars_expr", without(*lost))
    assert reason is None and "OPEN" not in line
    assert level_of(line) is Level.STANDARD


@pytest.mark.parametrize("layers", [ALL - {"seccomp"}, ALL - {"landlock"}, ALL - {"seccomp", "landlock"}])
def test_candidates_run_the_same_whatever_layers_there_are(layers: frozenset[str]) -> None:
    with load_interpreter("polars_expr", Wanted(layers, required=False)) as interpreter:
        execution = interpreter.execute(RIGHT["polars_expr"], [{"t": INPUT}], Limits())
        assert execution.outcome is Outcome.PASSED, execution.message


def test_another_word_than_required_or_unsafe_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected required or unsafe, found 'off'"):
        wanted("off")  # type: ignore[arg-type]


def test_the_line_names_the_level_and_can_be_read_back() -> None:
    sandbox = Sandbox({"seccomp": "", "landlock": "ABI 7"}, {"namespaces": "EPERM"}, ())
    assert sandbox.line() == "sandbox: standard (seccomp, landlock ABI 7, namespaces no: EPERM)"
    assert level_of(sandbox.line()) is Level.STANDARD
    assert level_of("something else") is None


def test_resuming_with_a_weaker_sandbox_is_said(caplog: pytest.LogCaptureFixture) -> None:
    strong, standard = "sandbox: strong (seccomp)", "sandbox: standard (seccomp)"
    with caplog.at_level(logging.WARNING):
        warn_of_lower_sandbox(standard, strong)
        warn_of_lower_sandbox("", standard)
        assert caplog.records == []
        warn_of_lower_sandbox(strong, standard)
    assert "weaker than it was" in caplog.text and standard in caplog.text


def test_a_run_says_on_which_sandbox_it_rests(tmp_path: Path) -> None:
    config = small_config(tmp_path, max_iterations=0)
    done = run_loop(config, tmp_path, "--run-name", "r")
    assert done.returncode == 0, done.stderr
    row = json.loads((tmp_path / "r" / "run.json").read_text())
    assert level_of(row["sandbox"]) is not None
    assert row["sandbox"] in done.stderr


def test_a_full_disk_is_our_failure_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "there is no such folder"))
    with load_interpreter("polars_expr") as interpreter, pytest.raises(InterpreterError, match="cannot be started"):
        interpreter.execute(RIGHT["polars_expr"], [{"t": INPUT}], Limits())
