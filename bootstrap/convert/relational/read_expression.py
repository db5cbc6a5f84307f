"""From scalar expressions of sqlglot's tree to those of the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sqlglot import exp

from bootstrap.convert.base import UnsupportedSqlError
from bootstrap.convert.relational import read_calls
from bootstrap.convert.relational.coercion import NULL, cast, comparable, compare, number
from bootstrap.convert.relational.functions import ARITHMETIC, BOOL, CASTS, COMPARISONS, FLOAT, INT, STRING, TEMPORAL
from bootstrap.convert.relational.model import Call, Case, Expr, InValues, Literal, SortKey
from bootstrap.convert.relational.scope import Scope


class SubQueries(Protocol):
    """What reads the queries inside an expression; see read_subquery.py."""

    def exists(self, node: exp.Exists) -> Expr: ...

    def scalar(self, node: exp.Expr) -> Expr: ...

    def membership(self, argument: Expr, node: exp.Expr) -> Expr: ...


class ExpressionReader:
    def __init__(self, scope: Scope, dialect: str, queries: SubQueries) -> None:
        self.scope, self.dialect, self.queries = scope, dialect, queries
        self.windows: dict[str, exp.Window] = {}
        self._opening: set[str] = set()  # aliases being read, so that none is read inside itself

    def read(self, node: exp.Expr) -> Expr:
        """Return the expression. Raises UnsupportedSqlError for what is not translated."""
        read = READERS.get(type(node))
        if read is not None:
            return read(self, node)
        if type(node) in COMPARISONS:
            return self._comparison(node)
        if type(node) in ARITHMETIC:
            return self._arithmetic(ARITHMETIC[type(node)], node)
        return read_calls.read_call(self, node)

    def read_all(self, nodes: list[exp.Expr]) -> tuple[Expr, ...]:
        return tuple(self.read(node) for node in nodes)

    def condition(self, node: exp.Expr) -> Expr:
        """Return an expression that is true or false: a number counts as true unless it is zero, as in SQLite."""
        found = self.read(node)
        if found.type is INT and not isinstance(found, Literal):
            return Call(BOOL, "!=", (found, Literal(INT, 0)))
        if found.type not in (BOOL, NULL):
            found = cast(found, BOOL) if isinstance(found, Literal) else found
            if found.type is not BOOL:
                raise UnsupportedSqlError(f"a condition of class {found.type}")
        return found

    def sort_key(self, node: exp.Ordered, by: Expr | None = None) -> SortKey:
        found = self.read(node.this) if by is None else by
        return SortKey(found, bool(node.args.get("desc")), bool(node.args.get("nulls_first")))

    # -- names and constants --

    def _column(self, node: exp.Column) -> Expr:
        if isinstance(node.this, exp.Star):
            raise UnsupportedSqlError("a star inside an expression")
        table, name = node.table, node.name
        found = self.scope.resolve(table, name)
        if found is not None:
            return found
        if not table and name.casefold() in self.scope.aliases and name.casefold() not in self._opening:
            return self.open_alias(name)
        if not table and node.this.quoted and self.dialect == "sqlite":
            return Literal(STRING, name)  # SQLite takes "x" for text where there is no such column
        raise UnsupportedSqlError(f"no column {f'{table}.' if table else ''}{name}")

    def open_alias(self, name: str) -> Expr:
        """Return what an output of this SELECT is called for."""
        self._opening.add(name.casefold())
        found = self.read(self.scope.aliases[name.casefold()])
        self._opening.discard(name.casefold())
        return found

    def _literal(self, node: exp.Literal) -> Expr:
        if node.is_string:
            return Literal(STRING, node.this)
        return Literal(INT, int(node.this)) if node.is_int else Literal(FLOAT, float(node.this))

    def _truth(self, node: exp.Boolean) -> Expr:
        return Literal(BOOL, bool(node.this))

    def _null(self, node: exp.Null) -> Expr:
        return Literal(NULL, None)

    def _paren(self, node: exp.Paren) -> Expr:
        return self.read(node.this)

    # -- operators --

    def _comparison(self, node: exp.Expr) -> Expr:
        if isinstance(node.expression, exp.Any) and isinstance(node, exp.EQ) and node.expression.find(exp.Select):
            return self.queries.membership(self.read(node.this), node.expression.this.unnest())
        return compare(COMPARISONS[type(node)], self.read(node.this), self.read(node.expression), self.dialect)

    def _arithmetic(self, operator: str, node: exp.Expr) -> Expr:
        if isinstance(node.expression, exp.Interval):
            return read_calls.read_interval(self, node, operator)
        left, right = number(self.read(node.this)), number(self.read(node.expression))
        if left.type in TEMPORAL or right.type in TEMPORAL:
            return read_calls.read_days(self, left, right, operator)
        kind = FLOAT if FLOAT in (left.type, right.type) else INT
        return Call(kind, operator, (left, right))

    def _divide(self, node: exp.Div) -> Expr:
        left, right = number(self.read(node.this)), number(self.read(node.expression))
        if node.args.get("typed") and left.type is INT and right.type is INT:
            return Call(INT, "//", (left, right))
        return Call(FLOAT, "/", (left, right))

    def _divide_whole(self, node: exp.IntDiv) -> Expr:
        return Call(INT, "//", (number(self.read(node.this)), number(self.read(node.expression))))

    def _negative(self, node: exp.Neg) -> Expr:
        found = number(self.read(node.this))
        if isinstance(found, Literal) and isinstance(found.value, int | float):
            return Literal(found.type, -found.value)
        return Call(found.type, "negative", (found,))

    def _and(self, node: exp.And) -> Expr:
        return Call(BOOL, "&", (self.condition(node.this), self.condition(node.expression)))

    def _or(self, node: exp.Or) -> Expr:
        return Call(BOOL, "|", (self.condition(node.this), self.condition(node.expression)))

    def _not(self, node: exp.Not) -> Expr:
        return negated(self.condition(node.this))

    def _is(self, node: exp.Is) -> Expr:
        found = self.read(node.this)
        if isinstance(node.expression, exp.Null):
            return Call(BOOL, "is_null", (found,))
        if isinstance(node.expression, exp.Boolean) and found.type is BOOL:
            return Call(BOOL, "fill_null", (compare("==", found, self.read(node.expression), ""), Literal(BOOL, False)))
        return self._same(found, self.read(node.expression))

    def _null_safe(self, node: exp.Expr) -> Expr:
        same = self._same(self.read(node.this), self.read(node.expression))
        return negated(same) if isinstance(node, exp.NullSafeNEQ) else same

    def _same(self, left: Expr, right: Expr) -> Expr:
        return Call(BOOL, "same", comparable(left, right, self.dialect))

    def _between(self, node: exp.Between) -> Expr:
        found = self.read(node.this)
        low, high = (comparable(found, self.read(node.args[side]), self.dialect) for side in ("low", "high"))
        if low[0] == high[0]:
            return Call(BOOL, "between", (low[0], low[1], high[1]))
        return Call(BOOL, "&", (Call(BOOL, ">=", low), Call(BOOL, "<=", high)))

    def _in(self, node: exp.In) -> Expr:
        query = node.args.get("query")
        if isinstance(node.this, exp.Tuple):
            raise UnsupportedSqlError("IN over several columns")
        if query is not None:
            return self.queries.membership(self.read(node.this), query.unnest())
        if not node.expressions:
            raise UnsupportedSqlError(f"IN of {node.args.get('unnest') or node.args.get('field')}")
        found = self.read(node.this)
        pairs = [comparable(found, self.read(value), self.dialect) for value in node.expressions]
        if any(left != pairs[0][0] for left, _ in pairs):
            raise UnsupportedSqlError("IN over values of several classes")
        return InValues(BOOL, pairs[0][0], tuple(value for _, value in pairs))

    def _like(self, node: exp.Like | exp.ILike) -> Expr:
        text, pattern = cast(self.read(node.this), STRING), self.read(node.expression)
        blind = isinstance(node, exp.ILike) or self.dialect == "sqlite"
        if isinstance(pattern, Literal) and str(pattern.value).upper() == str(pattern.value).lower():
            blind = False
        found = Call(BOOL, "ilike" if blind else "like", (text, cast(pattern, STRING)))
        return negated(found) if node.args.get("negate") else found

    # -- choice, casts, queries --

    def _case(self, node: exp.Case) -> Expr:
        subject = self.read(node.this) if node.this else None
        whens = [
            self.condition(branch.this)
            if subject is None
            else compare("==", subject, self.read(branch.this), self.dialect)
            for branch in node.args["ifs"]
        ]
        values = [self.read(branch.args["true"]) for branch in node.args["ifs"]]
        return choice(whens, values, self.read(node.args["default"]) if node.args.get("default") else None)

    def _if(self, node: exp.If) -> Expr:
        default = node.args.get("false")
        return choice(
            [self.condition(node.this)], [self.read(node.args["true"])], self.read(default) if default else None
        )

    def _cast(self, node: exp.Cast) -> Expr:
        kind = CASTS.get(node.to.this.value)
        found = self.read(node.this)
        if kind is None:
            raise UnsupportedSqlError(f"a cast to {node.to.sql()}")
        if kind is found.type:
            return found
        if kind is INT and found.type is FLOAT:
            # SQLite cuts the fraction off, the others round a half to the even number
            return Call(INT, "truncate" if self.dialect == "sqlite" else "nearest", (found,))
        return cast(found, kind, lenient=isinstance(node, exp.TryCast) or self.dialect == "sqlite")

    def _exists(self, node: exp.Exists) -> Expr:
        return self.queries.exists(node)

    def _subquery(self, node: exp.Subquery) -> Expr:
        return self.queries.scalar(node.unnest())


def choice(whens: list[Expr], values: list[Expr], default: Expr | None) -> Expr:
    """Return a CASE. Raises UnsupportedSqlError when its values have no class in common."""
    everything = [*values, *([] if default is None else [default])]
    kinds = {value.type for value in everything} - {NULL}
    kind = FLOAT if kinds == {INT, FLOAT} else next(iter(kinds), NULL)
    if kinds not in ({INT, FLOAT}, {kind}, set()):
        raise UnsupportedSqlError(f"a CASE over values of {', '.join(sorted(kinds))}")
    if default is not None and default.type is NULL:
        default = None
    return Case(kind, tuple(zip(whens, values, strict=True)), default)


def negated(condition: Expr) -> Expr:
    """Return NOT of a condition, without two in a row."""
    if isinstance(condition, Call):
        if condition.function == "not":
            return condition.arguments[0]
        other = {"is_null": "not_null", "not_null": "is_null", "==": "!=", "!=": "=="}.get(condition.function)
        if other is not None:
            return Call(BOOL, other, condition.arguments)
    return Call(BOOL, "not", (condition,))


R = ExpressionReader
READERS: dict[type[exp.Expr], Callable[..., Expr]] = {
    exp.Column: R._column,
    exp.Literal: R._literal,
    exp.Boolean: R._truth,
    exp.Null: R._null,
    exp.Paren: R._paren,
    exp.Div: R._divide,
    exp.IntDiv: R._divide_whole,
    exp.Neg: R._negative,
    exp.And: R._and,
    exp.Or: R._or,
    exp.Not: R._not,
    exp.Is: R._is,
    exp.NullSafeEQ: R._null_safe,
    exp.NullSafeNEQ: R._null_safe,
    exp.Between: R._between,
    exp.In: R._in,
    exp.Like: R._like,
    exp.ILike: R._like,
    exp.Case: R._case,
    exp.If: R._if,
    exp.Cast: R._cast,
    exp.TryCast: R._cast,
    exp.Exists: R._exists,
    exp.Subquery: R._subquery,
}
