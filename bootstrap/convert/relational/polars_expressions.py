"""Expressions of the model as Polars code."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Collection

from bootstrap.convert.base import UnsupportedSqlError
from bootstrap.convert.relational.functions import FUNCTIONS, OPERATORS, VARIADIC
from bootstrap.convert.relational.model import (
    Aggregate,
    Call,
    Case,
    Cast,
    Column,
    Distinct,
    Expr,
    Group,
    HasRows,
    InQuery,
    InValues,
    Literal,
    Project,
    Ref,
    Relation,
    ScalarQuery,
    SortKey,
    Window,
    columns_in,
    single_measure,
)
from bootstrap.convert.relational.polars_windows import window
from bootstrap.convert.relational.rendering import AND, ATOM, UNARY, Code, Frame, fill, operate, text
from interpreters.base import ColumnType

DTYPES = {
    ColumnType.INT: "pl.Int64",
    ColumnType.FLOAT: "pl.Float64",
    ColumnType.STRING: "pl.String",
    ColumnType.BOOL: "pl.Boolean",
    ColumnType.DATE: "pl.Date",
    ColumnType.TIMESTAMP: 'pl.Datetime("us")',
}
TO_TEXT = {ColumnType.DATE: "%Y-%m-%d", ColumnType.TIMESTAMP: "%Y-%m-%d %H:%M:%S"}
FROM_TEXT = {ColumnType.DATE: "to_date", ColumnType.TIMESTAMP: "to_datetime"}
_OFFSETS = {"day": "d", "week": "w", "month": "mo", "year": "y", "hour": "h", "minute": "m"}
_OTHERS = {"not": "~{0}", "negative": "-{0}", "same": "{0}.eq_missing({1:e})"}
_METHODS = {"some": "any", "every": "all"}
_OF_SERIES = frozenset({"mean", "min", "max", "median", "count", "std", "var"})
_UNSIGNED = frozenset({"length", "count"})


class PolarsExpressions:
    """Renders expressions over one frame. `counts` are columns of unsigned integers, which must not go below zero.
    `keep` returns a name for a series that is needed more than once.
    """

    def __init__(
        self,
        names: dict[Column, str],
        build: Callable[[Relation], Frame],
        strict: bool,
        counts: Collection[Column],
        keep: Callable[[str], str],
    ) -> None:
        self.names, self.build, self.strict, self.counts = names, build, strict, counts
        self._keep = keep

    def code(self, node: Expr) -> Code:
        """Return the code of an expression. Raises UnsupportedSqlError where Polars has none."""
        match node:
            case Ref():
                return Code(f"pl.col({text(self.names[node.column])})")
            case Literal():
                return literal(node)
            case Call():
                return self._call(node)
            case Case():
                return self._case(node)
            case Cast():
                return self._cast(node)
            case InValues():
                values = ", ".join(self.code(value).value() for value in node.values)
                return Code(f"{self.code(node.argument).at(ATOM)}.is_in([{values}])")
            case InQuery():
                return self._in_query(node)
            case ScalarQuery():
                cell = self.cell_of(node.relation)
                return Code(f"pl.lit({cell})", raw=cell)
            case HasRows():
                return Code(f"pl.lit({self.build(node.relation).chain.flat()}.height > 0)")
            case Aggregate():
                return self._aggregate(node)
            case Window():
                return window(self, node)
        raise UnsupportedSqlError(f"{type(node).__name__} in Polars")

    def name_or_code(self, node: Expr) -> str:
        return text(self.names[node.column]) if isinstance(node, Ref) else self.code(node).text

    def sort_arguments(self, keys: tuple[SortKey, ...]) -> list[str]:
        """Return the arguments of sort. Polars puts NULL first unless told otherwise."""
        found = [self.name_or_code(key.by) for key in keys]
        found += flag("descending", [key.descending for key in keys])
        return found + (flag("nulls_last", [not key.nulls_first for key in keys]) if self.strict else [])

    # -- calls --

    def _call(self, node: Call) -> Code:
        name = node.function
        if name in ("like", "ilike"):
            return self._like(node)
        codes = [self.code(argument) for argument in node.arguments]
        if name in ("-", "negative"):
            codes = [self._signed(one, code) for one, code in zip(node.arguments, codes, strict=True)]
        if name in OPERATORS:
            return self._operate(node, codes)
        if name in VARIADIC:
            return Code(f"{VARIADIC[name][1]}({', '.join(code.text for code in codes)})")
        if name == "shift":
            unit = _OFFSETS[str(getattr(node.arguments[2], "value", ""))]
            return Code(f"{codes[0].at(ATOM)}.dt.offset_by({text(codes[1].raw + unit)})")
        if name in _OTHERS:
            found = fill(_OTHERS[name], codes)
            return Code(found.text, UNARY) if name in ("not", "negative") else found
        return fill(FUNCTIONS[name].polars, codes)

    def _operate(self, node: Call, codes: list[Code]) -> Code:
        left, right = node.arguments
        if self.strict and node.function in ("/", "%", "//") and not isinstance(right, Literal):
            codes[1] = Code(f"{codes[1].at(ATOM)}.replace(0, None)")
        if self.strict and node.function == "//" and getattr(right, "value", None) != 0:
            # towards zero, as Polars' own does not
            return Code(f"{operate('/', codes[0], codes[1]).at(ATOM)}.cast(pl.Int64)")
        if ColumnType.NULL in (left.type, right.type):
            codes = [Code(code.text) if code.raw == "None" else code for code in codes]
        return operate(node.function, codes[0], codes[1])

    def is_count(self, node: Expr) -> bool:
        """Say whether a value is an unsigned integer in Polars."""
        if isinstance(node, Aggregate | Call) and node.function in _UNSIGNED:
            return True
        if isinstance(node, Window):
            return node.function in ("rank", "dense_rank", "count")
        return isinstance(node, Ref) and node.column in self.counts

    def _signed(self, node: Expr, code: Code) -> Code:
        """Return an operand that may be subtracted from."""
        return Code(f"{code.at(ATOM)}.cast(pl.Int64)") if self.is_count(node) else code

    def _case(self, node: Case) -> Code:
        made = "pl"
        for when, then in node.branches:
            made += f".when({self.code(when).text}).then({self.code(then).text})"
        return Code(made if node.default is None else f"{made}.otherwise({self.code(node.default).text})")

    def _cast(self, node: Cast) -> Code:
        value, kind, old = self.code(node.argument).at(ATOM), node.type, node.argument.type
        if kind is ColumnType.STRING and old in TO_TEXT:
            return Code(f"{value}.dt.strftime({text(TO_TEXT[old])})")
        if old is ColumnType.STRING and kind in FROM_TEXT:
            return Code(f"{value}.str.{FROM_TEXT[kind]}({'strict=False' if node.lenient else ''})")
        return Code(f"{value}.cast({DTYPES[kind]}{', strict=False' if node.lenient else ''})")

    def _like(self, node: Call) -> Code:
        value, pattern = self.code(node.arguments[0]).at(ATOM), node.arguments[1]
        if not isinstance(pattern, Literal) or not isinstance(pattern.value, str):
            raise UnsupportedSqlError("LIKE with a pattern that is no constant")
        return Code(f"{value}{like(pattern.value, blind=node.function == 'ilike')}")

    # -- other relations --

    def _in_query(self, node: InQuery) -> Code:
        """Return a look-up in another frame's column. A NULL there makes every miss unknown, which strict code says."""
        values = self._series(node.relation)
        found = f"{self.code(node.argument).at(ATOM)}.is_in({values}.implode())"
        if not self.strict:
            return Code(found)
        known = self._keep(values)
        found = f"{self.code(node.argument).at(ATOM)}.is_in({known}.implode())"
        decided = f"pl.when({found} | ({known}.null_count() == 0)).then({found})"
        return Code(f"{decided} & ({known}.len() > 0)", AND)

    def _series(self, relation: Relation) -> str:
        while isinstance(relation, Distinct):
            relation = relation.source
        if isinstance(relation, Project) and isinstance(relation.assignments[0][1], Ref):
            frame = self.build(relation.source)
            return f"{frame.chain.flat()}[{text(frame.names[relation.assignments[0][1].column])}]"
        frame = self.build(relation)
        return f"{frame.chain.flat()}[{text(frame.names[relation.columns[0]])}]"

    def cell_of(self, relation: Relation) -> str:
        """Return the only cell of a relation, as a Python value."""
        found = single_measure(relation)
        if found is not None:
            measure, source = found
            if not measure.arguments:
                return f"{self.build(source).chain.flat()}.height"
            value = measure.arguments[0]
            if isinstance(value, Ref) and measure.function in _OF_SERIES and not measure.distinct:
                frame = self.build(source)
                return f"{frame.chain.flat()}[{text(frame.names[value.column])}].{measure.function}()"
        source_of = relation.source if isinstance(relation, Project) else relation
        if isinstance(source_of, Group) and not source_of.keys:
            return f"{self.build(relation).chain.flat()}.item()"
        return f"{self._series(relation)}.first()"

    # -- aggregates --

    def _aggregate(self, node: Aggregate) -> Code:
        if not node.arguments:
            if node.condition is None:
                return Code("pl.len()")
            return Code(f"{self.code(node.condition).at(ATOM)}.sum()")
        if not columns_in(node.arguments[0]):
            raise UnsupportedSqlError(f"{node.function} of a constant in Polars, where it has one row")
        value = self.code(node.arguments[0]).at(ATOM)
        kept = "" if node.condition is None else f".filter({self.code(node.condition).text})"
        value += kept
        if node.function in ("argmax", "argmin"):
            method = "max_by" if node.function == "argmax" else "min_by"
            return Code(f"{value}.{method}({self.code(node.arguments[1]).text}{kept})")
        nulls = ".drop_nulls()" if self.strict else ""
        if node.function == "count":
            return Code(f"{value}{nulls}.n_unique()" if node.distinct else f"{value}.count()")
        if node.distinct:
            value += ".unique()"
        if node.function == "any":
            return Code(f"{value}{nulls}.first()")
        if node.function == "join":
            return Code(f"{value}.str.join({self.code(node.arguments[1]).raw})")
        found = f"{value}.{_METHODS.get(node.function, node.function)}()"
        if node.function == "sum" and self.strict:
            return Code(f"pl.when({value}.count() > 0).then({found})")
        return Code(found)


def flag(name: str, values: list[bool]) -> list[str]:
    """Return an argument that is one value for all, a list where they differ, or nothing where none is set."""
    if not any(values):
        return []
    return [f"{name}=True" if all(values) else f"{name}={values}"]


def literal(node: Literal) -> Code:
    value = node.value
    if value is None:
        return Code("pl.lit(None)", raw="None")
    if node.type is ColumnType.DATE:
        day = dt.date.fromisoformat(str(value))
        return Code(f"pl.date({day.year}, {day.month}, {day.day})")
    if node.type is ColumnType.TIMESTAMP:
        moment = dt.datetime.fromisoformat(str(value))
        parts = [moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second, moment.microsecond]
        while len(parts) > 3 and not parts[-1]:
            parts.pop()
        return Code(f"pl.datetime({', '.join(map(str, parts))})")
    raw = text(value) if isinstance(value, str) else repr(value)
    return Code(f"pl.lit({raw})", raw=raw)


def like(pattern: str, blind: bool) -> str:
    """Return the method that a LIKE pattern is, the simplest that says it."""
    inner = pattern.strip("%")
    starts, ends = pattern.startswith("%"), pattern.endswith("%")
    simple = "%" not in inner and "_" not in inner
    if simple and not blind:
        if starts and ends:
            return f".str.contains({text(inner)}, literal=True)"
        if ends:
            return f".str.starts_with({text(inner)})"
        return f".str.ends_with({text(inner)})" if starts else f".eq({text(inner)})"
    body = "".join({"%": ".*", "_": "."}.get(char, re.escape(char).replace("\\ ", " ")) for char in inner)
    flags = f"(?{'i' if blind else ''}{'' if simple else 's'})".replace("(?)", "")
    return f".str.contains({text(flags + ('' if starts else '^') + body + ('' if ends else '$'))})"
