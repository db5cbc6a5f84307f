"""Problems on counting, grouping and sets of values."""

from __future__ import annotations

from bootstrap.sources.function_basics.drafts import draft, flags, ints, list_of, one_of, text, whole, words

FEW = ints(0, 4)
NAMES = words("ab", high=2)


@draft(1, FEW, q="count distinct nums", edges=[([],), ([2, 2],)])
def count_different(nums: list[int]) -> int:
    """Count the different numbers of a list."""
    return len(set(nums))


@draft(1, FEW, q="distinct nums", edges=[([],), ([2, 1, 2],)])
def drop_repeats(nums: list[int]) -> list[int]:
    """Return each different number of a list once, in the order in which they first come."""
    return [n for i, n in enumerate(nums) if n not in nums[:i]]


@draft(1, FEW, q="(count nums)<>count distinct nums", edges=[([],), ([2],), ([2, 2],), ([1, 2, 3],), ([0, 3, 0],)])
def has_repeats(nums: list[int]) -> bool:
    """Say whether some number comes more than once in a list."""
    return len(set(nums)) != len(nums)


@draft(1, FEW, FEW, q="asc distinct a inter b", edges=[([], []), ([1, 1], [1]), ([1], [2]), ([3, 1], [1, 3])])
def in_both(a: list[int], b: list[int]) -> list[int]:
    """Return the numbers that are in both lists, each once, in ascending order."""
    return sorted(set(a) & set(b))


@draft(1, FEW, FEW, q="asc distinct a except b", edges=[([], [1]), ([1, 1], []), ([2, 1], [2])])
def only_in_first(a: list[int], b: list[int]) -> list[int]:
    """Return the numbers of the first list that are not in the second, each once, in ascending order."""
    return sorted(set(a) - set(b))


@draft(1, FEW, FEW, q="asc a union b", edges=[([], []), ([1, 1], [0]), ([2, 1], [2])])
def in_either(a: list[int], b: list[int]) -> list[int]:
    """Return the numbers that are in at least one of two lists, each once, in ascending order."""
    return sorted(set(a) | set(b))


@draft(2, FEW, FEW, q="asc distinct (a except b),b except a", edges=[([], []), ([1, 1], [0]), ([2, 1], [2])])
def in_one_only(a: list[int], b: list[int]) -> list[int]:
    """Return the numbers that are in exactly one of two lists, each once, in ascending order."""
    return sorted(set(a) ^ set(b))


@draft(1, FEW, FEW, q="all a in b", edges=[([], [1]), ([1, 1], [1]), ([1, 2], [1]), ([1, 2], [2, 3, 1]), ([1], [])])
def is_subset(a: list[int], b: list[int]) -> bool:
    """Say whether every number of the first list is in the second. An empty first list is."""
    return all(n in b for n in a)


@draft(
    2,
    ints(0, 4, least=1),
    q="""
    times:count each group nums;
    min where times=max times
    """,
    edges=[([3],), ([2, 1],), ([2, 1, 2, 1],), ([4, 4, 0],)],
)
def commonest(nums: list[int]) -> int:
    """Return the number that comes most often in a list that is not empty; of several the least."""
    return min(nums, key=lambda n: (-nums.count(n), n))


@draft(2, FEW, q="(count each group nums)nums", edges=[([],), ([2, 1, 2],)])
def how_often_each(nums: list[int]) -> list[int]:
    """Return for each place of a list how often its number comes in the whole list."""
    return [nums.count(n) for n in nums]


@draft(2, FEW, q="asc where 1=count each group nums", edges=[([],), ([2, 1, 2],), ([3, 3],), ([2, 1],)])
def lone_numbers(nums: list[int]) -> list[int]:
    """Return the numbers that come exactly once in a list, in ascending order."""
    return sorted(n for n in nums if nums.count(n) == 1)


@draft(
    2,
    FEW,
    whole(1, 3),
    q="asc where k<=count each group nums",
    edges=[([], 1), ([2, 1, 2], 2), ([3, 3], 3), ([2, 1], 1)],
)
def at_least_times(nums: list[int], k: int) -> list[int]:
    """Return the different numbers that come at least k times in a list, in ascending order; k is at least 1."""
    return sorted(n for n in set(nums) if nums.count(n) >= k)


@draft(2, NAMES, q="$[count items;count each group items;()!()]", edges=[([],), (["a", "b", "a"],)])
def tally(items: list[str]) -> dict[str, int]:
    """Return a dictionary from each different text of a list to how often it comes."""
    counts: dict[str, int] = {}
    for item in items:
        counts[item] = counts.get(item, 0) + 1
    return counts


@draft(
    2,
    words("ab", least=1, high=3),
    q="""
    times:count each group items;
    first asc where times=max times
    """,
    edges=[(["b"],), (["b", "a"],), (["b", "b", "a"],), (["b", "a", "b", "a"],)],
)
def commonest_word(items: list[str]) -> str:
    """Return the text that comes most often in a list that is not empty; of several the first in alphabetical order."""
    return min(items, key=lambda item: (-items.count(item), item))


@draft(2, words("abc", least=0, high=4), q="value items group count each items", edges=[([],), (["b", "aa", "c"],)])
def by_length(items: list[str]) -> list[list[str]]:
    """Gather the texts of a list that have the same length in one list each: the groups in the order of their first
    texts, the texts in the order of the list."""
    groups: dict[int, list[str]] = {}
    for item in items:
        groups.setdefault(len(item), []).append(item)
    return list(groups.values())


@draft(2, FEW, q="value group nums", edges=[([],), ([3, 1, 3],)])
def places_by_value(nums: list[int]) -> list[list[int]]:
    """Return for each different number of a list, in the order in which they first come, the list of its places,
    counted from 0."""
    groups: dict[int, list[int]] = {}
    for i, n in enumerate(nums):
        groups.setdefault(n, []).append(i)
    return list(groups.values())


@draft(2, ints(), whole(2, 4), q="@[k#0;nums mod k;+;1]", edges=[([], 2), ([-1, 4], 3)])
def count_by_remainder(nums: list[int], k: int) -> list[int]:
    """Count the numbers of a list by their remainder on division by k: return k counts, for the remainders 0, 1 and so
    on. The remainder of a negative number is not negative."""
    counts = [0] * k
    for n in nums:
        counts[n % k] += 1
    return counts


@draft(
    2,
    list_of(whole(-5, 24), 0, 9),
    q="count each where each nums within/:(0 9;10 19)",
    edges=[([],), ([9, 10, 19, 20],), ([0, -1],)],
)
def count_in_ranges(nums: list[int]) -> list[int]:
    """Return two counts: how many numbers of a list lie from 0 to 9, and how many from 10 to 19, ends included."""
    return [sum(0 <= n <= 9 for n in nums), sum(10 <= n <= 19 for n in nums)]


@draft(
    1,
    flags(),
    q="(sum marks,0b)>sum 0b,not marks",
    edges=[([],), ([True],), ([True, False],), ([True, True, False],), ([False],)],
)
def most_say_yes(marks: list[bool]) -> bool:
    """Say whether a list has more true than false values. In the empty list it has not."""
    return sum(marks) > len(marks) - sum(marks)


@draft(
    2,
    ints(0, 3),
    q="first (where (count nums)<2*count each group nums),-1",
    edges=[([],), ([2],), ([1, 2],), ([1, 2, 1],), ([3, 3, 0, 1],)],
)
def majority(nums: list[int]) -> int:
    """Return the number that fills more than half of the places of a list; -1 where there is none. The numbers are not
    negative."""
    return next((n for n in nums if 2 * nums.count(n) > len(nums)), -1)


@draft(2, FEW, q="sum 0,{(x*x-1) div 2} each value count each group nums", edges=[([],), ([1, 1, 1],)])
def equal_pairs(nums: list[int]) -> int:
    """Count the pairs of different places of a list that hold the same number."""
    return sum(nums[i] == nums[j] for i in range(len(nums)) for j in range(i))


@draft(
    1,
    FEW,
    FEW,
    q="(asc a)~asc b",
    edges=[([], []), ([1, 2], [2, 1]), ([1, 1, 2], [1, 2, 2]), ([1], [1, 1]), ([3, 0, 3], [0, 3, 3])],
)
def same_items(a: list[int], b: list[int]) -> bool:
    """Say whether two lists hold the same numbers, each as often, in whatever order."""
    return sorted(a) == sorted(b)


@draft(
    2,
    text("abc", 0, 4),
    text("abc", 0, 7),
    q="""
    fits:{[wanted;stock;letter] (sum wanted=letter)<=sum stock=letter};
    all fits[wanted;stock] each wanted
    """,
    edges=[("", ""), ("aa", "a"), ("ab", "ba"), ("a", ""), ("ab", "cba"), ("aa", "aba"), ("abc", "cab")],
)
def can_spell(wanted: str, stock: str) -> bool:
    """Say whether a text can be put together from the letters of another, each letter used at most once. The empty text
    can."""
    return all(wanted.count(letter) <= stock.count(letter) for letter in wanted)


@draft(1, ints(0, 30, 0, 9), whole(1, 10), q="asc distinct step*nums div step", edges=[([], 5), ([4, 5], 5)])
def buckets(nums: list[int], step: int) -> list[int]:
    """Round each number of a list down to a multiple of step and return the different results in ascending order."""
    return sorted({n // step * step for n in nums})


@draft(
    2,
    list_of(one_of("red", "blue", "green"), 0, 7),
    list_of(whole(0, 9), 7, 7),
    q="""
    $[count colours;sum each (count[colours]#amounts) group colours;()!()]
    """,
    edges=[([], [1, 2, 3, 4, 5, 6, 7]), (["red", "blue", "red"], [1, 2, 3, 4, 5, 6, 7])],
)
def sums_by_colour(colours: list[str], amounts: list[int]) -> dict[str, int]:
    """Return a dictionary from each different colour of a list to the sum of the amounts at its places. Amounts beyond
    the last colour do not count."""
    found: dict[str, int] = {}
    for colour, amount in zip(colours, amounts, strict=False):
        found[colour] = found.get(colour, 0) + amount
    return found
