"""From SQL to Ibis and Polars: by our own reading of sqlglot's tree, through one relational model.

There are two attempts at most. The plain one is what people write: it leaves NULLs where the library puts them. The
strict one says what SQL says: where NULLs sort, that a sum over nothing is NULL, that NULLs are not counted among the
distinct values. Where data has no such NULLs both are right, and the plain one is the better example.
"""

from __future__ import annotations

from typing import Literal

from bootstrap.convert.base import Conversion, Schema, UnsupportedSqlError

__all__ = ["Conversion", "Schema", "UnsupportedSqlError", "translate_sql"]


def translate_sql(sql: str, source: str, target: Literal["ibis", "polars"], schema: Schema) -> list[Conversion]:
    """Return attempts at the query in the target language, the preferred first.

    `source` is sqlglot's name of the dialect. Raises UnsupportedSqlError with the reason when there is no attempt.
    """
    from bootstrap.convert.relational.read_sql import read_sql
    from bootstrap.convert.relational.to_ibis import to_ibis
    from bootstrap.convert.relational.to_polars import to_polars

    write = {"ibis": to_ibis, "polars": to_polars}[target]
    relation = read_sql(sql, source, schema)
    plain, strict = (write(relation, list(schema), strict) for strict in (False, True))
    found = [Conversion(plain, "relational plain")]
    return found if strict == plain else [*found, Conversion(strict, "relational strict")]
