"""A database of SQLite in a child process, with the face of gold_order.GoldDatabase: queries in, tables out."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlglot import exp

from bootstrap.sources.gold_order import GoldError
from interpreters.base import Table
from interpreters.wire import table_from_json

LOADING_SECONDS = 120.0
SPARE_SECONDS = 5.0  # beyond the child's own limit, before it is killed
ROOT = Path(__file__).resolve().parent.parent.parent


class UnreadableError(ValueError):
    """A database that cannot be used; the message is the reason under which its questions are counted."""


class SqliteDatabase:
    """One database, loaded by a child of its own. `tables` are what a candidate sees."""

    def __init__(self, path: Path, seconds: float, max_cells: int) -> None:
        self._seconds = seconds
        words = [sys.executable, "-m", "bootstrap.sources.sqlite_child", str(path.resolve()), str(seconds)]
        self._child = subprocess.Popen(
            [*words, str(max_cells)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
            cwd=ROOT,
        )  # fmt: skip
        self._broken = ""
        loaded = self._read(LOADING_SECONDS)
        if "error" in loaded:
            self.close()
            raise UnreadableError(f"the database cannot be read: {loaded['error']}")
        self.tables = {name: table_from_json(row) for name, row in loaded["tables"].items()}

    def run(self, tree: exp.Query, schema: str = "main") -> Table:
        """Return the rows of a query, as sqlglot writes it. Raises GoldError."""
        return self.query(tree.sql("sqlite"), schema)

    def query(self, sql: str, schema: str) -> Table:
        """Return the rows of a query over the tables as stored in one order; "source": the file. Raises GoldError."""
        if self._broken:
            raise GoldError(self._broken)
        assert self._child.stdin is not None  # opened above
        self._child.stdin.write(json.dumps({"schema": schema, "sql": sql}) + "\n")
        self._child.stdin.flush()
        answer = self._read(self._seconds + SPARE_SECONDS)
        if "error" in answer:
            raise GoldError(f"SQLite does not run it: {answer['error']}")
        return table_from_json(answer["table"])

    def _read(self, seconds: float) -> dict[str, Any]:
        """Return the child's next reply; after one that does not come, the child is ended and its database broken."""
        assert self._child.stdout is not None  # opened above
        ready = select.select([self._child.stdout], [], [], seconds)[0]
        line = self._child.stdout.readline() if ready else ""
        if line.endswith("\n"):
            reply: dict[str, Any] = json.loads(line)
            return reply
        self._broken = "the child that runs the golds of its database has ended"
        self._child.kill()
        return {"error": "it took too long" if not ready else self._broken}

    def close(self) -> None:
        self._child.kill()
        self._child.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        self.close()
