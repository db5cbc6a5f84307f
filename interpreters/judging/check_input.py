"""Problems and candidates as check.py reads them: JSONL, refused with the line and what to do when it is not right."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interpreters.base import TestCase
from interpreters.wire import WireError, dump_bytes, test_case_from_json

LONGEST_TABLE_NAME = 200  # characters; longer ones no engine keeps and no candidate writes
LONGEST_CARRIED = 200  # characters of a text that is copied from a candidate to its verdict
LONGEST_SHOWN = 60
_MARK = b"\xef\xbb\xbf"  # with which some programs start a UTF-8 file

Id = str | int


class InputError(Exception):
    """A file cannot be used; says where, what was expected, what was found and what to do."""


@dataclass(frozen=True)
class Problem:
    """What checking needs of a problem. `digest` changes with its tests."""

    tests: tuple[TestCase, ...]
    digest: str


@dataclass(frozen=True)
class Candidate:
    """Where a candidate stands in its file. `check_digest` is that of its code and the tests together."""

    id: Id
    problem_id: str
    line: int
    offset: int
    code_digest: str
    check_digest: str


def digest(*parts: str | bytes) -> str:
    """Return a short content digest of the parts."""
    texts = [part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass") for part in parts]
    return hashlib.sha256(b"\x1f".join(texts)).hexdigest()[:16]


def json_lines(path: Path) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Yield line number, offset and object of each line that is not empty. Raises InputError."""
    try:
        with open(path, "rb") as file:
            offset = 0
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, offset, _object(line, f"{path}, line {number}")
                offset += len(line)
    except OSError as error:
        raise InputError(f"{path}: expected a readable file, found: {error.strerror}; check the path") from error


def _object(line: bytes, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line.removeprefix(_MARK).decode("utf-8"))
    except UnicodeDecodeError as error:
        bad = f"the byte 0x{line[error.start]:02x} at position {error.start + 1}"
        raise InputError(f"{where}: expected UTF-8, found {bad}; save the file as UTF-8") from error
    except (ValueError, RecursionError) as error:
        found = _shown(line.decode("utf-8", "replace").strip())
        raise InputError(
            f"{where}: expected one JSON object, found {found} ({error}); write one object per line"
        ) from error
    if not isinstance(row, dict):
        raise InputError(f"{where}: expected a JSON object, found {type(row).__name__} {_shown(row)}")
    return row


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


def _text(row: Mapping[str, Any], key: str, where: str, hint: str) -> str:
    if key not in row:
        keys = ", ".join(map(_shown, sorted(row))) or "no key at all"
        raise InputError(f'{where}: expected the key "{key}", found {keys}; {hint}')
    if not isinstance(row[key], str):
        raise InputError(f'{where}: expected text under "{key}", found {_shown(row[key])}; {hint}')
    text: str = row[key]
    return text


# -- problems -----------------------------------------------------------------------------------------------------


def read_problems(path: Path) -> dict[str, Problem]:
    """Return the problems of a file by id. Raises InputError for one that is not in the format."""
    problems: dict[str, Problem] = {}
    lines: dict[str, int] = {}
    for number, _, row in json_lines(path):
        where = f"{path}, line {number}"
        problem_id = _text(row, "problem_id", where, "see docs/problem_format.md")
        if problem_id in lines:
            raise InputError(
                f"{where}: expected problem ids that occur once, found {_shown(problem_id)} again, which line "
                f"{lines[problem_id]} has; give one of them another id"
            )
        lines[problem_id] = number
        problems[problem_id] = _problem(row, f"{where}, problem {_shown(problem_id)}")
    if not problems:
        raise InputError(f"{path}: expected one problem per line, found an empty file; see docs/problem_format.md")
    return problems


def _problem(row: Mapping[str, Any], where: str) -> Problem:
    tests = row.get("tests")
    if not isinstance(tests, list) or not tests:
        found = "none" if tests == [] else _shown(tests)
        raise InputError(f'{where}: expected a list of tests under "tests", found {found}; add at least one test')
    cases = []
    for index, test in enumerate(tests):
        try:
            cases.append(test_case_from_json(test))
        except WireError as error:
            raise InputError(
                f"{where}: expected test {index} as docs/problem_format.md says, found: {error}; mend the test"
            ) from error
        _require_short_names(cases[-1].tables, f"{where}, test {index}")
    return Problem(tuple(cases), digest(*(dump_bytes(test) for test in tests)))


def _require_short_names(names: Iterable[str], where: str) -> None:
    for name in names:
        if len(name) > LONGEST_TABLE_NAME:
            raise InputError(
                f"{where}: expected table names of at most {LONGEST_TABLE_NAME} characters, found one of {len(name)} "
                f"that starts with {name[:20]!r}; shorten it"
            )


# -- candidates ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CandidateFile:
    """A file of candidates, read line by line and never kept whole."""

    path: Path
    code_field: str
    id_field: str

    def index(self, problems: Mapping[str, Problem]) -> list[Candidate]:
        """Return where each candidate stands. Raises InputError for the first that cannot be judged."""
        found: list[Candidate] = []
        lines: dict[Id, int] = {}
        for number, offset, row in json_lines(self.path):
            candidate = self._candidate(number, offset, row, problems)
            if candidate.id in lines:
                raise InputError(
                    f"{self.path}, line {number}: expected ids that occur once, found {_shown(candidate.id)} again, "
                    f"which line {lines[candidate.id]} has (a candidate without {self.id_field!r} has its line number "
                    "as id); give one of them another id, or name another field with --id-field"
                )
            lines[candidate.id] = number
            found.append(candidate)
        if not found:
            raise InputError(f"{self.path}: expected one candidate per line, found an empty file; check the path")
        return found

    def _candidate(
        self, number: int, offset: int, row: Mapping[str, Any], problems: Mapping[str, Problem]
    ) -> Candidate:
        where = f"{self.path}, line {number}"
        problem_id = _text(row, "problem_id", where, "say which problem the code is for")
        code = _text(row, self.code_field, where, "name the field that holds the code with --code-field")
        if problem_id not in problems:
            near = difflib.get_close_matches(problem_id[:1000], problems, n=1, cutoff=0.5)
            hint = f"did you mean {_shown(near[0])}?" if near else "is it the right problems file?"
            raise InputError(
                f"{where}: expected the id of one of the {len(problems)} problems, found {_shown(problem_id)}; {hint}"
            )
        name = row.get(self.id_field, number)
        if isinstance(name, bool) or not isinstance(name, str | int):
            raise InputError(
                f'{where}: expected text or a whole number under "{self.id_field}", found {_shown(name)}; '
                "mend it, leave it out, or name another field with --id-field"
            )
        code_digest = digest(code)
        return Candidate(
            name, problem_id, number, offset, code_digest, digest(problems[problem_id].digest, code_digest)
        )

    def code(self, candidate: Candidate) -> str:
        """Return the code of a candidate that was found by `index`."""
        code = self._row(candidate).get(self.code_field)
        if not isinstance(code, str) or digest(code) != candidate.code_digest:
            raise InputError(
                f"{self.path}, line {candidate.line}: expected the code that was there before, found another; "
                "leave the file alone while it is read, and start again"
            )
        return code

    def carried(self, candidate: Candidate) -> dict[str, Any]:
        """Return what else the candidate's line says, as far as it is short."""
        row = self._row(candidate)
        return {k: v for k, v in row.items() if k not in (self.code_field, self.id_field) and _is_short(v)}

    def _row(self, candidate: Candidate) -> dict[str, Any]:
        with open(self.path, "rb") as file:
            file.seek(candidate.offset)
            return _object(file.readline(), f"{self.path}, line {candidate.line}")


def _is_short(value: object) -> bool:
    if isinstance(value, float):
        return value - value == 0  # neither infinite nor NaN, which JSON does not have
    return value is None or isinstance(value, bool | int) or (isinstance(value, str) and len(value) <= LONGEST_CARRIED)
