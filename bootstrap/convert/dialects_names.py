"""Names: which column of which table each name means, written as the database has it; and what is text after all.

SQLite folds every name, takes a name in double quotes that nothing has for a text, and knows an output's alias in
WHERE, GROUP BY and HAVING. PostgreSQL folds only what is not quoted, and its own tables may have any letters.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlglot import exp

from bootstrap.convert.base import Schema, UnsupportedSqlError
from bootstrap.convert.dialects_kinds import kind_of, unified
from bootstrap.convert.dialects_words import needs_quotes
from interpreters.base import ColumnType

ROW_NUMBERS = frozenset({"rowid", "oid", "_rowid_"})


@dataclass(frozen=True)
class Output:
    """A column that a table or query shows: its name as it must be written."""

    name: str
    quoted: bool
    kind: ColumnType | None


@dataclass
class Frame:
    """What the names of one SELECT can mean: source -> its columns, and the aliases of its outputs. `merged`: names
    that stand for a column of each of two sources, joined by it, and are written as that of the first.
    """

    sources: dict[str, Sequence[Output]] = field(default_factory=dict)
    written: dict[str, exp.Identifier] = field(default_factory=dict)
    aliases: dict[str, exp.Expr] = field(default_factory=dict)
    merged: set[str] = field(default_factory=set)


Ctes = Mapping[str, tuple[exp.Identifier, Sequence[Output]]]
Frames = tuple[Frame, ...]


class Names:
    """Resolves the names of one query in place. `loose`: a quoted name that nothing has is a text."""

    def __init__(self, schema: Schema, target: str, *, loose: bool) -> None:
        self.target, self.loose = target, loose
        self.tables = {name.casefold(): (name, columns) for name, columns in schema.items()}
        self.unnamed = itertools.count(1)

    def query(self, node: exp.Expr, outer: Frames = (), ctes: Ctes | None = None) -> list[Output]:
        """Resolve a query and return its outputs. Raises UnsupportedSqlError for a name that nothing has."""
        known = self._with(node, outer, ctes or {})
        if isinstance(node, exp.Subquery):
            outputs = self.query(node.this, outer, known)
            self._order(node, Frame(), outer, known)
            return outputs
        if isinstance(node, exp.SetOperation):
            return self._set_operation(node, outer, known)
        if isinstance(node, exp.Select):
            return self._select(node, outer, known)
        raise UnsupportedSqlError(f"a {type(node).__name__} in the place of a query")

    def _with(self, node: exp.Expr, outer: Frames, ctes: Ctes) -> Ctes:
        clause = node.args.get("with_")
        known = dict(ctes)
        if clause is None:
            return known
        for cte in clause.expressions:
            name, alias = self.written(cte.args["alias"].this), cte.args["alias"]
            if clause.args.get("recursive") and isinstance(cte.this, exp.SetOperation):
                first = self.query(cte.this.this, outer, known)
                known[name.name.casefold()] = (name, self._renamed(alias, first))
            known[name.name.casefold()] = (name, self._renamed(alias, self.query(cte.this, outer, known)))
        return known

    def _renamed(self, alias: exp.TableAlias, outputs: Sequence[Output]) -> list[Output]:
        """Write an alias as the target wants it, and return the outputs by the names that it gives."""
        alias.set("this", self.written(alias.this))
        names = [self.written(name) for name in alias.args.get("columns") or ()]
        alias.set("columns", [name.copy() for name in names])
        renamed = [
            replace(output, name=name.name, quoted=bool(name.args.get("quoted")))
            for name, output in zip(names, outputs, strict=False)
        ]
        return renamed + list(outputs[len(renamed) :])

    def written(self, name: exp.Expr) -> exp.Identifier:
        """Return a name that the query itself gives, in quotes only where the target's grammar needs them."""
        text = name.name
        folded = text.lower() if self.loose else text
        return exp.to_identifier(text, quoted=needs_quotes(folded, self.target))

    # -- queries ------------------------------------------------------------------------------------------------------

    def _set_operation(self, node: exp.SetOperation, outer: Frames, ctes: Ctes) -> list[Output]:
        left, right = self.query(node.this, outer, ctes), self.query(node.expression, outer, ctes)
        if len(left) != len(right):
            raise UnsupportedSqlError(f"{node.key.upper()} of {len(left)} and {len(right)} columns")
        order = node.args.get("order")
        for key in order.expressions if order else ():
            self._to_position(key, left, right)
        return [replace(one, kind=unified((one.kind, other.kind))) for one, other in zip(left, right, strict=True)]

    def _to_position(self, key: exp.Ordered, *members: Sequence[Output]) -> None:
        """Sort a set operation by position: SQLite looks for the name in every member, others in the first alone."""
        column = key.this.this if isinstance(key.this, exp.Collate) else key.this
        if not isinstance(column, exp.Column):
            return
        for outputs in members:
            for position, output in enumerate(outputs, 1):
                if output.name.casefold() == column.name.casefold():
                    column.replace(exp.Literal.number(position))
                    return
        raise UnsupportedSqlError(f"ORDER BY {column.name} of a set operation, which shows no such column")

    def _select(self, node: exp.Select, outer: Frames, ctes: Ctes) -> list[Output]:
        frame = Frame()
        if node.args.get("from_"):
            self._source(node.args["from_"].this, frame, outer, ctes)
        for join in node.args.get("joins") or ():
            before = list(frame.sources)
            self._source(join.this, frame, outer, ctes)
            self._merge(join, frame, before)
        frames = (frame, *outer)
        for join in list(node.find_all(exp.Join)):
            if join.find_ancestor(exp.Select) is node:
                self._visit(join.args.get("on"), frames, ctes)
        for shown in list(node.expressions):
            self._visit(shown, frames, ctes)
            if isinstance(shown, exp.Alias):
                shown.set("alias", self.written(shown.args["alias"]))
        frame.aliases = {one.alias.casefold(): one.this for one in node.expressions if isinstance(one, exp.Alias)}
        for clause in ("distinct", "where", "group", "having", "qualify", "windows"):
            value = node.args.get(clause)
            for part in value if isinstance(value, list) else [value]:
                self._visit(part, frames, ctes)
        self._order(node, frame, outer, ctes)
        return [output for shown in node.expressions for output in self._outputs(shown, frame)]

    def _order(self, node: exp.Expr, frame: Frame, outer: Frames, ctes: Ctes) -> None:
        for clause in ("order", "limit", "offset"):
            self._visit(node.args.get(clause), (frame, *outer), ctes)

    def _merge(self, join: exp.Join, frame: Frame, before: Sequence[str]) -> None:
        """Write NATURAL and USING as conditions where a name is spelled in two ways, or has two classes of values."""
        using, natural = join.args.get("using"), join.method == "NATURAL"
        if not (using or natural):
            return
        left = _first_of(frame, before)
        right = _first_of(frame, [source for source in frame.sources if source not in before])
        names = [name.name.casefold() for name in using] if using else [name for name in left if name in right]
        if missing := [name for name in names if name not in left or name not in right]:
            raise UnsupportedSqlError(f"no column {missing[0]} to join by")
        pairs = [(left[name], right[name]) for name in names]
        if all((one.name, one.kind) == (other.name, other.kind) for (_, one), (_, other) in pairs):
            if using:
                join.set("using", [exp.to_identifier(one.name, quoted=one.quoted) for (_, one), _ in pairs])
            return
        frame.merged.update(names)
        join.set("using", None)
        join.set("method", None)
        conditions = [
            exp.EQ(this=exp.column(one.name, source), expression=exp.column(other.name, beside))
            for (source, one), (beside, other) in pairs
        ]
        join.set("on", exp.and_(*conditions))

    def _source(self, node: exp.Expr, frame: Frame, outer: Frames, ctes: Ctes) -> None:
        """Add a table or query of FROM, with those that are joined to it in parentheses."""
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            self._table(node, frame, ctes)
        elif isinstance(node, exp.Subquery) and isinstance(node.this, exp.Query):
            outputs = self.query(node, outer, ctes)
            if not node.args.get("alias"):  # which PostgreSQL before 16 calls for
                node.set("alias", exp.TableAlias(this=exp.to_identifier(f"part_{next(self.unnamed)}")))
            alias = node.args["alias"]
            self._add(frame, alias.this, self._renamed(alias, outputs))
        elif isinstance(node, exp.Subquery):
            self._source(node.this, frame, outer, ctes)
        else:
            raise UnsupportedSqlError(f"FROM {node.sql('sqlite')[:60]}")
        for join in node.args.get("joins") or ():
            self._source(join.this, frame, outer, ctes)

    def _table(self, node: exp.Table, frame: Frame, ctes: Ctes) -> None:
        folded = node.name.casefold()
        if folded in ctes:
            name, outputs = ctes[folded]
            node.set("this", name.copy())
        elif folded in self.tables:
            real, columns = self.tables[folded]
            node.set("this", self._real(real))
            outputs = [Output(column, self._real(column).quoted, kind) for column, kind in columns.items()]
        else:
            raise UnsupportedSqlError(f"no table {node.name}")
        node.set("db", None)
        alias = node.args.get("alias")
        if alias:
            outputs = self._renamed(alias, outputs)
        self._add(frame, alias.this if alias else node.this, outputs)

    def _add(self, frame: Frame, name: exp.Identifier, outputs: Sequence[Output]) -> None:
        frame.sources[name.name.casefold()] = outputs
        frame.written[name.name.casefold()] = name

    def _real(self, name: str) -> exp.Identifier:
        return exp.to_identifier(name, quoted=needs_quotes(name, self.target))

    def _outputs(self, shown: exp.Expr, frame: Frame) -> Iterable[Output]:
        if isinstance(shown, exp.Star):
            if frame.merged:
                raise UnsupportedSqlError("* over a join by names that are spelled in two ways")
            return [output for outputs in frame.sources.values() for output in outputs]
        if isinstance(shown, exp.Column) and isinstance(shown.this, exp.Star):
            return frame.sources[shown.table.casefold()]
        name = shown.args["alias"] if isinstance(shown, exp.Alias) else shown.this
        if not isinstance(name, exp.Identifier):
            return [Output("", False, kind_of(shown))]
        return [Output(name.name, bool(name.args.get("quoted")), kind_of(shown))]

    # -- columns ------------------------------------------------------------------------------------------------------

    def _visit(self, node: exp.Expr | None, frames: Frames, ctes: Ctes) -> None:
        """Resolve the columns of an expression, and its sub-queries with what they can see around them."""
        if node is None:
            return
        if isinstance(node, exp.Query):
            self.query(node, frames, ctes)
        elif isinstance(node, exp.Column):
            self._column(node, frames)
        elif isinstance(node, exp.In) and node.args.get("field"):
            raise UnsupportedSqlError("IN with the name of a table")
        else:
            for child in list(node.iter_expressions()):
                self._visit(child, frames, ctes)

    def _column(self, node: exp.Column, frames: Frames) -> None:
        if node.table:
            return self._qualified(node, frames)
        top = isinstance(node.parent, exp.Ordered)
        if top and node.name.casefold() in frames[0].aliases:
            return self._alias(node, frames[0])
        for depth, frame in enumerate(frames):
            for source, outputs in frame.sources.items():
                found = _named(node.name, outputs)
                if found:
                    if node.name.casefold() in frame.merged:
                        node.set("table", frame.written[source].copy())
                    return _mark(node, found, source, depth)
            if node.name.casefold() in frame.aliases and depth == 0:
                return self._alias(node, frame)
        if self.loose and node.this.args.get("quoted"):
            node.replace(exp.Literal.string(node.name))
            return None
        raise _unknown(node.name)

    def _qualified(self, node: exp.Column, frames: Frames) -> None:
        folded = node.table.casefold()
        for depth, frame in enumerate(frames):
            if folded not in frame.sources:
                continue
            node.set("table", frame.written[folded].copy())
            node.set("db", None)
            if isinstance(node.this, exp.Star):
                return None
            found = _named(node.name, frame.sources[folded])
            if found is None:
                raise _unknown(f"{node.table}.{node.name}")
            return _mark(node, found, folded, depth)
        raise UnsupportedSqlError(f"no table {node.table} for the column {node.name}")

    def _alias(self, node: exp.Column, frame: Frame) -> None:
        """Leave an alias where every engine knows it, as a whole key; write out what it stands for elsewhere."""
        shown = frame.aliases[node.name.casefold()]
        if isinstance(node.parent, exp.Ordered | exp.Group):
            node.set("this", self.written(node.this))
            node.meta.update(kind=kind_of(shown), alias=True)
            node.meta["shown"] = shown
        else:
            node.replace(shown.copy() if isinstance(shown, exp.Column) else exp.paren(shown.copy()))


def _mark(node: exp.Column, found: Output, source: str, depth: int) -> None:
    node.set("this", exp.to_identifier(found.name, quoted=found.quoted))
    node.meta.update(kind=found.kind, source=source, depth=depth)


def _first_of(frame: Frame, sources: Iterable[str]) -> dict[str, tuple[str, Output]]:
    """Return folded name -> the first of these sources that has such a column, and the column."""
    found: dict[str, tuple[str, Output]] = {}
    for source in sources:
        for output in frame.sources[source]:
            found.setdefault(output.name.casefold(), (source, output))
    return found


def _named(name: str, outputs: Iterable[Output]) -> Output | None:
    folded = name.casefold()
    return next((output for output in outputs if output.name.casefold() == folded), None)


def _unknown(name: str) -> UnsupportedSqlError:
    what = "the hidden number of a row" if name.rpartition(".")[2].casefold() in ROW_NUMBERS else "no column"
    return UnsupportedSqlError(f"{what} {name}")
