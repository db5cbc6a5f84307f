"""Which rows of an answer may change places: what the ORDER BY of a query leaves open."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from sqlglot import exp

from interpreters.base import Column, ColumnType, Table, Value
from interpreters.compare import compare_tables

Row = tuple[Value, ...]
Run = Callable[[str], Table]
"""Runs SQL for DuckDB over one data set."""


class UnsettledError(ValueError):
    """The query leaves open which rows it returns, or which order they have cannot be told."""


class Order:
    """The top-level ORDER BY of a query, and what it needs to be read off the rows."""

    def __init__(self, tree: exp.Query) -> None:
        order = tree.args.get("order")
        self.keys = [ordered.this for ordered in order.expressions] if order else []
        self._tree = tree
        self._first = _number(tree, "offset", 0)
        self._limit = _number(tree, "limit", -1)
        if self._limit >= 0 and not self.keys:
            raise UnsettledError("a LIMIT without ORDER BY leaves open which rows are meant")

    @property
    def ordered(self) -> bool:
        return bool(self.keys)

    def ties(self, answer: Table, run: Run) -> tuple[int, ...]:
        """Return the sizes of consecutive groups of rows with equal keys; none where the query has no order.

        Raises UnsettledError when a LIMIT cuts through rows that tie and differ.
        """
        if not self.keys:
            return ()
        positions = [_position(key, self._tree, answer.names) for key in self.keys]
        if self._limit < 0 and self._first == 0 and None not in positions:
            keys = [tuple(row[position] for position in positions if position is not None) for row in answer.rows]
            return tuple(end - start for start, end in _groups(keys))
        return self._cut(*self._whole(positions, answer, run))

    def _whole(self, positions: Sequence[int | None], answer: Table, run: Run) -> tuple[list[Row], list[Row]]:
        """Return all rows as if there were no LIMIT, and beside each its keys."""
        whole = self._tree.copy()
        whole.set("limit", None)
        whole.set("offset", None)
        added = [key for key, position in zip(self.keys, positions, strict=True) if position is None]
        if added and (not isinstance(whole, exp.Select) or whole.args.get("distinct")):
            raise UnsettledError("a sort key is not among the columns shown")
        for number, key in enumerate(added):
            whole = whole.select(exp.alias_(key.copy(), f"sort_key_{number}"), copy=False)
        rows = list(run(whole.sql("duckdb")).rows)
        width, extra = len(answer.columns), iter(range(len(answer.columns), len(answer.columns) + len(added)))
        places = [next(extra) if position is None else position for position in positions]
        return [row[:width] for row in rows], [tuple(row[place] for place in places) for row in rows]

    def _cut(self, rows: list[Row], keys: list[Row]) -> tuple[int, ...]:
        last = len(rows) if self._limit < 0 else min(len(rows), self._first + self._limit)
        ties = []
        for start, end in _groups(keys):
            size = min(end, last) - max(start, self._first)
            if size > 0:
                ties.append(size)
            cut = any(start < edge < end for edge in (self._first, last))
            if cut and any(row != rows[start] for row in rows[start:end]):
                raise UnsettledError("a LIMIT cuts through rows that tie")
        return tuple(ties)


def _number(tree: exp.Query, clause: str, default: int) -> int:
    node = tree.args.get(clause)
    if node is None:
        return default
    number = node.args.get("count") if isinstance(node, exp.Fetch) else node.expression
    if not isinstance(number, exp.Literal) or not number.is_int:
        raise UnsettledError(f"{clause.upper()} is no number")
    return int(number.this)


def _position(key: exp.Expr, tree: exp.Query, names: Sequence[str]) -> int | None:
    """Return the output column that a sort key is, None where it is none."""
    if isinstance(key, exp.Literal) and key.is_int:
        return int(key.this) - 1
    lower = [name.lower() for name in names]
    if isinstance(key, exp.Column) and key.name.lower() in lower and (not key.table or _shows(key, tree)):
        return lower.index(key.name.lower())
    return None


def _shows(key: exp.Column, tree: exp.Query) -> bool:
    return any(shown == key or isinstance(shown, exp.Star) for shown in tree.expressions)


def _groups(keys: Sequence[Row]) -> list[tuple[int, int]]:
    starts = [i for i in range(len(keys)) if i == 0 or not _tie(keys[i], keys[i - 1])]
    return list(itertools.pairwise([*starts, len(keys)]))


def _tie(a: Row, b: Row) -> bool:
    """Say whether two rows of keys are equal by the rules of answers: noise in a computed key makes a tie."""
    if a == b:
        return True
    if not any(isinstance(value, float) for value in a):
        return False
    columns = tuple(Column(str(i), ColumnType.OTHER) for i in range(len(a)))
    return compare_tables(Table(columns, (a,)), Table(columns, (b,))) is None
