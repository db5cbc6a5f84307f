"""Problems on closed intervals [start, end] of whole numbers."""

from __future__ import annotations

from bootstrap.sources.function_basics.drafts import draft, ints, list_of, pairs, span, whole

SPANS = pairs(0, 12, width=5)
SPAN = span(0, 9, 5)


@draft(
    1, SPAN, whole(-1, 16), q="n within span", edges=[([2, 4], 2), ([2, 4], 4), ([2, 4], 1), ([2, 4], 5), ([3, 3], 3)]
)
def holds(span: list[int], n: int) -> bool:
    """Say whether a number lies in a closed interval, given as [start, end]; both ends belong to it."""
    return span[0] <= n <= span[1]


@draft(
    1,
    SPAN,
    SPAN,
    q="(a[0]<=b 1)&b[0]<=a 1",
    edges=[([0, 2], [2, 4]), ([0, 2], [3, 4]), ([3, 4], [0, 2]), ([0, 9], [3, 4]), ([5, 8], [2, 5])],
)
def overlap(a: list[int], b: list[int]) -> bool:
    """Say whether two closed intervals [start, end] have a number in common."""
    return a[0] <= b[1] and b[0] <= a[1]


@draft(
    2,
    SPAN,
    SPAN,
    q="""
    common:(a[0]|b 0),a[1]&b 1;
    $[common[0]>common 1;();common]
    """,
    edges=[([0, 2], [2, 4]), ([0, 2], [3, 4]), ([3, 4], [0, 2]), ([0, 9], [3, 4])],
)
def common_part(a: list[int], b: list[int]) -> list[int]:
    """Return the closed interval [start, end] of the numbers that two closed intervals have in common; the empty list
    where there are none."""
    start, end = max(a[0], b[0]), min(a[1], b[1])
    return [start, end] if start <= end else []


@draft(
    3,
    SPANS,
    q="""
    join:{[done;span]
      $[0=count done;enlist span;
        span[0]<=last[done]1;(-1_done),enlist (first last done),span[1]|last[done]1;
        done,enlist span]};
    join/[();spans iasc first each spans]
    """,
    edges=[
        ([],),
        ([[3, 5], [1, 3]],),
        ([[1, 9], [2, 3]],),
        ([[1, 2], [3, 4]],),
        ([[0, 3], [7, 11], [8, 9]],),
    ],
)
def merge_spans(spans: list[list[int]]) -> list[list[int]]:
    """Merge closed intervals [start, end] that have a number in common, and return what results in ascending order.
    Intervals that only stand side by side, such as [1, 2] and [3, 4], stay apart."""
    merged: list[list[int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    return merged


@draft(
    2, SPANS, q="count distinct raze {x[0]+til 1+x[1]-x 0} each spans", edges=[([],), ([[1, 3], [2, 5]],), ([[4, 4]],)]
)
def covered_count(spans: list[list[int]]) -> int:
    """Count the different whole numbers that lie in at least one of the closed intervals [start, end]."""
    return len({n for start, end in spans for n in range(start, end + 1)})


@draft(1, SPANS, whole(0, 16), q="count where n within/:spans", edges=[([], 3), ([[1, 3], [3, 5]], 3)])
def how_many_hold(spans: list[list[int]], n: int) -> int:
    """Count the closed intervals [start, end] of a list in which a number lies."""
    return sum(start <= n <= end for start, end in spans)


@draft(1, SPANS, q="sum 0,1+(last each spans)-first each spans", edges=[([],), ([[1, 3], [2, 5]],)])
def total_length(spans: list[list[int]]) -> int:
    """Add up how many whole numbers each of the closed intervals [start, end] holds. Intervals that overlap count each
    in full."""
    return sum(end - start + 1 for start, end in spans)


@draft(
    3,
    SPANS,
    q="""
    days:raze {x[0]+til 1+x[1]-x 0} each spans;
    $[count days;max count each group days;0]
    """,
    edges=[([],), ([[1, 3], [3, 5]],), ([[1, 2], [3, 4]],)],
)
def most_at_once(spans: list[list[int]]) -> int:
    """Return how many of the closed intervals [start, end] hold one and the same number at most. Without intervals it
    is 0."""
    numbers = [n for start, end in spans for n in range(start, end + 1)]
    return max((numbers.count(n) for n in numbers), default=0)


@draft(
    3,
    SPANS,
    q="""
    pick:{[state;span] $[span[0]>state 1;(1+state 0;span 1);state]};
    first pick/[0 -1;spans iasc last each spans]
    """,
    edges=[([],), ([[1, 3], [3, 5]],), ([[1, 2], [3, 4]],), ([[0, 9], [1, 2], [3, 4], [5, 9]],)],
)
def most_apart(spans: list[list[int]]) -> int:
    """Return how many of the closed intervals [start, end] can be chosen at most so that no two of them have a number
    in common. Starts are not negative."""
    chosen, reached = 0, -1
    for start, end in sorted(spans, key=lambda span: span[1]):
        if start > reached:
            chosen += 1
            reached = end
    return chosen


@draft(
    3,
    list_of(whole(0, 15), 0, 9),
    q="""
    d:asc distinct nums;
    starts:where 1<>d-prev d;
    $[count d;{(first x;last x)} each starts cut d;()]
    """,
    edges=[([],), ([3],), ([1, 2, 3, 5],), ([4, 2, 3, 3],), ([9, 1, 1, 0, 0, 9, 9],), ([0, 1],)],
)
def as_spans(nums: list[int]) -> list[list[int]]:
    """Write the different numbers of a list, none of them negative, as closed intervals [start, end] of consecutive
    numbers, as few as possible and in ascending order. A number alone is an interval with equal ends."""
    found: list[list[int]] = []
    for n in sorted(set(nums)):
        if found and n == found[-1][1] + 1:
            found[-1][1] = n
        else:
            found.append([n, n])
    return found


@draft(
    2,
    SPAN,
    list_of(whole(-1, 15), 0, 7),
    q="(til[1+span[1]-span 0]+span 0) except nums",
    edges=[([2, 4], []), ([2, 4], [3]), ([3, 3], [3])],
)
def free_numbers(span: list[int], nums: list[int]) -> list[int]:
    """Return the numbers of a closed interval [start, end] that are not in a list, in ascending order."""
    return [n for n in range(span[0], span[1] + 1) if n not in nums]


@draft(
    2, pairs(0, 12, 1, 5, 5), q="(min first each spans),max last each spans", edges=[([[3, 3]],), ([[4, 5], [1, 9]],)]
)
def hull(spans: list[list[int]]) -> list[int]:
    """Return the smallest closed interval [start, end] that holds all the intervals of a list, which is not empty."""
    return [min(start for start, _ in spans), max(end for _, end in spans)]


@draft(2, SPANS, q="spans idesc (last each spans)-first each spans", edges=[([],), ([[1, 2], [5, 6], [0, 9]],)])
def longest_first(spans: list[list[int]]) -> list[list[int]]:
    """Sort closed intervals [start, end] by length, the longest first. Those of one length keep the order they have."""
    return sorted(spans, key=lambda span: span[0] - span[1])


@draft(
    2, ints(0, 12, 0, 5), whole(0, 4), q="spans:asc nums;{(x-y;x+y)}[;reach] each spans", edges=[([], 1), ([3, 1], 2)]
)
def reaches(nums: list[int], reach: int) -> list[list[int]]:
    """Return for each number of a list, in ascending order, the closed interval [start, end] of what is at most reach
    away from it. A number that comes twice has two intervals."""
    return [[n - reach, n + reach] for n in sorted(nums)]
