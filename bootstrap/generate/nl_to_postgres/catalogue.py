"""What information_schema says of a database, as tables: what questions about the schema are asked of."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bootstrap.generate.nl_to_postgres.introspect import Found
from interpreters.base import Column, ColumnType, Table, Value

SHAPES: Mapping[str, tuple[tuple[str, ColumnType], ...]] = {
    "tables": (("table_schema", ColumnType.STRING), ("table_name", ColumnType.STRING)),
    "columns": (
        ("table_schema", ColumnType.STRING), ("table_name", ColumnType.STRING), ("column_name", ColumnType.STRING),
        ("ordinal_position", ColumnType.INT), ("is_nullable", ColumnType.STRING), ("data_type", ColumnType.STRING),
    ),
    "key_column_usage": (
        ("table_schema", ColumnType.STRING), ("table_name", ColumnType.STRING), ("column_name", ColumnType.STRING),
        ("constraint_name", ColumnType.STRING), ("ordinal_position", ColumnType.INT),
    ),
}  # fmt: skip
"""View of information_schema -> the columns that are used of it."""


def catalogue_of(found: Found, masked: Callable[[str], str]) -> dict[str, Table]:
    """Return the views `tables` and `columns`, from what pg_catalog said."""
    tables: list[tuple[Value, ...]] = []
    columns: list[tuple[Value, ...]] = []
    for table in found.tables.values():
        tables.append(table.live)
        for position, column in enumerate(table.columns, 1):
            nullable = "YES" if column.nullable else "NO"
            columns.append((*table.live, column.name, position, nullable, data_type(column.sql_type)))
    rows = {"tables": tables, "columns": columns}
    return {
        name: Table(tuple(Column(*column) for column in SHAPES[name]), tuple(rows[name]))
        for name in ("tables", "columns")
    }


def data_type(sql_type: str) -> str:
    """Return how information_schema calls a type: without its length, and an array as just that."""
    if sql_type.endswith("[]"):
        return "ARRAY"
    base, _, rest = sql_type.partition("(")
    return base + rest.partition(")")[2]
