"""Checks per second: the CheckerPool against a fresh Python process per check, and against the floor of a process.

Both sides get the same codes: for every problem its reference and, as the wrong candidate, the reference of another
problem. The rival starts Python, imports the library, loads the same tables, runs the code and prints the results,
without any of the sandbox. The floor starts and awaits /bin/true. All keep the same number of checks going.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bootstrap.records import Problem
from bootstrap.sources import load_source
from eval.bench_table import Section, ratios, spread
from interpreters import load_interpreter
from interpreters.base import Limits, Table, TestCase
from interpreters.checking import CheckerPool

WORKERS = 2
POLARS_PROGRAM = """
import json, sys
import polars as pl
job = json.load(sys.stdin)
for tables in job["tests"]:
    schemas = {n: {c: getattr(pl, kind) for c, kind in t["columns"]} for n, t in tables.items()}
    frames = {n: pl.DataFrame(t["rows"], schema=schemas[n], orient="row") for n, t in tables.items()}
    print(json.dumps(eval(job["code"], {"pl": pl, **frames}).rows()))
"""
DUCKDB_PROGRAM = """
import json, sys
import duckdb
job = json.load(sys.stdin)
for tables in job["tests"]:
    db = duckdb.connect(config={"threads": 1})
    for n, t in tables.items():
        columns = ", ".join(f'"{c}" {kind}' for c, kind in t["columns"])
        db.execute(f"CREATE TABLE {n} ({columns})")
        row = "(" + ", ".join("?" * len(t["columns"])) + ")"
        values = ", ".join([row] * len(t["rows"]))
        db.execute(f"INSERT INTO {n} VALUES {values}", [v for cells in t["rows"] for v in cells])
    print(json.dumps(db.execute(job["code"]).fetchall()))
"""
PROGRAMS = {"polars_expr": POLARS_PROGRAM, "duckdb_sql": DUCKDB_PROGRAM}
SQL_TYPES = {"int": "BIGINT", "float": "DOUBLE", "string": "VARCHAR"}
POLARS_TYPES = {"int": "Int64", "float": "Float64", "string": "String"}


@dataclass(frozen=True)
class Check:
    code: str
    tests: tuple[TestCase, ...]


@dataclass(frozen=True)
class Timed:
    """One round of one side: per check, and how many were found right."""

    wall_ms: float
    cpu_ms: float
    passed: int


def cpu_seconds() -> float:
    """Return the CPU time of this process and of every process that it started, ended or not.

    Ended ones are in RUSAGE_CHILDREN; those that still run are read from /proc, with what they reaped themselves.
    """
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    ticks = sum(_ticks(path) for path in Path("/proc").glob("[0-9]*/stat"))
    return time.process_time() + ended.ru_utime + ended.ru_stime + ticks / os.sysconf("SC_CLK_TCK")


def _ticks(path: Path) -> int:
    try:
        fields = path.read_text().rpartition(")")[2].split()
    except OSError:  # it has ended
        return 0
    return sum(map(int, fields[11:15])) if int(fields[1]) == os.getpid() else 0


def make_checks(problems: Sequence[Problem], language: str) -> list[Check]:
    """Return for every problem its reference and, as a wrong candidate, that of the next problem."""
    following = [*problems[1:], problems[0]]
    return [
        Check(source.references[language], problem.tests)
        for problem, other in zip(problems, following, strict=True)
        for source in (problem, other)
    ]


def timed(checks: Sequence[Check], work: Callable[[Sequence[Check]], int]) -> Timed:
    wall, cpu = time.perf_counter(), cpu_seconds()
    passed = work(checks)
    wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
    return Timed(1000 * wall / len(checks), 1000 * cpu / len(checks), passed)


def by_pool(pool: CheckerPool, checks: Sequence[Check]) -> int:
    verdicts = [pool.submit(check.code, check.tests) for check in checks]
    return sum(verdict.result().passed for verdict in verdicts)


def by_processes(program: str, types: dict[str, str], checks: Sequence[Check]) -> int:
    with ThreadPoolExecutor(WORKERS) as threads:
        return sum(threads.map(lambda check: by_process(program, types, check), checks))


def by_process(program: str, types: dict[str, str], check: Check) -> bool:
    """Run one check in a Python process of its own and compare what it printed."""
    tests = [{name: plain(table, types) for name, table in test.tables.items()} for test in check.tests]
    done = subprocess.run(
        [sys.executable, "-c", program], input=json.dumps({"code": check.code, "tests": tests}), text=True,
        capture_output=True, check=False, env={**os.environ, "POLARS_MAX_THREADS": "1"},
    )  # fmt: skip
    if done.returncode:
        return False
    results = [json.loads(line) for line in done.stdout.splitlines()]
    return all(same_rows(result, test) for result, test in zip(results, check.tests, strict=True))


def plain(table: Table, types: dict[str, str]) -> dict[str, Any]:
    return {"columns": [[c.name, types[c.type]] for c in table.columns], "rows": table.rows}


def same_rows(rows: list[list[Any]], test: TestCase) -> bool:
    """Compare roughly, as one would by hand; what counts as equal in the project is compare.py's business."""
    return sorted(map(_rounded, rows)) == sorted(map(_rounded, test.expected.rows))


def _rounded(row: Sequence[Any]) -> str:
    return repr([round(float(v), 6) if isinstance(v, int | float) else v for v in row])


def by_true(checks: Sequence[Check]) -> int:
    def once(_: Check) -> int:
        return os.waitpid(os.posix_spawn("/bin/true", ["/bin/true"], {}), 0)[1]

    with ThreadPoolExecutor(WORKERS) as threads:
        return sum(threads.map(once, checks))


def measure(name: str, problems: Sequence[Problem], rounds: int) -> dict[str, list[Timed]]:
    """Return the rounds of each side, which take turns at going first; one round before them warms up."""
    checks = make_checks(problems, load_interpreter(name).language)
    types = POLARS_TYPES if name == "polars_expr" else SQL_TYPES
    limits = Limits(seconds=5.0, memory_mb=1024)
    with CheckerPool(name, WORKERS, limits) as pool:
        sides: dict[str, Callable[[Sequence[Check]], int]] = {
            "pool": lambda some: by_pool(pool, some),
            "fresh": lambda some: by_processes(PROGRAMS[name], types, some),
            "floor": by_true,
        }
        found: dict[str, list[Timed]] = {side: [] for side in sides}
        for number in range(-1, rounds):
            order = list(sides) if number % 2 else list(reversed(sides))
            for side in order:
                one = timed(checks if number >= 0 else checks[:8], sides[side])
                if number >= 0:
                    found[side].append(one)
    return found


def checks_section(*, quick: bool) -> Section:
    options = {"count": 6 if quick else 16, "length_weights": [3.0, 4.0, 3.0]}
    problems = list(load_source("table_pipelines", options, 11).load())
    found = {name: measure(name, problems, 2 if quick else 5) for name in PROGRAMS}
    rows = [row for name, sides in found.items() for row in rows_of(name, sides)]
    rounds = len(found["polars_expr"]["pool"])
    notes = [
        f"{2 * len(problems)} checks per round and side (half references, half wrong) over {len(problems[0].tests)} "
        f"tables each, {WORKERS} at a time; {rounds} rounds, the sides in turn; median (least–greatest). "
        "CPU counts this process and all it started.",
    ]
    figures = {name: {side: [asdict(t) for t in series] for side, series in sides.items()}
               for name, sides in found.items()}  # fmt: skip
    columns = ("side", "checks/s", "CPU ms per check", "right", "wall / pool", "CPU / pool")
    return Section("Checking: the CheckerPool against a fresh Python per check", columns, rows, notes, figures)


def rows_of(name: str, sides: dict[str, list[Timed]]) -> list[list[str]]:
    labels = {"pool": f"{name}: CheckerPool", "fresh": f"{name}: fresh Python", "floor": "floor: /bin/true"}
    return [side_row(labels[side], series, sides["pool"]) for side, series in sides.items()]


def side_row(label: str, series: list[Timed], pool: list[Timed]) -> list[str]:
    wall, cpu = [one.wall_ms for one in series], [one.cpu_ms for one in series]
    against = ["", ""]
    if series is not pool:
        against = [
            f"{ratios(mine, other).text('.1f')}x"
            for mine, other in ((wall, [p.wall_ms for p in pool]), (cpu, [p.cpu_ms for p in pool]))
        ]
    right = str(series[0].passed) if not label.startswith("floor") else ""
    speed = spread([1000 / ms for ms in wall])
    return [label, speed.text(".1f"), spread(cpu).text(".1f"), right, *against]
