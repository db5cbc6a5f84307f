"""From a folder of CSV files to tables with types, and schemas.json.

A file is read up to a number of bytes and rows: an enormous one gives a sample, its first rows, and says so. A file
that holds no table is named with the reason; it never ends the generation.
"""

from __future__ import annotations

import hashlib
import keyword
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bootstrap.errors import UserError
from bootstrap.generate.nl_to_polars.column_types import typed, uses_decimal_comma
from bootstrap.generate.nl_to_polars.csv_records import NONE, Records, read_records
from bootstrap.generate.nl_to_polars.decoding import decode
from interpreters.base import Column, ColumnType, Table, Value

SUFFIXES = (".csv", ".tsv", ".tab", ".psv", ".txt")
RESERVED = frozenset((*keyword.kwlist, *keyword.softkwlist, "pl", "df", "pd", "result"))
"""Names that a table cannot have, because they mean something else to code."""
DTYPES = {
    ColumnType.BOOL: "Boolean", ColumnType.INT: "Int64", ColumnType.FLOAT: "Float64", ColumnType.STRING: "String",
    ColumnType.DATE: "Date", ColumnType.TIMESTAMP: "Datetime",
}  # fmt: skip
SHOWN_TEXT = 80  # characters of a sample


@dataclass(frozen=True)
class CsvTable:
    """One file. `name`: what code calls the table. `refused`: why there is no table, else ""."""

    name: str
    file: str
    digest: str
    encoding: str = ""
    separator: str = ""
    header: bool = True
    decimal_comma: bool = False
    whole: bool = True
    table: Table = field(default_factory=lambda: Table((), ()))
    refused: str = ""
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.table.columns


@dataclass
class Reading:
    """How much of a file is read."""

    max_bytes: int
    max_rows: int
    taken: set[str] = field(default_factory=set)


def list_files(folder: Path) -> list[Path]:
    """Return the files with tables, by name. Raises UserError where there are none."""
    if not folder.is_dir():
        raise UserError(f"folder: {folder} is not a folder; expected one with CSV files ({', '.join(SUFFIXES)})")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise UserError(f"folder: {folder} holds no CSV files ({', '.join(SUFFIXES)})")
    return found


def read_tables(folder: Path, max_bytes: int, max_rows: int) -> list[CsvTable]:
    """Return what every file of a folder holds, in the order of their names. Raises UserError without any file."""
    reading = Reading(max_bytes, max_rows)
    return [_read(path, reading) for path in list_files(folder)]


def _read(path: Path, reading: Reading) -> CsvTable:
    name = table_name(path.stem, reading.taken)
    try:
        with open(path, "rb") as file:
            raw = file.read(reading.max_bytes + 1)
    except OSError as error:
        return CsvTable(name, path.name, "unreadable", refused=f"cannot be read: {error.strerror or error}")
    cut = len(raw) > reading.max_bytes
    digest = hashlib.sha256(raw).hexdigest()[:8]
    decoded = decode(raw)
    text = decoded.text[: decoded.text.rfind("\n") + 1] if cut else decoded.text
    records = read_records(text)
    if records is None or not records.width:
        return CsvTable(name, path.name, digest, decoded.encoding, refused="the file is empty", notes=decoded.notes)
    return _typed_table(CsvTable(name, path.name, digest, decoded.encoding), records, decoded.notes, cut, reading)


def _typed_table(
    empty: CsvTable, records: Records, told: Sequence[str], cut: bool, reading: Reading
) -> CsvTable:  # fmt: skip
    rows, notes = records.rows, [*told, *records.notes]
    whole = not cut and len(rows) <= reading.max_rows
    if not whole:
        rows = rows[: reading.max_rows]
        notes.append(f"a large file: its first {len(rows):,} rows stand for it")
    cells: Sequence[Sequence[str]] = list(zip(*rows, strict=True)) or [()] * records.width
    names = column_names(records.header, records.width, notes)
    comma = uses_decimal_comma(cells, records.separator)
    columns, values = [], []
    for column, texts in zip(names, cells, strict=True):
        found = typed(texts, comma or uses_decimal_comma([texts], records.separator))
        columns.append(Column(column, found.type))
        values.append(found.values)
        notes += [f"column {column!r}: {note}" for note in found.notes]
    table = Table(tuple(columns), tuple(zip(*values, strict=True)))
    refused = "" if table.rows else "no rows below the header"
    return CsvTable(
        empty.name, empty.file, empty.digest, empty.encoding, records.separator.strip(NONE), records.header is not None,
        comma, whole, table, refused, tuple(notes),
    )  # fmt: skip


# -- names --------------------------------------------------------------------------------------------------------


def table_name(stem: str, taken: set[str]) -> str:
    """Return a name that Python and SQL take, and no other table has; `taken` gets it."""
    plain = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    name = re.sub(r"\W+", "_", plain).strip("_").lower()[:60] or "table"
    if name[0].isdigit() or name in RESERVED:
        name = f"t_{name}"
    return _free(name, taken)


def column_names(header: Sequence[str] | None, width: int, notes: list[str]) -> list[str]:
    """Return a name for each column: those of the header, made different where they are the same but for case."""
    if header is None:
        notes.append("no header: the columns are called column_1, column_2, ...")
    given = [" ".join(cell.split()) for cell in header] if header else [""] * width
    taken = {name.casefold() for name in given if given.count(name) == 1 and name}
    names: list[str] = []
    seen: set[str] = set()
    for position, name in enumerate(given, 1):
        if header is not None and not name:
            notes.append(f"column {position} has no name in the header and is called column_{position}")
        wanted = name or f"column_{position}"
        if wanted.casefold() in seen:
            free = _free(f"{wanted}_2", taken | seen)
            notes.append(f"column {position} has the name {wanted!r} again and is called {free!r}")
            wanted = free
        seen.add(wanted.casefold())
        names.append(wanted)
    return names


def _free(name: str, taken: set[str]) -> str:
    stem = name.removesuffix("_2")
    free, number = name, 1
    while free.casefold() in taken:
        number += 1
        free = f"{stem}_{number}"
    taken.add(free.casefold())
    return free


# -- schemas ------------------------------------------------------------------------------------------------------


def schema_of(table: CsvTable) -> dict[str, Any]:
    """Return a table's entry in schemas.json."""
    return {
        "name": table.name, "file": table.file, "encoding": table.encoding, "separator": table.separator,
        "header": table.header, "decimal_comma": table.decimal_comma, "rows": len(table.table.rows),
        "whole_file": table.whole, "problem": table.refused or None, "notes": list(table.notes),
        "columns": [_column(column, position, table.table) for position, column in enumerate(table.columns)],
    }  # fmt: skip


def _column(column: Column, position: int, table: Table) -> dict[str, Any]:
    known = [row[position] for row in table.rows if row[position] is not None]
    distinct = list(dict.fromkeys(known))
    ends = [min(known), max(known)] if known and column.type is not ColumnType.BOOL else []  # type: ignore[type-var]  # one class
    return {
        "name": column.name, "dtype": DTYPES[column.type], "samples": [plain(value) for value in distinct[:3]],
        "range": [plain(end) for end in ends] or None, "nulls": len(table.rows) - len(known), "distinct": len(distinct),
    }  # fmt: skip


def plain(value: Value) -> Any:
    """Return a value as JSON has it."""
    if isinstance(value, str):
        return value if len(value) <= SHOWN_TEXT else value[:SHOWN_TEXT] + "..."
    return value if isinstance(value, bool | int | float | None) else value.isoformat()  # type: ignore[union-attr]  # dates


def schema_text(entry: dict[str, Any], most: int = 40) -> str:
    """Return an entry of schemas.json as a prompt shows it."""
    lines = [f"Table {entry['name']} (file {entry['file']}, {entry['rows']:,} rows)"]
    for column in entry["columns"][:most]:
        samples = ", ".join(str(sample) for sample in column["samples"])
        nulls = f"; {column['nulls']} missing" if column["nulls"] else ""
        ends = f"; from {column['range'][0]} to {column['range'][1]}" if column["range"] else ""
        lines.append(
            f"- {column['name']}: {column['dtype']}, e.g. {samples}{ends}{nulls}; {column['distinct']} distinct"
        )
    if len(entry["columns"]) > most:
        lines.append(f"- and {len(entry['columns']) - most} more columns")
    return "\n".join(lines)
