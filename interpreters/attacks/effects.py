"""What an attack is, and how it is seen that one succeeded whose effect is not among those all are searched for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from interpreters.attacks.scene import Scene
from interpreters.base import Column, ColumnType, Execution, Limits, Outcome, Table

LIMITS = Limits(seconds=1.0, memory_mb=512, output_bytes=2**20, cells=5_000)
MOST_THREADS = 4_000  # of one process; half of what a small machine has room for
INPUT = Table((Column("a", ColumnType.INT), Column("s", ColumnType.STRING)), ((1, "x"), (2, "y"), (3, None)))
"""The table `t` of every attack."""

KEPT = "kept-by-the-engine"  # what a first code tries to leave for a second one

Language = Literal["python", "polars", "ibis", "duckdb", "duckdb_select", "duckdb_script", "postgres", "q"]
"""Whom a row concerns: `python` every interpreter whose code is Python, `duckdb` both of DuckDB."""

Effect = Callable[[Execution, Scene], str | None]


def nothing_special(execution: Execution, scene: Scene) -> str | None:
    """What every attack is searched for is all that there is to see."""
    return None


@dataclass(frozen=True)
class Attack:
    """One line of the table: `number` is the row that it is a variant of.

    `code` may name what the scene has to offer (@secret, @victim ...; see Scene.fill). Several codes run one after the
    other, and the last one shows whether the ones before it have left something. `settle` seconds pass before the
    damage is looked at.
    """

    number: int
    name: str
    language: Language
    code: str | tuple[str, ...]
    succeeded: Effect = nothing_special
    settle: float = 0.0


# -- processes ----------------------------------------------------------------------------------------------------


def forked(execution: Execution, scene: Scene) -> str | None:
    more = scene.seen.processes - scene.calm.processes
    return f"started {more} processes" if more > 0 else None


def ran_program(execution: Execution, scene: Scene) -> str | None:
    return "ran another program" if "program" in scene.seen.words else forked(execution, scene)


def took_memory(execution: Execution, scene: Scene) -> str | None:
    more = (scene.seen.mapped - scene.calm.mapped) // 2**20
    return f"mapped {more} MB, limit {LIMITS.memory_mb} MB" if more > 1.25 * LIMITS.memory_mb else None


def took_threads(execution: Execution, scene: Scene) -> str | None:
    return f"ran {scene.seen.threads} threads" if scene.seen.threads > MOST_THREADS else None


def preferred(execution: Execution, scene: Scene) -> str | None:
    if scene.seen.real_time:
        return "runs before every other process"
    return "raised its priority" if scene.seen.nicest < min(scene.calm.nicest, 0) else None


# -- the kernel ---------------------------------------------------------------------------------------------------


def went_through(execution: Execution, scene: Scene) -> str | None:
    """For calls without an effect of their own: they say that they came back without an error."""
    return "the call went through" if "went through" in execution.message else None


def opened(word: str) -> Effect:
    """Return whether a descriptor of this kind was seen, or said to be there."""

    def look(execution: Execution, scene: Scene) -> str | None:
        held = next((one for one in scene.seen.words if word in one), None)
        return f"held {held}" if held else went_through(execution, scene)

    return look


def mounted(execution: Execution, scene: Scene) -> str | None:
    return "mounted a file system" if "mount" in scene.seen.words else None


def listened(execution: Execution, scene: Scene) -> str | None:
    return "could be reached from outside" if scene.seen.answered else None


# -- what came home -----------------------------------------------------------------------------------------------


def text_of(execution: Execution) -> str:
    return execution.message + repr(execution.results)


def listed_root(execution: Execution, scene: Scene) -> str | None:
    """The real root folder came home; an empty one, or a part of it, is nobody's secret."""
    whole = all(entry.name in execution.message for entry in Path("/").iterdir())
    return "the root folder was listed" if whole else None


def read_passwd(execution: Execution, scene: Scene) -> str | None:
    return "/etc/passwd came home" if "root:x:0:" in execution.message else None


def read_roles(execution: Execution, scene: Scene) -> str | None:
    return "password hashes came home" if "SCRAM-SHA-256$" in text_of(execution) else None


def read_others(execution: Execution, scene: Scene) -> str | None:
    """Rows came home as XML, which is how the attack reads tables whose columns it does not know."""
    return "read another problem's tables" if "<row" in text_of(execution) else None


# -- statements ---------------------------------------------------------------------------------------------------


def carried_out(execution: Execution, scene: Scene) -> str | None:
    """For statements that are no question and must be refused."""
    return "the statement was carried out" if execution.outcome is Outcome.PASSED else None


def kept(execution: Execution, scene: Scene) -> str | None:
    """Something of an earlier code came home, although the last one does not name it."""
    return "what an earlier candidate did is still there" if KEPT in text_of(execution) else None


def other_rows(execution: Execution, scene: Scene) -> str | None:
    """The input tables must be as they were: the last code is SELECT * FROM t."""
    rows = [sorted(table.rows, key=repr) for table in execution.results]
    return None if rows == [sorted(INPUT.rows, key=repr)] else f"changed the input: {execution.outcome}"
