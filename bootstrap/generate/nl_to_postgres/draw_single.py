"""Questions about one table: filters, aggregates, groups, the first of an order, different values, cases, look-ups."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bootstrap.generate.nl_to_postgres.deck import Deck, Draft, NothingFitsError, name_of, renamed, source_of, the
from bootstrap.generate.nl_to_postgres.forms import (
    Agg,
    Call,
    Case,
    Expr,
    Key,
    Lit,
    Missing,
    OneOf,
    Output,
    Query,
    Test,
)
from bootstrap.generate.nl_to_postgres.schema import NUMBERS, TableInfo
from bootstrap.generate.nl_to_postgres.wording import Speaker, listed, value_words
from interpreters.base import ColumnType

SHOW = ("List", "Show", "Give", "Find")


def sorted_words(deck: Deck, say: Speaker, keys: Sequence[Key], limit: int | None) -> str:
    """Return the sentence about order and limit; nothing where there is no order."""
    if not keys:
        return ""
    first = "" if limit is None else f" and show only the first{'' if limit == 1 else f' {limit}'}"
    return f" {deck.pick('Sort', 'Order')} {deck.pick('them', 'the result', 'the rows')} {say.order(keys)}{first}."


def filtered(deck: Deck) -> Draft:
    table = deck.table()
    say, source = deck.speaker(table), source_of(table)
    shown, where = deck.outputs(table, source.alias), deck.conditions(table, source.alias)
    order: tuple[Key, ...] = ()
    if deck.rng.random() < 0.5:
        order = total_order(deck, table, source.alias, deck.one(deck.shown(table), "column to sort by").name)
    query = Query(source, shown, where=where, order=order)
    what = the([say.say(output.expr) for output in shown])
    question = deck.pick(
        f"{deck.pick(*SHOW)} {what} of all {table.plural} where {say.all(where)}.",
        f"For every {table.singular} where {say.all(where)}, {deck.pick('show', 'give', 'return')} {what}.",
        f"{deck.pick('Which', 'What')} {table.plural} are there where {say.all(where)}? Return {what}.",
    )
    return Draft("filter", query, question + sorted_words(deck, say, order, None))


def total_order(
    deck: Deck, table: TableInfo, source: str, first: str, descending: bool | None = None
) -> tuple[Key, ...]:
    """Return keys of which no two rows have the same, the table's key last."""
    key = deck.unique_key(table)
    if not key:
        raise NothingFitsError("a table has no key that breaks ties")
    keys = [deck.key(source, table.by_name[first], descending)]
    if first not in [column.name for column in key] or len(key) > 1:
        keys += [deck.key(source, column, False) for column in key if column.name != first]
    return tuple(keys)


def top(deck: Deck) -> Draft:
    table = deck.table(5)
    say, source = deck.speaker(table), source_of(table)
    column = deck.one([*deck.measures(table), *deck.moments(table)], "number or date to sort by")
    order = total_order(deck, table, source.alias, column.name)
    shown = deck.outputs(table, source.alias, 2)
    if column.name not in [output.name for output in shown]:
        shown = (*shown, Output(column.name, deck.col(source.alias, column)))
    where = deck.conditions(table, source.alias, 1) if deck.rng.random() < 0.4 else ()
    limit = deck.rng.randint(1, min(10, max(1, len(deck.copy.rows[table.name].rows) // 2)))
    query = Query(source, shown, where=where, order=order, limit=limit)
    condition = f" where {say.all(where)}" if where else ""
    what = the([say.say(output.expr) for output in shown])
    among = f"Of the {table.plural}{condition}, give {what}" if where else f"Give {what} of the {table.plural}"
    return Draft("top", query, f"{among}.{sorted_words(deck, say, order, limit)}")


def aggregated(deck: Deck) -> Draft:
    table = deck.table()
    say, source = deck.speaker(table), source_of(table)
    where = deck.conditions(table, source.alias) if deck.rng.random() < 0.8 else ()
    first = deck.aggregate(table, source.alias)
    aggregates = [first]
    if deck.rng.random() < 0.35:
        second = deck.aggregate(table, source.alias)
        aggregates += [second] if second != first else []
    exprs = [deck.rounded(agg) for agg in aggregates]
    outputs = renamed([Output(name_of(say.say(agg)), expr) for agg, expr in zip(aggregates, exprs, strict=True)])
    query = Query(source, outputs, where=where)
    condition = say.all(where)
    plain_count = len(aggregates) == 1 and first.arg is None
    if plain_count and where:
        question = deck.pick(
            f"How many {table.plural} are there where {condition}?", f"Count the {table.plural} where {condition}."
        )
    elif plain_count:
        question = f"How many {table.plural} are there?"
    else:
        what = the([say.say(expr) for expr in exprs])
        scope = f"Over the {table.plural} where {condition}" if where else f"Over all {table.plural}"
        question = f"{scope}, {deck.pick('what is', 'compute', 'give')} {what}"
        question += "?" if "what is" in question else "."
    return Draft("aggregate", query, question)


def group_key(deck: Deck, table: TableInfo, source: str) -> Expr:
    """Return what to group by: a category, or a part of a date."""
    moments, categories = deck.moments(table), deck.categories(table)
    if moments and (not categories or deck.rng.random() < 0.25):
        col = deck.col(source, deck.rng.choice(moments))
        name = deck.pick("year", "month", "quarter", "year_month", "month_start")
        kinds = {"year_month": ColumnType.STRING, "month_start": ColumnType.DATE}
        return Call(name, (col,), kinds.get(name, ColumnType.INT))
    return deck.col(source, deck.one(categories, "column to group by"))


def may_miss(expr: Expr) -> bool:
    return any(may_miss(arg) for arg in expr.args) if isinstance(expr, Call) else getattr(expr, "nullable", False)


def grouped(deck: Deck) -> Draft:
    table = deck.table(5)
    say, source = deck.speaker(table), source_of(table)
    key = group_key(deck, table, source.alias)
    where = deck.conditions(table, source.alias, 1) if deck.rng.random() < 0.5 else ()
    aggregates = [deck.aggregate(table, source.alias)]
    if deck.rng.random() < 0.4:
        second = deck.aggregate(table, source.alias)
        aggregates += [second] if second != aggregates[0] else []
    having = (
        (Test(">=", Agg("count", None, ColumnType.INT), Lit(deck.rng.randint(2, 4))),)
        if deck.rng.random() < 0.3
        else ()
    )
    return group_draft(deck, say, Query(source, (), where=where, group=(key,), having=having), aggregates, "")


def group_draft(deck: Deck, say: Speaker, base: Query, aggregates: Sequence[Agg], head: str) -> Draft:
    """Return the question for groups of rows, whose form lacks its outputs yet."""
    [key] = base.group
    if any(agg.arg is not None and agg.arg in (key, *getattr(key, "args", ())) for agg in aggregates):
        raise NothingFitsError("an aggregate of what the groups are made of says nothing")
    exprs = [deck.rounded(agg) for agg in aggregates]
    named = [Output(name_of(say.say(key)) if isinstance(key, Call) else getattr(key, "column", "key"), key)]
    named += [Output(name_of(say.say(agg)), expr) for agg, expr in zip(aggregates, exprs, strict=True)]
    order: tuple[Key, ...] = ()
    limit = None
    if deck.rng.random() < 0.55:
        by_value = deck.rng.random() < 0.6 and aggregates[0].function not in ("string_agg",)
        missing = aggregates[0].arg is not None and aggregates[0].function not in ("count", "count_distinct")
        keys = [Key(exprs[0], deck.rng.random() < 0.7, missing)] if by_value else []
        order = (*keys, Key(key, False, may_miss(key)))
        limit = deck.rng.randint(1, 5) if by_value and deck.rng.random() < 0.4 else None
    form = Query(base.source, renamed(named), base.joins, base.where, base.group, base.having, order=order, limit=limit)
    what = the([say.say(expr) for expr in exprs])
    condition = f" where {say.all(base.where)}" if base.where else ""
    each = f"{say.say(key)}" if head else f"{say.say(key)} of the {say.many()}"
    question = deck.pick(
        f"{head}For each {each}, {deck.pick('give', 'show', 'compute')} {what}{_only(say, condition)}.",
        f"{head}{deck.pick('Show', 'Give', 'What is')} {what} per {each}{_only(say, condition)}",
    )
    question += "" if question.endswith(".") else "?" if "What is" in question else "."
    question += " Return the group and then the figures in this order." if len(exprs) > 1 else ""
    if may_miss(key):
        question += " Rows without a value to group by form a group of their own."
    if base.having:
        [test] = base.having
        assert isinstance(test, Test) and isinstance(test.right, Lit)
        question += f" Keep only groups with at least {value_words(test.right.value)} {say.many()}."
    return Draft("group", form, question + sorted_words(deck, say, order, limit))


def _only(say: Speaker, condition: str) -> str:
    return f", counting only {say.many()}{condition}" if condition else ""


def different(deck: Deck) -> Draft:
    table = deck.table(5)
    say, source = deck.speaker(table), source_of(table)
    options = [c for c in deck.shown(table) if c.distinct < len(deck.copy.rows[table.name].rows)]
    first = deck.one(options, "column with repeated values")
    others = [c for c in deck.rng.sample(options, min(2, len(options))) if c != first]
    chosen = [first, *others[: deck.rng.randint(0, 1)]]
    outputs = tuple(Output(c.name, deck.col(source.alias, c)) for c in chosen)
    where = deck.conditions(table, source.alias, 1, [c.name for c in chosen]) if deck.rng.random() < 0.7 else ()
    order = tuple(deck.key(source.alias, c, False) for c in chosen) if deck.rng.random() < 0.6 else ()
    query = Query(source, outputs, where=where, distinct=True, order=order)
    condition = f" where {say.all(where)}" if where else ""
    words = [say.say(output.expr) for output in outputs]
    what = f"values of the {words[0]}" if len(words) == 1 else f"combinations of {the(words)}"
    question = deck.pick(
        f"Which different {what} occur among the {table.plural}{condition}?",
        f"List the different {what} of the {table.plural}{condition}, each once.",
    )
    missing = " A missing value counts as a value." if any(c.nulls for c in chosen) else ""
    return Draft("distinct", query, question + missing + sorted_words(deck, say, order, None))


def bucketed(deck: Deck) -> Draft:
    """CASE: rows in classes by a number, and how many there are of each."""
    table = deck.table(6)
    say, source = deck.speaker(table), source_of(table)
    column = deck.one(deck.measures(table), "number to make classes of")
    ordered = sorted(deck.values(table, column))  # type: ignore[type-var]  # values of one class
    low, high = deck._round(ordered[len(ordered) // 3]), deck._round(ordered[len(ordered) * 2 // 3])
    if not low < high:  # type: ignore[operator]
        raise NothingFitsError("a number has too few values for classes")
    col = deck.col(source.alias, column)
    names = deck.rng.choice((("low", "medium", "high"), ("small", "middle", "large"), ("A", "B", "C")))
    case = Case(((Test("<", col, Lit(low)), Lit(names[0])), (Test("<", col, Lit(high)), Lit(names[1]))), Lit(names[2]))
    filters = (Missing(col, negated=True),) if column.nulls else ()
    agg = deck.aggregate(table, source.alias) if deck.rng.random() < 0.4 else Agg("count", None, ColumnType.INT)
    expr = deck.rounded(agg)
    outputs = (Output("class", case), Output(name_of(say.say(agg), ["class"]), expr))
    form = Query(source, outputs, where=filters, group=(case,))
    known = f" with a known {say.label(col)}" if column.nulls else ""
    question = (
        f"Put the {table.plural}{known} into classes by the {say.label(col)}: '{names[0]}' below {value_words(low)}, "
        f"'{names[1]}' from {value_words(low)} to below {value_words(high)}, '{names[2]}' from {value_words(high)} on. "
        f"{deck.pick('For each class, give its name and', 'Return each class with')} the {say.say(expr)}."
    )
    return Draft("case", form, question)


def shares(deck: Deck) -> Draft:
    """FILTER: an aggregate over some rows beside the same over all."""
    table = deck.table(5)
    say, source = deck.speaker(table), source_of(table)
    where = (deck.condition(table, source.alias),)
    group = group_key(deck, table, source.alias) if deck.rng.random() < 0.5 else None
    if group in [getattr(pred, "expr", getattr(pred, "left", None)) for pred in where]:
        raise NothingFitsError("a condition on what the groups are made of says nothing")
    agg = deck.aggregate(table, source.alias) if deck.rng.random() < 0.5 else Agg("count", None, ColumnType.INT)
    part = Agg(agg.function, agg.arg, agg.type, where)
    exprs = [deck.rounded(agg), deck.rounded(part)]
    outputs = [Output(name_of(say.say(agg)), exprs[0]), Output(name_of(say.say(agg)) + "_filtered", exprs[1])]
    if group is not None:
        outputs.insert(0, Output("group_value", group))
    form = Query(source, renamed(outputs), group=(group,) if group is not None else ())
    each = f"For each {say.say(group)} of the {table.plural}" if group is not None else f"Over all {table.plural}"
    missing = " Rows without a value to group by form a group of their own." if group and may_miss(group) else ""
    return Draft("filter_clause", form, f"{each}, give {the([say.say(expr) for expr in exprs])}.{missing}")


# -- sample data ---------------------------------------------------------------------------------------------------


def looked_up(deck: Deck) -> Draft:
    """Some cells of one row, known by its key or its name."""
    table = deck.table()
    say, source = deck.speaker(table), source_of(table)
    height = len(deck.copy.rows[table.name].rows)
    keys = [c for c in deck.shown(table) if c.distinct == height - c.nulls and c.distinct > 2]
    key = deck.one(keys, "column that tells rows apart")
    value = deck.rng.choice(deck.values(table, key))
    others = [c for c in deck.shown(table) if c != key]
    chosen = deck.rng.sample(others, min(len(others), deck.rng.randint(1, 4)))
    if not chosen:
        raise NothingFitsError("a table has nothing to look up")
    col = deck.col(source.alias, key)
    outputs = tuple(Output(c.name, deck.col(source.alias, c)) for c in chosen)
    query = Query(source, outputs, where=(Test("=", col, Lit(value)),))
    what = the([say.say(output.expr) for output in outputs])
    known = f"the {table.singular} whose {say.label(col)} is {value_words(value)}"
    verb = "What are" if len(chosen) > 1 else "What is"
    question = deck.pick(f"{verb} {what} of {known}?", f"Look up {known} and return {what}.")
    return Draft("look_up", query, question)


def listed_up(deck: Deck) -> Draft:
    """Some cells of a few rows, known by a few values."""
    table = deck.table(4)
    say, source = deck.speaker(table), source_of(table)
    key = deck.one(
        [c for c in deck.shown(table) if c.distinct > 3 and c.type not in (ColumnType.FLOAT,)], "column to look up"
    )
    different_values = sorted(set(deck.values(table, key)), key=repr)
    chosen = deck.rng.sample(different_values, min(len(different_values) - 1, deck.rng.randint(2, 4)))
    col = deck.col(source.alias, key)
    where = (OneOf(col, tuple(Lit(value) for value in chosen)),)
    others = [c for c in deck.shown(table) if c != key]
    shown = [key, *deck.rng.sample(others, min(len(others), deck.rng.randint(1, 3)))]
    outputs = tuple(Output(c.name, deck.col(source.alias, c)) for c in shown)
    query = Query(source, outputs, where=where)
    what = the([say.say(output.expr) for output in outputs])
    among = listed([value_words(value) for value in chosen], "or")
    return Draft("look_up_many", query, f"Return {what} of the {table.plural} whose {say.label(col)} is {among}.")


def ranked_row(deck: Deck) -> Draft:
    """The row with the largest or the smallest number, and no other."""
    table = deck.table(4)
    say, source = deck.speaker(table), source_of(table)
    measures = [c for c in deck.measures(table) if c.type in NUMBERS and c.nulls == 0] or deck.moments(table)
    column = deck.one(measures, "number to sort by")
    down = deck.rng.random() < 0.5
    outputs = deck.outputs(table, source.alias)
    order = total_order(deck, table, source.alias, column.name, down)
    query = Query(source, outputs, order=order, limit=1)
    what = the([say.say(output.expr) for output in outputs])
    return Draft(
        "first_row", query, f"Take the {table.plural} {say.order(order)}: what is {what} of the very first one?"
    )


SINGLE: tuple[Callable[[Deck], Draft], ...] = (
    filtered, filtered, top, aggregated, aggregated, grouped, grouped, different, bucketed, shares,
)  # fmt: skip
SAMPLE: tuple[Callable[[Deck], Draft], ...] = (looked_up, looked_up, listed_up, ranked_row, filtered)
