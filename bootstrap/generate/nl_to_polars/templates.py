"""The kinds of questions: each draws one query from a table (or two), or says that there is nothing of its kind."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace

from bootstrap.generate.nl_to_polars.csv_tables import plain
from bootstrap.generate.nl_to_polars.drawing import Drawer, NothingToAskError
from bootstrap.generate.nl_to_polars.forms import (
    Aggregate,
    Call,
    Case,
    Col,
    Compare,
    Condition,
    Filled,
    Join,
    Missing,
    Named,
    Order,
    Query,
    Window,
    columns_in,
)
from bootstrap.generate.nl_to_polars.profiles import Facts, Profile
from interpreters.base import ColumnType


def names_of(facts: list[Facts]) -> tuple[str, ...]:
    return tuple(one.column.name for one in facts)


def _read(conditions: tuple[Condition, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(column.name for one in conditions for column in columns_in(one)))


def shown(d: Drawer, *names: str) -> tuple[str, ...]:
    """Return output columns for rows: a name of the row where there is one, then the given ones, then some more."""
    first = names_of(d.profile.idents[:1]) if d.rng.random() < 0.8 else ()
    more = names_of(d.some(list(d.profile.facts), 0, 2))
    return tuple(dict.fromkeys((*first, *names, *more)))


def filtered_rows(d: Drawer) -> Query:
    where = d.conditions(1, 3)
    fixed = {
        one.left.name for one in where if isinstance(one, Compare) and one.sign == "==" and isinstance(one.left, Col)
    }
    fixed |= {one.of.name for one in where if isinstance(one, Missing) and isinstance(one.of, Col)}
    output = shown(d, *(name for name in _read(where) if name not in fixed)) if d.rng.random() < 0.6 else shown(d)
    if len(output) < 2:
        more = d.some(list(d.profile.facts), 0, 3, [*output, *fixed])
        output = (*output, *names_of(more)) or names_of(d.some(list(d.profile.facts), 1, 3))
    idents = [one.column.name for one in d.profile.idents if one.column.name in output]
    order = (Order(idents[0], d.rng.random() < 0.2),) if idents and d.rng.random() < 0.4 else ()
    return Query(d.profile.name, output, where=where, order=order, subject="filtering")


def top_rows(d: Drawer) -> Query:
    where = d.conditions(0, 2)
    measure = d.sure_measure()
    idents = [one.column.name for one in d.profile.idents if one is not measure]
    down = d.rng.random() < 0.7
    limit = d.rng.choice((1, 3, 5, 10, 15, 20))
    if idents:
        order: tuple[Order, ...] = (Order(measure.column.name, down), Order(idents[0]))
        output = tuple(dict.fromkeys((idents[0], measure.column.name, *shown(d)[1:])))
    else:
        others = [one for one in d.profile.facts if not one.column.nullable]
        chosen = d.some(others, 1, 2, [measure.column.name])
        order = (Order(measure.column.name, down), *(Order(name) for name in names_of(chosen)))
        output = tuple(one.name for one in order)
    return Query(d.profile.name, output, where=where, order=order, limit=limit, subject="ranking")


def ranked_rows(d: Drawer) -> Query:
    measure = d.sure_measure()
    by = names_of(d.some(d.profile.categories, 0, 1, [measure.column.name]))
    down = d.rng.random() < 0.7
    how = d.rng.choice(("rank", "dense_rank"))
    rank = d.name("rank")
    window = Named(rank, Window(how, measure.column, by, descending=down))
    keep = (Compare("<=", Col(rank, ColumnType.INT), d.rng.randint(1, 5)),)
    where = d.conditions(0, 1, [measure.column.name])
    output = tuple(dict.fromkeys((*names_of(d.profile.idents[:1]), *by, measure.column.name, rank)))
    return Query(d.profile.name, output, where=where, windows=(window,), keep=keep, subject="ranking within groups")


def grouped(d: Drawer) -> Query:
    keys, derived = d.keys(1, 2)
    where = d.conditions(0, 2, keys) if d.rng.random() < 0.6 else ()
    aggregates = d.aggregates(1, 3, keys)
    order = tuple(Order(key) for key in keys) if d.rng.random() < 0.4 else ()
    output = (*keys, *(one.name for one in aggregates))
    return Query(
        d.profile.name, output, where=where, derived=derived, keys=keys, aggregates=aggregates, order=order,
        subject="aggregation",
    )  # fmt: skip


def grouped_having(d: Drawer) -> Query:
    query = grouped(d)
    count = Aggregate("count")
    known = next((one for one in query.aggregates if one.value == count), None)
    counted = known or Named(d.name("n_rows"), count)
    aggregates = query.aggregates if known else (*query.aggregates, counted)
    least = d.rng.choice((2, 3, 5, 8, 10, 20))
    having: tuple[Condition, ...] = (Compare(">=", Col(counted.name, ColumnType.INT), least),)
    output = query.output if known else (*query.output, counted.name)
    return Query(
        query.table, output, where=query.where, derived=query.derived, keys=query.keys, aggregates=aggregates,
        having=having, order=query.order, subject="conditions on groups",
    )  # fmt: skip


def unrounded(named: Named) -> Named:
    """Return an aggregate to sort by: rounded, it would tie where the words do not say so."""
    value = replace(named.value, digits=None) if isinstance(named.value, Aggregate) else named.value
    return Named(named.name, value)


def top_groups(d: Drawer) -> Query:
    query = grouped(d)
    main, *others = query.aggregates
    main = unrounded(main)
    order = (Order(main.name, d.rng.random() < 0.75), *(Order(key) for key in query.keys))
    limit = d.rng.choice((None, 1, 3, 5, 10))
    return Query(
        query.table, query.output, where=query.where, derived=query.derived, keys=query.keys,
        aggregates=(main, *others), order=order, limit=limit, subject="ranking of groups",
    )  # fmt: skip


def one_line(d: Drawer) -> Query:
    where = d.conditions(1, 2)
    aggregates = d.aggregates(1, 3)
    output = tuple(one.name for one in aggregates)
    return Query(d.profile.name, output, where=where, aggregates=aggregates, subject="key figures")


def distinct_values(d: Drawer) -> Query:
    keys = names_of(d.some(d.profile.categories, 1, 2))
    where = d.conditions(0, 2, keys)
    if len(keys) == 1 and not where:
        where = d.conditions(1, 1, keys)
    order = tuple(Order(key) for key in keys) if d.rng.random() < 0.6 else ()
    return Query(d.profile.name, keys, where=where, distinct=True, order=order, subject="distinct values")


def computed_rows(d: Drawer) -> Query:
    made = d.arithmetic()
    where = d.conditions(0, 1)
    idents = names_of(d.profile.idents[:1])
    column = Col(made.name, ColumnType.FLOAT)
    if idents and d.rng.random() < 0.6:
        order = (Order(made.name, d.rng.random() < 0.7), Order(idents[0]))
        return Query(
            d.profile.name, (*idents, made.name), where=where, derived=(made,), order=order,
            limit=d.rng.choice((3, 5, 10)), subject="computed columns",
        )  # fmt: skip
    keys = names_of(d.some(d.profile.categories, 1, 1))
    how = d.rng.choice(("mean", "max", "min", "median"))
    part = Named(d.name(f"{how}_{made.name}"), Aggregate(how, column, digits=d.rng.choice((None, 2, 3))))
    return Query(
        d.profile.name, (*keys, part.name), where=where, derived=(made,), keys=keys, aggregates=(part,),
        subject="computed columns",
    )  # fmt: skip


def by_date(d: Drawer) -> Query:
    fact = d.one(d.profile.dates)
    kinds = ["year", "month", "quarter", "weekday"]
    if fact.column.type is ColumnType.DATE:
        kinds.append("month_start")
    else:
        kinds.append("hour")
    key = d.called(d.rng.choice(kinds), fact)
    more = names_of(d.some(d.profile.categories, 0, 1))
    aggregates = d.aggregates(1, 2, [fact.column.name, *more])
    where = d.conditions(0, 1, [fact.column.name, *more])
    keys = (key.name, *more)
    order = tuple(Order(one) for one in keys)
    return Query(
        d.profile.name, (*keys, *(one.name for one in aggregates)), where=where, derived=(key,), keys=keys,
        aggregates=aggregates, order=order, subject="dates",
    )  # fmt: skip


def by_text(d: Drawer) -> Query:
    fact = d.one(d.profile.texts)
    function = d.rng.choice(("first_word", "initial", "left", "length", "upper", "lower", "without"))
    if function in ("upper", "lower", "without"):
        texts = [value for value in fact.values if isinstance(value, str)]
        found = [sign for sign in (" ", "-", "(", ",", ".", "'") if any(sign in value for value in texts)]
        if not (found if function == "without" else any(getattr(value, function)() != value for value in texts)):
            raise NothingToAskError
        made = d.called(function, fact, text=d.rng.choice(found) if function == "without" else "")
        where = d.conditions(1, 2)
        return Query(
            d.profile.name, tuple(dict.fromkeys((fact.column.name, made.name, *shown(d)))), where=where,
            derived=(made,), subject="text",
        )  # fmt: skip
    key = d.called(function, fact, n=d.rng.randint(2, 4))
    main, *others = d.aggregates(1, 2, [fact.column.name])
    aggregates = (unrounded(main), *others)
    order = (Order(aggregates[0].name, True), Order(key.name))
    limit = d.rng.choice((None, 5, 10))
    return Query(
        d.profile.name, (key.name, *(one.name for one in aggregates)), derived=(key,), keys=(key.name,),
        aggregates=aggregates, where=d.conditions(0, 1), order=order, limit=limit, subject="text",
    )  # fmt: skip


def missing_values(d: Drawer) -> Query:
    fact = d.one([one for one in d.profile.facts if one.column.nullable and one.distinct >= 2])
    keys = names_of(d.some(d.profile.categories, 0, 2, [fact.column.name]))
    counted = Named(d.name(f"missing_{fact.column.name}"), Aggregate("count", where=Missing(fact.column)))
    parts = [counted]
    derived: tuple[Named, ...] = ()
    if fact.is_measure and d.rng.random() < 0.5:
        made = Named(
            d.name(f"{fact.column.name}_filled"), Filled(fact.column, 0 if fact.column.type is ColumnType.INT else 0.0)
        )
        derived = (made,)
        how = d.rng.choice(("mean", "median"))
        parts = [Named(d.name(f"{how}_{made.name}"), Aggregate(how, Col(made.name, fact.column.type), digits=2))]
    elif d.rng.random() < 0.6:
        parts.append(Named(d.name(f"known_{fact.column.name}"), Aggregate("known", fact.column)))
    where = d.conditions(0, 1, [fact.column.name, *keys])
    return Query(
        d.profile.name, (*keys, *(one.name for one in parts)), where=where, derived=derived, keys=keys,
        aggregates=tuple(parts), subject="missing values",
    )  # fmt: skip


def against_group(d: Drawer) -> Query:
    measure = d.sure_measure()
    by = names_of(d.some(d.profile.categories, 1, 1, [measure.column.name]))
    where = d.conditions(0, 1, [measure.column.name, *by])
    idents = names_of(d.profile.idents[:1])
    if d.rng.random() < 0.5:
        mean = d.name(f"mean_{measure.column.name}_of_group")
        windows = (Named(mean, Window("group_mean", measure.column, by)),)
        sign = d.rng.choice((">", "<"))
        keep = (Compare(sign, measure.column, Col(mean, ColumnType.FLOAT)),)  # type: ignore[arg-type]  # a sign
        output = tuple(
            dict.fromkeys((*idents, *by, measure.column.name, *(() if idents and d.rng.random() < 0.5 else (mean,))))
        )
        return Query(d.profile.name, output, where=where, windows=windows, keep=keep, subject="against the group")
    gap = d.name(f"{measure.column.name}_gap")
    windows = (Named(gap, Window("gap", measure.column, by)),)
    output = tuple(dict.fromkeys((*idents, *by, measure.column.name, gap)))
    order = (Order(gap, True), Order(idents[0])) if idents else ()
    limit = d.rng.choice((5, 10)) if idents else None
    return Query(
        d.profile.name, output, where=where, windows=windows, order=order, limit=limit, subject="against the group"
    )


def shares(d: Drawer) -> Query:
    key = names_of(d.some(d.profile.categories, 1, 1))
    if d.rng.random() < 0.5:
        part = Named(d.name("n_rows"), Aggregate("count"))
    else:
        fact = d.one([one for one in d.profile.amounts if not one.column.nullable], key)
        part = Named(d.name(f"sum_{fact.column.name}"), Aggregate("sum", fact.column))
    share = Named(d.name("share"), Window("share", Col(part.name, ColumnType.FLOAT)))
    where = d.conditions(0, 1, key)
    order = (Order(share.name, True), Order(key[0])) if d.rng.random() < 0.5 else ()
    return Query(
        d.profile.name, (*key, part.name, share.name), where=where, keys=key, aggregates=(part,), windows=(share,),
        order=order, subject="shares",
    )  # fmt: skip


def in_sequence(d: Drawer) -> Query:
    """Ask for something that needs an order without ties: a date or a number that no two rows share."""
    order = d.one([one for one in d.profile.idents if one.column.type is not ColumnType.STRING])
    measure = d.sure_measure([order.column.name])
    how = d.rng.choice(("running", "change", "rolling", "before"))
    window = Window(how, measure.column, (), order.column.name, d.rng.choice((3, 5, 7)))
    made = Named(d.name(f"{how}_{measure.column.name}"), window)
    where = d.conditions(0, 1, [order.column.name, measure.column.name])
    output = tuple(dict.fromkeys((*names_of(d.profile.idents[:1]), order.column.name, measure.column.name, made.name)))
    sort = (Order(order.column.name),)
    limit = d.rng.choice((None, 10, 20))
    return Query(d.profile.name, output, where=where, windows=(made,), order=sort, limit=limit, subject="sequences")


def labelled(d: Drawer) -> Query:
    measure = d.one(d.profile.measures)
    condition = Compare(">=", measure.column, d.threshold(measure))
    yes, no = d.rng.choice((("high", "low"), ("large", "small"), ("yes", "no"), ("above", "below")))
    label = Named(d.name(f"{measure.column.name}_level"), Case(condition, yes, no))
    more = names_of(d.some(d.profile.categories, 0, 1, [measure.column.name]))
    aggregates = d.aggregates(1, 2, [measure.column.name, *more])
    keys = (*more, label.name)
    return Query(
        d.profile.name, (*keys, *(one.name for one in aggregates)), where=d.conditions(0, 1, list(more)),
        derived=(label,), keys=keys, aggregates=aggregates, subject="labels",
    )  # fmt: skip


def banded(d: Drawer) -> Query:
    measure = d.one([one for one in d.profile.measures if not one.column.nullable])
    numbers = [value for value in measure.values if isinstance(value, int | float)]
    if measure.column.type is ColumnType.INT:
        spread = int(max(numbers) - min(numbers))
        if spread < 10:
            raise NothingToAskError
        key = d.called("bucket", measure, n=10 ** (len(str(spread)) - 1))
    else:
        if not 3 <= max(numbers) - min(numbers) <= 60:
            raise NothingToAskError
        key = d.called("floor", measure)
    aggregates = d.aggregates(1, 2, [measure.column.name])
    return Query(
        d.profile.name, (key.name, *(one.name for one in aggregates)), derived=(key,), keys=(key.name,),
        aggregates=aggregates, where=d.conditions(0, 1), order=(Order(key.name),), subject="bands",
    )  # fmt: skip


def side_by_side(d: Drawer) -> Query:
    """Count the values of one column next to each other, by another column."""
    key, across = d.some(d.profile.categories, 2, 2)
    values = list(dict.fromkeys(across.values))
    if len(values) > 4 or any(isinstance(value, str) and len(value) > 40 for value in values):
        raise NothingToAskError
    fact = d.one(d.profile.measures, [key.column.name, across.column.name]) if d.rng.random() < 0.4 else None
    parts = []
    for value in values:
        test = Compare("==", across.column, value)
        stem = f"{across.column.name}_{plain(value)}"
        part = Aggregate("count", where=test) if fact is None else Aggregate("mean", fact.column, where=test)
        parts.append(Named(d.name(f"n_{stem}" if fact is None else f"mean_{stem}"), part))
    return Query(
        d.profile.name, (key.column.name, *(one.name for one in parts)), keys=(key.column.name,),
        aggregates=tuple(parts), where=d.conditions(0, 1, [key.column.name, across.column.name]),
        subject="side by side",
    )  # fmt: skip


def own_aggregate(d: Drawer) -> Query:
    """Join a table with groups of its own."""
    key = d.one([one for one in d.profile.categories if not one.column.nullable])
    measure = d.sure_measure([key.column.name])
    how = d.rng.choice(("mean", "max", "min", "count"))
    part = Aggregate("count") if how == "count" else Aggregate(how, measure.column)
    made = Named(d.name(f"group_{how}"), part)
    join = Join(d.profile.name, key.column.name, key.column.name, "inner", (made,))
    column = Col(made.name, ColumnType.FLOAT)
    where: tuple[Condition, ...] = (
        (Compare(">=", column, d.rng.choice((3, 5, 10, 20))),) if how == "count"
        else (Compare(d.rng.choice((">", "<")) if how == "mean" else "==", measure.column, column),)
    )  # fmt: skip
    where = d.conditions(0, 1, [key.column.name, measure.column.name]) + where
    output = tuple(dict.fromkeys((*names_of(d.profile.idents[:1]), key.column.name, measure.column.name, made.name)))
    return Query(d.profile.name, output, join=join, where=where, subject="joins with own groups")


TEMPLATES: Mapping[str, tuple[Callable[[Drawer], Query], float]] = {
    "filtered rows": (filtered_rows, 2.0), "top rows": (top_rows, 1.5), "ranked rows": (ranked_rows, 1.0),
    "groups": (grouped, 2.0), "conditions on groups": (grouped_having, 1.2), "top groups": (top_groups, 1.5),
    "key figures": (one_line, 1.5), "distinct values": (distinct_values, 0.8), "computed": (computed_rows, 1.2),
    "dates": (by_date, 1.2), "text": (by_text, 1.2), "missing values": (missing_values, 1.0),
    "against the group": (against_group, 1.0), "shares": (shares, 0.8), "sequences": (in_sequence, 0.9),
    "labels": (labelled, 0.8), "bands": (banded, 0.8), "side by side": (side_by_side, 0.7),
    "own groups": (own_aggregate, 0.8),
}  # fmt: skip
"""Name -> how it is drawn, and how often next to the others."""


def draw(profile: Profile, rng: random.Random) -> tuple[str, Query]:
    """Return the name of a template and a query of it. Raises NothingToAskError where the one drawn has none."""
    name = rng.choices(list(TEMPLATES), [weight for _, weight in TEMPLATES.values()])[0]
    return name, TEMPLATES[name][0](Drawer(profile, rng))


def is_sensible(query: Query) -> bool:
    """Say whether a query asks for something: no column twice, no function of a constant."""
    names = [one.name for one in query.derived if isinstance(one.value, Call)]
    return len(set(query.output)) == len(query.output) and len(set(names)) == len(names) and bool(query.output)
