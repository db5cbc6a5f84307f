"""The verdicts that check.py writes, one line each, and reads again when it goes on."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from interpreters.base import Outcome, Verdict
from interpreters.judging.check_input import Candidate, Id, InputError

LINES_PER_FLUSH = 64
SECONDS_PER_FLUSH = 1.0
_KEYS = {"id", "problem_id", "key", "outcome", "failed_test", "message", "seconds", "interpreter"}

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Judged:
    """What a line of the file says of a candidate. `key` tells its check from any other, by all that decides it."""

    key: str
    verdict: Verdict

    @property
    def final(self) -> bool:
        """Say whether it need not be judged again."""
        return self.verdict.outcome is not Outcome.INFRA


def verdict_line(candidate: Candidate, judged: Judged, version: str, carried: Mapping[str, Any]) -> bytes:
    """Return the line of one candidate. Lone surrogates, which UTF-8 has no bytes for, become JSON escapes."""
    verdict = judged.verdict
    row = {
        **carried, "id": candidate.id, "problem_id": candidate.problem_id, "code_digest": candidate.code_digest,
        "key": judged.key, "outcome": verdict.outcome.value, "failed_test": verdict.failed_test,
        "message": verdict.message, "seconds": round(verdict.seconds, 4), "interpreter": version,
    }  # fmt: skip
    return json.dumps(row, ensure_ascii=False, allow_nan=False).encode("utf-8", "backslashreplace") + b"\n"


class VerdictFile:
    """A file that only grows. As a context manager it is locked, and cut after its last whole line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._waiting: list[bytes] = []
        self._flushed = time.monotonic()

    def __enter__(self) -> Self:
        try:
            self._file = open(self.path, "a+b", buffering=0)
        except OSError as error:
            raise InputError(
                f"{self.path}: expected a file that can be written, found: {error.strerror}; check --out"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise InputError(
                f"{self.path}: expected to be the only one to write it, found another check at work; wait for it, or "
                "give another --out"
            ) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        try:
            self.flush()
        finally:
            self._file.close()

    def read(self) -> dict[Id, Judged]:
        """Return the last line of each candidate, and cut off a torn last line. Raises InputError."""
        found: dict[Id, Judged] = {}
        good = 0
        with open(self.path, "rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.endswith(b"\n"):
                    log.warning("%s: line %d is torn and is dropped; its candidate is judged again", self.path, number)
                    self._file.truncate(good)
                    break
                good += len(line)
                if line.strip():
                    name, judged = self._parse(number, line)
                    found[name] = judged
        return found

    def _parse(self, number: int, line: bytes) -> tuple[Id, Judged]:
        try:
            row = json.loads(line)
            if not row.keys() >= _KEYS:
                raise ValueError(f"no {', '.join(sorted(_KEYS - row.keys()))}")
            outcome = Outcome(row["outcome"])
        except (ValueError, AttributeError) as error:
            raise InputError(
                f"{self.path}, line {number}: expected a verdict of this program, found {line[:60]!r} ({error}); take "
                "the line out, or give another --out"
            ) from error
        verdict = Verdict(outcome, row["failed_test"], row["message"], row["seconds"])
        return row["id"], Judged(row["key"], verdict)

    def add(self, line: bytes) -> None:
        """Take a line; it is in the file at the latest after `SECONDS_PER_FLUSH`, if more lines come."""
        self._waiting.append(line)
        if len(self._waiting) >= LINES_PER_FLUSH or time.monotonic() - self._flushed >= SECONDS_PER_FLUSH:
            self.flush()

    def flush(self) -> None:
        left = memoryview(b"".join(self._waiting))
        self._waiting.clear()
        self._flushed = time.monotonic()
        while left:
            left = left[self._file.write(left) :]
        os.fsync(self._file.fileno())


# -- tables for people --------------------------------------------------------------------------------------------

MOST_PROBLEMS_LISTED = 20
_BANDS = ((0, 0, "none"), (1, 24, "under 25 %"), (25, 49, "25-49 %"), (50, 74, "50-74 %"), (75, 99, "75-99 %"))


def outcome_table(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the lines that say how often each outcome occurred, most frequent first."""
    counts = {outcome: outcomes.count(outcome) for outcome in set(outcomes)}
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return [f"{outcome:18} {count:9,} {count / len(outcomes):8.1%}" for outcome, count in ordered]


def problem_table(pairs: Iterable[tuple[str, Outcome]]) -> list[str]:
    """Return the lines that say how many candidates of each problem passed: each problem, or so many of each rate."""
    passed: dict[str, list[int]] = {}
    for problem_id, outcome in pairs:
        if outcome is not Outcome.INFRA:
            passed.setdefault(problem_id, []).append(outcome is Outcome.PASSED)
    solved = sum(any(one) for one in passed.values())
    head = f"{solved:,} of {len(passed):,} problems have a candidate that passed"
    if len(passed) <= MOST_PROBLEMS_LISTED:
        return [head, *(f"{name:40.40} {sum(one):6} of {len(one):6} passed" for name, one in passed.items())]
    rates = [100 * sum(one) // len(one) if any(one) else 0 for one in passed.values()]
    rates = [max(rate, 1) if any(one) else 0 for rate, one in zip(rates, passed.values(), strict=True)]
    bands = [*_BANDS, (100, 100, "all")]
    return [head, *(f"{label:18} {sum(low <= r <= high for r in rates):9,} problems" for low, high, label in bands)]
