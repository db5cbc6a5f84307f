"""eval.bench_agreement: languages that agree pass, and a reference that is wrong is counted and shown."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from support import pipeline_problems

from bootstrap.audit.workers import Workers
from eval.bench_agreement import agreements, main, report


def test_languages_that_agree_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "figures.json"
    assert main(["--problems", "12", "--seed", "9", "--out", str(out)]) == 0
    rows = {row["language"]: row for row in json.loads(out.read_text(encoding="utf-8"))}
    assert {"polars", "duckdb", "postgres", "ibis", "q"} <= rows.keys()
    assert {(row["ran"], len(row["disagree"])) for row in rows.values()} == {(12, 0)}
    assert "12 problems, 48 data sets" in capsys.readouterr().out


def test_a_wrong_reference_is_counted_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    right, wrong = pipeline_problems(2)
    broken = [replace(p, references={"polars": p.references["polars"]}) for p in (right, wrong)]
    broken[1] = replace(broken[1], references={"polars": "df.head(0)", "cobol": "STOP RUN."})
    [found] = agreements(broken, Workers(1))
    assert (found.ran, list(found.disagree)) == (2, [wrong.problem_id])
    report(broken, [found], 20)
    printed = capsys.readouterr().out
    assert wrong.statement in printed and "WRONG_ANSWER" in printed and "no interpreter here for: cobol" in printed
