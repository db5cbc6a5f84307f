"""The tables of a problem on the server: one role per problem that may read them, one schema per data set.

Names are taken as they are, so a table `Sales` must be quoted in SQL, where names without quotes become lower case.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from interpreters.base import Table
from interpreters.postgres.admin import Admin, Role
from interpreters.postgres.pg_values import UnsupportedError, require_name, to_sql

KEPT = 8  # problems whose tables stay on the server, for each interpreter; as many as there are sessions

Inputs = Sequence[Mapping[str, Table]]


@dataclass(frozen=True)
class Fixture:
    """One problem on the server, or the reason for which it cannot be there.

    `schemas` are the inputs for the child: for each data set a table without columns, called as its schema.
    `processes` are those of the role's sessions, as far as is known.
    """

    role: Role
    schemas: Sequence[Mapping[str, Table]]
    unsupported: str = ""
    processes: list[int] = field(default_factory=list)


class Fixtures:
    """The problems that an interpreter keeps on the server, by their inputs (by identity, not by value)."""

    def __init__(self, admin: Admin) -> None:
        self._admin = admin
        self._kept: OrderedDict[tuple[int, ...], tuple[Inputs, Fixture]] = OrderedDict()

    def of(self, inputs: Inputs) -> Fixture:
        """Return the fixture of a problem, after making it where it is not there."""
        key = tuple(id(tables) for tables in inputs)
        if key in self._kept:
            self._kept.move_to_end(key)
        else:
            while len(self._kept) >= KEPT:
                self.remove(self._kept.popitem(last=False)[1][1])
            self._kept[key] = (list(inputs), self.make([inputs])[0])  # kept alive: they are known by identity
        return self._kept[key][1]

    def make(self, problems: Sequence[Inputs]) -> list[Fixture]:
        """Return a fixture for each of some problems, under one role: for code of ours."""
        role = self._admin.new_role()
        fixtures: list[Fixture] = []
        number = 0
        for inputs in problems:
            names = [f"{role.name}_{number + i}" for i in range(len(inputs))]
            number += len(inputs)
            fixtures.append(Fixture(role, [{name: Table((), ())} for name in names], self._load(role, names, inputs)))
        return fixtures

    def _load(self, role: Role, names: Sequence[str], inputs: Inputs) -> str:
        """Make the schemas; return why it cannot be done, with nothing made."""
        connection = self._admin.connection()
        try:
            with connection.transaction():
                for name, tables in zip(names, inputs, strict=True):
                    _create(connection, role.name, name, tables)
        except UnsupportedError as error:
            return str(error)
        except psycopg.OperationalError:
            raise
        except (psycopg.Error, UnicodeEncodeError) as error:
            return f"the input tables cannot be loaded: {' '.join(str(error).split())}"
        return ""

    def remove(self, *fixtures: Fixture) -> None:
        """Remove schemas and roles, after ending their sessions."""
        for role in {fixture.role.name for fixture in fixtures}:
            self._admin.end_sessions(role)
        for fixture in fixtures:
            for name in (name for tables in fixture.schemas for name in tables):
                self._admin.remove(name, "SCHEMA")
        for role in {fixture.role.name for fixture in fixtures}:
            self._admin.remove(role, "ROLE")

    def abandon(self, fixture: Fixture) -> None:
        """Never use a fixture again; whoever comes after this owner removes it."""
        self._kept = OrderedDict((key, kept) for key, kept in self._kept.items() if kept[1] is not fixture)

    def clear(self) -> None:
        """Remove everything."""
        while self._kept:
            self.remove(self._kept.popitem()[1][1])


def _create(connection: psycopg.Connection, role: str, schema: str, tables: Mapping[str, Table]) -> None:
    owner = sql.Identifier(schema)
    connection.execute(sql.SQL("CREATE SCHEMA {}").format(owner))
    made = [_create_table(connection, schema, name, table) for name, table in tables.items()]
    grants = [sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(owner, sql.Identifier(role))]
    if made:
        grants.append(sql.SQL("GRANT SELECT ON {} TO {}").format(sql.SQL(", ").join(made), sql.Identifier(role)))
        grants.append(sql.SQL("ANALYZE {}").format(sql.SQL(", ").join(made)))
    for statement in grants:
        connection.execute(statement)


def _create_table(connection: psycopg.Connection, schema: str, name: str, table: Table) -> sql.Identifier:
    """Make and fill a table; statistics of it are made once, so that plans stay the same."""
    require_name(name, "table")
    target = sql.Identifier(schema, name)
    values = list(zip(*table.rows, strict=True)) if table.rows else [()] * len(table.columns)
    converted = []
    for column, cells in zip(table.columns, values, strict=True):
        require_name(column.name, "column")
        converted.append((sql.Identifier(column.name), *to_sql(column, cells)))
    heads = sql.SQL(", ").join(sql.SQL("{} {}").format(head, sql.SQL(kind)) for head, kind, _ in converted)
    connection.execute(sql.SQL("CREATE TABLE {} ({}) WITH (autovacuum_enabled = false)").format(target, heads))
    rows = zip(*(cells for _, _, cells in converted), strict=True) if converted else [()] * len(table.rows)
    with connection.cursor() as cursor, cursor.copy(sql.SQL("COPY {} FROM STDIN").format(target)) as copy:
        for row in rows:
            copy.write_row(row)
    return target
