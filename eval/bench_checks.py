"""Checks per second and CPU per check, by interpreter, at each level of the sandbox, beside a fresh process per check.

For each interpreter and size of problem (bench_checks_work.py) these sides take turns, after one round to warm up:

  unlocked, standard, strong   a CheckerPool with one worker: on the plain zygote; with seccomp, Landlock and an own
                               uid; and with namespaces too
  fresh                        a new Python process per check; for PostgreSQL, a new connection (bench_checks_rivals.py)
  floor                        starting and awaiting /bin/true

Each side does one check at a time, so a second of waiting is a second lost; what a second worker makes of it is in
bench_checks_load.py. CPU counts this process and everything that it started.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Literal

from eval.bench_checks_cpu import cpu_seconds
from eval.bench_checks_load import Load, LoadPlan, load_notes, measure_load
from eval.bench_checks_rivals import PROGRAMS, fresh_connection, fresh_process, start_true, write_tables
from eval.bench_checks_work import PROBLEMS, SAMPLES, Check, Size, checks, sizes_of
from eval.bench_table import Section, Spread, ratios, spread
from interpreters import load_interpreter
from interpreters.base import InterpreterUnavailable, Limits
from interpreters.checking import CheckerPool
from interpreters.sandbox import LAYERS, Wanted

Measure = Literal["wall_ms", "cpu_ms"]  # per check

INTERPRETERS = ("polars_expr", "duckdb_sql", "ibis_duckdb", "ibis_polars", "postgres_sql", "q_subset")
LEVELS = {
    "unlocked": Wanted(frozenset(), required=False),
    "standard": Wanted(frozenset(LAYERS) - {"namespaces"}, required=False),
    "strong": Wanted(frozenset(LAYERS), required=False),
}
LIMITS = Limits()
AIMS: Mapping[str, Mapping[Size, float]] = {
    "polars_expr": {"trivial": 20, "medium": 12},
    "duckdb_sql": {"trivial": 150, "medium": 25},
    "ibis_duckdb": {"trivial": 12, "medium": 6},
    "ibis_polars": {"trivial": 12, "medium": 6},
    "postgres_sql": {"trivial": 4, "medium": 4},
    "q_subset": {"trivial": 10, "medium": 5, "puzzle": 5},
}  # how many times less CPU than fresh
SPEED_AIMS: Mapping[tuple[str, Size], float] = {("q_subset", "puzzle"): 150}  # checks per second
LOCKDOWN_AIM = 15  # per cent of CPU more than unlocked, at most
STANDING = 8  # problems whose tables stay on a PostgreSQL server
WARM = {"duckdb": 10, "postgres": 10}  # problems to warm up with, where sessions stay open for several; else one
ANEW = "strong, loading anew"
TITLE = "Checking: our interpreters at each level of the sandbox, against a fresh process per check"
MEASURES: tuple[Measure, ...] = ("wall_ms", "cpu_ms")
COLUMNS = ("side", "checks/s", "CPU ms/check", "right", "wall vs fresh", "CPU vs fresh", "aim")


@dataclass(frozen=True)
class Pace:
    """How many rounds there are, how many seconds a round of one side takes, and which sides are left out."""

    rounds: int
    ours: float
    fresh: float
    least_fresh: int
    load: LoadPlan | None
    without: tuple[str, ...] = ()  # levels, and interpreters


FULL = Pace(5, 0.4, 0.6, 2, LoadPlan(rounds=2, seconds=1.0))
QUICK = Pace(2, 0.1, 0.0, 1, None, ("standard", "ibis_polars"))


@dataclass
class Side:
    """One way to check, with its own series of checks; `least` of them at a time, and so many to warm up."""

    judge: Callable[[Sequence[Check]], Sequence[bool]]
    series: Iterator[Check]
    seconds: float
    least: int
    warm_up: int
    per_round: int = 0
    rounds: list[Round] = field(default_factory=list)


@dataclass(frozen=True)
class Round:
    """What one side did in its turn; `agreed` counts the verdicts that are what they should be."""

    checks: int
    agreed: int
    wall_ms: float  # per check
    cpu_ms: float  # per check


Found = Mapping[Size, Mapping[str, Sequence[Round]]]


def timed(side: Side, count: int) -> Round:
    work = list(islice(side.series, count))
    wall, cpu = time.perf_counter(), cpu_seconds()
    verdicts = side.judge(work)
    wall, cpu = time.perf_counter() - wall, cpu_seconds() - cpu
    agreed = sum(passed == one.is_right for passed, one in zip(verdicts, work, strict=True))
    return Round(count, agreed, 1000 * wall / count, 1000 * cpu / count)


def measure_sides(sides: dict[str, Side], rounds: int) -> None:
    """Let each side do its rounds. They take turns, in one order and then in the other."""
    for side in sides.values():
        timed(side, side.warm_up)
        wanted = 1000 * side.seconds / timed(side, side.least).wall_ms if side.seconds else 0
        side.per_round = side.least * max(1, round(wanted / side.least))
    for number in range(rounds):
        for name in list(sides) if number % 2 else reversed(sides):
            sides[name].rounds.append(timed(sides[name], sides[name].per_round))


def measure(name: str, folder: Path, pace: Pace) -> tuple[Found, list[Load]]:
    """Return the rounds of each size and side, and what two workers do. Raises InterpreterUnavailable."""
    language = load_interpreter(name).language
    levels = {level: layers for level, layers in LEVELS.items() if level not in pace.without}
    if name == "postgres_sql":
        levels[ANEW] = LEVELS["strong"]
    found: dict[Size, dict[str, Sequence[Round]]] = {}
    loads: list[Load] = []
    with contextlib.ExitStack() as stack:
        pools = {level: stack.enter_context(CheckerPool(name, 1, LIMITS, layers)) for level, layers in levels.items()}
        pair = stack.enter_context(CheckerPool(name, 2, LIMITS, LEVELS["strong"])) if pace.load else None
        connection = name not in PROGRAMS
        fresh = stack.enter_context(fresh_connection()) if connection else fresh_process(PROGRAMS[name], folder)
        for size in sizes_of(language):
            sides = _sides(pools, fresh, language, size, pace)
            measure_sides(sides, pace.rounds)
            found[size] = {label: side.rounds for label, side in sides.items()}
            if pace.load and pair:
                loads += measure_load({1: pools.get(ANEW, pools["strong"]), 2: pair}, language, size, pace.load)
    return found, loads


def _sides(
    pools: Mapping[str, CheckerPool], fresh: Callable[[Check], bool], language: str, size: Size, pace: Pace
) -> dict[str, Side]:
    sides: dict[str, Side] = {}
    for level, pool in pools.items():
        stands = ANEW in pools and level != ANEW  # the rival finds its tables loaded, so these do too
        series = checks(language, size, STANDING if stands else PROBLEMS)
        sides[level] = Side(_by(pool), series, pace.ours, SAMPLES, WARM.get(language, 1) * SAMPLES)
    sides["fresh"] = Side(_one_by_one(fresh), checks(language, size), pace.fresh, pace.least_fresh, 1)
    sides["floor"] = Side(_one_by_one(start_true), checks(language, size), pace.ours / 6, SAMPLES, SAMPLES)
    return sides


def _by(pool: CheckerPool) -> Callable[[Sequence[Check]], Sequence[bool]]:
    def judge(work: Sequence[Check]) -> Sequence[bool]:
        verdicts = [pool.submit(one.code, one.tests) for one in work]
        return [verdict.result().passed for verdict in verdicts]

    return judge


def _one_by_one(passes: Callable[[Check], bool]) -> Callable[[Sequence[Check]], Sequence[bool]]:
    return lambda work: [passes(one) for one in work]


# -- the table ------------------------------------------------------------------------------------------------------


def checks_section(*, quick: bool) -> Section:
    """Measure every interpreter that is there."""
    pace = QUICK if quick else FULL
    rows: list[list[str]] = []
    sandboxes = _sandboxes()
    figures: dict[str, object] = {"sandboxes": sandboxes}
    notes, missing = [_about(pace), *sandboxes], []
    with tempfile.TemporaryDirectory() as folder:
        write_tables(Path(folder))
        for name in (one for one in INTERPRETERS if one not in pace.without):
            try:
                found, loads = measure(name, Path(folder), pace)
            except InterpreterUnavailable as reason:
                missing.append(f"{name} is not measured: {reason}")
                continue
            rows += [row for size, sides in found.items() for row in rows_of(name, size, sides)]
            notes += load_notes(name, loads) if loads else []
            figures[name] = {
                "rounds": {s: {side: [*map(asdict, one)] for side, one in sides.items()} for s, sides in found.items()},
                "load": [asdict(load) for load in loads],
            }
    return Section(TITLE, COLUMNS, rows, [*notes, *missing], figures)


def _about(pace: Pace) -> str:
    fresh = f"{pace.fresh:g} s" if pace.fresh else "one check"
    less = f"Quick: without {', '.join(pace.without)} and a second worker. " if pace.without else ""
    return (
        f"{less}{pace.rounds} rounds of about {pace.ours:g} s ({fresh} for fresh), the sides in turn; median "
        f"(least–greatest). One check at a time, {SAMPLES} candidates per problem, half of them right; 'right' counts "
        "verdicts. CPU counts this process and all it started. Fresh: a Python process per check, with Parquet files; "
        f"for postgres_sql a connection per check, where the tables lie loaded, on both sides ('{ANEW}': loaded for "
        "each problem). Ratios say how many times fresh takes as much."
    )


def _sandboxes() -> list[str]:
    """Return what the levels are on this machine, where the first interpreter is there to tell."""
    lines = []
    for level, layers in LEVELS.items():
        with load_interpreter(INTERPRETERS[0], layers) as interpreter, contextlib.suppress(InterpreterUnavailable):
            lines.append(f"{level}: {interpreter.sandbox()}")
    return lines


def rows_of(name: str, size: Size, sides: Mapping[str, Sequence[Round]]) -> list[list[str]]:
    """Return the rows of one interpreter and size: its sides, and what the layers cost."""
    fresh = sides["fresh"]
    rows = [[f"{name}, {size}", *[""] * (len(COLUMNS) - 1)]]
    for label, rounds in sides.items():
        against = [ratios(_each(fresh, what), _each(rounds, what)) for what in MEASURES]
        texts = [f"{_short(one)}x" for one in against] if label != "fresh" else ["", ""]
        aim = _reached(against[1].median, AIMS[name][size]) if label == "strong" else ""
        rows.append([f"  {label}", *_speed(label, rounds), *texts, aim])
    if (name, size) in SPEED_AIMS:
        rows.append(["  strong, speed", *[""] * 5, _fast_enough(sides["strong"], SPEED_AIMS[name, size])])
    for level in (one for one in ("standard", "strong") if one in sides):
        more = _more(sides["unlocked"], sides[level])
        kept = f"≤ {LOCKDOWN_AIM} %: {_word(more.median <= LOCKDOWN_AIM)}"
        rows.append([f"  {level} / unlocked", "", f"{more.text('+.0f')} %", "", "", "", kept])
    return rows


def _speed(label: str, rounds: Sequence[Round]) -> list[str]:
    speed = median(1000 / one.wall_ms for one in rounds)
    right = f"{sum(one.agreed for one in rounds)}/{sum(one.checks for one in rounds)}" if label != "floor" else ""
    return [f"{speed:.0f}" if speed >= 20 else f"{speed:.1f}", _short(spread(_each(rounds, "cpu_ms"))), right]


def _short(one: Spread) -> str:
    """Return a spread in the digits that mean something."""
    return one.text(".0f" if one.median >= 50 else ".1f" if one.median >= 5 else ".2f")


def _each(rounds: Sequence[Round], what: Measure) -> list[float]:
    return [getattr(one, what) for one in rounds]


def _more(unlocked: Sequence[Round], locked: Sequence[Round]) -> Spread:
    """Return by how many per cent the CPU of the locked is more, round by round."""
    return spread([100 * (b.cpu_ms / a.cpu_ms - 1) for a, b in zip(unlocked, locked, strict=True)])


def _reached(ratio: float, aim: float) -> str:
    return f"≥ {aim:g}x: {_word(ratio >= aim)}"


def _fast_enough(rounds: Sequence[Round], least: float) -> str:
    return f"≥ {least:g}/s: {_word(median(1000 / one.wall_ms for one in rounds) >= least)}"


def _word(holds: bool) -> str:
    return "met" if holds else "missed"
