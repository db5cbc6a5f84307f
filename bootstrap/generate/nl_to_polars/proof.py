"""Whether a pair is right and says something: Polars and DuckDB answer on the real rows, and must agree.

Polars runs in this process, since the code is our own rendering, on the rows as they are; DuckDB has the same rows in
another order, so that an answer that depends on their order is refused. A pair is vacuous where its answer is empty,
is the whole table, or stays the same when one of its conditions or cuts is left out.
"""

from __future__ import annotations

import ast
import itertools
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import duckdb
import polars as pl

from bootstrap.admission import trivial_answer
from bootstrap.generate.nl_to_polars import duckdb_code, pandas_code, polars_code
from bootstrap.generate.nl_to_polars.forms import Query, columns_in
from bootstrap.generate.nl_to_polars.lazy_rules import broken_rule
from interpreters.base import Table, TestCase
from interpreters.compare import compare_tables
from interpreters.processes.candidate import CandidateError, Columns
from interpreters.runners.duckdb_values import create_table, fetch
from interpreters.runners.polars_values import columns_of, frame_of

MOST_CELLS = 20_000  # of an answer
MOST_ROWS = 1_000
Tables = Mapping[str, Table]
_NUMBERS = itertools.count()  # for the schemas of this process


class RefusedError(Exception):
    """A pair that is not kept, and why."""

    def __init__(self, kind: Literal["invalid", "vacuous"], reason: str) -> None:
        super().__init__(reason)
        self.kind: Literal["invalid", "vacuous"] = kind


@dataclass(frozen=True)
class Proved:
    """A query with its codes and its answer on the real rows. `pandas`: "" where `no_pandas` says why."""

    polars: str
    duckdb: str
    pandas: str
    no_pandas: str
    answer: Table


class DataSet:
    """Tables loaded into both engines, for one process; `close` frees them."""

    def __init__(self, tables: Tables, seed: str) -> None:
        self.tables = tables
        self._frames = {name: frame_of(_columns(table)) for name, table in tables.items()}
        self._schema = f"d{next(_NUMBERS)}"
        self._connection = _database().cursor()
        self._connection.execute(f"CREATE SCHEMA {self._schema}")
        self._connection.execute(f"SET schema = '{self._schema}'")
        rng = random.Random(seed)
        for name, table in tables.items():
            shuffled = Table(table.columns, tuple(rng.sample(table.rows, len(table.rows))))
            create_table(self._connection, name, _columns(shuffled))
        self._pandas: dict[str, Any] = {}

    def polars(self, code: str) -> Table:
        """Return what rendered code gives. Raises RefusedError."""
        main = next(iter(self._frames.values()))
        try:
            found = eval(
                compile(ast.parse(code, mode="eval"), "<rendered>", "eval"), {"pl": pl, "df": main, **self._frames}
            )
            return _table(columns_of(found, MOST_CELLS))
        except CandidateError as error:
            raise RefusedError("vacuous", "the answer is too large to be read") from error
        except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
            raise RefusedError(
                "invalid", f"Polars: {type(error).__name__}: {str(error).splitlines()[0][:80]}"
            ) from error

    def duckdb(self, sql: str) -> Table:
        """Return what rendered SQL gives. Raises RefusedError."""
        try:
            return _table(fetch(self._connection, sql, MOST_CELLS))
        except CandidateError as error:
            raise RefusedError("vacuous", "the answer is too large to be read") from error
        except duckdb.Error as error:
            raise RefusedError(
                "invalid", f"DuckDB: {type(error).__name__}: {str(error).splitlines()[0][:80]}"
            ) from error

    def pandas(self, code: str, like: Table) -> Table:
        """Return what rendered pandas code gives. Raises what it raises."""
        if not self._pandas:
            self._pandas = {name: pandas_code.frame_of(table) for name, table in self.tables.items()}
        return pandas_code.run(code, self._pandas, like)

    def close(self) -> None:
        self._connection.execute(f"DROP SCHEMA {self._schema} CASCADE")
        self._connection.close()


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """Return this process' database: opening one takes longer than a query."""
    return duckdb.connect(":memory:", config={"threads": 1, "enable_external_access": False})


def _columns(table: Table) -> Columns:
    values = [list(cells) for cells in zip(*table.rows, strict=True)] or [[] for _ in table.columns]
    return Columns(table.columns, values, len(table.rows))


def _table(columns: Columns) -> Table:
    rows = tuple(zip(*columns.values, strict=True)) if columns.height else ()
    return Table(tuple(columns.columns), rows)


def order_of(query: Query) -> tuple[str, ...]:
    """Return the columns whose order an answer must keep."""
    return tuple(one.name for one in query.order)


def agreed(data: DataSet, query: Query, polars: str, sql: str) -> Table:
    """Return the answer on which both engines agree. Raises RefusedError."""
    expected = data.duckdb(sql)
    difference = compare_tables(data.polars(polars), expected, order_of(query))
    if difference is not None:
        raise RefusedError("invalid", f"Polars and DuckDB disagree: {_general(difference)}")
    if any(isinstance(cell, float) and not math.isfinite(cell) for row in expected.rows for cell in row):
        raise RefusedError("invalid", "the answer has a value that is no finite number")
    return expected


def _general(difference: str) -> str:
    """Return a difference without names and numbers, so that equal reasons are counted together."""
    for start in ("row count", "column ", "columns", "right rows"):
        if difference.startswith(start):
            return {"column ": "types", "right rows": "order"}.get(start, start)
    return "values" if "differ" in difference else "shape"


def prove(data: DataSet, query: Query, *, pandas: bool) -> Proved:
    """Return the query with its answer. Raises RefusedError."""
    polars, sql = polars_code.render(query), duckdb_code.render(query)
    broken = broken_rule(polars, data.tables)
    if broken is not None:
        raise RefusedError("invalid", f"the code breaks a rule: {broken}")
    answer = agreed(data, query, polars, sql)
    require_telling(data, query, answer)
    variant, reason = pandas_variant(data, query, answer) if pandas else ("", "not wanted")
    return Proved(polars, sql, variant, reason, answer)


def require_telling(data: DataSet, query: Query, answer: Table) -> None:
    """Raise RefusedError for an answer that says nothing."""
    if not answer.rows:
        raise RefusedError("vacuous", "the answer is empty")
    if all(cell is None for row in answer.rows for cell in row):
        raise RefusedError("vacuous", "the answer has nothing but missing values")
    if query.shape == "one" and not any(cell for row in answer.rows for cell in row):
        raise RefusedError("vacuous", "the answer has nothing but zeros")
    if len(answer.rows) > MOST_ROWS:
        raise RefusedError("vacuous", "the answer is too large to be read")
    plain = query.shape == "rows" and not query.derived and not query.windows and not query.distinct
    if plain and len(answer.rows) == len(data.tables[query.table].rows):
        raise RefusedError("vacuous", "the answer has all rows of the table")
    if query.keys and len(answer.rows) == 1 and not query.having and query.limit is None:
        raise RefusedError("vacuous", "there is only one group")
    if query.keys and all(_is_count(query, name) for name in query.output if name not in query.keys):
        position = len(query.keys)
        if all(row[position] == 1 for row in answer.rows):
            raise RefusedError("vacuous", "every group has one row")
    if any(same_without(data, query, answer)):
        raise RefusedError("vacuous", "the answer stays the same without one of the conditions or the cut")


def _is_count(query: Query, name: str) -> bool:
    found = query.definition(name)
    return found is not None and getattr(found.value, "how", "") == "count"


def same_without(data: DataSet, query: Query, answer: Table) -> list[bool]:
    """Return for each part of the query that must tell whether the answer is the same without it."""
    found = []
    for other in query.without_a_part():
        try:
            found.append(compare_tables(data.polars(polars_code.render(other)), answer) is None)
        except RefusedError:
            found.append(False)
    return found


def pandas_variant(data: DataSet, query: Query, answer: Table) -> tuple[str, str]:
    """Return the pandas code where it gives the same answer; else "" and why not."""
    code = pandas_code.render(query)
    try:
        difference = compare_tables(data.pandas(code, answer), answer, order_of(query))
    except Exception as error:  # the boundary of our own rendering: a variant that fails is left out, and counted
        return "", f"pandas: {type(error).__name__}"
    return (code, "") if difference is None else ("", f"pandas disagrees: {_general(difference)}")


# -- data sets of a problem ---------------------------------------------------------------------------------------


class Samples:
    """Small data sets of the real rows for problems: the same ones serve many queries over the same tables."""

    def __init__(self, tables: Tables, on: tuple[str, str] | None, rows: int, number: int, seed: str) -> None:
        self._tables, self._on, self._rows, self._seed = tables, on, rows, seed
        self.sets = [DataSet(self._draw(random.Random(f"{seed}:{i}"), ()), f"{seed}:{i}") for i in range(number)]

    def _draw(self, rng: random.Random, wanted: Sequence[int]) -> dict[str, Table]:
        """Return a part of the rows, in their order; half of them from the `wanted` ones."""
        main, *others = self._tables.items()
        name, table = main
        size = min(self._rows, max(len(table.rows) * 3 // 5, 3))
        chosen = set(rng.sample(wanted, min(len(wanted), size // 2)))
        rest = [i for i in range(len(table.rows)) if i not in chosen]
        chosen |= set(rng.sample(rest, min(len(rest), size - len(chosen))))
        drawn = {name: Table(table.columns, tuple(table.rows[i] for i in sorted(chosen)))}
        for other, right in others:
            drawn[other] = self._partners(drawn[name], right, rng)
        return drawn

    def _partners(self, left: Table, right: Table, rng: random.Random) -> Table:
        """Return rows of the other table: most of those that fit, and some that do not."""
        if self._on is None:
            raise ValueError("two tables need columns to be joined on")
        a, b = left.names.index(self._on[0]), right.names.index(self._on[1])
        keys = {row[a] for row in left.rows}
        fitting = [i for i, row in enumerate(right.rows) if row[b] in keys]
        rest = [i for i, row in enumerate(right.rows) if row[b] not in keys]
        kept = rng.sample(fitting, min(max(len(fitting) * 3 // 4, 1), self._rows, len(fitting)))
        kept += rng.sample(rest, min(len(rest), 8))
        return Table(right.columns, tuple(right.rows[i] for i in sorted(kept)))

    def biased(self, query: Query, number: int) -> DataSet:
        """Return a data set in which half of the rows meet the query's conditions, where so many do."""
        rng = random.Random(f"{self._seed}:{number}:{polars_code.render(query)}")
        return DataSet(self._draw(rng, self._meeting(query)), f"{self._seed}:b{number}")

    def _meeting(self, query: Query) -> list[int]:
        table = next(iter(self._tables.values()))
        names = set(table.names)
        plain = [one for one in query.where if {column.name for column in columns_in(one)} <= names]
        if not plain:
            return []
        conditions = ", ".join(map(polars_code.condition, plain))
        code = f"df.lazy().select(pl.all_horizontal({conditions})).collect()"
        found = eval(code, {"pl": pl, "df": frame_of(_columns(table))})  # our own rendering
        return [i for i, meets in enumerate(found.to_series().to_list()) if meets]

    def close(self) -> None:
        for one in self.sets:
            one.close()


def tests_for(query: Query, proved: Proved, samples: Samples, wanted: int) -> tuple[TestCase, ...]:
    """Return tests on `wanted` data sets on which the engines agree, the answer is not empty, and together every
    part of the query tells; none where so many cannot be found."""
    found: list[TestCase] = []
    telling: list[bool] = []
    for number in range(len(samples.sets) + 2 * wanted):
        mine = number < len(samples.sets)
        data = samples.sets[number] if mine else samples.biased(query, number)
        try:
            answer = agreed(data, query, proved.polars, proved.duckdb)
            if answer.rows and not any(compare_tables(answer, test.expected) is None for test in found):
                same = same_without(data, query, answer)
                new = [a or not b for a, b in zip(telling or [False] * len(same), same, strict=True)]
                if len(found) + 1 < wanted or all(new):
                    telling = new
                    found.append(TestCase(data.tables, answer, order_of(query), hidden=bool(found), match_names=False))
        except RefusedError:
            continue
        finally:
            if not mine:
                data.close()
        if len(found) == wanted:
            return tuple(found) if trivial_answer(found) is None else ()
    return ()
