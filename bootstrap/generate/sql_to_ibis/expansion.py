"""From a template and a domain to candidates: one choice on every axis, drawn by the seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from bootstrap.generate.sql_to_ibis.domains import ROLES, Domain, Role
from bootstrap.generate.sql_to_ibis.fixtures import Pools
from bootstrap.generate.sql_to_ibis.layout import laid_out_ibis, laid_out_sql
from bootstrap.generate.sql_to_ibis.scope import (
    Scope,
    Spelling,
    fragment,
    pool_of,
    spelled_list,
    value_near_the_middle,
)
from bootstrap.generate.sql_to_ibis.template_files import ChoiceAxis, ColumnAxis, DrawAxis, ReadyTemplate

_TRIES = 4
"""Draws per candidate that is wanted: some repeat others."""


@dataclass(frozen=True)
class Candidate:
    """A pair that is not proved yet. `tables`: names of the tables in use."""

    group: str
    sql: str
    ibis: str
    roles: tuple[Role, ...]
    features: tuple[str, ...]
    difficulty: int
    params: Mapping[str, str] = field(default_factory=dict)
    composable: bool = True


def candidates_of(
    ready: ReadyTemplate, domain: Domain, pools: Pools, seed: int, wanted: int, purpose: str = "expand"
) -> Iterator[Candidate]:
    """Yield up to `wanted` different candidates. None where the domain lacks a column that the template asks for."""
    seen: set[str] = set()
    for draw in range(_TRIES * wanted):
        rng = random.Random(f"{purpose} {seed} {domain.name} {ready.name} {draw}")
        candidate = _drawn(ready, domain, pools, rng)
        if candidate is None:
            return
        if candidate.sql not in seen:
            seen.add(candidate.sql)
            yield candidate
        if len(seen) == wanted:
            return


def _drawn(ready: ReadyTemplate, domain: Domain, pools: Pools, rng: random.Random) -> Candidate | None:
    scope = Scope(domain)
    params: dict[str, str] = {}
    columns = _columns(ready, domain, rng)
    if columns is None:
        return None
    for name, (role, column) in columns.items():
        scope.add_column(name, role, column)
        params[name] = column
    for name, axis in ready.axes.items():
        if isinstance(axis, ChoiceAxis):
            choice = rng.choice(axis.choices)
            scope.add_spelling(name, Spelling(scope.render(choice.sql, "sql"), scope.render(choice.ibis, "ibis")))
            params[name] = scope.spellings[name].sql
        elif isinstance(axis, DrawAxis):
            params[name] = _draw(scope, name, axis, pools, rng)
    template = ready.template
    return Candidate(
        group=ready.name,
        sql=laid_out_sql(scope.render(template.sql, "sql")),
        ibis=laid_out_ibis(scope.render(template.ibis, "ibis")),
        roles=ready.roles,
        features=template.features,
        difficulty=template.difficulty,
        params=params,
        composable=template.composable,
    )


def _columns(ready: ReadyTemplate, domain: Domain, rng: random.Random) -> dict[str, tuple[Role, str]] | None:
    """Choose a column for each axis that wants one, no column twice. Dates stay in the order of the table, in which
    the earlier one comes first: from check-in to check-out."""
    found: dict[str, tuple[Role, str]] = {}
    for name, axis in ready.axes.items():
        if isinstance(axis, ColumnAxis):
            choices = [column for column in axis.choices(domain) if (axis.role, column) not in found.values()]
            if not choices:
                return None
            found[name] = axis.role, rng.choice(choices)
    dates = [n for n, axis in ready.axes.items() if isinstance(axis, ColumnAxis) and axis.asked == "date"]
    for role in ROLES:
        here = [name for name in dates if found[name][0] == role]
        order = list(domain.table(role).columns)
        for name, chosen in zip(here, sorted((found[n] for n in here), key=lambda c: order.index(c[1])), strict=True):
            found[name] = chosen
    return found


def _draw(scope: Scope, name: str, axis: DrawAxis, pools: Pools, rng: random.Random) -> str:
    """Bind constants that fit a column; return what they are in SQL."""
    pool = pool_of(pools, scope, axis.of)
    if axis.how == "range":
        low, high = sorted(rng.sample(range(len(pool)), 2)) if len(pool) > 1 else (0, 0)
        scope.add_range(name, pool[low], pool[high])
        return f"{scope.spellings[f'{name}.low'].sql} .. {scope.spellings[f'{name}.high'].sql}"
    if axis.how == "value":
        scope.add_value(name, value_near_the_middle(pool, rng))
        return scope.spellings[name].sql
    if axis.how == "values":
        spelling = spelled_list(rng.sample(list(pool), min(len(pool) - 1, rng.choice((2, 2, 3)))))
    else:
        spelling = fragment(pool, rng)
    scope.add_spelling(name, spelling)
    return spelling.sql
