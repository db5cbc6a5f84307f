"""PostgreSQL inside the child: exactly one SELECT, over a connection as a role that may read one problem's tables.

The child connects before it gives up its rights, and has nothing but that connection afterwards. What is fetched is
decoded here, under the child's limits, never in the parent.

Each test is a read-only transaction that is rolled back. The code reaches the server over the extended protocol, which
takes one statement, behind `DECLARE CURSOR FOR`, which takes a SELECT that changes nothing. What outlasts a transaction
(locks, prepared statements, settings) is discarded after each code.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from psycopg import OperationalError, pq

from interpreters.base import Outcome
from interpreters.postgres.pg_values import from_sql
from interpreters.postgres.talk import BEFORE, LOST, SILENT, Context
from interpreters.processes.candidate import CandidateError, Columns, first_line

_CURSOR = b"checked"
_SETTINGS = b"SELECT set_config('search_path', $1, true), set_config('statement_timeout', $2, true), setseed(0)"
_BEGIN = (b"BEGIN READ ONLY", _SETTINGS)
_FIRST_ROWS, _MORE_ROWS = 100, 2000  # few at first: rows may be large
_GOOD = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)
_CLAIMS = {
    "25006": Outcome.FORBIDDEN,  # read-only transaction
    "42501": Outcome.FORBIDDEN,  # no right
    "42P11": Outcome.FORBIDDEN,  # SELECT INTO
    "42601": Outcome.SYNTAX_ERROR,
    "53100": Outcome.MEMORY_EXCEEDED,  # disk full
    "53200": Outcome.MEMORY_EXCEEDED,
    "53400": Outcome.MEMORY_EXCEEDED,  # temporary files
    "57014": Outcome.TIMEOUT,
}
_SHUTDOWN = "57P0"  # the server ends the session, is about to end or has crashed
Answer = TypeVar("Answer")
_connection: pq.abc.PGconn
_context: Context
_farewells: list[str] = []  # codes of what the server said unasked when it ended


class StatementError(Exception):
    """The server refused or failed a statement: its code, its message with the hint, and whether it names a place."""

    def __init__(self, code: str, message: str, has_position: bool) -> None:
        super().__init__(message)
        self.code = code
        self.has_position = has_position


class LostError(Exception):
    """The session has ended; the message is what the server said, or SILENT."""


def warm() -> str:
    number = pq.version()
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads > 1:
        raise RuntimeError(f"psycopg runs {threads} threads, which a fork would lose")
    return f"postgres client {number // 10000}.{number % 10000}"


def prepare(memory_mb: int, context: str) -> None:
    """Connect; without a context, which is how the zygote tries a first child, there is nothing to connect to."""
    global _connection, _context
    if not context:
        return
    _context = Context.load(context)
    _connection = pq.PGconn.connect(_context.conninfo.encode())
    if _connection.status != pq.ConnStatus.OK:
        raise ConnectionError(_connection.get_error_message())
    _connection.notice_handler = _hear


def _hear(notice: pq.abc.PGresult) -> None:
    code = _field(notice, pq.DiagnosticField.SQLSTATE)
    if code.startswith(_SHUTDOWN):
        _farewells.append(code)


def load(tests: Sequence[Mapping[str, Columns]]) -> list[str]:
    """Return the schema of each test: the parent has made them, and sends each as the name of an empty table."""
    return [next(iter(tables)) for tables in tests]


def run(code: str, loaded: Sequence[str], max_cells: int) -> Generator[Columns, None, None]:
    text = _encode(code)
    if not loaded:
        return
    try:
        for schema in loaded:
            yield _select(text, schema, max_cells)
            _simple("ROLLBACK")
    finally:
        _forget()


def _encode(code: str) -> bytes:
    if "\0" in code:
        raise CandidateError(Outcome.SYNTAX_ERROR, "the code holds a null character")
    try:
        return code.encode()
    except UnicodeEncodeError as error:
        raise CandidateError(Outcome.SYNTAX_ERROR, f"the code is no valid Unicode: {error.reason}") from error


# -- one statement ------------------------------------------------------------------------------------------------


def _simple(statements: str) -> None:
    """Run statements of our own."""
    if _connection.status != pq.ConnStatus.OK:
        raise LostError(BEFORE)
    _checked(_heard(lambda: _connection.exec_(statements.encode())))


def _in_transaction(schema: str, *statements: bytes | None) -> list[pq.abc.PGresult]:
    """Begin a transaction on the schema and run the statements, all in one round trip; None describes the cursor.

    Returns the results of the statements; the first that failed raises.
    """
    if _connection.status != pq.ConnStatus.OK:
        raise LostError(BEFORE)
    return [_checked(result) for result in _heard(lambda: _pipeline(schema, statements))][len(_BEGIN) :]


def _pipeline(schema: str, statements: Sequence[bytes | None]) -> list[pq.abc.PGresult]:
    settings = [f'"{schema}"'.encode(), str(_context.statement_ms).encode()]
    _connection.enter_pipeline_mode()
    for statement in (*_BEGIN, *statements):
        if statement is None:
            _connection.send_describe_portal(_CURSOR)
        else:
            _connection.send_query_params(statement, settings if statement is _SETTINGS else None)
    _connection.pipeline_sync()
    # Each command gives a result and then None, the synchronisation one result; a lost connection gives None for ever.
    answers = [_connection.get_result() for _ in range(2 * (len(_BEGIN) + len(statements)) + 1)]
    results = [answer for answer in answers if answer is not None]
    if results and results[-1].status == pq.ExecStatus.PIPELINE_SYNC:
        _connection.exit_pipeline_mode()
        return results[:-1]
    if all(result.status in _GOOD for result in results):
        raise OperationalError("the results end early")
    return results


def _extended(statement: bytes) -> pq.abc.PGresult:
    """Run one statement; the protocol itself refuses a second one."""
    return _checked(_heard(lambda: _connection.exec_params(statement, None)))


def _heard(ask: Callable[[], Answer]) -> Answer:
    try:
        return ask()
    except OperationalError as error:  # not even an error came back
        raise LostError(SILENT if not _farewells else str(error)) from error


def _checked(result: pq.abc.PGresult) -> pq.abc.PGresult:
    if result.status in _GOOD:
        return result
    code = _field(result, pq.DiagnosticField.SQLSTATE)
    message = _message(result)
    fatal = _field(result, pq.DiagnosticField.SEVERITY_NONLOCALIZED) in ("FATAL", "PANIC")
    by_client = not code and "memory" not in message  # it tells of a lost connection, or has no room for the result
    if fatal or by_client or _connection.status != pq.ConnStatus.OK:
        raise LostError(f"{code} {message}" if code or _farewells else SILENT)
    raise StatementError(code, message, bool(_field(result, pq.DiagnosticField.STATEMENT_POSITION)))


def _field(result: pq.abc.PGresult, field: pq.DiagnosticField) -> str:
    return (result.error_field(field) or b"").decode("utf-8", "replace")


def _message(result: pq.abc.PGresult) -> str:
    primary = _field(result, pq.DiagnosticField.MESSAGE_PRIMARY)
    hint = _field(result, pq.DiagnosticField.MESSAGE_HINT)
    return f"{primary} ({hint})" if hint else primary or result.get_error_message("utf-8").strip()


def _select(code: bytes, schema: str, max_cells: int) -> Columns:
    declare = b"DECLARE " + _CURSOR + b" NO SCROLL CURSOR FOR " + code
    try:
        _, described, first = _in_transaction(schema, declare, None, _fetch_next(_FIRST_ROWS))
    except StatementError as error:
        _explain(error, code, schema)
        raise
    width = described.nfields
    cells, height = _fetched(first, width, max_cells // max(width, 1) + 1)
    if height * max(width, 1) > max_cells:
        raise CandidateError(Outcome.OUTPUT_EXCEEDED, f"the result has more than {max_cells} cells")
    columns = [
        from_sql((described.fname(i) or b"").decode(), described.ftype(i), described.fmod(i), cells[i])
        for i in range(width)
    ]
    return Columns([column for column, _ in columns], [values for _, values in columns], height)


def _explain(error: StatementError, code: bytes, schema: str) -> None:
    """Tell a statement of another kind, which is no syntax error by itself, and several statements from bad syntax."""
    if error.code == "0A000" and str(error).startswith("DECLARE CURSOR"):  # WITH ... AS (DELETE ...)
        raise CandidateError(Outcome.FORBIDDEN, str(error)) from error
    if error.code != "42601":
        return
    _simple("ROLLBACK")
    _in_transaction(schema)
    try:
        _checked(_heard(lambda: _connection.prepare(b"", code)))
    except StatementError as alone:
        if alone.code == "42601" and not alone.has_position:
            raise CandidateError(Outcome.FORBIDDEN, "expected one SELECT statement, found several") from error
        if alone.code == "42601":
            raise alone from error
    raise CandidateError(Outcome.FORBIDDEN, "expected a SELECT statement, found another one or none") from error


def _fetch_next(rows: int) -> bytes:
    return b"FETCH FORWARD %d FROM %b" % (rows, _CURSOR)


def _fetched(result: pq.abc.PGresult, width: int, most_rows: int) -> tuple[list[list[bytes | None]], int]:
    """Return the text of up to so many rows, column by column, and their number; `result` holds the first ones."""
    cells: list[list[bytes | None]] = [[] for _ in range(width)]
    height, size, wanted = 0, 0, _FIRST_ROWS
    while True:
        for column in range(width):
            new = [result.get_value(row, column) for row in range(result.ntuples)]
            size += sum(len(cell) for cell in new if cell is not None)
            cells[column] += new
        height += result.ntuples
        if size > _context.result_bytes:
            raise CandidateError(Outcome.OUTPUT_EXCEEDED, f"the result has more than {_context.result_bytes} bytes")
        if result.ntuples < wanted or height >= most_rows:
            return cells, height
        wanted = min(_MORE_ROWS, most_rows - height)
        result = _extended(_fetch_next(wanted))


def _forget() -> None:
    """Undo everything. Raises nothing: what fails here has failed before, or shows with the next code."""
    try:
        if _connection.transaction_status != pq.TransactionStatus.IDLE:
            _simple("ROLLBACK")
        _simple("DISCARD ALL")
    except (LostError, StatementError):
        _connection.finish()


# -- failures -----------------------------------------------------------------------------------------------------


def describe(error: BaseException) -> tuple[Outcome, str]:
    if isinstance(error, LostError):
        return Outcome.NO_RESULT, f"{LOST}{error}"
    if not isinstance(error, StatementError):
        return Outcome.RUNTIME_ERROR, first_line(error)
    text = str(error)
    if error.code in _CLAIMS:
        return _CLAIMS[error.code], text
    if error.code.startswith("54") or text.startswith("invalid memory alloc request size"):
        return Outcome.MEMORY_EXCEEDED, text
    if not error.code:  # the client library has no room for the result
        return Outcome.OUTPUT_EXCEEDED, text
    return Outcome.RUNTIME_ERROR, text
