"""A query as lazy Polars code: one chain from `df.lazy()` to one `.collect()` (the rules are in lazy_rules.py).

`df` is the table of the query, whether it is given as a LazyFrame or as a DataFrame: `lazy()` takes both. Another table
goes by its name.
"""

from __future__ import annotations

import datetime as dt
import json
import keyword
from collections.abc import Sequence

from bootstrap.generate.nl_to_polars.forms import (
    Aggregate,
    AnyOf,
    Arithmetic,
    Between,
    Call,
    Case,
    Col,
    Compare,
    Condition,
    Expr,
    Filled,
    Join,
    Missing,
    Named,
    OneOf,
    Query,
    TextTest,
    Window,
    columns_in,
)
from bootstrap.generate.nl_to_polars.functions import AGGREGATES, FUNCTIONS
from interpreters.base import Value

WIDE = 100  # characters in a line, from which the arguments of a call are broken
_LENGTH = "pl.len()"


def text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def literal(value: Value) -> str:
    """Return a constant as code."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, dt.datetime):
        parts = [value.year, value.month, value.day, value.hour, value.minute, value.second]
        return f"pl.datetime({', '.join(map(str, parts))})"
    if isinstance(value, dt.date):
        return f"pl.date({value.year}, {value.month}, {value.day})"
    return repr(value)


def column(name: str) -> str:
    return f"pl.col({text(name)})"


def expression(part: Expr) -> str:
    match part:
        case Col(name):
            return column(name)
        case Call(function, of, n, constant):
            inner = expression(of)
            inner = f"({inner})" if isinstance(of, Arithmetic) else inner
            return FUNCTIONS[function].polars.format(inner, n=n, text=text(constant))
        case Arithmetic(sign, left, right):
            return f"{_operand(left)} {sign} {_operand(right)}"
        case Case(test, yes, no):
            return f"pl.when({condition(test)}).then(pl.lit({text(yes)})).otherwise(pl.lit({text(no)}))"
        case Filled(of, value):
            return f"{column(of.name)}.fill_null({literal(value)})"
    raise TypeError(f"no Polars code for {part!r}")


def _operand(part: Expr | int | float) -> str:
    if isinstance(part, int | float):
        return repr(part)
    return f"({expression(part)})" if isinstance(part, Arithmetic) else expression(part)


def condition(part: Condition) -> str:
    match part:
        case Compare(sign, left, right):
            if right is True and sign == "==":
                return expression(left)
            if right is False and sign == "==":
                return f"~{expression(left)}"
            operand = column(right.name) if isinstance(right, Col) else literal(right)
            return f"{_operand(left)} {sign} {operand}"
        case Missing(of, missing):
            return f"{_operand(of)}.{'is_null' if missing else 'is_not_null'}()"
        case OneOf(of, values, inside):
            return f"{'' if inside else '~'}{_operand(of)}.is_in([{', '.join(map(literal, values))}])"
        case Between(of, low, high):
            return f"{_operand(of)}.is_between({literal(low)}, {literal(high)})"
        case TextTest(how, of, constant, any_case):
            method = {"contains": "contains", "starts": "starts_with", "ends": "ends_with"}[how]
            inner = f"{_operand(of)}.str.to_lowercase()" if any_case else _operand(of)
            return f"{inner}.str.{method}({text(constant)}{', literal=True' if how == 'contains' else ''})"
        case AnyOf(conditions):
            return " | ".join(f"({condition(one)})" for one in conditions)
    raise TypeError(f"no Polars code for {part!r}")


def aggregate(part: Aggregate) -> str:
    if part.of is None:
        return _LENGTH if part.where is None else f"({condition(part.where)}).sum()"
    inner = expression(part.of)
    inner = f"({inner})" if isinstance(part.of, Arithmetic) else inner
    if part.where is not None:
        inner = f"{inner}.filter({condition(part.where)})"
    if part.how == "quantile":
        code = f'{inner}.quantile({part.q}, interpolation="linear")'
    elif part.how == "share":
        code = f"{inner}.mean()"
    else:
        code = AGGREGATES[part.how][0].format(inner)
    return f"{code}.round({part.digits})" if part.digits is not None else code


def window(part: Window) -> str:
    inner = column(part.of.name)
    by = f".over({', '.join(map(text, part.by))})" if part.by else ""
    ordered = by
    if part.order:
        ordered = f".over({''.join(f'{text(name)}, ' for name in part.by)}order_by={text(part.order)})"
    match part.how:
        case "share":
            return f"{inner} / {inner}.sum(){by}"
        case "gap":
            return f"{inner} - {inner}.mean(){by}"
        case "group_mean":
            return f"{inner}.mean(){by}"
        case "rank":
            return f'{inner}.rank("min"{", descending=True" if part.descending else ""}){by}'
        case "dense_rank":
            return f'{inner}.rank("dense"{", descending=True" if part.descending else ""}){by}'
        case "running":
            return f"{inner}.cum_sum(){ordered}"
        case "before":
            return f"{inner}.shift(1){ordered}"
        case "change":
            return f"{inner} - {inner}.shift(1){ordered}"
        case "rolling":
            return f"{inner}.rolling_mean({part.n}){ordered}"
    raise TypeError(f"no Polars code for {part!r}")


def named(one: Named) -> str:
    value = one.value
    if isinstance(value, Aggregate):
        code, single = aggregate(value), True
    elif isinstance(value, Window):
        code, single = window(value), value.how not in ("share", "gap", "change")
    else:
        code, single = expression(value), not (isinstance(value, Arithmetic) or " // " in expression(value))
    if one.name.isidentifier() and not keyword.iskeyword(one.name):
        return f"{one.name}={code}"
    return f"{code if single else f'({code})'}.alias({text(one.name)})"


def render(query: Query) -> str:
    """Return the whole chain."""
    steps = ["df.lazy()"]
    if query.join is not None:
        steps.append(_join(query.join))
    late = {one.name for one in query.derived}
    early = [one for one in query.where if not _reads(one, late)]
    steps += _call("filter", [condition(one) for one in early])
    steps += _call("with_columns", [named(one) for one in query.derived])
    steps += _call("filter", [condition(one) for one in query.where if one not in early])
    if query.keys:
        steps += [f".group_by({', '.join(map(text, query.keys))})", *_call("agg", list(map(named, query.aggregates)))]
    elif query.aggregates:
        steps += _call("select", list(map(named, query.aggregates)))
    steps += _call("filter", [condition(one) for one in query.having])
    steps += _call("with_columns", [named(one) for one in query.windows])
    steps += _call("filter", [condition(one) for one in query.keep])
    steps += _last(query)
    return "(\n    " + "\n    ".join(step.replace("\n", "\n    ") for step in [*steps, ".collect()"]) + "\n)"


def _reads(part: Condition, names: set[str]) -> bool:
    return any(one.name in names for one in columns_in(part))


def _join(join: Join) -> str:
    other = f"{join.table}.lazy()"
    if join.aggregates:
        inside = ", ".join(map(named, join.aggregates))
        other = f"df.lazy().group_by({text(join.right)}).agg({inside})"
    on = (
        f"on={text(join.left)}"
        if join.left == join.right
        else f"left_on={text(join.left)}, right_on={text(join.right)}"
    )
    return f".join({other}, {on}{'' if join.how == 'inner' else f', how={text(join.how)}'})"


def _call(method: str, arguments: Sequence[str]) -> list[str]:
    """Return the call of a method, in one line where it fits; none without arguments."""
    if not arguments:
        return []
    line = f".{method}({', '.join(arguments)})"
    if len(line) <= WIDE or len(arguments) == 1:
        return [line]
    return [f".{method}(\n" + "".join(f"    {one},\n" for one in arguments) + ")"]


def _last(query: Query) -> list[str]:
    """Return order, cut and the choice of columns."""
    chosen = [f".select({', '.join(map(text, query.output))})"]
    if query.shape == "groups" and not query.windows and query.output == _groups_output(query):
        chosen = []
    if query.shape == "one" and query.output == tuple(one.name for one in query.aggregates):
        chosen = []
    if query.distinct:
        chosen.append(".unique()")
    sort = []
    if query.order:
        names = [one.name for one in query.order]
        down = [one.descending for one in query.order]
        by = text(names[0]) if len(names) == 1 else f"[{', '.join(map(text, names))}]"
        flags = repr(down[0]) if len(set(down)) == 1 else repr(down)
        sort.append(f".sort({by}{f', descending={flags}' if any(down) else ''}, nulls_last=True)")
    if query.limit is not None:
        sort.append(f".head({query.limit})")
    return chosen + sort if query.distinct else sort + chosen


def _groups_output(query: Query) -> tuple[str, ...]:
    return (*query.keys, *(one.name for one in query.aggregates))
