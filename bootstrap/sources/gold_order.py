"""What a gold query fixes about its answer: the rows, which of them tie under its ORDER BY, and what it leaves open.

A gold is run in a DuckDB of this process: it comes from a data set that we chose, never from a model. A data set may
hold questions that have no single right answer: a LIMIT that cuts through a tie, an aggregate that picks any value.
Such a gold is found in two ways: its sort keys tie on both sides of the cut, or its rows change when the rows of the
input tables are stored in another order.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import sqlglot
from sqlglot import exp

from interpreters.base import Column, ColumnType, Table, Value
from interpreters.compare import compare_tables

Row = tuple[Value, ...]

TYPES = {
    "BOOLEAN": ColumnType.BOOL,
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"), ColumnType.INT),
    **dict.fromkeys(("FLOAT", "DOUBLE"), ColumnType.FLOAT),
    "DECIMAL": ColumnType.DECIMAL,
    "VARCHAR": ColumnType.STRING,
    "DATE": ColumnType.DATE,
    "TIMESTAMP": ColumnType.TIMESTAMP,
    "TIME": ColumnType.TIME,
    "INTERVAL": ColumnType.INTERVAL,
}
SQL_TYPES = {
    **{kind: name for name, kind in TYPES.items()},
    ColumnType.INT: "BIGINT",
    ColumnType.DECIMAL: "DECIMAL(38, 10)",
    ColumnType.NULL: "INTEGER",
}
ORDERS = {"main": "rowid", "reversed": "rowid DESC", "shuffled": "hash(rowid)", "again": "hash(rowid + 7919)"}
"""Schema -> how the rows of its tables are stored. `main` is the database as it was loaded."""


class GoldError(ValueError):
    """A gold query that cannot be read or run here."""


@dataclass(frozen=True)
class Gold:
    """The answer of a gold query. `ties` are sizes of groups of equal sort keys, empty where it is not `ordered`.

    `doubt` says why other answers are as right as this one; empty when none is.
    """

    answer: Table
    ordered: bool
    ties: tuple[int, ...]
    doubt: str


class GoldDatabase:
    """A data set in memory, loaded from its SQL text or from tables, in several orders of storage."""

    def __init__(self, content: Path | Mapping[str, Table]) -> None:
        """Raises GoldError for a table with a column that a plain data set has no use for."""
        self._connection = duckdb.connect(":memory:", config={"threads": 1})
        self._connection.execute("SET TimeZone = 'UTC'")
        if isinstance(content, Path):
            self._connection.execute(content.read_text(encoding="utf-8"))
        else:
            for name, table in content.items():
                self._create(name, table)
        names = self._connection.execute("SELECT table_name FROM duckdb_tables() ORDER BY table_oid").fetchall()
        self.tables = {name: self._fetch(f"SELECT * FROM main.{quoted(name)}") for (name,) in names}
        for schema, order in list(ORDERS.items())[1:]:
            self._connection.execute(f"CREATE SCHEMA {schema}")
            for (name,) in names:
                source, copy = f"main.{quoted(name)}", f"{schema}.{quoted(name)}"
                self._connection.execute(f"CREATE TABLE {copy} AS SELECT * FROM {source} ORDER BY {order}")

    def run(self, tree: exp.Query, schema: str = "main") -> Table:
        """Return the rows of a query. Raises GoldError."""
        self._connection.execute(f"SET schema = '{schema}'")
        sql = tree.sql("duckdb")
        try:
            return self._fetch(sql)
        except duckdb.Error as error:
            raise GoldError(f"{str(error).splitlines()[0]} in {sql}") from error

    def _create(self, name: str, table: Table) -> None:
        cells = list(zip(*table.rows, strict=True)) or [()] * len(table.columns)
        columns = [
            f"unnest(${number}::{sql_type(column.type)}[]) AS {quoted(column.name)}"
            for number, column in enumerate(table.columns, 1)
        ]
        given = [list(values) for values in cells]
        self._connection.execute(f"CREATE TABLE {quoted(name)} AS SELECT {', '.join(columns)}", given)

    def _fetch(self, sql: str) -> Table:
        cursor = self._connection.execute(sql)
        columns = [Column(name, column_type(str(kind))) for name, kind, *_ in cursor.description or []]
        return Table(tuple(columns), tuple(cursor.fetchall()))


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def column_type(sql_type: str) -> ColumnType:
    """Return the class of a DuckDB type. Raises GoldError for one that a plain data set has no use for."""
    kind = TYPES.get(sql_type.partition("(")[0])
    if kind is None:
        raise GoldError(f"a column of type {sql_type}; known: {', '.join(TYPES)}")
    return kind


def sql_type(kind: ColumnType) -> str:
    """Return the type of DuckDB that holds a class. Raises GoldError for one that a plain data set has no use for."""
    if kind not in SQL_TYPES:
        raise GoldError(f"a column of class {kind}; known: {', '.join(SQL_TYPES)}")
    return SQL_TYPES[kind]


def read_gold(database: GoldDatabase, sql: str, dialect: str) -> Gold:
    """Return what a query in this dialect of sqlglot gives. Raises GoldError when DuckDB cannot run it."""
    try:
        tree = sqlglot.parse_one(sql, read=dialect)
    except sqlglot.ParseError as error:
        raise GoldError(f"{error} in {sql}") from error
    if not isinstance(tree, exp.Query):
        raise GoldError(f"not a query: {sql}")
    answer = database.run(tree)
    ordered = bool(tree.args.get("order"))
    ties, doubt = _ties(database, tree) if ordered else ((), "")
    others = [database.run(tree, schema) for schema in ORDERS]
    if not doubt and any(compare_tables(other, answer, ties=ties) is not None for other in others):
        doubt = "the answer depends on the order in which the input rows are stored"
    return Gold(answer, ordered, ties, doubt)


# -- ties ---------------------------------------------------------------------------------------------------------


def _ties(database: GoldDatabase, tree: exp.Query) -> tuple[tuple[int, ...], str]:
    """Return the sizes of the groups among the rows that are shown, and a doubt when a cut goes through a tie."""
    rows, keys = _all_rows(database, tree)
    first = _number(tree, "offset", 0)
    last = min(len(rows), first + _number(tree, "limit", len(rows)))
    starts = [i for i in range(len(rows)) if i == 0 or not _tie(keys[i], keys[i - 1])]
    groups = list(itertools.pairwise([*starts, len(rows)]))
    ties = [size for start, end in groups if (size := min(end, last) - max(start, first)) > 0]
    for start, end in groups:
        cut = any(start < edge < end for edge in (first, last))
        if cut and any(row != rows[start] for row in rows[start:end]):
            return tuple(ties), "the LIMIT cuts through rows that tie"
    return tuple(ties), ""


def _number(tree: exp.Query, clause: str, default: int) -> int:
    node = tree.args.get(clause)
    if node is None:
        return default
    number = node.args.get("count") if isinstance(node, exp.Fetch) else node.expression
    if not isinstance(number, exp.Literal) or not number.is_int:
        raise GoldError(f"{clause} is not a number: {node.sql()}")
    return int(number.this)


def _tie(a: Row, b: Row) -> bool:
    """Say whether two rows of sort keys are equal by the rules of answers: noise in a computed key makes a tie."""
    columns = tuple(Column(str(i), ColumnType.OTHER) for i in range(len(a)))
    return compare_tables(Table(columns, (a,)), Table(columns, (b,))) is None


def _all_rows(database: GoldDatabase, tree: exp.Query) -> tuple[list[Row], list[Row]]:
    """Return every row in the gold's order, as if it had no LIMIT, and beside each its sort keys."""
    whole = tree.copy()
    whole.set("limit", None)
    whole.set("offset", None)
    keys = [ordered.this for ordered in tree.args["order"].expressions]
    answer = database.run(whole)
    if not isinstance(whole, exp.Select):  # a UNION sorts by what it shows
        positions = [_position(key, answer.names) for key in keys]
        return list(answer.rows), [tuple(row[position] for position in positions) for row in answer.rows]
    for i, key in enumerate(keys):
        whole = whole.select(exp.alias_(_without_alias(key, tree), f"sort_key_{i}"), copy=False)
    rows = database.run(whole).rows
    if len(rows) != len(answer.rows):
        raise GoldError("DISTINCT leaves open which of several sort keys a row has")
    return [row[: -len(keys)] for row in rows], [row[-len(keys) :] for row in rows]


def _without_alias(key: exp.Expr, select: exp.Query) -> exp.Expr:
    """Return the expression that a key of ORDER BY stands for, when it is the number or the alias of a column."""
    shown = select.expressions
    if isinstance(key, exp.Literal) and key.is_int:
        return shown[int(key.this) - 1].unalias().copy()
    if isinstance(key, exp.Column) and not key.table:
        for column in shown:
            if isinstance(column, exp.Alias) and column.alias.lower() == key.name.lower():
                return column.this.copy()
    return key.copy()


def _position(key: exp.Expr, names: Sequence[str]) -> int:
    if isinstance(key, exp.Literal) and key.is_int:
        return int(key.this) - 1
    lower = [name.lower() for name in names]
    if isinstance(key, exp.Column) and key.name.lower() in lower:
        return lower.index(key.name.lower())
    raise GoldError(f"the sort key {key.sql()} is not among the columns shown")
