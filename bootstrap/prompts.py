"""Prompts: what a model reads, how its answer becomes code, and what a trained answer looks like."""

from __future__ import annotations

import re

from bootstrap.config import PromptConfig
from bootstrap.records import Problem
from interpreters.base import Table

Message = dict[str, str]

RULES = {
    "polars": (
        "Polars (Python)",
        "Write one Polars expression. `pl` and the tables are there as DataFrames; import nothing, print nothing.",
        "python",
    ),
    "duckdb": ("DuckDB SQL", "Write exactly one SELECT statement.", "sql"),
    "postgres": ("PostgreSQL", "Write exactly one SELECT statement.", "sql"),
    "ibis": (
        "Ibis (Python)",
        "Write one Ibis table expression. `ibis`, `_`, the selectors as `s` and the tables are there; import nothing, "
        "execute nothing.",
        "python",
    ),
    "python": (
        "Python",
        "Write one function with the given name and parameters, and import what it needs from the standard library.",
        "python",
    ),
}
"""Language -> name in prompts, the rule for answers, name of the fenced block."""

FENCE = re.compile(r"```[ \t]*([\w+-]*)[ \t]*\r?\n(.*?)(?:^[ \t]*```|```[ \t]*\r?$|\Z)", re.DOTALL | re.MULTILINE)
"""A fenced block, its name and its text: it ends at a fence that starts or ends a line, so that one inside a string
ends nothing."""
NAMES = {"python": ("python", "py", "python3"), "sql": ("sql", "duckdb", "postgresql", "postgres", "pgsql")}
"""Name of the block in RULES -> names that models give it."""


def describe_table(name: str, table: Table) -> str:
    """Return one line: the table's name, its columns and their types."""
    columns = ", ".join(f"{column.name} {column.type.value}" for column in table.columns)
    return f"{name}({columns})"


def render_prompt(problem: Problem, language: str, config: PromptConfig) -> str:
    """Return the text that the model answers. Nothing of a hidden test is in it, beyond names and types of tables."""
    if config.style == "plain":
        return problem.statement + "\n"
    title, rule, fence = RULES[language]
    tables = "\n".join(describe_table(name, table) for name, table in problem.tests[0].tables.items())
    inputs = "Function and parameters" if problem.kind == "function" else "Tables"
    return (
        f"Solve the task in {title}. {rule}\nAnswer with one ```{fence} block.\n\n"
        f"{inputs}:\n{tables}\n\nTask: {problem.statement}\n\n"
    )


def render_answer(code: str, language: str, config: PromptConfig) -> str:
    """Return the completion that is trained for this code: what `extract_code` reads back."""
    return code if config.style == "plain" else f"```{RULES[language][2]}\n{code}\n```"


def extract_code(completion: str, language: str) -> str:
    """Return the code in a completion: its first fenced block that is named as the language's are, else its first
    block of any name, else all of it."""
    blocks = [(match.group(1).lower(), match.group(2)) for match in FENCE.finditer(completion)]
    names = NAMES.get(RULES[language][2], (language,)) if language in RULES else (language,)
    named = [text for name, text in blocks if name in names]
    return next(iter(named or [text for _, text in blocks]), completion).strip()


def as_messages(prompt: str) -> list[Message]:
    return [{"role": "user", "content": prompt}]
