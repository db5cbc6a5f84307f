"""How many samples an unsolved problem is worth: what is known of its pass rate, and a budget spent where it pays.

What one sample of a problem passes with is unknown; it is given a distribution over a grid of rates. The distribution
over all problems is estimated from the samples so far (EM for a mixture over a fixed grid: Laird 1978), then anew for
each kind of problem with the whole as its prior (empirical Bayes), and for one problem conditioned on its own samples.
From it follows the chance that its next samples are the first to pass, and the budget goes, portion by portion, to the
problem with the greatest chance per sample. The chance of a problem falls with each of its samples, so taking the
greatest each time is the best plan (a fractional knapsack with concave gains).

Where `sampling.enough_correct` asks for several distinct solutions, a problem that has some of them stays in the queue.
A sample of it brings a further one when it passes and is new: its pass rate times the share of distinct codes among its
passes so far. That counts `adaptive.further_worth` of a newly solved problem.

Kinds: the difficulty that the source gives, and whether any sample ran to the end and only answered wrongly.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bootstrap.records import Candidate, Problem
from bootstrap.sampling_config import AdaptiveConfig
from interpreters.base import Outcome

RATES = (0.0, *(10 ** (-3.5 + 0.125 * i) for i in range(29)))
"""Pass rates that a problem may have: none, and from 0.03 % to 100 % in steps of a third."""
FLOOR = 3.0
"""Problems' worth of belief that any rate of the grid is as likely as any other: no rate is ever ruled out."""
POOLED = 20.0
"""Problems' worth of belief that a kind of problem is as all problems are."""
ROUNDS = 40

Weights = tuple[float, ...]
Kind = tuple[int, bool]


@dataclass(frozen=True)
class Tally:
    """Samples of one problem, and how many of them passed."""

    samples: int
    passed: int


def likelihood(tally: Tally) -> Weights:
    """Return the probability of these samples, in their order, at each rate."""
    return tuple(rate**tally.passed * (1 - rate) ** (tally.samples - tally.passed) for rate in RATES)


def conditioned(weights: Weights, tally: Tally) -> Weights:
    """Return the distribution after these samples. Where they are impossible under it, it stays as it was."""
    joint = [weight * chance for weight, chance in zip(weights, likelihood(tally), strict=True)]
    total = sum(joint)
    return tuple(one / total for one in joint) if total > 0 else weights


def estimated(tallies: Mapping[Tally, int], prior: Weights, belief: float) -> Weights:
    """Return the distribution over problems: EM from the prior, which counts as much as `belief` problems."""
    weights = prior
    problems = sum(tallies.values())
    for _ in range(ROUNDS):
        mass = [belief * one for one in prior]
        for tally, count in tallies.items():
            for at, share in enumerate(conditioned(weights, tally)):
                mass[at] += count * share
        weights = tuple(one / (problems + belief) for one in mass)
    return weights


EVEN: Weights = tuple(1 / len(RATES) for _ in RATES)


def first_pass(weights: Weights, samples: int, portion: int, novelty: float = 1.0) -> float:
    """Return the chance that, after `samples` more failures, one of the next `portion` samples passes (and is new)."""
    return sum(
        weight * (1 - novelty * rate) ** samples * (1 - (1 - novelty * rate) ** portion)
        for weight, rate in zip(weights, RATES, strict=True)
    )


@dataclass(frozen=True)
class Goal:
    """What the next samples of a problem may bring: a first pass, or a further distinct one, which is worth less.

    `novelty`: the share of passes that is expected to be new.
    """

    worth: float = 1.0
    novelty: float = 1.0

    def chance(self, weights: Weights, samples: int, portion: int) -> float:
        """Return the worth of a portion: the chance, weighted, that it is the first to bring what is looked for."""
        return self.worth * first_pass(weights, samples, portion, self.novelty)


SOLVE = Goal()


@dataclass(frozen=True)
class Plan:
    """Further samples by problem, and how many problems 1,000 of the most promising ones are expected to solve; a
    further solution of a solved problem counts as `further_worth` of one."""

    samples: Mapping[str, int]
    per_1000: float


def plan_samples(
    problems: Mapping[str, Problem], unsolved: Sequence[str], recorded: Iterable[Candidate], wave: int,
    config: AdaptiveConfig, enough_correct: int = 1,
) -> Plan:  # fmt: skip
    """Return what a wave samples, from the candidates of the waves before it alone."""
    recorded = list(recorded)
    if wave == 0:
        return Plan({problem_id: min(config.first_wave, config.per_problem) for problem_id in unsolved}, 1000.0)
    tallies, kinds = tally_up(problems, unsolved, recorded)
    spent = sum(tally.samples for tally in tallies.values())
    left = config.samples_per_problem * len(unsolved) - spent
    share = int(left / (config.max_waves - wave)) if wave < config.max_waves else 0
    goals = goals_of(unsolved, recorded, config.further_worth, enough_correct)
    return allotted(beliefs(tallies, kinds), tallies, goals, share, config)


def goals_of(
    unsolved: Sequence[str], recorded: Iterable[Candidate], further_worth: float, enough_correct: int
) -> dict[str, Goal]:
    """Return problem_id -> what its further samples are for; a problem that has enough is not there."""
    passes: dict[str, list[str]] = defaultdict(list)
    for candidate in recorded:
        if candidate.passed:
            passes[candidate.problem_id].append(candidate.code)
    goals = {}
    for problem_id in unsolved:
        codes = passes.get(problem_id, [])
        distinct = len(set(codes))
        if not codes:
            goals[problem_id] = SOLVE
        elif distinct < enough_correct and further_worth > 0:
            goals[problem_id] = Goal(further_worth, distinct / len(codes))
    return goals


def tally_up(
    problems: Mapping[str, Problem], unsolved: Sequence[str], recorded: Iterable[Candidate]
) -> tuple[dict[str, Tally], dict[str, Kind]]:
    """Return problem_id -> samples and passes, and its kind."""
    samples: Counter[str] = Counter()
    passed: Counter[str] = Counter()
    ran: set[str] = set()
    for candidate in recorded:
        samples[candidate.problem_id] += 1
        passed[candidate.problem_id] += candidate.passed
        if candidate.outcome in (Outcome.WRONG_ANSWER, Outcome.PASSED):
            ran.add(candidate.problem_id)
    tallies = {problem_id: Tally(samples[problem_id], passed[problem_id]) for problem_id in unsolved}
    kinds = {problem_id: (problems[problem_id].difficulty, problem_id in ran) for problem_id in unsolved}
    return tallies, kinds


def beliefs(tallies: Mapping[str, Tally], kinds: Mapping[str, Kind]) -> dict[str, Weights]:
    """Return problem_id -> the distribution of its pass rate, given its kind and its own samples."""
    everything = estimated(Counter(tallies.values()), EVEN, FLOOR)
    members: dict[Kind, Counter[Tally]] = defaultdict(Counter)
    for problem_id, tally in tallies.items():
        members[kinds[problem_id]][tally] += 1
    by_kind = {kind: estimated(counts, everything, POOLED) for kind, counts in members.items()}
    known: dict[tuple[Kind, Tally], Weights] = {}
    for problem_id, tally in tallies.items():
        key = kinds[problem_id], tally
        if key not in known:
            known[key] = conditioned(by_kind[key[0]], tally)
    return {problem_id: known[kinds[problem_id], tally] for problem_id, tally in tallies.items()}


def allotted(
    found: Mapping[str, Weights], tallies: Mapping[str, Tally], goals: Mapping[str, Goal], budget: int,
    config: AdaptiveConfig,
) -> Plan:  # fmt: skip
    """Give the budget away in portions, each to the problem where it is worth most."""
    given: dict[str, int] = {}
    queue = [
        (-goal.chance(found[problem_id], 0, config.step), problem_id)
        for problem_id, goal in goals.items()
        if tallies[problem_id].samples + config.step <= config.per_problem
    ]
    heapq.heapify(queue)
    best = -queue[0][0] / config.step * 1000 if queue else 0.0
    while queue and budget >= config.step and -queue[0][0] / config.step * 1000 >= config.stop_below:
        _, problem_id = heapq.heappop(queue)
        budget -= config.step
        given[problem_id] = given.get(problem_id, 0) + config.step
        if tallies[problem_id].samples + given[problem_id] + config.step <= config.per_problem:
            chance = goals[problem_id].chance(found[problem_id], given[problem_id], config.step)
            heapq.heappush(queue, (-chance, problem_id))
    return Plan(given, best)
