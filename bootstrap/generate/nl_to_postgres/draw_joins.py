"""Questions over three tables or more, joined by declared or discovered relationships."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bootstrap.generate.nl_to_postgres.deck import Deck, Draft, NothingFitsError, name_of, renamed, the
from bootstrap.generate.nl_to_postgres.draw_single import SHOW, group_draft, group_key, sorted_words
from bootstrap.generate.nl_to_postgres.forms import Agg, Col, Join, Key, Output, Pred, Query, Source
from bootstrap.generate.nl_to_postgres.schema import Relation, TableInfo
from bootstrap.generate.nl_to_postgres.wording import Speaker
from interpreters.base import ColumnType


@dataclass(frozen=True)
class Joined:
    """Rows of the main table, each with the rows it refers to. `head` says so."""

    source: Source
    joins: tuple[Join, ...]
    tables: dict[str, TableInfo]
    say: Speaker
    head: str


def alias_of(table: str, taken: list[str]) -> str:
    """Return a short name for a table in a join: the first letters of its words, numbered where they are taken."""
    words = [word for word in table.lower().replace(" ", "_").split("_") if word[:1].isascii() and word[:1].isalpha()]
    short = "".join(word[0] for word in words) or "t"
    short = short if short not in ("as", "in", "is", "or", "on", "to", "by", "do", "if") else f"{short}x"
    return next(name for n in range(1, 99) if (name := short if n == 1 else f"{short}{n}") not in taken)


def col_of(deck: Deck, table: TableInfo, alias: str, name: str) -> Col:
    return deck.col(alias, table.by_name[name])


def joined(deck: Deck, least: int = 2, most: int = 3) -> Joined:
    """Return a main table with tables that it refers to, directly or through one another."""
    wanted = deck.rng.randint(least, most)
    starts = sorted({r.child for r in deck.relations})
    deck.rng.shuffle(starts)
    for start in starts:
        path = _walk(deck, start, wanted) or _walk(deck, start, least)
        if path:
            return _made(deck, start, path)
    raise NothingFitsError(f"no table is joined to {least} others")


def _walk(deck: Deck, start: str, wanted: int) -> list[tuple[int, Relation]]:
    """Return steps from tables reached before (by number) to their parents; none where there are too few."""
    reached: list[str] = [start]
    steps: list[tuple[int, Relation]] = []
    used: set[tuple[int, tuple[str, ...]]] = set()
    while len(steps) < wanted:
        options = [
            (index, relation) for index, table in enumerate(reached) for relation in deck.relations
            if relation.child == table and (index, relation.child_columns) not in used
            and (relation.parent not in reached or (relation.parent != table and reached.count(relation.parent) < 2))
            and not _same_key(relation, steps, index)
        ]  # fmt: skip
        if not options:
            return []
        step = deck.rng.choice(options)
        used.add((step[0], step[1].child_columns))
        steps.append(step)
        reached.append(step[1].parent)
    return steps


def _same_key(relation: Relation, steps: list[tuple[int, Relation]], index: int) -> bool:
    """Say whether a column of the relationship has led somewhere already."""
    return any(i == index and set(r.child_columns) & set(relation.child_columns) for i, r in steps)


def _made(deck: Deck, start: str, path: list[tuple[int, Relation]]) -> Joined:
    main = deck.copy.tables[start]
    aliases = [alias_of(start, [])]
    tables, names = {aliases[0]: main}, {aliases[0]: main.singular}
    joins, phrases = [], []
    for index, relation in path:
        child, parent = deck.copy.tables[relation.child], deck.copy.tables[relation.parent]
        alias = alias_of(relation.parent, aliases)
        left = tuple(col_of(deck, child, aliases[index], name) for name in relation.child_columns)
        right = tuple(col_of(deck, parent, alias, name) for name in relation.parent_columns)
        joins.append(Join(Source(alias, relation.parent), left, right))
        role = " and ".join(child.by_name[name].label for name in relation.child_columns)
        several = sum(r.child == relation.child and r.parent == relation.parent for r in deck.relations) > 1
        named = parent.singular
        if named in names.values() or relation.child == relation.parent:
            named = f"{parent.singular} found by the {role}"
        by = f" (found by the {role})" if several or parent.singular.split()[-1] not in role else ""
        owner = "its" if index == 0 else f"that {names[aliases[index]].split(' found by')[0]}'s"
        phrases.append(f"{owner} {parent.singular}{by}")
        aliases.append(alias)
        tables[alias], names[alias] = parent, named
    head = deck.pick("Take every {} together with {}", "Join every {} with {}", "Look at each {} with {}")
    without = " (only where all of these exist)" if any(col.nullable for join in joins for col in join.left) else ""
    told = phrases[0] if len(phrases) == 1 else ", ".join(phrases[:-1]) + f" and {phrases[-1]}"
    say = Speaker(tables, aliases[0], names)
    return Joined(
        Source(aliases[0], start), tuple(joins), tables, say, head.format(main.singular, told) + without + ". "
    )


def _somewhere(deck: Deck, found: Joined, far: bool = False) -> tuple[str, TableInfo]:
    """Return one of the joined tables, the main one less often."""
    aliases = list(found.tables)
    alias = deck.rng.choice(aliases[1:] if far or deck.rng.random() < 0.7 else aliases)
    return alias, found.tables[alias]


def _conditions(deck: Deck, found: Joined) -> tuple[Pred, ...]:
    alias, table = _somewhere(deck, found)
    return (deck.condition(table, alias),)


def listed_join(deck: Deck) -> Draft:
    found = joined(deck)
    outputs: list[Output] = []
    for alias in (found.source.alias, *deck.rng.sample(list(found.tables)[1:], min(2, len(found.tables) - 1))):
        table = found.tables[alias]
        outputs += [Output(c.name, deck.col(alias, c)) for c in (deck.naming(table) or deck.shown(table))[:1]]
    extra_alias, extra = _somewhere(deck, found)
    column = deck.one(deck.shown(extra), "column to show")
    if (extra_alias, column.name) not in [(getattr(o.expr, "source", ""), o.name) for o in outputs]:
        outputs.append(Output(column.name, deck.col(extra_alias, column)))
    where = _conditions(deck, found)
    key = deck.unique_key(found.tables[found.source.alias])
    order: tuple[Key, ...] = ()
    if key and deck.rng.random() < 0.4:
        order = tuple(deck.key(found.source.alias, c, False) for c in key)
    query = Query(found.source, renamed(outputs), found.joins, where, order=order)
    what = the([found.say.say(output.expr) for output in outputs])
    question = f"{found.head}{deck.pick(*SHOW)} {what} where {found.say.all(where)}."
    return Draft("join", query, question + sorted_words(deck, found.say, order, None))


def aggregated_join(deck: Deck) -> Draft:
    found = joined(deck)
    main = found.tables[found.source.alias]
    where = _conditions(deck, found)
    agg = deck.aggregate(main, found.source.alias)
    if deck.rng.random() < 0.25:
        alias, table = _somewhere(deck, found, far=True)
        name = deck.one(deck.naming(table), "column that tells rows apart")
        agg = Agg("count_distinct", deck.col(alias, name), ColumnType.INT)
    expr = deck.rounded(agg)
    words = found.say.say(expr)
    query = Query(found.source, (Output(name_of(found.say.say(agg)), expr),), found.joins, where)
    question = deck.pick(
        f"{found.head}What is the {words} where {found.say.all(where)}?",
        f"{found.head}Compute the {words}, counting only those where {found.say.all(where)}.",
    )
    return Draft("join_aggregate", query, question)


def grouped_join(deck: Deck) -> Draft:
    found = joined(deck)
    alias, table = _somewhere(deck, found, far=True)
    key = group_key(deck, table, alias)
    where = _conditions(deck, found) if deck.rng.random() < 0.4 else ()
    main = found.tables[found.source.alias]
    aggregates = [deck.aggregate(main, found.source.alias)]
    base = Query(found.source, (), found.joins, where, group=(key,))
    return Draft("join_group", *_parts(group_draft(deck, found.say, base, aggregates, found.head)))


def _parts(draft: Draft) -> tuple[Query, str]:
    assert isinstance(draft.form, Query)
    return draft.form, draft.question


def _two_children(deck: Deck) -> tuple[Relation, Relation]:
    """Return relationships of two tables to the same third one."""
    options = [
        (one, other) for one in deck.relations for other in deck.relations
        if one.parent == other.parent and one.parent_columns == other.parent_columns and one.child < other.child
        and one.parent not in (one.child, other.child)
    ]  # fmt: skip
    if not options:
        raise NothingFitsError("no two tables refer to the same third one")
    return deck.rng.choice(options)


def siblings(deck: Deck) -> Draft:
    """Rows of two tables that refer to the same row of a third."""
    one, other = _two_children(deck)
    first, parent, second = (deck.copy.tables[name] for name in (one.child, one.parent, other.child))
    a = alias_of(first.name, [])
    b = alias_of(parent.name, [a])
    c = alias_of(second.name, [a, b])

    def cols(table: TableInfo, alias: str, names: tuple[str, ...]) -> tuple[Col, ...]:
        return tuple(col_of(deck, table, alias, name) for name in names)

    joins = (
        Join(Source(b, parent.name), cols(first, a, one.child_columns), cols(parent, b, one.parent_columns)),
        Join(Source(c, second.name), cols(parent, b, other.parent_columns), cols(second, c, other.child_columns)),
    )
    tables = {a: first, b: parent, c: second}
    say = Speaker(tables, a)
    by = " and ".join(first.by_name[name].label for name in one.child_columns)
    also = " and ".join(second.by_name[name].label for name in other.child_columns)
    head = (
        f"Combine every {first.singular} with its {parent.singular} (found by the {by}) and with each "
        f"{second.singular} "
        f"of the same {parent.singular} (found by the {also}). "
    )
    alias = deck.rng.choice(list(tables))
    where = (deck.condition(tables[alias], alias),)
    if deck.rng.random() < 0.5:
        outputs: tuple[Output, ...] = (Output("combinations", Agg("count", None, ColumnType.INT)),)
        question = f"{head}How many such combinations are there where {say.all(where)}?"
    else:
        named = [
            (alias, column)
            for alias in tables
            for column in (deck.naming(tables[alias]) or deck.shown(tables[alias]))[:1]
        ]
        outputs = renamed([Output(column.name, deck.col(alias, column)) for alias, column in named])
        question = f"{head}{deck.pick(*SHOW)} {the([say.say(o.expr) for o in outputs])} where {say.all(where)}."
    return Draft("join_siblings", Query(Source(a, first.name), outputs, joins, where), question)


JOINS: tuple[Callable[[Deck], Draft], ...] = (
    listed_join, aggregated_join, aggregated_join, grouped_join, grouped_join, siblings,
)  # fmt: skip
