"""Questions that one function of PostgreSQL answers, over one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bootstrap.generate.nl_to_postgres.deck import Deck, Draft, NothingFitsError, name_of, renamed, source_of, the
from bootstrap.generate.nl_to_postgres.draw_single import SHOW, may_miss, total_order
from bootstrap.generate.nl_to_postgres.forms import Agg, Call, Expr, Is, Key, Lit, Missing, Output, Pred, Query, Test
from bootstrap.generate.nl_to_postgres.functions import AGGREGATES, FUNCTIONS
from bootstrap.generate.nl_to_postgres.schema import MOMENTS, NUMBERS, ColumnInfo, TableInfo
from bootstrap.generate.nl_to_postgres.wording import with_article
from interpreters.base import ColumnType

INNER = frozenset({"ratio", "times", "plus", "minus", "round2", "nonzero"})
"""Functions that forms of other phases are built with."""
_CLASSES: Mapping[str, frozenset[ColumnType]] = {
    "T": frozenset({ColumnType.STRING}), "I": frozenset({ColumnType.INT}), "M": MOMENTS,
    "N": frozenset({ColumnType.DECIMAL}), "R": frozenset({ColumnType.DECIMAL, ColumnType.FLOAT}), "F": NUMBERS,
    "D": frozenset({ColumnType.DATE}), "B": frozenset({ColumnType.BOOL}), "*": NUMBERS | MOMENTS | {ColumnType.STRING},
}  # fmt: skip
SHOWN = 12
"""Rows of a table up to which all of them are asked for."""


def fitting(deck: Deck, table: TableInfo, letter: str) -> list[ColumnInfo]:
    """Return columns of a class that a function may be asked of; those that only tell rows apart are left out of
    arithmetic."""
    columns = [c for c in table.columns if c.type in _CLASSES[letter] and c.distinct > 1]
    if letter in "NRF":
        return [c for c in columns if c in deck.measures(table, additive=True)]
    return [c for c in columns if letter == "I" or c in deck.shown(table)]


def called(deck: Deck, name: str, table: TableInfo) -> Call:
    """Return a function with columns of a table that fit it and constants of its own. Raises NothingFitsError."""
    function = FUNCTIONS[name]
    letters = [letter for letter in function.takes if letter.isupper()]
    columns: list[ColumnInfo] = []
    for letter in letters:
        options = [c for c in fitting(deck, table, letter) if c not in columns]
        if function.takes.endswith("same") and columns:
            options = [c for c in options if c.type is columns[0].type]
        columns.append(deck.one(options, f"column for {name}"))
    if name in ("coalesce", "coalesce_number") and not columns[0].nulls:
        raise NothingFitsError("a column has no NULL to replace")
    constants = deck.rng.choice(function.constants) if function.constants else ()
    result = function.result or columns[0].type
    args: list[Expr] = [deck.col(table.name, column) for column in columns]
    return Call(name, (*args, *(Lit(value) for value in constants)), result)  # type: ignore[arg-type]  # plain constants


def function_names() -> list[str]:
    return [name for name in FUNCTIONS if name not in INNER]


def one_function(deck: Deck) -> Draft:
    """Draw the function first, so that all come up, then a table that has something for it."""
    if deck.rng.random() < 0.2:
        return aggregate_function(deck)
    names = deck.rng.sample(function_names(), 6)
    tables = [table for table in deck.copy.tables.values() if len(deck.copy.rows[table.name].rows) >= 3]
    deck.rng.shuffle(tables)
    for name in names:
        for table in tables:
            try:
                call = called(deck, name, table)
            except NothingFitsError:
                continue
            return deck.rng.choice(_WAYS)(deck, table, call)
    raise NothingFitsError("no table has a column for any of six functions")


def _computed(deck: Deck, table: TableInfo, call: Call) -> Draft:
    """The function's value for some rows."""
    say, source = deck.speaker(table), source_of(table)
    names = deck.naming(table)[:1]
    outputs = [Output(c.name, deck.col(source.alias, c)) for c in names]
    outputs.append(Output(name_of(FUNCTIONS[call.function].name or call.function), call))
    where: tuple[Pred, ...] = ()
    order: tuple[Key, ...] = ()
    limit = None
    height = len(deck.copy.rows[table.name].rows)
    if height > SHOWN and deck.rng.random() < 0.4 and deck.unique_key(table):
        order, limit = total_order(deck, table, source.alias, deck.unique_key(table)[0].name), deck.rng.randint(3, 10)
    elif height > SHOWN or deck.rng.random() < 0.5:
        where = deck.conditions(table, source.alias, 1)
    what = the([say.say(output.expr) for output in outputs])
    scope = f"the {table.plural} where {say.all(where)}" if where else f"all {table.plural}"
    question = f"{deck.pick(*SHOW)} {what} of {scope}."
    if order:
        question = f"Sort the {table.plural} {say.order(order)}. {deck.pick(*SHOW)} {what} of the first {limit}."
    return Draft(
        f"function {call.function}", Query(source, renamed(outputs), where=where, order=order, limit=limit), question
    )


def _condition(deck: Deck, table: TableInfo, call: Call) -> Draft:
    """Rows by the function's value."""
    say, source = deck.speaker(table), source_of(table)
    pred = _told(deck, table, call)
    if deck.rng.random() < 0.4:
        query = Query(source, (Output("number", Agg("count", None, ColumnType.INT)),), where=(pred,))
        return Draft(
            f"function {call.function}", query, f"How many {table.plural} are there where {_words(say.pred(pred))}?"
        )
    outputs = deck.outputs(table, source.alias, 2)
    what = the([say.say(output.expr) for output in outputs])
    question = f"{deck.pick(*SHOW)} {what} of the {table.plural} where {_words(say.pred(pred))}."
    return Draft(f"function {call.function}", Query(source, outputs, where=(pred,)), question)


def _words(text: str) -> str:
    """Return "whether it starts with ... is true" as people say it."""
    if text.startswith("whether "):
        text = text.removeprefix("whether ")
        holds = text.endswith(" is true")
        text = text.removesuffix(" is true").removesuffix(" is false")
        return text if holds else f"it is known and not the case that {text}"
    return text


def _told(deck: Deck, table: TableInfo, call: Call) -> Pred:
    """Return a condition on the function's value, with a value that occurs."""
    from bootstrap.generate.nl_to_postgres.evaluate import Evaluation

    rows = deck.copy.rows
    query = Query(source_of(table), (Output("value", call),))
    values = [value for [value] in Evaluation(rows).run(query).rows if value is not None]
    if not values:
        raise NothingFitsError("a function has no value but NULL")
    if call.type is ColumnType.BOOL:
        return Is(call, deck.rng.random() < 0.7)
    value = deck.rng.choice(sorted(values, key=repr))
    if call.type is ColumnType.STRING or len(set(values)) <= 4:
        return Test("=", call, Lit(value))
    return Test(deck.rng.choice((">", "<", ">=", "<=", "=")), call, Lit(value))


def _groups(deck: Deck, table: TableInfo, call: Call) -> Draft:
    """How many rows there are of each of the function's values."""
    say, source = deck.speaker(table), source_of(table)
    where = (Missing(call.args[0], negated=True),) if may_miss(call.args[0]) and deck.rng.random() < 0.6 else ()
    count = Agg("count", None, ColumnType.INT)
    query = Query(source, (Output("value", call), Output("number", count)), where=where, group=(call,))
    known = f", counting only those where {say.all(where)}" if where else ""
    missing = " A missing value is a value of its own." if may_miss(call) and not where else ""
    question = (
        f"How many {table.plural} are there for each {say.say(call)}{known}? Return that value and the number.{missing}"
    )
    if call.type is ColumnType.BOOL:
        question = (
            f"Return {say.say(call)}, and the number of {table.plural} for each of the two cases{known}.{missing}"
        )
    return Draft(f"function {call.function}", query, question)


def _different(deck: Deck, table: TableInfo, call: Call) -> Draft:
    """The different values of the function, or the largest one."""
    say, source = deck.speaker(table), source_of(table)
    where = deck.conditions(table, source.alias, 1) if deck.rng.random() < 0.6 else ()
    scope = f"the {table.plural} where {say.all(where)}" if where else f"all {table.plural}"
    if call.type in NUMBERS | MOMENTS and deck.rng.random() < 0.6:
        agg = Agg(deck.pick("min", "max"), call, call.type)
        query = Query(source, (Output("value", agg),), where=where)
        return Draft(f"function {call.function}", query, f"Over {scope}, what is the {say.say(agg)}?")
    missing = " A missing value counts as a value." if may_miss(call) else ""
    query = Query(source, (Output("value", call),), where=where, distinct=True)
    question = f"List the different values of the {say.say(call)} over {scope}, each once.{missing}"
    return Draft(f"function {call.function}", query, question.replace("of the whether", "that tell whether"))


def aggregate_function(deck: Deck) -> Draft:
    """An aggregate that the other phases seldom use."""
    table = deck.table(5)
    say, source = deck.speaker(table), source_of(table)
    name = deck.pick("stddev", "median", "string_agg", "bool_or", "bool_and", "count_distinct", "sum", "avg")
    letter = AGGREGATES[name].takes
    columns = deck.measures(table, additive=True) if letter == "F" else fitting(deck, table, letter)
    if name == "string_agg":
        columns = [c for c in deck.categories(table) if c.type is ColumnType.STRING]
    column = deck.one(columns, f"column for {name}")
    kind = AGGREGATES[name].result or column.type
    agg = Agg(name, deck.col(source.alias, column), kind)
    expr = deck.rounded(agg)
    where = deck.conditions(table, source.alias, 1) if deck.rng.random() < 0.7 else ()
    groups = [c for c in deck.categories(table) if c.name != column.name]
    if groups and deck.rng.random() < 0.5:
        group = deck.col(source.alias, deck.rng.choice(groups))
        outputs = (Output(group.column, group), Output(name_of(name, [group.column]), expr))
        scope = f" of the {table.plural} where {say.all(where)}" if where else ""
        missing = " Rows without a value to group by form a group of their own." if group.nullable else ""
        question = (
            f"For each {say.label(group)}{scope}, return the {say.label(group)} and "
            f"{with_article(say.say(expr))}.{missing}"
        )
        return Draft(f"aggregate {name}", Query(source, outputs, where=where, group=(group,)), question)
    scope = f"the {table.plural} where {say.all(where)}" if where else f"all {table.plural}"
    query = Query(source, (Output(name_of(name), expr),), where=where)
    return Draft(f"aggregate {name}", query, f"Over {scope}, return {with_article(say.say(expr))}.")


_WAYS: tuple[Callable[[Deck, TableInfo, Call], Draft], ...] = (
    _computed,
    _computed,
    _condition,
    _condition,
    _groups,
    _different,
)
BUILTINS: tuple[Callable[[Deck], Draft], ...] = (one_function,)
