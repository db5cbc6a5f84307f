"""Exported folders of any form, read back as codes to judge."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bootstrap.errors import UserError
from bootstrap.export.directory import BrokenEntryError, entry_folders, read_entry, stale_files
from bootstrap.export.finished import read_problems
from bootstrap.prompts import extract_code
from bootstrap.records import Problem

PYTHON = "python_function"
"""Interpreter of references in plain Python."""


@dataclass(frozen=True)
class Item:
    """One code of an export. `stale`: files that no longer say what the entry says."""

    name: str
    role: Literal["solution", "reference"]
    problem: Problem
    language: str
    interpreter: str
    code: str
    stale: tuple[str, ...] = ()


@dataclass(frozen=True)
class Broken:
    """A folder or line that holds nothing to judge, and why."""

    name: str
    reason: str


def read_export(folder: Path) -> Iterator[Item | Broken]:
    """Yield what is in a folder that `bootstrap.export` wrote, in its order. Raises UserError for any other folder."""
    if not folder.is_dir():
        raise UserError(f"--input-dir: no folder {folder}")
    if (folder / "chat.jsonl").is_file():
        yield from _rows(folder, [folder / "chat.jsonl"], _chat_code)
    elif (folder / "data").is_dir():
        yield from _rows(folder, sorted((folder / "data").glob("*.jsonl")), _hub_code)
    else:
        for one in entry_folders(folder):
            yield from _entry(one)


def _entry(folder: Path) -> Iterator[Item | Broken]:
    try:
        finished = read_entry(folder)
    except BrokenEntryError as error:
        yield Broken(folder.name, str(error))
        return
    problem, stale = finished.problem, tuple(stale_files(folder, finished))
    yield Item(folder.name, "solution", problem, finished.language, finished.interpreter, finished.code, stale)
    if "python" in problem.references and problem.kind == "function" and finished.language != "python":
        yield Item(folder.name, "reference", problem, "python", PYTHON, problem.references["python"])


def _chat_code(row: Mapping[str, Any]) -> str:
    return extract_code(row["messages"][-1]["content"], row["language"])


def _hub_code(row: Mapping[str, Any]) -> str:
    code = row["code"]
    if not isinstance(code, str):
        raise TypeError("code is not text")
    return code


def _rows(folder: Path, files: list[Path], code_of: Any) -> Iterator[Item | Broken]:
    problems = read_problems(folder / "problems.jsonl")
    for path in files:
        with open(path, encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                name = f"{path.name}:{number}"
                try:
                    row = json.loads(line)
                    problem = problems.get(row["problem_id"])
                    code, language, interpreter = code_of(row), row["language"], row["interpreter"]
                except (ValueError, LookupError, TypeError, AttributeError) as error:
                    yield Broken(name, f"not a row of an export ({type(error).__name__}: {error})")
                    continue
                if problem is None:
                    yield Broken(name, "its problem is not in problems.jsonl")
                else:
                    yield Item(name, "solution", problem, language, interpreter, code)
