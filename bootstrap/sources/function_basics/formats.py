"""Problems on text formats: fields, dates, clocks, keys and values."""

from __future__ import annotations

from bootstrap.sources.function_basics.drafts import draft, ints, list_of, mapping, text, whole, words


@draft(1, words("abc", 0, 5, 0, 3), q='"," sv items', edges=[([],), ([""],), (["a", "", "b"],)])
def join_fields(items: list[str]) -> str:
    """Join texts with a comma between neighbours. The empty list gives the empty text."""
    return ",".join(items)


@draft(
    1, lambda rng: ",".join(words("abc", 1, 5, 0, 3)(rng)), q='"," vs line', edges=[("a",), ("a,,b",), (",",), ("",)]
)
def split_fields(line: str) -> list[str]:
    """Divide a text at its commas and return the parts, empty ones too. A text without comma is one part."""
    return line.split(",")


@draft(1, ints(-99, 99, 1, 6), q='"," sv string nums', edges=[([5],), ([-1, 0],)])
def show_numbers(nums: list[int]) -> str:
    """Write the numbers of a list, which is not empty, as text with a comma between neighbours and no spaces."""
    return ",".join(str(n) for n in nums)


@draft(
    1,
    lambda rng: ",".join(str(n) for n in ints(-99, 99, 1, 6)(rng)),
    q='sum "J"$"," vs line',
    edges=[("5",), ("-1,0",)],
)
def add_up_text(line: str) -> int:
    """Add up whole numbers that are written in a text with commas between them. There is at least one."""
    return sum(int(part) for part in line.split(","))


@draft(
    2,
    lambda rng: ",".join(rng.choice(["", "x", "7", "-3", "12", "0", "4y"]) for _ in range(rng.randint(1, 6))),
    q='sum 0^"J"$"," vs line',
    edges=[("",), ("x",), ("7,,x,-3",)],
)
def add_up_numbers_only(line: str) -> int:
    """Add up the whole numbers among the parts of a text that is divided by commas; parts that are empty or no whole
    number count as 0."""
    total = 0
    for part in line.split(","):
        try:
            total += int(part)
        except ValueError:
            continue
    return total


@draft(
    2,
    mapping(whole(0, 9), least=1),
    q="""
    names:asc key stock;
    ";" sv {x,"=",string y}'[names;stock names]
    """,
    edges=[({"b": 1, "a": 2},), ({"a": 0},)],
)
def show_pairs(stock: dict[str, int]) -> str:
    """Write a dictionary, which is not empty, as text: for each key in alphabetical order the key, = and the value,
    with ; between neighbours."""
    return ";".join(f"{name}={stock[name]}" for name in sorted(stock))


@draft(
    2,
    lambda rng: ";".join(f"{name}={value}" for name, value in mapping(whole(-5, 30), least=1)(rng).items()),
    q="""
    parts:"=" vs/:";" vs line;
    (first each parts)!"J"$last each parts
    """,
    edges=[("a=1",), ("b=2;a=-3",)],
)
def read_pairs(line: str) -> dict[str, int]:
    """Read a text such as a=1;bc=-2 into a dictionary from names to whole numbers. There is at least one pair, and no
    name comes twice."""
    return {name: int(value) for name, value in (part.split("=") for part in line.split(";"))}


@draft(
    1,
    whole(0, 1439),
    q='":" sv -2#/:"0",/:string (minutes div 60),minutes mod 60',
    edges=[(0,), (59,), (60,), (1439,), (605,)],
)
def show_clock(minutes: int) -> str:
    """Write minutes since midnight as hours and minutes of two digits each with a colon between them, as in 07:05. The
    day has not ended yet."""
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


@draft(
    1,
    lambda rng: f"{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}",
    q='60 sv "J"$":" vs clock',
    edges=[("00:00",), ("09:08",), ("23:59",)],
)
def read_clock(clock: str) -> int:
    """Return the minutes since midnight of a time such as 07:05."""
    hours, minutes = clock.split(":")
    return 60 * int(hours) + int(minutes)


@draft(
    1,
    whole(0, 20000),
    q="(seconds div 3600),((seconds div 60) mod 60),seconds mod 60",
    edges=[(0,), (59,), (60,), (3599,), (3600,)],
)
def split_seconds(seconds: int) -> list[int]:
    """Return how many whole hours, then whole minutes, then seconds a number of seconds is that is not negative."""
    return [seconds // 3600, seconds // 60 % 60, seconds % 60]


@draft(
    2,
    whole(0, 9999999),
    q='reverse "," sv 3 cut reverse string n',
    edges=[(0,), (999,), (1000,), (1234567,), (100000,)],
)
def show_thousands(n: int) -> str:
    """Write a number that is not negative with a comma between every three digits, counted from the right."""
    return f"{n:,}"


@draft(
    1,
    whole(0, 99999),
    whole(1, 7),
    q='((0|width-count shown)#"0"),shown:string n',
    edges=[(0, 1), (0, 3), (42, 5), (12345, 3)],
)
def zero_padded(n: int, width: int) -> str:
    """Write a number that is not negative with zeros in front until it has width digits. One with as many digits or
    more has none."""
    return str(n).rjust(width, "0")


@draft(
    1,
    lambda rng: f"{rng.randint(1000, 2999)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}",
    q='"/" sv ("-" vs day) 2 1 0',
    edges=[("2024-02-29",)],
)
def day_first(day: str) -> str:
    """Rewrite a date such as 2024-02-29 with the day first and slashes, as in 29/02/2024."""
    year, month, number = day.split("-")
    return f"{number}/{month}/{year}"


@draft(
    2,
    lambda rng: "_".join(words("abc", 1, 4, 1, 3)(rng)),
    q="""
    parts:"_" vs name;
    first[parts],raze {upper[1#x],1_x} each 1_parts
    """,
    edges=[("a",), ("ab_c",), ("a_b_ca",)],
)
def camel_case(name: str) -> str:
    """Rewrite a name of small letters with underscores: each part after the first begins with a capital letter, and the
    underscores go. No part is empty."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


@draft(2, list_of(text("abc", 1, 4), 1, 5), q="(max count each items)$/:items", edges=[(["a"],), (["a", "abc"],)])
def same_width(items: list[str]) -> list[str]:
    """Put spaces after the texts of a list, which is not empty, so that all are as long as the longest."""
    width = max(len(item) for item in items)
    return [item.ljust(width) for item in items]


@draft(2, ints(0, 7, 0, 5), q='nums#\\:"*"', edges=[([],), ([0, 3],)])
def bars(nums: list[int]) -> list[str]:
    """Return for each number of a list, none of them negative, a text of so many stars."""
    return ["*" * n for n in nums]


@draft(
    3,
    lambda rng: "".join(rng.choice("abc") + (str(rng.randint(1, 12))) for _ in range(rng.randint(0, 4))),
    q="""
    starts:where not letters in .Q.n;
    "",raze {("J"$1_x)#1#x} each starts cut letters
    """,
    edges=[("",), ("a1",), ("a2b11c1",)],
)
def expand_runs(letters: str) -> str:
    """Undo the writing of a text by runs: each letter stands as often as the number after it says, as in a2b1 for aab.
    The empty text stays empty."""
    shown, letter, digits = "", "", ""
    for one in [*letters, "."]:
        if one.isdigit():
            digits += one
        else:
            shown += letter * int(digits or "0")
            letter, digits = one, ""
    return shown


@draft(
    2,
    lambda rng: ".".join(str(rng.choice([0, 1, 12, 255, 256, 300, 99])) for _ in range(rng.choice([4, 4, 4, 3, 5]))),
    q="""
    parts:"J"$"." vs address;
    (4=count parts)&all parts within 0 255
    """,
    edges=[
        ("1.2.3.4",),
        ("1.2.3",),
        ("0.0.0.256",),
        ("255.255.255.255",),
        ("1.2.3.4.5",),
        ("300.1.1.1",),
        ("-1.2.3.4",),
    ],
)
def is_address(address: str) -> bool:
    """Say whether an address, whole numbers with dots between them, has four numbers, each of them from 0 to 255."""
    parts = [int(part) for part in address.split(".")]
    return len(parts) == 4 and all(0 <= part <= 255 for part in parts)


@draft(
    2, lambda rng: "\n".join(words("ab ", 1, 4, 0, 4)(rng)), q='count each "\\n" vs page', edges=[("",), ("a\n\nbb",)]
)
def line_lengths(page: str) -> list[int]:
    """Return the length of each line of a text whose lines are divided by line feeds, empty lines too."""
    return [len(line) for line in page.split("\n")]
