"""Draw a pipeline and the tables that tell it apart from its near-misses."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from bootstrap.sources.pipelines.steps import (
    AmbiguousStepError,
    Compare,
    Derive,
    Distinct,
    Drop,
    Fill,
    Frame,
    Group,
    Keep,
    Missing,
    Rename,
    Scale,
    Sort,
    Step,
    Top,
    apply_steps,
)
from bootstrap.sources.pipelines.tables import INT_NAMES, MAX_INT, NEW_NAMES, TEXTS, Schema, draw_schema, draw_table

TABLE_TRIES = 40


@dataclass(frozen=True)
class Pipeline:
    """Steps with the tables that test them: `tables[i]` must give `results[i]`."""

    steps: tuple[Step, ...]
    tables: tuple[Frame, ...]
    results: tuple[Frame, ...]


Draw = Callable[[random.Random, Frame], Step | None]


def names(frame: Frame, kind: str, nullable: bool | None = None) -> list[str]:
    """Return the column names of one kind (and, where asked, with or without missing values)."""
    return [c.name for c in frame.columns if c.kind == kind and nullable in (None, c.nullable)]


def pick(rng: random.Random, choices: list[str]) -> str | None:
    return rng.choice(choices) if choices else None


def draw_compare(rng: random.Random, frame: Frame) -> Step | None:
    column = pick(rng, names(frame, "int"))
    return (column and Compare(column, rng.choice((">", "<", ">=", "<=", "==")), rng.randint(3, MAX_INT - 3))) or None


def draw_match(rng: random.Random, frame: Frame) -> Step | None:
    column = pick(rng, [name for name in names(frame, "text") if name in TEXTS])
    return Compare(column, rng.choice(("==", "!=")), rng.choice(TEXTS[column])) if column else None


def draw_missing(rng: random.Random, frame: Frame) -> Step | None:
    column = pick(rng, names(frame, "int", nullable=True) + names(frame, "text", nullable=True))
    return Missing(column, rng.random() < 0.5) if column else None


def draw_sort(rng: random.Random, frame: Frame) -> Step | None:
    column = pick(rng, names(frame, "int", nullable=False))
    return Sort(column, rng.random() < 0.5) if column else None


def draw_top(rng: random.Random, frame: Frame) -> Step | None:
    column = pick(rng, names(frame, "int", nullable=False))
    return Top(rng.randint(2, 5), column, rng.random() < 0.5) if column else None


def draw_derive(rng: random.Random, frame: Frame) -> Step | None:
    columns, free = names(frame, "int"), [n for n in NEW_NAMES if n not in {c.name for c in frame.columns}]
    if len(columns) < 2 or not free:
        return None
    left, right = rng.sample(columns, 2)
    return Derive(rng.choice(free), left, rng.choice("+-"), right)


def draw_scale(rng: random.Random, frame: Frame) -> Step | None:
    column = pick(rng, names(frame, "int"))
    return Scale(column, rng.randint(2, 5)) if column else None


def draw_fill(rng: random.Random, frame: Frame) -> Step | None:
    column = pick(rng, names(frame, "int", nullable=True))
    return Fill(column, rng.randint(0, 9)) if column else None


def draw_drop(rng: random.Random, frame: Frame) -> Step | None:
    return Drop(rng.choice(frame.columns).name) if len(frame.columns) > 2 else None


def draw_keep(rng: random.Random, frame: Frame) -> Step | None:
    if len(frame.columns) < 3:
        return None
    return Keep(tuple(column.name for column in rng.sample(frame.columns, 2)))


def draw_rename(rng: random.Random, frame: Frame) -> Step | None:
    taken = {column.name for column in frame.columns}
    column = pick(rng, names(frame, "int"))
    free = [name for name in INT_NAMES if name not in taken]
    return Rename(column, rng.choice(free)) if column else None


def draw_distinct(rng: random.Random, frame: Frame) -> Step | None:
    return Distinct()


def draw_group(rng: random.Random, frame: Frame) -> Step | None:
    by, column = pick(rng, names(frame, "text")), pick(rng, names(frame, "int", nullable=False))
    return Group(by, rng.choice(("max", "min", "sum")), column) if by and column else None


def draw_count(rng: random.Random, frame: Frame) -> Step | None:
    by, free = pick(rng, names(frame, "text")), [n for n in NEW_NAMES if n not in {c.name for c in frame.columns}]
    return Group(by, "count", rng.choice(free)) if by and free else None


STEP_KINDS: dict[str, Draw] = {
    "compare": draw_compare,
    "match": draw_match,
    "missing": draw_missing,
    "sort": draw_sort,
    "top": draw_top,
    "derive": draw_derive,
    "scale": draw_scale,
    "fill": draw_fill,
    "drop": draw_drop,
    "keep": draw_keep,
    "rename": draw_rename,
    "distinct": draw_distinct,
    "group": draw_group,
    "count": draw_count,
}


def draw_steps(rng: random.Random, schema: Schema, kinds: list[str], length: int) -> tuple[Step, ...]:
    """Return `length` steps, each possible after those before it, no kind twice in a row."""
    steps: list[Step] = []
    frame = Frame(schema.columns, ())
    last = ""
    while len(steps) < length:
        kind = rng.choice(kinds)
        step = STEP_KINDS[kind](rng, frame) if kind != last else None
        if step is not None:
            steps.append(step)
            frame, last = step.apply(frame), kind
    return tuple(steps)


def same_result(left: Frame, right: Frame) -> bool:
    """Say whether `left` passes for the right result `right`: as a bag, or ordered with ties free."""
    if [c.name for c in left.columns] != [c.name for c in right.columns] or len(left.rows) != len(right.rows):
        return False
    if not right.order:
        return Counter(left.rows) == Counter(right.rows)
    keys = [right.index(name) for name in right.order]
    same_order = all(
        a[i] == b[i] for a, b in zip(left.rows, right.rows, strict=True) for i in keys
    )  # fmt: skip
    return same_order and Counter(left.rows) == Counter(right.rows)


def mutants(steps: tuple[Step, ...], frame: Frame) -> Iterator[tuple[Step, ...]]:
    """Yield near-misses: one step left out, or exchanged for a neighbour."""
    for i, step in enumerate(steps):
        yield (*steps[:i], *steps[i + 1 :])
        others = (other for other in step.neighbours(frame) if other != step)
        yield from ((*steps[:i], other, *steps[i + 1 :]) for other in others)
        frame = step.apply(frame)


def survives(mutant: tuple[Step, ...], tables: list[Frame], results: list[Frame]) -> bool:
    """Say whether a mutant gives the right result on every table (one that cannot run there is told apart)."""
    try:
        return all(same_result(apply_steps(mutant, t), r) for t, r in zip(tables, results, strict=True))
    except (AmbiguousStepError, KeyError, TypeError, ValueError):
        return False


def draw_tables(
    rng: random.Random, schema: Schema, steps: tuple[Step, ...], count: int
) -> tuple[list[Frame], list[Frame]] | None:
    """Return tables on which the steps have one answer that is not empty, with the answers; None where none fit."""
    tables: list[Frame] = []
    results: list[Frame] = []
    for _ in range(TABLE_TRIES):
        table = draw_table(rng, schema, steps)
        try:
            result = apply_steps(steps, table)
        except AmbiguousStepError:
            continue
        if result.rows:
            tables.append(table)
            results.append(result)
        if len(tables) == count:
            return tables, results
    return None


def draw_pipeline(rng: random.Random, kinds: list[str], length: int, num_tables: int) -> Pipeline:
    """Return a pipeline whose every near-miss gives a wrong result on at least one of its tables."""
    while True:
        schema = draw_schema(rng)
        steps = draw_steps(rng, schema, kinds, length)
        for _ in range(3):
            drawn = draw_tables(rng, schema, steps, num_tables)
            if drawn is None:
                break
            tables, results = drawn
            empty = replace(tables[0], rows=())
            if not any(survives(mutant, tables, results) for mutant in mutants(steps, empty)):
                return Pipeline(steps, tuple(tables), tuple(results))
