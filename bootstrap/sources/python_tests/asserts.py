"""Tests as pairs of arguments and expected value, read off assert statements by their syntax tree."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from bootstrap.sources.python_tests.literals import NotALiteralError, value_of

Relation = Literal["equal", "close", "bag", "set", "true", "false", "reference"]
"""How the test compares. `reference`: the data set gives no value to compare with, only the arguments."""

TOLERANCE = 1e-6
"""Where a test says that floats are close, but not how close."""
_CANDIDATE = "candidate"
_ABSOLUTE = ("abs", "fabs")
_SAME = frozenset({"is_same_tree", "is_same_list", "isSameTree", "same_tree", "same_list"})


@dataclass(frozen=True)
class Pair:
    """One call of the code under test with what must come back, in the classes that the data set writes."""

    args: tuple[Any, ...]
    keywords: Mapping[str, Any] = field(default_factory=dict)
    expected: Any = None
    relation: Relation = "equal"
    tolerance: float = 0.0


@dataclass
class Extraction:
    """The pairs in the order of the tests, and why other tests gave none: reason -> count."""

    pairs: list[Pair] = field(default_factory=list)
    unread: Counter[str] = field(default_factory=Counter)


def pairs_of(test: str, names: Collection[str]) -> Extraction:
    """Return the tests in a piece of code; `names` are the functions under test, `candidate` is always one."""
    found = Extraction()
    try:
        tree = ast.parse(test.strip("\n"))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        found.unread["the test is no Python"] += 1
        return found
    _Reader(frozenset({*names, _CANDIDATE}), found).read(tree.body)
    return found


class _Reader:
    """Walks statements in order, with the values that names have been given so far."""

    def __init__(self, names: frozenset[str], found: Extraction) -> None:
        self.names, self.found = names, found
        self.known: dict[str, Any] = {}
        self.answers: dict[str, ast.Call] = {}  # names that were given the answer of the function under test

    def read(self, statements: Sequence[ast.stmt]) -> None:
        for one in statements:
            match one:
                case ast.FunctionDef(name=name, body=body) if name == "check" or name.startswith("test"):
                    self.read(body)
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    self.assign(name, value)
                case ast.Assert(test=test):
                    self.one(test)
                case ast.For():
                    self.loop(one)
                case ast.If(body=body) | ast.With(body=body):
                    self.read(body)

    def assign(self, name: str, value: ast.expr) -> None:
        self.known.pop(name, None)
        self.answers.pop(name, None)
        try:
            self.known[name] = value_of(value, self.known)
        except NotALiteralError:
            call = self.call_in(value)
            if call is not None:
                self.answers[name] = call

    def one(self, test: ast.expr) -> None:
        try:
            self.found.pairs.extend(self.pairs(test))
        except NotALiteralError as error:
            self.found.unread[str(error)] += 1

    def loop(self, loop: ast.For) -> None:
        """Read a loop over literal inputs and their results: the body once for each."""
        if not any(isinstance(one, ast.Assert) or self.is_assertion(one) for one in ast.walk(loop)):
            return
        try:
            rounds = list(self.rounds(loop.target, loop.iter))
        except NotALiteralError as error:
            self.found.unread[f"in a loop, {error}"] += 1
            return
        for values in rounds:
            self.known |= values
            for one in loop.body:
                if isinstance(one, ast.Expr) and isinstance(one.value, ast.Call) and self.is_assertion(one):
                    self.assertion(one.value)
                else:
                    self.read([one])

    def is_assertion(self, node: ast.AST) -> bool:
        """Say whether this is `assertion(candidate(...), expected, tolerance)`, a function of the test's own."""
        if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
            return False
        call = node.value
        return isinstance(call.func, ast.Name) and len(call.args) >= 2 and self.call_in(call.args[0]) is not None

    def assertion(self, call: ast.Call) -> None:
        try:
            under_test = self.call_in(call.args[0])
            assert under_test is not None  # is_assertion has looked
            try:
                expected, relation = value_of(call.args[1], self.known), "equal"
            except NotALiteralError:
                expected, relation = None, "reference"
            tolerance = float(value_of(call.args[2], self.known)) if len(call.args) > 2 else 0.0
            kind: Relation = "reference" if relation == "reference" else "close" if tolerance else "equal"
            self.found.pairs.append(self.pair(under_test, expected, kind, tolerance))
        except NotALiteralError as error:
            self.found.unread[str(error)] += 1

    def rounds(self, target: ast.expr, over: ast.expr) -> Iterator[dict[str, Any]]:
        match over:
            case ast.Call(func=ast.Name(id="enumerate"), args=[inner, *_]):
                if not isinstance(target, ast.Tuple) or len(target.elts) != 2:
                    raise NotALiteralError("it is not over literal values")
                for number, values in enumerate(self.rounds(target.elts[1], inner)):
                    yield values | _bound(target.elts[0], number)
            case ast.Call(func=ast.Name(id="zip"), args=sequences):
                for together in zip(*[value_of(one, self.known) for one in sequences], strict=False):
                    yield _bound(target, together)
            case _:
                for value in value_of(over, self.known):
                    yield _bound(target, value)

    # -- one assertion --------------------------------------------------------------------------------------------

    def pairs(self, test: ast.expr) -> list[Pair]:
        match test:
            case ast.BoolOp(op=ast.And(), values=parts):
                return [pair for part in parts for pair in self.pairs(part)]
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return [self.pair(self.required(operand), False, "false")]
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return [self.compared(left, op, right)]
            case ast.Call(func=func, args=[left, right, *_]) if _short(func) in (*_SAME, "isclose", "allclose"):
                return [self.same(test, _short(func), left, right)]
        return [self.pair(self.required(test), True, "true")]

    def compared(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Pair:
        if isinstance(op, ast.Lt | ast.LtE):
            return self.near(left, right)
        if not isinstance(op, ast.Eq | ast.Is):
            raise NotALiteralError("a test compares by something else than equality")
        for one, other in ((left, right), (right, left)):
            call, wrapped = self.unwrapped(one)
            if call is not None:
                relation: Relation = {"set": "set", "sorted": "bag", "Counter": "bag"}.get(wrapped, "equal")  # type: ignore[assignment]  # names of relations
                return self.pair(call, value_of(_inside(other, wrapped), self.known), relation)
        raise NotALiteralError("a test does not call the function")

    def near(self, left: ast.expr, right: ast.expr) -> Pair:
        """Read `abs(f(x) - value) < tolerance`."""
        match left:
            case ast.Call(func=func, args=[ast.BinOp(left=a, op=ast.Sub(), right=b)]) if _short(func) in _ABSOLUTE:
                for one, other in ((a, b), (b, a)):
                    call = self.call_in(one)
                    if call is not None:
                        tolerance = float(value_of(right, self.known))
                        return self.pair(call, value_of(other, self.known), "close", tolerance)
        raise NotALiteralError("a test compares by something else than equality")

    def same(self, test: ast.Call, name: str, left: ast.expr, right: ast.expr) -> Pair:
        """Read isclose(f(x), value, rel_tol=...) and is_same_tree(f(x), tree_node([...]))."""
        relation: Relation = "equal" if name in _SAME else "close"
        tolerance = 0.0
        if relation == "close":
            words = {word.arg: value_of(word.value, self.known) for word in test.keywords}
            tolerance = max([float(v) for k, v in words.items() if k in ("rel_tol", "abs_tol", "rtol", "atol")] or [0])
        for one, other in ((left, right), (right, left)):
            call = self.call_in(one)
            if call is not None:
                return self.pair(call, value_of(other, self.known), relation, tolerance or TOLERANCE)
        raise NotALiteralError("a test does not call the function")

    def unwrapped(self, node: ast.expr) -> tuple[ast.Call | None, str]:
        """Return the call under test inside set(...), sorted(...) and the like, and that function's name."""
        call = self.call_in(node)
        if call is not None:
            return call, ""
        match node:
            case ast.Call(func=func, args=[inner], keywords=[]):
                call = self.call_in(inner)
                if call is not None and _short(func) in ("set", "sorted", "Counter", "list", "tuple"):
                    return call, _short(func)
                if call is not None:
                    raise NotALiteralError("a test changes the answer before it compares")
        return None, ""

    def call_in(self, node: ast.expr) -> ast.Call | None:
        """Return the call of the function under test that an expression is, or that a name was given."""
        if isinstance(node, ast.Name):
            return self.answers.get(node.id)
        if isinstance(node, ast.Call) and _short(node.func) in self.names:
            return node
        return None

    def required(self, node: ast.expr) -> ast.Call:
        call = self.call_in(node)
        if call is None:
            raise NotALiteralError("a test does not call the function")
        return call

    def pair(self, call: ast.Call, expected: Any, relation: Relation, tolerance: float = 0.0) -> Pair:
        args: list[Any] = []
        for one in call.args:
            args.extend(
                value_of(one.value, self.known) if isinstance(one, ast.Starred) else [value_of(one, self.known)]
            )
        words: dict[str, Any] = {}
        for word in call.keywords:
            if word.arg is None:
                words |= value_of(word.value, self.known)
            else:
                words[word.arg] = value_of(word.value, self.known)
        return Pair(tuple(args), words, expected, relation, tolerance)


def _bound(target: ast.expr, value: Any) -> dict[str, Any]:
    if isinstance(target, ast.Name):
        return {target.id: value}
    if isinstance(target, ast.Tuple | ast.List) and len(target.elts) == len(value):
        found: dict[str, Any] = {}
        for one, item in zip(target.elts, value, strict=True):
            found |= _bound(one, item)
        return found
    raise NotALiteralError("it is not over literal values")


def _short(func: ast.expr) -> str:
    """Return the last name of what is called: `isclose` of math.isclose, `twoSum` of Solution().twoSum."""
    return func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else ""


def _inside(node: ast.expr, wrapper: str) -> ast.expr:
    """Return what stands inside the same wrapper on the other side: Counter([...]) has no value of its own."""
    match node:
        case ast.Call(args=[inner]) if wrapper == "Counter" and _short(node.func) == "Counter":
            return inner
    return node
