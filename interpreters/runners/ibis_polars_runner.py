"""Ibis on Polars inside the child: see ibis_runner.py for what a candidate is, polars_runner.py for the engine.

The zygote makes plans and never executes one, because that would start threads of the engine. So it learns in a
forked child what Ibis imports on first use.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.datatypes as types
import ibis.expr.schema as sch
import ibis.expr.types as ir
import polars as pl
from ibis.backends.polars import Backend
from ibis.formats.polars import PolarsType

from interpreters.base import Limits, Outcome
from interpreters.processes.candidate import SAMPLE, Columns
from interpreters.processes.preload import preload, require_no_threads_but, thread_names
from interpreters.runners import ibis_runner
from interpreters.runners.polars_values import columns_of, frame_of


@dataclass(frozen=True)
class DataSet:
    frames: Mapping[str, pl.DataFrame]
    schemas: ibis_runner.Schemas


def warm() -> str:
    ibis_runner.keep_libraries_quiet()
    threads = thread_names()
    preload(_use)
    for _ in range(ibis_runner.ROUNDS):
        for code in ibis_runner.USES:
            list(_plans(code, load([{"t": SAMPLE}])))
    require_no_threads_but(threads)
    return f"ibis {ibis.__version__} on polars {pl.__version__}"


def _use() -> None:
    for code in ibis_runner.USES + ibis_runner.EAGER_USES:
        list(run(code, load([{"t": SAMPLE}]), Limits().cells))


def prepare(memory_mb: int, context: str) -> None:
    """Nothing is open between fork and run."""


def load(tests: Sequence[Mapping[str, Columns]]) -> list[DataSet]:
    return [_data_set({name: frame_of(table) for name, table in tables.items()}) for tables in tests]


def _data_set(frames: Mapping[str, pl.DataFrame]) -> DataSet:
    schemas = {
        name: sch.Schema({column: _ibis_type(dtype) for column, dtype in frame.schema.items()})
        for name, frame in frames.items()
    }
    return DataSet(frames, schemas)


def _ibis_type(dtype: pl.DataType) -> types.DataType:
    """Return the type that Ibis has for it; for the widest integers, as on DuckDB, a decimal without a fraction."""
    return types.Decimal(38, 0) if dtype == pl.Int128 else PolarsType.to_ibis(dtype)


def run(code: str, loaded: Sequence[DataSet], max_cells: int) -> Generator[Columns, None, None]:
    for table, plan in _plans(code, loaded):
        frame = plan.collect()
        frame.columns = list(table.columns)  # Polars has other names in a few places
        yield ibis_runner.as_declared(columns_of(frame, max_cells), table.schema())


def _plans(code: str, loaded: Sequence[DataSet]) -> Iterator[tuple[ir.Table, pl.LazyFrame]]:
    candidate = ibis_runner.Candidate(code)
    for data_set in loaded:
        backend: Backend = ibis.polars.connect(data_set.frames)
        ibis.set_backend(backend)
        table = candidate.table_over(data_set.schemas, backend)
        yield table, backend.compile(table)


def describe(error: BaseException) -> tuple[Outcome, str]:
    return ibis_runner.describe(error)
