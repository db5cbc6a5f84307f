"""Questions about two tables that share a key."""

from __future__ import annotations

from bootstrap.generate.nl_to_polars.drawing import Drawer
from bootstrap.generate.nl_to_polars.forms import NUMBERS, Aggregate, Col, Join, Named, Query
from bootstrap.generate.nl_to_polars.profiles import Facts, Link, Profile
from bootstrap.generate.nl_to_polars.templates import names_of, shown


def joined(d: Drawer, link: Link, right: Profile) -> Query:
    """Ask about two tables: columns of both, groups by a column of the other, rows with or without a partner."""
    how = d.rng.choice(("rows", "groups", "semi", "anti", "left"))
    if how in ("semi", "anti"):
        join = Join(right.name, link.left_column, link.right_column, how)  # type: ignore[arg-type]  # semi or anti
        output = tuple(dict.fromkeys((link.left_column, *shown(d))))
        return Query(d.profile.name, output, join=join, where=d.conditions(0, 1), subject="joins")
    own = {one.column.name.casefold() for one in d.profile.facts}
    free = [
        one for one in right.facts if one.column.name.casefold() not in own and one.column.name != link.right_column
    ]
    other = d.one(free)
    column = Col(other.column.name, other.column.type, True)
    kind = "left" if how == "left" else "inner"
    join = Join(right.name, link.left_column, link.right_column, kind, columns=(column,))  # type: ignore[arg-type]  # a kind
    where = d.conditions(0, 1)
    if how == "groups" and other.is_category:
        aggregates = d.aggregates(1, 2)
        output = (column.name, *(one.name for one in aggregates))
        return Query(
            d.profile.name, output, join=join, where=where, keys=(column.name,), aggregates=aggregates, subject="joins"
        )
    if column.type in NUMBERS and d.rng.random() < 0.5:
        keys = names_of(d.some(d.profile.categories, 1, 1))
        part = Named(d.name(f"mean_{column.name}"), Aggregate("mean", column))
        return Query(
            d.profile.name, (*keys, part.name), join=join, where=where, keys=keys, aggregates=(part,), subject="joins"
        )
    output = tuple(dict.fromkeys((*shown(d, link.left_column), column.name)))
    if kind == "inner" and d.rng.random() < 0.6:
        where = (*where, d.condition(Facts(column, other.values, other.distinct, other.unique)))
    return Query(d.profile.name, output, join=join, where=where, subject="joins")
