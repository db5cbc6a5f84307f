"""Run records of DuckDB's own tests through the sandboxed interpreters: every SELECT must give the rows of the file.

    python -m eval.bench_sqllogic --data duckdb_sqllogic_500.jsonl     # half a minute on 2 cores
    python -m eval.bench_sqllogic --data FILE --limit 50 --out figures.json

A record is a script (`setup` and `query`), run by `duckdb_script` in a fresh database; a SELECT without setup goes
through `duckdb_sql` as well. sqllogic.py says how the printed rows are read. Each miss is run once more in a DuckDB of
this process, without sandbox or limits but with files closed: a record that fails there too is not our failure. The
records must be trusted for that. Leaves only --out. Exits with 1 when a SELECT is missed that plain DuckDB gets right.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import duckdb

from bootstrap.errors import UserError
from bootstrap.files import read_jsonl
from bootstrap.programs import run_program
from eval.bench_table import Section, open_console, print_section
from eval.sqllogic import Record, check_record, read_record
from interpreters import load_interpreter
from interpreters.base import Execution, Interpreter, Limits, Outcome, Table
from interpreters.processes.candidate import CandidateError
from interpreters.runners.duckdb_values import fetch, message_of

LIMITS = Limits(seconds=30.0)
MAX_CELLS = 1_000_000


@dataclass(frozen=True)
class Miss:
    """A record whose rows did not come back. `plain` is what DuckDB gives without the sandbox: PASSED or a reason."""

    number: int
    interpreter: str
    file: str
    query: str
    kind: str
    outcome: str
    message: str
    plain: str

    @property
    def ours(self) -> bool:
        return self.plain == Outcome.PASSED.value


@dataclass(frozen=True)
class Figures:
    """Records and right ones by kind of statement, and of the SELECTs without setup through `duckdb_sql`."""

    records: dict[str, int]
    right: dict[str, int]
    single_selects: int
    single_right: int
    misses: tuple[Miss, ...]


def kind_of(query: str) -> str:
    """Return DuckDB's own name for the statement's kind, e.g. SELECT (which WITH, FROM and VALUES are too)."""
    try:
        return " + ".join(statement.type.name for statement in duckdb.extract_statements(query))
    except duckdb.Error as error:
        return f"unparsed ({type(error).__name__})"


def measure(records: Sequence[Record]) -> Figures:
    """Run all records. Raises InterpreterError when an interpreter fails."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    counts: Counter[str] = Counter()
    right: Counter[str] = Counter()
    single: Counter[bool] = Counter()
    misses: list[Miss] = []
    with load_interpreter("duckdb_script") as scripts, load_interpreter("duckdb_sql") as selects:
        numbered = list(enumerate(records, 1))
        for number, record in track(numbered, "records", console=console, disable=not console.is_terminal):
            kind = kind_of(record.query)
            miss = check(number, record, kind, scripts)
            counts[kind] += 1
            right[kind] += miss is None
            found = [miss]
            if kind == "SELECT" and not record.setup:
                found.append(check(number, record, kind, selects))
                single[found[-1] is None] += 1
            misses += [one for one in found if one is not None]
    return Figures(dict(counts), {kind: right[kind] for kind in counts}, single.total(), single[True], tuple(misses))


def check(number: int, record: Record, kind: str, interpreter: Interpreter) -> Miss | None:
    """Return None when the interpreter gives the rows of the record."""
    outcome, message = check_record(record, lambda script: interpreter.execute(script, [{}], LIMITS))
    if outcome is Outcome.PASSED:
        return None
    plain = ": ".join(text for text in check_record(record, run_plainly) if text)
    return Miss(number, interpreter.name, record.file, record.query, kind, outcome.value, message, plain)


def run_plainly(script: str) -> Execution:
    """Run a script in this process. The files of this machine are closed to it, and nothing else is."""
    try:
        with duckdb.connect(":memory:", config={"enable_external_access": False}) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            *setup, last = connection.extract_statements(script)
            for statement in setup:
                connection.execute(statement)
            found = fetch(connection, last.query, MAX_CELLS)
    except (duckdb.Error, CandidateError) as error:
        return Execution(Outcome.RUNTIME_ERROR, message=message_of(error))
    return Execution(Outcome.PASSED, (Table(tuple(found.columns), tuple(zip(*found.values, strict=True))),))


# -- output -------------------------------------------------------------------------------------------------------


def section(figures: Figures) -> Section:
    rows = [[kind, str(figures.right[kind]), str(count)] for kind, count in sorted(figures.records.items())]
    rows += [["all", str(sum(figures.right.values())), str(sum(figures.records.values()))]]
    rows += [["SELECT without setup, through duckdb_sql", str(figures.single_right), str(figures.single_selects)]]
    notes = [
        f"MISSED {miss.number} ({miss.interpreter}, {miss.file}): {' '.join(miss.query.split())[:120]} | "
        f"{miss.outcome} {miss.message} | plain DuckDB: {miss.plain}"
        for miss in figures.misses
    ]
    return Section("DuckDB's own tests", ("statement", "right", "records"), rows, notes, asdict(figures))


def read_records(file: Path, limit: int | None) -> list[Record]:
    if not file.is_file():
        raise UserError(f"--data: no file {file}")
    try:
        return [read_record(row) for row in read_jsonl(file)][:limit]
    except (KeyError, TypeError) as e:
        raise UserError(f"{file}: not a file of sqllogic records ({type(e).__name__} {e})") from e


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m eval.bench_sqllogic", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", type=Path, required=True, metavar="FILE", help="JSONL file of records")
    add("--limit", type=int, metavar="N", help="the first N records only (all)")
    add("--out", type=Path, help="JSON file with the figures and every miss")
    args = parser.parse_args(argv)
    faults: list[Miss] = []

    def work() -> None:
        figures = measure(read_records(args.data, args.limit))
        print_section(open_console(), section(figures))
        if args.out:
            args.out.write_text(json.dumps(asdict(figures), indent=2) + "\n", encoding="utf-8")
        faults.extend(miss for miss in figures.misses if miss.ours and miss.kind == "SELECT")

    run_program(work)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
