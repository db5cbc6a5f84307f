"""A query as one SELECT of DuckDB, rendered on its own from the form: names are replaced by what they stand for, so
that it shares nothing with the chain of Polars but the form."""

from __future__ import annotations

import datetime as dt

from bootstrap.export.literals import quoted
from bootstrap.generate.nl_to_polars.forms import (
    Aggregate,
    AnyOf,
    Arithmetic,
    Between,
    Call,
    Case,
    Col,
    Compare,
    Condition,
    Expr,
    Filled,
    Missing,
    Named,
    OneOf,
    Order,
    Query,
    TextTest,
    Window,
)
from bootstrap.generate.nl_to_polars.functions import AGGREGATES, FUNCTIONS
from interpreters.base import Value

SIGNS = {"==": "=", "!=": "<>"}


def literal(value: Value) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, dt.datetime):
        return f"TIMESTAMP '{value.isoformat(sep=' ')}'"
    if isinstance(value, dt.date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(value, float):
        return f"CAST({value!r} AS DOUBLE)" if "e" in repr(value) else repr(value)
    return str(value)


class Select:
    """The SELECT of one query."""

    def __init__(self, query: Query) -> None:
        self.query = query

    # -- names ----------------------------------------------------------------------------------------------------

    def column(self, name: str) -> str:
        """Return the column of the input, with its table where there are two."""
        join = self.query.join
        if join is None or join.how in ("semi", "anti"):
            return quoted(name) if join is None else f"a.{quoted(name)}"
        right = {one.name for one in join.aggregates} | {one.name for one in join.columns}
        return f"{'b' if name in right else 'a'}.{quoted(name)}"

    def named(self, name: str) -> str:
        """Return what a name stands for."""
        found = self.query.definition(name)
        if found is None or (self.query.join and found in self.query.join.aggregates):
            return self.column(name)
        if isinstance(found.value, Aggregate):
            return self.aggregate(found.value)
        return self.window(found.value) if isinstance(found.value, Window) else self.expression(found.value)

    # -- expressions ----------------------------------------------------------------------------------------------

    def expression(self, part: Expr) -> str:
        match part:
            case Col(name):
                found = self.named(name)
                return (
                    found if (found.startswith('"') and found.count('"') == 2) or _is_wrapped(found) else f"({found})"
                )
            case Call(function, of, n, text):
                return FUNCTIONS[function].duckdb.format(self.expression(of), n=n, text=literal(text))
            case Arithmetic(sign, left, right):
                return f"({self.operand(left)} {sign} {self.operand(right)})"
            case Case(test, yes, no):
                return f"CASE WHEN {self.condition(test)} THEN {literal(yes)} ELSE {literal(no)} END"
            case Filled(of, value):
                return f"coalesce({self.expression(of)}, {literal(value)})"
        raise TypeError(f"no SQL for {part!r}")

    def operand(self, part: Expr | int | float) -> str:
        return literal(part) if isinstance(part, int | float) else self.expression(part)

    def condition(self, part: Condition) -> str:
        match part:
            case Compare(sign, left, right):
                other = self.expression(right) if isinstance(right, Col) else literal(right)
                return f"{self.expression(left)} {SIGNS.get(sign, sign)} {other}"
            case Missing(of, missing):
                return f"{self.expression(of)} IS {'' if missing else 'NOT '}NULL"
            case OneOf(of, values, inside):
                return f"{self.expression(of)} {'' if inside else 'NOT '}IN ({', '.join(map(literal, values))})"
            case Between(of, low, high):
                return f"{self.expression(of)} BETWEEN {literal(low)} AND {literal(high)}"
            case TextTest(how, of, text, any_case):
                function = {"contains": "contains", "starts": "starts_with", "ends": "ends_with"}[how]
                inner = f"lower({self.expression(of)})" if any_case else self.expression(of)
                return f"{function}({inner}, {literal(text)})"
            case AnyOf(conditions):
                return f"({' OR '.join(self.condition(one) for one in conditions)})"
        raise TypeError(f"no SQL for {part!r}")

    def aggregate(self, part: Aggregate) -> str:
        kept = f" FILTER (WHERE {self.condition(part.where)})" if part.where is not None else ""
        if part.of is None:
            return f"count(*){kept}"
        inner = self.expression(part.of)
        inner = inner[1:-1] if inner.startswith("(") and _is_wrapped(inner) else inner
        if part.how == "quantile":
            code = f"quantile_cont({inner}, {part.q}){kept}"
        elif part.how == "share":
            code = f"avg(CAST({inner} AS INTEGER)){kept}"
        else:
            code = AGGREGATES[part.how][1].format(inner) + kept
        if part.how == "sum":
            code = f"coalesce({code}, 0)"
        return f"round({code}, {part.digits})" if part.digits is not None else code

    def window(self, part: Window) -> str:
        inner = self.expression(part.of)
        by = f"PARTITION BY {', '.join(self.named(name) for name in part.by)}" if part.by else ""
        order = f"ORDER BY {self.named(part.order)}" if part.order else ""
        down = f"ORDER BY {inner}{' DESC' if part.descending else ''}"
        over, ordered = f"OVER ({by})", f"OVER ({f'{by} {order}'.strip()})"
        match part.how:
            case "share":
                return f"{inner} / sum({inner}) {over}"
            case "gap":
                return f"{inner} - avg({inner}) {over}"
            case "group_mean":
                return f"avg({inner}) {over}"
            case "rank" | "dense_rank":
                return f"{part.how}() OVER ({f'{by} {down}'.strip()})"
            case "running":
                return f"sum({inner}) {ordered[:-1]} ROWS UNBOUNDED PRECEDING)"
            case "before":
                return f"lag({inner}) {ordered}"
            case "change":
                return f"{inner} - lag({inner}) {ordered}"
            case "rolling":
                frame = f"{ordered[:-1]} ROWS BETWEEN {part.n - 1} PRECEDING AND CURRENT ROW)"
                return f"CASE WHEN count(*) {frame} = {part.n} THEN avg({inner}) {frame} END"
        raise TypeError(f"no SQL for {part!r}")

    # -- clauses --------------------------------------------------------------------------------------------------

    def item(self, name: str) -> str:
        code = self.named(name)
        return code if code == quoted(name) else f"{code} AS {quoted(name)}"

    def source(self) -> str:
        join = self.query.join
        if join is None:
            return quoted(self.query.table)
        left = f"{quoted(self.query.table)} AS a"
        on = f"a.{quoted(join.left)} = b.{quoted(join.right)}"
        if join.how in ("semi", "anti"):
            return f"{left} {join.how.upper()} JOIN {quoted(join.table)} AS b ON {on}"
        right = quoted(join.table)
        if join.aggregates:
            plain = Select(Query(self.query.table, ()))
            items = [quoted(join.right), *(_aggregate_item(plain, one) for one in join.aggregates)]
            right = f"(SELECT {', '.join(items)} FROM {quoted(self.query.table)} GROUP BY {quoted(join.right)})"
        return f"{left} {'LEFT JOIN' if join.how == 'left' else 'JOIN'} {right} AS b ON {on}"

    def order(self, one: Order) -> str:
        if self.query.distinct or self.query.definition(one.name):
            return f"{quoted(one.name)}{' DESC' if one.descending else ''} NULLS LAST"
        return f"{self.column(one.name)}{' DESC' if one.descending else ''} NULLS LAST"

    def render(self) -> str:
        query = self.query
        lines = [f"SELECT {'DISTINCT ' if query.distinct else ''}{', '.join(map(self.item, query.output))}"]
        lines.append(f"FROM {self.source()}")
        if query.where:
            lines.append(f"WHERE {' AND '.join(map(self.condition, query.where))}")
        if query.keys:
            lines.append(f"GROUP BY {', '.join(map(self.named, query.keys))}")
        if query.having:
            lines.append(f"HAVING {' AND '.join(map(self.condition, query.having))}")
        if query.keep:
            lines.append(f"QUALIFY {' AND '.join(map(self.condition, query.keep))}")
        if query.order:
            lines.append(f"ORDER BY {', '.join(map(self.order, query.order))}")
        if query.limit is not None:
            lines.append(f"LIMIT {query.limit}")
        return "\n".join(lines)


def _aggregate_item(select: Select, one: Named) -> str:
    if not isinstance(one.value, Aggregate):
        raise TypeError(f"only aggregates are joined: {one!r}")
    return f"{select.aggregate(one.value)} AS {quoted(one.name)}"


def _is_wrapped(code: str) -> bool:
    """Say whether one pair of parentheses is around all of it, or one call is all of it; quotation marks make it
    unsure, which is no."""
    body = code[code.find("(") :]
    if "'" in code or not body.endswith(")") or not (code.startswith("(") or code[: code.find("(")].isidentifier()):
        return False
    depth = 0
    for i, sign in enumerate(body):
        depth += (sign == "(") - (sign == ")")
        if depth == 0:
            return i == len(body) - 1
    return False


def render(query: Query) -> str:
    """Return the whole query."""
    return Select(query).render()
