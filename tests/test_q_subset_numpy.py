"""The q subset against NumPy and plain Python over random typed lists: nulls and infinities of every type.

The models here know q's rules of nulls and nothing of the interpreter: a null is the least value of its type, it makes
arithmetic null, and integers wrap around in their width, infinities included.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given as given_all
from hypothesis import settings
from hypothesis import strategies as st

from interpreters.q_subset import Workspace
from interpreters.q_subset.values import Atom, Dict, Vec

BOOL, SHORT, INT, LONG, REAL, FLOAT, CHAR, SYMBOL, TIMESTAMP, DATE, TIMESPAN = 1, 5, 6, 7, 8, 9, 10, 11, 12, 14, 16
WIDTHS = {SHORT: 16, INT: 32, LONG: 64, TIMESTAMP: 64, DATE: 32, TIMESPAN: 64}
NULLS: dict[int, Any] = {t: -(2 ** (bits - 1)) for t, bits in WIDTHS.items()}
NULLS |= {BOOL: 0, REAL: math.nan, FLOAT: math.nan, CHAR: " ", SYMBOL: ""}
INFINITIES = {t: 2 ** (bits - 1) - 1 for t, bits in WIDTHS.items()} | {REAL: math.inf, FLOAT: math.inf}
ALL = (BOOL, SHORT, INT, LONG, REAL, FLOAT, CHAR, SYMBOL, TIMESTAMP, DATE, TIMESPAN)
NUMPY = {SHORT: np.int16, INT: np.int32, LONG: np.int64, REAL: np.float32, FLOAT: np.float64}
EXAMPLES = 15  # of each property and type


def given(**strategies: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return lambda test: settings(max_examples=EXAMPLES)(given_all(**strategies)(test))


every_type = pytest.mark.parametrize("t", ALL)


def items(t: int, *, null: bool = True, infinite: bool = True) -> st.SearchStrategy[Any]:
    """Return values of a type, few enough that equal ones meet."""
    if t == BOOL:
        return st.integers(0, 1)
    if t in (CHAR, SYMBOL):
        return st.sampled_from([*"abAZ09~", *([NULLS[t]] if null else [])])
    plain: st.SearchStrategy[Any] = st.integers(-9, 9)
    if t in (REAL, FLOAT):
        plain = plain.map(lambda n: n / 4)
    special = [NULLS[t]] * null + [INFINITIES[t], -INFINITIES[t]] * infinite
    return st.one_of(plain, plain, plain, st.sampled_from(special)) if special else plain


def lists(t: int, least: int = 0, **kinds: bool) -> st.SearchStrategy[list[Any]]:
    return st.lists(items(t, **kinds), min_size=least, max_size=12)


def pairs(t: int, u: int | None = None, **kinds: bool) -> st.SearchStrategy[list[tuple[Any, Any]]]:
    return st.lists(st.tuples(items(t, **kinds), items(u or t, **kinds)), min_size=1, max_size=12)


def run(expression: str, **names: Any) -> Any:
    workspace = Workspace()
    for name, value in names.items():
        workspace.set(name, value)
    return workspace.evaluate(f"{expression};")[-1].value


def is_null(value: Any) -> bool:
    return value != value or value in [null for null in NULLS.values() if null not in (0, " ", "")]


def same(found: Any, t: int, wanted: list[Any]) -> bool:
    """Whether a vector has this type and these values, NaN equal to itself."""
    return (found.t, list(map(known, found.v))) == (t, list(map(known, wanted)))


def known(value: Any) -> Any:
    return "NaN" if value != value else value


def rank(value: Any) -> Any:
    """Return what values of one type are sorted by: NaN is least, as the nulls of other types are anyway."""
    return (value == value, value if value == value else 0)


# -- arithmetic -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("t", [INT, LONG])
@pytest.mark.parametrize("sign", "+-*")
@given(data=st.data())
def test_integers_wrap_in_their_width(t: int, sign: str, data: st.DataObject) -> None:
    x, y = map(list, zip(*data.draw(pairs(t)), strict=True))
    a, b = np.array(x, NUMPY[t]), np.array(y, NUMPY[t])
    with np.errstate(all="ignore"):
        made = {"+": a + b, "-": a - b, "*": a * b}[sign]
    null = NULLS[t]
    wanted = [null if null in (p, q) else int(n) for p, q, n in zip(x, y, made, strict=True)]
    assert same(run(f"x{sign}y", x=Vec(t, x), y=Vec(t, y)), t, wanted)


@pytest.mark.parametrize("sign", "+-*%")
@given(rows=pairs(FLOAT))
def test_floats_are_those_of_the_processor(sign: str, rows: list[tuple[float, float]]) -> None:
    a, b = np.array(rows).T
    with np.errstate(all="ignore"):
        made = {"+": a + b, "-": a - b, "*": a * b, "%": a / b}[sign]
    assert same(run(f"x{sign}y", x=Vec(FLOAT, a.tolist()), y=Vec(FLOAT, b.tolist())), FLOAT, made.tolist())


@given(rows=pairs(LONG, infinite=False))
def test_division_of_longs_is_one_of_floats(rows: list[tuple[int, int]]) -> None:
    a, b = np.array([[as_float(v) for v in row] for row in rows]).T
    with np.errstate(all="ignore"):
        made = a / b
    x, y = map(list, zip(*rows, strict=True))
    assert same(run("x%y", x=Vec(LONG, x), y=Vec(LONG, y)), FLOAT, made.tolist())


def as_float(n: int) -> float:
    return math.nan if n == NULLS[LONG] else float(n)


@pytest.mark.parametrize(("t", "wider"), [(SHORT, INT), (SHORT, LONG), (INT, LONG), (LONG, FLOAT), (INT, FLOAT)])
@given(data=st.data())
def test_the_wider_type_wins_and_nulls_stay_null(t: int, wider: int, data: st.DataObject) -> None:
    x, y = map(list, zip(*data.draw(pairs(t, wider, infinite=False)), strict=True))
    wanted = [NULLS[wider] if is_null(a) or is_null(b) else a + b for a, b in zip(x, y, strict=True)]
    assert same(run("x+y", x=Vec(t, x), y=Vec(wider, y)), wider, wanted)


@pytest.mark.parametrize(
    ("left", "sign", "right", "result"),
    [
        (DATE, "+", LONG, DATE), (DATE, "-", LONG, DATE), (DATE, "-", DATE, INT), (TIMESTAMP, "-", TIMESTAMP, TIMESPAN),
        (TIMESTAMP, "+", TIMESPAN, TIMESTAMP), (TIMESPAN, "+", TIMESPAN, TIMESPAN), (TIMESPAN, "*", LONG, TIMESPAN),
    ],
)  # fmt: skip
@given(data=st.data())
def test_times_are_numbers_of_days_or_nanoseconds(
    left: int, sign: str, right: int, result: int, data: st.DataObject
) -> None:
    x, y = map(list, zip(*data.draw(pairs(left, right, infinite=False)), strict=True))
    made = [{"+": a + b, "-": a - b, "*": a * b}[sign] for a, b in zip(x, y, strict=True)]
    wanted = [
        NULLS[result] if is_null(a) or is_null(b) else n for a, b, n in zip(x, y, made, strict=True)
    ]  # fmt: skip
    assert same(run(f"x{sign}y", x=Vec(left, x), y=Vec(right, y)), result, wanted)


@given(rows=pairs(DATE, TIMESPAN, infinite=False))
def test_a_date_and_a_timespan_make_a_timestamp(rows: list[tuple[int, int]]) -> None:
    x, y = map(list, zip(*rows, strict=True))
    day = 86_400_000_000_000
    wanted = [NULLS[TIMESTAMP] if is_null(a) or is_null(b) else a * day + b for a, b in rows]
    assert same(run("x+y", x=Vec(DATE, x), y=Vec(TIMESPAN, y)), TIMESTAMP, wanted)


# -- comparison and search --------------------------------------------------------------------------------------------


@every_type
@given(data=st.data())
def test_null_is_the_least_of_its_type(t: int, data: st.DataObject) -> None:
    x, y = map(list, zip(*data.draw(pairs(t)), strict=True))
    ranks = [(rank(a), rank(b)) for a, b in zip(x, y, strict=True)]
    vectors = {"x": Vec(t, x), "y": Vec(t, y)}
    assert run("x<y", **vectors).v == [int(a < b) for a, b in ranks]
    assert run("x>=y", **vectors).v == [int(a >= b) for a, b in ranks]
    assert run("x=y", **vectors).v == [int(a == b) for a, b in ranks]
    assert run("x<>y", **vectors).v == [int(a != b) for a, b in ranks]
    assert run("x~y", **vectors).v == int(all(a == b for a, b in ranks))


@pytest.mark.parametrize("t", [t for t in ALL if t != SYMBOL])
@given(data=st.data())
def test_lesser_and_greater_follow_the_order(t: int, data: st.DataObject) -> None:
    x, y = map(list, zip(*data.draw(pairs(t)), strict=True))
    lesser = [min(a, b, key=rank) for a, b in zip(x, y, strict=True)]
    greater = [max(a, b, key=rank) for a, b in zip(x, y, strict=True)]
    assert list(map(known, run("x&y", x=Vec(t, x), y=Vec(t, y)).v)) == list(map(known, lesser))
    assert list(map(known, run("x|y", x=Vec(t, x), y=Vec(t, y)).v)) == list(map(known, greater))


@pytest.mark.parametrize("t", [SHORT, INT, LONG, FLOAT, TIMESTAMP, DATE, TIMESPAN])
@given(data=st.data())
def test_within_takes_in_both_ends(t: int, data: st.DataObject) -> None:
    x, ends = data.draw(lists(t)), sorted(data.draw(lists(t, 2))[:2], key=rank)
    low, high = map(rank, ends)
    assert run("x within y", x=Vec(t, x), y=Vec(t, ends)).v == [int(low <= rank(v) <= high) for v in x]


@pytest.mark.parametrize("t", [SHORT, INT, LONG, FLOAT, TIMESTAMP, DATE, TIMESPAN])
@given(data=st.data())
def test_bin_and_binr_are_bisection(t: int, data: st.DataObject) -> None:
    x, y = sorted(data.draw(lists(t, 1)), key=rank), data.draw(lists(t, 1))
    ranks = list(map(rank, x))
    assert run("x bin y", x=Vec(t, x), y=Vec(t, y)).v == [bisect.bisect_right(ranks, rank(v)) - 1 for v in y]
    assert run("x binr y", x=Vec(t, x), y=Vec(t, y)).v == [bisect.bisect_left(ranks, rank(v)) for v in y]


@every_type
@given(data=st.data())
def test_find_and_in_know_null_too(t: int, data: st.DataObject) -> None:
    x, y = data.draw(lists(t, 1)), data.draw(lists(t, 1))
    have, want = list(map(known, x)), list(map(known, y))
    assert run("x?y", x=Vec(t, x), y=Vec(t, y)).v == [have.index(v) if v in have else len(x) for v in want]
    assert run("y in x", x=Vec(t, x), y=Vec(t, y)).v == [int(v in have) for v in want]


@every_type
@given(data=st.data())
def test_null_tells_nulls(t: int, data: st.DataObject) -> None:
    x = data.draw(lists(t, 1))
    wanted = [int(t != BOOL and known(v) == known(NULLS[t])) for v in x]
    assert run("null x", x=Vec(t, x)).v == wanted


# -- sorting and grouping ---------------------------------------------------------------------------------------------


@every_type
@given(data=st.data())
def test_sorting_is_stable_both_ways(t: int, data: st.DataObject) -> None:
    x = data.draw(lists(t, 1))
    up = sorted(range(len(x)), key=lambda i: rank(x[i]))
    down = sorted(range(len(x)), key=lambda i: rank(x[i]), reverse=True)
    vector = Vec(t, x)
    assert run("iasc x", x=vector).v == up
    assert run("idesc x", x=vector).v == down
    assert same(run("asc x", x=vector), t, [x[i] for i in up])
    assert same(run("desc x", x=vector), t, [x[i] for i in down])
    assert run("rank x", x=vector).v == [up.index(i) for i in range(len(x))]


@every_type
@given(data=st.data())
def test_sets_keep_the_order_of_appearance(t: int, data: st.DataObject) -> None:
    x, y = data.draw(lists(t, 1)), data.draw(lists(t, 1))
    first = {known(v): v for v in reversed([*x, *y])}
    have, other = list(map(known, x)), list(map(known, y))
    vectors = {"x": Vec(t, x), "y": Vec(t, y)}
    assert same(run("distinct x", **vectors), t, [first[v] for v in dict.fromkeys(have)])
    assert same(run("x union y", **vectors), t, [first[v] for v in dict.fromkeys([*have, *other])])
    assert same(run("x except y", **vectors), t, [v for v in x if known(v) not in other])
    assert same(run("x inter y", **vectors), t, [v for v in x if known(v) in other])


@every_type
@given(data=st.data())
def test_group_gathers_positions(t: int, data: st.DataObject) -> None:
    x = data.draw(lists(t, 1))
    wanted: dict[Any, list[int]] = {}
    for position, value in enumerate(map(known, x)):
        wanted.setdefault(value, []).append(position)
    found = run("group x", x=Vec(t, x))
    assert isinstance(found, Dict)
    assert list(map(known, found.keys.v)) == list(wanted)
    assert [positions.v for positions in found.values.v] == list(wanted.values())


@every_type
@given(data=st.data())
def test_by_gathers_null_as_a_group_and_sorts_the_groups(t: int, data: st.DataObject) -> None:
    rows = data.draw(pairs(t, LONG, infinite=False))
    k, v = map(list, zip(*rows, strict=True))
    found = run("select n:count i,s:sum v,m:max v by k from t", t=run("([]k;v)", k=Vec(t, k), v=Vec(LONG, v)))
    names = sorted({known(a): a for a in k}.values(), key=rank)
    inside = [[b for a, b in rows if known(a) == known(name)] for name in names]
    assert same(found.keys.columns[0], t, names)
    counts, sums, most = (column.v for column in found.values.columns)
    assert counts == [len(values) for values in inside]
    assert sums == [sum(b for b in values if not is_null(b)) for values in inside]
    least = -INFINITIES[LONG]
    assert most == [max((b for b in values if not is_null(b)), default=least) for values in inside]


# -- running ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("t", [INT, LONG, FLOAT])
@given(data=st.data())
def test_sums_pass_over_nulls_after_the_first(t: int, data: st.DataObject) -> None:
    x = [data.draw(items(t, null=False, infinite=False)), *data.draw(lists(t, infinite=False))]
    wanted = np.cumsum([0 if is_null(v) else v for v in x], dtype=NUMPY[t]).tolist()
    assert same(run("sums x", x=Vec(t, x)), t, wanted)


@pytest.mark.parametrize("t", [INT, LONG, FLOAT, DATE, TIMESTAMP])
@given(data=st.data())
def test_running_extremes_are_numpys(t: int, data: st.DataObject) -> None:
    x = data.draw(lists(t, 1, null=False))
    assert same(run("maxs x", x=Vec(t, x)), t, np.maximum.accumulate(x).tolist())
    assert same(run("mins x", x=Vec(t, x)), t, np.minimum.accumulate(x).tolist())


@pytest.mark.parametrize("t", [INT, LONG, FLOAT])
@given(data=st.data())
def test_deltas_begin_with_the_first_item(t: int, data: st.DataObject) -> None:
    x = data.draw(lists(t, 1, infinite=False))
    steps = [NULLS[t] if is_null(a) or is_null(b) else b - a for a, b in itertools.pairwise(x)]
    assert same(run("deltas x", x=Vec(t, x)), t, [x[0], *steps])


@pytest.mark.parametrize("t", [SHORT, INT, LONG, FLOAT, CHAR, SYMBOL, DATE, TIMESTAMP, TIMESPAN])
@given(data=st.data())
def test_fills_carry_the_last_known_value_on(t: int, data: st.DataObject) -> None:
    x = data.draw(lists(t, 1))
    wanted: list[Any] = []
    for value in x:
        missing = known(value) == known(NULLS[t])
        wanted.append(wanted[-1] if missing and wanted else value)
    assert same(run("fills x", x=Vec(t, x)), t, wanted)


@pytest.mark.parametrize("t", [INT, LONG, FLOAT])
@given(data=st.data())
def test_aggregates_leave_nulls_out(t: int, data: st.DataObject) -> None:
    x = data.draw(lists(t, 1, infinite=False))
    have = [v for v in x if not is_null(v)]
    assert run("sum x", x=Vec(t, x)).v == sum(have)
    assert run("max x", x=Vec(t, x)).v == max(have, default=-INFINITIES[t])
    assert run("min x", x=Vec(t, x)).v == min(have, default=INFINITIES[t])
    mean, spread, middle = (run(f"{name} x", x=Vec(t, x)).v for name in ("avg", "dev", "med"))
    if have:
        assert mean == pytest.approx(np.mean(have)) and spread == pytest.approx(np.std(have))
        assert math.isnan(middle) or middle == pytest.approx(np.median(have)) or len(have) < len(x)
    else:
        assert math.isnan(mean)


# -- taking apart and putting together --------------------------------------------------------------------------------


@every_type
@given(data=st.data(), n=st.integers(-15, 15))
def test_take_goes_round_and_drop_does_not(t: int, data: st.DataObject, n: int) -> None:
    x = data.draw(lists(t, 1))
    size = len(x)
    taken = [x[i % size] for i in range(n)] if n >= 0 else [x[i % size] for i in range(n, 0)]
    assert same(run("n#x", x=Vec(t, x), n=Atom(-LONG, n)), t, taken)
    assert same(run("n _ x", x=Vec(t, x), n=Atom(-LONG, n)), t, x[n:] if n >= 0 else x[: max(0, size + n)])
    assert same(run("n sublist x", x=Vec(t, x), n=Atom(-LONG, n)), t, x[:n] if n >= 0 else x[n:])


@every_type
@given(data=st.data(), n=st.integers(-15, 15))
def test_rotation_and_shifts(t: int, data: st.DataObject, n: int) -> None:
    x = data.draw(lists(t, 1))
    assert same(run("n rotate x", x=Vec(t, x), n=Atom(-LONG, n)), t, [x[(i + n) % len(x)] for i in range(len(x))])
    shifted = [x[i - n] if 0 <= i - n < len(x) else NULLS[t] for i in range(len(x))]
    assert same(run("n xprev x", x=Vec(t, x), n=Atom(-LONG, n)), t, shifted)
    assert same(run("reverse x", x=Vec(t, x)), t, x[::-1])
    assert same(run("prev x", x=Vec(t, x)), t, [NULLS[t], *x[:-1]])
    assert same(run("next x", x=Vec(t, x)), t, [*x[1:], NULLS[t]])


@every_type
@given(data=st.data())
def test_cut_at_positions_and_join_again(t: int, data: st.DataObject) -> None:
    x = data.draw(lists(t, 1))
    places = sorted(data.draw(st.sets(st.integers(0, len(x)), min_size=1)))
    pieces = run("p _ x", x=Vec(t, x), p=Vec(LONG, places))
    assert [list(map(known, piece.v)) for piece in pieces.v] == [
        list(map(known, x[a:b])) for a, b in zip(places, [*places[1:], len(x)], strict=True)
    ]
    assert same(run("raze p _ x", x=Vec(t, x), p=Vec(LONG, [0, *places])), t, x)


@every_type
@given(data=st.data())
def test_an_index_out_of_range_gives_null(t: int, data: st.DataObject) -> None:
    x, where = data.draw(lists(t, 1)), data.draw(st.lists(st.integers(-3, 15), min_size=1, max_size=8))
    wanted = [x[i] if 0 <= i < len(x) else NULLS[t] for i in where]
    assert same(run("x i", x=Vec(t, x), i=Vec(LONG, where)), t, wanted)
    assert run("x[i]~x@i", x=Vec(t, x), i=Vec(LONG, where)).v == 1


@every_type
@given(data=st.data())
def test_where_keeps_what_a_comparison_keeps(t: int, data: st.DataObject) -> None:
    x = data.draw(lists(t, 1))
    pivot = data.draw(items(t))
    found = run("x where x>p", x=Vec(t, x), p=Atom(-t, pivot))
    assert same(found, t, [v for v in x if rank(v) > rank(pivot)])
