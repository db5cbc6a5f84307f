"""The proof of a pair that others wrote: both sides run in the sandboxed interpreters."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence

from sqlglot import exp

from bootstrap.audit.data_sets import shuffled
from bootstrap.generate.sql_to_ibis.fixtures import VISIBLE
from bootstrap.generate.sql_to_ibis.ordering import Order, Run, UnsettledError
from bootstrap.generate.sql_to_ibis.proof import NotProvedError, require_telling
from interpreters import load_interpreter
from interpreters.base import Interpreter, Limits, Outcome, Table, TestCase
from interpreters.compare import compare_tables

_LIMITS = Limits(seconds=20)
Tables = Mapping[str, Table]


class Sandboxed:
    """Two interpreters, started when they are needed."""

    def __init__(self) -> None:
        self._open: dict[str, Interpreter] = {}

    def _interpreter(self, name: str) -> Interpreter:
        if name not in self._open:
            self._open[name] = load_interpreter(name)
        return self._open[name]

    def close(self) -> None:
        for interpreter in self._open.values():
            interpreter.close()
        self._open.clear()

    def _answers(self, name: str, what: str, code: str, inputs: Sequence[Tables]) -> Sequence[Table]:
        found = self._interpreter(name).execute(code, inputs, _LIMITS)
        if found.outcome is not Outcome.PASSED:
            raise NotProvedError("invalid", f"{what} does not run", found.message)
        return found.results

    def prove(self, tree: exp.Query, sql: str, code: str, inputs: Sequence[Tables]) -> tuple[TestCase, ...]:
        """Return the tests that a pair passes. Raises NotProvedError, InterpreterError."""
        expected = self._answers("duckdb_sql", "the SQL", sql, inputs)
        try:
            order = Order(tree)
            ties = [order.ties(table, self._run_on(one)) for table, one in zip(expected, inputs, strict=True)]
        except UnsettledError as error:
            raise NotProvedError("invalid", str(error)) from error
        mixed = [shuffled(one, random.Random(0)) for one in inputs[:VISIBLE]]
        answers = self._answers("ibis_duckdb", "the Ibis code", code, [*inputs, *mixed])
        by_name = all(_same_names(answer, table) for answer, table in zip(answers, expected, strict=False))
        rights = [*zip(expected, ties, strict=True), *zip(expected[:VISIBLE], ties, strict=False)]
        for number, (answer, (table, groups)) in enumerate(zip(answers, rights, strict=True)):
            difference = compare_tables(answer, table, ties=groups, match_names=by_name)
            if difference is not None:
                when = " when rows are stored otherwise" if number >= len(inputs) else ""
                raise NotProvedError("invalid", f"the answers differ{when}", difference)
        tests = tuple(
            TestCase(dict(one), table, hidden=number >= VISIBLE, ties=groups, match_names=by_name)
            for number, (one, table, groups) in enumerate(zip(inputs, expected, ties, strict=True))
        )
        require_telling(tree, tests, lambda text: self._each(text, inputs))
        return tests

    def _run_on(self, tables: Tables) -> Run:
        return lambda sql: self._answers("duckdb_sql", "the SQL", sql, [tables])[0]

    def _each(self, sql: str, inputs: Sequence[Tables]) -> Iterator[Table]:
        return iter(self._answers("duckdb_sql", "the SQL", sql, inputs))


def _same_names(answer: Table, expected: Table) -> bool:
    return [name.lower() for name in answer.names] == [name.lower() for name in expected.names]
