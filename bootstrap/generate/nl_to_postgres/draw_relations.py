"""Questions about how two tables, or two columns, hang together: who refers to whom, how often, and who never does."""

from __future__ import annotations

from collections.abc import Callable

from bootstrap.generate.nl_to_postgres.deck import Deck, Draft, NothingFitsError, source_of, the
from bootstrap.generate.nl_to_postgres.draw_joins import alias_of, col_of
from bootstrap.generate.nl_to_postgres.draw_single import sorted_words
from bootstrap.generate.nl_to_postgres.forms import (
    Agg,
    Call,
    Col,
    Join,
    Key,
    Lit,
    Missing,
    Output,
    Query,
    SetQuery,
    Source,
    Test,
    Within,
)
from bootstrap.generate.nl_to_postgres.schema import Relation, TableInfo
from bootstrap.generate.nl_to_postgres.wording import Speaker, an
from interpreters.base import ColumnType

_COUNT = Agg("count", None, ColumnType.INT)


def relation(deck: Deck, other_table: bool = True) -> tuple[Relation, TableInfo, TableInfo]:
    """Return a relationship of one column with its child and its parent."""
    options = [r for r in deck.relations if len(r.child_columns) == 1 and (r.child != r.parent or not other_table)]
    if not options:
        raise NothingFitsError("no relationship between two tables")
    chosen = deck.rng.choice(options)
    return chosen, deck.copy.tables[chosen.child], deck.copy.tables[chosen.parent]


def by_words(chosen: Relation, child: TableInfo, parent: TableInfo) -> str:
    """Return which columns are matched: nothing where the names leave no doubt."""
    own, other = child.by_name[chosen.child_columns[0]].label, parent.by_name[chosen.parent_columns[0]].label
    return f"matching the {own} of the {child.singular} with the {other} of the {parent.singular}"


def counted(deck: Deck) -> Draft:
    """How many children each parent has, those without any included."""
    chosen, child, parent = relation(deck)
    a, b = alias_of(parent.name, []), ""
    b = alias_of(child.name, [a])
    [left], [right] = chosen.parent_columns, chosen.child_columns
    parent_col, child_col = col_of(deck, parent, a, left), col_of(deck, child, b, right)
    names = deck.naming(parent)
    shown = [Output(c.name, deck.col(a, c)) for c in names[:1]] or [Output(left, parent_col)]
    count = Agg("count", child_col, ColumnType.INT)
    group = tuple(dict.fromkeys((parent_col, *(output.expr for output in shown))))
    order: tuple[Key, ...] = ()
    if deck.rng.random() < 0.6:
        order = (
            Key(count, True),
            *(Key(output.expr, False, getattr(output.expr, "nullable", False)) for output in shown),
        )
    query = Query(
        Source(a, parent.name), (*shown, Output(f"{child.singular.split()[-1]}_count", count)),
        (Join(Source(b, child.name), (parent_col,), (child_col,), "left"),), group=group, order=order,
    )  # fmt: skip
    say = Speaker({a: parent}, a)
    question = (
        f"For each {parent.singular}, give {the([say.say(o.expr) for o in shown])} and the number of its "
        f"{child.plural} "
        f"({by_words(chosen, child, parent)}); {parent.plural} without any count as 0."
    )
    if order:
        question += f" Sort by that number from largest to smallest, then {say.order(order[1:])}."
    return Draft("count_children", query, question)


def childless(deck: Deck) -> Draft:
    """Parents to which nothing refers; or how many there are."""
    chosen, child, parent = relation(deck)
    [left], [right] = chosen.parent_columns, chosen.child_columns
    style = deck.pick("in", "exists")
    column = col_of(deck, child, child.name, right)
    known = (Missing(column, negated=True),) if column.nullable and style == "in" else ()
    inner = Query(source_of(child), (Output(right, column),), where=known)
    negated = deck.rng.random() < 0.7
    parent_col = col_of(deck, parent, parent.name, left)
    where = (Within(parent_col, inner, negated, "exists" if style == "exists" else "in"),)
    say = deck.speaker(parent)
    refers = f"no {child.singular} refers to" if negated else f"at least one {child.singular} refers to"
    by = by_words(chosen, child, parent)
    if deck.rng.random() < 0.4:
        query = Query(source_of(parent), (Output("number", _COUNT),), where=where)
        return Draft("unreferred", query, f"How many {parent.plural} are there that {refers} ({by})?")
    outputs = deck.outputs(parent, parent.name, 2)
    query = Query(source_of(parent), outputs, where=where)
    what = the([say.say(o.expr) for o in outputs])
    return Draft(
        "unreferred", query, f"{deck.pick('List', 'Show', 'Give')} {what} of the {parent.plural} that {refers} ({by})."
    )


def fan_out(deck: Deck) -> Draft:
    """The average, or the largest, number of children of the parents that have any."""
    chosen, child, parent = relation(deck)
    [right] = chosen.child_columns
    column = col_of(deck, child, child.name, right)
    known = (Missing(column, negated=True),) if column.nullable else ()
    inner = Query(source_of(child), (Output(right, column), Output("children", _COUNT)), where=known, group=(column,))
    children = Col("per_parent", "children", ColumnType.INT)
    function = deck.pick("avg", "max", "min")
    agg = Agg(function, children, ColumnType.DECIMAL if function == "avg" else ColumnType.INT)
    expr = Call("round2", (agg,), ColumnType.DECIMAL) if function == "avg" else agg
    query = Query(
        Source("per_parent", "per_parent"), (Output(f"{function}_children", expr),), ctes=(("per_parent", inner),)
    )
    word = {"avg": "average", "max": "largest", "min": "smallest"}[function]
    tail = ", rounded to 2 digits after the decimal point" if function == "avg" else ""
    question = (
        f"Count the {child.plural} by their {child.by_name[right].label} (which refers to the "
        f"{parent.plural}; missing ones "
        f"left aside). What is the {word} of these counts{tail}?"
    )
    return Draft("fan_out", query, question)


def covered(deck: Deck) -> Draft:
    """How many different parents are referred to, beside how many rows refer to one."""
    chosen, child, parent = relation(deck)
    [right] = chosen.child_columns
    column = col_of(deck, child, child.name, right)
    outputs = (
        Output("different_values", Agg("count_distinct", column, ColumnType.INT)),
        Output("known_values", Agg("count", column, ColumnType.INT)),
        Output("all_rows", _COUNT),
    )
    where = (deck.condition(child, child.name, [right]),) if deck.rng.random() < 0.7 else ()
    say = deck.speaker(child)
    scope = f"the {child.plural} where {say.all(where)}" if where else f"all {child.plural}"
    label = child.by_name[right].label
    question = (
        f"Over {scope}, give the number of different values of the {label} (which refers to the "
        f"{parent.plural}), the number "
        f"of {child.plural} with a known {label}, and the number of {child.plural} in all."
    )
    return Draft("coverage", Query(source_of(child), outputs, where=where), question)


def overlapping(deck: Deck) -> Draft:
    """The values that two columns share, or that one has and the other lacks."""
    chosen, child, parent = relation(deck)
    [left], [right] = chosen.parent_columns, chosen.child_columns
    parent_col, child_col = col_of(deck, parent, parent.name, left), col_of(deck, child, child.name, right)
    kind = deck.pick("EXCEPT", "INTERSECT")
    condition = (deck.condition(child, child.name, [right]),)
    first = Query(source_of(parent), (Output(left, parent_col),))
    second = Query(source_of(child), (Output(right, child_col),), where=condition)
    say = deck.speaker(child)
    where = f"the {child.by_name[right].label} of {an(child.singular)} where {say.all(condition)}"
    question = (
        f"Which different values of the {parent.by_name[left].label} of the {parent.plural} "
        f"{'never occur' if kind == 'EXCEPT' else 'also occur'} as {where}? Sort them "
        f"{'in alphabetical order' if parent_col.type is ColumnType.STRING else 'from smallest to largest'}."
    )
    return Draft("overlap", SetQuery("EXCEPT" if kind == "EXCEPT" else "INTERSECT", first, second, (0,)), question)


def more_than(deck: Deck) -> Draft:
    """Values that are referred to at least so often."""
    chosen, child, parent = relation(deck)
    [right] = chosen.child_columns
    column = col_of(deck, child, child.name, right)
    known = (Missing(column, negated=True),) if column.nullable else ()
    least = deck.rng.randint(2, 4)
    order = (Key(_COUNT, True), Key(column, False)) if deck.rng.random() < 0.5 else ()
    query = Query(
        source_of(child), (Output(right, column), Output("times", _COUNT)), where=known, group=(column,),
        having=(Test(">=", _COUNT, Lit(least)),), order=order,
    )  # fmt: skip
    label = child.by_name[right].label
    say = deck.speaker(child)
    question = (
        f"Which {parent.plural} do at least {least} {child.plural} refer to? Return the {label} (missing "
        "ones left aside) and "
        f"the number of {child.plural}."
    )
    return Draft("referred_often", query, question + sorted_words(deck, say, order, None))


RELATIONS: tuple[Callable[[Deck], Draft], ...] = (
    counted,
    counted,
    childless,
    childless,
    fan_out,
    covered,
    overlapping,
    more_than,
)
