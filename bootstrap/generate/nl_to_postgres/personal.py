"""Which columns hold personal data: those that the settings name, and those whose names or values look like it."""

from __future__ import annotations

import datetime as dt
import fnmatch
import re
from collections.abc import Mapping, Sequence

from bootstrap.generate.nl_to_postgres.introspect import common_prefix
from bootstrap.generate.nl_to_postgres.schema import MOMENTS, NUMBERS, ColumnInfo, Relation, TableInfo, humanized
from bootstrap.generate.nl_to_postgres.settings import MaskingConfig
from interpreters.base import ColumnType, Value

_PEOPLE = (
    r"person|people|customer|client|employee|staff|user|member|student|patient|physician|doctor|nurse|teacher|faculty|"
    r"author|guest|tenant|passenger|player|driver|contact|owner|applicant|candidate|subscriber|resident|candidate|"
    r"instructor|professor|visitor|host|friend|artist|manager|clerk|seller|buyer|supplier|wrestler|swimmer|gymnast"
)
NAME_PATTERNS: tuple[tuple[str, str], ...] = (
    ("e-mail", r"\be ?mails?\b|\bmail address\b"),
    ("phone", r"\b(tele|cell|mobile|home|work)? ?(phone|fax|mobile)s?( (no|nr|number))?\b|\btel\b"),
    (
        "card",
        r"\b(credit|debit|bank)? ?card (no|nr|number)\b|\bcc number\b|\biban\b|\b(bank )?account (no|nr|number)\b",
    ),
    ("id number", r"\bssn\b|\bsocial security\b|\bpassport\b|\bnational id\b|\btax (id|number)\b|\blicen[cs]e plate\b"),
    ("birth date", r"\b(birth ?(date|day)|date of birth|dob|born( on)?)\b"),
    ("name", r"\b(first|last|middle|full|family|given|sur|maiden|nick) ?names?\b|\b[fl]name\b|\bsurname\b"),
    ("name", rf"\b({_PEOPLE}) name\b"),
    ("address", r"\b(street|home|postal|mailing|billing|shipping) ?address\b|\baddress line\b|\bstreet\b|^address$"),
    ("login", r"\b(user|login) ?name\b|\bpassword\b|\bip address\b"),
)
CONTENT_PATTERNS: tuple[tuple[str, str], ...] = (
    ("e-mail", r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}"),
    ("phone", r"\+\d[\d ()./-]{6,18}\d|\(\d{3}\) ?\d{3}-\d{4}.*|\d{3}[-.]\d{3}[-.]\d{4}.*|\d{2}-\d{3}-\d{3}-\d{4}"),
    ("id number", r"\d{3}-\d{2}-\d{4}"),
    ("id number", r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?"),
)
_PERSON_TABLE = re.compile(rf"\b({_PEOPLE})s?\b")
SHARE = 0.6  # of a column's values that look like personal data
LEAST = 3  # values, below which the content says nothing


def personal_columns(
    tables: Mapping[str, TableInfo], rows: Mapping[str, Sequence[Sequence[Value]]], relations: Sequence[Relation],
    config: MaskingConfig,
) -> tuple[dict[tuple[str, str], str], list[str]]:  # fmt: skip
    """Return (table, column) -> kind of personal data, and a note for each setting that fits no column.

    A column that refers to a personal one, or that a personal one refers to, is personal too.
    """
    found: dict[tuple[str, str], str] = {}
    matched: set[str] = set()
    spared: set[tuple[str, str]] = set()
    for table in tables.values():
        for index, column in enumerate(table.columns):
            marked = [mark for mark in config.personal if _fits(mark, table, column)]
            matched |= {mark for mark in config.not_personal if _fits(mark, table, column)} | set(marked)
            if any(_fits(mark, table, column) for mark in config.not_personal) and not marked:
                spared.add((table.name, column.name))
                continue
            values = [row[index] for row in rows[table.name] if row[index] is not None]
            kind = _kind(table, column, values) if config.detect else ""
            if marked or kind:
                found[table.name, column.name] = kind or "marked"
    _spread(found, relations, spared)
    unused = [mark for mark in (*config.personal, *config.not_personal) if mark not in matched]
    return found, [f"masking: no column {mark!r}" for mark in unused]


def _fits(mark: str, table: TableInfo, column: ColumnInfo) -> bool:
    schema, live = table.live
    names = (f"{table.name}.{column.name}", f"{live}.{column.name}", f"{schema}.{live}.{column.name}")
    return any(fnmatch.fnmatchcase(name.lower(), mark.lower()) for name in names)


def _kind(table: TableInfo, column: ColumnInfo, values: Sequence[Value]) -> str:
    prefix = common_prefix([one.name for one in table.columns])
    words = humanized(column.name[len(prefix) :])
    for kind, pattern in NAME_PATTERNS:
        if re.search(pattern, words) and _possible(kind, column):
            return kind
    if words == "name" and column.type is ColumnType.STRING and _PERSON_TABLE.search(humanized(table.live[1])):
        return "name"
    texts = [value for value in values if isinstance(value, str)]
    if len(texts) >= LEAST:
        for kind, pattern in CONTENT_PATTERNS:
            if sum(re.fullmatch(pattern, text.strip()) is not None for text in texts) >= SHARE * len(texts):
                return kind
    digits = [value for value in values if isinstance(value, int) and not isinstance(value, bool)]
    cards = sum(_is_card(value) for value in digits) + sum(_is_card_text(text) for text in texts)
    return "card" if cards >= max(LEAST, SHARE * len(values)) else ""


def _possible(kind: str, column: ColumnInfo) -> bool:
    """Say whether a column of this class can hold such data: a text of names, a date of birth."""
    if kind == "birth date":
        return column.type in MOMENTS or column.type is ColumnType.STRING
    if kind in ("phone", "card", "id number"):
        return column.type in NUMBERS or column.type is ColumnType.STRING
    return column.type is ColumnType.STRING


def _is_card(value: int) -> bool:
    """Say whether the digits are those of a card number, by their check digit (Luhn)."""
    text = str(value)
    if not 13 <= len(text) <= 19:
        return False
    doubled = [int(digit) * (1 + index % 2) for index, digit in enumerate(reversed(text))]
    return sum(digit - 9 if digit > 9 else digit for digit in doubled) % 10 == 0


def _is_card_text(text: str) -> bool:
    bare = re.sub(r"[ -]", "", text)
    return bare.isascii() and bare.isdigit() and _is_card(int(bare))


def _spread(found: dict[tuple[str, str], str], relations: Sequence[Relation], spared: set[tuple[str, str]]) -> None:
    """Make personal what shares its values with something personal, until nothing changes."""
    pairs = [
        ((r.child, a), (r.parent, b)) for r in relations for a, b in zip(r.child_columns, r.parent_columns, strict=True)
    ]
    grown = True
    while grown:
        grown = False
        for one, other in (*pairs, *((b, a) for a, b in pairs)):
            if one in found and other not in found and other not in spared:
                found[other] = found[one]
                grown = True


def telling(value: Value) -> bool:
    """Say whether a value by itself gives something away: short texts and small numbers are everywhere."""
    if isinstance(value, str):
        return len(value.strip()) >= 4
    if isinstance(value, bool) or value is None:
        return False
    if isinstance(value, dt.date):
        return True
    return sum(character.isdigit() for character in str(value).rstrip("0")) >= 4
