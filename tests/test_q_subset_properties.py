"""The q subset against plain Python: random typed inputs with nulls, from fixed seeds."""

from __future__ import annotations

import math
import operator
import random
from typing import Any

import pytest

from interpreters.q_subset import Workspace
from interpreters.q_subset.values import Atom, Dict, Vec

NULL = -(2**63)
SEEDS = range(8)


def run(expression: str, **names: Any) -> Any:
    workspace = Workspace()
    for name, value in names.items():
        workspace.set(name, value)
    return workspace.evaluate(expression)[-1].value


def some_longs(dice: random.Random, size: int | None = None, nulls: bool = True) -> list[int]:
    count = dice.randrange(1, 30) if size is None else size
    return [NULL if nulls and dice.random() < 0.15 else dice.randrange(-20, 20) for _ in range(count)]


def some_floats(dice: random.Random) -> list[float]:
    return [math.nan if dice.random() < 0.15 else dice.randrange(-40, 40) / 4 for _ in range(dice.randrange(1, 30))]


def null_key(x: float) -> tuple[int, float]:
    return (0, 0.0) if x != x else (1, x)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("sign", "apply"), [("+", operator.add), ("-", operator.sub), ("*", operator.mul)])
def test_arithmetic_passes_nulls_on(seed: int, sign: str, apply: Any) -> None:
    dice = random.Random(seed)
    x = some_longs(dice)
    y = some_longs(dice, len(x))
    found = run(f"x{sign}y", x=Vec(7, x), y=Vec(7, y))
    assert (found.t, found.v) == (7, [NULL if NULL in (a, b) else apply(a, b) for a, b in zip(x, y, strict=True)])


@pytest.mark.parametrize("seed", SEEDS)
def test_div_and_mod_are_pythons(seed: int) -> None:
    dice = random.Random(seed)
    x = some_longs(dice)
    n = dice.choice([-7, -3, 2, 5])
    assert run(f"x div {n}", x=Vec(7, x)).v == [a if a == NULL else a // n for a in x]
    assert run(f"x mod {n}", x=Vec(7, x)).v == [a if a == NULL else a % n for a in x]


@pytest.mark.parametrize("seed", SEEDS)
def test_comparison_takes_null_for_the_least(seed: int) -> None:
    dice = random.Random(seed)
    x = some_longs(dice)
    y = some_longs(dice, len(x))
    assert run("x<y", x=Vec(7, x), y=Vec(7, y)).v == [int(a < b) for a, b in zip(x, y, strict=True)]
    assert run("x&y", x=Vec(7, x), y=Vec(7, y)).v == [min(a, b) for a, b in zip(x, y, strict=True)]


@pytest.mark.parametrize("seed", SEEDS)
def test_long_addition_wraps_around(seed: int) -> None:
    dice = random.Random(seed)
    a, b = dice.randrange(2**62, 2**63 - 1), dice.randrange(2**62, 2**63 - 1)
    assert run("a+b", a=Atom(-7, a), b=Atom(-7, b)).v == a + b - 2**64


@pytest.mark.parametrize("seed", SEEDS)
def test_aggregates_leave_nulls_out(seed: int) -> None:
    x = some_longs(random.Random(seed))
    known = [a for a in x if a != NULL]
    assert run("sum x", x=Vec(7, x)).v == sum(known)
    assert run("max x", x=Vec(7, x)).v == max(known, default=-(2**63 - 1))
    assert run("min x", x=Vec(7, x)).v == min(known, default=2**63 - 1)
    found = run("avg x", x=Vec(7, x)).v
    assert found == pytest.approx(sum(known) / len(known)) if known else math.isnan(found)


@pytest.mark.parametrize("seed", SEEDS)
def test_indexing_gives_null_out_of_range(seed: int) -> None:
    dice = random.Random(seed)
    x = some_longs(dice)
    where = [dice.randrange(-3, len(x) + 3) for _ in range(12)]
    assert run("x w", x=Vec(7, x), w=Vec(7, where)).v == [x[i] if 0 <= i < len(x) else NULL for i in where]


@pytest.mark.parametrize("seed", SEEDS)
def test_amend_by_index_changes_only_those_items(seed: int) -> None:
    dice = random.Random(seed)
    x = some_longs(dice)
    i, n = dice.randrange(len(x)), dice.randrange(50)
    assert run(f"x[{i}]:{n};x", x=Vec(7, x)).v == [*x[:i], n, *x[i + 1 :]]


@pytest.mark.parametrize("seed", SEEDS)
def test_take_repeats_and_drop_shortens(seed: int) -> None:
    dice = random.Random(seed)
    x, n = some_longs(dice), dice.randrange(40)
    assert run(f"{n}#x", x=Vec(7, x)).v == [x[i % len(x)] for i in range(n)]
    assert run(f"{n}_x", x=Vec(7, x)).v == x[n:]
    assert run(f"{-n}_x", x=Vec(7, x)).v == (x[:-n] if n else x)


@pytest.mark.parametrize("seed", SEEDS)
def test_sorting_is_stable_with_nulls_first(seed: int) -> None:
    x = some_floats(random.Random(seed))
    ascending = sorted(range(len(x)), key=lambda i: null_key(x[i]))
    descending = sorted(range(len(x)), key=lambda i: null_key(x[i]), reverse=True)
    assert run("iasc x", x=Vec(9, x)).v == ascending
    assert run("idesc x", x=Vec(9, x)).v == descending
    assert [null_key(v) for v in run("asc x", x=Vec(9, x)).v] == [null_key(x[i]) for i in ascending]


@pytest.mark.parametrize("seed", SEEDS)
def test_rank_is_the_inverse_of_iasc(seed: int) -> None:
    x = some_longs(random.Random(seed))
    assert run("(iasc x)[rank x]~til count x", x=Vec(7, x)).v == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_group_gathers_positions_in_order_of_appearance(seed: int) -> None:
    x = [abs(a) % 5 if a != NULL else NULL for a in some_longs(random.Random(seed))]
    found = run("group x", x=Vec(7, x))
    assert isinstance(found, Dict)
    wanted: dict[int, list[int]] = {}
    for i, a in enumerate(x):
        wanted.setdefault(a, []).append(i)
    assert found.keys.v == list(wanted)
    assert [v.v for v in found.values.v] == list(wanted.values())
    assert run("distinct x", x=Vec(7, x)).v == list(wanted)


@pytest.mark.parametrize("seed", SEEDS)
def test_sets_keep_the_order_of_the_left_side(seed: int) -> None:
    dice = random.Random(seed)
    x, y = some_longs(dice), some_longs(dice)
    assert run("x except y", x=Vec(7, x), y=Vec(7, y)).v == [a for a in x if a not in y]
    assert run("x inter y", x=Vec(7, x), y=Vec(7, y)).v == [a for a in x if a in y]
    assert run("x union y", x=Vec(7, x), y=Vec(7, y)).v == list(dict.fromkeys(x + y))
    assert run("x in y", x=Vec(7, x), y=Vec(7, y)).v == [int(a in y) for a in x]


@pytest.mark.parametrize("seed", SEEDS)
def test_find_gives_the_first_position_or_the_length(seed: int) -> None:
    dice = random.Random(seed)
    x, y = some_longs(dice), some_longs(dice)
    assert run("x?y", x=Vec(7, x), y=Vec(7, y)).v == [x.index(a) if a in x else len(x) for a in y]


@pytest.mark.parametrize("seed", SEEDS)
def test_running_totals(seed: int) -> None:
    x = some_longs(random.Random(seed), nulls=False)
    assert run("sums x", x=Vec(7, x)).v == [sum(x[: i + 1]) for i in range(len(x))]
    assert run("maxs x", x=Vec(7, x)).v == [max(x[: i + 1]) for i in range(len(x))]
    assert run("(+\\)x", x=Vec(7, x)).v == run("sums x", x=Vec(7, x)).v
    assert run("sums deltas x", x=Vec(7, x)).v == x


@pytest.mark.parametrize("seed", SEEDS)
def test_cut_and_raze_are_inverse(seed: int) -> None:
    dice = random.Random(seed)
    x, n = some_longs(dice), dice.randrange(1, 7)
    pieces = run(f"{n} cut x", x=Vec(7, x))
    assert [v.v for v in pieces.v] == [x[i : i + n] for i in range(0, len(x), n)]
    assert run(f"raze {n} cut x", x=Vec(7, x)).v == x


@pytest.mark.parametrize("seed", SEEDS)
def test_flip_twice_is_the_matrix(seed: int) -> None:
    dice = random.Random(seed)
    size = dice.randrange(1, 6)
    rows = [Vec(7, some_longs(dice, size)) for _ in range(dice.randrange(2, 6))]
    found = run("flip x", x=Vec(0, list(rows)))
    assert [v.v for v in found.v] == [list(column) for column in zip(*[row.v for row in rows], strict=True)]
    assert run("x~flip flip x", x=Vec(0, list(rows))).v == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_text_goes_round_by_vs_and_sv(seed: int) -> None:
    dice = random.Random(seed)
    text = "".join(dice.choice("ab,cd") for _ in range(dice.randrange(1, 30)))
    parts = run('"," vs x', x=Vec(10, list(text)))
    assert ["".join(v.v) for v in parts.v] == text.split(",")
    assert run('x~"," sv "," vs x', x=Vec(10, list(text))).v == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_digits_go_round_by_vs_and_sv(seed: int) -> None:
    dice = random.Random(seed)
    n, base = dice.randrange(1, 10**9), dice.randrange(2, 17)
    assert run(f"{base} sv {base} vs {n}").v == n
    assert run(f"10 vs {n}").v == [int(c) for c in str(n)]
    assert run(f'"J"$string {n}').v == n


@pytest.mark.parametrize("seed", SEEDS)
def test_select_by_agrees_with_a_loop(seed: int) -> None:
    dice = random.Random(seed)
    size = dice.randrange(1, 30)
    k, v = [dice.choice("abc") for _ in range(size)], some_longs(dice, size)
    found = run("select n:count i,s:sum v by k from ([]k;v) where v>-5", k=Vec(11, k), v=Vec(7, v))
    kept = [(a, b) for a, b in zip(k, v, strict=True) if b > -5]
    names = sorted({a for a, _ in kept})
    assert found.keys.columns[0].v == names
    assert found.values.columns[0].v == [sum(a == name for a, _ in kept) for name in names]
    assert found.values.columns[1].v == [sum(b for a, b in kept if a == name) for name in names]
