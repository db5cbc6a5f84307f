"""What hostile Python may try against the checker. Each attack must fail, and the next check must not notice it."""

from __future__ import annotations

import contextlib
import os
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from interpreters import load_interpreter
from interpreters.base import Column, ColumnType, Execution, Interpreter, Limits, Outcome, Table, TestCase
from interpreters.checking import check
from interpreters.sandbox import Wanted

FAST = Limits(seconds=0.6, memory_mb=512, output_bytes=2**20, cells=5_000)
SENTINEL = "expected-sentinel-7391"
INPUT = Table((Column("a", ColumnType.INT),), ((1,), (2,), (3,)))
DOUBLED = Table(INPUT.columns, ((2,), (4,), (6,)))
RIGHT = "t.select(pl.col('a') * 2)"
TESTS = (TestCase({"t": INPUT}, DOUBLED), TestCase({"t": INPUT}, DOUBLED, hidden=True))


@pytest.fixture(scope="module")
def polars() -> Iterator[Interpreter]:
    """The interpreter whose candidates are Python."""
    loaded = load_interpreter("polars_expr")
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def unlocked() -> Iterator[Interpreter]:
    """The same without any layer that a kernel may lack: what is left must hold for itself."""
    with load_interpreter("polars_expr", Wanted(frozenset(), required=False)) as loaded:
        yield loaded


@pytest.fixture(autouse=True)
def _the_next_check_does_not_notice(polars: Interpreter) -> Iterator[None]:
    yield
    assert check(polars, RIGHT, TESTS, FAST).passed


def run(polars: Interpreter, code: str, limits: Limits = FAST) -> Execution:
    code = f"sys, os, gc = __import__('sys'), __import__('os'), __import__('gc')\n{textwrap.dedent(code)}"
    return polars.execute(code, [{"t": INPUT}], limits)


def text_of(execution: Execution) -> str:
    """Return the one cell that an attack brought home."""
    assert execution.outcome is Outcome.PASSED, execution
    [[cell]] = execution.results[0].rows
    return str(cell)


def marked(word: str) -> list[int]:
    """Return the processes that have `word` as an argument, or as the end of one."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if f"{word}\0".encode() in entry.read_bytes():
                found.append(int(entry.parent.name))
    return found


def zygotes_of_this_process() -> set[int]:
    return {*marked("interpreters.runners.polars_runner")} & {*marked(f"\0{os.getpid()}")}


# -- claims of success --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "os._exit(0)",
        "sys.exit(0)",
        "raise SystemExit",
        "raise KeyboardInterrupt",
        "os.close(3)",
        "os.close(3)\nwhile True: pass",
        "result = None",
        "result = 'PASSED'",
        "result = [(2,), (4,), (6,)]",
        "result = type('Right', (), {'__eq__': lambda self, other: True})()",
        "result = type('Right', (pl.DataFrame,), {'equals': lambda *a: True, '__eq__': lambda *a: True})(t)",
        "result = pl.DataFrame({'a': [object()]})",
        "print('PASSED')\nprint('{\"table\": 1}', file=sys.__stdout__)",
    ],
)
def test_what_is_no_data_frame_is_no_result(polars: Interpreter, code: str) -> None:
    execution = run(polars, code)
    assert (execution.outcome, execution.results) == (Outcome.NO_RESULT, ())


@pytest.mark.parametrize(
    "payload",
    [
        b"PASSED",
        b"\0\0\0\x02{}",
        b"\0\0\0\x10" + b'{"passed": true}',
        b'\0\0\0\x11{"started": true}',
        b'\0\0\0\x0f{"broken": "us"}',
        b'\0\0\0\x24{"failure": "PASSED", "message": ""}',
        b'\0\0\0\x23{"failure": "INFRA", "message": ""}',
        b"\0\0\0\x04" + b"\xff\xfe\xfd\xfc",
        b"\0\0\x0f\xff" + b"[" * 0xFFF,
        b"\xff" * 64,
    ],
)
def test_forged_bytes_on_every_descriptor_are_a_failed_candidate(polars: Interpreter, payload: bytes) -> None:
    attack = f"""
        for fd in range(64):
            try: os.write(fd, {payload!r})
            except OSError: pass
        os._exit(0)
    """
    execution = run(polars, attack)
    assert execution.outcome in (Outcome.NO_RESULT, Outcome.OUTPUT_EXCEEDED)
    assert execution.results == ()


def test_a_forged_table_is_a_claim_like_any_other(polars: Interpreter) -> None:
    message = b'{"table":{"columns":[["a","int"]],"height":1,"values":[[7]]}}'
    attack = (
        f"import_free = {(len(message).to_bytes(4, 'big') + message)!r}\n__import__('os').write(3, import_free * 9)"
    )
    assert check(polars, attack, TESTS, FAST).outcome is Outcome.WRONG_ANSWER


def test_patched_libraries_spoil_only_their_own_process(polars: Interpreter) -> None:
    run(polars, "pl.DataFrame.select = lambda *a: t\n__import__('json').dumps = print\nresult = t")
    assert check(polars, RIGHT, TESTS, FAST).passed


# -- resources ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        "while True: pass",
        "s = __import__('signal')\nfor n in range(1, 32):\n    if n not in (9, 19): s.signal(n, s.SIG_IGN)\n"
        "while True: pass",
        "__import__('time').sleep(60)",
        "while True: os.write(1, b'x' * 65536)",
        "os.kill(os.getpid(), 19)",
        "sum(1 for _ in iter(int, 1))",
    ],
    ids=["loop", "signals ignored", "sleep", "output to nowhere", "stopped", "inside C"],
)
def test_what_does_not_end_is_killed_at_the_deadline(polars: Interpreter, code: str) -> None:
    start = time.monotonic()
    assert run(polars, code).outcome is Outcome.TIMEOUT
    assert FAST.seconds <= time.monotonic() - start < FAST.seconds + 2.0


@pytest.mark.parametrize(
    "code",
    [
        "x = bytearray(64 * 2**30)",
        "x = 'y' * 10**11",
        "x = pl.select(pl.int_range(0, 20_000_000_000))",
        "x = list(range(10**9))",
    ],
)
def test_memory_is_limited(polars: Interpreter, code: str) -> None:
    assert run(polars, code, Limits(seconds=10, memory_mb=256)).outcome is Outcome.MEMORY_EXCEEDED


@pytest.mark.parametrize(
    "code",
    [
        "result = pl.select(a=pl.int_range(0, 6000))",
        "result = pl.DataFrame({'a': ['x' * 3 * 2**20]})",
        "while True: os.write(3, b'\\0\\x0f\\xff\\x00' + b' ' * 0xFFF00)",
    ],
    ids=["cells", "bytes", "flood"],
)
def test_output_is_limited(polars: Interpreter, code: str) -> None:
    assert run(polars, code).outcome in (Outcome.OUTPUT_EXCEEDED, Outcome.NO_RESULT)


@pytest.mark.parametrize(
    "code",
    [
        "def f(): return f()\nresult = f()",
        "sys.setrecursionlimit(10**9)\ndef f(): return f()\nresult = f()",
        "__import__('ctypes').string_at(0)",
        "os.abort()",
        "os.kill(os.getpid(), 9)",
        "result = eval('(' * 10**5)",
    ],
    ids=["recursion", "deep recursion", "null pointer", "abort", "kill itself", "deep source"],
)
def test_a_crash_is_a_failed_candidate(polars: Interpreter, code: str) -> None:
    execution = run(polars, code)
    assert execution.outcome is not Outcome.PASSED and execution.message


def test_no_file_can_be_filled(polars: Interpreter, tmp_path: Path) -> None:
    target = tmp_path / "written"
    assert run(polars, f"open({str(target)!r}, 'w').write('x' * 10)").outcome is not Outcome.PASSED
    assert not target.exists() or target.read_bytes() == b""


# -- what can be seen ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("planted_in", "found"), [("expected", "no"), ("input", "yes")])
def test_the_expected_values_are_nowhere_in_the_process(polars: Interpreter, planted_in: str, found: str) -> None:
    # The attack knows the sentinel backwards only, so that it cannot find its own copy of it.
    search = f"""
        gc = __import__('gc')
        gc.unfreeze()
        frame, seen = __import__('sys')._getframe(), []
        while frame is not None:
            seen.append(dict(frame.f_locals)); frame = frame.f_back
        seen += [o for o in gc.get_objects() if type(o) in (dict, list, tuple, set, frozenset)]
        seen += [row for value in list(globals().values()) if type(value) is pl.DataFrame for row in value.rows()]
        texts = [x for o in seen for x in (list(o.values()) if type(o) is dict else o) if type(x) is str]
        found = any({SENTINEL[::-1]!r} in text[::-1] for text in texts)
        result = pl.DataFrame({{'a': ['yes' if found else 'no']}})
    """
    planted = Table((Column("a", ColumnType.STRING),), ((SENTINEL,),))
    answer = Table(planted.columns, ((found,),))
    inputs = {"t": planted if planted_in == "input" else INPUT}
    tests = [TestCase(inputs, answer), TestCase(inputs, planted)]
    verdict = check(polars, textwrap.dedent(search), tests, Limits(seconds=20))
    assert (verdict.outcome, verdict.failed_test) == (Outcome.WRONG_ANSWER, 1)


def test_the_environment_is_empty_and_nothing_of_ours_was_in_it(polars: Interpreter, unlocked: Interpreter) -> None:
    assert text_of(run(polars, "result = pl.DataFrame({'a': [repr(dict(os.environ))]})")) == "{}"
    attack = "result = pl.DataFrame({'a': [open('/proc/self/environ').read()]})"
    execution = run(polars, attack)
    assert (execution.outcome, execution.results) == (Outcome.RUNTIME_ERROR, ())
    assert "Permission" in execution.message
    names = {entry.partition("=")[0] for entry in text_of(run(unlocked, attack)).split("\0") if entry}
    assert names <= {"PATH", "TZ", "LC_ALL", "PYTHONHASHSEED", "POLARS_MAX_THREADS", "_RJEM_MALLOC_CONF"}


def test_only_the_own_socket_and_null_streams_are_open(unlocked: Interpreter) -> None:
    attack = "result = pl.DataFrame({'a': [' '.join(os.readlink(f'/proc/self/fd/{n}') for n in range(4))]})"
    streams = text_of(run(unlocked, attack)).split()
    assert streams[:3] == ["/dev/null"] * 3 and streams[3].startswith("socket:")


def test_the_working_directory_is_empty_for_every_candidate(unlocked: Interpreter) -> None:
    attack = "before = os.listdir('.')\nos.mkdir('left'); open('x', 'w')\nresult = pl.DataFrame({'a': [repr(before)]})"
    assert [text_of(run(unlocked, attack)) for _ in range(2)] == ["[]", "[]"]
    run(unlocked, "os.rmdir(os.getcwd())")
    assert text_of(run(unlocked, attack)) == "[]"


@pytest.mark.parametrize("code", ["os.listdir('.')", "os.mkdir('left')", "open('x', 'w')", "os.rmdir(os.getcwd())"])
def test_not_even_the_working_directory_can_be_used(polars: Interpreter, code: str) -> None:
    execution = run(polars, code)
    assert execution.outcome is Outcome.RUNTIME_ERROR and "Permission" in execution.message


def test_the_project_is_not_on_the_path(polars: Interpreter) -> None:
    found = text_of(run(polars, "result = pl.DataFrame({'a': ['|'.join(sys.path)]})"))
    assert str(Path.cwd()) not in found.split("|")


# -- what stays behind --------------------------------------------------------------------------------------------

LEFT_BEHIND = f"left-behind-by-{os.getpid()}"
HOSTILE = [
    "while True: pass",
    "os._exit(0)",
    "x = bytearray(64 * 2**30)",
    "os.fork(); os.fork(); os.fork()\nwhile True: pass",
    "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        while True: pass\nos._exit(0)",
    "os.spawnv(1, sys.executable, [sys.executable, '-c', 'import time; time.sleep(300) #" + LEFT_BEHIND + "'])",
    "os.close(3)",
    "os.write(3, b'nonsense')",
    "os.kill(os.getppid(), 19)",
]


@pytest.mark.parametrize("number", [9, 15, 19])
def test_a_signal_to_the_zygote_is_a_failed_candidate(
    polars: Interpreter, unlocked: Interpreter, number: int
) -> None:  # fmt: skip
    attack = f"os.kill(os.getppid(), {number})"
    execution = run(polars, attack)
    assert execution.outcome is Outcome.RUNTIME_ERROR and "not permitted" in execution.message
    assert run(unlocked, attack).outcome is Outcome.NO_RESULT
    assert check(unlocked, RIGHT, TESTS, FAST).passed


def test_hostile_candidates_leave_no_process_and_no_descriptor(polars: Interpreter) -> None:
    run(polars, "result = t")
    processes = zygotes_of_this_process()
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(50):
        limits = Limits(seconds=0.15, memory_mb=256)
        assert run(polars, HOSTILE[number % len(HOSTILE)], limits).outcome is not Outcome.PASSED
    assert check(polars, RIGHT, TESTS, FAST).passed
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
    assert marked(LEFT_BEHIND) == []
    assert zygotes_of_this_process() == processes  # a fork of the zygote would carry its command line
