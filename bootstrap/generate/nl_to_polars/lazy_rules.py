"""The strict rules for lazy Polars code, checked on its syntax tree: for what we render and for what a model wrote.

The code is one expression: one chain that begins with a table (`df` or another by its name) and `.lazy()`, goes on
with methods of a LazyFrame, and ends with its one `.collect()`. Other tables come in through `.lazy()` too, as what is
joined. Nothing is imported, assigned, printed, read or written; no Python function runs over values. What is allowed
is listed, so that what a later Polars adds is refused until somebody looks at it.

`df` may be given as a LazyFrame or as a DataFrame: `.lazy()` of a LazyFrame is the LazyFrame. The interpreter
`polars_expr` binds DataFrames, and runs such code unchanged.
"""

from __future__ import annotations

import ast
from collections.abc import Collection

FRAME_METHODS = frozenset((
    "filter", "remove", "select", "with_columns", "sort", "head", "limit", "tail", "first", "last", "slice", "join",
    "join_asof", "join_where", "unique", "drop", "drop_nulls", "drop_nans", "fill_null", "fill_nan", "rename", "cast",
    "with_row_index", "unpivot", "pivot", "explode", "unnest", "top_k", "bottom_k", "reverse", "shift", "gather_every",
    "count", "null_count", "sum", "mean", "median", "min", "max", "std", "var", "quantile", "interpolate",
    "merge_sorted", "lazy", "set_sorted",
))  # fmt: skip
GROUPINGS = frozenset(("group_by", "group_by_dynamic", "rolling"))
GROUP_METHODS = frozenset((
    "agg", "len", "count", "sum", "mean", "median", "min", "max", "n_unique", "first", "last", "head", "tail",
    "quantile", "all", "having",
))  # fmt: skip
JOINS = frozenset(("join", "join_asof", "join_where", "merge_sorted"))
FUNCTIONS = frozenset((
    "col", "lit", "when", "len", "count", "date", "datetime", "time", "duration", "coalesce", "concat_str",
    "concat_list", "format", "struct", "all", "any", "exclude", "first", "last", "nth", "element", "field", "sum",
    "mean", "median", "min", "max", "std", "var", "n_unique", "quantile", "head", "tail", "corr", "cov", "cum_sum",
    "cum_count", "all_horizontal", "any_horizontal", "sum_horizontal", "mean_horizontal", "min_horizontal",
    "max_horizontal", "int_range", "arg_sort_by", "date_range", "datetime_range", "row_index", "rolling_corr",
    "rolling_cov", "arctan2",
))  # fmt: skip
DTYPES = frozenset((
    "Int8", "Int16", "Int32", "Int64", "Int128", "UInt8", "UInt16", "UInt32", "UInt64", "Float32", "Float64",
    "Boolean", "String", "Utf8", "Categorical", "Date", "Datetime", "Time", "Duration", "Decimal", "List", "Null",
))  # fmt: skip
FORBIDDEN_METHODS = frozenset((
    "apply", "map", "map_elements", "map_batches", "map_groups", "map_rows", "rolling_map", "pipe", "inspect",
    "collect", "collect_async", "collect_batches", "fetch", "execute", "lazy", "sample", "shuffle", "serialize",
    "deserialize", "show", "explain", "profile", "sql", "meta", "register_plugin", "cumulative_eval", "from_json",
    "decode", "plot", "pipe_with_dtype", "ext",
))  # fmt: skip
"""Of expressions: Python over values, what ends laziness, what gives another answer each time."""
_EXPRESSION_NODES = (
    ast.Call, ast.Attribute, ast.Name, ast.Constant, ast.keyword, ast.List, ast.Tuple, ast.Dict, ast.BinOp, ast.UnaryOp,
    ast.Compare, ast.operator, ast.unaryop, ast.cmpop, ast.expr_context, ast.Starred,
)  # fmt: skip
MOST_NODES = 2000


class RuleError(ValueError):
    """Code that breaks a rule; the message says which, without any value of the code."""


def broken_rule(code: str, tables: Collection[str] = ()) -> str | None:
    """Return the rule that code breaks, None where it keeps them all. `tables`: names besides `df`."""
    try:
        tree = ast.parse(code.strip())
        _check(tree, {"df", *tables})
    except RuleError as error:
        return str(error)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"the code cannot be read: {type(error).__name__}"
    return None


def _check(tree: ast.Module, tables: Collection[str]) -> None:
    if sum(1 for _ in ast.walk(tree)) > MOST_NODES:
        raise RuleError("the code is too long")
    if len(tree.body) != 1 or not isinstance(tree.body[0], ast.Expr):
        raise RuleError("expected one expression: no statements, no imports, no assignments")
    last = tree.body[0].value
    if not (isinstance(last, ast.Call) and isinstance(last.func, ast.Attribute) and last.func.attr == "collect"):
        raise RuleError("expected a chain that ends with .collect()")
    if last.args or last.keywords:
        raise RuleError("expected .collect() without arguments")
    _Chain(tables).frame(last.func.value)


class _Chain:
    """Checks frames and expressions. A method raises RuleError for the first rule that is broken."""

    def __init__(self, tables: Collection[str]) -> None:
        self.tables = tables

    def frame(self, node: ast.expr) -> None:
        """Check something that must be a LazyFrame."""
        method, of = self._method(node)
        if isinstance(of, ast.Name):
            if of.id == "pl" and method == "concat":
                self._concat(node)
                return
            if of.id not in self.tables or method != "lazy" or _arguments(node):
                raise RuleError("expected a chain that begins with a given table and .lazy()")
            return
        if isinstance(of, ast.Call) and isinstance(of.func, ast.Attribute) and of.func.attr in GROUPINGS:
            if method not in GROUP_METHODS:
                raise RuleError(f"groups have no method .{method}() here")
            self._grouped(of, node, method)
            return
        if method not in FRAME_METHODS:
            raise RuleError(f".{method}() is no method of a LazyFrame that is allowed")
        self.frame(of)
        self._frame_arguments(node, method)

    def _grouped(self, grouping: ast.Call, node: ast.expr, method: str) -> None:
        assert isinstance(grouping.func, ast.Attribute)  # the caller has seen it
        self.frame(grouping.func.value)
        for argument in (*_arguments(grouping), *_arguments(node)):
            self.expression(argument)

    def _method(self, node: ast.expr) -> tuple[str, ast.expr]:
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            raise RuleError("expected one chain of method calls")
        return node.func.attr, node.func.value

    def _concat(self, node: ast.expr) -> None:
        frames, others = _arguments(node)[:1], _arguments(node)[1:]
        if not frames or not isinstance(frames[0], ast.List):
            raise RuleError("expected pl.concat of a list of LazyFrames")
        for one in frames[0].elts:
            self.frame(one)
        for other in others:
            self.expression(other)

    def _frame_arguments(self, node: ast.expr, method: str) -> None:
        assert isinstance(node, ast.Call)  # the caller has seen it
        others = [keyword.value for keyword in node.keywords if keyword.arg == "other"]
        arguments = list(node.args)
        if method in JOINS:
            joined = others or arguments[:1]
            if not joined:
                raise RuleError(f"expected another LazyFrame in .{method}()")
            self.frame(joined[0])
            arguments = arguments if others else arguments[1:]
        for argument in arguments:
            self.expression(argument)
        for keyword in node.keywords:
            if keyword.arg == "engine":
                raise RuleError("no engine is chosen")
            if not (method in JOINS and keyword.arg == "other"):
                self.expression(keyword.value)

    def expression(self, node: ast.AST) -> None:
        """Check everything that stands in arguments."""
        if not isinstance(node, _EXPRESSION_NODES):
            raise RuleError(f"{type(node).__name__} has no place in an expression of Polars")
        if isinstance(node, ast.Compare) and len(node.ops) > 1:
            raise RuleError("a chained comparison does not work on expressions: use is_between")
        if isinstance(node, ast.Compare) and not isinstance(
            node.ops[0], ast.Eq | ast.NotEq | ast.Lt | ast.LtE | ast.Gt | ast.GtE
        ):
            raise RuleError("in, not in and is do not work on expressions: use is_in and is_null")
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            raise RuleError("not does not work on expressions: use ~")
        if isinstance(node, ast.Name):
            raise RuleError(f"the name {node.id} has no place in an expression")
        if isinstance(node, ast.Attribute) and self._allowed_attribute(node):
            return
        for child in ast.iter_child_nodes(node):
            self.expression(child)

    def _allowed_attribute(self, node: ast.Attribute) -> bool:
        """Say whether there is nothing below that is left to check."""
        if node.attr.startswith("_"):
            raise RuleError("names with an underscore in front are not allowed")
        if isinstance(node.value, ast.Name):
            if node.value.id != "pl":
                raise RuleError(f"the name {node.value.id} has no place in an expression")
            if node.attr not in FUNCTIONS | DTYPES:
                raise RuleError(f"pl.{node.attr} is not allowed")
            return True
        if node.attr in FORBIDDEN_METHODS:
            raise RuleError(f".{node.attr}() is not allowed")
        return False


def _arguments(node: ast.expr) -> list[ast.expr]:
    return [*node.args, *(keyword.value for keyword in node.keywords)] if isinstance(node, ast.Call) else []
