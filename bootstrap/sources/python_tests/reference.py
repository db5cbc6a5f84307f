"""The self-contained reference of a problem: the data set's code and, where plain values do not serve it, an adapter.

The adapter stands below the line `_original = ...` and is no part of what the data set's author wrote: mutants leave
it alone.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

from bootstrap.sources.python_tests.shapes import PLAIN, Shape, conversion, is_plain, kinds_in
from bootstrap.sources.python_tests.signature import Signature

CLASSES = {
    "tree": """class TreeNode:
    def __init__(self, val=0, left=None, right=None):
        self.val = val
        self.left = left
        self.right = right""",
    "linked": """class ListNode:
    def __init__(self, val=0, next=None):
        self.val = val
        self.next = next""",
}
_CLASS_NAMES = {"tree": "TreeNode", "linked": "ListNode"}
_BUILDERS = {
    "tree": """def _tree(values):
    nodes = [None if value is None else TreeNode(value) for value in values or []]
    waiting = [node for node in nodes[:1] if node]
    rest = iter(nodes[1:])
    for parent in waiting:
        parent.left, parent.right = next(rest, None), next(rest, None)
        waiting.extend(node for node in (parent.left, parent.right) if node)
    return waiting[0] if waiting else None""",
    "linked": """def _linked(values):
    head = None
    for value in reversed(values or []):
        head = ListNode(value, head)
    return head""",
}
_READERS = {
    "tree": """def _tree_values(root):
    values, waiting = [], [root]
    for node in waiting:
        values.append(None if node is None else node.val)
        if node is not None:
            waiting += [node.left, node.right]
    while values and values[-1] is None:
        values.pop()
    return values""",
    "linked": """def _linked_values(head):
    values = []
    while head is not None:
        values.append(head.val)
        head = head.next
    return values""",
}


def reference_code(
    code: str, signature: Signature, names: Sequence[str], shapes: Mapping[str, Shape], answer: Shape, changed: str
) -> str:  # fmt: skip
    """Return code that defines the entry point for plain values of the parameters `names`.

    `changed`: the parameter that is the answer, of a function that changes it in place; else "".
    """
    code = _with_classes(code.strip("\n"), [*shapes.values(), answer])
    adapted = [name for name in names if not is_plain(shapes.get(name, PLAIN))]
    named = bool(signature.keyword_only & set(names)) or list(names) != list(signature.parameters[: len(names)])
    if not (signature.owner or adapted or changed or named or not is_plain(answer)):
        return code
    lines = [f"_original = {signature.owner or signature.name}"]
    used_in = kinds_in(shapes[name] for name in adapted)
    used_out = kinds_in([answer, *([shapes.get(changed, PLAIN)] if changed else [])])
    lines += [_BUILDERS[kind] for kind in _BUILDERS if kind in used_in]
    lines += [_READERS[kind] for kind in _READERS if kind in used_out]
    lines.append(_entry(signature, names, shapes, answer, changed))
    return "\n\n\n".join([code, *lines]) + "\n"


def _entry(
    signature: Signature, names: Sequence[str], shapes: Mapping[str, Shape], answer: Shape, changed: str
) -> str:  # fmt: skip
    """Return the definition that calls the original with what it was written for, and gives back plain values."""
    lines = [f"def {signature.name}({', '.join(names)}):"]
    lines += [
        f"    {name} = {conversion(shapes[name], name)}" for name in names if not is_plain(shapes.get(name, PLAIN))
    ]
    whole = signature.parameters[: len(names)] == tuple(names)
    given = ", ".join(
        name if whole and name not in signature.keyword_only else f"{name}={name}" for name in names
    )  # fmt: skip
    call = f"_original().{signature.name}({given})" if signature.owner else f"_original({given})"
    if changed:
        lines += [f"    {call}", f"    return {_given_back(shapes.get(changed, PLAIN), changed)}"]
    else:
        lines.append(f"    return {_given_back(answer, call)}")
    return "\n".join(lines)


def _given_back(shape: Shape, value: str) -> str:
    if shape.kind in ("tree", "linked"):
        return f"_{shape.kind}_values({value})"
    if shape.kind == "list" and shape.item and shape.item.kind in ("tree", "linked"):
        return f"[_{shape.item.kind}_values(one) for one in {value}]"
    return value


def _with_classes(code: str, shapes: Sequence[Shape]) -> str:
    """Return the code with the classes of nodes that its parameters are made of, where it has none of its own."""
    defined = {one.name for one in ast.parse(code).body if isinstance(one, ast.ClassDef)}
    used = kinds_in(shapes) & CLASSES.keys()
    named = {kind for kind, name in _CLASS_NAMES.items() if name in code}
    missing = [CLASSES[kind] for kind in sorted(used | named) if _CLASS_NAMES[kind] not in defined]
    return "\n\n\n".join([*missing, code]) if missing else code
