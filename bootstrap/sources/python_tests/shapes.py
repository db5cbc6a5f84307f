"""What a reference wants its arguments to be, beyond plain values: tuples, sets, dictionaries, trees, linked lists.

A problem's arguments are plain: lists, text, numbers, structs. The shape of a parameter, learned from the values in
the data set's tests, says how the plain value is turned into what the reference was written for.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bootstrap.sources.python_tests.literals import Nodes

Kind = Literal["plain", "list", "tuple", "set", "frozenset", "dict", "pairs", "tree", "linked"]
_RANK: dict[Kind, int] = {
    "plain": 0, "list": 1, "dict": 1, "pairs": 2, "tuple": 3, "set": 4, "frozenset": 5, "tree": 6, "linked": 6,
}  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """`item`: of the members of a list or set, and of a dictionary's values; `key`: of its keys. `mixed`: some members
    are single values, others are of this shape."""

    kind: Kind = "plain"
    item: Shape | None = None
    key: Shape | None = None
    mixed: bool = False


PLAIN = Shape()


def shape_of(value: Any) -> Shape:
    """Return the shape of one value."""
    if isinstance(value, Nodes):
        return Shape(value.kind)
    if isinstance(value, dict):
        text = all(isinstance(key, str) for key in value)
        return Shape("dict" if text else "pairs", _of_items(value.values()), _of_items(value.keys()))
    for kind, name in ((list, "list"), (tuple, "tuple"), (set, "set"), (frozenset, "frozenset")):
        if isinstance(value, kind):
            return Shape(name, _of_items(value))  # type: ignore[arg-type]  # names of kinds
    return PLAIN


def together(values: Iterable[Any]) -> Shape:
    """Return the shape that all values can be given."""
    return _of_items(list(values)) or PLAIN


def _of_items(values: Collection[Any]) -> Shape | None:
    """Return the shape of the members, None where there are none to tell."""
    return functools.reduce(merged, map(shape_of, values)) if values else None


def merged(one: Shape, other: Shape) -> Shape:
    """Return a shape for values of both; where one is a list and one a tuple, the tuple: it can be hashed."""
    if one == other:
        return one
    kind = max(one.kind, other.kind, key=_RANK.__getitem__)
    mixed = one.kind != other.kind or one.mixed or other.mixed
    return Shape(kind, _merged_parts(one.item, other.item), _merged_parts(one.key, other.key), mixed)


def _merged_parts(one: Shape | None, other: Shape | None) -> Shape | None:
    return merged(one, other) if one and other else one or other


def of_annotation(text: str) -> Shape:
    """Return the shape that an annotation names: a tree, a linked list, a list of these, or nothing of the kind."""
    kind: Kind | None = "tree" if "TreeNode" in text else "linked" if "ListNode" in text else None
    if kind is None:
        return PLAIN
    return Shape("list", Shape(kind)) if text.startswith(("List[", "list[", "typing.List[")) else Shape(kind)


def is_plain(shape: Shape) -> bool:
    """Say whether plain values serve as they are."""
    if shape.kind not in ("plain", "list", "dict"):
        return False
    return all(part is None or is_plain(part) for part in (shape.item, shape.key))


def has_only_tuples(shapes: Sequence[Shape]) -> bool:
    """Say whether nothing but tuples keeps these shapes from being plain."""
    return all(
        shape.kind in ("plain", "list", "tuple", "dict") and has_only_tuples([p for p in (shape.item, shape.key) if p])
        for shape in shapes
    )


def kinds_in(shapes: Iterable[Shape]) -> set[Kind]:
    found: set[Kind] = set()
    for shape in shapes:
        found |= {shape.kind} | kinds_in([part for part in (shape.item, shape.key) if part])
    return found


def conversion(shape: Shape, name: str, depth: int = 0) -> str:
    """Return the expression that turns a plain value, in a variable of that name, into one of this shape."""
    if is_plain(shape):
        return name
    if shape.kind in ("tree", "linked"):
        return f"_{shape.kind}({name})"
    inner = "abcdefghijklmnop"[depth % 16] + "_"
    item = conversion(shape.item or PLAIN, inner, depth + 1)
    if shape.kind == "dict":
        return f"{{k: {item} for k, {inner} in {name}.items()}}"
    if shape.kind == "pairs":
        key = conversion(shape.key or PLAIN, f'{inner}["key"]', depth + 1)
        value = conversion(shape.item or PLAIN, f'{inner}["value"]', depth + 1)
        return _guarded(f"{{{key}: {value} for {inner} in {name}}}", name)  # an empty one comes as a struct
    if item == inner:
        made = name if shape.kind == "list" else f"{shape.kind}({name})"
    elif shape.kind == "list":
        made = f"[{item} for {inner} in {name}]"
    else:
        made = f"{shape.kind}({item} for {inner} in {name})"
    return _guarded(made, name) if shape.mixed else made


def _guarded(made: str, name: str) -> str:
    return f"{made} if isinstance({name}, list) else {name}"
