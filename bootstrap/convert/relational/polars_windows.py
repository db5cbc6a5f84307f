"""Window functions as Polars code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bootstrap.convert.base import UnsupportedSqlError
from bootstrap.convert.relational.functions import NUMERIC
from bootstrap.convert.relational.model import Aggregate, Expr, SortKey, Window
from bootstrap.convert.relational.rendering import ADD, ATOM, Code, sequence

if TYPE_CHECKING:
    from bootstrap.convert.relational.polars_expressions import PolarsExpressions

_RUNNING = {"sum": "cum_sum", "min": "cum_min", "max": "cum_max", "count": "cum_count"}
_ROLLING = {"sum": "rolling_sum", "mean": "rolling_mean", "min": "rolling_min", "max": "rolling_max"}


def window(expressions: PolarsExpressions, node: Window) -> Code:
    """Return the code of a window function. Raises UnsupportedSqlError for frames that Polars does not have."""
    if node.function == "row_number":
        return Code(f"pl.int_range(1, pl.len() + 1){_over(expressions, node, node.order)}")
    if node.function in ("rank", "dense_rank"):
        return _rank(expressions, node)
    if node.function in ("lag", "lead"):
        value = expressions.code(node.arguments[0]).at(ATOM)
        count = expressions.code(node.arguments[1]).raw
        steps = count if node.function == "lag" else f"-{count}"
        default = f", fill_value={expressions.code(node.arguments[2]).value()}" if len(node.arguments) > 2 else ""
        return Code(f"{value}.shift({steps}{default}){_over(expressions, node, node.order)}")
    if node.function in ("first_value", "last_value"):
        if node.function == "last_value" and node.frame is not None:
            raise UnsupportedSqlError("LAST_VALUE up to the current row")
        method = node.function.partition("_")[0]
        value = expressions.code(node.arguments[0]).at(ATOM)
        return Code(f"{value}.{method}(){_over(expressions, node, node.order)}")
    if node.frame is None:
        whole = expressions.code(Aggregate(node.type, node.function, node.arguments))
        return Code(f"{whole.at(ATOM)}{_over(expressions, node, ())}")
    return _framed(expressions, node)


def _framed(expressions: PolarsExpressions, node: Window) -> Code:
    assert node.frame is not None
    over = _over(expressions, node, node.order)
    value = expressions.code(node.arguments[0]).at(ATOM) if node.arguments else ""
    if node.frame.start is None and node.frame.end == 0:
        if not value:
            return Code(f"pl.int_range(1, pl.len() + 1){over}")
        fill = ".forward_fill()" if expressions.strict and node.function != "count" else ""
        if node.function in _RUNNING:
            return Code(f"{value}.{_RUNNING[node.function]}(){fill}{over}")
        if node.function == "mean":
            return Code(f"({value}.cum_sum(){fill} / {value}.cum_count()){over}")
    elif node.frame.start is not None and node.frame.end == 0 and node.function in _ROLLING and value:
        size = -node.frame.start + 1
        return Code(f"{value}.{_ROLLING[node.function]}({size}, min_samples=1){over}")
    raise UnsupportedSqlError(f"{node.function} over this frame in Polars")


def _rank(expressions: PolarsExpressions, node: Window) -> Code:
    if not node.order:
        raise UnsupportedSqlError(f"{node.function} without an order")
    keys, descending = _one_direction(expressions, node.order)
    key = keys[0] if len(keys) == 1 else Code(f"pl.struct({', '.join(one.text for one in keys)})")
    method = '"dense"' if node.function == "dense_rank" else '"min"'
    flag = ", descending=True" if descending else ""
    return Code(f"{key.at(ATOM)}.rank({method}{flag}){_over(expressions, node, ())}")


def _one_direction(expressions: PolarsExpressions, order: tuple[SortKey, ...]) -> tuple[list[Code], bool]:
    """Return sort keys and whether all of them descend; where directions differ, numbers change their sign."""
    codes = [expressions.code(key.by) for key in order]
    if len({key.descending for key in order}) == 1:
        return codes, order[0].descending
    for number, key in enumerate(order):
        if key.descending:
            if key.by.type not in NUMERIC:
                raise UnsupportedSqlError("a window ordered in both directions")
            codes[number] = Code(f"-{codes[number].at(ATOM)}", ADD)
    return codes, False


def _over(expressions: PolarsExpressions, node: Window, order: tuple[SortKey, ...]) -> str:
    parts = [sequence([expressions.name_or_code(one) for one in node.partition])] if node.partition else []
    if order:
        keys, descending = _one_direction(expressions, order)
        plain = [_named(expressions, key.by, code) for key, code in zip(order, keys, strict=True)]
        parts.append(f"order_by={sequence(plain)}")
        parts += ["descending=True"] if descending else []
        if expressions.strict and not order[0].nulls_first:
            parts.append("nulls_last=True")
    return f".over({', '.join(parts)})" if parts else ""


def _named(expressions: PolarsExpressions, node: Expr, code: Code) -> str:
    return code.text if code.text.startswith("-") else expressions.name_or_code(node)
