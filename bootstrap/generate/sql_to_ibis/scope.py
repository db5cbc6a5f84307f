"""What the placeholders of a template stand for, in SQL and in Ibis: bound together, so they cannot come apart.

{facts} {entities} {events}    a table; {facts:a} its short alias in SQL
{facts.key} {facts.entity}     a column that is a key or leads to one; also {entities.key}, {entities.parent},
                               {events.fact}; {facts.entity:on} and {events.fact:on} the predicate of a join in Ibis
{x}                            what axis x chose. A column is a name in SQL and `.name` after its owner in Ibis;
                               {x:s} is its name as a Python string, {x:t} as a text of either language, {x:a}
                               what it gives to names of results
{v:q}                          a constant as the name of a column in SQL
{r.low} {r.high}               the bounds of an axis "range of x"
{{ }}                          braces
"""

from __future__ import annotations

import datetime as dt
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from bootstrap.generate.sql_to_ibis.domains import LINKS, ROLES, Domain, Role
from bootstrap.generate.sql_to_ibis.fixtures import Pools, sql_literal
from bootstrap.generate.sql_to_ibis.names import member, slug, sql_name, text
from interpreters.base import Value

PLACEHOLDER = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")


@dataclass(frozen=True)
class Spelling:
    """One thing in both languages."""

    sql: str
    ibis: str


class Scope:
    """Placeholder -> spelling, for one domain and one choice on every axis."""

    def __init__(self, domain: Domain) -> None:
        self.domain = domain
        self.spellings: dict[str, Spelling] = {}
        self.columns: dict[str, tuple[Role, str]] = {}
        aliases = _aliases([domain.table(role).name for role in ROLES])
        for role, alias in zip(ROLES, aliases, strict=True):
            name = domain.table(role).name
            self.spellings[role] = Spelling(sql_name(name), name)
            self.spellings[f"{role}:a"] = Spelling(alias, alias)
            for link in LINKS[role]:
                self._add_column(f"{role}.{link}", role, domain.link(role, link))
        self._add_predicate("facts.entity", "entities.key")
        self._add_predicate("events.fact", "facts.key")

    def _add_column(self, placeholder: str, role: Role, name: str) -> None:
        self.columns[placeholder] = role, name
        self.spellings[placeholder] = Spelling(sql_name(name), member(name))
        self.spellings[f"{placeholder}:s"] = Spelling(text(name), text(name))
        self.spellings[f"{placeholder}:t"] = spelled(name)
        self.spellings[f"{placeholder}:a"] = Spelling(slug(name), slug(name))

    def _add_predicate(self, left: str, right: str) -> None:
        """Ibis joins by a name that both tables have, else by a pair of names."""
        names = [self.columns[side][1] for side in (left, right)]
        code = text(names[0]) if names[0] == names[1] else f"[({text(names[0])}, {text(names[1])})]"
        self.spellings[f"{left}:on"] = Spelling("", code)

    def add_column(self, axis: str, role: Role, name: str) -> None:
        self._add_column(axis, role, name)

    def add_spelling(self, axis: str, spelling: Spelling) -> None:
        self.spellings[axis] = spelling

    def add_value(self, axis: str, value: Value) -> None:
        self.spellings[axis] = spelled(value)
        self.spellings[f"{axis}:q"] = Spelling(sql_name(str(value)), text(str(value)))

    def add_range(self, axis: str, low: Value, high: Value) -> None:
        self.spellings[f"{axis}.low"], self.spellings[f"{axis}.high"] = spelled(low), spelled(high)

    def render(self, template: str, language: str) -> str:
        """Return a template's text in a language. Raises KeyError with the placeholder that is not bound."""

        def replace(found: re.Match[str]) -> str:
            if found[1] is None:
                return found[0][0]
            spelling = self.spellings[found[1]]
            return spelling.sql if language == "sql" else spelling.ibis

        return PLACEHOLDER.sub(replace, template)


def _aliases(tables: Sequence[str]) -> list[str]:
    """Return short names for tables, as people choose them: the first letter, more of it where that is taken."""
    found: list[str] = []
    for table in tables:
        letters = slug(table)
        alias = next(letters[:n] for n in range(1, len(letters) + 1) if letters[:n] not in found)
        found.append(alias if sql_name(alias) == alias else f"{alias}_")
    return found


def spelled(value: Value) -> Spelling:
    """Return a constant in both languages."""
    if isinstance(value, dt.datetime):
        return Spelling(sql_literal(value), f"ibis.timestamp({text(value.isoformat(sep=' '))})")
    if isinstance(value, dt.date):
        return Spelling(sql_literal(value), f"ibis.date({text(value.isoformat())})")
    return Spelling(sql_literal(value), text(value) if isinstance(value, str) else repr(value))


def spelled_list(values: Sequence[Value]) -> Spelling:
    """Return several constants: in parentheses in SQL, a list in Ibis."""
    every = [spelled(value) for value in values]
    sql, ibis = (", ".join(parts) for parts in ((one.sql for one in every), (one.ibis for one in every)))
    return Spelling(f"({sql})", f"[{ibis}]")


def value_near_the_middle(pool: Sequence[Value], rng: random.Random) -> Value:
    """Return a value with others on both sides of it where the pool has so many."""
    return rng.choice(pool[1:-1] if len(pool) > 4 else pool)


def pool_of(pools: Pools, scope: Scope, axis: str) -> Sequence[Value]:
    role, name = scope.columns[axis]
    return pools[role][name]


def fragment(pool: Sequence[Value], rng: random.Random) -> Spelling:
    """Return two or three letters from a text of the pool, to be put between quotes."""
    words = [word for value in pool for word in str(value).split() if word.isalpha() and len(word) > 2]
    plain = ["".join(letter for letter in str(value) if letter.isalnum()) for value in pool]
    word = rng.choice(words or plain)
    return Spelling(word[:3], word[:3])
