"""Which columns a frame has at each point of a chain of method calls, in Polars and in Ibis, as far as it shows."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property

from bootstrap.audit.mutants import ColumnFacts, Columns
from interpreters.base import ColumnType

Known = dict[str, ColumnFacts | None]
"""Column -> facts, None where nothing is known of a column."""

SAME = frozenset({
    "filter", "sort", "head", "limit", "tail", "slice", "unique", "distinct", "order_by", "drop_nulls", "reverse",
    "lazy", "collect", "top_k", "bottom_k", "semi_join", "anti_join", "fill_null", "cache", "view", "dropna",
})  # fmt: skip
"""Methods that leave a frame's columns alone."""
GROUPS = frozenset({"group_by", "groupby"})
ADDING = frozenset({"with_columns", "mutate"})
AGGREGATING = frozenset({"agg", "aggregate"})
JOINS = frozenset({"join", "left_join", "inner_join", "outer_join", "cross_join", "join_asof"})
FRAME_METHODS = SAME | GROUPS | ADDING | AGGREGATING | JOINS | {"select", "drop", "rename", "partition_by", "concat"}
_COUNTS = frozenset({"count", "len", "n_unique", "nunique"})


def method(node: ast.AST | None) -> str:
    """Return the name of the method that a node calls, or ""."""
    return node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""


def receiver(node: ast.Call) -> ast.expr:
    """Return what a method is called on."""
    return node.func.value if isinstance(node.func, ast.Attribute) else node.func


def text_of(node: ast.AST | None) -> str | None:
    """Return the text of a string constant, or None."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def is_polars_function(node: ast.AST | None) -> bool:
    """Say whether this is pl.col(...), or pl.sum(...) and its like, whose texts are columns."""
    if not isinstance(node, ast.Call) or method(node) in ("", "lit", "concat", "format", "concat_str", "DataFrame"):
        return False
    return isinstance(receiver(node), ast.Name) and ast.unparse(receiver(node)) == "pl"


def flat(arguments: Sequence[ast.expr]) -> Iterator[ast.expr]:
    """Yield arguments, those in lists and tuples one by one."""
    for one in arguments:
        if isinstance(one, ast.List | ast.Tuple):
            yield from one.elts
        else:
            yield one


class Program:
    """One piece of code, with its tables; `parents` lead from a node to what holds it."""

    def __init__(self, code: str, language: str, columns: Columns, ordered: bool) -> None:
        self.tree = ast.parse(code.strip())
        self.language, self.ordered = language, ordered
        self.nodes = list(ast.walk(self.tree))
        self.parents = {child: node for node in self.nodes for child in ast.iter_child_nodes(node)}
        self._tables: dict[str, Known] = {name: dict(known) for name, known in columns.items()}
        if self._tables and language == "polars":
            self._tables.setdefault("df", next(iter(self._tables.values())))

    @cached_property
    def _assigned(self) -> list[tuple[str, ast.expr]]:
        """Return names with the values that they are set to, in the order of the code."""
        found = []
        for node in self.nodes:
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                found.append((node.targets[0].id, node.value))
        return sorted(found, key=lambda pair: (pair[1].lineno, pair[1].col_offset))

    def value_of(self, node: ast.Name) -> ast.expr | None:
        """Return what a variable was last set to before it is named here."""
        here = (node.lineno, node.col_offset)
        values = [v for name, v in self._assigned if name == node.id and (v.end_lineno, v.end_col_offset) <= here]
        return values[-1] if values else None

    def text(self, node: ast.AST) -> str:
        line = ast.unparse(node)
        return line if len(line) <= 120 else line[:117] + "..."

    # -- frames -------------------------------------------------------------------------------------------------------

    def frame(self, node: ast.expr, depth: int = 0) -> Known | None:
        """Return the columns of the frame that an expression gives; None when it is no frame, or an unknown one."""
        if depth > 60:
            return None
        if isinstance(node, ast.Name):
            value = self.value_of(node)
            return self.frame(value, depth + 1) if value is not None else self._tables.get(node.id)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.List):
            base = self.frame(node.value, depth + 1)
            return base and {name: base.get(name) for one in node.slice.elts if (name := text_of(one) or "")}
        if isinstance(node, ast.Call) and method(node):
            return self._call(node, depth)
        return None

    def _call(self, node: ast.Call, depth: int) -> Known | None:
        name, before = method(node), receiver(node)
        if name == "concat" and node.args:
            return next((self.frame(one, depth + 1) for one in flat(node.args[:1])), None)
        grouped = method(before) in GROUPS and isinstance(before, ast.Call)
        base = self.frame(receiver(before) if grouped and isinstance(before, ast.Call) else before, depth + 1)
        if base is None:
            return None
        if grouped and isinstance(before, ast.Call):
            return self._aggregated(node, self._outputs(before, base), base)
        if name == "filter":
            needed = set(self._required(node))
            return {key: replace(f, nullable=False) if f and key in needed else f for key, f in base.items()}
        if name in SAME:
            return base
        if name in GROUPS:
            return None
        if name == "select" or name in AGGREGATING:
            return self._outputs(node, base)
        if name in ADDING:
            return base | self._outputs(node, base)
        if name == "drop":
            gone = {text_of(one) or getattr(one, "attr", "") for one in flat(node.args)}
            return {key: facts for key, facts in base.items() if key not in gone}
        if name == "rename":
            return self._renamed(node, base)
        if name in JOINS and node.args:
            return (self.frame(node.args[0], depth + 1) or {}) | base
        return None

    def _required(self, node: ast.Call) -> Iterator[str]:
        """Yield the columns that a filter needs to be there: compared ones, and those tested for it."""
        for one in node.args:
            if isinstance(one, ast.Compare) or method(one) in ("is_not_null", "notnull"):
                for inner in ast.walk(one):
                    yield text_of(inner) or (inner.attr if isinstance(inner, ast.Attribute) else "")

    def _aggregated(self, node: ast.Call, keys: Known, base: Known) -> Known | None:
        if method(node) in AGGREGATING:
            return keys | self._outputs(node, base)
        if method(node) in _COUNTS:
            name = text_of(node.args[0]) if node.args else method(node)
            return keys | {name or "len": ColumnFacts(ColumnType.INT, False)}
        return None

    def _renamed(self, node: ast.Call, base: Known) -> Known:
        new_of: dict[str, str] = {}
        for one in node.args:
            if isinstance(one, ast.Dict):
                for key, value in zip(one.keys, one.values, strict=True):
                    old, new = text_of(key), text_of(value)
                    if old and new:
                        new_of |= {old: new} if self.language == "polars" else {new: old}
        new_of |= {old: word.arg for word in node.keywords if word.arg and (old := text_of(word.value))}
        return {new_of.get(name, name): facts for name, facts in base.items()}

    def _outputs(self, node: ast.Call, base: Known) -> Known:
        """Return the columns that the arguments of select, mutate or aggregate name."""
        found: Known = {}
        for one in flat(node.args):
            name = self.output_name(one)
            if name:
                found[name] = self.facts_in(one, base)
        return found | {word.arg: self.facts_in(word.value, base) for word in node.keywords if word.arg}

    # -- expressions --------------------------------------------------------------------------------------------------

    def output_name(self, node: ast.expr) -> str | None:
        """Return the name of the column that an expression gives, where that shows."""
        if isinstance(node, ast.Constant):
            return text_of(node)
        if isinstance(node, ast.BinOp):
            return self.output_name(node.left)
        if isinstance(node, ast.Attribute):
            return node.attr
        if isinstance(node, ast.Subscript):
            return text_of(node.slice)
        if isinstance(node, ast.Call):
            if method(node) in ("alias", "name", "col") and node.args:
                return text_of(node.args[0])
            return self.output_name(receiver(node)) if isinstance(node.func, ast.Attribute) else None
        return None

    def facts_in(self, node: ast.expr, base: Known) -> ColumnFacts | None:
        """Return what is known of an expression's values over a frame: of the first column in it, mostly."""
        if isinstance(node, ast.Call) and method(node) in _COUNTS:
            return ColumnFacts(ColumnType.INT, False)
        for inner in ast.walk(node):
            name = text_of(inner) or (inner.attr if isinstance(inner, ast.Attribute) else None)
            if name in base:
                return base[name]
        return None

    # -- where a node stands ------------------------------------------------------------------------------------------

    def ancestors(self, node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
        """Yield (child, parent) upwards."""
        while node in self.parents:
            yield node, self.parents[node]
            node = self.parents[node]

    def frame_call(self, node: ast.AST) -> ast.Call | None:
        """Return the frame's method call of which a node is part of the arguments."""
        for child, parent in self.ancestors(node):
            if isinstance(parent, ast.Call) and child is not parent.func and method(parent) in FRAME_METHODS:
                return parent
        return None

    def scope(self, node: ast.AST) -> Known:
        """Return the columns that the code at this node can name."""
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and (of := self.frame(node.value)):
            return of
        call = self.frame_call(node)
        if call is None:
            return {}
        before = receiver(call)
        if isinstance(before, ast.Call) and method(before) in GROUPS:
            before = receiver(before)
        return self.frame(before) or {}

    def mention(self, node: ast.AST) -> str | None:
        """Return the column of the scope that a node names: "x" in a place for columns, pl.col("x"), _.x, t["x"]."""
        parent = self.parents.get(node)
        name = text_of(node)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            called = isinstance(parent, ast.Call) and parent.func is node
            name = None if called else node.attr
        elif name is None or not self._is_place_for_columns(node):
            return None
        return name if name in self.scope(node) else None

    def _is_place_for_columns(self, node: ast.AST) -> bool:
        parent = self.parents[node]
        if isinstance(parent, ast.Subscript):
            return parent.slice is node
        if isinstance(parent, ast.List | ast.Tuple):
            node, parent = parent, self.parents[parent]
        if isinstance(parent, ast.Dict):
            return node in (parent.keys if self.language == "polars" else parent.values)
        if isinstance(parent, ast.keyword):
            renaming = method(self.parents[parent]) == "rename"
            return parent.arg in ("on", "left_on", "right_on", "by", "subset") or renaming
        if not isinstance(parent, ast.Call):
            return False
        return is_polars_function(parent) or method(parent) in FRAME_METHODS or method(parent) in ("desc", "asc")
