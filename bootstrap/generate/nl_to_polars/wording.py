"""A query in words, in one of several styles, from the same form as the code.

The words say what an answer depends on: order and how ties are broken, where missing values go, rounding, which ends
belong to a range. Columns are asked for in the order in which the answer has them, what it is grouped by first.
"""

from __future__ import annotations

import datetime as dt
import keyword
import random
import re
from collections.abc import Sequence

from bootstrap.generate.nl_to_polars.forms import (
    DATES,
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
from bootstrap.generate.nl_to_polars.profiles import Profile
from bootstrap.generate.nl_to_polars.sentences import SENTENCES, Parts
from interpreters.base import ColumnType, Value

STYLES = tuple(SENTENCES)
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_CODE_WORDS = frozenset(
    (*keyword.kwlist, "select", "order", "group", "where", "limit", "table", "row", "rows", "count")
)
_SIGNS = {
    "==": "is {0}", "!=": "is not {0}", "<": "is below {0}", "<=": "is at most {0}", ">": "is above {0}",
    ">=": "is at least {0}",
}  # fmt: skip
_DATE_SIGNS = {
    **_SIGNS,
    "<": "is before {0}",
    "<=": "is on or before {0}",
    ">": "is after {0}",
    ">=": "is on or after {0}",
}


def human(name: str) -> str:
    """Return a name as words: no underscores, and spaces where a capital starts a word."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.replace("_", " "))
    words = [word if word.isupper() or any(map(str.isdigit, word)) else word.lower() for word in spaced.split()]
    return " ".join(words)


def several(items: Sequence[str], last: str = "and") -> str:
    """Return "a, b and c"; with semicolons where an item has a comma."""
    if len(items) < 2:
        return "".join(items)
    comma = "; " if len(items) > 2 and any("," in _brief(item) for item in items) else ", "
    return f"{comma.join(items[:-1])}{';' if comma == '; ' else ''} {last} {items[-1]}"


def value_words(value: Value) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return value.isoformat() if isinstance(value, dt.date) else str(value)


def _brief(words: str) -> str:
    """Return words without what is explained in parentheses: it has been said before."""
    return re.sub(r" \((?!both included|where|in all other)[^()]*\)", "", words)


_AGAIN = {
    "rank": "that rank", "dense_rank": "that rank", "group_mean": "that average", "gap": "that difference",
    "share": "that share",
}  # fmt: skip
"""What is computed for each row -> how it is called once it has been described."""


class Wording:
    """The words for queries over some tables, in one style."""

    def __init__(self, profiles: Sequence[Profile], style: str, rng: random.Random) -> None:
        columns = {one.column.name: one.column for profile in profiles for one in profile.facts}
        self.titles = {one.name: one.title for one in profiles}
        self.types = {name: column.type for name, column in columns.items()}
        self.nullable = {name for name, column in columns.items() if column.nullable}
        self.style, self.rng = style, rng
        self.raw = style == "terse"
        self._humans = [human(name).casefold() for name in columns]
        self.query = Query("", ())
        self._told = False  # whether the windows of the query have been described

    # -- names ----------------------------------------------------------------------------------------------------

    def column(self, name: str) -> str:
        """Return a column's name as this style has it: as words where they can mean no other column."""
        words = human(name)
        plain = _PLAIN.match(name) and words.casefold() not in _CODE_WORDS and len(words) > 2
        if not plain or self._humans.count(words.casefold()) > 1:
            return f"`{name}`"
        return name if self.raw else words

    def named(self, name: str) -> str:
        """Return what a name of the query stands for, in words."""
        found = self.query.definition(name)
        if found is None:
            return self.column(name)
        if isinstance(found.value, Aggregate):
            return self.aggregate(found.value, joined=found)
        if self._told and name in self.query.output and isinstance(found.value, Window) and found.value.how in _AGAIN:
            return _AGAIN[found.value.how]
        return self.window(found.value) if isinstance(found.value, Window) else self.expression(found.value)

    # -- parts ----------------------------------------------------------------------------------------------------

    def expression(self, part: Expr) -> str:
        match part:
            case Col(name):
                return self.named(name)
            case Call(function, of, n, text):
                return FUNCTIONS[function].words.format(self.expression(of), n=n, text=value_words(text))
            case Arithmetic(sign, left, right):
                other = str(right) if isinstance(right, int | float) else self.expression(right)
                word = {"+": "plus", "-": "minus", "/": "divided by"}[sign]
                return f"{self.expression(left)} {word} {other}"
            case Case(test, yes, no):
                return f'the label "{yes}" (where {self.condition(test)}) or "{no}" (in all other rows)'
            case Filled(of, value):
                return f"{self.column(of.name)} (taken as {value_words(value)} where it is missing)"
        raise TypeError(f"no words for {part!r}")

    def condition(self, part: Condition) -> str:
        match part:
            case Compare(sign, left, right):
                signs = _DATE_SIGNS if isinstance(right, dt.date) else _SIGNS
                other = self.expression(right) if isinstance(right, Col) else value_words(right)
                return f"{self.expression(left)} {signs[sign].format(other)}{self._unknown(sign == '!=', left)}"
            case Missing(of, missing):
                return f"{self.expression(of)} is {'missing' if missing else 'known'}"
            case OneOf(of, values, inside):
                listed = [value_words(value) for value in values]
                if inside:
                    return f"{self.expression(of)} is {several(listed, 'or')}"
                return f"{self.expression(of)} is neither {' nor '.join(listed)}{self._unknown(True, of)}"
            case Between(of, low, high):
                ends = f"{value_words(low)} and {value_words(high)}"
                return f"{self.expression(of)} is between {ends} (both included)"
            case TextTest(how, of, text, any_case):
                verb = {"contains": "contains", "starts": "starts with", "ends": "ends with"}[how]
                return f'{self.expression(of)} {verb} "{text}"{" in any letter case" if any_case else ""}'
            case AnyOf(conditions):
                return "either " + ", or ".join(self.condition(one) for one in conditions)
        raise TypeError(f"no words for {part!r}")

    def _unknown(self, negative: bool, of: Expr) -> str:
        """Say what becomes of a missing value where a reader may doubt it."""
        return " (and is known)" if negative and isinstance(of, Col) and of.nullable else ""

    def aggregate(self, part: Aggregate, joined: Named | None = None) -> str:
        where = f" where {self.condition(part.where)}" if part.where is not None else ""
        if part.of is None:
            words = f"the number of rows{where}"
        elif part.how == "share":
            words = f"the share of rows, from 0 to 1, where {self.expression(part.of)} is true"
        else:
            words = self._measure(part) + (f" among the rows{where}" if where else "")
        if part.digits is not None:
            words += f" (rounded to {part.digits} decimal{'s' if part.digits != 1 else ''})"
        join = self.query.join
        if join is not None and joined in join.aggregates:
            words += f"{'' if part.of is None else ' over all rows'} with the same {self.column(join.left)}"
        return words

    def _measure(self, part: Aggregate) -> str:
        if part.of is None:
            raise TypeError("an aggregate of nothing but rows")
        of = self.expression(part.of)
        nullable = isinstance(part.of, Col) and part.of.nullable
        if part.how == "quantile":
            return f"the {round(part.q * 100)}th percentile of {of} (linear interpolation)"
        if part.how == "n_unique":
            return f"the number of different values of {of}{' (missing ones not counted)' if nullable else ''}"
        if part.how == "known":
            return f"the number of rows with a known {of}"
        word = AGGREGATES[part.how][3]
        if isinstance(part.of, Col) and part.of.type in DATES:
            word = {"min": "earliest", "max": "latest"}.get(part.how, word)
        note = " (0 where none is known)" if part.how == "sum" and nullable else ""
        made = self.query.definition(part.of.name) if isinstance(part.of, Col) else None
        computed = made is not None and not isinstance(made.value, Aggregate | Window)
        link = " of" if computed or part.how == "std" else ""
        link = " value of" if computed and part.how in ("min", "max") else link
        return f"the {word}{link} {of}{note}"

    def window(self, part: Window) -> str:
        of = self.named(part.of.name).removeprefix("the ")
        group = several([self.named(name) for name in part.by])
        within = f" within its {group}" if part.by else ""
        over = f"all rows with the same {group}" if part.by else "all rows"
        if self.query.shape == "groups":
            over = over.replace("rows", "groups")
        first = "largest" if part.descending else "smallest"
        order = f"in the order of {self.named(part.order)}" if part.order else ""
        match part.how:
            case "share":
                return f"its share of the {of} over {over} (from 0 to 1)"
            case "gap":
                return f"how much {of} differs from the average {of} over {over} (negative when below)"
            case "group_mean":
                return f"the average {of} over {over}"
            case "rank":
                return f"its rank by {of}{within} (1 for the {first}; equal values share the best rank)"
            case "dense_rank":
                return f"its rank by {of}{within} (1 for the {first}; equal values share a rank, no rank is skipped)"
            case "running":
                return f"the running total of {of} {order}{within}"
            case "before":
                return f"the {of} of the row before {order}{within} (missing for the first)"
            case "change":
                return f"the change of {of} from the row before {order}{within} (missing for the first)"
            case "rolling":
                return (
                    f"the average {of} of the last {part.n} rows {order}{within}, the row itself included "
                    f"(missing while there are fewer than {part.n})"
                )
        raise TypeError(f"no words for {part!r}")

    # -- the whole ------------------------------------------------------------------------------------------------

    def sentence(self, query: Query) -> str:
        """Return the question."""
        self.query, self._told = query, False
        parts = Parts(
            what=several([self._wanted(name) for name in query.output if name not in query.keys]),
            by=several([self.named(name) for name in query.keys]),
            single=len(query.keys) == 1,
            title=self.titles[query.table],
            where=self._where(query),
            notes=" ".join(filter(None, (self._kept(query), self._order(query), self._missing(query)))),
        )
        shape = query.shape
        text = self.rng.choice(SENTENCES[self.style][shape])(parts)
        return re.sub(r"\s+", " ", text).strip()

    def _wanted(self, name: str) -> str:
        words = self.named(name)
        return f"the {words}" if self.query.definition(name) is None and not self.raw else words

    def _where(self, query: Query) -> str:
        conditions = [self.condition(one) for one in query.where]
        join = query.join
        if join is not None and join.how in ("semi", "anti"):
            verb = "is also found" if join.how == "semi" else "is not found"
            other = f"{self.column(join.right)} of {self.titles[join.table]}"
            conditions.insert(0, f"{self.column(join.left)} {verb} as {other}")
        return " and ".join(conditions)

    def _kept(self, query: Query) -> str:
        found = []
        join = query.join
        if join is not None and not join.aggregates and join.how in ("inner", "left"):
            pair = f"{self.column(join.left)} equals {self.column(join.right)} of {self.titles[join.table]}"
            found.append(f"Each row goes with the rows of {self.titles[join.table]} where {pair}"
                         + ("; rows without such a partner stay, with missing values." if join.how == "left"
                            else "; rows without such a partner do not count."))  # fmt: skip
        if query.windows and query.where and query.shape == "rows":
            found.append("Only the rows that meet this condition count." if len(query.where) == 1
                         else "Only the rows that meet these conditions count.")  # fmt: skip
        if join is not None and join.aggregates and len(query.where) > 1:
            found.append(f"All rows count for {_brief(self.named(join.aggregates[0].name))}, whatever the conditions.")
        if query.having:
            found.append(f"Keep only groups where {' and '.join(self.condition(one) for one in query.having)}.")
        self._told = True
        if query.keep:
            kept = _brief(" and ".join(map(self.condition, query.keep)))
            found.append(f"Keep only {'groups' if query.keys else 'rows'} where {kept}.")
        if query.distinct:
            found.append("Each combination once." if len(query.output) > 1 else "Each value once.")
        return " ".join(found)

    def _order(self, query: Query) -> str:
        if not query.order:
            return ""
        keys = several([self._key(one) for one in query.order], "then")
        cut = f" and give only the first {query.limit}" if query.limit and query.limit > 1 else ""
        cut = " and give only the first row" if query.limit == 1 else cut
        return f"Sort by {keys}{cut}."

    def _key(self, one: Order) -> str:
        kind = self._type(one.name)
        words = self.named(one.name).removeprefix("the ")
        words = _brief(words) if self.query.definition(one.name) else words
        if kind is ColumnType.STRING:
            way = "from Z to A" if one.descending else "from A to Z"
        elif kind in DATES:
            way = "latest first" if one.descending else "earliest first"
        else:
            way = "largest first" if one.descending else "smallest first"
        return f"{words} ({way})"

    def _type(self, name: str) -> ColumnType:
        found = self.query.definition(name)
        match found.value if found else None:
            case None:
                return self.types.get(name, ColumnType.FLOAT)
            case Call(function):
                return FUNCTIONS[function].gives
            case Case():
                return ColumnType.STRING
            case Aggregate(how, Col(_, kind)) if how in ("min", "max"):
                return kind
        return ColumnType.FLOAT

    def _missing(self, query: Query) -> str:
        notes = []
        nullable = [name for name in query.keys if name in self.nullable]
        if nullable:
            listed = several([self.named(name).removeprefix("the ") for name in nullable], "or")
            notes.append(f"Rows without a known {listed} form a group of their own.")
        if any(one.name in self.nullable for one in query.order):
            notes.append("Missing values come last.")
        return " ".join(notes)
