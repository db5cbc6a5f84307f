"""Texts and code to compare with problems: read from problems, chat rows, or any rows that name their fields."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bootstrap.errors import UserError
from bootstrap.prompts import extract_code
from bootstrap.records import Problem

TEXT_FIELDS = ("statement", "question", "prompt", "problem", "description", "instruction", "text", "query")
CODE_FIELDS = ("code", "gold_sql", "canonical_solution", "solution", "completion")
NAME_FIELDS = ("problem_id", "task_id", "id", "name")
SQL = re.compile(r"\s*(?:--[^\n]*\n\s*)*(?:select|with|from|values)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Document:
    """Something to compare. `part`: the split or the file that it is in. `code`: language -> code."""

    part: str
    name: str
    text: str
    code: Mapping[str, str] = field(default_factory=dict)


def document_of(problem: Problem, part: str) -> Document:
    return Document(part, problem.problem_id, problem.statement, problem.references)


def read_documents(path: Path, text_field: str | None = None, code_field: str | None = None) -> list[Document]:
    """Return the rows of a JSONL file, or of a JSON array, as documents of a part called as the file.

    Raises UserError for a file that cannot be read, or a row in which no text and no code is found.
    """
    found = []
    for number, row in _rows(path):
        document = _document(row, path.stem, f"{path.stem}:{number}", text_field, code_field)
        if not document.text and not document.code:
            raise UserError(
                f"{path}, row {number}: expected a text ({', '.join(TEXT_FIELDS)}) or code ({', '.join(CODE_FIELDS)}), "
                f"found the fields {', '.join(sorted(row)) or 'none'}; name them with --text-field and --code-field"
            )
        found.append(document)
    return found


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    if not path.is_file():
        raise UserError(f"no file {path}: expected JSONL, or JSON with a list of rows")
    content = path.read_text(encoding="utf-8")
    try:
        whole = json.loads(content) if content.lstrip()[:1] == "[" else None
        for number, row in enumerate(whole if whole is not None else filter(str.strip, content.splitlines()), 1):
            row = row if whole is not None else json.loads(row)
            if not isinstance(row, dict):
                raise UserError(f"{path}, row {number}: expected a JSON object, found {type(row).__name__}")
            yield number, row
    except ValueError as e:
        raise UserError(f"{path}: expected JSONL, or JSON with a list of rows; {e}") from e


def _document(
    row: Mapping[str, Any], part: str, fallback: str, text_field: str | None, code_field: str | None
) -> Document:
    name = str(_first(row, NAME_FIELDS) or fallback)
    if isinstance(row.get("references"), dict) and "statement" in row:
        return Document(part, name, str(row["statement"]), row["references"])
    messages = row.get("messages")
    if isinstance(messages, list) and text_field is None and code_field is None:
        turns = {one.get("role"): str(one.get("content", "")) for one in messages if isinstance(one, dict)}
        answer = extract_code(turns.get("assistant", ""), str(row.get("language")))
        return Document(part, name, turns.get("user", ""), _as_code(answer, row.get("language")))
    text = _first(row, (text_field,) if text_field else TEXT_FIELDS) or ""
    code = _first(row, (code_field,) if code_field else CODE_FIELDS) or ""
    return Document(part, name, text, _as_code(code, row.get("language")))


def _first(row: Mapping[str, Any], names: Sequence[str]) -> str | None:
    for name in names:
        value = row.get(name)
        if isinstance(value, str | int) and value != "":
            return str(value)
    return None


def _as_code(code: str, language: object) -> dict[str, str]:
    if not code.strip():
        return {}
    return {language if isinstance(language, str) else "sql" if SQL.match(code) else "python": code}
