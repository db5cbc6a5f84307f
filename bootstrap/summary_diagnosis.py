"""A diagnosis in sentences and metrics: for the log, the iteration's page and the tracker."""

from __future__ import annotations

from collections.abc import Sequence

from bootstrap.diagnosis_records import Cause, DevChange, Diagnosis, ErrorKind, SamplingDiagnosis
from bootstrap.visible_text import visible

NAMED = 5  # problem ids quoted in a sentence
SHOWN_ERRORS = 8


def diagnosis_metrics(diagnosis: Diagnosis) -> dict[str, float | int | None]:
    """Return the figures under the names that every tracker and page uses; None where nothing was measured."""
    dev, sampling = diagnosis.dev, diagnosis.sampling
    found: dict[str, float | int | None] = {
        "diagnosis/dev_won": dev.against_previous.won if dev.against_previous else None,
        "diagnosis/dev_lost": dev.against_previous.lost if dev.against_previous else None,
        "diagnosis/dev_won_against_base": dev.against_base.won if dev.against_base else None,
        "diagnosis/dev_lost_against_base": dev.against_base.lost if dev.against_base else None,
        "diagnosis/canary_problems": dev.canary.problems if diagnosis.iteration else None,
        "diagnosis/canary_lost": dev.canary.lost if diagnosis.iteration else None,
        "diagnosis/promoted": int(diagnosis.promotion.promoted),
        "diagnosis/stalled": diagnosis.stalled,
    }
    return found if sampling is None else found | _sampling_metrics(sampling)


def _sampling_metrics(sampling: SamplingDiagnosis) -> dict[str, float | int | None]:
    coverage, diversity = sampling.coverage, sampling.diversity
    shares = {
        "ran_share": sampling.ran, "passed_share": sampling.passed, "timeout_share": sampling.timeouts,
        "over_limits_share": sampling.over_limits, "not_judged_share": sampling.not_judged,
        "cut_off_share": sampling.cut_off, "other_language_share": sampling.other_language,
    }  # fmt: skip
    found: dict[str, float | int | None] = {
        f"diagnosis/{name}": round(n / sampling.samples, 4) for name, n in shares.items()
    }
    for level, one in sampling.by_difficulty.items():
        if one.tried and len(sampling.by_difficulty) > 1:
            found[f"diagnosis/solved_share_difficulty_{level}"] = round(one.solved / one.tried, 4)
    for way, made in sampling.by_way.items():
        found[f"diagnosis/solved_by_{way.replace(' ', '_')}"] = made.solved
    return found | {
        "diagnosis/problems_ran_share": round(coverage.ran / coverage.tried, 4),
        "diagnosis/problems_solved_share": round(coverage.solved / coverage.tried, 4),
        "diagnosis/distinct_share": diversity.distinct_share,
        "diagnosis/distinct_share_unsolved": diversity.unsolved_share,
        "diagnosis/distinct_per_problem": diversity.per_problem,
        "diagnosis/near_miss_problems": sampling.near_misses.problems,
        "diagnosis/tokens_mean": sampling.lengths.tokens_mean,
    }


def diagnosis_lines(diagnosis: Diagnosis) -> list[str]:
    """Return the diagnosis as lines of Markdown, without a title."""
    lines = [] if diagnosis.sampling is None else _sampling_lines(diagnosis.sampling)
    dev = diagnosis.dev
    for against, name in ((dev.against_previous, "the iteration before"), (dev.against_base, "iteration 0")):
        if against is not None:
            lines.append(f"- dev against {name}: {_changed(against)}")
    if diagnosis.iteration:
        lost = f"{dev.canary.lost:,} of {dev.canary.problems:,} are lost{_named(dev.canary.lost_ids)}"
        lines.append(f"- canaries (dev problems that an earlier best model solved): {lost}")
    lines.append(f"- {promotion_sentence(diagnosis)}")
    for cause in diagnosis.causes:
        lines.append(f"- {'likely cause' if cause is diagnosis.causes[0] else 'also'}: {cause_sentence(cause)}")
    errors = diagnosis.sampling.errors if diagnosis.sampling else dev.errors
    return lines + _error_lines(errors[:SHOWN_ERRORS], "samples" if diagnosis.sampling else "dev answers")


def _sampling_lines(sampling: SamplingDiagnosis) -> list[str]:
    coverage, diversity, misses, total = sampling.coverage, sampling.diversity, sampling.near_misses, sampling.samples
    levels = [
        f"difficulty {level}: {one.ran:,} ran, {one.solved:,} solved of {one.tried:,}"
        for level, one in sampling.by_difficulty.items()
        if one.tried
    ]
    unsolved = diversity.unsolved_share
    ways = [
        f"{way} {one.solved:,} of {one.problems:,} ({one.samples:,} samples)" for way, one in sampling.by_way.items()
    ]
    return [
        *([f"- solved by: {'; '.join(ways)}"] if ways else []),
        f"- coverage: of {coverage.tried:,} problems tried {coverage.ran:,} had a sample that ran, {coverage.solved:,} "
        "were solved" + (f" ({'; '.join(levels)})" if len(levels) > 1 else ""),
        f"- diversity: {diversity.distinct:,} distinct codes in {total:,} samples ({diversity.distinct_share:.1%}), "
        f"{diversity.per_problem:g} per problem"
        + ("" if unsolved is None else f"; on unsolved problems {unsolved:.1%} are distinct"),
        f"- near-misses: {misses.problems:,} unsolved problems fail on hidden tests or the last test alone"
        f"{_named(misses.problem_ids)}; {misses.some_passed:,} failing samples passed some test",
        f"- limits: {sampling.timeouts:,} timeouts, {sampling.over_limits:,} over memory or output, "
        f"{sampling.cut_off:,} cut off at the limit of tokens; {sampling.other_language:,} look like another language, "
        f"{sampling.no_code:,} hold no code",
        f"- length: {sampling.lengths.tokens_mean:g} tokens on average (median {sampling.lengths.tokens_median:g}, "
        f"longest {sampling.lengths.tokens_max:,})",
    ]


def _changed(against: DevChange) -> str:
    return f"{against.won:,} won, {against.lost:,} lost{_named(against.lost_ids)}"


def _named(ids: Sequence[str]) -> str:
    return f" ({', '.join(ids[:NAMED])}{', …' if len(ids) > NAMED else ''})" if ids else ""


def _error_lines(errors: Sequence[ErrorKind], what: str) -> list[str]:
    if not errors:
        return []
    found = ["", f"Most frequent errors of the {what} (values and names folded):", ""]
    for one in errors:
        told = visible(one.message).replace("\n", " ")
        found.append(f"    {one.samples:>6,} on {one.problems:>5,} problems  {one.outcome}: {told}".rstrip(": "))
    return found


def promotion_sentence(diagnosis: Diagnosis) -> str:
    """Return whether the model was promoted, and from what the next iteration starts."""
    promotion = diagnosis.promotion
    said = f"iteration {diagnosis.iteration} is the best on dev so far"
    if not promotion.promoted:
        said = f"iteration {diagnosis.iteration} was not promoted: iteration {promotion.best} stays the best on dev"
    trained = "the base model" if promotion.trains_from is None else f"that of iteration {promotion.trains_from}"
    return f"{said}; the next one samples with the model of iteration {promotion.samples_with} and trains {trained}"


def cause_sentence(cause: Cause) -> str:
    key = f" [{cause.key}]" if cause.key else ""
    words = f"; go on with: {cause.words}" if cause.words else ""
    return f"{cause.name}: {cause.sentence}. Lever{key}: {cause.lever}{words}"


def log_sentences(diagnosis: Diagnosis) -> list[str]:
    """Return what a person acts on: a model that was not promoted, and why dev stands still."""
    said = [] if diagnosis.promotion.promoted else [promotion_sentence(diagnosis)]
    if diagnosis.causes:
        rounds = "1 iteration" if diagnosis.stalled == 1 else f"{diagnosis.stalled} iterations"
        said.append(f"no better dev score for {rounds}; likely cause {cause_sentence(diagnosis.causes[0])}")
        also = ", ".join(cause.name for cause in diagnosis.causes[1:])
        said += [f"also possible: {also} (see iteration_{diagnosis.iteration}/diagnosis.json)"] if also else []
    return said
