"""Translate problems to a target language: by rules where rules exist, then by a teacher model, if one is named.

    python -m bootstrap.convert --source text2sql --option path=DIR --target ibis_duckdb --out DIR
    python -m bootstrap.convert --problems P.jsonl --target duckdb_sql --llm-to-use gpt --model NAME --out DIR

What a rule or a model proposes is kept when the interpreter proves it on all tests, hidden ones too. Leaves in --out
attempts.jsonl (every proposal with its verdict), solutions.jsonl (what was proved, with its route), summary.json and,
where a server was asked, calls.jsonl (every request and its response; `--llm-to-use scripted` replays it).

    python -m bootstrap.convert --run-dir outputs/RUN     # as the loop does: seeds for a run's train problems

Started again with the same --out it goes on: what is answered is not asked again, what is judged not judged again.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from bootstrap.checkers import limits_of
from bootstrap.config import EngineConfig, parse_overrides
from bootstrap.convert.conversion import ConversionRun, Settings, print_summary
from bootstrap.convert.teacher import Plan
from bootstrap.errors import UserError
from bootstrap.programs import run_program
from bootstrap.records import Problem
from bootstrap.run_store import RunStore
from bootstrap.sources import chosen_source
from bootstrap.targets import conversion_folder, seeds_wanted, target_of

ENGINES = {"gpt": "openai", "claude": "anthropic", "local": "transformers", "vllm": "vllm", "scripted": "scripted"}
LEVELS = {"easy": (0, 1), "medium": (2, 2), "hard": (3, 99)}
LANGUAGES_WITH_RULES = "duckdb, postgres, ibis, polars"


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bootstrap.convert", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--problems", type=Path, help="JSONL of problems (docs/problem_format.md)")
    add("--source", metavar="NAME", help="or a problem source, see bootstrap.sources")
    add("--option", action="append", default=[], metavar="KEY=VALUE", help="an option of the source; repeatable")
    add("--seed", type=int, default=1, help="seed of the source and of the teacher (%(default)s)")
    add("--max-files", type=int, metavar="N", help="convert only the first N problems")
    add("--difficulty", metavar="LEVEL", help="easy, medium, hard, or numbers as in 1-3: only those problems")
    add("--run-dir", type=Path, help="or a run, whose configuration says all the rest")
    add("--target", metavar="NAME", help="interpreter of the target language, e.g. duckdb_sql")
    add("--no-rules", action="store_true", help=f"ask the teacher alone (rules lead to {LANGUAGES_WITH_RULES})")
    add("--llm-to-use", choices=list(ENGINES), help="the teacher; gpt is any OpenAI-compatible server")
    add("--model", help="name of the teacher's model, or its folder")
    add("--engine", action="append", default=[], metavar="KEY=VALUE", help="a setting of the engine; repeatable")
    add("--retries", type=int, default=2, help="rounds after the first, each with the verdict told (%(default)s)")
    add("--max-new-tokens", type=int, default=1024, help="of one answer (%(default)s)")
    add("--workers", type=int, default=0, help="interpreters that check at the same time (one per core)")
    add("--sandbox", choices=("required", "unsafe"), default="required", help="see checking.sandbox (%(default)s)")
    add("--out", type=Path, help="folder of this conversion")
    return parser


def load_problems(args: argparse.Namespace) -> list[Problem]:
    """Return the problems asked for. Raises UserError."""
    source = chosen_source(args.problems, args.source, parse_overrides(args.option), args.seed)
    low, high = difficulties(args.difficulty)
    found = list(islice((p for p in source.load() if low <= p.difficulty <= high), args.max_files))
    if not found:
        raise UserError("there is no problem to convert: look at --difficulty, --max-files and the source")
    return found


def difficulties(level: str | None) -> tuple[int, int]:
    """Return the least and the greatest difficulty of a level. Raises UserError."""
    if level is None:
        return 0, sys.maxsize
    if level in LEVELS:
        return LEVELS[level]
    low, _, high = level.partition("-")
    if not low.isdigit() or not (high or low).isdigit():
        raise UserError(f"--difficulty: expected {', '.join(LEVELS)} or numbers as in 1-3, found {level!r}")
    return int(low), int(high or low)


def engine_of(args: argparse.Namespace) -> tuple[str, EngineConfig] | None:
    """Return the teacher's model and its engine; None without a teacher. Raises UserError."""
    if args.llm_to_use is None:
        return None
    if not args.model and args.llm_to_use != "scripted":
        raise UserError(f"--llm-to-use {args.llm_to_use}: name the model with --model")
    values = {"name": ENGINES[args.llm_to_use], **parse_overrides(args.engine)}
    try:
        return args.model or "scripted", EngineConfig.model_validate(values)
    except ValueError as e:
        raise UserError(f"--engine: {e}") from e


def for_run(store: RunStore) -> None:
    """Ask the run's teacher for the seeds that it still lacks, in each of its target languages."""
    config, split = store.config(), store.split()
    if config.convert.teacher is None:
        raise UserError(f"{store.root} names no teacher in convert.teacher")
    asked, checking = config.convert.teacher, config.checking
    problems, seeds = store.problems(set(split["train"])), set(split["seeds"])
    for target, share in seeds_wanted(config).items():
        members = [one for one in problems.values() if target_of(one, config) == target]
        left = [one for one in members if one.problem_id not in seeds]
        wanted = share - (len(members) - len(left))
        plan = Plan(asked.retries, wanted, asked.max_new_tokens, config.sampling.top_p, config.seed)
        teacher = (asked.model, asked.engine)
        settings = Settings(target, False, teacher, plan, checking.workers, checking.sandbox, limits_of(config))
        if wanted > 0:
            convert(conversion_folder(store, config, target), settings, left)


def work(args: argparse.Namespace) -> None:
    if args.run_dir:
        for_run(RunStore(args.run_dir))
        return
    if not args.target or not args.out:
        raise UserError("give --target NAME and --out DIR, or --run-dir RUN")
    problems = load_problems(args)
    plan = Plan(args.retries, None, args.max_new_tokens, seed=args.seed)
    settings = Settings(args.target, not args.no_rules, engine_of(args), plan, args.workers, args.sandbox)
    if not settings.rules and settings.teacher is None:
        raise UserError("--no-rules without --llm-to-use leaves no route: give a teacher")
    convert(args.out, settings, problems)


def convert(folder: Path, settings: Settings, problems: Sequence[Problem]) -> None:
    conversion = ConversionRun(folder, settings)
    try:
        conversion.run(problems)
    finally:
        print_summary(conversion.finish(problems))


def main(argv: Sequence[str] | None = None) -> int:
    args = make_parser().parse_args(argv)
    run_program(lambda: work(args))
    return 0


if __name__ == "__main__":
    sys.exit(main())
