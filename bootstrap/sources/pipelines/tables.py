"""Random tables for pipelines: small, with missing values, ties and duplicate rows, and with values around the
constants that the pipeline asks about, so that its near-misses give other results."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from bootstrap.sources.pipelines.steps import Cell, Compare, Frame, FrameColumn, Row, Step

INT_NAMES = ("amount", "price", "qty", "score", "age", "weight", "cost", "stock")
TEXT_NAMES = ("city", "color", "team", "brand")
NEW_NAMES = ("total", "bonus", "extra")
TEXTS: dict[str, tuple[str, ...]] = {
    "city": ("rome", "oslo", "lima"),
    "color": ("red", "green", "blue"),
    "team": ("north", "south", "east"),
    "brand": ("acme", "zenith", "orion"),
}
MAX_INT = 14


@dataclass(frozen=True)
class Schema:
    columns: tuple[FrameColumn, ...]


def draw_schema(rng: random.Random) -> Schema:
    """Return 3-5 columns: one or two of text, the rest integers, some of them with missing values."""
    width = rng.randint(3, 5)
    texts = rng.sample(TEXT_NAMES, rng.randint(1, 2 if width > 3 else 1))
    ints = rng.sample(INT_NAMES, width - len(texts))
    columns = [FrameColumn(name, "text", nullable=rng.random() < 0.3) for name in texts]
    columns += [FrameColumn(name, "int", nullable=i > 1 and rng.random() < 0.6) for i, name in enumerate(ints)]
    rng.shuffle(columns)
    return Schema(tuple(columns))


def interesting_values(steps: Sequence[Step]) -> dict[str, list[int]]:
    """Return, by column, the integers at and beside the constants that the steps compare with."""
    values: dict[str, list[int]] = {}
    for step in steps:
        if isinstance(step, Compare) and isinstance(step.value, int):
            values.setdefault(step.column, []).extend((step.value - 1, step.value, step.value, step.value + 1))
    return values


def draw_cell(rng: random.Random, column: FrameColumn, interesting: Sequence[int]) -> Cell:
    if column.nullable and rng.random() < 0.25:
        return None
    if column.kind == "text":
        return rng.choice(TEXTS[column.name])
    if interesting and rng.random() < 0.5:
        return rng.choice(interesting)
    return rng.randint(0, MAX_INT)


def draw_table(rng: random.Random, schema: Schema, steps: Sequence[Step]) -> Frame:
    """Return 8-12 rows that fit the schema, about two of them duplicates of others."""
    interesting = interesting_values(steps)
    rows: list[Row] = [
        tuple(draw_cell(rng, column, interesting.get(column.name, ())) for column in schema.columns)
        for _ in range(rng.randint(7, 10))
    ]
    for row in rng.sample(rows, rng.randint(1, 2)):
        rows.insert(rng.randrange(len(rows) + 1), row)
    return Frame(schema.columns, tuple(rows))
