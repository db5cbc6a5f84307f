"""`spider`: questions over SQLite databases, each with a gold query, in Spider's own layout.

    train_spider.json, dev.json, ...            lists of {"question", "db_id", "query"} (BIRD: "SQL", "evidence")
    database/<db_id>/<db_id>.sqlite             or SQL text: <db_id>.sql, schema.sql

The gold is SQLite, and so is the reference (`references["sqlite"]`). The expected rows come from running it, in a child
process and for a limited time, over the tables that a candidate will see: names in lower case, each column of one
class. A question is left out, and counted in the log by reason, where the gold cannot be run, where its answer depends
on the order of storage, on the day, or on cells of other classes than their column's, and where a LIMIT cuts through a
tie (see gold_order.py).
"""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field

from bootstrap.errors import UserError
from bootstrap.records import Problem
from bootstrap.sources.gold_order import Gold, GoldDatabase, GoldError, read_gold
from bootstrap.sources.spider_gold import SqliteDatabase, UnreadableError
from interpreters.base import TestCase
from interpreters.compare import compare_tables

log = logging.getLogger(__name__)

QUESTIONS = ("train_spider.json", "train_others.json", "train.json", "dev.json", "test.json")
FOLDERS = ("database", "databases", "test_database", "train_databases", "dev_databases")
OF_THE_DAY = re.compile(r"\b(current_(date|time|timestamp)|random)\b|['\"]now['\"]", re.IGNORECASE)


class Spider:
    class Options(BaseModel):
        model_config = ConfigDict(extra="forbid", frozen=True)

        path: str
        """The folder with the question files and the databases."""
        questions: tuple[str, ...] = QUESTIONS
        """Question files to read; those that are not there are passed over, as long as one is."""
        limit: int | None = Field(None, ge=1)
        """Read no more questions than this."""
        seconds: float = Field(10.0, gt=0)
        """Time of one gold query."""
        max_cells: int = Field(100_000, ge=1)
        """Databases, and answers, with more cells than this are left out."""
        licence: str = "CC BY-SA 4.0"
        """Licence of the data set."""

    def __init__(self, options: Options, seed: int) -> None:
        self.options, self.folder = options, Path(options.path)

    def load(self) -> Iterator[Problem]:
        """Yield the problems with one right answer, database by database. Raises UserError for an unreadable folder."""
        left_out: Counter[str] = Counter()
        by_database: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
        for name, row in self._rows(left_out):
            by_database.setdefault(row["db_id"], []).append((name, row))
        for db_id, members in by_database.items():
            yield from self._of_database(db_id, members, left_out)
        if left_out:
            reasons = "; ".join(f"{count} because {why}" for why, count in left_out.most_common(20))
            log.warning("%d questions of %s left out: %s", left_out.total(), self.folder, reasons)

    def _rows(self, left_out: Counter[str]) -> Iterator[tuple[str, Mapping[str, Any]]]:
        files = [self.folder / name for name in self.options.questions if (self.folder / name).is_file()]
        if not files:
            raise UserError(
                f"source.options.path: expected one of {', '.join(self.options.questions)} in {self.folder}, found none"
            )
        taken = 0
        for path in files:
            for number, row in enumerate(read_list(path)):
                if self.options.limit is not None and taken >= self.options.limit:
                    return
                taken += 1
                reason = what_is_missing(row)
                if reason:
                    left_out[reason] += 1
                else:
                    yield f"spider-{path.stem}-{number}", cast(Mapping[str, Any], row)

    def _of_database(
        self, db_id: str, members: list[tuple[str, Mapping[str, Any]]], left_out: Counter[str]
    ) -> Iterator[Problem]:
        try:
            database = SqliteDatabase(self.database_file(db_id), self.options.seconds, self.options.max_cells)
        except UnreadableError as error:
            left_out[str(error)] += len(members)
            return
        with database:
            for name, row in members:
                try:
                    yield self.problem(name, row, database)
                except (GoldError, UnreadableError) as error:
                    left_out[reason_of(error)] += 1

    def database_file(self, db_id: str) -> Path:
        """Return the file of a database. Raises UnreadableError."""
        if not re.fullmatch(r"[\w.-]+", db_id):
            raise UnreadableError("db_id is not the name of a folder")
        for folder in FOLDERS:
            for name in (f"{db_id}.sqlite", f"{db_id}.db", f"{db_id}.sql", "schema.sql"):
                path = self.folder / folder / db_id / name
                if path.is_file():
                    return path
        raise UnreadableError("its database is not there")

    def problem(self, name: str, row: Mapping[str, Any], database: SqliteDatabase) -> Problem:
        """Return the problem of one question. Raises GoldError with the reason why it has none."""
        sql = gold_of(row).strip().rstrip(";")
        if OF_THE_DAY.search(sql):
            raise GoldError("the answer depends on the day or on chance")
        answer = database.query(sql, "main")
        if compare_tables(database.query(sql, "source"), answer, match_names=False) is not None:
            raise GoldError("the answer depends on cells of another class than their column's")
        gold = read_gold(cast(GoldDatabase, database), sql, "sqlite")
        doubt = gold.doubt or disagreement(gold, database, sql)
        if doubt:
            raise GoldError(doubt)
        hint = str(row.get("evidence") or "").strip()
        return Problem(
            problem_id=name,
            statement=row["question"].strip() + (f" ({hint})" if hint else ""),
            tests=(TestCase(database.tables, answer, hidden=True, match_names=False, ties=gold.ties),),
            family=row["db_id"],
            source="spider",
            licence=self.options.licence,
            references={"sqlite": sql},
        )


def disagreement(gold: Gold, database: SqliteDatabase, sql: str) -> str:
    """Return what is wrong where the gold, read by sqlglot and written again, gives other rows than as it stands."""
    answer = database.query(sql, "main")
    if sum(gold.ties) not in (0, len(answer.rows)) or compare_tables(
        gold.answer, answer, ties=gold.ties, match_names=False
    ):  # fmt: skip
        return "the gold gives other rows when it is read and written again"
    return ""


def read_list(path: Path) -> list[object]:
    """Return the rows of a question file. Raises UserError for one that is not a JSON list."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as e:
        raise UserError(f"{path} is not JSON ({e})") from e
    if not isinstance(rows, list):
        raise UserError(f"{path}: expected a list of questions, found {type(rows).__name__}")
    return rows


def gold_of(row: Mapping[str, Any]) -> str:
    return str(row.get("query") or row.get("SQL") or "")


def what_is_missing(row: object) -> str:
    """Return why a row is no question; nothing where it is one."""
    if not isinstance(row, Mapping):
        return "the row is not a JSON object"
    for key in ("question", "db_id"):
        if not isinstance(row.get(key), str) or not row[key].strip():
            return f"{key} is missing"
    return "" if gold_of(row).strip() else "the gold query is missing"


def reason_of(error: Exception) -> str:
    """Return the message without the query and without names, so that equal reasons are counted together."""
    return re.sub(r"(no such \w+): .*", r"\1", str(error).split(" in SELECT")[0].split(" in WITH")[0])[:100]
