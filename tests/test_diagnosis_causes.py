"""A plateau is named with its cause: recorded runs that stand still for one reason each."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from recorded_runs import Recorded, Sampled, Sampler, number_of, record_run
from support import ROOT

from bootstrap.config import RunConfig, load_config, parse_overrides, valid_keys
from bootstrap.diagnosis_causes import RULES
from bootstrap.diagnosis_records import Diagnosis
from bootstrap.files import read_json
from bootstrap.models import past
from bootstrap.progression import stop_reason
from bootstrap.summary_diagnosis import cause_sentence
from eval.final_report import write_final_report
from interpreters.base import Outcome

SAME = [{0, 1, 2, 3}] * 3  # dev stands still for two iterations


def distinct(problem_id: str, iteration: int, sample: int) -> str:
    return f"df.head({number_of(problem_id) + 1000 * iteration + 100 * sample})"


def wrong(problem_id: str, iteration: int, sample: int) -> Sampled:
    return Sampled(code=distinct(problem_id, iteration, sample))


def unless_solved(others: Sampler, solved: int) -> Sampler:
    """Let the first problems be solved in iteration 1, the others end as `others` says."""

    def sampler(problem_id: str, iteration: int, sample: int) -> Sampled:
        if number_of(problem_id) < solved:
            return Sampled.right(distinct(problem_id, iteration, sample))
        return others(problem_id, iteration, sample)

    return sampler


def failing(outcome: Outcome, code: str = "", share: int = 1, message: str = "", tokens: int = 10) -> Sampler:
    """Let the samples of every `share`-th problem end so; what the others make is wrong."""

    def sampler(problem_id: str, iteration: int, sample: int) -> Sampled:
        if number_of(problem_id) % share:
            return wrong(problem_id, iteration, sample)
        return Sampled(outcome, code or distinct(problem_id, iteration, sample), 0, message, tokens)

    return sampler


def hard_left(problem_id: str, iteration: int, sample: int) -> Sampled:
    """Of three levels the two easier ones are solved in the first iteration, and one problem in twelve of the third."""
    number = number_of(problem_id)
    easy = number % 3 < 2 or number % 36 == 2
    return Sampled.right(distinct(problem_id, iteration, sample)) if easy else wrong(problem_id, iteration, sample)


def near_miss(problem_id: str, iteration: int, sample: int) -> Sampled:
    return replace(wrong(problem_id, iteration, sample), failed_test=2)


def some_each_time(problem_id: str, iteration: int, sample: int) -> Sampled:
    """Solve a tenth of the problems in each iteration."""
    if number_of(problem_id) % 10 == iteration:
        return Sampled.right(distinct(problem_id, iteration, sample))
    return wrong(problem_id, iteration, sample)


SQL = "SELECT * FROM df"
FORGOTTEN = [set(range(40)), set(range(60)), set(range(25, 64)), set(range(22, 65))]
PLAIN = {"prompt": {"style": "plain"}}
FROM_SCRATCH = {"base_model": None, "from_scratch": {"hidden_size": 8}}
FROM_BEST = {"train": {"start_from": "best", "learning_rate": 1e-4}}
RUNS = {
    "unsupported constructs": (Recorded(failing(Outcome.UNSUPPORTED, share=5), SAME), "checker_fails", "target"),
    "timeouts": (Recorded(failing(Outcome.TIMEOUT, share=4), SAME), "time_or_memory", "checking.seconds"),
    "memory": (Recorded(failing(Outcome.MEMORY_EXCEEDED, share=4), SAME), "time_or_memory", "checking.memory_mb"),
    "cut off": (Recorded(failing(Outcome.SYNTAX_ERROR, share=3, tokens=512), SAME), "cut_off",
                "sampling.max_new_tokens"),
    "syntax": (Recorded(failing(Outcome.SYNTAX_ERROR), SAME), "nothing_runs", "split.seeds"),
    "syntax, plain prompt": (Recorded(failing(Outcome.SYNTAX_ERROR), SAME, settings=PLAIN), "nothing_runs",
                             "prompt.reference"),
    "syntax, from scratch": (Recorded(failing(Outcome.SYNTAX_ERROR), SAME, settings=FROM_SCRATCH), "nothing_runs",
                             "train.seed_steps"),
    "wrong language": (Recorded(failing(Outcome.SYNTAX_ERROR, SQL), SAME), "nothing_runs", "prompt.style"),
    "forgetting": (Recorded(some_each_time, FORGOTTEN, settings=FROM_BEST), "forgetting", "train.start_from"),
    "forgetting from base": (Recorded(some_each_time, FORGOTTEN), "forgetting", "train.learning_rate"),
    "few data": (Recorded(unless_solved(wrong, 190), SAME), "few_data", "source.options"),
    "no diversity": (Recorded(failing(Outcome.WRONG_ANSWER, "df.sort('a')"), SAME), "no_diversity",
                     "sampling.temperatures"),
    "only hard ones left": (Recorded(hard_left, SAME, levels=3), "only_hard_left", "sampling.waves"),
    "always wrong": (Recorded(wrong, SAME), "always_wrong", "sampling.waves"),
}  # fmt: skip
"""What a run shows -> the run, the cause that is to be named first, and the key to change."""


@pytest.mark.parametrize("name", RUNS)
def test_a_run_that_stands_still_is_told_why(name: str, tmp_path: Path) -> None:
    run, cause, key = RUNS[name]
    _, diagnoses = record_run(tmp_path / "run", run)
    first = diagnoses[-1].causes[0]
    assert (first.name, first.key) == (cause, key), [one.name for one in diagnoses[-1].causes]
    assert first.figures
    assert first.lever


@pytest.mark.parametrize("name", RUNS)
def test_the_words_to_go_on_with_are_given_where_the_run_can_go_on(name: str, tmp_path: Path) -> None:
    run, _, key = RUNS[name]
    _, diagnoses = record_run(tmp_path / "run", run)
    words = diagnoses[-1].causes[0].words
    restartable = key.startswith(("sampling.", "train.")) and key != "train.seed_steps"
    assert words.startswith(f"--resume-iteration {len(run.dev)} plateau.rounds=4 {key}=") == restartable
    assert bool(words) == restartable


def test_the_page_for_people_names_every_cause() -> None:
    page = (ROOT / "docs" / "seeing.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| ")]
    assert [name for name in rows if name in {rule.__name__ for rule in RULES}] == [rule.__name__ for rule in RULES]


@pytest.mark.parametrize("name", RUNS)
def test_every_key_that_is_named_is_one_of_the_configuration(name: str, tmp_path: Path) -> None:
    run, _, key = RUNS[name]
    *sections, last = key.split(".")
    assert last in valid_keys(RunConfig, sections)
    store, diagnoses = record_run(tmp_path / "run", run)
    for cause in diagnoses[-1].causes:
        changed = load_config(None, parse_overrides(cause.words.split()[2:]), read_json(store.config_file))
        assert (changed != store.config()) == bool(cause.words)


def last_of(folder: Path, run: Recorded) -> Diagnosis:
    return record_run(folder, run)[1][-1]


def test_what_gets_better_has_no_cause_to_be_named(tmp_path: Path) -> None:
    last = last_of(tmp_path / "run", Recorded(wrong, [{0}, {0, 1}, {0, 1, 2}]))
    assert (last.stalled, last.causes) == (0, ())


def test_a_few_dev_answers_that_flicker_are_not_called_forgetting(tmp_path: Path) -> None:
    flicker = [set(range(50)), set(range(3, 52))]  # 3 lost, 2 won
    assert "forgetting" not in [c.name for c in last_of(tmp_path / "run", Recorded(some_each_time, flicker)).causes]


def test_the_last_iteration_is_moved_out_where_it_has_been_reached(tmp_path: Path) -> None:
    last = last_of(tmp_path / "run", Recorded(wrong, SAME, settings={"max_iterations": 2}))
    assert last.causes[0].words.endswith(" max_iterations=4")


def test_near_misses_send_a_person_to_the_tests(tmp_path: Path) -> None:
    (cause,) = last_of(tmp_path / "run", Recorded(near_miss, SAME)).causes
    assert cause.name == "always_wrong"
    assert "look at the tests of these problems (train-0000, train-0001, train-0002)" in cause.lever


def test_the_plateau_rule_and_its_cause_look_at_the_same_iterations(tmp_path: Path) -> None:
    run = Recorded(wrong, SAME)
    store, diagnoses = record_run(tmp_path / "run", run)
    reason = stop_reason(past(store, 2), store.config(), run.train)
    assert reason is not None and reason.startswith("plateau: 2 iterations")
    assert diagnoses[-1].stalled == 2


def test_the_report_names_cause_figures_and_lever(tmp_path: Path) -> None:
    store, diagnoses = record_run(tmp_path / "run", RUNS["no diversity"][0])
    write_final_report(store.root)
    causes = json.loads((store.root / "final_report.json").read_text())["causes"]
    assert causes[0]["figures"] == {"distinct": 0.25, "temperature": 0.8}
    sentence = cause_sentence(diagnoses[-1].causes[0])
    assert "25% are distinct codes" in sentence
    assert "--resume-iteration 3 plateau.rounds=4 sampling.temperatures=[1.1]" in sentence
    assert sentence in (store.root / "report.html").read_text(encoding="utf-8")
