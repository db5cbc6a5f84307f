"""Which columns refer to which: found by inclusion and overlap of values and by names, with or without declared keys.

    python -m bootstrap.generate.nl_to_postgres.relationships tables.sql
    python -m bootstrap.generate.nl_to_postgres.relationships FOLDER_OF_PARQUET --keys keys.txt

prints what is found and, measured against the keys that the database declares or that a file lists (lines such as
`orders.customer_id -> customers.id`), precision and recall. Declared keys, primary ones included, are not used to find
anything.

A parent's column holds another value in every row. A child's values are all, or nearly all, among them. Inclusion by
itself says little where keys count from 1, so it is weighed by how unlikely it is by chance, and names decide the rest.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from bootstrap.errors import UserError
from bootstrap.generate.nl_to_postgres.introspect import common_prefix, live_name, read_schema, sample_of
from bootstrap.generate.nl_to_postgres.names import (
    EXACT,
    GENERIC,
    comment_evidence,
    evidence,
    glued,
    is_own_key,
    self_evidence,
)
from bootstrap.generate.nl_to_postgres.schema import ColumnInfo, Relation, TableInfo

NEEDED = 0.45  # of a score
INCLUDED = 0.75  # of the child's different values, at least; what is missing lowers the score
SAMPLED = 1_000  # of a child's different values
HELD = 50_000  # different values of a parent that are held here; more are asked of the server
CLEAR = 6.0  # digits of the chance below which inclusion is no chance
WEIGHTS = {"name": 0.55, "values": 0.35, "coverage": 0.12}
PAIRED = 8  # columns of one table that are tried as halves of a key
_INTEGERS = frozenset({"smallint", "integer", "bigint", "numeric"})
_TEXTS = frozenset({"text", "character varying", "character", "uuid", '"char"', "name"})


@dataclass
class Profile:
    """A column that may take part: how many rows, values and different values it has, and a sample of the latter."""

    table: TableInfo
    column: ColumnInfo
    short: str
    family: str
    rows: int
    present: int
    distinct: int
    values: list[object] = field(default_factory=list)
    held: set[object] | None = None

    @property
    def unique(self) -> bool:
        return self.present > 0 and self.distinct == self.present and self.present >= 0.9 * self.rows


def family_of(sql_type: str) -> str:
    base = sql_type.partition("(")[0]
    return "number" if base in _INTEGERS else "text" if base in _TEXTS else ""


def find_relations(
    connection: psycopg.Connection, tables: Mapping[str, TableInfo], rows: int, seed: int = 1
) -> tuple[list[Relation], list[str]]:
    """Return the relationships among these tables, and notes on what could not be looked at."""
    finder = _Finder(connection, rows, seed)
    for table in tables.values():
        finder.look_at(table)
    single = finder.single()
    return [*single, *_one_way(finder.paired(single))], finder.notes


class _Finder:
    def __init__(self, connection: psycopg.Connection, rows: int, seed: int) -> None:
        self._connection, self._rows, self._seed = connection, rows, seed
        self.profiles: list[Profile] = []
        self.notes: list[str] = []

    # -- columns --------------------------------------------------------------------------------------------------

    def look_at(self, table: TableInfo) -> None:
        """Count the values of every column of a table in one pass."""
        columns = [column for column in table.columns if family_of(column.sql_type)]
        counts = [sql.SQL("count({0}), count(DISTINCT {0})").format(sql.Identifier(column.name)) for column in columns]
        source = sample_of(table, self._rows, self._seed)
        try:
            found = self._ask(
                sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join([sql.SQL("count(*)"), *counts]), source)
            )
        except psycopg.errors.QueryCanceled:
            self.notes.append(f"{table.name}: not searched for relationships within the time limit")
            return
        rows, prefix = found[0][0], common_prefix([column.name for column in table.columns])
        for index, column in enumerate(columns):
            present, distinct = found[0][1 + 2 * index : 3 + 2 * index]
            short = column.name[len(prefix) :]
            profile = Profile(table, column, short, family_of(column.sql_type), rows, present, distinct)
            profile.values = self._values(profile, source) if present else []
            self.profiles.append(profile)

    def _ask(self, query: sql.Composed, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        with self._connection.transaction():
            return self._connection.execute(query, list(values) or None).fetchall()

    def _values(self, profile: Profile, source: sql.Composable) -> list[object]:
        """Return different values: all where they are held, else some drawn by their digests."""
        name = sql.Identifier(profile.column.name)
        form: LiteralString = "SELECT v FROM (SELECT DISTINCT {0} AS v FROM {1} WHERE {0} IS NOT NULL) AS found"
        query = sql.SQL(form).format(name, source)
        if profile.distinct > HELD or (profile.distinct > SAMPLED and not profile.unique):
            query += sql.SQL(" ORDER BY md5(v::text) LIMIT {}").format(sql.Literal(SAMPLED))
        values = [value for [value] in self._ask(query)]
        if profile.unique and profile.distinct <= HELD and profile.table.height <= self._rows:
            profile.held = set(values)
        return values

    # -- one column -----------------------------------------------------------------------------------------------

    def single(self) -> list[Relation]:
        """Return the best parent of each column that has one."""
        parents = [profile for profile in self.profiles if profile.unique]
        found = []
        for child in self.profiles:
            fitting = [parent for parent in parents if parent is not child and parent.family == child.family]
            scored = [(self._score(child, parent), parent) for parent in fitting]
            good = [(score, parent) for score, parent in scored if score >= NEEDED]
            if good:
                score, parent = max(good, key=lambda pair: (round(pair[0], 2), *_likely(pair[1])))
                names = (child.table.name, (child.column.name,), parent.table.name, (parent.column.name,))
                found.append(Relation(*names, score=round(score, 3)))
        return _one_way(found)

    def _score(self, child: Profile, parent: Profile) -> float:
        name = self._name(child, parent)
        if child.table is parent.table and not name:
            return 0.0
        if not child.present:
            return WEIGHTS["name"] if name == EXACT and child.column.sql_type == parent.column.sql_type else 0.0
        if name * WEIGHTS["name"] + WEIGHTS["values"] + WEIGHTS["coverage"] < NEEDED:
            return 0.0
        included = self._included(child, parent)
        if included < INCLUDED or (included < 1 and name < EXACT and included < 0.99):
            return 0.0
        coverage = min(1.0, child.distinct / parent.distinct)
        weighed = WEIGHTS["values"] * surprise(child, parent) + WEIGHTS["coverage"] * coverage
        return WEIGHTS["name"] * name + weighed - (1 - included) / 2

    @staticmethod
    def _name(child: Profile, parent: Profile) -> float:
        """Return how much names and comments say."""
        (_, child_table), (_, parent_table) = child.table.live, parent.table.live
        is_key = is_own_key(parent.short, parent_table)
        if child.table is parent.table:
            return self_evidence(child.short) if is_key else 0.0
        spelled = [(a, b) for a in {child.short, child.column.name} for b in {parent.short, parent.column.name}]
        name = max(evidence(a, parent_table, b) for a, b in spelled)  # a prefix may be a table's, or part of a word
        if is_key:
            name = max(name, comment_evidence(child.column.comment, parent_table))
        if child.unique and is_own_key(child.short, child_table):
            name *= 0.75 if name == EXACT and child_table != parent_table else 0.2
        return name

    def _included(self, child: Profile, parent: Profile) -> float:
        """Return which share of (some of) the child's different values the parent holds."""
        values = child.values[:SAMPLED] if len(child.values) > HELD else child.values
        if parent.held is not None:
            return sum(value in parent.held for value in values) / len(values)
        if _outside(values, parent.values):
            return 0.0
        some = sorted(values, key=repr)[:: max(1, len(values) // 200)]
        form: LiteralString = "SELECT count(*) FROM unnest(%s) AS v WHERE EXISTS (SELECT 1 FROM {} AS p WHERE p.{} = v)"
        query = sql.SQL(form).format(live_name(parent.table), sql.Identifier(parent.column.name))
        try:
            [[count]] = self._ask(query, [some])
        except psycopg.errors.QueryCanceled:
            self.notes.append(f"{child.table.name}.{child.column.name}: not compared within the time limit")
            return 0.0
        return int(str(count)) / len(some)

    # -- two columns ----------------------------------------------------------------------------------------------

    def paired(self, single: Sequence[Relation]) -> list[Relation]:
        """Return relationships of two columns, to tables whose rows differ in these two together alone."""
        target = {(r.child, r.child_columns[0]): (r.parent, r.parent_columns[0]) for r in single}
        found = []
        for parent in {profile.table.name: profile.table for profile in self.profiles}.values():
            for first, second in self._keys_of_two(parent):
                for child in {profile.table.name: profile.table for profile in self.profiles}.values():
                    if child is not parent:
                        found += self._pair(child, parent, (first, second), target)
        return found

    def _keys_of_two(self, table: TableInfo) -> Iterable[tuple[Profile, Profile]]:
        mine = [profile for profile in self.profiles if profile.table is table and not profile.unique]
        likely = [profile for profile in mine if profile.present == profile.rows > 0][:PAIRED]
        for first, second in combinations(likely, 2):
            if first.distinct * second.distinct < first.rows or table.height > self._rows:
                continue
            form: LiteralString = "SELECT count(*) FROM (SELECT DISTINCT {}, {} FROM {}) AS found"
            names = sql.Identifier(first.column.name), sql.Identifier(second.column.name)
            [[count]] = self._ask(sql.SQL(form).format(*names, live_name(table)))
            if count == first.rows:
                yield first, second

    def _pair(
        self, child: TableInfo, parent: TableInfo, key: tuple[Profile, Profile],
        target: Mapping[tuple[str, str], tuple[str, str]],
    ) -> list[Relation]:  # fmt: skip
        """Return the child's relationship to a key of two columns, if it has one: each of its columns is called like
        one of the key, or refers to the same parent."""
        halves = []
        for half in key:
            same = target.get((parent.name, half.column.name))
            fitting = [
                profile for profile in self.profiles
                if profile.table is child and profile.family == half.family and profile.present
                and (glued(profile.short) == glued(half.short)
                     or (same is not None and target.get((child.name, profile.column.name)) == same))
            ]  # fmt: skip
            if not fitting:
                return []
            halves.append(max(fitting, key=lambda profile: glued(profile.short) == glued(half.short)))
        if halves[0] is halves[1] or all(glued(half.short) in GENERIC for half in halves):
            return []
        form: LiteralString = (
            "SELECT count(*), count(*) FILTER (WHERE EXISTS (SELECT 1 FROM {} AS p WHERE p.{} = v.a AND p.{} = v.b)) "
            "FROM (SELECT DISTINCT {} AS a, {} AS b FROM {} WHERE {} IS NOT NULL AND {} IS NOT NULL LIMIT 2000) AS v"
        )
        key_names = [sql.Identifier(half.column.name) for half in key]
        names = [sql.Identifier(half.column.name) for half in halves]
        query = sql.SQL(form).format(live_name(parent), *key_names, *names, live_name(child), *names)
        try:
            [[count, inside]] = self._ask(query)
        except psycopg.errors.QueryCanceled:
            return []
        if not count or int(str(inside)) < 0.99 * int(str(count)):
            return []
        columns = tuple(half.column.name for half in halves), tuple(half.column.name for half in key)
        return [Relation(child.name, columns[0], parent.name, columns[1], score=0.9)]


def _likely(parent: Profile) -> tuple[bool, bool, int]:
    """Return what makes one parent likelier than another of the same score."""
    first = parent.table.columns[0].name == parent.column.name
    return is_own_key(parent.short, parent.table.live[1]), first, -parent.distinct


def _outside(values: Sequence[object], among: Sequence[object]) -> bool:
    numbers = [value for value in among if isinstance(value, int)]
    return bool(numbers) and any(isinstance(value, int) and value < min(0, min(numbers)) for value in values)


def surprise(child: Profile, parent: Profile) -> float:
    """Return, from 0 to 1, how unlikely the inclusion is by chance.

    Whole numbers drawn from the child's range hit the parent's values as often as these lie in it. Texts rarely hit
    anything by chance.
    """
    if child.family == "text":
        return min(1.0, child.distinct / 6)
    values = [int(str(value).partition(".")[0]) for value in child.values]
    low, high = min(values), max(values)
    inside = sum(low <= int(str(value).partition(".")[0]) <= high for value in parent.values)
    density = min(1.0, inside / (high - low + 1))
    return min(1.0, -child.distinct * math.log10(density) / CLEAR) if density > 0 else 0.0


def _one_way(found: Sequence[Relation]) -> list[Relation]:
    """Drop the weaker of two relationships between the same columns in both directions."""
    kept: list[Relation] = []
    for one in found:
        back = [o for o in found if (o.parent, o.parent_columns) == (one.child, one.child_columns)
                and (o.child, o.child_columns) == (one.parent, one.parent_columns)]  # fmt: skip
        if not any((other.score, other.child) > (one.score, one.child) for other in back):
            kept.append(one)
    return kept


# -- measured -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measure:
    right: int
    wrong: tuple[Relation, ...]
    missed: tuple[Relation, ...]

    @property
    def precision(self) -> float:
        return self.right / max(1, self.right + len(self.wrong))

    @property
    def recall(self) -> float:
        return self.right / max(1, self.right + len(self.missed))


def measured(found: Sequence[Relation], known: Sequence[Relation]) -> Measure:
    """Compare with known keys. What follows from two known keys is neither right nor wrong."""
    keys = {relation.key: relation for relation in known}
    single = {
        (r.child, a): (r.parent, b) for r in known for a, b in zip(r.child_columns, r.parent_columns, strict=True)
    }
    wrong = []
    for relation in found:
        step = single.get((relation.child, relation.child_columns[0]))
        follows = step is not None and single.get(step) == (relation.parent, relation.parent_columns[0])
        if relation.key not in keys and not follows:
            wrong.append(relation)
    found_keys = {relation.key for relation in found}
    missed = tuple(relation for key, relation in keys.items() if key not in found_keys)
    return Measure(len(keys) - len(missed), tuple(wrong), missed)


def read_keys(lines: Iterable[str]) -> list[Relation]:
    """Return the relationships of lines such as `orders.(a, b) -> items.(a, b)`. Raises UserError."""
    found = []
    for line in filter(None, map(str.strip, lines)):
        sides = [side.strip().partition(".") for side in line.split("->")]
        if len(sides) != 2 or not all(dot for _, dot, _ in sides):
            raise UserError(f"--keys: expected child.column -> parent.column, found {line!r}")
        columns = [tuple(name.strip() for name in side[2].strip("()").split(",")) for side in sides]
        found.append(Relation(sides[0][0], columns[0], sides[1][0], columns[1], declared=True))
    return found


def main(argv: Sequence[str] | None = None) -> int:
    from bootstrap.generate.nl_to_postgres.inputs import DatabaseError, inputs_of, opened
    from bootstrap.generate.nl_to_postgres.settings import Settings

    parser = argparse.ArgumentParser(
        prog="python -m bootstrap.generate.nl_to_postgres.relationships", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("database", help="SQL text, a folder of it or of parquet files, a URL, or the word demo")
    parser.add_argument("--keys", type=Path, help="file of known keys, where the database declares none")
    args = parser.parse_args(argv)
    way = {"demo": True} if args.database == "demo" else {"url" if "://" in args.database else "path": args.database}
    settings = Settings.model_validate({"databases": [way]})
    total = [0, 0, 0]
    for given in inputs_of(settings):
        try:
            with tempfile.TemporaryDirectory() as folder, opened(given, settings, Path(folder)) as connection:
                schema = read_schema(connection, (), settings.max_tables)
                found, notes = find_relations(connection, schema.tables, settings.discovery_rows)
        except DatabaseError as error:
            print(f"{given.name}: {error}")
            continue
        known = read_keys(args.keys.read_text(encoding="utf-8").splitlines()) if args.keys else schema.declared
        _show(given.name, found, notes, measured(found, known), total)
    if sum(total):
        print(f"in all: precision {total[0] / max(1, total[0] + total[1]):.1%}, "
              f"recall {total[0] / max(1, total[0] + total[2]):.1%}")  # fmt: skip
    return 0


def _show(name: str, found: Sequence[Relation], notes: Sequence[str], measure: Measure, total: list[int]) -> None:
    print(f"{name}: {len(found)} found")
    for line in [*(f"  {one} ({one.score:.2f})" for one in found), *(f"  {note}" for note in notes)]:
        print(line)
    if measure.right + len(measure.missed):
        for label, wrong in (("not known", measure.wrong), ("missed", measure.missed)):
            for relation in wrong:
                print(f"  {label}: {relation}")
        print(f"  precision {measure.precision:.1%}, recall {measure.recall:.1%}")
        for index, count in enumerate((measure.right, len(measure.wrong), len(measure.missed))):
            total[index] += count


if __name__ == "__main__":
    sys.exit(main())
