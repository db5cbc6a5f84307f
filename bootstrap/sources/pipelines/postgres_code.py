"""A pipeline as one PostgreSQL query (see sql_chain.py). A change of one column names all the others.

Integers stay exact: sum() of bigint is numeric there, which holds the same whole number.
"""

from __future__ import annotations

from bootstrap.sources.pipelines.sql_chain import common_select_list, render_chain
from bootstrap.sources.pipelines.steps import Drop, Fill, Frame, FrameColumn, Rename, Scale, Step


def select_list(step: Step, frame: Frame) -> str:
    match step:
        case Scale(name, factor):
            return with_changed(frame, name, f"{name} * {factor} AS {name}")
        case Fill(name, value):
            return with_changed(frame, name, f"coalesce({name}, {value}) AS {name}")
        case Drop(name):
            return ", ".join(column.name for column in frame.columns if column.name != name)
        case Rename(name, new):
            return with_changed(frame, name, f"{name} AS {new}")
    return common_select_list(step)


def with_changed(frame: Frame, name: str, expression: str) -> str:
    """Return all columns in their order, `expression` in the place of one."""
    return ", ".join(expression if column.name == name else column.name for column in frame.columns)


def render(steps: tuple[Step, ...], columns: tuple[FrameColumn, ...]) -> str:
    """Return the whole query over the table `df`."""
    return render_chain(steps, columns, select_list)
