"""The scalar functions: from SQL to the model's names, and from these to templates of Ibis and Polars code.

In a template, `{0}` is an expression that a method can follow, `{1:v}` any argument as it stands (constants as Python
constants), `{1:e}` an expression of the library (constants wrapped).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from interpreters.base import ColumnType

INT, FLOAT, STRING, BOOL = ColumnType.INT, ColumnType.FLOAT, ColumnType.STRING, ColumnType.BOOL
NUMERIC = frozenset({INT, FLOAT, ColumnType.DECIMAL})
TEMPORAL = frozenset({ColumnType.DATE, ColumnType.TIMESTAMP})


@dataclass(frozen=True)
class Function:
    """`type` is None where a call has the class of its first argument. `takes` is what the arguments are cast to."""

    ibis: str
    polars: str
    type: ColumnType | None = None
    takes: ColumnType | None = None


def _text(ibis: str, polars: str, kind: ColumnType = STRING) -> Function:
    return Function(ibis, polars, kind, STRING)


def _part(name: str, polars: str = "") -> Function:
    return Function(f"{{0}}.{name}()", f"{{0}}.dt.{polars or name}()", INT, ColumnType.TIMESTAMP)


FUNCTIONS: dict[str, Function] = {
    "is_null": Function("{0}.isnull()", "{0}.is_null()", BOOL),
    "not_null": Function("{0}.notnull()", "{0}.is_not_null()", BOOL),
    "between": Function("{0}.between({1:v}, {2:v})", "{0}.is_between({1:e}, {2:e})", BOOL),
    "upper": _text("{0}.upper()", "{0}.str.to_uppercase()"),
    "lower": _text("{0}.lower()", "{0}.str.to_lowercase()"),
    "length": _text("{0}.length()", "{0}.str.len_chars()", INT),
    "strip": _text("{0}.strip()", "{0}.str.strip_chars()"),
    "lstrip": _text("{0}.lstrip()", "{0}.str.strip_chars_start()"),
    "rstrip": _text("{0}.rstrip()", "{0}.str.strip_chars_end()"),
    "reverse": _text("{0}.reverse()", "{0}.str.reverse()"),
    "replace": _text("{0}.replace({1:v}, {2:v})", "{0}.str.replace_all({1:e}, {2:e}, literal=True)"),
    "position": _text("({0}.find({1:v}) + 1)", "({0}.str.find({1:e}, literal=True).fill_null(-1) + 1)", INT),
    "starts_with": _text("{0}.startswith({1:v})", "{0}.str.starts_with({1:e})", BOOL),
    "ends_with": _text("{0}.endswith({1:v})", "{0}.str.ends_with({1:e})", BOOL),
    "contains": _text("{0}.contains({1:v})", "{0}.str.contains({1:e}, literal=True)", BOOL),
    "matches": _text("{0}.re_search({1:v})", "{0}.str.contains({1:e})", BOOL),
    "substring": _text("{0}.substr({1:v}, {2:v})", "{0}.str.slice({1:v}, {2:v})"),
    "substring_from": _text("{0}.substr({1:v})", "{0}.str.slice({1:v})"),
    "last": _text("{0}.right({1:v})", "{0}.str.tail({1:v})"),
    "first": _text("{0}.left({1:v})", "{0}.str.head({1:v})"),
    "abs": Function("{0}.abs()", "{0}.abs()"),
    "round": Function("{0}.round({1:v})", '{0}.round({1:v}, mode="half_away_from_zero")', FLOAT, FLOAT),
    "round_whole": Function("{0}.round()", '{0}.round(mode="half_away_from_zero")', FLOAT, FLOAT),
    "truncate": Function('({0}.sign() * {0}.abs().floor()).cast("int64")', "{0}.cast(pl.Int64)", INT),
    "nearest": Function('{0}.cast("int64")', "{0}.round().cast(pl.Int64)", INT),
    "ceil": Function("{0}.ceil()", "{0}.ceil()", INT),
    "floor": Function("{0}.floor()", "{0}.floor()", INT),
    "sqrt": Function("{0}.sqrt()", "{0}.sqrt()", FLOAT),
    "exp": Function("{0}.exp()", "{0}.exp()", FLOAT),
    "ln": Function("{0}.ln()", "{0}.log()", FLOAT),
    "power": Function("{0} ** {1:e}", "{0}.cast(pl.Float64) ** {1:v}", FLOAT),
    "sign": Function("{0}.sign()", "{0}.sign()"),
    "fill_null": Function("{0}.fill_null({1:v})", "{0}.fill_null({1:v})"),
    "nullif": Function("{0}.nullif({1:v})", "pl.when({1:e}.is_null() | ({0} != {1:e})).then({0})"),
    "year": _part("year"),
    "month": _part("month"),
    "day": _part("day"),
    "hour": _part("hour"),
    "minute": _part("minute"),
    "second": _part("second"),
    "quarter": _part("quarter"),
    "day_of_year": _part("day_of_year", "ordinal_day"),
    "week": _part("week_of_year", "week"),
    "strftime": Function("{0}.strftime({1:v})", "{0}.dt.strftime({1:v})", STRING),
    "truncate_year": Function('{0}.truncate("Y")', '{0}.dt.truncate("1y")'),
    "truncate_quarter": Function('{0}.truncate("Q")', '{0}.dt.truncate("1q")'),
    "truncate_month": Function('{0}.truncate("M")', '{0}.dt.truncate("1mo")'),
    "truncate_week": Function('{0}.truncate("W")', '{0}.dt.truncate("1w")'),
    "truncate_day": Function('{0}.truncate("D")', '{0}.dt.truncate("1d")'),
    "days_between": Function('{0}.delta({1:v}, unit="day")', "({0} - {1:e}).dt.total_days()", INT, ColumnType.DATE),
}

VARIADIC = {
    "coalesce": ("ibis.coalesce", "pl.coalesce"),
    "greatest": ("ibis.greatest", "pl.max_horizontal"),
    "least": ("ibis.least", "pl.min_horizontal"),
}
OPERATORS = frozenset({"+", "-", "*", "/", "//", "%", "==", "!=", "<", "<=", ">", ">=", "&", "|"})

SIMPLE: dict[type[exp.Expr], str] = {
    exp.Upper: "upper",
    exp.Lower: "lower",
    exp.Length: "length",
    exp.Reverse: "reverse",
    exp.Abs: "abs",
    exp.Ceil: "ceil",
    exp.Floor: "floor",
    exp.Sqrt: "sqrt",
    exp.Exp: "exp",
    exp.Ln: "ln",
    exp.Pow: "power",
    exp.Sign: "sign",
    exp.StartsWith: "starts_with",
    exp.EndsWith: "ends_with",
    exp.Contains: "contains",
    exp.Replace: "replace",
    exp.StrPosition: "position",
    exp.Year: "year",
    exp.Month: "month",
    exp.Day: "day",
    exp.Hour: "hour",
    exp.Minute: "minute",
    exp.Second: "second",
    exp.Quarter: "quarter",
    exp.DayOfYear: "day_of_year",
    exp.WeekOfYear: "week",
    exp.Nullif: "nullif",
    exp.RegexpLike: "matches",
    exp.Greatest: "greatest",
    exp.Least: "least",
}
"""Functions whose arguments go over as they are, in the order in which sqlglot keeps them."""

AGGREGATES: dict[type[exp.Expr], str] = {
    exp.Count: "count",
    exp.Sum: "sum",
    exp.Avg: "mean",
    exp.Min: "min",
    exp.Max: "max",
    exp.AnyValue: "any",
    exp.First: "any",
    exp.Median: "median",
    exp.Stddev: "std",
    exp.StddevSamp: "std",
    exp.Variance: "var",
    exp.LogicalOr: "some",
    exp.LogicalAnd: "every",
}
COMPARISONS: dict[type[exp.Expr], str] = {
    exp.EQ: "==", exp.NEQ: "!=", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=",
}  # fmt: skip
FLIPPED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
ARITHMETIC: dict[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Mod: "%"}
CASTS: dict[str, ColumnType] = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INT", "BIGINT", "INT128", "UINT", "UBIGINT"), INT),
    **dict.fromkeys(("FLOAT", "DOUBLE", "DECIMAL"), FLOAT),
    **dict.fromkeys(("TEXT", "VARCHAR", "CHAR", "NVARCHAR"), STRING),
    "BOOLEAN": BOOL,
    "DATE": ColumnType.DATE,
    "TIMESTAMP": ColumnType.TIMESTAMP,
    "DATETIME": ColumnType.TIMESTAMP,
    "TIMESTAMPNTZ": ColumnType.TIMESTAMP,
}


def type_of(name: str, arguments: tuple[ColumnType, ...]) -> ColumnType:
    """Return the class of a call's value."""
    if name in VARIADIC:
        return next((kind for kind in arguments if kind is not ColumnType.NULL), ColumnType.NULL)
    return FUNCTIONS[name].type or arguments[0]
