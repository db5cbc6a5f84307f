"""Names of a query: which column an identifier means."""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot import exp

from bootstrap.convert.base import UnsupportedSqlError
from bootstrap.convert.relational.model import Column, Expr, Relation, columns_in, ref


@dataclass(eq=False)
class Source:
    """A table of FROM: what it is called there, and its columns."""

    name: str
    relation: Relation

    def find(self, name: str) -> Column | None:
        folded = name.casefold()
        return next((column for column in self.relation.columns if column.name.casefold() == folded), None)


@dataclass(eq=False)
class Scope:
    """The tables of one SELECT. `merged` are columns of USING, which need no table, `aliases` its own outputs."""

    parent: Scope | None
    sources: list[Source] = field(default_factory=list)
    merged: dict[str, Expr] = field(default_factory=dict)
    aliases: dict[str, exp.Expr] = field(default_factory=dict)
    outer: set[Column] = field(default_factory=set)

    def source(self, name: str) -> Source | None:
        folded = name.casefold()
        return next((one for one in self.sources if one.name.casefold() == folded), None)

    def resolve(self, table: str, name: str) -> Expr | None:
        """Return the column, here or in an outer query. Raises UnsupportedSqlError when it is ambiguous."""
        found = self._resolve_here(table, name)
        if found is None and self.parent is not None:
            found = self.parent.resolve(table, name)
            if found is not None:
                self.outer |= columns_in(found)
        return found

    def _resolve_here(self, table: str, name: str) -> Expr | None:
        if table:
            source = self.source(table)
            column = source.find(name) if source else None
            return ref(column) if column else None
        if name.casefold() in self.merged:
            return self.merged[name.casefold()]
        found = [column for source in self.sources if (column := source.find(name)) is not None]
        if len(found) > 1:
            raise UnsupportedSqlError(f"the column {name} is in several tables")
        return ref(found[0]) if found else None
