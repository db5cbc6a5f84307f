"""Problems on words: sentences and lists of texts."""

from __future__ import annotations

from bootstrap.sources.function_basics.drafts import draft, sentence, text, whole, words

LINE = sentence("a to red sky a Red stone on", 1, 6)


@draft(1, LINE, q='count " " vs line', edges=[("a",), ("a b a",)])
def count_words(line: str) -> int:
    """Count the words of a text that has at least one; between two words stands one space."""
    return len(line.split(" "))


@draft(1, LINE, q='" " sv reverse " " vs line', edges=[("a",), ("a b",)])
def reverse_words(line: str) -> str:
    """Return the words of a text in reverse order; between two words stands one space."""
    return " ".join(line.split(" ")[::-1])


@draft(1, LINE, q='" " sv reverse each " " vs line', edges=[("a",), ("ab c",)])
def turn_each_word(line: str) -> str:
    """Write each word of a text backwards and leave the words in their order; between two words stands one space."""
    return " ".join(word[::-1] for word in line.split(" "))


@draft(
    2,
    LINE,
    q="""
    parts:" " vs line;
    parts first idesc count each parts
    """,
    edges=[("a",), ("ab cd",)],
)
def longest_word(line: str) -> str:
    """Return the longest word of a text; the first of several. Between two words stands one space."""
    return max(line.split(" "), key=len)


@draft(
    1, words("abc", high=5), whole(0, 4), q="items where limit<count each items", edges=[([], 2), (["ab", "abc"], 2)]
)
def longer_than(items: list[str], limit: int) -> list[str]:
    """Return the texts of a list that have more than limit characters, in their order."""
    return [item for item in items if len(item) > limit]


@draft(
    1,
    words("abc"),
    text("abc", 1, 2),
    q='items where items like start,"*"',
    edges=[([], "a"), (["ab", "ba", "a"], "a")],
)
def with_start(items: list[str], start: str) -> list[str]:
    """Return the texts of a list that begin with the text start, in their order."""
    return [item for item in items if item.startswith(start)]


@draft(
    3,
    words("ab ", 1, 4, 0, 5),
    q="""
    size:min count each items;
    same:{[items;at] 1=count distinct items[;at]}[items] each til size;
    (sum mins same,0b)#first items
    """,
    edges=[(["abc"],), (["ab", "aab"],), (["", "a"],), (["aba", "abb", "ab"],), (["a ", "a"],), (["a", ""],)],
)
def common_start(items: list[str]) -> str:
    """Return the longest text with which all texts of a list begin. The list is not empty."""
    size = 0
    while all(len(item) > size and item[size] == items[0][size] for item in items):
        size += 1
    return items[0][:size]


@draft(1, words("abc"), q='"",raze 1#/:items', edges=[([],), (["ab", "c"],)])
def initials(items: list[str]) -> str:
    """Put together the first letters of the texts of a list, none of which is empty."""
    return "".join(item[0] for item in items)


@draft(2, LINE, q='count distinct lower " " vs line', edges=[("a",), ("Red red",)])
def different_words(line: str) -> int:
    """Count the different words of a text, letter case aside; between two words stands one space."""
    return len(set(line.lower().split(" ")))


@draft(
    2,
    LINE,
    q="""
    parts:" " vs line;
    " " sv parts where differ parts
    """,
    edges=[("a",), ("a a b a",), ("on on",)],
)
def drop_stutter(line: str) -> str:
    """Return the text without words that are equal to the word before them; between two words stands one space."""
    parts = line.split(" ")
    return " ".join(part for i, part in enumerate(parts) if i == 0 or part != parts[i - 1])


@draft(
    2,
    words("ab", high=3),
    words("ab", high=3),
    q="items where not any each items~/:\\:unwanted",
    edges=[([], ["a"]), (["a", "b"], []), (["ab", "a", "b"], ["a", "ab"])],
)
def without_words(items: list[str], unwanted: list[str]) -> list[str]:
    """Return the texts of the first list that are not in the second, in their order, repeats too."""
    return [item for item in items if item not in unwanted]


@draft(
    1,
    sentence("a to red sky", 1, 5),
    whole(1, 5),
    q='" " sv n sublist " " vs line',
    edges=[("a", 1), ("a b", 1), ("a b", 5)],
)
def first_words(line: str, n: int) -> str:
    """Return the first n words of a text, all where there are fewer; between two words stands one space."""
    return " ".join(line.split(" ")[:n])


@draft(
    2, LINE, text("aor", 1, 1), q='count where (" " vs line) like "*",letter,"*"', edges=[("b", "a"), ("aa ra", "a")]
)
def words_with(line: str, letter: str) -> int:
    """Count the words of a text that contain a letter, given as a text of one character; between two words stands one
    space."""
    return sum(letter in word for word in line.split(" "))


@draft(2, sentence("red redder a stone red", 1, 6), q='ssr[line;"red";"blue"]', edges=[("red",), ("redred a",), ("a",)])
def paint_blue(line: str) -> str:
    """Replace red by blue wherever it stands in a text, inside longer words too."""
    return line.replace("red", "blue")


@draft(2, words("abc", 0, 5, 0, 4), q="sum 0,count each items", edges=[([],), (["", "a"],)])
def total_letters(items: list[str]) -> int:
    """Add up the lengths of the texts of a list."""
    return sum(len(item) for item in items)
