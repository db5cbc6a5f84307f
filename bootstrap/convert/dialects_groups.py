"""Grouping and sorting that only SQLite allows: columns that no key fixes, DISTINCT sorted by what it does not show.

SQLite takes a column that is neither a key nor inside an aggregate from some row of the group; next to the only MIN
or MAX of the query, from the row that has the extreme. Names are resolved before (dialects_names.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sqlglot import ErrorLevel, exp

from bootstrap.convert.base import UnsupportedSqlError
from bootstrap.convert.dialects_build import as_kind, piece
from bootstrap.convert.dialects_kinds import kind_of
from interpreters.base import ColumnType

Choice = Literal["any", "min", "max"]


@dataclass(frozen=True)
class Choices:
    """What a query leaves open. `value`: how any value of a group is chosen: by the engine where it can, or the least,
    or the greatest. `swapped`: days made of texts are days, and those made of days texts. `cased`: LIKE tells letters
    by their case, as its author may not have known that it does not.
    """

    value: Choice = "any"
    swapped: bool = False
    cased: bool = False


Key = tuple[str, str] | str


def regroup(tree: exp.Expr, target: str, choice: Choice) -> set[str]:
    """Make every SELECT of the query legal where groups are strict; return the names of what was changed."""
    return {rule for select in list(tree.find_all(exp.Select)) for rule in _regroup(select, target, choice)}


def _regroup(select: exp.Select, target: str, choice: Choice) -> Iterator[str]:
    _drop_redundant_distinct(select)
    if is_grouped(select):
        loose = list(_loose_columns(select))
        if loose:
            extreme = _only_extreme(select)
            yield "row-of-extreme" if extreme is not None else "any-value"
            for column in loose:
                _replace(column, _row_of(column, extreme, target) if extreme else any_of(column, target, choice))
        yield from ["distinct-order"] if _hidden_keys(select) else []
    elif _hidden_keys(select):
        _group_instead_of_distinct(select)
        yield "distinct-order"


# -- loose columns ------------------------------------------------------------------------------------------------


def aggregates(select: exp.Select) -> list[exp.Expr]:
    """Return the aggregates of this SELECT itself: no window functions, nothing of its sub-queries."""
    clauses = [*select.expressions, select.args.get("having"), select.args.get("order")]
    return [found for clause in clauses if clause is not None for found in _own_aggregates(clause)]


def _own_aggregates(node: exp.Expr) -> Iterator[exp.Expr]:
    if isinstance(node, exp.Query):
        return
    if isinstance(node, exp.Window):
        for over in node.iter_expressions():
            yield from (one for part in over.iter_expressions() for one in _own_aggregates(part))
    elif isinstance(node, exp.AggFunc):
        yield node
    else:
        for child in node.iter_expressions():
            yield from _own_aggregates(child)


def is_grouped(select: exp.Select) -> bool:
    return bool(select.args.get("group") or select.args.get("having") or aggregates(select))


def _keys(select: exp.Select) -> list[exp.Expr]:
    """Return the expressions that fix a group, positions and aliases written out."""
    group, keys = select.args.get("group"), []
    for key in group.expressions if group else ():
        if isinstance(key, exp.Literal) and key.is_int and 0 < int(key.this) <= len(select.expressions):
            keys.append(select.expressions[int(key.this) - 1].unalias())
        elif key.meta.get("alias"):
            keys.append(key.meta["shown"])
        else:
            keys.append(key)
    return keys


def identity(node: exp.Expr) -> Key:
    """Return what is equal for equal expressions, whether or not a column names its table."""
    if isinstance(node, exp.Column) and "source" in node.meta:
        return (node.meta["source"], node.name.casefold())
    if isinstance(node, exp.Paren):
        return identity(node.this)
    bare = node.copy()
    for column in bare.find_all(exp.Column):
        column.set("table", exp.to_identifier(str(column.meta.get("source", ""))))
    return bare.sql(comments=False, unsupported_level=ErrorLevel.IGNORE).casefold()


def _loose_columns(select: exp.Select) -> Iterator[exp.Column]:
    keys = {identity(key) for key in _keys(select)}
    clauses = [*select.expressions, select.args.get("having"), select.args.get("order")]
    for clause in clauses:
        if isinstance(clause, exp.Star) or (isinstance(clause, exp.Column) and isinstance(clause.this, exp.Star)):
            raise UnsupportedSqlError("* in a grouped query")
        if clause is not None:
            yield from _loose_within(clause, keys)


def _loose_within(node: exp.Expr, keys: set[Key]) -> Iterator[exp.Column]:
    if isinstance(node, exp.Query | exp.AggFunc | exp.Filter) or node.meta.get("alias"):
        return
    if not isinstance(node, exp.Ordered | exp.Order | exp.Having | exp.Alias) and identity(node) in keys:
        return
    if isinstance(node, exp.Column):
        if node.meta.get("depth") == 0:
            yield node
        return
    for child in list(node.iter_expressions()):
        yield from _loose_within(child, keys)


def _only_extreme(select: exp.Select) -> exp.Expr | None:
    """Return the MIN or MAX of the query when it has just one."""
    found = {identity(one): one for one in aggregates(select) if isinstance(one, exp.Min | exp.Max)}
    return next(iter(found.values())) if len(found) == 1 else None


def _row_of(column: exp.Column, extreme: exp.Expr, target: str) -> exp.Expr:
    greatest = isinstance(extreme, exp.Max)
    key = extreme.this.expressions[0] if isinstance(extreme.this, exp.Distinct) else extreme.this
    if target == "duckdb":
        text = f"FIRST(_value ORDER BY _key {'DESC' if greatest else 'ASC'} NULLS LAST)"
    else:
        text = f"(ARRAY_AGG(_value ORDER BY _key {'DESC NULLS LAST' if greatest else 'ASC NULLS LAST'}))[1]"
    return piece(text, target, kind_of(column), value=column, key=key)


def any_of(column: exp.Expr, target: str, choice: Choice) -> exp.Expr:
    kind = kind_of(column)
    if choice == "any" and target == "duckdb":
        return as_kind(exp.AnyValue(this=column.copy()), kind)
    if kind in (ColumnType.BOOL, ColumnType.LIST, ColumnType.STRUCT, None) and target == "postgres":
        return piece("(ARRAY_AGG(_value))[1]", target, kind, value=column)
    return as_kind((exp.Max if choice == "max" else exp.Min)(this=column.copy()), kind)


def _replace(column: exp.Column, by: exp.Expr) -> None:
    """Put an aggregate in the place of a column, under the column's name where it is an output."""
    if isinstance(column.parent, exp.Select):
        name = column.this.copy()
        by = as_kind(exp.Alias(this=by, alias=name), kind_of(by))
    column.replace(by)


# -- DISTINCT -----------------------------------------------------------------------------------------------------


def _hidden_keys(select: exp.Select) -> list[exp.Ordered]:
    """Return the sort keys of a SELECT DISTINCT that it does not show."""
    order = select.args.get("order")
    if order is None or not select.args.get("distinct"):
        return []
    shown = {identity(one.unalias()) for one in select.expressions}
    hidden = [key for key in order.expressions if not key.this.meta.get("alias") and identity(key.this) not in shown]
    return [key for key in hidden if not isinstance(key.this, exp.Literal)]


def _drop_redundant_distinct(select: exp.Select) -> None:
    """Forget a DISTINCT over rows that the keys of their group make different."""
    if not (select.args.get("distinct") and select.args.get("group") and _hidden_keys(select)):
        return
    shown = {identity(one.unalias()) for one in select.expressions}
    if {identity(key) for key in _keys(select)} <= shown:
        select.set("distinct", None)


def _group_instead_of_distinct(select: exp.Select) -> None:
    """Group by what is shown, and sort by the least hidden value of a group, the greatest where it descends."""
    shown = [one.unalias() for one in select.expressions]
    stars = any(one.find(exp.Star) and not one.find(exp.Count) for one in shown)
    if stars or any(one.find(exp.Window, exp.Query) for one in shown):
        raise UnsupportedSqlError("SELECT DISTINCT of * or of a window, ordered by what it does not show")
    for key in _hidden_keys(select):
        extreme = exp.Max if key.args.get("desc") else exp.Min
        inner = key.this
        inner.replace(as_kind(extreme(this=inner.copy()), kind_of(inner)))
    select.set("distinct", None)
    keys = [one.copy() for one in shown if not isinstance(one, exp.Literal)]
    select.set("group", exp.Group(expressions=keys))
