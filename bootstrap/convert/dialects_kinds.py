"""Which class of values an expression has, and what SQLite calls its affinity: what a comparison converts to.

Names are resolved before (dialects_names.py), which leaves the class of each column in its `meta`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Literal

from sqlglot import exp

from interpreters.base import ColumnType

Affinity = Literal["number", "text", "time"]

BOOL, INT, FLOAT, STRING = ColumnType.BOOL, ColumnType.INT, ColumnType.FLOAT, ColumnType.STRING
NUMBERS = frozenset({INT, FLOAT, ColumnType.DECIMAL})
TIMES = frozenset({ColumnType.DATE, ColumnType.TIMESTAMP})
COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ)
CONDITIONS = (
    *COMPARISONS, exp.And, exp.Or, exp.Not, exp.In, exp.Between, exp.Like, exp.ILike, exp.Glob, exp.Is, exp.Exists,
    exp.RegexpLike, exp.Boolean,
)  # fmt: skip
TEXTS = (
    exp.DPipe, exp.Concat, exp.Upper, exp.Lower, exp.Trim, exp.Substring, exp.Replace, exp.TimeToStr, exp.GroupConcat,
    exp.Left, exp.Right, exp.Hex, exp.Chr,
)  # fmt: skip
WHOLE = (
    exp.Count, exp.Length, exp.StrPosition, exp.Sign, exp.IntDiv, exp.RowNumber, exp.Rank, exp.DenseRank, exp.Unicode,
    exp.Extract, exp.Ntile, exp.CountIf,
)  # fmt: skip
FRACTIONS = (exp.Avg, exp.Round, exp.Sqrt, exp.Pow, exp.Exp, exp.Ln)
SAME = (
    exp.Paren, exp.Max, exp.Min, exp.AnyValue, exp.Window, exp.Lag, exp.Lead, exp.FirstValue, exp.LastValue,
    exp.NthValue, exp.Collate, exp.Ordered, exp.Nullif, exp.Filter, exp.Alias, exp.ArgMax, exp.ArgMin,
)  # fmt: skip
NAMED = {
    **dict.fromkeys(("strftime", "time", "datetime", "printf", "format", "typeof", "quote", "date"), STRING),
    "julianday": FLOAT,
    "unixepoch": INT,
}
CAST_KINDS = {
    **dict.fromkeys(exp.DataType.INTEGER_TYPES, INT),
    **dict.fromkeys(exp.DataType.TEXT_TYPES, STRING),
    **dict.fromkeys((exp.DType.FLOAT, exp.DType.DOUBLE), FLOAT),
    exp.DType.DECIMAL: ColumnType.DECIMAL,
    exp.DType.BOOLEAN: BOOL,
    exp.DType.DATE: ColumnType.DATE,
    exp.DType.TIMESTAMP: ColumnType.TIMESTAMP,
    exp.DType.DATETIME: ColumnType.TIMESTAMP,
}
NUMBER_TEXT = re.compile(r"\s*[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*", re.ASCII)


def kind_of(node: exp.Expr) -> ColumnType | None:
    """Return the class of an expression's values, None where it is not known or not one."""
    known = node.meta.get("kind")
    if isinstance(known, ColumnType):
        return known
    for classes, rule in _RULES:
        if isinstance(node, classes):
            return rule(node)
    return None


def affinity_of(node: exp.Expr) -> Affinity | None:
    """Return what a comparison with this expression converts the other side to. Only columns and casts have one."""
    if isinstance(node, exp.Paren | exp.Collate):
        return affinity_of(node.this)
    if isinstance(node, exp.Subquery):
        shown = _shown(node)
        return affinity_of(shown.unalias()) if shown else None
    if not isinstance(node, exp.Column | exp.Cast):
        return None
    kind = kind_of(node)
    if kind in TIMES:
        return "time"
    return "text" if kind is STRING else "number" if kind in NUMBERS or kind is BOOL else None


def unified(kinds: Iterable[ColumnType | None]) -> ColumnType | None:
    """Return the class that holds values of all these; None for text with numbers, which SQLite lets stand together."""
    found = {kind for kind in kinds if kind is not ColumnType.NULL}
    if len(found) == 1:
        return found.pop()
    if found and found <= NUMBERS | {BOOL}:
        return FLOAT if found & {FLOAT, ColumnType.DECIMAL} else INT
    return None if found else ColumnType.NULL


def is_number(text: str) -> bool:
    """Say whether SQLite takes a text for a number when it is compared with one."""
    return NUMBER_TEXT.fullmatch(text) is not None


def _literal(node: exp.Expr) -> ColumnType:
    if node.args.get("is_string"):
        return STRING
    return INT if node.name.isdigit() else FLOAT


def _arithmetic(node: exp.Expr) -> ColumnType | None:
    kinds = {kind_of(node.this), kind_of(node.expression)}
    if None in kinds:
        return None
    return INT if kinds <= {INT, BOOL, ColumnType.NULL} | TIMES else FLOAT


def _number(node: exp.Expr) -> ColumnType | None:
    inner = node.this.expressions[0] if isinstance(node.this, exp.Distinct) else node.this
    kind = kind_of(inner)
    return kind if kind is None or kind in NUMBERS else INT if kind is BOOL or kind in TIMES else FLOAT


def _cast(node: exp.Expr) -> ColumnType | None:
    return CAST_KINDS.get(node.args["to"].this)


def _case(node: exp.Expr) -> ColumnType | None:
    values = [branch.args["true"] for branch in node.args["ifs"]]
    return unified(kind_of(value) for value in (*values, node.args.get("default")) if value is not None)


def _if(node: exp.Expr) -> ColumnType | None:
    return unified(kind_of(value) for value in (node.args.get("true"), node.args.get("false")) if value is not None)


def _several(node: exp.Expr) -> ColumnType | None:
    return unified(kind_of(value) for value in (node.this, *node.expressions))


def _subquery(node: exp.Expr) -> ColumnType | None:
    shown = _shown(node)
    return kind_of(shown) if shown else None


def _shown(node: exp.Expr) -> exp.Expr | None:
    """Return the first output of a sub-query."""
    query = node.unnest() if isinstance(node, exp.Subquery) else node
    return next(iter(query.selects), None) if isinstance(query, exp.Query) else None


def _distinct(node: exp.Expr) -> ColumnType | None:
    return kind_of(node.expressions[0]) if len(node.expressions) == 1 else None


_RULES: tuple[tuple[type[exp.Expr] | tuple[type[exp.Expr], ...], Callable[[exp.Expr], ColumnType | None]], ...] = (
    (exp.Literal, _literal),
    (exp.Null, lambda _: ColumnType.NULL),
    (exp.Cast, _cast),
    (CONDITIONS, lambda _: BOOL),
    (TEXTS, lambda _: STRING),
    (WHOLE, lambda _: INT),
    (FRACTIONS, lambda _: FLOAT),
    (SAME, lambda node: kind_of(node.this)),
    (exp.Distinct, _distinct),
    ((exp.Sum, exp.Abs, exp.Neg), _number),
    ((exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod), _arithmetic),
    (exp.Case, _case),
    (exp.If, _if),
    ((exp.Coalesce, exp.Greatest, exp.Least), _several),
    (exp.Subquery, _subquery),
    (exp.Anonymous, lambda node: NAMED.get(node.name.lower())),
)
