"""Judge an export again: every solution on every test, and whether its files still say the same.

Reads a folder that `python -m bootstrap.export` wrote, in any form; leaves in --output-dir verdicts.jsonl, one line per
code (outcome, seconds, size, constructs, near-duplicates), and summary.json. Started again, it goes on where it was:
what was judged with the same tests, code, limits and engine is not judged again.

    python -m bootstrap.verify --input-dir exported

In the directory form the reference in plain Python (sol.py) is judged too, and every file is compared with what
entry.json and the solution say. --target judges by another interpreter of the same language.

Ends with status 0 when everything passes, 1 when something does not, 2 for an error.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bootstrap.code_metrics import constructs, near_duplicate_of, size_of
from bootstrap.errors import UserError
from bootstrap.export.finished import Judges
from bootstrap.export.read_back import Broken, Item, read_export
from bootstrap.files import append_jsonl, read_jsonl, write_json, write_jsonl
from bootstrap.programs import run_program
from bootstrap.records import digest, dump_line
from interpreters import INTERPRETERS, load_interpreter
from interpreters.base import InterpreterUnavailable, Limits, Outcome, Verdict
from interpreters.judging.check_progress import Progress
from interpreters.wire import test_case_to_json

ROWS_PER_WRITE = 50
MOST_LISTED = 10
BROKEN = "BROKEN"  # outcome of what holds no code to judge

Row = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    target: str | None
    limits: Limits
    workers: int
    sandbox: str

    def judges(self, interpreter: str) -> Judges:
        return Judges(interpreter, self.limits, self.workers, self.sandbox)


class Verification:
    """What is to be judged, what has been, and the rows that say so."""

    def __init__(self, items: Sequence[Item | Broken], settings: Settings, out: Path) -> None:
        self.items, self.settings, self.file = items, settings, out / "verdicts.jsonl"
        self._versions = {name: settings.judges(name).start()[1] for name in sorted(self._interpreters())}
        rows = read_jsonl(self.file, mend=True)
        self._known = {row["key"]: row for row in rows if row.get("outcome") != Outcome.INFRA and "key" in row}
        self.found: dict[int, Row] = {}

    def _interpreters(self) -> set[str]:
        return {self.interpreter_of(one) for one in self.items if isinstance(one, Item)}

    def interpreter_of(self, item: Item) -> str:
        """Return the interpreter that judges: the one asked for, where it is of the language, or that of the export."""
        target = self.settings.target
        if target is not None and load_interpreter(target).language == item.language:
            return target
        return item.interpreter

    def key_of(self, item: Item) -> str:
        tests = dump_line({"tests": [test_case_to_json(test) for test in item.problem.tests]})
        return digest(item.name, item.role, tests, item.code, self._versions[self.interpreter_of(item)],
                      str(self.settings.limits))  # fmt: skip

    def run(self) -> None:
        """Judge what is owed, interpreter by interpreter; rows are written as they come."""
        owed: dict[str, list[tuple[int, Item, str]]] = defaultdict(list)
        for position, item in enumerate(self.items):
            if isinstance(item, Broken):
                self.found[position] = broken_row(item)
                continue
            key = self.key_of(item)
            if key in self._known:
                self.found[position] = self._known[key] | {"stale_files": list(item.stale)}
            else:
                owed[self.interpreter_of(item)].append((position, item, key))
        count = sum(map(len, owed.values()))
        print(f"{len(self.items):,} to verify, {len(self.items) - count:,} known already", flush=True)
        progress = Progress(count, sys.stderr)
        try:
            for name, members in owed.items():
                self._judge(name, members, progress)
        finally:
            if count:
                progress.end()

    def _judge(self, interpreter: str, members: Sequence[tuple[int, Item, str]], progress: Progress) -> None:
        waiting: list[Row] = []
        jobs = (((position, key), item.code, item.problem.tests) for position, item, key in members)
        try:
            for (position, key), verdict in self.settings.judges(interpreter).judge(jobs):
                item = self.items[position]
                assert isinstance(item, Item)  # only items are owed
                row = verdict_row(item, verdict, key, self._versions[interpreter])
                self.found[position] = row
                progress.add(passed=verdict.passed)
                waiting.append(row)
                if len(waiting) >= ROWS_PER_WRITE:
                    append_jsonl(self.file, waiting)
                    waiting = []
        finally:
            append_jsonl(self.file, waiting)

    def rows(self) -> list[Row]:
        """Return the rows in the order of the export, with what needs all of them: the near-duplicates."""
        rows = [self.found[position] for position in range(len(self.items))]
        codes = [(one.language, one.code) if isinstance(one, Item) else ("", "") for one in self.items]
        solutions = [i for i, one in enumerate(self.items) if isinstance(one, Item) and one.role == "solution"]
        alike = near_duplicate_of([codes[i] for i in solutions])
        names = {solutions[later]: self.items[solutions[earlier]].name for later, earlier in alike.items()}
        return [row | {"near_duplicate_of": names.get(i)} for i, row in enumerate(rows)]


def verdict_row(item: Item, verdict: Verdict, key: str, version: str) -> Row:
    return {
        "name": item.name, "role": item.role, "problem_id": item.problem.problem_id, "language": item.language,
        "interpreter": version, "key": key, "outcome": verdict.outcome.value, "failed_test": verdict.failed_test,
        "message": verdict.message, "seconds": round(verdict.seconds, 4), "tests": len(item.problem.tests),
        "stale_files": list(item.stale), "characters": len(item.code), "lines": len(item.code.splitlines()),
        "nodes": size_of(item.code, item.language), "constructs": constructs(item.code, item.language),
    }  # fmt: skip


def broken_row(item: Broken) -> Row:
    return {"name": item.name, "role": "solution", "outcome": BROKEN, "message": item.reason, "stale_files": []}


# -- the summary --------------------------------------------------------------------------------------------------


def fails(row: Mapping[str, Any]) -> bool:
    return row["outcome"] != Outcome.PASSED or bool(row["stale_files"])


def summary_of(rows: Sequence[Row], limits: Limits) -> Row:
    """Return the counts and metrics of a verification."""
    judged = [row for row in rows if row["outcome"] != BROKEN]
    solutions = [row for row in judged if row["role"] == "solution"]
    seconds = sorted((row["seconds"] for row in judged), reverse=True)
    uses = Counter(name for row in solutions for name in row["constructs"])
    return {
        "codes": len(rows), "failing": sum(map(fails, rows)),
        "outcomes": {
            role: dict(Counter(row["outcome"] for row in rows if row["role"] == role).most_common())
            for role in sorted({row["role"] for row in rows})
        },
        "syntax_errors": sum(row["outcome"] == Outcome.SYNTAX_ERROR for row in rows),
        "stale": sum(bool(row["stale_files"]) for row in rows),
        "seconds": {
            "limit": limits.seconds, "total": round(sum(seconds), 2), "median": _median(seconds),
            "longest": seconds[0] if seconds else 0.0,
            "over_half_of_the_limit": sum(one > limits.seconds / 2 for one in seconds),
        },
        "slowest": [
            {"name": row["name"], "role": row["role"], "seconds": row["seconds"]}
            for row in sorted(judged, key=lambda row: -row["seconds"])[:MOST_LISTED]
        ],
        "code": {
            "median_characters": _median([row["characters"] for row in solutions]),
            "most_characters": max((row["characters"] for row in solutions), default=0),
            "median_nodes": _median([row["nodes"] for row in solutions]),
            "distinct_constructs": len(uses), "constructs": dict(uses.most_common()),
            "near_duplicates": sum(row["near_duplicate_of"] is not None for row in solutions),
        },
    }  # fmt: skip


def _median(values: Sequence[float]) -> float:
    return round(statistics.median(values), 4) if values else 0.0


def report(rows: Sequence[Row], summary: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines that say what was found."""
    for role, outcomes in summary["outcomes"].items():
        yield f"{role}s: " + ", ".join(f"{count:,} {outcome}" for outcome, count in outcomes.items())
    time, code = summary["seconds"], summary["code"]
    yield (
        f"time: median {time['median']:.3f} s, longest {time['longest']:.3f} s of {time['limit']:g} s, "
        f"{time['over_half_of_the_limit']:,} over half of it"
    )
    yield (
        f"code: median {code['median_characters']:.0f} characters, {code['distinct_constructs']:,} constructs, "
        f"{code['near_duplicates']:,} near-duplicates of an earlier solution"
    )
    for row in [row for row in rows if fails(row)][:MOST_LISTED]:
        stale = f"; changed or missing: {', '.join(row['stale_files'])}" if row["stale_files"] else ""
        yield f"  {row['name']} ({row['role']}): {row['outcome']} {row['message']}{stale}".rstrip()
    if summary["failing"] > MOST_LISTED:
        yield f"  and {summary['failing'] - MOST_LISTED:,} more: see verdicts.jsonl"


# -- the program --------------------------------------------------------------------------------------------------


def first_problems(items: Iterator[Item | Broken], most: int | None) -> list[Item | Broken]:
    """Return the items of the first `most` problems."""
    taken: list[Item | Broken] = []
    seen: set[str] = set()
    for item in items:
        name = item.name if isinstance(item, Broken) else item.problem.problem_id
        if most is not None and name not in seen and len(seen) == most:
            break
        seen.add(name)
        taken.append(item)
    return taken


def verify(args: argparse.Namespace) -> int:
    """Do what the command line says; return the exit status."""
    out: Path = args.output_dir or args.input_dir.with_name(f"{args.input_dir.resolve().name}_verified")
    items = first_problems(read_export(args.input_dir), args.max_problems)
    if not items:
        raise UserError(f"--input-dir {args.input_dir}: there is nothing to verify in it")
    settings = Settings(args.target, Limits(args.seconds, args.memory_mb), args.workers, args.sandbox)
    out.mkdir(parents=True, exist_ok=True)
    try:
        verification = Verification(items, settings, out)
    except InterpreterUnavailable as error:
        raise UserError(f"{error}; name one with --target") from error
    verification.run()
    rows = verification.rows()
    summary = summary_of(rows, settings.limits)
    write_jsonl(verification.file, rows)
    write_json(out / "summary.json", summary)
    print("\n".join(report(rows, summary)))
    return 1 if summary["failing"] else 0


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add, limits = parser.add_argument, Limits()
    add("--input-dir", type=Path, required=True, help="folder that bootstrap.export wrote")
    add("--output-dir", type=Path, help="where to write (default: beside the input, with _verified at its end)")
    add("--max-problems", type=int, help="only the first so many problems")
    add("--target", choices=list(INTERPRETERS), help="judge by this interpreter (default: that of the export)")
    add("--workers", type=int, default=os.cpu_count() or 1, help="checks at once (%(default)s)")
    add("--seconds", type=float, default=limits.seconds, help="wall time of a code over all tests (%(default)s)")
    add("--memory-mb", type=int, default=limits.memory_mb, help="memory of a code (%(default)s)")
    add("--sandbox", choices=["required", "unsafe"], default="required", help="unsafe: go on where it has holes")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    parser = make_parser()
    args = parser.parse_args(argv)
    for name in ("max_problems", "workers", "seconds", "memory_mb"):
        if getattr(args, name) is not None and getattr(args, name) <= 0:
            parser.error(f"--{name.replace('_', '-')}: expected more than 0, found {getattr(args, name)}")
    status = 0

    def work() -> None:
        nonlocal status
        status = verify(args)

    run_program(work)
    sys.exit(status)


if __name__ == "__main__":
    main()
