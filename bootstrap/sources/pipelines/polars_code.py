"""A pipeline as a Polars expression: one chain over the frame `df`, one method per step, in the order of the words."""

from __future__ import annotations

import json

from bootstrap.sources.pipelines.steps import (
    Compare,
    Derive,
    Distinct,
    Drop,
    Fill,
    FrameColumn,
    Group,
    Keep,
    Missing,
    Rename,
    Scale,
    Sort,
    Step,
    Top,
)


def literal(value: int | str) -> str:
    return json.dumps(value, ensure_ascii=False)


def column(name: str) -> str:
    return f"pl.col({literal(name)})"


def sort_call(name: str, descending: bool) -> str:
    return f".sort({literal(name)}{', descending=True' if descending else ''})"


def render_step(step: Step) -> str:
    """Return the method call of one step."""
    match step:
        case Compare(name, op, value):
            return f".filter({column(name)} {op} {literal(value)})"
        case Missing(name, missing):
            return f".filter({column(name)}.{'is_null' if missing else 'is_not_null'}())"
        case Sort(name, descending):
            return sort_call(name, descending)
        case Top(n, name, descending):
            return f"{sort_call(name, descending)}.head({n})"
        case Derive(name, left, op, right):
            operand = str(right) if isinstance(right, int) else column(right)
            return f".with_columns({name}={column(left)} {op} {operand})"
        case Scale(name, factor):
            return f".with_columns({column(name)} * {factor})"
        case Fill(name, value):
            return f".with_columns({column(name)}.fill_null({value}))"
        case Drop(name):
            return f".drop({literal(name)})"
        case Keep(names):
            return f".select({', '.join(literal(name) for name in names)})"
        case Rename(name, new):
            return f".rename({{{literal(name)}: {literal(new)}}})"
        case Distinct():
            return ".unique()"
        case Group(by, "count", name):
            return f".group_by({literal(by)}).len({literal(name)})"
        case Group(by, how, name):
            return f".group_by({literal(by)}).agg({column(name)}.{how}())"
    raise TypeError(f"no Polars code for {step!r}")


def render(steps: tuple[Step, ...], columns: tuple[FrameColumn, ...]) -> str:
    """Return the whole chain."""
    return "df" + "".join(render_step(step) for step in steps)
