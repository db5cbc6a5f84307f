"""The schema of a query's tables, from the query alone: which columns are whose, and of what type by their use.

A column that is compared with a text, a date or a number is one; two columns that are compared are of one type; the
functions say what they take. What no use tells, the name may (`..._date`, `..._id`), and the rest are whole numbers.
A column without a table's name belongs to the only table that is there; where there are several, it must be known
from elsewhere in the query.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import Scope, traverse_scope

from interpreters.base import ColumnType

INT, FLOAT, STRING, BOOL = ColumnType.INT, ColumnType.FLOAT, ColumnType.STRING, ColumnType.BOOL
DATE, TIMESTAMP = ColumnType.DATE, ColumnType.TIMESTAMP
Named = tuple[str, str]  # table, column
GuessedSchema = dict[str, dict[str, ColumnType]]

_TEXT_FUNCTIONS = (
    exp.Like, exp.ILike, exp.Upper, exp.Lower, exp.Length, exp.Trim, exp.Substring, exp.RegexpLike, exp.StartsWith,
    exp.DPipe, exp.Concat, exp.Replace, exp.StrPosition, exp.SplitPart, exp.Left, exp.Right,
)  # fmt: skip
_TIME_FUNCTIONS = (
    exp.Extract, exp.TimestampTrunc, exp.DateTrunc, exp.Year, exp.Month, exp.Day, exp.Quarter, exp.TimeToStr,
)  # fmt: skip
_NUMBER_FUNCTIONS = (
    exp.Sum, exp.Avg, exp.Mul, exp.Div, exp.Sub, exp.Add, exp.Mod, exp.Round, exp.Abs, exp.Stddev, exp.Variance,
    exp.StddevSamp, exp.StddevPop, exp.VariancePop, exp.Ceil, exp.Floor, exp.Sqrt, exp.Ln, exp.Exp, exp.Neg,
)  # fmt: skip
_SAME = (
    exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.In, exp.Between, exp.Coalesce, exp.NullSafeEQ,
    exp.NullSafeNEQ, exp.Nullif,
)  # fmt: skip
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}.*")
_BY_NAME = (
    (re.compile(r"(^|_)(timestamp|ts|at|time)(_col)?$"), TIMESTAMP), (re.compile(r"(^|_)(date|day|on)$"), DATE),
    (re.compile(r"name|comment|string|text|city|country|status|type|email|address|title|label"), STRING),
    (re.compile(r"price|amount|rate|cost|float|double|value|discount|tax|total|balance"), FLOAT),
    (re.compile(r"^(is|has)_|(^|_)bool"), BOOL),
)  # fmt: skip


class NoSchemaError(ValueError):
    """Why the tables of a query cannot be made up."""


def guess_schema(tree: exp.Query) -> GuessedSchema:
    """Return table -> column -> type. Raises NoSchemaError."""
    owners = _owners(tree)
    kinds: dict[Named, ColumnType] = {}
    for column, name in owners:
        used = _kind_by_use(column)
        if used is not None and _stronger(used, kinds.get(name)):
            kinds[name] = used
    groups = _alike(owners)
    schema: GuessedSchema = {}
    for name in dict.fromkeys(name for _, name in owners):
        group = groups.get(name, {name})
        known = sorted({kinds[one] for one in group if one in kinds}, key=_STRENGTH.index)
        schema.setdefault(name[0], {})[name[1]] = known[-1] if known else _kind_by_name(name[1])
    for table in _tables(tree):
        if table not in schema:
            raise NoSchemaError("no column of a table is named")
    return schema


_STRENGTH = (INT, FLOAT, BOOL, STRING, DATE, TIMESTAMP)


def _stronger(new: ColumnType, old: ColumnType | None) -> bool:
    return old is None or _STRENGTH.index(new) > _STRENGTH.index(old)


# -- whose column -------------------------------------------------------------------------------------------------


def _tables(tree: exp.Query) -> list[str]:
    names = {cte.alias for cte in tree.find_all(exp.CTE)}
    return [table.name for table in tree.find_all(exp.Table) if table.name and table.name not in names]


def _owners(tree: exp.Query) -> list[tuple[exp.Column, Named]]:
    """Return each mention of a column that a table of the database owns. Raises NoSchemaError where it cannot be told.

    Not by column: two mentions of one column are equal to sqlglot, and each says something else of its type.
    """
    try:
        scopes = traverse_scope(tree)
    except SqlglotError as error:
        raise NoSchemaError("its names cannot be resolved") from error
    if any(table.db for table in tree.find_all(exp.Table)):
        raise NoSchemaError("a table of a named schema")
    found: dict[int, tuple[exp.Column, Named]] = {}
    unclear: list[tuple[exp.Column, list[str], Scope]] = []
    for scope in scopes:
        for column in scope.columns:
            if isinstance(column.this, exp.Star) or id(column) in found:
                continue
            tables = _sources(scope)
            source = tables.get(column.table) if column.table else None
            if source is not None:
                found[id(column)] = column, (source, column.name)
            elif not column.table and not _is_output(column, scope):
                unclear.append((column, list(dict.fromkeys(tables.values())), scope))
    known: dict[str, set[str]] = {}
    for _, (table, name) in found.values():
        known.setdefault(name, set()).add(table)
    for column, tables_here, scope in unclear:
        owner = _only_owner(column.name, tables_here, known, scope)
        if owner:
            found[id(column)] = column, (owner, column.name)
    return list(found.values())


def _sources(scope: Scope) -> dict[str, str]:
    """Return alias -> table, of a scope and those around it, for tables of the database."""
    around = _sources(scope.parent) if scope.parent is not None and scope.is_correlated_subquery else {}
    here = {alias: source.name for alias, source in scope.sources.items() if isinstance(source, exp.Table)}
    return {**around, **here}


def _is_output(column: exp.Column, scope: Scope) -> bool:
    """Say whether a bare name in ORDER BY, HAVING or GROUP BY is the alias of a column shown."""
    shown = {one.alias.lower() for one in scope.expression.expressions if isinstance(one, exp.Alias)}
    return (
        column.name.lower() in shown and column.find_ancestor(exp.Order, exp.Having, exp.Group, exp.Qualify) is not None
    )


def _only_owner(name: str, tables: list[str], known: dict[str, set[str]], scope: Scope) -> str:
    derived = [source for source in scope.sources.values() if isinstance(source, Scope)]
    if any(isinstance(one.expression, exp.Query) and name in one.expression.named_selects for one in derived):
        return ""
    if len(tables) == 1:
        return tables[0]
    among = [table for table in tables if table in known.get(name, set())]
    if len(among) == 1:
        return among[0]
    if not tables and derived:
        return ""
    prefix = name.partition("_")[0]
    for named in (_initials, lambda table: table[:1], lambda table: table[:2]):
        prefixed = [table for table in tables if named(table) == prefix]
        if len(prefixed) == 1:
            return prefixed[0]
    raise NoSchemaError("which table a column belongs to is not said")


def _initials(table: str) -> str:
    return "".join(word[:1] for word in table.split("_"))


# -- of what type -------------------------------------------------------------------------------------------------


def _alike(owners: list[tuple[exp.Column, Named]]) -> dict[Named, set[Named]]:
    """Return the columns that are compared with each other, directly or by way of others."""
    groups: dict[Named, set[Named]] = {}
    by_id = {id(column): name for column, name in owners}
    for column, name in owners:
        parent = column.parent
        if not isinstance(parent, _SAME):
            continue
        for other in parent.find_all(exp.Column):
            if id(other) in by_id and other.parent is parent:
                beside = by_id[id(other)]
                merged = groups.get(name, {name}) | groups.get(beside, {beside})
                for one in merged:
                    groups[one] = merged
    return groups


def _kind_by_use(column: exp.Column) -> ColumnType | None:
    parent = column.parent
    while isinstance(parent, exp.Paren):
        parent = parent.parent
    if isinstance(parent, _TEXT_FUNCTIONS):
        return STRING
    if isinstance(parent, _TIME_FUNCTIONS):
        return TIMESTAMP
    if isinstance(parent, exp.Add | exp.Sub) and any(
        isinstance(one, exp.Interval) for one in parent.iter_expressions()
    ):
        return TIMESTAMP
    if isinstance(parent, exp.And | exp.Or | exp.Not | exp.Where):
        return BOOL
    if isinstance(parent, _SAME):
        return next((kind for kind in map(_kind_of_constant, _beside(parent, column)) if kind), None)
    if isinstance(parent, _NUMBER_FUNCTIONS):
        return FLOAT if isinstance(parent, exp.Avg | exp.Div) or _has_fraction(parent) else INT
    return None


def _beside(parent: exp.Expr, column: exp.Column) -> Iterator[exp.Expr]:
    return (one for one in parent.iter_expressions() if one is not column)


def _has_fraction(node: exp.Expr) -> bool:
    return any(literal.is_number and not literal.is_int for literal in node.find_all(exp.Literal))


def _kind_of_constant(node: exp.Expr) -> ColumnType | None:
    if isinstance(node, exp.Neg | exp.Paren):
        return _kind_of_constant(node.this)
    if isinstance(node, exp.Boolean):
        return BOOL
    if isinstance(node, exp.Cast) and node.to.this in (exp.DataType.Type.DATE, exp.DataType.Type.TIMESTAMP):
        return DATE if node.to.this is exp.DataType.Type.DATE else TIMESTAMP
    if isinstance(node, exp.TimestampFromParts):
        return TIMESTAMP
    if isinstance(node, exp.DateFromParts):
        return DATE
    if not isinstance(node, exp.Literal):
        return None
    if node.is_string:
        return TIMESTAMP if _MOMENT.fullmatch(node.name) else DATE if _DAY.fullmatch(node.name) else STRING
    return INT if node.is_int else FLOAT


def _kind_by_name(name: str) -> ColumnType:
    return next((kind for pattern, kind in _BY_NAME if pattern.search(name.lower())), INT)


def parsed(sql: str, dialects: tuple[str, ...]) -> tuple[exp.Query, str] | None:
    """Return one query's tree, and the first of the dialects that reads it as one."""
    for dialect in dialects:
        try:
            trees = [tree for tree in sqlglot.parse(sql, read=dialect) if tree is not None]
        except SqlglotError:
            continue
        if len(trees) == 1 and isinstance(trees[0], exp.Query):
            return trees[0], dialect
    return None
