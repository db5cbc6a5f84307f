"""Problems on sorting, ranking and searching."""

from __future__ import annotations

from bootstrap.sources.function_basics.drafts import distinct, draft, ints, list_of, ordered, text, whole, words


@draft(
    1, ints(), whole(0, 5), q="(k&count nums)#desc nums", edges=[([], 2), ([3, 1, 2], 0), ([3, 1], 5), ([2, 2, 1], 2)]
)
def largest(nums: list[int], k: int) -> list[int]:
    """Return the k largest numbers of a list, the largest first; all of them where there are fewer."""
    return sorted(nums, reverse=True)[:k]


@draft(2, ints(), q="$[2>count d:desc distinct nums;0N;d 1]", edges=[([],), ([4, 4],), ([4, 4, 3],), ([1, 2],)])
def second_largest(nums: list[int]) -> int | None:
    """Return the second largest of the different numbers of a list; null where there are fewer than two different
    ones."""
    ranked = sorted(set(nums), reverse=True)
    return ranked[1] if len(ranked) > 1 else None


@draft(2, ints(-9, 9), q="nums iasc abs nums", edges=[([],), ([-2, 2, 1],), ([3, -3, 3],)])
def sort_by_size(nums: list[int]) -> list[int]:
    """Sort a list by distance from 0, nearest first. Numbers as far keep the order they have in the list."""
    return sorted(nums, key=abs)


@draft(2, words(), q="items iasc count each items", edges=[([],), (["bb", "a", "cc"],), (["b", "a"],)])
def sort_by_length(items: list[str]) -> list[str]:
    """Sort texts by length, shortest first. Texts of one length keep the order they have in the list."""
    return sorted(items, key=len)


@draft(1, words("abcAB", high=3), q="asc items", edges=[([],), (["b", "a", "B"],), (["ab", "a"],)])
def sort_words(items: list[str]) -> list[str]:
    """Sort texts by their characters' codes: capital letters come before small ones, a text before its
    continuations."""
    return sorted(items)


@draft(
    2,
    ints(),
    q="(asc nums where 0=nums mod 2),desc nums where 1=nums mod 2",
    edges=[([],), ([3, 1, 2],), ([4, 2],), ([1, 5],)],
)
def even_then_odd(nums: list[int]) -> list[int]:
    """Return the even numbers of a list in ascending order, after them the odd ones in descending order."""
    return sorted(n for n in nums if n % 2 == 0) + sorted((n for n in nums if n % 2), reverse=True)


@draft(2, ints(), q="1+(desc distinct nums)?nums", edges=[([],), ([5, 5, 3],)])
def dense_ranks(nums: list[int]) -> list[int]:
    """Return the rank of each number of a list: the largest has rank 1, equal numbers have the same rank, and no rank
    is left out."""
    ranked = sorted(set(nums), reverse=True)
    return [ranked.index(n) + 1 for n in nums]


@draft(1, ints(), q="1+(asc nums)?nums", edges=[([],), ([5, 5, 3],)])
def sporting_ranks(nums: list[int]) -> list[int]:
    """Return for each number of a list one more than how many numbers of the list are less than it."""
    return [1 + sum(other < n for other in nums) for n in nums]


@draft(1, ints(least=1), q="nums?max nums", edges=[([3],), ([2, 5, 5],)])
def place_of_greatest(nums: list[int]) -> int:
    """Return the place of the greatest number of a list, counted from 0; the first of several. The list is not
    empty."""
    return nums.index(max(nums))


@draft(2, ints(least=1), q="last where nums=min nums", edges=[([3],), ([2, 5, 2],)])
def last_place_of_least(nums: list[int]) -> int:
    """Return the last place, counted from 0, of the least number of a list that is not empty."""
    return max(i for i, n in enumerate(nums) if n == min(nums))


@draft(1, ints(-4, 4), whole(-4, 4), q="where nums=wanted", edges=[([], 1), ([1, 1], 1), ([2], 1)])
def places_of(nums: list[int], wanted: int) -> list[int]:
    """Return all places, counted from 0, at which a list holds the number wanted."""
    return [i for i, n in enumerate(nums) if n == wanted]


@draft(1, ints(-4, 4), whole(-5, 5), q="$[wanted in nums;nums?wanted;-1]", edges=[([], 1), ([1, 1], 1), ([2], 1)])
def place_of(nums: list[int], wanted: int) -> int:
    """Return the first place, counted from 0, at which a list holds the number wanted; -1 where it does not."""
    return nums.index(wanted) if wanted in nums else -1


@draft(2, ordered(ints()), whole(-10, 10), q="count where nums<wanted", edges=[([], 1), ([1, 1], 1), ([2], 3)])
def insertion_place(nums: list[int], wanted: int) -> int:
    """Return at which place, counted from 0, a number is put into an ascending list so that the list stays ascending;
    before equal numbers."""
    return sum(n < wanted for n in nums)


@draft(
    2,
    ordered(ints(least=1)),
    whole(-10, 10),
    q="first nums iasc abs nums-wanted",
    edges=[([1, 3], 2), ([5], 0), ([1, 1, 4], 4)],
)
def nearest(nums: list[int], wanted: int) -> int:
    """Return the number of an ascending list that is nearest to wanted; of two as near, the lesser. The list is not
    empty."""
    return min(nums, key=lambda n: (abs(n - wanted), n))


@draft(2, ordered(ints()), ordered(ints()), q='"j"$asc a,b', edges=[([], []), ([1, 3], [2])])
def merge_sorted(a: list[int], b: list[int]) -> list[int]:
    """Merge two ascending lists into one ascending list that holds every number of both."""
    return sorted(a + b)


@draft(
    2,
    ints(-9, 9, 1, 7),
    q="sum 0,raze nums>'(1+til count nums)_\\:nums",
    edges=[([1],), ([2, 1],), ([1, 1],), ([3, 2, 1],)],
)
def inversions(nums: list[int]) -> int:
    """Count the pairs of places in a list at which the earlier number is greater than the later one. The list is not
    empty."""
    return sum(nums[i] > nums[j] for i in range(len(nums)) for j in range(i + 1, len(nums)))


@draft(
    3,
    ints(0, 9),
    q="count {(x where x<y),y,1_x where x>=y}/[();nums]",
    edges=[([],), ([3, 1, 2],), ([2, 2],), ([1, 2, 3],), ([5, 1, 6, 2, 7],), ([2, 3, 2, 1, 3, 4],)],
)
def longest_rising(nums: list[int]) -> int:
    """Return how many numbers can be kept at most when numbers of a list are left out, so that each kept one is greater
    than the kept one before it."""
    best: list[int] = []
    for i, n in enumerate(nums):
        best.append(1 + max([best[j] for j in range(i) if nums[j] < n], default=0))
    return max(best, default=0)


@draft(
    3,
    distinct(ints(0, 9)),
    whole(0, 18),
    q="""
    pairs:raze til[count nums],/:\\:til count nums;
    pairs:pairs where (</) each pairs;
    $[count hits:pairs where total=sum each nums pairs;first hits;()]
    """,
    edges=[([], 3), ([1, 2], 3), ([1, 2], 4), ([5, 1, 4, 2], 6), ([3, 1], 6)],
)
def two_that_make(nums: list[int], total: int) -> list[int]:
    """Return the places, counted from 0, of two different places of a list whose numbers add up to total, lesser place
    first: the pair with the least first place, then with the least second. Where there is none, the empty
    list."""
    for i in range(len(nums)):
        for j in range(i + 1, len(nums)):
            if nums[i] + nums[j] == total:
                return [i, j]
    return []


@draft(1, ints(least=2), q="min 1_deltas asc nums", edges=[([4, 4],), ([1, 9, 5],)])
def smallest_gap(nums: list[int]) -> int:
    """Return the smallest difference between two numbers of a list of at least two."""
    ranked = sorted(nums)
    return min(ranked[i] - ranked[i - 1] for i in range(1, len(ranked)))


@draft(2, ints(0, 9, least=1), q="first (til 2+max nums) except nums", edges=[([0],), ([1],), ([0, 1, 2],), ([0, 2],)])
def least_missing(nums: list[int]) -> int:
    """Return the least number from 0 on that is not in a list. The list is not empty, its numbers are not negative."""
    n = 0
    while n in nums:
        n += 1
    return n


@draft(
    2,
    ints(0, 5, 0, 9),
    q="1+where 1_-1_(nums>prev nums)&nums>next nums",
    edges=[([],), ([1, 2],), ([1, 3, 2],), ([1, 3, 3, 1],), ([3, 1, 2],)],
)
def peaks(nums: list[int]) -> list[int]:
    """Return the places, counted from 0, of the numbers of a list that are greater than both neighbours. The first and
    the last number have not two."""
    return [i for i in range(1, len(nums) - 1) if nums[i - 1] < nums[i] > nums[i + 1]]


@draft(2, words("abc", low=1, high=3), q="items iasc reverse each items", edges=[([],), (["ab", "ba"],), (["b", "a"],)])
def sort_by_ending(items: list[str]) -> list[str]:
    """Sort texts by how they read backwards. Equal texts keep their order."""
    return sorted(items, key=lambda item: item[::-1])


@draft(
    2,
    list_of(ints(0, 4, 2, 2), 0, 6),
    q="points iasc sum each points",
    edges=[([],), ([[1, 2], [0, 1]],), ([[2, 1], [1, 2]],)],
)
def sort_by_sum(points: list[list[int]]) -> list[list[int]]:
    """Sort lists of two numbers by their sum, least first. Lists with one sum keep the order they have."""
    return sorted(points, key=sum)


@draft(
    2,
    lambda rng: (ints(0, 3, 0, 7)(rng), ints(0, 4, 0, 5)(rng)),
    q="nums iasc order?nums",
    edges=[([], [1]), ([1, 2, 1], [2, 1]), ([3, 2], [2]), ([3, 0, 2], [2])],
)
def sort_like(nums: list[int], order: list[int]) -> list[int]:
    """Sort a list so that its numbers come as in the list order, by their first place there. Numbers that are not there
    come last and keep their order."""
    return sorted(nums, key=lambda n: order.index(n) if n in order else len(order))


@draft(1, text("abcdABC", 0, 8), q="asc letters", edges=[("",), ("bB",)])
def sort_letters(letters: str) -> str:
    """Sort the letters of a text by their codes: capital letters come before small ones."""
    return "".join(sorted(letters))
