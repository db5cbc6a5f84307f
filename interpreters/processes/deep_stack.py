"""A stack for deep recursion of candidates: what a zygote allows, all its children have."""

from __future__ import annotations

import resource

STACK_BYTES = 100 * 2**20  # the kernel keeps 128 MiB free below any stack


def allow_deep_stack() -> None:
    """Let the stack grow: recursion through C (a cache, a sort key) takes up to 2 KB of it per call."""
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    soft = STACK_BYTES if hard == resource.RLIM_INFINITY else min(STACK_BYTES, hard)
    resource.setrlimit(resource.RLIMIT_STACK, (soft, hard))
