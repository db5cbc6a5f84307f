"""Random data sets of a domain: with NULLs, ties, duplicate rows, links that lead nowhere, and empty tables.

Every column draws from a small pool of values, so that rows tie and a constant of a query meets rows that are equal to
it, next to it and NULL. The pools and the data sets depend on the seed and on the domain alone.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bootstrap.generate.sql_to_ibis.domains import LINKS, ROLES, ColumnSpec, Domain, Role
from interpreters.base import Column, ColumnType, Table, Value

ENTITIES = 6
DANGLING = 2  # keys of entities that facts refer to and that are not there
_FIRST_DAY = dt.date(2023, 11, 6)
_DAYS = 220


@dataclass(frozen=True)
class Profile:
    """What one data set is like."""

    rows: Mapping[Role, int]
    nulls: float
    values: int  # of each column's pool that may be drawn


PROFILES = (
    Profile({"facts": 16, "entities": ENTITIES, "events": 8}, 0.12, 99),
    Profile({"facts": 14, "entities": ENTITIES, "events": 9}, 0.25, 6),
    Profile({"facts": 17, "entities": ENTITIES - 1, "events": 10}, 0.10, 3),
    Profile({"facts": 13, "entities": ENTITIES, "events": 0}, 0.05, 99),
    Profile({"facts": 0, "entities": ENTITIES, "events": 5}, 0.10, 99),
)
VISIBLE = 2
"""How many of the data sets a model may see. Among the others are those with an empty table."""

DataSet = Mapping[Role, Table]
Pools = Mapping[Role, Mapping[str, Sequence[Value]]]


def pools_of(domain: Domain, seed: int) -> Pools:
    """Return the values that each column draws from, in ascending order."""
    found: dict[Role, dict[str, Sequence[Value]]] = {}
    for role in ROLES:
        found[role] = {}
        for name, column in domain.table(role).columns.items():
            found[role][name] = _pool(column, random.Random(f"pool {seed} {domain.name} {role} {name}"))
    return found


def _pool(column: ColumnSpec, rng: random.Random) -> Sequence[Value]:
    """Return about eight values, some of them next to each other."""
    if column.kind in ("category", "text"):
        return sorted(column.values)
    if column.kind == "flag":
        return [False, True]
    if column.kind == "date":
        return _days(rng)
    if column.kind == "moment":
        return [
            dt.datetime.combine(day, dt.time(rng.randrange(24), rng.choice((0, 5, 30, 45)), rng.choice((0, 0, 20))))
            for day in _days(rng)
        ]
    draws = sorted(rng.uniform(column.low, column.high) for _ in range(7))
    if column.kind == "count":
        whole = {round(value) for value in draws}
        return sorted(whole | {min(whole) + 1, max(whole) + 1})
    return sorted({round(value, rng.choice((0, 1, 2))) for value in draws})


def _days(rng: random.Random) -> list[dt.date]:
    days = rng.sample(range(_DAYS), 7)
    return sorted(_FIRST_DAY + dt.timedelta(day) for day in {*days, days[0] + 1})


def data_sets_of(domain: Domain, seed: int) -> list[DataSet]:
    """Return one data set per profile."""
    pools = pools_of(domain, seed)
    return [_data_set(domain, pools, profile, seed, number) for number, profile in enumerate(PROFILES)]


def _data_set(domain: Domain, pools: Pools, profile: Profile, seed: int, number: int) -> DataSet:
    tables: dict[Role, Table] = {}
    for role in ROLES:
        rng = random.Random(f"rows {seed} {domain.name} {number} {role}")
        columns = tuple(Column(name, kind) for name, kind in domain.types(role).items())
        drawn = {
            name: rng.sample(list(pool), min(len(pool), profile.values)) for name, pool in pools[role].items()
        }  # fmt: skip
        rows = [_row(role, columns, drawn, profile, rng, key) for key in range(1, profile.rows[role] + 1)]
        tables[role] = Table(columns, tuple(_with_duplicates(role, rows, rng)))
    return tables


def _row(
    role: Role, columns: Sequence[Column], drawn: Mapping[str, Sequence[Value]], profile: Profile, rng: random.Random,
    key: int,
) -> tuple[Value, ...]:  # fmt: skip
    links = LINKS[role]
    cells: list[Value] = [key if link == "key" else _link(link, profile, rng) for link in links]
    for column in columns[len(links) :]:
        cells.append(None if rng.random() < profile.nulls else rng.choice(drawn[column.name]))
    return tuple(cells)


def _link(link: str, profile: Profile, rng: random.Random) -> Value:
    if rng.random() < profile.nulls:
        return None
    if link == "fact":
        return rng.randint(1, max(profile.rows["facts"], 5) * 2 // 3)
    return rng.randint(1, ENTITIES + DANGLING if link == "entity" else ENTITIES)


def _with_duplicates(role: Role, rows: list[tuple[Value, ...]], rng: random.Random) -> list[tuple[Value, ...]]:
    """Repeat two rows: of events as they are, of the others under keys of their own."""
    keyed = "key" in LINKS[role]
    for target in range(len(rows) - 2, len(rows)) if len(rows) > 4 else ():
        source = rows[rng.randrange(len(rows) - 2)]
        rows[target] = (rows[target][0], *source[1:]) if keyed else source
    rng.shuffle(rows)
    return rows


def sql_literal(value: Value) -> str:
    """Return a constant as SQL has it."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, dt.datetime):
        return f"TIMESTAMP '{value.isoformat(sep=' ')}'"
    if isinstance(value, dt.date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)


SPELLED = {ColumnType.DATE: "ibis.date", ColumnType.TIMESTAMP: "ibis.timestamp"}
