"""One generation in a folder: units in, pairs out, resumable at any moment.

units.jsonl holds what is finished, one unit per line, in any order. The outputs are written at the end, from the
shortest prefix of the units (in their own order) that gives `count` different pairs, so they are the same bytes however
often the generation was stopped and however many processes worked on it.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from bootstrap.errors import UserError
from bootstrap.files import append_jsonl, read_json, read_jsonl, write_json, write_jsonl
from bootstrap.generate import load_generator
from bootstrap.generate.base import Generator, Pair, Refusal, UnitResult
from bootstrap.generate.report import write_report
from bootstrap.programs import StopRequest
from bootstrap.progress import ProgressLines
from interpreters.isolation import linux

RECORD = "generation.json"
SUMMARY = "report.json"
_AHEAD = 3
"""Units under way or waiting, per process: enough to keep all busy, few to throw away once there are enough pairs."""


class Generation:
    """The folder of one generation. Raises UserError where it holds another one."""

    def __init__(self, name: str, settings: Mapping[str, Any], folder: Path, workers: int = 0) -> None:
        self.name, self.folder = name, folder
        self.generator: Generator = load_generator(name, settings, folder)
        self.settings: dict[str, Any] = self.generator.settings.model_dump(mode="json")
        self.workers = (workers or os.cpu_count() or 1) if self.generator.processes else 1
        self._require_mine()
        self.finished = {row["unit"]: UnitResult.from_json(row) for row in read_jsonl(self._units_file, mend=True)}

    @property
    def _units_file(self) -> Path:
        return self.folder / "units.jsonl"

    def _require_mine(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        mine = {"generator": self.name, "settings": self.settings}
        record = self.folder / RECORD
        if record.exists() and read_json(record) != mine:
            raise UserError(f"{self.folder} holds a generation with other settings: choose another --out, or remove it")
        if not record.exists() and any(self.folder.iterdir()):
            raise UserError(f"--out {self.folder}: expected a new or empty folder, or a generation to go on with")
        write_json(record, mine)

    def run(self) -> dict[str, Any]:
        """Work on what is owed, write the outputs, return the summary. Raises UserError, EngineError,
        InterpreterError."""
        try:
            units = list(self.generator.units())
            if len(set(units)) != len(units):
                raise ValueError("two units of a generator have the same name")
            self._work(units)
            return self._write(units)
        finally:
            self.generator.close()

    # -- work -----------------------------------------------------------------------------------------------------

    def _work(self, units: Sequence[str]) -> None:
        wanted = self.settings.get("count")
        progress = ProgressLines(len(units), "units/s", done=sum(unit in self.finished for unit in units))
        prefix = _Prefix(units, wanted)
        prefix.advance(self.finished)
        for result in self._results([unit for unit in units if unit not in self.finished], prefix):
            StopRequest.check()
            append_jsonl(self._units_file, [result.to_json()])
            self.finished[result.unit] = result
            prefix.advance(self.finished)
            progress.note = f"{prefix.pairs:,}{f' of {wanted:,}' if wanted else ''} pairs"
            progress.add(1)
        progress.show()

    def _results(self, owed: Sequence[str], prefix: _Prefix) -> Iterator[UnitResult]:
        """Yield the results of units as they finish, until there are enough."""
        if self.workers == 1:
            for unit in owed:
                if prefix.enough:
                    return
                yield self.generator.work(unit)
            return
        if prefix.enough or not owed:
            return
        context = multiprocessing.get_context("spawn")
        arguments = (self.name, self.settings, self.folder)
        pool = ProcessPoolExecutor(self.workers, context, initializer=_open, initargs=arguments)
        try:
            yield from self._side_by_side(pool, owed, prefix)
        except BrokenProcessPool as e:
            raise UserError(
                "a process of the generation was killed, maybe for want of memory. What is finished is kept: start "
                "again with the same --out, and with fewer --workers"
            ) from e
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # what runs ends by itself, or with this process

    def _side_by_side(
        self, pool: ProcessPoolExecutor, owed: Sequence[str], prefix: _Prefix
    ) -> Iterator[UnitResult]:  # fmt: skip
        waiting = iter(owed)
        under_way: list[Future[UnitResult]] = []
        while True:
            for unit in waiting:
                under_way.append(pool.submit(_work, unit))
                if len(under_way) == _AHEAD * self.workers:
                    break
            if not under_way or prefix.enough:
                return
            yield under_way.pop(0).result()

    # -- outputs --------------------------------------------------------------------------------------------------

    def _write(self, units: Sequence[str]) -> dict[str, Any]:
        """Write what the shortest sufficient prefix of the units gives."""
        results = [self.finished[unit] for unit in _Prefix(units, self.settings.get("count")).of(self.finished)]
        pairs, duplicates = distinct([pair for result in results for pair in result.pairs], self.settings.get("count"))
        refusals = [*(refusal for result in results for refusal in result.refusals), *duplicates]
        write_jsonl(self.folder / "pairs.jsonl", (
            {name: value for name, value in pair.to_json().items() if name != "problem"} for pair in pairs
        ))  # fmt: skip
        problems = [pair.problem for pair in pairs if pair.problem is not None]
        write_jsonl(self.folder / "problems.jsonl", (problem.to_json() for problem in problems))
        self.generator.write(pairs, self.folder)
        notes = [note for result in results for note in result.notes]
        summary = write_report(self.folder, self.name, self.generator, self.settings, pairs, refusals, notes)
        write_json(self.folder / SUMMARY, summary)  # last: it says that the generation is complete
        return summary


def distinct(pairs: Sequence[Pair], count: int | None) -> tuple[list[Pair], list[Refusal]]:
    """Return the first pair of each id, at most `count`, and refusals for the others before it."""
    kept: dict[str, Pair] = {}
    refusals = []
    for pair in pairs:
        if count is not None and len(kept) == count:
            break
        if pair.pair_id in kept:
            refusals.append(Refusal(pair.group, "duplicate", f"the same as one of {kept[pair.pair_id].group}"))
        else:
            kept[pair.pair_id] = pair
    return list(kept.values()), refusals


class _Prefix:
    """How many different pairs the finished units give, counted in their order up to the first that is not finished."""

    def __init__(self, units: Sequence[str], wanted: int | None) -> None:
        self._units, self._wanted = units, wanted
        self._seen: set[str] = set()
        self.length = 0

    @property
    def pairs(self) -> int:
        return len(self._seen)

    @property
    def enough(self) -> bool:
        return self._wanted is not None and len(self._seen) >= self._wanted

    def advance(self, finished: Mapping[str, UnitResult]) -> None:
        while not self.enough and self.length < len(self._units) and self._units[self.length] in finished:
            self._seen |= {pair.pair_id for pair in finished[self._units[self.length]].pairs}
            self.length += 1

    def of(self, finished: Mapping[str, UnitResult]) -> Sequence[str]:
        """Return the units that count."""
        self.advance(finished)
        return self._units[: self.length]


# -- in a worker process ------------------------------------------------------------------------------------------

_generator: Generator | None = None


def _open(name: str, settings: Mapping[str, Any], folder: Path) -> None:
    """Make this process the parent's: the kernel ends it with the parent, which alone hears Ctrl-C. What the generator
    has opened is closed while the modules that close it are still there."""
    global _generator
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _generator = load_generator(name, settings, folder)
    atexit.register(_generator.close)


def _work(unit: str) -> UnitResult:
    if _generator is None:
        raise RuntimeError("a worker was given a unit before its generator")
    return _generator.work(unit)
