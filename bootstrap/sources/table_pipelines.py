"""`table_pipelines`: a seeded generator of problems over random tables.

Each problem is a pipeline of 1-6 steps in words, with several data sets and one reference per target language
rendered from the same steps. The expected results come from the steps' meaning in plain Python
(`pipelines/steps.py`); admission runs every reference and refuses a problem on which the languages do not agree.
Every near-miss of a pipeline (a step left out, another column, operator, constant or direction) fails at least one of
its data sets.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from bootstrap.errors import UserError, nearest
from bootstrap.records import Problem, digest
from bootstrap.sources.pipelines import duckdb_code, ibis_code, polars_code, postgres_code, q_code
from bootstrap.sources.pipelines.generate import STEP_KINDS, Pipeline, draw_pipeline
from bootstrap.sources.pipelines.steps import Frame, FrameColumn, Step
from bootstrap.sources.pipelines.wording import describe
from interpreters.base import Column, ColumnType, Table, TestCase

RENDERERS: dict[str, Callable[[tuple[Step, ...], tuple[FrameColumn, ...]], str]] = {
    "polars": polars_code.render,
    "duckdb": duckdb_code.render,
    "postgres": postgres_code.render,
    "ibis": ibis_code.render,
    "q": q_code.render,
}
"""Language -> how its reference is written, from the steps and the columns of `df`."""

TYPES = {"int": ColumnType.INT, "float": ColumnType.FLOAT, "text": ColumnType.STRING}


class TablePipelines:
    class Options(BaseModel):
        model_config = ConfigDict(extra="forbid", frozen=True)

        count: int = Field(2000, ge=1)
        """Problems, each with another statement."""
        length_weights: Annotated[tuple[float, ...], Field(min_length=1, max_length=6)] = (1.0, 1.0, 1.0)
        """How often a pipeline has 1, 2, 3, ... steps."""
        kinds: tuple[str, ...] = tuple(STEP_KINDS)
        """Kinds of step to draw from."""
        data_sets: int = Field(4, ge=2)
        """Tables per problem; the second half is hidden."""

        @field_validator("kinds")
        @classmethod
        def _known(cls, kinds: tuple[str, ...]) -> tuple[str, ...]:
            for kind in kinds:
                if kind not in STEP_KINDS:
                    raise ValueError(f"no kind of step {kind!r}{nearest(kind, STEP_KINDS)}")
            if len(kinds) < 2:
                raise ValueError("at least two kinds of step are needed")
            return kinds

    def __init__(self, options: Options, seed: int) -> None:
        self.options, self.seed = options, seed

    def load(self) -> Iterator[Problem]:
        """Yield `count` problems with different statements. Raises UserError when there are not so many."""
        seen: set[str] = set()
        lengths = range(1, len(self.options.length_weights) + 1)
        for draw in range(50 * self.options.count):
            rng = random.Random(f"{self.seed}:{draw}")
            length = rng.choices(lengths, self.options.length_weights)[0]
            pipeline = draw_pipeline(rng, list(self.options.kinds), length, self.options.data_sets)
            problem = make_problem(pipeline)
            if problem.family not in seen:
                seen.add(problem.family)
                yield problem
            if len(seen) == self.options.count:
                return
        raise UserError(
            f"source.options.count: only {len(seen)} different statements found for {self.options.count} problems; "
            "allow longer pipelines (length_weights) or more kinds of step"
        )


def make_problem(pipeline: Pipeline) -> Problem:
    """Return the problem of a pipeline; its family is its normalised statement."""
    statement = describe(pipeline.steps)
    family = " ".join(statement.lower().split())
    visible = (len(pipeline.tables) + 1) // 2
    columns = pipeline.tables[0].columns
    tests = tuple(
        TestCase({"df": as_table(table)}, as_table(result), result.order, hidden=i >= visible)
        for i, (table, result) in enumerate(zip(pipeline.tables, pipeline.results, strict=True))
    )
    return Problem(
        problem_id=f"tp-{digest(family)}",
        statement=statement,
        tests=tests,
        family=family,
        source="table_pipelines",
        difficulty=len(pipeline.steps),
        references={language: render(pipeline.steps, columns) for language, render in RENDERERS.items()},
    )


def as_table(frame: Frame) -> Table:
    return Table(tuple(Column(c.name, TYPES[c.kind]) for c in frame.columns), frame.rows)
