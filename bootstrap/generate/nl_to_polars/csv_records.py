"""From the text of a CSV file to its records: separator, quoting, header and what is ragged, without being told.

The separator is the one that cuts most records into the same number of fields as the first one. Nothing here raises
for what a file holds; what is mended or dropped is told in notes.
"""

from __future__ import annotations

import csv
import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bootstrap.generate.nl_to_polars.column_types import kind_of, looks_missing

SEPARATORS = (",", ";", "\t", "|")
NONE = "\x1f"
"""Stands for the separator of a file with one column, where a comma is part of the text."""
SAMPLED = 400  # records looked at to choose a separator
LONGEST_FIELD = 16 * 2**20
RUNAWAY_LINES = 60  # a quoted field over so many lines is a quote that was never closed
PREAMBLE = 20  # lines of a title that may come before the header
_EXCEL = re.compile(r"\A\s*sep=(.)\s*\r?\n", re.IGNORECASE)

Record = list[str]


@dataclass(frozen=True)
class Records:
    """`header`: the first record as it stands, None where the file has none. Every row has `width` fields."""

    separator: str
    quote: str
    header: Record | None
    rows: list[Record]
    width: int
    notes: tuple[str, ...] = ()


def read_records(text: str) -> Records | None:
    """Return the records of a text; None where it holds none."""
    told = _EXCEL.match(text)
    if told:
        text = text[told.end() :]
    if not text.strip():
        return None
    quote = _quote_of(text)
    separator = told.group(1) if told else _separator_of(text, quote)
    notes: list[str] = []
    records = _parse(text, separator, quote, notes)
    blank = sum(not any(cell.strip() for cell in record) for record in records)
    if blank:
        notes.append(f"{blank} records without any value are left out")
    records = [record for record in records if any(cell.strip() for cell in record)]
    records = _without_preamble(records, notes)
    header = records[0] if records and has_header(records[0], records[1:]) else None
    return _rectangular(separator, quote, header, records[1:] if header else records, notes)


def _quote_of(text: str) -> str:
    """Return the quotation mark: the apostrophe only where most fields stand between two of them."""
    head = text[:20_000]
    return "'" if head.count("'") > 20 * (head.count('"') + 1) and re.match(r"\s*'[^'\n]*'[,;\t|\n\r]", head) else '"'


def _separator_of(text: str, quote: str) -> str:
    """Return the separator under which the records look most like a table; NONE where there is one column."""
    lines = text[: 2**20].splitlines()[:SAMPLED]
    scores = {separator: _score(_lines_parsed(lines, separator, quote)) for separator in SEPARATORS}
    best = max(SEPARATORS, key=lambda separator: scores[separator])
    return best if scores[best][0] > 0 else NONE


def _score(records: Sequence[Record]) -> tuple[float, float]:
    widths = [len(record) for record in records if any(cell.strip() for cell in record)]
    if not widths:
        return (0.0, 0)
    width, count = max(Counter(widths).items(), key=lambda item: (item[0] > 1, item[1], item[0]))
    share = count / len(widths)
    if width == 1 or share < 0.5:
        return (0.0, 0)
    first = next((w for w in widths if w > 1), 1)
    return (round(share * (1.0 if first in (width, width - 1) else 0.5), 2), width)


def _lines_parsed(lines: Sequence[str], separator: str, quote: str) -> list[Record]:
    """Return records, one per line, but for quoted fields over several lines."""
    try:
        return list(csv.reader(lines, delimiter=separator, quotechar=quote, skipinitialspace=True))
    except csv.Error:
        return [line.split(separator) for line in lines]


def _parse(text: str, separator: str, quote: str, notes: list[str]) -> list[Record]:
    csv.field_size_limit(LONGEST_FIELD)
    escape = "\\" if text.count(f"\\{quote}") > text.count(quote * 2) else None
    text = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n")
    options: dict[str, str | bool | None]
    options = {"delimiter": separator, "quotechar": quote, "skipinitialspace": True, "escapechar": escape}
    try:
        records = _with_newlines(text, options)
        if not any(cell.count("\n") > RUNAWAY_LINES for record in records for cell in record):
            return records
        reason = "a quotation mark is never closed"
    except csv.Error as error:
        reason = str(error)
    notes.append(f"read line by line, without quotation marks over several lines: {reason}")
    return [_one_line(line, options, separator) for line in text.split("\n")]


def _with_newlines(text: str, options: dict[str, str | bool | None]) -> list[Record]:
    lines = (line + "\n" for line in text.split("\n"))
    return [[cell.removesuffix("\n") for cell in record] for record in csv.reader(lines, **options)]  # type: ignore[arg-type]  # known keys


def _one_line(line: str, options: dict[str, str | bool | None], separator: str) -> Record:
    try:
        return next(csv.reader([line], **options), [])  # type: ignore[arg-type]  # known keys
    except csv.Error:
        return line.split(separator)


def _without_preamble(records: list[Record], notes: list[str]) -> list[Record]:
    """Leave out a title above the table: first records of one field where the table has three or more."""
    if len(records) < 3:
        return records
    width = Counter(map(_filled, records[1:])).most_common(1)[0][0]
    start = next((i for i, record in enumerate(records[:PREAMBLE]) if _filled(record) > 1), 0)
    if width < 3 or not start:
        return records
    notes.append(f"{start} lines above the header are left out")
    return records[start:]


def _filled(record: Record) -> int:
    """Return the number of fields up to the last one that is not empty."""
    return max((i for i, cell in enumerate(record, 1) if cell.strip()), default=0)


# -- header -------------------------------------------------------------------------------------------------------


def has_header(first: Record, body: Sequence[Record]) -> bool:
    """Say whether the first record names the columns.

    It does not where it reads as one more row: a column of numbers or dates begins with one, or a name comes again
    among the values of its column. Years as names (1990, 1991, ...) are names.
    """
    if not body:
        return not any(kind_of(cell) in ("number", "date") for cell in first)
    if _years(first):
        return True
    sample = body[:SAMPLED]
    typed = same = recurring = 0
    for position, cell in enumerate(first):
        values = [r[position].strip() for r in sample if position < len(r) and not looks_missing(r[position])]
        kinds = Counter(map(kind_of, values))
        kind = kinds.most_common(1)[0][0] if kinds else "text"
        if kind != "text" and kinds[kind] > 0.8 * len(values):
            typed += 1
            same += kind_of(cell) == kind
        elif kind == "text" and cell.strip():
            recurring += cell.strip() in values
    if typed:
        return same == 0 or 2 * same < typed
    return recurring == 0


def _years(first: Record) -> bool:
    numbers = [int(cell) for cell in first if cell.strip().isdecimal() and len(cell.strip()) == 4]
    rising = all(a < b for a, b in itertools.pairwise(numbers))
    return len(numbers) >= 2 and rising and all(1500 <= n <= 2200 for n in numbers) and len(numbers) < len(first)


# -- shape --------------------------------------------------------------------------------------------------------


def _rectangular(
    separator: str, quote: str, header: Record | None, rows: list[Record], notes: list[str]
) -> Records:  # fmt: skip
    """Give every row the same number of fields; what cannot be told apart from a shifted row is left out."""
    widths = Counter(len(row) for row in rows)
    width = len(header) if header else max(widths, key=lambda w: (widths[w], w), default=0)
    if header and rows and widths[width + 1] >= 0.9 * len(rows):
        if all(not row[-1].strip() for row in rows if len(row) == width + 1):
            rows = [row[:width] if len(row) == width + 1 else row for row in rows]
        else:
            header, width = ["", *header], width + 1
            notes.append("the first column has no name in the header")
    kept, short, long, again = [], 0, 0, 0
    for row in rows:
        while len(row) > width and not row[-1].strip():
            row = row[:-1]
        if len(row) > width:
            long += 1
        elif header and [cell.strip() for cell in row] == [cell.strip() for cell in header]:
            again += 1
        else:
            short += len(row) < width
            kept.append(row + [""] * (width - len(row)))
    if short:
        notes.append(f"{short} rows have too few fields; the last ones count as missing")
    if long:
        notes.append(f"{long} rows have too many fields and are left out")
    if again:
        notes.append(f"{again} rows repeat the header and are left out")
    return Records(separator, quote, header, kept, width, tuple(notes))
