"""Import beforehand what a library imports on first use, found out in a process that is thrown away.

An import that every child repeats can cost more than the rest of its check. Which modules a use imports is the
library's own affair and changes with it: so a forked child does the use and says which modules were new, and this
process imports them. It executes nothing itself, which matters where an engine would start threads, because threads
do not survive a fork.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

PROBE_SECONDS = 40.0  # many imports on a cold, loaded machine


def preload(probe: Callable[[], object]) -> list[str]:
    """Import the modules that `probe` imports in a forked child; return the names of those that exist by themselves.

    Raises RuntimeError when the probe fails or hangs, or when one of the modules leaves a thread in this process.
    """
    before, imported = thread_names(), []
    for name in _probed(probe):
        with contextlib.suppress(ImportError):  # a few exist only inside others, which make them
            importlib.import_module(name)
            imported.append(name)
    require_no_threads_but(before)
    return imported


def thread_names() -> list[str]:
    """Return the names of this process' threads."""
    return sorted((task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir())


def require_no_threads_but(known: list[str]) -> None:
    """Raise RuntimeError when there are more threads than the known ones."""
    threads = thread_names()
    if len(threads) > len(known):
        raise RuntimeError(f"a fork would lose threads: expected {', '.join(known)}, found {', '.join(threads)}")


def _probed(probe: Callable[[], object]) -> list[str]:
    """Run the probe in a child; return the names of the modules that are new there, in the order of their import."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _report(probe, writing)
    os.close(writing)
    try:
        answer = _read(reading)
    finally:
        os.close(reading)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    if not answer:
        raise RuntimeError(f"the probe of what is imported on first use gave no answer in {PROBE_SECONDS:.0f} s")
    report = json.loads(answer)
    if report["error"]:
        raise RuntimeError(f"the probe of what is imported on first use failed: {report['error']}")
    return list(report["names"])


def _report(probe: Callable[[], object], writing: int) -> None:
    """Be the child: run the probe, report, and leave without any clean-up that is the parent's. Does not return."""
    known, error = set(sys.modules), ""
    try:
        probe()
    except BaseException as failure:  # the boundary of the probe: the parent raises it
        error = f"{type(failure).__name__}: {failure}"
    names = [name for name in sys.modules if name not in known]
    with os.fdopen(writing, "w", encoding="utf-8") as pipe:
        json.dump({"error": error, "names": names}, pipe)
    os._exit(0)


def _read(reading: int) -> str:
    """Return what the child wrote until it closed its end; nothing where that took too long."""
    deadline, received = time.monotonic() + PROBE_SECONDS, b""
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([reading], [], [], left)[0]:
            return ""
        chunk = os.read(reading, 2**16)
        if not chunk:
            return received.decode("utf-8")
        received += chunk
