"""Python functions: code that defines the function which a problem's tests call. See runners/python_function_runner.py.

Its inputs are tables of one row, as interpreters/function_cases.py writes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from interpreters.base import Column, ColumnType, Table
from interpreters.processes.forked import ForkedInterpreter

_PAIR = Table((Column("a", ColumnType.INT), Column("b", ColumnType.LIST)), ((1, [2, 3]),))


class PythonFunction(ForkedInterpreter):
    """Functions of plain Python, each in a forked child of a process that has the permitted modules imported.

    Each child loads its inputs itself: Python objects that the process above it kept for other problems would be in
    reach of `gc`.
    """

    name = "python_function"
    language = "python"
    runner = "interpreters.runners.python_function_runner"
    self_test = ("def add(a, b):\n    return [a + x for x in b]", [{"add": _PAIR}])
    install = "a Python with its whole standard library"

    def refuses(self, inputs: Sequence[Mapping[str, Table]]) -> str | None:
        for tables in inputs:
            if len(tables) != 1 or any(len(table.rows) != 1 for table in tables.values()):
                found = ", ".join(f"{name} of {len(table.rows)} rows" for name, table in tables.items()) or "none"
                return f"a function has one input table of one row, its arguments; found {found}"
        return None
