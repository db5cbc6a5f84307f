"""Rates and intervals against brute force, published values and simulation."""

from __future__ import annotations

import itertools
import random
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.metrics import (
    PassRate,
    ProblemScore,
    cluster_bootstrap,
    cluster_sums,
    mean_pass_at_k,
    pass_at_1_interval,
    pass_at_k,
    summarise,
    wilson_interval,
)


def score(name: str, n: int = 1, correct: int = 1, family: str | None = None) -> ProblemScore:
    return ProblemScore(name, family or name, n, correct, first_passed=correct > 0)


@pytest.mark.parametrize("n", range(1, 8))
def test_pass_at_k_is_the_share_of_subsets_with_a_correct_sample(n: int) -> None:
    for c, k in itertools.product(range(n + 1), range(1, n + 1)):
        subsets = list(itertools.combinations([True] * c + [False] * (n - c), k))
        assert pass_at_k(n, c, k) == pytest.approx(fmean(any(subset) for subset in subsets), abs=1e-12)


@given(st.integers(1, 5000), st.data())
def test_pass_at_k_stays_a_probability_and_grows_with_k(n: int, data: st.DataObject) -> None:
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    assert 0.0 <= pass_at_k(n, c, 1) <= pass_at_k(n, c, k) + 1e-12 <= 1.0 + 1e-9
    assert pass_at_k(n, c, 1) == pytest.approx(c / n)


@pytest.mark.parametrize(("n", "c", "k"), [(4, 5, 1), (4, 1, 5), (4, 1, 0), (4, -1, 1)])
def test_counts_that_do_not_fit_together_are_refused(n: int, c: int, k: int) -> None:
    with pytest.raises(ValueError, match="pass@k needs"):
        pass_at_k(n, c, k)


def test_mean_pass_at_k_gives_every_problem_the_same_weight() -> None:
    assert mean_pass_at_k([score("a", 10, 10), score("b", 2, 0)], 1) == 0.5


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no problem was evaluated"):
        summarise([])


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(80, 136, 0.50421, 0.66742), (0, 10, 0.0, 0.27753), (10, 10, 0.72247, 1.0), (1, 1, 0.20655, 1.0)],
)
def test_wilson_gives_the_known_values(successes: int, n: int, low: float, high: float) -> None:
    assert wilson_interval(successes, n) == pytest.approx((low, high), abs=1e-5)


def test_wilson_bounds_solve_the_score_equation() -> None:
    """Newcombe 1998: each bound p satisfies (rate - p)^2 = z^2 p (1 - p) / n."""
    rate, z = 80 / 136, 1.959963984540054
    for p in wilson_interval(80, 136):
        assert (rate - p) ** 2 == pytest.approx(z * z * p * (1 - p) / 136)


def test_independent_greedy_answers_get_wilson() -> None:
    scores = [score(f"p{i}", correct=int(i < 80)) for i in range(136)]
    assert pass_at_1_interval(scores) == wilson_interval(80, 136)


def test_samples_of_one_problem_do_not_count_as_independent() -> None:
    scores = [score(f"p{i}", n=20, correct=20 * (i % 2)) for i in range(40)]
    low, high = pass_at_1_interval(scores)
    naive_low, naive_high = wilson_interval(400, 800)
    assert high - low > 3 * (naive_high - naive_low)


def test_problems_of_one_family_widen_the_interval() -> None:
    alone = [score(f"p{i}", correct=i % 2) for i in range(100)]
    related = [score(f"p{i}", correct=i % 2, family=f"f{i % 10}") for i in range(100)]
    widths = [high - low for low, high in map(pass_at_1_interval, (alone, related))]
    assert widths[1] > 1.5 * widths[0]


def test_no_spread_between_problems_still_leaves_an_interval() -> None:
    assert pass_at_1_interval([score(f"p{i}", n=4, correct=0) for i in range(10)]) == wilson_interval(0, 10)
    low, high = pass_at_1_interval([score(f"p{i}", n=4, correct=2) for i in range(10)])
    assert low < 0.5 < high


def test_the_order_of_rows_changes_no_interval() -> None:
    scores = [score(f"p{i}", n=4, correct=i % 5, family=f"f{i % 17}") for i in range(60)]
    shuffled = random.Random(3).sample(scores, len(scores))
    assert pass_at_1_interval(scores) == pass_at_1_interval(shuffled)


def test_the_bootstrap_covers_the_truth_about_as_often_as_it_says() -> None:
    """200 draws of 60 families of three problems that share their luck; the true rate is 0.5."""
    luck, covered = random.Random(11), 0
    for draw in range(200):
        rates = [luck.random() for _ in range(60)]
        clusters = cluster_sums(
            (f"f{i}", float(luck.random() < rate)) for i, rate in enumerate(rates) for _ in range(3)
        )
        low, high = cluster_bootstrap(clusters, seed=draw, resamples=1000)
        covered += low <= 0.5 <= high
    assert 0.90 <= covered / 200 <= 0.985


def test_summary_holds_the_powers_of_two_that_the_samples_allow() -> None:
    rate = summarise([score("a", n=8, correct=1), score("b", n=6, correct=6)])
    assert rate == PassRate(2, 6, 0.5625, {"1": 0.5625, "2": 0.625, "4": 0.75}, rate.ci95)


def test_impossible_counts_in_a_row_are_refused() -> None:
    with pytest.raises(ValueError, match="5 correct of 4 samples"):
        score("a", n=4, correct=5)
