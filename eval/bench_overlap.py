"""Measure how long the model stands still for the checkers, at sampling rates up to what the checkers can do.

    python -m eval.bench_overlap --target polars_expr        # 2 minutes on 2 cores

An engine that hands out recorded answers at a set rate stands for the model; the loop's own sampling and real
checkers do the rest. First the checkers' rate is measured with an engine that takes no time; then the engine samples
at shares of it. The engine waits when it could go on and is not asked to: while a completion is being submitted, or
while verdicts of earlier batches are owed. The time after its last completion is the tail, which is not waiting.
Leaves only --out.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bootstrap.checkers import Checkers
from bootstrap.config import RunConfig
from bootstrap.engines.base import Completion, Decoding, Request
from bootstrap.files import write_json
from bootstrap.programs import run_program
from bootstrap.records import Problem, digest
from bootstrap.sampling import SampleAndCheck, plan_batches
from bootstrap.sources import load_source
from bootstrap.targets import language_named

SHARES = (0.5, 0.7, 0.8, 0.9, 1.0)
AIM = 0.02


class PacedEngine:
    """Answers each request with references of problems, every `seconds` of its own time one. `waited` is the rest."""

    name = "paced"
    model_digest = digest("paced")

    def __init__(self, codes: Mapping[str, str], seconds: float) -> None:
        self._codes, self._seconds = codes, seconds
        self.busy_seconds = 0.0
        self.started = self.ended = time.monotonic()
        self._first = True

    def generate(self, requests: Sequence[Request], decoding: Decoding) -> Iterator[Completion]:
        if self._first:
            self.started, self._first = time.monotonic(), False
        for request in requests:
            for index in range(request.num_samples):
                self._work()
                text = f"{self._codes[request.problem_id]}{' ' * (index + 1)}# {decoding.seed}"
                yield Completion(request.problem_id, index, text, 1, complete=True)

    def _work(self) -> None:
        """Take the time of one completion. Sleeping longer than asked for is the machine's and counts as work."""
        before = time.monotonic()
        while (left := before + self._seconds - time.monotonic()) > 0:
            time.sleep(left)
        self.ended = time.monotonic()
        self.busy_seconds += self.ended - before

    @property
    def waited(self) -> float:
        return self.ended - self.started - self.busy_seconds

    def close(self) -> None:
        pass


@dataclass(frozen=True)
class Found:
    """`rate`: completions per second while the engine worked; `waited`: share of its wall time; `tail` in seconds."""

    asked: float
    rate: float
    waited: float
    tail: float
    checks: int


def configuration(target: str, workers: int) -> RunConfig:
    return RunConfig.model_validate({
        "target": target, "base_model": "none/none", "prompt": {"style": "plain"},
        "engine": {"name": "scripted", "batch_sequences": 64}, "sampling": {"waves": [1]},
        "checking": {"workers": workers}, "controls": {"seed_only": False},
    })  # fmt: skip


def problems_of(count: int) -> list[Problem]:
    return list(load_source("table_pipelines", {"count": count}, 1).load())


def measure(
    problems: Mapping[str, Problem], config: RunConfig, rate: float | None, completions: int, round_number: int
) -> Found:  # fmt: skip
    """Return what came of sampling at a rate (None: as fast as it goes), with fresh checkers that are warm."""
    language = language_named(config.target)
    codes = {problem_id: problem.references[language] for problem_id, problem in problems.items()}
    engine = PacedEngine(codes, 1 / rate if rate else 0.0)
    samples = max(1, completions // len(problems))
    batches = plan_batches(
        list(problems.values()), config, tag=f"round {round_number}", wave=0, num_samples=samples, temperature=1.0
    )  # fmt: skip
    with Checkers(config) as checkers:
        warm = [checkers.submit(codes[problem_id], problem) for problem_id, problem in list(problems.items())[:4]]
        assert all(future.result().passed for future in warm)
        sampler = SampleAndCheck(problems, engine, checkers, config, 1)
        done = sum(len(found) for found in sampler.run(batches, lambda count: None))
        ended = time.monotonic()
    wall = engine.ended - engine.started
    return Found(rate or 0.0, done / wall, engine.waited / wall, ended - engine.ended, sampler.clock.checks)


def run(target: str, workers: int, count: int, completions: int, out: Path | None) -> None:
    config = configuration(target, workers)
    drawn = problems_of(count)
    random.Random(1).shuffle(drawn)
    problems = {problem.problem_id: problem for problem in drawn}
    free = measure(problems, config, None, completions, 0)
    capacity = free.checks / (free.checks / free.rate + free.tail)
    print(f"{target}, {workers} workers: {capacity:.0f} checks/s where the engine takes no time")
    rows = []
    for number, share in enumerate(SHARES, 1):
        found = measure(problems, config, share * capacity, completions, number)
        rows.append({"share": share, **asdict(found)})
        verdict = "met" if found.waited <= AIM else "not met"
        print(
            f"  engine at {share:4.0%} of that: {found.rate:6.0f}/s, waits {found.waited:5.1%} of its time "
            f"(aim {AIM:.0%}: {verdict}), tail {found.tail:.1f} s",
            flush=True,
        )
    if out:
        write_json(out, {"target": target, "workers": workers, "checks_per_second": capacity, "rounds": rows})


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", default="polars_expr", help="interpreter (%(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="that check at the same time (%(default)s)")
    parser.add_argument("--problems", type=int, default=120, help="drawn from table_pipelines (%(default)s)")
    parser.add_argument("--completions", type=int, default=2400, help="in each round (%(default)s)")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    args = parser.parse_args(argv)
    run_program(lambda: run(args.target, args.workers, args.problems, args.completions, args.out))
    return 0


if __name__ == "__main__":
    sys.exit(main())
