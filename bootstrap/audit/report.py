"""What the audit of many problems comes to: one line, rows of JSON, and a table by kill rate and by operator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import mean
from typing import Any

from bootstrap.audit.audit import ProblemAudit, quarantine_reason
from bootstrap.config import AuditConfig
from interpreters.wire import test_case_to_json

WORST = 10
BANDS = (1.0, 0.95, 0.9, 0.8, 0.5, 0.0)


@dataclass(frozen=True)
class Totals:
    """Sums over audited problems. `kill_rate`: of all mutants; null where none was made."""

    problems: int
    skipped: int
    mutants: int
    killed_wrong: int
    killed_error: int
    survived: int
    killed_before: int
    kill_rate: float | None
    data_sets_added: int
    problems_mended: int
    quarantined: int

    def line(self) -> str:
        if not self.problems:
            return "audit: off" if not self.skipped else f"audit: {self.skipped} problems, none of which has mutants"
        share = f"{self.kill_rate:.1%} killed" if self.kill_rate is not None else "none killed"
        skipped = f", {_count(self.skipped, 'problem')} without mutants" if self.skipped else ""
        return (
            f"audit: {_count(self.problems, 'problem')}, {_count(self.mutants, 'mutant')}, {share}, "
            f"{_count(self.data_sets_added, 'data set')} added, {_count(self.quarantined, 'problem')} "
            f"quarantined{skipped}"
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def totals_of(audits: Sequence[ProblemAudit], config: AuditConfig) -> Totals:
    done = [one for one in audits if not one.skipped]
    made = sum(one.mutants for one in done)
    survived = sum(len(one.survivors) for one in done)
    return Totals(
        problems=len(done),
        skipped=len(audits) - len(done),
        mutants=made,
        killed_wrong=sum(one.killed_wrong for one in done),
        killed_error=sum(one.killed_error for one in done),
        survived=survived,
        killed_before=sum(one.killed_before for one in done),
        kill_rate=(made - survived) / made if made else None,
        data_sets_added=sum(len(one.added) for one in done),
        problems_mended=sum(bool(one.added) for one in done),
        quarantined=sum(quarantine_reason(one, config) is not None for one in audits),
    )


def audit_row(one: ProblemAudit, *, with_tests: bool = False) -> dict[str, Any]:
    """Return the audit of one problem as JSON; its added data sets as how each was made, or whole."""
    row = {
        "problem_id": one.problem_id, "language": one.language, "mutants": one.mutants,
        "killed_wrong": one.killed_wrong, "killed_error": one.killed_error, "killed_before": one.killed_before,
        "kill_rate": round(one.kill_rate, 4) if not one.skipped else None,
        "survivors": [asdict(mutant) for mutant in one.survivors],
        "added": list(one.kinds), "by_operator": {name: list(row) for name, row in one.by_operator.items()},
        "skipped": one.skipped,
    }  # fmt: skip
    return row | ({"tests": [test_case_to_json(test) for test in one.added]} if with_tests else {})


# -- the table of the program: from rows, so that a resumed run counts what was done before ----------------------------


def report_lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the table at the end: the distribution of kill rates, the worst problems, the operators."""
    done = [row for row in rows if not row["skipped"]]
    if done:
        yield from _overview(done)
        yield from _distribution([row["kill_rate"] for row in done])
        yield from _worst(done)
        yield from _operators(done)
    reasons = Counter(row["skipped"] for row in rows if row["skipped"])
    for reason, count in reasons.most_common():
        yield f"skipped {count}: {reason}"


def _overview(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    made = sum(row["mutants"] for row in rows)
    wrong, errors = sum(row["killed_wrong"] for row in rows), sum(row["killed_error"] for row in rows)
    before = sum(row["killed_before"] for row in rows)
    added = sum(len(row["added"]) for row in rows)
    yield (
        f"{len(rows):,} problems, {made:,} mutants: {(wrong + errors) / made:.2%} killed "
        f"({wrong:,} by a wrong answer, {errors:,} by an error), {made - wrong - errors:,} survived"
    )
    ran = made - errors
    if ran:
        yield f"of the {ran:,} mutants that give a table: {wrong / ran:.2%} killed"
    if added:
        yield f"{added:,} data sets added; before them {before / made:.2%} were killed"


def _distribution(rates: Sequence[float]) -> Iterator[str]:
    yield ""
    yield f"kill rate by problem (mean {mean(rates):.2%}):"
    above: float | None = None
    for band in BANDS:
        count = sum(band <= rate and (above is None or rate < above) for rate in rates)
        label = "100 %" if band == 1.0 else f"{band:.0%} to {above:.0%}"
        yield f"  {label:<14}{count:>7,}  {count / len(rates):>6.1%}"
        above = band


def _worst(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    worst = [row for row in sorted(rows, key=lambda row: (row["kill_rate"], row["problem_id"])) if row["survivors"]]
    if worst:
        yield ""
        yield "worst problems:"
    for row in worst[:WORST]:
        yield f"  {row['problem_id']}  {row['kill_rate']:.0%} of {row['mutants']}"
        for mutant in row["survivors"][:3]:
            yield f"    {mutant['operator']}: {mutant['detail']}"


def _operators(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    sums: dict[str, list[int]] = {}
    for row in rows:
        for name, counts in row["by_operator"].items():
            sums[name] = [a + b for a, b in zip(sums.get(name, [0, 0, 0]), counts, strict=True)]
    yield ""
    yield f"{'operator':<18}{'mutants':>9}{'wrong':>9}{'error':>9}{'survived':>10}"
    for name, (made, wrong, errors) in sorted(sums.items(), key=lambda pair: -pair[1][0]):
        yield f"{name:<18}{made:>9,}{wrong:>9,}{errors:>9,}{made - wrong - errors:>10,}"
