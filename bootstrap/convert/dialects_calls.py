"""The walk over a query that applies the rules of values to each kind of expression, from the inside out."""

from __future__ import annotations

from collections.abc import Callable

from sqlglot import exp

from bootstrap.convert.dialects_build import as_kind, cast, piece
from bootstrap.convert.dialects_groups import Choices, any_of
from bootstrap.convert.dialects_kinds import (
    BOOL,
    CAST_KINDS,
    COMPARISONS,
    FLOAT,
    INT,
    NUMBERS,
    STRING,
    kind_of,
)
from bootstrap.convert.dialects_times import time_call, timed
from bootstrap.convert.dialects_values import Values
from interpreters.base import ColumnType

Rule = Callable[["Calls", exp.Expr], exp.Expr]


class Calls:
    """Rewrites a query for one target. `rules` collects what was applied, for statistics."""

    def __init__(self, source: str, target: str, choices: Choices) -> None:
        self.source, self.target, self.choices = source, target, choices
        self.loose = source == "sqlite"
        self.values = Values(target)
        self.rules: set[str] = set()

    def rewrite(self, node: exp.Expr) -> exp.Expr:
        """Rewrite the parts, then the whole. Returns what stands in its place now."""
        for child in list(node.iter_expressions()):
            self.rewrite(child)
        for classes, rule in _RULES[self.source]:
            if isinstance(node, classes):
                made = rule(self, node)
                if made is not node:
                    self.rules.add(rule.__name__.strip("_").replace("_", "-"))
                    made = _enclosed(made, node.parent)
                    if node.parent is not None:
                        node.replace(made)
                    node = made
        return node

    # -- contexts ----------------------------------------------------------------------------------------------------

    def _condition(self, node: exp.Expr) -> exp.Expr:
        self._set(node, "this", self.values.condition)
        return node

    def _both_conditions(self, node: exp.Expr) -> exp.Expr:
        self._set(node, "this", self.values.condition)
        self._set(node, "expression", self.values.condition)
        return node

    def _join(self, node: exp.Expr) -> exp.Expr:
        self._set(node, "on", self.values.condition)
        return node

    def _branch(self, node: exp.Expr) -> exp.Expr:
        whole = node.parent
        if not (isinstance(whole, exp.Case) and whole.this is not None):
            self._set(node, "this", self.values.condition)
        return node

    def _shown(self, node: exp.Expr) -> exp.Expr:
        """Write the conditions that a SELECT shows as 1 and 0."""
        for shown in list(node.expressions):
            self._replace(shown.unalias(), self.values.plain(shown.unalias()))
        return node

    def _is(self, node: exp.Expr) -> exp.Expr:
        if isinstance(node.expression, exp.Boolean):
            self._set(node, "this", self.values.condition)
        return node

    def _set(self, node: exp.Expr, part: str, rule: Callable[[exp.Expr], exp.Expr]) -> None:
        value = node.args.get(part)
        if isinstance(value, exp.Expr):
            self._replace(value, rule(value))

    def _replace(self, old: exp.Expr, new: exp.Expr) -> None:
        if new is not old:
            self.rules.add("classes")
            old.replace(new.copy() if new.parent is not None else new)

    # -- numbers -----------------------------------------------------------------------------------------------------

    def _numbers(self, node: exp.Expr) -> exp.Expr:
        if kind_of(node) is ColumnType.TIMESTAMP:  # a step of time, which our rules made
            return node
        self._set(node, "this", self.values.number)
        self._set(node, "expression", self.values.number)
        return node

    def _aggregate(self, node: exp.Expr) -> exp.Expr:
        given = node.this.expressions[0] if isinstance(node.this, exp.Distinct) else node.this
        if isinstance(given, exp.Expr) and not isinstance(given, exp.Star):
            extreme = isinstance(node, exp.Max | exp.Min)
            self._replace(given, self.values.plain(given) if extreme else self.values.number(given))
            if extreme and self.target == "postgres" and kind_of(node.this) is BOOL:
                name = "BOOL_OR" if isinstance(node, exp.Max) else "BOOL_AND"
                return piece(f"{name}(_x)", self.target, BOOL, x=node.this)
        return node

    def _any_value(self, node: exp.Expr) -> exp.Expr:
        """Choose the least value where PostgreSQL, before 16, has no way to choose any."""
        chosen = node.this if isinstance(node, exp.IgnoreNulls) else node
        inside = isinstance(node.parent, exp.IgnoreNulls)  # which is rewritten with it
        if self.target != "postgres" or not isinstance(chosen, exp.AnyValue) or inside:
            return node
        return any_of(chosen.this, self.target, "any")

    def _greatest(self, node: exp.Expr) -> exp.Expr:
        """Give NULL for any NULL among several values, which PostgreSQL passes over."""
        unsure = [one for one in (node.this, *node.expressions) if not isinstance(one, exp.Literal)]
        if self.target != "postgres" or not unsure:
            return node
        missing = exp.or_(*(exp.Is(this=one.copy(), expression=exp.Null()) for one in unsure))
        return as_kind(exp.Case().when(missing, exp.Null()).else_(node.copy()), kind_of(node))

    def _divide(self, node: exp.Expr) -> exp.Expr:
        """Divide integers as integers: DuckDB has // for it, and PostgreSQL's sum of bigints is no bigint."""
        if kind_of(node) is not INT or not (self.loose or node.args.get("typed")):
            return node
        left, right = node.this, node.expression
        if self.target == "postgres":
            self._replace(left, _whole(left))
            self._replace(right, _whole(right))
            return node
        zero = not (isinstance(right, exp.Literal) and float(right.name) != 0)
        divisor = exp.Nullif(this=right.copy(), expression=exp.Literal.number(0)) if zero else right.copy()
        return as_kind(exp.IntDiv(this=left.copy(), expression=divisor), INT)

    def _remainder(self, node: exp.Expr) -> exp.Expr:
        for side in (node.this, node.expression):
            if kind_of(side) in NUMBERS and kind_of(side) is not INT:
                self._replace(side, piece("CAST(TRUNC(_x) AS BIGINT)", self.target, INT, x=side))
        right = node.expression
        if not isinstance(right, exp.Literal) or float(right.name) == 0:
            right.replace(exp.Nullif(this=right.copy(), expression=exp.Literal.number(0)))
        return node

    def _round(self, node: exp.Expr) -> exp.Expr:
        """Round as decimals in PostgreSQL, where a double has no digits to round to and halves go to the even."""
        if self.loose:
            self._set(node, "this", self.values.number)
        digits, kind = node.args.get("decimals"), kind_of(node.this)
        if self.target != "postgres" or kind is INT or (not self.loose and digits is None):
            return node
        if not (isinstance(node.this, exp.Cast) and CAST_KINDS.get(node.this.to.this) is ColumnType.DECIMAL):
            self._replace(node.this, cast(node.this, "DECIMAL", ColumnType.DECIMAL))
        return node

    def _cast(self, node: exp.Expr) -> exp.Expr:
        """Convert as SQLite does: a text by what it starts with, a number to an integer by cutting it off."""
        wanted, kind = CAST_KINDS.get(node.args["to"].this), kind_of(node.this)
        if wanted is STRING and kind is not None:
            return self.values.text(node.this).copy() if kind is not STRING else cast(node.this, "TEXT", STRING)
        if wanted not in NUMBERS or kind is None:
            return node
        sql_type = "BIGINT" if wanted is INT else "DOUBLE" if wanted is FLOAT else node.args["to"].sql()
        given = node.this if isinstance(node.this, exp.TimeToStr) else self.values.number(node.this)
        if wanted is INT and kind_of(given) in NUMBERS and kind_of(given) is not INT:
            given = as_kind(exp.Trunc(this=given.copy()), FLOAT)
        return cast(given, sql_type, wanted)

    # -- comparisons -------------------------------------------------------------------------------------------------

    def _compare(self, node: exp.Expr) -> exp.Expr:
        collations = [side.expression.name.upper() for side in (node.this, node.expression) if _collated(side)]
        if collations and "NOCASE" in collations:
            node.set("this", self.values.no_case(node.this))
            node.set("expression", self.values.no_case(node.expression))
            return node
        return self.values.comparison(node)

    def _ordered(self, node: exp.Expr) -> exp.Expr:
        if _collated(node.this):
            nocase = node.this.expression.name.upper() == "NOCASE"
            self._replace(node.this, self.values.no_case(node.this) if nocase else node.this.this)
        return node

    def _order(self, node: exp.Expr) -> exp.Expr:
        """Forget sort keys that are one text for all rows."""
        keys = [key for key in node.expressions if not (isinstance(key.this, exp.Literal) and key.this.is_string)]
        if not keys and node.parent is not None:
            node.parent.set("order", None)
        node.set("expressions", keys)
        return node

    def _between(self, node: exp.Expr) -> exp.Expr:
        return self.values.between(node) if isinstance(node, exp.Between) else node

    def _in(self, node: exp.Expr) -> exp.Expr:
        return self.values.membership(node) if isinstance(node, exp.In) else node

    def _like(self, node: exp.Expr) -> exp.Expr:
        return self.values.like(node, cased=self.choices.cased) if isinstance(node, exp.Like) else node

    def _glob(self, node: exp.Expr) -> exp.Expr:
        return self.values.glob(node) if isinstance(node, exp.Glob) else node

    # -- texts, choices, queries -------------------------------------------------------------------------------------

    def _texts(self, node: exp.Expr) -> exp.Expr:
        for part in ("this", "expression", "replacement", "substr"):
            value = node.args.get(part)
            given = value.expressions[0] if isinstance(value, exp.Distinct) else value
            separator = isinstance(node, exp.GroupConcat) and part != "this"
            if isinstance(given, exp.Expr) and kind_of(given) is not None and not separator:
                self._replace(given, self.values.text(given))
        return node

    def _substring(self, node: exp.Expr) -> exp.Expr:
        """Count from the end, which PostgreSQL's substring does not."""
        self._texts(node)
        start, length = node.args.get("start"), node.args.get("length")
        if self.target != "postgres" or not isinstance(start, exp.Neg) or not isinstance(start.this, exp.Literal):
            return node
        tail = exp.Anonymous(this="RIGHT", expressions=[node.this.copy(), start.this.copy()])
        return as_kind(exp.Anonymous(this="LEFT", expressions=[tail, length.copy()]) if length else tail, STRING)

    def _choice(self, node: exp.Expr) -> exp.Expr:
        """Write the values of a choice as text where some are text and some numbers: others have one class."""
        values = _values_of(node)
        for value in values:
            self._replace(value, self.values.plain(value))
        values = _values_of(node)
        kinds = {kind_of(value) for value in values} - {ColumnType.NULL}
        if STRING in kinds and len(kinds) > 1 and None not in kinds:
            for value in values:
                self._replace(value, self.values.text(value))
        return node

    def _time(self, node: exp.Expr) -> exp.Expr:
        call = time_call(node)
        return node if call is None else timed(*call, self.target, swapped=self.choices.swapped)

    def _scalar(self, node: exp.Expr) -> exp.Expr:
        """Take the first row of a sub-query that stands for a value, which others refuse to choose."""
        if isinstance(node.parent, exp.From | exp.Join | exp.In | exp.Exists | exp.SetOperation | exp.Subquery | None):
            return node
        query = node.this
        if not isinstance(query, exp.Query) or query.args.get("limit") or isinstance(node.parent, exp.CTE):
            return node
        if isinstance(query, exp.Select) and not query.args.get("group") and query.find(exp.AggFunc):
            shown = query.expressions[0].unalias() if len(query.expressions) == 1 else None
            if isinstance(shown, exp.Expr) and shown.find(exp.AggFunc):
                return node
        query.set("limit", exp.Limit(expression=exp.Literal.number(1)))
        self.rules.add("first-row")
        return node

    def _limit(self, node: exp.Expr) -> exp.Expr:
        if isinstance(node.expression, exp.Neg) and node.parent is not None:
            node.parent.set("limit", None)  # of a negative number is none
        return node


def _enclosed(node: exp.Expr, parent: exp.Expr | None) -> exp.Expr:
    """Return what is put in the place of a call in parentheses where an operator stands beside it."""
    if isinstance(node, exp.Add | exp.Sub | exp.Mul | exp.Div) and isinstance(parent, exp.Binary | exp.Unary):
        return as_kind(exp.Paren(this=node), kind_of(node))
    return node


def _collated(node: exp.Expr) -> bool:
    return isinstance(node, exp.Collate)


def _whole(node: exp.Expr) -> exp.Expr:
    return cast(node, "BIGINT", INT) if node.find(exp.Sum) else node


def _values_of(node: exp.Expr) -> list[exp.Expr]:
    if isinstance(node, exp.Case):
        values = [branch.args.get("true") for branch in node.args["ifs"]] + [node.args.get("default")]
    elif isinstance(node, exp.If):
        values = [node.args.get("true"), node.args.get("false")]
    else:
        values = [node.this, *node.expressions]
    return [value for value in values if isinstance(value, exp.Expr)]


_Rules = tuple[tuple[type[exp.Expr] | tuple[type[exp.Expr], ...], Rule], ...]

_STRICT: _Rules = (
    ((exp.IgnoreNulls, exp.AnyValue), Calls._any_value),
    (exp.Div, Calls._divide),
    (exp.Round, Calls._round),
)
_COMPARING: _Rules = (
    (COMPARISONS, Calls._compare),
    (exp.Between, Calls._between),
    (exp.In, Calls._in),
)
_RULES: dict[str, _Rules] = {"duckdb": (*_COMPARING, *_STRICT), "postgres": _STRICT}
"""Source -> rules. DuckDB compares texts with numbers, as SQLite does."""
_LOOSE: _Rules = (
    ((exp.Anonymous, exp.TimeToStr, exp.Date, exp.TsOrDsToDate, exp.Datetime, exp.Time), Calls._time),
    ((exp.Where, exp.Having, exp.Not), Calls._condition),
    ((exp.And, exp.Or), Calls._both_conditions),
    (exp.Join, Calls._join),
    (exp.If, Calls._branch),
    (exp.Is, Calls._is),
    (exp.Select, Calls._shown),
    ((exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Neg), Calls._numbers),
    ((exp.Sum, exp.Avg, exp.Abs, exp.Max, exp.Min), Calls._aggregate),
    (exp.Mod, Calls._remainder),
    (exp.Cast, Calls._cast),
    *_COMPARING,
    (exp.Ordered, Calls._ordered),
    (exp.Order, Calls._order),
    (exp.Like, Calls._like),
    (exp.Glob, Calls._glob),
    (
        (exp.DPipe, exp.Upper, exp.Lower, exp.Trim, exp.Replace, exp.Length, exp.StrPosition, exp.GroupConcat),
        Calls._texts,
    ),
    (exp.Substring, Calls._substring),
    ((exp.Case, exp.Coalesce, exp.Greatest, exp.Least), Calls._choice),
    ((exp.Greatest, exp.Least), Calls._greatest),
    (exp.Subquery, Calls._scalar),
    (exp.Limit, Calls._limit),
)
_RULES["sqlite"] = (*_LOOSE, *_STRICT)
