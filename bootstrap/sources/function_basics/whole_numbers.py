"""Problems on whole numbers: digits, divisors, sequences."""

from __future__ import annotations

from bootstrap.sources.function_basics.drafts import draft, text, whole


@draft(1, whole(-9999, 9999), q="""sum "J"$'string abs n""", edges=[(0,), (-305,)])
def digit_sum(n: int) -> int:
    """Return the sum of the decimal digits of n. The sign does not count."""
    return sum(int(digit) for digit in str(abs(n)))


@draft(2, whole(-9999, 9999), q='(signum n)*"J"$reverse string abs n', edges=[(0,), (1200,), (-340,)])
def reverse_digits(n: int) -> int:
    """Return n with its decimal digits in reverse order and the same sign. Zeros that come to the front are dropped."""
    turned = int(str(abs(n))[::-1])
    return -turned if n < 0 else turned


@draft(2, whole(1, 60), q=r"-1+count {$[x=1;x;x mod 2;1+3*x;x div 2]}\[n]", edges=[(1,), (2,), (27,)])
def collatz_steps(n: int) -> int:
    """Count the steps from n, which is positive, down to 1: an even number is halved, an odd number but 1 becomes three
    times itself plus one."""
    steps = 0
    while n != 1:
        n = 3 * n + 1 if n % 2 else n // 2
        steps += 1
    return steps


@draft(
    1,
    whole(-5, 120),
    q="$[n<2;0b;all n mod 2_til 1+floor sqrt n]",
    edges=[(0,), (1,), (2,), (3,), (4,), (25,), (49,), (97,)],
)
def is_prime_number(n: int) -> bool:
    """Say whether n is a prime number. Numbers below 2 are not."""
    return n > 1 and all(n % divisor for divisor in range(2, n))


@draft(
    3,
    whole(1, 400),
    q="""
    found:();p:2;
    while[n>1;$[n mod p;p+:1;[found,:p;n:n div p]]];
    found
    """,
    edges=[(1,), (2,), (8,), (49,), (97,), (360,)],
)
def prime_factors(n: int) -> list[int]:
    """Return the prime factors of n, which is positive, in ascending order, each as often as it divides n. 1 has
    none."""
    found = []
    p = 2
    while n > 1:
        if n % p:
            p += 1
        else:
            found.append(p)
            n //= p
    return found


@draft(
    1,
    whole(-90, 90),
    whole(-90, 90),
    q="{$[y=0;x;.z.s[y;x mod y]]}[abs a;abs b]",
    edges=[(0, 0), (0, 7), (8, 0), (-12, 18)],
)
def greatest_common_divisor(a: int, b: int) -> int:
    """Return the greatest common divisor of a and b, never negative. With 0 it is the other number's size; of 0 and 0
    it is 0."""
    a, b = abs(a), abs(b)
    while b:
        a, b = b, a % b
    return a


@draft(
    2,
    whole(0, 40),
    whole(0, 40),
    q="$[0 in a,b;0;(a*b) div {$[y=0;x;.z.s[y;x mod y]]}[a;b]]",
    edges=[(0, 5), (5, 0), (4, 6), (7, 7), (3, 12)],
)
def least_common_multiple(a: int, b: int) -> int:
    """Return the least common multiple of a and b, which are not negative. It is 0 where one of them is 0."""
    if a == 0 or b == 0:
        return 0
    multiple = a
    while multiple % b:
        multiple += a
    return multiple


@draft(1, whole(-4, 70), q="$[n<1;0b;1=sum 0b vs n]", edges=[(0,), (1,), (64,), (63,), (-2,), (1024,)])
def is_power_of_two(n: int) -> bool:
    """Say whether n is 1, 2, 4, 8 and so on. Zero and negative numbers are not."""
    return n > 0 and n & (n - 1) == 0


@draft(1, whole(0, 300), q='$[n=0;"0";raze string 2 vs n]', edges=[(0,), (1,), (8,)])
def to_binary(n: int) -> str:
    """Return n, which is not negative, in binary digits without leading zeros. 0 gives the text 0."""
    return bin(n)[2:]


@draft(1, text("01", 0, 8), q='0 {y+2*x}/"1"=digits', edges=[("",), ("0",), ("0011",)])
def from_binary(digits: str) -> int:
    """Return the number that a text of binary digits stands for. The empty text stands for 0."""
    total = 0
    for digit in digits:
        total = 2 * total + (digit == "1")
    return total


@draft(1, whole(1, 60), q="d where 0=n mod d:1+til n", edges=[(1,), (13,), (36,)])
def divisors(n: int) -> list[int]:
    """Return all positive divisors of n, which is positive, in ascending order."""
    return [d for d in range(1, n + 1) if n % d == 0]


@draft(2, whole(1, 60), q="n=sum d where 0=n mod d:1+til n-1", edges=[(6,), (28,), (496,), (1,), (2,), (12,)])
def is_perfect_number(n: int) -> bool:
    """Say whether n, which is positive, equals the sum of its divisors other than itself."""
    return n == sum(d for d in range(1, n) if n % d == 0)


@draft(2, whole(0, 15), q="n#{x,sum -2#x}/[n;0 1]", edges=[(0,), (1,), (2,), (3,)])
def fibonacci_list(n: int) -> list[int]:
    """Return the first n Fibonacci numbers, beginning with 0 and 1."""
    found = [0, 1]
    while len(found) < n:
        found.append(found[-1] + found[-2])
    return found[:n]


@draft(1, whole(0, 60), q="(n*n+1) div 2", edges=[(0,), (1,)])
def triangle_number(n: int) -> int:
    """Return the sum of the whole numbers from 1 to n. For 0 it is 0."""
    return n * (n + 1) // 2


@draft(
    1,
    lambda rng: (rng.randint(-20, 20), (low := rng.randint(-10, 10)), low + rng.randint(0, 8)),
    q="low|high&n",
    edges=[(5, 5, 5), (-3, 0, 4), (9, 0, 4)],
)
def clamp(n: int, low: int, high: int) -> int:
    """Return n where it lies between low and high, else the nearer of the two. low is never above high."""
    return max(low, min(high, n))


@draft(2, whole(-60, 60), whole(1, 12), q="step*(n+step div 2) div step", edges=[(5, 10), (-5, 10), (7, 1), (4, 3)])
def round_to_multiple(n: int, step: int) -> int:
    """Return the multiple of step, which is positive, that is nearest to n. Of two as near, the greater one."""
    return (n + step // 2) // step * step


@draft(1, whole(0, 2000), q="""{sum "J"$'string x}/[n]""", edges=[(0,), (9,), (38,), (999,)])
def digital_root(n: int) -> int:
    """Add up the decimal digits of n, which is not negative, again and again until one digit is left; return it."""
    while n > 9:
        n = sum(int(digit) for digit in str(n))
    return n


@draft(
    2,
    whole(0, 1000),
    q="""n="j"$sum d xexp count d:"J"$'string n""",
    edges=[(0,), (5,), (10,), (153,), (370,), (371,), (407,), (1634,)],
)
def is_narcissistic(n: int) -> bool:
    """Say whether n, which is not negative, equals the sum of its decimal digits, each raised to the number of
    digits."""
    shown = str(n)
    return n == sum(int(digit) ** len(shown) for digit in shown)


@draft(
    1,
    whole(1880, 2410),
    q="(0=year mod 400)|(0=year mod 4)&0<year mod 100",
    edges=[(1900,), (2000,), (2024,), (2023,), (2100,)],
)
def is_leap_year(year: int) -> bool:
    """Say whether a year of the Gregorian calendar has a 29th of February."""
    return year % 400 == 0 or (year % 4 == 0 and year % 100 != 0)


@draft(
    2,
    whole(0, 12),
    whole(0, 8),
    whole(1, 30),
    q="{[m;b;x] (x*b) mod m}[modulus;base]/[exponent;1 mod modulus]",
    edges=[(0, 0, 7), (5, 3, 1), (11, 0, 1), (2, 8, 29)],
)
def power_mod(base: int, exponent: int, modulus: int) -> int:
    """Return the remainder of base raised to exponent when divided by modulus, which is positive. Anything to the power
    of 0 is 1."""
    found = 1 % modulus
    for _ in range(exponent):
        found = found * base % modulus
    return found


@draft(2, whole(0, 12), whole(0, 13), q="0^({(0,x)+x,0}/[n;enlist 1])k", edges=[(0, 0), (3, 4), (5, 5), (12, 6)])
def binomial(n: int, k: int) -> int:
    """Return in how many ways k of n things can be chosen. It is 0 where k is greater than n."""
    row = [1]
    for _ in range(n):
        row = [a + b for a, b in zip([0, *row], [*row, 0], strict=True)]
    return row[k] if k <= n else 0


@draft(
    3,
    whole(0, 4000),
    q="""
    marks:("M";"CM";"D";"CD";"C";"XC";"L";"XL";"X";"IX";"V";"IV";"I");
    sizes:1000 900 500 400 100 90 50 40 10 9 5 4 1;
    shown:"";
    while[n>0;i:first where sizes<=n;shown,:marks i;n-:sizes i];
    shown
    """,
    edges=[(0,), (4,), (9,), (1994,), (3999,), (444,)],
)
def to_roman(n: int) -> str:
    """Return n, which is not negative, as a Roman numeral with IV, IX, XL, XC, CD and CM. 0 gives the empty text."""
    steps = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ]
    shown = ""
    for size, mark in steps:
        while n >= size:
            shown += mark
            n -= size
    return shown
