"""Masks: what stands in place of personal data, the same for the same value everywhere, so that joins still work.

A mask keeps the form of a value: letters stay letters of their case, digits digits, dates dates of about that time. It
comes from a keyed digest (HMAC) of the value, and is never a value of the original: where a draw hits one, or the mask
of another value, the next draw is taken. Texts are masked word by word, so that a person's last name is the same alone
and within the full name. Values of the original are looked for in all other columns, too, and in the words within
their texts.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from bootstrap.generate.nl_to_postgres.personal import telling
from bootstrap.generate.nl_to_postgres.schema import TableInfo
from interpreters.base import Value

MASK_WORDS = 8  # longest run of words that is looked up within a text
DRAWS = 60  # until a mask may be one that another value has
_WORD = re.compile(r"\w+", re.UNICODE)
_TOKEN = re.compile(r"[\w@.+-]*\w", re.UNICODE)
_VOWELS, _CONSONANTS = "aeiou", "bcdfghklmnprstvz"
_LETTERS = "bdfghkmnprstvz"

Rows = Mapping[str, Sequence[Sequence[Value]]]


def mark_of(key: bytes, value: object) -> str:
    """Return the keyed digest of a value as it would be written, by which outputs are searched."""
    return hmac.new(key, f"mark\x1f{value}".encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:16]


class Masks:
    """The masks of one database. `personal` are its columns."""

    def __init__(
        self, key: bytes, tables: Mapping[str, TableInfo], rows: Rows, personal: Iterable[tuple[str, str]]
    ) -> None:
        self._key = key
        self.personal = frozenset(personal)
        self._originals: set[Value] = set()
        for table in tables.values():
            for index, column in enumerate(table.columns):
                if (table.name, column.name) in self.personal:
                    self._originals |= {row[index] for row in rows[table.name]} - {None}
        self._words = {
            word.casefold() for value in self._originals if isinstance(value, str) for word in _WORD.findall(value)
        }
        self._texts = {value.casefold() for value in self._originals if isinstance(value, str) and telling(value)}
        self._written = {str(value) for value in self._originals}
        self._days = {_day(value) for value in self._originals if isinstance(value, dt.date)}
        self._word_masks: dict[str, str] = {}
        self._masks: dict[Value, Value] = {}
        self._taken: set[Value] = set()
        for value in sorted(self._originals, key=lambda one: (type(one).__name__, mark_of(key, one))):
            self._masks[value] = self._masked(value)

    @property
    def originals(self) -> list[Value]:
        """Return the values that no output may show."""
        return sorted((value for value in self._originals if telling(value)), key=repr)

    def marks(self) -> frozenset[str]:
        """Return digests of all ways in which such a value may be written."""
        written = {form for value in self.originals for form in forms_of(value)}
        return frozenset(mark_of(self._key, form) for form in written)

    # -- cells ----------------------------------------------------------------------------------------------------

    def table(self, info: TableInfo, rows: Sequence[Sequence[Value]]) -> list[tuple[Value, ...]]:
        """Return the rows with every personal value masked, wherever it is."""
        change: list[Callable[[Value], Value]] = [
            self.cell if (info.name, column.name) in self.personal else self.elsewhere for column in info.columns
        ]
        return [tuple(one(value) for one, value in zip(change, row, strict=True)) for row in rows]

    def cell(self, value: Value) -> Value:
        return self._masks.get(value, value)

    def elsewhere(self, value: Value) -> Value:
        """Return a value of another column, masked where it is, or holds, one that is personal."""
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dt.date) and _day(value) in self._days:
            return self._masks.get(value) or self._other_day(value)
        return self._masks.get(value, value) if telling(value) else value

    def text(self, text: str) -> str:
        """Return a text in which the personal values are masked."""
        if text in self._masks and telling(text):
            return str(self._masks[text])
        spans = [match.span() for match in _TOKEN.finditer(text)]
        done, pieces, index = 0, [], 0
        while index < len(spans):
            length = next(
                (n for n in range(min(MASK_WORDS, len(spans) - index), 0, -1)
                 if self._is_personal(text[spans[index][0] : spans[index + n - 1][1]])), 0
            )  # fmt: skip
            if length:
                start, end = spans[index][0], spans[index + length - 1][1]
                pieces += [text[done:start], self._masked_text(text[start:end])]
                done = end
            index += max(1, length)
        return "".join([*pieces, text[done:]])

    def _is_personal(self, text: str) -> bool:
        return text.casefold() in self._texts or (text in self._written and len(text) >= 4)

    # -- masks ----------------------------------------------------------------------------------------------------

    def _draws(self, value: object) -> Iterator[Callable[[int], int]]:
        """Yield sources of numbers below a bound, each another, all from the key and the value."""
        for attempt in itertools.count():
            stream = self._stream(f"{type(value).__name__}\x1f{value}\x1f{attempt}")
            yield lambda bound, stream=stream: next(stream) % bound  # type: ignore[misc]

    def _stream(self, text: str) -> Iterator[int]:
        for block in itertools.count():
            told = hmac.new(self._key, f"{block}\x1f{text}".encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
            yield from (int.from_bytes(told[i : i + 4]) for i in range(0, 32, 4))

    def _masked(self, value: Value) -> Value:
        if isinstance(value, str):
            return self._masked_text(value)
        if isinstance(value, bool):
            return value
        make = _makers().get(type(value))
        if make is None:
            return None
        for attempt, draw in enumerate(self._draws(value)):
            made = make(value, draw)
            hit = made in self._originals or (isinstance(made, dt.date) and _day(made) in self._days)
            if attempt >= 4 * DRAWS or (made not in self._taken and (not hit or attempt >= DRAWS)):
                self._taken.add(made)
                return made
        raise AssertionError("draws never end")

    def _other_day(self, value: Value) -> Value:
        self._masks[value] = self._masked(value)
        return self._masks[value]

    def _masked_text(self, text: str) -> str:
        made = _WORD.sub(lambda match: self._word(match[0]), text)
        if (made.casefold() in self._texts or made == text) and any(c.isalnum() for c in text):
            made = next(
                other for draw in itertools.islice(self._draws(text), 10 * DRAWS)
                if (other := _reshaped(text, draw)).casefold() not in self._texts or not telling(text)
            )  # fmt: skip
        return made

    def _word(self, word: str) -> str:
        """Return the mask of a word; the case of its letters is that of the word."""
        folded = word.casefold()
        if folded not in self._word_masks:
            for attempt, draw in enumerate(self._draws(folded)):
                made = _reshaped(folded, draw)
                if attempt >= 2 * DRAWS or (made not in self._words and made not in self._taken):
                    break
            self._word_masks[folded] = made
            self._taken.add(made)
        made = self._word_masks[folded]
        if len(made) != len(word):
            return made
        return "".join(new.upper() if old.isupper() else new for old, new in zip(word, made, strict=True))


def _reshaped(text: str, draw: Callable[[int], int]) -> str:
    """Return a text with other letters and digits; what is neither stays."""
    made = []
    for character in text:
        if character.isdigit():
            made.append(str(draw(10)))
        elif character.isalpha():
            lower = character.lower()
            letters = _VOWELS if lower in "aeiouyäöüéèáàíóúåø" else _CONSONANTS if character.isascii() else _LETTERS
            letter = letters[draw(len(letters))]
            made.append(letter.upper() if character.isupper() else letter)
        else:
            made.append(character)
    return "".join(made)


def _digits(text: str, draw: Callable[[int], int]) -> str:
    """Return other digits in the same places: the first is not zero, zeros at the end stay where they make a round
    number."""
    kept = len(text) - len(text.rstrip("0")) if len(text) > 2 else 0
    body = text[: len(text) - kept] or text
    made = [str(1 + draw(9)) if index == 0 else str(draw(10)) for index in range(len(body))]
    return "".join(made) + text[len(body) :]


def _integer(value: Any, draw: Callable[[int], int]) -> int:
    made = int(_digits(str(abs(value)), draw))
    return -made if value < 0 else made


def _decimal(value: Any, draw: Callable[[int], int]) -> Decimal:
    whole, dot, fraction = format(abs(value), "f").partition(".")
    changed = "".join(str(draw(10)) for _ in fraction) if fraction.strip("0") else fraction
    made = Decimal(_digits(whole, draw) + dot + changed)
    return -made if value < 0 else made


def _float(value: Any, draw: Callable[[int], int]) -> float:
    if value != value or abs(value) in (float("inf"), 0.0) or abs(value) >= 1e15 or abs(value) < 1e-6:
        return float(value)
    return float(_decimal(Decimal(repr(value)), draw))


def _date(value: Any, draw: Callable[[int], int]) -> dt.date:
    days = draw(700) - 350
    ordinal = min(max(value.toordinal() + (days if days else 351), 2), dt.date.max.toordinal() - 2)
    return dt.date.fromordinal(ordinal)


def _moment(value: Any, draw: Callable[[int], int]) -> dt.datetime:
    at_midnight = value.time() == dt.time()
    clock = value.time() if at_midnight else dt.time(draw(24), draw(60), draw(60))
    return dt.datetime.combine(_date(value.date(), draw), clock)


def _makers() -> dict[type, Callable[[Any, Callable[[int], int]], Value]]:
    return {int: _integer, Decimal: _decimal, float: _float, dt.date: _date, dt.datetime: _moment}


def _day(value: Value) -> dt.date:
    assert isinstance(value, dt.date)
    return value.date() if isinstance(value, dt.datetime) else value


# -- outputs ------------------------------------------------------------------------------------------------------


def forms_of(value: Value) -> set[str]:
    """Return how an output may write a value: its text, its words joined by single blanks, a moment's day."""
    if isinstance(value, dt.datetime):
        return {str(value), value.isoformat(), value.date().isoformat()}
    if isinstance(value, str):
        return {value.casefold(), " ".join(_tokens(value))}
    if isinstance(value, Decimal | float):
        return {str(value), format(Decimal(str(value)), "f")}
    return {str(value)}


def _tokens(text: str) -> list[str]:
    return [match[0].casefold() for match in _TOKEN.finditer(text)]


class Search:
    """Looks for personal values in what is about to be written."""

    def __init__(self, key: bytes, marks: frozenset[str]) -> None:
        self._key, self._marks = key, marks
        self._known: dict[str, bool] = {}

    def finds(self, texts: Iterable[str]) -> bool:
        """Say whether one of these texts shows a value that nothing may show."""
        return bool(self._marks) and any(self._in(text) for text in texts)

    def _in(self, text: str) -> bool:
        tokens = _tokens(text)
        longest = range(1, MASK_WORDS + 1)
        runs = (" ".join(tokens[i : i + n]) for n in longest for i in range(len(tokens) - n + 1))
        return self._marked(text.casefold()) or any(self._marked(run) for run in runs if len(run) >= 4)

    def _marked(self, text: str) -> bool:
        if text not in self._known:
            self._known[text] = mark_of(self._key, text) in self._marks
        return self._known[text]
