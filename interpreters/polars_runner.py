"""Polars inside the child: one expression, or statements that assign `result`, over `pl` and the input tables."""

from __future__ import annotations

import ast
import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from types import CodeType
from typing import Any

import polars as pl

from interpreters.base import Column, ColumnType, Outcome, Value
from interpreters.candidate import SAMPLE, CandidateError, Columns, first_line

_DTYPES: dict[ColumnType, Any] = {
    ColumnType.NULL: pl.Null,
    ColumnType.BOOL: pl.Boolean,
    ColumnType.FLOAT: pl.Float64,
    ColumnType.STRING: pl.String,
    ColumnType.BINARY: pl.Binary,
    ColumnType.DATE: pl.Date,
    ColumnType.TIMESTAMP: pl.Datetime("us"),
    ColumnType.TIME: pl.Time,
    ColumnType.INTERVAL: pl.Duration("us"),
}
_TYPES: dict[Any, ColumnType] = {
    pl.Null: ColumnType.NULL,
    pl.Boolean: ColumnType.BOOL,
    pl.String: ColumnType.STRING,
    pl.Categorical: ColumnType.STRING,
    pl.Enum: ColumnType.STRING,
    pl.Binary: ColumnType.BINARY,
    pl.Date: ColumnType.DATE,
    pl.Datetime: ColumnType.TIMESTAMP,
    pl.Time: ColumnType.TIME,
    pl.Duration: ColumnType.INTERVAL,
    pl.Decimal: ColumnType.DECIMAL,
    pl.List: ColumnType.LIST,
    pl.Array: ColumnType.LIST,
    pl.Struct: ColumnType.STRUCT,
    **dict.fromkeys((pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.Int128), ColumnType.INT),
    **dict.fromkeys((pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64, pl.UInt128), ColumnType.INT),
    **dict.fromkeys((pl.Float16, pl.Float32, pl.Float64), ColumnType.FLOAT),
}
_RESULT = "result"
_FILE = "<candidate>"
Frames = Mapping[str, pl.DataFrame]


def warm() -> str:
    """Do what every child does, short of executing: `collect`, or even a schema, would start threads of the engine.

    Repeated so that the interpreter specialises the byte code here and not in each child, where writing to it copies
    pages: this, with one look at the stack limits by `root_names`, takes a quarter off the CPU time of a check.
    """
    for _ in range(20):
        [[frame]] = [list(frames.values()) for frames in load([{"t": SAMPLE}])]
        _columns(frame, SAMPLE.height * frame.width)
        _compile("t.filter(pl.col('i') > 1).group_by('s').agg(pl.col('x').sum()).sort('s')")
        ((pl.col("i") + 1) * pl.lit(2)).alias("j").meta.root_names()
        plan = frame.lazy().filter(pl.col("i") > 1).with_columns(y=pl.col("x") * 2).sort("i", descending=True)
        plan.group_by("s").agg(pl.col("x").sum(), pl.len().alias("n")).join(plan, on="s", how="left").select("s", "n")
    return f"polars {pl.__version__}"


def prepare(memory_mb: int) -> None:
    """Nothing is open between fork and run."""


def load(tests: Sequence[Mapping[str, Columns]]) -> list[Frames]:
    return [{name: _frame(table) for name, table in tables.items()} for tables in tests]


def _frame(table: Columns) -> pl.DataFrame:
    return pl.DataFrame([_series(column, values) for column, values in zip(table.columns, table.values, strict=True)])


def _series(column: Column, values: Sequence[Value]) -> pl.Series:
    if column.type is ColumnType.TIMESTAMP:
        values = [v.replace(tzinfo=None) if isinstance(v, dt.datetime) else v for v in values]  # the wire gives UTC
    if column.type is ColumnType.INT:
        wide = any(v is not None and not -(2**63) <= v < 2**63 for v in values)  # type: ignore[operator]  # ints
        return pl.Series(column.name, values, dtype=pl.Int128 if wide else pl.Int64)
    if column.type is ColumnType.DECIMAL:
        scale = max((-int(v.as_tuple().exponent) for v in values if isinstance(v, Decimal)), default=0)
        return pl.Series(column.name, values, dtype=pl.Decimal(38, max(scale, 0)))
    return pl.Series(column.name, values, dtype=_DTYPES.get(column.type), strict=False)


def run(code: str, loaded: list[Frames], max_cells: int) -> Iterator[Columns]:
    program, is_expression = _compile(code)
    for frames in loaded:
        scope: dict[str, Any] = {"pl": pl, "df": next(iter(frames.values()), None), **frames}
        if is_expression:
            value = eval(program, scope)  # running the candidate is what this process is for
        else:
            exec(program, scope)
            value = scope.get(_RESULT)
        yield _columns(value, max_cells)


def _compile(code: str) -> tuple[CodeType, bool]:
    try:
        tree = ast.parse(code.strip(), _FILE)
        body = _permitted(tree)
        if len(body) == 1 and isinstance(body[0], ast.Expr):
            return compile(ast.Expression(body[0].value), _FILE, "eval"), True
        return compile(ast.Module(body, []), _FILE, "exec"), False
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise CandidateError(Outcome.SYNTAX_ERROR, first_line(error)) from error


def _permitted(tree: ast.Module) -> list[ast.stmt]:
    """Return the statements without `import polars as pl`, which is granted anyway; refuse every other import."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) and not (node in tree.body and _is_granted(node)):
            raise CandidateError(Outcome.FORBIDDEN, f"not allowed: {ast.unparse(node)}")
    return [statement for statement in tree.body if not _is_granted(statement)]


def _is_granted(statement: ast.AST) -> bool:
    return isinstance(statement, ast.Import) and all((n.name, n.asname) == ("polars", "pl") for n in statement.names)


def _columns(value: object, max_cells: int) -> Columns:
    if type(value) is pl.LazyFrame:
        value = value.collect()
    if type(value) is not pl.DataFrame:
        found = "nothing" if value is None else type(value).__name__
        raise CandidateError(Outcome.NO_RESULT, f"the result is {found}, expected a DataFrame")
    series = value.get_columns()
    if value.height * max(len(series), 1) > max_cells:
        raise CandidateError(Outcome.OUTPUT_EXCEEDED, f"the result has more than {max_cells} cells")
    columns = [Column(one.name, _TYPES.get(one.dtype.base_type(), ColumnType.OTHER)) for one in series]
    return Columns(columns, [_values(one) for one in series], value.height)


def _values(series: pl.Series) -> list[Any]:
    if series.dtype == pl.Datetime and series.dtype.time_zone is not None:  # type: ignore[attr-defined]  # a Datetime
        series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return series.to_list()


def describe(error: BaseException) -> tuple[Outcome, str]:
    return Outcome.RUNTIME_ERROR, first_line(error)
