"""What the contract suite runs on each interpreter: candidates of its language, by what they do, and their inputs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from interpreters.base import Column, ColumnType, Limits, Outcome, Table, TestCase
from interpreters.function_cases import case_of

FAST = Limits(seconds=0.6, memory_mb=512, output_bytes=2**20, cells=5_000)

INT, FLOAT, STRING = ColumnType.INT, ColumnType.FLOAT, ColumnType.STRING
SALES = Table(
    (Column("shop", STRING), Column("units", INT), Column("price", FLOAT)),
    (("é1", 3, 0.1), ("b", None, 0.2), ("é1", 4, None), ("b", 1, 0.3)),
)
EMPTY = Table(SALES.columns, ())


def totals(*tables: Table) -> tuple[TestCase, ...]:
    """Tests that ask for the units of each shop."""
    return tuple(TestCase({"sales": table}, _totals(table)) for table in tables or (SALES,))


def _totals(table: Table) -> Table:
    sums: dict[Any, int] = {}
    for shop, units, _ in table.rows:
        sums[shop] = sums.get(shop, 0) + (units if isinstance(units, int) else 0)
    return Table((Column("shop", STRING), Column("units", INT)), tuple(sums.items()))


@dataclass(frozen=True)
class Samples:
    """Candidates of one language, by what they do.

    Where candidates are functions, an input is one table of one row, so what a suite says of many rows, or of an empty
    table, has no meaning there: `of_rows` is False, and such tests do not ask them. Where a language has no place for
    some values or names, `of_all_values` is False; what it says of them is in the tests of its own.
    """

    right: str
    ordered: str
    wrong: str
    identity: str
    syntax_error: str
    runtime_error: str
    runtime_error_says: str
    endless: str
    memory_bomb: str
    huge_output: str
    no_select: str  # forbidden by the gate
    wrong_says: str = "units"
    of_rows: bool = True
    of_all_values: bool = True  # tables may hold NaN beside NULL, values of every type, and any names
    names: tuple[str, ...] = ("sales", "t")  # under which candidates find their input
    tests: tuple[TestCase, ...] = totals(SALES, EMPTY, SALES)  # `right` passes them, `wrong` the second alone
    tables: tuple[Table, Table] = (SALES, EMPTY)  # that `identity` gives back when one is called `t`
    no_table: Outcome = Outcome.RUNTIME_ERROR  # of `identity` without a `t`
    refused: Outcome = Outcome.FORBIDDEN  # of `no_select`


SAMPLES = {
    "polars_expr": Samples(
        right="sales.group_by('shop').agg(pl.col('units').sum())",
        ordered="sales.select('shop', 'units').sort('shop', descending=True)",
        wrong="sales.group_by('shop').agg(pl.col('units').max())",
        identity="t",
        syntax_error="sales.select(",
        runtime_error="sales.select('unit')",
        runtime_error_says="unit",
        endless="while True: pass",
        memory_bomb="result = [bytearray(2**20) for _ in range(10**6)]",
        huge_output="pl.DataFrame({'a': ['x' * 1000] * 4000})",
        no_select="import os\nresult = sales",
    ),
    "duckdb_sql": Samples(
        right="SELECT shop, sum(units) AS units FROM sales GROUP BY shop",
        ordered="SELECT shop, units FROM sales ORDER BY shop DESC",
        wrong="SELECT shop, max(units) AS units FROM sales GROUP BY shop",
        identity="SELECT * FROM t",
        syntax_error="SELECT shop FROM sales GROUP",
        runtime_error="SELECT unit FROM sales",
        runtime_error_says="Candidate bindings",
        endless="SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range + b.range % 7 = 3",
        memory_bomb="SELECT list(a.range::VARCHAR || repeat('x', 100000)) AS x FROM range(10000000) a",
        huge_output="SELECT repeat('x', 1000) AS a FROM range(4000)",
        no_select="SELECT 1 AS a; SELECT 2 AS a",
    ),
}
SAMPLES["ibis_duckdb"] = SAMPLES["ibis_polars"] = replace(
    SAMPLES["polars_expr"],
    right="sales.group_by('shop').agg(units=_.units.sum())",
    ordered="sales.select('shop', 'units').order_by(ibis.desc('shop'))",
    wrong="sales.group_by('shop').agg(units=_.units.max())",
    runtime_error_says="Existing columns: 'shop'",
    huge_output="ibis.memtable({'a': ['x' * 1000] * 4000})",
)
SAMPLES["duckdb_script"] = replace(
    SAMPLES["duckdb_sql"],
    right="CREATE TABLE x AS SELECT shop, units FROM sales; SELECT shop, sum(units) AS units FROM x GROUP BY shop;",
    no_select="COPY sales TO 'sales.csv'; SELECT 1 AS a",
)
SAMPLES["postgres_sql"] = replace(
    SAMPLES["duckdb_sql"],
    runtime_error_says='"sales.units"',
    endless="SELECT count(*) FROM generate_series(1, 10000000) a, generate_series(1, 10000000) b WHERE a + b % 7 = 3",
    memory_bomb="SELECT array_agg(repeat('x', 1000000) || a) AS x FROM generate_series(1, 10000) a",
    huge_output="SELECT repeat('x', 1000) AS a FROM generate_series(1, 4000)",
)
SAMPLES["python_function"] = Samples(
    right="def t(items):\n    return sorted(items)",
    ordered="",
    wrong="def t(items):\n    return items",
    identity="def t(result):\n    return result",
    syntax_error="def t(items:",
    runtime_error="def t(items):\n    return items.unit",
    runtime_error_says="no attribute 'unit'",
    endless="def t(items):\n    while True: pass",
    memory_bomb="def t(items):\n    return [bytearray(2**20) for _ in range(10**6)]",
    huge_output="def t(items):\n    return ['x' * 1000] * 4000",
    no_select="import os\ndef t(items):\n    return items",
    wrong_says="column 1",
    of_rows=False,
    names=("t",),
    tests=tuple(case_of("t", ["items"], [items], sorted(items), hidden=False) for items in ([3, 1, 2], [1, 2], [2, 1])),
    tables=(
        Table((Column("result", INT),), ((7,),)),
        Table((Column("result", ColumnType.LIST),), (([],),)),
    ),
    no_table=Outcome.NO_RESULT,
)
SAMPLES["q_subset"] = Samples(
    right="0!select sum units by shop from sales",
    ordered="`shop xdesc select shop,units from sales",
    wrong="0!select max units by shop from sales",
    identity="t",
    syntax_error="select units from sales where (units>1",
    runtime_error="select unit from sales",
    runtime_error_says="'unit",
    endless="while[1b;]",
    memory_bomb="r:()\nwhile[1b; r,:enlist til 1000000]",
    huge_output='([] a:4000#enlist 1000#"x")',
    no_select='system "ls"\nsales',
    of_all_values=False,
    refused=Outcome.UNSUPPORTED,
)
SAMPLES["q_kdb"] = replace(  # the stand-in's answers to what q_subset does not know, and to what takes it long
    SAMPLES["q_subset"], huge_output="([] a:til 5001)", refused=Outcome.NO_RESULT
)
OF_ROWS = sorted(name for name, samples in SAMPLES.items() if samples.of_rows)
OF_ALL_VALUES = sorted(name for name in OF_ROWS if SAMPLES[name].of_all_values)
