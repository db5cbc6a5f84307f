"""A form as SQL of PostgreSQL."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from decimal import Decimal

from bootstrap.generate.nl_to_postgres.forms import (
    Agg,
    Between,
    Call,
    Case,
    Col,
    Either,
    Expr,
    Is,
    Key,
    Like,
    Lit,
    Missing,
    OneOf,
    Pred,
    Query,
    SetQuery,
    Source,
    Statement,
    Test,
    Win,
    Within,
)
from bootstrap.generate.nl_to_postgres.functions import AGGREGATES, FUNCTIONS
from interpreters.base import Value

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_WORDS = """
    all analyse analyze and any array as asc asymmetric authorization between binary both case cast check collate
    collation column concurrently constraint create cross current_catalog current_date current_role current_schema
    current_time current_timestamp current_user default deferrable desc distinct do else end except false fetch for
    foreign freeze from full grant group having ilike in initially inner intersect into is isnull join lateral leading
    left like limit localtime localtimestamp natural not notnull null offset on only or order outer overlaps placing
    primary references returning right select session_user similar some symmetric system_user table tablesample then to
    trailing true union unique user using variadic verbose when where window with interval values row time timestamp
    char character precision position substring overlay trim extract coalesce greatest least nullif exists between
    bit boolean dec decimal float int integer national nchar none numeric out real setof smallint treat varchar
    json json_array json_object xmlparse normalize grouping inout merge_action bigint"""
RESERVED = frozenset(_WORDS.split())
"""Words that are quoted as names: those that the grammar reserves, wholly or in some places."""

Naming = Callable[[str], str]


def quoted(name: str) -> str:
    """Return a name as SQL has it, in quotes where it needs them."""
    if _PLAIN.fullmatch(name) and name not in RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


def literal(value: Value) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, dt.datetime):
        return f"TIMESTAMP '{value.isoformat(sep=' ')}'"
    if isinstance(value, dt.date):
        return f"DATE '{value.isoformat()}'"
    return "'" + str(value).replace("'", "''") + "'"


def render(form: Statement, naming: Naming = quoted) -> str:
    """Return the SQL of a form; `naming` says how a table is written."""
    if isinstance(form, SetQuery):
        order = f"\nORDER BY {', '.join(str(i + 1) for i in form.order)}" if form.order else ""
        return f"{_Writer(form.left, naming).text()}\n{form.kind}\n{_Writer(form.right, naming).text()}{order}"
    return _Writer(form, naming).text()


class _Writer:
    """Writes one query. Columns carry their table's alias where there are several tables."""

    def __init__(self, query: Query, naming: Naming, names: Mapping[str, str] | None = None) -> None:
        self._query, self._naming = query, naming
        self._several = bool(query.joins)
        self._named = {**(names or {}), **{name: quoted(name) for name, _ in query.ctes}}

    def text(self) -> str:
        q = self._query
        shown = ", ".join(self._output(output.name, output.expr) for output in q.outputs)
        lines = [f"SELECT {'DISTINCT ' if q.distinct else ''}{shown}", f"FROM {self._source(q.source)}"]
        for join in q.joins:
            pairs = zip(join.left, join.right, strict=True)
            on = " AND ".join(f"{self.expr(left)} = {self.expr(right)}" for left, right in pairs)
            lines.append(f"{'LEFT JOIN' if join.kind == 'left' else 'JOIN'} {self._source(join.source)} ON {on}")
        if q.where:
            lines.append(f"WHERE {self._all(q.where)}")
        if q.group:
            lines.append(f"GROUP BY {', '.join(map(self.expr, q.group))}")
        if q.having:
            lines.append(f"HAVING {self._all(q.having)}")
        if q.order:
            lines.append(f"ORDER BY {', '.join(map(self._key, q.order))}")
        if q.limit is not None:
            lines.append(f"LIMIT {q.limit}")
        return self._with() + "\n".join(lines)

    def _with(self) -> str:
        if not self._query.ctes:
            return ""
        parts = []
        for name, form in self._query.ctes:
            inner = (
                _Writer(form, self._naming, self._named).text()
                if isinstance(form, Query)
                else render(form, self._naming)
            )
            parts.append(f"{quoted(name)} AS (\n  " + inner.replace("\n", "\n  ") + "\n)")
        return "WITH " + ", ".join(parts) + "\n"

    def _source(self, source: Source) -> str:
        table = self._named.get(source.table) or self._naming(source.table)
        return f"{table} AS {quoted(source.alias)}" if self._several else table

    def _output(self, name: str, expr: Expr) -> str:
        text = self.expr(expr)
        same = isinstance(expr, Col) and expr.column == name
        return text if same else f"{text} AS {quoted(name)}"

    def _key(self, key: Key) -> str:
        nulls = " NULLS LAST" if key.nullable else ""
        return f"{self.expr(key.expr)}{' DESC' if key.descending else ''}{nulls}"

    def _all(self, preds: tuple[Pred, ...]) -> str:
        return " AND ".join(f"({self.pred(p)})" if isinstance(p, Either) else self.pred(p) for p in preds)

    # -- expressions ----------------------------------------------------------------------------------------------

    def expr(self, expr: Expr) -> str:
        if isinstance(expr, Col):
            prefix = f"{quoted(expr.source)}." if self._several else ""
            return prefix + quoted(expr.column)
        if isinstance(expr, Lit):
            return literal(expr.value)
        if isinstance(expr, Call):
            return FUNCTIONS[expr.function].sql.format(*map(self.expr, expr.args))
        if isinstance(expr, Case):
            whens = " ".join(f"WHEN {self.pred(pred)} THEN {self.expr(value)}" for pred, value in expr.branches)
            return f"CASE {whens} ELSE {self.expr(expr.default)} END"
        if isinstance(expr, Agg):
            text = "COUNT(*)" if expr.arg is None else AGGREGATES[expr.function].sql.format(self.expr(expr.arg))
            return f"{text} FILTER (WHERE {self._all(expr.where)})" if expr.where else text
        if isinstance(expr, Win):
            return self._window(expr)
        return f"({_Writer(expr.query, self._naming, self._named).text()})".replace("\n", " ")

    def _window(self, win: Win) -> str:
        arg = self.expr(win.arg) if win.arg is not None else "*" if win.function == "count" else ""
        parts = [f"PARTITION BY {', '.join(map(self.expr, win.partition))}"] if win.partition else []
        parts += [f"ORDER BY {', '.join(map(self._key, win.order))}"] if win.order else []
        return f"{win.function.upper()}({arg}) OVER ({' '.join(parts)})"

    # -- conditions -----------------------------------------------------------------------------------------------

    def pred(self, pred: Pred) -> str:
        if isinstance(pred, Test):
            return f"{self.expr(pred.left)} {pred.op} {self.expr(pred.right)}"
        if isinstance(pred, Either):
            return " OR ".join(map(self.pred, pred.preds))
        value = self.expr(pred.expr)
        if isinstance(pred, Between):
            return f"{value} BETWEEN {literal(pred.low.value)} AND {literal(pred.high.value)}"
        if isinstance(pred, OneOf):
            listed = ", ".join(literal(one.value) for one in pred.values)
            return f"{value} {'NOT ' if pred.negated else ''}IN ({listed})"
        if isinstance(pred, Missing):
            return f"{value} IS {'NOT ' if pred.negated else ''}NULL"
        if isinstance(pred, Is):
            return value if pred.wanted else f"NOT {value}"
        if isinstance(pred, Like):
            return f"{value} LIKE {literal(_pattern(pred))}"
        return self._within(pred, value)

    def _within(self, pred: Within, value: str) -> str:
        negated = "NOT " if pred.negated else ""
        if pred.style == "in":
            inner = _Writer(pred.query, self._naming, self._named).text().replace("\n", " ")
            return f"{value} {negated}IN ({inner})"
        inner_query = pred.query
        [output] = inner_query.outputs
        table = self._naming(inner_query.source.table)
        alias = quoted(inner_query.source.alias)
        writer = _Writer(inner_query, self._naming, self._named)
        writer._several = True
        outer = value if self._several else f"{self._source(self._query.source)}.{value}"
        rest = f" AND {writer._all(inner_query.where)}" if inner_query.where else ""
        return f"{negated}EXISTS (SELECT 1 FROM {table} AS {alias} WHERE {writer.expr(output.expr)} = {outer}{rest})"


def _pattern(like: Like) -> str:
    text = re.sub(r"([\\%_])", r"\\\1", like.text)
    return {"contains": f"%{text}%", "starts": f"{text}%", "ends": f"%{text}"}[like.kind]
