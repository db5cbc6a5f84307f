"""What is known of a database: tables, columns, keys, relationships, and a bounded, masked copy of the rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from bootstrap.generate.nl_to_postgres.render import RESERVED
from interpreters.base import Column, ColumnType, Table, Value
from interpreters.wire import table_from_json, table_to_json

NUMBERS = frozenset({ColumnType.INT, ColumnType.FLOAT, ColumnType.DECIMAL})
MOMENTS = frozenset({ColumnType.DATE, ColumnType.TIMESTAMP})
PLAIN = NUMBERS | MOMENTS | {ColumnType.STRING, ColumnType.BOOL}
"""Classes that questions are asked about; columns of other classes are copied, and left alone."""


@dataclass(frozen=True)
class ColumnInfo:
    """A column. `label` is what people call it; `personal`: the kind of personal data in it, empty for none.
    `distinct` and `nulls` are counted over the rows that were read."""

    name: str
    type: ColumnType
    sql_type: str
    nullable: bool
    comment: str = ""
    label: str = ""
    personal: str = ""
    distinct: int = 0
    nulls: int = 0


@dataclass(frozen=True)
class TableInfo:
    """A table. `name` is its name in the copy, where there is one schema; `live` the schema and table it comes from.
    `height`: rows of the table itself, as far as is known."""

    name: str
    live: tuple[str, str]
    columns: tuple[ColumnInfo, ...]
    comment: str = ""
    height: int = 0
    primary_key: tuple[str, ...] = ()

    @cached_property
    def by_name(self) -> Mapping[str, ColumnInfo]:
        return {column.name: column for column in self.columns}

    @property
    def plural(self) -> str:
        return f'rows of "{self.live[1]}"' if self._is_odd else plural_of(self.singular)

    @property
    def _is_odd(self) -> bool:
        return self.live[1].lower() in RESERVED or not self.live[1].isascii()

    @cached_property
    def singular(self) -> str:
        if self._is_odd:
            return f'row of "{self.live[1]}"'
        return singular_of(humanized(self.live[1]))


@dataclass(frozen=True)
class Relation:
    """Values of the child's columns are found among the parent's, which are different in every row."""

    child: str
    child_columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    declared: bool = False
    score: float = 1.0

    @property
    def key(self) -> tuple[str, tuple[str, ...], str, tuple[str, ...]]:
        pairs = sorted(zip(self.child_columns, self.parent_columns, strict=True))
        return self.child, tuple(a for a, _ in pairs), self.parent, tuple(b for _, b in pairs)

    def __str__(self) -> str:
        def side(table: str, columns: Sequence[str]) -> str:
            return f"{table}.{columns[0]}" if len(columns) == 1 else f"{table}.({', '.join(columns)})"

        return f"{side(self.child, self.child_columns)} -> {side(self.parent, self.parent_columns)}"


@dataclass(frozen=True)
class DatabaseCopy:
    """The masked copy of a database, and what was found out about it. `marks` are keyed digests of the values that no
    output may show."""

    name: str
    licence: str
    tables: Mapping[str, TableInfo]
    rows: Mapping[str, Table]
    relations: tuple[Relation, ...]
    notes: tuple[str, ...] = ()
    marks: frozenset[str] = frozenset()
    catalogue: Mapping[str, Table] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name, "licence": self.licence, "notes": list(self.notes), "marks": sorted(self.marks),
            "tables": [asdict(table) for table in self.tables.values()],
            "relations": [asdict(relation) for relation in self.relations],
            "rows": {name: table_to_json(table) for name, table in self.rows.items()},
            "order": list(self.rows),
            "catalogue": {name: table_to_json(table) for name, table in self.catalogue.items()},
        }  # fmt: skip

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> DatabaseCopy:
        tables = [_table_info(table) for table in row["tables"]]
        return cls(
            name=row["name"], licence=row["licence"], notes=tuple(row["notes"]), marks=frozenset(row["marks"]),
            tables={table.name: table for table in tables},
            rows={name: table_from_json(row["rows"][name]) for name in row["order"]},
            relations=tuple(_relation(relation) for relation in row["relations"]),
            catalogue={name: table_from_json(table) for name, table in row["catalogue"].items()},
        )  # fmt: skip


def _table_info(row: Mapping[str, Any]) -> TableInfo:
    columns = tuple(ColumnInfo(**{**column, "type": ColumnType(column["type"])}) for column in row["columns"])
    keys = {"columns": columns, "live": tuple(row["live"]), "primary_key": tuple(row["primary_key"])}
    return TableInfo(**{**row, **keys})


def _relation(row: Mapping[str, Any]) -> Relation:
    columns = {key: tuple(row[key]) for key in ("child_columns", "parent_columns")}
    return Relation(**{**row, **columns})


def values_of(table: Table, column: str) -> list[Value]:
    index = table.names.index(column)
    return [row[index] for row in table.rows]


def table_of(info: TableInfo, rows: Sequence[Sequence[Value]]) -> Table:
    return Table(tuple(Column(column.name, column.type) for column in info.columns), tuple(map(tuple, rows)))


# -- words ----------------------------------------------------------------------------------------------------------

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SAME = frozenset({"series", "species", "news", "sms", "gps", "bus", "status", "address", "access", "process", "class"})
_IRREGULAR = {
    "person": "people", "child": "children", "man": "men", "woman": "women", "staff": "staff", "equipment": "equipment",
    "news": "news", "series": "series", "species": "species", "information": "information", "data": "data",
}  # fmt: skip
_PREPOSITIONS = frozenset({"with", "in", "on", "by", "of", "at", "to", "for", "from"})
_BACK = {plural: one for one, plural in _IRREGULAR.items()}


def humanized(name: str) -> str:
    """Return a name of SQL in words: "orderDate" and "ORDER_DATE" are the order date."""
    words = re.sub(r"[_\s.]+", " ", _CAMEL.sub(" ", name)).strip()
    return words.lower() if words else name


def singular_of(words: str) -> str:
    head, of, rest = words.partition(" of ")
    if of:
        return f"{singular_of(head)} of {rest}"
    first, space, last = words.rpartition(" ")
    if last in _BACK:
        one = _BACK[last]
    elif last not in _PREPOSITIONS and (
        last in _SAME or last.endswith(("ss", "us", "is")) or len(last) < 4 or not last.endswith("s")
    ):
        one = last
    elif last in _PREPOSITIONS:
        one = f"{last} row"
    elif last.endswith("oes") and len(last) > 5:
        one = last[:-2]
    elif last.endswith("ies"):
        one = last[:-3] + "y"
    elif last.endswith(("sses", "shes", "ches", "xes", "zzes", "statuses", "buses")):
        one = last[:-2]
    else:
        one = last[:-1]
    return first + space + one


def plural_of(words: str) -> str:
    head, of, rest = words.partition(" of ")
    if of:
        return f"{plural_of(head)} of {rest}"
    first, space, last = words.rpartition(" ")
    if last in _IRREGULAR:
        many = _IRREGULAR[last]
    elif not last.isascii() or not last[-1:].isalpha():
        return f"rows of {words}"
    elif last.endswith("y") and last[-2:-1] not in "aeiou":
        many = last[:-1] + "ies"
    elif last.endswith(("s", "x", "z", "ch", "sh")):
        many = last + "es"
    else:
        many = last + "s"
    return first + space + many
