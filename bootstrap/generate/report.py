"""What a generation gave: counts by template or phase, constructs, near-duplicates, a page to look at, a card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bootstrap.code_metrics import constructs, near_duplicate_of
from bootstrap.export.rows import licence_ids, size_category
from bootstrap.files import write_text_atomic
from bootstrap.generate.base import Generator, Pair, Refusal
from bootstrap.records import digest
from bootstrap.visible_text import render_page

SAMPLES = 3  # pairs of each group on the page
SAMPLED_GROUPS = 60
REFUSALS_SHOWN = 40
NEAR_SAMPLED = 4_000  # pairs among which near-duplicates are looked for: the search is quadratic in the worst case


@dataclass(frozen=True)
class GroupCounts:
    """Each number counts what is left after the reason before it: generated, valid, not vacuous, distinct."""

    group: str
    generated: int
    valid: int
    telling: int
    distinct: int


def counts_by_group(pairs: Sequence[Pair], refusals: Sequence[Refusal]) -> list[GroupCounts]:
    kept = Counter(pair.group for pair in pairs)
    lost = Counter((refusal.group, refusal.kind) for refusal in refusals)
    found = []
    for group in sorted(kept.keys() | {group for group, _ in lost}):
        distinct = kept[group]
        telling = distinct + lost[group, "duplicate"]
        valid = telling + lost[group, "vacuous"]
        found.append(GroupCounts(group, valid + lost[group, "invalid"], valid, telling, distinct))
    return found


def total_of(groups: Iterable[GroupCounts]) -> GroupCounts:
    columns = [(one.generated, one.valid, one.telling, one.distinct) for one in groups]
    return (
        GroupCounts("all", *(sum(values) for values in zip(*columns, strict=True)))
        if columns
        else GroupCounts("all", 0, 0, 0, 0)
    )


def picked(pairs: Iterable[Pair], number: int) -> list[Pair]:
    """Return `number` pairs drawn by the digest of their ids: nobody's choice, and the same every time."""
    return sorted(pairs, key=lambda pair: digest("sample", pair.pair_id))[:number]


def construct_counts(pairs: Iterable[Pair]) -> dict[str, dict[str, int]]:
    """Return language -> construct -> pairs that use it, the most used first."""
    found: dict[str, Counter[str]] = {}
    for pair in pairs:
        found.setdefault(pair.language, Counter()).update(constructs(pair.code, pair.language))
    return {language: dict(counts.most_common()) for language, counts in sorted(found.items())}


def write_report(
    folder: Path, name: str, generator: Generator, settings: Mapping[str, Any], pairs: Sequence[Pair],
    refusals: Sequence[Refusal], notes: Sequence[str],
) -> dict[str, Any]:  # fmt: skip
    """Write report.html and README.md; return the summary."""
    groups = counts_by_group(pairs, refusals)
    sample = picked(pairs, NEAR_SAMPLED)
    near = near_duplicate_of([(pair.language, pair.code) for pair in sample])
    reasons = Counter((refusal.kind, refusal.reason) for refusal in refusals)
    summary = {
        "generator": name, "settings": dict(settings), "total": asdict(total_of(groups)),
        "groups": [asdict(one) for one in groups], "constructs": construct_counts(pairs),
        "near_duplicates": {"among": len(sample), "found": len(near)}, "notes": sorted(set(notes)),
        "refused": [{"kind": kind, "reason": reason, "count": n} for (kind, reason), n in reasons.most_common()],
        "problems": sum(pair.problem is not None for pair in pairs),
        "digest": digest(*(f"{pair.pair_id} {digest(pair.question, pair.code)}" for pair in pairs)),
    }  # fmt: skip
    page = render_page(
        Path(__file__).with_name("report.html.jinja"), title=generator.title, summary=summary,
        samples=_samples(pairs, groups), refusals=_refusals(refusals),
    )  # fmt: skip
    write_text_atomic(folder / "report.html", page)
    write_text_atomic(folder / "README.md", card(generator, summary))
    return summary


def _samples(pairs: Sequence[Pair], groups: Sequence[GroupCounts]) -> list[tuple[str, list[Pair]]]:
    members: dict[str, list[Pair]] = {}
    for pair in pairs:
        members.setdefault(pair.group, []).append(pair)
    shown = sorted(members, key=lambda group: digest("group", group))[:SAMPLED_GROUPS]
    return [(group, picked(members[group], SAMPLES)) for group in sorted(shown)]


def _refusals(refusals: Sequence[Refusal]) -> list[Refusal]:
    """Return one refusal of each kind and reason, those with something to see first."""
    first: dict[tuple[str, str], Refusal] = {}
    for refusal in sorted(refusals, key=lambda one: not one.sample):
        first.setdefault((refusal.kind, refusal.reason), refusal)
    return list(first.values())[:REFUSALS_SHOWN]


# -- the card -----------------------------------------------------------------------------------------------------


def card(generator: Generator, summary: Mapping[str, Any]) -> str:
    """Return README.md: the header that the Hugging Face hub reads, counts, and how every pair was verified."""
    total = summary["total"]
    languages = sorted(summary["constructs"])
    lines = ["---", "license:", *[f"- {name}" for name in licence_ids([generator.licence])]]
    lines += ["task_categories:", "- text-generation", "tags:", "- code", *[f"- {name}" for name in languages]]
    lines += ["size_categories:", f"- {size_category(total['distinct'])}", "configs:", "- config_name: default"]
    lines += ["  data_files:", "  - split: train", "    path: pairs.jsonl", "---", "", f"# {generator.title}", ""]
    lines += [
        f"{total['distinct']:,} pairs. Every one was executed, and its answer agreed with an independent one.",
        "",
    ]
    lines += ["| | generated | valid | not vacuous | distinct |", "|---|---|---|---|---|"]
    for one in [*summary["groups"], total]:
        cells = [one["generated"], one["valid"], one["telling"], one["distinct"]]
        lines.append(f"| {one['group']} | {' | '.join(f'{cell:,}' for cell in cells)} |")
    lines += ["", f"Licence: {generator.licence}", ""]
    if summary["refused"]:
        lines += ["## What was refused", ""]
        lines += [f"- {row['count']:,} {row['kind']}: {row['reason']}" for row in summary["refused"]] + [""]
    if summary["notes"]:
        lines += ["## About the inputs", "", *[f"- {note}" for note in summary["notes"]], ""]
    near = summary["near_duplicates"]
    lines += [
        f"Among {near['among']:,} pairs drawn by digest, {near['found']:,} are near-duplicates of another one.",
        "",
    ]
    return "\n".join(lines)


def print_summary(summary: Mapping[str, Any], folder: Path) -> None:
    """Print the counts; the rest is in the report."""
    total = summary["total"]
    print(
        f"{summary['generator']}: {total['generated']:,} generated, {total['valid']:,} valid, {total['telling']:,} not "
        f"vacuous, {total['distinct']:,} distinct; {summary['problems']:,} of them are problems for the loop"
    )
    for row in summary["refused"][:12]:
        print(f"  {row['count']:>7,} {row['kind']}: {row['reason']}")
    print(f"see {folder / 'report.html'}", flush=True)
