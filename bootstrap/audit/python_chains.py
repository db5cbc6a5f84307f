"""Rules of Python mutants for the calls of a chain: filters, order, limits, joins, output columns."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import partial

from bootstrap.audit.python_rules import (
    Change,
    Rule,
    add_keyword,
    call,
    exchange_arguments,
    pop_argument,
    renamed,
    replaced,
    set_argument,
    set_keyword,
    turn_flag,
)
from bootstrap.audit.python_scope import ADDING, AGGREGATING, GROUPS, SAME, Program, method, receiver, text_of

_DROPPED = {
    "filter": "drop_where", "where": "drop_where", "drop_nulls": "drop_where", "unique": "drop_distinct",
    "distinct": "drop_distinct", "sort": "drop_order", "order_by": "drop_order", "head": "drop_limit",
    "limit": "drop_limit", "tail": "drop_limit", "slice": "drop_limit", "with_columns": "drop_step",
    "mutate": "drop_step", "drop": "drop_step", "rename": "drop_step", "select": "drop_step",
}  # fmt: skip
_ROWS = frozenset({"head", "limit", "tail", "slice", "top_k", "bottom_k"})
_PICKS_BY_ORDER = _ROWS | {"first", "last", "gather_every", "with_row_index", "row", "item", "shift", "cum_sum"}
_FORGETS_ORDER = frozenset({"unique", "distinct", "sort", "order_by", "join", "left_join", *GROUPS, *AGGREGATING})
_ORDER_WORDS = ("first(", "last(", "cum_", "shift(", "diff(", "maintain_order", "head(", "tail(", "implode(", "row_")
_JOINS = {"inner": ("left",), "left": ("inner",), "full": ("left",), "outer": ("left",), "right": ("inner",),
          "semi": ("anti",), "anti": ("semi",)}  # fmt: skip
_UNIQUE_ALREADY = frozenset({"unique", "distinct", *AGGREGATING})


def dropped_call(node: ast.AST, program: Program) -> Iterator[Change]:
    operator = _DROPPED.get(method(node))
    if operator == "drop_distinct" and isinstance(node, ast.Call) and _rows_differ(receiver(node)):
        return
    if operator is None or not isinstance(node, ast.Call) or program.frame(receiver(node)) is None:
        return
    if operator == "drop_order" and not effective_order(node, program):
        return
    arguments = program.text(ast.Call(ast.Name(method(node), ast.Load()), node.args, node.keywords))
    yield Change(operator, f"without .{arguments}", receiver)
    if operator == "drop_where" and len(node.args) > 1:
        for index, one in enumerate(node.args):
            yield Change(operator, f"without {program.text(one)}",
                         partial(pop_argument, index))  # fmt: skip


def effective_order(node: ast.Call, program: Program) -> bool:
    """Say whether what comes after a sort can tell its order: a limit, or the end of the chain where order counts."""
    at: ast.AST = node
    while (outer := _next_call(at, program)) is not None:
        name, words = method(outer), {word.arg: ast.unparse(word.value) for word in outer.keywords}
        if name in _PICKS_BY_ORDER or words.get("keep") in ("'first'", "'last'"):
            return True
        if name in _FORGETS_ORDER and words.get("maintain_order") != "True":
            return name in GROUPS and any(word in ast.unparse(program.tree) for word in _ORDER_WORDS)
        at = outer
    return program.ordered or not _is_result(program.parents.get(at))


def _is_result(statement: ast.AST | None) -> bool:
    """Say whether a statement gives the result: an expression, or what is assigned to `result`."""
    return isinstance(statement, ast.Expr) or (
        isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "result"
    )


def _next_call(node: ast.AST, program: Program) -> ast.Call | None:
    """Return the method call on what this node gives."""
    attribute = program.parents.get(node)
    outer = program.parents.get(attribute) if isinstance(attribute, ast.Attribute) else None
    return outer if isinstance(outer, ast.Call) and outer.func is attribute else None


def direction(node: ast.AST, program: Program) -> Iterator[Change]:
    if method(node) == "sort" and isinstance(node, ast.Call) and effective_order(node, program):
        yield from _polars_direction(node, program)
    if method(node) == "order_by" and isinstance(node, ast.Call) and effective_order(node, program):
        yield from _ibis_direction(node, program)


def _polars_direction(node: ast.Call, program: Program) -> Iterator[Change]:
    flags = {word.arg: index for index, word in enumerate(node.keywords)}
    for name, operator in (("descending", "direction"), ("nulls_last", "nulls_order")):
        if name == "nulls_last" and not _sorts_nulls(node, program):
            continue
        if name not in flags:
            yield Change(operator, f".sort(...) -> {name}=True", partial(add_keyword, name, True))
            continue
        at, value = flags[name], node.keywords[flags[name]].value
        if isinstance(value, ast.Constant):
            yield Change(operator, f"{name}={value.value!r} turned round", partial(set_keyword, at, not value.value))
        for item, one in enumerate(value.elts if isinstance(value, ast.List) else []):
            detail = f"{name}: {ast.unparse(one)} of key {item + 1} turned round"
            yield Change(operator, detail, partial(turn_flag, at, item))


def _sorts_nulls(node: ast.Call, program: Program) -> bool:
    base = program.frame(receiver(node)) or {}
    facts = [program.facts_in(one, base) for one in node.args]
    return any(one is None or one.nullable for one in facts)


def _ibis_direction(node: ast.Call, program: Program) -> Iterator[Change]:
    for index, one in enumerate(_keys(node)):
        yield Change("direction", f"order_by {program.text(one)} turned round",
                     partial(_turn, index))  # fmt: skip


def _keys(node: ast.Call) -> list[ast.expr]:
    listed = len(node.args) == 1 and isinstance(node.args[0], ast.List)
    return node.args[0].elts if listed and isinstance(node.args[0], ast.List) else node.args


def _turn(index: int, node: ast.Call) -> None:
    keys = _keys(node)
    keys[index] = _turned(keys[index])


def _turned(key: ast.expr) -> ast.expr:
    if isinstance(key, ast.Call) and method(key) == "desc":
        ibis_function = isinstance(receiver(key), ast.Name) and bool(key.args)
        return key.args[0] if ibis_function else receiver(key)
    return call(ast.Name("ibis", ast.Load()), "desc", key)


def limits(node: ast.AST, program: Program) -> Iterator[Change]:
    if method(node) not in _ROWS or not isinstance(node, ast.Call):
        return
    for index, one in enumerate(node.args):
        if isinstance(one, ast.Constant) and type(one.value) is int:
            for number in (one.value - 1, one.value + 1):
                if number >= 0:
                    yield Change("limit", f"{method(node)}: {one.value} -> {number}",
                                 partial(set_argument, index, number))  # fmt: skip


def joins(node: ast.AST, program: Program) -> Iterator[Change]:
    if not isinstance(node, ast.Call):
        return
    if method(node) in ("left_join", "inner_join"):
        other = "inner_join" if method(node) == "left_join" else "left_join"
        yield renamed("join_kind", program, node, other)
    if method(node) != "join" or program.frame(receiver(node)) is None:
        return
    for index, word in enumerate(node.keywords):
        if word.arg == "how":
            for other in _JOINS.get(text_of(word.value) or "", ()):
                yield Change("join_kind", f"how={ast.unparse(word.value)} -> {other}",
                             partial(set_keyword, index, other))  # fmt: skip
            return
    yield Change("join_kind", "inner join -> left join", partial(add_keyword, "how", "left"))


def output_columns(node: ast.AST, program: Program) -> Iterator[Change]:
    """Leave out an output column, or exchange two neighbours."""
    if method(node) != "select" or not isinstance(node, ast.Call) or len(node.args) < 2:
        return
    for index, one in enumerate(node.args):
        yield Change("drop_column", f"without {program.text(one)}",
                     partial(pop_argument, index))  # fmt: skip
    for index in range(len(node.args) - 1):
        texts = [program.text(one) for one in node.args[index : index + 2]]
        yield Change("swap_columns", f"{texts[0]} and {texts[1]} exchanged",
                     partial(exchange_arguments, index))  # fmt: skip


def counted_rows(node: ast.AST, program: Program) -> Iterator[Change]:
    """Count, in the place of the rows of a group, a column's values: those that are there, or the different ones."""
    if program.language != "polars" or method(node) != "len" or not isinstance(node, ast.Call):
        return
    grouped = receiver(node)
    if method(grouped) not in GROUPS or not isinstance(grouped, ast.Call):
        return
    base = program.frame(receiver(grouped)) or {}
    name = text_of(node.args[0]) if node.args else "len"
    keys = {text_of(one) for one in grouped.args}
    if _grouped_already(receiver(grouped), keys) or not _is_used(node, name or "", program):
        return
    others = [(key, facts) for key, facts in base.items() if facts and key not in keys]
    counts = [f"pl.col({key!r}).count()" for key, facts in others if facts.nullable][:2]
    counts += [f"pl.col({key!r}).n_unique()" for key, facts in others if facts.repeats][:1]
    for count in counts:
        yield replaced("count", program, node, partial(_aggregated_by, f"{count}.alias({name!r})"))


def _grouped_already(node: ast.expr, keys: set[str | None]) -> bool:
    """Say whether the rows of a frame are groups by these keys, or some of them."""
    while isinstance(node, ast.Call) and method(node) in SAME:
        node = receiver(node)
    grouped = receiver(node) if isinstance(node, ast.Call) else node
    return (
        method(grouped) in GROUPS and isinstance(grouped, ast.Call) and {text_of(one) for one in grouped.args} <= keys
    )


def _is_used(node: ast.AST, name: str, program: Program) -> bool:
    """Say whether a new column is named by a later call, or is there at the end."""
    while (outer := _next_call(node, program)) is not None:
        closing = method(outer) in GROUPS or method(outer) == "select"
        following = _next_call(outer, program) if method(outer) in GROUPS else None
        words = [one for each in (outer, following) if each for one in (*each.args, *[w.value for w in each.keywords])]
        if any(repr(name) in ast.unparse(word) for word in words):
            return True
        if closing:
            return False
        node = outer
    return True


def _aggregated_by(code: str, node: ast.Call) -> ast.expr:
    return call(receiver(node), "agg", ast.parse(code, mode="eval").body)


def added_distinct(node: ast.AST, program: Program) -> Iterator[Change]:
    """Remove duplicates from a result that may hold some."""
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
        return
    if _rows_differ(node.value) or program.frame(node.value) is None:
        return
    if program.language == "ibis" and not program.ordered:
        yield Change("add_distinct", "result -> result.distinct()", _add_distinct)
    if program.language == "polars":
        yield Change("add_distinct", "result -> result.unique()", _add_unique)


def _rows_differ(node: ast.expr) -> bool:
    """Say whether no two rows of a frame can be the same: groups, or different rows, and all their columns since."""
    while isinstance(node, ast.Call):
        if method(node) in _UNIQUE_ALREADY or method(receiver(node)) in GROUPS:
            return True
        if method(node) not in SAME | ADDING | {"rename"}:
            return False
        node = receiver(node)
    return False


def _add_distinct(node: ast.Expr) -> None:
    node.value = call(node.value, "distinct")


def _add_unique(node: ast.Expr) -> None:
    unique = call(node.value, "unique")
    unique.keywords.append(ast.keyword("maintain_order", ast.Constant(True)))
    node.value = unique


CHAIN_RULES: tuple[Rule, ...] = (
    dropped_call, direction, limits, joins, output_columns, counted_rows, added_distinct,
)  # fmt: skip
