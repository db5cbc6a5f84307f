"""The steps of a table pipeline, and what each means in plain Python.

This is the definition that every target language must agree with. A frame is a bag of rows unless `order` names the
columns whose order holds; a step that says nothing of order keeps the rows in their order, `Distinct` and `Group`
give it up, and losing a column of the order gives it up too.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

Cell = int | float | str | None
Row = tuple[Cell, ...]


@dataclass(frozen=True)
class FrameColumn:
    name: str
    kind: Literal["int", "float", "text"]
    nullable: bool = False


@dataclass(frozen=True)
class Frame:
    columns: tuple[FrameColumn, ...]
    rows: tuple[Row, ...]
    order: tuple[str, ...] = ()

    def index(self, name: str) -> int:
        for i, column in enumerate(self.columns):
            if column.name == name:
                return i
        raise KeyError(name)

    def column(self, name: str) -> FrameColumn:
        return self.columns[self.index(name)]

    def values(self, name: str) -> list[Cell]:
        i = self.index(name)
        return [row[i] for row in self.rows]

    def with_order_if_kept(self) -> Frame:
        names = {column.name for column in self.columns}
        return self if set(self.order) <= names else replace(self, order=())


class AmbiguousStepError(Exception):
    """On this frame the step has no single right answer (a tie at the cut of a `Top`)."""


class Step(Protocol):
    """One step: its meaning, and the near-misses that its tests must tell apart from it."""

    def apply(self, frame: Frame) -> Frame: ...

    def neighbours(self, frame: Frame) -> Iterator[Step]:
        """Yield steps that differ a little; `frame` is an input of this step (for column names)."""
        ...


COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
AGGREGATE: dict[str, Callable[[list[int]], int]] = {"max": max, "min": min, "sum": sum}
ARITHMETIC: dict[str, Callable[[int, int], int]] = {"+": operator.add, "-": operator.sub, "*": operator.mul}


def other_columns(frame: Frame, name: str) -> list[str]:
    """Return the other columns of the same kind as `name`."""
    kind = frame.column(name).kind
    return [column.name for column in frame.columns if column.name != name and column.kind == kind]


def sorted_rows(frame: Frame, name: str, descending: bool) -> list[Row]:
    """Return the rows in the order of a column that holds no missing value."""
    i = frame.index(name)

    def key(row: Row) -> Any:
        return row[i]

    return sorted(frame.rows, key=key, reverse=descending)


def set_column(frame: Frame, name: str, values: Sequence[Cell], column: FrameColumn) -> Frame:
    """Return the frame with column `name` replaced, or appended where it is new."""
    names = [c.name for c in frame.columns]
    if name not in names:
        rows = tuple((*row, value) for row, value in zip(frame.rows, values, strict=True))
        return replace(frame, columns=(*frame.columns, column), rows=rows)
    i = names.index(name)
    rows = tuple((*row[:i], value, *row[i + 1 :]) for row, value in zip(frame.rows, values, strict=True))
    order = () if name in frame.order else frame.order
    return Frame((*frame.columns[:i], column, *frame.columns[i + 1 :]), rows, order)


@dataclass(frozen=True)
class Compare:
    """Keep the rows whose `column` compares so with `value`; a missing value never does."""

    column: str
    op: str
    value: int | str

    def apply(self, frame: Frame) -> Frame:
        i, compare = frame.index(self.column), COMPARE[self.op]
        kept = tuple(row for row in frame.rows if row[i] is not None and compare(row[i], self.value))
        columns = tuple(replace(c, nullable=False) if c.name == self.column else c for c in frame.columns)
        return replace(frame, rows=kept, columns=columns)

    def neighbours(self, frame: Frame) -> Iterator[Step]:
        if isinstance(self.value, int):
            yield from (replace(self, op=op) for op in COMPARE if op != self.op)
            yield from (replace(self, value=self.value + delta) for delta in (-1, 1))
        else:
            yield replace(self, op="!=" if self.op == "==" else "==")
        yield from (replace(self, column=name) for name in other_columns(frame, self.column))


@dataclass(frozen=True)
class Missing:
    """Keep the rows whose `column` is missing, or those where it is known."""

    column: str
    missing: bool

    def apply(self, frame: Frame) -> Frame:
        i = frame.index(self.column)
        kept = tuple(row for row in frame.rows if (row[i] is None) == self.missing)
        columns = tuple(
            replace(c, nullable=self.missing) if c.name == self.column else c for c in frame.columns
        )  # fmt: skip
        return replace(frame, rows=kept, columns=columns)

    def neighbours(self, frame: Frame) -> Iterator[Step]:
        yield replace(self, missing=not self.missing)
        yield from (replace(self, column=c.name) for c in frame.columns if c.name != self.column and c.nullable)


@dataclass(frozen=True)
class Sort:
    """Order the rows by one column without missing values; rows with equal keys may come in any order."""

    column: str
    descending: bool

    def apply(self, frame: Frame) -> Frame:
        rows = tuple(sorted_rows(frame, self.column, self.descending))
        return replace(frame, rows=rows, order=(self.column,))

    def neighbours(self, frame: Frame) -> Iterator[Step]:
        yield replace(self, descending=not self.descending)
        yield from (replace(self, column=c.name) for c in frame.columns if c.name != self.column and not c.nullable)


@dataclass(frozen=True)
class Top:
    """Keep the first `n` rows by one column, in its order. A tie at the cut makes the frame unusable."""

    n: int
    column: str
    descending: bool

    def apply(self, frame: Frame) -> Frame:
        i = frame.index(self.column)
        rows = sorted_rows(frame, self.column, self.descending)
        if len(rows) > self.n and rows[self.n - 1][i] == rows[self.n][i]:
            tied = {row for row in rows if row[i] == rows[self.n][i]}
            if len(tied) > 1:
                raise AmbiguousStepError(f"tie at row {self.n} by {self.column}")
        return replace(frame, rows=tuple(rows[: self.n]), order=(self.column,))

    def neighbours(self, frame: Frame) -> Iterator[Step]:
        yield replace(self, descending=not self.descending)
        yield from (replace(self, n=self.n + delta) for delta in (-1, 1) if self.n + delta > 0)
        yield from (replace(self, column=c.name) for c in frame.columns if c.name != self.column and not c.nullable)
        yield Sort(self.column, self.descending)


@dataclass(frozen=True)
class Derive:
    """Add the integer column `name` = `left` op `right`; missing where one side is. `right`: a column or a number."""

    name: str
    left: str
    op: str
    right: str | int

    def apply(self, frame: Frame) -> Frame:
        sides = (self.left,) if isinstance(self.right, int) else (self.left, self.right)
        left = frame.values(self.left)
        right: list[Cell] = (
            [self.right] * len(left) if isinstance(self.right, int) else frame.values(self.right)
        )  # fmt: skip
        calculate = ARITHMETIC[self.op]
        values: list[Cell] = [
            None if a is None or b is None else calculate(int(a), int(b)) for a, b in zip(left, right, strict=True)
        ]
        nullable = any(frame.column(side).nullable for side in sides)
        return set_column(frame, self.name, values, FrameColumn(self.name, "int", nullable))

    def neighbours(self, frame: Frame) -> Iterator[Step]:
        yield from (replace(self, op=op) for op in ARITHMETIC if op != self.op)
        others = other_columns(frame, self.left)
        yield from (replace(self, left=name) for name in others if name != self.name)
        if isinstance(self.right, int):
            yield from (replace(self, right=self.right + delta) for delta in (-1, 1))
        else:
            yield from (replace(self, right=name) for name in others if name != self.name)


@dataclass(frozen=True)
class Scale:
    """Multiply an integer column by `factor`, in place."""

    column: str
    factor: int

    def apply(self, frame: Frame) -> Frame:
        values: list[Cell] = [None if v is None else int(v) * self.factor for v in frame.values(self.column)]
        return set_column(frame, self.column, values, frame.column(self.column))

    def neighbours(self, frame: Frame) -> Iterator[Step]:
        yield from (replace(self, factor=self.factor + delta) for delta in (-1, 1))
        yield from (replace(self, column=name) for name in other_columns(frame, self.column))


@dataclass(frozen=True)
class Fill:
    """Replace the missing values of an integer column by `value`."""

    column: str
    value: int

    def apply(self, frame: Frame) -> Frame:
        values = [self.value if v is None else v for v in frame.values(self.column)]
        column = replace(frame.column(self.column), nullable=False)
        return set_column(frame, self.column, values, column)

    def neighbours(self, frame: Frame) -> Iterator[Step]:
        yield replace(self, value=self.value + 1)
        yield Missing(self.column, missing=False)


@dataclass(frozen=True)
class Drop:
    column: str

    def apply(self, frame: Frame) -> Frame:
        return Keep(tuple(c.name for c in frame.columns if c.name != self.column)).apply(frame)

    def neighbours(self, frame: Frame) -> Iterator[Step]:
        yield from (replace(self, column=c.name) for c in frame.columns if c.name != self.column)


@dataclass(frozen=True)
class Keep:
    """Keep these columns, in this order."""

    names: tuple[str, ...]

    def apply(self, frame: Frame) -> Frame:
        indices = [frame.index(name) for name in self.names]
        columns = tuple(frame.columns[i] for i in indices)
        rows = tuple(tuple(row[i] for i in indices) for row in frame.rows)
        return Frame(columns, rows, frame.order).with_order_if_kept()

    def neighbours(self, frame: Frame) -> Iterator[Step]:
        if len(self.names) > 1:
            yield replace(self, names=self.names[::-1])
            yield replace(self, names=self.names[:-1])


@dataclass(frozen=True)
class Rename:
    column: str
    new: str

    def apply(self, frame: Frame) -> Frame:
        columns = tuple(replace(c, name=self.new) if c.name == self.column else c for c in frame.columns)
        order = tuple(self.new if name == self.column else name for name in frame.order)
        return Frame(columns, frame.rows, order)

    def neighbours(self, frame: Frame) -> Iterator[Step]:
        yield from (replace(self, column=c.name) for c in frame.columns if c.name != self.column)


@dataclass(frozen=True)
class Distinct:
    """Keep one of each set of equal rows; gives up the order."""

    def apply(self, frame: Frame) -> Frame:
        return replace(frame, rows=tuple(dict.fromkeys(frame.rows)), order=())

    def neighbours(self, frame: Frame) -> Iterator[Step]:
        return iter(())


@dataclass(frozen=True)
class Group:
    """One row per value of `by` (missing is a value): the aggregate of `column`, or the row count as `column`."""

    by: str
    how: Literal["max", "min", "sum", "count"]
    column: str

    def apply(self, frame: Frame) -> Frame:
        key = frame.index(self.by)
        groups: dict[Cell, list[Row]] = {}
        for row in frame.rows:
            groups.setdefault(row[key], []).append(row)
        by = frame.columns[key]
        if self.how == "count":
            result = FrameColumn(self.column, "int")
            return Frame((by, result), tuple((value, len(rows)) for value, rows in groups.items()))
        i = frame.index(self.column)
        result = frame.columns[i]
        return Frame((by, result), tuple((v, self._aggregate([r[i] for r in rows])) for v, rows in groups.items()))

    def _aggregate(self, values: list[Cell]) -> Cell:
        known = [int(value) for value in values if value is not None]
        if not known:
            return None
        return AGGREGATE[self.how](known)

    def neighbours(self, frame: Frame) -> Iterator[Step]:
        if self.how == "count":
            return
        yield from (replace(self, how=how) for how in ("max", "min", "sum") if how != self.how)
        others = (name for name in other_columns(frame, self.column) if name != self.by)
        yield from (replace(self, column=name) for name in others)
        yield from (replace(self, by=c.name) for c in frame.columns if c.name not in (self.by, self.column))


def apply_steps(steps: tuple[Step, ...], frame: Frame) -> Frame:
    """Return the frame after all steps. Raises AmbiguousStepError where one of them has no single answer."""
    for step in steps:
        frame = step.apply(frame)
    return frame


def final_order(steps: tuple[Step, ...], columns: tuple[FrameColumn, ...]) -> tuple[str, bool] | None:
    """Return the column and direction of the order that holds after all steps, if one does."""
    order = apply_steps(steps, Frame(columns, ())).order
    directions = [step.descending for step in steps if isinstance(step, Sort | Top)]
    return (order[0], directions[-1]) if order else None
