"""`python -m bootstrap.rebuild`: the training set again, without what is named, and the run as it was."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import ROOT, pipeline_problems, small_config, wrong_code

from bootstrap.config import load_config
from bootstrap.dataset import build_dataset, seed_solutions
from bootstrap.files import write_json, write_jsonl
from bootstrap.records import Candidate, Problem, digest
from bootstrap.run_store import RunStore
from interpreters.base import Outcome

A, B, C, D, HELD = pipeline_problems(5)
LAST = len(B.tests) - 1
PASSED, WRONG = Outcome.PASSED, Outcome.WRONG_ANSWER


def right(problem: Problem) -> str:
    return problem.references["polars"]


def solved(problem: Problem, iteration: int, code: str = "", outcome: Outcome = PASSED, **fields: Any) -> Candidate:
    code = code or right(problem)
    return Candidate(problem.problem_id, iteration, 0, 0, "digest", code, code, outcome, **fields)


def make_run(folder: Path, *more: Candidate, problems: tuple[Problem, ...] = (A, B, C, D, HELD)) -> RunStore:
    """Return a run of two iterations: A is the seed, B solved in the first, C, with a hint, in the second, D never."""
    store = RunStore(folder / "run")
    store.root.mkdir()
    settings = small_config(folder, dataset__keep_per_problem=2, dataset__hinted_share=0.5)
    config = load_config(settings, {})
    store.write_config(config.model_dump(mode="json"))
    store.write_problems(problems)
    names = [one.problem_id for one in problems]
    split = {"train": names[:4], "dev": names[4:], "test": [], "seeds": names[:1]}
    write_json(store.split_file, split)
    found = [
        solved(B, 1),
        solved(C, 1, wrong_code(C, "polars"), WRONG, failed_test=0),
        solved(C, 2, hinted=True),
        *more,
    ]
    known = {one.problem_id: one for one in problems}
    for number in range(3):
        archive = [one for one in found if 0 < one.iteration <= number]
        if number:
            store.append_candidates(number, [one for one in archive if one.iteration == number])
        rows, _ = build_dataset(seed_solutions(known, split["seeds"], config), archive, known, split, config)
        write_jsonl(store.train_file(number), rows)
        store.finish_stage(
            store.iteration(number), "BUILD", {"train_rows": len(rows)}, parent=number - 1 if number else None
        )
    return store


def rebuild(
    store: RunStore, *words: str, out: Path | None = None, iteration: int = 2
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bootstrap.rebuild", "--run-dir", str(store.root), "--iteration", str(iteration)]
    command += ["--out", str(out or out_of(store)), *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def out_of(store: RunStore) -> Path:
    return store.root.parent / "again" / "train.jsonl"


def rows(store: RunStore) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out_of(store).read_text(encoding="utf-8").splitlines()]


def problems_of(store: RunStore) -> set[str]:
    return {row["problem_id"] for row in rows(store)}


def content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("iteration", [0, 1, 2])
def test_with_nothing_left_out_it_is_the_file_of_the_iteration(tmp_path: Path, iteration: int) -> None:
    store = make_run(tmp_path)
    before = content(store.root)
    done = rebuild(store, iteration=iteration)
    assert done.returncode == 0, done.stderr
    assert out_of(store).read_bytes() == store.train_file(iteration).read_bytes()
    assert "note:" not in done.stdout
    assert content(store.root) == before


@pytest.mark.parametrize(
    ("words", "gone", "reason"),
    [
        (["--without-problem", B.problem_id], {B.problem_id}, f"without problem {B.problem_id} "),
        (["--without-iteration", "1"], {B.problem_id}, "without iteration 1 "),
        (["--without-iteration", "0"], {A.problem_id}, "without iteration 0 "),
        (["--without-tier", "hinted"], {C.problem_id}, "without tier hinted "),
        (["--without-problem", B.problem_id, "--without-iteration", "2"], {B.problem_id, C.problem_id}, "iteration 2 "),
    ],
)  # fmt: skip
def test_what_is_named_goes_and_is_counted(tmp_path: Path, words: list[str], gone: set[str], reason: str) -> None:
    store = make_run(tmp_path)
    done = rebuild(store, *words)
    assert done.returncode == 0, done.stderr
    assert problems_of(store) == {A.problem_id, B.problem_id, C.problem_id} - gone
    assert reason in done.stdout and f"{len(gone)} problems lost: {', '.join(sorted(gone))}" in done.stdout
    stats = json.loads(out_of(store).with_name("train_stats.json").read_text(encoding="utf-8"))
    assert stats["kept"] == len(rows(store)) == stats["rebuilt"]["after"] == 3 - len(gone)
    assert stats["rebuilt"]["problems_lost"] == sorted(gone)


def test_a_set_without_rows_is_refused(tmp_path: Path) -> None:
    store = make_run(tmp_path)
    done = rebuild(store, "--without-tier", "sampled", "--without-tier", "reference")  # hinted rows: at most half
    assert done.returncode == 2 and "nothing would be left" in done.stderr
    assert not out_of(store).exists()


def test_a_source_goes_with_all_its_problems(tmp_path: Path) -> None:
    store = make_run(tmp_path, problems=(A, replace(B, source="elsewhere"), C, D, HELD))
    assert rebuild(store, "--without-source", "elsewhere").returncode == 0
    assert problems_of(store) == {A.problem_id, C.problem_id}


def test_another_solution_takes_the_place_of_one_that_goes(tmp_path: Path) -> None:
    longer = [solved(B, 2, f"({right(B)}){'.head(1000)' * n}", seed=n) for n in (1, 2)]
    store = make_run(tmp_path, *longer)
    done = rebuild(store, "--without-iteration", "1")
    kept = [row["completion"] for row in rows(store) if row["problem_id"] == B.problem_id]
    assert kept == [one.code for one in longer]
    assert "others in their place" in done.stdout and "problems lost" not in done.stdout


def spoilt(problem: Problem, index: int) -> Problem:
    """Return the problem with a test that only an empty table passes."""
    tests = list(problem.tests)
    tests[index] = replace(tests[index], expected=replace(tests[index].expected, rows=()))
    return replace(problem, tests=tuple(tests))


def test_without_a_bad_test_the_candidates_that_failed_it_are_judged_again(tmp_path: Path) -> None:
    bad = spoilt(D, LAST)
    failed = solved(D, 1, outcome=WRONG, failed_test=LAST)
    worse = solved(D, 1, "df.head(0)", WRONG, failed_test=0)
    store = make_run(tmp_path, failed, worse, problems=(A, B, C, bad, HELD))
    done = rebuild(store, "--without-test", f"{D.problem_id}:{LAST}")
    assert done.returncode == 0, done.stderr
    assert "2 codes judged again: 1 pass now" in done.stdout
    (row,) = [row for row in rows(store) if row["problem_id"] == D.problem_id]
    assert (row["completion"], row["tests_passed"]) == (right(D), LAST)


def test_without_a_test_what_passed_stays_and_is_not_judged(tmp_path: Path) -> None:
    store = make_run(tmp_path)
    done = rebuild(store, "--without-test", f"{B.problem_id}:0", "--without-test", f"{B.problem_id}:1")
    assert done.returncode == 0, done.stderr
    assert "judged" not in done.stdout and f"without tests of {B.problem_id}" in done.stdout
    (row,) = [row for row in rows(store) if row["problem_id"] == B.problem_id]
    assert row["tests_passed"] == len(B.tests) - 2


def recheck_row(problem: Problem, code: str, after: Outcome) -> dict[str, Any]:
    return {"problem_id": problem.problem_id, "code_digest": digest(code), "checker": "c", "after": after.value}


def test_what_the_recheck_refutes_goes(tmp_path: Path) -> None:
    store = make_run(tmp_path)
    assert "run python -m bootstrap.recheck" in rebuild(store, "--rechecked").stderr
    wrong = wrong_code(C, "polars")
    write_jsonl(store.recheck_file, [recheck_row(B, right(B), WRONG), recheck_row(C, wrong, PASSED)])
    done = rebuild(store, "--rechecked")
    assert done.returncode == 0, done.stderr
    assert problems_of(store) == {A.problem_id, C.problem_id}
    assert "without what the recheck refutes" in done.stdout
    assert "1 passing codes are not in recheck.jsonl" in done.stdout
    assert wrong not in {row["completion"] for row in rows(store)}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--without-problem", B.problem_id[:-1] + "x"], "did you mean"),
        (["--without-problem", HELD.problem_id], "expected a train problem of the run"),
        (["--without-source", "table_pipeline"], "did you mean 'table_pipelines'?"),
        (["--without-iteration", "3"], "known: 0, 1, 2"),
        (["--without-test", B.problem_id], "expected ID:INDEX"),
        (["--without-test", f"{B.problem_id}:99"], f"did you mean {B.problem_id}:{LAST}?"),
        ([w for i in range(len(B.tests)) for w in ("--without-test", f"{B.problem_id}:{i}")], "--without-problem"),
        (["--without-tier", "guessed"], "invalid choice"),
        (["--workers", "0"], "at least 1"),
    ],
)
def test_what_the_run_does_not_have_is_refused_and_makes_nothing(tmp_path: Path, words: list[str], said: str) -> None:
    store = make_run(tmp_path)
    done = rebuild(store, *words)
    assert done.returncode == 2
    assert said in done.stderr, done.stderr
    assert not out_of(store).parent.exists()


@pytest.mark.parametrize("name", ["iteration_2/train.jsonl", "iteration_1/other.jsonl", "train.jsonl"])
def test_nothing_is_written_into_the_run(tmp_path: Path, name: str) -> None:
    store = make_run(tmp_path)
    before = content(store.root)
    done = rebuild(store, "--without-problem", B.problem_id, out=store.root / name)
    assert done.returncode == 2 and "lies in the run's folder" in done.stderr
    assert content(store.root) == before


def test_only_an_iteration_that_was_built_can_be_made_again(tmp_path: Path) -> None:
    done = rebuild(make_run(tmp_path), iteration=3)
    assert done.returncode == 2 and "BUILD is finished" in done.stderr and "[0, 1, 2]" in done.stderr


def test_it_says_how_to_train_on_the_file(tmp_path: Path) -> None:
    store = make_run(tmp_path)
    lines = rebuild(store).stdout.splitlines()
    words = shlex.split(lines[-2])
    assert "was trained on the rows before" in lines[-1]
    assert words[words.index("--train_file") + 1] == str(out_of(store))
    assert words[words.index("--output_dir") + 1] == str(out_of(store).with_name("train_model"))
    assert str(store.root) not in words[words.index("--output_dir") + 1]
