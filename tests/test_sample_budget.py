"""Spending samples where they pay: beliefs that follow the evidence, budgets that hold, plans that survive a kill."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support import pipeline_problems

from bootstrap.config import RunConfig
from bootstrap.files import write_json
from bootstrap.records import Candidate
from bootstrap.run_store import RunStore
from bootstrap.sample_budget import (
    EVEN,
    RATES,
    Goal,
    Tally,
    beliefs,
    conditioned,
    estimated,
    first_pass,
    goals_of,
    plan_samples,
)
from bootstrap.sampling_config import AdaptiveConfig
from bootstrap.solving import given_up, keep_complete, plan_wave, unsolved_before, waves_of
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


# -- several distinct solutions, and giving up --------------------------------------------------------------------


def coded(problem_id: str, *codes: str) -> list[Candidate]:
    """Return one sample for each code; those that start with "right" pass."""
    rows = []
    for number, code in enumerate(codes):
        outcome = Outcome.PASSED if code.startswith("right") else Outcome.WRONG_ANSWER
        rows.append(Candidate(problem_id, 1, 0, number, "p", code, code, outcome))
    return rows


def test_a_problem_with_some_of_the_solutions_that_are_wanted_stays_and_one_with_enough_leaves() -> None:
    rows = coded("none", "wrong", "wrong") + coded("one", "right a", "right a") + coded("two", "right a", "right b")
    names = ["none", "one", "two", "untried"]
    assert goals_of(names, rows, 0.1, 1).keys() == {"none", "untried"}
    found = goals_of(names, rows, 0.1, 2)
    assert found == {"none": Goal(), "one": Goal(0.1, 0.5), "untried": Goal()}
    assert goals_of(names, rows, 0.1, 3)["two"] == Goal(0.1, 1.0)
    assert goals_of(names, rows, 0.0, 3).keys() == {"none", "untried"}


def test_a_further_solution_is_worth_less_where_the_same_code_comes_again() -> None:
    weights = conditioned(EVEN, Tally(8, 4))
    solve, fresh, stale = Goal(), Goal(0.1, 1.0), Goal(0.1, 0.25)
    assert fresh.chance(weights, 0, 4) == pytest.approx(0.1 * solve.chance(weights, 0, 4))
    assert 0 < stale.chance(weights, 0, 4) < fresh.chance(weights, 0, 4)
    chances = [stale.chance(weights, n, 4) for n in (0, 4, 8, 16)]
    assert chances == sorted(chances, reverse=True), "a portion is worth less than the one before it"


def test_with_one_solution_wanted_or_no_worth_in_more_the_plan_leaves_at_the_first_pass() -> None:
    rng, config = random.Random(6), AdaptiveConfig(samples_per_problem=8)
    rows = [answer(pid, i, rng.random() < 0.2) for pid in IDS for i in range(4)]
    plain = plan_samples(PROBLEMS, IDS, rows, 1, config)
    assert plan_samples(PROBLEMS, IDS, rows, 1, config, 1) == plain
    assert plan_samples(PROBLEMS, IDS, rows, 1, config.model_copy(update={"further_worth": 0.0}), 4) == plain
    solved = {row.problem_id for row in rows if row.passed}
    assert not plain.samples.keys() & solved
    worthy = config.model_copy(update={"further_worth": 1.0})
    assert plan_samples(PROBLEMS, IDS, rows, 1, worthy, 4).samples.keys() & solved


@pytest.mark.parametrize("worth", [0.01, 0.1, 1.0])
def test_with_several_solutions_wanted_the_budget_holds_and_no_problem_has_more_than_it_needs(worth: float) -> None:
    config = AdaptiveConfig(samples_per_problem=12, first_wave=2, step=2, per_problem=32, further_worth=worth)
    rng, rows = random.Random(9), list[Candidate]()
    rates = {pid: rng.betavariate(0.4, 3.0) for pid in IDS}
    for wave in range(config.max_waves):
        before = Counter(pid for pid, _ in {(row.problem_id, row.code) for row in rows if row.passed})
        plan = plan_samples(PROBLEMS, IDS, rows, wave, config, 3)
        assert all(before[pid] < 3 for pid in plan.samples)
        for pid, n in plan.samples.items():
            rows += [answer(pid, rng.randrange(8), rng.random() < rates[pid], wave) for _ in range(n)]
    assert len(rows) <= 12 * len(IDS)


def test_more_worth_in_further_solutions_finds_more_of_them() -> None:
    found = []
    for worth in (0.0, 0.1, 1.0):
        config = configured(enough_correct=4, adaptive={"samples_per_problem": 16, "further_worth": worth})
        spent = replay(PROBLEMS, answers(11), config)
        found.append((spent.distinct, len(spent.solved)))
    assert found[0][0] < found[1][0] < found[2][0]
    assert found[0][1] >= found[1][1] >= found[2][1], "what they cost are problems"


def test_a_problem_is_given_up_after_its_samples_of_earlier_iterations(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "run")
    store.root.mkdir()
    hard, easy, fresh, seed = IDS[:4]
    write_json(store.split_file, {"train": IDS[:4], "dev": [], "test": [], "seeds": [seed]})
    for iteration in (1, 2):
        store.append_candidates(iteration, [answer(hard, i, False) for i in range(6)])
    store.append_candidates(2, [answer(easy, i, i == 11) for i in range(12)] + [answer(fresh, 0, False)])
    never, after_12 = configured(adaptive={}), configured(adaptive={"give_up_after": 12})
    assert unsolved_before(store, 3, never) == unsolved_before(store, 3, configured()) == [hard, fresh]
    assert unsolved_before(store, 3, after_12) == [fresh]
    assert unsolved_before(store, 2, after_12) == [hard, easy, fresh]
    assert given_up(store.each_candidate(2), after_12) == {easy}
