"""Name the likely cause of standing still, and the lever: fixed rules over the diagnoses of the last iterations.

The rules look at the iterations without a better dev score (at most `plateau.rounds` of them), counts added up. They
are tried in this order, what comes first in an answer's life first, and every one that holds is named:

  checker_fails      5 % of the samples could not be judged. The checker is at fault, whatever the model wrote.
  time_or_memory     15 % of the samples ended at a limit of checking: right answers may be among them.
  cut_off            15 % of the completions are as long as allowed, and no code is whole that is cut.
  nothing_runs       on fewer than half of the problems any sample ran. The model does not know the form of an answer;
                     where 20 % of what failed looks like another language, it takes the wrong one.
  forgetting         against the best model more dev answers are lost than won, beyond chance (one-sided sign test at
                     5 %, normal approximation), while the loop goes on solving train problems.
  few_data           at most 10 % of the train problems are left, or fewer than 20: there is little to learn from.
  no_diversity       of the samples of unsolved problems at most a quarter differ: further samples say the same again.
  only_hard_left     80 % of what is left lies above the median difficulty of the train problems.
  always_wrong       code runs on at least half of the problems, and is wrong. Near-misses on 20 % of what is left are
                     said: their tests deserve a look.

One of few_data, nothing_runs and always_wrong holds in every case.

The thresholds are judgements, not measurements: they were set so that on runs made to show one cause that one is named
first (tests/test_diagnosis_causes.py). With fewer than four samples per problem no_diversity cannot hold.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bootstrap.config import RunConfig
from bootstrap.diagnosis_records import Cause, Diagnosis, SamplingDiagnosis
from bootstrap.progression import Past

NOT_JUDGED, AT_LIMIT, CUT_OFF, FOREIGN = 0.05, 0.15, 0.15, 0.2
RUNS, USED_UP, FEWEST_LEFT = 0.5, 0.1, 20
SAME_AGAIN, HARD, NEAR = 0.25, 0.8, 0.2
ONE_SIDED_5_PERCENT = 1.645  # standard deviations

RESTARTABLE = ("sampling.", "train.", "dataset.")
"""Sections that --resume-iteration may change."""


@dataclass(frozen=True)
class Evidence:
    """The iterations looked at: `last` is the newest, `samplings` are those of all."""

    samplings: Sequence[SamplingDiagnosis]
    last: Diagnosis
    known: Sequence[Past]
    config: RunConfig

    def share(self, name: str) -> float:
        """Return the share of the samples that a count of SamplingDiagnosis has."""
        counted: int = sum(getattr(one, name) for one in self.samplings)
        return counted / max(1, sum(one.samples for one in self.samplings))

    @property
    def newest(self) -> SamplingDiagnosis:
        return self.samplings[-1]

    @property
    def newly_solved(self) -> int:
        return sum(one.coverage.solved for one in self.samplings)

    def cause(self, name: str, sentence: str, lever: str, key: str, value: str, **figures: float) -> Cause:
        """Return the cause; a key that this run cannot change any more has no words for its command line."""
        words = ""
        if key.startswith(RESTARTABLE) and value:
            rounds, last = self.config.plateau.rounds, self.last.iteration
            words = f"--resume-iteration {last + 1} plateau.rounds={rounds + self.last.stalled} {key}={value}"
            if last >= self.config.max_iterations:
                words += f" max_iterations={last + rounds}"
        return Cause(name, sentence, lever, key, words, {k: round(v, 4) for k, v in figures.items()})


def causes_of(window: Sequence[Diagnosis], known: Sequence[Past], config: RunConfig) -> tuple[Cause, ...]:
    """Return the causes that the rules find, the likeliest first; `known` are all iterations so far."""
    samplings = [one.sampling for one in window if one.sampling is not None]
    if not samplings:
        return ()
    evidence = Evidence(samplings, window[-1], known, config)
    return tuple(cause for rule in RULES if (cause := rule(evidence)) is not None)


def checker_fails(e: Evidence) -> Cause | None:
    share = e.share("not_judged")
    if share < NOT_JUDGED:
        return None
    return e.cause(
        "checker_fails", f"{share:.0%} of the samples could not be judged",
        "read these messages (python -m interpreters.doctor); another interpreter of the language may know more",
        "target", "", not_judged=share,
    )  # fmt: skip


def time_or_memory(e: Evidence) -> Cause | None:
    timeouts, over = e.share("timeouts"), e.share("over_limits")
    if timeouts + over < AT_LIMIT:
        return None
    key, now = ("checking.seconds", e.config.checking.seconds)
    if over > timeouts:
        key, now = ("checking.memory_mb", e.config.checking.memory_mb)
    return e.cause(
        "time_or_memory", f"{timeouts:.0%} of the samples ended at the limit of time, {over:.0%} of memory or output",
        f"raise {key} above {now:g} in a new run; where the checkers outnumber the cores, lower checking.workers",
        key, "", timeouts=timeouts, over_limits=over,
    )  # fmt: skip


def cut_off(e: Evidence) -> Cause | None:
    share, limit = e.share("cut_off"), e.config.sampling.max_new_tokens
    if share < CUT_OFF:
        return None
    return e.cause(
        "cut_off", f"{share:.0%} of the completions are cut off at {limit:,} tokens",
        "allow longer answers; if they ramble, ask for the code alone (prompt.style)",
        "sampling.max_new_tokens", str(2 * limit), cut_off=share,
    )  # fmt: skip


def nothing_runs(e: Evidence) -> Cause | None:
    coverage = e.newest.coverage
    share, foreign = coverage.ran / max(1, coverage.tried), e.share("other_language")
    failing = 1 - e.share("ran")
    if share >= RUNS or failing <= 0:
        return None
    wrong_language = foreign / failing >= FOREIGN
    said = f"on {coverage.ran:,} of {coverage.tried:,} problems any sample ran"
    lever = "show more worked examples (split.seeds, convert.teacher)"
    if not e.config.prompt.reference or e.config.prompt.style == "plain":
        lever = "say more in the prompt: style instruct carries the rules, prompt.reference a reference of the language"
    key = "prompt.reference" if lever.startswith("say") else "split.seeds"
    if e.config.from_scratch is not None:
        lever, key = "train longer on more worked examples (train.seed_steps, split.seeds)", "train.seed_steps"
    if wrong_language:
        said += f", and {foreign / failing:.0%} of what failed looks like another language"
        lever = "name the language in the prompt (style instruct, prompt.reference), or use the model's chat template"
        key = "prompt.style"
    return e.cause(
        "nothing_runs", said, f"{lever}; needs a new run", key, "", problems_that_ran=share, other_language=foreign
    )


def forgetting(e: Evidence) -> Cause | None:
    against = e.last.dev.against_best
    if against is None or not e.newly_solved:
        return None
    won, lost, canary = against.won, against.lost, e.last.dev.canary
    if lost - won <= ONE_SIDED_5_PERCENT * math.sqrt(won + lost):
        return None
    said = (
        f"against iteration {against.against} {lost:,} dev answers are lost and {won:,} won, though {e.newly_solved:,} "
        f"train problems were newly solved ({canary.lost:,} of {canary.problems:,} that a best model solved are lost)"
    )
    lever = ("train from the base model, on all solutions", "train.start_from", "base")
    if e.config.train.start_from == "base":
        rate = f"{e.config.train.learning_rate / 2:.1e}"
        lever = ("train with a lower learning rate, or fewer steps", "train.learning_rate", rate)
    return e.cause(
        "forgetting", said, *lever, lost=lost, won=won, canary_lost=canary.lost, canary=canary.problems
    )  # fmt: skip


def few_data(e: Evidence) -> Cause | None:
    coverage = e.newest.coverage
    share = coverage.left / max(1, coverage.train)
    if share > USED_UP and coverage.left >= FEWEST_LEFT:
        return None
    return e.cause(
        "few_data", f"{coverage.left:,} of {coverage.train:,} train problems are left to learn from",
        "give the run more problems, harder ones too (source.limit, source.options); needs a new run",
        "source.options", "", left=coverage.left, train=coverage.train,
    )  # fmt: skip


def no_diversity(e: Evidence) -> Cause | None:
    shares = [one.diversity.unsolved_share for one in e.samplings if one.diversity.unsolved_share is not None]
    if not shares or max(shares) > SAME_AGAIN:
        return None
    hottest = max(e.config.sampling.temperatures)
    return e.cause(
        "no_diversity", f"of the samples of unsolved problems {shares[-1]:.0%} are distinct codes",
        "sample hotter; if that only breaks the code, train from the base model (train.start_from=base)",
        "sampling.temperatures", f"[{min(1.4, hottest + 0.3):.1f}]", distinct=shares[-1], temperature=hottest,
    )  # fmt: skip


def only_hard_left(e: Evidence) -> Cause | None:
    levels = {int(level): coverage for level, coverage in e.newest.by_difficulty.items()}
    train = sorted(level for level, coverage in levels.items() for _ in range(coverage.train))
    left = sum(coverage.left for coverage in levels.values())
    if len(levels) < 2 or not train or not left:
        return None
    median = train[len(train) // 2]
    share = sum(coverage.left for level, coverage in levels.items() if level > median) / left
    if share < HARD:
        return None
    return e.cause(
        "only_hard_left", f"{share:.0%} of the {left:,} problems left are harder than {median} (the median difficulty)",
        "spend more samples on them (sampling.adaptive moves the budget there), or add problems in between",
        *more_samples(e.config), hard_share=share, median_difficulty=median, left=left,
    )  # fmt: skip


def always_wrong(e: Evidence) -> Cause | None:
    coverage, misses = e.newest.coverage, e.newest.near_misses
    if not coverage.left or coverage.ran / max(1, coverage.tried) < RUNS:
        return None
    near = misses.problems / coverage.left
    said = f"of {coverage.tried:,} problems {coverage.ran:,} had code that ran, and {coverage.left:,} stay unsolved"
    lever = "draw more samples, hotter ones for what is unsolved (sampling.temperatures), show what failed and why "
    lever += "(sampling.repair), or hints (sampling.reference_hints, sharing.hints)"
    if near >= NEAR:
        said += f"; on {misses.problems:,} of them code fails on hidden tests or on the last test alone"
        lever = f"look at the tests of these problems ({', '.join(misses.problem_ids[:3])}); then {lever}"
    return e.cause(
        "always_wrong", said, lever, *more_samples(e.config), left=coverage.left, near_misses=misses.problems,
        newly_solved=e.newly_solved,
    )  # fmt: skip


def more_samples(config: RunConfig) -> tuple[str, str]:
    """Return the key that decides how many samples there are, and twice its value."""
    adaptive = config.sampling.adaptive
    if adaptive is not None:
        return "sampling.adaptive.samples_per_problem", f"{2 * adaptive.samples_per_problem:g}"
    return "sampling.waves", f"[{','.join(str(2 * wave) for wave in config.sampling.waves)}]"


RULES: tuple[Callable[[Evidence], Cause | None], ...] = (
    checker_fails, time_or_memory, cut_off, nothing_runs, forgetting, few_data, no_diversity, only_hard_left,
    always_wrong,
)  # fmt: skip
