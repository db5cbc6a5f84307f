"""Ibis inside the child, whatever the backend: from a candidate's Python to one table expression.

A candidate sees `ibis`, `_`, the selectors as `s`, and the input tables by name. Its result is a table expression; a
column or a scalar counts as the table that Ibis itself makes of it (`as_table`). Running it is the backend's runner's
part, on the backend that holds the inputs and on no other.

An expression says nothing of the rows, so it is built once, over tables that have only a schema, and used for every
data set with this schema. Code that wants rows while it builds (`pivot_wider` without names, `execute`) fails over
such tables and is run again over each data set's own.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Mapping
from dataclasses import replace

import ibis
import ibis.expr.operations as ops
import ibis.expr.schema as sch
import ibis.expr.types as ir
import ibis.selectors
from ibis.backends import BaseBackend
from ibis.common.annotations import SignatureValidationError
from ibis.common.exceptions import IbisError

from interpreters.base import ColumnType, Outcome, Value
from interpreters.processes.candidate import CandidateError, Columns, first_line
from interpreters.runners.python_code import compile_code

Schemas = Mapping[str, sch.Schema]
_GRANTED = {("ibis", "", ""), ("ibis", "_", ""), ("ibis.selectors", "", "s"), ("ibis", "selectors", "s")}
_NO_THREADS = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}  # of NumPy, of Arrow
_RAW_SQL = (ops.SQLQueryResult, ops.SQLStringView)
_OBJECT = re.compile(r"<(?:\w+\.)*(\w+) object at 0x[0-9a-f]+>")
ROUNDS = 3  # of warming up: so often that the byte code is specialised before the fork, and not in each child
USES = (
    "t.filter(_.i > 1).select('s', 'x')",
    "t.group_by('s').agg(n=_.count(), x=_.x.mean(), top=_.i.max()).order_by(ibis.desc('n'), 's').limit(3)",
    "t.mutate(k=_.s.upper() + 'a', n=_.s.length(), c=_.s.contains('a'), y=_.x.round(1), z=_.i.cast('float64') / 2)",
    "t.mutate(c=ibis.cases((_.i > 1, 'a'), else_='b'), q=ibis.ifelse(_.i > 1, 1, 0), f=_.x.fill_null(0.0))",
    "t.mutate(d=ibis.date('2024-01-02'), a=ibis.array([1, 2])).mutate(y=_.d.year(), f=_.d.strftime('%Y'))",
    "t.join(t.rename(j='i').drop('x'), 's', how='left').distinct()",
    "ibis.union(t, t.filter(_.i.isin([1, 2]) | _.s.isnull()))",
    "t.pivot_longer(s.numeric()).drop_null().rename(amount='value')",
    "t.select(s.across(s.numeric(), _.abs()))",
    "t.x.sum()",
)
"""What candidates do, for runners to warm up with."""
EAGER_USES = (
    "t.filter(_.s.notnull()).pivot_wider(names_from='s', values_from='x', id_cols='i')",
    "ibis.memtable({'i': [1, 2], 'k': ['a', 'b']}).join(t, 'i')",
)
"""The same, where engines work already when the expression is built or planned."""


class Candidate:
    """One candidate: its code, and the expression that it gave over tables of some schema."""

    def __init__(self, code: str) -> None:
        self._program = compile_code(code, _GRANTED)
        self._built: tuple[Schemas, ir.Table] | None = None

    def table_over(self, schemas: Schemas, backend: BaseBackend) -> ir.Table:
        """Return the candidate's table over the tables of `backend`: the same object while the schemas are the same.

        Raises CandidateError when it is no table, or one that this backend does not hold.
        """
        if self._built is not None and self._built[0] == schemas:
            return self._built[1]
        try:
            value = self._value({name: ibis.table(schema, name=name) for name, schema in schemas.items()})
        except IbisError:
            bound = {name: ops.DatabaseTable(name, schema, backend).to_expr() for name, schema in schemas.items()}
            return _table(self._value(bound), backend)
        self._built = schemas, _table(value, backend)
        return self._built[1]

    def _value(self, tables: Mapping[str, ir.Table]) -> object:
        first = next(iter(tables.values()), None)
        return self._program.run({"ibis": ibis, "_": ibis._, "s": ibis.selectors, "df": first, **tables})


def _table(value: object, backend: BaseBackend) -> ir.Table:
    if isinstance(value, ir.Value):
        value = value.as_table()
    if not isinstance(value, ir.Table):
        found = "nothing" if value is None else type(value).__name__
        raise CandidateError(Outcome.NO_RESULT, f"the result is {found}, expected an Ibis table expression")
    for node in value.op().find((ops.DatabaseTable, *_RAW_SQL)):
        if isinstance(node, _RAW_SQL):
            raise CandidateError(Outcome.FORBIDDEN, "not allowed: SQL as text; write Ibis expressions")
        if node.source is not backend:
            raise CandidateError(Outcome.NO_RESULT, f"the result is a table of another backend: {node.name}")
    return value


def as_declared(result: Columns, schema: sch.Schema) -> Columns:
    """Return the result with days where the expression has dates, and moments where it has timestamps.

    Engines have their own mind there (DuckDB truncates a date to a timestamp); Ibis converts what it hands to its
    users, and so do we.
    """
    columns, values = list(result.columns), list(result.values)
    for index, dtype in enumerate(schema.types):
        if dtype.is_date() and columns[index].type is ColumnType.TIMESTAMP:
            columns[index] = replace(columns[index], type=ColumnType.DATE)
            values[index] = [cell.date() if isinstance(cell, dt.datetime) else None for cell in values[index]]
        elif dtype.is_timestamp() and columns[index].type is ColumnType.DATE:
            columns[index] = replace(columns[index], type=ColumnType.TIMESTAMP)
            values[index] = [_midnight(cell) for cell in values[index]]
    return Columns(columns, values, result.height)


def _midnight(day: Value) -> dt.datetime | None:
    return dt.datetime.combine(day, dt.time()) if isinstance(day, dt.date) else None


def keep_libraries_quiet() -> None:
    """Tell NumPy and Arrow, before they are imported, to start no threads."""
    os.environ.update(_NO_THREADS)


def describe(error: BaseException) -> tuple[Outcome, str]:
    """Return the outcome and the line that says what is wrong; Ibis' own lists of arguments come second."""
    if isinstance(error, SignatureValidationError):
        text = _OBJECT.sub(r"\1", str(error))
        reasons = [line.strip() for line in text.splitlines() if line.strip().startswith("`")]
        return Outcome.RUNTIME_ERROR, f"{text.partition('(')[0]}: {'; '.join(reasons)}"
    return Outcome.RUNTIME_ERROR, _OBJECT.sub(r"\1", first_line(error))
