"""The pinned Ibis, sqlglot, DuckDB and Polars fit together, and where they do not: strict marks notice an upgrade that
mends a fault. Nothing of the project depends on what is marked here."""

from __future__ import annotations

import ibis
import ibis.expr.operations as ops
import polars as pl
import pyarrow as pa
import pytest
from duckdb import ParserException
from ibis import _
from ibis.backends.duckdb import Backend


@pytest.fixture
def backend() -> Backend:
    connected: Backend = ibis.duckdb.connect()
    return connected


def test_ibis_creates_a_table_from_a_schema(backend: Backend) -> None:
    assert backend.create_table("t", schema={"a": "int64"}).columns == ("a",)


@pytest.mark.xfail(
    strict=True, raises=ParserException,
    reason="Ibis 12 writes DROP VIEW through sge.Drop(this=...), whose name sqlglot leaves out since 30.18",
)  # fmt: skip
def test_ibis_creates_a_table_from_arrow(backend: Backend) -> None:
    backend.create_table("t", pa.table({"a": [1]}))


@pytest.mark.xfail(strict=True, raises=AttributeError, reason="Ibis 12 calls a method that DuckDB 2 has dropped")
def test_ibis_takes_sql_as_text(backend: Backend) -> None:
    backend.create_table("t", schema={"a": "int64"}).sql("SELECT a FROM t")


def test_compiled_lambdas_are_in_the_syntax_of_this_duckdb(backend: Backend) -> None:
    """sqlglot 30.24 still wrote x -> x + 1, which DuckDB 2 refuses."""
    table = ibis.array([1, 2]).map(lambda x: x + 1).name("a").as_table()
    assert backend.con.execute(backend.compile(table)).fetchall() == [([2, 3],)]


def test_tables_without_rows_compile_to_what_tables_with_rows_do(backend: Backend) -> None:
    bound = backend.create_table("t", schema={"a": "int64"})
    unbound = ibis.table({"a": "int64"}, name="t")
    assert unbound.op().find(ops.DatabaseTable) == []
    texts = [backend.compile(t.filter(_.a > 1).group_by("a").agg(n=_.count())) for t in (bound, unbound)]
    assert texts[0].replace('"memory"."main".', "") == texts[1]


def test_a_table_in_memory_reaches_duckdb_by_the_hook_that_we_call(backend: Backend) -> None:
    table = ibis.memtable({"a": [1, 2]})
    backend._run_pre_execute_hooks(table)
    assert backend.con.execute(backend.compile(table)).fetchall() == [(1,), (2,)]


def test_ibis_runs_on_polars() -> None:
    backend = ibis.polars.connect({"t": pl.DataFrame({"a": [1, 2]})})
    assert backend.compile(ibis.table({"a": "int64"}, name="t").filter(_.a > 1)).collect().rows() == [(2,)]
