"""Data sets for tables of which only names and types are known, and the query that they are for.

Cells are drawn from the constants of the query, values beside them, and a few values for every type, so that some rows
meet its conditions and some just fail to.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Mapping, Sequence
from decimal import Decimal

from sqlglot import exp

from interpreters.base import Column, ColumnType, Table, Value

Schema = Mapping[str, Mapping[str, ColumnType]]
ROWS = (11, 9, 13, 8)
_COMMON: dict[ColumnType, Sequence[Value]] = {
    ColumnType.INT: (0, 1, 2, 3, 4, 5, -3),
    ColumnType.FLOAT: (0.0, 0.5, 1.5, 2.0, 10.25, -2.75, 3.14159),
    ColumnType.DECIMAL: (Decimal("0.50"), Decimal("1.25"), Decimal("10.00")),
    ColumnType.STRING: ("a", "b", "foo", "bar", "Foo bar"),
    ColumnType.BOOL: (True, False),
    ColumnType.DATE: (dt.date(2020, 1, 31), dt.date(2024, 2, 29), dt.date(2024, 3, 1)),
    ColumnType.TIMESTAMP: (dt.datetime(2020, 1, 31, 10, 30), dt.datetime(2024, 2, 29, 23, 59, 59)),
    ColumnType.TIME: (dt.time(9, 30), dt.time(18, 0)),
}

_DIGITS: tuple[Value, ...] = ("0", "1", "2", "7", "12", None)


def made_tables(schema: Schema, tree: exp.Query, seed: str) -> list[dict[str, Table]]:
    """Return five data sets; in the fourth and the fifth one table is empty. Raises KeyError for a type without any
    value to draw."""
    constants, spelled = _constants(tree), _read_as_numbers(tree)
    found = [
        {
            name: _table(columns, constants, spelled, rows, random.Random(f"{seed} {name} {number}"))
            for name, columns in schema.items()
        }
        for number, rows in enumerate((*ROWS, ROWS[0]))
    ]
    for number, position in ((3, -1), (4, 0)):
        name = list(schema)[position]
        found[number][name] = Table(found[number][name].columns, ())
    return found


def _read_as_numbers(tree: exp.Query) -> frozenset[str]:
    """Return the columns that the query casts to numbers: their texts are digits."""
    return frozenset(
        cast.this.name for cast in tree.find_all(exp.Cast) if cast.to.this in exp.DataType.NUMERIC_TYPES
    )  # fmt: skip


def _table(
    columns: Mapping[str, ColumnType], constants: Sequence[Value], spelled: frozenset[str], rows: int,
    rng: random.Random,
) -> Table:  # fmt: skip
    drawn = []
    for _ in range(rows):
        aimed = rng.random() < 0.4  # a row that is made of the query's own constants wherever they fit
        drawn.append(tuple(
            rng.choice(_DIGITS) if name in spelled and kind is ColumnType.STRING else _cell(kind, constants, aimed, rng)
            for name, kind in columns.items()
        ))  # fmt: skip
    drawn[-1] = drawn[0]
    rng.shuffle(drawn)
    return Table(tuple(Column(name, kind) for name, kind in columns.items()), tuple(drawn))


def _cell(kind: ColumnType, constants: Sequence[Value], aimed: bool, rng: random.Random) -> Value:
    if rng.random() < (0.03 if aimed else 0.12):
        return None
    fitting = [fit for value in constants if (fit := _as(kind, value)) is not None]
    if fitting and (aimed or rng.random() < 0.4):
        return _beside(rng.choice(fitting), rng) if rng.random() < 0.4 else rng.choice(fitting)
    return rng.choice(_COMMON[kind])


def _constants(tree: exp.Query) -> list[Value]:
    found: list[Value] = []
    for literal in tree.find_all(exp.Literal):
        text = literal.name
        if literal.is_string:
            found.append(text.replace("%", "x").replace("_", "y") if literal.find_ancestor(exp.Like) else text)
        elif len(text) < 12:
            found.append(int(text) if literal.is_int else float(text))
    for parts in tree.find_all(exp.TimestampFromParts, exp.DateFromParts):
        numbers = [int(float(one.name)) for one in parts.find_all(exp.Literal)]
        if len(numbers) >= 3 and dt.MINYEAR <= numbers[0] <= dt.MAXYEAR and 1 <= numbers[1] <= 12:
            found.append(f"{numbers[0]:04}-{numbers[1]:02}-{max(min(numbers[2], 28), 1):02}")
    return found


def _as(kind: ColumnType, value: Value) -> Value:
    """Return a constant as a value of a column's type, None where it is none."""
    if kind is ColumnType.STRING:
        return value if isinstance(value, str) else None
    if isinstance(value, str):
        try:
            moment = dt.datetime.fromisoformat(value).replace(tzinfo=None)
        except ValueError:
            return None
        moments: dict[ColumnType, Value] = {ColumnType.DATE: moment.date(), ColumnType.TIMESTAMP: moment}
        return moments.get(kind)
    if isinstance(value, int | float):
        numbers: dict[ColumnType, Value] = {
            ColumnType.INT: int(value), ColumnType.FLOAT: float(value), ColumnType.DECIMAL: Decimal(str(value)),
        }  # fmt: skip
        return numbers.get(kind)
    return None


def _beside(value: Value, rng: random.Random) -> Value:
    step = rng.choice((-1, 1))
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return value + step
    if isinstance(value, dt.date) and dt.MINYEAR < value.year < dt.MAXYEAR:
        return value + dt.timedelta(days=step)
    return f"{value}x" if isinstance(value, str) else value
