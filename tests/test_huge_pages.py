"""Gathering memory into huge pages: what is in it stays, and where the kernel can, it takes fewer pages."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = """
import hashlib
from interpreters.isolation import huge_pages
blocks = [str(i).encode() * 50 for i in range(60_000)]
before = hashlib.sha256(b"".join(blocks)).hexdigest()
taken = huge_pages.gather()
assert hashlib.sha256(b"".join(blocks)).hexdigest() == before
smaps = open("/proc/self/smaps_rollup").read()
print(taken, smaps.split("AnonHugePages:")[1].split()[0])
"""


def test_memory_keeps_its_content_and_takes_fewer_pages() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True)
    taken, kilobytes = map(int, done.stdout.split())
    if taken == 0:
        pytest.skip("this kernel gathers no memory into huge pages")
    assert kilobytes >= 2048 * taken / 2
