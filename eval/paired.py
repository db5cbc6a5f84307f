"""Compare two models on the same problems: the difference, its interval, and a p-value.

The interval comes from a paired bootstrap that draws whole families: how large is the difference. The p-value is the
exact McNemar test on first answers (the greedy ones when a problem has one sample): is there one at all. McNemar takes
problems as independent, so with many problems per family it is too sure of itself; trust the interval then.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean

from eval.metrics import (
    RESAMPLES,
    SEED,
    PassRate,
    ProblemScore,
    cluster_bootstrap,
    cluster_sums,
    summarise,
    wilson_interval,
)

_NAMED = 5  # problem ids quoted in an error


class MismatchedProblemsError(ValueError):
    """Two models were not evaluated on the same problems, so that they cannot be paired."""


@dataclass(frozen=True)
class PairedComparison:
    """Second model minus first. `wins`: problems whose first answer only the second model gets right."""

    difference: float
    ci95: tuple[float, float]
    p_value: float
    wins: int
    losses: int
    n: int


@dataclass(frozen=True)
class BestReport(PassRate):
    iteration: int


@dataclass(frozen=True)
class TestReport:
    """Held-out test, touched once. `difference` is best minus base, paired; wins and losses count first answers."""

    __test__ = False  # not a test class for pytest

    n: int
    base: PassRate
    best: BestReport
    seed_only: PassRate | None
    difference: float
    ci95: tuple[float, float]
    p_value: float
    wins: int
    losses: int
    vs_seed_only: PairedComparison | None


@dataclass(frozen=True)
class SampleOnlyControl:
    """Sample without training: the first model spends the loop's samples on a subset of the loop's problems."""

    name: str
    problems: int
    samples: int
    solved: int
    solved_rate: float
    solved_ci95: tuple[float, float]
    loop_samples: int | None
    loop_solved: int
    loop_solved_rate: float
    loop_solved_ci95: tuple[float, float]


@dataclass(frozen=True)
class DifficultyReport:
    """Test pass@1 of the problems with one number of steps (0: the source does not know it)."""

    difficulty: int
    n: int
    base: float
    best: float
    seed_only: float | None


def compare_models(
    first: Sequence[ProblemScore], second: Sequence[ProblemScore], seed: int = SEED, resamples: int = RESAMPLES
) -> PairedComparison:
    """Return how much better `second` is than `first` in pass@1.

    Raises MismatchedProblemsError when a problem is on one side only or twice on a side, ValueError when there is none.
    """
    pairs = _pair(first, second)
    differences = [after.rate - before.rate for before, after in pairs]
    clusters = cluster_sums((before.family, delta) for (before, _), delta in zip(pairs, differences, strict=True))
    low, high = cluster_bootstrap(clusters, seed=seed, resamples=resamples)
    wins = sum(after.first_passed and not before.first_passed for before, after in pairs)
    losses = sum(before.first_passed and not after.first_passed for before, after in pairs)
    return PairedComparison(
        difference=round(math.fsum(differences) / len(pairs), 4),
        ci95=(round(low, 4), round(high, 4)),
        p_value=float(f"{mcnemar_exact(wins, losses):.3g}"),
        wins=wins,
        losses=losses,
        n=len(pairs),
    )


def compare_on_test(tests: Mapping[str, Sequence[ProblemScore]], iteration: int) -> TestReport | None:
    """Return the test's result from the scores of "base", "best" (of `iteration`) and, where measured, "seed_only".

    None while base or best has not been tested.
    """
    if not ("base" in tests and "best" in tests):
        return None
    gain = compare_models(tests["base"], tests["best"])
    control = tests.get("seed_only")
    return TestReport(
        n=gain.n,
        base=summarise(tests["base"]),
        best=BestReport(**asdict(summarise(tests["best"])), iteration=iteration),
        seed_only=None if control is None else summarise(control),
        difference=gain.difference,
        ci95=gain.ci95,
        p_value=gain.p_value,
        wins=gain.wins,
        losses=gain.losses,
        vs_seed_only=None if control is None else compare_models(control, tests["best"]),
    )


def compare_by_target(tests: Mapping[str, Sequence[ProblemScore]], iteration: int) -> dict[str, TestReport]:
    """Return the test's result for each target language by itself; empty where the run has one alone."""
    targets = sorted({score.target for score in tests.get("base", ()) if score.target})
    found = {}
    for target in targets:
        members = {model: [one for one in scores if one.target == target] for model, scores in tests.items()}
        report = compare_on_test(members, iteration)
        if report is not None:
            found[target] = report
    return found


def compare_by_difficulty(tests: Mapping[str, Sequence[ProblemScore]]) -> list[DifficultyReport]:
    """Return test pass@1 of each model per difficulty, easiest first; empty while base or best has not been tested."""
    if not ("base" in tests and "best" in tests):
        return []
    levels = sorted({score.difficulty for score in tests["base"]})
    rates = {
        model: [[score.rate for score in scores if score.difficulty == level] for level in levels]
        for model, scores in tests.items()
    }
    return [
        DifficultyReport(
            difficulty=level,
            n=len(rates["base"][at]),
            base=round(fmean(rates["base"][at]), 4),
            best=round(fmean(rates["best"][at]), 4),
            seed_only=round(fmean(rates["seed_only"][at]), 4) if "seed_only" in rates else None,
        )
        for at, level in enumerate(levels)
    ]


def compare_sampling(counts: Mapping[str, int]) -> SampleOnlyControl:
    """Return the control "sample_only" from the counts in final/sample_only.json, with Wilson intervals."""
    n = counts["problems"]
    shares = {}
    for who in ("solved", "loop_solved"):
        low, high = wilson_interval(counts[who], n)
        shares[who] = (round(counts[who] / n, 4), (round(low, 4), round(high, 4)))
    return SampleOnlyControl(
        name="sample_only",
        problems=n,
        samples=counts["samples"],
        solved=counts["solved"],
        solved_rate=shares["solved"][0],
        solved_ci95=shares["solved"][1],
        loop_samples=counts.get("loop_samples"),
        loop_solved=counts["loop_solved"],
        loop_solved_rate=shares["loop_solved"][0],
        loop_solved_ci95=shares["loop_solved"][1],
    )


def mcnemar_exact(wins: int, losses: int) -> float:
    """Return the two-sided p-value of `wins` against `losses` among discordant pairs, by the binomial with p = 1/2."""
    n, ways, tail = wins + losses, 1, 0
    for i in range(min(wins, losses) + 1):
        tail += ways  # n choose i
        ways = ways * (n - i) // (i + 1)
    return min(1.0, 2 * tail / 2**n)


def _pair(first: Sequence[ProblemScore], second: Sequence[ProblemScore]) -> list[tuple[ProblemScore, ProblemScore]]:
    before, after = _by_problem(first, "first"), _by_problem(second, "second")
    if before.keys() != after.keys():
        gaps = (("first", after.keys() - before.keys()), ("second", before.keys() - after.keys()))
        told = "; ".join(f"the {side} model lacks {_name(missing)}" for side, missing in gaps if missing)
        raise MismatchedProblemsError(
            f"both models must answer the same problems: {told}. Evaluate both on the same split."
        )
    if not before:
        raise ValueError("no problem was evaluated: there is nothing to compare")
    return [(before[problem_id], after[problem_id]) for problem_id in sorted(before)]


def _by_problem(scores: Sequence[ProblemScore], side: str) -> dict[str, ProblemScore]:
    found: dict[str, ProblemScore] = {}
    for score in scores:
        if score.problem_id in found:
            raise MismatchedProblemsError(f"the {side} model has problem {score.problem_id} twice; one row per problem")
        found[score.problem_id] = score
    return found


def _name(missing: set[str]) -> str:
    names = sorted(missing)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{len(names)} problem{'s' * (len(names) > 1)} ({', '.join(names[:_NAMED])}{more})"
