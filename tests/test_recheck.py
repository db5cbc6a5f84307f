"""`python -m bootstrap.recheck` on a run's archive: what changed is listed, and the archive is not touched."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import ROOT, pipeline_problems, small_config, wrong_code

from bootstrap.config import load_config
from bootstrap.records import Candidate, Problem
from bootstrap.run_store import RunStore
from interpreters.base import Outcome

PROBLEMS = pipeline_problems(4)
PASSED, WRONG = Outcome.PASSED, Outcome.WRONG_ANSWER


def candidate(problem: Problem, code: str, outcome: Outcome, iteration: int = 1, sample_index: int = 0) -> Candidate:
    return Candidate(problem.problem_id, iteration, 0, sample_index, "digest", code, code, outcome)


def right(number: int, outcome: Outcome = PASSED, **fields: Any) -> Candidate:
    return candidate(PROBLEMS[number], PROBLEMS[number].references["polars"], outcome, **fields)


def wrong(number: int, outcome: Outcome = WRONG, **fields: Any) -> Candidate:
    return candidate(PROBLEMS[number], wrong_code(PROBLEMS[number], "polars"), outcome, **fields)


def make_run(folder: Path, *candidates: Candidate) -> RunStore:
    """Return the store of a run with these candidates in its archive."""
    store = RunStore(folder / "run")
    store.root.mkdir()
    store.write_config(load_config(small_config(folder, checking__seconds=1.0), {}).model_dump(mode="json"))
    store.write_problems(PROBLEMS)
    for number in sorted({one.iteration for one in candidates}):
        store.append_candidates(number, [one for one in candidates if one.iteration == number])
    return store


def words(store: RunStore, *more: str) -> list[str]:
    return [sys.executable, "-m", "bootstrap.recheck", "--run-dir", str(store.root), *more]


def recheck(store: RunStore, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words(store, *more), cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )  # fmt: skip


def rows(store: RunStore) -> list[dict[str, Any]]:
    return [json.loads(line) for line in store.recheck_file.read_text(encoding="utf-8").splitlines()]


def archive(store: RunStore) -> dict[str, bytes]:
    return {
        str(path.relative_to(store.root)): path.read_bytes()
        for path in store.root.rglob("*")
        if path.is_file() and path.name not in ("recheck.jsonl", ".lock")
    }


def test_nothing_changed_is_status_0(tmp_path: Path) -> None:
    store = make_run(tmp_path, right(0), wrong(0), right(1, iteration=2), right(0, sample_index=1))
    before = archive(store)
    done = recheck(store)
    assert done.returncode == 0, done.stderr
    assert "4 candidates, 3 codes to judge; polars_expr (polars" in done.stdout
    assert "0 of 4 verdicts have changed" in done.stdout
    assert [row["changed"] for row in rows(store)] == [False] * 3
    assert rows(store)[0]["before"] == {"PASSED": 2}
    assert archive(store) == before


def test_changes_are_listed_with_their_problems(tmp_path: Path) -> None:
    store = make_run(tmp_path, wrong(0, PASSED), right(1, WRONG), wrong(1, PASSED), right(2), wrong(2, iteration=2))
    before = archive(store)
    done = recheck(store)
    assert done.returncode == 1, done.stderr
    assert "3 of 5 verdicts have changed" in done.stdout
    assert "PASSED -> WRONG_ANSWER                       2" in done.stdout
    assert "WRONG_ANSWER -> PASSED                       1" in done.stdout
    assert f"1 problems would lose their solved state: {PROBLEMS[0].problem_id}" in done.stdout
    assert "gain" not in done.stdout  # problem 1 is solved by another candidate now
    assert [row["after"] for row in rows(store) if row["changed"]] == ["WRONG_ANSWER", "PASSED", "WRONG_ANSWER"]
    assert archive(store) == before


def test_a_solved_state_that_would_be_gained_is_named(tmp_path: Path) -> None:
    done = recheck(make_run(tmp_path, right(3, WRONG)))
    assert f"1 problems would gain their solved state: {PROBLEMS[3].problem_id}" in done.stdout


def test_timeouts_are_listed_apart(tmp_path: Path) -> None:
    endless = candidate(PROBLEMS[1], "while True: pass", Outcome.RUNTIME_ERROR)
    store = make_run(tmp_path, right(0, Outcome.TIMEOUT), endless)
    done = recheck(store)
    assert done.returncode == 1
    assert "0 of 2 verdicts have changed" in done.stdout
    assert "2 more by timing" in done.stdout
    assert "TIMEOUT -> PASSED" in done.stdout and "RUNTIME_ERROR -> TIMEOUT" in done.stdout


def test_one_iteration_can_be_chosen(tmp_path: Path) -> None:
    store = make_run(tmp_path, wrong(0, PASSED), right(0, iteration=2), right(1, WRONG, iteration=2))
    done = recheck(store, "--iteration", "2")
    assert "2 candidates, 2 codes to judge" in done.stdout
    assert "1 of 2 verdicts have changed" in done.stdout
    assert "lose" not in done.stdout
    assert recheck(store, "--iteration", "3").returncode == 2


@pytest.mark.slow
def test_killed_it_goes_on_and_another_checker_starts_anew(tmp_path: Path) -> None:
    store = make_run(tmp_path, *(candidate(PROBLEMS[0], f"df.head(0)  # {n}", WRONG) for n in range(250)))
    program = subprocess.Popen(words(store), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not store.recheck_file.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    program.send_signal(signal.SIGKILL)
    program.wait()
    owed = 250 - store.recheck_file.read_bytes().count(b"\n")
    done = recheck(store)
    assert done.returncode == 0, done.stderr
    assert f"250 candidates, {owed} codes to judge" in done.stdout
    assert 0 < owed <= 150
    assert len({row["code_digest"] for row in rows(store)}) == len(rows(store)) == 250
    store.recheck_file.write_text("".join(json.dumps({**row, "checker": "older"}) + "\n" for row in rows(store)))
    assert "250 candidates, 250 codes to judge" in recheck(store, "--workers", "2", "--sandbox", "unsafe").stdout
    assert len(rows(store)) == 250


def test_what_could_not_be_judged_is_said_and_owed_again(tmp_path: Path) -> None:
    store = make_run(tmp_path, right(0), right(1))
    text = store.problems_file.read_text(encoding="utf-8")
    unreadable = {"columns": [["a", "int"]], "height": 1, "values": [["1" + "0" * 60]]}
    spoilt = [json.loads(line) for line in text.splitlines()]
    spoilt[0]["tests"][0]["tables"]["df"] = unreadable
    store.problems_file.write_text("".join(json.dumps(row) + "\n" for row in spoilt), encoding="utf-8")
    done = recheck(store)
    assert done.returncode == 1
    assert "1 could not be judged" in done.stdout
    store.problems_file.write_text(text, encoding="utf-8")
    done = recheck(store)
    assert done.returncode == 0, done.stdout
    assert "2 candidates, 1 codes to judge" in done.stdout


@pytest.mark.parametrize(("more", "said"), [([], "expected the folder of a run"), (["--workers", "0"], "at least 1")])
def test_what_cannot_be_done_is_refused_and_makes_nothing(tmp_path: Path, more: list[str], said: str) -> None:
    done = recheck(RunStore(tmp_path / "nowhere"), *more)
    assert done.returncode == 2
    assert said in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_candidates_is_refused(tmp_path: Path) -> None:
    done = recheck(make_run(tmp_path))
    assert done.returncode == 2
    assert "has no candidates to judge again" in done.stderr


def test_the_archive_counts_each_candidate(tmp_path: Path) -> None:
    many = [replace(wrong(0, PASSED), sample_index=number) for number in range(30)]
    done = recheck(make_run(tmp_path, *many))
    assert "30 candidates, 1 codes to judge" in done.stdout
    assert "30 of 30 verdicts have changed" in done.stdout
    assert done.stdout.count("sample ") == 20
