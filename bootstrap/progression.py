"""How a run moves on: which model is the best, from which one training starts, and when to stop. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bootstrap.config import RunConfig


@dataclass(frozen=True)
class Past:
    """What later decisions need to know of a finished iteration."""

    iteration: int
    dev_pass_at_1: float
    parent: int | None = None
    newly_solved: int = 0
    attempted: int = 0
    solved_total: int = 0


def past_of(metadata: Mapping[str, Any]) -> Past:
    """Return the record of an iteration whose EVALUATE is finished."""
    stages = metadata["stages"]
    solve = stages.get("SOLVE", {})
    return Past(
        iteration=metadata["iteration"],
        dev_pass_at_1=stages["EVALUATE"]["dev"]["pass_at_1"],
        parent=metadata.get("parent"),
        newly_solved=solve.get("newly_solved", 0),
        attempted=solve.get("attempted", 0),
        solved_total=solve.get("solved_total", stages.get("CONVERT", {}).get("seeds", 0)),
    )


def best_of(past: Sequence[Past]) -> Past:
    """Return the iteration with the highest dev score; of equals the newest, which has seen more data."""
    return max(past, key=lambda p: (p.dev_pass_at_1, p.iteration))


def without_gain(past: Sequence[Past]) -> int:
    """Return how many of the last iterations brought no dev score above all before them."""
    count = 0
    for i in range(len(past) - 1, 0, -1):
        if past[i].dev_pass_at_1 > max(p.dev_pass_at_1 for p in past[:i]):
            break
        count += 1
    return count


def stop_reason(past: Sequence[Past], config: RunConfig, train_problems: int) -> str | None:
    """Return why the loop ends after these iterations, or None when it goes on."""
    last = past[-1]
    target = config.target_problems
    if target is not None and last.solved_total >= target:
        return f"target reached: {last.solved_total} of {target} problems solved"
    if last.solved_total >= train_problems:
        return "every train problem is solved"
    rounds = config.plateau.rounds
    if without_gain(past) >= rounds:
        least = config.plateau.min_newly_solved
        few = [p.newly_solved < least * p.attempted or not p.attempted for p in past[-rounds:]]
        if all(few):
            share = f"{least:.0%}"
            return f"plateau: {rounds} iterations without a better dev score, and under {share} newly solved in each"
    if last.iteration >= config.max_iterations:
        return f"max iterations: {config.max_iterations}"
    return None
