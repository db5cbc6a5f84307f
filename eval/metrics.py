"""Rates and their intervals: pass@k without bias, Wilson for independent answers, a bootstrap for clustered ones.

Nothing heavy is imported here; numpy only inside the bootstrap.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean
from typing import Any

RESAMPLES = 10_000
SEED = 20_260_101  # of every bootstrap in a report, so that the same rows give the same bytes
_CELLS_AT_ONCE = 2_000_000  # resamples x clusters drawn in one go: 16 MB of indices


@dataclass(frozen=True)
class ProblemScore:
    """How one model did on one problem: `correct` of `n` samples passed. One line of `evaluation/*.jsonl`."""

    problem_id: str
    family: str
    n: int
    correct: int
    first_passed: bool  # the first sample; the greedy one when n is 1
    difficulty: int = 0
    target: str = ""  # where a run has several target languages

    def __post_init__(self) -> None:
        if not 0 <= self.correct <= self.n or self.n < 1:
            raise ValueError(f"problem {self.problem_id}: {self.correct} correct of {self.n} samples is impossible")

    @property
    def rate(self) -> float:
        return self.correct / self.n

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> ProblemScore:
        return cls(
            problem_id=row["problem_id"], family=row["family"], n=row["n"], correct=row["correct"],
            first_passed=row["outcome"] == "PASSED", difficulty=row.get("difficulty", 0),
            target=row.get("target", ""),
        )  # fmt: skip


@dataclass(frozen=True)
class PassRate:
    """The result of one model on one split. `ci95` belongs to `pass_at_1`; `num_samples` is the fewest per problem."""

    n: int
    num_samples: int
    pass_at_1: float
    pass_at_k: dict[str, float]
    ci95: tuple[float, float]

    @classmethod
    def from_json(cls, row: Mapping[str, Any] | None) -> PassRate | None:
        """Return the rate that a stage recorded; None, where it measured nothing, stays None."""
        if row is None:
            return None
        low, high = row["ci95"]
        return cls(row["n"], row["num_samples"], row["pass_at_1"], dict(row["pass_at_k"]), (low, high))


def pass_at_k(n: int, c: int, k: int) -> float:
    """Return the chance that k of n samples, drawn without replacement, hold at least one of the c correct ones.

    Unbiased (Chen et al. 2021, arXiv 2107.03374); the product keeps clear of large binomials. Raises ValueError when
    the counts do not fit together, above all for k > n, where no unbiased estimate exists.
    """
    if not 0 <= c <= n or not 1 <= k <= n:
        raise ValueError(f"pass@k needs 1 <= k <= n and 0 <= c <= n, got n={n}, c={c}, k={k}")
    if n - c < k:
        return 1.0
    return 1.0 - math.prod(1.0 - k / i for i in range(n - c + 1, n + 1))


def mean_pass_at_k(scores: Sequence[ProblemScore], k: int) -> float:
    """Return pass@k averaged over problems, each with the same weight."""
    _require_some(scores)
    return fmean(pass_at_k(score.n, score.correct, k) for score in scores)


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval for a rate of independent trials; it stays inside [0, 1]."""
    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"an interval needs n >= 1 and 0 <= successes <= n, got {successes} of {n}")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    rate = successes / n
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return (0.0 if successes == 0 else centre - half, 1.0 if successes == n else centre + half)


def pass_at_1_interval(
    scores: Sequence[ProblemScore], confidence: float = 0.95, seed: int = SEED
) -> tuple[float, float]:
    """Return the interval of pass@1 (the mean rate of the problems).

    Wilson when every problem has one sample and a family of its own, for then the answers are independent. Else a
    percentile bootstrap over families: samples of one problem, and problems of one family, are wrong together. When all
    families have the same rate resampling sees no spread at all, so Wilson on the number of families answers instead.
    """
    _require_some(scores)
    clusters = cluster_sums((score.family, score.rate) for score in scores)
    rates = {total / size for total, size in clusters}
    if all(score.n == 1 for score in scores) and len(clusters) == len(scores):
        return wilson_interval(sum(score.correct for score in scores), len(scores), confidence)
    if len(rates) == 1:
        return _wilson_of_rate(rates.pop(), len(clusters), confidence)
    return cluster_bootstrap(clusters, confidence, seed)


def summarise(scores: Sequence[ProblemScore], ks: Iterable[int] | None = None) -> PassRate:
    """Return pass@1 with its interval and pass@k for `ks` (by default the powers of two that the samples allow)."""
    _require_some(scores)
    fewest = min(score.n for score in scores)
    wanted = [2**i for i in range(fewest.bit_length())] if ks is None else list(ks)
    low, high = pass_at_1_interval(scores)
    return PassRate(
        n=len(scores),
        num_samples=fewest,
        pass_at_1=round(mean_pass_at_k(scores, 1), 4),
        pass_at_k={str(k): round(mean_pass_at_k(scores, k), 4) for k in wanted},
        ci95=(round(low, 4), round(high, 4)),
    )


def cluster_sums(values: Iterable[tuple[str, float]]) -> list[tuple[float, int]]:
    """Return (sum, count) per cluster, ordered by the cluster's name: the order of rows changes no resample."""
    clusters: dict[str, list[float]] = {}
    for name, value in values:
        clusters.setdefault(name, []).append(value)
    return [(math.fsum(clusters[name]), len(clusters[name])) for name in sorted(clusters)]


def cluster_bootstrap(
    clusters: Sequence[tuple[float, int]], confidence: float = 0.95, seed: int = SEED, resamples: int = RESAMPLES
) -> tuple[float, float]:
    """Return the percentile interval of the mean value when whole clusters are drawn with replacement."""
    import numpy as np

    sums, sizes = (np.array(column, dtype=float) for column in zip(*clusters, strict=True))
    generator = np.random.default_rng(seed)
    means = []
    at_once = max(1, _CELLS_AT_ONCE // len(clusters))
    for start in range(0, resamples, at_once):
        drawn = generator.integers(len(clusters), size=(min(at_once, resamples - start), len(clusters)))
        means.append(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    tail = (1 - confidence) / 2
    low, high = np.quantile(np.concatenate(means), [tail, 1 - tail])
    return float(low), float(high)


def _wilson_of_rate(rate: float, n: int, confidence: float) -> tuple[float, float]:
    """Return Wilson's interval of a rate that need not be a whole number of successes, widened to whole ones."""
    low, _ = wilson_interval(math.floor(rate * n + 1e-9), n, confidence)
    _, high = wilson_interval(math.ceil(rate * n - 1e-9), n, confidence)
    return low, high


def _require_some(scores: Sequence[ProblemScore]) -> None:
    if not scores:
        raise ValueError("no problem was evaluated: a rate of nothing has no value")
