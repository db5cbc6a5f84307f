"""Problems on lists of numbers: choosing, adding, comparing neighbours."""

from __future__ import annotations

import random

from bootstrap.sources.function_basics.drafts import draft, flags, ints, list_of, reals, whole


def some_missing(rng: random.Random) -> list[int | None]:
    """Draw numbers and nulls, at least one number among them: a list of nulls alone is no list of integers in q."""
    nums: list[int | None] = [rng.choice([None, rng.randint(-9, 9)]) for _ in range(rng.choice([0, 1, 3, 5, 6, 7, 8]))]
    return [*nums[1:], rng.randint(-9, 9)] if nums and all(n is None for n in nums) else nums


@draft(1, ints(), q="sum 0,nums where 0=nums mod 2", edges=[([],), ([1, 3],), ([-2, 4, 0],)])
def sum_of_even(nums: list[int]) -> int:
    """Add up the even numbers of a list. Where there are none the sum is 0."""
    return sum(n for n in nums if n % 2 == 0)


@draft(1, ints(), q="count where nums>0", edges=[([],), ([0, 0],), ([0, 1, 2],)])
def count_positive(nums: list[int]) -> int:
    """Count the numbers of a list that are greater than 0."""
    return sum(n > 0 for n in nums)


@draft(1, ints(), q="sums nums", edges=[([],), ([4],)])
def running_sums(nums: list[int]) -> list[int]:
    """Return for each place of a list the sum of all its numbers up to and with that place."""
    found = []
    total = 0
    for n in nums:
        total += n
        found.append(total)
    return found


@draft(1, ints(), q="maxs nums", edges=[([],), ([-3, -5, -1],)])
def running_maximum(nums: list[int]) -> list[int]:
    """Return for each place of a list the greatest number up to and with that place."""
    return [max(nums[: i + 1]) for i in range(len(nums))]


@draft(1, ints(), q="1_deltas nums", edges=[([],), ([4],), ([4, 9],)])
def differences(nums: list[int]) -> list[int]:
    """Return what each number of a list has more than the one before it, from the second on. A list of fewer than two
    numbers gives the empty list."""
    return [nums[i] - nums[i - 1] for i in range(1, len(nums))]


@draft(1, ints(), q="$[count nums;(max nums)-min nums;0]", edges=[([],), ([4],), ([-5, -2],)])
def value_range(nums: list[int]) -> int:
    """Return the difference of the greatest and the least number of a list; 0 for the empty list."""
    return max(nums) - min(nums) if nums else 0


@draft(1, reals(), q="$[count nums;avg nums;0f]", edges=[([],), ([2.5],), ([1.0, 2.0],)])
def mean_or_zero(nums: list[float]) -> float:
    """Return the arithmetic mean of a list of numbers; 0 for the empty list."""
    return sum(nums) / len(nums) if nums else 0.0


@draft(2, reals(least=1), q="med nums", edges=[([3.0],), ([4.0, 1.0],), ([5.0, 1.0, 3.0],)])
def median_of(nums: list[float]) -> float:
    """Return the median of a list with at least one number: the middle one in order of size, or the mean of the middle
    two."""
    ranked = sorted(nums)
    half = len(ranked) // 2
    return ranked[half] if len(ranked) % 2 else (ranked[half - 1] + ranked[half]) / 2


@draft(
    1,
    lambda rng: tuple(list_of(whole(-9, 9), size, size)(rng) for size in [rng.randint(0, 6)] * 2),
    q="sum 0,a*b",
    edges=[([], []), ([3], [-2]), ([0, 1], [5, 5])],
)
def dot_product(a: list[int], b: list[int]) -> int:
    """Add up the products of the numbers at the same place of two lists of one length. For empty lists it is 0."""
    return sum(x * y for x, y in zip(a, b, strict=True))


@draft(1, ints(-4, 4), q="prd 1,nums where nums<>0", edges=[([],), ([0],), ([0, 3, -2],)])
def product_without_zeros(nums: list[int]) -> int:
    """Multiply the numbers of a list other than 0. Where there are none the product is 1."""
    product = 1
    for n in nums:
        if n != 0:
            product *= n
    return product


@draft(1, ints(), q="nums where 0=(til count nums) mod 2", edges=[([],), ([1],), ([1, 2],)])
def every_second(nums: list[int]) -> list[int]:
    """Return the first, third, fifth number of a list and so on."""
    return nums[::2]


@draft(
    2,
    ints(-5, 5),
    q="count where 0<>1_deltas signum nums where nums<>0",
    edges=[([],), ([1, 0, -1],), ([0, 0],), ([1, -1, 1],)],
)
def sign_changes(nums: list[int]) -> int:
    """Count how often the sign changes from one number of a list to the next; zeros are passed over as if they were not
    there."""
    kept = [n for n in nums if n != 0]
    return sum((kept[i] > 0) != (kept[i - 1] > 0) for i in range(1, len(kept)))


@draft(2, ints(-6, 6), q="max 0,{0|x+y}\\[0;nums]", edges=[([],), ([-3, -1],), ([2, -1, 3],), ([2, -5, 3],)])
def best_run_sum(nums: list[int]) -> int:
    """Return the greatest sum of consecutive numbers of a list. Taking none of them counts and gives 0."""
    best = here = 0
    for n in nums:
        here = max(0, here + n)
        best = max(best, here)
    return best


@draft(
    2,
    ints(0, 5),
    q="$[count nums;max 1_deltas (where differ nums),count nums;0]",
    edges=[([],), ([1],), ([2, 2, 2],), ([1, 2, 2, 1],), ([1, 1, 2],)],
)
def longest_equal_run(nums: list[int]) -> int:
    """Return the length of the longest run of equal neighbours in a list; 0 for the empty list."""
    best = run = 0
    for i, n in enumerate(nums):
        run = run + 1 if i and nums[i - 1] == n else 1
        best = max(best, run)
    return best


@draft(2, flags(), q="max 0,{y*1+x}\\[0;marks]", edges=[([],), ([True],), ([False, True, True],)])
def longest_true_run(marks: list[bool]) -> int:
    """Return the length of the longest run of true values in a list; 0 where there is none."""
    best = run = 0
    for mark in marks:
        run = run + 1 if mark else 0
        best = max(best, run)
    return best


@draft(
    1,
    ints(-3, 9),
    q="all 0<=1_deltas nums",
    edges=[([],), ([3],), ([1, 1],), ([1, 2, 2],), ([2, 1],), ([1, 3, 2],), ([0, 5, 9],)],
)
def never_falls(nums: list[int]) -> bool:
    """Say whether no number of a list is less than the one before it. A list of fewer than two numbers never falls."""
    return all(nums[i - 1] <= nums[i] for i in range(1, len(nums)))


@draft(
    2,
    ints(),
    whole(1, 4),
    q="$[n>count nums;();n _ (sums 0,nums)-n xprev sums 0,nums]",
    edges=[([], 1), ([1, 2, 3], 2), ([1, 2], 3), ([4, 5], 2)],
)
def window_sums(nums: list[int], n: int) -> list[int]:
    """Return the sums of all runs of n consecutive numbers of a list, from left to right; n is at least 1. A list of
    fewer than n numbers gives the empty list."""
    return [sum(nums[i : i + n]) for i in range(len(nums) - n + 1)]


@draft(1, ints(), whole(1, 4), q="$[count nums;n cut nums;()]", edges=[([], 2), ([1, 2, 3], 2), ([1, 2], 2), ([1], 3)])
def chunks(nums: list[int], n: int) -> list[list[int]]:
    """Divide a list into lists of n numbers, n being at least 1; the last may be shorter. The empty list gives the
    empty list."""
    return [nums[i : i + n] for i in range(0, len(nums), n)]


@draft(
    1,
    ints(),
    whole(-12, 12),
    q="$[count nums;(neg shift) rotate nums;nums]",
    edges=[([], 2), ([1, 2, 3], 1), ([1, 2, 3], -1), ([1, 2], 5)],
)
def rotate_right(nums: list[int], shift: int) -> list[int]:
    """Move the last shift numbers of a list to its front, one after the other; a negative shift moves numbers from the
    front to the end. The empty list stays empty."""
    if not nums:
        return nums
    shift %= len(nums)
    return nums[len(nums) - shift :] + nums[: len(nums) - shift]


@draft(
    3,
    ints(),
    ints(),
    q="""
    both:(count a)&count b;
    (raze (both#a),'both#b),(both _a),both _b
    """,
    edges=[([], []), ([1, 2], [3, 4]), ([1], [2, 3, 4]), ([1, 2, 3], [9])],
)
def interleave(a: list[int], b: list[int]) -> list[int]:
    """Take numbers from two lists in turn, beginning with the first list; when one list is used up, the rest of the
    other follows."""
    both = min(len(a), len(b))
    return [n for pair in zip(a, b, strict=False) for n in pair] + a[both:] + b[both:]


@draft(
    2,
    ints(-5, 9),
    q="""
    before:(sums nums)-nums;
    first (where before=(sum 0,nums)-before+nums),-1
    """,
    edges=[([],), ([5],), ([1, 2, 1],), ([0, 0],), ([1, 2, 3],)],
)
def balance_point(nums: list[int]) -> int:
    """Return the first place, counted from 0, where the numbers before it and the numbers after it have the same sum;
    -1 where there is no such place."""
    for i in range(len(nums)):
        if sum(nums[:i]) == sum(nums[i + 1 :]):
            return i
    return -1


@draft(2, ints(1, 9), q="$[0=count nums;nums;(prd nums) div nums]", edges=[([],), ([4],), ([2, 3],)])
def products_of_others(nums: list[int]) -> list[int]:
    """Return for each place of a list of positive numbers the product of all its other numbers. In a list of one number
    it is 1."""
    found = []
    for i in range(len(nums)):
        product = 1
        for j, n in enumerate(nums):
            if j != i:
                product *= n
        found.append(product)
    return found


@draft(
    1,
    ints(0, 40),
    q='{$[0=x mod 15;"FizzBuzz";0=x mod 5;"Buzz";0=x mod 3;"Fizz";string x]} each nums',
    edges=[([],), ([0, 3, 5, 15, 7],)],
)
def fizz_buzz(nums: list[int]) -> list[str]:
    """Replace each number of a list by text: FizzBuzz where 15 divides it, else Buzz where 5 does, else Fizz where 3
    does, else its own digits. The numbers are not negative."""
    shown = []
    for n in nums:
        word = ("Fizz" if n % 3 == 0 else "") + ("Buzz" if n % 5 == 0 else "")
        shown.append(word or str(n))
    return shown


@draft(1, ints(-9, 9), whole(-3, 3), q="nums*nums>limit", edges=[([], 0), ([1, 2], 2)])
def zero_small(nums: list[int], limit: int) -> list[int]:
    """Replace every number of a list that is not greater than limit by 0."""
    return [n if n > limit else 0 for n in nums]


@draft(
    2,
    some_missing,
    q="fills nums",
    edges=[([],), ([None, 3, None],)],
)
def carry_forward(nums: list[int | None]) -> list[int | None]:
    """Replace each null of a list of numbers by the last number before it. Nulls before the first number stay."""
    found: list[int | None] = []
    for n in nums:
        found.append(found[-1] if n is None and found else n)
    return found


@draft(
    1,
    some_missing,
    whole(-9, 9),
    q="other^nums",
    edges=[([], 1), ([None, 3], 0)],
)
def fill_missing(nums: list[int | None], other: int) -> list[int]:
    """Replace each null of a list of numbers by the number other."""
    return [other if n is None else n for n in nums]
