"""Values: what SQLite converts by itself and others do not, written out.

A text compared with a number, a number in the place of a condition, a condition in the place of a number, text in
arithmetic, LIKE without regard to case. Classes come from dialects_kinds.py; every rule leaves alone what it does not
know the class of.
"""

from __future__ import annotations

import datetime as dt
import re

from sqlglot import exp

from bootstrap.convert.dialects_build import as_kind, cast, piece
from bootstrap.convert.dialects_kinds import (
    BOOL,
    COMPARISONS,
    CONDITIONS,
    FLOAT,
    INT,
    NUMBERS,
    STRING,
    TIMES,
    affinity_of,
    is_number,
    kind_of,
)
from interpreters.base import ColumnType

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_READ_NUMBER = {
    "duckdb": "TRY_CAST(_text AS DOUBLE)",
    "postgres": rf"CASE WHEN _text ~ '^\s*{_NUMBER}\s*$' THEN CAST(_text AS DOUBLE PRECISION) END",
}
_READ_START = {
    "duckdb": "CASE WHEN NOT _text IS NULL THEN"
    rf" COALESCE(TRY_CAST(REGEXP_EXTRACT(_text, '^\s*({_NUMBER})', 1) AS DOUBLE), 0) END",
    "postgres": "CASE WHEN NOT _text IS NULL THEN"
    rf" COALESCE(CAST(SUBSTRING(_text FROM '^\s*({_NUMBER})') AS DOUBLE PRECISION), 0) END",
}
_FLOAT_AS_TEXT = (
    "CASE WHEN _x = TRUNC(_x) AND ABS(_x) < 1e15 THEN CAST(CAST(_x AS DECIMAL) AS TEXT) || '.0'"
    " ELSE CAST(_x AS TEXT) END"
)
_DAY = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)?")


class Values:
    """The rules for one target. Each takes expressions and returns others; none changes what it is given."""

    def __init__(self, target: str) -> None:
        self.target = target

    # -- one expression as another class ----------------------------------------------------------------------------

    def text(self, node: exp.Expr) -> exp.Expr:
        """Return an expression as SQLite writes it as text."""
        kind = kind_of(node)
        if kind is STRING or kind is ColumnType.NULL:
            return node
        if isinstance(node, exp.Literal):
            return exp.Literal.string(node.name)
        if kind is BOOL:
            return cast(self.number(node), "TEXT", STRING)
        if kind is FLOAT and self.target == "postgres":
            return piece(_FLOAT_AS_TEXT, self.target, STRING, x=node)
        return cast(node, "TEXT", STRING)

    def number(self, node: exp.Expr) -> exp.Expr:
        """Return an expression as a number: of a text, what it starts with; of a day, which is text there, the year."""
        kind = kind_of(node)
        if kind is BOOL:
            if isinstance(node, exp.Boolean):
                return exp.Literal.number(int(node.this))
            return cast(node, "INT", INT)
        if kind in TIMES:
            return piece("CAST(EXTRACT(YEAR FROM _x) AS BIGINT)", self.target, INT, x=node)
        if kind is STRING:
            if isinstance(node, exp.Literal) and is_number(node.name):
                return as_kind(_numeric(node.name), FLOAT if "." in node.name else INT)
            return piece(_READ_START[self.target], self.target, FLOAT, text=node)
        return node

    def condition(self, node: exp.Expr) -> exp.Expr:
        """Return an expression as a condition: a number is true unless it is zero."""
        kind = kind_of(node)
        if kind is STRING or kind in TIMES:
            node, kind = self.number(node), FLOAT
        if kind not in NUMBERS:
            return node
        if isinstance(node, exp.Literal):
            return exp.Boolean(this=float(node.name) != 0)
        return as_kind(exp.NEQ(this=_closed(node), expression=exp.Literal.number(0)), BOOL)

    def plain(self, node: exp.Expr) -> exp.Expr:
        """Return a condition as the 1 or 0 that SQLite has for it, anything else as it is."""
        inner = node.this if isinstance(node, exp.Paren) else node
        return self.number(node) if isinstance(inner, CONDITIONS) else node

    # -- comparisons -------------------------------------------------------------------------------------------------

    def comparison(self, node: exp.Expr) -> exp.Expr:
        left, right = self.aligned(node.this, node.expression)
        if left is None or right is None:
            return self._by_class(node)
        node.set("this", left)
        node.set("expression", right)
        return node

    def aligned(self, left: exp.Expr, right: exp.Expr) -> tuple[exp.Expr, exp.Expr] | tuple[None, None]:
        """Return two sides as SQLite compares them; nothing when the classes alone decide."""
        kinds = (kind_of(left), kind_of(right))
        if None in kinds or ColumnType.NULL in kinds:
            return left, right
        if BOOL in kinds and kinds != (BOOL, BOOL):
            left, right = (self.number(one) if kind_of(one) is BOOL else one for one in (left, right))
            kinds = (kind_of(left), kind_of(right))
        numeric, timely = [kind in NUMBERS for kind in kinds], [kind in TIMES for kind in kinds]
        if any(timely) and not all(timely):
            return self._with_time(left, right)
        if all(numeric) or not any(numeric) or STRING not in kinds:
            return left, right
        if numeric[0]:
            return self._number_and_text(left, right)
        number, words = self._number_and_text(right, left)
        return (None, None) if number is None or words is None else (words, number)

    def _number_and_text(self, number: exp.Expr, words: exp.Expr) -> tuple[exp.Expr, exp.Expr] | tuple[None, None]:
        if affinity_of(number) == "number":
            if isinstance(words, exp.Literal):
                return (number, self.number(words)) if is_number(words.name) else (None, None)
            return number, piece(_READ_NUMBER[self.target], self.target, FLOAT, text=words)
        if affinity_of(words) == "text":
            return self.text(number), words
        return None, None

    def _by_class(self, node: exp.Expr) -> exp.Expr:
        """Return the comparison of a number with what is none: every number comes before every text."""
        numeric_left = kind_of(node.this) in NUMBERS
        before = isinstance(node, exp.LT | exp.LTE) if numeric_left else isinstance(node, exp.GT | exp.GTE)
        true = before or isinstance(node, exp.NEQ | exp.NullSafeNEQ)
        sides = (node.this, node.expression)
        known = next((one for one in sides if not isinstance(one, exp.Literal)), sides[0])
        maker = exp.EQ if true else exp.NEQ  # NULL stays NULL
        return as_kind(maker(this=known.copy(), expression=known.copy()), BOOL)

    def _with_time(self, left: exp.Expr, right: exp.Expr) -> tuple[exp.Expr, exp.Expr]:
        """Compare days with texts as days where the text is one; else as texts, which they are in SQLite."""
        for one, other in ((left, right), (right, left)):
            if kind_of(one) in TIMES and isinstance(other, exp.Literal) and is_day(other.name):
                return left, right
        return self.text(left), self.text(right)

    def between(self, node: exp.Between) -> exp.Expr:
        low, high = node.args["low"], node.args["high"]
        least, greatest = self.aligned(node.this, low), self.aligned(node.this, high)
        same = least[0] is not None and greatest[0] is not None and least[0] == greatest[0]
        if same and least[1] is not None and greatest[1] is not None:
            node.set("this", least[0])
            node.set("low", least[1])
            node.set("high", greatest[1])
            return node
        lower = self.comparison(as_kind(exp.GTE(this=node.this.copy(), expression=low.copy()), BOOL))
        upper = self.comparison(as_kind(exp.LTE(this=node.this.copy(), expression=high.copy()), BOOL))
        return as_kind(exp.paren(exp.and_(lower, upper)), BOOL)

    def membership(self, node: exp.In) -> exp.Expr:
        if node.args.get("query"):
            return self._in_query(node)
        pairs = [self.aligned(node.this, one) for one in node.expressions]
        kept = [pair for pair in pairs if pair[0] is not None]
        lefts = {pair[0].sql() for pair in kept if pair[0] is not None}
        if len(lefts) > 1:
            tests = [exp.EQ(this=left, expression=right) for left, right in kept]
            return as_kind(exp.paren(exp.or_(*tests)), BOOL)
        if not kept:
            return self._by_class(exp.EQ(this=node.this, expression=node.expressions[0])) if pairs else node
        node.set("this", kept[0][0])
        node.set("expressions", [right for _, right in kept])
        return node

    def _in_query(self, node: exp.In) -> exp.Expr:
        query = node.args["query"]
        selects = [one for one in _members(query.unnest()) if len(one.expressions) == 1]
        for select in selects:
            shown = select.expressions[0]
            if isinstance(shown, exp.Star):
                continue
            left, right = self.aligned(node.this, shown.unalias())
            if left is None or right is None:
                continue
            node.set("this", left.copy())
            if right is not shown.unalias():
                words = shown.unalias().copy()
                shown.unalias().replace(right.copy())
                if isinstance(node.parent, exp.Not) and kind_of(right) is FLOAT and not select.args.get("group"):
                    _leave_out(select, words, right)
        return node

    # -- texts -------------------------------------------------------------------------------------------------------

    def like(self, node: exp.Like, *, cased: bool) -> exp.Expr:
        """Return LIKE over text, without regard to case unless `cased`, with no escape that the query does not name."""
        sides = {"this": self.text(node.this).copy(), "expression": self.text(node.expression).copy()}
        made = (exp.Like if cased else exp.ILike)(**sides, negate=node.args.get("negate"))
        escaped = isinstance(node.parent, exp.Escape)
        if self.target == "postgres" and not escaped and "\\" in node.expression.sql():
            return as_kind(exp.Escape(this=made, expression=exp.Literal.string("")), BOOL)
        return as_kind(made, BOOL)

    def glob(self, node: exp.Glob) -> exp.Expr:
        if self.target == "duckdb" or not isinstance(node.expression, exp.Literal):
            return node
        pattern = "".join({"*": ".*", "?": "."}.get(sign) or _escaped(sign) for sign in node.expression.name)
        made = exp.RegexpLike(this=self.text(node.this), expression=exp.Literal.string(f"^{pattern}$"))
        return as_kind(made, BOOL)

    def no_case(self, node: exp.Expr) -> exp.Expr:
        """Return a side of a comparison without COLLATE, in lower case: NOCASE."""
        inner = node.this if isinstance(node, exp.Collate) else node
        return as_kind(exp.Lower(this=self.text(inner).copy()), STRING)


def _leave_out(select: exp.Select, words: exp.Expr, number: exp.Expr) -> None:
    """Leave out the texts that are no number: as NULL they would make NOT IN unknown."""
    missing = exp.Is(this=words, expression=exp.Null())
    readable = exp.Not(this=exp.Is(this=number.copy(), expression=exp.Null()))
    select.where(exp.or_(missing, readable), copy=False)


def _members(query: exp.Expr) -> list[exp.Select]:
    if isinstance(query, exp.SetOperation):
        return [*_members(query.this), *_members(query.expression)]
    if isinstance(query, exp.Subquery):
        return _members(query.this)
    return [query] if isinstance(query, exp.Select) else []


def _closed(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Binary | exp.Unary | exp.Case):
        return as_kind(exp.Paren(this=node.copy()), kind_of(node))
    return node.copy()


def _escaped(sign: str) -> str:
    return sign if sign in "[]-^" else re.escape(sign)


def _numeric(text: str) -> exp.Expr:
    number = text.strip().removeprefix("+")
    if number.startswith("-"):
        return exp.Neg(this=exp.Literal.number(number[1:].strip()))
    return exp.Literal.number(number)


def is_day(text: str) -> bool:
    """Say whether a text is a day or a moment as ISO 8601 writes them, and there is such a day."""
    if not _DAY.fullmatch(text):
        return False
    try:
        dt.datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def compares(node: exp.Expr) -> bool:
    return isinstance(node, COMPARISONS)
