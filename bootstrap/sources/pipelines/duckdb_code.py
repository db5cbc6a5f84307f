"""A pipeline as one DuckDB query: one common table expression per step, in the order of the words.

A table has no order inside a query, so an order that still holds at the end is asked for at the end.
"""

from __future__ import annotations

from bootstrap.sources.pipelines.steps import (
    Compare,
    Derive,
    Distinct,
    Drop,
    Fill,
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
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"


def order_by(name: str, descending: bool) -> str:
    return f"ORDER BY {name}{' DESC' if descending else ''}"


def select_list(step: Step) -> str:
    """Return what stands between SELECT and FROM."""
    match step:
        case Derive(name, left, op, right):
            return f"*, {left} {op} {right} AS {name}"
        case Scale(name, factor):
            return f"* REPLACE ({name} * {factor} AS {name})"
        case Fill(name, value):
            return f"* REPLACE (coalesce({name}, {value}) AS {name})"
        case Drop(name):
            return f"* EXCLUDE ({name})"
        case Keep(names):
            return ", ".join(names)
        case Rename(name, new):
            return f"* RENAME ({name} AS {new})"
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


def final_order(steps: tuple[Step, ...]) -> tuple[str, bool] | None:
    """Return column and direction of the order that holds after all steps, if one does."""
    order: tuple[str, bool] | None = None
    for step in steps:
        match step:
            case Sort(name, descending) | Top(_, name, descending):
                order = (name, descending)
            case Distinct() | Group():
                order = None
            case Drop(name) | Scale(name, _) | Fill(name, _) if order and order[0] == name:
                order = None
            case Keep(names) if order and order[0] not in names:
                order = None
            case Rename(name, new) if order and order[0] == name:
                order = (new, order[1])
    return order


def render(steps: tuple[Step, ...]) -> str:
    """Return the whole query over the table `df`."""
    order = final_order(steps)
    parts = [step for step in steps if not isinstance(step, Sort)]
    queries, source = [], "df"
    for i, step in enumerate(parts):
        queries.append(f"SELECT {select_list(step)} FROM {source}{clause(step)}")
        source = f"s{i + 1}"
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
