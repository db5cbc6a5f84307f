"""Do all languages agree? Run every reference of table_pipelines in its own language's interpreter.

    python -m eval.bench_agreement                                       # 2,000 problems, in minutes
    python -m eval.bench_agreement --problems 200 --seed 7 --target ibis_polars --list 500

Each problem is a pipeline of 1-6 steps, written in every language from the same steps. A reference agrees when it gives
what the steps mean in plain Python on every data set, gives it again on a second run, and again with the input rows
shuffled. Prints, by language, how many references ran and how many disagree, and lists those. Leaves only --out. Exits
with 1 when any disagrees, or a language that has references could not be run.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bootstrap.admission import Chunk, Plan, failing_references, reference_chunks
from bootstrap.audit.workers import OpenInterpreters, Workers, in_threads, interpreters_by_language
from bootstrap.programs import run_program
from bootstrap.progress import ProgressLines
from bootstrap.records import Problem
from bootstrap.sources import load_source

STEPS = 6


@dataclass
class Agreement:
    """What the references of one language came to. `disagree`: problem_id -> what is wrong. `missing`: why none ran."""

    language: str
    interpreter: str
    ran: int = 0
    disagree: dict[str, str] = field(default_factory=dict)
    missing: str = ""

    def line(self) -> str:
        head = f"{self.language:10} {self.interpreter:14}"
        return f"{head} not run: {self.missing}" if self.missing else f"{head} {self.ran:>6,} {len(self.disagree):>9,}"


def agreements(problems: Sequence[Problem], workers: Workers) -> list[Agreement]:
    """Return how each language's references do, the languages in the order of the interpreters."""
    names = interpreters_by_language(workers.target)
    chunks = reference_chunks(problems, Plan())
    found = {language: Agreement(language, names[language]) for language, _ in chunks}
    progress = ProgressLines(sum(len(members) for _, members in chunks), "references/s")

    def check(opened: OpenInterpreters, chunk: Chunk) -> tuple[str, int, dict[str, str]]:
        language, members = chunk
        interpreter = opened.get(language)
        if interpreter is None:
            return language, 0, {}
        return language, len(members), failing_references(members, language, interpreter, Plan())

    outcome = in_threads(chunks, workers, check, lambda result: progress.add(result[1]))
    progress.show()
    for language, ran, failed in outcome.results:
        found[language].ran += ran
        found[language].disagree |= failed
    for language, reason in outcome.missing.items():
        if language in found:
            found[language].missing = reason
    return list(found.values())


def report(problems: Sequence[Problem], found: Sequence[Agreement], most: int) -> None:
    data_sets = sum(len(problem.tests) for problem in problems)
    print(f"{len(problems):,} problems, {data_sets:,} data sets, each run twice and once with its rows shuffled")
    print(f"{'language':10} {'interpreter':14} {'ran':>6} {'disagree':>9}")
    for one in found:
        print(one.line())
    by_id = {problem.problem_id: problem for problem in problems}
    for one in found:
        for problem_id, reason in list(one.disagree.items())[:most]:
            problem = by_id[problem_id]
            print(f"\n{problem_id} {reason}\n{problem.statement}\n{problem.references[one.language]}")
    unknown = {language for problem in problems for language in problem.references} - {one.language for one in found}
    if unknown:
        print(f"no interpreter here for: {', '.join(sorted(unknown))}")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m eval.bench_agreement", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--problems", type=int, default=2000, metavar="N", help="how many problems (%(default)s)")
    add("--seed", type=int, default=1, help="of the problems (%(default)s)")
    add("--target", metavar="NAME", help="run this interpreter for its language, instead of the first of the language")
    add("--workers", type=int, default=1, help="threads (%(default)s)")
    add("--list", type=int, default=20, metavar="N", help="list so many disagreements by language (%(default)s)")
    add("--out", type=Path, help="JSON file with the figures and every disagreement")
    args = parser.parse_args(argv)
    found: list[Agreement] = []

    def work() -> None:
        options = {"count": args.problems, "length_weights": [1.0] * STEPS}
        problems = list(load_source("table_pipelines", options, args.seed).load())
        found.extend(agreements(problems, Workers(args.workers, args.target)))
        report(problems, found, args.list)
        if args.out:
            args.out.write_text(json.dumps([asdict(one) for one in found], indent=1) + "\n", encoding="utf-8")

    run_program(work)
    return 1 if any(one.disagree or one.missing for one in found) else 0


if __name__ == "__main__":
    sys.exit(main())
