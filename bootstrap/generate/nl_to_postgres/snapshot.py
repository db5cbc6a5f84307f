"""The masked copy of each database, made once per generation and kept in its folder.

Whatever comes after works on the copy alone: questions, literals, sample values, answers, data sets. So nothing
unmasked can get into them, and a database that changes or goes away later changes nothing.
"""

from __future__ import annotations

import json
import logging
import os
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import psycopg
from psycopg import sql

from bootstrap.errors import UserError
from bootstrap.files import write_text_atomic
from bootstrap.generate.nl_to_postgres.catalogue import catalogue_of
from bootstrap.generate.nl_to_postgres.inputs import DatabaseError, Input, opened
from bootstrap.generate.nl_to_postgres.introspect import Found, read_rows, read_schema, sample_of, with_counts
from bootstrap.generate.nl_to_postgres.masking import Masks
from bootstrap.generate.nl_to_postgres.personal import personal_columns
from bootstrap.generate.nl_to_postgres.relationships import find_relations
from bootstrap.generate.nl_to_postgres.schema import DatabaseCopy, Relation, TableInfo, table_of
from bootstrap.generate.nl_to_postgres.settings import Settings
from interpreters.base import Value

log = logging.getLogger(__name__)

Rows = dict[str, list[tuple[Value, ...]]]


def key_of(settings: Settings) -> bytes:
    """Return the key of the masks. Raises UserError where the environment lacks it."""
    name = settings.masking.key_env
    if name is None:
        return f"masks of seed {settings.seed}".encode()
    if not os.environ.get(name):
        raise UserError(f"masking.key_env: the environment has no {name}")
    return os.environ[name].encode()


def file_of(folder: Path, name: str) -> Path:
    return folder / "databases" / f"{name}.json"


def load_copy(folder: Path, name: str) -> DatabaseCopy:
    return DatabaseCopy.from_json(json.loads(file_of(folder, name).read_text(encoding="utf-8")))


def make_copy(given: Input, settings: Settings, folder: Path) -> str:
    """Make the copy of a database where there is none; return why that cannot be done, in most cases nothing.

    Raises InterpreterUnavailable where this machine has no server to load into.
    """
    file = file_of(folder, given.name)
    if file.exists():
        return ""
    try:
        with opened(given, settings, folder) as connection:
            copy = read_copy(connection, given, settings)
    except (DatabaseError, psycopg.Error) as error:
        log.warning("database %s is left out: %s", given.name, error)
        return " ".join(str(error).split())
    write_text_atomic(file, json.dumps(copy.to_json(), ensure_ascii=False))
    return "" if copy.tables else "no table with a plain column is readable"


def read_copy(connection: psycopg.Connection, given: Input, settings: Settings) -> DatabaseCopy:
    """Return the masked copy of an open database. Raises psycopg.Error."""
    schema = read_schema(connection, given.config.schemas, settings.max_tables)
    discovered, discovery_notes = find_relations(connection, schema.tables, settings.discovery_rows, settings.seed)
    relations = _united(schema.declared, discovered)
    tables, rows, notes = _read_all(connection, schema, relations, settings)
    relations = [r for r in relations if _is_there(r, tables)]
    personal, mask_notes = personal_columns(tables, rows, relations, settings.masking)
    masks = Masks(key_of(settings), tables, rows, personal)
    masked = {name: masks.table(table, rows[name]) for name, table in tables.items()}
    infos = {
        name: with_counts(_described(table, masks, personal), masked[name]) for name, table in tables.items()
    }  # fmt: skip
    notes = [*schema.notes, *notes, *discovery_notes, *mask_notes, *_about(infos, relations, personal, settings)]
    return DatabaseCopy(
        given.name, given.config.licence, infos, {name: table_of(infos[name], masked[name]) for name in infos},
        tuple(relations), tuple(f"{given.name}: {note}" for note in notes), masks.marks(),
        catalogue_of(schema, masks.text),
    )  # fmt: skip


def _united(declared: Sequence[Relation], discovered: Sequence[Relation]) -> list[Relation]:
    known = {relation.key for relation in declared}
    return [*declared, *(relation for relation in discovered if relation.key not in known)]


def _is_there(relation: Relation, tables: Mapping[str, TableInfo]) -> bool:
    sides = ((relation.child, relation.child_columns), (relation.parent, relation.parent_columns))
    return all(table in tables and set(columns) <= set(tables[table].by_name) for table, columns in sides)


def _described(table: TableInfo, masks: Masks, personal: Mapping[tuple[str, str], str]) -> TableInfo:
    columns = tuple(
        replace(column, personal=personal.get((table.name, column.name), ""), comment=masks.text(column.comment),
                label=masks.text(column.label))
        for column in table.columns
    )  # fmt: skip
    return replace(table, columns=columns, comment=masks.text(table.comment))


def _about(
    tables: Mapping[str, TableInfo], relations: Sequence[Relation], personal: Mapping[tuple[str, str], str],
    settings: Settings,
) -> list[str]:  # fmt: skip
    empty = [table.name for table in tables.values() if not table.height]
    sampled = [table.name for table in tables.values() if table.height > settings.max_rows]
    notes = [f"{len(tables)} tables, {sum(r.declared for r in relations)} declared relationships and "
             f"{sum(not r.declared for r in relations)} found by their values"]  # fmt: skip
    notes += [f"masked: {table}.{column} ({kind})" for (table, column), kind in sorted(personal.items())]
    notes += [f"tables without rows: {', '.join(empty)}"] if empty else []
    notes += [f"sampled, {settings.max_rows} rows at most: {', '.join(sampled)}"] if sampled else []
    if personal and settings.masking.key_env is None:
        notes.append("the key of the masks comes from the seed: set masking.key_env to keep guesses from being tested")
    return notes


# -- rows ---------------------------------------------------------------------------------------------------------


def _read_all(
    connection: psycopg.Connection, schema: Found, relations: Sequence[Relation], settings: Settings
) -> tuple[dict[str, TableInfo], Rows, list[str]]:
    """Read up to `max_rows` rows of each table; of a large one first those that the rows of others refer to."""
    tables: dict[str, TableInfo] = {}
    rows: Rows = {}
    notes: list[str] = []
    for name in _children_first(schema.tables, relations):
        table = schema.tables[name]
        try:
            read, found = read_rows(
                connection, table, sample_of(table, settings.max_rows, settings.seed), settings.max_rows
            )
            if table.height > settings.max_rows:
                found = _referred(connection, table, relations, tables, rows, settings) + found
                found = list(dict.fromkeys(found))[: settings.max_rows]
        except psycopg.errors.QueryCanceled:
            notes.append(f"{name}: not read within the time limit")
            continue
        except psycopg.errors.Error as error:
            if connection.broken:
                raise
            notes.append(f"{name}: not read ({' '.join(str(error).split())[:120]})")
            continue
        left_out = [column for column in table.columns if column.name not in read.by_name]
        notes += [f"{name}.{column.name}: left out, type {column.sql_type} has no counterpart" for column in left_out]
        if read.columns:
            tables[name], rows[name] = read, sorted(found, key=repr)
    order = [name for name in schema.tables if name in tables]
    return {name: tables[name] for name in order}, {name: rows[name] for name in order}, notes


def _children_first(tables: Mapping[str, TableInfo], relations: Sequence[Relation]) -> list[str]:
    left, order = list(tables), []
    while left:
        free = [t for t in left if not any(r.parent == t and r.child in left and r.child != t for r in relations)]
        for name in free or left[:1]:
            order.append(name)
            left.remove(name)
    return order


def _referred(
    connection: psycopg.Connection, table: TableInfo, relations: Sequence[Relation],
    tables: Mapping[str, TableInfo], rows: Rows, settings: Settings,
) -> list[tuple[Value, ...]]:  # fmt: skip
    """Return rows that rows read before refer to."""
    found: list[tuple[Value, ...]] = []
    for relation in relations:
        if relation.parent != table.name or relation.child not in rows or len(relation.child_columns) != 1:
            continue
        names = [column.name for column in tables[relation.child].columns]
        if relation.child_columns[0] not in names:
            continue
        index = names.index(relation.child_columns[0])
        values = sorted({row[index] for row in rows[relation.child]} - {None}, key=repr)
        chosen = random.Random(settings.seed).sample(values, min(len(values), settings.max_rows // 2))
        where = sql.SQL("{} IN ({})").format(
            sql.Identifier(relation.parent_columns[0]), sql.SQL(", ").join(map(sql.Literal, chosen))
        )
        if chosen:
            found += read_rows(connection, table, sample_of(replace(table, height=0), 1, 1), settings.max_rows, where)[
                1
            ]
    return found
