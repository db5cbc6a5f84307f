"""What one iteration samples: waves over the unsolved problems, and how a half-done wave goes on after a kill."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from bootstrap.config import RunConfig
from bootstrap.records import Candidate, Hint, Problem
from bootstrap.repair import mistakes_for, reference_hints
from bootstrap.run_store import RunStore
from bootstrap.sample_budget import plan_samples
from bootstrap.sampling import NOTHING, Batch, Shown, plan_batches
from bootstrap.targets import hints_for, language_of


def correct_codes(candidates: Iterable[Candidate]) -> dict[str, set[str]]:
    """Return problem_id -> its distinct passing codes."""
    found: dict[str, set[str]] = defaultdict(set)
    for candidate in candidates:
        if candidate.passed:
            found[candidate.problem_id].add(candidate.code)
    return found


def complete_batches(plan: Sequence[Batch], done: Iterable[Candidate]) -> set[int]:
    """Return the indices of the planned batches of which every candidate is recorded."""
    counts = Counter(candidate.batch for candidate in done)
    return {batch.index for batch in plan if counts[batch.index] == batch.size}


def temperature_of(config: RunConfig, wave: int) -> float:
    sampling = config.sampling
    further = sampling.repair if turn_of(config, wave) else sampling.reference_hints
    if wave >= regular_waves(config) and further is not None and further.temperature is not None:
        return further.temperature
    return sampling.temperatures[min(wave, len(sampling.temperatures) - 1)]


def wave_members(
    problems: Mapping[str, Problem], unsolved: Sequence[str], earlier: Iterable[Candidate], enough: int
) -> list[Problem]:
    """Return the unsolved problems that do not have `enough` distinct correct solutions from earlier waves."""
    correct = correct_codes(earlier)
    return [problems[pid] for pid in unsolved if len(correct.get(pid, ())) < enough]


def plan_wave(
    problems: Mapping[str, Problem], unsolved: Sequence[str], recorded: Sequence[Candidate], config: RunConfig,
    *, tag: str, wave: int, iteration: int = 1,
) -> tuple[list[Batch], set[int]]:  # fmt: skip
    """Return the batches of a wave, and the indices of those that are recorded in full."""
    earlier = [c for c in recorded if c.wave < wave]
    if wave < regular_waves(config):
        shown, samples = NOTHING, wave_samples(problems, unsolved, earlier, config, wave)
    else:
        shown, number = further_wave(problems, unsolved, earlier, config, wave, iteration)
        samples = [(number, [problems[pid] for pid in (*shown.mistakes, *shown.hints)])]
    plan: list[Batch] = []
    for num_samples, members in samples:
        plan += plan_batches(
            members, config, tag=f"{tag} wave {wave}", wave=wave, num_samples=num_samples,
            temperature=temperature_of(config, wave), first=len(plan), shown=shown,
        )  # fmt: skip
    return plan, complete_batches(plan, (c for c in recorded if c.wave == wave))


def regular_waves(config: RunConfig) -> int:
    """Return how many waves show the task alone; repair turns and the wave of reference hints follow them."""
    adaptive = config.sampling.adaptive
    return adaptive.max_waves if adaptive else len(config.sampling.waves)


def waves_of(config: RunConfig) -> int:
    """Return how many waves an iteration has at most."""
    repair = config.sampling.repair
    return regular_waves(config) + (repair.turns if repair else 0) + (config.sampling.reference_hints is not None)


def turn_of(config: RunConfig, wave: int) -> int:
    """Return the number of a repair turn, from 1; 0 for any other wave."""
    repair, turn = config.sampling.repair, wave - regular_waves(config) + 1
    return turn if repair and 1 <= turn <= repair.turns else 0


def name_of(config: RunConfig, wave: int) -> str:
    """Return what people call a wave."""
    if wave < regular_waves(config):
        return f"wave {wave + 1}"
    turn = turn_of(config, wave)
    return f"repair turn {turn}" if turn else "reference hints"


def wave_samples(
    problems: Mapping[str, Problem], unsolved: Sequence[str], earlier: Sequence[Candidate], config: RunConfig,
    wave: int,
) -> list[tuple[int, list[Problem]]]:  # fmt: skip
    """Return (samples, the problems that get so many) of a regular wave, as the candidates before it say."""
    sampling = config.sampling
    if sampling.adaptive is None:
        members = wave_members(problems, unsolved, earlier, sampling.enough_correct)
        return [(sampling.waves[wave], members)]
    plan = plan_samples(problems, unsolved, earlier, wave, sampling.adaptive, sampling.enough_correct)
    numbers = sorted(set(plan.samples.values()), reverse=True)
    return [(n, [problems[pid] for pid, samples in plan.samples.items() if samples == n]) for n in numbers]


def further_wave(
    problems: Mapping[str, Problem], unsolved: Sequence[str], earlier: Sequence[Candidate], config: RunConfig,
    wave: int, iteration: int,
) -> tuple[Shown, int]:  # fmt: skip
    """Return what a repair turn or the wave of reference hints shows, and how many samples each problem of it gets."""
    repair, hints, turn = config.sampling.repair, config.sampling.reference_hints, turn_of(config, wave)
    if repair and turn:
        starts = range(wave - turn + 1, wave + 1)
        mistakes = mistakes_for(problems, unsolved, earlier, starts, hidden_errors=repair.hidden_errors)
        return Shown(turn, mistakes=mistakes), repair.samples
    if hints and iteration > hints.after_iterations:
        found = reference_hints(problems, unsolved, earlier, lambda problem: language_of(problem, config))
        return Shown(hints=found), hints.samples
    return NOTHING, 1


def outlook(
    problems: Mapping[str, Problem], unsolved: Sequence[str], recorded: Sequence[Candidate], config: RunConfig,
    wave: int,
) -> str:  # fmt: skip
    """Return what further samples after an adaptive wave are expected to bring; empty for other waves."""
    adaptive = config.sampling.adaptive
    if adaptive is None or wave >= regular_waves(config):
        return ""
    earlier, enough = [c for c in recorded if c.wave <= wave], config.sampling.enough_correct
    plan = plan_samples(problems, unsolved, earlier, wave + 1, adaptive, enough)
    said = f"after wave {wave + 1}: 1,000 further samples where they pay best are expected to solve {plan.per_1000:.1f}"
    if plan.samples or wave + 1 == adaptive.max_waves:
        return said
    if 0 < plan.per_1000 < adaptive.stop_below:
        return f"{said}; stopped, as sampling.adaptive.stop_below is {adaptive.stop_below:g}"
    return f"{said}; stopped, as the budget is spent or no problem may get more"


def keep_complete(
    problems: Mapping[str, Problem], unsolved: Sequence[str], recorded: Sequence[Candidate], config: RunConfig,
    tag: str, iteration: int = 1,
) -> list[Candidate]:  # fmt: skip
    """Return the recorded candidates of whole batches; those of a batch cut off by a kill are owed again.

    A wave may be empty and another one follow it: adaptive sampling may stop early, and repair turns come after it.
    """
    kept: list[Candidate] = []
    last = max((c.wave for c in recorded), default=-1)
    for wave in range(min(last + 1, waves_of(config))):
        of_wave = [c for c in recorded if c.wave == wave]
        plan, complete = plan_wave(
            problems, unsolved, kept + of_wave, config, tag=tag, wave=wave, iteration=iteration
        )  # fmt: skip
        members = {(pid, batch.index) for batch in plan if batch.index in complete for pid in batch.problem_ids}
        kept += [c for c in of_wave if (c.problem_id, c.batch) in members]
        if len(complete) < len(plan):
            break
    return kept


def outcomes(candidates: Iterable[Candidate]) -> dict[str, int]:
    """Return how many candidates had each outcome, most frequent first."""
    return dict(Counter(candidate.outcome.value for candidate in candidates).most_common())


def way_of(candidate: Candidate) -> str:
    """Return by which kind of prompt a candidate was made."""
    if candidate.turn:
        return f"repair turn {candidate.turn}"
    return "hint" if candidate.hinted else "first attempt"


def solved_by(candidates: Sequence[Candidate]) -> dict[str, int]:
    """Return kind of prompt -> problems that one of its candidates was the first to solve, in the order of the waves;
    a kind that was tried and solved nothing is there too."""
    first: dict[str, str] = {}
    for candidate in candidates:
        if candidate.passed:
            first.setdefault(candidate.problem_id, way_of(candidate))
    counts = Counter(first.values())
    return {way: counts[way] for way in dict.fromkeys(map(way_of, candidates))}


def solved_before(store: RunStore, iteration: int) -> set[str]:
    """Return the train problems with a verified solution before this iteration: the seeds, and what was solved."""
    solved = set(store.split()["seeds"])
    for earlier in range(1, iteration):
        solved |= correct_codes(store.each_candidate(earlier)).keys()
    return solved


def unsolved_before(store: RunStore, iteration: int, config: RunConfig) -> list[str]:
    """Return the train problems that an iteration tries: unsolved so far, and not given up."""
    gone = solved_before(store, iteration)
    gone |= given_up((c for earlier in range(1, iteration) for c in store.each_candidate(earlier)), config)
    return [pid for pid in store.split()["train"] if pid not in gone]


def given_up(candidates: Iterable[Candidate], config: RunConfig) -> set[str]:
    """Return the problems, solved or not, that have had as many samples as `adaptive.give_up_after` grants."""
    adaptive = config.sampling.adaptive
    if adaptive is None or adaptive.give_up_after is None:
        return set()
    samples = Counter(candidate.problem_id for candidate in candidates)
    return {pid for pid, count in samples.items() if count >= adaptive.give_up_after}


def hints_before(store: RunStore, iteration: int, config: RunConfig) -> dict[str, Hint]:
    """Return the hints that prompts of an iteration show: what was solved before it, in another target language."""
    if not config.sharing.hints:
        return {}
    problems = store.problems(set(store.split()["train"]))
    return hints_for(problems, shortest_solutions(store, range(1, iteration), problems, config))


def shortest_solutions(
    store: RunStore, iterations: Iterable[int], problems: Mapping[str, Problem], config: RunConfig
) -> dict[str, str]:
    """Return problem_id -> its shortest verified solution: given as a seed, or made in these iterations."""
    found = {pid: {problems[pid].references[language_of(problems[pid], config)]} for pid in store.split()["seeds"]}
    for iteration in iterations:
        for problem_id, codes in correct_codes(store.each_candidate(iteration)).items():
            found.setdefault(problem_id, set()).update(codes)
    return {problem_id: min(codes, key=lambda code: (len(code), code)) for problem_id, codes in found.items()}
