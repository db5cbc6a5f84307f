"""A Ray cluster of several node processes on this machine, and what dies when a machine dies."""

from __future__ import annotations

import contextlib
import importlib.util
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eval.bench_scale_out import Nodes, descendants

needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="ray is not installed: pip install -e '.[ray]'"
)


def actors(root: int, name: str) -> list[int]:
    """Return those of them that are actors of a class."""
    found = []
    for process in descendants(root):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{process}/cmdline").read_bytes().startswith(f"ray::{name}".encode()):
                found.append(process)
    return found


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def started_nodes() -> Iterator[Nodes]:
    found = Nodes(2, workers=2)
    yield found
    found.close()


@pytest.fixture
def nodes(started_nodes: Nodes) -> Nodes:
    """Return the cluster with all its nodes."""
    started_nodes.complete()
    return started_nodes
