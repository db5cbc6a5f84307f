"""Names for what a query leaves without one."""

from __future__ import annotations

from bootstrap.convert.relational.model import (
    Aggregate,
    Call,
    Case,
    Cast,
    Column,
    Expr,
    Literal,
    Ref,
    Window,
    columns_in,
)

_PREFIXES = {"count": "n", "mean": "avg", "any": "", "argmax": "", "argmin": "", "std": "std", "var": "var"}


def name_of(value: Expr) -> str:
    """Return a name for an expression, from the function and the only column in it."""
    columns = columns_in(value)
    inner = next(iter(columns)).name if len(columns) == 1 else ""
    if isinstance(value, Ref):
        return value.column.name
    if isinstance(value, Aggregate):
        first = value.arguments[0] if value.arguments else None
        inner = first.column.name if isinstance(first, Ref) else inner
        prefix = _PREFIXES.get(value.function, value.function)
        return "_".join(part for part in (prefix, inner) if part)
    if isinstance(value, Window):
        return value.function if not value.arguments else "_".join(filter(None, (value.function, _only(value))))
    if isinstance(value, Cast) and inner:
        return inner
    if isinstance(value, Call) and value.function.isidentifier() and inner:
        return f"{value.function}_{inner}"
    if isinstance(value, Literal):
        return "constant"
    return "label" if isinstance(value, Case) else "value"


def _only(value: Window) -> str:
    found: set[Column] = columns_in(value.arguments)
    return next(iter(found)).name if len(found) == 1 else ""
