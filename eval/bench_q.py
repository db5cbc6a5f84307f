"""Replay the q reference's examples in the q subset: does the console show what the reference shows?

    python -m eval.bench_q --data sessions.jsonl                # seconds
    python -m eval.bench_q --data sessions.jsonl --list all     # every example that does not agree
    python -m eval.bench_q --data sessions.jsonl --page docs/q_conformance.md

A record has `page`, `setup` (the page's earlier input lines), `expr` and `expected`. The setup is replayed in a fresh
workspace, what fails in it is passed over as a console would; then the console text of `expr` is compared with white
space folded. Three counts are reported, never one: agrees, differs, unsupported. Leaves only --out and --page, the
page for people. Exits with 1 when more than --allow examples differ.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bootstrap.errors import UserError
from bootstrap.files import read_jsonl
from bootstrap.programs import run_program
from eval.q_conformance import OUTCOMES, Replay, conformance_page, counts_by_page
from interpreters.q_subset import QError, StepsExceeded, Unsupported, Workspace

STEPS = 2_000_000


@dataclass(frozen=True)
class Example:
    page: str
    line: int
    setup: tuple[str, ...]
    expression: str
    expected: str


def folded(text: str) -> str:
    return " ".join(text.split())


def replay(example: Example) -> Replay:
    """Return how an example goes. What the subset refuses in the setup makes a difference unsupported, too."""
    workspace = Workspace()
    refused = ""
    for line in example.setup:
        try:
            workspace.evaluate(line, steps=STEPS)
        except QError:
            continue
        except (Unsupported, StepsExceeded) as error:
            refused = refused or f"setup {line[:60]!r}: {error}"
    try:
        found = workspace.console(example.expression, steps=STEPS)
        outcome = "agrees" if folded(found) == folded(example.expected) else "differs"
    except (Unsupported, StepsExceeded) as error:
        found, outcome = str(error), "unsupported"
    if outcome == "differs" and refused:
        found, outcome = refused, "unsupported"
    return Replay(example.page, example.line, example.expression, example.expected, found, outcome)


def read_examples(file: Path, limit: int | None) -> list[Example]:
    if not file.is_file():
        raise UserError(f"--data: no file {file}")
    try:
        return [
            Example(row["page"], row["line"], tuple(row["setup"]), row["expr"], row["expected"])
            for row in read_jsonl(file)
        ][:limit]
    except (KeyError, TypeError) as e:
        raise UserError(f"{file}: not a file of q examples ({type(e).__name__} {e})") from e


# -- output -------------------------------------------------------------------------------------------------------


def print_counts(replays: Sequence[Replay]) -> None:
    pages = counts_by_page(replays)
    width = max(map(len, pages), default=4)
    print(f"{'page':{width}}  " + "  ".join(f"{name:>11}" for name in OUTCOMES))
    for page, counts in pages.items():
        print(f"{page:{width}}  " + "  ".join(f"{counts[name]:>11}" for name in OUTCOMES))
    total = Counter(one.outcome for one in replays)
    print(f"{'all':{width}}  " + "  ".join(f"{total[name]:>11}" for name in OUTCOMES))
    shares = "  ".join(f"{100 * total[name] / max(1, len(replays)):>10.1f}%" for name in OUTCOMES)
    print(f"{'':{width}}  {shares}")


def print_misses(replays: Sequence[Replay], which: str) -> None:
    for one in replays:
        if one.outcome == "differs" or (which == "all" and one.outcome == "unsupported"):
            print(f"\n{one.outcome.upper()} {one.page}:{one.line}\nq) {one.expression}")
            print(f"expected:\n{one.expected}\nfound:\n{one.found}")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m eval.bench_q", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="FILE", help="JSONL file of examples")
    add("--limit", type=int, metavar="N", help="the first N examples only (all)")
    add("--list", choices=("differs", "all"), default="differs", help="which misses are listed (differs)")
    add("--allow", type=int, default=0, metavar="N", help="how many may differ for exit status 0 (0)")
    add("--out", type=Path, help="JSON file with every replay")
    add("--page", type=Path, metavar="FILE", help="Markdown page with the counts, the misses and what is known to lack")
    args = parser.parse_args(argv)
    found: list[Replay] = []

    def work() -> None:
        found.extend(replay(example) for example in read_examples(args.data, args.limit))
        print_misses(found, args.list)
        print_counts(found)
        if args.page:
            args.page.write_text(conformance_page(found), encoding="utf-8")
        if args.out:
            args.out.write_text(json.dumps([asdict(one) for one in found], indent=2) + "\n", encoding="utf-8")

    run_program(work)
    return 1 if sum(one.outcome == "differs" for one in found) > args.allow else 0


if __name__ == "__main__":
    sys.exit(main())
