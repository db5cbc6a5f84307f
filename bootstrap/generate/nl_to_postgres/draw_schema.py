"""Questions about the schema itself, over the views of information_schema."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from bootstrap.generate.nl_to_postgres.deck import Deck, Draft, NothingFitsError
from bootstrap.generate.nl_to_postgres.forms import (
    Agg,
    Call,
    Col,
    Key,
    Like,
    Lit,
    OneOf,
    Output,
    Pred,
    Query,
    Source,
    Test,
)
from interpreters.base import ColumnType

_COUNT = Agg("count", None, ColumnType.INT)
_SOURCE = Source("columns", "columns")


def _col(name: str, kind: ColumnType = ColumnType.STRING) -> Col:
    return Col("columns", name, kind)


_SCHEMA, _TABLE, _NAME = _col("table_schema"), _col("table_name"), _col("column_name")
_POSITION = _col("ordinal_position", ColumnType.INT)
_NULLABLE, _TYPE = _col("is_nullable"), _col("data_type")


def _column_rows(deck: Deck) -> list[tuple[object, ...]]:
    rows = list(deck.copy.catalogue["columns"].rows)
    if not rows:
        raise NothingFitsError("no column at all")
    return list(rows)


def _one_table(deck: Deck) -> tuple[str, str, tuple[Pred, ...]]:
    schema, table = deck.rng.choice(_column_rows(deck))[:2]
    where = (Test("=", _SCHEMA, Lit(str(schema))), Test("=", _TABLE, Lit(str(table))))
    return str(schema), str(table), where


def columns_of(deck: Deck) -> Draft:
    schema, table, where = _one_table(deck)
    outputs = (Output("column_name", _NAME), Output("data_type", _TYPE))
    shown = outputs[: deck.rng.randint(1, 2)]
    query = Query(_SOURCE, shown, where=where, order=(Key(_POSITION),))
    what = "names" if len(shown) == 1 else "names and data types"
    question = deck.pick(
        f'List the {what} of all columns of table "{table}" in schema "{schema}", in the order of the table.',
        f'What are the {what} of the columns of "{schema}"."{table}", by their ordinal position?',
    )
    return Draft("columns_of", query, question)


def some_columns(deck: Deck) -> Draft:
    """Columns of a table that are, or are not, nullable or of a type."""
    schema, table, where = _one_table(deck)
    mine = [row for row in _column_rows(deck) if row[:2] == (schema, table)]
    if deck.rng.random() < 0.5:
        wanted = deck.pick("YES", "NO")
        pred: Pred = Test("=", _NULLABLE, Lit(wanted))
        words = (
            f'columns of table "{table}" in schema "{schema}" '
            f"{'accept NULL' if wanted == 'YES' else 'are declared NOT NULL'}"
        )
    else:
        kind = str(deck.rng.choice(mine)[5])
        pred = Test("=", _TYPE, Lit(kind))
        words = f'columns of table "{table}" in schema "{schema}" have the data type {kind}'
    if deck.rng.random() < 0.5:
        return Draft(
            "some_columns", Query(_SOURCE, (Output("number", _COUNT),), where=(*where, pred)), f"How many {words}?"
        )
    query = Query(_SOURCE, (Output("column_name", _NAME),), where=(*where, pred))
    return Draft("some_columns", query, f"Which {words}? Return their names.")


def with_column(deck: Deck) -> Draft:
    """Tables that have a column of a name, or whose name contains something."""
    schema = str(deck.rng.choice(_column_rows(deck))[0])
    name = str(deck.rng.choice([row for row in _column_rows(deck) if row[0] == schema])[2])
    pred: Pred
    if deck.rng.random() < 0.5:
        pred, words = Test("=", _NAME, Lit(name)), f'a column named "{name}"'
    else:
        part = deck.rng.choice([word for word in name.replace(" ", "_").split("_") if word] or [name])
        pred, words = Like("contains", _NAME, part), f"a column whose name contains '{part}' (case matters)"
    query = Query(
        _SOURCE, (Output("table_name", _TABLE),), where=(Test("=", _SCHEMA, Lit(schema)), pred), distinct=True
    )
    return Draft("with_column", query, f'Which tables of schema "{schema}" have {words}? Return each name once.')


def counted_columns(deck: Deck) -> Draft:
    """How many columns the tables of a schema have."""
    schemas = sorted({str(row[0]) for row in _column_rows(deck)})
    schema = deck.rng.choice(schemas)
    where: tuple[Pred, ...] = (Test("=", _SCHEMA, Lit(schema)),)
    words = ""
    kinds = sorted({str(row[5]) for row in _column_rows(deck) if row[0] == schema})
    if deck.rng.random() < 0.5:
        kind = deck.rng.choice(kinds)
        where, words = (*where, Test("=", _TYPE, Lit(kind))), f" of data type {kind}"
    least = deck.rng.randint(2, 6)
    having = (Test(">=", _COUNT, Lit(least)),) if deck.rng.random() < 0.5 else ()
    order = (Key(_COUNT, True), Key(_TABLE)) if deck.rng.random() < 0.6 else ()
    query = Query(_SOURCE, (Output("table_name", _TABLE), Output("columns", _COUNT)), where=where, group=(_TABLE,),
                  having=having, order=order)  # fmt: skip
    question = (
        f'For each table of schema "{schema}" with at least {least if having else "one"} '
        f"column{'s' if having else ''}{words}, "
    )
    question += f"return its name and the number of columns{words}."
    if order:
        question += " Sort by that number from largest to smallest, then by the name in alphabetical order."
    return Draft("counted_columns", query, question)


def by_type(deck: Deck) -> Draft:
    """How many columns of a schema are of each type."""
    schema = str(deck.rng.choice(_column_rows(deck))[0])
    where: tuple[Pred, ...] = (Test("=", _SCHEMA, Lit(schema)),)
    words = ""
    if deck.rng.random() < 0.5:
        wanted = deck.pick("YES", "NO")
        where, words = (
            (*where, Test("=", _NULLABLE, Lit(wanted))),
            f" that {'accept NULL' if wanted == 'YES' else 'are declared NOT NULL'}",
        )
    query = Query(_SOURCE, (Output("data_type", _TYPE), Output("columns", _COUNT)), where=where, group=(_TYPE,))
    question = (
        f'How many columns{words} of schema "{schema}" are there of each data type? Return the type and the number.'
    )
    return Draft("by_type", query, question)


def shared_names(deck: Deck) -> Draft:
    """Column names that several tables of a schema have."""
    rows = _column_rows(deck)
    counts = Counter((row[0], row[2]) for row in rows)
    schemas = sorted({str(schema) for (schema, _), n in counts.items() if n > 1})
    if not schemas:
        raise NothingFitsError("no column name occurs in two tables")
    schema = deck.rng.choice(schemas)
    least = deck.rng.randint(2, max(n for (owner, _), n in counts.items() if owner == schema))
    outputs = (Output("column_name", _NAME), Output("tables", _COUNT))
    query = Query(_SOURCE, outputs, where=(Test("=", _SCHEMA, Lit(schema)),),
                  group=(_NAME,), having=(Test(">=", _COUNT, Lit(least)),))  # fmt: skip
    question = (
        f'Which column names occur in at least {least} tables of schema "{schema}"? Return the name '
        "and the number of tables."
    )
    return Draft("shared_names", query, question)


def type_of(deck: Deck) -> Draft:
    """The type of one column, or of a few."""
    schema, table, where = _one_table(deck)
    mine = [str(row[2]) for row in _column_rows(deck) if row[:2] == (schema, table)]
    chosen = deck.rng.sample(mine, min(len(mine), deck.rng.randint(1, 3)))
    outputs = (Output("data_type", _TYPE), Output("is_nullable", _NULLABLE))
    if len(chosen) == 1:
        query = Query(_SOURCE, outputs, where=(*where, Test("=", _NAME, Lit(chosen[0]))))
        question = (
            f'What is the data type of column "{chosen[0]}" of "{schema}"."{table}", and is it nullable (YES or NO)?'
        )
        return Draft("type_of", query, question)
    query = Query(
        _SOURCE, (Output("column_name", _NAME), *outputs), where=(*where, OneOf(_NAME, tuple(map(Lit, chosen))))
    )
    names = " and ".join(f'"{name}"' for name in chosen)
    question = f'Return name, data type and nullability (YES or NO) of the columns {names} of "{schema}"."{table}".'
    return Draft("type_of", query, question)


def long_names(deck: Deck) -> Draft:
    """The longest table names, or column names over a length."""
    rows = _column_rows(deck)
    schema = str(deck.rng.choice(rows)[0])
    lengths = sorted(len(str(row[2])) for row in rows if row[0] == schema)
    length = Call("length", (_NAME,), ColumnType.INT)
    limit = lengths[len(lengths) * 2 // 3]
    where = (Test("=", _SCHEMA, Lit(schema)), Test(">", length, Lit(limit)))
    query = Query(_SOURCE, (Output("table_name", _TABLE), Output("column_name", _NAME)), where=where)
    question = (
        f'Which columns of schema "{schema}" have names of more than {limit} characters? Return the '
        "table and the column."
    )
    return Draft("long_names", query, question)


SCHEMA: tuple[Callable[[Deck], Draft], ...] = (
    columns_of, some_columns, some_columns, with_column, counted_columns, by_type, shared_names, type_of, long_names,
)  # fmt: skip
