"""What comes before the first model: problems admitted per second by source, and conversions per second by rules.

`table_pipelines` is always there. With a folder of public data (--data, laid out as the other benchmarks want it) its
questions and functions are measured too. Admission is that of a run: references of every language, twice, and over
shuffled rows. A conversion is judged by the interpreter beside it; its rival is sqlglot's own transpiling alone, which
proposes SQL and proves nothing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from bootstrap.admission import Plan, admit_by
from bootstrap.audit.workers import Workers
from bootstrap.convert.base import UnsupportedSqlError
from bootstrap.convert.rules import convert_by_rules, propose
from bootstrap.records import Problem
from bootstrap.sources import load_source
from eval.bench_table import Section
from interpreters.base import Limits
from interpreters.checking import CheckerPool

TITLE = "Preparation: problems admitted, and conversions by rules"
COLUMNS = ("", "problems", "good", "per second", "rules alone", "sqlglot alone")
TARGETS = {"polars_expr": "polars", "ibis_duckdb": "ibis", "postgres_sql": "postgres"}
PUBLIC: Mapping[str, tuple[str, dict[str, Any]]] = {
    "text2sql": ("text2sql", {}),
    "mbpp": ("python_problems", {}),
    "leetcode": ("leetcode", {}),
}
"""Source -> its folder in --data, and its options."""


@dataclass(frozen=True)
class Rate:
    """So many problems in so many seconds, of which so many came through."""

    problems: int
    good: int
    seconds: float

    @property
    def per_second(self) -> float:
        return self.problems / max(self.seconds, 1e-9)


def admitted(name: str, options: Mapping[str, Any], count: int) -> tuple[Rate, list[Problem]]:
    """Load and admit the first problems of a source, with one worker."""
    started = time.perf_counter()
    problems = list(islice(load_source(name, options, 1).load(), count))
    found = admit_by(problems, Workers(1), Plan(), lambda done, of: None)
    return Rate(len(problems), len(found.admitted), time.perf_counter() - started), found.admitted


def converted(problems: Sequence[Problem], target: str) -> Rate:
    """Convert the DuckDB of the problems, with one checker; its start is not counted."""
    language = TARGETS[target]
    stripped = [Problem(**{**p.__dict__, "references": {"duckdb": p.references["duckdb"]}}) for p in problems]
    with CheckerPool(target, 1, Limits()) as pool:
        convert_by_rules(stripped[:2], language, pool)
        started = time.perf_counter()
        found = convert_by_rules(stripped, language, pool)
        seconds = time.perf_counter() - started
    return Rate(len(found), sum(one.accepted is not None for one in found), seconds)


def proposed(problems: Sequence[Problem], language: str) -> float:
    """Return how many proposals per second the rules make, none of them judged."""
    stripped = [Problem(**{**p.__dict__, "references": {"duckdb": p.references["duckdb"]}}) for p in problems]
    started = time.perf_counter()
    for problem in stripped:
        try:
            propose(problem, language)
        except UnsupportedSqlError:
            continue
    return len(problems) / (time.perf_counter() - started)


def transpiled(problems: Sequence[Problem]) -> float:
    import sqlglot

    started = time.perf_counter()
    for problem in problems:
        sqlglot.transpile(
            problem.references["duckdb"], read="duckdb", write="postgres", unsupported_level=sqlglot.ErrorLevel.IGNORE
        )
    return len(problems) / (time.perf_counter() - started)


def preparation_section(data: Path | None, *, quick: bool) -> Section:
    """Measure every source that is there, and every target that rules lead to."""
    count = 40 if quick else 200
    sources: dict[str, dict[str, Any]] = {"table_pipelines": {"count": count}}
    for name, (folder, options) in PUBLIC.items():
        if data is not None and (data / folder).is_dir():
            sources[name] = {"path": str(data / folder), **options}
    rows, figures, with_sql = [], {}, []
    for name, options in sources.items():
        rate, problems = admitted(name, options, count)
        with_sql += [problem for problem in problems if "duckdb" in problem.references]
        rows.append([f"{name}, admitted", str(rate.problems), str(rate.good), f"{rate.per_second:.1f}", "", ""])
        figures[name] = rate.__dict__
    rival = transpiled(with_sql)
    for target, language in TARGETS.items():
        rate = converted(with_sql, target)
        alone = proposed(with_sql, language)
        words = [str(rate.problems), str(rate.good), f"{rate.per_second:.1f}", f"{alone:.0f}", f"{rival:.0f}"]
        rows.append([f"DuckDB to {language}", *words])
        figures[f"duckdb to {language}"] = {**rate.__dict__, "rules_per_second": alone, "sqlglot_per_second": rival}
    note = "good: admitted, or proved by the interpreter on all tests. One worker; one round."
    return Section(TITLE, COLUMNS, rows, [note], figures)
