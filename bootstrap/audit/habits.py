"""What the data sets of a problem keep to, so that new ones keep to it too.

A statement is about tables of a kind: ids that are never twice the same, a column that is never empty, an order that
always has its customer. An answer that relies on that is right, and a data set that breaks it would refuse the answer
without cause. Nothing declares these habits, so they are read off the tables that are there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from interpreters.base import ColumnType, Table, TestCase, Value

Rows = list[tuple[Value, ...]]
_ID_NAME = re.compile(r"id$|(^|_)(code|key|number|no|ssn|isbn)$", re.IGNORECASE)
_PLAIN_IDS = frozenset({"id", "code", "key", "number", "no"})
_LEAST_COMMON = 4  # letters of a name that must be the same
_LEAST_ROWS = 2  # a column of fewer rows is always unique


@dataclass(frozen=True)
class ColumnHabit:
    """`values`: the different ones of all data sets, in the order in which they were met; NULL is left out."""

    name: str
    type: ColumnType
    nullable: bool
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Link:
    """Every value of `column` in `table` is one of `key` in `target`, or NULL."""

    table: str
    column: int
    target: str
    key: int


@dataclass(frozen=True)
class Habits:
    """`keys`: by table, the positions of columns that are never twice the same together."""

    columns: Mapping[str, tuple[ColumnHabit, ...]]
    keys: Mapping[str, tuple[tuple[int, ...], ...]]
    links: tuple[Link, ...]


def habits_of(tests: Sequence[TestCase]) -> Habits:
    """Return what the tables of all data sets keep to."""
    tables = {name: [test.tables[name] for test in tests if name in test.tables] for name in tests[0].tables}
    columns = {name: _columns(found) for name, found in tables.items()}
    ids = {name: _ids(found) for name, found in tables.items()}
    links = tuple(_links(tests, columns, ids))
    keys = {}
    for name, found in tables.items():
        single = tuple((index,) for index in sorted(ids[name]))
        together = tuple(sorted({link.column for link in links if link.table == name}))
        composite = (together,) if len(together) > 1 and not single and _unique(found, together) else ()
        keys[name] = single + composite
    return Habits(columns, keys, links)


def _columns(tables: Sequence[Table]) -> tuple[ColumnHabit, ...]:
    found = []
    for index, column in enumerate(tables[0].columns):
        cells = [row[index] for table in tables for row in table.rows]
        different = tuple({repr(cell): cell for cell in cells if cell is not None}.values())
        found.append(ColumnHabit(column.name, column.type, any(cell is None for cell in cells), different))
    return tuple(found)


def _ids(tables: Sequence[Table]) -> set[int]:
    """Return the positions of columns that number the rows: unique, never NULL, and named or placed like an id."""
    found = set()
    for index, column in enumerate(tables[0].columns):
        if column.type not in (ColumnType.INT, ColumnType.STRING) or not _unique(tables, (index,)):
            continue
        if _ID_NAME.search(column.name) and all(row[index] is not None for table in tables for row in table.rows):
            found.add(index)
    return found


def _unique(tables: Sequence[Table], positions: Sequence[int]) -> bool:
    if sum(len(table.rows) for table in tables) < _LEAST_ROWS * len(tables):
        return False
    for table in tables:
        cells = [repr([row[position] for position in positions]) for row in table.rows]
        if len(set(cells)) < len(cells):
            return False
    return True


def _links(
    tests: Sequence[TestCase], columns: Mapping[str, Sequence[ColumnHabit]], ids: Mapping[str, set[int]]
) -> Iterator[Link]:
    """Yield the columns that always find their value among the ids of another table, under the same name or nearly."""
    for table, cells in columns.items():
        for position, column in enumerate(cells):
            for target, keys in ids.items():
                for key in sorted(keys):
                    other = columns[target][key]
                    alike = other.type is column.type and _alike(column.name, other.name, target)
                    if target != table and column.values and alike:
                        link = Link(table, position, target, key)
                        if all(_holds(test, link) for test in tests):
                            yield link


def _alike(name: str, key: str, target: str) -> bool:
    """Say whether a column may name the key of a table: customer_id, customers.customer_id; team_id, teams.id."""
    column, other = name.casefold().replace("_", ""), key.casefold().replace("_", "")
    if other in _PLAIN_IDS:
        return column.startswith(target.casefold().replace("_", "").rstrip("s"))
    shorter = min(len(column), len(other))
    return column == other or (shorter >= _LEAST_COMMON and (column.endswith(other) or other.endswith(column)))


def _holds(test: TestCase, link: Link) -> bool:
    known = {repr(row[link.key]) for row in test.tables[link.target].rows}
    used = (row[link.column] for row in test.tables[link.table].rows)
    return all(value is None or repr(value) in known for value in used)


def restored(tables: Mapping[str, Rows], habits: Habits) -> dict[str, Rows]:
    """Return the tables with every key unique and every link leading somewhere; rows that cannot be mended go."""
    found = {name: _unique_rows(rows, habits, name) for name, rows in tables.items()}
    for link in habits.links:
        known = [row[link.key] for row in found[link.target]]
        found[link.table] = list(_linked(found[link.table], link.column, known))
    return {name: _without_repeats(rows, habits.keys[name]) for name, rows in found.items()}


def _unique_rows(rows: Rows, habits: Habits, name: str) -> Rows:
    """Return the rows with fresh ids in the place of repeated ones."""
    for (position,) in (key for key in habits.keys[name] if len(key) == 1):
        seen: set[str] = set()
        spare = (value for value in habits.columns[name][position].values)
        number = 1 + max((v for v in habits.columns[name][position].values if isinstance(v, int)), default=0)
        mended: Rows = []
        taken = {repr(row[position]) for row in rows}
        for row in rows:
            value = row[position]
            if value is None or repr(value) in seen:
                value = next((other for other in spare if repr(other) not in taken | seen), None)
                if value is None:
                    is_number = habits.columns[name][position].type is ColumnType.INT
                    value, number = (number if is_number else f"N{number}"), number + 1
            seen.add(repr(value))
            mended.append((*row[:position], value, *row[position + 1 :]))
        rows = mended
    return rows


def _linked(rows: Rows, position: int, known: Sequence[Value]) -> Iterator[tuple[Value, ...]]:
    """Yield the rows; a value that leads nowhere is exchanged for one that does."""
    values = {repr(value) for value in known}
    for number, row in enumerate(rows):
        if row[position] is None or repr(row[position]) in values:
            yield row
        elif known:
            yield (*row[:position], known[number % len(known)], *row[position + 1 :])


def _without_repeats(rows: Rows, keys: Sequence[tuple[int, ...]]) -> Rows:
    for key in (key for key in keys if len(key) > 1):
        rows = list({repr([row[position] for position in key]): row for row in rows}.values())
    return rows
