"""Spending samples where they pay: beliefs that follow the evidence, budgets that hold, plans that survive a kill."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from support import pipeline_problems

from bootstrap.config import RunConfig
from bootstrap.records import Candidate
from bootstrap.sample_budget import EVEN, RATES, Tally, beliefs, conditioned, estimated, first_pass, plan_samples
from bootstrap.sampling_config import AdaptiveConfig
from bootstrap.solving import keep_complete, plan_wave, waves_of
from eval.bench_budget import adaptive, compared, replay, with_sampling
from interpreters.base import Outcome

PROBLEMS = {problem.problem_id: problem for problem in pipeline_problems(120)}
IDS = list(PROBLEMS)


def configured(**sampling: Any) -> RunConfig:
    values = {"target": "polars_expr", "base_model": "none/none", "prompt": {"style": "plain"}, "sampling": sampling}
    return RunConfig.model_validate(values)


def answer(problem_id: str, number: int, passed: bool, wave: int = 0, batch: int = 0) -> Candidate:
    outcome = Outcome.PASSED if passed else Outcome.WRONG_ANSWER
    code = f"{'right' if passed else 'wrong'} {number}"
    return Candidate(problem_id, 1, wave, number, "p", code, code, outcome, batch=batch)


def answers(seed: int, samples: int = 64) -> dict[str, list[Candidate]]:
    """Return answers of problems whose pass rates range from never to nearly always, most of them low."""
    rng = random.Random(seed)
    rates = {pid: 0.0 if rng.random() < 0.2 else rng.betavariate(0.4, 3.0) for pid in IDS}
    return {pid: [answer(pid, i, rng.random() < rate) for i in range(samples)] for pid, rate in rates.items()}


def test_failures_lower_the_chance_and_a_pass_raises_it() -> None:
    chances = [first_pass(conditioned(EVEN, Tally(n, 0)), 0, 1) for n in (0, 4, 16, 64)]
    assert chances == sorted(chances, reverse=True) and chances[-1] > 0
    assert first_pass(conditioned(EVEN, Tally(4, 1)), 0, 1) > chances[0]


def test_the_chance_of_one_sample_is_the_mean_rate() -> None:
    mean = sum(weight * rate for weight, rate in zip(EVEN, RATES, strict=True))
    assert first_pass(EVEN, 0, 1) == pytest.approx(mean)


def test_the_distribution_over_problems_is_recovered() -> None:
    rng = random.Random(1)
    found = estimated(Counter(Tally(32, sum(rng.random() < 0.25 for _ in range(32))) for _ in range(400)), EVEN, 3.0)
    near = sum(weight for weight, rate in zip(found, RATES, strict=True) if 0.18 <= rate <= 0.34)
    assert sum(found) == pytest.approx(1.0) and near > 0.9


def test_a_kind_in_which_others_pass_is_more_promising() -> None:
    tallies = {f"easy {i}": Tally(4, i % 2) for i in range(40)} | {f"hard {i}": Tally(4, 0) for i in range(40)}
    found = beliefs(tallies, {name: (1 if name.startswith("easy") else 3, True) for name in tallies})
    assert first_pass(found["easy 0"], 0, 1) > 1.5 * first_pass(found["hard 0"], 0, 1)


def test_the_budget_and_the_cap_are_kept() -> None:
    config = AdaptiveConfig(samples_per_problem=9.5, first_wave=2, step=3, per_problem=20)
    rng, rows = random.Random(2), list[Candidate]()
    for wave in range(config.max_waves):
        plan = plan_samples(PROBLEMS, IDS, rows, wave, config)
        rows += [answer(pid, i, rng.random() < 0.05, wave) for pid, n in plan.samples.items() for i in range(n)]
    used = Counter(row.problem_id for row in rows)
    assert 9 * len(IDS) < sum(used.values()) <= 9.5 * len(IDS)
    assert max(used.values()) <= 20 and min(used.values()) >= 2


def test_solved_problems_get_no_more_and_hopeless_ones_end_the_iteration() -> None:
    config = AdaptiveConfig(samples_per_problem=64, first_wave=4, stop_below=20.0)
    first = [answer(pid, i, number < 10) for number, pid in enumerate(IDS) for i in range(4)]
    assert not plan_samples(PROBLEMS, IDS, first, 1, config).samples.keys() & set(IDS[:10])
    failures = [answer(pid, i, False) for pid in IDS for i in range(40)]
    assert plan_samples(PROBLEMS, IDS, failures, 1, config).samples == {}


def test_it_solves_more_than_uniform_samples_of_the_same_answers() -> None:
    gains, solved = [], 0
    for seed in range(4):
        recorded, config = answers(seed), configured()
        uniform = replay(PROBLEMS, recorded, with_sampling(config, waves=[16]))
        spent = replay(PROBLEMS, recorded, adaptive(config, 16, 64))
        assert uniform.samples == 16 * len(IDS) >= spent.samples
        gain, low, high = compared(PROBLEMS, uniform, spent)
        assert gain == len(spent.solved) - len(uniform.solved) and low <= gain <= high
        gains.append(gain)
        solved += len(uniform.solved)
    assert min(gains) > 0 and sum(gains) > 0.05 * solved


def test_a_wave_that_was_cut_off_is_planned_the_same_again() -> None:
    config = configured(adaptive={"samples_per_problem": 12, "first_wave": 2, "step": 2})
    recorded = answers(4)
    everything: list[Candidate] = []
    left = {pid: iter(rows) for pid, rows in recorded.items()}
    for wave in range(waves_of(config)):
        plan, _ = plan_wave(PROBLEMS, IDS, everything, config, tag="t", wave=wave)
        assert [batch.index for batch in plan] == list(range(len(plan)))
        for batch in plan:
            for pid in batch.problem_ids:
                for i in range(batch.num_samples):
                    everything.append(answer(pid, i, next(left[pid]).passed, wave, batch.index))
    assert keep_complete(PROBLEMS, IDS, everything, config, "t") == everything
    for cut in (1, len(everything) // 3, len(everything) // 2, len(everything) - 1):
        kept = keep_complete(PROBLEMS, IDS, everything[:cut], config, "t")
        assert kept == everything[: len(kept)] and len(kept) <= cut
        wave = kept[-1].wave if kept else 0
        again, complete = plan_wave(PROBLEMS, IDS, kept, config, tag="t", wave=wave)
        assert {c.batch for c in kept if c.wave == wave} == complete <= {batch.index for batch in again}
