"""What our checks are measured against: a fresh process, or connection, for every check, and the floor of a process.

The fresh process is what one would write by hand, without any sandbox: Python starts, imports the library, loads the
problem's tables, runs the code over them and prints the rows, which are compared here. The tables lie in Parquet files,
which all four libraries read by themselves; JSON and Arrow IPC took no less time, CSV more. Each program does what is
fastest for it: one database for all tests, no pandas, no pyarrow where it can be done without, one thread. For q it
imports this project's own interpreter alone, and the tables and arguments lie in files of q source.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from eval.bench_checks_work import DATA_SETS, SIZES, Check, Size, data_sets, sizes_of
from interpreters.base import Column, Table, TestCase
from interpreters.q_values import q_literal, q_table

_BEGIN = """
import json, sys
names, code, *folders = sys.argv[1:]
names = names.split(",")
def tell(rows):
    print(json.dumps(rows))
"""
PROGRAMS = {
    "polars_expr": _BEGIN + """
import polars as pl
for folder in folders:
    tables = {name: pl.read_parquet(f"{folder}/{name}.parquet") for name in names}
    tell(eval(code, {"pl": pl, **tables}).lazy().collect().rows())
""",
    "duckdb_sql": _BEGIN + """
import duckdb
db = duckdb.connect(config={"threads": 1})
for number, folder in enumerate(folders):
    db.execute(f"CREATE SCHEMA d{number}; SET schema = 'd{number}'")
    for name in names:
        db.execute(f"CREATE TABLE {name} AS FROM '{folder}/{name}.parquet'")
    tell(db.execute(code).fetchall())
""",
    "ibis_duckdb": _BEGIN + """
import ibis
db = ibis.duckdb.connect(threads=1)
for folder in folders:
    tables = {name: db.read_parquet(f"{folder}/{name}.parquet") for name in names}
    tell(db.raw_sql(db.compile(eval(code, {"ibis": ibis, "_": ibis._, **tables}))).fetchall())
""",
    "ibis_polars": _BEGIN + """
import ibis
db = ibis.polars.connect()
for folder in folders:
    tables = {name: db.read_parquet(f"{folder}/{name}.parquet", table_name=name) for name in names}
    tell(db.to_polars(eval(code, {"ibis": ibis, "_": ibis._, **tables})).rows())
""",
    "q_subset": _BEGIN + f"""
sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
""" + """
from interpreters.q_subset import Workspace
for folder in folders:
    texts = [open(f"{folder}/{name}.q").read() for name in names]
    session = Workspace()
    if names == ["f"]:
        session.run(code)
        tell([[session.run(texts[0])[-1].v]])
    else:
        session.run("\\n".join(texts))
        table = session.run(code)[-1]
        tell(list(zip(*[column.v for column in table.columns])))
""",
}  # fmt: skip


def write_tables(folder: Path) -> None:
    """Write the tables of every data set as Parquet, and as q source, for the fresh processes."""
    import duckdb

    for size in sizes_of("q"):
        for number, tables in enumerate(data_sets(size)):
            place = folder / size / str(number)
            place.mkdir(parents=True)
            for name, table in tables.items():
                (place / f"{name}.q").write_text(_q_source(size, name, table), encoding="utf-8")

    types = {"int": "BIGINT", "float": "DOUBLE", "string": "VARCHAR"}
    with duckdb.connect() as db:
        for size in SIZES:
            for number, tables in enumerate(data_sets(size)):
                place = folder / size / str(number)
                for name, table in tables.items():
                    cells = [list(column) for column in zip(*table.rows, strict=True)]
                    heads = [f"unnest(?::{types[c.type]}[]) AS {c.name}" for c in table.columns]
                    db.execute(f"COPY (SELECT {', '.join(heads)}) TO '{place / name}.parquet'", cells)


def _q_source(size: Size, name: str, table: Table) -> str:
    """Return q that sets a table, or that calls a function."""
    return f"{name}[{';'.join(map(q_literal, table.rows[0]))}]" if size == "puzzle" else f"{name}:{q_table(table)}"


def fresh_process(program: str, folder: Path) -> Callable[[Check], bool]:
    """Return what runs one check in a Python of its own and says whether it passed."""
    environment = {**os.environ, "POLARS_MAX_THREADS": "1"}

    def passes(check: Check) -> bool:
        names = ",".join(check.tests[0].tables)
        folders = [str(folder / check.size / str(number)) for number in range(DATA_SETS[check.size])]
        done = subprocess.run(
            [sys.executable, "-I", "-c", program, names, check.code, *folders],
            stdin=subprocess.DEVNULL, capture_output=True, check=False, env=environment,
        )  # fmt: skip
        if done.returncode:
            return False
        results = [json.loads(line) for line in done.stdout.splitlines()]
        return all(map(same_rows, results, check.tests))

    return passes


def same_rows(rows: Sequence[Sequence[Any]], test: TestCase) -> bool:
    """Compare as one would by hand: all values here are integers and text."""
    mine, theirs = [list(map(tuple, table)) for table in (rows, test.expected.rows)]
    return mine == theirs if test.order_by else sorted(mine) == sorted(theirs)


# -- PostgreSQL -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def fresh_connection() -> Iterator[Callable[[Check], bool]]:
    """Give what runs one check over a new connection of this process to the program's own server.

    The tables have been loaded into the same server, one schema per test. Raises InterpreterUnavailable.
    """
    import psycopg

    from interpreters.postgres.places import OwnServer
    from interpreters.postgres_sql import KIND_VARIABLE

    place = OwnServer(os.environ.get(KIND_VARIABLE) or None)  # type: ignore[arg-type]  # the adapter checks it

    def passes(check: Check) -> bool:
        with contextlib.suppress(psycopg.ProgrammingError), psycopg.connect(**place.conninfo()) as db:  # type: ignore
            return all(same_rows(_select(db, check, number), test) for number, test in enumerate(check.tests))
        return False

    try:
        with psycopg.connect(**place.conninfo()) as db:  # type: ignore[arg-type]  # texts, as it wants them
            for size in SIZES:
                _load(db, size)
        yield passes
    finally:
        place.leave()


def _select(db: Any, check: Check, number: int) -> list[tuple[Any, ...]]:
    db.execute(f"SET LOCAL search_path = {_schema(check.size, number)}")
    return db.execute(check.code).fetchall()


def _schema(size: Size, number: int) -> str:
    return f"bench_{size}_{number}"


def _load(db: Any, size: Size) -> None:
    for number, tables in enumerate(data_sets(size)):
        schema = _schema(size, number)
        db.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}")
        for name, table in tables.items():
            _create(db, f"{schema}.{name}", table)


def _create(db: Any, name: str, table: Table) -> None:
    types = {"int": "bigint", "float": "double precision", "string": "text"}

    def head(column: Column) -> str:
        return f"{column.name} {types[column.type]}"

    db.execute(f"CREATE TABLE {name} ({', '.join(map(head, table.columns))})")
    with db.cursor().copy(f"COPY {name} FROM STDIN") as copy:
        for row in table.rows:
            copy.write_row(row)
    db.execute(f"ANALYZE {name}")


# -- the floor ------------------------------------------------------------------------------------------------------


def start_true(check: Check) -> bool:
    """Start and await a program that does nothing."""
    return os.waitpid(os.posix_spawn("/bin/true", ["/bin/true"], {}), 0)[1] == 0
