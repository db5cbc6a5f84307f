"""The page on how far the q subset is q: the counts of a replay, each example that does not agree, and what is known.

Examples are named by page and line alone: their text is the reference's, and `--list all` of eval/bench_q.py shows it.
`GAPS` are refused today (a test runs every one of them); `DIFFERENCES` are answered, but not as kdb+ would.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from interpreters.q_subset import VERSION

OUTCOMES = ("agrees", "differs", "unsupported")

GAPS = (
    ("asof, wj and wj1", "([] t:1 2) asof ([t:1])"),
    ("random numbers", "1?10"),
    ("the clock", ".z.p"),
    ("files: set, get, read0, 0:, 1:, load, save", "`:file set 1"),
    ("connections and other processes", "hopen 5000"),
    ("system commands but \\\\P and \\\\d", 'system "ls"'),
    ("enumerations and foreign keys", "sym:`a`b; `sym$`a"),
    ("serialisation: -8! and -9!", "-8!1"),
    ("least squares", "(1 2f;3 4f) lsq (1 2f;3 4f)"),
    ("assignment to a pattern", "(a;b):1 2"),
    ("an indexed amend of a keyed table", "t:([k:`a`b] v:1 2); t[`a;`v]:5"),
    ("at a key that is not there, amending by other than +, | and ,", "d:`a`b!1 2; d[`c]-:1"),
    ("at a key that is not there, + in a dictionary without a type of values", "d:()!(); d[`a]+:1"),
    ("the parse tree of a query", 'parse "select from t"'),
    ("most of .Q, .h and .z", ".Q.w[]"),
    ("the text of a projection", "show {x+y}[;1]"),
    ("lambdas made outside the root namespace", "\\d .a\nf:{x}"),
)
"""What is refused -> an expression that is."""

DIFFERENCES = (
    "A list has at most 2,000,000 items; a longer one is 'wsfull here.",
    "A program has a budget of steps in the place of time, and recursion ends with 'stack at another depth.",
    "An error is its name alone: there is no backtrace, and a script stops at its first error.",
    "The console has 25 lines of 80 characters; \\P is the only setting.",
    "Attributes are kept where reference pages show them, and are not checked; they make nothing faster.",
    "find, in, distinct, group and dictionary keys take floats for equal only when they are identical.",
    "A view is computed whenever it is read.",
    "1 and 2 as handles write to the console of the session; what is written there is no result.",
)


@dataclass(frozen=True)
class Replay:
    """What came of an example. `found` is the console text, or what is not supported."""

    page: str
    line: int
    expression: str
    expected: str
    found: str
    outcome: str


def counts_by_page(replays: Sequence[Replay]) -> dict[str, Counter[str]]:
    pages: dict[str, Counter[str]] = {}
    for one in replays:
        pages.setdefault(one.page, Counter())[one.outcome] += 1
    return dict(sorted(pages.items()))


def conformance_page(replays: Sequence[Replay]) -> str:
    return "\n".join([*_head(replays), *_misses(replays), *_known(), *_pages(replays)]) + "\n"


def _head(replays: Sequence[Replay]) -> Iterator[str]:
    total = Counter(one.outcome for one in replays)
    yield "# How far the q subset is q\n"
    yield (
        f"`interpreters/q_subset` {VERSION} is no kdb+. It refuses what it does not know; the number that must be "
        "near zero is *differs*. This page is made by\n"
    )
    yield "    python -m eval.bench_q --data sessions.jsonl --page docs/q_conformance.md\n"
    yield (
        f"from {len(replays):,} examples of KX's reference (CC BY 4.0, KX, code.kx.com/q): what its console shows, "
        "with white space folded, after the page's earlier lines.\n"
    )
    yield "| outcome | examples | share |\n|---|---:|---:|"
    for name in OUTCOMES:
        yield f"| {name} | {total[name]:,} | {total[name] / max(1, len(replays)):.1%} |"


def _misses(replays: Sequence[Replay]) -> Iterator[str]:
    differing = [one for one in replays if one.outcome == "differs"]
    yield "\n## Examples that differ\n"
    yield "| example | shown here |\n|---|---|" if differing else "None."
    yield from (f"| {_place(one)} | {_code(one.found)} |" for one in differing)
    yield "\n## Examples that are not supported\n"
    yield "| example | what is refused |\n|---|---|"
    for one in replays:
        if one.outcome == "unsupported":
            yield f"| {_place(one)} | {_code(one.found.removeprefix('setup ').rpartition(': ')[2])} |"


def _known() -> Iterator[str]:
    yield "\n## What is known to be refused\n"
    yield "| what | for example |\n|---|---|"
    yield from (f"| {_cell(what)} | {_code(expression)} |" for what, expression in GAPS)
    yield "\n## What is known to differ from kdb+\n"
    yield from (f"- {text}" for text in DIFFERENCES)


def _pages(replays: Sequence[Replay]) -> Iterator[str]:
    yield "\n## By page of the reference\n"
    yield f"| page | {' | '.join(OUTCOMES)} |\n|---|---:|---:|---:|"
    for page, counts in counts_by_page(replays).items():
        yield f"| {page} | {' | '.join(str(counts[name]) for name in OUTCOMES)} |"


def _place(one: Replay) -> str:
    return f"{one.page}:{one.line}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _code(text: str) -> str:
    """Return text as code in a cell of a table: on one line, whatever backquotes and bars are in it."""
    line = _cell(" ⏎ ".join(part.strip() for part in text.strip().splitlines()))
    return f"`` {line} ``" if "`" in line else f"`{line or ' '}`"
