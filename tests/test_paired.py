"""Two models on the same problems: the difference, its interval and McNemar's test."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction

import pytest

from eval.metrics import ProblemScore
from eval.paired import MismatchedProblemsError, compare_by_difficulty, compare_models, compare_on_test, mcnemar_exact


def answers(passed: list[bool], families: int | None = None) -> list[ProblemScore]:
    names = [f"f{i % families}" if families else f"p{i}" for i in range(len(passed))]
    return [
        ProblemScore(f"p{i}", name, 1, int(right), right, difficulty=i % 2 + 1)
        for i, (name, right) in enumerate(zip(names, passed, strict=True))
    ]


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (1, 0), (5, 0), (7, 2), (2, 7), (4, 4), (9, 1)])
def test_mcnemar_is_the_share_of_coin_sequences_at_least_as_lopsided(wins: int, losses: int) -> None:
    n = wins + losses
    sequences = list(itertools.product((0, 1), repeat=n))
    extreme = sum(abs(2 * sum(coins) - n) >= abs(wins - losses) for coins in sequences)
    assert mcnemar_exact(wins, losses) == float(Fraction(extreme, len(sequences)))


def test_mcnemar_survives_thousands_of_discordant_pairs() -> None:
    assert mcnemar_exact(3000, 0) == 0.0
    assert mcnemar_exact(3000, 3000) == 1.0


def test_the_difference_is_second_minus_first_with_its_wins_and_losses() -> None:
    first = answers([True, True, False, False, False, False])
    second = answers([True, False, True, True, True, False])
    result = compare_models(first, second)
    assert (result.difference, result.wins, result.losses, result.n) == (0.3333, 3, 1, 6)
    assert result.p_value == 0.625
    assert result.ci95[0] < result.difference < result.ci95[1]


def test_equal_models_differ_by_nothing() -> None:
    same = answers([True, False] * 10)
    result = compare_models(same, same)
    assert (result.difference, result.ci95, result.p_value) == (0.0, (0.0, 0.0), 1.0)


def test_the_same_rows_give_the_same_interval_in_any_order() -> None:
    luck = random.Random(5)
    first, second = (answers([luck.random() < p for _ in range(80)], families=20) for p in (0.3, 0.5))
    assert compare_models(first, second) == compare_models(first[::-1], luck.sample(second, 80))


def test_related_problems_widen_the_interval() -> None:
    gain = [i % 10 < 4 for i in range(100)]
    alone, related = (
        compare_models(answers([False] * 100, families), answers(gain, families)).ci95 for families in (None, 10)
    )
    assert related[1] - related[0] > 1.5 * (alone[1] - alone[0])


def test_the_paired_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    luck, covered = random.Random(7), 0
    for draw in range(150):
        first = [luck.random() < 0.4 for _ in range(120)]
        second = [right or luck.random() < 1 / 6 for right in first]  # true difference 0.1
        low, high = compare_models(answers(first), answers(second), seed=draw, resamples=1000).ci95
        covered += low <= 0.1 <= high
    assert 0.89 <= covered / 150 <= 0.99


def test_missing_problems_are_named_with_their_side() -> None:
    both = answers([True] * 9)
    with pytest.raises(MismatchedProblemsError, match=r"the second model lacks 2 problems \(p0, p1\)"):
        compare_models(both, both[2:])
    with pytest.raises(
        MismatchedProblemsError, match=r"the first model lacks 7 problems \(p2, p3, p4, p5, p6 and 2 more\)"
    ):
        compare_models(both[:2], both)


def test_a_problem_twice_on_one_side_is_refused() -> None:
    rows = answers([True, False])
    with pytest.raises(MismatchedProblemsError, match="twice"):
        compare_models(rows, [*rows, rows[0]])


def test_nothing_is_compared_before_both_models_were_tested() -> None:
    assert compare_on_test({"base": answers([True])}, 3) is None
    assert compare_by_difficulty({"base": answers([True])}) == []


def test_difficulties_are_compared_one_by_one() -> None:
    tests = {"base": answers([False] * 4), "best": answers([True, False, True, True])}
    easy, hard = compare_by_difficulty(tests)
    assert (easy.difficulty, easy.n, easy.base, easy.best, easy.seed_only) == (1, 2, 0.0, 1.0, None)
    assert (hard.difficulty, hard.best) == (2, 0.5)
