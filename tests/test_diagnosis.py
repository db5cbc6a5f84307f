"""The diagnosis of an iteration says what its recorded samples and dev answers show, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from recorded_runs import Recorded, Sampled, make_config, number_of, record_run

from bootstrap.diagnosis import diagnose, main
from bootstrap.diagnosis_messages import LONGEST, fold
from bootstrap.diagnosis_records import Diagnosis, diagnosis_file, read_diagnosis
from bootstrap.run_store import RunStore
from bootstrap.summary_diagnosis import diagnosis_lines, diagnosis_metrics, log_sentences
from eval.final_report import RunFiles, build_report, write_final_report
from eval.report_html import render_report
from interpreters.base import Outcome

HOSTILE = "</td><script>alert(1)</script> \ud800 {{ 7*7 }} `x`"


def sampler(problem_id: str, iteration: int, sample: int) -> Sampled:
    """Ten problems: 0-2 solved; 3 fails on a hidden test; 4 on the last; 5 in time; 6 is cut off; 7 SQL; 8, 9 wrong."""
    number = number_of(problem_id)
    if number < 3:
        return Sampled.right() if sample == 1 else Sampled(code=f"df.head({sample})")
    kinds = {
        3: Sampled(failed_test=2, code=f"df.tail({sample // 2})"),
        4: Sampled(Outcome.RUNTIME_ERROR, "df.a", 3, "ColumnNotFoundError: \"qty\" not found"),
        5: Sampled(Outcome.TIMEOUT, "while True: pass", 0, "no result after 5.0 s"),
        6: Sampled(Outcome.SYNTAX_ERROR, "df.filter(", 0, "'(' was never closed (line 12)", tokens=512),
        7: Sampled(Outcome.SYNTAX_ERROR, "SELECT * FROM df", 0, "invalid syntax (line 3)"),
    }  # fmt: skip
    return kinds.get(number, Sampled(code="df # again" if sample else "df"))


DEV = [{0, 1, 2}, {1, 2, 3, 4}, {2, 3}]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunStore, list[Diagnosis]]:
    folder = tmp_path_factory.mktemp("recorded") / "run"
    return record_run(folder, Recorded(sampler, DEV, train=10, dev_problems=10, levels=2))


@pytest.fixture
def second(recorded: tuple[RunStore, list[Diagnosis]]) -> Diagnosis:
    return recorded[1][1]


def test_coverage_counts_problems_with_a_sample_that_ran_and_solved_ones(second: Diagnosis) -> None:
    assert second.sampling is not None
    coverage = second.sampling.coverage
    assert (coverage.train, coverage.tried, coverage.ran, coverage.solved) == (10, 10, 7, 3)  # all but 5, 6 and 7
    assert [(level, c.tried, c.solved) for level, c in second.sampling.by_difficulty.items()] == [
        ("1", 5, 2),
        ("2", 5, 1),
    ]


def test_diversity_counts_codes_by_syntax_tree(second: Diagnosis) -> None:
    assert second.sampling is not None
    # of the solved df.head(0), df, df.head(2), df.head(3); of 3 two codes; of the others one: comments do not count
    assert second.sampling.diversity.distinct == 3 * 4 + 2 + 6
    assert second.sampling.diversity.unsolved_share == round(8 / 28, 4)


def test_near_misses_are_unsolved_problems_that_fail_on_hidden_or_last_tests_alone(second: Diagnosis) -> None:
    assert second.sampling is not None
    misses = second.sampling.near_misses
    assert (misses.problems, misses.problem_ids) == (2, ("train-0003", "train-0004"))
    assert (misses.some_passed, misses.hidden_only, misses.last_only) == (8, 8, 4)
    assert misses.passed_before == {"0": 3 * 3 + 5 * 4, "2": 4, "3": 4}


def test_limits_cut_off_answers_and_other_languages_are_counted(second: Diagnosis) -> None:
    found = second.sampling
    assert found is not None
    assert (found.samples, found.passed, found.timeouts, found.cut_off, found.other_language) == (40, 3, 4, 4, 4)
    assert found.lengths.tokens_max == 512


def test_errors_are_counted_with_values_and_names_folded(second: Diagnosis) -> None:
    assert second.sampling is not None
    first = second.sampling.errors[0]
    assert (first.outcome, first.message) == ("WRONG_ANSWER", "row count N, expected N")
    assert (first.samples, first.problems) == (3 * 3 + 4 + 8, 6)


@pytest.mark.parametrize(
    ("message", "folded"),
    [
        ("ColumnNotFoundError: unable to find column 'qty'; valid columns: ['a', 'b', 'c']",
         "ColumnNotFoundError: unable to find column '…'; valid columns: ['…', …]"),
        ("ComputeError: cannot compare string with numeric type (i64)",
         "ComputeError: cannot compare string with numeric type (i64)"),
        ("columns qty, brand, expected brand, qty", "columns …, expected …"),
        ("the 9 rows differ in column total, extra", "the N rows differ in column …"),
        ("right rows in the wrong order: expected order by a, b", "right rows in the wrong order: expected order by …"),
        ("3 columns, expected 2: a, b", "N columns, expected N"),
        ("column a holds int, expected float", "column … holds int, expected float"),
        ("<f at 0x7f12ab> at 10:12:01, -3.5e-7", "<f at N> at N, N"),
        ("It's possible that `x` isn't", "It's possible that '…' isn't"),
        ("x" * 500, "x" * (LONGEST - 1) + "…"),
    ],
)  # fmt: skip
def test_a_message_is_folded_to_what_repeats(message: str, folded: str) -> None:
    assert fold(message) == folded


def test_dev_is_compared_with_the_iteration_before_the_base_and_the_best(
    recorded: tuple[RunStore, list[Diagnosis]],
) -> None:
    dev = recorded[1][2].dev
    assert dev.against_previous and dev.against_base and dev.against_best
    assert (dev.against_previous.won, dev.against_previous.lost) == (0, 2)
    assert (dev.against_base.won, dev.against_base.lost_ids) == (1, ("dev-0000", "dev-0001"))
    assert dev.against_best.against == 1
    assert (dev.canary.problems, dev.canary.lost) == (5, 3)  # 0 to 4 were solved by a best model; 0, 1, 4 are lost


def test_a_model_that_is_not_promoted_is_named_with_what_goes_on_in_its_place(
    recorded: tuple[RunStore, list[Diagnosis]],
) -> None:
    last = recorded[1][2]
    assert (last.promotion.promoted, last.promotion.best, last.promotion.samples_with) == (False, 1, 1)
    assert last.promotion.trains_from is None
    (promotion, cause, *_) = log_sentences(last)
    assert "iteration 2 was not promoted: iteration 1 stays the best" in promotion
    assert "samples with the model of iteration 1 and trains the base model" in promotion
    assert cause.startswith("no better dev score for 1 iteration; likely cause ")


def test_the_file_gives_the_same_diagnosis_back_and_so_does_computing_it_again(
    recorded: tuple[RunStore, list[Diagnosis]],
) -> None:
    store, diagnoses = recorded
    problems = store.problems()
    for number, diagnosis in enumerate(diagnoses):
        assert read_diagnosis(diagnosis_file(store, number)) == diagnosis
        assert diagnose(store, make_config(), number, problems) == diagnosis


def test_a_run_of_an_earlier_version_is_diagnosed_by_hand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, diagnoses = record_run(tmp_path / "run", Recorded(sampler, DEV, train=10, dev_problems=10))
    for number in range(3):
        diagnosis_file(store, number).unlink()
    main(["--run-dir", str(store.root)])
    assert "canaries" in capsys.readouterr().out
    assert read_diagnosis(diagnosis_file(store, 2)) == diagnoses[2]


def test_a_folder_without_run_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--run-dir", str(tmp_path)])
    assert ended.value.code == 2
    assert f"{tmp_path} is not a run folder" in capsys.readouterr().err


def test_metrics_have_stable_names_and_no_holes(recorded: tuple[RunStore, list[Diagnosis]]) -> None:
    metrics = diagnosis_metrics(recorded[1][2])
    assert metrics["diagnosis/canary_lost"] == 3
    assert metrics["diagnosis/dev_lost"] == 2
    assert metrics["diagnosis/problems_ran_share"] == round(4 / 7, 4)
    assert all(name.startswith("diagnosis/") for name in metrics)
    assert diagnosis_metrics(recorded[1][0])["diagnosis/dev_won"] is None


def test_the_report_holds_and_shows_every_diagnosis(recorded: tuple[RunStore, list[Diagnosis]]) -> None:
    files = RunFiles(recorded[0])
    report = build_report(files)
    assert [row.diagnosis for row in report.iterations] == recorded[1]
    assert report.causes == list(recorded[1][2].causes)
    page = render_report(report, files)
    assert '<section id="diagnosis">' in page
    assert "Why dev stands still" in page and "3 of 5" in page and "was not promoted" in page


def test_hostile_messages_stay_text(tmp_path: Path) -> None:
    hostile = Recorded(lambda *_: Sampled(Outcome.RUNTIME_ERROR, message=HOSTILE), [{0}, {0}], train=4, dev_problems=3)
    store, diagnoses = record_run(tmp_path / "run", hostile)
    write_final_report(store.root)
    page = (store.root / "report.html").read_text(encoding="utf-8")
    assert page.count("<script>") == 1
    assert "&lt;/td&gt;&lt;script&gt;alert(N)" in page
    assert read_diagnosis(diagnosis_file(store, 1)) == diagnoses[1]
    assert "\ud800" not in "\n".join(diagnosis_lines(diagnoses[1]))
