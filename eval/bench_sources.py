"""Measure the sources of Python problems: how many records become problems that wrong code next to them fails.

    python -m eval.bench_sources --data FOLDER                          # every source whose folder is there
    python -m eval.bench_sources --source mbpp --path FILE --limit 100 --out figures.json
    python -m eval.bench_sources --data FOLDER --target q_subset        # which of them q can hold

FOLDER has the layout python_problems/, humaneval/, leetcode/ with JSONL files in each. A record is *extracted* when
its tests could be read, its reference is *ok* when it gives what they say, and the problem is *admitted* when the
reference passes again, trivial answers fail, and enough of its mutants fail, with hidden inputs added where needed.
With --target q_subset the problems that are proven in Python are not audited, but asked for whether q can hold them:
every argument and every expected answer goes to q and back, and the function has a name and a number of parameters
that q allows. Leaves only --out. The times are wall times of this machine with --workers threads.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bootstrap.admission import Plan, admit_by
from bootstrap.audit.audit import ProblemAudit, audit, quarantine_reason
from bootstrap.audit.workers import Workers
from bootstrap.carried import q_refusal
from bootstrap.config import AuditConfig
from bootstrap.errors import UserError
from bootstrap.programs import run_program
from bootstrap.progress import ProgressLines
from bootstrap.sources import load_source
from bootstrap.sources.humaneval import HumanEval
from bootstrap.sources.leetcode import LeetCode
from bootstrap.sources.mbpp import Mbpp

FOLDERS = {"mbpp": "python_problems", "humaneval": "humaneval", "leetcode": "leetcode"}
"""Source -> its folder in --data."""
TARGET = "python_function"


@dataclass(frozen=True)
class Figures:
    """What one source came to. `dropped`: reason -> records, over all stages. `weak`: the problems that were admitted
    by their references but let too many mutants through."""

    source: str
    records: int
    extracted: int
    reference_ok: int
    proven: int
    admitted: int
    mutants: int
    killed: int
    killed_by_error: int
    killed_before: int
    inputs_added: int
    seconds_reading: float
    seconds_auditing: float
    dropped: dict[str, int]
    unread: dict[str, int]
    weak: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        share = self.admitted / self.records if self.records else 0.0
        seconds = self.seconds_reading + self.seconds_auditing
        yield (
            f"{self.source}: {self.records:,} records, {self.extracted:,} extracted, {self.reference_ok:,} references "
            f"ok, {self.proven:,} proven, {self.admitted:,} admitted ({share:.1%})"
        )
        yield (
            f"  {self.mutants:,} mutants, {self.killed / max(self.mutants, 1):.1%} killed ({self.killed_by_error:,} by "
            f"an error), {self.killed_before / max(self.mutants, 1):.1%} before {self.inputs_added:,} inputs were added"
        )
        yield (
            f"  {self.records / max(seconds, 1e-9):.1f} records/s ({self.seconds_reading:.0f} s reading and running, "
            f"{self.seconds_auditing:.0f} s auditing)"
        )
        for reason, count in sorted(self.dropped.items(), key=lambda pair: -pair[1]):
            yield f"  {count:>5,} dropped: {reason}"
        for reason, count in sorted(self.unread.items(), key=lambda pair: -pair[1]):
            yield f"  {count:>5,} single tests left out: {reason}"


@dataclass(frozen=True)
class Carried:
    """How many problems of one source a language can hold. `tried`: records; `proven`: in Python, as ever. `dropped`:
    reason -> records, over all stages."""

    source: str
    target: str
    tried: int
    proven: int
    admitted: int
    seconds: float
    dropped: dict[str, int]

    def lines(self) -> Iterator[str]:
        yield (
            f"{self.source} for {self.target}: {self.tried:,} records tried, {self.proven:,} proven in Python, "
            f"{self.admitted:,} admitted ({self.admitted / max(self.tried, 1):.1%}) in {self.seconds:.0f} s"
        )
        for reason, count in sorted(self.dropped.items(), key=lambda pair: -pair[1]):
            yield f"  {count:>5,} dropped: {reason}"


def opened(name: str, path: Path, args: argparse.Namespace) -> Mbpp | HumanEval | LeetCode:
    options = {"path": str(path)} | ({"limit": args.limit} if args.limit else {})
    source = load_source(name, options, args.seed)
    assert isinstance(source, Mbpp | HumanEval | LeetCode)  # the names of FOLDERS
    return source


def carried(name: str, path: Path, args: argparse.Namespace) -> Carried:
    """Return how many problems of one source q can hold. Raises UserError."""
    started = time.monotonic()
    source = opened(name, path, args)
    admission = admit_by(list(source.load()), Workers(args.workers, TARGET), Plan(), lambda done, total: None)
    refused = [reason for one in admission.admitted if (reason := q_refusal(one))]
    dropped = source.tally.dropped + Counter(map(first_words, admission.quarantined.values()))
    dropped += Counter(map(without_names, refused))
    return Carried(
        source=name, target=args.target, tried=source.tally.rows, proven=len(admission.admitted),
        admitted=len(admission.admitted) - len(refused), seconds=round(time.monotonic() - started, 1),
        dropped=dict(dropped),
    )  # fmt: skip


def measure(name: str, path: Path, args: argparse.Namespace) -> Figures:
    """Return the figures of one source. Raises UserError."""
    source = opened(name, path, args)
    started = time.monotonic()
    problems = list(source.load())
    reading = time.monotonic() - started
    started = time.monotonic()
    workers = Workers(args.workers, TARGET)
    admission = admit_by(problems, workers, Plan(), lambda done, total: None)
    progress = ProgressLines(len(admission.admitted), "problems/s")
    audits = audit(admission.admitted, workers, AuditConfig(), on_done=lambda some: progress.add(len(some)))
    progress.show()
    reasons = {one.problem_id: reason for one in audits if (reason := quarantine_reason(one, AuditConfig()))}
    dropped = source.tally.dropped + Counter(first_words(reason) for reason in admission.quarantined.values())
    dropped += Counter("too few mutants fail" for _ in reasons)
    skipped = Counter(f"admitted without audit: {one.skipped}" for one in audits if one.skipped)
    return Figures(
        source=name, records=source.tally.rows, extracted=source.tally.extracted,
        reference_ok=source.tally.problems, proven=len(admission.admitted),
        admitted=len(admission.admitted) - len(reasons), **sums(audits),
        seconds_reading=round(reading, 1), seconds_auditing=round(time.monotonic() - started, 1),
        dropped=dict(dropped + skipped), unread=dict(source.tally.unread), weak=tuple(reasons.values()),
    )  # fmt: skip


def sums(audits: Sequence[ProblemAudit]) -> dict[str, int]:
    return {
        "mutants": sum(one.mutants for one in audits),
        "killed": sum(one.killed_wrong + one.killed_error for one in audits),
        "killed_by_error": sum(one.killed_error for one in audits),
        "killed_before": sum(one.killed_before for one in audits),
        "inputs_added": sum(len(one.added) for one in audits),
    }


def first_words(reason: str) -> str:
    """Return a reason without what is special to one problem."""
    return " ".join("..." if word.isdigit() else word for word in reason.split()[:8])


def without_names(reason: str) -> str:
    """Return why q refuses a problem without the name that it refuses."""
    return " ".join("..." if word.isdigit() or word.startswith("'") else word for word in reason.split())


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m eval.bench_sources", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="the folder with a folder for each source")
    parser.add_argument("--source", choices=FOLDERS, help="one source alone")
    parser.add_argument("--path", type=Path, help="its file or folder, in the place of --data")
    parser.add_argument("--target", choices=("q_subset",), help="ask which problems this language can hold")
    parser.add_argument("--limit", type=int, help="read only the first so many records of each")
    parser.add_argument("--seed", type=int, default=1, help="of the added inputs (%(default)s)")
    parser.add_argument("--workers", type=int, default=1, help="threads (%(default)s)")
    parser.add_argument("--weak", action="store_true", help="show the problems that let too many mutants through")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    args = parser.parse_args(argv)
    run_program(lambda: work(args))
    return 0


def places(args: argparse.Namespace) -> dict[str, Path]:
    """Return source -> where it is. Raises UserError."""
    if args.path is not None:
        if args.source is None:
            raise UserError("--path needs --source")
        return {args.source: args.path}
    if args.data is None:
        raise UserError("give --data FOLDER, or --source NAME and --path FILE")
    found = {name: args.data / folder for name, folder in FOLDERS.items() if args.source in (None, name)}
    found = {name: place for name, place in found.items() if place.is_dir()}
    if not found:
        raise UserError(f"{args.data} has none of the folders {', '.join(FOLDERS.values())}")
    return found


def work(args: argparse.Namespace) -> None:
    figures: list[Figures | Carried] = []
    for name, place in places(args).items():
        figures.append(carried(name, place, args) if args.target else measure(name, place, args))
        for line in figures[-1].lines():
            print(line, flush=True)
        weak = figures[-1].weak if isinstance(figures[-1], Figures) and args.weak else ()
        for line in weak:
            print(f"  weak: {line}", flush=True)
    if args.out:
        args.out.write_text(json.dumps([asdict(one) for one in figures], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
