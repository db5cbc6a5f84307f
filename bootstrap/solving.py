"""What one iteration samples: waves over the unsolved problems, and how a half-done wave goes on after a kill."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from bootstrap.config import RunConfig
from bootstrap.records import Candidate, Hint, Problem
from bootstrap.run_store import RunStore
from bootstrap.sample_budget import plan_samples
from bootstrap.sampling import Batch, plan_batches
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
    return config.sampling.temperatures[min(wave, len(config.sampling.temperatures) - 1)]


def wave_members(
    problems: Mapping[str, Problem], unsolved: Sequence[str], earlier: Iterable[Candidate], enough: int
) -> list[Problem]:
    """Return the unsolved problems that do not have `enough` distinct correct solutions from earlier waves."""
    correct = correct_codes(earlier)
    return [problems[pid] for pid in unsolved if len(correct.get(pid, ())) < enough]


def plan_wave(
    problems: Mapping[str, Problem], unsolved: Sequence[str], recorded: Sequence[Candidate], config: RunConfig,
    *, tag: str, wave: int,
) -> tuple[list[Batch], set[int]]:  # fmt: skip
    """Return the batches of a wave, and the indices of those that are recorded in full."""
    plan: list[Batch] = []
    for num_samples, members in wave_samples(problems, unsolved, recorded, config, wave):
        plan += plan_batches(
            members, config, tag=f"{tag} wave {wave}", wave=wave, num_samples=num_samples,
            temperature=temperature_of(config, wave), first=len(plan),
        )  # fmt: skip
    return plan, complete_batches(plan, (c for c in recorded if c.wave == wave))


def waves_of(config: RunConfig) -> int:
    """Return how many waves an iteration has at most."""
    adaptive = config.sampling.adaptive
    return adaptive.max_waves if adaptive else len(config.sampling.waves)


def wave_samples(
    problems: Mapping[str, Problem], unsolved: Sequence[str], recorded: Sequence[Candidate], config: RunConfig,
    wave: int,
) -> list[tuple[int, list[Problem]]]:  # fmt: skip
    """Return (samples, the problems that get so many), as the candidates of the waves before say."""
    earlier = [c for c in recorded if c.wave < wave]
    if config.sampling.adaptive is None:
        members = wave_members(problems, unsolved, earlier, config.sampling.enough_correct)
        return [(config.sampling.waves[wave], members)]
    plan = plan_samples(problems, unsolved, earlier, wave, config.sampling.adaptive)
    numbers = sorted(set(plan.samples.values()), reverse=True)
    return [(n, [problems[pid] for pid, samples in plan.samples.items() if samples == n]) for n in numbers]


def keep_complete(
    problems: Mapping[str, Problem], unsolved: Sequence[str], recorded: Sequence[Candidate], config: RunConfig, tag: str
) -> list[Candidate]:
    """Return the recorded candidates of whole batches; those of a batch cut off by a kill are owed again."""
    kept: list[Candidate] = []
    for wave in range(waves_of(config)):
        of_wave = [c for c in recorded if c.wave == wave]
        if not of_wave:
            break
        plan, complete = plan_wave(problems, unsolved, kept + of_wave, config, tag=tag, wave=wave)
        members = {(pid, batch.index) for batch in plan if batch.index in complete for pid in batch.problem_ids}
        kept += [c for c in of_wave if (c.problem_id, c.batch) in members]
        if len(complete) < len(plan):
            break
    return kept


def outcomes(candidates: Iterable[Candidate]) -> dict[str, int]:
    """Return how many candidates had each outcome, most frequent first."""
    return dict(Counter(candidate.outcome.value for candidate in candidates).most_common())


def solved_before(store: RunStore, iteration: int) -> set[str]:
    """Return the train problems with a verified solution before this iteration: the seeds, and what was solved."""
    solved = set(store.split()["seeds"])
    for earlier in range(1, iteration):
        solved |= correct_codes(store.candidates(earlier)).keys()
    return solved


def unsolved_before(store: RunStore, iteration: int) -> list[str]:
    solved = solved_before(store, iteration)
    return [pid for pid in store.split()["train"] if pid not in solved]


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
        for problem_id, codes in correct_codes(store.candidates(iteration)).items():
            found.setdefault(problem_id, set()).update(codes)
    return {problem_id: min(codes, key=lambda code: (len(code), code)) for problem_id, codes in found.items()}
