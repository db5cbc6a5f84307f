"""`humaneval`: functions with a docstring and a `check` of asserts (HumanEval, HumanEval+), as function problems.

Rows of EvalPlus that carry `base_input` and `plus_input` in the place of asserts are read too: there the reference
alone gives the expected values.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator

from bootstrap.records import Problem
from bootstrap.sources.python_tests.asserts import Extraction, Pair, pairs_of
from bootstrap.sources.python_tests.record import PythonRecord, Tally
from bootstrap.sources.python_tests.rows import Row, text_field
from bootstrap.sources.python_tests.signature import UnusableError
from bootstrap.sources.python_tests.source import PythonOptions, problems_of

LICENCE = "MIT"


class HumanEval:
    class Options(PythonOptions):
        split: str = "test"
        """Of a data set on the hub."""

    def __init__(self, options: Options, seed: int) -> None:
        self.options, self.seed = options, seed
        self.tally = Tally()
        """What became of the rows, once they are read."""

    def load(self) -> Iterator[Problem]:
        """Yield the problems; rows that give none are counted in the log. Raises UserError."""
        self.tally = Tally()
        yield from problems_of(self.options, self.seed, record_of, self.tally)


def record_of(row: Row) -> PythonRecord:
    """Return the record of a row. Raises UnusableError."""
    prompt, entry = text_field(row, "prompt"), text_field(row, "entry_point")
    if not prompt or not entry or not isinstance(row.get("canonical_solution"), str):
        raise UnusableError("a row has no prompt, entry_point or canonical_solution")
    code = whole_code(prompt, row["canonical_solution"], entry)
    tests = pairs_of(text_field(row, "test"), [entry])
    if not tests.pairs:
        given = given_inputs(row)
        tests = given if given.pairs else tests
    name = str(row.get("task_id") or f"HumanEval_{entry}").replace("/", "_")
    return PythonRecord(name, description(prompt, entry), code, entry, tests, "humaneval", LICENCE)


def whole_code(prompt: str, solution: str, entry: str) -> str:
    """Return the code: the prompt goes on with the solution, unless that is whole already."""
    try:
        whole = any(isinstance(one, ast.FunctionDef) and one.name == entry for one in ast.parse(solution).body)
    except (SyntaxError, ValueError):
        whole = False  # the body of a function, indented, is no code of its own
    return solution if whole else prompt + solution


def given_inputs(row: Row) -> Extraction:
    """Return the calls of base_input and plus_input."""
    found = Extraction()
    for name in ("base_input", "plus_input"):
        for args in row.get(name) or ():
            if isinstance(args, list):
                found.pairs.append(Pair(tuple(args), relation="reference"))
            else:
                found.unread[f"{name} holds something else than lists of arguments"] += 1
    return found


def description(prompt: str, entry: str) -> str:
    """Return the docstring of the function, or the whole prompt where it has none. Raises UnusableError."""
    try:
        tree = ast.parse(prompt + "\n    pass")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UnusableError("the prompt is no Python") from error
    for one in tree.body:
        if isinstance(one, ast.FunctionDef) and one.name == entry:
            return inspect.cleandoc(ast.get_docstring(one) or prompt)
    raise UnusableError("the prompt does not define the entry point")
