"""Evaluates parsed q: names and scopes, assignment, control words, lambdas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interpreters.q_subset import application
from interpreters.q_subset import syntax as s
from interpreters.q_subset.amending import amend, replace, update_by
from interpreters.q_subset.application import apply
from interpreters.q_subset.errors import METER, QError, Unsupported
from interpreters.q_subset.joining import join
from interpreters.q_subset.keywords import BUILTINS, refuse_missing
from interpreters.q_subset.lexer import tokens_of
from interpreters.q_subset.parser import Paren
from interpreters.q_subset.values import (
    CHAR,
    HOLE,
    INTEGERS,
    NULL,
    SYMBOL,
    Atom,
    Derived,
    Dict,
    Hole,
    Lambda,
    Projection,
    Table,
    Vec,
    collect_rows,
    is_keyed,
)


class Returned(Exception):  # noqa: N818 - control flow, not a fault
    """An explicit return on its way to its lambda."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Frame:
    """The names that an expression sees: a lambda's locals, and the columns of a query's table before them."""

    __slots__ = ("columns", "fn", "names")

    def __init__(self, fn: Lambda | None, names: dict[str, Any], columns: dict[str, Any] | None = None) -> None:
        self.fn = fn
        self.names = names
        self.columns = columns


class View:
    """A global defined by `name::expression`, computed when it is read."""

    __slots__ = ("node", "text")

    def __init__(self, node: Any, text: str) -> None:
        self.node = node
        self.text = text


class Machine:
    """The globals of one workspace, what it prints, and the evaluation of nodes."""

    def __init__(self) -> None:
        self.globals: dict[str, Any] = {}
        self.lost: set[str] = set()  # names whose values are not known, since a refused statement would have set them
        self.context = ""  # the namespace of \\d, with its leading dot
        self.printed: list[str] = []
        self.precision = 7
        self.top = Frame(None, {})

    def look_up(self, name: str) -> Any:
        """Return a global or built-in. Raises QError with the name of what is not there."""
        if self.context and name[0] != "." and name not in BUILTINS:
            name = f"{self.context}.{name}"
        if name in self.lost:
            raise Unsupported(f"{name}, which a refused statement would have set")
        if name in self.globals:
            value = self.globals[name]
            return self.evaluate(value.node, self.top) if type(value) is View else value
        if name in BUILTINS:
            return BUILTINS[name]
        if name.startswith("."):
            from interpreters.q_subset.namespaces import namespace_value

            return namespace_value(self, name)
        if "." in name:
            raise Unsupported(f"the name {name}")
        refuse_missing(name)
        raise QError(name)

    def look_up_symbol(self, name: str) -> Any:
        """Return what a symbol names; `. is the root namespace."""
        if name == ".":
            return Dict(Vec(SYMBOL, [n for n in self.globals if "." not in n]), Vec(0, self._root()))
        if not name or not (name[0].isalpha() or (name[0] == "." and name[1:2].isalpha())):
            raise Unsupported(f"the symbol `{name} as a name")
        return self.look_up(name)

    def _root(self) -> list[Any]:
        return [self.look_up(n) for n in self.globals if "." not in n]

    def evaluate(self, node: Any, frame: Frame) -> Any:
        return _EVALUATE[type(node)](self, node, frame)

    def name(self, node: s.Name, frame: Frame) -> Any:
        name = node.name
        if frame.columns is not None and name in frame.columns:
            return frame.columns[name]
        if name in frame.names:
            return frame.names[name]
        if frame.fn is not None:
            if name == ".z.s":
                return frame.fn
            if name in frame.fn.locals:
                return Vec(0, [])  # a local that is not assigned yet
        base, dot, part = name.partition(".")
        if base and dot:
            return self.part(base, part, frame)
        return self.look_up(name)

    def part(self, base: str, part: str, frame: Frame) -> Any:
        """Return `date.month` and the like, of a column or a global."""
        from interpreters.q_subset.casting import dotted_part

        if frame.columns is not None and base in frame.columns:
            return dotted_part(part, frame.columns[base])
        if base in frame.names or base not in self.globals:
            raise Unsupported(f"the name {base}.{part}")
        return dotted_part(part, self.look_up(base))

    def apply(self, node: s.Apply, frame: Frame) -> Any:
        args = node.args
        if len(args) == 1 and args[0] is not None:
            values = [self.evaluate(args[0], frame)]
        else:
            values = [HOLE if a is None else self.evaluate(a, frame) for a in reversed(args)]
            values.reverse()
        return apply(self.evaluate(node.fn, frame), values)

    def list_of(self, node: s.ListOf, frame: Frame) -> Any:
        values = [self.evaluate(item, frame) for item in reversed(node.items)]
        values.reverse()
        if any(type(v) is Hole for v in values):
            return Projection(None, values)
        return collect_rows(values)

    def table_of(self, node: s.TableOf, frame: Frame) -> Any:
        from interpreters.q_subset.tables import make_table

        columns = [(name, self.evaluate(part, frame)) for name, part in reversed(node.columns)][::-1]
        keys = [(name, self.evaluate(part, frame)) for name, part in reversed(node.keys)][::-1]
        if node.is_dict:
            return Dict(Vec(SYMBOL, [name for name, _ in keys]), collect_rows([value for _, value in keys]))
        return make_table(keys, columns)

    def assign(self, node: s.Assign, frame: Frame) -> Any:
        name = node.name
        if name.startswith((".z.", ".Q.", ".j.", ".h.", ".q.", ".m.")):
            raise Unsupported(f"assignment to {name}")
        if name in BUILTINS:
            raise QError("assign")
        local = frame.fn is not None and name in frame.fn.locals
        plain = node.op is None and node.index is None
        if plain and node.is_global and frame.fn is None and "." not in name:
            self.store(name, View(node.value, view_text(node.text)))
            return NULL
        value = self.evaluate(node.value, frame)
        if plain:
            self._store(name, value, frame, local)
            return value
        return self._amend(node, value, frame, local)

    def _amend(self, node: s.Assign, value: Any, frame: Frame, local: bool) -> Any:
        name = node.name
        current = frame.names.get(name) if local else self.look_up(name)
        if current is None:
            current = Vec(0, [])
        path = [HOLE if i is None else self.evaluate(i, frame) for i in reversed(node.index or [])][::-1]
        if node.op is None:
            updated = amend(current, path, replace, value)
        else:
            fn = self.evaluate(node.op, frame)
            if not path and isinstance(node.op, s.Name) and node.op.name == ",":
                updated = appended(current, value)
            else:
                updated = amend(current, path, update_by(fn), value)
        self._store(name, updated, frame, local)
        if node.op is None:
            return value
        return apply(updated, path) if path else updated

    def _store(self, name: str, value: Any, frame: Frame, local: bool) -> None:
        if type(value) is Hole:
            raise QError("type")
        if local:
            frame.names[name] = value
        else:
            self.store(name, value)

    def store(self, name: str, value: Any) -> None:
        """Set a global."""
        if self.context and name[0] != ".":
            name = f"{self.context}.{name}"
        self.globals[name] = value
        self.lost.discard(name)

    def cond(self, node: s.Cond, frame: Frame) -> Any:
        branches = node.branches
        i = 0
        while i + 1 < len(branches):
            if is_true(self._part(branches[i], frame)):
                return self._part(branches[i + 1], frame)
            i += 2
        return self._part(branches[i], frame) if i < len(branches) else NULL

    def block(self, node: s.Block, frame: Frame) -> Any:
        result: Any = NULL
        for part in node.statements:
            result = self._part(part, frame)
        return result

    def _part(self, node: Any, frame: Frame) -> Any:
        return NULL if node is None else self.evaluate(node, frame)

    def control(self, node: s.Control, frame: Frame) -> Any:
        test, *body = node.args
        if test is None:
            raise QError(node.word)
        if node.word == "if":
            if is_true(self.evaluate(test, frame)):
                self._run(body, frame)
        elif node.word == "while":
            while is_true(self.evaluate(test, frame)):
                METER.charge(1)
                self._run(body, frame)
        else:
            times = self.evaluate(test, frame)
            if type(times) is not Atom or -times.t not in INTEGERS:
                raise QError("type")
            for _ in range(times.v):
                METER.charge(1)
                self._run(body, frame)
        return NULL

    def _run(self, body: list[Any], frame: Frame) -> None:
        for node in body:
            if node is not None:
                self.evaluate(node, frame)

    def run_lambda(self, fn: Lambda, args: list[Any]) -> Any:
        METER.charge(2)
        if METER.depth >= METER.max_depth:
            raise QError("stack")
        METER.depth += 1
        frame = Frame(fn, dict(zip(fn.params, args, strict=False)))
        result: Any = NULL
        try:
            for node in fn.body:
                result = NULL if node is None else _EVALUATE[type(node)](self, node, frame)
        except Returned as returned:
            result = returned.value
        finally:
            METER.depth -= 1
        return result

    def returned(self, node: s.Return, frame: Frame) -> Any:
        value = self._part(node.value, frame)
        if frame.fn is None:
            return value
        raise Returned(value)

    def signal(self, node: s.Signal, frame: Frame) -> Any:
        raise QError(signal_text(self.evaluate(node.value, frame)))

    def query(self, node: s.Query, frame: Frame) -> Any:
        from interpreters.q_subset.query import run_query

        return run_query(self, node, frame)

    def handle(self, number: int, args: list[Any]) -> Any:
        """Write to the console: 1 "text" as it is, -1 with a line end. 0 evaluates."""
        if len(args) != 1:
            raise QError("rank")
        if number == 0:
            from interpreters.q_subset.parse_trees import value_of

            return value_of(self, args[0])
        if number not in (1, -1, 2, -2):
            raise Unsupported("file and process handles")
        lines = [args[0]] if type(args[0]) in (Vec, Atom) and abs(args[0].t) == CHAR else None
        if lines is None:
            if type(args[0]) is not Vec or number > 0 or not all(type(v) is Vec and v.t == CHAR for v in args[0].v):
                raise QError("type")
            lines = args[0].v
        if abs(number) == 1:
            self.printed += [text_of_bytes(line.v) + ("\n" if number < 0 else "") for line in lines]
        return Atom(-7, number)


def text_of_bytes(chars: list[str]) -> str:
    """Return what a terminal shows for chars, which are bytes of UTF-8."""
    return "".join(chars).encode("latin-1").decode("utf-8", errors="replace")


def view_text(source: str) -> str:
    """Return a view's expression without the comment after it."""
    tokens = tokens_of(source)
    return source[tokens[0].start : tokens[-1].end] if tokens else ""


def is_true(x: Any) -> bool:
    if type(x) is Atom and x.t not in (-SYMBOL, -2):
        return bool(x.v != 0) if x.t != -CHAR else x.v != "\0"
    raise QError("type")


def appended(old: Any, new: Any) -> Any:
    """Return old,new as x,:y stores it: what is there keeps its type, and rows may leave columns out."""
    if (type(old) is Table and type(new) is Table) or (is_keyed(old) and is_keyed(new)):
        from interpreters.q_subset.tables import upsert

        return upsert(old, new)
    joined = join(old, new)
    keep_types(old, joined)
    return joined


def keep_types(old: Any, new: Any) -> None:
    """Raise QError type where x,:y would change the type of a vector or of a dictionary's values."""
    if type(old) is Vec and type(new) is Vec and old.t and old.v and new.t != old.t:
        raise QError("type")
    if type(old) is Dict and type(new) is Dict:
        keep_types(old.values, new.values)


def signal_text(x: Any) -> str:
    if type(x) is Atom and x.t == -SYMBOL:
        return str(x.v)
    if type(x) is Vec and x.t == CHAR:
        return "".join(x.v)
    if type(x) is Atom and x.t == -CHAR:
        return str(x.v)
    raise QError("stype")


_EVALUATE: dict[type, Callable[[Machine, Any, Frame], Any]] = {
    s.Literal: lambda machine, node, frame: node.value,
    s.Name: Machine.name,
    s.Apply: Machine.apply,
    Paren: lambda machine, node, frame: machine.evaluate(node.value, frame),
    s.ListOf: Machine.list_of,
    s.TableOf: Machine.table_of,
    s.Assign: Machine.assign,
    s.Cond: Machine.cond,
    s.Block: Machine.block,
    s.Control: Machine.control,
    s.Return: Machine.returned,
    s.Signal: Machine.signal,
    s.Query: Machine.query,
    s.Iterate: lambda machine, node, frame: Derived(node.iterator, machine.evaluate(node.fn, frame)),
    s.Silent: lambda machine, node, frame: machine.evaluate(node.value, frame),
}


def connect(machine: Machine) -> None:
    """Make a machine the one that runs lambdas, finds names and prints."""
    application.RUN_LAMBDA[:] = [machine.run_lambda]
    application.LOOK_UP[:] = [machine.look_up_symbol]
    application.HANDLE[:] = [machine.handle]
    application.SESSION[:] = [machine]
