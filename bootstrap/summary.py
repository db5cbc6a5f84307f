"""What a finished iteration tells: a row of the table, metrics for the tracker, a page of Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bootstrap.config import RunConfig
from bootstrap.diagnosis_records import Diagnosis
from bootstrap.progression import best_of, past_of
from bootstrap.records import Candidate, Problem
from bootstrap.run_store import RunStore
from bootstrap.summary_diagnosis import diagnosis_lines, diagnosis_metrics
from bootstrap.summary_table import SummaryRow

EXAMPLES = 5

Metadata = Mapping[str, Any]


def summary_rows(records: Sequence[Metadata]) -> list[SummaryRow]:
    """Return one row per iteration; the best by dev score is marked."""
    best = best_of([past_of(record) for record in records]).iteration
    return [summary_row(record, best) for record in records]


def summary_row(metadata: Metadata, best: int) -> SummaryRow:
    stages, past = metadata["stages"], past_of(metadata)
    dev, control = stages["EVALUATE"]["dev"], stages["EVALUATE"].get("control_dev")
    return SummaryRow(
        iteration=past.iteration,
        solved_total=past.solved_total,
        newly_solved=past.newly_solved if "SOLVE" in stages else None,
        pass_at_1=dev["pass_at_1"],
        ci95=tuple(dev["ci95"]),
        control=control["pass_at_1"] if control else None,
        seconds={stage: record["seconds"] for stage, record in stages.items() if record["seconds"] >= 0.5},
        best=past.iteration == best,
    )


def metrics_of(metadata: Metadata, diagnosis: Diagnosis) -> dict[str, float | int]:
    """Return the iteration's metrics under the names that every tracker and page uses."""
    stages = metadata["stages"]
    solve, train, evaluate = stages.get("SOLVE", {}), stages.get("TRAIN", {}), stages["EVALUATE"]
    found = {
        "eval/pass_at_1": evaluate["dev"]["pass_at_1"],
        "eval/pass_at_1_low": evaluate["dev"]["ci95"][0],
        "eval/pass_at_1_high": evaluate["dev"]["ci95"][1],
        "eval/seed_only_pass_at_1": (evaluate.get("control_dev") or {}).get("pass_at_1"),
        "solve/attempted": solve.get("attempted"),
        "solve/samples": solve.get("samples"),
        "solve/newly_solved": solve.get("newly_solved"),
        "solve/solved_total": past_of(metadata).solved_total,
        "train/rows": stages.get("BUILD", {}).get("train_rows"),
        "train/steps": train.get("steps"),
        "train/loss": train.get("train_loss"),
        "train/tokens_per_second": train.get("tokens_per_second"),
    }
    found |= {f"eval/pass_at_{k}": v for k, v in evaluate["dev"]["pass_at_k"].items() if k != "1"}
    found |= {f"solve/outcome/{name}": count for name, count in solve.get("outcomes", {}).items()}
    found |= diagnosis_metrics(diagnosis)
    found |= {f"seconds/{stage.lower()}": record["seconds"] for stage, record in stages.items()}
    return {name: value for name, value in found.items() if value is not None}


def iteration_markdown(
    metadata: Metadata, problems: Mapping[str, Problem], store: RunStore, config: RunConfig, diagnosis: Diagnosis
) -> str:
    """Return the page `high_level_summary/iteration_N.md`."""
    number, stages = metadata["iteration"], metadata["stages"]
    evaluate, solve = stages["EVALUATE"], stages.get("SOLVE")
    low, high = evaluate["dev"]["ci95"]
    lines = [
        f"# {store.name}, iteration {number}",
        "",
        f"- target: {' and '.join(config.targets)}; training started from {started_from(metadata, config)}",
        f"- held-out pass@1 (dev, {evaluate['dev']['n']} problems): {evaluate['dev']['pass_at_1']:.1%} "
        f"(95 % interval {low:.1%} to {high:.1%})" + (", the best so far" if evaluate["best_so_far"] else ""),
    ]
    if evaluate.get("control_dev"):
        lines.append(f"- seed-only control at the same steps: {evaluate['control_dev']['pass_at_1']:.1%}")
    if solve:
        lines += [
            f"- solved: {solve['newly_solved']} new of {solve['attempted']} tried, {solve['solved_total']} in all, "
            f"with {solve['samples']} samples ({solve['distinct']} distinct)",
            "- outcomes: " + ", ".join(f"{name} {count}" for name, count in solve["outcomes"].items()),
        ]
    if stages.get("CONVERT", {}).get("audit"):
        lines.append(f"- {stages['CONVERT']['audit']}")
    lines.append(f"- training rows: {stages['BUILD']['train_rows']}")
    lines.append("- seconds: " + ", ".join(f"{name} {record['seconds']:.0f}" for name, record in stages.items()))
    lines += ["", "## Diagnosis", "", *diagnosis_lines(diagnosis)]
    return "\n".join(lines + examples(store.candidates(number), problems)) + "\n"


def started_from(metadata: Metadata, config: RunConfig) -> str:
    parent = metadata.get("parent")
    return "the base model" if parent is None or config.train.start_from == "base" else f"iteration {parent}"


def examples(candidates: Sequence[Candidate], problems: Mapping[str, Problem]) -> list[str]:
    """Return a few passing and failing candidates, fenced as code."""
    lines: list[str] = []
    for title, passed in (("Solved", True), ("Failed", False)):
        chosen: dict[str, Candidate] = {}
        for candidate in candidates:
            if candidate.passed is passed and len(chosen) < EXAMPLES:
                chosen.setdefault(candidate.problem_id, candidate)
        if chosen:
            lines += ["", f"## {title}"]
        for problem_id, candidate in chosen.items():
            reason = "" if passed else f" ({candidate.outcome.value}: {candidate.message})"
            fenced = "\n".join(f"    {line}" for line in candidate.code.splitlines())
            lines += ["", f"{problems[problem_id].statement}{reason}", "", fenced]
    return lines
