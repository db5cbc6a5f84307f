"""Mutants of a reference: code that differs from it in one place, so that it should give another result.

What is known to change nothing is not made: the direction of a sort whose order nothing keeps, a DISTINCT inside IN,
the count of a column that never holds NULL. What cannot be told apart for other reasons stays, and survives.

The mutants come ordered by digest, so that the first N of them are a fair sample, the same on every machine.
"""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from bootstrap.records import digest
from interpreters.base import ColumnType, TestCase

MAKERS = {
    "duckdb": "bootstrap.audit.sql_mutants",
    "postgres": "bootstrap.audit.sql_mutants",
    "polars": "bootstrap.audit.python_mutants",
    "ibis": "bootstrap.audit.python_mutants",
    "python": "bootstrap.audit.function_mutants",
    "q": "bootstrap.audit.q_mutants",
}
"""Language -> module with a function `edits`."""


@dataclass(frozen=True)
class Mutant:
    code: str
    operator: str  # what kind of change, the same names in every language
    detail: str  # what stood there and what stands there now


@dataclass(frozen=True)
class ColumnFacts:
    """What the data sets of a problem say of one input column. `repeats`: some value comes twice in one of them."""

    type: ColumnType
    nullable: bool
    repeats: bool = True


OTHER_COLUMNS = 3
"""In the place of one column so many others are tried: a wide table would leave no room for other mistakes."""

Columns = Mapping[str, Mapping[str, ColumnFacts]]
"""Table -> column -> facts."""


@dataclass(frozen=True)
class Edit:
    """One change that can be made. `make` returns the changed code."""

    operator: str
    detail: str
    make: Callable[[], str]


class EditMaker(Protocol):
    """What a module of MAKERS offers."""

    def edits(self, code: str, language: str, columns: Columns, ordered: bool) -> Iterator[Edit]:
        """Yield every change. Raises UnmutableError when the code cannot be read."""
        ...

    def rewritten(self, code: str, language: str) -> str:
        """Return the code as the mutants are written, unchanged in meaning. Raises UnmutableError."""
        ...


class UnmutableError(ValueError):
    """No mutants can be made of this code; the message says why."""


def maker_of(language: str) -> EditMaker:
    if language not in MAKERS:
        raise UnmutableError(f"there are no mutants for {language}, only for {', '.join(MAKERS)}")
    return cast(EditMaker, importlib.import_module(MAKERS[language]))


def mutants(
    code: str, language: str, columns: Columns, *, ordered: bool = True, limit: int | None = None
) -> list[Mutant]:
    """Return mutants of `code`, all different from it and from each other, in the order of their digests.

    `ordered`: the order of the result's rows counts. `limit`: the first so many. Raises UnmutableError.
    """
    maker = maker_of(language)
    found = list(enumerate(maker.edits(code, language, columns, ordered)))
    found.sort(key=lambda pair: digest(code, pair[1].operator, pair[1].detail, str(pair[0])))
    return list(itertools.islice(_different(maker.rewritten(code, language), (edit for _, edit in found)), limit))


def _different(original: str, edits: Iterable[Edit]) -> Iterator[Mutant]:
    seen = {original}
    for edit in edits:
        code = edit.make()
        if code not in seen:
            seen.add(code)
            yield Mutant(code, edit.operator, edit.detail)


def rewritten(code: str, language: str) -> str:
    """Return the code as its mutants are written: when this is not right, their verdicts mean nothing."""
    return maker_of(language).rewritten(code, language)


def columns_of(tests: Sequence[TestCase]) -> dict[str, dict[str, ColumnFacts]]:
    """Return the input columns of a problem, with what its data sets say of them."""
    found: dict[str, dict[str, ColumnFacts]] = {}
    for test in tests:
        for name, table in test.tables.items():
            known = found.setdefault(name, {})
            for index, column in enumerate(table.columns):
                cells = [repr(row[index]) for row in table.rows if row[index] is not None]
                before = known.get(column.name, ColumnFacts(column.type, False, False))
                nullable, repeats = len(cells) < len(table.rows), len(set(cells)) < len(cells)
                known[column.name] = ColumnFacts(column.type, before.nullable or nullable, before.repeats or repeats)
    return found


def others_after(name: str, names: Sequence[str]) -> list[str]:
    """Return a few of the other names, those that follow `name` first."""
    after = names.index(name) + 1 if name in names else 0
    return [other for other in (*names[after:], *names[:after]) if other != name][:OTHER_COLUMNS]


def is_ordered(tests: Sequence[TestCase]) -> bool:
    """Say whether the order of the result's rows counts."""
    return any(test.order_by or test.ties for test in tests)
