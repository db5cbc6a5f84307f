"""Expressions of the model as Ibis code."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

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
    single_measure,
)
from bootstrap.convert.relational.rendering import (
    ATOM,
    COMPARE,
    UNARY,
    Code,
    Frame,
    fill,
    is_name,
    operate,
    sequence,
    text,
)
from interpreters.base import ColumnType

DTYPES = {
    ColumnType.INT: "int64",
    ColumnType.FLOAT: "float64",
    ColumnType.STRING: "string",
    ColumnType.BOOL: "boolean",
    ColumnType.DATE: "date",
    ColumnType.TIMESTAMP: "timestamp",
}
_METHODS = {"any": "arbitrary", "some": "any", "every": "all", "first_value": "first", "last_value": "last"}
_OTHERS = {
    "not": "~{0}",
    "negative": "-{0}",
    "same": "{0}.identical_to({1:v})",
    "like": "{0}.like({1:v})",
    "ilike": "{0}.ilike({1:v})",
}


@functools.cache
def _methods() -> frozenset[str]:
    """Return what `_.name` means on a table without being a column."""
    from ibis.expr.types import Table

    return frozenset(dir(Table))


def member(owner: str, name: str) -> str:
    """Return a column of a table, as an attribute where it can be one."""
    if is_name(name) and not name.startswith("_") and name not in _methods():
        return f"{owner}.{name}"
    return f"{owner}[{text(name)}]"


class IbisExpressions:
    """Renders expressions over one frame. `build` renders the relations of sub-queries.

    `texts` are columns that are not the owner's: those of two tables in the condition of a join.
    """

    def __init__(
        self,
        names: dict[Column, str],
        build: Callable[[Relation], Frame],
        strict: bool,
        owner: str = "_",
        texts: Mapping[Column, str] | None = None,
    ) -> None:
        self.names, self.build, self.strict, self.owner = names, build, strict, owner
        self._texts = texts or {}

    def code(self, node: Expr) -> Code:
        """Return the code of an expression. Raises UnsupportedSqlError where Ibis has none."""
        match node:
            case Ref():
                return Code(self._texts.get(node.column) or member(self.owner, self.names[node.column]))
            case Literal():
                return literal(node)
            case Call():
                return self._call(node)
            case Case():
                return self._case(node)
            case Cast():
                method = "try_cast" if node.lenient else "cast"
                return Code(f"{self.code(node.argument).at(ATOM)}.{method}({text(DTYPES[node.type])})")
            case InValues():
                values = ", ".join(self.code(value).value() for value in node.values)
                return Code(f"{self.code(node.argument).at(ATOM)}.isin([{values}])")
            case InQuery():
                return Code(f"{self.code(node.argument).at(ATOM)}.isin({self._column_of(node.relation)})")
            case ScalarQuery():
                return Code(f"{self._cell_of(node.relation)}.as_scalar()")
            case HasRows():
                return Code(f"{self.build(node.relation).chain.flat()}.count().as_scalar() > 0", COMPARE)
            case Aggregate():
                return Code(self._aggregate(node))
            case Window():
                return self._window(node)
        raise UnsupportedSqlError(f"{type(node).__name__} in Ibis")

    def sort_key(self, key: SortKey) -> str:
        """Return a key of order_by. Ibis puts NULL last unless told otherwise."""
        name = text(self.names[key.by.column]) if isinstance(key.by, Ref) else self.code(key.by).text
        nulls = ", nulls_first=True" if self.strict and key.nulls_first and not _is_count(key.by) else ""
        if key.descending:
            return f"ibis.desc({name}{nulls})"
        return f"ibis.asc({name}{nulls})" if nulls else name

    def name_or_code(self, node: Expr) -> str:
        return text(self.names[node.column]) if isinstance(node, Ref) else self.code(node).text

    # -- calls --

    def _call(self, node: Call) -> Code:
        codes = [self.code(argument) for argument in node.arguments]
        name = node.function
        if name in OPERATORS:
            if self.strict and name in ("/", "%", "//") and not codes[1].raw:
                codes[1] = Code(f"{codes[1].at(ATOM)}.nullif(0)")
            if self.strict and name == "//":  # rounds towards zero, as Ibis' own does not
                return fill(FUNCTIONS["truncate"].ibis, [operate("/", codes[0], codes[1])])
            return operate(name, codes[0], codes[1])
        if name in VARIADIC:
            return Code(f"{VARIADIC[name][0]}({', '.join(code.value() for code in codes)})")
        if name == "days_between" and isinstance(node.arguments[0], Literal):
            return Code(
                f"-{codes[1].at(ATOM)}.delta({codes[0].text}, unit='day')".replace("'", '"'), UNARY
            )  # a method of a column
        if name == "shift":
            unit = str(getattr(node.arguments[2], "value", ""))
            return operate("+", codes[0], Code(f"ibis.interval({unit}s={codes[1].raw})"))
        if name in _OTHERS:
            found = fill(_OTHERS[name], codes)
            return Code(found.text, UNARY) if name in ("not", "negative") else found
        return fill(FUNCTIONS[name].ibis, codes)

    def _case(self, node: Case) -> Code:
        branches = [(self.code(when).text, self.code(then).value()) for when, then in node.branches]
        default = None if node.default is None else self.code(node.default).value()
        if len(branches) == 1:
            when, then = branches[0]
            return Code(f"ibis.ifelse({when}, {then}, {default or 'None'})")
        cases = ", ".join(f"({when}, {then})" for when, then in branches)
        return Code(f"ibis.cases({cases}{'' if default is None else f', else_={default}'})")

    # -- other relations --

    def _column_of(self, relation: Relation) -> str:
        """Return the only column of a relation, read from the step before where that only chooses it."""
        while isinstance(relation, Distinct):
            relation = relation.source
        if isinstance(relation, Project) and isinstance(relation.assignments[0][1], Ref):
            frame = self.build(relation.source)
            return member(frame.chain.flat(), frame.names[relation.assignments[0][1].column])
        frame = self.build(relation)
        return member(frame.chain.flat(), frame.names[relation.columns[0]])

    def _cell_of(self, relation: Relation) -> str:
        found = single_measure(relation)
        if found is not None:
            measure, source = found
            frame = self.build(source)
            return IbisExpressions(frame.names, self.build, self.strict, frame.chain.flat()).code(measure).text
        return self._column_of(relation)

    # -- aggregates and windows --

    def _aggregate(self, node: Aggregate) -> str:
        where = "" if node.condition is None else f"where={self.code(node.condition).text}"
        if not node.arguments:
            return f"{self.owner}.count({where})"
        value = self.code(node.arguments[0]).at(ATOM)
        if node.distinct and node.function != "count":
            raise UnsupportedSqlError(f"{node.function} of distinct values")
        if node.function in ("argmax", "argmin"):
            key = self.code(node.arguments[1]).text
            return f"{value}.{node.function}({', '.join(filter(None, (key, where)))})"
        if node.function == "join":
            return f"{value}.group_concat({', '.join(filter(None, (self.code(node.arguments[1]).raw, where)))})"
        method = "nunique" if node.distinct else _METHODS.get(node.function, node.function)
        return f"{value}.{method}({where})"

    def _window(self, node: Window) -> Code:
        parts = []
        if node.partition:
            parts.append(f"group_by={sequence([self.name_or_code(one) for one in node.partition])}")
        if node.order:
            parts.append(f"order_by={sequence([self.sort_key(key) for key in node.order])}")
        if node.frame is not None:
            bounds = f"({node.frame.start}, {node.frame.end})"
            parts.append(f"range={bounds}" if node.frame.peers else f"rows={bounds}")
        over = f".over({', '.join(parts)})"
        if node.function in ("row_number", "rank", "dense_rank"):
            return operate("+", Code(f"ibis.{node.function}(){over}"), Code("1", raw="1"))
        if node.function in ("lag", "lead"):
            values = [self.code(argument) for argument in node.arguments]
            rest = ", ".join(value.value() for value in values[1:])
            return Code(f"{values[0].at(ATOM)}.{node.function}({rest}){over}")
        return Code(self._aggregate(Aggregate(node.type, node.function, node.arguments)) + over)


def literal(node: Literal) -> Code:
    value = node.value
    if value is None:
        return Code("ibis.null()", raw="None")
    if node.type in (ColumnType.DATE, ColumnType.TIMESTAMP):
        return Code(f"ibis.{node.type.value}({text(str(value))})")
    raw = text(value) if isinstance(value, str) else repr(value)
    return Code(f"ibis.literal({raw})", raw=raw)


def _is_count(node: Expr) -> bool:
    """Say whether a sort key is known to be never NULL."""
    return isinstance(node, Ref) and node.column.name.partition("_")[0] == "n"
