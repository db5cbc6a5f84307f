"""Problems on dictionaries from text."""

from __future__ import annotations

import random

from bootstrap.sources.function_basics.drafts import draft, ints, mapping, one_of, text, whole, words

STOCK = mapping(whole(-3, 9))
WORD = text("abcd", 1, 2)


@draft(
    1,
    STOCK,
    WORD,
    whole(-9, 9),
    q="$[any name~/:key stock;stock name;other]",
    edges=[({}, "a", 3), ({"a": 0}, "a", 3), ({"ab": 1}, "b", 2)],
)
def look_up(stock: dict[str, int], name: str, other: int) -> int:
    """Return the value that a dictionary has for name, or the number other where it has no such key."""
    return stock.get(name, other)


@draft(1, STOCK, q="sum 0,value stock", edges=[({},), ({"a": 3},)])
def total_stock(stock: dict[str, int]) -> int:
    """Add up the values of a dictionary; 0 for an empty one."""
    return sum(stock.values())


@draft(1, STOCK, q="asc key stock", edges=[({},), ({"b": 1, "a": 2},)])
def sorted_keys(stock: dict[str, int]) -> list[str]:
    """Return the keys of a dictionary in alphabetical order."""
    return sorted(stock)


@draft(
    2,
    mapping(whole(0, 4), 1),
    q="first asc (key stock) where value[stock]=max stock",
    edges=[({"b": 2, "a": 2},), ({"c": 1},)],
)
def best_key(stock: dict[str, int]) -> str:
    """Return the key with the greatest value in a dictionary that is not empty; of several the first in alphabetical
    order."""
    return min(stock, key=lambda name: (-stock[name], name))


@draft(2, STOCK, whole(-3, 6), q="asc (key stock) where value[stock]>limit", edges=[({}, 0), ({"b": 2, "a": 3}, 2)])
def keys_above(stock: dict[str, int], limit: int) -> list[str]:
    """Return the keys of a dictionary whose values are greater than limit, in alphabetical order."""
    return sorted(name for name, value in stock.items() if value > limit)


@draft(
    2,
    STOCK,
    whole(-3, 6),
    q="""
    kept:where value[stock]>=limit;
    $[count kept;key[stock][kept]!value[stock]kept;()!()]
    """,
    edges=[({}, 0), ({"b": 2, "a": 3}, 3)],
)
def at_least(stock: dict[str, int], limit: int) -> dict[str, int]:
    """Return the part of a dictionary whose values are at least limit."""
    return {name: value for name, value in stock.items() if value >= limit}


@draft(
    2, STOCK, STOCK, q="$[0=count a;b;0=count b;a;a+b]", edges=[({}, {}), ({"a": 1}, {"a": 2, "b": 3}), ({}, {"a": 1})]
)
def add_stocks(a: dict[str, int], b: dict[str, int]) -> dict[str, int]:
    """Return a dictionary with the keys of both dictionaries: a key of both has the sum of its values, any other its
    one value."""
    return {name: a.get(name, 0) + b.get(name, 0) for name in [*a, *b]}


@draft(
    1, STOCK, STOCK, q="$[0=count a;b;0=count b;a;a,b]", edges=[({}, {}), ({"a": 1}, {"a": 2, "b": 3}), ({"a": 1}, {})]
)
def override(a: dict[str, int], b: dict[str, int]) -> dict[str, int]:
    """Return a dictionary with the keys of both dictionaries; for a key of both the value of the second counts."""
    return {**a, **b}


@draft(2, STOCK, STOCK, q="asc (key a) inter key b", edges=[({}, {"a": 1}), ({"b": 1, "a": 1}, {"a": 2, "b": 3})])
def shared_keys(a: dict[str, int], b: dict[str, int]) -> list[str]:
    """Return the keys that two dictionaries share, in alphabetical order."""
    return sorted(set(a) & set(b))


@draft(
    1,
    mapping(whole(0, 9), 1),
    words("abcd", high=2),
    q="0^stock each names",
    edges=[({"a": 2}, ["b", "a", "a"]), ({"a": 2}, [])],
)
def amounts_of(stock: dict[str, int], names: list[str]) -> list[int]:
    """Return for each of the names the value that a dictionary, which is not empty, has for it, or 0 where it has
    none."""
    return [stock.get(name, 0) for name in names]


@draft(2, mapping(ints(0, 9, 1, 4)), q="$[count marks;max each marks;marks]", edges=[({},), ({"a": [1, 2], "b": [3]},)])
def best_marks(marks: dict[str, list[int]]) -> dict[str, int]:
    """Return a dictionary with the same keys, each with the greatest number of its list. No list is empty."""
    return {name: max(numbers) for name, numbers in marks.items()}


@draft(
    2,
    mapping(one_of("red", "blue", "green", "x")),
    q="$[count colours;asc each (key colours) group value colours;()!()]",
    edges=[({},), ({"b": "x", "a": "x"},), ({"a": "x", "c": "red", "b": "x"},)],
)
def turn_round(colours: dict[str, str]) -> dict[str, list[str]]:
    """Return a dictionary from each different value of a dictionary to the keys that have it, in alphabetical order."""
    found: dict[str, list[str]] = {}
    for name in sorted(colours):
        found.setdefault(colours[name], []).append(name)
    return found


@draft(
    2,
    STOCK,
    q="$[count stock;[k:asc key stock;k idesc stock k];()]",
    edges=[({},), ({"b": 1, "a": 2},), ({"b": 1, "a": 1},)],
)
def ranking(stock: dict[str, int]) -> list[str]:
    """Return the keys of a dictionary ordered by their values, the greatest first; keys with one value in alphabetical
    order."""
    return sorted(sorted(stock), key=lambda name: -stock[name])


@draft(
    2,
    STOCK,
    text("abcd", 1, 2),
    whole(1, 5),
    q="""
    $[not any name~/:key stock;(key[stock],enlist name)!value[stock],n;
      (key stock)!value[stock]+n*name~/:key stock]
    """,
    edges=[({}, "a", 2), ({"a": 1}, "a", 2), ({"a": 1}, "b", 5)],
)
def put_in(stock: dict[str, int], name: str, n: int) -> dict[str, int]:
    """Return the dictionary with n added to the value of name; a key that it does not have yet counts as 0."""
    return {**stock, name: stock.get(name, 0) + n}


@draft(
    2,
    STOCK,
    text("abcd", 1, 2),
    q="""
    kept:where not name~/:key stock;
    $[count kept;key[stock][kept]!value[stock]kept;()!()]
    """,
    edges=[({}, "a"), ({"a": 1}, "a"), ({"a": 1, "b": 2}, "b")],
)
def take_out(stock: dict[str, int], name: str) -> dict[str, int]:
    """Return the dictionary without the key name; where it has no such key, unchanged."""
    return {key: value for key, value in stock.items() if key != name}


@draft(
    2,
    mapping(whole(1, 9)),
    mapping(whole(1, 5)),
    q="""
    shared:(key basket) inter key prices;
    $[count shared;sum basket[shared]*prices shared;0]
    """,
    edges=[
        ({}, {"a": 2}),
        ({"a": 2, "b": 3}, {"a": 5}),
        ({"d": 8, "a": 3}, {}),
        ({"c": 2, "a": 3}, {"a": 5, "b": 1, "c": 2}),
    ],
)
def basket_price(basket: dict[str, int], prices: dict[str, int]) -> int:
    """Add up amount times price over the names of a basket. A name without a price costs nothing."""
    return sum(amount * prices.get(name, 0) for name, amount in basket.items())


def two_stocks(rng: random.Random) -> tuple[dict[str, int], dict[str, int]]:
    """Draw two dictionaries: the same in another order at times, or with one value or key changed."""
    a: dict[str, int] = STOCK(rng)
    names = rng.sample(sorted(a), len(a))
    b = {name: a[name] for name in names}
    if names and rng.random() < 0.5:
        b[rng.choice([*names, "x"])] = rng.randint(-3, 9)
    return a, b if rng.random() < 0.8 else STOCK(rng)


@draft(
    3,
    two_stocks,
    q="""
    same:(asc key a)~asc key b;
    $[same;(count[a]=0)|all a[k]=b k:key a;0b]
    """,
    edges=[
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}),
        ({}, {}),
        ({"a": 1}, {"a": 1}),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"b": 1}),
        ({}, {"a": 1}),
        ({"c": 4, "d": 0, "a": 1}, {"d": 0, "a": 1, "c": 4}),
    ],
)
def same_stock(a: dict[str, int], b: dict[str, int]) -> bool:
    """Say whether two dictionaries have the same keys with the same values, in whatever order."""
    return a == b


@draft(
    3,
    mapping(WORD, keys=WORD),
    WORD,
    q="{[links;name] $[any name~/:key links;links name;name]}[links]/[3;name]",
    edges=[({}, "a"), ({"a": "bb", "bb": "a"}, "a"), ({"a": "b", "b": "c", "c": "d", "d": "aa"}, "a")],
)
def follow_three(links: dict[str, str], name: str) -> str:
    """Follow the links of a dictionary three times, beginning at name: each step goes from a name to the value that it
    is the key of, and stays where there is none. Return the last name."""
    for _ in range(3):
        name = links.get(name, name)
    return name
