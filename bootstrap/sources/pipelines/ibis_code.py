"""A pipeline as an Ibis expression: one chain over the table `df`, one method per step, in the order of the words.

Ibis promises no order after a later step, so, as in SQL, an order that still holds at the end is asked for at the end.
"""

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
    final_order,
)


def literal(value: int | str) -> str:
    return json.dumps(value, ensure_ascii=False)


def order_by(name: str, descending: bool) -> str:
    return f".order_by({f'_.{name}.desc()' if descending else literal(name)})"


def render_step(step: Step) -> str:
    """Return the method call of one step; `Sort` is the business of `render`."""
    match step:
        case Compare(name, op, value):
            return f".filter(_.{name} {op} {literal(value)})"
        case Missing(name, missing):
            return f".filter(_.{name}.{'isnull' if missing else 'notnull'}())"
        case Top(n, name, descending):
            return f"{order_by(name, descending)}.limit({n})"
        case Derive(name, left, op, right):
            return f".mutate({name}=_.{left} {op} {right if isinstance(right, int) else f'_.{right}'})"
        case Scale(name, factor):
            return f".mutate({name}=_.{name} * {factor})"
        case Fill(name, value):
            return f".mutate({name}=_.{name}.fill_null({value}))"
        case Drop(name):
            return f".drop({literal(name)})"
        case Keep(names):
            return f".select({', '.join(literal(name) for name in names)})"
        case Rename(name, new):
            return f".rename({new}={literal(name)})"
        case Distinct():
            return ".distinct()"
        case Group(by, "count", name):
            return f".group_by({literal(by)}).agg({name}=_.count())"
        case Group(by, how, name):
            return f".group_by({literal(by)}).agg({name}=_.{name}.{how}())"
    raise TypeError(f"no Ibis code for {step!r}")


def render(steps: tuple[Step, ...], columns: tuple[FrameColumn, ...]) -> str:
    """Return the whole chain."""
    order = final_order(steps, columns)
    chain = "df" + "".join(render_step(step) for step in steps if not isinstance(step, Sort))
    return chain + order_by(*order) if order and not isinstance(steps[-1], Top) else chain
