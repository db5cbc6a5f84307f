"""Export finished problems: solved by a run, or problems and solutions from files, which are judged first.

Reads a run folder, or a problems file and a JSONL of solutions ("problem_id" and "code" in each line); leaves in --out,
by --form:

    directory   a folder per problem with its solution and its tests as files
    chat        chat.jsonl, one conversation per line for fine-tuning, and problems.jsonl
    hub         README.md (a data card), data/<split>.jsonl and problems.jsonl: a data set for the Hugging Face hub

and export.json, written last, which says what is in it. All three are read again by `python -m bootstrap.verify`.

    python -m bootstrap.export --run-dir outputs/demo --out exported --form directory
"""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bootstrap.config import PromptConfig
from bootstrap.errors import UserError
from bootstrap.export.directory import folder_name, write_entry
from bootstrap.export.finished import Collection, Judges, finished_of_files, finished_of_run
from bootstrap.export.rows import SPLITS, card, chat_row, hub_row
from bootstrap.files import write_json, write_jsonl, write_text_atomic
from bootstrap.programs import run_program
from bootstrap.progress import ProgressLines
from bootstrap.run_store import RunStore
from interpreters import INTERPRETERS
from interpreters.base import Limits

RECORD = "export.json"
FORMS = ("directory", "chat", "hub")


def write_directory(collection: Collection, out: Path) -> None:
    progress = ProgressLines(len(collection.finished), "problems/s")
    for finished in collection.finished:
        write_entry(out / folder_name(finished.problem), finished)
        progress.add(1)
    os.sync()  # before export.json says that all is there
    progress.show()


def write_chat(collection: Collection, out: Path, config: PromptConfig) -> None:
    write_jsonl(out / "chat.jsonl", (chat_row(one, config) for one in collection.finished))
    write_problems(collection, out)


def write_hub(collection: Collection, out: Path, config: PromptConfig) -> None:
    splits = {}
    for part, split in SPLITS.items():
        rows = [hub_row(one, config) for one in collection.finished if one.part == part]
        if rows:
            write_jsonl(out / "data" / f"{split}.jsonl", rows)
            splits[split] = len(rows)
    write_problems(collection, out)
    write_text_atomic(out / "README.md", card(collection, splits))


def write_problems(collection: Collection, out: Path) -> None:
    problems = {one.problem.problem_id: one.problem for one in collection.finished}
    write_jsonl(out / "problems.jsonl", (problem.to_json() for problem in problems.values()))


def collect(args: argparse.Namespace) -> Collection:
    keep = 1 if args.form == "directory" else args.keep
    if args.run_dir:
        return finished_of_run(RunStore(args.run_dir), keep)
    judges = Judges(args.target, Limits(args.seconds, args.memory_mb), args.workers, args.sandbox)
    return finished_of_files(args.problems, args.solutions, judges, keep)


def export(args: argparse.Namespace) -> None:
    """Do what the command line says."""
    if args.out.exists() and (not args.out.is_dir() or any(args.out.iterdir())):
        raise UserError(f"--out {args.out}: expected a new or empty folder, found something in it; give another --out")
    collection = collect(args)
    for why, count in sorted(collection.left_out.items()):
        print(f"left out: {count:,} {why}", flush=True)
    if not collection.finished:
        raise UserError("nothing to export: no solution passes all tests of its problem")
    config = PromptConfig(style=args.style)
    if args.form == "directory":
        write_directory(collection, args.out)
    else:
        (write_chat if args.form == "chat" else write_hub)(collection, args.out, config)
    record = {
        "format": 1, "form": args.form, "origin": collection.origin, "solutions": len(collection.finished),
        "problems": len({one.problem.problem_id for one in collection.finished}), "left_out": dict(collection.left_out),
        "interpreters": dict(Counter(one.interpreter for one in collection.finished)),
    }  # fmt: skip
    write_json(args.out / RECORD, record)
    print(f"{record['solutions']:,} solutions of {record['problems']:,} problems are in {args.out}", flush=True)


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bootstrap.export", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add, limits = parser.add_argument, Limits()
    add("--run-dir", type=Path, help="folder of a run: what it has solved")
    add("--problems", type=Path, help="a problems file, with --solutions and --target")
    add("--solutions", type=Path, help="JSONL with problem_id and code; each is judged before it is exported")
    add("--target", choices=list(INTERPRETERS), help="interpreter that judges the solutions")
    add("--out", type=Path, required=True, help="new folder to write to")
    add("--form", choices=FORMS, default="directory", help="what to write (%(default)s)")
    add("--keep", type=int, default=1, help="solutions per problem, for chat and hub (%(default)s)")
    add("--style", choices=["plain", "instruct"], default="instruct", help="style of the prompts (%(default)s)")
    add("--workers", type=int, default=os.cpu_count() or 1, help="checks at once (%(default)s)")
    add("--seconds", type=float, default=limits.seconds, help="wall time of a solution over all tests (%(default)s)")
    add("--memory-mb", type=int, default=limits.memory_mb, help="memory of a solution (%(default)s)")
    add("--sandbox", choices=["required", "unsafe"], default="required", help="unsafe: go on where it has holes")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    parser = make_parser()
    args = parser.parse_args(argv)
    files = [args.problems, args.solutions, args.target]
    if bool(args.run_dir) == any(files) or (not args.run_dir and not all(files)):
        parser.error("give --run-dir, or --problems with --solutions and --target")
    for name in ("keep", "workers", "seconds", "memory_mb"):
        if getattr(args, name) <= 0:
            parser.error(f"--{name.replace('_', '-')}: expected more than 0, found {getattr(args, name)}")
    run_program(lambda: export(args))


if __name__ == "__main__":
    main()
