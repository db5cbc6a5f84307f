"""What a model is asked: prompts for questions, for lazy Polars code and for SQL, and how its answers are read.

Code and SQL are asked for in requests of their own, which know of each other no more than the question and the schema.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from bootstrap.engines.base import Decoding, Engine, Request
from bootstrap.files import append_jsonl, read_jsonl
from bootstrap.generate.nl_to_polars.outputs import SYSTEM

STYLES = {
    "terse": "as short as a note, in key words",
    "business": "formal, as in a request for a report",
    "casual": "relaxed, as to a colleague",
    "imperative": "as an instruction that begins with a verb",
    "question": "as a question that ends with a question mark",
}
"""Style -> what a model is told of it."""
SUBJECTS = (
    "filtering rows by several conditions", "totals and averages by group", "the largest or smallest rows or groups",
    "dates and periods", "text", "missing values", "comparison of rows with their group", "shares and ranks",
    "running totals and changes from row to row", "different values and how often they come",
)  # fmt: skip
JOINS = "both tables together, joined by {0}"
_NUMBERED = re.compile(r"^\s*(?:\d+[.)]|[-*])\s+(.*\S)\s*$", re.MULTILINE)
_FENCE = re.compile(r"```\w*\n(.*?)```", re.DOTALL)


def questions_prompt(schema: str, style: str, subject: str, count: int) -> str:
    return (
        f"{schema}\n\nWrite {count} different questions that somebody who works with this data could ask, each with "
        f"one right answer that is a table computed from it.\nSubject: {subject}.\nStyle: {STYLES[style]}.\n"
        "Say in each question which columns are wanted, in which order rows come and how ties are broken where order "
        "matters, what becomes of missing values where it matters, and to how many decimals is rounded if at all. "
        "Use values that are in the data.\nAnswer with a JSON list of texts and nothing else.\n"
    )


def code_prompt(schema: str, question: str) -> str:
    return f"{SYSTEM}\n\n{schema}\n\nQuestion: {question}\n\nAnswer with one ```python block.\n"


def sql_prompt(schema: str, question: str) -> str:
    return (
        "Write exactly one SELECT statement of DuckDB that answers the question. Give the columns in the order in "
        "which they are asked for, those that rows are grouped by first. Order rows only where the question asks for "
        f"an order.\n\n{schema}\n\nQuestion: {question}\n\nAnswer with one ```sql block.\n"
    )


def questions_in(answer: str, most: int) -> list[str]:
    """Return the questions in an answer: a JSON list, or else the lines of a numbered list. None twice."""
    fenced = _FENCE.search(answer)
    text = fenced.group(1) if fenced else answer
    start, end = text.find("["), text.rfind("]")
    found: list[str] = []
    if 0 <= start < end:
        try:
            found = [one for one in json.loads(text[start : end + 1]) if isinstance(one, str)]
        except ValueError:
            found = []
    found = found or _NUMBERED.findall(text)
    return list(dict.fromkeys(" ".join(one.split()) for one in found if one.strip()))[:most]


class Asked:
    """An engine with a store: what has an answer is not asked again. Every answer is a line of answers.jsonl, which
    the engine `scripted` can replay."""

    def __init__(self, engine: Engine, path: Path) -> None:
        self.engine, self.path = engine, path
        self._known = {(row["tag"], row["problem_id"]): str(row["completion"]) for row in read_jsonl(path, mend=True)}

    def ask(self, requests: Sequence[Request], decoding: Decoding) -> dict[str, str]:
        """Return id -> answer. Raises EngineError; answers that came before it are kept."""
        owed = [one for one in requests if (one.tag, one.problem_id) not in self._known]
        by_id = {one.problem_id: one for one in owed}
        if by_id:
            for completion in self.engine.generate(list(by_id.values()), decoding):
                tag = by_id[completion.problem_id].tag
                row = {
                    "tag": tag,
                    "problem_id": completion.problem_id,
                    "completion": completion.text,
                    "sample_index": 0,
                }
                append_jsonl(self.path, [row])
                self._known[tag, completion.problem_id] = completion.text
        return {one.problem_id: self._known[one.tag, one.problem_id] for one in requests}
