"""What the inputs of a function keep to, so that new ones keep to it too.

A statement is about inputs of a kind: a list that is sorted, a matrix with equal rows, a position inside the list, a
count that equals its length, text of lower-case letters. Nothing declares these habits, so they are read off the
inputs that are there. An answer that relies on them is right, and an input that breaks them would refuse it.

A value's place is its path: the parameter, then `*` for the items of lists and the names of fields.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from interpreters.base import Value

Args = list[Any]
"""The values of one call's parameters, in their order."""
Path = tuple[int | str, ...]
Relation = Callable[[Args], bool]

FEW = 3  # different values at one place at most, seen often, are all that there are
OFTEN = 6
REACH = 2  # times the largest number seen


def walk(args: Sequence[Value]) -> Iterator[tuple[Path, Any]]:
    """Yield every value inside the arguments with its place."""
    for index, value in enumerate(args):
        yield from _walk((index,), value)


def _walk(path: Path, value: Any) -> Iterator[tuple[Path, Any]]:
    yield path, value
    if isinstance(value, list):
        for item in value:
            yield from _walk((*path, "*"), item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _walk((*path, "."), item)


@dataclass
class Place:
    """All values that were seen at one place. `nested`: inside a list."""

    values: list[Any] = field(default_factory=list)
    nested: bool = False

    def tests(self) -> list[Callable[[Any], bool]]:
        """Return what holds for every value seen here."""
        kinds = {type(value) for value in self.values}
        found: list[Callable[[Any], bool]] = [lambda value: type(value) in kinds]
        for kind, rules in _RULES.items():
            seen = [value for value in self.values if type(value) is kind]
            if seen:
                found += [_only_of(kind, test) for test in rules(seen, self.nested)]
        return found


def _only_of(kind: type, test: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: type(value) is not kind or test(value)


def _numbers(seen: list[float], nested: bool) -> Iterator[Callable[[Any], bool]]:
    different = set(seen)
    if len(different) <= FEW and len(seen) >= OFTEN and different <= set(range(-1, 4)):
        yield lambda value: value in different
    finite = [value for value in seen if math.isfinite(value)] or [0]
    least, most = min(finite), max(finite)
    floor = 1 if least >= 1 else 0 if least >= 0 else REACH * least - 5
    yield lambda value: floor <= value <= max(REACH * most, most + 5)


def _texts(seen: list[str], nested: bool) -> Iterator[Callable[[Any], bool]]:
    letters = set("".join(seen))
    if len(letters) > 4 or len("".join(seen)) < OFTEN:
        for group in ("abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"):
            letters |= set(group) if letters & set(group) else set()
    yield lambda value: set(value) <= letters
    yield from _sizes(seen, nested)
    for test in (str.isdecimal, str.isalpha, _is_number):
        if all(map(test, seen)):
            yield test
    if len(set(seen)) <= FEW and len(seen) >= OFTEN:
        yield lambda value: value in seen


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _sizes(seen: Sequence[Any], nested: bool) -> Iterator[Callable[[Any], bool]]:
    lengths = {len(value) for value in seen}
    if len(lengths) == 1 and len(seen) >= (OFTEN if nested else 2):
        yield lambda value: len(value) in lengths
    else:
        yield lambda value: len(value) >= (min(lengths) + 1) // 2


def _lists(seen: list[list[Any]], nested: bool) -> Iterator[Callable[[Any], bool]]:
    yield from _sizes(seen, nested)
    telling = [value for value in seen if len(value) > 1]
    for holds, least in _OF_LISTS.items():
        if telling and sum(map(len, telling)) >= least and all(map(holds, telling)):
            yield lambda value, holds=holds: len(value) < 2 or holds(value)  # type: ignore[misc]  # bound by default


def _ascends(value: list[Any]) -> bool:
    return _is_sorted(value, lambda a, b: a <= b)


def _descends(value: list[Any]) -> bool:
    return _is_sorted(value, lambda a, b: a >= b)


def _is_sorted(value: list[Any], fits: Callable[[Any, Any], bool]) -> bool:
    try:
        return all(fits(a, b) for a, b in itertools.pairwise(value))
    except TypeError:
        return False


def _is_unique(value: list[Any]) -> bool:
    return len({repr(item) for item in value}) == len(value)


def _has_equal_lengths(value: list[Any]) -> bool:
    return all(isinstance(item, list) for item in value) and len({len(item) for item in value}) == 1


def _is_square(value: list[Any]) -> bool:
    return _has_equal_lengths(value) and len(value[0]) == len(value)


def _counts_up(value: list[Any]) -> bool:
    """Say whether these are the numbers from 0 or 1 on, in any order."""
    if not all(type(item) is int for item in value):
        return False
    return sorted(value) in (list(range(len(value))), list(range(1, len(value) + 1)))


def _is_search_tree(value: list[Any]) -> bool:
    """Say whether this is a search tree, level by level with None for a missing child."""
    if value[0] is None or not all(item is None or type(item) is int for item in value):
        return False
    rest = iter(value[1:])
    waiting: list[tuple[int, float, float]] = [(value[0], -math.inf, math.inf)]
    for item, low, high in waiting:
        for child, least, most in ((next(rest, None), low, item), (next(rest, None), item, high)):
            if child is not None:
                if not least < child < most:
                    return False
                waiting.append((child, least, most))
    return next(rest, None) is None


_OF_LISTS: dict[Callable[[list[Any]], bool], int] = {
    _ascends: OFTEN, _descends: OFTEN, _is_unique: OFTEN, _counts_up: OFTEN, _is_search_tree: OFTEN,
    _has_equal_lengths: 2, _is_square: 2,
}  # fmt: skip
"""What the lists at one place may have in common -> how many items at least say that it is no accident."""

_RULES: dict[type, Callable[[list[Any], bool], Iterator[Callable[[Any], bool]]]] = {
    int: _numbers, float: _numbers, str: _texts, list: _lists,
}  # fmt: skip


# -- between parameters -------------------------------------------------------------------------------------------


def _size(value: Any) -> int:
    return len(value) if isinstance(value, list | str) else -1


def _whole(value: Any) -> bool:
    return type(value) is int


def _relations(args: Sequence[Args]) -> Iterator[tuple[Relation, Callable[[Args], None] | None]]:
    """Yield what holds between two parameters in every call, and how to mend a call in which it does not."""
    count = len(args[0])
    for i, j in itertools.permutations(range(count), 2):
        for relation, mend in _pair_relations(i, j):
            if all(relation(one) for one in args):
                yield relation, mend


def _pair_relations(i: int, j: int) -> Iterator[tuple[Relation, Callable[[Args], None] | None]]:
    def is_size(a: Args) -> bool:
        return _whole(a[i]) and a[i] == _size(a[j])

    def set_size(a: Args) -> None:
        if _size(a[j]) >= 0:
            a[i] = _size(a[j])

    yield is_size, set_size
    yield lambda a: _whole(a[i]) and a[i] == _size(a[j]) - 1, lambda a: a.__setitem__(i, max(_size(a[j]) - 1, 0))
    yield lambda a: _whole(a[i]) and 0 <= a[i] < _size(a[j]), lambda a: _wrap(a, i, _size(a[j]))
    yield lambda a: _whole(a[i]) and _size(a[j]) >= 0 and a[i] <= _size(a[j]), lambda a: _wrap(a, i, _size(a[j]) + 1)
    yield lambda a: _whole(a[i]) and _whole(a[j]) and a[i] < a[j], None
    yield lambda a: _whole(a[i]) and _whole(a[j]) and a[i] <= a[j], None
    yield lambda a: isinstance(a[j], list) and a[i] in a[j], None
    if i < j:
        yield lambda a: _size(a[i]) >= 0 and _size(a[i]) == _size(a[j]), lambda a: _cut(a, i, j)
    yield lambda a: _indexes(a[i], _size(a[j])), lambda a: _wrap_items(a, i, _size(a[j]))
    yield lambda a: _whole(a[i]) and _is_table(a[j]) and a[i] == len(a[j][0]), lambda a: _width(a, i, j)


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], list)


def _width(args: Args, i: int, j: int) -> None:
    if _is_table(args[j]):
        args[i] = len(args[j][0])


def _wrap(args: Args, i: int, size: int) -> None:
    if _whole(args[i]) and size > 0:
        args[i] %= size


def _cut(args: Args, i: int, j: int) -> None:
    """Make two lists equally long, the longer one shorter."""
    if _size(args[i]) >= 0 and _size(args[j]) >= 0:
        size = min(len(args[i]), len(args[j]))
        args[i], args[j] = args[i][:size], args[j][:size]


def _indexes(value: Any, size: int) -> bool:
    """Say whether these are places in a list of that size."""
    return isinstance(value, list) and bool(value) and all(_whole(item) and 0 <= item < size for item in value)


def _wrap_items(args: Args, i: int, size: int) -> None:
    if isinstance(args[i], list) and size > 0:
        args[i] = [item % size if _whole(item) else item for item in args[i]]


def keeps_answer_habits(seen: Sequence[Value], answer: Value) -> bool:
    """Say whether an answer is of a class that was seen, and below zero only where others are: a function that is
    given what it was not made for mostly says so with None, -1 or another class."""
    if type(answer) not in {type(value) for value in seen}:
        return False
    numbers = [value for value in seen if isinstance(value, int | float)]
    return not isinstance(answer, int | float) or answer >= 0 or any(number < 0 for number in numbers)


class InputHabits:
    """What the given calls of a function keep to."""

    def __init__(self, args: Sequence[Args]) -> None:
        places: dict[Path, Place] = defaultdict(Place)
        for one in args:
            for path, value in walk(one):
                places[path].values.append(value)
                places[path].nested = len(path) > 1
        self.places = dict(places)
        self._tests = {path: place.tests() for path, place in places.items()}
        relations = list(_relations(args)) if len(args) > 1 else []
        self._relations = [relation for relation, _ in relations]
        self._menders = [mend for _, mend in relations if mend is not None]

    def mend(self, args: Args) -> None:
        """Bring the parameters of a call in line with each other, in place."""
        for mend in self._menders:
            mend(args)

    def kept_by(self, args: Args) -> bool:
        """Say whether a call keeps to the habits."""
        if not all(relation(args) for relation in self._relations):
            return False
        return all(test(value) for path, value in walk(args) for test in self._tests.get(path, (_never,)))


def _never(value: Any) -> bool:
    return False
