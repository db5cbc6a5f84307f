"""Judge the candidates of a run again, after the checker was changed, and list the verdicts that are others now.

Reads a run folder and changes nothing of its archive; leaves recheck.jsonl in it: one line per distinct code, with its
outcomes before and its outcome now. Started again, it goes on where it was, as long as the checker is the same.

    python -m bootstrap.recheck --run-dir outputs/demo

Ends with status 0 when no verdict has changed, 1 when some have, or could not be made, and 2 for an error.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bootstrap.checkers import limits_of, open_pool
from bootstrap.config import RunConfig
from bootstrap.errors import UserError
from bootstrap.files import append_jsonl, read_jsonl, write_jsonl
from bootstrap.programs import run_program
from bootstrap.records import Candidate, Problem, digest
from bootstrap.run_store import RunStore
from bootstrap.targets import language_named, languages_of, target_of
from interpreters import load_interpreter
from interpreters.base import Outcome, TestCase
from interpreters.checking import CheckerPool
from interpreters.judging.check_progress import Progress
from interpreters.judging.judge_stream import judge_in_order

ROWS_PER_WRITE = 100
MOST_LISTED = 20
CHECKER = Path(__file__).resolve().parent.parent / "interpreters"

Code = tuple[str, str]  # problem id, digest of the code


@dataclass(frozen=True)
class Change:
    """A candidate whose verdict is another one now."""

    candidate: Candidate
    after: Outcome

    @property
    def kind(self) -> Literal["real", "timing", "infra"]:
        """`timing`: the time ran out, before or now, which may be the machine's load; `infra`: not judged."""
        if self.after is Outcome.INFRA:
            return "infra"
        return "timing" if Outcome.TIMEOUT in (self.candidate.outcome, self.after) else "real"

    @property
    def title(self) -> str:
        return f"{self.candidate.outcome} -> {self.after}"


def code_of(candidate: Candidate) -> Code:
    return candidate.problem_id, digest(candidate.code)


def checker_digest(versions: Mapping[str, str], config: RunConfig) -> str:
    """Return what changes with the checkers: their source, the engines, the limits."""
    source = "".join(path.read_text(encoding="utf-8") for path in sorted(CHECKER.rglob("*.py")))
    return digest(source, *versions, *versions.values(), str(limits_of(config)))


class Recheck:
    """The candidates of a run, those among them that are judged again, and what came of it."""

    def __init__(self, store: RunStore, config: RunConfig, iteration: int | None, checker: str) -> None:
        self.store, self.checker = store, checker
        numbers = [int(folder.name.split("_")[1]) for folder in store.iterations()]
        if iteration is not None and iteration not in numbers:
            raise UserError(f"--iteration {iteration}: {store.root} has the iterations {numbers}")
        archive = {number: store.candidates(number) for number in numbers}
        self.everything = [candidate for number in numbers for candidate in archive[number]]
        self.chosen = self.everything if iteration is None else archive[iteration]
        if not self.chosen:
            raise UserError(f"{store.root} has no candidates to judge again; is it the right run?")
        self.problems: Mapping[str, Problem] = store.problems({candidate.problem_id for candidate in self.chosen})
        self.before: dict[Code, Counter[str]] = {}
        for candidate in self.everything:
            self.before.setdefault(code_of(candidate), Counter())[candidate.outcome.value] += 1
        self.after = self._recorded()

    def _recorded(self) -> dict[Code, Outcome]:
        """Return what this checker has judged already; lines of another one are taken out of the file."""
        rows = read_jsonl(self.store.recheck_file, mend=True)
        kept = [row for row in rows if row["checker"] == self.checker and row["after"] != Outcome.INFRA]
        if len(kept) < len(rows):
            write_jsonl(self.store.recheck_file, kept)
        return {(row["problem_id"], row["code_digest"]): Outcome(row["after"]) for row in kept}

    def owed(self) -> list[Candidate]:
        """Return one candidate for each code that must be judged."""
        distinct: dict[Code, Candidate] = {}
        for candidate in self.chosen:
            distinct.setdefault(code_of(candidate), candidate)
        return [candidate for code, candidate in distinct.items() if code not in self.after]

    def of_target(self, candidates: Iterable[Candidate], target: str, config: RunConfig) -> list[Candidate]:
        """Return the candidates of problems that are to be solved for this interpreter."""
        return [one for one in candidates if target_of(self.problems[one.problem_id], config) == target]

    def run(self, pool: CheckerPool, owed: Sequence[Candidate], progress: Progress) -> None:
        rows = []
        for candidate, verdict in judge_in_order(pool, self._with_tests(owed)):
            code = code_of(candidate)
            self.after[code] = verdict.outcome
            progress.add(passed=verdict.passed)
            rows.append({
                "problem_id": candidate.problem_id, "code_digest": code[1], "checker": self.checker,
                "before": dict(self.before[code]), "after": verdict.outcome.value,
                "changed": self.before[code].keys() != {verdict.outcome.value},
                "failed_test": verdict.failed_test, "message": verdict.message, "seconds": round(verdict.seconds, 4),
            })  # fmt: skip
            if len(rows) >= ROWS_PER_WRITE:
                append_jsonl(self.store.recheck_file, rows)
                rows = []
        append_jsonl(self.store.recheck_file, rows)

    def _with_tests(self, owed: Iterable[Candidate]) -> Iterator[tuple[Candidate, str, Sequence[TestCase]]]:
        for candidate in owed:
            yield candidate, candidate.code, self.problems[candidate.problem_id].tests

    def changes(self) -> list[Change]:
        pairs = ((candidate, self.after[code_of(candidate)]) for candidate in self.chosen)
        return [Change(candidate, after) for candidate, after in pairs if after is not candidate.outcome]

    def solved(self) -> tuple[set[str], set[str]]:
        """Return the problems that a candidate solves, before and now; what was not judged again counts as before."""
        chosen = set(map(id, self.chosen))
        now = {
            candidate.problem_id
            for candidate in self.everything
            if (self.after[code_of(candidate)] if id(candidate) in chosen else candidate.outcome) is Outcome.PASSED
        }
        return {candidate.problem_id for candidate in self.everything if candidate.passed}, now


# -- for people ---------------------------------------------------------------------------------------------------


def report(recheck: Recheck) -> list[str]:
    """Return the lines that say what has changed."""
    kinds: dict[str, list[Change]] = {"real": [], "timing": [], "infra": []}
    for change in recheck.changes():
        kinds[change.kind].append(change)
    lines = [f"{len(kinds['real']):,} of {len(recheck.chosen):,} verdicts have changed", *_listed(kinds["real"])]
    for kind, words in (
        ("timing", "more by timing: they ran out of time, before or now"),
        ("infra", "could not be judged: start again to judge them"),
    ):
        if kinds[kind]:
            lines += ["", f"{len(kinds[kind]):,} {words}", *_listed(kinds[kind])]
    before, now = recheck.solved()
    for verb, problems in (("lose", before - now), ("gain", now - before)):
        if problems:
            shown = sorted(problems)[:MOST_LISTED]
            more = f" and {len(problems) - len(shown):,} more" if len(problems) > len(shown) else ""
            lines += ["", f"{len(problems):,} problems would {verb} their solved state: {', '.join(shown)}{more}"]
    return lines


def _listed(changes: Sequence[Change]) -> list[str]:
    """Return the counts by kind of change, and the first of them one by one."""
    counts = Counter(change.title for change in changes).most_common()
    lines = [f"  {title:36} {count:9,}" for title, count in counts]
    for change in changes[:MOST_LISTED]:
        one = change.candidate
        lines.append(f"    {one.problem_id} iteration {one.iteration} sample {one.sample_index}: {change.title}")
    return lines


def judges_of(config: RunConfig, other: str | None) -> dict[str, str]:
    """Return target -> the interpreter that judges it: itself, or the one of the same language that is given."""
    judges = {target: target for target in config.targets}
    if other is not None:
        targets = [target for target in judges if language_named(target) == language_named(other)]
        if not targets:
            written = " and ".join(languages_of(config).values())
            raise UserError(f"--interpreter {other} is for {language_named(other)}, but the run's codes are {written}")
        judges[targets[0]] = other
    return judges


def version_of(interpreter: str, sandbox: Literal["required", "unsafe"]) -> str:
    """Return the version of what judges. Raises UserError where it does not run here."""
    with load_interpreter(interpreter, sandbox) as opened:
        reason = opened.available()
        if reason:
            raise UserError(f"the interpreter {interpreter} is not available: {reason}")
        return opened.version()


def recheck_run(
    store: RunStore, iteration: int | None, workers: int | None, sandbox: str | None, other: str | None = None
) -> int:
    """Do what the command line says; return the exit status."""
    if not store.exists:
        raise UserError(f"--run-dir {store.root}: expected the folder of a run, found no config.resolved.json in it")
    store.lock()
    given = {"workers": workers, "sandbox": sandbox}
    config = store.config()
    checking = config.checking.model_copy(update={key: value for key, value in given.items() if value is not None})
    config = config.model_copy(update={"checking": checking})
    judges = judges_of(config, other)
    versions = {judge: version_of(judge, checking.sandbox) for judge in judges.values()}
    recheck = Recheck(store, config, iteration, checker_digest(versions, config))
    owed = recheck.owed()
    shown = ", ".join(f"{judge} ({version})" for judge, version in versions.items())
    print(f"{len(recheck.chosen):,} candidates, {len(owed):,} codes to judge; {shown}", flush=True)
    progress = Progress(len(owed), sys.stderr)
    try:
        for target, judge in judges.items():
            if members := recheck.of_target(owed, target, config):
                with open_pool(config, judge) as pool:
                    recheck.run(pool, members, progress)
    finally:
        progress.end()
    print("\n".join(report(recheck)))
    return 1 if recheck.changes() else 0


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run-dir", type=Path, required=True, help="folder of the run")
    parser.add_argument("--iteration", type=int, help="only the candidates of this iteration")
    parser.add_argument("--workers", type=int, help="checks at once (default: as the run)")
    parser.add_argument("--interpreter", metavar="NAME", help="judge by another interpreter of the same language")
    parser.add_argument("--sandbox", choices=["required", "unsafe"], help="default: as the run")
    args = parser.parse_args(argv)
    if args.workers is not None and args.workers < 1:
        parser.error(f"--workers: expected at least 1, found {args.workers}")
    status = 0

    def work() -> None:
        nonlocal status
        status = recheck_run(RunStore(args.run_dir), args.iteration, args.workers, args.sandbox, args.interpreter)

    run_program(work)
    sys.exit(status)


if __name__ == "__main__":
    main()
