"""The watch for leaks: what grows is found, what is noise is not, and what descends from a process is seen."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

from eval.bench_leaks import look_at, slope
from interpreters.attacks.watch import descendants


def test_a_line_is_recovered_with_its_interval() -> None:
    luck = random.Random(1)
    rise, half = slope([5 + 0.8 * i + luck.uniform(-0.1, 0.1) for i in range(10)])
    assert abs(rise - 0.8) < half < 0.1


def test_noise_is_no_growth() -> None:
    luck = random.Random(2)
    rise, half = slope([40 + luck.uniform(-1, 1) for _ in range(10)])
    assert rise - half < 0 < rise + half


def test_processes_below_are_seen_with_their_memory_and_files(tmp_path: Path) -> None:
    program = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE) as parent:
        while not descendants(parent.pid):
            pass
        seen = look_at(parent.pid, tmp_path)
        assert seen.processes == 2 and seen.peak_mb > seen.loop_mb > 1 and seen.files >= 3 and seen.temporary == 0
        parent.communicate(b"\n")
