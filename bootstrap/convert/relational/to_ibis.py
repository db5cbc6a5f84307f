"""Steps of the model as Ibis code: one chain, after variables for what is used by name."""

from __future__ import annotations

from collections.abc import Callable

from bootstrap.convert.base import UnsupportedSqlError
from bootstrap.convert.relational.ibis_expressions import IbisExpressions, member
from bootstrap.convert.relational.model import (
    Assignments,
    Call,
    Column,
    Combine,
    Distinct,
    Extend,
    Filter,
    Group,
    Join,
    Literal,
    Named,
    OneRow,
    Project,
    Ref,
    Relation,
    Scan,
    Slice,
    Sort,
)
from bootstrap.convert.relational.rendering import (
    ATOM,
    INNER_WIDTH,
    Assigned,
    Chain,
    Code,
    Frame,
    all_fresh,
    assigned,
    fresh,
    is_name,
    require_granted,
    sequence,
    table_name,
    text,
)
from interpreters.base import ColumnType

_GRANTED = ("ibis", "_", "s", "df", "result")


def to_ibis(relation: Relation, tables: list[str], strict: bool) -> str:
    """Return the code. Raises UnsupportedSqlError where Ibis has no such step."""
    require_granted(tables, ("ibis", "_"))
    writer = IbisWriter(tables, strict)
    chain = writer.build(relation).chain
    if not writer.variables:
        return chain.laid_out()
    return "\n".join([*writer.variables, f"result = {chain.laid_out()}"])


class IbisWriter:
    """`variables` are the statements before the result; `_named` the frames of common tables that have one."""

    def __init__(self, tables: list[str], strict: bool) -> None:
        self.strict = strict
        self.variables: list[str] = []
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

    def _expressions(self, frame: Frame) -> IbisExpressions:
        return IbisExpressions(frame.names, self._inside, self.strict)

    def _variable(self, name: str, frame: Frame) -> Frame:
        """Return the frame under a name of its own."""
        name = fresh(name if is_name(name) else "selected", self._taken)
        self._taken.append(name)
        self.variables.append(f"{name} = {frame.chain.laid_out()}")
        return Frame(Chain(name), frame.names)

    def _scan(self, node: Scan) -> Frame:
        return Frame(Chain(table_name(node.table)), {column: column.name for column in node.columns})

    def _use(self, node: Named) -> Frame:
        if id(node.definition) not in self._named:
            self._named[id(node.definition)] = self._variable(node.name, self.build(node.definition))
        found = self._named[id(node.definition)]
        pairs = zip(node.columns, node.definition.columns, strict=True)
        return Frame(found.chain, {own: found.names[other] for own, other in pairs})

    def _one_row(self, node: OneRow) -> Frame:
        return Frame(Chain('ibis.memtable({"one": [1]})'), {})

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
            if isinstance(value, Literal) and value.type is ColumnType.INT:
                code = Code(f'ibis.literal({code.raw}, "int64")')  # which Ibis would make as narrow as the number
            shown = code.text if old is None else text(old)
            found.append(Assigned(name, old == name, shown, f"{code.at(ATOM)}.name({text(name)})"))
        return assigned(found, ("by", "having"))

    def _extend(self, node: Extend) -> Frame:
        frame = self.build(node.source)
        names = all_fresh((column for column, _ in node.assignments), frame.names.values())
        made = frame.then("mutate", *self._assigned(frame, node.assignments, names))
        return Frame(made.chain, {**frame.names, **names})

    def _project(self, node: Project) -> Frame:
        frame = self.build(node.source)
        if is_same(node, frame):
            return frame
        names = all_fresh(node.columns)
        return Frame(frame.then("select", *self._assigned(frame, node.assignments, names)).chain, names)

    def _group(self, node: Group) -> Frame:
        frame = self.build(node.source)
        keys = all_fresh(column for column, _ in node.keys)
        measures = all_fresh((column for column, _ in node.measures), keys.values())
        grouped = frame.then("group_by", *self._assigned(frame, node.keys, keys)) if node.keys else frame
        made = grouped.then("agg", *self._assigned(frame, node.measures, measures))
        return Frame(made.chain, {**keys, **measures})

    def _sort(self, node: Sort) -> Frame:
        frame = self.build(node.source)
        expressions = self._expressions(frame)
        return frame.then("order_by", *(expressions.sort_key(key) for key in node.keys))

    def _slice(self, node: Slice) -> Frame:
        offset = [f"offset={node.offset}"] if node.offset else []
        return self.build(node.source).then("limit", str(node.limit), *offset)

    def _distinct(self, node: Distinct) -> Frame:
        return self.build(node.source).then("distinct")

    def _combine(self, node: Combine) -> Frame:
        left, right = self.build(node.left), self.build(node.right)
        names = {column: left.names[own] for column, own in zip(node.columns, node.left.columns, strict=True)}
        wanted, found = list(names.values()), [right.names[own] for own in node.right.columns]
        if wanted != found:
            pairs = zip(wanted, found, strict=True)
            columns = [Assigned(n, n == o, text(o), f"{member('_', o)}.name({text(n)})") for n, o in pairs]
            right = right.then("select", *assigned(columns))
        method = {"union": "union", "intersect": "intersect", "except": "difference"}[node.operator]
        flag = ["distinct=True"] if node.operator == "union" and node.distinct else []
        return Frame(left.chain.then(method, right.chain, *flag), names)

    # -- joins --

    def _join(self, node: Join) -> Frame:
        left = self.build(node.left)
        right = _told_apart(left, self.build(node.right))
        if node.others:
            if isinstance(node.right, Scan | Named):
                right = right.then("view")  # told from the left side, should that be the same table
            left, right = self._variable("left", left), self._variable("right", right)
        predicates = self._predicates(node, left, right)
        if node.kind in ("semi", "anti"):
            return left.then(f"{node.kind}_join", right.chain, predicates)
        equal = _equalities(node, left) if node.kind == "inner" else left.equal
        template, names = self._names(node, left, right, equal)
        options = [f'rname="{template}"'] if template != "{name}_right" else []
        if node.kind == "cross":
            return Frame(left.chain.then("cross_join", right.chain, *options), names, left.equal)
        how = {"inner": [], "left": ['how="left"'], "full": ['how="outer"']}[node.kind]
        return Frame(left.chain.then("join", right.chain, predicates, *how, *options), names, equal)

    def _predicates(self, node: Join, left: Frame, right: Frame) -> str:
        sides = self._expressions(left), self._expressions(right)
        if node.others:
            sides_of = ((side, column) for side in (left, right) for column in side.names)
            texts = {column: member(side.chain.flat(), side.names[column]) for side, column in sides_of}
            both = IbisExpressions({}, self._inside, self.strict, texts=texts)
            pairs = [Call(node.others[0].type, "==", pair) for pair in node.pairs]
            return sequence([both.code(one).text for one in (*pairs, *node.others)])
        made = []
        for one, other in node.pairs:
            names = sides[0].name_or_code(one), sides[1].name_or_code(other)
            made.append(names[0] if names[0] == names[1] and isinstance(one, Ref) else f"({names[0]}, {names[1]})")
        return made[0] if len(made) == 1 and made[0].startswith('"') else f"[{', '.join(made)}]"

    def _names(
        self, node: Join, left: Frame, right: Frame, equal: tuple[frozenset[Column], ...]
    ) -> tuple[str, dict[Column, str]]:
        """Return the template for columns of the right that collide, and all names after the join.

        Ibis drops a column of the right that has the name of one that it equals by the join's condition.
        """
        taken = set(left.names.values())
        dropped: dict[Column, str] = {}
        for column, name in right.names.items():
            twins = {other for other, own in left.names.items() if own == name}
            if node.kind == "inner" and any(column in group and twins & group for group in equal):
                dropped[column] = name
        rest = {column: name for column, name in right.names.items() if column not in dropped}
        for template in ("{name}_right", f"{{name}}_{node.label or 'other'}", *(f"{{name}}_{n}" for n in range(2, 99))):
            renamed = {column: template.format(name=name) if name in taken else name for column, name in rest.items()}
            everything = [*taken, *set(renamed.values())]
            if len({name.casefold() for name in everything}) == len(taken) + len(set(rest.values())):
                return template, {**left.names, **renamed, **dropped}
        raise UnsupportedSqlError(f"names that collide in the join with {node.label}")


def _told_apart(left: Frame, right: Frame) -> Frame:
    """Return the right side with other names for columns that only their case tells from one of the left."""
    taken = {name.casefold(): name for name in left.names.values()}
    clashes = {name for name in right.names.values() if taken.get(name.casefold(), name) != name}
    if not clashes:
        return right
    everything = [*left.names.values(), *right.names.values()]
    renamed = {name: fresh(f"{name}_right", everything) for name in right.names.values() if name in clashes}
    pairs = ", ".join(f"{text(new)}: {text(old)}" for old, new in renamed.items())
    names = {column: renamed.get(name, name) for column, name in right.names.items()}
    return Frame(right.chain.then("rename", f"{{{pairs}}}"), names)


def _equalities(node: Join, left: Frame) -> tuple[frozenset[Column], ...]:
    """Return the groups of columns that are equal after an inner join, as Ibis tracks them."""
    groups = [set(group) for group in left.equal]
    for one, other in node.pairs:
        if isinstance(one, Ref) and isinstance(other, Ref):
            merged = {one.column, other.column}
            for group in [group for group in groups if group & merged]:
                groups.remove(group)
                merged |= group
            groups.append(merged)
    return tuple(map(frozenset, groups))


def is_same(node: Project, frame: Frame) -> bool:
    """Say whether a projection leaves the table as it is."""
    kept = [value.column for _, value in node.assignments if isinstance(value, Ref)]
    if len(kept) != len(node.assignments) or any(c is not k for (c, _), k in zip(node.assignments, kept, strict=True)):
        return False
    shown = list(dict.fromkeys(frame.names.values()))
    return [frame.names[column] for column in kept] == shown == [column.name for column in kept]


BUILDERS: dict[type[Relation], Callable[..., Frame]] = {
    Scan: IbisWriter._scan,
    Named: IbisWriter._use,
    OneRow: IbisWriter._one_row,
    Filter: IbisWriter._filter,
    Extend: IbisWriter._extend,
    Project: IbisWriter._project,
    Group: IbisWriter._group,
    Sort: IbisWriter._sort,
    Slice: IbisWriter._slice,
    Distinct: IbisWriter._distinct,
    Combine: IbisWriter._combine,
    Join: IbisWriter._join,
}
