"""The proof of a pair: the SQL on DuckDB is the expectation, the Ibis code the answer, on every data set.

A pair is invalid when either side does not run, when an answer differs (the order counts where the SQL asks for one,
ties are free), when it changes with the order in which the input rows are stored, or when a LIMIT leaves open which
rows are meant. It is vacuous when its answer says nothing:

* a trivial answer is right on all data sets: an empty table, an input table unchanged, or the first data set's answer;
* a clause can go unnoticed: without one of its WHERE, HAVING, QUALIFY, DISTINCT or LIMIT the query gives the same rows
  on every data set;
* it asks for an order, and no data set has two rows to put in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import duckdb
import sqlglot
from ibis.common.exceptions import IbisError
from sqlglot import exp
from sqlglot.errors import SqlglotError

from bootstrap.admission import trivial_answer
from bootstrap.generate.base import Kind
from bootstrap.generate.sql_to_ibis.database import FixtureDatabase, Loaded
from bootstrap.generate.sql_to_ibis.fixtures import VISIBLE
from bootstrap.generate.sql_to_ibis.ordering import Order, UnsettledError
from interpreters.base import Table, TestCase
from interpreters.compare import compare_tables
from interpreters.processes.candidate import CandidateError, first_line

_CLAUSES: dict[type[exp.Expr], str] = {
    exp.Where: "WHERE", exp.Having: "HAVING", exp.Qualify: "QUALIFY", exp.Distinct: "DISTINCT", exp.Limit: "LIMIT",
}  # fmt: skip
_SAME_ON = 2
"""Data sets on which the answer must not depend on how rows are stored."""


class NotProvedError(ValueError):
    """Why a pair is refused: its kind, a reason that others share, and what is particular to this one."""

    def __init__(self, kind: Kind, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.kind, self.reason, self.detail = kind, reason, detail


@dataclass(frozen=True)
class Proved:
    """A pair that holds. `tree`: its SQL, parsed."""

    tree: exp.Query
    tests: tuple[TestCase, ...]


def prove(sql: str, code: str, names: Sequence[str], database: FixtureDatabase, loaded: Loaded) -> Proved:
    """Return the tests that a pair passes. `names`: the tables that it uses. Raises NotProvedError."""
    tree = parse(sql)
    expected, ties = expectation(tree, sql, database, loaded)
    _require_answer(code, names, database, loaded, expected, ties)
    tests = tuple(
        TestCase({name: tables[name] for name in names}, table, hidden=number >= VISIBLE, ties=groups)
        for number, (tables, table, groups) in enumerate(zip(loaded.tables, expected, ties, strict=True))
    )
    require_telling(tree, tests, lambda text: (database.rows(cursor, text) for cursor in loaded.cursors))
    return Proved(tree, tests)


def parse(sql: str) -> exp.Query:
    """Return the tree of one query. Raises NotProvedError."""
    try:
        tree = sqlglot.parse_one(sql, read="duckdb")
    except SqlglotError as error:
        raise NotProvedError("invalid", "the SQL cannot be parsed", str(error).splitlines()[0]) from error
    if not isinstance(tree, exp.Query):
        raise NotProvedError("invalid", "the SQL is no query", type(tree).__name__)
    return tree


def expectation(
    tree: exp.Query, sql: str, database: FixtureDatabase, loaded: Loaded
) -> tuple[list[Table], list[tuple[int, ...]]]:
    """Return the SQL's answers and which of their rows tie. Raises NotProvedError."""
    try:
        expected = [database.rows(cursor, sql) for cursor in loaded.cursors]
        order = Order(tree)
        ties = [
            order.ties(table, lambda text, cursor=cursor: database.rows(cursor, text))  # type: ignore[misc]  # default
            for table, cursor in zip(expected, loaded.cursors, strict=True)
        ]
    except (duckdb.Error, CandidateError) as error:
        raise NotProvedError("invalid", "the SQL does not run", first_line(error)) from error
    except UnsettledError as error:
        raise NotProvedError("invalid", str(error)) from error
    if any(sum(groups) != len(table.rows) for groups, table in zip(ties, expected, strict=True) if groups):
        raise NotProvedError("invalid", "the rows that the SQL puts in order cannot be told apart")
    return expected, ties


def _require_answer(
    code: str, names: Sequence[str], database: FixtureDatabase, loaded: Loaded, expected: Sequence[Table],
    ties: Sequence[tuple[int, ...]],
) -> None:  # fmt: skip
    try:
        query = database.compiled(code, {name: loaded.schemas[name] for name in names})
    except (IbisError, CandidateError, AttributeError, TypeError, ValueError, KeyError, NameError) as error:
        detail = f"{type(error).__name__}: {first_line(error)}"
        raise NotProvedError("invalid", "the Ibis code gives no expression", detail) from error
    runs = [
        *zip(loaded.cursors, expected, ties, ("",) * len(expected), strict=True),
        *zip(loaded.shuffled[:_SAME_ON], expected, ties, (" when rows are stored otherwise",) * _SAME_ON, strict=False),
    ]
    for cursor, table, groups, when in runs:
        try:
            answer = database.answer(cursor, query)
        except (duckdb.Error, CandidateError) as error:
            raise NotProvedError("invalid", "the Ibis code does not run", first_line(error)) from error
        difference = compare_tables(answer, table, ties=groups)
        if difference is not None:
            raise NotProvedError("invalid", f"the answers differ{when}", difference)


# -- answers that say nothing -------------------------------------------------------------------------------------


def require_telling(tree: exp.Query, tests: Sequence[TestCase], run: Callable[[str], Iterator[Table]]) -> None:
    """Raise NotProvedError where a trivial answer is right, or a clause of the query changes nothing.

    `run` gives a query's answers over the data sets, one by one.
    """
    reason = trivial_answer(tests)
    if reason:
        kind = "an empty table" if "empty" in reason else "a constant" if "constant" in reason else "an input table"
        raise NotProvedError("vacuous", f"{kind} is a right answer on all data sets")
    if tree.args.get("order") and all(len(test.ties) < 2 for test in tests):
        raise NotProvedError("vacuous", "no data set has two rows to put in order")
    for clause, shorter in _without_one(tree):
        if _gives_the_same(shorter.sql("duckdb"), tests, run):
            raise NotProvedError("vacuous", f"without its {clause} the query gives the same on all data sets")


def _without_one(tree: exp.Query) -> Iterator[tuple[str, exp.Query]]:
    """Yield the query without one of its clauses, for each of them."""
    number = sum(1 for node in tree.walk() if type(node) in _CLAUSES and _may_go(node))
    for index in range(number):
        shorter = tree.copy()
        node = [one for one in shorter.walk() if type(one) in _CLAUSES and _may_go(one)][index]
        clause = _CLAUSES[type(node)]
        node.pop()
        yield clause, shorter


def _may_go(node: exp.Expr) -> bool:
    """Say whether the clause belongs to a query: COUNT(DISTINCT x) has one that does not, FILTER (WHERE) another."""
    return isinstance(node.parent, exp.Query)


def _gives_the_same(sql: str, tests: Sequence[TestCase], run: Callable[[str], Iterator[Table]]) -> bool:
    try:
        return all(
            compare_tables(table, test.expected) is None for table, test in zip(run(sql), tests, strict=True)
        )  # fmt: skip
    except (duckdb.Error, CandidateError):
        return False  # it needs the clause to run at all, as a scalar sub-query its LIMIT
