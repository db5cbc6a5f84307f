"""A thousand hostile checks, one after the other: nothing of them stays, and honest checks between them are right."""

from __future__ import annotations

import contextlib
import itertools
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from interpreters import INTERPRETERS, load_interpreter
from interpreters.attacks.grounds import GROUNDS
from interpreters.attacks.scene import Scene
from interpreters.attacks.table import attacks_on, codes_of
from interpreters.base import Interpreter, Limits, Outcome
from interpreters.checking import check

QUICK = Limits(seconds=0.3, memory_mb=512, output_bytes=2**20, cells=5_000)
EVERY = 5  # hostile checks between two honest ones
TRIES = 5  # of an honest check: a third of a second is little on a machine that has other work


def hostile_codes(language: str) -> Iterator[str]:
    """Return the codes of the attack table, mixed, again and again."""
    attacks = attacks_on(language)
    for attack in itertools.cycle(random.Random(7391).sample(attacks, len(attacks))):
        yield from codes_of(attack, language)


def descriptors() -> list[str]:
    """Return what this process has open, as files, and how many sockets and pipes."""
    found = []
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the listing's own
            found.append(str(link.readlink()).partition(":[")[0])
    return sorted(found)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which this test's processes make their temporary files."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("checks", [60, pytest.param(1000, marks=pytest.mark.slow)])
def test_hostile_checks_leave_nothing_behind(folder: Path, checks: int) -> None:
    with Scene() as scene:
        without = (scene.processes(), descriptors())
        with contextlib.ExitStack() as stack:
            opened = [stack.enter_context(load_interpreter(name)) for name in INTERPRETERS]
            usable = [one for one in opened if one.available() is None]
            assert {"polars_expr", "duckdb_sql"} <= {one.name for one in usable}
            run_all(usable, checks, scene)
        assert scene.stray_processes(without[0]) == 0
        assert descriptors() == without[1]
    assert list(folder.iterdir()) == []


def run_all(usable: list[Interpreter], checks: int, scene: Scene) -> None:
    hostile = [hostile_codes(one.language) for one in usable]
    require_honest(usable)
    before = (scene.trace(), scene.processes(), descriptors())
    for number in range(checks):
        turn = number % len(usable)
        inputs = [GROUNDS[usable[turn].language].test.tables]
        usable[turn].execute(scene.fill(next(hostile[turn])), inputs, QUICK)
        if number % EVERY == 0:
            require_honest([usable[number // EVERY % len(usable)]])
    require_honest(usable)
    assert scene.connections() == []
    assert scene.heard() is None
    assert scene.trace() == before[0]
    assert scene.stray_processes(before[1]) == 0
    assert descriptors() == before[2]


def require_honest(usable: list[Interpreter]) -> None:
    for one in usable:
        ground = GROUNDS[one.language]
        for _ in range(TRIES):
            verdict = check(one, ground.honest, [ground.test], QUICK)
            if verdict.outcome is not Outcome.TIMEOUT:
                break
        assert verdict.passed, (one.name, verdict)
