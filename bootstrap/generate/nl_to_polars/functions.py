"""Functions of one expression: how each is written in every language, and in words.

`{0}` is the expression, `{n}` a number, `{text}` a quoted text. A function is here only where the languages mean the
same by it, for every value that a CSV file can give.
"""

from __future__ import annotations

from dataclasses import dataclass

from interpreters.base import ColumnType

S, N, F, D, T = ColumnType.STRING, ColumnType.INT, ColumnType.FLOAT, ColumnType.DATE, ColumnType.TIMESTAMP


@dataclass(frozen=True)
class Function:
    takes: tuple[ColumnType, ...]
    gives: ColumnType
    polars: str
    duckdb: str
    pandas: str
    words: str
    """With `{0}` for the words of the expression."""
    name: str
    """Of a column that holds it, with `{0}` for the column's name."""


FUNCTIONS = {
    "lower": Function(
        (S,), S, "{0}.str.to_lowercase()", "lower({0})", "{0}.str.lower()", "{0} in lower case", "{0}_lower"
    ),
    "upper": Function(
        (S,), S, "{0}.str.to_uppercase()", "upper({0})", "{0}.str.upper()", "{0} in upper case", "{0}_upper"
    ),
    "length": Function(
        (S,), N, "{0}.str.len_chars()", "length({0})", "{0}.str.len()", "the number of characters in {0}", "{0}_length"
    ),
    "left": Function(
        (S,), S, "{0}.str.slice(0, {n})", "left({0}, {n})", "{0}.str[:{n}]", "the first {n} characters of {0}",
        "{0}_start",
    ),
    "initial": Function(
        (S,), S, "{0}.str.slice(0, 1)", "left({0}, 1)", "{0}.str[:1]", "the first letter of {0}", "{0}_initial"
    ),
    "first_word": Function(
        (S,), S, '{0}.str.split(" ").list.first()', "split_part({0}, ' ', 1)", '{0}.str.split(" ").str[0]',
        "the first word of {0} (the text before the first space)", "{0}_first_word",
    ),
    "without": Function(
        (S,), S, '{0}.str.replace_all({text}, "", literal=True)', "replace({0}, {text}, '')",
        '{0}.str.replace({text}, "", regex=False)', "{0} with every {text} taken out", "{0}_clean",
    ),
    "year": Function(
        (D, T), N, "{0}.dt.year()", "year({0})", "{0}.dt.year.astype('Int64')", "the year of {0}", "{0}_year"
    ),
    "month": Function(
        (D, T), N, "{0}.dt.month()", "month({0})", "{0}.dt.month.astype('Int64')",
        "the month of {0} as a number from 1 to 12", "{0}_month",
    ),
    "quarter": Function(
        (D, T), N, "{0}.dt.quarter()", "quarter({0})", "{0}.dt.quarter.astype('Int64')",
        "the quarter of {0} (1 to 4)", "{0}_quarter",
    ),
    "weekday": Function(
        (D, T), N, "{0}.dt.weekday()", "isodow({0})", "({0}.dt.day_of_week + 1).astype('Int64')",
        "the weekday of {0} (1 for Monday to 7 for Sunday)", "{0}_weekday",
    ),
    "month_start": Function(
        (D,), D, '{0}.dt.truncate("1mo")', "CAST(date_trunc('month', {0}) AS DATE)",
        '{0}.dt.to_period("M").dt.to_timestamp()', "the first day of the month of {0}", "{0}_month_start",
    ),
    "hour": Function(
        (T,), N, "{0}.dt.hour()", "hour({0})", "{0}.dt.hour.astype('Int64')", "the hour of {0}", "{0}_hour"
    ),
    "bucket": Function(
        (N,), N, "{0} // {n} * {n}", "CAST(floor({0} / {n}) AS BIGINT) * {n}", "{0} // {n} * {n}",
        "{0} rounded down to a multiple of {n}", "{0}_band",
    ),
    "floor": Function(
        (F,), N, "{0}.floor().cast(pl.Int64)", "CAST(floor({0}) AS BIGINT)", "({0} // 1).astype('Int64')",
        "{0} rounded down to a whole number", "{0}_floor",
    ),
}  # fmt: skip

AGGREGATES: dict[str, tuple[str, str, str, str]] = {
    "sum": ("{0}.sum()", "sum({0})", "sum", "total"),
    "mean": ("{0}.mean()", "avg({0})", "mean", "average"),
    "median": ("{0}.median()", "median({0})", "median", "median"),
    "min": ("{0}.min()", "min({0})", "min", "smallest"),
    "max": ("{0}.max()", "max({0})", "max", "largest"),
    "std": ("{0}.std()", "stddev_samp({0})", "std", "sample standard deviation"),
    "n_unique": ("{0}.drop_nulls().n_unique()", "count(DISTINCT {0})", "nunique", "number of different"),
    "known": ("{0}.count()", "count({0})", "count", "number of known"),
}
"""Name -> Polars, DuckDB, method of pandas, words before a column."""
