"""A pipeline as one DuckDB query, with DuckDB's own words for all columns but some (see sql_chain.py)."""

from __future__ import annotations

from bootstrap.sources.pipelines.sql_chain import common_select_list, render_chain
from bootstrap.sources.pipelines.steps import Drop, Fill, Frame, FrameColumn, Rename, Scale, Step


def select_list(step: Step, frame: Frame) -> str:
    match step:
        case Scale(name, factor):
            return f"* REPLACE ({name} * {factor} AS {name})"
        case Fill(name, value):
            return f"* REPLACE (coalesce({name}, {value}) AS {name})"
        case Drop(name):
            return f"* EXCLUDE ({name})"
        case Rename(name, new):
            return f"* RENAME ({name} AS {new})"
    return common_select_list(step)


def render(steps: tuple[Step, ...], columns: tuple[FrameColumn, ...]) -> str:
    """Return the whole query over the table `df`."""
    return render_chain(steps, columns, select_list)
