"""How a run moves on: the best iteration so far, and the reasons to stop."""

from __future__ import annotations

from typing import Any

import pytest

from bootstrap.config import RunConfig
from bootstrap.progression import Past, best_of, past_of, stop_reason

TRAIN = 100


def configured(**overrides: Any) -> RunConfig:
    values = {"target": "polars_expr", "base_model": "none/none", "max_iterations": 9, **overrides}
    return RunConfig.model_validate(values)


def run_of(*scores: float, newly_solved: int = 10) -> list[Past]:
    """Return iterations with these dev scores, each of which solved so many of 80 unsolved problems."""
    solved = [5 + i * newly_solved for i in range(len(scores))]
    return [
        Past(i, score, newly_solved=newly_solved * (i > 0), attempted=80 * (i > 0), solved_total=solved[i])
        for i, score in enumerate(scores)
    ]


@pytest.mark.parametrize(
    ("scores", "best"), [([0.1], 0), ([0.1, 0.3, 0.2], 1), ([0.3, 0.2, 0.1], 0), ([0.2, 0.3, 0.3], 2), ([0.0, 0.0], 1)]
)
def test_the_best_has_the_highest_score_and_of_equals_is_the_newest(scores: list[float], best: int) -> None:
    past = run_of(*scores)
    assert best_of(past).iteration == best
    assert best_of(past[::-1]).iteration == best


@pytest.mark.parametrize("scores", [[0.1], [0.1, 0.2], [0.1, 0.2, 0.2], [0.3, 0.2, 0.1, 0.4]])
def test_a_run_goes_on_while_it_learns(scores: list[float]) -> None:
    assert stop_reason(run_of(*scores), configured(), TRAIN) is None


PLATEAU = {"plateau": {"rounds": 2, "min_newly_solved": 0.05}}


@pytest.mark.parametrize(
    ("scores", "newly_solved", "stops"),
    [
        ([0.3, 0.3, 0.3], 3, True),
        ([0.3, 0.2, 0.3], 0, True),
        ([0.1, 0.3, 0.2, 0.3], 3, True),
        ([0.3, 0.3], 3, False),  # one round is not two
        ([0.3, 0.2, 0.4], 3, False),  # a better score
        ([0.3, 0.4, 0.3], 3, False),  # the better score is one round ago
        ([0.3, 0.3, 0.3], 4, False),  # 4 of 80 is 5 %, not under it
        ([0.3, 0.3, 0.3], 30, False),
    ],
)
def test_a_plateau_needs_rounds_without_a_better_score_and_with_little_solved(
    scores: list[float], newly_solved: int, stops: bool
) -> None:
    reason = stop_reason(run_of(*scores, newly_solved=newly_solved), configured(**PLATEAU), TRAIN)
    assert (reason or "").startswith("plateau: 2 iterations") == stops
    assert (reason is not None) == stops


@pytest.mark.parametrize("least", [0.0, 0.05])
def test_iterations_that_had_nothing_left_to_try_are_a_plateau(least: float) -> None:
    idle = [Past(0, 0.3, solved_total=5), *(Past(i, 0.3, attempted=0, solved_total=5) for i in (1, 2))]
    config = configured(plateau={"rounds": 2, "min_newly_solved": least})
    assert str(stop_reason(idle, config, TRAIN)).startswith("plateau")


def test_one_round_that_solves_much_breaks_a_plateau() -> None:
    past = run_of(0.3, 0.3, 0.3, newly_solved=1)
    past[1] = Past(1, 0.3, newly_solved=40, attempted=80, solved_total=45)
    assert stop_reason(past, configured(**PLATEAU), TRAIN) is None


@pytest.mark.parametrize(("target", "stops"), [(25, True), (24, True), (26, False), (None, False)])
def test_the_target_counts_every_solved_problem(target: int | None, stops: bool) -> None:
    past = run_of(0.1, 0.2, 0.3)
    assert past[-1].solved_total == 25
    reason = stop_reason(past, configured(target_problems=target), TRAIN)
    assert (reason == f"target reached: 25 of {target} problems solved") == stops
    assert (reason is not None) == stops


@pytest.mark.parametrize(("train_problems", "stops"), [(25, True), (26, False)])
def test_the_loop_ends_when_every_train_problem_is_solved(train_problems: int, stops: bool) -> None:
    reason = stop_reason(run_of(0.1, 0.2, 0.3), configured(), train_problems)
    assert (reason == "every train problem is solved") == stops


@pytest.mark.parametrize("limit", [0, 2])
def test_the_loop_ends_at_the_last_iteration(limit: int) -> None:
    scores = [0.1 * i for i in range(limit + 1)]
    assert stop_reason(run_of(*scores), configured(max_iterations=limit), TRAIN) == f"max iterations: {limit}"
    assert stop_reason(run_of(*scores), configured(max_iterations=limit + 1), TRAIN) is None


def test_a_target_that_is_reached_in_the_last_iteration_is_the_reason_given() -> None:
    reason = stop_reason(run_of(0.1, 0.2), configured(max_iterations=1, target_problems=15), TRAIN)
    assert reason == "target reached: 15 of 15 problems solved"


def test_iteration_0_counts_its_seeds_as_solved() -> None:
    stages = {"CONVERT": {"seeds": 7}, "EVALUATE": {"dev": {"pass_at_1": 0.25}}}
    past = past_of({"iteration": 0, "parent": None, "stages": stages})
    assert (past.solved_total, past.newly_solved, past.dev_pass_at_1) == (7, 0, 0.25)
