"""Child programs: watched, logged, explained when they fail, and never left behind."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support import ROOT

from bootstrap.children import ChildFailedError, ChildRunner, Command, OnProgress
from bootstrap.errors import UserError


def ignore(done: int, total: int, note: str) -> None: ...


def program(folder: Path, code: str, label: str = "child") -> Command:
    return Command(label, (sys.executable, "-c", code), folder / "logs" / f"{label}.log")


def sleeper(folder: Path, label: str = "sleeper") -> Command:
    """Return a child that writes its process id and sleeps."""
    code = f"import os, time; open({str(folder / label)!r}, 'w').write(str(os.getpid()) + ';'); time.sleep(60)"
    return program(folder, code, label)


def waited_for(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()


def pid_in(path: Path) -> int:
    """Return the process id in a file that a child is about to write."""
    assert waited_for(lambda: path.exists() and path.read_text().endswith(";")), f"nothing came in {path}"
    return int(path.read_text().rstrip(";"))


def gone(pid: int) -> bool:
    """Say whether the process has ended (a zombie that nobody has reaped has)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def failing(command: Command, on_progress: OnProgress = ignore) -> str:
    with pytest.raises(ChildFailedError) as caught:
        ChildRunner().run([command], on_progress)
    return str(caught.value)


def test_progress_of_the_loops_programs_and_of_the_trainer_reaches_the_caller(tmp_path: Path) -> None:
    lines = ["progress 1/4 9 samples/s", "noise", "progress 4/4", "step 3/10: loss 0.5", "step 10/10", "a step 1/2"]
    got: list[tuple[int, int, str]] = []
    ChildRunner().run([program(tmp_path, f"print({chr(10).join(lines)!r})")], lambda *seen: got.append(seen))
    assert got == [(1, 4, "9 samples/s"), (4, 4, ""), (3, 10, "loss 0.5"), (10, 10, "")]


def test_progress_arrives_while_the_child_works(tmp_path: Path) -> None:
    """The child goes on only when its first line has been seen."""
    flag = tmp_path / "seen"
    code = f"import os, time\nprint('progress 1/2')\nwhile not os.path.exists({str(flag)!r}): time.sleep(0.01)"
    ChildRunner().run([program(tmp_path, code)], lambda *seen: flag.touch())
    assert flag.exists()


def test_everything_that_a_child_prints_is_in_its_log_after_its_command(tmp_path: Path) -> None:
    command = program(tmp_path, "import sys; print('out'); sys.stdout.flush(); print('err', file=sys.stderr)")
    ChildRunner().run([command], ignore)
    assert command.log_file.read_text() == f"$ {command}\nout\nerr\n"


def test_output_that_is_not_text_does_not_stop_the_log(tmp_path: Path) -> None:
    command = program(tmp_path, r"import sys; sys.stdout.buffer.write(b'\xff\xfe\n'); print('after')")
    ChildRunner().run([command], ignore)
    assert command.log_file.read_text().endswith("after\n")


def test_a_failure_says_what_went_wrong_where_its_log_is_and_how_to_run_it_by_hand(tmp_path: Path) -> None:
    command = program(tmp_path, "print('fine'); print('error: no such model'); print('bye'); raise SystemExit(3)")
    message = failing(command)
    assert message.startswith("child ended with status 3: error: no such model\n")
    assert f"log: {command.log_file}" in message
    by_hand = next(line for line in message.splitlines() if "by hand:" in line).partition("by hand: ")[2]
    assert tuple(shlex.split(by_hand)) == command.words
    assert "--resume" in message


def test_of_a_traceback_the_error_is_told(tmp_path: Path) -> None:
    assert "status 1: ValueError: too many rows" in failing(program(tmp_path, "raise ValueError('too many rows')"))


def test_a_failure_without_an_error_line_tells_the_last_line_and_of_a_silent_one_that(tmp_path: Path) -> None:
    assert "status 1: last words" in failing(program(tmp_path, "print('a'); print('last words'); raise SystemExit(1)"))
    assert "status 1: it printed nothing" in failing(program(tmp_path, "raise SystemExit(1)"))


def test_a_child_that_was_killed_is_told_by_its_signal(tmp_path: Path) -> None:
    assert "was ended by signal 9 (Killed)" in failing(program(tmp_path, "import os; os.kill(os.getpid(), 9)"))


def test_children_side_by_side_are_each_timed(tmp_path: Path) -> None:
    commands = [program(tmp_path, f"import time; time.sleep({seconds})", f"c{seconds}") for seconds in (0.6, 0.01)]
    started = time.monotonic()
    slow, quick = ChildRunner().run(commands, ignore)
    assert quick < slow <= time.monotonic() - started
    assert slow >= 0.6


def test_when_one_of_two_fails_the_other_is_ended(tmp_path: Path) -> None:
    ready = tmp_path / "sleeper"
    wait = (
        f"import os, time\nwhile not os.path.exists({str(ready)!r}): time.sleep(0.01)\nraise SystemExit('error: bad')"
    )
    started = time.monotonic()
    with pytest.raises(ChildFailedError, match="error: bad"):
        ChildRunner().run([sleeper(tmp_path), program(tmp_path, wait, "failing")], ignore)
    assert gone(pid_in(ready))
    assert time.monotonic() - started < 30


def test_a_child_that_ignores_the_first_signal_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bootstrap.children.STOP_SECONDS", 0.2)
    ready = tmp_path / "pid"
    code = (
        "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        f"open({str(ready)!r}, 'w').write(str(os.getpid()) + ';'); time.sleep(60)"
    )
    runner = ChildRunner()
    runner.prestart(program(tmp_path, code))
    pid = pid_in(ready)
    started = time.monotonic()
    runner.close()
    assert gone(pid)
    assert time.monotonic() - started < 30


GRANDCHILD = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {code!r}]); {then}"


def grandchild_of(folder: Path, then: str) -> Command:
    """Return a child that starts another process and then does `then`."""
    return program(folder, GRANDCHILD.format(code=sleeper(folder, "grandchild").words[-1], then=then))


def test_stopping_a_child_ends_what_it_started(tmp_path: Path) -> None:
    runner = ChildRunner()
    runner.prestart(grandchild_of(tmp_path, "time.sleep(60)"))
    pid = pid_in(tmp_path / "grandchild")
    assert not gone(pid)
    runner.close()
    assert waited_for(lambda: gone(pid), 2)


def test_a_grandchild_left_behind_holds_nothing_up_and_is_ended(tmp_path: Path) -> None:
    ready = tmp_path / "grandchild"
    command = grandchild_of(tmp_path, f"import os\nwhile not os.path.exists({str(ready)!r}): time.sleep(0.01)")
    started = time.monotonic()
    ChildRunner().run([command], ignore)
    assert time.monotonic() - started < 30
    pid = pid_in(ready)
    assert waited_for(lambda: gone(pid), 2)


def test_what_has_a_process_group_of_its_own_is_ended_too(tmp_path: Path) -> None:
    ready = tmp_path / "grandchild"
    other = f"import os, time; open({str(ready)!r}, 'w').write(str(os.getpid()) + ';'); time.sleep(60)"
    code = (
        "import os, subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-c', {other!r}], process_group=0)\n"
        f"while not os.path.exists({str(ready)!r}): time.sleep(0.01)"
    )
    ChildRunner().run([program(tmp_path, code)], ignore)
    pid = pid_in(ready)
    assert waited_for(lambda: gone(pid), 2)


WAITING = """
import os, sys
with open({starts!r}, "a") as file: file.write("s")
if "--wait" in sys.argv:
    {then}
print("progress 1/1", sys.argv[1:])
"""


def early(folder: Path, then: str = "assert sys.stdin.readline() == 'go' + chr(10)") -> Command:
    """Return a program that knows `--wait`; each start of it is one letter in the file `starts`."""
    return program(folder, WAITING.format(starts=str(folder / "starts"), then=then))


def started_times(folder: Path) -> int:
    return len((folder / "starts").read_text()) if (folder / "starts").exists() else 0


def test_a_child_that_was_started_ahead_begins_when_its_stage_does(tmp_path: Path) -> None:
    runner, command, got = ChildRunner(), early(tmp_path), []
    runner.prestart(command)
    runner.prestart(command)
    assert waited_for(lambda: started_times(tmp_path) == 1)
    assert "progress" not in command.log_file.read_text()
    runner.run([command], lambda *seen: got.append(seen))
    assert got == [(1, 1, "['--wait']")]
    assert started_times(tmp_path) == 1
    runner.close()


def test_a_child_that_died_while_it_waited_is_started_afresh(tmp_path: Path) -> None:
    ready = tmp_path / "pid"
    command = early(tmp_path, f"open({str(ready)!r}, 'w').write(str(os.getpid()) + ';'); sys.exit(1)")
    runner = ChildRunner()
    runner.prestart(command)
    assert waited_for(lambda: gone(pid_in(ready)))
    runner.run([command], ignore)
    assert started_times(tmp_path) == 2


def test_a_program_that_is_not_there_is_named(tmp_path: Path) -> None:
    command = Command("training", ("no-such-launcher", "x"), tmp_path / "log")
    with pytest.raises(UserError, match="cannot start training: no-such-launcher: No such file"):
        ChildRunner().run([sleeper(tmp_path), command], ignore)
    assert not (tmp_path / "sleeper").exists() or gone(pid_in(tmp_path / "sleeper"))


PARENT = """
import signal
from pathlib import Path
from bootstrap.children import ChildRunner, Command
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs the tests may ignore it, as nohup does
ChildRunner().run([Command("sleeper", tuple({words!r}), Path({log!r}))], lambda *seen: None)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_child_dies_with_its_parent_however_that_is_ended(tmp_path: Path, how: signal.Signals) -> None:
    command = sleeper(tmp_path)
    code = PARENT.format(words=list(command.words), log=str(command.log_file))
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        pid = pid_in(tmp_path / "sleeper")
        assert not gone(pid)
        parent.send_signal(how)
        parent.wait(10)
        assert waited_for(lambda: gone(pid), 2)
    finally:
        parent.kill()
        with contextlib.suppress(ProcessLookupError, FileNotFoundError, AssertionError):
            os.kill(pid_in(tmp_path / "sleeper"), signal.SIGKILL)
