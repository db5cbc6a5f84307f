"""Audit problems by mutants: does wrong code next to each reference fail the problem's data sets?

    python -m bootstrap.audit --source table_pipelines --count 200 --target polars_expr --out audit.jsonl
    python -m bootstrap.audit --problems P.jsonl --target duckdb_sql --out audit.jsonl --add-datasets

Reads problems, one Problem as JSON per line, or makes them by a source. Leaves one line per problem in --out: kill
rate, surviving mutants and, with --add-datasets, the data sets that were found. Started again with the same --out it
goes on: a problem that is there, the same and under the same settings, is not done again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from bootstrap.audit.audit import BATCH, ProblemAudit, audit
from bootstrap.audit.report import audit_row, report_lines
from bootstrap.audit.workers import Workers
from bootstrap.config import AuditConfig, parse_overrides
from bootstrap.files import append_jsonl, read_jsonl
from bootstrap.programs import run_program
from bootstrap.progress import ProgressLines
from bootstrap.records import Problem, digest, dump_line
from bootstrap.sources import chosen_source
from interpreters import load_interpreter

BATCHES_PER_STEP = 4
"""Batches per worker between two writes: what is lost when the program is killed."""


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bootstrap.audit", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--problems", type=Path, help="JSONL of problems")
    add("--source", metavar="NAME", help="or a problem source, see bootstrap.sources")
    add("--option", action="append", default=[], metavar="KEY=VALUE", help="an option of the source; repeatable")
    add("--count", type=int, help="take so many problems of the source")
    add("--seed", type=int, default=1, help="seed of the source (%(default)s)")
    add("--problems-limit", type=int, help="audit only the first so many")
    add("--target", default="polars_expr", help="interpreter whose language's references are mutated (%(default)s)")
    add("--mutants", type=int, default=AuditConfig().mutants, help="mutants per problem (%(default)s)")
    add("--add-datasets", action="store_true", help="look for data sets that kill what survives")
    add("--workers", type=int, default=1, help="threads, each with interpreters of its own (%(default)s)")
    add("--sandbox", choices=("required", "unsafe"), default="required", help="see checking.sandbox (%(default)s)")
    add("--out", type=Path, required=True, help="JSONL with one line per problem")
    return parser


def load_problems(args: argparse.Namespace) -> list[Problem]:
    """Return the problems to audit. Raises UserError."""
    options: dict[str, Any] = parse_overrides(args.option)
    if args.source == "table_pipelines" and args.count:
        options = {"count": args.count, **options}
    source = chosen_source(args.problems, args.source, options, args.seed)
    return list(islice(source.load(), args.problems_limit or args.count))


def key_of(problem: Problem, args: argparse.Namespace) -> str:
    """Return what a line of --out must have been made from to count as this problem's."""
    return digest(dump_line(problem.to_json()), args.target, str(args.mutants), str(args.add_datasets))


def work(args: argparse.Namespace) -> None:
    load_interpreter(args.target)  # refuses an unknown name before anything is loaded
    config = AuditConfig(mutants=args.mutants)
    problems = {key_of(problem, args): problem for problem in load_problems(args)}
    known = {row["key"]: row for row in read_jsonl(args.out, mend=True)}
    left = [(key, problem) for key, problem in problems.items() if key not in known]
    progress = ProgressLines(len(problems), "problems/s", done=len(problems) - len(left))
    step = BATCH * BATCHES_PER_STEP * args.workers
    for start in range(0, len(left), step):
        part = left[start : start + step]
        workers = Workers(args.workers, args.target, args.sandbox)

        def show(audits: Sequence[ProblemAudit]) -> None:
            progress.add(len(audits))

        audits = audit([problem for _, problem in part], workers, config, search=args.add_datasets, on_done=show)
        rows = [{"key": key, **audit_row(one, with_tests=True)} for (key, _), one in zip(part, audits, strict=True)]
        append_jsonl(args.out, rows)
        known |= {row["key"]: row for row in rows}
    progress.show()
    for line in report_lines([known[key] for key in problems]):
        print(line)


def main(argv: Sequence[str] | None = None) -> int:
    args = make_parser().parse_args(argv)
    run_program(lambda: work(args))
    return 0


if __name__ == "__main__":
    sys.exit(main())
