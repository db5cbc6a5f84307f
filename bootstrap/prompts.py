"""Prompts: what a model reads, how its answer becomes code, and what a trained answer looks like."""

from __future__ import annotations

import re

from bootstrap.config import PromptConfig
from bootstrap.prompt_references import REFERENCES
from bootstrap.records import Hint, Mistake, Problem
from interpreters.base import Outcome, Table

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
    "q": (
        "q (kdb+)",
        "Write a q script. For a function, set the given name to a lambda with the given parameters; over tables, "
        "which are there as globals, let the last line be an expression that gives the resulting table.",
        "q",
    ),
}
"""Language -> name in prompts, the rule for answers, name of the fenced block."""

NOTES = {
    "q": {
        "table": "Columns of text are symbols here, and integers are longs; what is missing is the null of its type.",
        "function": (
            "Text is a list of chars here, a list of text a general list; integers are longs, None is (::), and a dict "
            "with text as keys has a list of such strings as keys."
        ),
    }
}  # fmt: skip
"""Language -> kind of problem -> how the inputs look in that language, where their types do not tell."""

FAILURES = {
    Outcome.WRONG_ANSWER: "It runs, but its result is wrong",
    Outcome.RUNTIME_ERROR: "It fails when it runs",
    Outcome.SYNTAX_ERROR: "It is not valid code",
}
"""Outcome of an attempt that a prompt shows -> how it is told."""

FENCE = re.compile(r"```[ \t]*([\w+-]*)[ \t]*\r?\n(.*?)(?:^[ \t]*```|```[ \t]*\r?$|\Z)", re.DOTALL | re.MULTILINE)
"""A fenced block, its name and its text: it ends at a fence that starts or ends a line, so that one inside a string
ends nothing."""
NAMES = {
    "python": ("python", "py", "python3"),
    "sql": ("sql", "duckdb", "postgresql", "postgres", "pgsql"),
    "q": ("q", "kdb", "kdb+", "k", "q-kdb", "qkdb", "qlang", "kdbq"),
}
"""Name of the block in RULES -> names that models give it."""


def describe_table(name: str, table: Table) -> str:
    """Return one line: the table's name, its columns and their types."""
    columns = ", ".join(f"{column.name} {column.type.value}" for column in table.columns)
    return f"{name}({columns})"


def render_prompt(
    problem: Problem, language: str, config: PromptConfig, hint: Hint | None = None, mistake: Mistake | None = None
) -> str:
    """Return the text that the model answers. Nothing of a hidden test is in it, beyond names and types of tables.

    In runs with several target languages the plain style names the language; the other style always does.
    """
    if config.style == "plain":
        shown = f"{hint.language}: {hint.code}\n" if hint else ""
        if mistake:
            shown += f"tried: {mistake.code}\n{mistake.outcome.value}: {mistake.message}".rstrip(": ") + "\n"
        return f"{shown}{f'{language}: ' if problem.target else ''}{problem.statement}\n"
    title, rule, fence = RULES[language]
    tables = "\n".join(describe_table(name, table) for name, table in problem.tests[0].tables.items())
    inputs = "Function and parameters" if problem.kind == "function" else "Tables"
    note = f"{NOTES[language][problem.kind]}\n" if language in NOTES else ""
    return (
        f"{reference_of(language, config)}Solve the task in {title}. {rule}\nAnswer with one ```{fence} block.\n\n"
        f"{inputs}:\n{tables}\n{note}\nTask: {problem.statement}\n\n{_shown(hint)}{_failed(mistake, fence)}"
    )


def _failed(mistake: Mistake | None, fence: str) -> str:
    if mistake is None:
        return ""
    told = f"{FAILURES[mistake.outcome]}: {mistake.message}".rstrip(": ")
    return (
        f"This code was tried:\n```{fence}\n{mistake.code}\n```\n{told}\n"
        "Find what is wrong with it, and answer with the whole corrected code.\n\n"
    )


def _shown(hint: Hint | None) -> str:
    if hint is None:
        return ""
    title, _, fence = RULES.get(hint.language, (hint.language, "", ""))
    return f"A solution in {title}, which is another language:\n```{fence}\n{hint.code}\n```\n\n"


def reference_of(language: str, config: PromptConfig) -> str:
    """Return the short reference of a language as the first paragraph of a prompt, "" where none is wanted or known."""
    if config.style == "plain" or not config.reference or language not in REFERENCES:
        return ""
    title, _, fence = RULES[language]
    return f"{title} in short:\n```{fence}\n{REFERENCES[language]}\n```\n\n"


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
