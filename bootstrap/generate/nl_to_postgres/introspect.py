"""Reading what a database says of itself, and some of its rows: through a connection that may only read.

Nothing here takes longer on an enormous table than the statement limit allows: rows are estimated where counting them
would take too long, and read from a sample. What cannot be read is named in the notes, and the rest goes on.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from bootstrap.generate.nl_to_postgres.render import RESERVED
from bootstrap.generate.nl_to_postgres.schema import PLAIN, ColumnInfo, Relation, TableInfo, humanized
from interpreters.base import ColumnType, Value
from interpreters.postgres.pg_values import from_sql

COUNTED = 2_000_000  # rows up to which a table is counted
SCANNED = 1_000_000  # rows up to which a sample is drawn row by row, not block by block
_TABLES: LiteralString = """
SELECT c.oid, n.nspname, c.relname, obj_description(c.oid, 'pg_class'), c.reltuples::bigint, c.relkind
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f', 'm') AND NOT c.relispartition AND n.nspname !~ '^(pg_|information_schema$)'
  AND (cardinality(%(schemas)s::text[]) = 0 OR n.nspname = ANY(%(schemas)s))
  AND has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE')
ORDER BY n.nspname = 'public' DESC, n.nspname, c.oid"""
_COLUMNS: LiteralString = """
SELECT a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
  col_description(a.attrelid, a.attnum), a.attnum
FROM pg_attribute a WHERE a.attrelid = ANY(%s) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum"""
_KEYS: LiteralString = """
SELECT conrelid, contype, conkey, confrelid, confkey FROM pg_constraint
WHERE conrelid = ANY(%s) AND contype IN ('p', 'f') AND conparentid = 0 ORDER BY oid"""


@dataclass(frozen=True)
class Found:
    """The tables by their names in the copy, the declared relationships, and what could not be read."""

    tables: Mapping[str, TableInfo]
    declared: tuple[Relation, ...]
    notes: tuple[str, ...]


def read_schema(connection: psycopg.Connection, schemas: Sequence[str], max_tables: int) -> Found:
    """Return what the catalogue says. Raises psycopg.Error."""
    rows = connection.execute(_TABLES, {"schemas": list(schemas)}).fetchall()
    notes: list[str] = []
    if len(rows) > max_tables:
        notes.append(f"{len(rows)} tables, of which the first {max_tables} are read (max_tables)")
        rows = rows[:max_tables]
    oids = [row[0] for row in rows]
    columns = connection.execute(_COLUMNS, (oids,)).fetchall()
    keys = connection.execute(_KEYS, (oids,)).fetchall()
    names = _flat_names([(schema, table) for _, schema, table, *_ in rows])
    numbers = {(oid, number): name for oid, name, *_, number in columns}
    tables, by_oid = {}, {}
    for oid, schema, table, comment, estimate, _ in rows:
        mine = tuple(
            ColumnInfo(name, ColumnType.OTHER, kind, nullable, comment=about or "")
            for owner, name, kind, nullable, about, _ in columns if owner == oid
        )  # fmt: skip
        primary = next(
            (tuple(numbers[oid, n] for n in key) for c, kind, key, *_ in keys if c == oid and kind == "p"), ()
        )
        name = names[schema, table]
        by_oid[oid] = name
        tables[name] = TableInfo(name, (schema, table), _labelled(mine), comment or "", int(estimate), primary)
    declared = tuple(
        Relation(by_oid[child], tuple(numbers[child, n] for n in key), by_oid[parent],
                 tuple(numbers[parent, n] for n in parent_key), declared=True)
        for child, kind, key, parent, parent_key in keys if kind == "f" and parent in by_oid
    )  # fmt: skip
    heights = {name: _height(connection, table) for name, table in tables.items()}
    return Found({name: replace(t, height=heights[name]) for name, t in tables.items()}, declared, tuple(notes))


def _flat_names(tables: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return a name for each table where there is one schema: its own, where no other has it."""
    counts = Counter(table for _, table in tables)
    return {(schema, table): table if counts[table] == 1 else f"{schema}_{table}" for schema, table in tables}


def _labelled(columns: Sequence[ColumnInfo]) -> tuple[ColumnInfo, ...]:
    """Give the columns words: a short comment, else the name, without a prefix that all columns of the table share.

    Two columns that would be called alike are called by their names.
    """
    prefix = common_prefix([column.name for column in columns])
    words = [_words(column, prefix) for column in columns]
    counts = Counter(words)
    return tuple(
        replace(column, label=label if counts[label] == 1 else column.name)
        for column, label in zip(columns, words, strict=True)
    )


def _words(column: ColumnInfo, prefix: str) -> str:
    if column.name.lower() in RESERVED or not set(column.name) - set("_ "):
        return f'"{column.name}"'
    comment = " ".join(column.comment.split()).rstrip(".")
    if 0 < len(comment) <= 40 and len(comment.split()) <= 6 and not set(comment) & set(";:,()"):
        return comment[0].lower() + comment[1:] if comment[1:2].islower() else comment
    return humanized(column.name[len(prefix) :])


def common_prefix(names: Sequence[str]) -> str:
    """Return the `l_` that all of several names begin with, an empty string where there is none."""
    first, underscore, _ = names[0].partition("_") if names else ("", "", "")
    shared = len(names) >= 3 and underscore and all(name.startswith(f"{first}_") for name in names)
    return f"{first}_" if shared and all(len(name) > len(first) + 1 for name in names) else ""


def live_name(table: TableInfo) -> sql.Identifier:
    return sql.Identifier(*table.live)


def _height(connection: psycopg.Connection, table: TableInfo) -> int:
    """Return the number of rows, the server's own estimate where counting would take long."""
    if table.height > COUNTED:
        return table.height
    try:
        with connection.transaction():
            row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(live_name(table))).fetchone()
    except psycopg.errors.QueryCanceled:
        return max(table.height, COUNTED)
    return int(row[0]) if row else 0


def sample_of(table: TableInfo, rows: int, seed: int) -> sql.Composed:
    """Return what stands in FROM for a sample of about so many rows, the same one each time; all where they are few."""
    if table.height <= rows:
        return sql.SQL("{}").format(live_name(table))
    method = "BERNOULLI" if table.height <= SCANNED else "SYSTEM"
    share = min(100.0, 130.0 * rows / table.height)
    form: LiteralString = "(SELECT * FROM {} TABLESAMPLE {} ({}) REPEATABLE ({}) LIMIT {}) AS {}"
    return sql.SQL(form).format(
        live_name(table), sql.SQL(method), sql.Literal(share), sql.Literal(seed % 1000), sql.Literal(rows),
        sql.Identifier("sampled"),
    )  # fmt: skip


def read_rows(
    connection: psycopg.Connection,
    table: TableInfo,
    source: sql.Composable,
    limit: int,
    where: sql.Composable | None = None,
) -> tuple[TableInfo, list[tuple[Value, ...]]]:
    """Return rows, in an order of their own, and the table with the classes of its columns. Columns whose class is
    not plain are left out. Raises psycopg.Error."""
    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns)
    condition = sql.SQL("") if where is None else sql.SQL(" WHERE {}").format(where)
    query = sql.SQL("SELECT {} FROM {}{} LIMIT {}").format(names, source, condition, sql.Literal(limit))
    with connection.transaction():
        result = connection.execute(query).pgresult
    assert result is not None
    kept, cells = [], []
    for index, column in enumerate(table.columns):
        raw = [result.get_value(row, index) for row in range(result.ntuples)]
        told, values = from_sql(column.name, result.ftype(index), result.fmod(index), raw)
        if told.type in PLAIN:
            kept.append(replace(column, type=told.type))
            cells.append(_tidy(column.sql_type, told.type, values))
    rows = sorted(zip(*cells, strict=True), key=repr) if cells else []
    return replace(table, columns=tuple(kept)), rows


def _tidy(sql_type: str, kind: ColumnType, values: Sequence[Any]) -> list[Value]:
    """Return values without what the copy has no place for: zones, and the blanks at the end of char(n)."""
    if kind is ColumnType.TIMESTAMP:
        change: Callable[[Any], Value] = _without_zone
    elif sql_type.startswith("character("):
        change = str.rstrip
    else:
        return list(values)
    return [None if value is None else change(value) for value in values]


def _without_zone(value: dt.datetime) -> Value:
    return value if value.tzinfo is None else value.astimezone(dt.UTC).replace(tzinfo=None)


def with_counts(table: TableInfo, rows: Iterable[Sequence[Value]]) -> TableInfo:
    """Return the table with its columns' distinct values and NULLs counted over these rows."""
    cells = list(zip(*rows, strict=True)) or [()] * len(table.columns)
    columns = [
        replace(column, distinct=len(set(values) - {None}), nulls=sum(value is None for value in values))
        for column, values in zip(table.columns, cells, strict=True)
    ]
    return replace(table, columns=tuple(columns))
