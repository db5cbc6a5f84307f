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
}
"""Language -> name in prompts, the rule for answers, name of the fenced block."""

FENCE = re.compile(r"```[ \t]*[\w+-]*[ \t]*\r?\n(.*?)(?:^[ \t]*```|```[ \t]*\r?$|\Z)", re.DOTALL | re.MULTILINE)
"""A fenced block: it ends at a fence that starts or ends a line, so that one inside a string ends nothing."""


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
    return (
        f"Solve the task in {title}. {rule}\nAnswer with one ```{fence} block.\n\n"
        f"Tables:\n{tables}\n\nTask: {problem.statement}\n\n"
    )


def render_answer(code: str, language: str, config: PromptConfig) -> str:
    """Return the completion that is trained for this code: what `extract_code` reads back."""
    return code if config.style == "plain" else f"```{RULES[language][2]}\n{code}\n```"


def extract_code(completion: str) -> str:
    """Return the first fenced block of a completion, or all of it where there is none."""
    block = FENCE.search(completion)
    return (block.group(1) if block else completion).strip()


def as_messages(prompt: str) -> list[Message]:
    return [{"role": "user", "content": prompt}]
