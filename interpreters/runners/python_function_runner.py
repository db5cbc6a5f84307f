"""Python functions inside the child: the code defines one called as the input table, and is run anew for each test.

The code may import the modules of `MODULES`, in any form and anywhere, and nothing else. That is a rule of the task,
not the wall: what keeps hostile code in is the lockdown of the child. Each test has a module of its own with fresh
globals, the usual limit of recursion, random numbers and decimal context. The arguments are this child's own copies;
no two tests share one.
"""

from __future__ import annotations

import ast
import codecs
import datetime
import decimal
import importlib
import platform
import random
import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from types import CodeType, ModuleType
from typing import Any

from interpreters.base import Column, ColumnType, Outcome
from interpreters.function_cases import answer_of
from interpreters.processes.candidate import CandidateError, Columns, first_line
from interpreters.processes.deep_stack import allow_deep_stack
from interpreters.processes.preload import preload

MODULES = frozenset({
    "__future__", "abc", "array", "bisect", "calendar", "cmath", "collections", "collections.abc", "contextlib", "copy",
    "dataclasses", "datetime", "decimal", "enum", "fractions", "functools", "hashlib", "heapq", "itertools", "json",
    "math", "numbers", "operator", "queue", "random", "re", "statistics", "string", "sys", "textwrap", "time", "types",
    "typing", "unicodedata", "zlib",
})  # fmt: skip
SYS = frozenset({
    "byteorder", "float_info", "getrecursionlimit", "getsizeof", "hash_info", "int_info", "intern", "maxsize",
    "maxunicode", "set_int_max_str_digits", "setrecursionlimit", "version_info",
})  # fmt: skip
"""What may be named of `sys`: facts and limits of the language, not the process."""

_ENCODINGS = (
    "ascii", "latin-1", "cp437", "cp1252", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-7", "hex",
    "base64", "rot13", "idna", "punycode", "unicode-escape", "raw-unicode-escape",
)  # fmt: skip
RECURSION = 10_000  # calls, where the code sets no limit of its own; deep enough for a search over a test's input
_FILE = "<candidate>"
_MODULE = "candidate"
_SAMPLE = Columns([Column("a", ColumnType.INT), Column("b", ColumnType.LIST)], [[1], [[1, 2]]], 1)
_SAMPLE_CODE = (
    "from math import *\nfrom typing import *\nfrom collections import Counter\nfrom dataclasses import dataclass\n"
    "@dataclass\nclass Box:\n    n: int\n"
    "def f(a: int, b: List[int]) -> dict:\n    return {Box(x).n: sqrt(n) for x, n in Counter(b + [a]).items()}"
)
Call = tuple[str, list[Any]]
"""Name of the function, arguments."""


def warm() -> str:
    """Import what candidates may import, and run whole checks so that each child finds their byte code specialised."""
    allow_deep_stack()
    for name in sorted(MODULES):
        importlib.import_module(name)
    preload(_first_uses)
    for _ in range(20):
        list(run(_SAMPLE_CODE, load([{"f": _SAMPLE}]), 1))
    return f"python {platform.python_version()}"


def _first_uses() -> None:
    """Do what makes those modules import more: a child may be unable to read the standard library."""
    datetime.datetime.strptime("2024-01-02", "%Y-%m-%d")
    for name in _ENCODINGS:
        codecs.lookup(name)


def prepare(memory_mb: int, context: str) -> None:
    """Nothing is open between fork and run."""


def load(tests: Sequence[Mapping[str, Columns]]) -> list[Call]:
    return [_call(tables) for tables in tests]


def _call(tables: Mapping[str, Columns]) -> Call:
    if len(tables) != 1 or any(table.height != 1 for table in tables.values()):
        found = ", ".join(f"{name} of {table.height} rows" for name, table in tables.items()) or "none"
        raise ValueError(f"expected one input table of one row (a function and its arguments), found {found}")
    [(entry, table)] = tables.items()
    return entry, [value for [value] in table.values]


def run(code: str, loaded: list[Call], max_cells: int) -> Generator[Columns, None, None]:
    program = compile_module(code)
    for entry, arguments in loaded:
        _start_afresh()
        column, value = answer_of(_function(program, entry)(*arguments))
        yield Columns([column], [[value]], 1)


def _start_afresh() -> None:
    """Undo what an earlier test may have set for the whole process."""
    sys.setrecursionlimit(RECURSION)
    random.seed(0)
    decimal.setcontext(decimal.Context())


def _function(program: CodeType, entry: str) -> Any:
    """Run the code in a new module, which dataclasses look for by its name; return the function."""
    module = sys.modules[_MODULE] = ModuleType(_MODULE)
    exec(program, module.__dict__)  # running the candidate is what this process is for
    function = module.__dict__.get(entry)
    if not callable(function):
        found = "nothing" if function is None else f"a value of type {type(function).__name__}"
        raise CandidateError(Outcome.NO_RESULT, f"expected a function called {entry}, found {found}; define it")
    return function


def describe(error: BaseException) -> tuple[Outcome, str]:
    return Outcome.RUNTIME_ERROR, first_line(error)


def compile_module(code: str) -> CodeType:
    """Compile a candidate. Raises CandidateError: SYNTAX_ERROR, or FORBIDDEN for what it may not import or name."""
    try:
        tree = ast.parse(code, _FILE)
        refused = next(_refused(tree), None)
        if refused is not None:
            raise CandidateError(Outcome.FORBIDDEN, f"not allowed: {refused}")
        return compile(tree, _FILE, "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise CandidateError(Outcome.SYNTAX_ERROR, first_line(error)) from error


def _refused(tree: ast.Module) -> Iterator[str]:
    nodes = list(ast.walk(tree))
    names_of_sys: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names_of_sys |= {alias.asname or alias.name for alias in node.names if alias.name == "sys"}
            yield from (f"import {alias.name}" for alias in node.names if alias.name not in MODULES)
        elif isinstance(node, ast.ImportFrom) and not _may_come(node):
            yield ast.unparse(node)
    attributes = (node for node in nodes if isinstance(node, ast.Attribute) and node.attr not in SYS)
    for node in attributes:
        if isinstance(node.value, ast.Name) and node.value.id in names_of_sys:
            yield ast.unparse(node)


def _may_come(node: ast.ImportFrom) -> bool:
    if node.level or node.module not in MODULES:
        return False
    return node.module != "sys" or all(alias.name in SYS for alias in node.names)
