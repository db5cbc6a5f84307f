"""Steps of the model as Polars code: one chain over DataFrames, after variables for what is used by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bootstrap.convert.base import UnsupportedSqlError
from bootstrap.convert.relational.functions import FLOAT, INT
from bootstrap.convert.relational.model import (
    Aggregate,
    Assignments,
    Cast,
    Column,
    Combine,
    Distinct,
    Expr,
    Extend,
    Filter,
    Group,
    Join,
    Named,
    OneRow,
    Project,
    Ref,
    Relation,
    Scan,
    Slice,
    Sort,
    Window,
    columns_in,
    columns_used,
    parts,
)
from bootstrap.convert.relational.polars_expressions import PolarsExpressions
from bootstrap.convert.relational.rendering import (
    ATOM,
    INNER_WIDTH,
    Assigned,
    Chain,
    Frame,
    ListOf,
    all_fresh,
    assigned,
    fresh,
    is_name,
    require_granted,
    table_name,
    text,
)
from bootstrap.convert.relational.to_ibis import is_same

_GRANTED = ("pl", "df", "result")


def to_polars(relation: Relation, tables: list[str], strict: bool) -> str:
    """Return the code. Raises UnsupportedSqlError where Polars has no such step."""
    require_granted(tables, ("pl",))
    writer = PolarsWriter(tables, strict, columns_used(relation))
    chain = writer.build(relation).chain
    if not writer.variables:
        return chain.laid_out()
    return "\n".join([*writer.variables, f"result = {chain.laid_out()}"])


class PolarsWriter:
    """`variables` are the statements before the result, `used` the columns that some expression reads."""

    def __init__(self, tables: list[str], strict: bool, used: set[Column]) -> None:
        self.strict, self._used = strict, used
        self.variables: list[str] = []
        self._counts: set[Column] = set()
        self._narrow: set[Column] = set()
        self._taken = [*_GRANTED, *tables]
        self._named: dict[int, Frame] = {}
        self._inner: dict[int, Frame] = {}

    def build(self, relation: Relation) -> Frame:
        """Return the code of a relation, and what its columns are called."""
        return BUILDERS[type(relation)](self, relation)

    def _inside(self, relation: Relation) -> Frame:
        """Return a relation for use inside an expression: under a name of its own, where it is long."""
        if id(relation) not in self._inner:
            frame = self.build(relation)
            long = len(frame.chain.flat()) > INNER_WIDTH
            self._inner[id(relation)] = self._variable(f"selected_{frame.chain.head}", frame) if long else frame
        return self._inner[id(relation)]

    def _expressions(self, frame: Frame) -> PolarsExpressions:
        return PolarsExpressions(frame.names, self._inside, self.strict, self._counts, self._series)

    def _variable(self, name: str, frame: Frame) -> Frame:
        name = fresh(name if is_name(name) else "selected", self._taken)
        self._taken.append(name)
        self.variables.append(f"{name} = {frame.chain.laid_out()}")
        return Frame(Chain(name), frame.names)

    def _series(self, code: str) -> str:
        """Return a name for a series, the same for the same code."""
        line = f" = {code}"
        known = next((one.removesuffix(line) for one in self.variables if one.endswith(line)), None)
        if known is not None or is_name(code):
            return known or code
        name = fresh("values", self._taken)
        self._taken.append(name)
        self.variables.append(name + line)
        return name

    def _scan(self, node: Scan) -> Frame:
        return Frame(Chain(table_name(node.table)), {column: column.name for column in node.columns})

    def _use(self, node: Named) -> Frame:
        if id(node.definition) not in self._named:
            self._named[id(node.definition)] = self._variable(node.name, self.build(node.definition))
        found = self._named[id(node.definition)]
        pairs = list(zip(node.columns, node.definition.columns, strict=True))
        self._counts |= {own for own, other in pairs if other in self._counts}
        return Frame(found.chain, {own: found.names[other] for own, other in pairs})

    def _one_row(self, node: OneRow) -> Frame:
        return Frame(Chain("pl"), {})  # of which only `select` is asked

    def _filter(self, node: Filter) -> Frame:
        conditions, source = list(node.conditions), node.source
        while isinstance(source, Filter):
            conditions, source = [*source.conditions, *conditions], source.source
        frame = self.build(source)
        expressions = self._expressions(frame)
        return frame.then("filter", *(expressions.code(one).text for one in conditions))

    def _assigned(self, frame: Frame, assignments: Assignments, names: dict[Column, str]) -> list[str]:
        expressions = self._expressions(frame)
        found = []
        for column, value in assignments:
            name, old = names[column], frame.names.get(value.column) if isinstance(value, Ref) else None
            code = expressions.code(value)
            shown = code.text if old is None else text(old)
            found.append(Assigned(name, old == name, shown, f"{code.at(ATOM)}.alias({text(name)})"))
            if expressions.is_count(value):
                self._counts.add(column)
            elif not isinstance(value, Ref) and not columns_in(value):
                self._narrow.add(column)
        return assigned(found, ("maintain_order",))

    def _extend(self, node: Extend) -> Frame:
        frame = self.build(node.source)
        names = all_fresh((column for column, _ in node.assignments), frame.names.values())
        made = frame.then("with_columns", *self._assigned(frame, node.assignments, names))
        return Frame(made.chain, {**frame.names, **names})

    def _project(self, node: Project) -> Frame:
        frame = self.build(node.source)
        if is_same(node, frame):
            return frame
        names = all_fresh(node.columns)
        made = self._assigned(frame, node.assignments, names)
        if isinstance(node.source, OneRow) or any(_has_rows(value) for _, value in node.assignments):
            return Frame(frame.then("select", *made).chain, names)
        # constants alone would make one row of the table
        kept = [text(name) for name in names.values()]
        return Frame(frame.then("with_columns", *made).then("select", *kept).chain, names)

    def _group(self, node: Group) -> Frame:
        frame = self.build(node.source)
        keys = all_fresh(column for column, _ in node.keys)
        measures = all_fresh((column for column, _ in node.measures), keys.values())
        made = self._assigned(frame, node.measures, measures)
        if not node.keys:
            return Frame(frame.then("select", *made).chain, measures)
        grouped = frame.then("group_by", *self._assigned(frame, node.keys, keys))
        return Frame(grouped.then("agg", *made).chain, {**keys, **measures})

    def _sort(self, node: Sort) -> Frame:
        frame = self.build(node.source)
        return frame.then("sort", *self._expressions(frame).sort_arguments(node.keys))

    def _slice(self, node: Slice) -> Frame:
        frame = self.build(node.source)
        if not node.offset:
            return frame if node.limit is None else frame.then("head", str(node.limit))
        return frame.then("slice", str(node.offset), *([] if node.limit is None else [str(node.limit)]))

    def _distinct(self, node: Distinct) -> Frame:
        return self.build(node.source).then("unique")

    def _combine(self, node: Combine) -> Frame:
        left, right = self.build(node.left), self.build(node.right)
        names = {column: left.names[own] for column, own in zip(node.columns, node.left.columns, strict=True)}
        found = [right.names[own] for own in node.right.columns]
        if node.operator == "union":
            if list(names.values()) != found:
                pairs = zip(names.values(), found, strict=True)
                columns = [Assigned(n, n == o, text(o), f"pl.col({text(o)}).alias({text(n)})") for n, o in pairs]
                right = right.then("select", *assigned(columns))
            mixed = [a for a, b in zip(node.left.columns, node.right.columns, strict=True) if self._widths_differ(a, b)]
            how = ['how="vertical_relaxed"'] if mixed else []
            chain = Chain("pl").then("concat", ListOf((left.chain, right.chain)), *how)
            return Frame(chain.then("unique") if node.distinct else chain, names)
        kind = 'how="semi"' if node.operator == "intersect" else 'how="anti"'
        keys = _keys([text(name) for name in names.values()], [text(name) for name in found])
        made = left.chain.then("join", right.chain, *keys, kind, *(["nulls_equal=True"] if self.strict else []))
        return Frame(made if isinstance(node.left, Distinct) else made.then("unique"), names)

    def _widths_differ(self, a: Column, b: Column) -> bool:
        """Say whether two columns are integers of different widths: counts and constants are no 64 bits wide."""
        return a.type is INT and (a in self._counts) + 2 * (a in self._narrow) != (b in self._counts) + 2 * (
            b in self._narrow
        )

    # -- joins --

    def _join(self, node: Join) -> Frame:
        left, right = self.build(node.left), self.build(node.right)
        if node.others:
            return self._join_on_more(node, left, right)
        return self._join_on_keys(node, left, right, self._used)

    def _join_on_keys(self, node: Join, left: Frame, right: Frame, used: set[Column]) -> Frame:
        pairs = [_one_class(one, other) for one, other in node.pairs]
        codes = [
            [self._expressions(frame).name_or_code(pair[side]) for pair in pairs]
            for side, frame in enumerate((left, right))
        ]
        if node.kind in ("semi", "anti"):
            return left.then("join", right.chain, *_keys(*codes), f'how="{node.kind}"')
        options = [] if node.kind == "inner" else [f'how="{node.kind}"']
        keys: dict[Column, str] = {}
        for one, other in pairs:
            if isinstance(one, Ref) and isinstance(other, Ref):
                keys[other.column] = left.names[one.column]
        plain = len(keys) == len(pairs)
        # Polars drops plain keys of the right. After an outer join they say which rows matched: a query may need them.
        kept = node.kind == "left" and (not plain or bool(keys.keys() & used))
        dropped = keys if plain and not kept and node.kind in ("inner", "left") else {}
        options += ["coalesce=False"] if kept else []
        suffix, names = self._names(node, left, right, dropped)
        options += [f"suffix={text(suffix)}"] if suffix != "_right" else []
        return Frame(left.chain.then("join", right.chain, *_keys(*codes), *options), names)

    def _join_on_more(self, node: Join, left: Frame, right: Frame) -> Frame:
        """Return a left join on more than equalities: the rows of the left that match are found by number first."""
        row = fresh("row", [*left.names.values(), *right.names.values()])
        numbered = self._variable("numbered", left.then("with_row_index", text(row)))
        inner = replace(node, kind="inner", others=())
        joined = self._join_on_keys(inner, numbered, right, set())
        conditions = [self._expressions(joined).code(one).text for one in node.others]
        keys = [one.column for _, one in node.pairs if isinstance(one, Ref)]
        if any(column in self._used for column in keys):
            raise UnsupportedSqlError("an outer join on more than equalities, whose right keys are used")
        shown = {column: name for column, name in joined.names.items() if column in right.names and column not in keys}
        found = joined.then("filter", *conditions).then("select", text(row), *map(text, shown.values()))
        made = numbered.chain.then("join", found.chain, f"on={text(row)}", 'how="left"').then("drop", text(row))
        return Frame(made, {**left.names, **shown})

    def _names(
        self, node: Join, left: Frame, right: Frame, dropped: dict[Column, str]
    ) -> tuple[str, dict[Column, str]]:
        """Return the suffix for columns of the right that collide, and all names after the join."""
        taken = set(left.names.values())
        rest = {column: name for column, name in right.names.items() if column not in dropped}
        for suffix in ("_right", f"_{node.label or 'other'}", *(f"_{number}" for number in range(2, 99))):
            renamed = {column: name + suffix if name in taken else name for column, name in rest.items()}
            if len({*taken, *renamed.values()}) == len(taken) + len(set(rest.values())):
                return suffix, {**left.names, **renamed, **dropped}
        raise UnsupportedSqlError(f"names that collide in the join with {node.label}")


def _name(frame: Frame, node: Ref) -> str:
    return frame.names[node.column]


def _keys(left: list[str], right: list[str]) -> list[str]:
    """Return the arguments of a join that name its keys."""
    if not left:
        return []
    sides = [one[0] if len(one) == 1 else f"[{', '.join(one)}]" for one in (left, right)]
    if left == right and all(one.startswith('"') for one in left):
        return [f"on={sides[0]}"]
    return [f"left_on={sides[0]}", f"right_on={sides[1]}"]


def _one_class(one: Expr, other: Expr) -> tuple[Expr, Expr]:
    """Return two keys in one class: Polars joins no integers to floats."""
    if {one.type, other.type} == {INT, FLOAT}:
        return (Cast(FLOAT, one, False), other) if one.type is INT else (one, Cast(FLOAT, other, False))
    return one, other


def _has_rows(value: Expr) -> bool:
    """Say whether an expression has as many rows as its table: a column of it, or a window over it."""
    return any(isinstance(part, Ref | Window) for part in parts(value)) and not isinstance(value, Aggregate)


BUILDERS: dict[type[Relation], Callable[..., Frame]] = {
    Scan: PolarsWriter._scan,
    Named: PolarsWriter._use,
    OneRow: PolarsWriter._one_row,
    Filter: PolarsWriter._filter,
    Extend: PolarsWriter._extend,
    Project: PolarsWriter._project,
    Group: PolarsWriter._group,
    Sort: PolarsWriter._sort,
    Slice: PolarsWriter._slice,
    Distinct: PolarsWriter._distinct,
    Combine: PolarsWriter._combine,
    Join: PolarsWriter._join,
}
