"""`defog`: questions of sql-eval over PostgreSQL databases, whose golds may allow several answers.

The folder holds `questions.jsonl` (or a CSV of sql-eval's own, `questions.csv`) and the databases as SQL text. A gold
allows several answers in two ways: `SELECT {name, id}, rating` accepts any of these columns that is not an empty set,
and several queries with ";" between them accept the answer of each. The first is the expected table of the problem,
the others are its accepted tables. Each is run in PostgreSQL's translation to DuckDB (gold_order.py); where the file
has expected rows, the first answer must be among them. A question whose golds leave the answer open, cannot be run, or
ask for the current day is left out and counted.
"""

from __future__ import annotations

import csv
import itertools
import logging
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from bootstrap.errors import UserError
from bootstrap.files import read_jsonl
from bootstrap.records import Problem
from bootstrap.sources.gold_order import Gold, GoldDatabase, GoldError, read_gold
from bootstrap.sources.text2sql import disagreement, expected_table
from interpreters.base import Table, TestCase
from interpreters.compare import compare_tables

log = logging.getLogger(__name__)

BRACES = re.compile(r"\{([^{}]*)\}")
OF_THE_DAY = re.compile(r"\b(current_(date|time|timestamp)|now\s*\(|random\s*\()", re.IGNORECASE)
PUBLIC = re.compile(r'\bpublic\s*\.\s*|"public"\s*\.\s*', re.IGNORECASE)
MOST_ALTERNATIVES = 63  # six columns in braces; more are a mistake


class Defog:
    class Options(BaseModel):
        model_config = ConfigDict(extra="forbid", frozen=True)

        path: str
        """The folder with the questions and the databases."""
        questions: str = ""
        """The question file; empty: questions.jsonl, else questions.csv."""
        limit: int | None = Field(None, ge=1)
        """Read no more questions than this."""
        licence: str = "Apache-2.0"
        """Licence of the data set."""

    def __init__(self, options: Options, seed: int) -> None:
        self.options, self.folder = options, Path(options.path)

    def load(self) -> Iterator[Problem]:
        """Yield the problems in the order of the file. Raises UserError for a folder that cannot be read."""
        left_out: Counter[str] = Counter()
        databases: dict[Path, GoldDatabase | GoldError] = {}
        for number, row in enumerate(itertools.islice(self._rows(), self.options.limit)):
            try:
                database = self._database(row, databases)
                yield self.problem(row, number, database)
            except GoldError as error:
                left_out[str(error).split(" in SELECT")[0].split(" in WITH")[0][:100]] += 1
        if left_out:
            reasons = "; ".join(f"{count} because {why}" for why, count in left_out.most_common(9))
            log.warning("%d questions of %s left out: %s", left_out.total(), self.folder, reasons)

    def _rows(self) -> Iterator[Mapping[str, Any]]:
        names = (self.options.questions,) if self.options.questions else ("questions.jsonl", "questions.csv")
        path = next((self.folder / name for name in names if (self.folder / name).is_file()), None)
        if path is None:
            raise UserError(f"source.options.path: expected {' or '.join(names)} in {self.folder}, found none")
        if path.suffix == ".csv":
            with open(path, encoding="utf-8", newline="") as file:
                yield from csv.DictReader(file)
        else:
            yield from read_jsonl(path)

    def _database(self, row: Mapping[str, Any], databases: dict[Path, GoldDatabase | GoldError]) -> GoldDatabase:
        """Return the database of a row, loaded once. Raises GoldError."""
        name = str(row.get("db_id") or row.get("db_name") or "")
        if not re.fullmatch(r"[\w.-]+", name):
            raise GoldError("db_id is missing")
        path = self.folder / "databases" / f"{name}.sql"
        if path not in databases:
            databases[path] = load_database(path)
        found = databases[path]
        if isinstance(found, GoldError):
            raise found
        return found

    def problem(self, row: Mapping[str, Any], number: int, database: GoldDatabase) -> Problem:
        """Return the problem of one row. Raises GoldError with the reason why it has none."""
        question = str(row.get("question") or "").strip()
        raw = str(row.get("gold_sql_raw") or row.get("query") or "").strip()
        if not question or not raw:
            raise GoldError("the question or the gold query is missing")
        if OF_THE_DAY.search(raw) or row.get("time_dependent") is True:
            raise GoldError("the answer depends on the day or on chance")
        queries = alternatives_of(without_schema(raw))
        golds = [read_gold(database, query, "postgres") for query in queries]
        doubt = next((gold.doubt for gold in golds if gold.doubt), "")
        if doubt:
            raise GoldError(doubt)
        instructions = str(row.get("instructions") or "").strip()
        db_id = str(row.get("db_id") or row.get("db_name"))
        return Problem(
            problem_id=str(row.get("id") or f"defog-{number}"),
            statement=f"{question} {instructions}".strip(),
            tests=(test_of(row, database, golds),),
            family=db_id,
            source="defog",
            licence=self.options.licence,
            references={"postgres": queries[0]},
        )


def load_database(path: Path) -> GoldDatabase | GoldError:
    """Return the database of a file, or why there is none."""
    import duckdb

    if not path.is_file():
        return GoldError("its database is not there")
    try:
        text = without_schema(path.read_text(encoding="utf-8"))
        with tempfile.TemporaryDirectory() as folder:
            plain = Path(folder) / path.name
            plain.write_text(text, encoding="utf-8")
            return GoldDatabase(plain)
    except (duckdb.Error, GoldError, UnicodeDecodeError) as error:
        return GoldError(f"its database cannot be loaded: {str(error).splitlines()[0]}")


def without_schema(sql: str) -> str:
    """Return SQL text whose tables are in no schema of their own: `public.city` is `city`, outside quotes."""
    parts = re.split(r"('(?:[^']|'')*')", sql)
    return "".join(part if i % 2 else PUBLIC.sub("", part) for i, part in enumerate(parts))


def test_of(row: Mapping[str, Any], database: GoldDatabase, golds: Sequence[Gold]) -> TestCase:
    """Return the test: the first answer, and the other accepted ones. Raises GoldError.

    Where the answers differ in their order or their number of rows, the order is left free: each is right in its own.
    """
    first = golds[0]
    expected = first.answer
    if isinstance(row.get("expected"), list) and isinstance(row.get("columns"), list):
        expected = expected_table(row["columns"], row["expected"], first.answer.columns)
        reason = disagreement(first, expected)
        if reason:
            raise GoldError(reason)
    ties = first.ties if all(gold.ties == first.ties for gold in golds) else ()
    ties = ties if sum(ties) == len(expected.rows) else ()
    accepted: list[Table] = []
    for gold in golds[1:]:
        known = (expected, *accepted)
        if all(compare_tables(gold.answer, one, ties=ties, match_names=False) is not None for one in known):
            accepted.append(gold.answer)
    return TestCase(database.tables, expected, hidden=True, match_names=False, ties=ties, accepted=tuple(accepted))


test_of.__test__ = False  # type: ignore[attr-defined]  # pytest collects names that start with test_


# -- alternatives -------------------------------------------------------------------------------------------------


def alternatives_of(raw: str) -> list[str]:
    """Return the queries that a gold stands for: each of those between ";", and each choice from its braces.

    In the first one, every pair of braces stands for its first column. Raises GoldError for too many.
    """
    found = [query for part in split_queries(raw) for query in choices_of(part)]
    if not found or len(found) > MOST_ALTERNATIVES:
        raise GoldError(f"the gold stands for {'no query' if not found else 'too many queries'}")
    return list(dict.fromkeys(found))


def split_queries(text: str) -> list[str]:
    """Return the statements between semicolons outside quotes."""
    pieces = re.findall(r"""(?:'[^']*'|"[^"]*"|[^;'"])+""", text)
    return [piece.strip() for piece in pieces if piece.strip()]


def choices_of(query: str) -> list[str]:
    """Return a query for each choice of columns from its braces: any that is not empty, the smallest first.

    The same column may stand in braces twice, in SELECT and in GROUP BY: then both take the same choice.
    """
    groups = list(dict.fromkeys(match.group(1) for match in BRACES.finditer(query)))
    options = [subsets([name.strip() for name in group.split(",") if name.strip()]) for group in groups]
    found = []
    for chosen in itertools.product(*options):
        text = dict(zip(groups, (", ".join(names) for names in chosen), strict=True))
        found.append(BRACES.sub(lambda match, text=text: text[match.group(1)], query))  # type: ignore[misc]  # bound now
    return found


def subsets(names: Sequence[str]) -> list[tuple[str, ...]]:
    return [chosen for size in range(1, len(names) + 1) for chosen in itertools.combinations(names, size)]
