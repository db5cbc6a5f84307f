"""Answers that are right by luck: Polars gives groups in any order, and two of them are in order half of the time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from interpreters.base import Column, ColumnType, Limits, Outcome, Table, TestCase
from interpreters.checking import check
from interpreters.polars_expr import PolarsExpr

COLUMNS = (Column("k", ColumnType.STRING), Column("v", ColumnType.INT))
INPUT = Table(COLUMNS, (("b", 2), ("a", 1), ("a", 3)))
SUMS = Table(COLUMNS, (("b", 2), ("a", 4)))
IN_ANY_ORDER = (TestCase({"df": INPUT}, SUMS),)


def in_order() -> tuple[TestCase, ...]:
    """Return tests whose tables have not been loaded before: children of one loading have groups in the same order."""
    return (TestCase({"df": INPUT}, SUMS, ("v",)),)


GROUPS = "df.group_by('k').agg(pl.col('v').sum())"
TIMES = 64


@pytest.fixture(scope="module")
def polars() -> Iterator[PolarsExpr]:
    with PolarsExpr() as loaded:
        yield loaded


def test_groups_in_any_order_hardly_pass_for_groups_in_order(polars: PolarsExpr) -> None:
    verdicts = [check(polars, GROUPS, in_order(), Limits()) for _ in range(TIMES)]
    assert {v.outcome for v in verdicts} <= {Outcome.PASSED, Outcome.WRONG_ANSWER}
    assert sum(v.passed for v in verdicts) < 12  # 2 are expected, 32 if one run decided
    again = [v.message for v in verdicts if v.message.startswith("right once and not again: ")]
    assert again and "order" in again[0]


@pytest.mark.parametrize(("code", "tests"), [
    (GROUPS, IN_ANY_ORDER),
    (f"{GROUPS}.sort('v')", in_order()),
    ("df.group_by('k', maintain_order=True).agg(pl.col('v').sum())", in_order()),
])  # fmt: skip
def test_what_is_right_is_right_every_time(polars: PolarsExpr, code: str, tests: tuple[TestCase, ...]) -> None:
    assert all(check(polars, code, tests, Limits()).passed for _ in range(8))


@pytest.mark.parametrize(("code", "lucky"), [
    (GROUPS, True), ("df.unique('k').head(1)", True), ("df.join(df, on='k')", True),
    (f"{GROUPS}.sort('v').head(1)", False), ("df.filter(pl.col('v') > 1)", False), ("df.sort('v').unique('k')", True),
    ("df.select('group_by_name')", False),
])  # fmt: skip
def test_only_what_comes_in_any_order_is_run_again(polars: PolarsExpr, code: str, lucky: bool) -> None:
    assert polars.lucky(code) is lucky
