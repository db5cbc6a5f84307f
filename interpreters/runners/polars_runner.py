"""Polars inside the child: one expression, or statements that assign `result`, over `pl` and the input tables."""

from __future__ import annotations

import datetime as dt
from collections.abc import Generator, Mapping, Sequence
from typing import Any

import polars as pl

from interpreters.base import Outcome
from interpreters.processes.candidate import SAMPLE, CandidateError, Columns, first_line
from interpreters.processes.preload import preload
from interpreters.runners.polars_values import columns_of, frame_of
from interpreters.runners.python_code import compile_code

_GRANTED = {("polars", "", "pl")}
Frames = Mapping[str, pl.DataFrame]


def warm() -> str:
    """Do what every child does, short of executing: `collect`, or even a schema, would start threads of the engine.

    Repeated so that the interpreter specialises the byte code here and not in each child, where writing to it copies
    pages: this, with one look at the stack limits by `root_names`, takes a quarter off the CPU time of a check.
    """
    preload(_first_uses)
    for _ in range(20):
        [[frame]] = [list(frames.values()) for frames in load([{"t": SAMPLE}])]
        columns_of(frame, SAMPLE.height * frame.width)
        compile_code("t.filter(pl.col('i') > 1).group_by('s').agg(pl.col('x').sum()).sort('s')", _GRANTED)
        ((pl.col("i") + 1) * pl.lit(2)).alias("j").meta.root_names()
        plan = frame.lazy().filter(pl.col("i") > 1).with_columns(y=pl.col("x") * 2).sort("i", descending=True)
        plan.group_by("s").agg(pl.col("x").sum(), pl.len().alias("n")).join(plan, on="s", how="left").select("s", "n")
    return f"polars {pl.__version__}"


def _first_uses() -> None:
    """Do what makes Polars import more of itself."""
    frame = pl.DataFrame({"i": [1, 2], "s": ["a", "2024-01-02"]})
    frame.with_columns(pl.col("i").map_elements(lambda value: value, return_dtype=pl.Int64))
    frame.lazy().group_by("s").agg(pl.col("i").sum().over("s")).collect().pivot("s", index="i", values="i").to_dicts()
    frame.select(pl.col("s").str.to_date(strict=False), pl.lit(dt.date(2024, 1, 1)), pl.struct("i"))
    frame.sql("SELECT * FROM self")


def prepare(memory_mb: int, context: str) -> None:
    """Nothing is open between fork and run."""


def load(tests: Sequence[Mapping[str, Columns]]) -> list[Frames]:
    return [{name: frame_of(table) for name, table in tables.items()} for tables in tests]


def run(code: str, loaded: list[Frames], max_cells: int) -> Generator[Columns, None, None]:
    program = compile_code(code, _GRANTED)
    for frames in loaded:
        scope: dict[str, Any] = {"pl": pl, "df": next(iter(frames.values()), None), **frames}
        yield columns_of(_frame_in(program.run(scope)), max_cells)


def _frame_in(value: object) -> pl.DataFrame:
    if type(value) is pl.LazyFrame:
        value = value.collect()
    if type(value) is not pl.DataFrame:
        found = "nothing" if value is None else type(value).__name__
        raise CandidateError(Outcome.NO_RESULT, f"the result is {found}, expected a DataFrame")
    return value


def describe(error: BaseException) -> tuple[Outcome, str]:
    return Outcome.RUNTIME_ERROR, first_line(error)
