"""Domains: whole schemas that templates are written over, with names, links between tables and values of columns.

A domain has three tables in fixed roles: `facts` (orders, flights, loans: one row per event that is measured),
`entities` (customers, airports, readers: who or what a fact belongs to) and `events` (returns, delays: what happened
to facts later). A template names roles and classes of columns; a domain gives them names and values together, so
renaming a query always renames its fixtures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bootstrap.errors import UserError
from bootstrap.generate.sql_to_ibis.names import is_python_name
from interpreters.base import ColumnType

Role = Literal["facts", "entities", "events"]
ROLES: tuple[Role, ...] = ("facts", "entities", "events")
Class = Literal["count", "amount", "category", "text", "date", "moment", "flag"]
TYPES: dict[str, ColumnType] = {
    "count": ColumnType.INT, "amount": ColumnType.FLOAT, "category": ColumnType.STRING, "text": ColumnType.STRING,
    "date": ColumnType.DATE, "moment": ColumnType.TIMESTAMP, "flag": ColumnType.BOOL,
}  # fmt: skip
CLASSES: dict[str, tuple[str, ...]] = {
    **{name: (name,) for name in TYPES}, "number": ("count", "amount"), "string": ("category", "text"),
    "sortable": ("count", "amount", "date"),
}  # fmt: skip
"""What a template may ask for -> classes of columns that are it."""
NEEDED: dict[Role, dict[str, int]] = {
    "facts": {"count": 1, "amount": 2, "category": 2, "text": 1, "date": 2, "moment": 1, "flag": 1},
    "entities": {"text": 1, "category": 1, "count": 1, "date": 1},
    "events": {"category": 1, "amount": 1, "date": 1},
}
LINKS: dict[Role, tuple[str, ...]] = {"facts": ("key", "entity"), "entities": ("key", "parent"), "events": ("fact",)}
"""Role -> the columns of whole numbers that make its rows known or lead to other rows."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnSpec(Section):
    kind: Class
    """Class of its values."""
    values: tuple[str, ...] = ()
    """Texts to draw from (category, text)."""
    low: float = 0
    """Smallest value (count, amount)."""
    high: float = 100
    """Largest value (count, amount)."""

    @model_validator(mode="after")
    def _has_values(self) -> ColumnSpec:
        if self.kind in ("category", "text") and len(self.values) < 2:
            raise ValueError(f"a column of kind {self.kind} needs at least two values")
        if self.low >= self.high:
            raise ValueError(f"low {self.low} is not below high {self.high}")
        return self


class TableSpec(Section):
    name: Annotated[str, Field(min_length=1)]
    """Name of the table."""
    key: str = ""
    """Its unique column (facts, entities)."""
    entity: str = ""
    """Of facts: the column that holds the key of an entity."""
    parent: str = ""
    """Of entities: the column that holds the key of another entity."""
    fact: str = ""
    """Of events: the column that holds the key of a fact."""
    columns: dict[str, ColumnSpec]
    """The other columns by name."""


class Domain(Section):
    name: Annotated[str, Field(min_length=1)]
    """Name of the domain."""
    facts: TableSpec
    entities: TableSpec
    events: TableSpec

    @model_validator(mode="after")
    def _complete(self) -> Domain:
        for role in ROLES:
            _require(role, self.table(role))
        tables = [self.table(role).name for role in ROLES]
        if len({name.lower() for name in tables}) < len(tables):
            raise ValueError(f"two tables have the same name: {', '.join(tables)}")
        _require_apart(self)
        return self

    def table(self, role: Role) -> TableSpec:
        found: TableSpec = getattr(self, role)
        return found

    def link(self, role: Role, link: str) -> str:
        """Return the name of a column that is a key or leads to one."""
        return str(getattr(self.table(role), link))

    def columns_of(self, role: Role, asked: str) -> list[str]:
        """Return the columns of a table that are of a class that a template asks for."""
        return [name for name, column in self.table(role).columns.items() if column.kind in CLASSES[asked]]

    def types(self, role: Role) -> dict[str, ColumnType]:
        """Return the columns of a table with their types, in their order."""
        table = self.table(role)
        links = {str(getattr(table, link)): ColumnType.INT for link in LINKS[role]}
        return {**links, **{name: TYPES[column.kind] for name, column in table.columns.items()}}


def _require(role: Role, table: TableSpec) -> None:
    if not is_python_name(table.name):
        raise ValueError(f"{role}.name: {table.name!r} cannot be a variable, which it is in Ibis code; choose another")
    for link in LINKS[role]:
        if not getattr(table, link):
            raise ValueError(f"{role}.{link}: expected the name of a column")
    for kind, number in NEEDED[role].items():
        found = [name for name, column in table.columns.items() if column.kind == kind]
        if len(found) < number:
            raise ValueError(f"{role}.columns: {len(found)} of kind {kind}, expected at least {number}")


def _require_apart(domain: Domain) -> None:
    """Columns of two tables may only share the names that link them: a join shows both."""
    owner: dict[str, str] = {}
    for role in ROLES:
        for name in domain.table(role).columns:
            if owner.setdefault(name.lower(), role) != role:
                raise ValueError(f"the column {name!r} is in {owner[name.lower()]} and in {role}: rename one")


def read_domains(folder: Path) -> tuple[list[Domain], list[str]]:
    """Return the domains of a folder's YAML files, one per document, and what is wrong with those left out.

    Raises UserError where there is none at all.
    """
    found: list[Domain] = []
    faults: list[str] = []
    files = sorted(folder.glob("*.yaml"))
    for file in files:
        for document in _documents(file, faults):
            try:
                found.append(Domain.model_validate(document))
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(str(part) for part in first["loc"])
                faults.append(f"{file.name}: domain refused: {where} {first['msg']}".replace(":  ", ": "))
    _drop_repeated(found, faults)
    if not found:
        raise UserError(f"{folder}: expected YAML files with domains, found none that is right; {'; '.join(faults)}")
    return found, faults


def _documents(file: Path, faults: list[str]) -> Sequence[Mapping[str, object]]:
    try:
        documents = list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        faults.append(f"{file.name}: not YAML: {str(error).splitlines()[0]}")
        return []
    return [document for document in documents if document is not None]


def _drop_repeated(found: list[Domain], faults: list[str]) -> None:
    seen: set[str] = set()
    for domain in list(found):
        if domain.name in seen:
            faults.append(f"domain {domain.name}: there is another one of this name; the second is left out")
            found.reverse()
            found.remove(domain)
            found.reverse()
        seen.add(domain.name)


DOMAINS_SHIPPED = Path(__file__).with_name("domains")
