"""Values of expressions in the tests of data sets, without running them: literals and what people compose of them.

What needs more than that (a call of the code under test, a comprehension, a random number) raises
`NotALiteralError` with one sentence, and the test counts as not extracted.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

MAX_ITEMS = 200_000
"""Of a list or text that an expression may make: `[0] * 10**9` is no test."""
MAX_BITS = 4096
"""Of an integer that a power or a shift may make."""

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow, ast.LShift: operator.lshift,
    ast.RShift: operator.rshift, ast.BitOr: operator.or_, ast.BitAnd: operator.and_, ast.BitXor: operator.xor,
}  # fmt: skip
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Not: operator.not_, ast.Invert: operator.invert,
}  # fmt: skip
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "set": set, "frozenset": frozenset, "list": list, "tuple": tuple, "dict": dict, "sorted": sorted, "float": float,
    "int": int, "str": str, "bool": bool, "abs": abs, "round": round, "len": len, "sum": sum, "min": min, "max": max,
    "reversed": lambda value: list(reversed(value)), "sqrt": math.sqrt, "pow": math.pow, "OrderedDict": dict,
    "chr": chr, "ord": ord,
}  # fmt: skip
_NAMES: dict[str, Any] = {
    "inf": math.inf, "nan": math.nan, "pi": math.pi, "e": math.e, "null": None, "true": True, "false": False,
}  # fmt: skip
_NODE_BUILDERS: dict[str, Literal["tree", "linked"]] = {
    "tree_node": "tree", "TreeNode.from_list": "tree", "build_tree": "tree", "list_to_tree": "tree",
    "list_node": "linked", "ListNode.from_list": "linked", "build_list": "linked", "list_to_linked_list": "linked",
}  # fmt: skip


class NotALiteralError(ValueError):
    """The expression has no value that can be known without running it."""


@dataclass(frozen=True)
class Nodes:
    """A tree (level by level, None for a missing child) or a linked list, as the list of its values."""

    kind: Literal["tree", "linked"]
    values: tuple[Any, ...]


def value_of(node: ast.expr, known: Mapping[str, Any] | None = None) -> Any:
    """Return the value of an expression; `known` are names that were set before. Raises NotALiteralError."""
    try:
        return _value(node, known or {})
    except NotALiteralError:
        raise
    except (ArithmeticError, TypeError, ValueError, LookupError, RecursionError, MemoryError) as error:
        raise NotALiteralError(f"an expression cannot be evaluated ({type(error).__name__})") from error


def _value(node: ast.expr, known: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=value):
            return _constant(value)
        case ast.List(elts=items):
            return [_value(one, known) for one in _unstarred(items)]
        case ast.Tuple(elts=items):
            return tuple(_value(one, known) for one in _unstarred(items))
        case ast.Set(elts=items):
            return {_value(one, known) for one in _unstarred(items)}
        case ast.Dict(keys=keys, values=values):
            return {_key(key, known): _value(one, known) for key, one in zip(keys, values, strict=True)}
        case ast.UnaryOp(op=op, operand=operand):
            return _UNARY[type(op)](_value(operand, known))
        case ast.BinOp(left=left, op=op, right=right):
            return _binary(op, _value(left, known), _value(right, known))
        case ast.Name(id=name):
            return _named(name, known)
        case ast.Attribute(value=ast.Name(id="math"), attr=name) if name in _NAMES:
            return _NAMES[name]
        case ast.Subscript(value=value, slice=index) if not isinstance(index, ast.Slice):
            return _value(value, known)[_value(index, known)]
        case ast.Call():
            return _called(node, known)
    raise NotALiteralError(f"an expression of kind {type(node).__name__} is no literal")


def _constant(value: object) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise NotALiteralError(f"a constant of type {type(value).__name__} cannot be carried")


def _unstarred(items: list[ast.expr]) -> list[ast.expr]:
    if any(isinstance(one, ast.Starred) for one in items):
        raise NotALiteralError("a starred item is no literal")
    return items


def _key(key: ast.expr | None, known: Mapping[str, Any]) -> Any:
    if key is None:
        raise NotALiteralError("a dictionary that takes in another is no literal")
    return _value(key, known)


def _named(name: str, known: Mapping[str, Any]) -> Any:
    if name in known:
        return known[name]
    if name in _NAMES:
        return _NAMES[name]
    raise NotALiteralError("a name has no value that is known")


def _binary(op: ast.operator, left: Any, right: Any) -> Any:
    sized = [one for one in (left, right) if isinstance(one, list | tuple | str)]
    if isinstance(op, ast.Mult) and sized:
        times = right if sized[0] is left else left
        if len(sized[0]) * int(times) > MAX_ITEMS:
            raise NotALiteralError("an expression makes too long a list")
    if isinstance(op, ast.Pow | ast.LShift) and isinstance(left, int) and isinstance(right, int):
        bits = right * left.bit_length() if isinstance(op, ast.Pow) else right + left.bit_length()
        if bits > MAX_BITS:
            raise NotALiteralError("an expression makes too large a number")
    if isinstance(op, ast.Mod) and isinstance(left, str):
        raise NotALiteralError("a formatted text is no literal")
    return _BINARY[type(op)](left, right)


def _called(node: ast.Call, known: Mapping[str, Any]) -> Any:
    name = ast.unparse(node.func)
    if name in _NODE_BUILDERS and len(node.args) == 1:
        return Nodes(_NODE_BUILDERS[name], tuple(_value(node.args[0], known) or ()))
    short = name.rpartition(".")[2] if name.startswith(("math.", "collections.")) else name
    if short == "range" and not node.keywords:
        span = range(*[_value(one, known) for one in node.args])
        if len(span) > MAX_ITEMS:
            raise NotALiteralError("an expression makes too long a list")
        return list(span)
    if short not in _FUNCTIONS or any(word.arg is None for word in node.keywords):
        raise NotALiteralError("a call in a test is no literal")
    words = {word.arg: _value(word.value, known) for word in node.keywords if word.arg}
    return _FUNCTIONS[short](*[_value(one, known) for one in _unstarred(node.args)], **words)
