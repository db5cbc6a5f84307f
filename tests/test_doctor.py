"""`python -m interpreters.doctor`, called as a user calls it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import ROOT

from interpreters import INTERPRETERS
from interpreters.attacks.table import AttackResult
from interpreters.doctor import Finding, attack_line, main, table

STRONG = "sandbox: strong (landlock ABI 7, seccomp, namespaces net)"


def doctor(*words: str, python: str = sys.executable, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, "-m", "interpreters.doctor", *words], cwd=ROOT, env={**os.environ, **environment},
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip


def test_it_names_every_interpreter_with_its_version_and_level() -> None:
    done = doctor("--json")
    row = json.loads(done.stdout)
    assert [one["name"] for one in row["interpreters"]] == list(INTERPRETERS)
    assert row["well"] and done.returncode == 0
    for one in row["interpreters"]:
        assert one["available"] == bool(one["version"])
        if one["available"]:
            assert one["level"] in ("standard", "strong") and one["sandbox"].startswith("sandbox: ")
        else:
            assert one["problem"]


def test_the_table_is_for_people() -> None:
    done = doctor("--interpreter", "duckdb_sql")
    assert done.returncode == 0
    head, first = done.stdout.splitlines()[:2]
    assert head.split() == ["interpreter", "language", "version", "level", "attacks", "stopped"]
    assert first.split()[:4] == ["duckdb_sql", "duckdb", "duckdb", first.split()[3]]
    assert "duckdb_sql: sandbox: " in done.stdout


def test_an_engine_that_is_not_installed_comes_with_the_command_that_installs_it(tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    done = doctor("--interpreter", "polars_expr", python=str(bare / "bin" / "python"))
    assert done.returncode == 1  # nothing works here
    assert "not available" in done.stdout
    assert "No module named 'polars' Install it with: python -m pip install polars" in done.stdout


def test_it_leaves_nothing_behind(tmp_path: Path) -> None:
    assert doctor("--interpreter", "polars_expr", TMPDIR=str(tmp_path)).returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_help_explains_and_is_instant() -> None:
    start = time.monotonic()
    done = doctor("--help")
    assert time.monotonic() - start < 10
    assert done.returncode == 0
    for words in ("--attacks", "--json", "--interpreter", "Ends with status 0"):
        assert words in done.stdout


def test_an_unknown_interpreter_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--interpreter", "polars"])
    assert "polars_expr" in capsys.readouterr().err


# -- what is well ---------------------------------------------------------------------------------------------------


def finding(stopped: bool = True, problem: str = "", sandbox: str = STRONG) -> Finding:
    attack = AttackResult(12, "a file", stopped, "RUNTIME_ERROR", 0.01)
    return Finding("polars_expr", "polars", "polars 2.1.0", sandbox, problem, (attack,))


def test_one_attack_that_came_through_is_enough_to_be_unwell() -> None:
    assert finding().well
    assert not finding(stopped=False).well
    assert not finding(problem="the sandbox is below the level standard, which is required").well
    assert Finding("x", "x", problem="not installed").well


def test_the_summary_counts_attacks() -> None:
    lines = table([finding(), finding(stopped=False)])
    assert lines[-1] == "1 of 2 attacks stopped"
    assert "0 of 1" in lines[2]
    [attack] = finding(stopped=False).attacks
    assert attack_line("polars_expr", attack) == "polars_expr      12  NOT STOPPED   0.01 s  a file (RUNTIME_ERROR)"
