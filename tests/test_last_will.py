"""Processes that must not outlive the program that started them, however it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest
from support import ROOT
from test_vllm_server import alive, gone

PROGRAM = """
import subprocess, sys, time
from bootstrap.engines.last_will import LastWill
child = subprocess.Popen(["sh", "-c", "sleep 600 & echo $!; wait"], start_new_session=True, stdout=subprocess.PIPE)
will = LastWill([child.pid, 2**22 + 1])
print(child.pid, int(child.stdout.readline()), flush=True)
time.sleep(0.3)
if sys.argv[1] == "close":
    will.close()
    print(child.wait(), flush=True)
sys.stdin.read()
"""


def start(how: str) -> tuple[subprocess.Popen[str], list[int]]:
    words = [sys.executable, "-c", PROGRAM, how]
    program = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert program.stdout is not None
    return program, [int(pid) for pid in program.stdout.readline().split()]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_they_end_when_the_program_is_killed(number: signal.Signals) -> None:
    program, pids = start("wait")
    time.sleep(1.0)
    assert len(pids) == 2 and all(map(alive, pids))
    program.send_signal(number)
    program.wait()
    assert gone(pids, 10.0)


def test_they_end_when_it_is_closed() -> None:
    program, pids = start("close")
    assert program.stdout is not None and program.stdout.readline() == "-9\n"
    assert gone(pids, 10.0)
    program.communicate()
