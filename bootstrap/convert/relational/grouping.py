"""GROUP BY: which aggregates a SELECT works out, and what its other expressions become over the groups."""

from __future__ import annotations

from collections.abc import Sequence

from bootstrap.convert.relational.functions import BOOL
from bootstrap.convert.relational.model import (
    Aggregate,
    Column,
    Distinct,
    Expr,
    Group,
    HasRows,
    InQuery,
    Project,
    Ref,
    Relation,
    ScalarQuery,
    Window,
    map_expr,
    parts,
    ref,
)
from bootstrap.convert.relational.names import name_of


class Grouping:
    """Collects keys and measures. A column that is neither takes the value of any row of its group.

    In SQLite that is the row of the extreme, where MIN or MAX is the query's only aggregate.
    """

    def __init__(self, dialect: str, keys: list[tuple[Column, Expr]]) -> None:
        self._dialect, self._keys = dialect, keys
        self._measures: list[tuple[Column, Expr]] = []
        self._extreme: Aggregate | None = None

    def look_at(self, values: Sequence[Expr]) -> None:
        """Look for the only MIN or MAX among the expressions that will be lowered."""
        found = {part for part in parts(tuple(values)) if isinstance(part, Aggregate)}
        if self._dialect == "sqlite" and len(found) == 1:
            only = found.pop()
            self._extreme = only if only.function in ("min", "max") else None

    def lower(self, value: Expr, column: Column | None = None) -> Expr:
        """Return an expression over the groups; `column` is the output that it is for."""
        if column is not None and self._is_measure(value):
            return self._measure(value, column)
        return map_expr(value, lambda part: self._lowered(part, column if part is value else None))

    def _lowered(self, part: Expr, column: Column | None) -> Expr | None:
        for key, value in self._keys:
            if part == value:
                return ref(key)
        if isinstance(part, Aggregate):
            return self._measure(part, column)
        if isinstance(part, Ref):
            if self._extreme is None:
                return self._measure(Aggregate(part.type, "any", (part,)), part.column)
            argument = self._extreme.arguments[0]
            return self._measure(Aggregate(part.type, f"arg{self._extreme.function}", (part, argument)), part.column)
        return None

    def _is_measure(self, value: Expr) -> bool:
        """Say whether an output is made of aggregates and constants alone."""
        if value.type is BOOL or any(isinstance(one, Window | ScalarQuery | InQuery | HasRows) for one in parts(value)):
            return False
        outside: list[Expr] = []
        map_expr(value, lambda part: part if isinstance(part, Aggregate) else outside.append(part))
        return any(isinstance(part, Aggregate) for part in parts(value)) and not any(
            isinstance(part, Ref) or any(part == key for _, key in self._keys) for part in outside
        )

    def _measure(self, value: Expr, column: Column | None) -> Ref:
        for known, other in self._measures:
            if value == other:
                return ref(known)
        if column is None or any(column is known for known, _ in self._measures):
            column = Column(name_of(value), value.type)
        self._measures.append((column, value))
        return ref(column)

    def apply(self, relation: Relation) -> Relation:
        if not self._measures:
            return Distinct(Project(relation, tuple(self._keys)))
        return Group(relation, tuple(self._keys), tuple(self._measures))
