"""Small data sets for a problem, taken from the copy so that the form has something to answer in each of them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace

from bootstrap.generate.nl_to_postgres.evaluate import Evaluation, TooLargeError
from bootstrap.generate.nl_to_postgres.forms import Col, Query, SetQuery, Statement, Test, queries_of, tables_of
from interpreters.base import Table, Value

Row = tuple[Value, ...]


def sampled(form: Statement, tables: Mapping[str, Table], most: int, rng: random.Random) -> dict[str, Table]:
    """Return the tables that a form reads with up to `most` rows each: some rows that meet its conditions, with the
    rows that they are joined to, and some that do not. The order of the rows is drawn, too."""
    chosen: dict[str, dict[Row, None]] = {name: {} for name in tables_of(form)}
    evaluation = Evaluation(tables)
    for query in queries_of(form):
        if query.source.table in chosen and all(join.source.table in chosen for join in query.joins):
            _matching(query, evaluation, tables, chosen, most, rng)
    made = {}
    for name, rows in chosen.items():
        table = tables[name]
        wanted = min(len(table.rows), max(4, most - rng.randrange(max(1, most // 3))))
        kept = list(rows)[: max(1, wanted * 2 // 3)]
        rest = [row for row in rng.sample(table.rows, min(len(table.rows), most)) if row not in rows]
        kept += rest[: wanted - len(kept)]
        made[name] = Table(table.columns, tuple(rng.sample(kept, len(kept))))
    return made


def _matching(
    query: Query, evaluation: Evaluation, tables: Mapping[str, Table], chosen: Mapping[str, dict[Row, None]], most: int,
    rng: random.Random,
) -> None:  # fmt: skip
    """Choose rows of a query's sources that meet its conditions together; of its joins alone where none do."""
    try:
        rows, layout = evaluation.matched(query)
    except (TooLargeError, KeyError):  # a named query is among its sub-queries' sources
        return
    widths = [len(tables[source.table].columns) for source in (query.source, *(join.source for join in query.joins))]
    for row in rng.sample(rows, min(len(rows), most // 2)):
        start = 0
        for source, width in zip((query.source, *(join.source for join in query.joins)), widths, strict=True):
            part = row[start : start + width]
            if any(value is not None for value in part):
                chosen[source.table].setdefault(part)
            start += width
    assert len(layout) == sum(widths)


def weakened(form: Statement) -> list[tuple[str, Statement]]:
    """Return forms that lack one part each, with the name of the part: each part of a form must matter."""
    if isinstance(form, SetQuery):
        return [("the second query", form.left), ("the first query", form.right)]
    found: list[tuple[str, Statement]] = []
    for index, pred in enumerate(form.where):
        if isinstance(pred, Test) and isinstance(pred.left, Col) and pred.left.column == "table_schema":
            continue  # a catalogue of one schema needs it elsewhere
        found.append(("a condition", replace(form, where=form.where[:index] + form.where[index + 1 :])))
    for index in range(len(form.having)):
        found.append(("a condition on groups", replace(form, having=form.having[:index] + form.having[index + 1 :])))
    if form.limit is not None:
        found.append(("the limit", replace(form, limit=None)))
    if form.distinct:
        found.append(("DISTINCT", replace(form, distinct=False)))
    return found


def inputs_equal(one: Mapping[str, Table], other: Mapping[str, Table]) -> bool:
    """Say whether two data sets hold the same rows, whatever their order."""
    return all(sorted(table.rows, key=repr) == sorted(other[name].rows, key=repr) for name, table in one.items())
