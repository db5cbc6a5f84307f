"""The route without a model: batches of queries drawn from a table, in words and in code, each proved or refused."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bootstrap.generate.base import Pair, Refusal, UnitResult
from bootstrap.generate.nl_to_polars.csv_tables import plain
from bootstrap.generate.nl_to_polars.drawing import Drawer, NothingToAskError
from bootstrap.generate.nl_to_polars.forms import Query, inputs_of
from bootstrap.generate.nl_to_polars.profiles import Link, Profile
from bootstrap.generate.nl_to_polars.proof import DataSet, Proved, RefusedError, Samples, prove, tests_for
from bootstrap.generate.nl_to_polars.templates import draw, is_sensible
from bootstrap.generate.nl_to_polars.two_tables import joined
from bootstrap.generate.nl_to_polars.wording import STYLES, Wording
from bootstrap.records import Problem, digest
from interpreters.base import Table

if TYPE_CHECKING:
    from bootstrap.generate.nl_to_polars.generator import PolarsSettings

ORDER_OF_COLUMNS = "Give the columns in the order in which they are asked for, those that rows are grouped by first."
SHOWN_ROWS = 5
FULL = 8  # parts of a question from which it counts as hard as can be


class Grammar:
    """One batch over one table, or over two with a common key."""

    def __init__(
        self, settings: PolarsSettings, main: Profile, other: Profile | None, links: Sequence[Link], rng: random.Random,
        unit: str,
    ) -> None:  # fmt: skip
        self.settings, self.main, self.other, self.links, self.rng, self.unit = settings, main, other, links, rng, unit
        self.profiles = [main, *([other] if other else [])]
        tables = {one.name: one.table for one in self.profiles}
        self.data = DataSet(tables, unit)
        self.link = rng.choice(list(links)) if links else None
        on = (self.link.left_column, self.link.right_column) if self.link else None
        self.samples = Samples(tables, on, settings.problem_rows, settings.data_sets + 2, unit)
        self.without_pandas: dict[str, int] = {}

    def __enter__(self) -> Grammar:
        return self

    def __exit__(self, *error: object) -> None:
        self.data.close()
        self.samples.close()

    def batch(self) -> UnitResult:
        pairs: list[Pair] = []
        refusals: list[Refusal] = []
        for _ in range(self.settings.batch):
            rng = random.Random(self.rng.random())
            drawn = self._draw(rng)
            if drawn is None:
                continue
            template, query = drawn
            style = rng.choice(STYLES)
            question = Wording(self.profiles, style, rng).sentence(query)
            try:
                proved = prove(self.data, query, pandas=self.settings.pandas)
                pairs.append(self._pair(template, query, style, question, proved))
            except RefusedError as error:
                refusals.append(Refusal(template, error.kind, str(error), question))
        return UnitResult(self.unit, pairs, refusals)

    def _draw(self, rng: random.Random) -> tuple[str, Query] | None:
        for _ in range(50):
            try:
                if self.link is not None and self.other is not None:
                    name, query = "joins", joined(Drawer(self.main, rng), self.link, self.other)
                else:
                    name, query = draw(self.main, rng)
            except NothingToAskError:
                continue
            if is_sensible(query):
                return name, query
        return None

    def _pair(self, template: str, query: Query, style: str, question: str, proved: Proved) -> Pair:
        pair_id = digest("nl_to_polars", *(one.name for one in self.profiles), proved.polars)
        tests = tests_for(query, proved, self.samples, self.settings.data_sets)
        problem = None
        if tests:
            columns = ",".join(sorted(inputs_of(query)))
            problem = Problem(
                f"np-{pair_id}", f"{question}\n{self._given()}", tests, f"{self.main.name} {template} {columns}",
                "nl_to_polars", licence=self.settings.licence, difficulty=query.size,
                references={"polars": proved.polars, "duckdb": proved.duckdb},
            )  # fmt: skip
        return Pair(pair_id, template, question, proved.polars, "polars", self._about(query, style, proved), problem)

    def _given(self) -> str:
        """Say which table is `df`, and what the answer looks like."""
        names = f"The table is {self.main.name}, in Python also df."
        if self.other is not None:
            names = f"The tables are {self.main.name}, in Python also df, and {self.other.name}."
        return f"{names} {ORDER_OF_COLUMNS}"

    def _about(self, query: Query, style: str, proved: Proved) -> dict[str, Any]:
        return {
            "tables": [one.name for one in self.profiles], "files": [one.file for one in self.profiles],
            "style": style, "subject": query.subject, "columns": sorted(inputs_of(query)), "route": "grammar",
            "duckdb": proved.duckdb, "pandas": proved.pandas or None, "without_pandas": proved.no_pandas or None,
            "answer": preview(proved.answer), "score": score(query.size, 3 if proved.pandas else 2),
        }  # fmt: skip


def preview(answer: Table) -> dict[str, Any]:
    """Return the first rows of an answer and how many there are."""
    rows = [[plain(cell) for cell in row] for row in answer.rows[:SHOWN_ROWS]]
    return {"columns": list(answer.names), "rows": rows, "height": len(answer.rows)}


def score(size: int, agreeing: int, telling: float = 1.0) -> dict[str, float]:
    """Return the score of a pair: `agreement` of three answers, `complexity`, and `telling`, the share of its parts
    without which the answer is another one; `total` is their mean."""
    parts = {
        "agreement": round(min(agreeing, 3) / 3, 3),
        "complexity": round(min(size / FULL, 1.0), 3),
        "telling": telling,
    }
    return {**parts, "total": round(sum(parts.values()) / 3, 3)}
