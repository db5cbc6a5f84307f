"""A form in words: what each part is called, by the labels and comments of the columns, with nothing left open."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal

from bootstrap.generate.nl_to_postgres.forms import (
    Agg,
    Between,
    Call,
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
    Test,
)
from bootstrap.generate.nl_to_postgres.functions import AGGREGATES, EXTREMES, FUNCTIONS
from bootstrap.generate.nl_to_postgres.schema import MOMENTS, TableInfo
from interpreters.base import ColumnType, Value

_VAGUE = frozenset({"id", "name", "title", "code", "number", "type", "date", "description", "status", "key"})
_MORE = {"<": "less than", "<=": "at most", ">": "greater than", ">=": "at least"}
_LATER = {"<": "before", "<=": "on or before", ">": "after", ">=": "on or after"}
_AFTER = {"<": "alphabetically before", "<=": "alphabetically not after", ">": "alphabetically after",
          ">=": "alphabetically not before"}  # fmt: skip


def value_words(value: Value) -> str:
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, str):
        return f"'{value}'"
    return value.isoformat() if isinstance(value, dt.date) else str(value)


def listed(words: Sequence[str], last: str = "and") -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def an(words: str) -> str:
    return f"an {words}" if words[:1] in "aeiou" else f"a {words}"


def with_article(words: str) -> str:
    return words if words.startswith("whether ") else f"the {words}"


class Speaker:
    """Says what the columns of some sources are called. `main` is the source that the rows are of."""

    def __init__(self, sources: Mapping[str, TableInfo], main: str, names: Mapping[str, str] | None = None) -> None:
        self._sources, self._main = sources, main
        self._names = {alias: table.singular for alias, table in sources.items()} | dict(names or {})

    def many(self) -> str:
        return self._sources[self._main].plural

    def label(self, col: Col) -> str:
        """Return the words for a column, with its table's where they would leave open which one is meant."""
        words = self._sources[col.source].by_name[col.column].label
        owner = self._names[col.source]
        others = [table for alias, table in self._sources.items() if alias != col.source]
        shared = any(words == column.label for table in others for column in table.columns)
        elsewhere = col.source != self._main and not words.startswith(owner)
        return f"{words} of the {owner}" if others and (shared or elsewhere or words in _VAGUE) else words

    def say(self, expr: Expr) -> str:
        """Return the words for an expression, without an article."""
        if isinstance(expr, Col):
            return self.label(expr)
        if isinstance(expr, Lit):
            return value_words(expr.value)
        if isinstance(expr, Agg):
            return self._aggregate(expr)
        if isinstance(expr, Call):
            words = FUNCTIONS[expr.function].words.format(*[self._argument(arg) for arg in expr.args])
            return words.removeprefix("the ")
        raise TypeError(f"{type(expr).__name__} is put into words by its shape")

    def _argument(self, expr: Expr) -> str:
        return self.say(expr) if isinstance(expr, Lit) else with_article(self.say(expr))

    def _aggregate(self, agg: Agg) -> str:
        if agg.arg is None:
            return f"number of {self.many()}" + (f" where {self.all(agg.where)}" if agg.where else "")
        if agg.function in ("min", "max") and agg.type in EXTREMES:
            text = f"{EXTREMES[agg.type][agg.function == 'max']} {self.say(agg.arg)}"
        else:
            inner = self.say(agg.arg)
            words = inner if agg.function in ("min", "max", "count") else with_article(inner)
            text = AGGREGATES[agg.function].words.format(words, many=self.many())
        return f"{text} over those {self.many()} where {self.all(agg.where)}" if agg.where else text

    # -- conditions -----------------------------------------------------------------------------------------------

    def all(self, preds: Sequence[Pred]) -> str:
        return " and ".join(
            f"({self.pred(p)})" if isinstance(p, Either) and len(preds) > 1 else self.pred(p) for p in preds
        )

    def pred(self, pred: Pred) -> str:
        if isinstance(pred, Either):
            return " or ".join(map(self.pred, pred.preds))
        if isinstance(pred, Test):
            return self._test(pred)
        what = with_article(self.say(pred.expr))
        if isinstance(pred, Between):
            return f"{what} is between {value_words(pred.low.value)} and {value_words(pred.high.value)} (both included)"
        if isinstance(pred, OneOf):
            among = listed([value_words(one.value) for one in pred.values], "or")
            if pred.negated:
                return f"{what} is {'known and ' if _nullable(pred.expr) else ''}none of {among}"
            return f"{what} is {among}" if len(pred.values) == 2 else f"{what} is one of {among}"
        if isinstance(pred, Missing):
            return f"{what} is {'known' if pred.negated else 'missing'}"
        if isinstance(pred, Is):
            return f"{what} is {'true' if pred.wanted else 'false'}"
        if isinstance(pred, Like):
            verb = {"contains": "contains", "starts": "starts with", "ends": "ends with"}[pred.kind]
            return f"{what} {verb} '{pred.text}' (case matters)"
        raise TypeError(f"{type(pred).__name__} is put into words by its shape")

    def _test(self, test: Test) -> str:
        left = with_article(self.say(test.left))
        right = self._argument(test.right)
        if test.op == "=":
            return f"{left} is {right}"
        if test.op == "<>":
            known = "known and " if _nullable(test.left) else ""
            return f"{left} is {known}not {right}"
        value = test.right.value if isinstance(test.right, Lit) else None
        kind = getattr(test.left, "type", None)
        if isinstance(value, dt.date) or kind in MOMENTS:
            return f"{left} is {_LATER[test.op]} {right}"
        if isinstance(value, str) or kind is ColumnType.STRING:
            return f"{left} is {_AFTER[test.op]} {right}"
        return f"{left} is {_MORE[test.op]} {right}"

    # -- order ----------------------------------------------------------------------------------------------------

    def order(self, keys: Sequence[Key]) -> str:
        """Return how rows are sorted: "by the price from highest to lowest, and where it is equal by ..."."""
        words = [f"by the {self.say(key.expr)} {direction(key)}" for key in keys]
        nulls = " (missing values last)" if any(key.nullable for key in keys) else ""
        return ", then ".join(words) + nulls


def direction(key: Key) -> str:
    kind = getattr(key.expr, "type", None)
    if kind in MOMENTS:
        return "from latest to earliest" if key.descending else "from earliest to latest"
    if kind is ColumnType.STRING:
        return "in reverse alphabetical order" if key.descending else "in alphabetical order"
    if kind is ColumnType.BOOL:
        return "with true before false" if key.descending else "with false before true"
    return "from largest to smallest" if key.descending else "from smallest to largest"


def _nullable(expr: Expr) -> bool:
    if isinstance(expr, Call):
        return any(_nullable(arg) for arg in expr.args)
    return isinstance(expr, Col) and expr.nullable
