"""The contract of every interpreter: what goes in, what comes out, and what counts as whose failure.

An interpreter takes code that a model wrote and the inputs of a problem's tests, runs the code in a process of its
own, and hands back plain data. The expected values stay here, in the parent: `judge` compares, the child never sees
them.

Error model, in one place:

* A candidate that fails is data. Wrong, slow, greedy, hostile or empty code gives an `Execution` and a `Verdict`.
* An interpreter that fails is an exception. `InterpreterError` means that the checker itself broke (its process died
  before the candidate started, it answered in another format); it is retried once in a fresh process by the caller
  and never counted as a wrong answer. `InterpreterUnavailable` means that it cannot run on this machine at all.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Protocol, Self

Value = (
    None | bool | int | float | Decimal | str | bytes | dt.date | dt.datetime | dt.time | dt.timedelta
    | list["Value"] | dict[str, "Value"]
)  # fmt: skip


class ColumnType(StrEnum):
    """Class of a column's values; widths are not part of the contract (any integer width is INT)."""

    NULL = "null"
    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    DECIMAL = "decimal"
    STRING = "string"
    BINARY = "binary"
    DATE = "date"
    TIMESTAMP = "timestamp"
    TIME = "time"
    INTERVAL = "interval"
    LIST = "list"
    STRUCT = "struct"
    OTHER = "other"


@dataclass(frozen=True)
class Column:
    name: str
    type: ColumnType


@dataclass(frozen=True)
class Table:
    """A bounded table of plain values: `rows` are tuples in the order of `columns`."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Value, ...], ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


@dataclass(frozen=True)
class TestCase:
    """One data set of a problem: named input tables, and the table that a right answer returns.

    `order_by` names the columns of `expected` whose order the answer must keep, most significant first; rows that are
    equal in all of them may come in any order. `ties` says the same without naming columns, for sort keys that the
    answer does not show: sizes of consecutive groups of expected rows; groups come in order, the rows inside one in
    any. At most one of the two is given; neither: the answer is a bag of rows.
    `match_names`: False where the statement names no columns; they are then told by their position alone.
    `unordered`: True where the one expected cell is a list whose items may come in any order; lists inside it keep
    theirs.
    `accepted`: other tables that are as right as `expected`, under the same rules of order and names.
    `hidden` tests are never shown to a model, in a prompt or in a repair turn.
    """

    __test__ = False  # not a test class for pytest

    tables: Mapping[str, Table]
    expected: Table
    order_by: tuple[str, ...] = ()
    hidden: bool = False
    match_names: bool = True
    ties: tuple[int, ...] = ()
    unordered: bool = False
    accepted: tuple[Table, ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError for an order that contradicts itself or the expected rows."""
        right = (self.expected, *self.accepted)
        if self.unordered and any((len(table.columns), len(table.rows)) != (1, 1) for table in right):
            raise ValueError("a test case is unordered, but expects another table than one cell: leave it out")
        if self.ties and self.order_by:
            raise ValueError("a test case has order_by and ties: give one of them")
        if self.accepted and self.order_by:
            raise ValueError("a test case has order_by and accepted tables, which may lack its columns: give ties")
        for table in right:
            require_ties(self.ties, len(table.rows))


def require_ties(ties: Sequence[int], height: int) -> None:
    """Raise ValueError unless `ties` is empty or divides `height` rows into groups."""
    if ties and (min(ties) < 1 or sum(ties) != height):
        raise ValueError(f"ties are sizes of groups of rows that add up to the {height} expected rows, not {[*ties]}")


class Outcome(StrEnum):
    PASSED = "PASSED"
    WRONG_ANSWER = "WRONG_ANSWER"
    RUNTIME_ERROR = "RUNTIME_ERROR"
    SYNTAX_ERROR = "SYNTAX_ERROR"
    TIMEOUT = "TIMEOUT"
    MEMORY_EXCEEDED = "MEMORY_EXCEEDED"
    OUTPUT_EXCEEDED = "OUTPUT_EXCEEDED"
    FORBIDDEN = "FORBIDDEN"
    NO_RESULT = "NO_RESULT"
    UNSUPPORTED = "UNSUPPORTED"
    INFRA = "INFRA"


@dataclass(frozen=True)
class Limits:
    """What one candidate may use, over all tests of its problem together."""

    seconds: float = 5.0  # wall time until SIGKILL
    memory_mb: int = 2048  # address space that may be added on top of the imported libraries
    output_bytes: int = 16 * 2**20  # encoded results
    cells: int = 100_000  # rows x columns of one result


@dataclass(frozen=True)
class Execution:
    """What running a candidate gave. `results` holds the tables of the tests that ran to the end, in order.

    `outcome` is PASSED when every test returned a table (nothing is compared yet) or when the caller wanted no more of
    them, else the reason for which the test after the last of `results` gave none.
    """

    outcome: Outcome
    results: tuple[Table, ...] = ()
    message: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Verdict:
    """The judgement of one candidate: `failed_test` is the index of the first failing test, None when PASSED."""

    outcome: Outcome
    failed_test: int | None = None
    message: str = ""  # first useful line, at most 300 characters
    seconds: float = 0.0  # wall time inside the interpreter
    interpreter: str = field(default="")

    @property
    def passed(self) -> bool:
        return self.outcome is Outcome.PASSED


class InterpreterError(RuntimeError):
    """The interpreter itself failed; says nothing about the candidate."""


class InterpreterUnavailable(InterpreterError):  # noqa: N818 - the name says what is the matter
    """The interpreter cannot run on this machine; the message says what to install or start."""


Job = tuple[str, Sequence[Mapping[str, Table]]]  # code, and the input tables of each test
GoOn = Callable[[int, Table], bool]
"""Asked with the number and the table of each test but the last; a no ends the execution there."""


class Interpreter(Protocol):
    """One target language. Implementations live in one file each and are named in `interpreters.INTERPRETERS`.

    Not thread-safe: one instance per thread. `close` ends its processes; using it as a context manager does too.
    """

    name: str
    language: str

    def available(self) -> str | None:
        """Return None when usable here, else the reason and what to do about it."""
        ...

    def version(self) -> str:
        """Return the engine and its version, e.g. "polars 2.1.0"."""
        ...

    def sandbox(self) -> str:
        """Return one line that names the layers of the sandbox in force, see sandbox.py."""
        ...

    def refuses(self, inputs: Sequence[Mapping[str, Table]]) -> str | None:
        """Return in one sentence why this language cannot carry the inputs of a problem's tests; None where it can.

        Such a problem is not given to it: what `execute` makes of it is nobody's verdict. Starts nothing.
        """
        ...

    def lucky(self, code: str) -> bool:
        """Say whether an answer of this code may be right by luck: the engine orders its rows anew in each run. It has
        to be right several times then, see checking.check."""
        ...

    def execute(
        self, code: str, inputs: Sequence[Mapping[str, Table]], limits: Limits, go_on: GoOn | None = None
    ) -> Execution:
        """Run `code` once per entry of `inputs` (named tables), stopping at the first that gives no table, and at the
        first after which `go_on` says no. It may be asked about one test again, when the run had to be repeated.

        Raises InterpreterError when the interpreter, not the candidate, failed.
        """
        ...

    def execute_trusted(self, jobs: Sequence[Job], limits: Limits = ...) -> list[Execution]:
        """Run code of our own generators, many jobs in one process; `limits` hold for each job.

        Never for what a model wrote: the jobs can see each other. Raises as `execute` does.
        """
        ...

    def close(self) -> None:
        """End every process of this interpreter; safe to call twice."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...
