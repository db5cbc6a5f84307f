"""Batches of code that our own generators wrote: many jobs in one child, so that no fork is paid for each.

The jobs of a batch can see each other. Never use this for what a model wrote.
"""

from __future__ import annotations

from collections.abc import Sequence

from interpreters.base import Execution, Job, Limits
from interpreters.process import Zygote

JOBS_PER_CHILD = 256
TRUSTED_LIMITS = Limits(seconds=10.0, memory_mb=4096)  # for each job


def run_all(zygote: Zygote, jobs: Sequence[Job], limits: Limits) -> list[Execution]:
    """Return one execution per job, in order. A job that takes its child with it costs only itself."""
    executions: list[Execution] = []
    while len(executions) < len(jobs):
        executions += zygote.run(jobs[len(executions) : len(executions) + JOBS_PER_CHILD], limits)
    return executions
