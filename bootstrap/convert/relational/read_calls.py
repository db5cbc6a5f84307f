"""Function calls, aggregates and windows of sqlglot's tree, read into the model."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlglot import exp

from bootstrap.convert.base import UnsupportedSqlError
from bootstrap.convert.relational.coercion import DATE, TIMESTAMP, cast, number
from bootstrap.convert.relational.functions import (
    AGGREGATES,
    BOOL,
    FLOAT,
    FUNCTIONS,
    INT,
    SIMPLE,
    STRING,
    TEMPORAL,
    VARIADIC,
    type_of,
)
from bootstrap.convert.relational.model import Aggregate, Call, Case, Expr, Frame, Literal, Window
from interpreters.base import ColumnType

if TYPE_CHECKING:
    from bootstrap.convert.relational.read_expression import ExpressionReader

_PARTS = {"YEAR": "year", "MONTH": "month", "DAY": "day", "HOUR": "hour", "MINUTE": "minute", "SECOND": "second"}
_PARTS |= {"QUARTER": "quarter", "DOY": "day_of_year", "DAYOFYEAR": "day_of_year", "WEEK": "week"}
_NUMBERS: dict[type[exp.Expr], str] = {exp.RowNumber: "row_number", exp.Rank: "rank", exp.DenseRank: "dense_rank"}
_NEIGHBOURS: dict[type[exp.Expr], str] = {
    exp.Lag: "lag",
    exp.Lead: "lead",
    exp.FirstValue: "first_value",
    exp.LastValue: "last_value",
}


def call(name: str, *arguments: Expr) -> Call:
    """Return a call of one of our functions, with its arguments in the classes that it takes."""
    takes = None if name in VARIADIC else FUNCTIONS[name].takes
    if takes is not None and not (takes in TEMPORAL and arguments[0].type in TEMPORAL):
        numeric = takes is FLOAT and arguments[0].type is INT
        arguments = (arguments[0] if numeric else cast(arguments[0], takes, lenient=True), *arguments[1:])
    return Call(type_of(name, tuple(argument.type for argument in arguments)), name, arguments)


def read_call(reader: ExpressionReader, node: exp.Expr) -> Expr:
    """Return a function call. Raises UnsupportedSqlError for a function that is not in our tables."""
    if isinstance(node, exp.IgnoreNulls) and isinstance(node.this, exp.AnyValue):
        return read_aggregate(reader, node.this)
    if type(node) in AGGREGATES or isinstance(node, exp.Filter | exp.GroupConcat | exp.ArgMax | exp.ArgMin):
        return read_aggregate(reader, node)
    if type(node) in SIMPLE:
        return call(SIMPLE[type(node)], *reader.read_all(_operands(node)))
    read = _READERS.get(type(node))
    if read is not None:
        return read(reader, node)
    if isinstance(node, exp.Anonymous):
        return _anonymous(reader, node)
    raise UnsupportedSqlError(f"{_title(node)} is not translated")


def _title(node: exp.Expr) -> str:
    return node.sql_name() if isinstance(node, exp.Func) else type(node).__name__


def _operands(node: exp.Expr) -> list[exp.Expr]:
    found: list[exp.Expr] = []
    for value in node.args.values():
        found += [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, exp.Expr)]
    return found


def _anonymous(reader: ExpressionReader, node: exp.Anonymous) -> Expr:
    name, arguments = node.name.lower(), node.expressions
    if name == "date_part" and len(arguments) == 2:
        return _part(reader, arguments[0].name, arguments[1])
    if name == "total" and len(arguments) == 1:
        total = Aggregate(FLOAT, "sum", (number(reader.read(arguments[0])),))
        return call("fill_null", total, Literal(FLOAT, 0.0))
    if name in ("prefix", "suffix") and len(arguments) == 2:
        return call("starts_with" if name == "prefix" else "ends_with", *reader.read_all(arguments))
    raise UnsupportedSqlError(f"the function {name} is not translated")


# -- text and numbers ---------------------------------------------------------------------------------------------


def _concat(reader: ExpressionReader, node: exp.Concat | exp.DPipe) -> Expr:
    nodes = [node.this, node.expression] if isinstance(node, exp.DPipe) else node.expressions
    texts = [cast(reader.read(one), STRING) for one in nodes]
    if isinstance(node, exp.Concat):  # takes NULL for no text
        texts = [one if isinstance(one, Literal) else call("fill_null", one, Literal(STRING, "")) for one in texts]
    joined = texts[0]
    for text in texts[1:]:
        joined = Call(STRING, "+", (joined, text))
    return joined


def _coalesce(reader: ExpressionReader, node: exp.Coalesce) -> Expr:
    values = reader.read_all([node.this, *node.expressions])
    kinds = {value.type for value in values} - {values[0].type}
    if STRING in (kinds | {values[0].type}) and kinds:
        raise UnsupportedSqlError("COALESCE over text and another class")
    if len(values) == 2:
        return Call(FLOAT if FLOAT in kinds else values[0].type, "fill_null", values)
    return call("coalesce", *values)


def _trim(reader: ExpressionReader, node: exp.Trim) -> Expr:
    if node.expression:
        raise UnsupportedSqlError("TRIM of other characters than blanks")
    position = {"LEADING": "lstrip", "TRAILING": "rstrip"}.get(str(node.args.get("position") or ""), "strip")
    return call(position, reader.read(node.this))


def _substring(reader: ExpressionReader, node: exp.Substring) -> Expr:
    text, start = reader.read(node.this), _integer(reader, node.args.get("start"))
    length = None if node.args.get("length") is None else _integer(reader, node.args["length"])
    if start < 0 and (length is None or length >= -start):
        return call("last", text, Literal(INT, -start))
    if start < 1 or (length is not None and length < 0):
        raise UnsupportedSqlError(f"a substring from position {start}")
    if start == 1 and length is not None:
        return call("first", text, Literal(INT, length))
    if length is None:
        return call("substring_from", text, Literal(INT, start - 1))
    return call("substring", text, Literal(INT, start - 1), Literal(INT, length))


def _end(reader: ExpressionReader, node: exp.Left | exp.Right) -> Expr:
    name = "first" if isinstance(node, exp.Left) else "last"
    return call(name, reader.read(node.this), Literal(INT, _integer(reader, node.expression)))


def _integer(reader: ExpressionReader, node: exp.Expr | None) -> int:
    found = None if node is None else reader.read(node)
    if isinstance(found, Literal) and isinstance(found.value, int):
        return found.value
    raise UnsupportedSqlError(f"{node.sql() if node is not None else 'a count'} is no whole number")


def _round(reader: ExpressionReader, node: exp.Round) -> Expr:
    value = reader.read(node.this)
    digits = node.args.get("decimals")
    if digits is None:
        return call("round_whole", number(value))
    return call("round", number(value), Literal(INT, _integer(reader, digits)))


# -- dates --------------------------------------------------------------------------------------------------------


def _part(reader: ExpressionReader, unit: str, node: exp.Expr) -> Expr:
    name = _PARTS.get(unit.upper())
    if name is None:
        raise UnsupportedSqlError(f"the part {unit} of a date")
    return call(name, reader.read(node))


def _extract(reader: ExpressionReader, node: exp.Extract) -> Expr:
    return _part(reader, node.name, node.expression)


def _unwrap(reader: ExpressionReader, node: exp.Expr) -> Expr:
    return moment(reader.read(node.this))


def moment(found: Expr) -> Expr:
    return found if found.type in TEMPORAL else cast(found, TIMESTAMP, lenient=True)


def _date(reader: ExpressionReader, node: exp.Date) -> Expr:
    if isinstance(node.this, exp.Literal) and node.name.lower() == "now":
        raise UnsupportedSqlError("the current date")
    found = reader.read(node.this)
    text = reader.dialect == "sqlite" and found.type is STRING
    return found if text and isinstance(found, Literal) else cast(found, DATE, lenient=True)


def _strftime(reader: ExpressionReader, node: exp.TimeToStr) -> Expr:
    layout = reader.read(node.args["format"])
    if not isinstance(layout, Literal):
        raise UnsupportedSqlError("strftime with a format that is no constant")
    return call("strftime", moment(reader.read(node.this)), layout)


def _truncate(reader: ExpressionReader, node: exp.Expr) -> Expr:
    name = f"truncate_{str(node.args['unit'].name).lower()}"
    if name not in FUNCTIONS:
        raise UnsupportedSqlError(f"truncation of a date to {node.args['unit'].name}")
    return call(name, moment(reader.read(node.this)))


def _date_diff(reader: ExpressionReader, node: exp.DateDiff) -> Expr:
    unit = node.args.get("unit")
    if unit is not None and unit.name.upper() != "DAY":
        raise UnsupportedSqlError(f"the difference of dates in {unit.name}")
    return call("days_between", *(cast(reader.read(one), DATE, lenient=True) for one in (node.this, node.expression)))


def _from_parts(reader: ExpressionReader, node: exp.TimestampFromParts | exp.DateFromParts) -> Expr:
    parts = [reader.read(part) for part in _operands(node)]
    whole = [int(part.value) for part in parts if isinstance(part, Literal) and isinstance(part.value, int | float)]
    if len(whole) != len(parts) or len(whole) < 3:
        raise UnsupportedSqlError("a date from parts that are no constants")
    moment_of = dt.datetime(*whole)  # type: ignore[arg-type]  # year to microsecond
    if isinstance(node, exp.DateFromParts):
        return Literal(DATE, moment_of.date().isoformat())
    return Literal(TIMESTAMP, moment_of.isoformat(sep=" "))


def read_days(reader: ExpressionReader, left: Expr, right: Expr, operator: str) -> Expr:
    if operator == "-" and left.type is DATE and right.type is DATE:
        return call("days_between", left, right)
    if operator in "+-" and left.type is DATE and isinstance(right, Literal) and isinstance(right.value, int):
        days = right.value if operator == "+" else -right.value
        return Call(DATE, "shift", (left, Literal(INT, days), Literal(STRING, "day")))
    raise UnsupportedSqlError(f"{left.type} {operator} {right.type}")


def read_interval(reader: ExpressionReader, node: exp.Expr, operator: str) -> Expr:
    """Return a date moved by days or weeks; constants are moved at once."""
    found, interval = moment(reader.read(node.this)), node.expression
    unit, amount = str(interval.args["unit"].name).upper().rstrip("S"), interval.this
    if operator not in "+-" or not isinstance(amount, exp.Literal) or not amount.this.strip().lstrip("-").isdigit():
        raise UnsupportedSqlError(f"the interval {interval.sql()}")
    count = int(amount.this) if operator == "+" else -int(amount.this)
    if isinstance(found, Literal):
        return _moved(found, count, unit)
    if unit not in ("DAY", "WEEK", "MONTH", "YEAR", "HOUR", "MINUTE"):
        raise UnsupportedSqlError(f"an interval of {unit}")
    return Call(TIMESTAMP, "shift", (cast(found, TIMESTAMP), Literal(INT, count), Literal(STRING, unit.lower())))


def _moved(day: Literal, count: int, unit: str) -> Expr:
    start = dt.datetime.fromisoformat(str(day.value))
    if unit in ("DAY", "WEEK"):
        end = start + dt.timedelta(days=count * (7 if unit == "WEEK" else 1))
    elif unit in ("MONTH", "YEAR") and start.day <= 28:
        months = start.year * 12 + start.month - 1 + count * (12 if unit == "YEAR" else 1)
        end = start.replace(year=months // 12, month=months % 12 + 1)
    else:
        raise UnsupportedSqlError(f"an interval of {unit} from {day.value!r}")
    return Literal(day.type, end.date().isoformat() if day.type is DATE else end.isoformat(sep=" "))


# -- aggregates and windows ---------------------------------------------------------------------------------------


def read_aggregate(reader: ExpressionReader, node: exp.Expr) -> Aggregate:
    """Return an aggregate, with its FILTER. Raises UnsupportedSqlError."""
    if isinstance(node, exp.Filter):
        inner = read_aggregate(reader, node.this)
        return Aggregate(
            inner.type, inner.function, inner.arguments, inner.distinct, reader.condition(node.expression.this)
        )
    if isinstance(node, exp.ArgMax | exp.ArgMin):
        value, key = reader.read(node.this), reader.read(node.expression)
        return Aggregate(value.type, "argmax" if isinstance(node, exp.ArgMax) else "argmin", (value, key))
    if isinstance(node, exp.GroupConcat) and not isinstance(node.this, exp.Distinct | exp.Order):
        separator = node.args.get("separator")
        joint = Literal(STRING, ",") if separator is None else reader.read(separator)
        return Aggregate(STRING, "join", (cast(reader.read(node.this), STRING), joint))
    if type(node) not in AGGREGATES:
        raise UnsupportedSqlError(
            f"{node.sql_name() if isinstance(node, exp.Func) else 'this aggregate'} is not translated"
        )
    name, argument = AGGREGATES[type(node)], node.this
    distinct = isinstance(argument, exp.Distinct)
    if distinct:
        if len(argument.expressions) != 1:
            raise UnsupportedSqlError(f"{name} of several distinct columns")
        argument = argument.expressions[0]
    if name == "count" and isinstance(argument, exp.Star | exp.Literal):
        return Aggregate(INT, "count", ())
    value = reader.read(argument)
    if name in ("sum", "mean", "median", "std", "var"):
        value = number(value)
    if name in ("min", "max", "any"):
        distinct = False
    if name in ("count", "some", "every"):
        return Aggregate(INT if name == "count" else BOOL, name, (value,), distinct)
    kind = value.type if name in ("sum", "min", "max", "any") else FLOAT
    return Aggregate(kind, name, (value,), distinct)


def _window(reader: ExpressionReader, node: exp.Window) -> Expr:
    if node.args.get("alias"):
        node = _named_window(reader, node)
    order_node = node.args.get("order")
    order = tuple(reader.sort_key(key) for key in order_node.expressions) if order_node else ()
    partition = reader.read_all(node.args.get("partition_by") or [])
    function, arguments, kind = _window_function(reader, node.this)
    if function in ("row_number", "rank", "dense_rank", "lag", "lead"):
        return Window(kind, function, arguments, partition, order, None)
    return Window(kind, function, arguments, partition, order, _frame(node, bool(order)))


def _named_window(reader: ExpressionReader, node: exp.Window) -> exp.Window:
    named = reader.windows.get(node.args["alias"].name.casefold())
    if named is None:
        raise UnsupportedSqlError(f"no window {node.args['alias'].name}")
    found = node.copy()
    found.set("alias", None)
    for key in ("partition_by", "order", "spec"):
        found.set(key, found.args.get(key) or named.args.get(key))
    return found


def _window_function(reader: ExpressionReader, node: exp.Expr) -> tuple[str, tuple[Expr, ...], ColumnType]:
    if type(node) in _NUMBERS:
        return _NUMBERS[type(node)], (), INT
    if type(node) in _NEIGHBOURS:
        value = reader.read(node.this)
        arguments: tuple[Expr, ...] = (value,)
        if isinstance(node, exp.Lag | exp.Lead):
            offset, default = node.args.get("offset"), node.args.get("default")
            arguments += (Literal(INT, 1 if offset is None else _integer(reader, offset)),)
            arguments += (reader.read(default),) if default is not None else ()
        return _NEIGHBOURS[type(node)], arguments, value.type
    found = read_aggregate(reader, node)
    if found.distinct:
        raise UnsupportedSqlError("a window over distinct values")
    if found.condition is not None:
        values = found.arguments or (Literal(INT, 1),)
        return found.function, (Case(values[0].type, ((found.condition, values[0]),), None),), found.type
    return found.function, found.arguments, found.type


def _frame(node: exp.Window, ordered: bool) -> Frame | None:
    spec = node.args.get("spec")
    if spec is None:
        return Frame(None, 0, peers=True) if ordered else None
    kind = str(spec.args.get("kind") or "").upper()
    start, end = _bound(spec, "start", "PRECEDING"), _bound(spec, "end", "FOLLOWING")
    if start is None and end is None:
        return None
    if kind == "ROWS":
        return Frame(start, end)
    if kind == "RANGE" and start is None and end == 0:
        return Frame(None, 0, peers=True)
    raise UnsupportedSqlError(f"the frame {spec.sql()}")


def _bound(spec: exp.Expr, side: str, outward: str) -> int | None:
    """Return the offset of a bound: negative before the current row, None for unbounded."""
    value, direction = spec.args.get(side), str(spec.args.get(f"{side}_side") or "").upper()
    if value is None or value == "CURRENT ROW":
        return 0
    if value == "UNBOUNDED":
        if direction != outward:
            raise UnsupportedSqlError(f"the frame {spec.sql()}")
        return None
    if not isinstance(value, exp.Literal) or not value.is_int:
        raise UnsupportedSqlError(f"the frame {spec.sql()}")
    return -int(value.this) if direction == "PRECEDING" else int(value.this)


_READERS: dict[type[exp.Expr], Callable[..., Expr]] = {
    exp.Concat: _concat,
    exp.DPipe: _concat,
    exp.Coalesce: _coalesce,
    exp.Trim: _trim,
    exp.Substring: _substring,
    exp.Left: _end,
    exp.Right: _end,
    exp.Round: _round,
    exp.Extract: _extract,
    exp.TsOrDsToTimestamp: _unwrap,
    exp.TsOrDsToDate: _unwrap,
    exp.Date: _date,
    exp.TimeToStr: _strftime,
    exp.TimestampTrunc: _truncate,
    exp.DateTrunc: _truncate,
    exp.DateDiff: _date_diff,
    exp.TimestampFromParts: _from_parts,
    exp.DateFromParts: _from_parts,
    exp.Window: _window,
}
