"""Longer pairs from simple ones: the result of a template as CTE, derived table or variable, and further steps on it.

The inner query's own columns, names and types decide which steps make sense: a filter needs a number or a text that
its result holds, a group needs something to group by. The constants are drawn from the inner result on the first data
set, so that the steps meet rows.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import duckdb

from bootstrap.generate.sql_to_ibis.domains import LINKS, ROLES, Domain
from bootstrap.generate.sql_to_ibis.expansion import Candidate, candidates_of
from bootstrap.generate.sql_to_ibis.fixtures import Pools
from bootstrap.generate.sql_to_ibis.layout import laid_out_ibis, laid_out_sql
from bootstrap.generate.sql_to_ibis.names import member, slug, sql_name, text
from bootstrap.generate.sql_to_ibis.scope import spelled
from bootstrap.generate.sql_to_ibis.template_files import ReadyTemplate
from interpreters.base import ColumnType, Table, Value

NUMBERS = (ColumnType.INT, ColumnType.FLOAT)
_GROUPABLE = (ColumnType.STRING, ColumnType.BOOL, ColumnType.DATE)
_ORDINALS = frozenset({"rn", "place", "tile", "part", "slot", "bin", "year", "month"})
_MOST_COLUMNS = 5
"""Of an inner result: nobody sorts or groups by the columns of SELECT * one by one."""


@dataclass(frozen=True)
class Layer:
    """A step over a table called `base`: clauses of SQL, and calls of Ibis."""

    name: str
    select: str
    rest: str
    calls: str


@dataclass(frozen=True)
class Inner:
    """What an inner query gave on the first data set. `links`: names of columns that are no measures."""

    table: Table
    links: frozenset[str]

    def columns(self, kinds: Sequence[ColumnType]) -> list[str]:
        return [one.name for one in self.table.columns if one.type in kinds and one.name not in self.links]

    def measures(self) -> list[str]:
        """Return the columns that can be added up: no places and parts, and nothing below zero."""
        names = [name for name in self.columns(NUMBERS) if name not in _ORDINALS]
        return [name for name in names if min(self.values(name), default=0) >= 0]  # type: ignore[type-var, operator]  # numbers

    def repeated(self, kinds: Sequence[ColumnType]) -> list[str]:
        """Return the columns in which a value comes twice: what is worth grouping by."""
        return [name for name in self.columns(kinds) if len(set(self.values(name))) < len(self.values(name))]

    def values(self, name: str) -> list[Value]:
        position = self.table.names.index(name)
        return [row[position] for row in self.table.rows if row[position] is not None]


Maker = Callable[[Inner, random.Random], Layer | None]


def compositions_of(
    templates: Sequence[ReadyTemplate], domain: Domain, pools: Pools, rng: random.Random, wanted: int,
    run: Callable[[str], Table],
) -> Iterator[Candidate]:  # fmt: skip
    """Yield up to `wanted` candidates. `run` gives a query's rows on the first data set."""
    usable = [ready for ready in templates if ready.template.composable]
    seen: set[str] = set()
    for _ in range(6 * wanted):
        if len(seen) == wanted or not usable:
            return
        ready = rng.choice(usable)
        inner = next(candidates_of(ready, domain, pools, rng.randrange(2**32), 1, "compose"), None)
        made = _composed(inner, _links(domain), run, rng) if inner is not None else None
        if made is not None and made.sql not in seen:
            seen.add(made.sql)
            yield made


def _links(domain: Domain) -> frozenset[str]:
    """Return the columns that are keys or lead to them: nobody adds them up."""
    return frozenset({"id", *(domain.link(role, link) for role in ROLES for link in LINKS[role])})


def _composed(
    inner: Candidate, links: frozenset[str], run: Callable[[str], Table], rng: random.Random
) -> Candidate | None:  # fmt: skip
    """Put one step on a candidate, None where its result is not fit for any."""
    if "order by" in inner.features and "limit" not in inner.features:
        return None  # an order inside says nothing
    try:
        result = run(inner.sql)
    except duckdb.Error:
        return None  # a fault of the template, which its own expansion reports
    if not _fit(result):
        return None
    makers = list(LAYERS)
    rng.shuffle(makers)
    steps = Inner(result, links)
    layer = next((layer for maker in makers if (layer := maker(steps, rng)) is not None), None)
    if layer is None:
        return None
    return replace(
        inner,
        group=f"composed_{layer.name}",
        sql=_sql(inner.sql, layer, rng),
        ibis=_ibis(inner.ibis, layer, rng),
        features=(*inner.features, "composition", layer.name),
        difficulty=min(inner.difficulty + 1, 5),
        params={**inner.params, "inner": inner.group},
    )


def _fit(result: Table) -> bool:
    names = {name.lower() for name in result.names}
    return 1 < len(result.columns) <= _MOST_COLUMNS and len(names) == len(result.columns) and len(result.rows) > 1


def _sql(inner: str, layer: Layer, rng: random.Random) -> str:
    name = rng.choice(("base", "picked", "step_1"))
    if inner.startswith("WITH ") or rng.random() < 0.3:
        query = f"SELECT {layer.select} FROM ({' '.join(inner.split())}) AS {name} {layer.rest}"
        return laid_out_sql(query)
    return f"WITH {name} AS (\n{_indented(laid_out_sql(inner))}\n)\n" + laid_out_sql(
        f"SELECT {layer.select} FROM {name} {layer.rest}"
    )


def _ibis(inner: str, layer: Layer, rng: random.Random) -> str:
    """Follow a single expression up with further calls, or give it a name first."""
    body = ast.parse(inner).body
    if len(body) == 1 and isinstance(body[0], ast.Expr):
        chain = isinstance(body[0].value, ast.Call | ast.Name)
        if chain and rng.random() < 0.6:
            return laid_out_ibis(_one_line(inner) + layer.calls)
        return f"base = {inner}\nresult = {laid_out_ibis(f'base{layer.calls}')}"
    head, _, last = inner.rpartition("result = ")
    return f"{head}base = {last}\nresult = {laid_out_ibis(f'base{layer.calls}')}"


def _one_line(code: str) -> str:
    """Return a chain without the outer parentheses and the lines that a layout has given it."""
    if not (code.startswith("(\n") and code.endswith("\n)")):
        return code
    lines = [line.strip() for line in code.splitlines()[1:-1]]
    return "".join(line if line.startswith((".", ")", "]")) else f" {line}" for line in lines).strip()


def _indented(code: str) -> str:
    return "\n".join(f"    {line}" for line in code.splitlines())


# -- steps --------------------------------------------------------------------------------------------------------


def _everything(table: Table, first: str, descending: bool) -> tuple[str, str]:
    """Return sort keys for SQL and Ibis that leave no two different rows in a tie."""
    others = [column.name for column in table.columns if column.name != first]
    sql = ", ".join([f"{sql_name(first)}{' DESC' if descending else ''}", *map(sql_name, others)])
    ibis = ", ".join([f"ibis.desc({text(first)})" if descending else text(first), *map(text, others)])
    return sql, ibis


def _filter(inner: Inner, rng: random.Random) -> Layer | None:
    names = inner.columns((*NUMBERS, ColumnType.STRING))
    if not names:
        return None
    name = rng.choice(names)
    values = sorted(set(inner.values(name)))  # type: ignore[type-var]  # one type
    if len(values) < 2:
        return None
    if isinstance(values[0], str):
        operator, code, value = *rng.choice((("=", "=="), ("<>", "!="))), rng.choice(values)
    else:
        operator, code = rng.choice(((">", ">"), ("<=", "<="), ("<", "<"), (">=", ">=")))
        value = values[len(values) // 2]
    if isinstance(value, float):
        value = round(value, 2)
    constant = spelled(value)
    return Layer(
        "filter", "*", f"WHERE {sql_name(name)} {operator} {constant.sql}",
        f".filter(_{member(name)} {code} {constant.ibis})",
    )  # fmt: skip


def _aggregate(inner: Inner, rng: random.Random) -> Layer | None:
    keys, numbers = inner.repeated(_GROUPABLE), inner.measures()
    if not keys or not numbers:
        return None
    key, number = rng.choice(keys), rng.choice(numbers)
    function, method = rng.choice((("SUM", "sum"), ("AVG", "mean"), ("MIN", "min"), ("MAX", "max")))
    alias = f"{function.lower()}_{slug(number)}"
    if alias == slug(key):
        return None
    return Layer(
        "aggregate", f"{sql_name(key)}, {function}({sql_name(number)}) AS {alias}, COUNT(*) AS num_rows",
        f"GROUP BY {sql_name(key)}",
        f".group_by({text(key)}).agg({alias}=_{member(number)}.{method}(), num_rows=_.count())",
    )  # fmt: skip


def _top(inner: Inner, rng: random.Random) -> Layer | None:
    names = inner.columns(NUMBERS)
    if not names or len(inner.table.columns) > 4:
        return None
    descending, limit = rng.random() < 0.7, rng.randint(2, 4)
    sql, code = _everything(inner.table, rng.choice(names), descending)
    return Layer("top", "*", f"ORDER BY {sql} LIMIT {limit}", f".order_by({code}).limit({limit})")


def _count(inner: Inner, rng: random.Random) -> Layer | None:
    keys = inner.repeated(_GROUPABLE)
    if not keys:
        return None
    key = rng.choice(keys)
    return Layer(
        "count", f"{sql_name(key)}, COUNT(*) AS num_rows",
        f"GROUP BY {sql_name(key)} HAVING COUNT(*) > 1 ORDER BY num_rows DESC, {sql_name(key)}",
        f".group_by({text(key)}).agg(num_rows=_.count()).filter(_.num_rows > 1)"
        f'.order_by(ibis.desc("num_rows"), {text(key)})',
    )  # fmt: skip


def _share(inner: Inner, rng: random.Random) -> Layer | None:
    names = inner.measures()
    if not names or "share" in inner.table.names:
        return None
    name = rng.choice(names)
    return Layer(
        "share", f"*, {sql_name(name)} / SUM({sql_name(name)}) OVER () AS share", "",
        f".mutate(share=_{member(name)} / _{member(name)}.sum())",
    )  # fmt: skip


def _above_average(inner: Inner, rng: random.Random) -> Layer | None:
    names = inner.columns(NUMBERS)
    if not names:
        return None
    name = rng.choice(names)
    return Layer(
        "above_average", "*", f"QUALIFY {sql_name(name)} > AVG({sql_name(name)}) OVER ()",
        f".filter(_{member(name)} > _{member(name)}.mean())",
    )  # fmt: skip


def _rank(inner: Inner, rng: random.Random) -> Layer | None:
    keys, numbers = inner.repeated((ColumnType.STRING,)), inner.columns(NUMBERS)
    if not keys or not numbers or "place" in inner.table.names:
        return None
    key, number = rng.choice(keys), rng.choice(numbers)
    return Layer(
        "rank", f"*, RANK() OVER (PARTITION BY {sql_name(key)} ORDER BY {sql_name(number)} DESC) AS place", "",
        f".mutate(place=ibis.rank().over(group_by={text(key)}, order_by=ibis.desc({text(number)})) + 1)",
    )  # fmt: skip


def _distinct(inner: Inner, rng: random.Random) -> Layer | None:
    keys = inner.repeated(_GROUPABLE)
    if not keys:
        return None
    name = rng.choice(keys)
    return Layer(
        "distinct", f"DISTINCT {sql_name(name)}", f"WHERE {sql_name(name)} IS NOT NULL",
        f".filter(_{member(name)}.notnull()).select({text(name)}).distinct()",
    )  # fmt: skip


LAYERS: tuple[Maker, ...] = (_filter, _aggregate, _top, _count, _share, _above_average, _rank, _distinct)
