"""A query as pandas code: one expression over `df` (and the other tables by name), with pandas' nullable types.

Integers are Int64, numbers Float64, text string, truth values boolean, dates datetime64, so that what is missing is NA
in every column and means what it means in SQL.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

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
)
from bootstrap.generate.nl_to_polars.functions import AGGREGATES, FUNCTIONS
from bootstrap.generate.nl_to_polars.polars_code import text
from interpreters.base import Column, ColumnType, Table, Value

_DTYPES = {
    ColumnType.INT: "Int64", ColumnType.FLOAT: "Float64", ColumnType.STRING: "string", ColumnType.BOOL: "boolean",
}  # fmt: skip


def literal(value: Value) -> str:
    if isinstance(value, str):
        return text(value)
    if isinstance(value, dt.date):
        return f'pd.Timestamp("{value.isoformat()}")'
    return repr(value)


def column(name: str) -> str:
    return f"d[{text(name)}]"


def expression(part: Expr) -> str:
    match part:
        case Col(name):
            return column(name)
        case Call(function, of, n, constant):
            inner = expression(of)
            inner = f"({inner})" if isinstance(of, Arithmetic) else inner
            return FUNCTIONS[function].pandas.format(inner, n=n, text=text(constant))
        case Arithmetic(sign, left, right):
            return f"{_operand(left)} {sign} {_operand(right)}"
        case Case(test, yes, no):
            return f"({condition(test)}).fillna(False).map({{True: {text(yes)}, False: {text(no)}}})"
        case Filled(of, value):
            return f"{column(of.name)}.fillna({literal(value)})"
    raise TypeError(f"no pandas code for {part!r}")


def _operand(part: Expr | int | float) -> str:
    if isinstance(part, int | float):
        return repr(part)
    return expression(part) if isinstance(part, Col | Filled) else f"({expression(part)})"


def condition(part: Condition) -> str:
    match part:
        case Compare(sign, left, right):
            other = column(right.name) if isinstance(right, Col) else literal(right)
            return f"{_operand(left)} {sign} {other}"
        case Missing(of, missing):
            return f"{_operand(of)}.{'isna' if missing else 'notna'}()"
        case OneOf(of, values, inside):
            found = f"{_operand(of)}.isin([{', '.join(map(literal, values))}])"
            return found if inside else f"~{found} & {_operand(of)}.notna()"
        case Between(of, low, high):
            return f"{_operand(of)}.between({literal(low)}, {literal(high)})"
        case TextTest(how, of, constant, any_case):
            method = {"contains": "contains", "starts": "startswith", "ends": "endswith"}[how]
            inner = f"{_operand(of)}.str.lower()" if any_case else _operand(of)
            return f"{inner}.str.{method}({text(constant)}{', regex=False' if how == 'contains' else ''})"
        case AnyOf(conditions):
            return " | ".join(f"({condition(one)}).fillna(False).astype(bool)" for one in conditions)
    raise TypeError(f"no pandas code for {part!r}")


def _filter(conditions: tuple[Condition, ...]) -> list[str]:
    return [f".loc[lambda d: ({condition(one)}).fillna(False)]" for one in conditions]


def _assign(items: list[tuple[str, str]]) -> list[str]:
    if not items:
        return []
    return [f".assign(**{{{', '.join(f'{text(name)}: lambda d: {code}' for name, code in items)}}})"]


def _prepared(one: Named, number: int) -> tuple[str, str]:
    """Return a column of its own for what an aggregate is over, with NA in the rows that do not count."""
    part = one.value
    if not isinstance(part, Aggregate):
        raise TypeError(f"no aggregate: {one!r}")
    if part.of is None:
        code = (
            "1" if part.where is None else f"({condition(part.where)}).astype('boolean').fillna(False).astype('Int64')"
        )
        return f"_{number}", code
    inner = expression(part.of)
    if part.how == "share":
        inner = f"({inner}).astype('Int64')"
    if part.where is not None:
        inner = f"({inner}).where(({condition(part.where)}).fillna(False))"
    return f"_{number}", inner


def _method(part: Aggregate) -> str:
    if part.of is None:
        return text("sum")
    if part.how == "quantile":
        return f"lambda s: s.quantile({part.q})"
    return text("mean" if part.how == "share" else AGGREGATES[part.how][2])


def _aggregated(keys: list[str], aggregates: tuple[Named, ...]) -> list[str]:
    prepared = [_prepared(one, i) for i, one in enumerate(aggregates)]
    whole = _assign(prepared)
    if keys:
        whole.append(f".groupby([{', '.join(map(text, keys))}], dropna=False, as_index=False)")
        pairs = [
            f"{text(one.name)}: ({text(name)}, {_method(one.value)})"
            for one, (name, _) in zip(aggregates, prepared, strict=True)
            if isinstance(one.value, Aggregate)
        ]
        whole.append(f".agg(**{{{', '.join(pairs)}}})")
    else:
        cells = [
            f"{text(one.name)}: [{_single(one.value, name)}]"
            for one, (name, _) in zip(aggregates, prepared, strict=True)
            if isinstance(one.value, Aggregate)
        ]
        whole.append(f".pipe(lambda d: pd.DataFrame({{{', '.join(cells)}}}))")
    rounded = [
        (one.name, f"{column(one.name)}.round({one.value.digits})")
        for one in aggregates
        if isinstance(one.value, Aggregate) and one.value.digits is not None
    ]
    return whole + _assign(rounded)


def _single(part: Aggregate, name: str) -> str:
    if part.how == "quantile":
        return f"{column(name)}.quantile({part.q})"
    method = "sum" if part.of is None else "mean" if part.how == "share" else AGGREGATES[part.how][2]
    return f"{column(name)}.{method}()"


def _window(part: Window) -> str:
    name = text(part.of.name)
    grouped = f"d.groupby([{', '.join(map(text, part.by))}], dropna=False)[{name}]" if part.by else f"d[{name}]"
    mean = f'{grouped}.transform("mean")' if part.by else f"d[{name}].mean()"
    total = f'{grouped}.transform("sum")' if part.by else f"d[{name}].sum()"
    if part.order:
        ordered = f"d.sort_values({text(part.order)})"
        grouped = (
            f"{ordered}.groupby([{', '.join(map(text, part.by))}], dropna=False)[{name}]"
            if part.by
            else f"{ordered}[{name}]"
        )
    match part.how:
        case "share":
            return f"d[{name}] / {total}"
        case "gap":
            return f"d[{name}] - {mean}"
        case "group_mean":
            return mean
        case "rank" | "dense_rank":
            method = "min" if part.how == "rank" else "dense"
            return f'{grouped}.rank(method="{method}", ascending={not part.descending}).astype("Int64")'
        case "running":
            return f"{grouped}.cumsum()"
        case "before":
            return f"{grouped}.shift(1)"
        case "change":
            return f"d[{name}] - {grouped}.shift(1)"
        case "rolling" if part.by:
            return f"{grouped}.transform(lambda s: s.rolling({part.n}).mean())"
        case "rolling":
            return f"{grouped}.rolling({part.n}).mean()"
    raise TypeError(f"no pandas code for {part!r}")


def _join(join: Join) -> list[str]:
    left, right = text(join.left), text(join.right)
    if join.how in ("semi", "anti"):
        inside = f"d[{left}].isin({join.table}[{right}].dropna())"
        return [f".loc[lambda d: {inside if join.how == 'semi' else '~' + inside}]"]
    wanted = ", ".join([right, *(text(one.name) for one in join.columns)])
    other = f"{join.table}[[{wanted}]].dropna(subset=[{right}])"
    if join.aggregates:
        other = "".join(
            [
                "df",
                f".dropna(subset=[{right}])",
                *(s.replace("\n", "") for s in _aggregated([join.right], join.aggregates)),
            ]
        )
    if join.left != join.right:
        other += f".rename(columns={{{right}: {left}}})"
    known = [] if join.how == "left" else [f".dropna(subset=[{left}])"]
    return [*known, f".merge({other}, on={left}, how={text(join.how)})"]


def render(query: Query) -> str:
    """Return the whole expression."""
    steps = ["df"]
    if query.join is not None:
        steps += _join(query.join)
    derived = [(one.name, expression(one.value)) for one in query.derived if isinstance(one.value, Expr)]
    steps += _assign(derived)
    steps += _filter(query.where)
    if query.aggregates:
        steps += _aggregated(list(query.keys), query.aggregates)
    steps += _filter(query.having)
    steps += _assign([(one.name, _window(one.value)) for one in query.windows if isinstance(one.value, Window)])
    steps += _filter(query.keep)
    sort = []
    if query.order:
        names, up = [one.name for one in query.order], [not one.descending for one in query.order]
        sort.append(f'.sort_values([{", ".join(map(text, names))}], ascending={up!r}, na_position="last")')
    if query.limit is not None:
        sort.append(f".head({query.limit})")
    chosen = [f"[[{', '.join(map(text, query.output))}]]", *([".drop_duplicates()"] if query.distinct else [])]
    steps += chosen + sort if query.distinct else sort + chosen
    lines = [steps[0]]
    for step in steps[1:]:
        lines += [step] if step.startswith(".") else [f".loc[:, {step[1:-1]}]"]
    return "(\n    " + "\n    ".join(lines) + "\n)"


# -- running ------------------------------------------------------------------------------------------------------


def frame_of(table: Table) -> Any:
    """Return a table as a DataFrame of pandas."""
    import pandas as pd

    cells = list(zip(*table.rows, strict=True)) or [()] * len(table.columns)
    series = {}
    for one, values in zip(table.columns, cells, strict=True):
        if one.type in (ColumnType.DATE, ColumnType.TIMESTAMP):
            series[one.name] = pd.Series(pd.to_datetime(list(values)).astype("datetime64[us]"))
        else:
            series[one.name] = pd.Series(list(values), dtype=_DTYPES[one.type])
    return pd.DataFrame(series)


def run(code: str, frames: Mapping[str, Any], like: Table) -> Table:
    """Run code that was rendered here (never a model's) over DataFrames, and return its table.

    pandas has no dates: where `like` has one, a moment at midnight is one. Raises what the code raises.
    """
    import pandas as pd

    first = next(iter(frames.values()))
    found = eval(code, {"pd": pd, "df": first, **frames})  # our own rendering
    columns = [_values(found[name], one) for name, one in zip(found.columns, like.columns, strict=True)]
    names = [Column(str(name), one.type) for name, one in zip(found.columns, like.columns, strict=True)]
    return Table(tuple(names), tuple(zip(*columns, strict=True)))


def _values(series: Any, like: Column) -> list[Value]:
    import pandas as pd

    values: list[Value] = [None if pd.isna(value) else value for value in series.tolist()]
    if like.type is ColumnType.DATE:
        return [value.date() if isinstance(value, dt.datetime) else value for value in values]
    return [value.to_pydatetime() if isinstance(value, pd.Timestamp) else value for value in values]
