"""Further inputs for a function, made of the ones that it has: what tells an answer from its neighbours.

Each is a call of the problem with some of its values changed: numbers nudged, lists shortened, repeated, sorted,
turned round, texts changed, values of other calls put in. At first they keep to the problem's habits
(function_habits.py); `wild` ones need not, and reach for zero, negative numbers and empty lists.
"""

from __future__ import annotations

import copy
import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bootstrap.audit.data_sets import Constants, Variation
from bootstrap.audit.function_habits import Args, InputHabits, Path, walk
from interpreters.base import TestCase
from interpreters.function_cases import arguments_of, case_of
from interpreters.wire import WireError

DRAWS = 400
"""For one input that keeps to the habits; where none is found, there are no more."""
WILD = "beyond habits: "
"""How the kind of a wild input begins."""
MAX_ITEMS = 60  # of a list or text that grows
MAX_NUMBER = 10**12
MOST_CHANGES = 4


def function_variations(
    tests: Sequence[TestCase], codes: Sequence[str], seed: str, *, wild: bool = False
) -> Iterator[Variation]:
    """Yield inputs that differ from the tests' and from each other, until no more are found."""
    [(entry, names), *_] = [arguments_of(test)[:2] for test in tests]
    calls = [arguments_of(test)[2] for test in tests]
    maker = _Maker(calls, Constants.of(codes), random.Random(seed))
    seen = {repr(call) for call in calls}
    for number in itertools.count():
        made = maker.another(number, seen, wild)
        if made is None:
            return
        kind, args = made
        seen.add(repr(args))
        try:
            yield Variation(kind, case_of(entry, names, args, None, hidden=True).tables)
        except WireError:
            continue  # a change has made what no table holds


class _Maker:
    """Makes the inputs of one problem. The methods that change a value get it with what was seen at its place."""

    def __init__(self, calls: Sequence[Args], constants: Constants, rng: random.Random) -> None:
        self.calls, self.rng = calls, rng
        self.habits = InputHabits(calls)
        self.words = list(constants.texts)
        self.numbers = [int(n) for n in constants.numbers if n == int(n) and abs(n) < MAX_NUMBER]

    def another(self, number: int, seen: set[str], wild: bool) -> tuple[str, Args] | None:
        for draw in range(DRAWS):
            args = copy.deepcopy(self.calls[(number + draw) % len(self.calls)])
            kinds = [self.change(args, wild) for _ in range(self.rng.randint(1, MOST_CHANGES))]
            if not wild or self.rng.random() < 0.7:
                self.habits.mend(args)
            if repr(args) not in seen and (wild or self.habits.kept_by(args)):
                kind = " + ".join(sorted({kind for kind in kinds if kind})) or "mended"
                return (WILD if wild else "") + kind, args
        return None

    def change(self, args: Args, wild: bool) -> str:
        """Change one value inside the arguments, in place; return what kind of change it was."""
        if not args:
            return ""
        index = self.rng.randrange(len(args))
        spots = list(_spots(args, index))
        holder, key, path = self.rng.choice(spots[:1] if self.rng.random() < 0.4 else spots)
        value = holder[key]
        pool = self.habits.places[path].values if path in self.habits.places else [value]
        chance = self.rng.random()
        if chance < 0.15:
            holder[key] = copy.deepcopy(self.rng.choice(pool))
            return "another value"
        if chance < 0.3:
            alike = [one for _, one in walk(args) if type(one) is type(value)]
            holder[key] = copy.deepcopy(self.rng.choice(alike))
            return "the same value twice"
        for kind, make in _MAKERS.items():
            if type(value) is kind:
                holder[key] = make(self, value, pool, wild)
                return f"{kind.__name__} changed"
        holder[key] = copy.deepcopy(self.rng.choice(pool))
        return "another value"

    # -- changes of a value ---------------------------------------------------------------------------------------

    def flag(self, value: bool, pool: Sequence[Any], wild: bool) -> bool:
        return not value

    def whole(self, value: int, pool: Sequence[Any], wild: bool) -> int:
        seen = [one for one in pool if type(one) is int] or [value]
        near = self.rng.choice(self.numbers) + self.rng.randint(-1, 1) if self.numbers else value + 1
        choices = [
            value + 1, value - 1, value + 2, value - 2, value * 2, value // 2, value + 10, value - 10,
            self.rng.choice(seen), self.rng.randint(min(seen), max(seen)), self.rng.randint(0, 2 * max(max(seen), 5)),
            self.rng.randint(1, 9), near, near,
        ]  # fmt: skip
        if wild or min(seen) <= 0:
            choices += [0, -value, -1, 1]
        return max(min(self.rng.choice(choices), MAX_NUMBER), -MAX_NUMBER)

    def real(self, value: float, pool: Sequence[Any], wild: bool) -> float:
        choices = [value + 1, value - 1, value / 2, value * 2, value + 0.25, round(value), value * 1.1]
        return float(self.rng.choice(choices + ([0.0, -value] if wild else [])))

    def text(self, value: str, pool: Sequence[Any], wild: bool) -> str:
        letters = "".join(one for one in pool if isinstance(one, str)) or "ab"
        at = self.rng.randrange(len(value) + 1)
        other = next((one for one in [self.rng.choice(pool)] if isinstance(one, str)), value)
        size = self.rng.randint(1, max(len(value), 2))
        choices: list[Callable[[], str]] = [
            lambda: value[:at] + self.rng.choice(letters) + value[at:],
            lambda: value[:at] + self.rng.choice(letters) + value[at + 1 :],
            lambda: value[:at] + value[at + 1 :],
            lambda: value[:at] + value[max(at - 1, 0) :],
            lambda: value[::-1],
            lambda: "".join(self.rng.sample(value, len(value))),
            lambda: "".join(self.rng.choice(letters) for _ in range(size)),
            lambda: value + other,
            lambda: " ".join(self.rng.sample(value.split(" "), len(value.split(" ")))),
            lambda: value[:at] + " " + value[at:],
            lambda: value[:at] + value[at:].swapcase(),
            lambda: value[:at],
            lambda: value + value[:at],
        ]
        if self.words:
            word = self.rng.choice(self.words)
            choices += [lambda: word, lambda: value[:at] + word + value[at:]]
        if wild:
            choices += [lambda: "", value.upper, value.lower, lambda: value[:1]]
        return self.rng.choice(choices)()[:MAX_ITEMS] if len(value) <= MAX_ITEMS else value[:at]

    def items(self, value: list[Any], pool: Sequence[Any], wild: bool) -> list[Any]:
        members = [item for one in pool if isinstance(one, list) for item in one]
        at = self.rng.randrange(len(value) + 1)
        drawn = [self.rng.choice(members) for _ in range(self.rng.randint(1, max(len(value), 3)))] if members else []
        choices: list[Callable[[], list[Any]]] = [
            lambda: value[:at] + value[at + 1 :],
            lambda: value[:at] + value[max(at - 1, 0) :],
            lambda: value[:at] + drawn[:1] + value[at:],
            lambda: value[:at] + drawn[:1] + value[at + 1 :],
            lambda: value[::-1],
            lambda: self.rng.sample(value, len(value)),
            lambda: _sorted(value),
            lambda: drawn,
            lambda: _sorted(drawn),
            lambda: value + drawn,
            lambda: value[:at],
            lambda: value[at:],
            lambda: value + value[:at],
        ]
        if wild:
            choices += [lambda: [], lambda: value[:1], lambda: value[:1] * len(value)]
        return copy.deepcopy(self.rng.choice(choices)()[:MAX_ITEMS])

    def fields(self, value: dict[str, Any], pool: Sequence[Any], wild: bool) -> dict[str, Any]:
        others = [one for one in pool if isinstance(one, dict)] or [value]
        if value.keys() == {"key", "value"}:
            return copy.deepcopy(self.rng.choice(others))  # one entry of a dictionary: the two belong together
        names = list(value)
        kept = {name: value[name] for name in names if self.rng.random() < 0.7}
        values = self.rng.sample(list(value.values()), len(value))
        turned = dict(zip(names, values, strict=True))
        return copy.deepcopy(self.rng.choice([kept, turned, value | self.rng.choice(others), self.rng.choice(others)]))


_MAKERS: dict[type, Callable[[_Maker, Any, Sequence[Any], bool], Any]] = {
    bool: _Maker.flag, int: _Maker.whole, float: _Maker.real, str: _Maker.text, list: _Maker.items,
    dict: _Maker.fields,
}  # fmt: skip


def _sorted(value: list[Any]) -> list[Any]:
    try:
        return sorted(value)
    except TypeError:
        return sorted(value, key=repr)


def _spots(args: Args, index: int) -> Iterator[tuple[Any, Any, Path]]:
    """Yield every value inside a parameter as what holds it, under which key, and its place."""
    waiting: list[tuple[Any, Any, Path]] = [(args, index, (index,))]
    while waiting:
        holder, key, path = waiting.pop(0)
        yield holder, key, path
        value = holder[key]
        if isinstance(value, list):
            waiting += [(value, number, (*path, "*")) for number in range(len(value))]
        elif isinstance(value, dict):
            waiting += [(value, name, (*path, ".")) for name in value]
