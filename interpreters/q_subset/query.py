"""select, exec, update and delete: over the columns of a table, filtered by phrases, in groups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from interpreters.q_subset import syntax as s
from interpreters.q_subset.errors import METER, QError, Unsupported
from interpreters.q_subset.indexing import at, take_positions
from interpreters.q_subset.lists import sublist
from interpreters.q_subset.parser import column_name
from interpreters.q_subset.sets import distinct, group
from interpreters.q_subset.sorting import order
from interpreters.q_subset.tables import key_by, unkeyed
from interpreters.q_subset.values import (
    BOOL,
    NULLS,
    SYMBOL,
    Atom,
    Dict,
    Table,
    Vec,
    collect,
    collect_rows,
    is_keyed,
    items,
    longs,
    symbols,
)

if TYPE_CHECKING:
    from interpreters.q_subset.machine import Frame, Machine

Phrase = tuple[str, Callable[["Frame"], Any]]


@dataclass
class Plan:
    """A query whose phrases are functions of a frame. `by` is None without grouping."""

    columns: list[Phrase]
    by: list[Phrase] | None
    where: list[Callable[[Frame], Any]]
    frame: Frame
    plain_by: bool = False  # exec by one unnamed phrase: keys are a list
    plain: bool = False  # exec of one unnamed phrase
    drop: list[str] = field(default_factory=list)


def run_query(machine: Machine, node: s.Query, frame: Frame) -> Any:
    source = machine.evaluate(node.source, frame)
    if node.verb == "delete" and type(source) is Atom and source.t == -SYMBOL and source.v == ".":
        return _delete_globals(machine, node)
    name = source.v if type(source) is Atom and source.t == -SYMBOL else None
    value = machine.look_up(name) if name is not None else source
    plan = _plan(machine, node, frame)
    if node.verb == "select":
        result = select(plan, value, node.distinct)
        return _limited(machine, node, frame, result) if node.limit else result
    if node.verb == "exec":
        return execute(plan, value)
    changed = update(plan, value) if node.verb == "update" else delete(plan, value)
    if name is None:
        return changed
    machine.globals[name] = changed
    return source


def _delete_globals(machine: Machine, node: s.Query) -> Any:
    for _, part in node.columns:
        if not isinstance(part, s.Name) or part.name not in machine.globals:
            raise Unsupported("delete of what is no global")
        del machine.globals[part.name]
    return Atom(-SYMBOL, ".")


def _plan(machine: Machine, node: s.Query, frame: Frame) -> Plan:
    def phrases(parts: list[tuple[str, Any]]) -> list[Phrase]:
        named: list[Phrase] = []
        for name, part in parts:
            fresh = name or _default(part)
            n, base = 0, fresh
            while not name and any(fresh == other for other, _ in named):
                n += 1
                fresh = f"{base}{n}"
            named.append((fresh, _phrase(machine, part)))
        return named

    single = node.verb == "exec" and len(node.columns) == 1 and not node.columns[0][0]
    if node.verb == "delete":
        names = [part.name if isinstance(part, s.Name) else "" for _, part in node.columns]
        plan = Plan([], None, [], frame, drop=names)
    elif single:
        plan = Plan([("x", _phrase(machine, node.columns[0][1]))], None, [], frame, plain=True)
    else:
        plan = Plan(phrases(node.columns), None, [], frame)
    if node.by is not None:
        plan.plain_by = len(node.by) == 1 and not node.by[0][0]
        plan.by = phrases(node.by)
    plan.where = [_phrase(machine, part) for part in node.where]
    return plan


def _phrase(machine: Machine, part: Any) -> Callable[[Frame], Any]:
    return lambda frame: machine.evaluate(part, frame)


def _default(part: Any) -> str:
    return column_name(part) or "x"


def _limited(machine: Machine, node: s.Query, frame: Frame, result: Any) -> Any:
    if node.limit is not None and len(node.limit) == 3 and isinstance(node.limit[1], str):
        count, direction, column = node.limit
        if type(result) is not Table:
            raise Unsupported("select[...] with an order and groups")
        if column not in result.names:
            raise Unsupported("select[...] ordered by a column that is not selected")
        result = take_positions(result, order(result.column(column), descending=direction == ">"))
        return result if count is None else sublist(machine.evaluate(count, frame), result)
    if node.limit is None or len(node.limit) != 1 or node.limit[0] is None:
        raise Unsupported("this limit of a select")
    return sublist(machine.evaluate(node.limit[0], frame), result)


# -- evaluation ------------------------------------------------------------------------------------------------------


def _frame(plan: Plan, table: Table, where: list[int] | None) -> Frame:
    from interpreters.q_subset.machine import Frame

    size = table.height() if where is None else len(where)
    METER.charge(1 + size * len(table.names) // 8)
    part = table if where is None else take_positions(table, where)
    columns = dict(zip(part.names, part.columns, strict=True))
    columns.setdefault("i", longs(range(size) if where is None else where))
    return Frame(plan.frame.fn, plan.frame.names, {**(plan.frame.columns or {}), **columns})


def _filter(plan: Plan, table: Table) -> list[int] | None:
    """Return the rows that pass all phrases, None for all rows."""
    where: list[int] | None = None
    for phrase in plan.where:
        flags = phrase(_frame(plan, table, where))
        rows = list(range(table.height())) if where is None else where
        if type(flags) is Atom and flags.t in (-BOOL, -6, -7):
            where = rows if flags.v else []
        elif type(flags) is Vec and flags.t in (BOOL, 6, 7) and len(flags.v) == len(rows):
            where = [row for row, flag in zip(rows, flags.v, strict=True) if flag]
        elif type(flags) is Vec and len(flags.v) != len(rows):
            raise QError("length")
        else:
            raise QError("type")
    return where


def _table_of(columns: list[tuple[str, Any]]) -> Table:
    from interpreters.q_subset.tables import make_table

    if all(type(v) is not Vec for _, v in columns):
        return Table([n for n, _ in columns], [collect([v]) for _, v in columns])
    made: Table = make_table([], columns)
    return made


def select(plan: Plan, source: Any, only_distinct: bool = False) -> Any:
    table = unkeyed(source)
    where = _filter(plan, table)
    if plan.by is not None:
        return _grouped(plan, table, where)
    if not plan.columns:
        kept = table if where is None else take_positions(table, where)
        result = key_by(len(source.keys.names), kept) if is_keyed(source) else kept
    else:
        frame = _frame(plan, table, where)
        result = _table_of([(name, phrase(frame)) for name, phrase in plan.columns])
    return distinct(result) if only_distinct else result


def _groups(plan: Plan, table: Table, where: list[int] | None) -> tuple[Table, list[list[int]]]:
    """Return the sorted keys and the rows of each group."""
    frame = _frame(plan, table, where)
    assert plan.by is not None
    keys = _table_of([(name, phrase(frame)) for name, phrase in plan.by])
    rows = list(range(table.height())) if where is None else where
    if keys.height() != len(rows):
        raise Unsupported("by a phrase that is not of the table's length")
    grouped = group(keys)
    found = [[rows[i] for i in places.v] for places in items(grouped.values)]
    ranked = order(grouped.keys)
    return take_positions(grouped.keys, ranked), [found[i] for i in ranked]


def _grouped(plan: Plan, table: Table, where: list[int] | None) -> Dict:
    keys, groups = _groups(plan, table, where)
    keys.columns[0] = Vec(keys.columns[0].t, keys.columns[0].v, "s" if len(keys.names) == 1 else "")
    if not plan.columns:
        rest = [name for name in table.names if name not in keys.names]
        lasts = take_positions(Table(rest, [table.column(n) for n in rest]), [rows[-1] for rows in groups])
        return Dict(keys, lasts)
    if groups:
        frames = [_frame(plan, table, rows) for rows in groups]
        columns = [_column([phrase(frame) for frame in frames]) for _, phrase in plan.columns]
    else:
        nothing = _frame(plan, table, [])
        columns = [_no_cells_like(phrase(nothing)) for _, phrase in plan.columns]
    return Dict(keys, Table([name for name, _ in plan.columns], columns))


def _no_cells_like(value: Any) -> Vec:
    """Return the column of no groups: of the type that an aggregate has of nothing, untyped where groups give lists."""
    return Vec(-value.t if type(value) is Atom else 0, [])


def _column(values: list[Any]) -> Vec:
    found = collect(values)
    if not found.t and all(type(v) is Dict for v in values):
        raise Unsupported("a column of dictionaries")
    return found


def execute(plan: Plan, source: Any) -> Any:
    table = unkeyed(source)
    where = _filter(plan, table)
    if plan.by is None:
        frame = _frame(plan, table, where)
        if plan.plain:
            return plan.columns[0][1](frame)
        if not plan.columns:
            return at(table if where is None else take_positions(table, where), Atom(-7, table.height() - 1))
        return Dict(symbols(n for n, _ in plan.columns), collect_rows([phrase(frame) for _, phrase in plan.columns]))
    keys, groups = _groups(plan, table, where)
    frames = [_frame(plan, table, rows) for rows in groups]
    key_list = keys.columns[0] if plan.plain_by and len(keys.columns) == 1 else keys
    if plan.plain:
        return Dict(key_list, collect_rows([plan.columns[0][1](frame) for frame in frames]))
    columns = [collect([phrase(frame) for frame in frames]) for _, phrase in plan.columns]
    return Dict(key_list, Table([name for name, _ in plan.columns], columns))


def update(plan: Plan, source: Any) -> Any:
    table = unkeyed(source)
    where = _filter(plan, table)
    size = len(source.keys.names) if is_keyed(source) else 0
    names, columns = list(table.names), list(table.columns)
    if plan.by is None:
        frame = _frame(plan, table, where)
        parts = [(name, [(where, phrase(frame))]) for name, phrase in plan.columns]
    else:
        _, groups = _groups(plan, table, where)
        frames = [(rows, _frame(plan, table, rows)) for rows in groups]
        parts = [(name, [(rows, phrase(frame)) for rows, frame in frames]) for name, phrase in plan.columns]
    for name, pieces in parts:
        old = columns[names.index(name)] if name in names else None
        new = _updated(old, pieces, table.height())
        if old is None:
            names.append(name)
            columns.append(new)
        else:
            columns[names.index(name)] = new
    return key_by(size, Table(names, columns))


def _updated(old: Vec | None, pieces: list[Any], height: int) -> Vec:
    """Write the new values into a column."""
    cells: list[tuple[int, Any]] = []
    for where, value in pieces:
        rows = range(height) if where is None else where
        if type(value) is Vec and len(value.v) != len(rows):
            raise QError("length")
        if type(value) not in (Vec, Atom):
            raise Unsupported("update with a value that is no list or atom")
        values = items(value) if type(value) is Vec else [value] * len(rows)
        cells += zip(rows, values, strict=True)
    new = collect([value for _, value in cells])
    full = len(cells) == height
    if full:
        ordered = [value for _, value in sorted(cells, key=lambda cell: cell[0])]
        return collect(ordered) if ordered else _no_rows(old, pieces)
    if not cells:
        return old if old is not None else _no_cells()
    if old is None:
        if not new.t:
            raise Unsupported("a new column of lists for some rows")
        old = Vec(new.t, [NULLS[new.t]] * height)
    if old.t and new.t != old.t:
        raise QError("type")
    copy = list(old.v)
    for row, value in cells:
        copy[row] = value.v if old.t else value
    return Vec(old.t, copy)


def _no_rows(old: Vec | None, pieces: list[Any]) -> Vec:
    """Return the column of a table without rows: of the type of its values, which only a group lacks."""
    if pieces and type(pieces[0][1]) in (Vec, Atom):
        return Vec(abs(pieces[0][1].t), [])
    return old or Vec(0, [])


def _no_cells() -> Vec:
    raise Unsupported("a new column for no rows")


def delete(plan: Plan, source: Any) -> Any:
    if type(source) is Dict and not is_keyed(source):
        from interpreters.q_subset.lists import drop_keys

        return drop_keys(symbols(plan.drop), source)
    table = unkeyed(source)
    size = len(source.keys.names) if is_keyed(source) else 0
    if plan.drop:
        if plan.where or any(name not in table.names for name in plan.drop) or size:
            raise Unsupported("this delete of columns")
        keep = [name for name in table.names if name not in plan.drop]
        return Table(keep, [table.column(name) for name in keep])
    where = _filter(plan, table)
    gone = set(range(table.height()) if where is None else where)
    return key_by(size, take_positions(table, [i for i in range(table.height()) if i not in gone]))
