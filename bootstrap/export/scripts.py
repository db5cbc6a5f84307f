"""The test files of a finished problem: what a person runs by hand to see a test, in Python and in the target language.

They hold inputs and call the solution beside them; what must come out is in a text file of its own.
"""

from __future__ import annotations

from collections.abc import Callable

from bootstrap.errors import UserError
from bootstrap.export.finished import Finished
from bootstrap.export.literals import (
    PYTHON_IMPORTS,
    NoLiteralError,
    as_q,
    as_q_table,
    python_literal,
    python_rows,
    sql_table,
)
from interpreters.base import ColumnType, Table, TestCase
from interpreters.function_cases import arguments_of, expected_of

EXTENSIONS = {
    "python": "py", "polars": "polars.py", "ibis": "ibis.py", "duckdb": "sql", "postgres": "sql", "q": "q",
}  # fmt: skip
"""Language -> how its files end. `sol.py` is the reference in plain Python, where there is one."""

PLAIN = '''
def plain(value):
    """Return the answer as the tests have it: tuples and sets as lists, dicts without text keys as pairs."""
    if isinstance(value, (set, frozenset)):
        return sorted(map(plain, value), key=repr)
    if isinstance(value, dict) and not all(isinstance(key, str) for key in value):
        return [{"key": plain(key), "value": plain(value[key])} for key in sorted(value, key=repr)]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value

'''


def extension_of(language: str) -> str:
    if language not in EXTENSIONS:
        raise UserError(
            f"the directory form has no file ending for {language}: known are {', '.join(EXTENSIONS)}; "
            "use --form chat or --form hub"
        )
    return EXTENSIONS[language]


def correct_answer(problem_kind: str, test: TestCase) -> str:
    """Return the expected answer as text: a value of a function, or the columns and rows of a table."""
    if problem_kind == "function":
        return repr(expected_of(test)) + "\n"
    heads = ", ".join(f"{column.name} {column.type.value}" for column in test.expected.columns)
    return f"{heads}\n" + "".join(f"{python_literal(list(row))}\n" for row in test.expected.rows)


def python_test(finished: Finished, number: int, test: TestCase) -> str:
    """Return test_case_N.py: it prints the answer of sol.py, or holds the input tables where there is no sol.py."""
    title = f'"""Test {number} of {finished.problem.problem_id!r}."""\n\n'.replace("\\", "")
    if finished.problem.kind != "function":
        tables = "".join(
            f"{name!r}: {{\n'columns': {list(table.names)!r},\n'rows': {python_rows(table)},\n}},\n"
            for name, table in test.tables.items()
        )
        return f"{title}{PYTHON_IMPORTS}\ntables = {{\n{tables}}}\n"
    entry, names, arguments = arguments_of(test)
    shown = ", ".join(map(python_literal, arguments))
    if "python" not in finished.problem.references and finished.language != "python":
        return f"{title}{PYTHON_IMPORTS}\narguments = dict(zip({names!r}, [{shown}]))\n"
    free = "# the items of the answer may come in any order\n" if test.unordered else ""
    return f"{title}{PYTHON_IMPORTS}from sol import {entry}\n\n{PLAIN}\n{free}print(repr(plain({entry}({shown}))))\n"


# -- in the target language ---------------------------------------------------------------------------------------


def _sql_test(finished: Finished, number: int, test: TestCase) -> str:
    run = ".read sol.sql" if finished.language == "duckdb" else r"\i sol.sql"
    program = "duckdb" if finished.language == "duckdb" else "psql"
    tables = "\n".join(sql_table(name, table, finished.language) for name, table in test.tables.items())
    return f"-- Test {number}: its tables, then the solution; for the program {program}.\n\n{tables}\n{run}\n"


POLARS_TYPES = {
    ColumnType.NULL: "pl.Null", ColumnType.BOOL: "pl.Boolean", ColumnType.INT: "pl.Int64",
    ColumnType.FLOAT: "pl.Float64", ColumnType.DECIMAL: "pl.Decimal(38, {scale})", ColumnType.STRING: "pl.String",
    ColumnType.BINARY: "pl.Binary", ColumnType.DATE: "pl.Date", ColumnType.TIMESTAMP: "pl.Datetime('us')",
    ColumnType.TIME: "pl.Time", ColumnType.INTERVAL: "pl.Duration('us')",
}  # fmt: skip


def _polars_frame(table: Table) -> str:
    kinds = []
    for i, column in enumerate(table.columns):
        cells = [row[i] for row in table.rows]
        kind = POLARS_TYPES.get(column.type, "None")
        if column.type is ColumnType.INT and any(isinstance(c, int) and not -(2**63) <= c < 2**63 for c in cells):
            kind = "pl.Int128"
        scale = max((len(f"{c:f}".partition(".")[2]) for c in cells if c is not None), default=0) if "{" in kind else 0  # type: ignore[str-bytes-safe]  # decimals
        kinds.append(f"{column.name!r}: {kind.format(scale=scale)}")
    return f"pl.DataFrame({python_rows(table)}, schema={{{', '.join(kinds)}}}, orient='row')"


def _frame_test(finished: Finished, number: int, test: TestCase) -> str:
    """Return a program that makes the tables and evaluates the solution: one expression, or statements that leave
    `result`."""
    ibis = finished.language == "ibis"
    imports = "import ibis\nimport ibis.selectors as s\nimport polars as pl\nfrom ibis import _\n"
    parts = [f'"""Test {number}: its tables, then the solution."""\n\n{PYTHON_IMPORTS}from pathlib import Path\n\n']
    parts += [imports if ibis else "import polars as pl\n", "\nscope = dict(globals())\n"]
    for name, table in test.tables.items():
        frame = _polars_frame(table)
        parts.append(f"scope[{name!r}] = {f'ibis.memtable({frame})' if ibis else frame}\n")
    file = f"sol.{extension_of(finished.language)}"
    parts.append(f"code = Path(__file__).with_name({file!r}).read_text(encoding='utf-8').strip()\n")
    parts.append("try:\n    result = eval(code, scope)\nexcept SyntaxError:\n    exec(code, scope)\n")
    parts.append("    result = scope['result']\n")
    parts.append("print(result.execute() if hasattr(result, 'execute') else result)\n")
    return "".join(parts)


Q_SCRIPT = """lines:read0`:sol.q
lines:lines where not lines like "/*"
starts:where not(first each lines)in" \\t}"
show last value each{"\\n"sv x}each starts _lines
"""
"""Shows what the last statement of a script gives, which `\\l` would not: a statement is a line with the indented lines
after it."""


def _q_test(finished: Finished, number: int, test: TestCase) -> str:
    """Return a script that loads a function and shows what it gives, or makes the tables and runs the solution."""
    title = f"/ Test {number}: for the program q.\n\n"
    if finished.problem.kind == "function":
        entry, _, arguments = arguments_of(test)
        return f"{title}\\l sol.q\nshow {entry}[{';'.join(map(as_q, arguments))}]\n"
    tables = "".join(f"{name}:{as_q_table(table)}\n" for name, table in test.tables.items())
    return f"{title}{tables}{Q_SCRIPT}"


TARGET_TESTS: dict[str, Callable[[Finished, int, TestCase], str]] = {
    "python": python_test,
    "duckdb": _sql_test,
    "postgres": _sql_test,
    "polars": _frame_test,
    "ibis": _frame_test,
    "q": _q_test,
}
"""Language -> how its test files are written; here a language is added."""


def target_test(finished: Finished, number: int, test: TestCase) -> str:
    """Return <target>_test_case_N. Raises UserError for a language without such tests, or a value it cannot write."""
    if finished.language not in TARGET_TESTS:
        raise UserError(
            f"tests cannot be written in {finished.language} yet: known are {', '.join(TARGET_TESTS)}; "
            "use --form chat or --form hub"
        )
    try:
        return TARGET_TESTS[finished.language](finished, number, test)
    except NoLiteralError as error:
        return f"{_comment(finished.language)} Test {number} cannot be written in {finished.language}: {error}.\n"


def _comment(language: str) -> str:
    return "/" if language == "q" else "--" if EXTENSIONS[language] == "sql" else "#"
