"""Polars' side of the wire: what every runner on Polars shares, frames in and results out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import polars as pl

from interpreters.base import Column, ColumnType, Outcome, Value
from interpreters.processes.candidate import CandidateError, Columns

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
_EPOCH = dt.datetime(1970, 1, 1)
_MICROSECOND = dt.timedelta(microseconds=1)


def frame_of(table: Columns) -> pl.DataFrame:
    return pl.DataFrame([_series(column, values) for column, values in zip(table.columns, table.values, strict=True)])


def _series(column: Column, values: Sequence[Value]) -> pl.Series:
    """Return the column as Polars has it, without anything that starts threads of the engine.

    Polars hands timestamps, intervals and decimals of Python to its thread pool; integers and digits it casts at once.
    """
    if column.type in (ColumnType.TIMESTAMP, ColumnType.INTERVAL):
        return pl.Series(column.name, list(map(_microseconds, values)), dtype=pl.Int64).cast(_DTYPES[column.type])
    if column.type is ColumnType.DECIMAL:
        scale = max((-int(v.as_tuple().exponent) for v in values if isinstance(v, Decimal)), default=0)
        digits = [format(v, "f") if isinstance(v, Decimal) else None for v in values]
        return pl.Series(column.name, digits, dtype=pl.String).cast(pl.Decimal(38, max(scale, 0)))
    if column.type is ColumnType.INT:
        wide = any(v is not None and not -(2**63) <= v < 2**63 for v in values)  # type: ignore[operator]  # ints
        return pl.Series(column.name, values, dtype=pl.Int128 if wide else pl.Int64)
    return pl.Series(column.name, values, dtype=_DTYPES.get(column.type), strict=False)


def _microseconds(value: Value) -> int | None:
    if isinstance(value, dt.datetime):
        value = value.replace(tzinfo=None) - _EPOCH  # the wire gives UTC
    return value // _MICROSECOND if isinstance(value, dt.timedelta) else None


def columns_of(frame: pl.DataFrame, max_cells: int) -> Columns:
    """Return the frame as plain values. Raises CandidateError (OUTPUT_EXCEEDED) for one that is too large."""
    series = frame.get_columns()
    if frame.height * max(len(series), 1) > max_cells:
        raise CandidateError(Outcome.OUTPUT_EXCEEDED, f"the result has more than {max_cells} cells")
    columns = [Column(one.name, _TYPES.get(one.dtype.base_type(), ColumnType.OTHER)) for one in series]
    return Columns(columns, [_values(one) for one in series], frame.height)


def _values(series: pl.Series) -> list[Any]:
    if series.dtype == pl.Datetime and series.dtype.time_zone is not None:  # type: ignore[attr-defined]  # a Datetime
        series = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return series.to_list()
