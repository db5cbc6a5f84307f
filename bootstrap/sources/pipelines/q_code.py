"""A pipeline as a q script: a line per step, in the order of the words, each of which makes `df` anew; the last line
gives it back.

Text is symbols, a missing number is 0N and a missing text is the empty symbol. In q a null is less than any number
and differs from every symbol, so where it would pass a comparison, a second condition leaves it out. What max, min
and sum make of a group of nulls alone is no null, so a column that may hold one is guarded. Rows are taken with
`sublist`, since `n#` starts again from the first row where there are too few.
"""

from __future__ import annotations

from bootstrap.sources.pipelines.steps import (
    Compare,
    Derive,
    Distinct,
    Drop,
    Fill,
    Frame,
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

COMPARE_SIGNS = {"==": "=", "!=": "<>"}
PASSED_BY_NULL = ("<", "<=", "!=")


def literal(value: int | str) -> str:
    return f"`{value}" if isinstance(value, str) else str(value)


def sort(name: str, descending: bool) -> str:
    return f"`{name} {'xdesc' if descending else 'xasc'} df"


def compare(name: str, op: str, value: int | str) -> str:
    known = f",not null {name}" if op in PASSED_BY_NULL else ""
    return f"select from df where {name}{COMPARE_SIGNS.get(op, op)}{literal(value)}{known}"


def aggregate(by: str, how: str, name: str, frame: Frame) -> str:
    guarded = f"{name}:{{$[all null x;0N;{how} x]}}{name}"
    return f"0!select {guarded if frame.column(name).nullable else f'{how} {name}'} by {by} from df"


def render_step(step: Step, frame: Frame) -> str:
    """Return the expression of one step over `df`; `frame` is an input of the step (for its columns)."""
    match step:
        case Compare(name, op, value):
            return compare(name, op, value)
        case Missing(name, missing):
            return f"select from df where {'' if missing else 'not '}null {name}"
        case Sort(name, descending):
            return sort(name, descending)
        case Top(n, name, descending):
            return f"{n} sublist {sort(name, descending)}"
        case Derive(name, left, op, right):
            return f"update {name}:{left}{op}{right} from df"
        case Scale(name, factor):
            return f"update {name}:{name}*{factor} from df"
        case Fill(name, value):
            return f"update {name}:{value}^{name} from df"
        case Drop(name):
            return f"delete {name} from df"
        case Keep(names):
            return f"select {','.join(names)} from df"
        case Rename(name, new):
            return f"(enlist[`{name}]!enlist`{new})xcol df"
        case Distinct():
            return "distinct df"
        case Group(by, "count", name):
            return f"0!select {name}:count i by {by} from df"
        case Group(by, how, name):
            return aggregate(by, how, name, frame)
    raise TypeError(f"no q code for {step!r}")


def render(steps: tuple[Step, ...], columns: tuple[FrameColumn, ...]) -> str:
    """Return the whole script."""
    frame = Frame(columns, ())
    lines = []
    for step in steps:
        lines.append(f"df:{render_step(step, frame)}")
        frame = step.apply(frame)
    return "\n".join([*lines, "df"])
