"""The directory form: a folder per finished problem, with everything about it in files for people and in one for us.

    <problem id>_<task>/
      entry.json                       the problem with its tests, and where the solution comes from: what is read back
      problem_description.txt          the statement
      sol.py                           the reference in plain Python, where there is one
      sol.<ext>                        the solution in the target language
      test_case_N.py                   test N in Python
      test_case_N_correct_ans.txt      what must come out
      <target>_test_case_N.<ext>       test N in the target language

The task is the function's name, or the problem's source for problems over tables. `read_entry` reads entry.json and
the solution; `stale_files` names the files that no longer say what these two say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bootstrap.errors import UserError
from bootstrap.export.finished import Finished
from bootstrap.export.scripts import correct_answer, extension_of, python_test, target_test
from bootstrap.files import disk_error
from bootstrap.records import Problem, digest

ENTRY = "entry.json"
DESCRIPTION = "problem_description.txt"
FORMAT = 1
LONGEST_NAME = 80
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_ORIGIN = ("language", "interpreter", "proved_by", "part", "iteration", "sampler", "seed")


class BrokenEntryError(ValueError):
    """A folder that holds no finished problem; the message is the reason under which it is counted."""


def folder_name(problem: Problem) -> str:
    """Return <id>_<task> as a name of a folder; a digest keeps apart what had to be changed."""
    task = next(iter(problem.tests[0].tables), "function") if problem.kind == "function" else problem.source
    safe = _UNSAFE.sub("-", problem.problem_id).strip("-.")[:LONGEST_NAME]
    if safe != problem.problem_id:
        safe = f"{safe}-{digest(problem.problem_id)[:8]}"
    return f"{safe}_{re.sub(r'[^A-Za-z0-9_]+', '-', task)[:LONGEST_NAME]}"


def files_of(finished: Finished) -> dict[str, str]:
    """Return name -> text of the files of one folder, entry.json last."""
    problem = finished.problem
    extension = extension_of(finished.language)
    files = {DESCRIPTION: problem.statement.rstrip() + "\n"}
    if "python" in problem.references:
        files["sol.py"] = ended(problem.references["python"])
    files[f"sol.{extension}"] = ended(finished.code)
    for number, test in enumerate(problem.tests, 1):
        files[f"test_case_{number}.py"] = python_test(finished, number, test)
        files[f"test_case_{number}_correct_ans.txt"] = correct_answer(problem.kind, test)
        files[f"{finished.language}_test_case_{number}.{extension.rpartition('.')[2]}"] = target_test(
            finished, number, test
        )
    origin = {key: getattr(finished, key) for key in _ORIGIN}
    row = {"format": FORMAT, "problem": problem.to_json(), "solution": {**origin, "file": f"sol.{extension}"}}
    files[ENTRY] = (
        json.dumps(row, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    )  # fields of structs keep their order
    return files


def ended(code: str) -> str:
    """Return the code with one line end at its end, which reading takes off again."""
    return code + "\n"


def write_entry(folder: Path, finished: Finished) -> None:
    """Write one folder, entry.json last. Nothing is flushed to disk file by file: there may be a hundred thousand."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files_of(finished).items():
            (folder / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    except OSError as error:
        raise disk_error(folder, error) from error


def entry_folders(folder: Path) -> list[Path]:
    """Return the folders of finished problems, by name. Raises UserError for a folder without any."""
    if not folder.is_dir():
        raise UserError(f"no folder {folder}: expected one with a folder per finished problem")
    found = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not found:
        raise UserError(f"{folder}: expected a folder per finished problem (<id>_<task>/{ENTRY}), found none")
    return found


def read_entry(folder: Path) -> Finished:
    """Return the finished problem of one folder. Raises BrokenEntryError."""
    row = _entry_row(folder)
    try:
        problem = Problem.from_json(row["problem"])
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenEntryError(f"{ENTRY} holds no problem ({type(error).__name__}: {error})") from error
    if not problem.tests:
        raise BrokenEntryError("the problem has no tests")
    solution = row.get("solution")
    if not isinstance(solution, Mapping) or not {*_ORIGIN, "file"} <= solution.keys():
        raise BrokenEntryError(f"{ENTRY} does not say where the solution comes from")
    name = str(solution["file"])
    if Path(name).name != name:
        raise BrokenEntryError("the solution is not a file of the folder")
    try:
        code = (folder / name).read_bytes().decode("utf-8").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BrokenEntryError(f"the solution {name} cannot be read") from error
    return Finished(problem, code=code, **{key: solution[key] for key in _ORIGIN})


def _entry_row(folder: Path) -> dict[str, Any]:
    try:
        row = json.loads((folder / ENTRY).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BrokenEntryError(f"no {ENTRY}") from error
    except (OSError, ValueError) as error:
        raise BrokenEntryError(f"{ENTRY} is not JSON") from error
    if not isinstance(row, dict):
        raise BrokenEntryError(f"{ENTRY} is not a JSON object")
    return row


def stale_files(folder: Path, finished: Finished) -> Sequence[str]:
    """Return the files that are missing, or say something else than entry.json and the solution do."""
    return [
        name
        for name, text in files_of(finished).items()
        if name != ENTRY
        and (not (folder / name).is_file() or (folder / name).read_bytes() != text.encode("utf-8", "surrogatepass"))
    ]
