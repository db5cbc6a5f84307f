"""Further inputs for a problem, made of the ones that it has: what tells an answer from its neighbours.

Every variation keeps to the problem's habits (habits.py): the same columns, ids that stay unique, links that lead
somewhere, NULL only in columns that hold NULL somewhere. Within them it looks for trouble: duplicate rows, ties, the
values at and beside the constants of the code, signs, letter case, empty texts, values in another column, few rows,
no row, keys that nothing refers to.
"""

from __future__ import annotations

import datetime as dt
import itertools
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from bootstrap.audit.habits import ColumnHabit, Habits, Rows, habits_of, restored
from interpreters.base import ColumnType, Job, Table, TestCase, Value

MAX_ROWS = 60  # of a table in a new data set
GROWN_ROWS = 30
_NUMBER = re.compile(r"(?<![\w.])\d{1,15}(?:\.\d{1,9})?(?![\w.])")
_TEXT = re.compile(r"'((?:[^'\\]|'')*)'|\"((?:[^\"\\])*)\"")
_SYMBOL = re.compile(r"`([A-Za-z][\w.]*)")  # text in the tables of q
_Q_DATE = re.compile(r"(?<![\w.])(\d{4})\.(\d\d)\.(\d\d)(?![\d.])")
_NUMBERS = (ColumnType.INT, ColumnType.FLOAT, ColumnType.DECIMAL)


@dataclass(frozen=True)
class Variation:
    kind: str
    tables: Mapping[str, Table]


@dataclass(frozen=True)
class Constants:
    """The constants of a problem's code: the values around which its neighbours differ."""

    numbers: tuple[Decimal, ...]
    texts: tuple[str, ...]

    @classmethod
    def of(cls, codes: Sequence[str]) -> Constants:
        numbers = {Decimal(found) for code in codes for found in _NUMBER.findall(code)}
        texts = {(one or other).replace("''", "'").strip("%") for code in codes for one, other in _TEXT.findall(code)}
        texts |= {name for code in codes for name in _SYMBOL.findall(code)}
        texts |= {"-".join(day) for code in codes for day in _Q_DATE.findall(code)}
        return cls(tuple(sorted(numbers)), tuple(sorted(texts - {""})))

    def beside(self, column: ColumnHabit) -> list[Value]:
        """Return values at and beside the constants that fit a column."""
        if column.type is ColumnType.INT:
            whole = [int(number) for number in self.numbers]
            return [value for number in whole for value in (number - 1, number, number, number + 1)]
        if column.type in (ColumnType.FLOAT, ColumnType.DECIMAL):
            kind = float if column.type is ColumnType.FLOAT else Decimal
            steps = (Decimal(0), Decimal("0.01"), Decimal("-0.01"), Decimal(1))
            return [kind(number + step) for number in self.numbers for step in steps]
        if column.type is ColumnType.STRING:
            return [value for text in self.texts for value in (text, text, text.swapcase(), f"x{text}", f"{text}x")]
        if column.type in (ColumnType.DATE, ColumnType.TIMESTAMP):
            return [_as_date(day + dt.timedelta(step), column) for day in self._days() for step in (-1, 0, 1)]
        return []

    def _days(self) -> Iterator[dt.date]:
        for text in self.texts:
            try:
                yield dt.date.fromisoformat(text[:10])
            except ValueError:
                continue


def _as_date(day: dt.date, column: ColumnHabit) -> Value:
    return day if column.type is ColumnType.DATE else dt.datetime.combine(day, dt.time())


def variations(tests: Sequence[TestCase], codes: Sequence[str], seed: str) -> Iterator[Variation]:
    """Yield new inputs for a problem, without end: each kind once, then two or three kinds on top of each other."""
    maker = _Maker(habits_of(tests), Constants.of(codes), random.Random(seed))
    kinds = list(_KINDS)
    for number in itertools.count():
        kinds = (
            [list(_KINDS)[number]] if number < len(_KINDS) else maker.rng.sample(list(_KINDS), maker.rng.randint(2, 3))
        )
        yield maker.make(kinds, tests[number % len(tests)].tables)


def shuffled(tables: Mapping[str, Table], rng: random.Random) -> dict[str, Table]:
    """Return the tables with their rows in another order."""
    return {
        name: Table(table.columns, tuple(rng.sample(table.rows, len(table.rows)))) for name, table in tables.items()
    }  # fmt: skip


def job_of(code: str, inputs: Sequence[Mapping[str, Table]]) -> Job:
    """Return the job of running code on inputs, with the tables that the code can name: a database may have many, and
    each costs time to load."""
    text = code.casefold()

    def wanted(number: int, name: str) -> bool:
        return name.casefold() in text or (number == 0 and "df" in text)  # Polars has the first as df, too

    return code, [
        {name: table for number, (name, table) in enumerate(tables.items()) if wanted(number, name)} or tables
        for tables in inputs
    ]


class _Maker:
    """Makes the variations of one problem. The methods change one table at a time, given as a list of rows."""

    def __init__(self, habits: Habits, constants: Constants, rng: random.Random) -> None:
        self.habits, self.rng = habits, rng
        self.beside = {
            name: [constants.beside(column) for column in columns] for name, columns in habits.columns.items()
        }  # fmt: skip

    def make(self, kinds: Sequence[str], tables: Mapping[str, Table]) -> Variation:
        rows = {name: self.few(list(table.rows)) for name, table in tables.items()}
        for kind in kinds:
            chosen = self.rng.choice(list(rows)) if kind in _ONE_TABLE else None
            rows = {
                name: _KINDS[kind](self, name, cells) if chosen in (None, name) else cells
                for name, cells in rows.items()
            }
        whole = restored(rows, self.habits)
        made = {name: Table(tables[name].columns, tuple(cells)) for name, cells in whole.items()}
        return Variation(" + ".join(kinds), made)

    def few(self, rows: Rows) -> Rows:
        return self.rng.sample(rows, MAX_ROWS) if len(rows) > MAX_ROWS else rows

    def cells(self, name: str, rows: Rows, change: Callable[[int, ColumnHabit, Value], Value]) -> Rows:
        """Return the rows with every cell changed, ids excepted."""
        columns = self.habits.columns[name]
        ids = {key[0] for key in self.habits.keys[name] if len(key) == 1}
        return [
            tuple(cell if i in ids else change(i, columns[i], cell) for i, cell in enumerate(row)) for row in rows
        ]  # fmt: skip

    def drawn(self, column: ColumnHabit) -> Value:
        if column.nullable and (not column.values or self.rng.random() < 0.2):
            return None
        return self.rng.choice(column.values) if column.values else None

    # -- kinds of variation ---------------------------------------------------------------------------------------

    def recombined(self, name: str, rows: Rows) -> Rows:
        """Draw every cell on its own, so that no two columns say the same."""
        return self.cells(name, rows, lambda _, column, __: self.drawn(column))

    def boundary(self, name: str, rows: Rows) -> Rows:
        """Put values at and beside the constants of the code."""

        def change(position: int, _: ColumnHabit, cell: Value) -> Value:
            near = self.beside[name][position]
            return self.rng.choice(near) if near and self.rng.random() < 0.5 else cell

        return self.cells(name, rows, change)

    def duplicates(self, name: str, rows: Rows) -> Rows:
        return rows + self.rng.sample(rows, min(len(rows), 3))

    def ties(self, name: str, rows: Rows) -> Rows:
        """Leave some of the columns two or three values each."""
        columns = self.habits.columns[name]
        few = {
            position: self.rng.sample(column.values, min(len(column.values), self.rng.randint(2, 3)))
            for position, column in enumerate(columns)
            if column.values and self.rng.random() < 0.5
        }

        def change(position: int, _: ColumnHabit, cell: Value) -> Value:
            return self.rng.choice(few[position]) if position in few and cell is not None else cell

        return self.cells(name, rows, change)

    def alike(self, name: str, rows: Rows) -> Rows:
        """Make texts alike and numbers different: duplicates of what is shown, in an order without ties."""
        columns, many = self.habits.columns[name], range(1, 2 + 3 * len(rows))
        numbers = [self.rng.sample(many, len(rows)) for _ in columns]
        few = [column.values[:2] if self.rng.random() < 0.7 else () for column in columns]

        def change(position: int, column: ColumnHabit, cell: Value) -> Value:
            if isinstance(cell, int | float | Decimal) and column.type in _NUMBERS:
                return type(cell)(numbers[position].pop())
            return self.rng.choice(few[position]) if cell is not None and few[position] else cell

        return self.cells(name, rows, change)

    def exchanged(self, name: str, rows: Rows) -> Rows:
        """Put values into another column of the same type."""
        columns = self.habits.columns[name]

        def change(_: int, column: ColumnHabit, cell: Value) -> Value:
            others = [other for other in columns if other.type is column.type and other.values]
            return self.rng.choice(self.rng.choice(others).values) if others and self.rng.random() < 0.3 else cell

        return self.cells(name, rows, change)

    def nulls(self, name: str, rows: Rows) -> Rows:
        """Put NULL where the column holds NULL in some data set."""
        return self.cells(name, rows, lambda _, c, cell: None if c.nullable and self.rng.random() < 0.4 else cell)

    def signs(self, name: str, rows: Rows) -> Rows:
        """Negate numbers, or make them zero."""

        def change(_: int, column: ColumnHabit, cell: Value) -> Value:
            if column.type not in _NUMBERS or not isinstance(cell, int | float | Decimal) or isinstance(cell, bool):
                return cell
            return self.rng.choice((cell, -cell, type(cell)(0)))

        return self.cells(name, rows, change)

    def texts(self, name: str, rows: Rows) -> Rows:
        """Change letter case, add a letter, or leave the text empty."""

        def change(_: int, column: ColumnHabit, cell: Value) -> Value:
            if not isinstance(cell, str) or column.type is not ColumnType.STRING:
                return cell
            return self.rng.choice((cell, cell, cell.upper(), cell.lower(), f"{cell}x", f"x{cell}", ""))

        return self.cells(name, rows, change)

    def grown(self, name: str, rows: Rows) -> Rows:
        """Add rows of drawn cells."""
        columns = self.habits.columns[name]
        missing = max(GROWN_ROWS - len(rows), 0)
        return rows + [tuple(self.drawn(column) for column in columns) for _ in range(missing)]

    def halved(self, name: str, rows: Rows) -> Rows:
        """Leave half of the rows: keys that nothing refers to, groups with one row."""
        return self.rng.sample(rows, len(rows) // 2)

    def single(self, name: str, rows: Rows) -> Rows:
        return rows[:1]

    def none(self, name: str, rows: Rows) -> Rows:
        return []


_KINDS: dict[str, Callable[[_Maker, str, Rows], Rows]] = {
    "recombined": _Maker.recombined,
    "boundary": _Maker.boundary,
    "duplicates": _Maker.duplicates,
    "ties": _Maker.ties,
    "texts alike": _Maker.alike,
    "exchanged": _Maker.exchanged,
    "nulls": _Maker.nulls,
    "signs": _Maker.signs,
    "texts": _Maker.texts,
    "grown": _Maker.grown,
    "half of a table": _Maker.halved,
    "single row": _Maker.single,
    "empty table": _Maker.none,
}
_ONE_TABLE = frozenset({"half of a table", "empty table"})
