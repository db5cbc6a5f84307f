"""`mbpp`: short Python functions with three tests each (MBPP, its sanitized form, MBPP+), as function problems.

Two layouts are read: rows with `tests` as pairs of arguments and expected value, in which tuples, sets and
dictionaries are tagged, and the original rows with `test_list`, a list of assert statements.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from bootstrap.records import Problem, digest
from bootstrap.sources.python_tests.asserts import Extraction, Pair, pairs_of
from bootstrap.sources.python_tests.literals import NotALiteralError
from bootstrap.sources.python_tests.record import PythonRecord, Tally
from bootstrap.sources.python_tests.rows import Row, text_field
from bootstrap.sources.python_tests.signature import UnusableError
from bootstrap.sources.python_tests.source import PythonOptions, problems_of

LICENCE = "CC BY 4.0"


class Mbpp:
    class Options(PythonOptions):
        pass

    def __init__(self, options: Options, seed: int) -> None:
        self.options, self.seed = options, seed
        self.tally = Tally()
        """What became of the rows, once they are read."""

    def load(self) -> Iterator[Problem]:
        """Yield the problems; rows that give none are counted in the log. Raises UserError."""
        self.tally = Tally()
        yield from problems_of(self.options, self.seed, record_of, self.tally)


def record_of(row: Row) -> PythonRecord:
    """Return the record of a row in either layout. Raises UnusableError."""
    text, code = text_field(row, "text", "prompt"), text_field(row, "code", "canonical_solution")
    if not text or not code:
        raise UnusableError("a row has no text or no code")
    code = code.replace("\r\n", "\n")
    if isinstance(row.get("tests"), list):
        tests = tagged_tests(row["tests"])
        entry = text_field(row, "entry_point")
    elif row.get("test_list"):
        lines = [line for line in row["test_list"] if isinstance(line, str)]
        entry = text_field(row, "entry_point") or tested_function("\n".join(lines), code)
        tests = listed_tests(text_field(row, "test_setup_code"), lines, entry)
    else:
        raise UnusableError("a row has neither tests nor test_list")
    if not entry:
        raise UnusableError("no test calls a function of the code")
    return PythonRecord(problem_id_of(row, text), text, code, entry, tests, "mbpp", LICENCE)


def problem_id_of(row: Row, text: str) -> str:
    name = row.get("id", row.get("task_id"))
    if name is None:
        return f"mbpp-{digest(text)}"
    return str(name).replace("/", "_") if "mbpp" in str(name).lower() else f"mbpp_{name}"


def tested_function(tests: str, code: str) -> str:
    """Return the function of the code that the tests call most often, "" where there is none."""
    try:
        defined = {one.name for one in ast.parse(code).body if isinstance(one, ast.FunctionDef)}
        calls = [node.func.id for node in ast.walk(ast.parse(tests))
                 if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]  # fmt: skip
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UnusableError("the code or its tests are no Python") from error
    counted = Counter(name for name in calls if name in defined)
    return counted.most_common(1)[0][0] if counted else ""


def listed_tests(setup: str, lines: list[str], entry: str) -> Extraction:
    """Return the tests of a list of statements, each after the set-up, so that a broken line costs only itself."""
    found = Extraction()
    for line in lines:
        one = pairs_of(f"{setup}\n{line}", [entry])
        found.pairs += one.pairs
        found.unread += one.unread
    return found


def tagged_tests(tests: list[Any]) -> Extraction:
    """Return the tests of a list of {"args", "kwargs", "expected"}."""
    found = Extraction()
    for test in tests:
        try:
            words = dict(test.get("kwargs") or {})
            args = tuple(untagged(value) for value in test["args"])
            keywords = {name: untagged(value) for name, value in words.items()}
            found.pairs.append(Pair(args, keywords, untagged(test["expected"])))
        except NotALiteralError as error:
            found.unread[str(error)] += 1
        except (KeyError, TypeError, ValueError, AttributeError):
            found.unread["a test has not the keys args, kwargs and expected"] += 1
    return found


def untagged(value: Any) -> Any:
    """Return a value of JSON with its tuples, sets and dictionaries as such. Raises NotALiteralError."""
    if isinstance(value, list):
        return [untagged(item) for item in value]
    if not isinstance(value, Mapping):
        return value
    if len(value) != 1:
        raise NotALiteralError("a tagged value has not one tag")
    [(tag, content)] = value.items()
    match tag:
        case "__tuple__":
            return tuple(untagged(item) for item in content)
        case "__set__" | "__frozenset__":
            return (set if tag == "__set__" else frozenset)(untagged(item) for item in content)
        case "__dict__":
            return {untagged(key): untagged(item) for key, item in content}
        case "__float__":
            return float(content)
    raise NotALiteralError("a value has a tag that is not known")
