"""q inside the child: a script for the project's own interpreter, run in a fresh workspace for each test.

The input tables are globals of the script. Its answer is the value of its last statement that has one, which must be
a table. Where there is one input table of one row, and after the script its name is that of a function, the problem
is one of a function: it is applied to the row's cells as values (text is a string there, a symbol in tables), and
what it returns is the answer. So a row that has no place in a table (nested lists) is bound as no table, and one that
has none among values is never applied to.

Nothing in q_subset reads files, opens connections or runs commands; what it does not know is UNSUPPORTED. Endless
programs end by its budget of steps or by the clock, whichever comes first.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

import interpreters.q_subset
from interpreters.base import Column, ColumnType, Outcome, Value
from interpreters.function_cases import RESULT
from interpreters.processes.candidate import MESSAGE_LENGTH, SAMPLE, CandidateError, Columns, first_line
from interpreters.processes.deep_stack import allow_deep_stack
from interpreters.processes.preload import preload
from interpreters.q_subset import VERSION, QError, StepsExceeded, Unsupported, Workspace
from interpreters.q_subset import values as q
from interpreters.q_subset.errors import MAX_ITEMS
from interpreters.q_subset.tables import unkeyed
from interpreters.q_subset.workspace import parsed, statements
from interpreters.q_values import from_q, result_type, table_from_q, table_to_q, to_q, what_it_is
from interpreters.wire import WireError

STEPS = 20_000_000  # of one script, and of one call: more than the usual limit of time allows
RECURSION = 10_000  # Python frames while a script is parsed; what runs it sets its own limit
_CALL = Columns([Column("n", ColumnType.INT), Column("s", ColumnType.LIST)], [[20], [["ab", "c"]]], 1)
_CALL_CODE = (
    "f:{[n;s] r:(); i:0; while[i<n; if[0=i mod 3; r,:i*i]; i+:1]; d:count each group raze s;"
    " $[n>3; (sum r; d; upper each s; {x where 0<x} each r-/:1 2); '`few]}"
)
_TABLE_CODE = (
    "r:select n:count i, x:max x by s from t where i>0\nr:`x xdesc update y:2*x from 0!r\n`s`n`x xcols r lj 1!r"
)


@dataclass(frozen=True)
class Inputs:
    """The inputs of one test: tables by name and, where it may be a call, the function's name and its arguments."""

    tables: Mapping[str, q.Table]
    entry: str = ""
    arguments: Sequence[q.Value] = ()


def warm() -> str:
    """Import the whole interpreter, and run whole checks so that each child finds their byte code specialised."""
    allow_deep_stack()
    sys.setrecursionlimit(RECURSION)
    for module in pkgutil.iter_modules(interpreters.q_subset.__path__):
        if module.name != "__main__":
            importlib.import_module(f"interpreters.q_subset.{module.name}")
    preload(_check_samples)
    for _ in range(20):
        _check_samples()
    return f"q-subset {VERSION} (not kdb+)"


def _check_samples() -> None:
    for code, name, table in ((_CALL_CODE, "f", _CALL), (_TABLE_CODE, "t", SAMPLE)):
        list(run(code, load([{name: table}]), 1000))


def prepare(memory_mb: int, context: str) -> None:
    """Nothing is open between fork and run."""


# -- inputs ---------------------------------------------------------------------------------------------------------


def load(tests: Sequence[Mapping[str, Columns]]) -> list[Inputs]:
    return [_inputs(tables) for tables in tests]


def _inputs(tables: Mapping[str, Columns]) -> Inputs:
    """Return the inputs as values of q. Raises WireError where they have no form as tables nor as arguments."""
    if len(tables) != 1 or any(table.height != 1 for table in tables.values()):
        return Inputs({name: _table(table) for name, table in tables.items()})
    [(entry, table)] = tables.items()
    try:
        arguments = [to_q(value) for [value] in table.values]
    except WireError:
        return Inputs({entry: _table(table)})
    try:
        return Inputs({entry: _table(table)}, entry, arguments)
    except WireError:
        return Inputs({}, entry, arguments)


def _table(table: Columns) -> q.Table:
    return table_to_q(table.columns, table.values)


# -- the candidate --------------------------------------------------------------------------------------------------


def run(code: str, loaded: list[Inputs], max_cells: int) -> Generator[Columns, None, None]:
    require_syntax(code)
    for inputs in loaded:
        workspace = Workspace()
        for name, table in inputs.tables.items():
            workspace.set(name, table)
        values = workspace.run(code, steps=STEPS)
        if inputs.entry and workspace.has_function(inputs.entry):
            yield _cell(from_q(workspace.call(inputs.entry, list(inputs.arguments), steps=STEPS)))
        else:
            yield _last_table(values, inputs, max_cells)


def require_syntax(code: str) -> None:
    """Raise CandidateError for a script of which some statement is no q.

    What this subset cannot parse is told when it is reached: real q may have stopped before.
    """
    try:
        for text in statements(code):
            if not text.startswith("\\"):
                _parse(text)
    except QError as error:
        raise CandidateError(Outcome.SYNTAX_ERROR, f"'{error.name}"[:MESSAGE_LENGTH]) from error


def _parse(text: str) -> None:
    try:
        parsed(text)
    except Unsupported:
        return


def _cell(value: Value) -> Columns:
    return Columns([Column(RESULT, result_type(value))], [[value]], 1)


def _last_table(values: Sequence[q.Value], inputs: Inputs, max_cells: int) -> Columns:
    noun = next((value for value in reversed(values) if not isinstance(value, q.Null)), q.NULL)
    if not isinstance(noun, q.Table) and not q.is_keyed(noun):
        wanted = f"a function called {inputs.entry}" if inputs.entry else "a table as the last value"
        raise CandidateError(Outcome.NO_RESULT, f"expected {wanted}, found {what_it_is(noun)}")
    table = unkeyed(noun)
    if table.height() * len(table.names) > max_cells:
        raise CandidateError(Outcome.OUTPUT_EXCEEDED, f"the result has more than {max_cells} cells")
    columns, cells = table_from_q(table)
    return Columns(columns, cells, table.height())


def describe(error: BaseException) -> tuple[Outcome, str]:
    if isinstance(error, QError):
        if error.name == "wsfull":
            return Outcome.MEMORY_EXCEEDED, f"'wsfull: a list has at most {MAX_ITEMS} items here"
        return Outcome.RUNTIME_ERROR, f"'{error.name}"
    if isinstance(error, Unsupported):
        return Outcome.UNSUPPORTED, f"{error} is outside this subset of q"
    if isinstance(error, StepsExceeded):
        return Outcome.TIMEOUT, f"step limit: more than {STEPS} steps"
    return Outcome.RUNTIME_ERROR, first_line(error)
