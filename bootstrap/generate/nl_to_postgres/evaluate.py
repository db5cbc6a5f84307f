"""What a form means, worked out over rows of Python without any SQL: the independent expectation of every pair."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bootstrap.generate.nl_to_postgres.forms import (
    Agg,
    Between,
    Call,
    Case,
    Col,
    Either,
    Expr,
    Is,
    Like,
    Lit,
    Missing,
    OneOf,
    Pred,
    Query,
    Scalar,
    SetQuery,
    Source,
    Statement,
    Test,
    Win,
    Within,
)
from bootstrap.generate.nl_to_postgres.functions import AGGREGATES, FUNCTIONS
from interpreters.base import Column, ColumnType, Table, Value

Row = tuple[Value, ...]
Layout = Mapping[tuple[str, str], int]
Compiled = Callable[[Row], Any]
MOST_ROWS = 200_000  # of a join; more is not worth a question


class TooLargeError(Exception):
    """A join gives more rows than are worked out here."""


@dataclass(frozen=True)
class Answer:
    """The rows, in order where the form gives one; `ties`: sizes of groups of equal sort keys. `cut`: a limit goes
    through rows that tie, so the answer is open."""

    names: tuple[str, ...]
    rows: tuple[Row, ...]
    ties: tuple[int, ...] = ()
    cut: bool = False

    @property
    def table(self) -> Table:
        return Table(tuple(Column(name, ColumnType.OTHER) for name in self.names), self.rows)


class Evaluation:
    """One set of tables."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self._tables = tables

    def run(self, form: Statement) -> Answer:
        """Return what a form gives. Raises TooLargeError."""
        return self._set(form) if isinstance(form, SetQuery) else self._query(form)

    def _set(self, form: SetQuery) -> Answer:
        left, right = self._query(form.left), self._query(form.right)
        among = set(right.rows)
        rows = list(dict.fromkeys(left.rows))
        if form.kind == "UNION":
            rows = list(dict.fromkeys([*rows, *right.rows]))
        else:
            rows = [row for row in rows if (row in among) == (form.kind == "INTERSECT")]
        keys = [tuple(row[i] for i in form.order) for row in rows]
        order = _sorted(range(len(rows)), keys, [False] * len(form.order))
        return Answer(left.names, tuple(rows[i] for i in order), _ties([keys[i] for i in order]) if form.order else ())

    # -- a query --------------------------------------------------------------------------------------------------

    def _query(self, query: Query) -> Answer:
        inner = self
        for name, form in query.ctes:
            inner = Evaluation({**inner._tables, name: inner.run(form).table})
        return inner._select(query)

    def matched(self, query: Query) -> tuple[list[Row], dict[tuple[str, str], int]]:
        """Return the joined rows that meet the conditions, and where each column is in them."""
        layout = self._layout(query.source, 0)
        rows = list(self._tables[query.source.table].rows)
        for join in query.joins:
            width = len(layout)
            added = self._layout(join.source, 0)
            other = self._tables[join.source.table].rows
            left = [layout[col.source, col.column] for col in join.left]
            right = [added[col.source, col.column] for col in join.right]
            rows = _joined(rows, other, left, right, len(added), join.kind == "left")
            layout |= {key: index + width for key, index in added.items()}
        for pred in query.where:
            holds = self.pred(pred, layout)
            rows = [row for row in rows if holds(row)]
        return rows, layout

    def _layout(self, source: Source, start: int) -> dict[tuple[str, str], int]:
        names = self._tables[source.table].names
        return {(source.alias, name): start + index for index, name in enumerate(names)}

    def _select(self, query: Query) -> Answer:
        rows, layout = self.matched(query)
        shown = [output.expr for output in query.outputs]
        keys = [key.expr for key in query.order]
        if query.grouped:
            cells = self._grouped(query, rows, layout, [*shown, *keys])
        else:
            columns = [self._column(expr, rows, layout) for expr in (*shown, *keys)]
            cells = list(zip(*columns, strict=True)) if columns else []
        width = len(shown)
        if query.distinct:
            cells = list(dict.fromkeys(cells))
            if len({cell[:width] for cell in cells}) != len(cells):
                raise ValueError("distinct rows have several sort keys")
        return _cut([o.name for o in query.outputs], cells, width, query)

    def _grouped(self, query: Query, rows: list[Row], layout: Layout, exprs: Sequence[Expr]) -> list[Row]:
        by = [self.expr(expr, layout) for expr in query.group]
        groups: dict[Row, list[Row]] = {} if by else {(): []}
        for row in rows:
            groups.setdefault(tuple(one(row) for one in by), []).append(row)
        made = [self._over(expr, layout) for expr in exprs]
        keep = [self._over_pred(pred, layout) for pred in query.having]
        return [
            tuple(one(members) for one in made)
            for members in groups.values() if all(one(members) for one in keep)
        ]  # fmt: skip

    def _column(self, expr: Expr, rows: list[Row], layout: Layout) -> list[Value]:
        if isinstance(expr, Win):
            return self._window(expr, rows, layout)
        compiled = self.expr(expr, layout)
        return [compiled(row) for row in rows]

    # -- expressions ----------------------------------------------------------------------------------------------

    def expr(self, expr: Expr, layout: Layout) -> Compiled:
        """Return what works out an expression of one row."""
        if isinstance(expr, Col):
            index = layout[expr.source, expr.column]
            return lambda row: row[index]
        if isinstance(expr, Lit):
            return lambda row: expr.value
        if isinstance(expr, Scalar):
            rows = self._query(expr.query).rows
            value = rows[0][0] if rows else None
            return lambda row: value
        if isinstance(expr, Call):
            function = FUNCTIONS[expr.function]
            args = [self.expr(arg, layout) for arg in expr.args]
            return lambda row: function.of([arg(row) for arg in args])
        if isinstance(expr, Case):
            branches = [(self.pred(pred, layout), self.expr(value, layout)) for pred, value in expr.branches]
            default = self.expr(expr.default, layout)
            return lambda row: next((value(row) for holds, value in branches if holds(row)), default(row))
        raise TypeError(f"{type(expr).__name__} is no expression of one row")

    def _over(self, expr: Expr, layout: Layout) -> Callable[[list[Row]], Any]:
        """Return what works out an expression of a group's rows."""
        if isinstance(expr, Agg):
            arg = self.expr(expr.arg, layout) if expr.arg is not None else None
            tests = [self.pred(pred, layout) for pred in expr.where]
            function = AGGREGATES[expr.function]

            def aggregate(rows: list[Row]) -> Any:
                kept = [row for row in rows if all(test(row) for test in tests)]
                return len(kept) if arg is None else function.of([v for row in kept if (v := arg(row)) is not None])

            return aggregate
        if isinstance(expr, Call):
            made = FUNCTIONS[expr.function]
            args = [self._over(one, layout) for one in expr.args]
            return lambda rows: made.of([one(rows) for one in args])
        single = self.expr(expr, layout)
        if isinstance(expr, Lit | Scalar):
            return lambda rows: single(())
        return lambda rows: single(rows[0])

    # -- conditions: met or not, NULL counts as not -----------------------------------------------------------------

    def pred(self, pred: Pred, layout: Layout) -> Compiled:
        if isinstance(pred, Test):
            left, right = self.expr(pred.left, layout), self.expr(pred.right, layout)
            return lambda row: _compare(pred.op, left(row), right(row))
        if isinstance(pred, Either):
            tests = [self.pred(one, layout) for one in pred.preds]
            return lambda row: any(test(row) for test in tests)
        return self._met(pred, self.expr(pred.expr, layout))

    def _over_pred(self, pred: Pred, layout: Layout) -> Callable[[list[Row]], Any]:
        if isinstance(pred, Test):
            left, right = self._over(pred.left, layout), self._over(pred.right, layout)
            return lambda rows: _compare(pred.op, left(rows), right(rows))
        if isinstance(pred, Between):
            over = self._over(pred.expr, layout)
            low, high = pred.low.value, pred.high.value
            return lambda rows: (v := over(rows)) is not None and low <= v <= high
        raise TypeError(f"{type(pred).__name__} is no condition of a group")

    def _met(self, pred: Pred, value: Compiled) -> Compiled:
        if isinstance(pred, Missing):
            return lambda row: (value(row) is None) != pred.negated
        if isinstance(pred, Is):
            return lambda row: value(row) is pred.wanted
        if isinstance(pred, Between):
            low, high = pred.low.value, pred.high.value
            return lambda row: (v := value(row)) is not None and low <= v <= high
        if isinstance(pred, OneOf):
            among = {lit.value for lit in pred.values}
            return lambda row: (v := value(row)) is not None and (v in among) != pred.negated
        if isinstance(pred, Like):
            text = pred.text
            tests: dict[str, Callable[[str], bool]] = {
                "contains": lambda v: text in v, "starts": lambda v: v.startswith(text),
                "ends": lambda v: v.endswith(text),
            }  # fmt: skip
            return lambda row: (v := value(row)) is not None and tests[pred.kind](v)
        if isinstance(pred, Within):
            found = {row[0] for row in self._query(pred.query).rows}
            if pred.negated and pred.style == "exists":
                return lambda row: (v := value(row)) is None or v not in found
            return lambda row: (v := value(row)) is not None and (v in found) != pred.negated
        raise TypeError(f"{type(pred).__name__} is no condition")

    # -- windows --------------------------------------------------------------------------------------------------

    def _window(self, win: Win, rows: list[Row], layout: Layout) -> list[Value]:
        parts = [self.expr(expr, layout) for expr in win.partition]
        keys = [self.expr(key.expr, layout) for key in win.order]
        arg = self.expr(win.arg, layout) if win.arg is not None else None
        groups: dict[Row, list[int]] = {}
        for index, row in enumerate(rows):
            groups.setdefault(tuple(part(row) for part in parts), []).append(index)
        found: list[Value] = [None] * len(rows)
        for members in groups.values():
            told = {index: tuple(key(rows[index]) for key in keys) for index in members}
            order = _sorted(members, [told[i] for i in members], [key.descending for key in win.order])
            values = [arg(rows[i]) if arg else 1 for i in order]
            for index, value in zip(order, _windowed(win, values, [told[i] for i in order]), strict=True):
                found[index] = value
        return found


def _windowed(win: Win, values: list[Value], keys: list[Row]) -> list[Value]:
    """Return the window function's value for each row of one partition, which are in order."""
    size = len(values)
    if win.function == "row_number":
        return list(range(1, size + 1))
    if win.function in ("rank", "dense_rank"):
        starts = [i == 0 or keys[i] != keys[i - 1] for i in range(size)]
        if win.function == "dense_rank":
            return [sum(starts[: i + 1]) for i in range(size)]
        return [next(j for j in range(i, -1, -1) if starts[j]) + 1 for i in range(size)]
    if win.function == "lag":
        return [None, *values[:-1]]
    aggregate = AGGREGATES[win.function].of
    if not win.order:
        whole = aggregate([value for value in values if value is not None])
        return [whole] * size
    last = [max(j for j in range(size) if keys[j] == keys[i]) for i in range(size)]  # rows that tie share a value
    return [aggregate([value for value in values[: last[i] + 1] if value is not None]) for i in range(size)]


def _joined(
    rows: Sequence[Row], other: Sequence[Row], left: list[int], right: list[int], width: int, outer: bool
) -> list[Row]:
    by_key: dict[Row, list[Row]] = {}
    for row in other:
        key = tuple(row[i] for i in right)
        if None not in key:
            by_key.setdefault(key, []).append(row)
    blank = [(None,) * width] if outer else []
    found: list[Row] = []
    for row in rows:
        found += [row + match for match in by_key.get(tuple(row[i] for i in left), blank)]
        if len(found) > MOST_ROWS:
            raise TooLargeError
    return found


def _compare(op: str, left: Any, right: Any) -> bool:
    if left is None or right is None:
        return False
    if op in ("=", "<>"):
        return (left == right) == (op == "=")
    return left < right if op == "<" else left <= right if op == "<=" else left > right if op == ">" else left >= right


# -- order ---------------------------------------------------------------------------------------------------------


def _sorted(indices: Sequence[int], keys: Sequence[Row], descending: Sequence[bool]) -> list[int]:
    """Return the indices sorted by their keys, NULLs last."""

    def compare(a: tuple[int, Row], b: tuple[int, Row]) -> int:
        for one, other, down in zip(a[1], b[1], descending, strict=True):
            if one == other:
                continue
            if one is None or other is None:
                return 1 if one is None else -1
            return 1 if (one > other) != down else -1  # type: ignore[operator]  # values of one class
        return 0

    pairs = sorted(zip(indices, keys, strict=True), key=functools.cmp_to_key(compare))
    return [index for index, _ in pairs]


def _cut(names: Sequence[str], cells: list[Row], width: int, query: Query) -> Answer:
    """Sort, and take the rows that the limit leaves."""
    if not query.order:
        rows = tuple(cell[:width] for cell in cells)
        return Answer(tuple(names), rows, cut=query.limit is not None and len(rows) > query.limit)
    keys = [cell[width:] for cell in cells]
    order = _sorted(range(len(cells)), keys, [key.descending for key in query.order])
    sorted_keys = [keys[i] for i in order]
    limit = len(order) if query.limit is None else query.limit
    cut = 0 < limit < len(order) and sorted_keys[limit - 1] == sorted_keys[limit]
    rows = tuple(cells[i][:width] for i in order[:limit])
    return Answer(tuple(names), rows, _ties(sorted_keys[:limit]), cut)


def _ties(keys: Sequence[Row]) -> tuple[int, ...]:
    sizes: list[int] = []
    for index, key in enumerate(keys):
        if index and key == keys[index - 1]:
            sizes[-1] += 1
        else:
            sizes.append(1)
    return tuple(sizes)
