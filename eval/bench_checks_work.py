"""What is checked: problems of two sizes, with candidates in each language of which half are right.

trivial  one test of 5 rows, one simple expression
medium   five tests, each with two tables of 1,000 rows: filter, join, group by, sort
puzzle   for q alone: a function, five tests, each a call with 12 integers and 30 characters

As in a run, `SAMPLES` candidates of one problem come one after the other, then those of the next. There are more
problems than any interpreter keeps the tables of, so that each problem's tables are loaded anew in every cycle.
"""

from __future__ import annotations

import functools
import itertools
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from interpreters.base import Column, ColumnType, Table, TestCase

Size = Literal["trivial", "medium", "puzzle"]

SIZES: tuple[Size, ...] = ("trivial", "medium")  # of every language
MORE_SIZES: Mapping[str, tuple[Size, ...]] = {"q": ("puzzle",)}
SAMPLES = 8  # candidates per problem
PROBLEMS = 20  # interpreters keep 16 or fewer
DATA_SETS = {"trivial": 1, "medium": 5, "puzzle": 5}
ROWS = {"trivial": 5, "medium": 1000}


@dataclass(frozen=True)
class Texts:
    """Candidates of one language and size; `{n}` and `{x}` are the problem's own constants."""

    right: str
    also_right: str
    wrong: str
    failing: str


_SQL = {
    "trivial": Texts(
        "SELECT k * {n} AS y FROM t", "SELECT {n} * k AS y FROM t", "SELECT k + {n} AS y FROM t", "SELECT j FROM t"
    ),
    "medium": Texts(
        "SELECT g, sum(w) AS w FROM t JOIN u USING (k) WHERE x > {x} GROUP BY g ORDER BY g",
        "SELECT t.g, sum(u.w) AS w FROM (SELECT * FROM t WHERE x > {x}) AS t, u WHERE t.k = u.k GROUP BY 1 ORDER BY 1",
        "SELECT g, max(w) AS w FROM t JOIN u USING (k) WHERE x > {x} GROUP BY g ORDER BY g",
        "SELECT g, sum(v) AS w FROM t JOIN u USING (k) WHERE x > {x} GROUP BY g ORDER BY g",
    ),
}
TEXTS: Mapping[str, Mapping[str, Texts]] = {
    "polars": {
        "trivial": Texts(
            "t.select(y=pl.col('k') * {n})", "t.select((pl.col('k') * {n}).alias('y'))",
            "t.select(y=pl.col('k') + {n})", "t.select(y=pl.col('j') * {n})",
        ),
        "medium": Texts(
            "t.filter(pl.col('x') > {x}).join(u, on='k').group_by('g').agg(pl.col('w').sum()).sort('g')",
            "t.lazy().join(u.lazy(), on='k').filter(pl.col('x') > {x}).group_by('g').agg(pl.sum('w')).sort('g')",
            "t.filter(pl.col('x') > {x}).join(u, on='k').group_by('g').agg(pl.col('w').max()).sort('g')",
            "t.filter(pl.col('x') > {x}).join(u, on='k').group_by('g').agg(pl.col('v').sum()).sort('g')",
        ),
    },
    "duckdb": _SQL,
    "postgres": _SQL,
    "ibis": {
        "trivial": Texts("t.select(y=t.k * {n})", "t.select(y={n} * t.k)", "t.select(y=t.k + {n})", "t.select(y=t.j)"),
        "medium": Texts(
            "t.filter(t.x > {x}).join(u, 'k').group_by('g').agg(w=_.w.sum()).order_by('g')",
            "t.join(u, 'k').filter(_.x > {x}).group_by('g').aggregate(w=_.w.sum()).order_by(_.g)",
            "t.filter(t.x > {x}).join(u, 'k').group_by('g').agg(w=_.w.max()).order_by('g')",
            "t.filter(t.x > {x}).join(u, 'k').group_by('g').agg(w=_.v.sum()).order_by('g')",
        ),
    },
    "q": {
        "trivial": Texts("select y:k*{n} from t", "([] y:{n}*t`k)", "select y:k+{n} from t", "select y:j from t"),
        "medium": Texts(
            "0!select sum w by g from (ej[`k;t;u]) where x>{x}",
            "r:u ij 1!select k,g from t where x>{x}\n`g xasc 0!select sum w by g from r",
            "0!select max w by g from (ej[`k;t;u]) where x>{x}",
            "0!select sum v by g from (ej[`k;t;u]) where x>{x}",
        ),
        "puzzle": Texts(
            "digits:{{sum \"J\"$'string x}}\nf:{{[xs;s] (count distinct s)+sum xs where 0=(digits each xs) mod {n}}}",
            "f:{{[xs;s] r:0; i:0;\n  while[i<count xs; d:0; y:xs i; while[y>0; d+:y mod 10; y:y div 10];\n"
            "    if[0=d mod {n}; r+:xs i]; i+:1];\n  r+count group s}}",
            "f:{{[xs;s] (count s)+sum xs where 0=({{sum \"J\"$'string x}} each xs) mod {n}}}",
            "f:{{[xs;s] (count distinct s)+sum ys where 0=xs mod {n}}}",
        ),
    },
}  # fmt: skip
# The right ones and those that fail at once cost different amounts, so they are mixed in the same way for all sides.
_ORDER = ("right", "wrong", "also_right", "wrong", "right", "failing", "also_right", "wrong")


@dataclass(frozen=True)
class Check:
    """One candidate of a problem, and whether it is right."""

    size: Size
    code: str
    tests: Sequence[TestCase]
    is_right: bool


def sizes_of(language: str) -> tuple[Size, ...]:
    return (*SIZES, *MORE_SIZES.get(language, ()))


def checks(language: str, size: Size, problems: int = PROBLEMS) -> Iterator[Check]:
    """Return an endless series of checks, problem after problem, over the first so many problems."""
    return itertools.cycle(_checks(language, size)[: problems * SAMPLES])


@functools.cache
def _checks(language: str, size: Size) -> list[Check]:
    texts, data = TEXTS[language][size], data_sets(size)
    made = []
    for number in range(PROBLEMS):
        tests = tests_of(size, number, data)
        for kind in _ORDER:
            code = getattr(texts, kind).format(n=number + 2, x=_threshold(number))
            made.append(Check(size, code, tests, "right" in kind))
    return made


def data_sets(size: Size) -> list[dict[str, Table]]:
    """Return the input tables of each test. They are the same for all problems of the size, whose constants differ."""
    rng = random.Random(11)
    if size == "puzzle":
        return [{"f": _call(rng)} for _ in range(DATA_SETS[size])]
    data = [{"t": _keyed(ROWS[size], rng)} for _ in range(DATA_SETS[size])]
    if size == "medium":
        for tables in data:
            tables["u"] = _weights(ROWS[size], rng)
    return data


def _call(rng: random.Random) -> Table:
    columns = (Column("xs", ColumnType.LIST), Column("s", ColumnType.STRING))
    numbers = [rng.randrange(10_000) for _ in range(12)]
    return Table(columns, (([*numbers], "".join(rng.choices("abcdefghij ", k=30))),))


def _keyed(rows: int, rng: random.Random) -> Table:
    columns = (Column("k", ColumnType.INT), Column("g", ColumnType.STRING), Column("x", ColumnType.FLOAT))
    return Table(columns, tuple((k, rng.choice("abcdef"), rng.random()) for k in range(rows)))


def _weights(rows: int, rng: random.Random) -> Table:
    columns = (Column("k", ColumnType.INT), Column("w", ColumnType.INT))
    return Table(columns, tuple((rng.randrange(rows), rng.randrange(100)) for _ in range(rows)))


def _threshold(number: int) -> float:
    return 0.2 + number / 100


def tests_of(size: Size, number: int, data: Sequence[Mapping[str, Table]]) -> list[TestCase]:
    """Return the tests of a problem; its tables are known by identity, so they are mappings of its own."""
    if size == "puzzle":
        return [TestCase(dict(tables), _picked(tables["f"], number + 2), match_names=False) for tables in data]
    if size == "trivial":
        return [TestCase(dict(tables), _multiplied(tables["t"], number + 2)) for tables in data]
    return [TestCase(dict(tables), _summed(tables, _threshold(number)), ("g",)) for tables in data]


def _picked(call: Table, divisor: int) -> Table:
    xs, s = cast("tuple[list[int], str]", call.rows[0])
    total = sum(x for x in xs if sum(map(int, str(x))) % divisor == 0)
    return Table((Column("result", ColumnType.INT),), ((total + len(set(s)),),))


def _multiplied(t: Table, factor: int) -> Table:
    rows = cast("Sequence[tuple[int, str, float]]", t.rows)
    return Table((Column("y", ColumnType.INT),), tuple((k * factor,) for k, _, _ in rows))


def _summed(tables: Mapping[str, Table], threshold: float) -> Table:
    rows = cast("Sequence[tuple[int, str, float]]", tables["t"].rows)
    groups = {k: g for k, g, x in rows if x > threshold}
    sums: Counter[str] = Counter()
    for k, w in cast("Sequence[tuple[int, int]]", tables["u"].rows):
        if k in groups:
            sums[groups[k]] += w
    columns = (Column("g", ColumnType.STRING), Column("w", ColumnType.INT))
    return Table(columns, tuple(sorted(sums.items())))
