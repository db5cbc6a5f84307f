"""Make a training set of a run again from its archive, without what is named.

Reads a run folder and changes nothing in it; leaves --out and, beside it, its counts (train.jsonl: train_stats.json).
Where a solution goes, another of the same problem may take its place. What is named by --without-test is taken out of
the problem, and its candidates that failed are judged again by the tests that are left; those that passed still do.

    python -m bootstrap.rebuild --run-dir outputs/demo --iteration 3 --without-problem pipe-0007 --out train.jsonl
    python -m bootstrap.rebuild --run-dir outputs/demo --iteration 3 --without-test pipe-0007:2 --out train.jsonl

Every --without-... may be given several times. With none of them the file is that of the iteration.
"""

from __future__ import annotations

import argparse
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from bootstrap.checkers import open_pool
from bootstrap.commands import Commands
from bootstrap.config import RunConfig
from bootstrap.dataset import TIERS, DatasetStats, Row, Solution, build_dataset, seed_solutions, tier_of
from bootstrap.errors import UserError, nearest
from bootstrap.files import read_jsonl, write_json, write_jsonl
from bootstrap.models import trains
from bootstrap.programs import run_program
from bootstrap.recheck import Code, code_of, version_of
from bootstrap.records import Candidate, Problem, dump_line
from bootstrap.run_store import RunStore
from bootstrap.targets import target_of
from interpreters.base import Outcome
from interpreters.judging.judge_stream import judge_in_order

MOST_LISTED = 20


@dataclass(frozen=True)
class Without:
    """What is left out; `tests`: problem_id -> indices of its tests, from 0."""

    problems: frozenset[str] = frozenset()
    tests: Mapping[str, frozenset[int]] = field(default_factory=dict)
    sources: frozenset[str] = frozenset()
    iterations: frozenset[int] = frozenset()
    tiers: frozenset[str] = frozenset()
    rechecked: bool = False

    def reason(self, problem_id: str, source: str, iteration: int, tier: str) -> str | None:
        """Return why a solution, or a row of it, is left out, or None."""
        for name, value, named in (
            ("problem", problem_id, self.problems), ("source", source, self.sources),
            ("iteration", iteration, self.iterations), ("tier", tier, self.tiers),
        ):  # fmt: skip
            if value in named:
                return f"{name} {value}"
        return None


@dataclass(frozen=True)
class Rebuild:
    """The archive of a run up to one iteration. `problems`: all of the run's, as it has them."""

    store: RunStore
    config: RunConfig
    iteration: int
    split: Mapping[str, Any]
    problems: Mapping[str, Problem]

    def archive(self) -> Iterator[Candidate]:
        for number in range(1, self.iteration + 1):
            yield from self.store.each_candidate(number)

    def build(self, without: Without, verdicts: Mapping[Code, Outcome]) -> tuple[list[Row], DatasetStats]:
        """Return the rows without what is named; `verdicts` stand in the place of those in the archive."""
        problems = {pid: without_tests(one, without.tests.get(pid)) for pid, one in self.problems.items()}

        def stays(one: Solution | Candidate) -> bool:
            source = problems[one.problem_id].source
            return without.reason(one.problem_id, source, one.iteration, tier_of(one)) is None

        def judged(one: Candidate) -> Candidate:
            after = verdicts.get(code_of(one), one.outcome) if verdicts else one.outcome
            return one if after is one.outcome else replace(one, outcome=after)

        seeds = [one for one in seed_solutions(problems, self.split["seeds"], self.config) if stays(one)]
        candidates = (judged(one) for one in self.archive() if stays(one))
        return build_dataset(seeds, candidates, problems, self.split, self.config)

    def refuted(self) -> tuple[dict[Code, Outcome], int]:
        """Return the passing codes that recheck.jsonl says otherwise of, and how many it does not judge."""
        if not self.store.recheck_file.exists():
            raise UserError(
                f"--rechecked: {self.store.root} has no recheck.jsonl; run python -m bootstrap.recheck --run-dir "
                f"{self.store.root} first"
            )
        rows = read_jsonl(self.store.recheck_file)
        after = {(r["problem_id"], r["code_digest"]): Outcome(r["after"]) for r in rows if r["after"] != Outcome.INFRA}
        passing = {code_of(one) for one in self.archive() if one.passed}
        refuted = {code: after[code] for code in passing & after.keys() if after[code] is not Outcome.PASSED}
        return refuted, len(passing - after.keys())

    def judged_again(self, without: Without, refuted: Mapping[Code, Outcome]) -> dict[Code, Outcome]:
        """Return the verdicts of the tests that are left, for codes of their problems that do not pass them all."""
        concerned = [one for one in self.archive() if one.problem_id in without.tests]
        passing = {code_of(one) for one in concerned if one.passed} - refuted.keys()
        owed = {code_of(one): one for one in concerned if code_of(one) not in passing}
        fewer = {pid: without_tests(self.problems[pid], named) for pid, named in without.tests.items()}
        found: dict[Code, Outcome] = {}
        for target in self.config.targets:
            jobs = [
                (code, one.code, fewer[one.problem_id].tests)
                for code, one in owed.items()
                if target_of(fewer[one.problem_id], self.config) == target
            ]
            if jobs:
                version_of(target, self.config.checking.sandbox)
                with open_pool(self.config, target) as pool:
                    found.update({code: verdict.outcome for code, verdict in judge_in_order(pool, jobs)})
        return found


def without_tests(problem: Problem, indices: frozenset[int] | None) -> Problem:
    if not indices:
        return problem
    return replace(problem, tests=tuple(test for i, test in enumerate(problem.tests) if i not in indices))


# -- what is named ------------------------------------------------------------------------------------------------


def listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_LISTED:,} more" if len(names) > MOST_LISTED else ""
    return ", ".join(names[:MOST_LISTED]) + more


def require(flag: str, names: Sequence[str], valid: Sequence[str], what: str) -> None:
    """Raise UserError, with the nearest valid name, for one that is not valid."""
    for name in names:
        if name not in valid:
            raise UserError(f"{flag} {name}: expected {what}{nearest(name, valid)} known: {listed(valid)}")


def tests_named(
    words: Sequence[str], problems: Mapping[str, Problem], train: Sequence[str]
) -> dict[str, frozenset[int]]:
    """Return problem_id -> indices, from words ID:INDEX. Raises UserError."""
    found: dict[str, frozenset[int]] = {}
    for word in words:
        problem_id, _, index = word.rpartition(":")
        if not problem_id or not index.isdecimal():
            raise UserError(f"--without-test {word}: expected ID:INDEX, a problem and its test counted from 0")
        require("--without-test", [problem_id], train, "a train problem of the run")
        last = len(problems[problem_id].tests) - 1
        if int(index) > last:
            raise UserError(
                f"--without-test {word}: expected a test of {problem_id}, which are 0 to {last}; did you mean "
                f"{problem_id}:{last}?"
            )
        found[problem_id] = found.get(problem_id, frozenset()) | {int(index)}
        if len(found[problem_id]) > last:
            raise UserError(
                f"--without-test {word}: {problem_id} would have no test left; use --without-problem {problem_id}"
            )
    return found


def read_without(args: argparse.Namespace, problems: Mapping[str, Problem], train: Sequence[str]) -> Without:
    """Return what the command line names. Raises UserError for what the run does not have."""
    sources = sorted({problems[problem_id].source for problem_id in train})
    require("--without-problem", args.without_problem, train, "a train problem of the run")
    require("--without-source", args.without_source, sources, "a source of its train problems")
    numbers = [str(number) for number in range(args.iteration + 1)]
    require("--without-iteration", list(map(str, args.without_iteration)), numbers, "an iteration up to --iteration")
    return Without(
        frozenset(args.without_problem), tests_named(args.without_test, problems, train),
        frozenset(args.without_source), frozenset(args.without_iteration), frozenset(args.without_tier), args.rechecked,
    )  # fmt: skip


# -- what came of it ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Changes:
    """The rows before and after, those lost by reason, and those that took their place."""

    before: int
    after: int
    lost: Mapping[str, int]
    gained: int
    problems_before: int
    problems_after: int
    problems_lost: list[str]


def changes(
    before: Sequence[Row], after: Sequence[Row], without: Without, refuted: Mapping[Code, Outcome],
    problems: Mapping[str, Problem],
) -> Changes:  # fmt: skip
    """Compare two sets of rows, each row with all that it says."""
    disagreed = {problem_id for problem_id, _ in refuted}
    lines = Counter(map(dump_line, after))
    lost: Counter[str] = Counter()
    for row in before:
        line, pid = dump_line(row), row["problem_id"]
        if lines[line]:
            lines[line] -= 1
            continue
        reason = without.reason(pid, problems[pid].source, row["iteration"], row["tier"])
        if reason is None and pid in without.tests:
            reason = f"tests of {pid}"
        if reason is None:
            reason = "what the recheck refutes" if pid in disagreed else "what went with them (shares, repeats, hints)"
        lost[reason] += 1
    solved, left = {row["problem_id"] for row in before}, {row["problem_id"] for row in after}
    return Changes(
        len(before), len(after), dict(lost), lines.total(), len(solved), len(left), sorted(solved - left)
    )  # fmt: skip


def table(found: Changes, iteration: int) -> list[str]:
    """Return the lines for people."""
    rows = [(f"rows of iteration {iteration}", f"{found.before:,}")]
    rows += [(f"  without {reason}", f"-{count:,}") for reason, count in sorted(found.lost.items())]
    if found.gained:
        rows.append(("  others in their place", f"+{found.gained:,}"))
    rows.append(("rows now", f"{found.after:,}"))
    rows += [("problems before", f"{found.problems_before:,}"), ("problems now", f"{found.problems_after:,}")]
    wide = max(len(title) for title, _ in rows)
    lines = [f"{title:{wide}}  {count:>9}" for title, count in rows]
    if found.problems_lost:
        lines.append(f"{len(found.problems_lost):,} problems lost: {listed(found.problems_lost)}")
    return lines


def training_words(rebuild: Rebuild, out: Path) -> str | None:
    """Return how to train on the file as the iteration was, into a new folder; None where nothing is trained."""
    store, config, number = rebuild.store, rebuild.config, rebuild.iteration
    if not trains(config, number):
        return None
    parent = store.metadata(store.iteration(number)).get("parent") or 0
    words = list(Commands(store, config, Path()).trainings(number, parent)[0].words)
    words[words.index("--train_file") + 1] = str(out)
    words[words.index("--output_dir") + 1] = str(out.with_name(f"{out.stem}_model"))
    return shlex.join(words)


def stats_file(out: Path) -> Path:
    return out.with_name(f"{out.stem}_stats.json")


def open_rebuild(store: RunStore, iteration: int, out: Path, config: RunConfig) -> Rebuild:
    """Return the archive. Raises UserError where there is none, or the files would lie in the run's own folder."""
    built = [int(f.name.split("_")[1]) for f in store.iterations() if store.stage(f, "BUILD") is not None]
    if iteration not in built:
        raise UserError(f"--iteration {iteration}: expected one whose BUILD is finished; {store.root} has {built}")
    if out.resolve().is_relative_to(store.root.resolve()):
        raise UserError(
            f"--out {out} lies in the run's folder, which keeps its own train.jsonl as it was; give another path"
        )
    return Rebuild(store, config, iteration, store.split(), store.problems())


def rebuild_run(store: RunStore, args: argparse.Namespace) -> None:
    """Do what the command line says."""
    if not store.exists:
        raise UserError(f"--run-dir {store.root}: expected the folder of a run, found no config.resolved.json in it")
    config = store.config()
    given = {"workers": args.workers, "sandbox": args.sandbox}
    checking = config.checking.model_copy(update={key: value for key, value in given.items() if value is not None})
    config = config.model_copy(update={"checking": checking})
    rebuild = open_rebuild(store, args.iteration, args.out, config)
    without = read_without(args, rebuild.problems, rebuild.split["train"])
    refuted, unknown = rebuild.refuted() if without.rechecked else ({}, 0)
    again = rebuild.judged_again(without, refuted)
    before, _ = rebuild.build(Without(), {})
    rows, stats = rebuild.build(without, {**refuted, **again})
    if not rows:
        raise UserError("nothing would be left to train on; leave less out")
    found = changes(before, rows, without, refuted, rebuild.problems)
    write_jsonl(args.out, rows)
    about = {"run": store.name, "iteration": args.iteration, **asdict(found)}
    write_json(stats_file(args.out), {**asdict(stats), "rebuilt": about})
    print("\n".join(table(found, args.iteration)))
    own = Counter(map(dump_line, read_jsonl(store.train_file(args.iteration))))
    if own != Counter(map(dump_line, before)):
        print("note: with nothing left out the rows differ from the run's train.jsonl: the program has changed since")
    notes(again, unknown)
    print(f"wrote {args.out} and {stats_file(args.out)}")
    if words := training_words(rebuild, args.out):
        print(f"to train on it as iteration {args.iteration} was trained:\n  {words}")
        if args.iteration and config.train.start_from != "base":
            print(
                "the model that this starts from was trained on the rows before: choose --base_model with that in mind"
            )


def notes(again: Mapping[Code, Outcome], unknown: int) -> None:
    """Print what became of codes that were judged, or were not."""
    outcomes = Counter(again.values())
    if again:
        print(f"{len(again):,} codes judged again: {outcomes[Outcome.PASSED]:,} pass now")
    if outcomes[Outcome.INFRA]:
        print(f"{outcomes[Outcome.INFRA]:,} of them could not be judged and are left out; start again to judge them")
    if unknown:
        print(f"{unknown:,} passing codes are not in recheck.jsonl and stay; let python -m bootstrap.recheck finish")


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--run-dir", type=Path, required=True, help="folder of the run")
    add("--iteration", type=int, required=True, help="whose training set")
    add("--out", type=Path, required=True, help="file to write, outside of the run's folder")
    add("--without-problem", action="append", default=[], metavar="ID", help="without the rows of this problem")
    add("--without-test", action="append", default=[], metavar="ID:INDEX", help="as if this test (from 0) had not been")
    add("--without-source", action="append", default=[], metavar="NAME", help="without the problems of this source")
    add(
        "--without-iteration", action="append", default=[], type=int, metavar="N",
        help="without what this iteration solved; 0: the seeds",
    )  # fmt: skip
    add("--without-tier", action="append", default=[], choices=TIERS, help="without the rows of this tier")
    add("--rechecked", action="store_true", help="without what recheck.jsonl (bootstrap.recheck) says does not pass")
    add("--workers", type=int, help="checks at once, for --without-test (default: as the run)")
    add("--sandbox", choices=["required", "unsafe"], help="for --without-test (default: as the run)")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    parser = make_parser()
    args = parser.parse_args(argv)
    if args.workers is not None and args.workers < 1:
        parser.error(f"--workers: expected at least 1, found {args.workers}")
    run_program(lambda: rebuild_run(RunStore(args.run_dir), args))


if __name__ == "__main__":
    main()
