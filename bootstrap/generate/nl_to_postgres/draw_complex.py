"""Questions that take sub-queries, named queries, windows and sets of rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from bootstrap.generate.nl_to_postgres.deck import Deck, Draft, NothingFitsError, name_of, renamed, source_of, the
from bootstrap.generate.nl_to_postgres.draw_joins import alias_of, col_of
from bootstrap.generate.nl_to_postgres.draw_relations import by_words, relation
from bootstrap.generate.nl_to_postgres.draw_single import SHOW, group_key, total_order
from bootstrap.generate.nl_to_postgres.forms import (
    Agg,
    Call,
    Case,
    Col,
    Expr,
    Join,
    Key,
    Lit,
    Missing,
    Output,
    Pred,
    Query,
    Scalar,
    SetQuery,
    Source,
    Test,
    Win,
    Within,
)
from bootstrap.generate.nl_to_postgres.wording import Speaker, an, direction, value_words
from interpreters.base import ColumnType

_COUNT = Agg("count", None, ColumnType.INT)


def against_average(deck: Deck) -> Draft:
    """Rows above, or below, the average of all or of some."""
    table = deck.table(5)
    say, source = deck.speaker(table), source_of(table)
    column = deck.one(deck.measures(table, additive=True), "number to average")
    col = deck.col(source.alias, column)
    inner_where = deck.conditions(table, source.alias, 1, [column.name]) if deck.rng.random() < 0.35 else ()
    agg = Agg("avg", col, ColumnType.FLOAT if column.type is ColumnType.FLOAT else ColumnType.DECIMAL)
    scalar = Scalar(Query(source, (Output("average", agg),), where=inner_where), agg.type)
    above = deck.rng.random() < 0.6
    where: tuple[Pred, ...] = (Test(">" if above else "<", col, scalar),)
    extra = deck.conditions(table, source.alias, 1, [column.name]) if deck.rng.random() < 0.4 else ()
    among = f"over all {table.plural}" if not inner_where else f"over the {table.plural} where {say.all(inner_where)}"
    comparison = f"the {say.label(col)} is {'greater' if above else 'less'} than the average {say.label(col)} {among}"
    condition = f"{comparison}, and where {say.all(extra)}" if extra else comparison
    if deck.rng.random() < 0.4:
        query = Query(source, (Output("number", _COUNT),), where=(*where, *extra))
        return Draft("scalar_subquery", query, f"How many {table.plural} are there where {condition}?")
    outputs = deck.outputs(table, source.alias)
    query = Query(source, outputs, where=(*where, *extra))
    return Draft(
        "scalar_subquery",
        query,
        f"{deck.pick(*SHOW)} {the([say.say(o.expr) for o in outputs])} of the {table.plural} where {condition}.",
    )


def within(deck: Deck) -> Draft:
    """Parents with, or without, a child that meets a condition; or children of such parents."""
    chosen, child, parent = relation(deck)
    [left], [right] = chosen.parent_columns, chosen.child_columns
    down = deck.rng.random() < 0.5
    outer, inner = (parent, child) if down else (child, parent)
    outer_name, inner_name = (left, right) if down else (right, left)
    inner_where = (deck.condition(inner, inner.name, [inner_name]),)
    negated = down and deck.rng.random() < 0.4
    inner_col = col_of(deck, inner, inner.name, inner_name)
    style = "exists" if deck.rng.random() < 0.5 else "in"
    known = (Missing(inner_col, negated=True),) if negated and inner_col.nullable else ()
    query = Query(source_of(inner), (Output(inner_name, inner_col),), where=(*inner_where, *known))
    outer_col = col_of(deck, outer, outer.name, outer_name)
    clause = Within(outer_col, query, negated, "exists" if style == "exists" else "in")
    extra = deck.conditions(outer, outer.name, 1, [outer_name]) if deck.rng.random() < 0.4 else ()
    outputs = deck.outputs(outer, outer.name)
    condition = deck.speaker(inner).all(inner_where)
    say = deck.speaker(outer)
    has = f"{'no' if negated else 'at least one'} {inner.singular} where {condition}"
    also = f" Consider only {outer.plural} where {say.all(extra)}." if extra else ""
    question = (
        f"{deck.pick(*SHOW)} {the([say.say(o.expr) for o in outputs])} of the {outer.plural} for which there is {has} "
        f"({by_words(chosen, child, parent)}).{also}"
    )
    return Draft("semi_join", Query(source_of(outer), outputs, where=(clause, *extra)), question)


def top_of_group(deck: Deck) -> Draft:
    """The first rows of every group, by a window function in a named query."""
    table = deck.table(6)
    say, source = deck.speaker(table), source_of(table)
    group = deck.one(deck.categories(table), "column to group by")
    measure = deck.one([*deck.measures(table), *deck.moments(table)], "number or date to rank by")
    if measure.name == group.name:
        raise NothingFitsError("a table has one column alone to group and to rank by")
    with_ties = deck.rng.random() < 0.5
    keys = total_order(deck, table, source.alias, measure.name)
    keys = keys[:1] if with_ties else keys
    column = deck.col(source.alias, group)
    rank = Win("rank" if with_ties else "row_number", None, (column,), keys, ColumnType.INT)
    shown = [c for c in deck.naming(table)[:1] if c.name not in (group.name, measure.name)]
    inner = (*(Output(c.name, deck.col(source.alias, c)) for c in (group, *shown, measure)), Output("place", rank))
    known = (Missing(deck.col(source.alias, measure), negated=True),) if measure.nulls else ()
    limit = deck.rng.randint(1, 3)
    outer = tuple(Output(c.name, deck.col("ranked", c)) for c in (group, *shown, measure))
    place = Col("ranked", "place", ColumnType.INT)
    form = Query(
        Source("ranked", "ranked"), outer, where=(Test("<=", place, Lit(limit)),),
        ctes=(("ranked", Query(source, inner, where=known)),),
    )  # fmt: skip
    first = "first" if limit == 1 else f"first {limit}"
    ties = "; rows that tie for a place all count as that place" if with_ties else ""
    missing = f", leaving out those with a missing {measure.label}" if measure.nulls else ""
    own = " A missing value counts as a group." if group.nulls else ""
    what = the([say.label(deck.col(source.alias, c)) for c in (group, *shown, measure)])
    question = (
        f"Rank the {table.plural} within each {say.label(column)} {say.order(keys)}{ties}{missing}. Return "
        f"{what} of the "
        f"{first} of each {say.label(column)}.{own}"
    )
    return Draft("top_of_group", form, question)


def running(deck: Deck) -> Draft:
    """Each row beside a total up to it, the value before it, its place, or an average of its group."""
    table = deck.table(5)
    say, source = deck.speaker(table), source_of(table)
    measure = deck.one(deck.measures(table, additive=True), "number to add up")
    by = deck.one([*deck.moments(table), *deck.measures(table)], "column to sort by")
    keys = total_order(deck, table, source.alias, by.name, False)
    col = deck.col(source.alias, measure)
    groups = [c for c in deck.categories(table) if c.name != measure.name]
    group = deck.rng.choice(groups) if groups and deck.rng.random() < 0.6 else None
    partition: tuple[Expr, ...] = (deck.col(source.alias, group),) if group else ()
    where = deck.conditions(table, source.alias, 1) if deck.rng.random() < 0.5 else ()
    each = f" within each {say.label(deck.col(source.alias, group))}" if group else ""
    win, words = _window(deck, say, col, partition, keys, each)
    shown = deck.naming(table)[:1] or deck.unique_key(table)
    columns = [*shown, *([group] if group and group not in shown else [])]
    columns += [measure] if measure not in columns else []
    outputs = renamed(
        [*(Output(c.name, deck.col(source.alias, c)) for c in columns), Output(win.function + "_value", win)]
    )
    condition = f" where {say.all(where)}" if where else ""
    what = the([say.label(deck.col(source.alias, c)) for c in columns])
    question = f"For every {table.singular}{condition}, give {what} and {words}."
    if where:
        question += f" Only these {table.plural} count."
    return Draft("window", Query(source, outputs, where=where), question)


def _window(
    deck: Deck, say: Speaker, col: Col, partition: tuple[Expr, ...], keys: tuple[Key, ...], each: str
) -> tuple[Win, str]:
    number = ColumnType.FLOAT if col.type is ColumnType.FLOAT else ColumnType.DECIMAL
    kind = deck.pick("sum", "lag", "rank", "dense_rank", "max", "count")
    if kind == "sum":
        return Win(
            "sum", col, partition, keys, number
        ), f"the running total of the {say.label(col)}{each}, adding up {say.order(keys)}"
    if kind == "lag":
        words = f"the {say.label(col)} of the row before it{each}, sorted {say.order(keys)} (missing for the first)"
        return Win("lag", col, partition, keys, col.type), words
    if kind in ("rank", "dense_rank"):
        order = (Key(col, True, col.nullable),)
        gaps = "with gaps after ties" if kind == "rank" else "without gaps after ties"
        return Win(kind, None, partition, order, ColumnType.INT), f"its rank{each} {say.order(order)}, {gaps}"
    if kind == "max":
        return Win("max", col, partition, (), col.type), f"the largest {say.label(col)} {each.strip() or 'of all'}"
    known = f" with a known {say.label(col)}" if col.nullable else ""
    return Win(
        "count", col, partition, (), ColumnType.INT
    ), f"the number of {say.many()}{known} {each.strip() or 'in all'}"


def share_of_total(deck: Deck) -> Draft:
    """Each group's share of the whole, in percent."""
    table = deck.table(5)
    say, source = deck.speaker(table), source_of(table)
    group = deck.one(deck.categories(table), "column to group by")
    column = deck.col(source.alias, group)
    measures = deck.measures(table, additive=True)
    agg = _COUNT
    if measures and deck.rng.random() < 0.6:
        measure = deck.rng.choice(measures)
        agg = Agg("sum", deck.col(source.alias, measure), measure.type)
    where = deck.conditions(table, source.alias, 1, [group.name]) if deck.rng.random() < 0.4 else ()
    hundred = Call("times", (Lit(100), agg), ColumnType.DECIMAL)
    share = Call(
        "ratio", (hundred, Scalar(Query(source, (Output("whole", agg),), where=where), agg.type)), ColumnType.DECIMAL
    )
    order = (
        (Key(share, True, agg is not _COUNT), Key(column, False, column.nullable)) if deck.rng.random() < 0.5 else ()
    )
    query = Query(
        source, (Output(group.name, column), Output("percent", share)), where=where, group=(column,), order=order
    )
    scope = f" where {say.all(where)}" if where else ""
    missing = " A missing value counts as a group." if group.nulls else ""
    over = scope if agg is _COUNT else f" over the {table.plural}{scope}" if where else f" over all {table.plural}"
    question = (
        "What percentage of the "
        f"{say.say(agg)}{over} falls to each "
        f"{say.label(column)}? Return the {say.label(column)} and the percentage, rounded to 2 digits after "
        "the decimal "
        f"point.{missing}"
    )
    if order:
        last = " (missing values last)" if any(key.nullable for key in order) else ""
        question += (
            f" Sort by the percentage from largest to smallest, then by the {say.label(column)} "
            f"{direction(order[1])}{last}."
        )
    return Draft("share", query, question)


def above_groups(deck: Deck) -> Draft:
    """Groups whose figure exceeds the average of all groups' figures."""
    table = deck.table(6)
    say, source = deck.speaker(table), source_of(table)
    key = group_key(deck, table, source.alias)
    agg = deck.aggregate(table, source.alias)
    if agg.arg is not None and agg.arg in (key, *getattr(key, "args", ())):
        raise NothingFitsError("an aggregate of what the groups are made of says nothing")
    if agg.type not in (ColumnType.INT, ColumnType.DECIMAL, ColumnType.FLOAT):
        raise NothingFitsError("a table has no number to compare groups by")
    inner = Query(source, (Output("group_value", key), Output("figure", agg)), group=(key,))
    figure = Col("figures", "figure", agg.type)
    mean = Agg("avg", figure, ColumnType.FLOAT if agg.type is ColumnType.FLOAT else ColumnType.DECIMAL)
    scalar = Scalar(Query(Source("figures", "figures"), (Output("average", mean),)), mean.type)
    above = deck.rng.random() < 0.6
    kind = getattr(key, "type", ColumnType.STRING)
    group_col = Col("figures", "group_value", kind, getattr(key, "nullable", False))
    form = Query(
        Source("figures", "figures"), (Output("group_value", group_col), Output("figure", figure)),
        where=(Test(">" if above else "<", figure, scalar),), ctes=(("figures", inner),),
    )  # fmt: skip
    question = (
        f"Compute the {say.say(agg)} for each {say.say(key)} of the {table.plural}. Which groups have a figure that is "
        f"{'greater' if above else 'less'} than the average of all groups' figures? Return the "
        f"{say.say(key)} and the figure."
    )
    return Draft("groups_against_average", form, question)


def sets(deck: Deck) -> Draft:
    """Values that meet one condition and, or, or not another."""
    table = deck.table(6)
    say, source = deck.speaker(table), source_of(table)
    columns = [c for c in deck.shown(table) if c.distinct < len(deck.copy.rows[table.name].rows)]
    column = deck.one(columns, "column with repeated values")
    first, second = (deck.conditions(table, source.alias, 1, [column.name]) for _ in range(2))
    if first == second:
        raise NothingFitsError("a table has one condition alone")
    output = (Output(column.name, deck.col(source.alias, column)),)
    kinds: tuple[Literal["UNION", "INTERSECT", "EXCEPT"], ...] = ("UNION", "INTERSECT", "EXCEPT")
    kind = deck.rng.choice(kinds)
    form = SetQuery(kind, Query(source, output, where=first), Query(source, output, where=second))
    label = say.label(deck.col(source.alias, column))
    one, other = (f"{an(table.singular)} where {say.all(where)}" for where in (first, second))
    joined = {"UNION": f"occur with {one}, or with {other}", "INTERSECT": f"occur both with {one} and with {other}",
              "EXCEPT": f"occur with {one}, but never with {other}"}[kind]  # fmt: skip
    missing = " A missing value counts as a value." if column.nulls else ""
    return Draft("sets", form, f"Which different values of the {label} {joined}?{missing}")


def pivoted(deck: Deck) -> Draft:
    """One column of figures per value of a category: CASE inside the aggregate."""
    table = deck.table(6)
    say, source = deck.speaker(table), source_of(table)
    categories = deck.categories(table)
    spread = deck.one([c for c in categories if c.type is ColumnType.STRING], "text of few values")
    group = deck.one([c for c in categories if c.name != spread.name], "second column of few values")
    values = deck.rng.sample(sorted(set(deck.values(table, spread)), key=str), 2)
    measures = deck.measures(table, additive=True)
    measure = deck.rng.choice(measures) if measures and deck.rng.random() < 0.5 else None
    spread_col, group_col = deck.col(source.alias, spread), deck.col(source.alias, group)
    outputs = [Output(group.name, group_col)]
    for value in values:
        counted: Expr = deck.col(source.alias, measure) if measure else Lit(1)
        case = Case(
            ((Test("=", spread_col, Lit(value)), counted),), Lit(0), measure.type if measure else ColumnType.INT
        )
        outputs.append(Output(name_of(str(value), [o.name for o in outputs]), Agg("sum", case, case.type)))
    query = Query(source, renamed(outputs), group=(group_col,))
    what = (
        f"total of the {say.label(deck.col(source.alias, measure))} of the {table.plural}"
        if measure
        else f"number of {table.plural}"
    )
    missing = " A missing value counts as a group." if group.nulls else ""
    question = (
        f"For each {say.label(group_col)} of the {table.plural}, return in one row the "
        f"{say.label(group_col)}, the {what} whose {say.label(spread_col)} "
        f"is {value_words(values[0])}, and the same for {value_words(values[1])} (0 where there is none).{missing}"
    )
    return Draft("pivot", query, question)


def parent_figures(deck: Deck) -> Draft:
    """A named query with a figure per parent, joined to the parents: those above a threshold."""
    chosen, child, parent = relation(deck)
    [left], [right] = chosen.parent_columns, chosen.child_columns
    agg = deck.aggregate(child, child.name)
    if agg.type not in (ColumnType.INT, ColumnType.DECIMAL, ColumnType.FLOAT):
        raise NothingFitsError("a child table has no number to compare parents by")
    column = col_of(deck, child, child.name, right)
    inner = Query(source_of(child), (Output("key", column), Output("figure", agg)), group=(column,))
    a = alias_of(parent.name, ["f"])
    key = Col("f", "key", column.type)
    figure = Col("f", "figure", agg.type, agg.function not in ("count", "count_distinct"))
    names = deck.naming(parent)[:1] or [parent.by_name[left]]
    outputs = (*(Output(c.name, deck.col(a, c)) for c in names), Output("figure", figure))
    extra = deck.conditions(parent, a, 1) if deck.rng.random() < 0.5 else ()
    order = (Key(figure, True, figure.nullable), Key(deck.col(a, names[0]), False, names[0].nulls > 0))
    limit = deck.rng.randint(1, 5)
    form = Query(
        Source(a, parent.name), outputs, (Join(Source("f", "figures"), (col_of(deck, parent, a, left),), (key,)),),
        where=extra, order=order, limit=limit, ctes=(("figures", inner),),
    )  # fmt: skip
    say = Speaker({a: parent}, a)
    also = f" Consider only {parent.plural} where {say.all(extra)}." if extra else ""
    last = " (missing values last)" if any(k.nullable for k in order) else ""
    question = (
        f"For each {parent.singular} with at least one {child.singular} ({by_words(chosen, child, parent)}), "
        "compute the "
        f"{deck.speaker(child).say(agg)} of its {child.plural}.{also} Return the "
        f"{say.label(deck.col(a, names[0]))} and the figure, "
        f"sorted by the figure from largest to smallest, then by the {say.label(deck.col(a, names[0]))} "
        f"{direction(order[1])}{last}; "
        f"show only the first{'' if limit == 1 else f' {limit}'}."
    )
    return Draft("cte_join", form, question)


COMPLEX: tuple[Callable[[Deck], Draft], ...] = (
    against_average, within, within, top_of_group, running, running, share_of_total, above_groups, sets, pivoted,
    parent_figures,
)  # fmt: skip
