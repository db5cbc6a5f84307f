"""Reading what a model answers: pairs of a question and SQL, and scores. Nothing within SQL is changed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

_BLOCK = re.compile(
    r"^[ \t>*#]*(?:\d+[.)]\s*)?\**question\**\s*(?:\d+)?\s*:\**\s*(?P<question>.+?)\s*```(?:sql|postgres(?:ql)?)?\s*\n"
    r"(?P<sql>.*?)```",
    re.IGNORECASE | re.DOTALL | re.MULTILINE,
)
_SCORE = re.compile(r"score\**\s*[:=]\s*\**\s*(\d+(?:\.\d+)?)\s*(?:/\s*(\d+))?", re.IGNORECASE)
_CATALOGUE = re.compile(r"\binformation_schema\s*\.\s*(?=tables\b|columns\b)", re.IGNORECASE)


@dataclass(frozen=True)
class Proposed:
    question: str
    sql: str


def read_pairs(text: str) -> list[Proposed]:
    """Return the pairs of an answer: blocks of `Question: ...` with fenced SQL, or a JSON list of objects."""
    found = [_proposed(match["question"], match["sql"]) for match in _BLOCK.finditer(text)] or list(_of_json(text))
    return [one for one in dict.fromkeys(found) if one.question and one.sql]


def _proposed(question: str, sql: str) -> Proposed:
    words = re.sub(r"\s*\**sql\**\s*:?\**\s*$", "", question, flags=re.IGNORECASE)
    return Proposed(" ".join(words.split()), sql.strip().rstrip(";").rstrip())


def _of_json(text: str) -> Iterator[Proposed]:
    start, end = text.find("["), text.rfind("]")
    if start < 0 or end < start:
        return
    try:
        rows = json.loads(text[start : end + 1], strict=False)
    except ValueError:
        try:  # backslashes that SQL needs and JSON does not know are meant as they are
            rows = json.loads(re.sub(r'\\(?!["\\/bfnrtu])', r"\\\\", text[start : end + 1]), strict=False)
        except ValueError:
            return
    for row in rows if isinstance(rows, list) else ():
        sql = (row.get("sql") or row.get("query")) if isinstance(row, dict) else None
        if isinstance(sql, str) and isinstance(row.get("question"), str):
            yield _proposed(row["question"], sql)


def read_score(text: str) -> float | None:
    """Return the last score of an answer, between 0 and 1; `7/10` is 0.7. None: there is none."""
    found = _SCORE.findall(text)
    if not found:
        return None
    value, of = found[-1]
    score = float(value) / float(of) if of and float(of) else float(value)
    return score if 0 <= score <= 1 else None


def without_catalogue(sql: str) -> str:
    """Return SQL that names the catalogue's views as the copy does, where they are tables."""
    return _CATALOGUE.sub("", sql)
