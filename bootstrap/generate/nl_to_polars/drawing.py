"""Parts of questions drawn from a table: conditions with real values, what is computed, names for it."""

from __future__ import annotations

import datetime as dt
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from bootstrap.generate.nl_to_polars.forms import (
    NUMBERS,
    Aggregate,
    AnyOf,
    Arithmetic,
    Between,
    Call,
    Col,
    Compare,
    Condition,
    Missing,
    Named,
    OneOf,
    TextTest,
)
from bootstrap.generate.nl_to_polars.functions import FUNCTIONS
from bootstrap.generate.nl_to_polars.profiles import Facts, Profile
from interpreters.base import ColumnType, Value


class NothingToAskError(Exception):
    """The table lacks what a kind of question is about."""


class Drawer:
    """Draws from one table. Methods raise NothingToAskError."""

    def __init__(self, profile: Profile, rng: random.Random) -> None:
        self.profile, self.rng = profile, rng
        self.taken = {one.column.name.casefold() for one in profile.facts}

    # -- columns --------------------------------------------------------------------------------------------------

    def one(self, facts: Sequence[Facts], but: Sequence[str] = ()) -> Facts:
        left = [one for one in facts if one.column.name not in but]
        if not left:
            raise NothingToAskError
        return self.rng.choice(left)

    def some(self, facts: Sequence[Facts], low: int, high: int, but: Sequence[str] = ()) -> list[Facts]:
        left = [one for one in facts if one.column.name not in but]
        if len(left) < low:
            raise NothingToAskError
        return self.rng.sample(left, self.rng.randint(low, min(high, len(left))))

    def sure_measure(self, but: Sequence[str] = ()) -> Facts:
        """Return a measure that is never missing."""
        return self.one([one for one in self.profile.measures if not one.column.nullable], but)

    def name(self, wanted: str) -> str:
        """Return a free name for something computed."""
        ascii_only = unicodedata.normalize("NFKD", wanted).encode("ascii", "ignore").decode()
        plain = re.sub(r"\W+", "_", ascii_only).strip("_").lower() or "value"
        plain = f"n_{plain}" if plain[0].isdigit() else plain
        free, number = plain, 1
        while free.casefold() in self.taken:
            number += 1
            free = f"{plain}_{number}"
        self.taken.add(free.casefold())
        return free

    def called(self, function: str, fact: Facts, n: int = 0, text: str = "") -> Named:
        """Return a function of a column, with a name."""
        name = self.name(FUNCTIONS[function].name.format(fact.column.name))
        return Named(name, Call(function, fact.column, n, text))

    # -- conditions -----------------------------------------------------------------------------------------------

    def conditions(self, low: int, high: int, but: Sequence[str] = ()) -> tuple[Condition, ...]:
        """Return conditions on different columns."""
        count = self.rng.randint(low, high)
        facts = [one for one in self.profile.facts if one.distinct >= 2 and one.column.name not in but]
        if len(facts) < count:
            raise NothingToAskError
        chosen = self.rng.sample(facts, count)
        if count == 2 and self.rng.random() < 0.15:
            return (AnyOf(tuple(self.condition(one) for one in chosen)),)
        return tuple(self.condition(one) for one in chosen)

    def condition(self, fact: Facts) -> Condition:
        if fact.column.nullable and self.rng.random() < 0.12:
            return Missing(fact.column, self.rng.random() < 0.4)
        if fact.column.type is ColumnType.BOOL:
            return Compare("==", fact.column, self.rng.random() < 0.5)
        if fact.column.type in (ColumnType.DATE, ColumnType.TIMESTAMP):
            return self._dated(fact)
        if fact.column.type in NUMBERS and not (fact.is_category and self.rng.random() < 0.6):
            return self._measured(fact)
        if fact.is_category:
            return self._listed(fact)
        return self._texted(fact)

    def _listed(self, fact: Facts) -> Condition:
        values = [value for value, _ in Counter(fact.values).most_common(12) if _fits(value)]
        if len(values) < 2:
            raise NothingToAskError
        if len(values) >= 4 and self.rng.random() < 0.35:
            chosen = tuple(self.rng.sample(values, self.rng.randint(2, 3)))
            return OneOf(fact.column, chosen, self.rng.random() < 0.7)
        return Compare("!=" if self.rng.random() < 0.2 else "==", fact.column, self.rng.choice(values))

    def threshold(self, fact: Facts) -> int | float:
        """Return a round number from the middle of a column's values."""
        numbers = sorted(value for value in fact.values if isinstance(value, int | float))
        value = numbers[int(self.rng.uniform(0.12, 0.88) * (len(numbers) - 1))]
        if isinstance(value, int):
            step = 10 ** max(len(str(abs(value))) - 2, 0)
            return round(value / step) * step
        spread = numbers[-1] - numbers[0]
        digits = 0 if spread >= 100 else 1 if spread >= 5 else 2 if spread >= 0.5 else 3
        return float(round(value, digits))

    def _measured(self, fact: Facts) -> Condition:
        if self.rng.random() < 0.2:
            low, high = sorted((self.threshold(fact), self.threshold(fact)))
            if low < high:
                return Between(fact.column, low, high)
        sign = self.rng.choice((">", ">=", "<", "<=")) if fact.distinct > 2 else "=="
        value = self.rng.choice(fact.values) if sign == "==" else self.threshold(fact)
        return Compare(sign, fact.column, value)  # type: ignore[arg-type]  # one of the signs

    def _dated(self, fact: Facts) -> Condition:
        days = sorted(value for value in fact.values if isinstance(value, dt.date))
        at = self.rng.random()
        value = days[int(self.rng.uniform(0.15, 0.85) * (len(days) - 1))]
        if at < 0.4:
            year = self.rng.choice(days).year
            return Compare("==", Call("year", fact.column), year)
        if at < 0.55:
            return OneOf(Call("month", fact.column), tuple(sorted(self.rng.sample(range(1, 13), 2))))
        if at < 0.65:
            return Compare(">=", Call("weekday", fact.column), 6)
        if isinstance(value, dt.datetime):
            value = value.replace(hour=0, minute=0, second=0, microsecond=0)
        return Compare(self.rng.choice((">=", "<")), fact.column, value)

    def _texted(self, fact: Facts) -> Condition:
        """Draw a test on a piece of a real value, made of letters, digits and spaces."""
        if fact.column.type is not ColumnType.STRING:
            return self._measured(fact)
        value = fact.words(self.rng)
        words = re.findall(r"\w{3,12}", value or "")
        if not words or value is None:
            raise NothingToAskError
        how = self.rng.choice(("contains", "contains", "starts", "ends", "length"))
        if how == "length":
            lengths = sorted(len(one) for one in fact.values if isinstance(one, str))
            return Compare(
                ">", Call("length", fact.column), lengths[int(self.rng.uniform(0.2, 0.8) * (len(lengths) - 1))]
            )
        if how == "starts":
            return TextTest("starts", fact.column, value[: self.rng.randint(1, 3)].rstrip() or value[:1])
        if how == "ends":
            return TextTest("ends", fact.column, value[-self.rng.randint(1, 3) :].lstrip() or value[-1:])
        word = self.rng.choice(words)
        any_case = word.isascii() and self.rng.random() < 0.4
        return TextTest("contains", fact.column, word.lower() if any_case else word, any_case)

    # -- what is computed -----------------------------------------------------------------------------------------

    def aggregates(self, low: int, high: int, but: Sequence[str] = ()) -> tuple[Named, ...]:
        """Return different aggregates, with names."""
        found: dict[str, Named] = {}
        for _ in range(12):
            if len(found) >= self.rng.randint(low, high):
                break
            part = self.aggregate(but)
            key = repr(replace(part, digits=None))
            if key not in found:
                found[key] = Named(self._aggregate_name(part), part)
        if len(found) < low:
            raise NothingToAskError
        return tuple(found.values())

    def aggregate(self, but: Sequence[str] = ()) -> Aggregate:
        how = self.rng.choices(
            ("count", "mean", "sum", "ends", "median", "n_unique", "std", "quantile", "share", "known", "count_where"),
            (5, 6, 4, 5, 3, 3, 1, 1, 2, 1, 2),
        )[0]
        facts = [one for one in self.profile.facts if one.column.name not in but]
        measures = [one for one in self.profile.measures if one.column.name not in but]
        if how == "count":
            return Aggregate("count")
        if how == "count_where":
            return Aggregate("count", where=self.condition(self.one([one for one in facts if one.distinct >= 2])))
        if how == "share":
            return Aggregate("share", self.one([f for f in facts if f.column.type is ColumnType.BOOL]).column, digits=3)
        if how == "known":
            return Aggregate("known", self.one([one for one in facts if one.column.nullable]).column)
        if how == "n_unique":
            return Aggregate("n_unique", self.one([one for one in facts if one.distinct > 2 and not one.unique]).column)
        if how == "ends":
            if self.rng.random() < 0.1:
                measures += [
                    one
                    for one in self.profile.of(*NUMBERS)
                    if one.is_label and one.distinct > 4 and one.column.name not in but
                ]
            dated = [*measures, *(one for one in self.profile.dates if one.column.name not in but)]
            return Aggregate(self.rng.choice(("min", "max")), self.one(dated).column)
        amounts = [one for one in self.profile.amounts if one.column.name not in but]
        fact = self.one(amounts if how == "sum" else measures)
        digits = self.rng.choice((None, 1, 2)) if how in ("mean", "std") else None
        return Aggregate(
            how, fact.column, q=self.rng.choice((0.1, 0.25, 0.75, 0.9)) if how == "quantile" else 0.0, digits=digits
        )

    def _aggregate_name(self, part: Aggregate) -> str:
        of = next((one for one in (part.of,) if isinstance(one, Col)), None)
        if of is None:
            return self.name("n_matching" if part.where is not None else "n_rows")
        prefix = {"n_unique": "distinct", "known": "known", "quantile": f"p{round(part.q * 100)}"}.get(
            part.how, part.how
        )
        return self.name(f"{prefix}_{of.name}")

    def keys(self, low: int, high: int) -> tuple[tuple[str, ...], tuple[Named, ...]]:
        """Return names to group by and what of them is derived."""
        options: list[str | Named] = [
            one.column.name for one in self.rng.sample(self.profile.categories, len(self.profile.categories))
        ]
        options = options[: high + 1]
        for fact in self.profile.dates:
            options.append(self.called(self.rng.choice(("year", "month", "quarter", "weekday")), fact))
        for fact in (one for one in self.profile.texts if not one.is_category):
            if self.rng.random() < 0.25:
                options.append(self.called(self.rng.choice(("initial", "first_word")), fact))
        count = self.rng.randint(low, high)
        if len(options) < count:
            raise NothingToAskError
        chosen = self.rng.sample(options, count)
        return tuple(one if isinstance(one, str) else one.name for one in chosen), tuple(
            one for one in chosen if not isinstance(one, str)
        )

    def arithmetic(self) -> Named:
        """Return a number made of two columns that are never missing; a divisor is never zero."""
        left = self.sure_measure()
        right = self.sure_measure([left.column.name])
        a, b = left.column.name, right.column.name
        shared = _prefixes(a, b) or set(_words(a)) & set(_words(b))
        signs = ["/"] if not any(value == 0 for value in right.values) else []
        signs += ["-", "+"] if shared else []
        if not signs:
            raise NothingToAskError
        sign = self.rng.choice(signs)
        word = {"/": "per", "-": "minus", "+": "plus"}[sign]
        return Named(self.name(f"{a}_{word}_{b}"), Arithmetic(sign, left.column, right.column))  # type: ignore[arg-type]  # a sign


def _words(name: str) -> list[str]:
    return [word for word in re.split(r"[\W_]+", name.lower()) if len(word) > 2]


def _prefixes(a: str, b: str) -> bool:
    return len(a) > 3 and a[:4].lower() == b[:4].lower()


def _fits(value: Value) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= 60 and value.isprintable() and '"' not in value
    return value is not None
