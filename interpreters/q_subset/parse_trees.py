"""value, parse and eval; parse trees and the functional forms of queries."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from interpreters.q_subset import syntax as s
from interpreters.q_subset.application import SESSION, apply
from interpreters.q_subset.errors import METER, QError, Unsupported
from interpreters.q_subset.parser import Paren, parse
from interpreters.q_subset.values import (
    BOOL,
    CHAR,
    NULL,
    SYMBOL,
    Atom,
    Dict,
    Table,
    Vec,
    items,
    symbol_list,
)

if TYPE_CHECKING:
    from interpreters.q_subset.machine import Frame, Machine
    from interpreters.q_subset.query import Plan


def value_of(machine: Machine, x: Any) -> Any:
    """value x: text is evaluated, a name looked up, a list applied, a dictionary gives its values."""
    if type(x) is Dict:
        return x.values
    if type(x) is Vec and x.t == CHAR:
        return run_text(machine, _source(x.v))
    if type(x) is Atom and x.t == -SYMBOL:
        return machine.look_up_symbol(x.v)
    if type(x) is Vec and x.t == 0 and x.v:
        head, *args = x.v
        if (type(head) is Vec and head.t == CHAR) or (type(head) is Atom and head.t == -CHAR):
            head = run_text(machine, _source(head.v))
        elif type(head) is Atom and head.t == -SYMBOL:
            head = machine.look_up_symbol(head.v)
        return apply(head, args) if args else head
    raise Unsupported("value of this")


def _source(chars: str | list[str]) -> str:
    """Return q source that is given as chars, which are the bytes of its UTF-8."""
    try:
        return "".join(chars).encode("latin-1").decode("utf-8")
    except UnicodeError as e:
        raise Unsupported("source text that is not UTF-8") from e


def run_text(machine: Machine, text: str) -> Any:
    METER.charge(len(text))
    if text.startswith("\\"):
        from interpreters.q_subset.workspace import system_command

        system_command(machine, text)
        return NULL
    result: Any = NULL
    for node in parse(text):
        result = machine.evaluate(node, machine.top)
        if isinstance(node, s.Silent):
            result = NULL
    return result


def parse_text(x: Any) -> Any:
    if type(x) is not Vec or x.t != CHAR:
        raise QError("type")
    nodes = parse(_source(x.v))
    if len(nodes) != 1 or isinstance(nodes[0], s.Silent):
        raise Unsupported("parse of several statements")
    return _tree(nodes[0])


def _tree(node: Any) -> Any:
    if isinstance(node, s.Literal):
        value = node.value
        return (
            Vec(SYMBOL, [value.v])
            if type(value) is Atom and value.t == -SYMBOL
            else (Vec(0, [value]) if type(value) is Vec and value.t == SYMBOL else value)
        )
    if isinstance(node, s.Name):
        from interpreters.q_subset.keywords import BUILTINS

        return BUILTINS.get(node.name, Atom(-SYMBOL, node.name))
    if isinstance(node, Paren):
        return _tree(node.value)
    if isinstance(node, s.Apply) and all(a is not None for a in node.args):
        return Vec(0, [_tree(node.fn), *[_tree(a) for a in node.args]])
    if isinstance(node, s.Iterate):
        return Vec(0, [_tree(s.Name(node.iterator)), _tree(node.fn)])
    raise Unsupported(f"parse of {type(node).__name__}")


def eval_tree(x: Any) -> Any:
    return evaluate_tree(SESSION[0], x, SESSION[0].top)


def evaluate_tree(machine: Machine, tree: Any, frame: Frame) -> Any:
    METER.charge(1)
    if type(tree) is Atom and tree.t == -SYMBOL:
        return machine.name(s.Name(tree.v), frame)
    if type(tree) is Vec and tree.t == SYMBOL and len(tree.v) == 1:
        return Atom(-SYMBOL, tree.v[0])
    if type(tree) is not Vec or tree.t or not tree.v:
        return tree
    if len(tree.v) == 1:
        return tree.v[0]
    head = evaluate_tree(machine, tree.v[0], frame)
    args = [evaluate_tree(machine, part, frame) for part in reversed(tree.v[1:])][::-1]
    return apply(head, args)


# -- functional queries ----------------------------------------------------------------------------------------------


def _phrase(machine: Machine, tree: Any) -> Callable[[Frame], Any]:
    return lambda frame: evaluate_tree(machine, tree, frame)


def _phrases(machine: Machine, x: Any) -> list[tuple[str, Callable[[Frame], Any]]]:
    if type(x) is Vec and not x.v:
        return []
    if type(x) is not Dict:
        raise QError("type")
    return [(n, _phrase(machine, v)) for n, v in zip(symbol_list(x.keys), items(x.values), strict=True)]


def _conditions(machine: Machine, x: Any) -> list[Callable[[Frame], Any]]:
    if type(x) is not Vec:
        raise QError("type")
    if x.v and x.t:
        raise Unsupported("conditions that are no list")
    if len(x.v) == 1 and type(x.v[0]) is Vec and len(x.v[0].v) == 1 and type(x.v[0].v[0]) is Vec:
        return [_phrase(machine, x.v[0].v[0])]
    if x.v and type(x.v[0]) is not Vec and type(x.v[0]) is not Atom:
        raise QError("type")
    return [_phrase(machine, tree) for tree in x.v]


def functional(verb: str) -> Callable[..., Any]:
    """Return ?[t;c;b;a] (select and exec) or ![t;c;b;a] (update and delete)."""

    def run(t: Any, c: Any, b: Any, a: Any, *more: Any) -> Any:
        machine: Machine = SESSION[0]
        name = t.v if type(t) is Atom and t.t == -SYMBOL else None
        source = machine.look_up(name) if name is not None else t
        if type(source) is not Table and type(source) is not Dict:
            raise QError("type")
        if verb == "?":
            return _ordered(_functional_select(machine, source, c, b, a), more)
        changed = _functional_update(machine, source, c, b, a)
        if name is None:
            return changed
        machine.globals[name] = changed
        return t

    return run


def _ordered(result: Any, more: tuple[Any, ...]) -> Any:
    from interpreters.q_subset.lists import sublist

    if not more:
        return result
    if len(more) == 1:
        return sublist(more[0], result)
    from interpreters.q_subset.indexing import at

    order = more[1]
    if type(result) is not Table or type(order) is not Vec or len(order.v) != 2 or order.t:
        raise Unsupported("this order of a functional select")
    places = apply(order.v[0], [result.column(order.v[1].v)])
    if type(more[0]) is not Atom or more[0].v < result.height():
        raise Unsupported("a limit with an order")
    return at(result, places)


def _plan(machine: Machine, c: Any, b: Any, a: Any) -> Plan:
    from interpreters.q_subset.query import Plan

    by = _phrases(machine, b) if type(b) is Dict else None
    return Plan(_phrases(machine, a), by, _conditions(machine, c), machine.top)


def _functional_select(machine: Machine, source: Any, c: Any, b: Any, a: Any) -> Any:
    from interpreters.q_subset.query import Plan, execute, select

    if type(b) is Atom and b.t == -BOOL:
        return select(_plan(machine, c, b, a), source, only_distinct=bool(b.v))
    if type(b) is Dict and type(a) is not Atom:
        return select(_plan(machine, c, b, a), source)
    single = type(a) is not Dict and not (type(a) is Vec and not a.v)
    columns = [("x", _phrase(machine, a))] if single else _phrases(machine, a)
    plan = Plan(columns, None, _conditions(machine, c), machine.top, plain=single)
    if type(b) is Vec and not b.v:
        return execute(plan, source)
    if type(b) is Atom and b.t == -SYMBOL and plan.columns:
        plan.by, plan.plain_by = [(b.v, _phrase(machine, b))], True
        return execute(plan, source)
    raise Unsupported("this functional exec")


def _functional_update(machine: Machine, source: Any, c: Any, b: Any, a: Any) -> Any:
    from interpreters.q_subset.query import Plan, delete, update

    if type(a) is Dict and (type(b) is Dict or (type(b) is Atom and b.t == -BOOL and not b.v)):
        return update(_plan(machine, c, b, a), source)
    if type(b) is Atom and b.t == -BOOL and type(a) is Vec and (a.t == SYMBOL or not a.v):
        return delete(Plan([], None, _conditions(machine, c), machine.top, drop=list(a.v)), source)
    raise Unsupported("this functional update")
