"""What the sources of Python problems share: their options, and the way from rows to problems."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pydantic import BaseModel, ConfigDict, Field

from bootstrap.records import Problem
from bootstrap.sources.python_tests.build import BuildOptions, build
from bootstrap.sources.python_tests.record import PythonRecord, Tally
from bootstrap.sources.python_tests.rows import Row, read_rows
from bootstrap.sources.python_tests.signature import UnusableError

Reader = Callable[[Row], PythonRecord]
"""Makes a record of a row. Raises UnusableError with the reason why it has none."""


class PythonOptions(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str
    """The JSONL file, a folder of such files, or a name on the Hugging Face hub (owner/name or owner/name:config)."""
    split: str = "train"
    """Of a data set on the hub."""
    limit: int | None = Field(None, ge=1)
    """Read no more rows than this."""
    tests: int = Field(16, ge=1)
    """Take no more than the first so many tests of a problem; each costs time in every check."""
    added_inputs: int = Field(4, ge=0)
    """Hidden tests that are added to a problem before any audit, by changed inputs on which the reference runs."""


def problems_of(options: PythonOptions, seed: int, reader: Reader, tally: Tally) -> Iterator[Problem]:
    """Yield the problems of a data set; what becomes of its rows is counted in `tally`. Raises UserError."""
    seen: dict[str, int] = {}

    def records() -> Iterator[PythonRecord | str]:
        for number, row in enumerate(read_rows(options.path, options.split, tally.dropped)):
            if options.limit is not None and number >= options.limit:
                return
            try:
                record = reader(row)
            except UnusableError as error:
                yield str(error)
                continue
            seen[record.problem_id] = seen.get(record.problem_id, 0) + 1
            yield record if seen[record.problem_id] == 1 else "its id has come before"

    yield from build(records(), BuildOptions(options.tests, options.added_inputs, seed), tally)
