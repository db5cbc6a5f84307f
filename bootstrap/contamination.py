"""Find near-duplicates between the parts of a run (train, dev, test), and between a run and data sets from outside.

Reads the problems of a run, or a problems file, and any JSONL or JSON file with statements or code: the project's own
problems, chat rows, or rows with a field for the text and one for the code. Prints how many documents of each part
have a near-duplicate in another one; with --out, leaves one line of JSON per pair.

    python -m bootstrap.contamination --run-dir outputs/demo --against humaneval.jsonl --out pairs.jsonl

Two documents are near-duplicates when the Jaccard similarity of their statements (n-grams of words) reaches
--threshold, or that of their code (n-grams of the syntax tree) --code-threshold; code with fewer than
--min-code-nodes nodes is too small to tell problems apart and does not count.

Ends with status 0 when no part has anything of another, 1 when one has, 2 for input that cannot be used.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from bootstrap.documents import Document, document_of, read_documents
from bootstrap.errors import UserError
from bootstrap.files import write_jsonl
from bootstrap.programs import run_program
from bootstrap.records import Problem
from bootstrap.run_store import RunStore
from bootstrap.similarity import TREE_GRAMS, WORD_GRAMS, Grams, code_tokens, family_of, grams, similar_pairs, text_grams

TEXT_THRESHOLD = 0.8
CODE_THRESHOLD = 0.9
MIN_CODE_NODES = 40  # half a dozen calls; below it, different problems have the same code
MOST_LISTED = 10


@dataclass(frozen=True)
class Thresholds:
    text: float = TEXT_THRESHOLD
    code: float = CODE_THRESHOLD
    min_code_nodes: int = MIN_CODE_NODES

    def words(self) -> str:
        return (
            f"statements alike from {self.text} (Jaccard, words, n = {WORD_GRAMS}), code from {self.code} "
            f"(syntax trees of at least {self.min_code_nodes} nodes, n = {TREE_GRAMS})"
        )


@dataclass(frozen=True)
class Pair:
    """Two documents, by their position, that are alike."""

    left: int
    right: int
    similarity: float
    what: Literal["text", "code"]


def near_duplicates(documents: Sequence[Document], thresholds: Thresholds | None = None) -> list[Pair]:
    """Return pairs that join all near-duplicates, and for each document one in every other part that has any.

    Not every pair of a group of equal documents is listed: n of them would have n * n.
    """
    limits = thresholds or Thresholds()
    sets: list[tuple[Literal["text", "code"], float, list[Grams]]] = [
        ("text", limits.text, [text_grams(one.text) for one in documents]),
        *(("code", limits.code, column) for column in _code_columns(documents, limits.min_code_nodes)),
    ]
    found: dict[tuple[int, int], Pair] = {}
    for what, threshold, column in sets:
        for left, right, similarity in _pairs_of(documents, column, threshold):
            known = found.get((left, right))
            if known is None or known.similarity < similarity:
                found[left, right] = Pair(left, right, round(similarity, 4), what)
    return [found[key] for key in sorted(found)]


def _code_columns(documents: Sequence[Document], min_nodes: int) -> list[list[Grams]]:
    """Return, per family of languages, the n-grams of each document's code."""
    return [[_code_grams(one, family, min_nodes) for one in documents] for family in _families(documents)]


def _families(documents: Sequence[Document]) -> list[str]:
    """Return families of languages that every document with code has one of, the most frequent first: where all have
    the same problem in five languages, one comparison says what five would."""
    left = [{family_of(language) for language in one.code} for one in documents]
    chosen: list[str] = []
    while counts := Counter(family for one in left for family in one):
        chosen.append(max(sorted(counts), key=lambda family: counts[family]))
        left = [one for one in left if chosen[-1] not in one]
    return chosen


def _code_grams(document: Document, family: str, min_nodes: int) -> Grams:
    for language in sorted(document.code):
        if family_of(language) == family:
            tokens = code_tokens(document.code[language], language)
            return grams(tokens, TREE_GRAMS) if len(tokens) >= min_nodes else frozenset()
    return frozenset()


def _pairs_of(documents: Sequence[Document], column: Sequence[Grams], threshold: float) -> list[tuple[int, int, float]]:
    """Return the pairs of one column, found over its distinct sets."""
    groups: dict[Grams, list[int]] = defaultdict(list)
    for position, one in enumerate(column):
        if one:
            groups[one].append(position)
    distinct = list(groups)
    pairs = [pair for members in groups.values() for pair in _links(documents, members, members, 1.0)]
    for left, right, similarity in similar_pairs(distinct, threshold):
        pairs += _links(documents, groups[distinct[left]], groups[distinct[right]], similarity)
        pairs += _links(documents, groups[distinct[right]], groups[distinct[left]], similarity)
    return pairs


def _links(
    documents: Sequence[Document], members: Iterable[int], others: Sequence[int], similarity: float
) -> list[tuple[int, int, float]]:
    """Return each member with the first of the others in each part."""
    first: dict[str, int] = {}
    for other in others:
        first.setdefault(documents[other].part, other)
    return [
        (min(one, other), max(one, other), similarity) for one in members for other in first.values() if one != other
    ]


def crossing(documents: Sequence[Document], pairs: Iterable[Pair]) -> list[Pair]:
    """Return the pairs of which the two are in different parts."""
    return [pair for pair in pairs if documents[pair.left].part != documents[pair.right].part]


def merge_families(problems: Sequence[Problem], pairs: Iterable[Pair]) -> list[Problem]:
    """Return the problems with all families that a pair joins made one, so that a split keeps them together.

    The pairs are of `documents_of(problems)`; the joined family is called as the first of them by name.
    """
    parent = {problem.family: problem.family for problem in problems}

    def root(family: str) -> str:
        while parent[family] != family:
            parent[family] = parent[parent[family]]
            family = parent[family]
        return family

    for pair in pairs:
        if max(pair.left, pair.right) < len(problems):
            one, other = sorted((root(problems[pair.left].family), root(problems[pair.right].family)))
            parent[other] = one
    return [p if root(p.family) == p.family else replace(p, family=root(p.family)) for p in problems]


def documents_of(problems: Iterable[Problem], parts: Mapping[str, str] | None = None) -> list[Document]:
    """Return the problems as documents; `parts`: problem_id -> part, "problems" where it says nothing."""
    return [document_of(problem, (parts or {}).get(problem.problem_id, "problems")) for problem in problems]


# -- the program --------------------------------------------------------------------------------------------------


def documents_of_run(store: RunStore) -> list[Document]:
    if not store.exists:
        raise UserError(f"--run-dir {store.root}: expected the folder of a run, found no config.resolved.json in it")
    split = store.split()
    parts = {pid: part for part in ("train", "dev", "test") for pid in split[part]}
    return documents_of(store.problems().values(), parts)


def report(documents: Sequence[Document], pairs: Sequence[Pair], thresholds: Thresholds) -> list[str]:
    """Return the lines that say what was found."""
    sizes = Counter(one.part for one in documents)
    across = crossing(documents, pairs)
    lines = [f"near-duplicates: {thresholds.words()}", ""]
    alike: dict[tuple[str, str], set[int]] = defaultdict(set)
    for pair in across:
        for one, other in ((pair.left, pair.right), (pair.right, pair.left)):
            alike[documents[one].part, documents[other].part].add(one)
    for (name, beside), members in sorted(alike.items()):
        lines.append(f"{len(members):,} of {sizes[name]:,} in {name} have one in {beside}")
    if not across:
        lines.append(f"no part has anything of another: {', '.join(f'{part} {n:,}' for part, n in sizes.items())}")
    inside = len(pairs) - len(across)
    if inside:
        lines.append(f"{inside:,} pairs inside one part (its families tell them apart or not; see merge_families)")
    for pair in sorted(across, key=lambda pair: (-pair.similarity, pair.left, pair.right))[:MOST_LISTED]:
        left, right = documents[pair.left], documents[pair.right]
        lines.append(f"  {left.part} {left.name} ~ {right.part} {right.name}: {pair.what} {pair.similarity:.2f}")
    return lines


def pair_row(documents: Sequence[Document], pair: Pair) -> dict[str, object]:
    left, right = documents[pair.left], documents[pair.right]
    return {
        "left": left.name, "left_part": left.part, "right": right.name, "right_part": right.part,
        "what": pair.what, "similarity": pair.similarity,
    }  # fmt: skip


def search(args: argparse.Namespace) -> int:
    """Do what the command line says; return the exit status."""
    fields = (args.text_field, args.code_field)
    documents = documents_of_run(RunStore(args.run_dir)) if args.run_dir else read_documents(args.problems, *fields)
    for path in args.against:
        documents += read_documents(path, *fields)
    thresholds = Thresholds(args.threshold, args.code_threshold, args.min_code_nodes)
    pairs = near_duplicates(documents, thresholds)
    if args.out:
        write_jsonl(args.out, (pair_row(documents, pair) for pair in pairs))
    print("\n".join(report(documents, pairs, thresholds)))
    return 1 if crossing(documents, pairs) else 0


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("--run-dir", type=Path, help="folder of a run: its parts are train, dev and test")
    given.add_argument("--problems", type=Path, help="a problems file: one part")
    add = parser.add_argument
    add("--against", type=Path, nargs="+", default=[], help="files from outside, each a part of its own")
    add("--text-field", help="field of the text in files from outside (default: the first known one)")
    add("--code-field", help="field of the code there (default: the first known one)")
    add("--threshold", type=_share, default=TEXT_THRESHOLD, help="similarity of statements (%(default)s)")
    add("--code-threshold", type=_share, default=CODE_THRESHOLD, help="similarity of code (%(default)s)")
    add(
        "--min-code-nodes",
        type=int,
        default=MIN_CODE_NODES,
        help="nodes of the smallest code that counts (%(default)s)",
    )
    add("--out", type=Path, help="write every pair to this JSONL file")
    return parser


def _share(text: str) -> float:
    number = float(text)
    if not 0 < number <= 1:
        raise argparse.ArgumentTypeError(f"expected a number above 0 and at most 1, found {text}")
    return number


def main(argv: Sequence[str] | None = None) -> None:
    args = make_parser().parse_args(argv)
    status = 0

    def work() -> None:
        nonlocal status
        status = search(args)

    run_program(work)
    sys.exit(status)


if __name__ == "__main__":
    main()
