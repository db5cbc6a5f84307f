"""A pipeline in words: the statement that a model reads. Every name is a word of its own, so that a small tokenizer
can give each one token."""

from __future__ import annotations

from bootstrap.sources.pipelines.steps import (
    Compare,
    Derive,
    Distinct,
    Drop,
    Fill,
    Group,
    Keep,
    Missing,
    Rename,
    Scale,
    Sort,
    Step,
    Top,
)

COMPARE_WORDS = {
    ">": "above", "<": "below", ">=": "at least", "<=": "at most", "==": "equal to", "!=": "other than",
}  # fmt: skip
ARITHMETIC_WORDS = {"+": "plus", "-": "minus", "*": "times"}
AGGREGATE_WORDS = {"max": "highest", "min": "lowest", "sum": "total"}


def direction(descending: bool) -> str:
    return "descending" if descending else "ascending"


def describe_step(step: Step) -> str:
    """Return one step in words."""
    match step:
        case Compare(column, op, value):
            return f"keep rows with {column} {COMPARE_WORDS[op]} {value}"
        case Missing(column, missing):
            return f"keep rows with {'missing' if missing else 'known'} {column}"
        case Sort(column, descending):
            return f"sort by {column} {direction(descending)}"
        case Top(n, column, descending):
            return f"take the first {n} by {column} {direction(descending)}"
        case Derive(name, left, op, right):
            return f"add {name} as {left} {ARITHMETIC_WORDS[op]} {right}"
        case Scale(column, factor):
            return f"multiply {column} by {factor}"
        case Fill(column, value):
            return f"replace missing {column} with {value}"
        case Drop(column):
            return f"drop {column}"
        case Keep(names):
            return f"select {' and '.join(names)}"
        case Rename(column, new):
            return f"rename {column} to {new}"
        case Distinct():
            return "remove duplicate rows"
        case Group(by, "count", column):
            return f"for each {by} count the rows as {column}"
        case Group(by, how, column):
            return f"for each {by} find the {AGGREGATE_WORDS[how]} {column}"
    raise TypeError(f"no words for {step!r}")


def describe(steps: tuple[Step, ...]) -> str:
    """Return the statement: the steps in words, in order."""
    return ", then ".join(describe_step(step) for step in steps) + "."
