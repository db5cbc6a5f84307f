"""What a question may be about: the columns of a table by the part that they can play, with real values."""

from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import dataclass

from bootstrap.generate.nl_to_polars.csv_tables import CsvTable
from bootstrap.generate.nl_to_polars.forms import DATES, NUMBERS, Col
from interpreters.base import ColumnType, Table, Value

MOST_COLUMNS = 40  # of a table in questions
MOST_GROUPS = 40  # values of a column that one groups by
MOST_NUMBERS = 12  # the same, where they are numbers that name nothing
_LABEL = re.compile(r"\b(id|ids|code|key|no|nr|zip|postcode|year|rank|index|phone)\b")
_RATE = re.compile(
    r"\b(rate|rates|share|percent|pct|percentage|ratio|index|score|norm|avg|average|mean|median|temp|temperature|age|"
    r"rating|stars|mpg|speed|price|latitude|longitude|lat|lon|lng|per|percentile|grade|level|size|height|depth|length)\b"
)
"""Words in the names of columns, in lower case."""
LONGEST_TEXT = 60  # of a value in a question
FEWEST_ROWS = 5


@dataclass(frozen=True)
class Facts:
    """One column. `values`: its known values in the order of the rows."""

    column: Col
    values: tuple[Value, ...]
    distinct: int
    unique: bool

    @property
    def is_category(self) -> bool:
        most = min(MOST_GROUPS, max(len(self.values) // 3, 2))
        if self.column.type is ColumnType.INT:
            most = most if self.is_label else min(MOST_NUMBERS, max(len(self.values) // 4, 2))
        kinds = (ColumnType.STRING, ColumnType.INT, ColumnType.BOOL)
        return self.column.type in kinds and 2 <= self.distinct <= most

    @property
    def is_label(self) -> bool:
        """Say whether whole numbers are names, of years for one, so that sums and averages mean nothing."""
        if self.column.type is not ColumnType.INT:
            return False
        years = all(isinstance(value, int) and 1700 <= value <= 2200 for value in self.values)
        return bool(_LABEL.search(_spaced(self.column.name))) or years

    @property
    def is_measure(self) -> bool:
        return self.column.type in NUMBERS and self.distinct >= 5 and not self.is_label

    @property
    def is_amount(self) -> bool:
        """Say whether a total means something: no rates, no averages, nothing below zero."""
        numbers = [value for value in self.values if isinstance(value, int | float)]
        part = self.column.type is ColumnType.FLOAT and max(numbers, default=0) <= 1
        return self.is_measure and not part and min(numbers) >= 0 and not _RATE.search(_spaced(self.column.name))

    @property
    def is_text(self) -> bool:
        return self.column.type is ColumnType.STRING and self.distinct >= 8

    def words(self, rng: random.Random) -> str | None:
        """Return a value of text that can stand in a question and in code."""
        fit = [
            v
            for v in self.values
            if isinstance(v, str) and 0 < len(v) <= LONGEST_TEXT and v.isprintable() and '"' not in v
        ]
        return rng.choice(fit) if fit else None


@dataclass(frozen=True)
class Profile:
    """A table in questions: `table` has only the columns that they can be about."""

    name: str
    title: str
    file: str
    table: Table
    facts: tuple[Facts, ...]
    notes: tuple[str, ...] = ()

    def of(self, *kinds: ColumnType) -> list[Facts]:
        return [one for one in self.facts if one.column.type in kinds]

    @property
    def categories(self) -> list[Facts]:
        return [one for one in self.facts if one.is_category]

    @property
    def measures(self) -> list[Facts]:
        return [one for one in self.facts if one.is_measure]

    @property
    def amounts(self) -> list[Facts]:
        return [one for one in self.facts if one.is_amount]

    @property
    def dates(self) -> list[Facts]:
        return [one for one in self.facts if one.column.type in DATES and one.distinct >= 3]

    @property
    def texts(self) -> list[Facts]:
        return [one for one in self.facts if one.is_text]

    @property
    def idents(self) -> list[Facts]:
        """Return the columns that tell any two rows apart, the ones that look like names first."""
        found = [one for one in self.facts if one.unique and one.column.type is not ColumnType.FLOAT]
        return sorted(found, key=lambda one: one.column.type is not ColumnType.STRING)


def profile_of(table: CsvTable) -> Profile | None:
    """Return what questions about a table can use; None where there is too little for any."""
    if table.refused or len(table.table.rows) < FEWEST_ROWS:
        return None
    usable = [i for i, column in enumerate(table.columns) if not _means_more(column.name)]
    dropped = [column.name for column in table.columns if _means_more(column.name)]
    notes = [f"column {name!r} is a pattern to Polars, and in no question" for name in dropped]
    if len(usable) > MOST_COLUMNS:
        notes.append(f"{len(usable)} columns: questions are about the first {MOST_COLUMNS}")
        usable = usable[:MOST_COLUMNS]
    rows = tuple(tuple(row[i] for i in usable) for row in table.table.rows)
    small = Table(tuple(table.columns[i] for i in usable), rows)
    facts = tuple(_facts(small, i) for i in range(len(usable)))
    known = tuple(one for one in facts if one.values)
    if not known:
        return None
    title = table.file.rpartition(".")[0].replace("_", " ").replace("-", " ").strip() or table.name
    return Profile(
        table.name,
        f"the {title}" if title.endswith("data") else f"the {title} data",
        table.file,
        small,
        known,
        tuple(notes),
    )


def _means_more(name: str) -> bool:
    """Say whether Polars reads a name as a pattern, or words and code cannot hold it."""
    return name == "*" or (name.startswith("^") and name.endswith("$")) or not name.isprintable() or "`" in name


def _spaced(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])|[\W_]+", " ", name).lower()


def _facts(table: Table, position: int) -> Facts:
    column = table.columns[position]
    values = tuple(row[position] for row in table.rows if row[position] is not None)
    nullable = len(values) < len(table.rows)
    distinct = len(set(values))
    unique = not nullable and distinct == len(table.rows) and distinct > 1
    return Facts(Col(column.name, column.type, nullable), values, distinct, unique)


# -- joins --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Link:
    """A column whose values are found in a column of another table, which has each of them once."""

    left: str
    left_column: str
    right: str
    right_column: str
    share: float


SHARE = 0.7  # of the different values of the left column that the right one must have
SURE = 30  # different whole numbers from which inclusion is no accident, whatever the names


def links_of(profiles: list[Profile]) -> list[Link]:
    """Return the pairs of columns by which tables can be joined, by what they hold."""
    found = []
    for left in profiles:
        for right in profiles:
            if left is not right:
                found += [
                    link for one in left.facts for other in right.facts if (link := _link(left, one, right, other))
                ]
    return found


def _link(left: Profile, one: Facts, right: Profile, other: Facts) -> Link | None:
    kind = one.column.type
    if kind is not other.column.type or kind not in (ColumnType.STRING, ColumnType.INT, ColumnType.DATE):
        return None
    counts = Counter(other.values)
    if not counts or counts.most_common(1)[0][1] > 1 or one.distinct < 2:
        return None
    mine = set(one.values)
    share = len(mine & counts.keys()) / len(mine)
    alike = one.column.name.casefold().replace("_", "") in (name := other.column.name.casefold().replace("_", "")) or (
        name in one.column.name.casefold().replace("_", "")
    )
    sure = kind is ColumnType.STRING or alike or (one.distinct >= SURE and share > 0.95 and not _counting(other.values))
    if share < SHARE or not sure:
        return None
    return Link(left.name, one.column.name, right.name, other.column.name, round(share, 3))


def _counting(values: tuple[Value, ...]) -> bool:
    """Say whether numbers are 1, 2, 3, ...: every table has some in their range."""
    numbers = {value for value in values if isinstance(value, int)}
    return bool(numbers) and max(numbers) - min(numbers) < 2 * len(numbers)
