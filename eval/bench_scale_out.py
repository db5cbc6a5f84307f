"""Measure what Ray costs per check on one machine, and lose a node in the middle of the work.

    pip install -e '.[ray]'
    python -m eval.bench_scale_out                      # about 3 minutes on 2 cores

First the same codes go through the local pool and through checker actors with as many workers in all, in turn, on a
cluster of a head and two node processes on this machine. Ray's share of the processors is included in its rate: here
it competes with the checks, on several machines it is spread over them. Then the codes are checked once more, and after
a third of them one of the two nodes is killed with all its processes, as a machine dies. Each verdict is compared with
the local pool's. Leaves only --out.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bootstrap.files import write_json
from bootstrap.programs import run_program
from bootstrap.records import Problem
from bootstrap.scale_out.check_pool import RayCheckerPool
from bootstrap.scale_out.cluster import require_ray
from bootstrap.scale_out.seat import CheckerWords
from bootstrap.scale_out_config import RayConfig
from bootstrap.sources import load_source
from interpreters import load_interpreter
from interpreters.base import Limits, Verdict
from interpreters.checking import CheckerPool

NODES = 2
Jobs = Sequence[tuple[str, Problem]]


@dataclass(frozen=True)
class Rates:
    """Medians over the rounds, in checks per second, and what a check costs more by way of Ray."""

    target: str
    workers: int
    checks: int
    local: float
    ray: float

    @property
    def milliseconds_more(self) -> float:
        """Of one worker's time per check."""
        return 1000 * self.workers * (1 / self.ray - 1 / self.local)


@dataclass(frozen=True)
class NodeLoss:
    """What became of the checks while a node died."""

    submitted: int
    settled: int
    settled_twice: int
    unlike_the_local_pool: int
    owed_again: int
    actors_lost: int


class Nodes:
    """A cluster of processes on this machine: a head that lends no processor, and nodes that do."""

    def __init__(self, count: int, workers: int) -> None:
        require_ray()
        from ray import cluster_utils

        self._count, self._workers = count, workers
        head = {"num_cpus": 0, "include_dashboard": False}
        self._cluster: Any = cluster_utils.Cluster(initialize_head=True, head_node_args=head)
        self._nodes: list[Any] = []
        self.address = str(self._cluster.address)
        self.complete()

    def complete(self) -> None:
        """Start nodes in the place of those that were killed."""
        while len(self._nodes) < self._count:
            self._nodes.append(self._cluster.add_node(num_cpus=self._workers))

    def kill_one(self) -> None:
        """Let a node die as a machine does: with all its processes, and without a word."""
        node = self._nodes.pop(0)
        raylet = node.all_processes["raylet"][0].process.pid
        kill_all([raylet, *descendants(raylet)])

    def close(self) -> None:
        self._cluster.shutdown()


def kill_all(processes: Sequence[int]) -> None:
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def parents() -> dict[int, int]:
    """Return process -> its parent, of all processes that live."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = path.read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state != "Z":
                found[int(path.parent.name)] = int(parent)
    return found


def descendants(root: int) -> list[int]:
    """Return the processes that a process has started, and those that they have."""
    known, found = parents(), [root]
    for process in found:
        found += [child for child, parent in known.items() if parent == process]
    return found[1:]


def jobs_of(target: str, checks: int, problems: int = 24) -> Jobs:
    """Return codes for generated problems: two of three are right ones, and no two are the same."""
    with load_interpreter(target) as interpreter:
        language = interpreter.language
    source = load_source("table_pipelines", {"count": problems, "length_weights": [1.0, 1.0]}, 5)
    loaded = list(source.load())
    found = []
    for number in range(checks):
        problem = loaded[number * len(loaded) // checks]
        code = problem.references[language] if number % 3 else loaded[number % problems].references[language]
        found.append((f"{code}{' ' * (number % 977)}", problem))
    return found


def submit_all(pool: CheckerPool | RayCheckerPool, jobs: Jobs) -> Iterator[Future[Verdict]]:
    for code, problem in jobs:
        yield pool.submit(code, problem.tests)


def rate(pool: CheckerPool | RayCheckerPool, jobs: Jobs) -> float:
    started = time.monotonic()
    for future in list(submit_all(pool, jobs)):
        future.result()
    return len(jobs) / (time.monotonic() - started)


def measure(nodes: Nodes, target: str, workers: int, jobs: Jobs, rounds: int) -> Rates:
    """Return the rates of both pools, which take turns; `workers` is per node."""
    local, far = [], []
    with (
        CheckerPool(target, workers * NODES, Limits()) as here,
        RayCheckerPool(words(target, workers), RayConfig(address=nodes.address)) as there,
    ):
        for pool in (here, there):  # every process has started, every problem's tests have been sent
            rate(pool, jobs[:: max(1, len(jobs) // 200)])
        for _ in range(rounds):
            local.append(rate(here, jobs))
            far.append(rate(there, jobs))
    medians = [round(statistics.median(rates), 1) for rates in (local, far)]
    return Rates(target, workers * NODES, len(jobs), *medians)


def words(target: str, workers: int) -> CheckerWords:
    return CheckerWords(target, workers, Limits(), "required")


def lose_a_node(nodes: Nodes, target: str, workers: int, jobs: Jobs) -> NodeLoss:
    """Check the jobs, kill a node after a third of them, and compare the verdicts with the local pool's."""
    with CheckerPool(target, workers * NODES, Limits()) as here:
        expected = [told(future.result()) for future in list(submit_all(here, jobs))]
    times = [0] * len(jobs)

    def count(index: int, _: Future[Verdict]) -> None:
        times[index] += 1

    with RayCheckerPool(words(target, workers), RayConfig(address=nodes.address)) as there:
        futures = []
        for index, future in enumerate(submit_all(there, jobs)):
            future.add_done_callback(partial(count, index))
            futures.append(future)
            if index == len(jobs) // 3:
                futures[0].result()
                nodes.kill_one()
        found = [told(future.result()) for future in futures]
        again, lost, settled = there.owed_again, there.losses, there.settled
    twice = sum(n > 1 for n in times) + max(0, settled - len(jobs))
    unlike = sum(a != b for a, b in zip(expected, found, strict=True))
    return NodeLoss(len(jobs), settled, twice, unlike, again, lost)


def told(verdict: Verdict) -> tuple[object, ...]:
    return verdict.outcome, verdict.failed_test, verdict.message


def bench(targets: Sequence[str], workers: int, checks: int, rounds: int, out: Path | None) -> None:
    rows: list[dict[str, Any]] = []
    with closing(Nodes(NODES, workers)) as nodes:
        for target in targets:
            found = measure(nodes, target, workers, jobs_of(target, checks), rounds)
            print(
                f"{target}: {found.workers} workers, {found.checks} checks: local {found.local} checks/s, ray "
                f"{found.ray} checks/s ({found.ray / found.local:.0%}; {found.milliseconds_more:+.2f} ms of a worker's "
                "time per check)",
                flush=True,
            )
            rows.append(asdict(found))
    for target in targets:
        with closing(Nodes(NODES, workers)) as nodes:
            lost = lose_a_node(nodes, target, workers, jobs_of(target, checks))
        print(f"{target}, a node killed: " + ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in asdict(lost).items()))
        rows.append({"target": target, **asdict(lost)})
    if out is not None:
        write_json(out, {"rows": rows})


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--targets", nargs="+", default=["polars_expr", "duckdb_sql"], help="interpreters")
    parser.add_argument("--workers", type=int, default=1, help="interpreter processes per node, of two nodes")
    parser.add_argument("--checks", type=int, default=1200, help="checks in one round")
    parser.add_argument("--rounds", type=int, default=3, help="rounds in which the two pools take turns")
    parser.add_argument("--out", type=Path, help="JSON for the figures")
    args = parser.parse_args(argv)
    run_program(lambda: bench(args.targets, args.workers, args.checks, args.rounds, args.out))


if __name__ == "__main__":
    main()
