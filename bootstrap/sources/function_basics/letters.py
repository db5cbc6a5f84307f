"""Problems on one text and its letters."""

from __future__ import annotations

from bootstrap.sources.function_basics.drafts import draft, one_of, sentence, text, whole

MIXED = "abAB z.1"


@draft(1, text("abeiouAEIOUx ", 0, 9), q='sum phrase in "aeiouAEIOU"', edges=[("",), ("bcd",), ("AaUu",), ("xAEIOUy",)])
def count_vowels(phrase: str) -> int:
    """Count the vowels of a text: a, e, i, o and u in either case."""
    return sum(letter in "aeiouAEIOU" for letter in phrase)


@draft(
    1, text("abeiouAEIOUx ", 0, 9), q='phrase except "aeiouAEIOU"', edges=[("",), ("aEi",), ("xyz",), ("xAEIOUyaeiou",)]
)
def drop_vowels(phrase: str) -> str:
    """Return the text without its vowels: a, e, i, o and u in either case."""
    return "".join(letter for letter in phrase if letter not in "aeiouAEIOU")


@draft(
    1,
    text("abAB", 0, 5),
    q="phrase~reverse phrase",
    edges=[("",), ("a",), ("abba",), ("aba",), ("Aa",), ("abca",), ("abab",)],
)
def is_palindrome(phrase: str) -> bool:
    """Say whether a text reads the same backwards, letter case included. The empty text does."""
    return phrase == phrase[::-1]


@draft(
    2,
    text("abAB,. ", 0, 7),
    q="p~reverse p:lower[phrase] inter .Q.a",
    edges=[("",), ("A man, a plan, a canal: Panama",), ("No lemon",), ("a,b A.",), (".,",), ("Ab",), ("zZ",)],
)
def is_loose_palindrome(phrase: str) -> bool:
    """Say whether a text reads the same backwards when only its letters a to z count, in either case. A text without
    letters does."""
    kept = [letter for letter in phrase.lower() if "a" <= letter <= "z"]
    return kept == kept[::-1]


@draft(
    1,
    text("abcab", 0, 9),
    text("abc", 1, 1),
    q="sum phrase=first letter",
    edges=[("", "a"), ("aaa", "a"), ("abc", "c")],
)
def count_letter(phrase: str, letter: str) -> int:
    """Count how often a letter, given as a text of one character, stands in a text."""
    return phrase.count(letter)


@draft(
    3,
    text("aab", 0, 9),
    q='$[count letters;raze {first[x],string count x} each (where differ letters)_letters;""]',
    edges=[("",), ("a",), ("aaab",), ("abc",)],
)
def run_lengths(letters: str) -> str:
    """Write a text by its runs: each run of one letter as that letter and the length of the run. aab gives a2b1, the
    empty text the empty text."""
    shown = ""
    start = 0
    for end in range(1, len(letters) + 1):
        if end == len(letters) or letters[end] != letters[start]:
            shown += letters[start] + str(end - start)
            start = end
    return shown


@draft(1, text("aab ", 0, 9), q='$[count letters;letters where differ letters;""]', edges=[("",), ("aaa",), ("aabb",)])
def squeeze(letters: str) -> str:
    """Return the text with every run of one letter shortened to that letter alone."""
    return "".join(letter for i, letter in enumerate(letters) if i == 0 or letter != letters[i - 1])


@draft(1, text("abcABC", 0, 9), q="distinct letters", edges=[("",), ("aaa",), ("cab",)])
def first_letters(letters: str) -> str:
    """Return each letter of a text once, in the order in which they first come. Letter case counts."""
    kept = ""
    for letter in letters:
        if letter not in kept:
            kept += letter
    return kept


@draft(
    2, text("abc", 0, 9), q="letters where 1=(count each group letters)letters", edges=[("",), ("aabb",), ("abcab",)]
)
def lone_letters(letters: str) -> str:
    """Return the letters that come exactly once in a text, in their order."""
    return "".join(letter for letter in letters if letters.count(letter) == 1)


@draft(
    3,
    text("xyzXYZ ,a", 0, 8),
    whole(-30, 30),
    q="""
    turn:{[letters;step] letters!step rotate letters}[;shift mod 26];
    {[turned;letter] $[letter in key turned;turned letter;letter]}[turn[.Q.a],turn .Q.A]'[phrase],""
    """,
    edges=[("", 3), ("xyz", 3), ("Abc!", -1), ("az", 26)],
)
def caesar_shift(phrase: str, shift: int) -> str:
    """Move every letter of a text by shift places in the alphabet, from z on to a; a negative shift moves back. Letter
    case stays, and what is no letter a to z is left alone."""
    moved = ""
    for letter in phrase:
        if "a" <= letter <= "z":
            moved += chr((ord(letter) - 97 + shift) % 26 + 97)
        elif "A" <= letter <= "Z":
            moved += chr((ord(letter) - 65 + shift) % 26 + 65)
        else:
            moved += letter
    return moved


@draft(1, text("ab Bx", 0, 8), q="?[phrase in .Q.A;lower phrase;upper phrase]", edges=[("",), ("aB",), ("1!",)])
def swap_case(phrase: str) -> str:
    """Return the text with small letters a to z made capital and capital ones small."""
    return phrase.swapcase()


@draft(
    1,
    text("abc", 0, 7),
    whole(0, 10),
    one_of("-", "*", " "),
    q="((0|width-count label)#mark),label",
    edges=[("", 0, "-"), ("abc", 2, "-"), ("abc", 3, "*")],
)
def pad_left(label: str, width: int, mark: str) -> str:
    """Put the character mark in front of a text until it is width characters long. A text that is as long or longer
    stays as it is."""
    return mark * (width - len(label)) + label


@draft(
    2,
    text("abc", 0, 7),
    whole(0, 10),
    q="""
    free:0|width-count label;
    left:free div 2;
    (left#" "),label,(free-left)#" "
    """,
    edges=[("", 3), ("ab", 5), ("ab", 4), ("abc", 1)],
)
def centre(label: str, width: int) -> str:
    """Put spaces on both sides of a text until it is width characters long; where their number is odd, one more stands
    on the right. A text that is as long or longer stays as it is."""
    free = max(0, width - len(label))
    return " " * (free // 2) + label + " " * (free - free // 2)


@draft(1, text("ab ", 0, 8), q="trim phrase", edges=[("",), ("  ",), (" a b ",), ("a  ",), ("  b",)])
def strip_spaces(phrase: str) -> str:
    """Return the text without the spaces at its two ends; those inside stay."""
    return phrase.strip(" ")


@draft(
    2,
    text("ab  ", 0, 9),
    q='phrase where (phrase<>" ")|phrase<>(-1_"x",phrase)',
    edges=[("",), ("  ",), ("a  b",), ("   a",)],
)
def single_spaces(phrase: str) -> str:
    """Return the text with every run of spaces shortened to one space, at its ends too."""
    kept = ""
    for letter in phrase:
        if letter != " " or kept[-1:] != " ":
            kept += letter
    return kept


@draft(
    2,
    text("ab", 0, 10),
    text("ab", 1, 2),
    q="-1+count part vs phrase",
    edges=[("", "a"), ("aaaa", "aa"), ("abab", "ab"), ("b", "bb")],
)
def count_part(phrase: str, part: str) -> int:
    """Count how often part stands in a text, from left to right and without overlap: aa stands twice in aaaa."""
    return phrase.count(part)


@draft(
    2,
    text("ab", 0, 10),
    text("ab", 1, 2),
    q="count where part~/:(til[count phrase],\\:count part) sublist\\:phrase",
    edges=[("", "a"), ("aaaa", "aa"), ("abab", "ab")],
)
def count_overlapping(phrase: str, part: str) -> int:
    """Count the places of a text at which part, which is not empty, begins; they may overlap: aa begins three times in
    aaaa."""
    return sum(phrase[place : place + len(part)] == part for place in range(len(phrase)))


@draft(
    1, text("abcd", 0, 8), text("abcd", 0, 3), q="phrase except unwanted", edges=[("", "a"), ("abc", ""), ("aab", "ab")]
)
def without_letters(phrase: str, unwanted: str) -> str:
    """Return the text without all the letters that stand in unwanted."""
    return "".join(letter for letter in phrase if letter not in unwanted)


@draft(
    1,
    text("abc", 0, 5),
    text("abc", 0, 5),
    q="(asc a)~asc b",
    edges=[("", ""), ("abc", "cab"), ("aab", "abb"), ("ab", "abb"), ("cba", "abc"), ("abca", "aabc"), ("bb", "b")],
)
def is_anagram(a: str, b: str) -> bool:
    """Say whether two texts have the same letters, each as often."""
    return sorted(a) == sorted(b)


@draft(
    2,
    text("abcAB ", 0, 9),
    q="""
    $[not count letters:lower phrase except " ";"";
      [times:count each group letters;
       first asc where times=max times]]
    """,
    edges=[("",), ("  ",), ("bBa",), ("ab",), ("ba",)],
)
def commonest_letter(phrase: str) -> str:
    """Return the letter that comes most often in a text, as a small one: letter case and spaces do not count. Of
    several the first in the alphabet; a text without letters gives the empty text."""
    letters = phrase.lower().replace(" ", "")
    return min(letters, key=lambda letter: (-letters.count(letter), letter)) if letters else ""


@draft(
    2,
    sentence("a b Hello World red Sky", 0, 5),
    q='?[" "=prev phrase;upper phrase;lower phrase]',
    edges=[("",), ("a",), ("hELLO wORLD",)],
)
def title_words(phrase: str) -> str:
    """Write each word of a text with a capital first letter and small letters after it. Words are divided by one
    space."""
    return " ".join(word[:1].upper() + word[1:].lower() for word in phrase.split(" "))


@draft(
    1, text("abcde", 0, 9), whole(-9, 9), q="shift rotate phrase", edges=[("", 3), ("abc", 1), ("abc", -1), ("abcd", 4)]
)
def rotate_text(phrase: str, shift: int) -> str:
    """Move the first shift letters of a text to its end, one after the other; a negative shift moves letters from the
    end to the front. The empty text stays empty."""
    if not phrase:
        return phrase
    shift %= len(phrase)
    return phrase[shift:] + phrase[:shift]


@draft(1, text("ab3-9x", 0, 8), q="phrase inter .Q.n", edges=[("",), ("a1b22",), ("abc",)])
def only_digits(phrase: str) -> str:
    """Return the digits of a text, in their order, each as often as it comes."""
    return "".join(letter for letter in phrase if "0" <= letter <= "9")
