"""Problems that play through a simple process: walks, queues, games, accounts."""

from __future__ import annotations

from bootstrap.sources.function_basics.drafts import draft, flags, ints, list_of, one_of, real, text, whole, words


@draft(
    1,
    text("NSEW", 0, 8),
    q='(sum[0b,moves="E"]-sum 0b,moves="W"),sum[0b,moves="N"]-sum 0b,moves="S"',
    edges=[("",), ("N",), ("EES",)],
)
def walk(moves: str) -> list[int]:
    """Start at [0, 0] and take a step for each letter: E adds 1 to the first number, W takes 1 away, N adds 1 to the
    second, S takes 1 away. Return where the walk ends."""
    return [moves.count("E") - moves.count("W"), moves.count("N") - moves.count("S")]


@draft(2, text("LR", 0, 9), q='"j"$count distinct 0,sums 1-2*"L"=moves', edges=[("",), ("LLRR",), ("LR",)])
def places_seen(moves: str) -> int:
    """Walk along a line from 0, one step left for L and one right for R; count the different places that are visited,
    the start included."""
    place = 0
    seen = {0}
    for move in moves:
        place += 1 if move == "R" else -1
        seen.add(place)
    return len(seen)


@draft(
    2,
    text("()", 0, 8),
    q="""
    levels:sums 1-2*letters=")";
    (0=last 0,levels)&all 0<=levels
    """,
    edges=[("",), ("()",), (")(",), ("(()",), ("())(",), ("(())()",), ("()()",)],
)
def is_balanced(letters: str) -> bool:
    """Say whether every opening bracket of a text is closed and none is closed before it is opened. The text holds
    nothing but brackets ( and ); the empty text is balanced."""
    level = 0
    for letter in letters:
        level += 1 if letter == "(" else -1
        if level < 0:
            return False
    return level == 0


@draft(1, text("()", 0, 9), q='max 0,sums 1-2*letters=")"', edges=[("",), ("(()",), (")(",)])
def deepest(letters: str) -> int:
    """Read a text of brackets from left to right, counting 1 up for ( and 1 down for ); return the greatest count that
    is reached, which is at least 0."""
    level = best = 0
    for letter in letters:
        level += 1 if letter == "(" else -1
        best = max(best, level)
    return best


@draft(2, ints(-9, 9), whole(0, 10), q="{0|x+y}/[start;changes]", edges=[([], 3), ([-5, 2], 3)])
def never_below_zero(changes: list[int], start: int) -> int:
    """Add the changes of a list to a stock one after the other, beginning with start; whenever it would be less than 0
    it is 0. Return the last stock."""
    stock = start
    for change in changes:
        stock = max(0, stock + change)
    return stock


@draft(
    2, ints(-9, 9), whole(0, 10), q="{$[0>x+y;x;x+y]}/[balance;wishes]", edges=[([], 3), ([-5, 2, -5], 3), ([-3], 3)]
)
def bank_account(wishes: list[int], balance: int) -> int:
    """Carry out payments on an account one after the other: positive ones in, negative ones out. One that would leave
    less than 0 is refused and changes nothing. Return the last balance."""
    for wish in wishes:
        if balance + wish >= 0:
            balance += wish
    return balance


@draft(
    3, whole(1, 9), whole(1, 5), q="1+{[k;x;m] (x+k) mod m}[k]/[0;2+til n-1]", edges=[(1, 3), (7, 3), (5, 1), (2, 2)]
)
def last_in_circle(n: int, k: int) -> int:
    """The people 1 to n stand in a circle. Counting from person 1, every k-th who is still there leaves, until one is
    left; return who it is. n and k are at least 1."""
    people = list(range(1, n + 1))
    at = 0
    while len(people) > 1:
        at = (at + k - 1) % len(people)
        people.pop(at)
    return people[0]


@draft(
    2,
    list_of(whole(0, 1), 1, 8),
    whole(0, 4),
    q="""
    step:{(0b,-1_x)<>(1_x),0b};
    "j"$step/[rounds;0<cells]
    """,
    edges=[([1], 1), ([1, 1], 0), ([0, 1, 0], 2)],
)
def cell_rounds(cells: list[int], rounds: int) -> list[int]:
    """In each round all cells of a row change at once: a cell becomes 1 where exactly one of its two neighbours was 1,
    else 0. Outside the row all is 0. Return the row after so many rounds; it has at least one cell."""
    for _ in range(rounds):
        wide = [0, *cells, 0]
        cells = [int(wide[i] != wide[i + 2]) for i in range(len(cells))]
    return cells


@draft(
    3,
    ints(1, 9, 0, 6),
    whole(1, 3),
    q="max{[free;time] @[free;free?min free;+;time]}/[desks#0;times]",
    edges=[([], 2), ([5, 1, 2], 2), ([3, 3], 1)],
)
def last_served(times: list[int], desks: int) -> int:
    """Customers come in order to so many desks, at least one; each goes to the desk that is free first and stays there
    for its time. Return when the last desk is free again, beginning at 0."""
    free = [0] * desks
    for time in times:
        at = free.index(min(free))
        free[at] += time
    return max(free)


@draft(
    3,
    words("abc", most=8, high=1),
    whole(1, 3),
    q="{[size;kept;item] neg[size]sublist (kept except enlist item),enlist item}[size]/[();items]",
    edges=[([], 2), (["a", "b", "a", "c"], 2), (["a", "b", "c"], 2), (["a"], 3)],
)
def recent_items(items: list[str], size: int) -> list[str]:
    """Keep a list of the latest texts, of at most size of them: each text that comes goes to its end, having been taken
    out where it was before; when there are too many, the first goes. Return the list after all texts, size being
    at least 1."""
    kept: list[str] = []
    for item in items:
        kept = [one for one in kept if one != item] + [item]
        kept = kept[-size:]
    return kept


@draft(
    2,
    whole(0, 60),
    whole(2, 6),
    q="first {[k;x] (x[0]+x[1] div k;(x[1] div k)+x[1] mod k)}[k]/[{[k;x] x[1]>=k}[k];2#n]",
    edges=[(0, 2), (10, 3), (9, 3), (2, 3)],
)
def bottles(n: int, k: int) -> int:
    """Somebody drinks n bottles, and for every k empty ones gets a full one, again and again. Return how many bottles
    are drunk in all; k is at least 2."""
    drunk, empty = n, n
    while empty >= k:
        new = empty // k
        drunk += new
        empty = new + empty % k
    return drunk


@draft(2, ints(1, 9, 1, 8), q="{sum x*(count x)#1 -1}nums", edges=[([4],), ([1, 9],)])
def alternating_sum(nums: list[int]) -> int:
    """Add the first number of a list, take the second away, add the third and so on; return the result. The list is not
    empty."""
    return sum(n if i % 2 == 0 else -n for i, n in enumerate(nums))


@draft(
    2,
    list_of(one_of("+", "-", "*", "clear"), 0, 6),
    whole(-5, 5),
    q="""
    step:{$[y~"clear";0;y~enlist"+";x+1;y~enlist"-";x-1;2*x]};
    step/[start;keys_pressed]
    """,
    edges=[([], 3), (["clear"], 3), (["+", "*", "-"], 0)],
)
def counter(keys_pressed: list[str], start: int) -> int:
    """Change a number by keys, one after the other: + adds 1, - takes 1 away, * doubles it, clear makes it 0. Return
    the number at the end, beginning with start."""
    for pressed in keys_pressed:
        if pressed == "clear":
            start = 0
        elif pressed == "*":
            start *= 2
        else:
            start += 1 if pressed == "+" else -1
    return start


@draft(2, flags(0, 8), q="sum 0,{$[y;x+1;0]}\\[0;hits]", edges=[([],), ([True, True, False, True],), ([False],)])
def streak_points(hits: list[bool]) -> int:
    """Give points for a series of throws: a hit counts 1 more than the throw before it did, a miss counts 0. Return the
    sum of all points."""
    points = run = 0
    for hit in hits:
        run = run + 1 if hit else 0
        points += run
    return points


@draft(2, real(0, 100), whole(0, 5), q="{x+x%2}/[years;capital]", edges=[(0.0, 3), (8.0, 0), (8.0, 2)])
def grow_by_half(capital: float, years: int) -> float:
    """Each year a capital grows by half of what it is. Return it after so many years."""
    for _ in range(years):
        capital += capital / 2
    return capital


@draft(
    3,
    ints(1, 4, 1, 8),
    q="-1+count {[jumps;at] $[at<count jumps;at+jumps at;at]}[jumps]\\[0]",
    edges=[([1],), ([4, 1],), ([1, 1, 1],)],
)
def jumps_out(jumps: list[int]) -> int:
    """Stand at the first place of a list and jump ahead by the number that is there, again and again until the end is
    passed; return the number of jumps. All numbers are at least 1 and the list is not empty."""
    at = count = 0
    while at < len(jumps):
        at += jumps[at]
        count += 1
    return count


@draft(2, ints(0, 9, 0, 7), q="reverse sums reverse nums", edges=[([],), ([3],), ([1, 2, 3],)])
def sums_of_rests(nums: list[int]) -> list[int]:
    """Return for each place of a list the sum of its number and all that follow."""
    return [sum(nums[i:]) for i in range(len(nums))]
