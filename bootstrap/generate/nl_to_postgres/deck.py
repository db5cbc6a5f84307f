"""Drawing the parts of a form from a copy: tables, columns that fit a purpose, conditions with values that occur."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from bootstrap.generate.nl_to_postgres.forms import (
    Agg,
    Between,
    Call,
    Col,
    Either,
    Expr,
    Is,
    Key,
    Like,
    Lit,
    Missing,
    OneOf,
    Output,
    Pred,
    Source,
    Statement,
    Test,
)
from bootstrap.generate.nl_to_postgres.functions import AGGREGATES
from bootstrap.generate.nl_to_postgres.names import is_own_key, parts
from bootstrap.generate.nl_to_postgres.schema import (
    MOMENTS,
    NUMBERS,
    ColumnInfo,
    DatabaseCopy,
    Relation,
    TableInfo,
    humanized,
    values_of,
)
from bootstrap.generate.nl_to_postgres.wording import Speaker, listed, with_article
from interpreters.base import ColumnType, Value

LONG = 60  # characters of a text that nobody asks for by its value
_NO_SUM = frozenset({"year", "zip", "postcode", "phone", "fax", "number", "code", "latitude", "longitude", "rank",
                     "ssn", "position", "no", "floor", "room", "version", "isbn"})  # fmt: skip


class NothingFitsError(Exception):
    """A shape finds nothing in this database that it could be made of. The message says what it lacks."""


@dataclass(frozen=True)
class Draft:
    """A question with its form, not proved yet. `shape`: what kind of question it is."""

    shape: str
    form: Statement
    question: str


class Deck:
    """One database to draw from."""

    def __init__(self, copy: DatabaseCopy, rng: random.Random) -> None:
        self.copy, self.rng = copy, rng
        self.relations = [r for r in copy.relations if self._useful(r)]

    # -- tables ---------------------------------------------------------------------------------------------------

    def _useful(self, relation: Relation) -> bool:
        return bool(self.copy.rows[relation.child].rows) and bool(self.copy.rows[relation.parent].rows)

    def table(self, least_rows: int = 3) -> TableInfo:
        fitting = [t for t in self.copy.tables.values() if len(self.copy.rows[t.name].rows) >= least_rows]
        if not fitting:
            raise NothingFitsError(f"no table with {least_rows} rows")
        return self.rng.choice(fitting)

    def one(self, options: Sequence[ColumnInfo], what: str) -> ColumnInfo:
        if not options:
            raise NothingFitsError(f"a table has no {what}")
        return self.rng.choice(options)

    # -- columns --------------------------------------------------------------------------------------------------

    def is_id(self, table: TableInfo, column: ColumnInfo) -> bool:
        """Say whether a column only tells rows apart or refers to others."""
        linked = any(
            (r.child == table.name and column.name in r.child_columns)
            or (r.parent == table.name and column.name in r.parent_columns)
            for r in self.copy.relations
        )
        suffix = parts(column.name.lower().replace("_", ""))[1]
        numbered = column.type is ColumnType.INT and suffix in ("id", "key", "no", "nr", "fk", "code", "uuid")
        return linked or column.name in table.primary_key or is_own_key(column.name, table.live[1]) or numbered

    def measures(self, table: TableInfo, additive: bool = False) -> list[ColumnInfo]:
        found = [c for c in table.columns if c.type in NUMBERS and not self.is_id(table, c) and c.distinct > 2]
        if additive:
            return [c for c in found if not c.personal and not _NO_SUM & set(humanized(c.name).split())]
        return found

    def moments(self, table: TableInfo) -> list[ColumnInfo]:
        return [c for c in table.columns if c.type in MOMENTS and c.distinct > 1]

    def categories(self, table: TableInfo) -> list[ColumnInfo]:
        """Return columns whose values make groups of several rows."""
        height = len(self.copy.rows[table.name].rows)
        kinds = (ColumnType.STRING, ColumnType.BOOL, ColumnType.INT)
        return [
            c for c in table.columns
            if c.type in kinds and 2 <= c.distinct <= max(2, min(25, 0.7 * height)) and not self._is_long(table, c)
            and not (c.type is ColumnType.INT and c.distinct > 12)
        ]  # fmt: skip

    def texts(self, table: TableInfo) -> list[ColumnInfo]:
        return [
            c for c in table.columns if c.type is ColumnType.STRING and c.distinct > 1 and not self._is_long(table, c)
        ]

    def shown(self, table: TableInfo) -> list[ColumnInfo]:
        """Return columns that are worth showing."""
        return [c for c in table.columns if c.distinct > 1 and not self._is_long(table, c)]

    def _is_long(self, table: TableInfo, column: ColumnInfo) -> bool:
        values = self.values(table, column)
        return column.type is ColumnType.STRING and any(len(str(value)) > LONG for value in values[:50])

    def values(self, table: TableInfo, column: ColumnInfo) -> list[Value]:
        return [value for value in values_of(self.copy.rows[table.name], column.name) if value is not None]

    def naming(self, table: TableInfo) -> list[ColumnInfo]:
        """Return the columns by which people know a row: a text that differs in each, else the key."""
        height = len(self.copy.rows[table.name].rows)
        unique = [c for c in self.shown(table) if c.distinct == height and c.nulls == 0]
        texts = [c for c in unique if c.type is ColumnType.STRING]
        if texts or unique:
            return [(texts or unique)[0]]
        key = [table.by_name[name] for name in table.primary_key if name in table.by_name]
        return key if key and all(c in table.columns for c in key) else []

    def unique_key(self, table: TableInfo) -> list[ColumnInfo]:
        """Return columns in which no two rows are alike: what breaks ties."""
        key = [table.by_name[name] for name in table.primary_key if name in table.by_name]
        if key and len(key) == len(table.primary_key):
            return key
        height = len(self.copy.rows[table.name].rows)
        unique = [c for c in table.columns if c.distinct == height and c.nulls == 0]
        return unique[:1]

    # -- parts of forms -------------------------------------------------------------------------------------------

    @staticmethod
    def col(source: str, column: ColumnInfo) -> Col:
        return Col(source, column.name, column.type, column.nulls > 0)

    def key(self, source: str, column: ColumnInfo, descending: bool | None = None) -> Key:
        down = self.rng.random() < 0.5 if descending is None else descending
        return Key(self.col(source, column), down, column.nulls > 0)

    def condition(self, table: TableInfo, source: str, avoid: Sequence[str] = ()) -> Pred:
        """Return a condition that some rows meet and others do not, as far as one can tell."""
        options = [
            c for c in table.columns
            if c.name not in avoid and (c.distinct > 1 or (c.nulls and c.distinct))
            and not (self.is_id(table, c) and c.type in NUMBERS)
        ]  # fmt: skip
        column = self.one(options, "column to ask a condition of")
        col, values = self.col(source, column), self.values(table, column)
        if column.nulls and self.rng.random() < 0.15:
            return Missing(col, negated=self.rng.random() < 0.5)
        if column.type is ColumnType.BOOL:
            return Is(col, self.rng.random() < 0.5)
        if column.type is ColumnType.STRING:
            return self._text_condition(col, [str(value) for value in values], self._is_long(table, column))
        if column.personal and column.type in NUMBERS:
            return Test("=", col, Lit(self.rng.choice(values)))
        return self._range(col, values)

    def _range(self, col: Col, values: Sequence[Value]) -> Pred:
        ordered = sorted(values)  # type: ignore[type-var]  # values of one class
        if len(set(ordered)) <= 5 and self.rng.random() < 0.5:
            return Test("=", col, Lit(self.rng.choice(ordered)))
        low = ordered[self.rng.randrange(len(ordered) // 8, max(len(ordered) // 8 + 1, len(ordered) * 5 // 8))]
        if self.rng.random() < 0.3:
            high = ordered[self.rng.randrange(len(ordered) * 5 // 8, len(ordered))]
            if low != high:
                return Between(col, Lit(self._round(low)), Lit(high))
        value = self._round(
            ordered[self.rng.randrange(len(ordered) // 6, max(len(ordered) // 6 + 1, len(ordered) * 5 // 6))]
        )
        return Test(self.rng.choice(("<", "<=", ">", ">=")), col, Lit(value))

    def _round(self, value: Value) -> Value:
        """Return a number that people would say, near this one; other values as they are."""
        if isinstance(value, dt.datetime):
            return dt.datetime.combine(value.date(), dt.time())
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or self.rng.random() < 0.3:
            return value
        size = abs(float(value))
        step = next(
            (step for limit, step in ((100_000, 10_000), (10_000, 1000), (1000, 100), (100, 10)) if size >= limit), 1
        )
        near = round(float(value) / step) * step
        return float(near) if isinstance(value, float) else Decimal(near) if isinstance(value, Decimal) else near

    def _text_condition(self, col: Col, values: list[str], long: bool) -> Pred:
        different = sorted(set(values))
        value = self.rng.choice(values)
        chance = self.rng.random()
        if long or (chance < 0.2 and len(different) > 6):
            words = [word for word in value.split() if len(word) >= 4 and word.isalpha()]
            if words:
                return Like("contains", col, self.rng.choice(words))
        if chance < 0.35 and len(different) > 6 and len(value) > 3:
            start = self.rng.random() < 0.7
            return Like("starts", col, value[: self.rng.randint(1, 2)]) if start else Like("ends", col, value[-2:])
        if chance < 0.55 and len(different) > 3:
            chosen = tuple(Lit(v) for v in self.rng.sample(different, self.rng.randint(2, min(4, len(different) - 1))))
            return OneOf(col, chosen, negated=self.rng.random() < 0.25)
        if chance < 0.65:
            return Test("<>", col, Lit(value))
        return Test("=", col, Lit(value))

    def conditions(self, table: TableInfo, source: str, most: int = 2, avoid: Sequence[str] = ()) -> tuple[Pred, ...]:
        first = self.condition(table, source, avoid)
        if most < 2 or self.rng.random() < 0.55:
            return (first,)
        used = [node.column for node in [getattr(first, "expr", getattr(first, "left", None))] if isinstance(node, Col)]
        try:
            second = self.condition(table, source, [*avoid, *used])
        except NothingFitsError:
            return (first,)
        return (Either((first, second)),) if self.rng.random() < 0.25 else (first, second)

    def aggregate(self, table: TableInfo, source: str, counts: bool = True) -> Agg:
        """Return an aggregate that makes sense of some column."""
        options: list[Agg] = [Agg("count", None, ColumnType.INT)] if counts else []
        for column in self.measures(table, additive=True):
            col = self.col(source, column)
            options += [
                Agg(name, col, self._result(name, col)) for name in ("sum", "avg", "avg", "min", "max", "median")
            ]
        for column in self.moments(table):
            options += [Agg(name, self.col(source, column), column.type) for name in ("min", "max")]
        for column in self.categories(table):
            options.append(Agg("count_distinct", self.col(source, column), ColumnType.INT))
        if counts:
            options += [
                Agg("count", self.col(source, c), ColumnType.INT) for c in table.columns if c.nulls and c.distinct
            ]
        if not options:
            raise NothingFitsError("a table has nothing to aggregate")
        return self.rng.choice(options)

    @staticmethod
    def _result(name: str, col: Col) -> ColumnType:
        told = AGGREGATES[name].result or col.type
        return ColumnType.FLOAT if name == "avg" and col.type is ColumnType.FLOAT else told

    def rounded(self, agg: Agg) -> Expr:
        """Return an average with two digits, as people want to see it; other aggregates as they are."""
        if agg.function in ("avg", "median") and self.rng.random() < 0.8:
            return Call("round2", (agg,), ColumnType.DECIMAL)
        return agg

    def outputs(self, table: TableInfo, source: str, most: int = 3) -> tuple[Output, ...]:
        """Return what to show of a row: what it is known by, and some more."""
        names = self.naming(table)
        others = [c for c in self.shown(table) if c not in names]
        chosen = names[:1] + self.rng.sample(
            others, min(len(others), self.rng.randint(0 if names else 1, most - len(names[:1])))
        )
        if not chosen:
            raise NothingFitsError("a table has nothing to show")
        return tuple(Output(c.name, self.col(source, c)) for c in chosen)

    def speaker(self, table: TableInfo, source: str = "") -> Speaker:
        return Speaker({source or table.name: table}, source or table.name)

    def pick(self, *options: str) -> str:
        return self.rng.choice(options)


def the(words: Sequence[str]) -> str:
    """Return "the a, the b and the c"."""
    return listed([with_article(word) for word in words])


def name_of(words: str, taken: Sequence[str] = ()) -> str:
    """Return an alias made of words."""
    kept = "".join(c if c.isalnum() and c.isascii() else " " for c in words.lower()).split()
    name = "_".join([word for word in kept if word not in ("the", "of", "a", "with", "known")][:5]) or "result"
    return name if name not in taken else f"{name}_{len(taken) + 1}"


def renamed(outputs: Sequence[Output]) -> tuple[Output, ...]:
    """Return outputs of which no two have the same name."""
    done: list[Output] = []
    for output in outputs:
        taken = [one.name for one in done]
        done.append(
            replace(output, name=output.name if output.name not in taken else f"{output.name}_{len(taken) + 1}")
        )
    return tuple(done)


def source_of(table: TableInfo) -> Source:
    return Source(table.name, table.name)
