"""Judge code against problems: any JSONL of candidates in, one verdict per line out.

Reads the problems (docs/problem_format.md) and the candidates, one JSON object per line with "problem_id" and "code";
"id" is optional. Leaves in --out, for every candidate and in their order: its id, problem_id, the digest of its code,
outcome, failed_test, message, seconds, the interpreter with its version, and whatever else its own line said, as far
as that is short. Nothing of the expected values is written.

    python -m interpreters.check --target duckdb_sql --problems problems.jsonl --candidates mine.jsonl --out out.jsonl

Started again, it goes on where it was: what --out holds for the same tests, code, limits and engine is not judged
again. The file only grows; where an id occurs twice, the later line counts. An interpreter that fails twice gives the
outcome INFRA, which is no verdict: such a candidate is owed again.

Ends with status 0, 1 where candidates are owed still (INFRA), 2 for input that cannot be used.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from interpreters import INTERPRETERS, load_interpreter
from interpreters.base import InterpreterError, Limits, Outcome, TestCase
from interpreters.checking import CheckerPool
from interpreters.judging.check_input import Candidate, CandidateFile, Id, InputError, Problem, digest, read_problems
from interpreters.judging.check_output import Judged, VerdictFile, outcome_table, problem_table, verdict_line
from interpreters.judging.check_progress import Progress
from interpreters.judging.judge_stream import judge_in_order

MOST = 10**9  # for any number on the command line
DONE, OWED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
MOST_FAILURES = 20  # of the interpreter, one after the other, before the program gives up


class Check:
    """One call of the program: what is owed, and writing it. `salt`: what decides beside the tests and the code."""

    def __init__(
        self,
        problems: Mapping[str, Problem],
        file: CandidateFile,
        candidates: Sequence[Candidate],
        verdicts: VerdictFile,
        salt: str,
    ) -> None:
        self.problems, self.file, self.candidates, self.verdicts, self._salt = (
            problems,
            file,
            candidates,
            verdicts,
            salt,
        )
        recorded = verdicts.read()
        self.owed = [one for one in candidates if not self._is_done(one, recorded)]
        self.outcomes = {one.id: recorded[one.id].verdict.outcome for one in candidates if self._is_done(one, recorded)}
        self._uses = Counter(map(self._key, self.owed))  # the same code is judged once
        self._known = {one.key: one.verdict for one in recorded.values() if one.final and one.key in self._uses}
        self._written = 0

    def _key(self, candidate: Candidate) -> str:
        return digest(candidate.check_digest, self._salt)

    def _is_done(self, candidate: Candidate, recorded: Mapping[Id, Judged]) -> bool:
        judged = recorded.get(candidate.id)
        return judged is not None and judged.final and judged.key == self._key(candidate)

    def run(self, pool: CheckerPool, version: str, progress: Progress) -> None:
        """Judge and write what is owed. Raises InterpreterError when the interpreter fails again and again."""
        failures = 0
        self._write(version, progress)
        for candidate, verdict in judge_in_order(pool, self._to_judge()):
            self._known[self._key(candidate)] = verdict
            self._write(version, progress)
            failures = failures + 1 if verdict.outcome is Outcome.INFRA else 0
            if failures >= MOST_FAILURES:
                raise InterpreterError(f"{failures} candidates in a row could not be judged: {verdict.message}")

    def _to_judge(self) -> Iterator[tuple[Candidate, str, tuple[TestCase, ...]]]:
        seen = set(self._known)
        for candidate in self.owed:
            key = self._key(candidate)
            if key not in seen:
                seen.add(key)
                yield candidate, self.file.code(candidate), self.problems[candidate.problem_id].tests

    def _write(self, version: str, progress: Progress) -> None:
        """Write the lines of all whose turn it is and whose verdict is known."""
        while self._written < len(self.owed):
            candidate = self.owed[self._written]
            key = self._key(candidate)
            if key not in self._known:
                return
            verdict = self._known[key]
            self._uses[key] -= 1
            if not self._uses[key]:
                del self._known[key]
            self.verdicts.add(verdict_line(candidate, Judged(key, verdict), version, self.file.carried(candidate)))
            self.outcomes[candidate.id] = verdict.outcome
            self._written += 1
            progress.add(passed=verdict.passed)

    def report(self) -> list[str]:
        judged = [(one.problem_id, self.outcomes[one.id]) for one in self.candidates if one.id in self.outcomes]
        outcomes = [outcome for _, outcome in judged]
        return ["", *outcome_table(outcomes), "", *problem_table(judged)] if judged else []

    @property
    def still_owed(self) -> int:
        judged = sum(self.outcomes.get(one.id, Outcome.INFRA) is not Outcome.INFRA for one in self.candidates)
        return len(self.candidates) - judged


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m interpreters.check", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add, limits = parser.add_argument, Limits()
    add("--target", required=True, choices=list(INTERPRETERS), help="interpreter that runs the code")
    add("--problems", required=True, type=Path, help="JSONL of problems with their tests")
    add("--candidates", required=True, type=Path, help="JSONL of code to judge")
    add("--out", required=True, type=Path, help="JSONL of verdicts; goes on where it was")
    add("--code-field", default="code", help="key of the code in a candidate's line (%(default)s)")
    add("--id-field", default="id", help="key of its id; without one the line number counts (%(default)s)")
    add("--workers", type=_positive(int), default=len(os.sched_getaffinity(0)), help="checks at once (%(default)s)")
    add("--seconds", type=_positive(float), default=limits.seconds,
        help="wall time of a candidate over all tests of its problem (%(default)s)")  # fmt: skip
    add("--memory-mb", type=_positive(int), default=limits.memory_mb, help="memory of a candidate (%(default)s)")
    add("--sandbox", choices=["required", "unsafe"], default="required",
        help="unsafe: go on where the sandbox has holes, see python -m interpreters.doctor (%(default)s)")  # fmt: skip
    return parser


def _positive(kind: type[int] | type[float]) -> Callable[[str], float]:
    def parse(text: str) -> float:
        number = kind(text)
        if not 0 < number < MOST:
            raise ValueError
        return number

    parse.__name__ = f"positive {kind.__name__}"  # argparse names it when it refuses
    return parse


def run(args: argparse.Namespace) -> int:
    """Do what the command line says; return the exit status."""
    for path in (args.problems, args.candidates):
        if args.out.exists() and path.exists() and args.out.samefile(path):
            raise InputError(f"--out: expected a file of its own, found {path}, which is read; give another --out")
    limits = Limits(seconds=args.seconds, memory_mb=args.memory_mb)
    problems = read_problems(args.problems)
    file = CandidateFile(args.candidates, args.code_field, args.id_field)
    candidates = file.index(problems)
    version = _start(args, {one.problem_id: problems[one.problem_id].tests for one in candidates})
    with VerdictFile(args.out) as verdicts:
        check = Check(problems, file, candidates, verdicts, f"{args.target} {version} {limits}")
        say(f"{len(candidates):,} candidates, {len(candidates) - len(check.owed):,} judged already")
        if check.owed:
            with CheckerPool(args.target, args.workers, limits, args.sandbox) as pool:
                progress = Progress(len(check.owed), sys.stderr)
                try:
                    check.run(pool, version, progress)
                finally:
                    progress.end()
    print("\n".join(check.report()))
    if check.still_owed:
        say(f"{check.still_owed:,} candidates could not be judged (INFRA): see their messages, and start again")
    return OWED if check.still_owed else DONE


def _start(args: argparse.Namespace, asked: Mapping[str, Sequence[TestCase]]) -> str:
    """Return the engine's version; say how the code will be kept in. Raises InputError where it cannot run here, or
    cannot hold the inputs of a problem that is asked about."""
    with load_interpreter(args.target, args.sandbox) as interpreter:
        for problem_id, tests in asked.items():
            refusal = interpreter.refuses([test.tables for test in tests])
            if refusal:
                wanted = f"expected problems whose inputs {args.target} can hold"
                raise InputError(f"--problems: {wanted}, found {problem_id!r}: {refusal}; leave its candidates out")
        reason = interpreter.available()
        if reason:
            raise InputError(f"--target: expected an interpreter that works here, found {args.target}: {reason}")
        say(f"{args.target} ({interpreter.version()}), {interpreter.sandbox()}")
        return interpreter.version()


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def main(argv: Sequence[str] | None = None) -> int:
    args = make_parser().parse_args(argv)
    logging.basicConfig(format="%(levelname)s: %(message)s")
    signal.signal(signal.SIGTERM, _interrupt)
    signal.signal(signal.SIGINT, _interrupt)  # a shell may have switched it off
    try:
        return run(args)
    except InputError as error:
        say(f"error: {error}")
        return BAD_INPUT
    except (InterpreterError, OSError) as error:
        say(f"error: {error}. What is judged so far is in {args.out}; start again with the same command")
        return OWED
    except KeyboardInterrupt:
        say(f"stopped; what is judged so far is in {args.out}. Start again with the same command to go on")
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
