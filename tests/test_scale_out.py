"""Checking and sampling on a Ray cluster of several node processes, which die in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import Future, wait

import pytest
from ray_nodes import actors, needs_ray, nodes, started_nodes, wait_until
from support import ROOT, pipeline_problems, wrong_code

from bootstrap.errors import UserError
from bootstrap.records import Problem
from bootstrap.scale_out.check_pool import RayCheckerPool
from bootstrap.scale_out.seat import CheckerWords
from bootstrap.scale_out_config import RayConfig
from eval.bench_scale_out import Nodes, descendants, kill_all, parents
from interpreters.base import InterpreterError, Limits, Verdict
from interpreters.checking import CheckerPool

pytestmark = [needs_ray]
__all__ = ["nodes", "started_nodes"]  # fixtures

INTERPRETERS = {"duckdb": "duckdb_sql", "polars": "polars_expr"}
BROKEN = {
    "duckdb": ["SELEC", "SELECT 1", "SELECT nothing FROM df", "SELECT * FROM read_text('/etc/passwd')"],
    "polars": ["df.filter(", "1 + 1", "df.nonsense()", "pl.read_csv('/etc/passwd')", "open('/etc/passwd').read()"],
}
ENDLESS = "[x for x in iter(int, 1)]"
SECONDS = 180.0

Jobs = list[tuple[str, Problem]]


def jobs_of(language: str, problems: int, each: int) -> Jobs:
    """Return codes, right and wrong ones, all different."""
    found: Jobs = []
    for problem in pipeline_problems(problems):
        codes = [problem.references[language], wrong_code(problem, language), *BROKEN[language]]
        found += [(codes[i % len(codes)] + " " * i, problem) for i in range(each)]
    return found


def words(language: str, workers: int = 1, seconds: float = 5.0) -> CheckerWords:
    return CheckerWords(INTERPRETERS[language], workers, Limits(seconds=seconds), "required")


def told(verdict: Verdict) -> tuple[object, ...]:
    return verdict.outcome, verdict.failed_test, verdict.message, verdict.interpreter


def judged_here(language: str, jobs: Jobs) -> list[tuple[object, ...]]:
    with CheckerPool(INTERPRETERS[language], 2, Limits()) as pool:
        return [told(f.result()) for f in [pool.submit(code, problem.tests) for code, problem in jobs]]


def settled(futures: list[Future[Verdict]]) -> list[tuple[object, ...]]:
    assert not wait(futures, SECONDS).not_done
    return [told(future.result()) for future in futures]


@pytest.mark.parametrize("language", ["duckdb", "polars"])
def test_actors_give_the_verdicts_of_the_local_pool(nodes: Nodes, language: str) -> None:
    jobs = jobs_of(language, 12, 20)
    with RayCheckerPool(words(language), RayConfig(address=nodes.address)) as pool:
        futures = [pool.submit(code, problem.tests) for code, problem in jobs]
        assert settled(futures) == judged_here(language, jobs)
        assert pool.settled == len(jobs)
        assert pool.owed_again == 0
    with pytest.raises(RuntimeError, match="closed"):
        pool.submit("df", jobs[0][1].tests)


def test_the_sandbox_in_an_actor_is_that_of_its_machine(nodes: Nodes) -> None:
    def level() -> str:
        from interpreters import load_interpreter

        with load_interpreter("polars_expr", "required") as loaded:
            assert loaded.available() is None
            return str(loaded.sandbox())

    with RayCheckerPool(words("polars"), RayConfig(address=nodes.address)):
        import ray

        assert ray.get(ray.remote(level).remote(), timeout=SECONDS) == level()


def test_nothing_is_lost_or_counted_twice_with_a_node(nodes: Nodes) -> None:
    jobs = jobs_of("polars", 12, 40)
    times = [0] * len(jobs)
    with RayCheckerPool(words("polars"), RayConfig(address=nodes.address)) as pool:
        futures = []
        for i, (code, problem) in enumerate(jobs):
            futures.append(pool.submit(code, problem.tests))
            futures[-1].add_done_callback(lambda _, i=i: times.__setitem__(i, times[i] + 1))
            if i == len(jobs) // 3:
                wait_until(lambda: pool.settled > 0, "a first verdict")
                nodes.kill_one()
        assert settled(futures) == judged_here("polars", jobs)
        assert pool.settled == len(jobs)
        assert pool.losses >= 1
    assert times == [1] * len(jobs)


def test_an_actor_that_gives_no_sign_of_life_is_replaced(nodes: Nodes) -> None:
    jobs = jobs_of("polars", 6, 20)
    config = RayConfig(address=nodes.address, answer_seconds=6.0)
    with RayCheckerPool(words("polars"), config) as pool:
        settled([pool.submit(code, problem.tests) for code, problem in jobs[:20]])
        wait_until(lambda: len(actors(os.getpid(), "CheckActor")) == 2, "two actors")
        stopped = actors(os.getpid(), "CheckActor")[0]
        os.kill(stopped, signal.SIGSTOP)
        futures = [pool.submit(code, problem.tests) for code, problem in jobs]
        assert settled(futures) == judged_here("polars", jobs)
        assert (pool.settled, pool.losses) == (len(jobs) + 20, 1)
        assert pool.owed_again > 0
        wait_until(lambda: stopped not in parents(), "the end of the stopped actor")


def test_more_losses_than_are_replaced_end_in_an_error_for_every_future(nodes: Nodes) -> None:
    config = RayConfig(address=nodes.address, replacements=0)
    problem = pipeline_problems(1)[0]
    with RayCheckerPool(words("polars", seconds=60.0), config) as pool:
        futures = [pool.submit(ENDLESS, problem.tests) for _ in range(4)]
        wait_until(lambda: len(actors(os.getpid(), "CheckActor")) == 2, "two actors")
        wait_until(lambda: any(future.running() for future in futures), "a check that runs")
        kill_all(actors(os.getpid(), "CheckActor"))
        assert not wait(futures, SECONDS).not_done
        for future in futures:
            with pytest.raises(UserError, match=r"checker \d \(polars_expr\) was lost .*ray\.replacements"):
                future.result()
        with pytest.raises(UserError, match="was lost"):
            pool.submit("df", problem.tests)


def test_closing_kills_what_runs_and_leaves_no_process(nodes: Nodes) -> None:
    problem = pipeline_problems(1)[0]
    with RayCheckerPool(words("polars", seconds=60.0), RayConfig(address=nodes.address)) as pool:
        futures = [pool.submit(ENDLESS + " " * i, problem.tests) for i in range(100)]
        wait_until(lambda: any(future.running() for future in futures), "a check that runs")
        processes = [p for actor in actors(os.getpid(), "CheckActor") for p in (actor, *descendants(actor))]
    assert all(future.done() for future in futures)
    assert processes
    wait_until(lambda: not set(processes) & parents().keys(), "the end of the actors")


def test_an_interpreter_that_fails_is_no_verdict(nodes: Nodes) -> None:
    problem = pipeline_problems(1)[0]
    with RayCheckerPool(CheckerWords("q_kdb", 1, Limits(), "required"), RayConfig(address=nodes.address)) as pool:
        failed = pool.submit("1", problem.tests)
        with pytest.raises(InterpreterError, match="q"):
            failed.result(SECONDS)


def test_other_code_on_another_machine_is_refused(nodes: Nodes) -> None:
    problem = pipeline_problems(1)[0]
    with RayCheckerPool(words("polars"), RayConfig(address=nodes.address)) as pool:
        for known in (pool._cluster.versions,):
            known["polars"] = "0.1"
        with pytest.raises(UserError, match=r"other code .*polars: here 0\.1, there .*same checkout"):
            pool.submit("df", problem.tests).result(SECONDS)


PROGRAM = """
import sys, time
from support import pipeline_problems
from bootstrap.scale_out.check_pool import RayCheckerPool
from bootstrap.scale_out.seat import CheckerWords
from bootstrap.scale_out_config import RayConfig
from interpreters.base import Limits
words = CheckerWords("polars_expr", 1, Limits(seconds=300.0), "required")
pool = RayCheckerPool(words, RayConfig(address=sys.argv[1] or None, checker_actors=2))
tests = pipeline_problems(1)[0].tests
pool.submit("df.head(0)", tests).result(120)
pool.submit("[x for x in iter(int, 1)]", tests)
pool.submit("[x for x in iter(int, 1)] ", tests)
time.sleep(2)
print("running", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("own_cluster", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_killed_stage_leaves_no_actor_and_no_candidate(nodes: Nodes, own_cluster: bool) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    stage = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "" if own_cluster else nodes.address], stdout=subprocess.PIPE, text=True,
        env=environment,
    )  # fmt: skip
    assert stage.stdout is not None
    assert stage.stdout.readline() == "running\n"
    found = actors(stage.pid if own_cluster else os.getpid(), "CheckActor")
    left = {process for actor in found for process in (actor, *descendants(actor))}
    helpers = set(descendants(stage.pid)) - left  # of a cluster of its own: some stay for a minute
    assert len(left) >= 6  # two actors, their zygotes and the candidates
    stage.kill()
    stage.wait()
    wait_until(lambda: not left & parents().keys(), "the end of the actors and of what they ran")
    kill_all(list(helpers))
