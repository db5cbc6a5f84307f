"""A pipeline as one SQL query: one common table expression per step, in the order of the words.

A table has no order inside a query, so an order that still holds at the end is asked for at the end. Where NULLs come
in it needs no word: `Sort` and `Top` take columns without missing values.
"""

from __future__ import annotations

from collections.abc import Callable

from bootstrap.sources.pipelines.steps import (
    Compare,
    Derive,
    Distinct,
    Frame,
    FrameColumn,
    Group,
    Keep,
    Missing,
    Sort,
    Step,
    Top,
    final_order,
)

SelectList = Callable[[Step, Frame], str]
"""What stands between SELECT and FROM for a step, given a frame with the columns that come in."""


def literal(value: int | str) -> str:
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


def order_by(name: str, descending: bool) -> str:
    return f"ORDER BY {name}{' DESC' if descending else ''}"


def common_select_list(step: Step) -> str:
    """Return the select list of the steps for which all dialects agree; "*" for those that only choose rows."""
    match step:
        case Derive(name, left, op, right):
            return f"*, {left} {op} {right} AS {name}"
        case Keep(names):
            return ", ".join(names)
        case Distinct():
            return "DISTINCT *"
        case Group(by, "count", name):
            return f"{by}, count(*) AS {name}"
        case Group(by, how, name):
            return f"{by}, {how}({name}) AS {name}"
    return "*"


def clause(step: Step) -> str:
    """Return what follows the table's name, with a space before it."""
    match step:
        case Compare(name, op, value):
            return f" WHERE {name} {'=' if op == '==' else op} {literal(value)}"
        case Missing(name, missing):
            return f" WHERE {name} IS {'' if missing else 'NOT '}NULL"
        case Top(n, name, descending):
            return f" {order_by(name, descending)} LIMIT {n}"
        case Group(by, _, _):
            return f" GROUP BY {by}"
    return ""


def render_chain(steps: tuple[Step, ...], columns: tuple[FrameColumn, ...], select_list: SelectList) -> str:
    """Return the whole query over the table `df`."""
    order = final_order(steps, columns)
    parts = [step for step in steps if not isinstance(step, Sort)]
    queries, source, frame = [], "df", Frame(columns, ())
    for i, step in enumerate(parts):
        queries.append(f"SELECT {select_list(step, frame)} FROM {source}{clause(step)}")
        source, frame = f"s{i + 1}", step.apply(frame)
    if order and isinstance(parts[-1] if parts else None, Top) and parts[-1] is not steps[-1]:
        last = f"SELECT * FROM {source} {order_by(*order)}"
    else:
        last = queries.pop() if queries else "SELECT * FROM df"
        if order and not isinstance(parts[-1] if parts else None, Top):
            last += " " + order_by(*order)
    if not queries:
        return last
    named = ", ".join(f"s{i + 1} AS ({query})" for i, query in enumerate(queries))
    return f"WITH {named} {last}"
