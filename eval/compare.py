"""Compare two runs: the same held-out problems, paired, with intervals; and the settings in which the runs differ.

    python -m eval.compare outputs/A outputs/B
    python -m eval.compare outputs/A outputs/B --out comparison.json

Reads both run folders and changes nothing. The models compared are those that each run has promoted; on the test
problems where both runs have finished, else on dev, on which they were also chosen, so that a small lead there means
nothing. Only problems that both runs have held out count; a problem that one of the runs has trained on never does.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bootstrap.config import flatten
from bootstrap.errors import UserError
from bootstrap.files import read_jsonl, write_json
from bootstrap.programs import run_program
from bootstrap.run_store import RunStore
from eval.final_report import RunFiles, build_report
from eval.metrics import ProblemScore, summarise
from eval.paired import PairedComparison, compare_models
from eval.report_shape import FinalReport

FEWEST = 20
"""Problems in common below which a comparison says too little to be printed."""


@dataclass(frozen=True)
class Side:
    """One of the runs."""

    name: str
    files: RunFiles
    report: FinalReport

    @classmethod
    def of(cls, folder: Path) -> Side:
        """Read a run. Raises UserError for a folder that holds none, or one without any evaluated iteration."""
        files = RunFiles(RunStore(folder))
        report = build_report(files)
        if report.best_iteration is None:
            raise UserError(f"{folder} has no evaluated iteration yet: there is nothing to compare")
        return cls(folder.name, files, report)

    def rows(self, part: str) -> list[ProblemScore]:
        """Return the scores of the promoted model on dev or test."""
        if part == "test":
            path = self.files.test_rows("best")
        else:
            path = self.files.store.iteration(self.report.best_iteration or 0) / "evaluation" / "dev.jsonl"
        return [ProblemScore.from_json(row) for row in read_jsonl(path)]

    @property
    def trained_on(self) -> set[str]:
        """Return the problems that this run may have trained on."""
        return set((self.files.split or {}).get("train", ()))


def held_out(first: Side, second: Side, part: str) -> tuple[list[ProblemScore], list[ProblemScore]]:
    """Return both sides' scores on the problems that both have in this part, in one order. Raises UserError."""
    left, right = ({row.problem_id: row for row in side.rows(part)} for side in (first, second))
    common = sorted((left.keys() & right.keys()) - first.trained_on - second.trained_on)
    if len(common) < FEWEST:
        raise UserError(
            f"{first.name} has {len(left)} {part} problems and {second.name} {len(right)}, but only {len(common)} are "
            f"the same; at least {FEWEST} are needed. Runs can be compared that have the same source, split and seed"
        )
    return [left[problem_id] for problem_id in common], [right[problem_id] for problem_id in common]


def part_of(first: Side, second: Side) -> str:
    """Return where both can be compared: the test, which was touched once, or dev."""
    return "test" if first.report.test and second.report.test else "dev"


def by_target(left: Sequence[ProblemScore], right: Sequence[ProblemScore]) -> dict[str, PairedComparison]:
    """Return the comparison for each target language, where the runs have several."""
    targets = sorted({row.target for row in left if row.target})
    return {
        target: compare_models([r for r in left if r.target == target], [r for r in right if r.target == target])
        for target in targets
    }


def differing_settings(first: Side, second: Side) -> dict[str, tuple[Any, Any]]:
    """Return dotted key -> both values, where the settings differ."""
    left, right = (flatten(side.files.run.get("settings", {})) for side in (first, second))
    return {key: (left.get(key), right.get(key)) for key in sorted(left | right) if left.get(key) != right.get(key)}


def course(side: Side) -> dict[str, Any]:
    """Return what a run came to."""
    last = side.report.iterations[-1] if side.report.iterations else None
    return {
        "run": side.name, "target": side.report.target, "best_iteration": side.report.best_iteration,
        "iterations": len(side.report.iterations), "solved": last.solved_by_loop if last else None,
        "samples": sum(row.samples or 0 for row in side.report.iterations), "minutes": side.report.seconds_total / 60,
        "stopped_because": side.report.stopped_because,
    }  # fmt: skip


def compare(first: Side, second: Side) -> dict[str, Any]:
    """Return the whole comparison, as plain JSON. Raises UserError."""
    part = part_of(first, second)
    left, right = held_out(first, second, part)
    return {
        "part": part, "first": course(first), "second": course(second), "n": len(left),
        "pass_at_1": [asdict(summarise(rows, ks=[1])) for rows in (left, right)],
        "second_minus_first": asdict(compare_models(left, right)),
        "by_target": {target: asdict(found) for target, found in by_target(left, right).items()},
        "settings": {key: list(values) for key, values in differing_settings(first, second).items()},
    }  # fmt: skip


# -- for people ---------------------------------------------------------------------------------------------------


def gain(found: Mapping[str, Any]) -> str:
    low, high = found["ci95"]
    return (
        f"{found['difference'] * 100:+.1f} points (95 % interval {low * 100:+.1f} to {high * 100:+.1f}, p "
        f"{found['p_value']:.2g}); {found['wins']:,} problems won, {found['losses']:,} lost"
    )


def lines_of(found: Mapping[str, Any]) -> list[str]:
    """Return the comparison in lines."""
    lines = [f"{found['n']:,} {found['part']} problems that both have held out, greedy answers:"]
    for side, rate in zip((found["first"], found["second"]), found["pass_at_1"], strict=True):
        low, high = rate["ci95"]
        solved = "–" if side["solved"] is None else f"{side['solved']:,}"
        lines.append(
            f"  {side['run']:<28} {rate['pass_at_1']:6.1%} ({low:.1%} to {high:.1%})  iteration "
            f"{side['best_iteration']} of {side['iterations'] - 1}, {solved} solved, {side['samples']:,} samples, "
            f"{side['minutes']:.1f} minutes"
        )
    lines.append(f"second minus first: {gain(found['second_minus_first'])}")
    lines += [f"  {target}: {gain(one)}" for target, one in found["by_target"].items()]
    if found["part"] == "dev":
        lines.append("Not both runs have been tested: dev is also what their models were chosen on.")
    lines += ["settings that differ:" if found["settings"] else "the settings are the same"]
    return lines + [f"  {key}: {old!r} -> {new!r}" for key, (old, new) in found["settings"].items()]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=Path, help="folder of a run")
    parser.add_argument("second", type=Path, help="folder of another one")
    parser.add_argument("--out", type=Path, help="JSON file for the comparison")
    args = parser.parse_args(argv)

    def work() -> None:
        found = compare(Side.of(args.first), Side.of(args.second))
        print("\n".join(lines_of(found)))
        if args.out:
            write_json(args.out, found)

    run_program(work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
